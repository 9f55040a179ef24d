"""Facts about extra beats: how many, of which origin, alone or in succession; bigeminy and trigeminy.

Beats of one label that follow each other, each at a valid interval after the last, belong together: one is isolated,
two are a couplet, `RhythmSettings.run_beats` or more a run. Nothing is counted across a gap or an unreadable second.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge.interpret.context import MAX_EVIDENCE, Context
from edge.types import Fact, Samples, Span

KINDS = {"ventricular": ord("V"), "supraventricular": ord("S")}
PATTERNS = {"bigeminy": "(B", "trigeminy": "(T"}
SIDE_S = 0.1  # shown before the first and after the last beat of a place: a QRS lasts about so long
_QUANTITIES = (
    ("ectopic_count", "beats"),
    ("ectopic_share", "%"),
    ("isolated_count", "beats"),
    ("couplet_count", "couplets"),
    ("run_count", "runs"),
    ("longest_run", "beats"),
    ("fastest_run", "bpm"),
)


@dataclass(frozen=True, slots=True, eq=False)
class Groups:
    """Beats of one label in succession, in order; indices among the span's beats."""

    first: NDArray[np.int32]
    length: NDArray[np.int32]


def groups_of(c: Context, label: int) -> Groups:
    """Beats of a label (ASCII code), those in succession together."""
    has = c.labels == label
    linked = has[:-1] & has[1:] & c.intervals.valid
    begins, ends = has.copy(), has
    begins[1:] &= ~linked
    ends[:-1] &= ~linked
    first = np.flatnonzero(begins).astype(np.int32)
    return Groups(first, np.flatnonzero(ends).astype(np.int32) - first + 1)


def ectopy_facts(c: Context) -> list[Fact]:
    """Counts of ectopic beats by origin, with the places; needs labelled beats."""
    names = [(f"{kind}_{what}", unit) for kind in KINDS for what, unit in _QUANTITIES]
    for pattern in PATTERNS:
        names += [(f"{pattern}_count", "episodes"), (f"{pattern}_total", "s")]
    if c.unread:
        return [c.fact(name, None, unit, reason=c.unread) for name, unit in names]
    if len(c.labels) == 0:
        return [c.fact(name, None, unit, reason=c.obstacle or "no beats found") for name, unit in names]
    return [fact for kind, label in KINDS.items() for fact in _kind_facts(c, kind, label)] + _pattern_facts(c)


def _kind_facts(c: Context, kind: str, label: int) -> list[Fact]:
    groups, n = groups_of(c, label), len(c.labels)
    least = c.settings.run_beats
    isolated, couplets = np.flatnonzero(groups.length == 1), np.flatnonzero(groups.length == 2)
    runs = np.flatnonzero(groups.length >= least)
    count = int(groups.length.sum(dtype=np.int64))
    by_length = runs[np.argsort(-groups.length[runs], kind="stable")]
    rates = run_rates(c, groups, runs)
    places = tuple(_place(c, kind, groups, int(g)) for g in by_length[:MAX_EVIDENCE])
    pairs = tuple(_place(c, kind, groups, int(g)) for g in couplets[:MAX_EVIDENCE])
    single = tuple(_place(c, kind, groups, int(g)) for g in isolated[:MAX_EVIDENCE])
    longest = fastest = None
    where: tuple[Span, ...] = ()
    if len(runs):
        k = int(rates.argmax())
        longest, fastest = float(groups.length[by_length[0]]), float(rates[k])
        where = (_place(c, kind, groups, int(runs[k]), fastest),)
    none = f"no {kind} run of {least} or more beats"
    return [
        c.fact(f"{kind}_ectopic_count", float(count), "beats", n, evidence=(*places, *pairs, *single)),
        c.fact(f"{kind}_ectopic_share", 100 * count / n, "%", n),
        c.fact(f"{kind}_isolated_count", float(len(isolated)), "beats", n, evidence=single),
        c.fact(f"{kind}_couplet_count", float(len(couplets)), "couplets", n, evidence=pairs),
        c.fact(f"{kind}_run_count", float(len(runs)), "runs", n, evidence=places),
        c.fact(f"{kind}_longest_run", longest, "beats", len(runs), none, places[:1]),
        c.fact(f"{kind}_fastest_run", fastest, "bpm", len(runs), none, where),
    ]


def run_rates(c: Context, groups: Groups, chosen: NDArray[np.int64]) -> NDArray[np.float32]:
    """Rate (bpm) of each chosen group of two or more beats: its fastest mean of up to `rate_beats` intervals."""
    beats = c.annotations.beats[c.intervals.beats]
    first, n_intervals = groups.first[chosen], groups.length[chosen] - 1
    samples = (beats[first + n_intervals] - beats[first]).astype(np.float32)
    rates = np.asarray(60.0 * c.annotations.fs_hz * n_intervals / samples, np.float32)
    for k in np.flatnonzero(n_intervals > c.settings.rate_beats).tolist():
        i = int(first[k])
        rates[k] = fastest_bpm(beats[i : i + int(n_intervals[k]) + 1], c.settings.rate_beats, c.annotations.fs_hz)
    return rates


def fastest_bpm(beats: Samples, n_intervals: int, fs_hz: float) -> float | None:
    """Highest mean rate of so many successive intervals, or of all where there are fewer; None without any."""
    n = min(n_intervals, len(beats) - 1)
    if n < 1:
        return None
    return 60.0 * fs_hz * n / float((beats[n:] - beats[:-n]).min())


def _place(c: Context, kind: str, groups: Groups, g: int, bpm: float | None = None) -> Span:
    i, length = int(groups.first[g]), int(groups.length[g])
    beats, side = c.annotations.beats[c.intervals.beats], round(SIDE_S * c.annotations.fs_hz)
    label = f"{kind} beat"
    if length == 2:
        label = f"{kind} couplet"
    elif length > 2:
        label = f"{kind} run of {length} beats"
        label += "" if bpm is None else f", {bpm:.0f} bpm"
    return c.span(int(beats[i]) - side, int(beats[i + length - 1]) + side, label)


def _pattern_facts(c: Context) -> list[Fact]:
    facts = []
    for pattern, label in PATTERNS.items():
        spans = [c.span(r.start, r.stop, f"ventricular {pattern}") for r in c.rhythms() if r.label == label]
        spans.sort(key=lambda span: -span.duration_s)
        total_s, n = sum(span.duration_s for span in spans), len(c.labels)
        facts.append(c.fact(f"{pattern}_count", float(len(spans)), "episodes", n, evidence=tuple(spans)))
        facts.append(c.fact(f"{pattern}_total", total_s, "s", n, evidence=tuple(spans)))
    return facts
