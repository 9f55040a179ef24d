"""Reading in pieces as they come from a wearable: what is decided when, and that cutting changes nothing."""

from itertools import pairwise

import numpy as np
import pytest
from ecg_tools import ecg_at, even_ecg, times_of
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from edge.clean.quality import Reason, State
from edge.contact import Off
from edge.detect.network.prepare import FS_HZ, SETTLE, reach_of
from edge.detect.network.session import Network, shipped_network
from edge.detect.reading import LARGEST_MV, ReadingState, read_on, reading_state
from edge.formats.memory import demo_recording
from edge.pipeline import collect
from edge.settings import Settings
from edge.types import LABELS, NO_POINT, Absent, Annotations, Decided, Likely, Point, Wave

BEAT_DELAY_S, NAME_DELAY_S = 2.0, 10.0  # required at most


def network() -> Network:
    loaded = shipped_network()
    assert loaded is not None
    return loaded


def demo(first_s: int = 0, stop_s: int = 300) -> tuple[NDArray[np.float32], float]:
    recording = demo_recording()
    fs_hz = recording.info.fs_hz
    return recording.read_mv(round(first_s * fs_hz), round(stop_s * fs_hz)), fs_hz


def new(fs_hz: float, leads: tuple[int, ...] = (0,)) -> ReadingState:
    return reading_state(fs_hz, leads, network(), Settings())


def read(signal_mv: NDArray[np.floating], fs_hz: float, cuts: list[int] | None = None) -> Annotations:
    """Annotations of a signal, (n, n_leads), of which every lead is read, cut at these samples."""
    samples = signal_mv.astype(np.float32)
    state, decided = new(fs_hz, tuple(range(samples.shape[1]))), list[Decided]()
    for a, b in pairwise([0, *(cuts or []), len(samples)]):
        decided += read_on(samples[a:b], state)
    decided += read_on(samples[:0], state, final=True)
    check_order(decided, len(samples))
    found = collect(decided, fs_hz, ())
    assert found.beats.tolist() == [at for d in decided for r in d.readings for at in r.beats.tolist()]
    return found


def check_order(decided: list[Decided], n_samples: int) -> None:
    """Seconds follow each other without a hole, in what is decided and in what is read."""
    second, stop = 0, 0
    for d in decided:
        assert d.first_second == second
        assert len(d.quality) == len(d.reasons)
        assert ((d.beats >= stop) & (d.beats < max(d.stop, 1))).all()
        second, stop = second + len(d.quality), d.stop
    assert stop == n_samples
    readings = [reading for d in decided for reading in d.readings]
    second = 0
    for reading in readings:
        assert reading.first_second == second
        assert len(reading.labels) == len(reading.waves) == len(reading.absent) == len(reading.beats)
        second += len(reading.likely)
    if readings:
        assert readings[-1].stop == n_samples


def assert_same(parts: Annotations, whole: Annotations) -> None:
    for name in ("beats", "quality", "reasons", "labels", "absent"):
        np.testing.assert_array_equal(getattr(parts, name), getattr(whole, name), err_msg=name)
    np.testing.assert_allclose(parts.likely.astype(int), whole.likely.astype(int), atol=1)
    apart = np.abs(parts.waves.astype(int) - whole.waves)
    peaks = [Point.P_PEAK, Point.T_PEAK]
    assert np.delete(apart, peaks, axis=1).max(initial=0) <= 1
    assert (apart[:, peaks] <= 1).mean() > 0.97 if len(apart) else True  # of a tie rounding decides
    assert parts.rhythms == whole.rhythms


@settings(max_examples=5, deadline=None)
@given(st.sets(st.integers(1, 60 * 360), max_size=15), st.integers(0, 230))
def test_the_demo_is_read_alike_however_it_is_cut(cuts: set[int], first_s: int) -> None:
    signal_mv, fs_hz = demo(first_s, first_s + 60)
    assert_same(read(signal_mv, fs_hz, sorted(cuts)), read(signal_mv, fs_hz))


