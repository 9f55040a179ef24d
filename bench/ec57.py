"""What all EC57 scores of a record rest on: the two views that are compared, the reference's marks, and ratios.

Rules: AAMI EC57 as the WFDB Software's reference programs carry it out (bxb for beats, rxr for runs, epicmp for
episodes, sumstats for the sums); see bench.ec57_beats, bench.ec57_runs and bench.ec57_episodes.
"""

import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.formats.reading import reading
from edge.types import Labels, RhythmSpan, Samples

WINDOW_S = 0.150
LEARNING_S = 300.0
PACED = frozenset({"102", "104", "107", "217"})
"""Records with paced beats: EC57 leaves them out of what must be reported on MIT-BIH."""

LABEL_OF = {
    **dict.fromkeys("NLRB", "N"),
    **dict.fromkeys("AaJSejn", "S"),
    **dict.fromkeys("VrE", "V"),
    "F": "F",
    **dict.fromkeys("/fQ?", "Q"),
}
"""MIT annotation symbol of a beat to its EC57 label, as bxb maps it."""
ESCAPES = "ej"
AF, AFL = "(AFIB", "(AFL"
UNREADABLE_BITS = 0x30  # of a noise mark's subtype: both signals are unreadable

Spans = NDArray[np.int64]
"""Stretches of samples, shape (n, 2), ascending: the first sample, and the one after the last."""
NO_SPANS: Spans = np.empty((0, 2), np.int64)


class Escapes(StrEnum):
    """Where atrial and nodal escape beats (e, j) go: bxb counts them as supraventricular ectopic, most papers as normal."""

    BXB = "bxb"
    PAPERS = "papers"


@dataclass(frozen=True, slots=True, eq=False)
class Side:
    """A record as one annotator, the reference or the one under test, sees it."""

    beats: Samples
    labels: Labels
    """Shape (n_beats,): ASCII codes of NSVFQ."""
    vf: Spans = field(default_factory=lambda: NO_SPANS)
    """Ventricular flutter or fibrillation."""
    af: Spans = field(default_factory=lambda: NO_SPANS)
    """Atrial fibrillation or flutter."""
    shutdown: Spans = field(default_factory=lambda: NO_SPANS)
    """Declared unreadable."""


@dataclass(frozen=True, slots=True, eq=False)
class Reference:
    """The reference annotations of a record; beats inside ventricular flutter are left out as bxb leaves them out."""

    fs_hz: float
    n_samples: int
    beats: Samples
    symbols: NDArray[np.str_]
    """Shape (n_beats,): MIT annotation symbols."""
    vf: Spans
    shutdown: Spans
    rhythms: tuple[RhythmSpan, ...]

    def side(self, escapes: Escapes = Escapes.BXB) -> Side:
        """The view that the scores compare, with the escape beats where `escapes` says."""
        label_of = LABEL_OF | (dict.fromkeys(ESCAPES, "N") if escapes is Escapes.PAPERS else {})
        labels = np.array([ord(label_of[symbol]) for symbol in self.symbols.tolist()], np.uint8)
        return Side(self.beats, labels, self.vf, self.spans_of("(AF"), self.shutdown)

    def spans_of(self, label: str) -> Spans:
        """Stretches of the rhythms whose name begins so."""
        return spans((r.start, r.stop) for r in self.rhythms if r.label.startswith(label))


@dataclass(frozen=True, slots=True)
class Ratio:
    """Hits of a number of tries; undefined without any."""

    hits: int
    of: int

    @property
    def percent(self) -> float | None:
        """In percent, to a hundredth; None without any tries."""
        return round(100 * self.hits / self.of, 2) if self.of else None

    def __add__(self, other: "Ratio") -> "Ratio":
        return Ratio(self.hits + other.hits, self.of + other.of)


Scores = dict[str, Ratio]


def spans(pairs: Iterable[tuple[int, int]]) -> Spans:
    """Stretches as an array."""
    return np.array(list(pairs), np.int64).reshape(-1, 2)


def inside(samples: Samples, where: Spans) -> NDArray[np.bool_]:
    """Which samples lie in one of the stretches."""
    if len(where) == 0:
        return np.zeros(len(samples), bool)
    last_begun = np.searchsorted(where[:, 0], samples, side="right") - 1
    found: NDArray[np.bool_] = (last_begun >= 0) & (samples < np.maximum.accumulate(where[:, 1])[last_begun])
    return found


def window_of(fs_hz: float) -> int:
    """The 150 ms within which two marks belong together, in samples."""
    return round(WINDOW_S * fs_hz)


