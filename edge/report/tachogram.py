"""RR intervals against time as SVG: what there is to see of a recording without an ECG."""

import math
from html import escape

import numpy as np
from numpy.typing import NDArray

from edge.interpret.intervals import intervals_of
from edge.settings import RhythmSettings
from edge.types import Annotations, Span

WIDTH_MM = 180.0
HEIGHT_MM = 50.0
LEFT_MM, TOP_MM, BOTTOM_MM = 14.0, 3.0, 7.0  # room for the numbers
MAX_POINTS = 1500  # of more intervals, each of so many equal parts of the time shows its shortest and longest
AROUND_S = 30.0  # shown before and after a span
STEPS_S = (1, 2, 5, 10, 30, 60, 300, 600, 1800, 3600, 7200, 14400, 43200, 86400)  # between the numbers below


def tachogram_svg(annotations: Annotations, span: Span, marked: Span | None = None) -> str:
    """Intervals of a span against the time of their second beat, as an inline SVG element; `marked` is shaded.

    A line joins intervals that follow each other; nothing is drawn where none are known.
    """
    start_s, end_s = span.start_s, max(span.end_s, span.start_s + 1.0)
    rr = intervals_of(annotations, start_s, end_s, RhythmSettings())
    at_s, rr_s = rr.to_beat[rr.valid] / rr.fs_hz, rr.rr_ms[rr.valid] / 1000
    first = np.flatnonzero(rr.valid)
    breaks = np.concatenate(([True], np.diff(first) > 1)) if len(first) else np.empty(0, bool)
    low_s = math.floor(5 * float(rr_s.min(initial=0.6))) / 5
    high_s = max(math.ceil(5 * float(rr_s.max(initial=1.0))) / 5, low_s + 0.2)
    mm_per_s, mm_per_rr_s = (
        (WIDTH_MM - LEFT_MM) / (end_s - start_s),
        (HEIGHT_MM - TOP_MM - BOTTOM_MM) / (high_s - low_s),
    )

    def x_mm(time_s: NDArray[np.float64]) -> NDArray[np.float64]:
        return LEFT_MM + (time_s - start_s) * mm_per_s

    def y_mm(interval_s: NDArray[np.float64]) -> NDArray[np.float64]:
        return HEIGHT_MM - BOTTOM_MM - (interval_s - low_s) * mm_per_rr_s

    if len(at_s) > MAX_POINTS:
        path = _bars(x_mm(at_s), y_mm(rr_s))
    else:
        points = zip(x_mm(at_s).tolist(), y_mm(rr_s).tolist(), breaks.tolist(), strict=True)
        path = "".join(f"{'M' if begins else 'L'}{x:.2f} {y:.2f}h0" for x, y, begins in points)
    shade = ""
    if marked is not None:
        a, b = x_mm(np.array([max(marked.start_s, start_s), min(marked.end_s, end_s)])).tolist()
        shade = f'<rect class="span" x="{a:.2f}" width="{max(0.4, b - a):.2f}" height="{HEIGHT_MM - BOTTOM_MM:g}"/>'
    return (
        f'<svg class="tachogram" viewBox="0 0 {WIDTH_MM:g} {HEIGHT_MM:g}" width="{WIDTH_MM:g}mm" role="img" '
        f'aria-label="RR intervals, {escape(span.label)}">{shade}{_scales(start_s, end_s, low_s, high_s)}'
        f'<path class="rr" d="{path}"/></svg>'
    )


def around(span: Span, duration_s: float) -> Span:
    """A span with some time before and after it, within a recording."""
    return Span(max(0.0, span.start_s - AROUND_S), min(duration_s, span.end_s + AROUND_S), span.label)


def _bars(x_mm: NDArray[np.float64], y_mm: NDArray[np.float64]) -> str:
    """A bar from the shortest to the longest interval of every part that has any."""
    part = ((x_mm - LEFT_MM) / (WIDTH_MM - LEFT_MM) * MAX_POINTS).astype(np.int64)
    starts = np.flatnonzero(np.diff(part, prepend=-1))
    tops, bottoms = np.minimum.reduceat(y_mm, starts), np.maximum.reduceat(y_mm, starts)
    bars = zip(x_mm[starts].tolist(), tops.tolist(), bottoms.tolist(), strict=True)
    return "".join(f"M{x:.2f} {top:.2f}V{bottom + 0.1:.2f}" for x, top, bottom in bars)


def _scales(start_s: float, end_s: float, low_s: float, high_s: float) -> str:
    """Lines with numbers: intervals in seconds at the left, time from the recording's start below."""
    parts = []
    step = next((s for s in (0.2, 0.5, 1.0) if (high_s - low_s) / s <= 6), 2.0)
    for k in range(math.ceil(low_s / step - 1e-9), math.floor(high_s / step + 1e-9) + 1):
        y = HEIGHT_MM - BOTTOM_MM - (k * step - low_s) / (high_s - low_s) * (HEIGHT_MM - TOP_MM - BOTTOM_MM)
        parts.append(f'<path class="scale" d="M{LEFT_MM:g} {y:.2f}H{WIDTH_MM:g}"/>')
        parts.append(f'<text x="{LEFT_MM - 1.5:g}" y="{y + 1:.2f}" text-anchor="end">{k * step:.1f} s</text>')
    every_s = next((s for s in STEPS_S if (end_s - start_s) / s <= 10), STEPS_S[-1])
    for k in range(math.ceil(start_s / every_s), math.floor(end_s / every_s) + 1):
        x = LEFT_MM + (k * every_s - start_s) / (end_s - start_s) * (WIDTH_MM - LEFT_MM)
        hours, rest = divmod(k * every_s, 3600)
        told = f"{hours}:{rest // 60:02d}:{rest % 60:02d}" if end_s >= 3600 else f"{rest // 60}:{rest % 60:02d}"
        parts.append(f'<text x="{x:.2f}" y="{HEIGHT_MM - 2:g}" text-anchor="middle">{told}</text>')
    return "".join(parts)
