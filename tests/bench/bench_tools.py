"""Annotations and records made by hand for the accuracy benches."""

import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import wfdb
from numpy.typing import NDArray

from edge.clean.quality import State
from edge.types import NO_POINT, Absent, Annotations, Likely, Point, RhythmSpan, Wave


def annotations(
    beats: Sequence[int],
    labels: str = "",
    fs_hz: float = 100.0,
    seconds: int = 600,
    unusable: Sequence[int] = (),
    rhythms: tuple[RhythmSpan, ...] = (),
    points: dict[Point, int] | None = None,
) -> Annotations:
    """Beats as found, with labels as read; every beat has the given points, in samples from it."""
    quality = np.zeros(seconds, np.uint8)
    quality[list(unusable)] = State.UNUSABLE
    bare = Annotations(
        fs_hz, round(seconds * fs_hz), np.array(beats, np.int64), quality, np.zeros(seconds, np.uint8), gaps=()
    )
    if not labels:
        return bare
    waves = np.full((len(beats), len(Point)), NO_POINT, np.int16)
    absent = np.full((len(beats), len(Wave)), Absent.NOT_SEEN, np.uint8)
    for point, offset in (points or {}).items():
        waves[:, point] = offset
        absent[:, point // 3] = Absent.PRESENT
    return Annotations(
        fs_hz, bare.n_samples, bare.beats, quality, bare.reasons, (), np.frombuffer(labels.encode(), np.uint8),
        waves, absent, np.zeros((seconds, len(Likely)), np.uint8), rhythms,
    )  # fmt: skip


def write_record(
    folder: Path, name: str, signal_mv: NDArray[np.float64], fs_hz: float, leads: Sequence[str] = ("II",)
) -> Path:
    """A WFDB record of one or more leads."""
    table = signal_mv if signal_mv.ndim == 2 else np.repeat(signal_mv[:, None], len(leads), axis=1)
    wfdb.wrsamp(
        name, fs_hz, ["mV"] * len(leads), list(leads), table, fmt=["16"] * len(leads),
        adc_gain=[200.0] * len(leads), baseline=[0] * len(leads), write_dir=str(folder),
    )  # fmt: skip
    return folder / name


def write_marks(
    folder: Path, name: str, annotator: str, at: Sequence[int], symbols: Sequence[str], notes: Sequence[str] = ()
) -> None:
    """An annotation file."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # wfdb 4.3 defines its tables in a way that pandas 3.1 deprecates
        notes = list(notes) or [""] * len(at)
        wfdb.wrann(name, "marks", np.array(at), list(symbols), aux_note=notes, write_dir=str(folder))
    (folder / f"{name}.marks").rename(folder / f"{name}.{annotator}")  # wrann writes no annotator "v1"
