"""The CinC 2017 challenge: short hand-held recordings called normal (N), atrial fibrillation (A), other (O), noisy (~).

The challenge's score is the mean F1 of N, A and O; the F1 of a class is twice its agreements over the number of times
it is marked plus the number of times it is called. Beside it: which share of each class's seconds was declared
unreadable, that is whether "unusable" means what people called too noisy.
"""

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench import Options
from bench.ec57 import Ratio
from bench.measure import machine
from bench.request import requested
from bench.subject import analysed, record_class
from edge.clean.quality import State
from edge.errors import InputUnreadable, UsageError

CLASSES = {"N": "normal", "A": "atrial fibrillation", "O": "other rhythm", "~": "too noisy"}
SCORED = "NAO"


def confusion(pairs: Sequence[tuple[str, str]]) -> NDArray[np.int64]:
    """Counts of marked (row) and called (column) class, shape (4, 4), in the order N, A, O, ~."""
    order = {name: k for k, name in enumerate(CLASSES)}
    counts = np.zeros((len(CLASSES), len(CLASSES)), np.int64)
    for marked, called in pairs:
        counts[order[marked], order[called]] += 1
    return counts


def f1_percent(counts: NDArray[np.int64]) -> dict[str, float | None]:
    """F1 of each class, in percent; None for a class neither marked nor called."""
    both = counts.sum(axis=0) + counts.sum(axis=1)
    return {
        name: round(200.0 * int(counts[k, k]) / int(both[k]), 2) if both[k] else None for k, name in enumerate(CLASSES)
    }


def challenge_score(f1: dict[str, float | None]) -> float | None:
    """Mean F1 of N, A and O, in percent; None while one of them is undefined."""
    values = [f1[name] for name in SCORED]
    defined = [value for value in values if value is not None]
    return round(sum(defined) / len(values), 2) if len(defined) == len(values) else None


def run(data: Path | None, records: tuple[str, ...], options: Options) -> dict[str, Any]:
    """Classify every record of a folder with its REFERENCE.csv, or those named."""
    request = requested("cinc2017", data, "REFERENCE.csv", records, options)
    marked = read_classes(request.data / "REFERENCE.csv")
    unknown = [record for record in records if record not in marked]
    if unknown:
        raise UsageError(f"REFERENCE.csv does not name {', '.join(unknown)}", "Name records that it does")
    called: dict[str, str | None] = {}
    seconds = {name: np.zeros(len(State), np.int64) for name in CLASSES}
    mostly = dict.fromkeys(CLASSES, 0)
    for record in records or marked:
        annotations = analysed(request.data / record, options.lead or 0, request.bundle("cinc2017", record))
        called[record] = record_class(annotations)
        states = np.bincount(annotations.quality, minlength=len(State))
        seconds[marked[record]] += states
        mostly[marked[record]] += bool(2 * states[State.UNUSABLE] > states.sum())
    return {
        "command": request.command,
        "rules": "CinC 2017: F1 of each class, the score is the mean of N, A and O",
        "subject": request.subject,
        "machine": machine(),
        "records": len(called),
        **classification({record: marked[record] for record in called}, called),
        "rows": [
            {
                "class": CLASSES[name],
                "records": sum(marked[record] == name for record in called),
                **{f"{s.name.lower()}_percent": Ratio(int(n[s]), int(n.sum())).percent for s in State},
                "records_mostly_unusable": mostly[name],
            }
            for name, n in seconds.items()
        ],
    }


def classification(marked: dict[str, str], called: dict[str, str | None]) -> dict[str, Any]:
    """Score, confusion and the records that are wrong, or the plain word that records are not classified."""
    pairs = {record: (marked[record], name) for record, name in called.items() if name is not None}
    if not pairs:
        return {"classes": "not classified"}
    counts = confusion(list(pairs.values()))
    f1 = f1_percent(counts)
    wrong: dict[str, list[str]] = {}
    for record, (truth, name) in pairs.items():
        if truth != name:
            wrong.setdefault(f"{truth} called {name}", []).append(record)
    return {
        "classes": "classified",
        "not_classified": len(called) - len(pairs),
        "score_percent": challenge_score(f1),
        "f1_percent": f1,
        "confusion": {
            row: {column: int(counts[i, j]) for j, column in enumerate(CLASSES)} for i, row in enumerate(CLASSES)
        },
        "wrong": wrong,
    }


def read_classes(path: Path) -> dict[str, str]:
    """Record to class; raises InputUnreadable."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.reader(file) if row]
    if not rows or any(len(row) != 2 or row[1] not in CLASSES for row in rows):
        raise InputUnreadable(f"{path} has lines that are not RECORD,CLASS", f"Classes: {', '.join(CLASSES)}")
    return dict(row for row in rows)
