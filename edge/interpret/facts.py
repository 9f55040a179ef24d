"""Facts of a span: every quantity that reports, states and answers may name.

Each function takes a `Context` and returns facts; a quantity that cannot be measured is a fact without a value and
with the reason. Definitions and their sources: `edge.settings.RhythmSettings`.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge.clean.quality import State, describe
from edge.interpret.intervals import BLOCK, Intervals, beats_between, intervals_of, runs_of_valid
from edge.settings import RhythmSettings
from edge.types import Annotations, Fact, Span

NO_ECG = "this recording holds the strap's RR intervals and no ECG"
NO_ECG_HERE = f"T{NO_ECG[1:]}"
MAX_EVIDENCE = 20  # places kept per fact; the count is always the full one


@dataclass(frozen=True, slots=True, eq=False)
class Context:
    """A span of a recording, ready to be measured."""

    annotations: Annotations
    start_s: float
    end_s: float
    settings: RhythmSettings
    intervals: Intervals
    analysable_s: float
    analysable_fraction: float
    obstacle: str
    """Why the span, or most of it, cannot be analysed; empty when it can."""
    rr_only: bool = False
    """There is no signal: beats are where a strap's RR intervals put them."""

    def fact(
        self,
        name: str,
        value: float | None,
        unit: str,
        n: int = 0,
        reason: str = "",
        evidence: tuple[Span, ...] = (),
    ) -> Fact:
        """A fact of this span; a missing value without a reason of its own takes the span's obstacle."""
        if value is None and not reason:
            reason = self.obstacle or "too few beats"
        if value is not None:
            reason = ""
        return Fact(
            name,
            value,
            unit,
            self.start_s,
            self.end_s,
            n,
            self.analysable_fraction,
            reason,
            evidence[:MAX_EVIDENCE],
        )


def context_of(
    annotations: Annotations, start_s: float, end_s: float, settings: RhythmSettings, *, rr_only: bool = False
) -> Context:
    """Prepare a span; it is cut to what was analysed."""
    end_s = min(end_s, annotations.n_samples / annotations.fs_hz)
    start_s = min(max(0.0, start_s), end_s)
    seconds = _seconds(start_s, end_s)
    states, reasons = annotations.quality[seconds], annotations.reasons[seconds]
    usable = states != State.UNUSABLE
    share = float(usable.mean()) if len(states) else 0.0
    if rr_only and end_s > start_s:  # gaps begin and end within seconds there, and leave their rest usable
        share = min(
            share, 1 - sum(span.duration_s for span in _gap_spans(annotations, start_s, end_s)) / (end_s - start_s)
        )
    obstacle = ""
    if len(states) == 0:
        obstacle = "nothing was recorded then"
    elif share < 0.5 and rr_only:
        obstacle = "no RR intervals for most of that time"
    elif share < 0.5:
        worst = np.bincount(reasons[~usable]).argmax()
        obstacle = f"signal not usable: {describe(int(worst))}"
    return Context(
        annotations,
        start_s,
        end_s,
        settings,
        intervals_of(annotations, start_s, end_s, settings),
        share * (end_s - start_s),
        share,
        obstacle,
        rr_only,
    )


def _seconds(start_s: float, end_s: float) -> slice:
    """The seconds that a span touches; an empty span touches none."""
    return slice(int(start_s), int(np.ceil(end_s)) if end_s > start_s else int(start_s))


def rate_facts(c: Context) -> list[Fact]:
    """Mean rate over all valid RR intervals; lowest, highest and last as means of consecutive beats."""
    rr = c.intervals
    n_valid = int(rr.valid.sum())
    names = ("heart_rate_mean", "heart_rate_min", "heart_rate_max", "heart_rate_last")
    few = n_valid < c.settings.rate_beats and bool(
        c.obstacle
    )  # a few beats do not speak for a span that is mostly unseen
    if n_valid < c.settings.min_rate_intervals or few:
        return [c.fact(name, None, "bpm", n_valid) for name in names]
    mean = 60000.0 * n_valid / float(rr.rr_ms.sum(where=rr.valid))
    facts = [c.fact("heart_rate_mean", mean, "bpm", n_valid, evidence=(Span(c.start_s, c.end_s, "whole span"),))]
    rates, first = sliding_rates(rr, c.settings.rate_beats)
    if len(rates) == 0:
        return facts + [c.fact(name, None, "bpm", reason="no run of consecutive beats") for name in names[1:]]
    for name, k in zip(names[1:], (int(rates.argmin()), int(rates.argmax()), len(rates) - 1), strict=True):
        i = int(first[k])
        where = _span(rr, i, i + c.settings.rate_beats - 1, f"{rates[k]:.0f} bpm")
        facts.append(c.fact(name, float(rates[k]), "bpm", c.settings.rate_beats, evidence=(where,)))
    return facts


