"""The summary of a recording as one JSON document (`anyecg.summary/1`), made of facts."""

import dataclasses
from typing import Any

import numpy as np

from edge import __version__
from edge.ask.answer import fact_document, span_document
from edge.clean.quality import REASON_TEXT, State
from edge.interpret.facts import NO_ECG, NO_ECG_HERE, context_of, measure
from edge.settings import Settings
from edge.types import Annotations, Fact, RecordingInfo, Span

SCHEMA = "anyecg.summary/1"
NOT_ASSESSED = "not assessed by this version: beats are found and not labelled, rhythms and waves are not judged"
HOUR_S = 3600.0


def summarise(info: RecordingInfo, annotations: Annotations, lead: int, settings: Settings) -> dict[str, Any]:
    """Everything measured of a recording; what is missing says why."""
    context = context_of(annotations, 0.0, info.duration_s, settings.rhythm, rr_only=info.rr_only)
    facts = measure(context)
    gaps = [span_document(span) for span in facts["gap_count"].evidence]
    return {
        "schema": SCHEMA,
        "recording": {
            "id": info.id,
            "leads": [lead_.name for lead_ in info.leads],
            "analysis_lead": None if info.rr_only else info.leads[lead].name,
            "original_units": [lead_.original_unit for lead_ in info.leads],
            "fs_hz": info.fs_hz,
            "start": info.start.isoformat() if info.start else None,
            "duration_s": round(info.duration_s, 3),
            "analysable_s": round(context.analysable_s, 3),
            "gaps": gaps,
            "rr_only": info.rr_only,
            "notes": [*info.notes, *([f"{NO_ECG_HERE}."] if info.rr_only else [])],
        },
        "rate": _group(facts, "heart_rate_mean", "heart_rate_min", "heart_rate_max", "beat_count"),
        "rhythm": {
            "label": None,
            "spans": [],
            "af_burden": None,
            "probabilities": None,
            "reason": NOT_ASSESSED,
        },
        "ectopy": {**_group(facts, "early_beat_count", "irregular_share"), "reason": NOT_ASSESSED},
        "pauses": _group(facts, "longest_rr", "shortest_rr", *(name for name in facts if name.startswith("pauses_"))),
        "episodes": _group(facts, "tachycardia_count", "tachycardia_total", "bradycardia_count", "bradycardia_total"),
        "intervals": {"pr_ms": None, "qrs_ms": None, "qt_ms": None, "reason": NO_ECG if info.rr_only else NOT_ASSESSED},
        "variability": _group(facts, "sdnn", "rmssd", "pnn50"),
        "hourly": hourly(annotations, settings, rr_only=info.rr_only),
        "quality": _quality(annotations, facts),
        "events": [span_document(span) for span in notable(facts)],
        "facts": [fact_document(fact) for fact in facts.values()],
        "settings": settings.as_dict(),
        "software": {"name": "anyecg-edge", "version": __version__},
    }


def hourly(annotations: Annotations, settings: Settings, *, rr_only: bool = False) -> list[dict[str, Any]]:
    """One row per hour from the start; figures that cannot be measured are null."""
    rows = []
    duration_s = annotations.n_samples / annotations.fs_hz
    for hour in range(int(np.ceil(duration_s / HOUR_S))):
        start_s, end_s = hour * HOUR_S, (hour + 1) * HOUR_S
        context = context_of(annotations, start_s, end_s, settings.rhythm, rr_only=rr_only)
        facts = measure(context, "rate", "beats", "pauses")
        rows.append(
            {
                "hour": hour,
                "beats": _rounded(facts["beat_count"], 0),
                "min_bpm": _rounded(facts["heart_rate_min"], 0),
                "mean_bpm": _rounded(facts["heart_rate_mean"], 0),
                "max_bpm": _rounded(facts["heart_rate_max"], 0),
                "longest_rr_s": _rounded(facts["longest_rr"], 2),
                "analysable_min": round(context.analysable_s / 60, 1),
            }
        )
    return rows


def notable(facts: dict[str, Fact]) -> list[Span]:
    """Places worth a strip, the gravest first."""
    spans: list[Span] = []
    for name in (
        "longest_rr",
        "heart_rate_max",
        "heart_rate_min",
        "tachycardia_count",
        "bradycardia_count",
        "early_beat_count",
    ):
        for span in facts[name].evidence[:2] if name in facts else ():
            label = f"{name.replace('_', ' ')}: {span.label}" if name.startswith("heart_rate") else span.label
            spans.append(dataclasses.replace(span, label=label))
    return spans


def _quality(annotations: Annotations, facts: dict[str, Fact]) -> dict[str, Any]:
    n = max(1, len(annotations.quality))
    bad = annotations.reasons[annotations.quality == State.UNUSABLE]
    return {
        **_group(facts, "analysable_share", "good_share"),
        "seconds": {state.name.lower(): int((annotations.quality == state).sum()) for state in State},
        "unusable_share_by_reason": {
            text: round(float((bad & flag > 0).sum()) / n, 4)
            for flag, text in REASON_TEXT.items()
            if (bad & flag > 0).any()
        },
        "unusable": [span_document(span) for span in facts["analysable_share"].evidence],
    }


def _group(facts: dict[str, Fact], *names: str) -> dict[str, Any]:
    return {name: fact_document(facts[name]) for name in names if name in facts}


def _rounded(fact: Fact, digits: int) -> float | None:
    return None if fact.value is None else round(fact.value, digits)
