"""Facts about the waves of the analysis lead: PR, QRS, QT and QTc, absent P waves, and the ST level as a trend.

Intervals are medians over beats labelled N in seconds of quality good, from wave limit to wave limit. The rate of QTc
is that of the RR interval before the beat, where it is normal-to-normal: Bazett's QT / √RR and Fridericia's
QT / ∛RR, RR in seconds. The ST level of a beat is the mean of a stretch after the end of its QRS less that of one
before its QRS (`RhythmSettings.st_from_s`, `pr_level_s`), in the signal as it was recorded: with one lead a trend,
and no finding.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from edge.clean.quality import State
from edge.interpret.context import Context
from edge.interpret.intervals import BLOCK
from edge.types import NO_POINT, Absent, Fact, Point, Recording, Span, Wave

TREND = "trend of one lead"
_INTERVALS = {"pr": (Point.P_ON, Point.QRS_ON), "qrs": (Point.QRS_ON, Point.QRS_OFF), "qt": (Point.QRS_ON, Point.T_OFF)}
_NAMES = (("pr", "ms"), ("qrs", "ms"), ("qt", "ms"), ("qtc_bazett", "ms"), ("qtc_fridericia", "ms"))
_OTHERS = (("p_absent_share", "%"), ("st_level", "mV"), ("st_change", "mV"))


def wave_facts(c: Context) -> list[Fact]:
    """Intervals between waves, share of beats without a P wave, ST level; needs waves that were read."""
    reason = c.unread
    if not reason and len(c.labels) == 0:
        reason = c.obstacle or "no beats found"
    if reason:
        return [c.fact(name, None, unit, reason=reason) for name, unit in (*_NAMES, *_OTHERS)]
    clear = clear_beats(c)
    facts = [_interval(c, name, points, clear) for name, points in _INTERVALS.items()]
    return [*facts, *_corrected(c, clear), _p_absent(c), *_st(c, clear)]


def clear_beats(c: Context) -> NDArray[np.bool_]:
    """Which of the span's beats are labelled N and lie in a second of quality good; shape (n_beats,)."""
    beats, quality = c.annotations.beats[c.intervals.beats], c.annotations.quality
    clear = np.asarray(c.labels == ord("N"))
    for a in range(0, len(beats), BLOCK):
        second = np.minimum((beats[a : a + BLOCK] / c.annotations.fs_hz).astype(np.int64), len(quality) - 1)
        clear[a : a + BLOCK] &= quality[second] == State.GOOD
    return clear


def _between(c: Context, points: tuple[Point, Point], part: slice) -> tuple[NDArray[np.int32], NDArray[np.bool_]]:
    """Samples from one point to a later one, and where both are there."""
    waves = c.annotations.waves[c.intervals.beats][part]
    on, off = waves[:, points[0]].astype(np.int32), waves[:, points[1]].astype(np.int32)
    return off - on, (on != NO_POINT) & (off != NO_POINT) & (off > on)


