"""Verdicts on seconds as they come: the rules of the windows, however the seconds are cut."""

from itertools import pairwise

import numpy as np
import pytest
from ecg_tools import FloatArray, even_ecg
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from edge.clean.quality import Reason, assess
from edge.clean.seconds import SecondsState, assess_seconds
from edge.settings import QualitySettings
from edge.types import seconds_begun

FS_HZ = 250.0
USUAL = QualitySettings()
SHARED = Reason.NO_SAMPLES | Reason.FLAT | Reason.SATURATED | Reason.ARTEFACT | Reason.LOW_RATE

Verdicts = tuple[NDArray[np.uint8], NDArray[np.bool_]]


def starts_of(n_samples: int, fs_hz: float) -> NDArray[np.int64]:
    return np.array([round(k * fs_hz) for k in range(seconds_begun(n_samples, fs_hz))], np.int64)


def judged(signal_mv: NDArray[np.floating], fs_hz: float = FS_HZ, cuts: list[int] | None = None) -> Verdicts:
    """Verdicts of a signal that is handed over in parts that begin at these seconds."""
    starts, state = starts_of(len(signal_mv), fs_hz), SecondsState(fs_hz)
    reasons, hidden = [], []
    ends = [*starts.tolist(), len(signal_mv)]
    for a, b in pairwise([0, *(cuts or []), len(starts)]):
        why, small = assess_seconds(signal_mv[ends[a] : ends[b]], starts[a:b] - ends[a], state, USUAL)
        reasons.append(why)
        hidden.append(small)
    return np.concatenate(reasons), np.concatenate(hidden)


def by_window(signal_mv: FloatArray, fs_hz: float = FS_HZ) -> NDArray[np.uint8]:
    """Reasons by the rules of a window that sees the whole."""
    return assess(signal_mv.astype(np.float64), fs_hz, starts_of(len(signal_mv), fs_hz), USUAL)[1]


def flat(ecg: FloatArray) -> FloatArray:
    ecg[8 * 250 : 14 * 250] = 0.3
    return ecg


def nearly_flat(ecg: FloatArray) -> FloatArray:
    ecg[8 * 250 : 10 * 250] = np.random.default_rng(0).integers(0, 2, 500) * 0.005
    return ecg


def saturated(ecg: FloatArray) -> FloatArray:
    swing_mv = 8.0 * np.sin(2 * np.pi * 1.5 * np.arange(5 * 250) / FS_HZ)
    ecg[10 * 250 : 15 * 250] = np.clip(ecg[10 * 250 : 15 * 250] + swing_mv, -3.3, 3.3)
    return ecg


def artefact(ecg: FloatArray) -> FloatArray:
    ecg[12 * 250 + 60 : 12 * 250 + 90] += 9.0
    return ecg


def recovery(ecg: FloatArray) -> FloatArray:
    at_s = np.arange(4 * 250) / FS_HZ
    ecg[15 * 250 : 19 * 250] = 4.0 * np.exp(-at_s / 2)
    return ecg


def missing(ecg: FloatArray) -> FloatArray:
    ecg[7 * 250 + 3] = np.nan
    ecg[12 * 250 + 100 : 15 * 250 + 1] = np.inf
    return ecg


@pytest.mark.parametrize(
    ("spoil", "first", "stop", "reason"),
    [
        (flat, 8, 14, Reason.FLAT),
        (nearly_flat, 8, 10, Reason.FLAT),
        (saturated, 10, 15, Reason.SATURATED),
        (artefact, 12, 13, Reason.ARTEFACT),
        (recovery, 16, 18, Reason.ARTEFACT),
        (missing, 12, 16, Reason.NO_SAMPLES),
    ],
)
def test_spoilt_seconds_have_the_reason_that_a_window_gives_them(spoil, first, stop, reason) -> None:  # type: ignore[no-untyped-def]
    signal_mv = spoil(even_ecg(72, FS_HZ, 30))
    reasons, window = judged(signal_mv)[0], by_window(signal_mv)
    assert (reasons[first:stop] & reason > 0).all()
    np.testing.assert_array_equal(reasons & reason, window & reason)


@pytest.mark.parametrize("spoil", [flat, nearly_flat, saturated, artefact, missing])
def test_the_other_seconds_are_clean(spoil) -> None:  # type: ignore[no-untyped-def]
    signal_mv = spoil(even_ecg(72, FS_HZ, 30))
    reasons = judged(signal_mv)[0]
    window = by_window(signal_mv)
    np.testing.assert_array_equal(reasons > 0, window & int(SHARED | Reason.LEAD_OFF) > 0)
    assert (reasons[:6] == 0).all()
    assert (reasons[-8:] == 0).all()


