"""What the trunk's outputs mean: beats at the peaks of one curve, waves where the others are high."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge.detect.network.consensus import with_company
from edge.detect.network.prepare import FS_HZ
from edge.settings import NetworkSettings
from edge.types import Absent, Point, Samples, Wave

FloatArray = NDArray[np.float32]

APART = round(0.16 * FS_HZ)  # samples; a beat is the highest point so far to either side (300 bpm is 0.2 s apart)
REACH_QRS = round(0.10 * FS_HZ)  # from the beat to the middle of its QRS
LONGEST_PR = round(0.45 * FS_HZ)  # a P wave's middle lies at most so long before the QRS
LONGEST_T = round(0.60 * FS_HZ)  # a T wave's middle lies at most so long after the beat
LEAST_MASS = 3.0  # samples; a P wave lasts 8 or more
FAINT = 0.3  # where a beat is, the curve of its QRS may stay below the threshold by so much
RIVAL = 0.5  # of two P-like waves before a beat the later counts unless it is so much fainter


def sigmoid(logits: FloatArray) -> FloatArray:
    """Probabilities of logits."""
    return np.asarray(1 / (1 + np.exp(-np.clip(logits, -30, 30))), np.float32)


def find_peaks(beat: FloatArray, first: int, stop: int, least: float) -> Samples:
    """Peaks of at least `least` in [first, stop) of the probability curve `beat`, shape (n,), which must reach 0.2 s beyond both."""
    a, b = max(0, first - APART), min(len(beat), stop + APART)
    at = np.flatnonzero(beat[a:b] >= least)
    if len(at):
        padded = np.pad(beat[a:b], APART, constant_values=-1.0)
        around = np.lib.stride_tricks.sliding_window_view(padded, 2 * APART + 1)[at]
        at = at[beat[a:b][at] >= around.max(axis=1)]
    at = at[np.diff(at, prepend=-APART - 1) > APART] + a  # of equally high neighbours the first
    return at[(at >= first) & (at < stop)].astype(np.int64)


@dataclass(frozen=True, slots=True, eq=False)
class _Runs:
    """Stretches in which a probability is high; positions between samples."""

    on: NDArray[np.float64]
    """Not float32, which far into a buffer is coarser than near its beginning."""
    off: NDArray[np.float64]
    mass: FloatArray

    @property
    def middle(self) -> NDArray[np.float64]:
        return (self.on + self.off) / 2


def find_waves(
    waves: FloatArray, signal: FloatArray, beats: Samples, settings: NetworkSettings
) -> tuple[FloatArray, NDArray[np.uint8]]:
    """On, peak and off of P, QRS and T of each beat, and why a wave has none.

    `waves` has shape (3, n): probabilities of P, QRS, T at 125 Hz; `signal` (n,) is what they were read from; `beats`
    are ascending indices into both. Returns offsets from the beat in samples of 1/125 s, shape (n_beats, 9), NaN
    where there is no such point, and an `Absent` per wave, shape (n_beats, 3). A wave belongs to one beat only.
    """
    n, n_beats = waves.shape[1], len(beats)
    points = np.full((n_beats, len(Point)), np.nan, np.float32)
    absent = np.full((n_beats, len(Wave)), Absent.NOT_SEEN, np.uint8)
    if n_beats == 0:
        return points, absent
    before = np.concatenate(([-LONGEST_PR], beats[:-1])).astype(np.float32)
    after = np.concatenate((beats[1:], [n + LONGEST_T])).astype(np.float32)
    qrs, t = (_runs(row, settings.wave_probability) for row in waves[1:])

    nearest = np.clip(np.searchsorted((beats[:-1] + beats[1:]) / 2, qrs.middle), 0, n_beats - 1)
    chosen = _heaviest(qrs, nearest, np.abs(qrs.middle - beats[nearest]) <= REACH_QRS, n_beats)
    _set(points, absent, Wave.QRS, qrs, chosen, beats)
    _set_faint_qrs(points, absent, waves[1], beats, np.flatnonzero(chosen < 0), settings.wave_probability)
    told = np.isfinite(points[:, Point.QRS_ON])
    on = np.where(told, points[:, Point.QRS_ON], -5) + beats
    off = np.where(told, points[:, Point.QRS_OFF], 5) + beats

    owner = np.searchsorted(beats, t.middle) - 1
    k = np.maximum(owner, 0)
    allowed = (owner >= 0) & (t.middle > off[k]) & (t.middle < np.minimum(after[k] - 3, beats[k] + LONGEST_T))
    chosen = _heaviest(t, k, allowed, n_beats)
    _set(points, absent, Wave.T, t, chosen, beats)
    absent[(chosen < 0) & (beats + LONGEST_T // 2 >= n), Wave.T] = Absent.CUT_OFF

    p = _runs(with_company(waves[0], on, settings), settings.wave_probability)
    k = np.minimum(np.searchsorted(on, p.middle), n_beats - 1)
    allowed = (p.middle < on[k]) & (p.middle >= np.maximum(before[k] + REACH_QRS, on[k] - LONGEST_PR))
    heaviest = np.zeros(n_beats, np.float32)
    np.maximum.at(heaviest, k[allowed], p.mass[allowed])
    rivals = allowed & (p.mass > RIVAL * heaviest[k]) & (p.mass >= LEAST_MASS)
    chosen = np.full(n_beats, -1)
    chosen[k[rivals]] = np.flatnonzero(rivals)  # the last one stays
    _set(points, absent, Wave.P, p, chosen, beats)
    absent[(chosen < 0) & (on - LONGEST_PR // 2 < 0), Wave.P] = Absent.CUT_OFF
    _peaks(points, signal, beats)
    return points, absent


def _runs(probability: FloatArray, threshold: float) -> _Runs:
    high = probability >= threshold
    edges = np.flatnonzero(np.diff(np.concatenate(([0], high.view(np.int8), [0]))))
    first, stop = edges[::2], edges[1::2]
    padded = np.pad(probability, 1)
    low, up = padded[first], padded[first + 1]  # the samples before and at the rise
    on = first - 1 + (threshold - low) / np.maximum(up - low, 1e-6) + 0.5
    up, low = padded[stop], padded[stop + 1]  # at and after the last high one
    off = stop - 1 + (up - threshold) / np.maximum(up - low, 1e-6) - 0.5
    total = np.concatenate(([0], np.cumsum(probability, dtype=np.float64)))
    return _Runs(on.astype(np.float64), off.astype(np.float64), (total[stop] - total[first]).astype(np.float32))


def _heaviest(runs: _Runs, owner: Samples, allowed: NDArray[np.bool_], n_beats: int) -> Samples:
    """For each beat the heaviest of its runs, or -1."""
    chosen = np.full(n_beats, -1)
    kept = np.flatnonzero(allowed & (runs.mass >= LEAST_MASS))
    order = kept[np.argsort(runs.mass[kept], kind="stable")]
    chosen[owner[order]] = order
    return chosen


def _set(
    points: FloatArray, absent: NDArray[np.uint8], wave: Wave, runs: _Runs, chosen: Samples, beats: Samples
) -> None:
    has = np.flatnonzero(chosen >= 0)
    points[has, 3 * wave] = runs.on[chosen[has]] - beats[has]
    points[has, 3 * wave + 2] = runs.off[chosen[has]] - beats[has]
    absent[has, wave] = Absent.PRESENT


def _set_faint_qrs(
    points: FloatArray, absent: NDArray[np.uint8], qrs: FloatArray, beats: Samples, which: Samples, threshold: float
) -> None:
    """Limits, in place, of QRS whose curve stays below the threshold at a beat: where it is half as high as its top."""
    if len(which) == 0:
        return
    place = np.arange(-2 * REACH_QRS, 2 * REACH_QRS + 1)
    window = np.pad(qrs, 2 * REACH_QRS)[beats[which][:, None] + place + 2 * REACH_QRS]
    half_way = np.diff(beats, prepend=-len(qrs), append=2 * len(qrs)) / 2  # what lies beyond is of another beat
    window = np.where(np.abs(place) < np.where(place < 0, half_way[which, None], half_way[which + 1, None]), window, 0)
    near = window[:, REACH_QRS // 2 : -(REACH_QRS // 2)]
    top = near.max(axis=1)
    peak = REACH_QRS // 2 + near.argmax(axis=1)
    low = window < top[:, None] / 2
    before, after = low & (place + 2 * REACH_QRS < peak[:, None]), low & (place + 2 * REACH_QRS > peak[:, None])
    first = np.where(before, place, place[0] - 1).max(axis=1) + 1
    last = np.where(after, place, place[-1] + 1).min(axis=1) - 1
    clear = (top >= FAINT * threshold) & before.any(axis=1) & after.any(axis=1) & (last - first >= LEAST_MASS)
    points[which[clear], Point.QRS_ON], points[which[clear], Point.QRS_OFF] = first[clear] - 0.5, last[clear] + 0.5
    absent[which[clear], Wave.QRS] = Absent.PRESENT


def _peaks(points: FloatArray, signal: FloatArray, beats: Samples) -> None:
    """Peaks of P and T: farthest from the line between the wave's ends; of the QRS: the beat itself."""
    points[:, Point.QRS_PEAK] = np.where(np.isnan(points[:, Point.QRS_ON]), np.nan, 0)
    for on_column, peak_column, off_column in (
        (Point.P_ON, Point.P_PEAK, Point.P_OFF),
        (Point.T_ON, Point.T_PEAK, Point.T_OFF),
    ):
        has = np.flatnonzero(np.isfinite(points[:, on_column]))
        if len(has) == 0:
            continue
        on, off = points[has, on_column] + beats[has], points[has, off_column] + beats[has]
        width = int(np.ceil((off - on).max())) + 1
        at = np.ceil(on)[:, None] + np.arange(width)
        inside = at <= off[:, None]
        value = signal[np.clip(at, 0, len(signal) - 1).astype(np.int64)]
        low, high = (signal[np.clip(np.rint(x), 0, len(signal) - 1).astype(np.int64)] for x in (on, off))
        share = (at - on[:, None]) / np.maximum(off - on, 1)[:, None]
        height = np.where(inside, np.abs(value - low[:, None] - share * (high - low)[:, None]), -1)
        points[has, peak_column] = np.ceil(on) + height.argmax(axis=1) - beats[has]