def gross(scores: Sequence[Mapping[str, Ratio]]) -> Scores:
    """All records pooled; a record adds nothing to a figure that it does not have."""
    pooled: Scores = {}
    for score in scores:
        for name, ratio in score.items():
            pooled[name] = pooled.get(name, Ratio(0, 0)) + ratio
    return pooled


def average(scores: Sequence[Mapping[str, Ratio]]) -> dict[str, float | None]:
    """Mean of the records' percentages, of the records in which each is defined (as sumstats counts)."""
    means: dict[str, float | None] = {}
    for name in gross(scores):
        found = [score[name] for score in scores if name in score]
        values = [100 * ratio.hits / ratio.of for ratio in found if ratio.of]
        means[name] = round(float(np.mean(values)), 2) if values else None
    return means


def told(scores: Mapping[str, Ratio]) -> dict[str, dict[str, Any]]:
    """Percentages with what they rest on, for a result document."""
    return {name: {"percent": r.percent, "hits": r.hits, "of": r.of} for name, r in scores.items()}


def percentages(scores: Mapping[str, Ratio]) -> dict[str, float | None]:
    """Percentages alone, for a record's row."""
    return {name: ratio.percent for name, ratio in scores.items()}


def read_reference(record: Path, annotator: str = "atr") -> Reference:
    """The reference annotations of a WFDB record; raises InputUnreadable."""
    with reading(record), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # wfdb 4.3 defines its tables in a way that pandas 3.1 deprecates
        import wfdb

        marks = wfdb.rdann(str(record), annotator)
        header = wfdb.rdheader(str(record))
        fs_hz, n_samples = float(header.fs), int(header.sig_len)
    return reference_of(marks.sample, marks.symbol, marks.subtype.tolist(), marks.aux_note, fs_hz, n_samples)


def reference_of(
    samples: Samples,
    symbols: Sequence[str],
    subtypes: Sequence[int],
    aux_notes: Sequence[str],
    fs_hz: float,
    n_samples: int,
) -> Reference:
    """Sort the marks of an annotation file, in the file's order, into beats, stretches and rhythms.

    Ventricular flutter lasts from [ to ] or the end. An unreadable stretch lasts from a noise mark that calls both
    signals unreadable to the next noise mark; where another mark comes first (AHA files), it begins 150 ms after the
    beat or ventricular flutter before, and ends 150 ms before that mark.
    """
    window = window_of(fs_hz)
    beats: list[int] = []
    kinds: list[str] = []
    vf: list[tuple[int, int]] = []
    shutdown: list[tuple[int, int]] = []
    rhythms: list[RhythmSpan] = []
    vf_on: int | None = None
    unreadable_from: int | None = None
    for at, symbol, subtype, aux in zip(np.asarray(samples).tolist(), symbols, subtypes, aux_notes, strict=True):
        if symbol == "+" and aux.startswith("("):
            _change_rhythm(rhythms, at, aux.rstrip("\0 "), n_samples)
        if vf_on is not None:
            if symbol == "]":
                vf.append((vf_on, at + 1))
                vf_on = None
            continue
        if unreadable_from is not None:
            if symbol == "~" and subtype & UNREADABLE_BITS != UNREADABLE_BITS:
                shutdown.append((unreadable_from, at + 1))
            else:
                before = max([*beats[-1:], *[stop - 1 for _, stop in vf[-1:]], 0])
                last = at - window
                shutdown.append((min(before + window, last), last + 1))
            unreadable_from = None
        if symbol == "[":
            vf_on = at
        elif symbol == "~" and subtype & UNREADABLE_BITS == UNREADABLE_BITS:
            unreadable_from = at
        elif symbol in LABEL_OF:
            beats.append(at)
            kinds.append(symbol)
    if vf_on is not None:
        vf.append((vf_on, n_samples))
    if unreadable_from is not None:
        shutdown.append((unreadable_from, n_samples))
    return Reference(
        fs_hz,
        n_samples,
        np.array(beats, np.int64),
        np.array(kinds, np.str_),
        spans(vf),
        spans(shutdown),
        tuple(rhythms),
    )


def _change_rhythm(rhythms: list[RhythmSpan], at: int, label: str, n_samples: int) -> None:
    """End the last rhythm where another begins; the same name again goes on."""
    if rhythms and rhythms[-1].label == label:
        return
    if rhythms:
        rhythms[-1] = RhythmSpan(rhythms[-1].start, at, rhythms[-1].label)
    rhythms.append(RhythmSpan(at, n_samples, label))
