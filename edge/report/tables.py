"""Tables as CSV, in parts: beats with labels and waves, rhythm spans, quality by the second."""

import csv
import io
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.clean.quality import State, describe
from edge.interpret.intervals import BLOCK
from edge.interpret.rhythm import MEANING
from edge.types import NO_POINT, Annotations, Point

BEAT_COLUMNS = ("sample", "time_s", "label", "rr_ms", *(f"{point.name.lower()}_ms" for point in Point))


def beats_csv(annotations: Annotations, valid: NDArray[np.bool_]) -> Iterator[bytes]:
    """One row per beat: label, interval since the beat before, and offsets of wave points from the beat.

    `valid`, shape (n_beats - 1,), says which intervals count; the others stay empty, as does what is not there.
    """
    return _table(BEAT_COLUMNS, _beat_rows(annotations, valid))


def rhythms_csv(annotations: Annotations) -> Iterator[bytes]:
    """One row per rhythm span: samples, seconds, WFDB's label and plain words."""
    fs_hz = annotations.fs_hz
    rows = (
        (r.start, r.stop, f"{r.start / fs_hz:.4f}", f"{r.stop / fs_hz:.4f}", r.label, MEANING.get(r.label, ""))
        for r in annotations.rhythms
    )
    return _table(("start_sample", "stop_sample", "start_s", "end_s", "label", "name"), rows)


def quality_csv(annotations: Annotations) -> Iterator[bytes]:
    """One row per second: its state and why."""
    states = {int(state): state.name.lower() for state in State}
    rows = (
        (k, states[int(q)], describe(int(r)))
        for k, (q, r) in enumerate(zip(annotations.quality, annotations.reasons, strict=True))
    )
    return _table(("second", "state", "reasons"), rows)


def _beat_rows(annotations: Annotations, valid: NDArray[np.bool_]) -> Iterator[tuple[Any, ...]]:
    fs_hz, beats = annotations.fs_hz, annotations.beats
    labelled, measured = len(annotations.labels) > 0, len(annotations.waves) > 0
    none = [""] * len(Point)
    for a in range(0, len(beats), BLOCK):
        b = min(a + BLOCK, len(beats))
        labels = annotations.labels[a:b].tobytes().decode("ascii") if labelled else [""] * (b - a)
        first = max(a, 1)
        rr_ms = (np.diff(beats[first - 1 : b]) * 1000.0 / fs_hz).tolist()
        told = [f"{ms:.1f}" if ok else "" for ms, ok in zip(rr_ms, valid[first - 1 : b - 1].tolist(), strict=True)]
        told = [""] * (first - a) + told
        waves = annotations.waves[a:b].tolist() if measured else [None] * (b - a)
        for at, label, rr, points in zip(beats[a:b].tolist(), labels, told, waves, strict=True):
            offsets = none if points is None else ["" if p == NO_POINT else f"{p * 1000 / fs_hz:.1f}" for p in points]
            yield (at, f"{at / fs_hz:.4f}", label, rr, *offsets)


def _table(header: tuple[str, ...], rows: Iterable[tuple[Any, ...]]) -> Iterator[bytes]:
    remaining = iter(rows)
    part: list[tuple[Any, ...]] = [header]
    while part:
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows(part)
        yield text.getvalue().encode()
        part = list(islice(remaining, BLOCK))
