"""Delineation on LUDB: P, QRS and T waves of every lead against cardiologists' marks, each lead read by itself."""

import csv
import warnings
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench import Options
from bench.delineation import POINTS, Marked, WaveScore, has_p, marks_of, score_waves, waves_of
from bench.ec57 import Ratio, Scores, average, gross, percentages, told
from bench.measure import machine
from bench.request import requested
from bench.subject import analysed
from edge.errors import UsageError
from edge.formats.reading import reading
from edge.types import Absent, Annotations, Wave

LEADS = ("i", "ii", "iii", "avr", "avl", "avf", "v1", "v2", "v3", "v4", "v5", "v6")
"""In the order of the records' signals, named like the annotators."""
FIBRILLATION = "Atrial fibrillation"
RULES = (
    "a wave is found when its peak lies within 150 ms of the marked one; what lies before the first or after the last "
    "mark of a lead is not scored; errors are found minus marked, mean and SD pooled over all waves found"
)


@dataclass(slots=True)
class Tally:
    """Leads of records that are scored together."""

    scores: list[Scores] = field(default_factory=list)
    errors_ms: dict[Wave, list[NDArray[np.float64]]] = field(default_factory=lambda: {wave: [] for wave in Wave})
    absent: NDArray[np.int64] = field(default_factory=lambda: np.zeros((len(Wave), len(Absent)), np.int64))
    """Beats by wave and what was said of it."""

    def add(self, scored: "LeadScore") -> None:
        """Count one lead of one record."""
        self.scores.append(scored.scores)
        self.absent += scored.absent
        for wave, score in scored.waves.items():
            self.errors_ms[wave].append(score.errors_ms)


@dataclass(frozen=True, slots=True)
class LeadScore:
    """One lead of one record."""

    waves: dict[Wave, WaveScore]
    scores: Scores
    absent: NDArray[np.int64]


def score_lead(marked: Marked, annotations: Annotations, *, fibrillating: bool) -> LeadScore:
    """Compare one lead; the P waves found in a record in atrial fibrillation, which has none, are told apart."""
    first, last, fs_hz = marked.first, marked.last, annotations.fs_hz
    waves = {
        wave: score_waves(marked.waves[wave], waves_of(annotations, wave), first, last, fs_hz)
        for wave in Wave
        if annotations.read or wave is Wave.QRS
    }
    scores: Scores = {}
    for wave, score in waves.items():
        scores |= score.scores(wave)
    inside = (annotations.beats >= first) & (annotations.beats <= last)
    absent = np.zeros((len(Wave), len(Absent)), np.int64)
    if annotations.read:
        for wave in Wave:
            absent[wave] = np.bincount(annotations.absent[inside, wave], minlength=len(Absent))
        if fibrillating:
            scores["false_p_in_af"] = Ratio(int(has_p(annotations)[inside].sum()), int(inside.sum()))
    return LeadScore(waves, scores, absent)


def run(data: Path | None, records: tuple[str, ...], options: Options) -> dict[str, Any]:
    """Score every record of a LUDB folder, or those named, in all twelve leads or the one asked for."""
    import wfdb

    request = requested("ludb", data, "ludb.csv", records, options)
    rhythms = read_rhythms(request.data / "ludb.csv")
    unknown = [record for record in records if record not in rhythms]
    if unknown:
        raise UsageError(f"ludb.csv does not name {', '.join(unknown)}", "Name records that it does")
    if options.lead is not None and not 0 <= options.lead < len(LEADS):
        raise UsageError(f"There is no lead {options.lead}", f"Give --lead 0 ({LEADS[0]}) to 11 ({LEADS[-1]})")
    chosen = range(len(LEADS)) if options.lead is None else [options.lead]
    whole = Tally()
    by_lead = {LEADS[lead]: Tally() for lead in chosen}
    by_record: dict[str, list[Scores]] = {}
    for record in records or rhythms:
        path = request.data / "data" / record
        bundle = request.bundle("ludb", record)
        by_record[record] = []
        for lead in chosen:
            with reading(path), warnings.catch_warnings():
                warnings.simplefilter("ignore")  # wfdb 4.3 defines its tables in a way that pandas 3.1 deprecates
                marks = wfdb.rdann(str(path), LEADS[lead])
            scored = score_lead(
                marks_of(marks.sample, marks.symbol),
                analysed(path, lead, bundle),
                fibrillating=rhythms[record].startswith(FIBRILLATION),
            )
            by_record[record].append(scored.scores)
            whole.add(scored)
            by_lead[LEADS[lead]].add(scored)
    totals = {record: gross(scores) for record, scores in by_record.items()}
    groups = {"all": whole}
    groups |= {lead: by_lead[lead] for lead in ("ii", "i") if options.lead is None}
    return {
        "command": request.command,
        "rules": RULES,
        "subject": request.subject,
        "machine": machine(),
        "records": len(totals),
        "waves": "read" if "p_se" in gross(whole.scores) else "not read: beats alone are compared, with the QRS peak",
        "gross": told(gross(whole.scores)),
        "average": average(list(totals.values())),
        "by_lead": [{"lead": lead, **percentages(gross(tally.scores))} for lead, tally in by_lead.items()],
        "errors_ms": [row for name, tally in groups.items() for row in error_rows(name, tally)],
        "said_of_waves_percent": said_of_waves(whole),
        "rows": [
            {"record": record, "rhythm": rhythms[record], **percentages(scores)} for record, scores in totals.items()
        ],
    }


def error_rows(leads: str, tally: Tally) -> Iterable[dict[str, Any]]:
    """Mean and standard deviation of every point in milliseconds."""
    for wave, points in POINTS.items():
        if not tally.errors_ms[wave]:
            continue
        errors_ms = np.concatenate(tally.errors_ms[wave])
        for point, column in zip(points, errors_ms.T, strict=True):
            known = column[~np.isnan(column)]
            if len(known) > 1:
                mean_ms, sd_ms = round(float(known.mean()), 1), round(float(known.std(ddof=1)), 1)
                yield {"leads": leads, "point": point.name, "n": len(known), "mean": mean_ms, "sd": sd_ms}


def said_of_waves(tally: Tally) -> dict[str, dict[str, float]]:
    """Share of beats by what was said of each wave: present, or why not."""
    return {
        wave.name: {
            reason.name.lower(): round(100 * float(tally.absent[wave, reason] / tally.absent[wave].sum()), 2)
            for reason in Absent
        }
        for wave in Wave
        if tally.absent[wave].any()
    }


def read_rhythms(path: Path) -> dict[str, str]:
    """Record to rhythm, on one line each; raises InputUnreadable."""
    with reading(path), path.open(encoding="utf-8", newline="") as file:
        return {row["ID"].strip(): ", ".join(row["Rhythms"].split("\n")) for row in csv.DictReader(file)}
