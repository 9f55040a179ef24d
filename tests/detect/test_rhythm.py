"""Each rhythm is named by its definition, in its order of priority, and nothing is named that was not seen."""

import numpy as np
import pytest
from numpy.typing import NDArray

from edge.clean.quality import Reason, State
from edge.detect.rhythm import ReadSeconds, RhythmState, advance_rhythm, current_rhythm, finish_rhythm
from edge.detect.rhythm_names import NAMES, Rhythm
from edge.interpret.facts import context_of, measure
from edge.settings import RhythmSettings
from edge.types import Annotations, Likely

FS_HZ = 250.0
Stretch = tuple[float, float]


def beats_every(rr_s: float, start_s: float, stop_s: float) -> list[float]:
    return np.arange(start_s, stop_s, rr_s).tolist()


def read(
    beats_s: list[float],
    n_seconds: int,
    labels: str = "N",
    likely: dict[Likely, list[Stretch]] | None = None,
    unusable: dict[Stretch, Reason] | None = None,
    paced: str = "",
) -> ReadSeconds:
    """Seconds with these beats; `labels` is repeated as needed, `paced` too where Q beats are to be marked "p"."""
    at = np.round(np.array(beats_s, float) * FS_HZ).astype(np.int64)
    codes = np.resize(np.frombuffer(labels.encode(), np.uint8), len(at)).copy()
    marks = np.resize(np.frombuffer(paced.encode() or b"-", np.uint8), len(at)) == ord("p")
    quality, reasons = np.zeros(n_seconds, np.uint8), np.zeros(n_seconds, np.uint8)
    for (a, b), reason in (unusable or {}).items():
        quality[int(a) : int(b)], reasons[int(a) : int(b)] = State.UNUSABLE, reason
    kept = quality[(at / FS_HZ).astype(int)] != State.UNUSABLE
    probability = np.zeros((n_seconds, len(Likely)), np.uint8)
    for column, stretches in (likely or {}).items():
        for a, b in stretches:
            probability[int(a) : int(b), column] = 255
    return ReadSeconds(0, round(n_seconds * FS_HZ), at[kept], codes[kept], marks[kept], quality, reasons, probability)


def named(news: ReadSeconds, settings: RhythmSettings = RhythmSettings()) -> list[tuple[float, float, str]]:  # noqa: B008 - frozen
    """Spans in seconds."""
    state = RhythmState(FS_HZ, settings)
    spans = advance_rhythm(news, state) + finish_rhythm(state)
    return [(span.start / FS_HZ, span.stop / FS_HZ, span.label) for span in spans]


def labels_of(news: ReadSeconds) -> list[str]:
    return [label for _, _, label in named(news)]


def sinus_with(inside: str, before: int = 20, after: int = 20, rr_s: float = 0.5) -> ReadSeconds:
    """Beats of these labels among N beats, `before` of them in front; beat k lies at (k + 1) * rr_s."""
    labels = "N" * before + inside + "N" * after
    n_seconds = int(len(labels) * rr_s) + 1
    return read([rr_s * (k + 1) for k in range(len(labels))], n_seconds, labels)


def test_the_table_defines_each_rhythm_once() -> None:
    assert set(NAMES) == {rhythm for rhythm in Rhythm if rhythm > Rhythm.UNREAD}
    labels = [name.label for name in NAMES.values()]
    assert len(set(labels)) == len(labels)
    assert all(label.startswith("(") for label in labels)


def test_an_even_rhythm_is_one_span_from_its_first_beat_to_its_last() -> None:
    assert named(read(beats_every(0.8, 0.4, 60), 60)) == [(0.4, 59.6, "(N")]


@pytest.mark.parametrize(("rr_s", "label"), [(0.45, "(STACH"), (1.3, "(SBR"), (0.62, "(N"), (1.18, "(N")])
def test_rate_names_the_sinus_rhythm(rr_s: float, label: str) -> None:
    assert labels_of(read(beats_every(rr_s, 0.2, 60), 60)) == [label]