def sliding_rates(rr: Intervals, n_beats: int) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
    """Mean rate (bpm) of every `n_beats` consecutive valid intervals, and the index of the first of them."""
    runs = [(a, b) for a, b in runs_of_valid(rr.valid) if b - a >= n_beats]
    total = sum(b - a - n_beats + 1 for a, b in runs)
    rates, first, at = np.empty(total, np.float32), np.empty(total, np.int32), 0
    for run_start, run_stop in runs:
        for a in range(run_start, run_stop - n_beats + 1, BLOCK):
            b = min(a + BLOCK + n_beats - 1, run_stop)
            total_ms = np.concatenate(([0.0], np.cumsum(rr.rr_ms[a:b])))
            part = slice(at, at + b - a - n_beats + 1)
            rates[part] = 60000.0 * n_beats / (total_ms[n_beats:] - total_ms[:-n_beats])
            first[part] = np.arange(a, b - n_beats + 1)
            at = part.stop
    return rates, first


def beat_facts(c: Context) -> list[Fact]:
    """Number of beats found; beats in unusable seconds are not counted and not guessed."""
    beats = beats_between(c.annotations, c.start_s, c.end_s)
    if len(beats) == 0:
        return [c.fact("beat_count", None, "beats", reason=c.obstacle or "no beats found")]
    return [c.fact("beat_count", float(len(beats)), "beats", len(beats))]


def pause_facts(c: Context) -> list[Fact]:
    """Longest and shortest RR interval, and pauses per threshold; never across a gap or unusable signal."""
    rr, facts = c.intervals, list[Fact]()
    n_valid = int(rr.valid.sum())
    if n_valid == 0:
        names = [
            ("longest_rr", "s"),
            ("shortest_rr", "s"),
            *((pause_name(limit_s), "pauses") for limit_s in c.settings.pauses_s),
        ]
        return [c.fact(name, None, unit) for name, unit in names]
    for name, i in (
        ("longest_rr", int(np.where(rr.valid, rr.rr_ms, -np.inf).argmax())),
        ("shortest_rr", int(np.where(rr.valid, rr.rr_ms, np.inf).argmin())),
    ):
        value_s = float(rr.rr_ms[i]) / 1000
        facts.append(c.fact(name, value_s, "s", n_valid, evidence=(_span(rr, i, i, f"RR {value_s:.2f} s"),)))
    for limit_s in c.settings.pauses_s:
        long = np.flatnonzero(rr.valid & (rr.rr_ms >= 1000 * limit_s))
        where = tuple(_span(rr, int(i), int(i), f"pause {rr.rr_ms[i] / 1000:.2f} s") for i in long[:MAX_EVIDENCE])
        facts.append(c.fact(pause_name(limit_s), float(len(long)), "pauses", n_valid, evidence=where))
    return facts


def pause_name(limit_s: float) -> str:
    """Name of the fact that counts pauses of at least so many seconds."""
    return f"pauses_{limit_s:.1f}s"