@settings(max_examples=5, deadline=None)
@given(
    st.sampled_from([100.05, 128.5, 250.0]),
    st.sets(st.integers(1, 40 * 100), max_size=15),
    st.lists(st.tuples(st.integers(0, 4000), st.integers(1, 2000), st.sampled_from([0, 1, 2])), max_size=3),
    st.integers(0, 50),
)
def test_two_leads_with_gaps_are_read_alike_however_they_are_cut(
    fs_hz: float, cuts: set[int], gaps: list[tuple[int, int, int]], seed: int
) -> None:
    first = even_ecg(80, fs_hz, 41, noise_mv=0.02, seed=seed)
    leads = np.stack((first, -0.6 * first + 0.02 * np.random.default_rng(seed).standard_normal(len(first))), axis=1)
    leads[round(20 * fs_hz) : round(26 * fs_hz), 0] += np.random.default_rng(seed + 1).standard_normal(
        round(26 * fs_hz) - round(20 * fs_hz)
    )
    for at, length, which in gaps:
        leads[at : at + length, [[0], [1], [0, 1]][which]] = np.nan
    assert_same(read(leads, fs_hz, sorted(cuts)), read(leads, fs_hz))


@pytest.mark.parametrize("block_s", [0.1, 0.5, 1.0])
def test_a_beat_is_decided_within_two_seconds_and_named_within_ten(block_s: float) -> None:
    signal_mv, fs_hz = demo(0, 100)
    state, block = new(fs_hz), round(block_s * fs_hz)
    n_beats, n_named, fed = 0, 0, 0
    slack = reach_of(fs_hz) + block
    while fed < len(signal_mv):
        decided = read_on(signal_mv[fed : fed + block], state)
        fed = min(fed + block, len(signal_mv))
        for d in decided:
            n_beats += len(d.beats)
            in_time = d.beats[d.beats > SETTLE * fs_hz]  # the first scale is waited for
            assert (fed - in_time <= BEAT_DELAY_S * fs_hz + slack).all()
            for reading in d.readings:
                n_named += len(reading.beats)
                assert (fed - reading.beats <= NAME_DELAY_S * fs_hz + slack).all()
                if reading.first_second > SETTLE:
                    assert fed - reading.beats.min(initial=fed) <= 8 * fs_hz + slack
    assert n_beats > 140
    assert n_named > 130
    waiting_s = fed / fs_hz - state.reader.found
    assert waiting_s <= BEAT_DELAY_S + slack / fs_hz
    assert fed / fs_hz - state.reader.named <= NAME_DELAY_S + slack / fs_hz


def test_no_later_beat_changes_one_that_was_decided() -> None:
    signal_mv, fs_hz = demo(100, 160)
    other = signal_mv.copy()
    cut = round(30 * fs_hz)
    other[cut:] = np.random.default_rng(0).standard_normal((len(other) - cut, 1))
    usual, changed = (new(fs_hz), new(fs_hz))
    decided = read_on(signal_mv[:cut], usual)
    again = read_on(other[:cut], changed)
    np.testing.assert_array_equal(np.concatenate([d.beats for d in decided]), np.concatenate([d.beats for d in again]))
    whole = collect([*again, *read_on(other[cut:], changed), *read_on(other[:0], changed, final=True)], fs_hz, ())
    n = sum(len(d.beats) for d in decided)
    np.testing.assert_array_equal(whole.beats[:n], np.concatenate([d.beats for d in decided]))


def test_everything_found_is_in_range() -> None:
    signal_mv, fs_hz = demo()
    found = read(signal_mv, fs_hz)
    assert len(found.beats) == len(found.labels) == len(found.waves) == len(found.absent)
    assert set(found.labels.tobytes().decode()) <= set(LABELS)
    for wave in Wave:
        has = found.absent[:, wave] == Absent.PRESENT
        ends = found.waves[:, [3 * wave, 3 * wave + 2]]
        assert (ends[has] != NO_POINT).all()
        assert (ends[~has] == NO_POINT).all()
        assert (ends[has, 0] <= ends[has, 1]).all()
    assert found.likely.shape == (300, len(Likely))
    assert sum(found.classes) == pytest.approx(1) if found.classes else True


def test_the_demo_has_its_beats_and_ventricular_ones() -> None:
    signal_mv, fs_hz = demo()
    found = read(signal_mv, fs_hz)
    by_label = {letter: int((found.labels == ord(letter)).sum()) for letter in LABELS}
    assert 480 <= len(found.beats) <= 520
    assert 50 <= by_label["V"] <= 150
    assert by_label["N"] > 300


