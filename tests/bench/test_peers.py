"""Other detectors run beside the subject; these are detectors whose beats are known."""

import time
import warnings

import numpy as np
import pytest

from bench.ec57 import Reference, reference_of
from bench.peers import PEERS, Detect, Peer, Race, Signal

FS = 100.0
BEATS = np.arange(30_050, 31_050, 100)
SIGNAL_MV = np.zeros(60_000)


def reference() -> Reference:
    return reference_of(BEATS, ["N"] * len(BEATS), [0] * len(BEATS), [""] * len(BEATS), FS, len(SIGNAL_MV))


def peer(name: str, detect: Detect) -> Peer:
    return Peer(name, "numpy", lambda: detect)


def race(*peers: Peer) -> list[dict[str, object]]:
    run = Race(peers)
    run.add("100", "", reference(), SIGNAL_MV, BEATS[:9], subject_cpu_s=2.0)
    return run.rows()


def test_the_subject_comes_first_with_the_time_it_took_scaled_to_a_day() -> None:
    [row] = race()
    assert (row["detector"], row["qrs_se"], row["qrs_pp"]) == ("anyecg", 90.0, 100.0)
    assert row["cpu_s_per_24_h"] == 288.0  # 2 s for ten minutes


def test_a_peer_is_scored_on_the_same_record_whatever_order_it_gives_its_beats_in() -> None:
    rows = race(peer("good", lambda signal_mv, fs_hz: [*BEATS[::-1], 50, 50]))
    assert (rows[1]["detector"], rows[1]["qrs_se"], rows[1]["qrs_pp"]) == ("good", 100.0, 100.0)
    assert rows[1]["version"] == np.__version__


def test_a_peer_that_raises_found_nothing_and_is_said_to_have_failed() -> None:
    def broken(signal_mv: Signal, fs_hz: float) -> list[int]:
        raise ZeroDivisionError

    rows = race(peer("broken", broken))
    assert (rows[1]["qrs_se"], rows[1]["qrs_pp"], rows[1]["failed"]) == (0.0, None, ["100"])


def test_a_peer_that_is_not_installed_is_listed_with_the_command_that_gets_it() -> None:
    def load() -> Detect:
        import no_such_detector

        return no_such_detector.detect  # type: ignore[no-any-return]

    rows = race(Peer("other", "no-such-detector", load, also=("its-parts",)))
    assert rows[1] == {"detector": "other", "not_installed": "pip install no-such-detector its-parts"}


def test_what_a_peer_needs_once_is_not_timed() -> None:
    calls: list[int] = []

    def slow_at_first(signal_mv: Signal, fs_hz: float) -> np.ndarray:
        if not calls:
            began = time.process_time()
            while time.process_time() - began < 0.3:
                pass
        calls.append(len(signal_mv))
        return BEATS

    rows = race(peer("slow", slow_at_first))
    assert calls == [1000, 60_000]
    assert rows[1]["cpu_s_per_24_h"] < 0.2 * 144


def test_what_a_peer_prints_or_warns_of_stays_out_of_the_result(capsys: pytest.CaptureFixture[str]) -> None:
    def noisy(signal_mv: Signal, fs_hz: float) -> np.ndarray:
        print("learning")
        warnings.warn("deprecated", stacklevel=1)
        return BEATS

    assert "failed" not in race(peer("noisy", noisy))[1]
    assert capsys.readouterr().out == ""


def test_missing_samples_reach_a_peer_as_0_mv() -> None:
    seen: list[Signal] = []

    def keep(signal_mv: Signal, fs_hz: float) -> np.ndarray:
        seen.append(signal_mv)
        return BEATS

    run = Race((peer("keep", keep),))
    run.add("100", "", reference(), np.full(60_000, np.nan), BEATS, 0.0)
    assert all((signal_mv == 0).all() for signal_mv in seen)


def test_groups_of_records_have_rows_of_their_own() -> None:
    run = Race(())
    run.add("118e06", "6 dB", reference(), SIGNAL_MV, BEATS, 1.0)
    run.add("118e00", "0 dB", reference(), SIGNAL_MV, BEATS[:5], 1.0)
    assert [(row["group"], row["qrs_se"]) for row in run.rows()] == [("6 dB", 100.0), ("0 dB", 50.0)]


@pytest.mark.parametrize("known", PEERS, ids=lambda known: known.name)
def test_every_installed_peer_finds_the_beats_of_the_demo_ecg(known: Peer) -> None:
    from edge.formats.memory import demo_recording

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            detect = known.load()
        except ImportError as error:
            pytest.skip(f"{known.package} is not installed ({error})")
        beats = np.asarray(detect(demo_recording().read_mv(0, 21_600)[:, 0].astype(np.float64), 360.0))
    assert 90 <= len(beats) <= 115