def episode_facts(c: Context) -> list[Fact]:
    """Stretches in which the rate over consecutive beats stays above or below the limits long enough."""
    rr, s = c.intervals, c.settings
    rates, first = sliding_rates(rr, s.rate_beats)
    facts: list[Fact] = []
    for kind, beyond, limit in (
        ("tachycardia", rates > s.tachycardia_bpm, s.tachycardia_bpm),
        ("bradycardia", rates < s.bradycardia_bpm, s.bradycardia_bpm),
    ):
        if len(rates) == 0:
            facts += [c.fact(f"{kind}_{what}", None, unit) for what, unit in (("count", "episodes"), ("total", "s"))]
            continue
        spans = []
        half = s.rate_beats // 2
        # A rate is that of the middle of its beats, so that neighbouring episodes never overlap.
        for a, b in runs_of_valid(beyond):
            for group in np.split(np.arange(a, b), np.flatnonzero(np.diff(first[a:b]) > 1) + 1):  # never across a gap
                i, j = int(first[group[0]]) + half, int(first[group[-1]]) + half
                start_s, end_s = float(rr.from_beat[i] / rr.fs_hz), float(rr.to_beat[j - 1] / rr.fs_hz)
                if end_s - start_s >= s.episode_min_s:
                    extreme = rates[group].max() if kind == "tachycardia" else rates[group].min()
                    spans.append(Span(start_s, end_s, f"{kind}, {extreme:.0f} bpm"))
        total_s = sum(span.duration_s for span in spans)
        longest_first = tuple(sorted(spans, key=lambda span: -span.duration_s))
        facts.append(c.fact(f"{kind}_count", float(len(spans)), "episodes", len(rates), evidence=longest_first))
        facts.append(c.fact(f"{kind}_total", total_s, "s", len(rates), evidence=longest_first))
        facts.append(c.fact(f"{kind}_limit", limit, "bpm", len(rates)))
    return facts


def variability_facts(c: Context) -> list[Fact]:
    """SDNN, RMSSD and pNN50 of the NN intervals; successive differences only of adjacent NN intervals."""
    rr, s = c.intervals, c.settings
    n_valid, n_nn = int(rr.valid.sum()), int(rr.nn.sum())
    n_steps = int((rr.nn[:-1] & rr.nn[1:]).sum())
    needed, reason = max(2, s.min_nn), ""
    if n_nn < needed:
        reason = c.obstacle or f"only {n_nn} normal-to-normal intervals, {needed} are needed"
    elif n_nn / n_valid < s.min_nn_share:
        reason = f"only {100 * n_nn / n_valid:.0f} % of the intervals are normal-to-normal by their timing"
    elif n_steps < needed // 2:
        reason = f"only {n_steps} pairs of adjacent normal-to-normal intervals"
    if reason:
        return [
            c.fact(*name, reason=reason) for name in (("sdnn", None, "ms"), ("rmssd", None, "ms"), ("pnn50", None, "%"))
        ]
    mean_ms = float(rr.rr_ms.sum(where=rr.nn)) / n_nn
    squares = step_squares = large_steps = 0.0
    for a in range(0, len(rr.rr_ms), BLOCK):
        part = slice(a, a + BLOCK)
        squares += float(np.square(rr.rr_ms[part] - mean_ms).sum(where=rr.nn[part]))
        part = slice(a, a + BLOCK + 1)  # the step to the next block's first interval belongs to this one
        steps_ms, pairs = np.diff(rr.rr_ms[part]), rr.nn[part][:-1] & rr.nn[part][1:]
        step_squares += float(np.square(steps_ms).sum(where=pairs))
        large_steps += int((pairs & (np.abs(steps_ms) > 50)).sum())
    return [
        c.fact("sdnn", float(np.sqrt(squares / (n_nn - 1))), "ms", n_nn),
        c.fact("rmssd", float(np.sqrt(step_squares / n_steps)), "ms", n_steps),
        c.fact("pnn50", 100 * large_steps / n_steps, "%", n_steps),
    ]


def regularity_facts(c: Context) -> list[Fact]:
    """Share of intervals out of step with their neighbours, and beats that came early by their timing."""
    rr, s = c.intervals, c.settings
    n_valid = int(rr.valid.sum())
    if n_valid < s.local_beats:
        return [c.fact("irregular_share", None, "%"), c.fact("early_beat_count", None, "beats")]
    share = float(rr.out_of_step.sum()) / n_valid
    facts = [c.fact("irregular_share", 100 * share, "%", n_valid)]
    if share > s.irregular_share:
        return [
            *facts,
            c.fact("early_beat_count", None, "beats", n_valid, "rhythm too irregular to call single beats early"),
        ]
    early = np.flatnonzero(rr.early)
    where = tuple(_span(rr, int(i), int(i), f"early beat after {rr.rr_ms[i]:.0f} ms") for i in early[:MAX_EVIDENCE])
    return [*facts, c.fact("early_beat_count", float(len(early)), "beats", n_valid, evidence=where)]


