"""Numbers of beats against their neighbours: what they react to, and what must leave them alone."""

import numpy as np
import pytest
from ecg_tools import ecg_at, times_of
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from edge.detect.network.features import BEFORE_S, FEATURES, Own, beat_features, own_numbers
from edge.detect.network.prepare import FS_HZ
from edge.types import Samples

FloatArray = NDArray[np.float32]
SHAPE = ("corr_median", "corr_best", "corr_before", "corr_after", "share_alike", "p_corr")
GAIN_FREE = (*SHAPE, "sharp", "sharp_more", "size_more", "width", "width_more", "p", "p_more", "pr_more", "t_mass_more")


def column(features: FloatArray, name: str) -> FloatArray:
    return features[:, FEATURES.index(name)]


def drawn(times_s: NDArray[np.float64], duration_s: float) -> tuple[FloatArray, Samples]:
    """A signal at 125 Hz and its beats."""
    return ecg_at(times_s, FS_HZ, duration_s).astype(np.float32), np.round(times_s * FS_HZ).astype(np.int64)


def curves(beats: Samples, n: int) -> FloatArray:
    """Probabilities of P, QRS and T as they would be drawn for these beats."""
    waves = np.zeros((3, n), np.float32)
    for row, first, stop in ((0, -26, -14), (1, -6, 7), (2, 22, 45)):
        for beat in beats.tolist():
            waves[row, max(0, beat + first) : max(0, beat + stop)] = 0.9
    return waves


def of(signal: FloatArray, beats: Samples, waves: FloatArray | None = None, af: float = 0.0) -> FloatArray:
    own = own_numbers(signal, curves(beats, len(signal)) if waves is None else waves, beats)
    return beat_features(own, beats, np.full(len(beats), af, np.float32))


@settings(max_examples=25, deadline=None)
@given(st.floats(0.2, 5.0), st.booleans(), st.integers(0, 50))
def test_gain_and_polarity_leave_shape_and_timing_alone(gain: float, upside_down: bool, seed: int) -> None:
    times_s = np.cumsum(np.random.default_rng(seed).uniform(0.5, 1.2, 40))
    signal, beats = drawn(times_s, times_s[-1] + 1)
    usual, changed = of(signal, beats), of((-gain if upside_down else gain) * signal, beats)
    for name in FEATURES:
        if name.startswith("rr_") or name in GAIN_FREE:
            np.testing.assert_allclose(column(changed, name), column(usual, name), atol=2e-3, err_msg=name)


def test_a_level_under_the_signal_changes_nothing() -> None:
    signal, beats = drawn(times_of(72, 40), 40)
    inner = slice(3, -3)
    np.testing.assert_allclose(of(signal + 2, beats)[inner], of(signal, beats)[inner], atol=2e-3)


def test_where_in_the_recording_beats_lie_changes_nothing() -> None:
    signal, beats = drawn(times_of(72, 40), 40)
    later = np.concatenate((np.zeros(700, np.float32), signal))
    np.testing.assert_allclose(of(later, beats + 700)[1:], of(signal, beats)[1:], atol=1e-5)


def test_an_even_rhythm_of_one_shape_has_nothing_apart() -> None:
    signal, beats = drawn(times_of(75, 60), 60)
    found = of(signal, beats)[8:-4]
    for name in ("rr_before", "rr_after", "compensation", "size_more", "width_more", "area_more"):
        assert np.abs(column(found, name)).max() < 0.15, name
    assert column(found, "corr_median").min() > 0.97
    assert column(found, "share_alike").min() == 1
    np.testing.assert_allclose(column(found, "rr_local"), np.log(0.8), atol=0.01)


@pytest.mark.parametrize("share", [0.5, 0.6, 0.75])
def test_a_premature_beat_comes_early_and_is_followed_by_its_pause(share: float) -> None:
    times_s = times_of(75, 60)
    times_s[30] = times_s[29] + share * 0.8
    signal, beats = drawn(times_s, 60)
    found = of(signal, beats)
    assert column(found, "rr_before")[30] == pytest.approx(np.log(share), abs=0.03)
    assert column(found, "rr_before_change")[30] == pytest.approx(np.log(share), abs=0.03)
    assert column(found, "rr_after")[30] == pytest.approx(np.log(2 - share), abs=0.03)
    assert column(found, "rr_before")[31] > 0.1
    assert abs(column(found, "compensation")[30]) < 0.02
    assert np.delete(column(found, "rr_before"), [30, 31])[1:].min() > -0.05


