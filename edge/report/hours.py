"""The hourly table: what happened in each hour from the start of a recording."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.interpret.ectopy import KINDS, groups_of
from edge.interpret.facts import Context, context_of, measure
from edge.types import Fact

HOUR_S = 3600.0
SHORT = {"ventricular": "ve", "supraventricular": "sve"}


def hourly(c: Context) -> list[dict[str, Any]]:
    """One row per hour from the start; figures that cannot be measured are null.

    A run or a pause belongs to the hour in which it begins, so that the columns add up to the recording's counts.
    """
    n_hours = int(np.ceil(c.annotations.n_samples / c.annotations.fs_hz / HOUR_S))
    counts = _counts(c, n_hours)
    rows = []
    for hour in range(n_hours):
        part = context_of(c.annotations, hour * HOUR_S, (hour + 1) * HOUR_S, c.settings, rr_only=c.rr_only)
        facts = measure(part, "rate", "beats", "pauses")
        rows.append(
            {
                "hour": hour,
                "beats": _rounded(facts["beat_count"], 0),
                "min_bpm": _rounded(facts["heart_rate_min"], 0),
                "mean_bpm": _rounded(facts["heart_rate_mean"], 0),
                "max_bpm": _rounded(facts["heart_rate_max"], 0),
                "longest_rr_s": _rounded(facts["longest_rr"], 2),
                "pauses": None if facts["longest_rr"].value is None else int(counts["pauses"][hour]),
                **{
                    f"{name}{what}": _count(counts, f"{name}{what}", hour)
                    for name in SHORT.values()
                    for what in ("", "_runs")
                },
                "af_min": None if c.unread else round(float(counts["af_s"][hour]) / 60, 1),
                "analysable_min": round(part.analysable_s / 60, 1),
            }
        )
    return rows


def _counts(c: Context, n_hours: int) -> dict[str, NDArray[np.float64]]:
    """Per hour: pauses of at least the shortest limit and, where beats were labelled, ectopic beats, runs, time in AF."""
    rr, fs_hz = c.intervals, c.annotations.fs_hz
    beats = c.annotations.beats[rr.beats]
    long = np.flatnonzero(rr.valid & (rr.rr_ms >= 1000 * min(c.settings.pauses_s, default=np.inf)))

    def per_hour(at: NDArray[np.int64], weights: NDArray[np.int32] | None = None) -> NDArray[np.float64]:
        hours = (at / (HOUR_S * fs_hz)).astype(np.int64)
        return np.bincount(hours, weights, minlength=n_hours).astype(np.float64)

    counts = {"pauses": per_hour(rr.from_beat[long])}
    if c.unread:
        return counts
    for kind, label in KINDS.items():
        groups = groups_of(c, label)
        runs = groups.first[groups.length >= c.settings.run_beats]
        counts[SHORT[kind]] = per_hour(beats[c.labels == label])
        counts[f"{SHORT[kind]}_runs"] = per_hour(beats[runs])
    af_s = np.zeros(n_hours)
    for span in c.rhythms():
        if span.label == "(AFIB":
            start_s, end_s = span.start / fs_hz, span.stop / fs_hz
            for hour in range(int(start_s / HOUR_S), min(n_hours, int(end_s / HOUR_S) + 1)):
                af_s[hour] += max(0.0, min(end_s, (hour + 1) * HOUR_S) - max(start_s, hour * HOUR_S))
    return counts | {"af_s": af_s}


def _count(counts: dict[str, NDArray[np.float64]], name: str, hour: int) -> int | None:
    return int(counts[name][hour]) if name in counts else None


def _rounded(fact: Fact, digits: int) -> float | None:
    return None if fact.value is None else round(fact.value, digits)