@pytest.mark.parametrize(("rr_s", "label"), [(0.5, "(STACH"), (1.5, "(SBR")])
def test_a_ten_second_ecg_is_fast_or_slow_though_episodes_last_fifteen(rr_s: float, label: str) -> None:
    assert labels_of(read(beats_every(rr_s, 0.2, 10), 10)) == [label]
    within = beats_every(0.8, 0.2, 40) + beats_every(rr_s, 40, 50) + beats_every(0.8, 50, 90)
    assert labels_of(read(within, 90)) == ["(N"]


@pytest.mark.parametrize(("rr_s", "kind", "label"), [(0.4, "tachycardia", "(STACH"), (1.5, "bradycardia", "(SBR")])
def test_fast_and_slow_spans_are_the_episodes_of_the_facts(rr_s: float, kind: str, label: str) -> None:
    beats_s = beats_every(0.8, 0.4, 60) + beats_every(rr_s, 60, 100) + beats_every(0.8, 100, 150)
    news = read(beats_s, 150)
    annotations = Annotations(FS_HZ, news.stop, news.beats, news.quality, news.reasons, ())
    (episode,) = measure(context_of(annotations, 0, 150, RhythmSettings()), "episodes")[f"{kind}_count"].evidence
    assert (episode.start_s, episode.end_s, label) in named(news)


def test_three_ventricular_beats_are_a_tachycardia_to_the_beat_after_them() -> None:
    assert named(sinus_with("VVV"))[1] == (10.5, 12.0, "(VT")
    assert "(VT" not in labels_of(sinus_with("VV"))
    assert "(VT" not in labels_of(sinus_with("VVFV"))


def test_a_slow_ventricular_run_is_idioventricular_and_its_fast_part_a_tachycardia() -> None:
    assert labels_of(sinus_with("VVVV", rr_s=0.7)) == ["(N", "(IVR", "(N"]
    beats_s = beats_every(0.8, 0.4, 20) + beats_every(0.8, 20, 40) + beats_every(0.4, 40, 60)
    found = named(read(beats_s, 60, "N" * 25 + "V" * 75))
    assert [label for _, _, label in found] == ["(N", "(IVR", "(VT"]
    assert abs(found[1][1] - 40) < 2


def test_a_supraventricular_run_is_named_when_it_is_fast() -> None:
    assert named(sinus_with("SSS"))[1] == (10.5, 12.0, "(SVTA")
    assert labels_of(sinus_with("SSSS", rr_s=0.7)) == ["(N"]


def test_no_run_or_pattern_goes_on_across_an_unreadable_second() -> None:
    beats_s = beats_every(0.5, 0.25, 40)
    for labels in ("NNVV" * 20, "NV" * 40):
        hidden = {(float(s), float(s + 1)): Reason.NOISY for s in range(2, 40, 3)}
        assert set(labels_of(read(beats_s, 40, labels, unusable=hidden))) <= {"(N", "(STACH"}


@pytest.mark.parametrize(("cycle", "label"), [("NV", "(B"), ("NNV", "(T")])
def test_three_cycles_make_bigeminy_and_trigeminy(cycle: str, label: str) -> None:
    first = 0.5 * (20 + len(cycle))
    assert named(sinus_with(cycle * 3))[1] == (first, first + len(cycle) + 0.5, label)
    assert label not in labels_of(sinus_with(cycle * 2))
    assert label not in labels_of(sinus_with(cycle * 2 + "F" + cycle * 2))


def test_every_second_beat_supraventricular_is_no_ventricular_bigeminy() -> None:
    assert labels_of(sinus_with("NS" * 20, rr_s=0.8)) == ["(N"]


def irregular(n_seconds: int) -> list[float]:
    rng = np.random.default_rng(1)
    times_s = 0.3 + np.cumsum(rng.uniform(0.5, 1.1, 2 * n_seconds))
    return [float(t) for t in times_s if t < n_seconds]