def quality_facts(c: Context) -> list[Fact]:
    """How much of the span could be analysed, how much was unusable and the commonest reason.

    Of RR intervals: how much of the span they cover, and where they do not.
    """
    seconds = _seconds(c.start_s, c.end_s)
    states, reasons = c.annotations.quality[seconds], c.annotations.reasons[seconds]
    first, n = seconds.start, len(states)
    if n == 0:
        names = (("analysable_share", "%"), ("good_share", "%"), ("unusable_total", "s"))
        return [c.fact(name, None, unit) for name, unit in names]
    if c.rr_only:
        spans = _gap_spans(c.annotations, c.start_s, c.end_s)
        return [
            c.fact("analysable_share", 100 * c.analysable_fraction, "%", n, evidence=tuple(spans)),
            c.fact("good_share", None, "%", reason=NO_ECG),
            c.fact("unusable_total", float(sum(span.duration_s for span in spans)), "s", n, evidence=tuple(spans)),
        ]
    bad = np.flatnonzero(states == State.UNUSABLE)
    spans = []
    for group in np.split(bad, np.flatnonzero(np.diff(bad) > 1) + 1) if len(bad) else []:
        text = describe(int(np.bincount(reasons[group]).argmax()))
        start_s, end_s = float(first + group[0]), float(first + group[-1] + 1)
        spans.append(Span(max(start_s, c.start_s), min(end_s, c.end_s), text))
    spans.sort(key=lambda span: -span.duration_s)
    return [
        c.fact("analysable_share", 100 * c.analysable_fraction, "%", n, evidence=tuple(spans)),
        c.fact("good_share", float(100 * np.mean(states == State.GOOD)), "%", n),
        c.fact("unusable_total", float(sum(span.duration_s for span in spans)), "s", n, evidence=tuple(spans)),
    ]


def coverage_facts(c: Context) -> list[Fact]:
    """Gaps in the span: how many, how long together, the longest."""
    if c.end_s <= c.start_s:
        names = (("gap_count", "gaps"), ("gap_total", "s"), ("longest_gap", "s"), ("recorded_total", "s"))
        return [c.fact(name, None, unit) for name, unit in names]
    spans = _gap_spans(c.annotations, c.start_s, c.end_s)
    where, n = tuple(spans), len(spans)
    return [
        c.fact("gap_count", float(n), "gaps", n, evidence=where),
        c.fact("gap_total", float(sum(span.duration_s for span in spans)), "s", n, evidence=where),
        c.fact("longest_gap", spans[0].duration_s if spans else 0.0, "s", n, evidence=where[:1]),
        c.fact("recorded_total", c.end_s - c.start_s - float(sum(span.duration_s for span in spans)), "s"),
    ]


def _gap_spans(annotations: Annotations, start_s: float, end_s: float) -> list[Span]:
    """The parts of gaps that lie in a span, the longest first."""
    cut = [
        Span(max(gap.start / annotations.fs_hz, start_s), min(gap.stop / annotations.fs_hz, end_s), gap.cause)
        for gap in annotations.gaps
    ]
    return sorted((span for span in cut if span.duration_s > 0), key=lambda span: -span.duration_s)


GROUPS: dict[str, Callable[[Context], list[Fact]]] = {
    "rate": rate_facts,
    "beats": beat_facts,
    "pauses": pause_facts,
    "episodes": episode_facts,
    "variability": variability_facts,
    "regularity": regularity_facts,
    "quality": quality_facts,
    "coverage": coverage_facts,
}


def measure(c: Context, *groups: str) -> dict[str, Fact]:
    """Facts of the named groups (all when none is named), by name."""
    return {fact.name: fact for group in groups or GROUPS for fact in GROUPS[group](c)}


def _span(rr: Intervals, first: int, last: int, label: str) -> Span:
    """From the first beat of interval `first` to the second beat of interval `last`."""
    return Span(float(rr.from_beat[first] / rr.fs_hz), float(rr.to_beat[last] / rr.fs_hz), label)
