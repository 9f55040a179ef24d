"""An ECG strip as SVG: 25 mm/s and 10 mm/mV on millimetre paper, with a calibration pulse."""

from html import escape

import numpy as np
from numpy.typing import NDArray

from edge.types import Recording, Span

MM_PER_S = 25.0
MM_PER_MV = 10.0
PULSE_MM = 8.0  # room for the calibration pulse at the left
HALF_HEIGHT_MM = 20.0  # two millivolts to each side of the strip's own middle
MAX_STRIP_S = 12.0
MAX_POINTS_PER_MM = 12.0  # finer than any screen or printer


def strip_svg(recording: Recording, span: Span, lead: int = 0, beats: NDArray[np.int64] | None = None) -> str:
    """A strip around a span (at most MAX_STRIP_S of it), as an inline SVG element.

    `beats` are sample indices to mark. Time that was not recorded stays empty; amplitudes beyond two millivolts
    around the strip's median run out of the paper, as they would on paper.
    """
    info = recording.info
    length_s = min(max(span.duration_s + 2.0, 6.0), MAX_STRIP_S)
    middle_s = (span.start_s + span.end_s) / 2 if span.duration_s < MAX_STRIP_S else span.start_s + MAX_STRIP_S / 2
    start_s = min(max(0.0, middle_s - length_s / 2), max(0.0, info.duration_s - length_s))
    start, stop = round(start_s * info.fs_hz), min(round((start_s + length_s) * info.fs_hz), info.n_samples)
    signal_mv = recording.read_mv(start, stop)[:, lead].astype(np.float64)
    width_mm, height_mm = PULSE_MM + length_s * MM_PER_S, 2 * HALF_HEIGHT_MM
    known = signal_mv[np.isfinite(signal_mv)]
    middle_mv = float(np.median(known)) if len(known) else 0.0

    step = max(1, int(info.fs_hz / (MM_PER_S * MAX_POINTS_PER_MM)))
    x_mm = PULSE_MM + np.arange(0, len(signal_mv), step) / info.fs_hz * MM_PER_S
    y_mm = HALF_HEIGHT_MM - (signal_mv[::step] - middle_mv) * MM_PER_MV
    marks = ""
    if beats is not None:
        shown = beats[(beats >= start) & (beats < stop)]
        at_mm = PULSE_MM + (shown - start) / info.fs_hz * MM_PER_S
        marks = "".join(f'<path class="beat" d="M{x:.2f} 1.2l-1 -1.2h2z"/>' for x in at_mm)
    a, b = (
        PULSE_MM + (t - start_s) * MM_PER_S for t in (max(span.start_s, start_s), min(span.end_s, start_s + length_s))
    )
    pulse_top = HALF_HEIGHT_MM - MM_PER_MV
    return (
        f'<svg class="strip" viewBox="0 0 {width_mm:.1f} {height_mm:.1f}" width="{width_mm:.1f}mm" role="img" '
        f'aria-label="{escape(info.leads[lead].name)}, {escape(span.label)}">'
        '<defs><pattern id="mm" width="1" height="1" patternUnits="userSpaceOnUse"><path d="M1 0H0V1" class="fine"/></pattern>'
        '<pattern id="cm" width="5" height="5" patternUnits="userSpaceOnUse"><rect width="5" height="5" fill="url(#mm)"/>'
        '<path d="M5 0H0V5" class="coarse"/></pattern></defs>'
        f'<rect width="{width_mm:.1f}" height="{height_mm:.1f}" fill="url(#cm)"/>'
        f'<rect class="span" x="{a:.2f}" width="{max(0.4, b - a):.2f}" height="{height_mm:.1f}"/>'
        f'<path class="trace" d="M1 {HALF_HEIGHT_MM}h1V{pulse_top}h4V{HALF_HEIGHT_MM}h1"/>'
        f'<path class="trace" d="{_path(x_mm, y_mm)}"/>{marks}</svg>'
    )


def _path(x_mm: NDArray[np.float64], y_mm: NDArray[np.float64]) -> str:
    """An SVG path that is interrupted where samples are missing."""
    parts, drawing = [], False
    for x, y in zip(x_mm.tolist(), y_mm.tolist(), strict=True):
        if y != y:
            drawing = False
            continue
        parts.append(f"{'L' if drawing else 'M'}{x:.2f} {min(max(y, -50), 90):.2f}")
        drawing = True
    return "".join(parts)
