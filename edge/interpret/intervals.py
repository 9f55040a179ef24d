"""RR intervals of a span: which may be used, and for what."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge.clean.quality import State
from edge.settings import RhythmSettings
from edge.types import Annotations, Samples

BoolArray = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Intervals:
    """RR intervals whose two beats lie in the span, in order; all arrays have shape (n,).

    `valid`: no gap and no unusable second touches the interval. `early`: valid, and shorter than the local median
    by so much that its second beat came early. `nn`: valid, and neither it nor a neighbour is out of step, so that
    both ends are taken for normal beats by their timing.
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
    first, last = np.searchsorted(annotations.beats, [start_s * annotations.fs_hz, end_s * annotations.fs_hz])
    return annotations.beats[first:last]


def intervals_of(annotations: Annotations, start_s: float, end_s: float, settings: RhythmSettings) -> Intervals:
    """RR intervals of a span; an interval counts only when both its beats lie inside."""
    beats, fs_hz = beats_between(annotations, start_s, end_s), annotations.fs_hz
    from_beat, to_beat = beats[:-1], beats[1:]
    rr_ms = np.asarray((to_beat - from_beat) * (1000.0 / fs_hz), np.float64)
    valid = _untouched(annotations, from_beat, to_beat)
    median_ms = _local_median(rr_ms, valid, settings.local_beats)
    early = valid & (rr_ms < settings.early_fraction * median_ms)
    out_of_step = early | (valid & (rr_ms > (2.0 - settings.early_fraction) * median_ms))
    near = out_of_step.copy()  # the interval before an early beat and the one after it are not NN
    near[1:] |= out_of_step[:-1]
    near[:-1] |= early[1:]
    return Intervals(fs_hz, from_beat, to_beat, rr_ms, valid, early, valid & ~near, out_of_step)


def _untouched(annotations: Annotations, from_beat: Samples, to_beat: Samples) -> BoolArray:
    """True where no unusable second lies between two beats, ends included."""
    unusable = np.concatenate(([0], np.cumsum(annotations.quality == State.UNUSABLE)))
    last = len(unusable) - 1
    first_second = np.minimum((from_beat / annotations.fs_hz).astype(np.int64), last)
    stop_second = np.minimum((to_beat / annotations.fs_hz).astype(np.int64) + 1, last)
    return unusable[stop_second] == unusable[first_second]  # type: ignore[no-any-return]


def _local_median(rr_ms: NDArray[np.float64], valid: BoolArray, n_local: int) -> NDArray[np.float64]:
    """Median of the valid intervals around each interval; NaN where fewer than half of them are valid."""
    if len(rr_ms) == 0:
        return rr_ms
    half = n_local // 2
    padded = np.pad(np.where(valid, rr_ms, np.nan), half, constant_values=np.nan)
    median = np.full(len(rr_ms), np.nan)
    block = 20_000  # bounds the memory of a fortnight of beats
    around = np.lib.stride_tricks.sliding_window_view(padded, 2 * half + 1)
    for a in range(0, len(rr_ms), block):
        rows = around[a : a + block]
        enough = np.isfinite(rows).sum(axis=1) > half
        median[a : a + block][enough] = np.nanmedian(rows[enough], axis=1)
    return median


def runs_of_valid(valid: BoolArray) -> list[tuple[int, int]]:
    """Stretches [a, b) of consecutive valid intervals."""
    edges = np.flatnonzero(np.diff(np.concatenate(([0], valid.view(np.int8), [0]))))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))