def test_inverting_the_demo_hardly_moves_its_beats() -> None:
    signal_mv, fs_hz = demo(0, 120)
    usual, turned = read(signal_mv, fs_hz).beats, read(-signal_mv, fs_hz).beats
    at = np.searchsorted(turned, usual).clip(1, len(turned) - 1)
    nearest = np.minimum(np.abs(turned[at] - usual), np.abs(turned[at - 1] - usual))
    assert (nearest <= 0.15 * fs_hz).mean() > 0.95
    assert abs(len(turned) - len(usual)) <= 0.05 * len(usual)


def test_in_stretches_without_contact_nothing_is_found() -> None:
    signal_mv, fs_hz = demo(0, 60)
    state = new(fs_hz)
    state.off = [Off(round(20.5 * fs_hz), round(30.5 * fs_hz))]
    found = collect([*read_on(signal_mv, state), *read_on(signal_mv[:0], state, final=True)], fs_hz, ())
    assert (found.reasons[20:31] == Reason.LEAD_OFF).all()
    assert (found.quality[20:31] == State.UNUSABLE).all()
    second = found.beats // round(fs_hz)
    assert not ((second >= 20) & (second < 31)).any()
    assert len(found.labels) == len(found.beats) > 40


def test_absurd_samples_are_held_within_what_can_be_summed() -> None:
    signal_mv = even_ecg(72, 250.0, 40)[:, None]
    signal_mv[3000:3010] = 1e38
    signal_mv[4000:4010] = -np.inf
    found = read(signal_mv, 250.0)
    assert LARGEST_MV < 1e38
    assert np.flatnonzero(found.quality == State.UNUSABLE).tolist() == [12, 16]
    assert found.reasons[16] == Reason.NO_SAMPLES
    assert len(found.beats) >= 45


def test_beats_lie_on_the_samples_where_they_were_drawn() -> None:
    for fs_hz in (128.5, 250.0, 1000.0):
        times_s = times_of(71.3, 60)
        found = read(ecg_at(times_s, fs_hz, 60)[:, None], fs_hz).beats / fs_hz
        assert len(found) == len(times_s)
        off_s = found - times_s
        assert np.abs(off_s - np.median(off_s)).max() < 0.020
        assert abs(np.median(off_s)) < 0.040


def test_where_a_wave_is_absent_the_offsets_say_so_at_any_rate() -> None:
    found = read(even_ecg(72, 1000.0, 30)[:, None], 1000.0)
    has_t = found.absent[:, Wave.T] == Absent.PRESENT
    assert has_t.mean() > 0.7
    t_s = found.waves[has_t, Point.T_PEAK] / 1000.0
    assert abs(np.median(t_s) - 0.21) < 0.05  # drawn at a quarter of the interval


def arrays_of(state: ReadingState) -> int:
    """Bytes of the arrays that a state holds itself and in its reader."""
    own = (state.signal_mv, state.reasons, state.hidden, state.states, state.decided_reasons, state.noise)
    lead = state.reader.leads[0]
    theirs = (lead.signal, *lead.coarse, lead.waves, lead.clear, state.reader.beats)
    return sum(array.nbytes for array in (*own, *theirs, *state.classes))


def test_twenty_minutes_hold_no_more_than_five() -> None:
    signal_mv, fs_hz = demo(0, 300)
    state, sizes = new(fs_hz), []
    step = round(10 * fs_hz)
    for _ in range(4):
        most = 0
        for a in range(0, len(signal_mv), step):
            read_on(signal_mv[a : a + step], state)
            most = max(most, arrays_of(state))
        sizes.append(most)
    assert sizes[3] <= 1.05 * sizes[0]
    assert len(state.signal_mv) <= fs_hz + 4 * reach_of(fs_hz)
    assert state.seconds_in >= 1198


def test_of_more_leads_than_are_read_at_once_the_first_count() -> None:
    most = Settings().network.most_leads
    assert new(250.0, tuple(range(most + 3))).leads == tuple(range(most))


def test_a_reading_that_is_finished_twice_says_nothing_new() -> None:
    signal_mv, fs_hz = demo(0, 20)
    state = new(fs_hz)
    read_on(signal_mv, state)
    read_on(signal_mv[:0], state, final=True)
    again = read_on(signal_mv[:0], state, final=True)
    assert sum(len(d.beats) for d in again) == 0
    assert sum(len(d.quality) for d in again) == 0


def test_the_grid_of_the_network_begins_with_the_recording() -> None:
    state = new(333.33)
    assert [state.sample_at(second) for second in (0, 1, 3)] == [0, 333, 1000]
    assert FS_HZ == 125
