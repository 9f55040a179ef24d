"""An ECG strip as SVG: 25 mm/s and 10 mm/mV on millimetre paper, with a calibration pulse.

Above the paper stand the rhythms and, at every beat, its label; the limits of P, QRS and T are light bands.
A bar below marks the span itself.
"""

from html import escape

import numpy as np
from numpy.typing import NDArray

from edge.interpret.intervals import rhythms_between
from edge.interpret.rhythm import MEANING
from edge.types import NO_POINT, Annotations, Point, Recording, Span

MM_PER_S = 25.0
MM_PER_MV = 10.0
PULSE_MM = 8.0  # room for the calibration pulse at the left
HALF_HEIGHT_MM = 20.0  # two millivolts to each side of the strip's own middle
NOTES_MM = 8.0  # room above (and below) the paper for rhythms and labels
MAX_STRIP_S = 10.0
MAX_POINTS_PER_MM = 12.0  # finer than any screen or printer
LETTER_MM = 1.65  # width that a letter of the notes takes, about
UNIT = 100  # the trace is drawn in hundredths of a millimetre: whole numbers are shorter
BANDS = {"p": (Point.P_ON, Point.P_OFF), "qrs": (Point.QRS_ON, Point.QRS_OFF), "t": (Point.T_ON, Point.T_OFF)}
STRIP_STYLE = """
.strip { background: #fff; max-width: 100%; height: auto } .strip .paper { fill: #fff8f6 }
.strip .fine { fill: none; stroke: #f3d3ce; stroke-width: .08 } .strip .coarse { fill: none; stroke: #e2a9a1; stroke-width: .15 }
.strip .trace { fill: none; stroke: #14213a; stroke-width: 30; stroke-linejoin: round }
.strip .span { fill: #e0a100 } .strip text { font: 2.9px system-ui, sans-serif; fill: #1d2733 }
.strip .beat { text-anchor: middle; font-weight: 600 } .strip .N { fill: #6b7784; font-weight: 400 } .strip .V { fill: #b3261e }
.strip .S { fill: #b35c00 } .strip .F { fill: #8a2be2 } .strip .Q { fill: #2b6cb0 } .strip .mark { fill: #2b6cb0 }
.strip .p { fill: #2e8b57; opacity: .16 } .strip .qrs { fill: #2b6cb0; opacity: .16 } .strip .t { fill: #8a2be2; opacity: .13 }
.strip .rhythm { stroke: #5b6877; stroke-width: .25 }
"""


def strip_svg(
    recording: Recording,
    span: Span,
    lead: int = 0,
    annotations: Annotations | None = None,
    reference: Annotations | None = None,
) -> str:
    """A strip around a span (at most MAX_STRIP_S of it), as an inline SVG element.

    `annotations` are what was found; `reference`, where given, is told in the same way below the paper. Time that was
    not recorded stays empty; amplitudes beyond two millivolts around the strip's median run out of the paper, as they
    would on paper.
    """
    info = recording.info
    length_s = min(max(span.duration_s + 2.0, 6.0), MAX_STRIP_S)
    middle_s = (span.start_s + span.end_s) / 2 if span.duration_s < MAX_STRIP_S else span.start_s + MAX_STRIP_S / 2 - 1
    start_s = min(max(0.0, middle_s - length_s / 2), max(0.0, info.duration_s - length_s))
    start, stop = round(start_s * info.fs_hz), min(round((start_s + length_s) * info.fs_hz), info.n_samples)
    signal_mv = recording.read_mv(start, stop)[:, lead].astype(np.float64)
    width_mm, paper_mm = PULSE_MM + length_s * MM_PER_S, 2 * HALF_HEIGHT_MM
    height_mm = NOTES_MM + paper_mm + (NOTES_MM if reference is not None else 0.0)
    known = signal_mv[np.isfinite(signal_mv)]
    middle_mv = float(np.median(known)) if len(known) else 0.0

    step = max(1, int(info.fs_hz / (MM_PER_S * MAX_POINTS_PER_MM)))
    x_mm = PULSE_MM + np.arange(0, len(signal_mv), step) / info.fs_hz * MM_PER_S
    y_mm = HALF_HEIGHT_MM - (signal_mv[::step] - middle_mv) * MM_PER_MV
    limits = (max(span.start_s, start_s), min(span.end_s, start_s + length_s))
    a, b = (PULSE_MM + (at_s - start_s) * MM_PER_S for at_s in limits)
    zero, height = round(HALF_HEIGHT_MM * UNIT), round(MM_PER_MV * UNIT)
    notes = _bands(annotations, start, stop) + _notes(annotations, start, stop, -NOTES_MM)
    return (
        f'<svg class="strip" viewBox="0 {-NOTES_MM:g} {width_mm:.1f} {height_mm:.1f}" width="{width_mm:.1f}mm" role="img" '
        f'aria-label="{escape(info.leads[lead].name)}, {escape(span.label)}">'
        '<defs><pattern id="mm" width="1" height="1" patternUnits="userSpaceOnUse"><path d="M1 0H0V1" class="fine"/></pattern>'
        '<pattern id="cm" width="5" height="5" patternUnits="userSpaceOnUse"><rect width="5" height="5" class="paper"/>'
        '<rect width="5" height="5" fill="url(#mm)"/><path d="M5 0H0V5" class="coarse"/></pattern></defs>'
        f'<rect width="{width_mm:.1f}" height="{paper_mm:g}" fill="url(#cm)"/>'
        f'<rect class="span" x="{a:.2f}" y="{paper_mm - 1:g}" width="{max(0.4, b - a):.2f}" height="1"/>{notes}'
        f'<svg width="{width_mm:.1f}" height="{paper_mm:g}"><g transform="scale({1 / UNIT:g})">'
        f'<path class="trace" d="M{UNIT} {zero}h{UNIT}v-{height}h{4 * UNIT}v{height}h{UNIT}"/>'
        f'<path class="trace" d="{_path(x_mm, y_mm)}"/></g></svg>'
        f"{_notes(reference, start, stop, paper_mm)}</svg>"
    )


