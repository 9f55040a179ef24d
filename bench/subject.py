"""What the accuracy benches measure: the annotations of a record, and which network may be used for it.

With folds, every record is read by the one network that was trained, tuned and stopped without it.
"""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.ec57 import AF, Side, Spans, spans
from edge.clean.quality import State
from edge.detect.network.session import load_network
from edge.errors import UsageError
from edge.formats.reading import reading
from edge.formats.sniff import open_file
from edge.pipeline import annotate
from edge.types import Annotations

HELD_OUT = "held_out.json"


def analysed(path: Path, lead: int, bundle: Path | None) -> Annotations:
    """Annotations of one lead of a record, by the network in `bundle`, or as `anyecg analyze` makes them.

    Raises InputError for what cannot be read, and UsageError for a lead that is not there.
    """
    recording = open_file(path)
    try:
        n_leads = len(recording.info.leads)
        if not 0 <= lead < n_leads:
            raise UsageError(f"{path.name} has no lead {lead}", f"Give --lead 0 to {n_leads - 1}")
        return annotate(recording, (lead,), network=load_network(bundle) if bundle else None)
    finally:
        recording.close()


def record_class(annotations: Annotations) -> str | None:
    """Class of a short recording by CinC 2017: N, A, O or ~; None where recordings are not classified."""
    return "NAO~"[int(np.argmax(annotations.classes))] if annotations.classes else None


def unreadable_seconds(annotations: Annotations) -> NDArray[np.int64]:
    """The seconds that were declared unreadable."""
    return np.flatnonzero(annotations.quality == State.UNUSABLE)


def side_of(annotations: Annotations) -> Side:
    """The subject's view of a record. Beats that were not labelled are called Q, which no label score counts."""
    labels = annotations.labels if len(annotations.labels) else np.full(len(annotations.beats), ord("Q"), np.uint8)
    seconds = unreadable_seconds(annotations).tolist()
    fs_hz = annotations.fs_hz
    shutdown = spans((round(a * fs_hz), round(b * fs_hz)) for a, b in _runs(seconds))
    return Side(annotations.beats, labels, rhythm_spans(annotations, "(VF"), rhythm_spans(annotations, "(AF"), shutdown)


def af_spans(annotations: Annotations) -> Spans:
    """What was called atrial fibrillation."""
    return rhythm_spans(annotations, AF)


def rhythm_spans(annotations: Annotations, label: str) -> Spans:
    """Stretches of the rhythms whose name begins so."""
    return spans((r.start, r.stop) for r in annotations.rhythms if r.label.startswith(label))


@dataclass(frozen=True, slots=True)
class Folds:
    """Networks and the records that each has never seen."""

    bundle_of: dict[tuple[str, str], Path]
    """Set and record to bundle."""

    def bundle(self, data_set: str, record: str) -> Path:
        """The network that held this record out; UsageError where none did."""
        found = self.bundle_of.get((data_set, record))
        if found is None:
            raise UsageError(f"No fold held out {record} of {data_set}", "Name other --records, or leave out --folds")
        return found


def read_folds(folder: Path) -> Folds:
    """Read the `held_out.json` of every bundle in a folder; raises UsageError and InputUnreadable."""
    found: dict[tuple[str, str], Path] = {}
    for path in sorted(folder.glob(f"*/{HELD_OUT}")):
        with reading(path):
            held_out = json.loads(path.read_text(encoding="utf-8"))
        for data_set, record in ((name, record) for name, records in held_out.items() for record in records):
            if (data_set, record) in found:
                what = f"{record} of {data_set} is held out twice in {folder}"
                raise UsageError(what, "Each record belongs to one fold")
            found[data_set, record] = path.parent
    if not found:
        raise UsageError(f"{folder} holds no {HELD_OUT}", "Give a folder of bundles fold0, fold1 … as --folds")
    return Folds(found)


def _runs(seconds: list[int]) -> list[tuple[int, int]]:
    """Consecutive seconds joined: first, and the one after the last."""
    joined: list[tuple[int, int]] = []
    for second in seconds:
        if joined and joined[-1][1] == second:
            joined[-1] = (joined[-1][0], second + 1)
        else:
            joined.append((second, second + 1))
    return joined
