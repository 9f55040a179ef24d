"""Does "unusable" mean what people called too noisy? Share of seconds by state for each CinC 2017 class."""

import csv
from pathlib import Path
from typing import Any

import numpy as np

from bench.measure import machine
from edge.clean.quality import State
from edge.errors import UsageError
from edge.formats.sniff import open_file
from edge.pipeline import annotate

CLASSES = {"N": "normal", "A": "atrial fibrillation", "O": "other rhythm", "~": "too noisy"}


def run(data: Path | None, records: tuple[str, ...]) -> dict[str, Any]:
    """Assess every record of a CinC 2017 folder, or those named."""
    if data is None or not (data / "REFERENCE.csv").is_file():
        raise UsageError("bench quality needs CinC 2017", "Give a folder with its REFERENCE.csv as --data")
    seconds = {name: np.zeros(len(State), np.int64) for name in CLASSES}
    shares: dict[str, list[float]] = {name: [] for name in CLASSES}
    with (data / "REFERENCE.csv").open(encoding="utf-8") as file:
        for record, label in csv.reader(file):
            if records and record not in records:
                continue
            recording = open_file(data / record)
            quality = annotate(recording).quality
            recording.close()
            seconds[label] += np.bincount(quality, minlength=len(State))
            shares[label].append(float((quality == State.UNUSABLE).mean()))
    rows = [
        {
            "class": CLASSES[name],
            "records": len(shares[name]),
            **{f"{state.name.lower()}_percent": round(100 * float(n[state] / max(1, n.sum())), 2) for state in State},
            "records_mostly_unusable": sum(share > 0.5 for share in shares[name]),
        }
        for name, n in seconds.items()
    ]
    return {"command": f"anyecg bench quality --data {data.name}", "machine": machine(), "rows": rows}
