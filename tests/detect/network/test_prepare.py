"""What goes into the network: the heart's own band at any rate, nothing across gaps, a scale that a pause cannot move."""

from itertools import pairwise

import numpy as np
import pytest
from ecg_tools import FloatArray, even_ecg, times_of
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from edge.detect.network.prepare import (
    CLIP,
    FS_HZ,
    LEAST_SCALE_MV,
    LONGEST_WAIT,
    SETTLE,
    PrepareState,
    highpass,
    prepare,
    reach_of,
    resample,
    settle,
)

RATES_HZ = st.one_of(st.sampled_from([80.0, 128.5, 130.0, 250.0, 333.33, 360.0, 1000.0]), st.floats(80.0, 1000.0))
SECONDS = 12


def resampled_sine(fs_hz: float, hz: float, phase: float) -> tuple[FloatArray, FloatArray]:
    """A sine at 125 Hz, and what it should be there, without the first and the last second."""
    signal_mv = np.sin(2 * np.pi * hz * np.arange(int(SECONDS * fs_hz)) / fs_hz + phase)
    at_s = np.arange(FS_HZ, (SECONDS - 1) * FS_HZ) / FS_HZ
    found = resample(signal_mv, 0, fs_hz, FS_HZ, (SECONDS - 1) * FS_HZ)
    return found, np.sin(2 * np.pi * hz * at_s + phase)


@settings(max_examples=60, deadline=None)
@given(RATES_HZ, st.floats(0.2, 22.0), st.floats(0, 6.28))
def test_a_sine_of_the_hearts_band_keeps_amplitude_and_phase_at_any_rate(fs_hz: float, hz: float, phase: float) -> None:
    found, drawn = resampled_sine(fs_hz, hz, phase)
    assert np.abs(found - drawn).max() < 0.015


@settings(max_examples=40, deadline=None)
@given(st.floats(140.0, 1000.0), st.floats(62.5, 400.0), st.floats(0, 6.28))
def test_what_125_hz_cannot_hold_is_removed(fs_hz: float, hz: float, phase: float) -> None:
    assume(hz < 0.49 * fs_hz)
    found, _ = resampled_sine(fs_hz, hz, phase)
    assert np.abs(found).max() < 0.02


@settings(max_examples=40, deadline=None)
@given(RATES_HZ, st.floats(2.0, 9.0), st.floats(0.05, 2.0))
def test_a_gap_stays_a_gap_and_nothing_rings_on_either_side(fs_hz: float, at_s: float, length_s: float) -> None:
    signal_mv = np.full(int(SECONDS * fs_hz), 1.0, np.float32)
    first, stop = round(at_s * fs_hz), round((at_s + length_s) * fs_hz)
    signal_mv[first:stop] = np.nan
    found = resample(signal_mv, 0, fs_hz, 0, (SECONDS - 1) * FS_HZ)
    at = np.arange(len(found)) * (fs_hz / FS_HZ)
    assert np.isnan(found[(at > first + 1) & (at < stop - 2)]).all()
    assert np.isfinite(found[(at < first - 2) | (at > stop + 1)]).all()
    np.testing.assert_allclose(found[np.isfinite(found)], 1.0, atol=1e-5)


def test_a_huge_value_beyond_a_gap_does_not_reach_across_it() -> None:
    signal_mv = np.concatenate((np.zeros(1000), np.full(2 * reach_of(250.0), np.nan), np.full(1000, 1e4)))
    found = resample(signal_mv, 0, 250.0, 0, 500)
    assert np.abs(found[np.isfinite(found)]).max() == 0
    assert np.isfinite(found[:499]).all()


@settings(max_examples=40, deadline=None)
@given(RATES_HZ, st.sets(st.integers(1, 29), max_size=12), st.lists(st.tuples(st.floats(0, 29), st.floats(0.004, 4))))
def test_the_resampler_gives_the_same_however_the_signal_is_cut(
    fs_hz: float, cuts: set[int], gaps: list[tuple[float, float]]
) -> None:
    signal_mv = np.random.default_rng(1).standard_normal(int(30 * fs_hz)).astype(np.float32)
    for at_s, length_s in gaps:
        signal_mv[round(at_s * fs_hz) : round((at_s + length_s) * fs_hz)] = np.nan
    whole = resample(signal_mv, 0, fs_hz, 0, 29 * FS_HZ)
    parts = []
    for a, b in pairwise([0, *sorted(cuts - {29}), 29]):
        seen = max(0, round(a * fs_hz) - reach_of(fs_hz) - 1)
        part = signal_mv[seen : round(b * fs_hz) + reach_of(fs_hz) + 1]
        parts.append(resample(part, seen, fs_hz, a * FS_HZ, b * FS_HZ))
    np.testing.assert_allclose(np.concatenate(parts), whole, atol=5e-6)  # sums of float32 may round differently


