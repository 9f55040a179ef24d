"""Facts of a span: every quantity that reports, states and answers may name.

Each function takes a `Context` and returns facts; a quantity that cannot be measured is a fact without a value and
with the reason. Definitions and their sources: `edge.settings.RhythmSettings`.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from edge.clean.quality import State, describe
from edge.detect.rhythm_spans import runs_of
from edge.interpret.context import (
    MAX_EVIDENCE,
    NO_ECG,
    NO_ECG_HERE,
    NOT_LABELLED,
    Context,
    context_of,
    gap_spans,
    seconds_of,
)
from edge.interpret.ectopy import ectopy_facts
from edge.interpret.intervals import BLOCK, Intervals, beats_between, sliding_rates
from edge.interpret.polarity import polarity_facts
from edge.interpret.rhythm import rhythm_facts
from edge.interpret.spikes import spike_facts
from edge.interpret.waves import wave_facts
from edge.types import Fact, Span

__all__ = ["GROUPS", "NOT_LABELLED", "NO_ECG", "NO_ECG_HERE", "Context", "context_of", "measure", "pause_name"]


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
    mean = 60000.0 * n_valid / float(rr.rr_ms.sum(where=rr.valid, dtype=np.float64))
    facts = [c.fact("heart_rate_mean", mean, "bpm", n_valid, evidence=(Span(c.start_s, c.end_s, "whole span"),))]
    lowest, highest, last = (np.inf, 0), (-np.inf, 0), (-1.0, 0)
    for first, rates in sliding_rates(rr, c.settings.rate_beats):
        low, high = int(rates.argmin()), int(rates.argmax())
        lowest = min(lowest, (float(rates[low]), first + low), key=lambda rate: rate[0])
        highest = max(highest, (float(rates[high]), first + high), key=lambda rate: rate[0])
        last = (float(rates[-1]), first + len(rates) - 1)
    if last[0] < 0:
        return facts + [c.fact(name, None, "bpm", reason="no run of consecutive beats") for name in names[1:]]
    for name, (rate, i) in zip(names[1:], (lowest, highest, last), strict=True):
        where = _span(rr, i, i + c.settings.rate_beats - 1, f"{rate:.0f} bpm")
        facts.append(c.fact(name, rate, "bpm", c.settings.rate_beats, evidence=(where,)))
    return facts


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
        ("longest_rr", int(np.where(rr.valid, rr.rr_ms, np.float32(-np.inf)).argmax())),
        ("shortest_rr", int(np.where(rr.valid, rr.rr_ms, np.float32(np.inf)).argmin())),
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
    rates, first = _all_rates(rr, s.rate_beats)
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
        for a, b in zip(*(edge.tolist() for edge in runs_of(beyond)), strict=True):
            breaks = (np.flatnonzero(np.diff(first[a:b]) > 1) + 1 + a).tolist()  # never across a gap
            for k, end in zip([a, *breaks], [*breaks, b], strict=True):
                i, j = int(first[k]) + half, int(first[end - 1]) + half
                start_s, end_s = float(rr.from_beat[i] / rr.fs_hz), float(rr.to_beat[j - 1] / rr.fs_hz)
                if end_s - start_s >= s.episode_min_s:
                    extreme = rates[k:end].max() if kind == "tachycardia" else rates[k:end].min()
                    spans.append(Span(start_s, end_s, f"{kind}, {extreme:.0f} bpm"))
        total_s = sum(span.duration_s for span in spans)
        longest_first = tuple(sorted(spans, key=lambda span: -span.duration_s))
        facts.append(c.fact(f"{kind}_count", float(len(spans)), "episodes", len(rates), evidence=longest_first))
        facts.append(c.fact(f"{kind}_total", total_s, "s", len(rates), evidence=longest_first))
        facts.append(c.fact(f"{kind}_limit", limit, "bpm", len(rates)))
    return facts


def _all_rates(rr: Intervals, n_beats: int) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
    """Every sliding rate, and the index of its first interval."""
    rates, first, at = np.empty(len(rr.rr_ms), np.float32), np.empty(len(rr.rr_ms), np.int32), 0
    for a, block in sliding_rates(rr, n_beats):
        rates[at : at + len(block)] = block
        first[at : at + len(block)] = np.arange(a, a + len(block))
        at += len(block)
    return rates[:at], first[:at]


def variability_facts(c: Context) -> list[Fact]:
    """SDNN, RMSSD and pNN50 of the NN intervals; successive differences only of adjacent NN intervals."""
    rr, s = c.intervals, c.settings
    n_valid, n_nn = int(rr.valid.sum()), int(rr.nn.sum())
    n_steps = int((rr.nn[:-1] & rr.nn[1:]).sum())
    needed, reason = max(2, s.min_nn), ""
    if n_nn < needed:
        reason = c.obstacle or f"only {n_nn} normal-to-normal intervals, {needed} are needed"
    elif n_nn / n_valid < s.min_nn_share:
        how = "" if rr.labelled else " by their timing"
        reason = f"only {100 * n_nn / n_valid:.0f} % of the intervals are normal-to-normal{how}"
    elif n_steps < needed // 2:
        reason = f"only {n_steps} pairs of adjacent normal-to-normal intervals"
    if reason:
        return [
            c.fact(*name, reason=reason) for name in (("sdnn", None, "ms"), ("rmssd", None, "ms"), ("pnn50", None, "%"))
        ]
    mean_ms = float(rr.rr_ms.sum(where=rr.nn, dtype=np.float64)) / n_nn
    squares = step_squares = large_steps = 0.0
    for a in range(0, len(rr.rr_ms), BLOCK):
        part = slice(a, a + BLOCK + 1)  # the step to the next block's first interval belongs to this one
        rr_ms, nn = rr.rr_ms[part].astype(np.float64), rr.nn[part]
        squares += float(np.square(rr_ms[:BLOCK] - mean_ms).sum(where=nn[:BLOCK]))
        steps_ms, pairs = np.diff(rr_ms), nn[:-1] & nn[1:]
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
    seconds = seconds_of(c.start_s, c.end_s)
    states, reasons = c.annotations.quality[seconds], c.annotations.reasons[seconds]
    first, n = seconds.start, len(states)
    if n == 0:
        names = (("analysable_share", "%"), ("good_share", "%"), ("unusable_total", "s"))
        return [c.fact(name, None, unit) for name, unit in names]
    if c.rr_only:
        spans = gap_spans(c.annotations, c.start_s, c.end_s)
        return [
            c.fact("analysable_share", 100 * c.analysable_fraction, "%", n, evidence=tuple(spans)),
            c.fact("good_share", None, "%", reason=NO_ECG),
            c.fact("unusable_total", float(sum(span.duration_s for span in spans)), "s", n, evidence=tuple(spans)),
        ]
    starts, stops = runs_of(states == State.UNUSABLE)
    total_s = float((np.minimum(stops + first, c.end_s) - np.maximum(starts + first, c.start_s)).sum())
    longest = np.argsort(starts - stops, kind="stable")[:MAX_EVIDENCE]
    spans = []
    for a, b in zip(starts[longest].tolist(), stops[longest].tolist(), strict=True):
        text = describe(int(np.bincount(reasons[a:b]).argmax()))
        spans.append(Span(max(float(first + a), c.start_s), min(float(first + b), c.end_s), text))
    spans.sort(key=lambda span: -span.duration_s)
    return [
        c.fact("analysable_share", 100 * c.analysable_fraction, "%", n, evidence=tuple(spans)),
        c.fact("good_share", float(100 * np.mean(states == State.GOOD)), "%", n),
        c.fact("unusable_total", total_s, "s", n, evidence=tuple(spans)),
    ]


def coverage_facts(c: Context) -> list[Fact]:
    """Gaps in the span: how many, how long together, the longest."""
    if c.end_s <= c.start_s:
        names = (("gap_count", "gaps"), ("gap_total", "s"), ("longest_gap", "s"), ("recorded_total", "s"))
        return [c.fact(name, None, unit) for name, unit in names]
    spans = gap_spans(c.annotations, c.start_s, c.end_s)
    where, n = tuple(spans), len(spans)
    return [
        c.fact("gap_count", float(n), "gaps", n, evidence=where),
        c.fact("gap_total", float(sum(span.duration_s for span in spans)), "s", n, evidence=where),
        c.fact("longest_gap", spans[0].duration_s if spans else 0.0, "s", n, evidence=where[:1]),
        c.fact("recorded_total", c.end_s - c.start_s - float(sum(span.duration_s for span in spans)), "s"),
    ]


GROUPS: dict[str, Callable[[Context], list[Fact]]] = {
    "rate": rate_facts,
    "beats": beat_facts,
    "pauses": pause_facts,
    "episodes": episode_facts,
    "variability": variability_facts,
    "regularity": regularity_facts,
    "quality": quality_facts,
    "coverage": coverage_facts,
    "ectopy": ectopy_facts,
    "rhythm": rhythm_facts,
    "waves": wave_facts,
    "polarity": polarity_facts,
    "pacing": spike_facts,
}


def measure(c: Context, *groups: str) -> dict[str, Fact]:
    """Facts of the named groups (all when none is named), by name."""
    return {fact.name: fact for group in groups or GROUPS for fact in GROUPS[group](c)}


def _span(rr: Intervals, first: int, last: int, label: str) -> Span:
    """From the first beat of interval `first` to the second beat of interval `last`."""
    return Span(float(rr.from_beat[first] / rr.fs_hz), float(rr.to_beat[last] / rr.fs_hz), label)
