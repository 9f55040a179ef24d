"""The summary of a recording as one JSON document (`anyecg.summary/1`), made of facts."""

from typing import Any

import numpy as np

from edge import __version__
from edge.ask.answer import fact_document, span_document
from edge.clean.quality import REASON_TEXT, State
from edge.interpret.facts import NO_ECG_HERE, Context, context_of, measure
from edge.interpret.polarity import polarity_words
from edge.interpret.rhythm import MEANING
from edge.report.hours import hourly
from edge.report.places import Place, notable
from edge.settings import Settings
from edge.types import Annotations, Fact, Recording, RecordingInfo

SCHEMA = "anyecg.summary/1"
MAX_SPANS = 1000  # rhythm spans told in the document; all are in the rhythm table and the WFDB annotations
CLASSES = ("N", "A", "O", "noise")
RHYTHM_FACTS = (
    *("sinus_share", "af_burden", "af_count", "af_total", "af_longest", "af_rate_mean", "af_rate_max"),
    *("afl_burden", "afl_count", "afl_total", "afl_longest", "vt_count", "vt_longest", "vt_fastest"),
    *("idioventricular_count", "svt_count", "svt_longest", "svt_fastest", "vf_count", "vf_total"),
    *("asystole_count", "asystole_longest", "paced_share", "irregular_count", "rhythm_named_share"),
)
INTERVAL_FACTS = ("pr", "qrs", "qt", "qtc_bazett", "qtc_fridericia")


def summarise(
    info: RecordingInfo, annotations: Annotations, lead: int, settings: Settings, recording: Recording | None = None
) -> dict[str, Any]:
    """Everything measured of a recording; what is missing says why. `recording` is needed for the ST level alone."""
    context = context_of(
        annotations, 0.0, info.duration_s, settings.rhythm, rr_only=info.rr_only, recording=recording, lead=lead
    )
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
        "rhythm": _rhythm(context, facts),
        "ectopy": {
            **_group(facts, "early_beat_count", "irregular_share"),
            **_group(facts, *(name for name in facts if name.startswith(("ventricular", "supra", "bigem", "trigem")))),
            "reason": context.unread,
        },
        "pauses": _group(facts, "longest_rr", "shortest_rr", *(name for name in facts if name.startswith("pauses_"))),
        "episodes": _group(facts, "tachycardia_count", "tachycardia_total", "bradycardia_count", "bradycardia_total"),
        "intervals": _intervals(context, facts),
        "variability": _group(facts, "sdnn", "rmssd", "pnn50"),
        "hourly": hourly(context),
        "quality": _quality(annotations, facts),
        "events": [place_document(place) for place in notable(context, facts)],
        "facts": [fact_document(fact) for fact in facts.values()],
        "settings": settings.as_dict(),
        "software": {"name": "anyecg-edge", "version": __version__},
    }


def place_document(place: Place) -> dict[str, Any]:
    """A place worth a strip as JSON."""
    return {**span_document(place.span), "kind": place.kind}


def _rhythm(c: Context, facts: dict[str, Fact]) -> dict[str, Any]:
    """What rhythm there was, for how long, and where; null with the reason where rhythms were not named."""
    told: dict[str, Any] = {
        "label": None,
        "name": None,
        "spans": [],
        "span_count": None,
        "shares": None,
        "af_burden": None,
        "probabilities": None,
        "reason": c.unread,
    }
    if c.unread:
        return told
    spans, totals = c.rhythms(), dict[str, int]()
    for span in spans:
        totals[span.label] = totals.get(span.label, 0) + span.stop - span.start
    named = sum(totals.values())
    rank = {label: k for k, label in enumerate(MEANING)}
    chosen = sorted(spans, key=lambda span: rank.get(span.label, 0))[:MAX_SPANS]  # the gravest, if not all
    shares = {label: round(samples / named, 6) for label, samples in totals.items()} if named else {}
    heart = {label: share for label, share in shares.items() if label != "(NOISE"}
    label = max(heart, key=lambda name: heart[name], default=None)
    classes = c.annotations.classes
    return told | {
        "label": label,
        "name": None if label is None else MEANING.get(label, label),
        "spans": [
            {
                "start_s": round(s.start / c.annotations.fs_hz, 3),
                "end_s": round(s.stop / c.annotations.fs_hz, 3),
                "label": s.label,
            }
            for s in sorted(chosen, key=lambda span: span.start)
        ],
        "span_count": len(spans),
        "shares": shares,
        "probabilities": {k: round(p, 4) for k, p in zip(CLASSES, classes, strict=True)} if classes else None,
        "reason": "" if spans else c.obstacle or "no rhythm could be named",
        **_group(facts, *RHYTHM_FACTS),
    }


def _intervals(c: Context, facts: dict[str, Fact]) -> dict[str, Any]:
    """Medians in milliseconds, each with how many beats it rests on."""
    told: dict[str, Any] = {}
    for name in INTERVAL_FACTS:
        value = facts[name].value
        told[f"{name}_ms"] = None if value is None else round(value, 1)
    told["n"] = {f"{name}_ms": facts[name].n for name in INTERVAL_FACTS}
    return {**told, "reason": c.unread, **_group(facts, *INTERVAL_FACTS, "p_absent_share", "st_level", "st_change")}


def _quality(annotations: Annotations, facts: dict[str, Fact]) -> dict[str, Any]:
    n = max(1, len(annotations.quality))
    bad = annotations.reasons[annotations.quality == State.UNUSABLE]
    shares = {text: float(np.count_nonzero(bad & flag)) / n for flag, text in REASON_TEXT.items()}
    return {
        **_group(facts, "analysable_share", "good_share", "pacing_spike_count"),
        "polarity": {**fact_document(facts["polarity"]), "told": polarity_words(facts["polarity"].value)},
        "seconds": {state.name.lower(): int((annotations.quality == state).sum()) for state in State},
        "unusable_share_by_reason": {text: round(share, 4) for text, share in shares.items() if share > 0},
        "unusable": [span_document(span) for span in facts["analysable_share"].evidence],
    }


def _group(facts: dict[str, Fact], *names: str) -> dict[str, Any]:
    return {name: fact_document(facts[name]) for name in names if name in facts}