def test_fibrillation_is_named_from_thirty_seconds_on() -> None:
    for seconds, label in ((60, "(AFIB"), (30, "(AFIB"), (29, "(IRREG"), (11, "(IRREG")):
        news = read(beats_every(0.8, 0.4, 150), 150, likely={Likely.AF: [(40, 40 + seconds)]})
        ((start_s, stop_s, _),) = (span for span in named(news) if span[2] == label)
        assert abs(start_s - 40) <= 1
        assert stop_s - start_s == seconds
    assert labels_of(read(beats_every(0.8, 0.4, 60), 60, likely={Likely.AF: [(20, 28)]})) == ["(N"]


def test_a_whole_short_recording_in_fibrillation_is_fibrillation() -> None:
    assert labels_of(read(irregular(30), 30, likely={Likely.AF: [(0, 30)]})) == ["(AFIB"]


def test_a_probability_that_flickers_begins_no_fibrillation_and_a_dip_ends_none() -> None:
    flicker = [(float(s), s + 1.0) for s in range(0, 120, 2)]
    assert labels_of(read(beats_every(0.8, 0.4, 120), 120, likely={Likely.AF: flicker})) == ["(N"]
    dips = [(20.0, 50.0), (53.0, 80.0), (82.0, 100.0)]
    assert labels_of(read(beats_every(0.8, 0.4, 120), 120, likely={Likely.AF: dips})) == ["(N", "(AFIB", "(N"]


def test_between_the_thresholds_fibrillation_goes_on_but_does_not_begin() -> None:
    news = read(beats_every(0.8, 0.4, 160), 160)
    half = news.likely
    half[20:140, Likely.AF] = 128
    assert labels_of(news) == ["(N"]
    half[60:70, Likely.AF] = 255
    ((start_s, stop_s, _),) = (span for span in named(news) if span[2] == "(AFIB")
    assert 58 <= start_s <= 62
    assert 138 <= stop_s <= 142


def test_flutter_is_told_from_fibrillation_within_one_episode() -> None:
    likely = {Likely.AF: [(20.0, 45.0)], Likely.AFL: [(45.0, 70.0)]}
    found = named(read(beats_every(0.5, 0.25, 90), 90, likely=likely))
    assert [label for _, _, label in found if label.startswith("(AF")] == ["(AFIB", "(AFL"]


def test_a_short_unreadable_stretch_splits_fibrillation_without_ending_it() -> None:
    af = {Likely.AF: [(20.0, 65.0)]}
    beats_s = irregular(90)
    bridged = named(read(beats_s, 90, likely=af, unusable={(40, 45): Reason.NOISY}))
    assert [span[2] for span in bridged][1:-1] == ["(AFIB", "(NOISE", "(AFIB"]
    assert bridged[1][1] == 40
    assert bridged[3][0] == 45
    for hidden in ({(37, 48): Reason.NOISY}, {(42, 43): Reason.NO_SAMPLES}):
        apart = labels_of(read(beats_s, 90, likely=af, unusable=hidden))
        assert apart.count("(IRREG") == 2
        assert "(AFIB" not in apart


def test_ventricular_fibrillation_is_named_where_no_distinct_beat_is_seen_but_not_on_a_loose_lead() -> None:
    vf = {Likely.VF: [(20.0, 40.0)]}
    beats_s = beats_every(0.8, 0.4, 20) + beats_every(0.8, 40.4, 60)
    for hidden in ({}, {(22.0, 39.0): Reason.NO_QRS}):
        found = [span for span in named(read(beats_s, 60, likely=vf, unusable=hidden)) if span[2] != "(N"]
        assert found == [(20.0, 40.0, "(VFL")]
    loose = read(beats_s, 60, likely=vf, unusable={(20.0, 40.0): Reason.LEAD_OFF | Reason.NO_QRS})
    assert labels_of(loose) == ["(N", "(NOISE", "(N"]
    assert "(VFL" not in labels_of(read(beats_s, 60, likely={Likely.VF: [(20.0, 22.0)]}))


