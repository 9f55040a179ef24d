"""A second look at beats: those set on a P wave are moved, overlooked wide ones added, T waves dropped.

The derivative detector follows slopes, so a ventricular beat with gentle ones can pass unseen and its absence would be
read as a pause. Here every beat is compared by its size in a lower band (4-20 Hz) with the beats around it.
"""

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from edge.clean.filters import zero_phase
from edge.settings import BeatSettings
from edge.types import Samples

FloatArray = NDArray[np.float64]

BAND_HZ = (4.0, 20.0)  # a wide QRS is as large here as a narrow one; most of a T wave lies below
SMOOTH_S = 0.06
HALF_QRS_S = 0.08
MIN_BEATS = 4  # fewer tell nothing of what is usual
MAX_ADDED_PER_INTERVAL = 16  # bounds the work on any input


def revise_beats(size_mv: FloatArray, fs_hz: float, beats: Samples, settings: BeatSettings) -> Samples:
    """The beats of one stretch, revised; `size_mv` is its `band_size`, positions are its indices."""
    beats = _moved_to_qrs(size_mv, fs_hz, beats, settings)
    if len(beats) < MIN_BEATS:
        return beats
    kept = _without_small_neighbours(size_mv, fs_hz, beats, settings)
    if len(kept) < MIN_BEATS:
        return beats
    return _with_overlooked(size_mv, fs_hz, kept, settings)


def band_size(signal_mv: FloatArray, fs_hz: float) -> FloatArray:
    """Smoothed absolute value of the band of one stretch without NaN, mV, shape (n_samples,)."""
    band = np.abs(zero_phase(signal_mv, fs_hz, "bandpass", *BAND_HZ))
    width = max(1, round(SMOOTH_S * fs_hz))
    sums = np.concatenate(([0.0], np.cumsum(band)))
    at = np.arange(len(band))
    first, stop = np.maximum(at - width // 2, 0), np.minimum(at + width - width // 2, len(band))
    smoothed: FloatArray = (sums[stop] - sums[first]) / (stop - first)
    return smoothed


def sizes_at(size_mv: FloatArray, fs_hz: float, beats: Samples) -> FloatArray:
    """Largest size around each beat."""
    half = round(HALF_QRS_S * fs_hz)
    padded = np.pad(size_mv, half)
    around = np.lib.stride_tricks.sliding_window_view(padded, 2 * half + 1)[beats]
    largest: FloatArray = around.max(axis=1)
    return largest


def _moved_to_qrs(size_mv: FloatArray, fs_hz: float, beats: Samples, s: BeatSettings) -> Samples:
    """Move a beat to the much larger peak right after it, to which the detector was blind.

    After a long interval its thresholds are low, a P wave passes them, and the QRS follows within its refractory time.
    """
    reach = round(s.blind_s * fs_hz)
    after = np.lib.stride_tricks.sliding_window_view(np.pad(size_mv, (0, reach)), reach + 1)[beats]
    to_largest = after.argmax(axis=1)
    foot = sizes_at(size_mv, fs_hz, beats) < s.foot_share * after.max(axis=1)
    alone = np.append(np.diff(beats), len(size_mv)) > reach
    # At the rim the largest value is the slope of what lies beyond.
    return np.where(foot & alone & (to_largest < reach), beats + to_largest, beats)


def _without_small_neighbours(size_mv: FloatArray, fs_hz: float, beats: Samples, s: BeatSettings) -> Samples:
    """Drop what follows or precedes a much larger beat so closely that it is its T or P wave."""
    sizes, apart_s = sizes_at(size_mv, fs_hz, beats), np.diff(beats) / fs_hz
    drop = np.zeros(len(beats), bool)
    drop[1:] |= (apart_s < s.t_wave_s) & (sizes[1:] < s.small_fraction * sizes[:-1])
    drop[:-1] |= (apart_s < s.p_wave_s) & (sizes[:-1] < s.small_fraction * sizes[1:])
    return beats[~drop]


def _with_overlooked(size_mv: FloatArray, fs_hz: float, beats: Samples, s: BeatSettings) -> Samples:
    """Add the largest peak of an overlong interval, and of its parts, where it is as large as beats are here."""
    apart = np.diff(beats)
    overlong = s.overlong * float(np.median(apart))
    if not (apart > overlong).any():
        return beats
    typical = float(np.median(sizes_at(size_mv, fs_hz, beats)))
    between = [
        size_mv[a + round(0.2 * fs_hz) : min(a + round(0.5 * fs_hz), b - round(0.15 * fs_hz))]
        for a, b in pairwise(beats.tolist())
    ]
    t_waves = [float(part.max()) for part in between if len(part)]
    enough = max(s.overlooked_fraction * typical, s.over_t_wave * (float(np.median(t_waves)) if t_waves else 0.0))
    guard = round(0.2 * fs_hz)
    added: list[int] = []
    for first, last in zip(beats[:-1].tolist(), beats[1:].tolist(), strict=True):
        if last - first <= overlong:
            continue
        parts, found = [(first, last)], 0
        while parts and found < MAX_ADDED_PER_INTERVAL:
            a, b = parts.pop()
            inside = size_mv[a + guard : b - guard]
            if len(inside) < 3:
                continue
            k = int(inside.argmax())
            if inside[k] >= enough and 0 < k < len(inside) - 1:  # at the rim it is a neighbour's slope
                peak = a + guard + k
                added.append(peak)
                found += 1
                parts += [(a, peak), (peak, b)]
    return np.sort(np.concatenate((beats, np.array(added, np.int64))))
