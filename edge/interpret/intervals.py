"""RR intervals of a span: which may be used, and for what."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge.clean.quality import State
from edge.detect.rhythm_spans import BoolArray, runs_of
from edge.settings import RhythmSettings
from edge.types import Annotations, RhythmSpan, Samples

BLOCK = 20_000  # intervals worked on at a time: a fortnight of beats must not need a fortnight of scratch memory
NOT_SINUS = ("(AFIB", "(AFL", "(IRREG")
"""Rhythms whose N beats do not come from the sinus node: no interval in them is normal-to-normal."""
NO_BEATS = ("(VFL",)
"""Rhythms that have no beats to be found: what lies between those before and after is no RR interval."""


@dataclass(frozen=True, slots=True, eq=False)
class Intervals:
    """RR intervals whose two beats lie in the span, in order; all arrays have shape (n,).

    `valid`: no gap, no unusable second and no ventricular flutter touches the interval. `early`: valid, and shorter than the local median
    by so much that its second beat came early. `nn`: valid, between two N beats, and not in fibrillation; where beats
    were not labelled: valid, in step, and neither after an interval out of step nor before an early one, so that
    both ends are taken for normal beats by their timing.
    """

    fs_hz: float
    beats: slice
    """The span's beats among those of the annotations."""
    from_beat: Samples
    to_beat: Samples
    rr_ms: NDArray[np.float32]
    valid: BoolArray
    early: BoolArray
    nn: BoolArray
    out_of_step: BoolArray
    """Valid, and more than the early fraction away from the local median, either way."""
    labelled: bool = False
    """`nn` rests on the beats' labels, not on their timing."""


def beat_range(annotations: Annotations, start_s: float, end_s: float) -> slice:
    """Which beats lie in [start_s, end_s)."""
    # whole samples: a float would make searchsorted convert every beat
    bounds = np.ceil([start_s * annotations.fs_hz, end_s * annotations.fs_hz]).astype(np.int64)
    first, last = np.searchsorted(annotations.beats, bounds).tolist()
    return slice(first, last)


def beats_between(annotations: Annotations, start_s: float, end_s: float) -> Samples:
    """Beats in [start_s, end_s)."""
    return annotations.beats[beat_range(annotations, start_s, end_s)]


def rhythms_between(annotations: Annotations, start: int, stop: int) -> list[RhythmSpan]:
    """Rhythm spans that lie in the samples [start, stop), cut to them."""
    all_spans = annotations.rhythms
    first = bisect_right(all_spans, start, key=lambda span: span.stop)
    last = bisect_left(all_spans, stop, key=lambda span: span.start)
    inside = list(all_spans[first:last])  # the very objects: a fortnight may have a hundred thousand
    for k in {0, len(inside) - 1} if inside else ():
        r = inside[k]
        if r.start < start or r.stop > stop:
            inside[k] = RhythmSpan(max(r.start, start), min(r.stop, stop), r.label)
    return inside


def intervals_of(annotations: Annotations, start_s: float, end_s: float, settings: RhythmSettings) -> Intervals:
    """RR intervals of a span; an interval counts only when both its beats lie inside."""
    where, fs_hz = beat_range(annotations, start_s, end_s), annotations.fs_hz
    beats = annotations.beats[where]
    from_beat, to_beat = beats[:-1], beats[1:]
    rr_ms = np.empty(len(from_beat), np.float32)
    valid, early, out_of_step = (np.zeros(len(from_beat), bool) for _ in range(3))
    gap_starts = np.array([gap.start for gap in annotations.gaps], np.int64)  # of RR intervals; shorter than a second
    first_second = int(beats[0] / fs_hz) if len(beats) else 0
    last_second = int(beats[-1] / fs_hz) + 1 if len(beats) else 0
    unusable = np.zeros(len(annotations.quality[first_second:last_second]) + 1, np.int32)
    np.cumsum(annotations.quality[first_second:last_second] == State.UNUSABLE, dtype=np.int32, out=unusable[1:])
    for a in range(0, len(from_beat), BLOCK):
        part = slice(a, a + BLOCK)
        rr_ms[part] = (to_beat[part] - from_beat[part]) * 1000.0 / fs_hz
        valid[part] = _untouched(unusable, first_second, fs_hz, from_beat[part], to_beat[part])
        valid[part] &= np.searchsorted(gap_starts, from_beat[part]) == np.searchsorted(gap_starts, to_beat[part])
    _exclude(valid, annotations, beats, NO_BEATS)
    half = settings.local_beats // 2
    for a in range(0, len(from_beat), BLOCK):
        part, first = slice(a, a + BLOCK), max(0, a - half)
        around = slice(first, a + BLOCK + half)
        median_ms = _local_median(rr_ms[around], valid[around], half)[a - first :][: len(rr_ms[part])]
        early[part] = valid[part] & (rr_ms[part] < settings.early_fraction * median_ms)
        out_of_step[part] = early[part] | (valid[part] & (rr_ms[part] > (2.0 - settings.early_fraction) * median_ms))
    labelled = len(annotations.labels) > 0
    nn = _between_normal_beats(annotations, where, valid) if labelled else _in_step(valid, early, out_of_step)
    return Intervals(fs_hz, where, from_beat, to_beat, rr_ms, valid, early, nn, out_of_step, labelled)


