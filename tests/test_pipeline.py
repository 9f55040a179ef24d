"""The stages together: no hole and no overlap in what is decided, whatever the signal and however it arrives."""

import time
import tracemalloc
from itertools import pairwise

import numpy as np
import pytest
from ecg_tools import FloatArray, analysed, ecg_at, even_ecg, times_of
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.clean.quality import Reason, State
from edge.formats.memory import ArrayRecording
from edge.interpret.facts import context_of, measure
from edge.pipeline import AnalysisState, advance, annotate, collect, finish
from edge.settings import RhythmSettings
from edge.types import Annotations, Decided, Gap, Window, split_at_gaps

RATES_HZ = (50.0, 81.3, 100.05, 128.5, 250.0, 333.33, 360.0, 1000.0)
HUGE = float(np.finfo(np.float32).max)
SEGMENTS = st.lists(
    st.tuples(
        st.sampled_from(["level", "noise", "ramp", "ecg", "nothing", "extremes", "spikes", "sine", "steps"]),
        st.floats(0.001, 8.0),
        st.one_of(st.sampled_from([0.0, 1.0, 5.0, 1e-38, HUGE, -HUGE]), st.floats(-HUGE, HUGE, width=32)),
    ),
    max_size=5,
)


def segment(kind: str, length_s: float, size: float, fs_hz: float) -> FloatArray:
    """Part of a signal that no heart makes; `size` is any number that float32 holds."""
    n = max(1, round(length_s * fs_hz))
    at = np.arange(n)
    rng = np.random.default_rng(n)
    shapes = {
        "level": lambda: np.ones(n),
        "noise": lambda: rng.uniform(-1, 1, n),
        "ramp": lambda: at / n,
        "ecg": lambda: even_ecg(80, fs_hz, n / fs_hz)[:n] / 1.2,
        "nothing": lambda: np.full(n, np.nan),
        "extremes": lambda: 1.0 - 2.0 * (at % 2),
        "spikes": lambda: np.where(at % 97 == 5, 1.0, 0.0),
        "sine": lambda: np.sin(at / 5.0),
        "steps": lambda: np.floor(3 * at / n) / 3,
    }
    return np.clip(shapes[kind](), -1, 1) * size


def pushed(signal_mv: FloatArray, fs_hz: float, cuts: list[int]) -> Annotations:
    """Annotations of a signal that is handed over in parts."""
    state, decided = AnalysisState(fs_hz), list[Decided]()
    edges = [0, *sorted({c for c in cuts if 0 < c < len(signal_mv)}), len(signal_mv)]
    samples = signal_mv.astype(np.float32)[:, None]
    for a, b in pairwise(edges):
        for piece in split_at_gaps(samples[a:b], a, lambda _: "not recorded"):
            decided += advance(piece, state)[0]
    return collect([*decided, *finish(state)], fs_hz, ())


def check(found: Annotations, n_samples: int, fs_hz: float) -> None:
    """Every second is decided once, beats ascend, and each lies in a second that can be used."""
    assert found.n_samples == n_samples
    starts = np.array([round(k * fs_hz) for k in range(len(found.quality) + 1)])
    assert len(found.reasons) == len(found.quality)
    assert starts[-1] >= n_samples
    assert len(found.quality) == 0 or starts[-2] < n_samples
    assert (np.diff(found.beats) > 0).all()
    seconds = np.searchsorted(starts, found.beats, side="right") - 1
    assert (found.quality[seconds] != State.UNUSABLE).all()
    assert ((found.reasons > 0) == (found.quality == State.UNUSABLE)).all()


@settings(max_examples=120, deadline=None)
@given(st.sampled_from(RATES_HZ), SEGMENTS)
def test_any_signal_is_analysed_and_measured_without_an_exception(
    fs_hz: float, segments: list[tuple[str, float, float]]
) -> None:
    parts = [segment(kind, length_s, size, fs_hz) for kind, length_s, size in segments]
    signal_mv = np.concatenate([np.empty(0), *parts]).astype(np.float32)
    found = analysed(signal_mv, fs_hz)
    check(found, len(signal_mv), fs_hz)
    facts = measure(context_of(found, 0.0, len(signal_mv) / fs_hz, RhythmSettings()))
    assert all((fact.value is None) == bool(fact.reason) for fact in facts.values())
    assert all(fact.value is None or np.isfinite(fact.value) for fact in facts.values())


@settings(max_examples=40, deadline=None)
@given(st.sampled_from(RATES_HZ), st.lists(st.floats(-10.0, 10.0, width=32), max_size=60), st.integers(1, 200))
def test_any_pattern_of_samples_that_repeats_is_analysed_without_an_exception(
    fs_hz: float, pattern: list[float], n_repeats: int
) -> None:
    signal_mv = np.tile(np.array(pattern, np.float32), n_repeats)
    check(analysed(signal_mv, fs_hz), len(signal_mv), fs_hz)


