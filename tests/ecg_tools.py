"""Signals whose truth is known: an ECG drawn at given times, and a comparison with what was found."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bench.ec57 import window_of
from bench.ec57_beats import pair_beats
from edge.formats.memory import ArrayRecording
from edge.pipeline import annotate
from edge.types import Annotations

FloatArray = NDArray[np.float64]

# Shift and width in seconds, height in mV: P wave, Q, R, S.
WAVES = ((-0.16, 0.020, 0.12), (-0.025, 0.008, -0.15), (0.0, 0.010, 1.0), (0.028, 0.009, -0.25))


class Counts(NamedTuple):
    """How drawn and found beats agree."""

    missed: int
    extra: int
    sensitivity: float
    positive_predictivity: float


def times_of(bpm: float, duration_s: float) -> FloatArray:
    """Beat times of an even rhythm."""
    return np.arange(30.0 / bpm, duration_s, 60.0 / bpm)


def ecg_at(times_s: FloatArray, fs_hz: float, duration_s: float, noise_mv: float = 0.004, seed: int = 0) -> FloatArray:
    """An ECG of 1 mV with its R waves at `times_s`; P and T waves where the rhythm leaves room for them."""
    n = round(duration_s * fs_hz)
    signal_mv = noise_mv * np.random.default_rng(seed).standard_normal(n)
    rr_s = np.diff(times_s, prepend=times_s[:1] - 0.8)
    for time_s, before_s in zip(times_s, rr_s, strict=True):
        near_s = min(1.0, before_s)
        waves = WAVES[1:] if before_s < 0.45 else WAVES
        for shift_s, width_s, height_mv in (*waves, (0.25 * near_s, 0.04 * near_s, 0.25)):
            middle_s = time_s + shift_s
            a, b = round((middle_s - 6 * width_s) * fs_hz), round((middle_s + 6 * width_s) * fs_hz)
            at = np.arange(max(0, a), min(n, b))
            signal_mv[at] += height_mv * np.exp(-0.5 * ((at / fs_hz - middle_s) / width_s) ** 2)
    return signal_mv


def even_ecg(bpm: float, fs_hz: float, duration_s: float, noise_mv: float = 0.004, seed: int = 0) -> FloatArray:
    """An ECG of an even rhythm."""
    return ecg_at(times_of(bpm, duration_s), fs_hz, duration_s, noise_mv, seed)


def analysed(signal_mv: FloatArray, fs_hz: float) -> Annotations:
    """Annotations of a signal with one lead."""
    return annotate(ArrayRecording("test", signal_mv, fs_hz))


def compared(times_s: FloatArray, found: Annotations) -> Counts:
    """Drawn beats against found ones, within 150 ms."""
    drawn = np.round(times_s * found.fs_hz).astype(np.int64)
    pairs = pair_beats(drawn, found.beats, window_of(found.fs_hz))
    paired = len(pairs.test)
    return Counts(len(pairs.missed), len(pairs.extra), paired / max(1, len(drawn)), paired / max(1, len(found.beats)))


def second_of(found: Annotations) -> NDArray[np.int64]:
    """The second that each beat lies in; second k begins at sample round(k * fs_hz)."""
    starts = np.array([round(k * found.fs_hz) for k in range(len(found.quality))], np.int64)
    return np.searchsorted(starts, found.beats, side="right") - 1