def test_the_reach_is_all_that_a_sample_sees() -> None:
    signal_mv = np.zeros(2500)
    reach = reach_of(250.0)
    signal_mv[1000 - reach - 1] = signal_mv[1000 + reach + 1] = 1.0
    assert resample(signal_mv, 0, 250.0, 500, 501)[0] == 0
    signal_mv[1000 + 1] = 1.0
    assert resample(signal_mv, 0, 250.0, 500, 501)[0] != 0


def test_drift_goes_and_the_qrs_stays() -> None:
    ecg = even_ecg(60, FS_HZ, 20).astype(np.float32)
    at_s = np.arange(len(ecg)) / FS_HZ
    found = highpass((ecg + 5.0 + 0.5 * np.sin(2 * np.pi * 0.05 * at_s)).astype(np.float32), PrepareState())
    later = slice(5 * FS_HZ, None)
    assert abs(np.median(found[later])) < 0.1
    assert np.ptp(found[later]) == pytest.approx(np.ptp(ecg[later]), rel=0.15)


@pytest.mark.parametrize("gap", [1, 30, 400])
def test_the_highpass_begins_anew_after_a_gap(gap: int) -> None:
    before, after = np.full(500, -3.0, np.float32), even_ecg(72, FS_HZ, 4).astype(np.float32) + 40
    alone = highpass(after, PrepareState())
    joined = highpass(np.concatenate((before, np.full(gap, np.nan, np.float32), after)), PrepareState())
    np.testing.assert_array_equal(joined[500 + gap :], alone)
    assert np.isnan(joined[500 : 500 + gap]).all()
    assert alone[0] == 0
    state = PrepareState()
    highpass(before, state)
    highpass(np.full(gap, np.nan, np.float32), state)
    np.testing.assert_array_equal(highpass(after, state), alone)


def prepared(signal_mv: NDArray[np.floating], cuts: list[int] | None = None) -> NDArray[np.float32]:
    """The network's input of whole seconds, (2, n), cut at these seconds."""
    state, parts = PrepareState(), []
    n = len(signal_mv) // FS_HZ
    for a, b in pairwise([0, *(cuts or []), n]):
        parts.append(prepare(signal_mv[a * FS_HZ : b * FS_HZ].astype(np.float32), state))
    if len(state.waiting):
        parts.append(settle(state))
    return np.concatenate(parts, axis=1)


@settings(max_examples=80, deadline=None)
@given(
    st.sets(st.integers(1, 99), max_size=30),
    st.lists(st.tuples(st.integers(0, 100 * FS_HZ), st.integers(1, 30 * FS_HZ)), max_size=4),
    st.lists(st.tuples(st.integers(0, 100), st.integers(1, 30)), max_size=2),
)
def test_the_input_is_the_same_bit_for_bit_however_seconds_are_handed_over(
    cuts: set[int], gaps: list[tuple[int, int]], flats: list[tuple[int, int]]
) -> None:
    signal_mv = even_ecg(70, FS_HZ, 100, noise_mv=0.03)
    for first, n_seconds in flats:
        signal_mv[first * FS_HZ : (first + n_seconds) * FS_HZ] = 0.2
    for first, length in gaps:
        signal_mv[first : first + length] = np.nan
    whole = prepared(signal_mv)
    assert whole.shape == (2, len(signal_mv))
    assert np.isfinite(whole).all()
    assert np.abs(whole[0]).max() <= CLIP
    np.testing.assert_array_equal(whole[1], np.isfinite(signal_mv))
    np.testing.assert_array_equal(prepared(signal_mv, sorted(cuts)), whole)
    np.testing.assert_array_equal(prepared(signal_mv, list(range(1, 100))), whole)


