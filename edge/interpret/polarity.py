"""Whether the lead seems upside down: which way the P waves and the QRS of normal beats point.

The sinus node makes P waves point up in every lead that looks at the heart from the left or from below. A lead whose
P waves point down, and with them the larger part of each QRS, is upside down, or one that looks from the right
shoulder: aVR, and often V1. A QRS that points down under upright P waves is as it should be (V1 to V3). What lies
between is not judged.
"""

import numpy as np
from numpy.typing import NDArray

from edge.interpret.context import Context
from edge.interpret.waves import clear_beats, sampled
from edge.types import NO_POINT, Fact, Point, Span

UPRIGHT, INVERTED = 1.0, -1.0
_POINTS = [Point.P_ON, Point.P_OFF, Point.QRS_ON, Point.QRS_OFF]
IntArray = NDArray[np.int64]


def polarity_facts(c: Context) -> list[Fact]:
    """Polarity of the analysis lead: 1 for upright, -1 where it seems upside down; sampled as the ST level is."""
    reason = c.unread
    if not reason and len(c.labels) == 0:
        reason = c.obstacle or "no beats found"
    if not reason and c.recording is None:
        reason = "polarity is measured in the signal, which is not at hand here"
    if reason or c.recording is None:
        return [c.fact("polarity", None, "", reason=reason)]
    waves = c.annotations.waves[c.intervals.beats]
    n = n_up = n_down = 0
    up, down = list[Span](), list[Span]()
    usable = np.logical_and.reduce([clear_beats(c), *(waves[:, point] != NO_POINT for point in _POINTS)])
    for _, chosen, at, one_mv in sampled(c, c.recording, usable):
        p_up, p_down, qrs_down = _directions(one_mv, at, waves[chosen][:, _POINTS], c)
        first, last = c.annotations.beats[c.intervals.beats][chosen[[0, -1]]].tolist()
        n, n_up, n_down = n + len(p_up), n_up + int(p_up.sum()), n_down + int((p_down & qrs_down).sum())
        up.append(c.span(first, last, f"P waves point up in {p_up.sum()} of {len(p_up)} beats"))
        down.append(
            c.span(first, last, f"P waves and QRS point down in {(p_down & qrs_down).sum()} of {len(p_up)} beats")
        )
    if n < c.settings.polarity_min_beats:
        few = f"only {n} normal beats with a P wave in good signal, {c.settings.polarity_min_beats} are needed"
        return [c.fact("polarity", None, "", n, c.obstacle or few)]
    if n_down >= c.settings.polarity_share * n:
        return [c.fact("polarity", INVERTED, "", n, evidence=tuple(down))]
    if n_up >= c.settings.polarity_share * n:
        return [c.fact("polarity", UPRIGHT, "", n, evidence=tuple(up))]
    unclear = f"P waves point up in {n_up} of {n} beats, and P waves and QRS together down in {n_down}"
    return [c.fact("polarity", None, "", n, unclear)]


def polarity_words(value: float | None) -> str | None:
    """A polarity in words; None where there is none."""
    return {UPRIGHT: "upright", INVERTED: "seems upside down"}.get(value) if value is not None else None


def _directions(
    one_mv: NDArray[np.float64], at: IntArray, offsets: NDArray[np.int16], c: Context
) -> tuple[NDArray[np.bool_], NDArray[np.bool_], NDArray[np.bool_]]:
    """Whether P points up, whether it points down, and whether QRS does; of the beats that are wholly in the signal."""
    p_on, p_off, qrs_on, qrs_off = (at + offsets[:, k] for k in range(len(_POINTS)))
    before, n = max(1, round(c.settings.pr_level_s * c.annotations.fs_hz)), len(one_mv)
    begin = np.minimum(p_on, qrs_on - before)
    whole = (begin >= 0) & (qrs_off + 1 < n) & (p_on < p_off) & (p_off < qrs_off) & (qrs_on < qrs_off)
    begin, p_on, p_off, qrs_on, qrs_off = (points[whole] for points in (begin, p_on, p_off, qrs_on, qrs_off))
    missing = np.concatenate(([0], np.cumsum(~np.isfinite(one_mv))))
    there = missing[qrs_off + 1] == missing[begin]
    p_on, p_off, qrs_on, qrs_off = (points[there] for points in (p_on, p_off, qrs_on, qrs_off))
    filled_mv = np.where(np.isfinite(one_mv), one_mv, 0.0)
    total_mv = np.concatenate(([0.0], np.cumsum(filled_mv)))
    ends_mv = (filled_mv[p_on] + filled_mv[p_off]) / 2
    p_mv = (total_mv[p_off + 1] - total_mv[p_on]) / (p_off - p_on + 1) - ends_mv
    level_mv = (total_mv[qrs_on] - total_mv[qrs_on - before]) / before
    limits = np.column_stack((qrs_on, qrs_off + 1)).ravel()
    highest_mv = np.maximum.reduceat(filled_mv, limits)[::2] - level_mv if len(limits) else level_mv
    lowest_mv = np.minimum.reduceat(filled_mv, limits)[::2] - level_mv if len(limits) else level_mv
    least_mv = c.settings.polarity_p_mv
    return p_mv > least_mv, p_mv < -least_mv, -lowest_mv > highest_mv