def _in_step(valid: BoolArray, early: BoolArray, out_of_step: BoolArray) -> BoolArray:
    """Normal-to-normal by timing: the interval before an early beat and the one after it are not."""
    near = out_of_step.copy()
    near[1:] |= out_of_step[:-1]
    near[:-1] |= early[1:]
    return np.asarray(valid & ~near)


def _between_normal_beats(annotations: Annotations, where: slice, valid: BoolArray) -> BoolArray:
    """Normal-to-normal by label; no part of the interval lies in fibrillation."""
    normal, beats = annotations.labels[where] == ord("N"), annotations.beats[where]
    nn = np.asarray(valid & normal[:-1] & normal[1:])
    _exclude(nn, annotations, beats, NOT_SINUS)
    return nn


def _exclude(intervals: BoolArray, annotations: Annotations, beats: Samples, labels: tuple[str, ...]) -> None:
    """Clear the intervals that touch one of these rhythms."""
    for r in rhythms_between(annotations, int(beats[0]), int(beats[-1])) if len(beats) else ():
        if r.label in labels:
            a, b = np.searchsorted(beats, r.start, side="right") - 1, np.searchsorted(beats, r.stop)
            intervals[max(0, a) : b] = False


def _untouched(
    unusable: NDArray[np.int32], first_second: int, fs_hz: float, from_beat: Samples, to_beat: Samples
) -> BoolArray:
    """True where no unusable second lies between two beats, ends included; `unusable` counts them up to a second."""
    last = len(unusable) - 1
    first = np.minimum((from_beat / fs_hz).astype(np.int64) - first_second, last)
    stop = np.minimum((to_beat / fs_hz).astype(np.int64) + 1 - first_second, last)
    return np.asarray(unusable[stop] == unusable[first])


def _local_median(rr_ms: NDArray[np.float32], valid: BoolArray, half: int) -> NDArray[np.float32]:
    """Median of the valid intervals up to `half` places away; NaN where fewer than half of them are valid."""
    padded = np.pad(np.where(valid, rr_ms, np.float32(np.nan)), half, constant_values=np.nan)
    rows = np.sort(np.lib.stride_tricks.sliding_window_view(padded, 2 * half + 1), axis=1)  # NaN goes last
    known = np.isfinite(rows).sum(axis=1)
    enough = np.flatnonzero(known > half)
    median = np.full(len(rr_ms), np.nan, np.float32)
    median[enough] = (rows[enough, (known[enough] - 1) // 2] + rows[enough, known[enough] // 2]) / 2
    return median


def sliding_rates(
    rr: Intervals, n_beats: int, chosen: BoolArray | None = None
) -> Iterator[tuple[int, NDArray[np.float64]]]:
    """Mean rate (bpm) of every `n_beats` consecutive valid intervals, in blocks: index of the first, and rates from it.

    `chosen` takes these intervals only, instead of all valid ones.
    """
    starts, stops = runs_of(rr.valid if chosen is None else chosen)
    long = stops - starts >= n_beats
    for run_start, run_stop in zip(starts[long].tolist(), stops[long].tolist(), strict=True):
        for a in range(run_start, run_stop - n_beats + 1, BLOCK):
            b = min(a + BLOCK, run_stop - n_beats + 1)
            spans = rr.to_beat[a + n_beats - 1 : b + n_beats - 1] - rr.from_beat[a:b]
            yield a, 60.0 * rr.fs_hz * n_beats / spans
