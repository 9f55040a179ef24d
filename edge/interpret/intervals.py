"""RR intervals of a span: which may be used, and for what."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge.clean.quality import State
from edge.settings import RhythmSettings
from edge.types import Annotations, Samples

BoolArray = NDArray[np.bool_]
BLOCK = 20_000  # intervals worked on at a time: a fortnight of beats must not need a fortnight of scratch memory


@dataclass(frozen=True, slots=True, eq=False)
class Intervals:
    """RR intervals whose two beats lie in the span, in order; all arrays have shape (n,).

    `valid`: no gap and no unusable second touches the interval. `early`: valid, and shorter than the local median
    by so much that its second beat came early. `nn`: valid, in step, and neither after an interval out of step
    nor before an early one, so that both ends are taken for normal beats by their timing.
    """

    fs_hz: float
    from_beat: Samples
    to_beat: Samples
    rr_ms: NDArray[np.float64]
    valid: BoolArray
    early: BoolArray
    nn: BoolArray
    out_of_step: BoolArray
    """Valid, and more than the early fraction away from the local median, either way."""


def beats_between(annotations: Annotations, start_s: float, end_s: float) -> Samples:
    """Beats in [start_s, end_s)."""
    # whole samples: a float would make searchsorted convert every beat
    bounds = np.ceil([start_s * annotations.fs_hz, end_s * annotations.fs_hz]).astype(np.int64)
    first, last = np.searchsorted(annotations.beats, bounds)
    return annotations.beats[first:last]


def intervals_of(annotations: Annotations, start_s: float, end_s: float, settings: RhythmSettings) -> Intervals:
    """RR intervals of a span; an interval counts only when both its beats lie inside."""
    beats, fs_hz = beats_between(annotations, start_s, end_s), annotations.fs_hz
    from_beat, to_beat = beats[:-1], beats[1:]
    rr_ms = np.empty(len(from_beat))
    valid, early, out_of_step = (np.zeros(len(from_beat), bool) for _ in range(3))
    gap_starts = np.array([gap.start for gap in annotations.gaps], np.int64)  # of RR intervals; shorter than a second
    unusable = np.concatenate(([0], np.cumsum(annotations.quality == State.UNUSABLE, dtype=np.int32)))
    for a in range(0, len(from_beat), BLOCK):
        part = slice(a, a + BLOCK)
        rr_ms[part] = (to_beat[part] - from_beat[part]) * 1000.0 / fs_hz
        valid[part] = _untouched(unusable, fs_hz, from_beat[part], to_beat[part])
        valid[part] &= np.searchsorted(gap_starts, from_beat[part]) == np.searchsorted(gap_starts, to_beat[part])
    half = settings.local_beats // 2
    for a in range(0, len(from_beat), BLOCK):
        part, first = slice(a, a + BLOCK), max(0, a - half)
        around = slice(first, a + BLOCK + half)
        median_ms = _local_median(rr_ms[around], valid[around], half)[a - first :][: len(rr_ms[part])]
        early[part] = valid[part] & (rr_ms[part] < settings.early_fraction * median_ms)
        out_of_step[part] = early[part] | (valid[part] & (rr_ms[part] > (2.0 - settings.early_fraction) * median_ms))
    near = out_of_step.copy()  # the interval before an early beat and the one after it are not NN
    near[1:] |= out_of_step[:-1]
    near[:-1] |= early[1:]
    return Intervals(fs_hz, from_beat, to_beat, rr_ms, valid, early, valid & ~near, out_of_step)


def _untouched(unusable: NDArray[np.int32], fs_hz: float, from_beat: Samples, to_beat: Samples) -> BoolArray:
    """True where no unusable second lies between two beats, ends included; `unusable` counts them up to a second."""
    last = len(unusable) - 1
    first_second = np.minimum((from_beat / fs_hz).astype(np.int64), last)
    stop_second = np.minimum((to_beat / fs_hz).astype(np.int64) + 1, last)
    return np.asarray(unusable[stop_second] == unusable[first_second])


def _local_median(rr_ms: NDArray[np.float64], valid: BoolArray, half: int) -> NDArray[np.float64]:
    """Median of the valid intervals up to `half` places away; NaN where fewer than half of them are valid."""
    padded = np.pad(np.where(valid, rr_ms, np.nan), half, constant_values=np.nan)
    rows = np.sort(np.lib.stride_tricks.sliding_window_view(padded, 2 * half + 1), axis=1)  # NaN goes last
    known = np.isfinite(rows).sum(axis=1)
    enough = np.flatnonzero(known > half)
    median = np.full(len(rr_ms), np.nan)
    median[enough] = (rows[enough, (known[enough] - 1) // 2] + rows[enough, known[enough] // 2]) / 2
    return median


def runs_of_valid(valid: BoolArray) -> list[tuple[int, int]]:
    """Stretches [a, b) of consecutive valid intervals."""
    edges = np.flatnonzero(np.diff(np.concatenate(([0], valid.view(np.int8), [0]))))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))
