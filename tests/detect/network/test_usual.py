"""What was usual for a patient: only complete half-minutes from before, six minutes of them, whatever comes after."""

from itertools import pairwise

import numpy as np
import pytest
from ecg_tools import ecg_at, times_of
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from edge.detect.network.features import Own, own_numbers
from edge.detect.network.prepare import FS_HZ
from edge.detect.network.usual import (
    BLOCK_S,
    BLOCKS,
    FEWEST_BEATS,
    KEPT,
    USUAL_FEATURES,
    UsualState,
    take_in,
    usual_features,
)
from edge.types import Samples

FloatArray = NDArray[np.float32]
RR, CORR, RR_ITSELF, SIZE = (USUAL_FEATURES.index(f"{name}_usual") for name in ("rr", "corr", "rr_itself", "size"))


def read(times_s: NDArray[np.float64], duration_s: float, gain: float = 1.0) -> tuple[Own, Samples]:
    signal = (gain * ecg_at(times_s, FS_HZ, duration_s)).astype(np.float32)
    beats = np.round(times_s * FS_HZ).astype(np.int64)
    waves = np.zeros((3, len(signal)), np.float32)
    for beat in beats.tolist():
        waves[1, max(0, beat - 6) : beat + 7] = 0.9
    return own_numbers(signal, waves, beats), beats


def features_of(times_s: NDArray[np.float64], duration_s: float, found_s: int | None = None) -> FloatArray:
    own, beats = read(times_s, duration_s)
    state = UsualState()
    take_in(own, beats, int(duration_s) if found_s is None else found_s, state)
    return usual_features(own, beats, state)


def test_nothing_is_usual_in_the_first_half_minute() -> None:
    found = features_of(times_of(60, 90), 90)
    assert (found[:30] == 0).all()
    assert (found[31:, CORR] > 0.95).all()


def test_an_even_rhythm_is_as_usual() -> None:
    found = features_of(times_of(75, 120), 120)[40:]
    assert np.abs(found[:, RR]).max() < 0.02
    np.testing.assert_allclose(found[:, RR_ITSELF], np.log(0.8), atol=0.01)
    assert np.abs(found[:, SIZE]).max() < 0.1


def test_a_run_that_lasts_for_minutes_is_still_told_from_what_was_before() -> None:
    times_s = np.concatenate((times_of(60, 180), 180 + times_of(150, 60)))
    found = features_of(times_s, 240)
    in_run = times_s > 181
    assert found[in_run, RR].max() < -0.5


@settings(max_examples=15, deadline=None)
@given(st.integers(31, 119), st.integers(0, 99))
def test_what_comes_later_changes_nothing(from_s: int, seed: int) -> None:
    times_s = times_of(70, 120)
    other_s = np.concatenate(
        (times_s[times_s < from_s], from_s + np.cumsum(np.random.default_rng(seed).uniform(0.3, 1.5, 40)))
    )
    usual, changed = features_of(times_s, 120), features_of(other_s[other_s < 120], 120)
    before = int((times_s < from_s - 1.0).sum())  # nearer a T wave and the later beat's QRS are looked at
    np.testing.assert_array_equal(changed[:before], usual[:before])


def test_its_own_half_minute_is_not_what_a_beat_is_compared_with() -> None:
    even_s = times_of(60, 90)
    faster_s = np.concatenate((even_s[even_s < 60], 60 + times_of(120, 30)))
    found = features_of(faster_s, 90)
    last = faster_s > 61
    np.testing.assert_allclose(found[last, RR], np.log(0.5), atol=0.03)


def test_a_half_minute_with_too_few_beats_does_not_count() -> None:
    own, beats = read(np.linspace(2.0, 28.0, FEWEST_BEATS - 1), 60)
    state = UsualState()
    take_in(own, beats, 59, state)
    assert state.blocks == []
    assert state.done == 1
    own, beats = read(np.linspace(2.0, 28.0, FEWEST_BEATS), 60)
    state = UsualState()
    take_in(own, beats, 59, state)
    assert [number for number, _ in state.blocks] == [0]


def test_six_minutes_are_remembered_and_no_more() -> None:
    n_fast = 2 * BLOCKS * BLOCK_S // 2
    times_s = np.concatenate((times_of(120, n_fast), n_fast + times_of(60, (BLOCKS + 1) * BLOCK_S)))
    found = features_of(times_s, n_fast + (BLOCKS + 1) * BLOCK_S)
    medians = {
        k: found[(times_s // BLOCK_S) == k, RR_ITSELF]
        for k in range(n_fast // BLOCK_S, int(times_s[-1]) // BLOCK_S + 1)
    }
    first = n_fast // BLOCK_S
    np.testing.assert_allclose(medians[first], np.log(0.5), atol=0.01)
    np.testing.assert_allclose(medians[first + BLOCKS // 2 - 1], np.log(0.5), atol=0.01)  # still most of the twelve
    np.testing.assert_allclose(medians[first + BLOCKS // 2 + 1], 0.0, atol=0.01)
    np.testing.assert_allclose(medians[first + BLOCKS], 0.0, atol=0.01)


def test_the_state_does_not_grow() -> None:
    own, beats = read(times_of(60, 3600), 3600)
    state = UsualState()
    take_in(own, beats, 3600, state)
    assert state.done == 120
    assert [number for number, _ in state.blocks] == list(range(120 - KEPT, 120))


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(1, 480), max_size=12), st.integers(0, 20))
def test_the_state_is_the_same_however_seconds_are_handed_in(cuts: list[int], seed: int) -> None:
    times_s = np.cumsum(np.random.default_rng(seed).uniform(0.4, 1.3, 1000))
    own, beats = read(times_s[times_s < 480], 480)
    whole, parts = UsualState(), UsualState()
    take_in(own, beats, 480, whole)
    for _, found_s in pairwise([0, *sorted(set(cuts)), 480]):
        take_in(own, beats, found_s, parts)
    assert parts.done == whole.done == 16
    assert [number for number, _ in parts.blocks] == [number for number, _ in whole.blocks]
    for (_, a), (_, b) in zip(parts.blocks, whole.blocks, strict=True):
        np.testing.assert_array_equal(a.medians, b.medians)
        np.testing.assert_array_equal(a.shape, b.shape)
    np.testing.assert_array_equal(usual_features(own, beats, parts), usual_features(own, beats, whole))


@pytest.mark.parametrize("n", [0, 1])
def test_hardly_any_beats_are_no_error(n: int) -> None:
    own, beats = read(np.array([100.0] * n), 120)
    state = UsualState()
    take_in(own, beats, 120, state)
    assert (usual_features(own, beats, state) == 0).all()
