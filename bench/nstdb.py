"""Beats under electrode-motion noise: MIT-BIH Noise Stress Test records (118e24 … 118e_6, 119e…), by noise strength.

Noise was added from minute 5 on in alternate stretches of two minutes; figures are given for everything scored, and
for the noisy stretches alone.
"""

import re
import time
from pathlib import Path
from typing import Any

import numpy as np

from bench import Options
from bench.ec57 import LEARNING_S, Scores, Spans, average, gross, percentages, read_reference, spans, told
from bench.ec57_beats import counts_of, qrs_scores, score_beats
from bench.measure import machine
from bench.mitdb import signal_of
from bench.peers import Race
from bench.request import requested
from bench.subject import analysed, side_of, unreadable_seconds
from edge.errors import UsageError

RULES = (
    "EC57 as bxb carries it out: 150 ms, first 5 min not scored; "
    "qrs_se counts beats in seconds declared unreadable as missed, qrs_se_readable leaves them out; "
    "beats found in such seconds count in both"
)
STRETCH_S = 120.0
PARTS = ("all", "noisy")
_NAME = re.compile(r"(?P<source>\d+)e(?P<snr>_?\d+)")


def snr_of(record: str) -> tuple[str, int]:
    """The record that noise was added to, and the signal-to-noise ratio in dB; raises UsageError."""
    match = _NAME.fullmatch(record)
    if match is None:
        raise UsageError(f"{record} is no record of the Noise Stress Test", "Their names are like 118e06 and 119e_6")
    return match["source"], int(match["snr"].replace("_", "-"))


def noisy_spans(fs_hz: float, n_samples: int) -> Spans:
    """Stretches to which noise was added."""
    starts = np.arange(LEARNING_S, n_samples / fs_hz, 2 * STRETCH_S)
    return spans((round(s * fs_hz), min(round((s + STRETCH_S) * fs_hz), n_samples)) for s in starts.tolist())


def run(data: Path | None, records: tuple[str, ...], options: Options) -> dict[str, Any]:
    """Score every noise stress record of the folder `data`, or those named."""
    request = requested("nstdb", data, "[0-9]*e*.atr", records, options, races=True)
    names = records or tuple(p.stem for p in request.data.glob("[0-9]*e*.atr") if _NAME.fullmatch(p.stem))
    names = tuple(sorted(names, key=lambda name: (-snr_of(name)[1], name)))
    lead = options.lead or 0
    race = Race() if options.peers else None
    rows: list[dict[str, Any]] = []
    by_snr: dict[int, dict[str, list[Scores]]] = {}
    for name in names:
        source, snr_db = snr_of(name)
        path = request.data / name
        reference = read_reference(path)
        began = time.process_time()
        annotations = analysed(path, lead, request.bundle("mitdb", source))
        cpu_s = time.process_time() - began
        fs_hz = reference.fs_hz
        noisy = noisy_spans(fs_hz, reference.n_samples)
        seconds = unreadable_seconds(annotations)
        unreadable = {
            "all": int((seconds >= LEARNING_S).sum()),
            "noisy": sum(int(((seconds >= a / fs_hz) & (seconds < b / fs_hz)).sum()) for a, b in noisy.tolist()),
        }
        ours, theirs = reference.side(), side_of(annotations)
        matrices = dict(
            zip(PARTS, (score_beats(ours, theirs, fs_hz, within=within) for within in (None, noisy)), strict=True)
        )
        group = by_snr.setdefault(snr_db, {part: [] for part in PARTS})
        for part, matrix in matrices.items():
            group[part].append(qrs_scores(matrix))
        rows += [
            {
                "record": name,
                "part": part,
                **counts_of(matrix),
                "unreadable_s": unreadable[part],
                **percentages(qrs_scores(matrix)),
            }
            for part, matrix in matrices.items()
        ]
        if race is not None:
            race.add(name, f"{snr_db} dB", reference, signal_of(path, lead), annotations.beats, cpu_s)
    whole = [scores for group in by_snr.values() for scores in group["all"]]
    return {
        "command": request.command,
        "rules": RULES,
        "subject": request.subject,
        "machine": machine(),
        "gross": told(gross(whole)),
        "average": average(whole),
        "by_snr": [
            {"snr_db": snr_db, "part": part, "records": len(scores), **percentages(gross(scores))}
            for snr_db, group in by_snr.items()
            for part, scores in group.items()
        ],
        **({"peers": race.rows()} if race is not None else {}),
        "rows": rows,
    }