@settings(max_examples=25, deadline=None)
@given(st.floats(-2.0, 3.0), st.booleans())
def test_gain_does_not_matter_and_polarity_only_turns_the_sign(log_gain: float, upside_down: bool) -> None:
    signal_mv = even_ecg(70, FS_HZ, 30)
    gain = 10.0**log_gain
    assume(gain * np.ptp(signal_mv) > 5 * LEAST_SCALE_MV)
    sign = -1 if upside_down else 1
    np.testing.assert_allclose(prepared(sign * gain * signal_mv)[0], sign * prepared(signal_mv)[0], atol=2e-3)


def test_a_pause_after_beats_stays_a_line() -> None:
    times_s = times_of(60, 40)
    beating = even_ecg(60, FS_HZ, 40, noise_mv=0.0)
    quiet = 0.02 * np.random.default_rng(0).standard_normal(30 * FS_HZ)
    found = prepared(np.concatenate((beating, quiet)))[0]
    qrs = found[round(times_s[-2] * FS_HZ) - 5 : round(times_s[-2] * FS_HZ) + 6]
    assert np.ptp(found[41 * FS_HZ :]) < 0.5 * np.ptp(qrs)


def test_without_beats_before_it_the_same_noise_has_its_own_size() -> None:
    quiet = 0.02 * np.random.default_rng(0).standard_normal(30 * FS_HZ)
    assert np.ptp(prepared(quiet)[0]) > 0.9


def test_nothing_comes_before_the_first_scale_is_known_and_then_everything_at_once() -> None:
    state, signal_mv = PrepareState(), even_ecg(72, FS_HZ, 10).astype(np.float32)
    lengths = [prepare(signal_mv[k * FS_HZ : (k + 1) * FS_HZ], state).shape[1] // FS_HZ for k in range(6)]
    assert lengths == [0] * (SETTLE - 1) + [SETTLE, 1, 1]


def test_without_signal_the_waiting_ends_all_the_same() -> None:
    state, nothing = PrepareState(), np.full(FS_HZ, np.nan, np.float32)
    lengths = [prepare(nothing, state).shape[1] // FS_HZ for _ in range(LONGEST_WAIT + 1)]
    assert lengths == [0] * (LONGEST_WAIT - 1) + [LONGEST_WAIT, 1]


def test_the_beginning_is_scaled_by_its_own_first_seconds_and_not_by_a_later_change_of_gain() -> None:
    signal_mv = even_ecg(60, FS_HZ, 60)
    louder = signal_mv.copy()
    louder[10 * FS_HZ :] *= 8
    np.testing.assert_array_equal(prepared(louder)[0, : 10 * FS_HZ], prepared(signal_mv)[0, : 10 * FS_HZ])
    sizes = np.ptp(prepared(signal_mv)[0].reshape(-1, FS_HZ), axis=1)
    assert sizes[0] == pytest.approx(np.median(sizes), rel=0.3)


def test_after_a_change_of_gain_the_scale_follows_within_ten_seconds() -> None:
    signal_mv = even_ecg(60, FS_HZ, 60)
    signal_mv[20 * FS_HZ :] *= 4
    sizes = np.ptp(prepared(signal_mv)[0].reshape(-1, FS_HZ), axis=1)
    assert sizes[31:].max() < 1.3 * np.median(sizes[5:19])
    assert sizes[20] > 2 * np.median(sizes[5:19])


@pytest.mark.parametrize("flat_mv", [0.0, 1.7])
def test_flat_seconds_at_the_start_do_not_count_toward_the_scale(flat_mv: float) -> None:
    ecg = even_ecg(72, FS_HZ, 30, noise_mv=0.0)
    found = prepared(np.concatenate((np.full(8 * FS_HZ, flat_mv), flat_mv + ecg)))
    np.testing.assert_allclose(found[0, 14 * FS_HZ :], prepared(ecg)[0, 6 * FS_HZ :], atol=0.02)


def test_flat_seconds_later_leave_the_scale_as_it_was() -> None:
    ecg = even_ecg(60, FS_HZ, 40, noise_mv=0.0)
    after = np.concatenate((ecg[: 20 * FS_HZ], np.full(300 * FS_HZ, ecg[20 * FS_HZ]), ecg[20 * FS_HZ :]))
    np.testing.assert_allclose(prepared(after)[0, 325 * FS_HZ :], prepared(ecg)[0, 25 * FS_HZ :], atol=0.02)