def test_asystole_reaches_from_beat_to_beat_and_needs_readable_signal() -> None:
    beats_s = beats_every(0.8, 0.4, 20) + beats_every(0.8, 24, 40)
    assert (19.6, 24.0, "(ASYS") in named(read(beats_s, 40))
    assert "(ASYS" not in labels_of(read(beats_s, 40, unusable={(21, 23): Reason.FLAT}))
    closer = beats_every(0.8, 0.4, 20) + beats_every(0.8, 22.5, 40)
    assert labels_of(read(closer, 40)) == ["(N"]


def test_unreadable_signal_is_named_from_three_seconds_on_and_a_gap_never() -> None:
    beats_s = beats_every(0.8, 0.4, 60)
    noisy = named(read(beats_s, 60, unusable={(20, 22): Reason.NOISY, (40, 43): Reason.ARTEFACT}))
    assert [span for span in noisy if span[2] != "(N"] == [(40.0, 43.0, "(NOISE")]
    for a, b in ((20, 22), (40, 43)):
        assert all(stop_s <= a or start_s >= b or label == "(NOISE" for start_s, stop_s, label in noisy)
    gap = named(read(beats_s, 60, unusable={(20, 40): Reason.NO_SAMPLES}))
    assert [label for _, _, label in gap] == ["(N", "(N"]
    assert gap[0][1] <= 20
    assert gap[1][0] >= 40


def test_mostly_paced_beats_are_a_paced_rhythm_and_unclassifiable_ones_none() -> None:
    beats_s = beats_every(0.8, 0.4, 40)
    assert labels_of(read(beats_s, 40, "QQQN", paced="ppp-")) == ["(P"]
    assert labels_of(read(beats_s, 40, "NNNQ", paced="---p")) == ["(N"]
    assert labels_of(read(beats_s, 40, "Q")) == []


def test_sinus_arrhythmia_is_more_than_breathing_and_more_than_one_odd_interval() -> None:
    def breathing(depth_s: float) -> list[float]:
        t, times_s = 0.5, []
        while t < 120:
            times_s.append(t)
            t += 0.9 + depth_s * np.sin(2 * np.pi * t / 6)
        return times_s

    assert "(SARRH" in labels_of(read(breathing(0.2), 120))
    assert labels_of(read(breathing(0.05), 120)) == ["(N"]
    pause = beats_every(0.9, 0.5, 60) + beats_every(0.9, 61.5, 120)
    assert labels_of(read(pause, 120)) == ["(N"]


def test_where_several_hold_the_graver_names_the_rhythm() -> None:
    af = {Likely.AF: [(0.0, 60.0)]}
    beats_s = beats_every(0.5, 0.25, 60)
    in_fibrillation = labels_of(read(beats_s, 60, "N" * 40 + "VVVV" + "N" * 40 + "NV" * 18, likely=af))
    assert in_fibrillation == ["(AFIB", "(VT", "(AFIB"]
    assert set(labels_of(read(beats_s, 60, "S", likely=af))) == {"(AFIB"}
    both = {Likely.AF: [(0.0, 60.0)], Likely.VF: [(20.0, 40.0)]}
    assert labels_of(read(beats_s, 60, "V", likely=both)) == ["(VT", "(VFL", "(VT"]
    assert labels_of(read(beats_s, 60, "QV", paced="p-")) == ["(P", "(B"]
    assert labels_of(read([], 60, likely=af)) == ["(ASYS"]


@pytest.mark.parametrize(
    ("news", "expected"),
    [
        (read([], 30), [(0.0, 30.0, "(ASYS")]),
        (read([], 1), []),
        (read([0.5], 1), []),
        (read([0.2, 0.9], 1), [(0.2, 0.9, "(N")]),
        (read(beats_every(4.0, 1.0, 58), 60), [(1.0, 60.0, "(ASYS")]),
        (read(beats_every(0.2, 0.2, 30), 30), [(0.2, 29.8, "(SVTA")]),
        (read(beats_every(0.8, 0.4, 30), 30, unusable={(0, 30): Reason.NOISY}), [(0.0, 30.0, "(NOISE")]),
        (read(beats_every(0.8, 0.4, 30), 30, unusable={(0, 30): Reason.NO_SAMPLES}), []),
        (read(beats_every(0.5, 0.2, 30), 30, "VNSFQ"), [(0.2, 29.7, "(STACH")]),
    ],
    ids=["no beat", "empty second", "one beat", "two beats", "15 bpm", "300 bpm", "noise", "gap", "all labels in turn"],
)
def test_odd_input_is_named_by_the_definitions(news: ReadSeconds, expected: list[tuple[float, float, str]]) -> None:
    assert named(news) == expected