def _interval(c: Context, name: str, points: tuple[Point, Point], clear: NDArray[np.bool_]) -> Fact:
    """Median by counting: lengths are whole samples, of which there are few."""
    counts = np.zeros(1, np.int64)
    for a in range(0, len(clear), BLOCK):
        part = slice(a, a + BLOCK)
        samples, known = _between(c, points, part)
        block = np.bincount(samples[known & clear[part]], minlength=len(counts))
        block[: len(counts)] += counts
        counts = block
    n = int(counts.sum())
    if n < c.settings.wave_min_beats:
        return _too_few(c, name, n)
    upto = np.cumsum(counts)
    middle = (np.searchsorted(upto, (n - 1) // 2 + 1) + np.searchsorted(upto, n // 2 + 1)) / 2
    return c.fact(name, float(middle) * 1000.0 / c.annotations.fs_hz, "ms", n)


def _corrected(c: Context, clear: NDArray[np.bool_]) -> list[Fact]:
    """QT corrected for the rate of each beat, then the median."""
    rr, fs_hz = c.intervals, c.annotations.fs_hz
    bazett, fridericia, n = np.empty(len(clear), np.float32), np.empty(len(clear), np.float32), 0
    for a in range(1, len(clear), BLOCK):
        part, before = slice(a, a + BLOCK), slice(a - 1, a + BLOCK - 1)
        samples, known = _between(c, _INTERVALS["qt"], part)
        known &= clear[part] & rr.nn[before]
        qt_ms, rr_s = samples[known] * 1000.0 / fs_hz, rr.rr_ms[before][known] / 1000.0
        bazett[n : n + len(rr_s)] = qt_ms / np.sqrt(rr_s)
        fridericia[n : n + len(rr_s)] = qt_ms / np.cbrt(rr_s)
        n += len(rr_s)
    if n < c.settings.wave_min_beats:
        return [_too_few(c, "qtc_bazett", n), _too_few(c, "qtc_fridericia", n)]
    return [
        c.fact("qtc_bazett", float(np.median(bazett[:n], overwrite_input=True)), "ms", n),
        c.fact("qtc_fridericia", float(np.median(fridericia[:n], overwrite_input=True)), "ms", n),
    ]


def _too_few(c: Context, name: str, n: int) -> Fact:
    reason = f"only {n} normal beats in good signal on which it can be measured, {c.settings.wave_min_beats} are needed"
    return c.fact(name, None, "ms", n, c.obstacle or reason)


def _p_absent(c: Context) -> Fact:
    """Share of the beats in which a P wave could have been seen."""
    absent = c.annotations.absent[c.intervals.beats, Wave.P]
    counts = np.bincount(absent, minlength=len(Absent))
    without = int(counts[Absent.NOT_SEEN] + counts[Absent.NO_ATRIAL_RHYTHM])
    n = without + int(counts[Absent.PRESENT])
    if n < c.settings.wave_min_beats:
        return c.fact("p_absent_share", None, "%", n, c.obstacle or "too few beats in which a P wave could be seen")
    return c.fact("p_absent_share", 100 * without / n, "%", n)


def _st(c: Context, clear: NDArray[np.bool_]) -> list[Fact]:
    """Median ST level of the span, and how far the medians of its parts go from it."""
    levels_mv, starts_s, n = st_trend(c, clear)
    if c.recording is None:
        reason = f"the ST level ({TREND}) is measured in the signal, which is not at hand here"
        return [c.fact(name, None, "mV", reason=reason) for name in ("st_level", "st_change")]
    if n < c.settings.wave_min_beats:
        reason = c.obstacle or f"too few normal beats in good signal for the ST level ({TREND})"
        return [c.fact(name, None, "mV", n, reason) for name in ("st_level", "st_change")]
    level_mv = float(np.median(np.concatenate(levels_mv)))
    medians = np.array([np.median(part) for part in levels_mv if len(part) >= c.settings.wave_min_beats])
    whole = Span(c.start_s, c.end_s, f"ST level, {TREND}")
    level = c.fact("st_level", level_mv, "mV", n, evidence=(whole,))
    if len(medians) < 2:
        return [
            level,
            c.fact(
                "st_change",
                None,
                "mV",
                n,
                f"less than two stretches of {c.settings.st_trend_s / 60:g} min to compare ({TREND})",
            ),
        ]
    chosen = [
        start_s for start_s, part in zip(starts_s, levels_mv, strict=True) if len(part) >= c.settings.wave_min_beats
    ]
    k = int(np.abs(medians - level_mv).argmax())
    end_s = min(chosen[k] + c.settings.st_sampled_s, c.end_s)
    where = Span(max(chosen[k], c.start_s), end_s, f"ST level {medians[k]:+.2f} mV, {TREND}")
    return [level, c.fact("st_change", float(abs(medians[k] - level_mv)), "mV", n, evidence=(where,))]


def st_trend(c: Context, clear: NDArray[np.bool_]) -> tuple[list[NDArray[np.float64]], list[float], int]:
    """ST level (mV) of sampled beats of each stretch of the span, where each sample begins (s), and how many beats."""
    levels_mv: list[NDArray[np.float64]] = []
    starts_s: list[float] = []
    if c.recording is None:
        return levels_mv, starts_s, 0
    waves = c.annotations.waves[c.intervals.beats]
    usable = clear & (waves[:, Point.QRS_ON] != NO_POINT) & (waves[:, Point.QRS_OFF] != NO_POINT)
    for start_s, chosen, at, one_mv in sampled(c, c.recording, usable):
        levels_mv.append(_levels(one_mv, at + waves[chosen, Point.QRS_ON], at + waves[chosen, Point.QRS_OFF], c))
        starts_s.append(start_s)
    return levels_mv, starts_s, sum(len(part) for part in levels_mv)


def sampled(
    c: Context, recording: Recording, usable: NDArray[np.bool_]
) -> Iterator[tuple[float, NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]]:
    """Of each stretch of the span its best part and the signal there: what is measured in the signal is, here.

    `usable` says which of the span's beats can be measured. Yields where the part begins (s), which beats are in it,
    at which index of the signal each of them is, and the signal of the analysis lead (mV), shape (n,).
    """
    fs_hz, beats = c.annotations.fs_hz, c.annotations.beats[c.intervals.beats]
    trend_s, sampled_s = c.settings.st_trend_s, c.settings.st_sampled_s
    first = int(c.start_s // trend_s) * trend_s
    for start_s in range(first, int(np.ceil(c.end_s)), trend_s):
        a, b = np.searchsorted(beats, [round(at_s * fs_hz) for at_s in (start_s, start_s + trend_s)]).tolist()
        chosen = a + np.flatnonzero(usable[a:b])
        if len(chosen) == 0:
            continue
        part = (
            ((beats[chosen] / fs_hz - start_s) // sampled_s).astype(np.int64).clip(0, max(0, trend_s // sampled_s - 1))
        )
        best = int(np.bincount(part).argmax())
        chosen = chosen[part == best]
        begin = max(0, int(beats[chosen[0]]) - round(fs_hz))
        signal_mv = recording.read_mv(begin, int(beats[chosen[-1]]) + round(fs_hz))[:, c.lead]
        yield float(start_s + best * sampled_s), chosen, beats[chosen] - begin, signal_mv.astype(np.float64)


def _levels(
    one_mv: NDArray[np.float64], on: NDArray[np.int64], off: NDArray[np.int64], c: Context
) -> NDArray[np.float64]:
    """ST level against the PR level of beats with these limits of the QRS; beats at the edge are left out."""
    s, fs_hz = c.settings, c.annotations.fs_hz
    st = off[:, None] + np.arange(round(s.st_from_s * fs_hz), round(s.st_to_s * fs_hz) + 1)
    pr = on[:, None] - np.arange(1, max(1, round(s.pr_level_s * fs_hz)) + 1)
    whole = (pr[:, -1] >= 0) & (st[:, -1] < len(one_mv))
    level_mv = one_mv[st[whole]].mean(axis=1) - one_mv[pr[whole]].mean(axis=1)
    return np.asarray(level_mv[np.isfinite(level_mv)])