def test_a_clean_ecg_has_no_reason_and_hides_nothing() -> None:
    for fs_hz in (100.0, 128.5, 250.0, 1000.0):
        reasons, hidden = judged(even_ecg(72, fs_hz, 30), fs_hz)
        assert (reasons == 0).all()
        assert not hidden.any()


def test_fast_noise_hides_small_waves_in_its_seconds_only() -> None:
    signal_mv = even_ecg(72, FS_HZ, 30)
    signal_mv[10 * 250 : 15 * 250] += np.random.default_rng(1).normal(0, 0.15, 5 * 250)
    reasons, hidden = judged(signal_mv)
    assert np.flatnonzero(hidden).tolist() == [10, 11, 12, 13, 14]
    assert (reasons == 0).all()  # whether beats are lost in it is for the network to say


def test_lead_off_is_said_from_the_third_flat_second_on() -> None:
    reasons = judged(flat(even_ecg(72, FS_HZ, 30)))[0]
    off = np.flatnonzero(reasons & Reason.LEAD_OFF)
    assert off.tolist() == [10, 11, 12, 13]
    short = judged(nearly_flat(even_ecg(72, FS_HZ, 30)))[0]
    assert not (short & Reason.LEAD_OFF).any()


def test_flat_seconds_are_counted_across_calls_and_anew_after_signal() -> None:
    signal_mv = even_ecg(72, FS_HZ, 30)
    signal_mv[5 * 250 : 7 * 250] = signal_mv[8 * 250 : 10 * 250] = 0.1
    signal_mv[20 * 250 : 24 * 250] = 0.1
    reasons = judged(signal_mv, cuts=list(range(1, 30)))[0]
    assert np.flatnonzero(reasons & Reason.LEAD_OFF).tolist() == [22, 23]


@pytest.mark.parametrize("fs_hz", [1.0, 40.0, 79.9])
def test_a_rate_too_low_is_the_only_reason(fs_hz: float) -> None:
    reasons, hidden = judged(np.zeros(round(20 * fs_hz)), fs_hz)
    assert (reasons == Reason.LOW_RATE).all()
    assert hidden.all()


def test_no_seconds_have_no_verdicts() -> None:
    reasons, hidden = assess_seconds(np.empty(0), np.empty(0, np.int64), SecondsState(FS_HZ), USUAL)
    assert len(reasons) == len(hidden) == 0


def test_a_filter_that_starts_after_a_gap_takes_the_level_for_no_step() -> None:
    signal_mv = 400 + even_ecg(72, FS_HZ, 30)
    signal_mv[10 * 250 : 12 * 250] = np.nan
    reasons, hidden = judged(signal_mv)
    assert np.flatnonzero(reasons).tolist() == [10, 11]
    assert not hidden[[0, 12]].any()


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from([100.05, 128.5, 250.0, 333.33]),
    st.sets(st.integers(1, 29), max_size=29),
    st.lists(
        st.tuples(
            st.integers(0, 30),
            st.floats(0.004, 6),
            st.sampled_from(["nothing", "flat", "noise", "huge", "ramp", "rail"]),
        ),
        max_size=5,
    ),
    st.integers(0, 99),
)
def test_verdicts_do_not_depend_on_how_seconds_are_cut(
    fs_hz: float, cuts: set[int], spoilt: list[tuple[int, float, str]], seed: int
) -> None:
    signal_mv = even_ecg(80, fs_hz, 30, noise_mv=0.02, seed=seed)
    for at_s, length_s, kind in spoilt:
        part = slice(round(at_s * fs_hz), round((at_s + length_s) * fs_hz))
        n = len(signal_mv[part])
        noise = np.random.default_rng(seed).standard_normal(n)
        kinds = {"nothing": np.nan, "flat": 0.1, "noise": noise, "huge": 1e4 * noise, "ramp": np.arange(n) / fs_hz}
        signal_mv[part] = kinds.get(kind, 3.3)
    whole = judged(signal_mv, fs_hz)
    for edges in (sorted(cuts), list(range(1, 30))):
        for ours, theirs in zip(judged(signal_mv, fs_hz, edges), whole, strict=True):
            np.testing.assert_array_equal(ours, theirs)