def test_nothing_at_all_has_no_rhythm() -> None:
    state = RhythmState(FS_HZ)
    assert finish_rhythm(state) == []
    assert current_rhythm(state) is None


def test_seconds_that_do_not_follow_are_refused() -> None:
    state = RhythmState(FS_HZ)
    advance_rhythm(read([0.5], 2), state)
    with pytest.raises(ValueError, match="second 0 does not follow second 1"):
        advance_rhythm(read([0.5], 2), state)


def begun(news: ReadSeconds, label: str) -> float:
    """The time at which this rhythm is first told, when the seconds come one by one."""
    state = RhythmState(FS_HZ)
    for k in range(len(news.quality)):
        advance_rhythm(news.part(k, k + 1, FS_HZ), state)
        now = current_rhythm(state)
        if now is not None and now.label == label:
            return k + 1.0
    return np.inf


@pytest.mark.parametrize(
    ("news", "label", "fulfilled_s"),
    [
        (read(beats_every(0.5, 0.25, 90), 90, likely={Likely.AF: [(40, 90)]}), "(AFIB", 70),
        (read(beats_every(0.5, 0.25, 90), 90, likely={Likely.AFL: [(40, 90)]}), "(AFL", 70),
        (read(beats_every(0.5, 0.25, 90), 90, likely={Likely.VF: [(40, 90)]}), "(VFL", 43),
        (read(beats_every(0.5, 0.25, 40), 90), "(ASYS", 42.75),
        (read(beats_every(0.5, 0.25, 90), 90, "N" * 80 + "V" * 100), "(VT", 41.25),
        (read(beats_every(0.8, 0.4, 80), 90, "N" * 50 + "V" * 100), "(IVR", 42.0),
        (read(beats_every(0.5, 0.25, 90), 90, "N" * 80 + "S" * 100), "(SVTA", 41.25),
        (read(beats_every(0.5, 0.25, 90), 90, "N" * 80 + "NV" * 50), "(B", 42.75),
        (read(beats_every(0.5, 0.25, 90), 90, "N" * 81 + "NNV" * 33), "(T", 44.25),
        (read(beats_every(0.5, 0.25, 90), 90, "N" * 80 + "Q" * 100, paced="-" * 80 + "p" * 100), "(P", 41.25),
        (read(beats_every(0.8, 0.4, 40) + beats_every(0.4, 40, 90), 90), "(STACH", 55),
        (read(beats_every(0.8, 0.4, 40) + beats_every(1.4, 40, 90), 90), "(SBR", 55),
        (read(beats_every(0.8, 0.4, 90), 90, unusable={(40, 90): Reason.NOISY}), "(NOISE", 43),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_rhythm_is_told_within_ten_seconds_of_meeting_its_definition(
    news: ReadSeconds, label: str, fulfilled_s: float
) -> None:
    assert fulfilled_s <= begun(news, label) <= fulfilled_s + 10


def test_the_rhythm_now_goes_on_between_beats_and_ends_with_the_signal() -> None:
    state = RhythmState(FS_HZ)
    news = read(beats_every(1.5, 0.4, 200), 210, unusable={(200, 210): Reason.NO_SAMPLES})
    told: NDArray[np.bool_] = np.zeros(210, bool)
    for k in range(210):
        advance_rhythm(news.part(k, k + 1, FS_HZ), state)
        now = current_rhythm(state)
        told[k] = now is not None and now.start == news.beats[0]
    assert told[2:200].all()
    assert not told[200:].any()