def _notes(annotations: Annotations | None, start: int, stop: int, top_mm: float) -> str:
    """Rhythms in a first line, labels of the beats in a second one."""
    if annotations is None:
        return ""
    fs_hz, parts = annotations.fs_hz, []
    for span in rhythms_between(annotations, start, stop):
        a, b = (PULSE_MM + (at - start) / fs_hz * MM_PER_S for at in (span.start, span.stop))
        parts.append(f'<path class="rhythm" d="M{a:.2f} {top_mm + 3.8:.1f}H{b:.2f}M{a:.2f} {top_mm + 0.6:.1f}v3.2"/>')
        name = MEANING.get(span.label, span.label)
        if len(name) * LETTER_MM > b - a:
            name = span.label
        if len(name) * LETTER_MM <= b - a:
            parts.append(f'<text x="{a + 0.8:.2f}" y="{top_mm + 3:.1f}">{escape(name)}</text>')
    i, j = np.searchsorted(annotations.beats, (start, stop)).tolist()
    at_mm = (PULSE_MM + (annotations.beats[i:j] - start) / fs_hz * MM_PER_S).tolist()
    if not len(annotations.labels):
        return "".join([*parts, *(f'<path class="mark" d="M{x:.2f} {top_mm + 7.4:.1f}l-1 -1.4h2z"/>' for x in at_mm)])
    for x, label in zip(at_mm, annotations.labels[i:j].tobytes().decode("ascii"), strict=True):
        parts.append(f'<text class="beat {label}" x="{x:.2f}" y="{top_mm + 7.2:.1f}">{label}</text>')
    return "".join(parts)


def _bands(annotations: Annotations | None, start: int, stop: int) -> str:
    """The limits of P, QRS and T as bands over the paper."""
    if annotations is None or not len(annotations.waves):
        return ""
    i, j = np.searchsorted(annotations.beats, (start, stop)).tolist()
    parts = []
    for name, columns in BANDS.items():
        for at, limits in zip(annotations.beats[i:j].tolist(), annotations.waves[i:j, columns].tolist(), strict=True):
            if NO_POINT in limits:
                continue
            a, b = (min(max(at + offset, start), stop) - start for offset in limits)
            x, width = (samples / annotations.fs_hz * MM_PER_S for samples in (a, b - a))
            if width > 0:
                rect = f'x="{PULSE_MM + x:.2f}" width="{width:.2f}" height="{2 * HALF_HEIGHT_MM:g}"'
                parts.append(f'<rect class="{name}" {rect}/>')
    return "".join(parts)


def _path(x_mm: NDArray[np.float64], y_mm: NDArray[np.float64]) -> str:
    """An SVG path in whole hundredths of a millimetre, relative, interrupted where samples are missing."""
    there = np.isfinite(y_mm)
    x = np.rint(x_mm[there] * UNIT).astype(np.int64)
    y = np.rint(np.clip(y_mm[there], -50, 90) * UNIT).astype(np.int64)
    begins = np.diff(np.flatnonzero(there), prepend=-2) > 1
    parts = []
    for at_x, at_y, dx, dy, begin in zip(
        x.tolist(), y.tolist(), np.diff(x, prepend=0).tolist(), np.diff(y, prepend=0).tolist(), begins.tolist(),
        strict=True,
    ):  # fmt: skip
        parts.append(f"M{at_x} {at_y}" if begin else f"l{dx} {dy}")
    return "".join(parts)
