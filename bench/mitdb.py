"""MIT-BIH records by the rules of EC57: beats, labels, runs and atrial fibrillation, pooled, averaged and by record.

The records with paced beats are left out unless they are named. Label figures come twice: with atrial and nodal escape
beats as supraventricular ectopic, as bxb counts them, and as normal, as most papers do (`_papers`).
"""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench import Options
from bench.delineation import has_p
from bench.ec57 import (
    AF,
    AFL,
    LEARNING_S,
    PACED,
    Escapes,
    Ratio,
    Reference,
    Scores,
    average,
    gross,
    inside,
    percentages,
    read_reference,
    told,
)
from bench.ec57_beats import Matrix, counts_of, label_scores, qrs_scores, score_beats, table_of
from bench.ec57_episodes import score_af
from bench.ec57_runs import run_matrices, run_scores
from bench.measure import machine
from bench.peers import Race
from bench.request import requested
from bench.subject import af_spans, analysed, side_of, unreadable_seconds
from edge.errors import UsageError
from edge.formats.sniff import open_file
from edge.types import LABELS, Annotations

RULES = (
    "EC57 as bxb, rxr and epicmp carry it out: 150 ms, first 5 min not scored, ventricular flutter skipped; "
    "qrs_se counts beats in seconds declared unreadable as missed, qrs_se_readable leaves them out; "
    "sveb figures with escape beats e, j as S (bxb) and as N (_papers); af durations in ms"
)


@dataclass(frozen=True, slots=True)
class RecordScore:
    """What one record adds to the figures."""

    scores: Scores
    matrices: dict[Escapes, Matrix]
    unreadable_s: int
    """Seconds declared unreadable in the scored time."""
    scored_s: float
    false_af_ms: int | None
    """Called atrial fibrillation in a record without; None where the record has some, or rhythms were not named."""
    is_read: bool
    """Whether beats were labelled and rhythms named."""


def run(data: Path | None, records: tuple[str, ...], options: Options) -> dict[str, Any]:
    """Score every record of the folder `data`, or those named."""
    request = requested("mitdb", data, "*.atr", records, options, races=True)
    names = records or tuple(p.stem for p in sorted(request.data.glob("*.atr")) if p.stem not in PACED)
    if not names:
        raise UsageError(f"{request.data} holds records with paced beats alone", "Name them as --records")
    lead = options.lead or 0
    race = Race() if options.peers else None
    found: dict[str, RecordScore] = {}
    for name in names:
        path = request.data / name
        reference = read_reference(path)
        began = time.process_time()
        annotations = analysed(path, lead, request.bundle("mitdb", name))
        cpu_s = time.process_time() - began
        found[name] = score_record(reference, annotations)
        if race is not None:
            race.add(name, "", reference, signal_of(path, lead), annotations.beats, cpu_s)
    return {
        "command": request.command,
        "rules": RULES,
        "subject": request.subject,
        "machine": machine(),
        **summary(found),
        **({"peers": race.rows()} if race is not None else {}),
        "rows": [row_of(name, score) for name, score in found.items()],
    }


def score_record(reference: Reference, annotations: Annotations) -> RecordScore:
    """Everything that is scored in one record."""
    test, fs_hz, n_samples = side_of(annotations), reference.fs_hz, reference.n_samples
    matrices = {escapes: score_beats(reference.side(escapes), test, fs_hz) for escapes in Escapes}
    scores = qrs_scores(matrices[Escapes.BXB])
    false_af_ms = None
    if annotations.read:
        scores |= label_scores(matrices[Escapes.BXB])
        by_papers = label_scores(matrices[Escapes.PAPERS])
        scores |= {f"{name}_papers": by_papers[name] for name in ("sveb_se", "sveb_pp")}
        for kind in ("V", "S"):
            scores |= run_scores(run_matrices(reference.side(), test, fs_hz, n_samples, kind), kind)
        fibrillation = reference.spans_of(AF)
        af = score_af(fibrillation, reference.spans_of(AFL), af_spans(annotations), fs_hz, n_samples)
        scores |= af.scores | {"false_p_in_af": false_p(reference, annotations)}
        false_af_ms = None if len(fibrillation) else af.test_ms
    return RecordScore(
        scores,
        matrices,
        int((unreadable_seconds(annotations) >= LEARNING_S).sum()),
        max(0.0, n_samples / fs_hz - LEARNING_S),
        false_af_ms,
        annotations.read,
    )


def false_p(reference: Reference, annotations: Annotations) -> Ratio:
    """Beats with a P wave, of those found where the reference marks fibrillation, after the first five minutes."""
    beats = annotations.beats
    chosen = inside(beats, reference.spans_of(AF)) & (beats >= round(LEARNING_S * reference.fs_hz))
    return Ratio(int(has_p(annotations)[chosen].sum()), int(chosen.sum()))


def summary(found: dict[str, RecordScore]) -> dict[str, Any]:
    """Figures over all records."""
    scores = [score.scores for score in found.values()]
    false_af = {name: s.false_af_ms for name, s in found.items() if s.false_af_ms is not None}
    figures: dict[str, Any] = {
        "records": len(found),
        "unreadable_s": sum(score.unreadable_s for score in found.values()),
        "scored_s": round(sum(score.scored_s for score in found.values())),
        "gross": told(gross(scores)),
        "average": average(scores),
    }
    if not any(score.is_read for score in found.values()):
        return {**figures, "labels": "not labelled", "rhythms": "not named"}
    return {
        **figures,
        "confusion": {
            escapes.value: table_of(np.sum([score.matrices[escapes] for score in found.values()], axis=0))
            for escapes in Escapes
        },
        "false_af": {
            "records_without_af": len(false_af),
            "hours": round(sum(found[name].scored_s for name in false_af) / 3600, 2),
            "minutes": round(sum(false_af.values()) / 60_000, 2),
        },
    }


def row_of(name: str, score: RecordScore) -> dict[str, Any]:
    """One record: what is defined in it, and its confused beats as reference and test label, such as Nv."""
    matrix = score.matrices[Escapes.BXB]
    confused = {
        f"{row}{column.lower()}": int(matrix[i, j])
        for i, row in enumerate(LABELS)
        for j, column in enumerate(LABELS)
        if i != j and matrix[i, j]
    }
    return {
        "record": name,
        **counts_of(matrix),
        "unreadable_s": score.unreadable_s,
        **{key: percent for key, percent in percentages(score.scores).items() if percent is not None},
        **({"false_af_s": round(score.false_af_ms / 1000)} if score.false_af_ms else {}),
        **({"confused": confused} if score.is_read else {}),
    }


def signal_of(path: Path, lead: int) -> NDArray[np.float64]:
    """A whole lead in millivolts."""
    recording = open_file(path)
    try:
        return recording.read_mv(0, recording.info.n_samples)[:, lead].astype(np.float64)
    finally:
        recording.close()