def test_a_beat_of_another_shape_is_told_by_its_correlations_and_width() -> None:
    signal, beats = drawn(times_of(75, 60), 60)
    waves = curves(beats, len(signal))
    at = beats[30]
    wide = 1.5 * np.diff(np.exp(-0.5 * ((np.arange(-30, 31)) / 7.0) ** 2), prepend=0)
    signal[at - 30 : at + 31] = (6 * wide).astype(np.float32)
    waves[1, at - 12 : at + 14] = 0.9
    found = of(signal, beats, waves)
    assert column(found, "corr_median")[30] < 0.8
    assert column(found, "share_alike")[30] == 0
    assert column(found, "width_more")[30] > 1
    assert column(found, "corr_median")[[25, 35]].min() > 0.97  # one beat does not move its neighbours' median


def test_a_missing_p_wave_is_told() -> None:
    signal, beats = drawn(times_of(75, 60), 60)
    waves = curves(beats, len(signal))
    waves[0, beats[30] - 40 : beats[30]] = 0
    found = of(signal, beats, waves)
    assert column(found, "p")[30] == 0
    assert column(found, "p_more")[30] == pytest.approx(-0.9, abs=0.01)
    assert column(found, "p_more")[31] == pytest.approx(0, abs=0.01)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 30), st.floats(0.3, 2.0))
def test_beats_more_than_24_s_before_are_not_looked_at(seed: int, other_rr_s: float) -> None:
    late_s = 60 + times_of(75, 30)
    early_s = np.cumsum(np.random.default_rng(seed).uniform(0.3, 1 + other_rr_s, 200))
    early_s = early_s[early_s < late_s[0] - BEFORE_S - 0.1]
    signal, beats = drawn(np.concatenate((early_s, late_s)), 91)
    signal[: round((late_s[0] - BEFORE_S - 0.6) * FS_HZ)] *= 3
    alone, of_late = drawn(late_s, 91)
    signal[len(signal) - 32 * FS_HZ :] = alone[len(signal) - 32 * FS_HZ :]
    with_early, without = of(signal, beats)[len(early_s) :], of(signal, of_late)
    np.testing.assert_array_equal(with_early[1:], without[1:])


def test_24_s_before_are_looked_at() -> None:
    times_s = np.concatenate(([1.0, 2.0, 3.0], 26.0 + times_of(75, 4)))
    signal, beats = drawn(times_s, 32)
    assert (of(signal, beats)[3] != of(signal, beats[3:])[0]).any()


def test_a_beat_without_neighbours_has_no_number_that_compares() -> None:
    signal, beats = drawn(np.array([30.0]), 60)
    found = of(signal, beats, af=0.7)
    alone = ("width", "sharp", "p", "af", "corr_best", "p_differs")  # the last one against no P wave at all
    assert column(found, "corr_best")[0] == -1
    assert column(found, "af")[0] == pytest.approx(0.7)
    for name in FEATURES:
        if name not in alone:
            assert column(found, name)[0] == 0, name


def test_no_beats_give_no_rows() -> None:
    none = np.empty(0, np.int64)
    assert of(np.zeros(1000, np.float32), none, np.zeros((3, 1000), np.float32)).shape == (0, len(FEATURES))


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.integers(1, 3000), min_size=1, max_size=60), st.integers(0, 20), st.sampled_from([0.0, 1e-6, 1.0, 6.0])
)
def test_numbers_stay_finite_and_within_three_whatever_the_signal(gaps: list[int], seed: int, size: float) -> None:
    beats = np.cumsum(gaps).astype(np.int64)
    rng = np.random.default_rng(seed)
    signal = (size * rng.standard_normal(beats[-1] + 1)).astype(np.float32)
    found = of(signal, beats, rng.random((3, len(signal)), np.float32))
    assert np.isfinite(found).all()
    assert np.abs(found).max() <= 3


def test_beats_at_both_ends_and_a_shorter_curve_are_read() -> None:
    signal, beats = drawn(np.array([0.0, 1.0, 2.0, 3.0, 9.99]), 10)
    own = own_numbers(signal, curves(beats, len(signal))[:, : 9 * FS_HZ], beats)
    assert isinstance(own, Own)
    assert all(len(values) == 5 for values in (own.width, own.size, own.area, own.p, own.t_mass))
    assert own.width[-1] == 0
