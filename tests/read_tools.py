"""Annotations as a network would fill them, from a line of letters: one beat each, at even intervals."""

from collections.abc import Sequence

import numpy as np

from edge.clean.quality import Reason, State
from edge.interpret.facts import context_of, measure
from edge.settings import RhythmSettings
from edge.types import NO_POINT, Absent, Annotations, Fact, Gap, Likely, Point, RhythmSpan, Wave

FS_HZ = 250.0
POINTS = {Point.P_ON: -40, Point.P_OFF: -20, Point.QRS_ON: -10, Point.QRS_OFF: 12, Point.T_ON: 40, Point.T_OFF: 85}


def read(
    labels: str,
    rr_ms: Sequence[float] | float = 800.0,
    rhythms: Sequence[tuple[float, float, str]] = (),
    unusable: Sequence[int] = (),
    gaps: Sequence[Gap] = (),
    seconds: int | None = None,
    usable: Sequence[int] = (),
) -> Annotations:
    """Beats from 0.4 s on; rhythms are given in seconds; every beat has the waves of `POINTS`."""
    steps_ms = [rr_ms] * (len(labels) - 1) if isinstance(rr_ms, float | int) else list(rr_ms)
    at_s = 0.4 + np.concatenate(([0.0], np.cumsum(steps_ms) / 1000.0))[: len(labels)]
    n = seconds or int(at_s[-1]) + 2
    reasons = np.zeros(n, np.uint8)
    reasons[list(unusable)] = Reason.NOISY
    quality = np.where(reasons > 0, State.UNUSABLE, State.GOOD).astype(np.uint8)
    quality[list(usable)] = State.USABLE
    waves = np.full((len(labels), len(Point)), NO_POINT, np.int16)
    for point, offset in POINTS.items():
        waves[:, point] = offset
    return Annotations(
        FS_HZ,
        round(n * FS_HZ),
        np.round(at_s * FS_HZ).astype(np.int64),
        quality,
        reasons,
        tuple(gaps),
        np.frombuffer(labels.encode(), np.uint8),
        waves,
        np.full((len(labels), len(Wave)), Absent.PRESENT, np.uint8),
        np.zeros((n, len(Likely)), np.uint8),
        tuple(RhythmSpan(round(a * FS_HZ), round(b * FS_HZ), label) for a, b, label in rhythms),
    )


def facts_of(
    annotations: Annotations,
    *groups: str,
    start_s: float = 0.0,
    end_s: float = 1e9,
    rhythm: RhythmSettings | None = None,
) -> dict[str, Fact]:
    return measure(context_of(annotations, start_s, end_s, rhythm or RhythmSettings()), *groups)


def values(facts: dict[str, Fact], prefix: str) -> dict[str, float | None]:
    return {name.removeprefix(prefix): fact.value for name, fact in facts.items() if name.startswith(prefix)}