@pytest.mark.parametrize("n", [0, 1, 2, 35, 360, 719, 720, 721, 900, 3600, 3601, 4320])
def test_a_recording_of_any_length_has_a_verdict_for_each_second_begun(n: int) -> None:
    found = analysed(even_ecg(72, 360.0, 20)[:n], 360.0)
    check(found, n, 360.0)
    assert len(found.quality) == -(-n // 360)


def test_beats_of_a_two_second_recording_are_found() -> None:
    assert len(analysed(even_ecg(72, 360.0, 2), 360.0).beats) == 2


@pytest.mark.parametrize("fs_hz", [100.05, 128.5, 130.02, 333.33, 499.97])
def test_seconds_do_not_drift_at_a_rate_that_is_no_whole_number(fs_hz: float) -> None:
    signal_mv = even_ecg(72, fs_hz, 300)
    first_bad = round(247 * fs_hz)
    signal_mv[first_bad : first_bad + 20] = np.nan
    found = analysed(signal_mv, fs_hz)
    check(found, len(signal_mv), fs_hz)
    assert np.flatnonzero(found.quality == State.UNUSABLE).tolist() == [247]


@settings(max_examples=25, deadline=None)
@given(
    st.sampled_from([128.5, 250.0, 333.33]),
    st.lists(st.integers(1, 15_000), max_size=30),
    st.lists(st.tuples(st.integers(0, 15_000), st.integers(1, 3000)), max_size=3),
    st.integers(0, 50),
)
def test_quality_and_beats_do_not_depend_on_how_the_signal_is_handed_over(
    fs_hz: float, cuts: list[int], gaps: list[tuple[int, int]], seed: int
) -> None:
    signal_mv = even_ecg(80, fs_hz, 45, noise_mv=0.02, seed=seed)
    signal_mv[round(20 * fs_hz) : round(24 * fs_hz)] += np.random.default_rng(seed).standard_normal(
        round(24 * fs_hz) - round(20 * fs_hz)
    )
    for start, length in gaps:
        signal_mv[start : start + length] = np.nan
    whole, parts = analysed(signal_mv, fs_hz), pushed(signal_mv, fs_hz, cuts)
    check(whole, len(signal_mv), fs_hz)
    np.testing.assert_array_equal(parts.beats, whole.beats)
    np.testing.assert_array_equal(parts.quality, whole.quality)
    np.testing.assert_array_equal(parts.reasons, whole.reasons)


def test_gaps_are_told_once_however_long_they_are() -> None:
    signal_mv = even_ecg(72, 100.0, 1000)
    signal_mv[20_000:80_000] = np.nan  # longer than what is read at a time
    signal_mv[:50] = np.nan
    signal_mv[-70:] = np.nan
    gaps = annotate(ArrayRecording("gaps", signal_mv, 100.0)).gaps
    assert [(g.start, g.stop) for g in gaps] == [(0, 50), (20_000, 80_000), (99_930, 100_000)]


def test_a_gap_of_three_days_costs_little_memory_and_time() -> None:
    fs_hz, n_gap = 130.0, 3 * 86_400 * 130
    signal_mv = even_ecg(72, fs_hz, 30).astype(np.float32)[:, None]
    state, began = AnalysisState(fs_hz), time.process_time()
    tracemalloc.start()
    decided = advance(Window(0, signal_mv), state)[0]
    decided += advance(Gap(3900, 3900 + n_gap, "strap off"), state)[0]
    decided += advance(Window(3900 + n_gap, signal_mv), state)[0]
    found = collect([*decided, *finish(state)], fs_hz, ())
    peak_bytes = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak_bytes < 20e6
    assert time.process_time() - began < 15.0
    assert len(found.quality) == 30 + 3 * 86_400 + 30
    assert (found.reasons[31:-31] == Reason.NO_SAMPLES).all()
    assert (found.quality[-29:] != State.UNUSABLE).all()
    alone = analysed(signal_mv[:, 0], fs_hz)
    later = found.beats[-len(alone.beats) :] - 3900 - n_gap
    assert np.abs(later - alone.beats).max() <= 1  # the scale is known after a gap, and at the start is not


@pytest.mark.parametrize("pause_s", [2.5, 4.0, 5.0, 6.0, 8.0, 12.0])
def test_a_pause_is_counted_with_its_length(pause_s: float) -> None:
    times_s = times_of(75, 60)
    times_s = times_s[(times_s < 30) | (times_s > 30 + pause_s)]
    facts = measure(context_of(analysed(ecg_at(times_s, 250.0, 60), 250.0), 0.0, 60.0, RhythmSettings()))
    assert facts["longest_rr"].value == pytest.approx(float(np.diff(times_s).max()), abs=0.02)
    assert facts["pauses_2.0s"].value == 1


def test_a_second_lead_is_analysed_on_its_own() -> None:
    signal_mv = np.stack((np.zeros(5000), even_ecg(72, 250.0, 20)), axis=1)
    recording = ArrayRecording("two", signal_mv, 250.0)
    assert len(annotate(recording, (0,)).beats) == 0
    assert len(annotate(recording, (1,)).beats) == 24
