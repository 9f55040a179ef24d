"""Facts about rhythms: share, episodes, longest and fastest of each, from the spans that were named.

What each rhythm means: `edge.detect.rhythm_names.NAMES`. Shares are of the time that could be analysed. Spans never
cover unreadable time, so that totals do not either. Fibrillation that is found again after at most
`RhythmSettings.af_bridge_s` in which there was nothing but unreadable time and ventricular runs, which say nothing of
the atria, is one episode.
"""

from dataclasses import dataclass, replace

import numpy as np

from edge.clean.quality import State
from edge.clean.spikes import MIN_FS_HZ
from edge.detect.rhythm_names import NAMES
from edge.detect.rhythm_spans import BoolArray
from edge.interpret.context import Context
from edge.interpret.ectopy import fastest_bpm
from edge.interpret.intervals import sliding_rates
from edge.types import Fact, RhythmSpan, Span

MEANING = {name.label: name.meaning for name in NAMES.values()}
"""WFDB's label of a rhythm to plain words."""
HIDES_ATRIA = ("(NOISE", "(VT", "(IVR")
"""During these nothing can be said of the atria."""
SINUS = ("(N", "(SBR", "(STACH", "(SARRH")
_UNITS = {"count": "episodes", "total": "s", "longest": "s", "burden": "%", "share": "%", "mean": "bpm", "max": "bpm"}
_UNITS |= {"fastest": "bpm"}
_NAMES = (
    *("af_burden", "af_count", "af_total", "af_longest", "af_rate_mean", "af_rate_max"),
    *("afl_burden", "afl_count", "afl_total", "afl_longest", "sinus_share"),
    *("vt_count", "vt_longest", "vt_fastest", "idioventricular_count", "svt_count", "svt_longest", "svt_fastest"),
    *("vf_count", "vf_total", "asystole_count", "asystole_longest", "paced_share", "irregular_count"),
    "rhythm_named_share",
)


@dataclass(frozen=True, slots=True)
class Episode:
    """One episode of a rhythm, in samples."""

    start: int
    stop: int
    samples: int
    """Time in the rhythm: without the unreadable time within."""


def rhythm_facts(c: Context) -> list[Fact]:
    """Everything about the named rhythms; needs a recording that was read."""
    spans = [] if c.unread else c.rhythms()
    if c.unread or (not spans and c.analysable_s <= 0):
        return [c.fact(name, None, _unit(name), reason=c.unread) for name in _NAMES]
    told: dict[str, list[Episode]] = {label: [] for label in MEANING}
    for span in spans:
        told.setdefault(span.label, []).append(Episode(span.start, span.stop, span.stop - span.start))
    facts = [*_atrial_facts(c, "af", "(AFIB", spans), *_rate_facts(c, told["(AFIB"])]
    facts += _atrial_facts(c, "afl", "(AFL", spans)
    facts.append(_share(c, "sinus_share", [e for label in SINUS for e in told[label]]))
    facts += _fast_facts(c, "vt", "(VT", told["(VT"], spans)
    facts.append(_count(c, "idioventricular_count", "(IVR", told["(IVR"]))
    facts += _fast_facts(c, "svt", "(SVTA", told["(SVTA"], spans)
    facts += [_count(c, "vf_count", "(VFL", told["(VFL"]), _total(c, "vf_total", "(VFL", told["(VFL"])]
    facts += [_count(c, "asystole_count", "(ASYS", told["(ASYS"]), _longest(c, "asystole", "(ASYS", told["(ASYS"])]
    facts.append(_paced(c, told["(P"]))
    facts.append(_count(c, "irregular_count", "(IRREG", told["(IRREG"]))
    named_s = _seconds(c, [e for episodes in told.values() for e in episodes])
    whole_s = c.end_s - c.start_s
    facts.append(c.fact("rhythm_named_share", min(100.0, 100 * named_s / whole_s), "%", len(spans)))
    return facts


def _paced(c: Context, episodes: list[Episode]) -> Fact:
    """Share of paced rhythm: told by its spikes, so not known where they cannot be seen."""
    if episodes or c.annotations.fs_hz >= MIN_FS_HZ:
        return _share(c, "paced_share", episodes)
    reason = (
        f"the recording's {c.annotations.fs_hz:g} Hz cannot show pacing spikes, and nothing else tells a paced beat "
        "from another wide one"
    )
    return c.fact("paced_share", None, "%", reason=reason)


def episodes_of(c: Context, label: str, spans: list[RhythmSpan]) -> list[Episode]:
    """Spans of one rhythm; those between which its end was not seen are one."""
    found: list[Episode] = []
    between: list[RhythmSpan] = []
    for span in spans:
        if span.label != label:
            between.append(span)
            continue
        length = span.stop - span.start
        if found and _goes_on(c, found[-1].stop, span.start, between):
            last = found.pop()
            found.append(replace(last, stop=span.stop, samples=last.samples + length))
        else:
            found.append(Episode(span.start, span.stop, length))
        between = []
    return found


def _goes_on(c: Context, stop: int, start: int, between: list[RhythmSpan]) -> bool:
    """Whether only a short time, unreadable or of ventricular runs, lies between two spans of the same rhythm."""
    fs_hz = c.annotations.fs_hz
    if start - stop > c.settings.af_bridge_s * fs_hz or any(span.label not in HIDES_ATRIA for span in between):
        return False
    at, last = stop, len(c.annotations.quality)
    for span in [*between, RhythmSpan(start, start, "")]:
        seconds = slice(min(round(at / fs_hz), last), min(round(span.start / fs_hz), last))
        if (c.annotations.quality[seconds] != State.UNUSABLE).any():
            return False
        at = span.stop
    return True


def _atrial_facts(c: Context, name: str, label: str, spans: list[RhythmSpan]) -> list[Fact]:
    episodes = episodes_of(c, label, spans)
    burden = replace(_share(c, f"{name}_burden", episodes), evidence=_evidence(c, label, episodes))
    count, total = _count(c, f"{name}_count", label, episodes), _total(c, f"{name}_total", label, episodes)
    return [burden, count, total, _longest(c, name, label, episodes)]


def _rate_facts(c: Context, episodes: list[Episode]) -> list[Fact]:
    """Mean and highest rate in fibrillation, of valid intervals of which both beats lie in it."""
    rr, names = c.intervals, ("af_rate_mean", "af_rate_max")
    within: BoolArray = np.zeros(len(rr.valid), bool)
    for episode in episodes:
        a = np.searchsorted(rr.from_beat, episode.start)
        b = np.searchsorted(rr.to_beat, episode.stop, side="right")
        within[a:b] = True
    within &= rr.valid
    n = int(within.sum())
    if n < c.settings.min_rate_intervals:
        reason = "too few beats in atrial fibrillation" if episodes else _not_found("(AFIB")
        return [c.fact(name, None, "bpm", n, reason) for name in names]
    mean = 60000.0 * n / float(rr.rr_ms.sum(where=within, dtype=np.float64))
    highest, at, n_beats = 0.0, 0, c.settings.rate_beats
    for first, rates in sliding_rates(rr, n_beats, within):
        k = int(rates.argmax())
        if rates[k] > highest:
            highest, at = float(rates[k]), first + k
    if not highest:
        return [
            c.fact(names[0], mean, "bpm", n),
            c.fact(names[1], None, "bpm", n, "no run of consecutive beats in atrial fibrillation"),
        ]
    where = c.span(int(rr.from_beat[at]), int(rr.to_beat[at + n_beats - 1]), f"atrial fibrillation, {highest:.0f} bpm")
    return [c.fact(names[0], mean, "bpm", n), c.fact(names[1], highest, "bpm", n_beats, evidence=(where,))]


def _fast_facts(c: Context, name: str, label: str, episodes: list[Episode], spans: list[RhythmSpan]) -> list[Fact]:
    """Count, longest (VT in beats, SVT in seconds) and fastest of a tachycardia that is made of beats."""
    begins = {span.start for span in spans if span.label in ("(VT", "(IVR")}
    beats, labels, fs_hz = c.annotations.beats, c.annotations.labels, c.annotations.fs_hz
    lengths, rates = [], []
    for episode in episodes:
        a, b = np.searchsorted(beats, (episode.start, episode.stop)).tolist()
        ends_here = b < len(beats) and beats[b] == episode.stop and episode.stop not in begins
        if label == "(VT":  # it lasts to the beat after the last, or, where none follows, to the last
            b += ends_here and labels[b] == ord("V")
        else:
            b += ends_here
        lengths.append(b - a)
        rates.append(fastest_bpm(beats[a:b], c.settings.rate_beats, fs_hz) or 0.0)
    count = _count(c, f"{name}_count", label, episodes)
    if label == "(VT" and episodes:
        k = int(np.argmax(lengths))
        told = (c.span(episodes[k].start, episodes[k].stop, f"{MEANING[label]}, {lengths[k]} beats"),)
        longest = c.fact(f"{name}_longest", float(lengths[k]), "beats", len(episodes), evidence=told)
    else:
        longest = replace(_longest(c, name, label, episodes), unit=_unit(f"{name}_longest"))
    k = int(np.argmax(rates)) if rates else 0
    if not rates or rates[k] <= 0:
        reason = "too few beats" if episodes else _not_found(label)
        return [count, longest, c.fact(f"{name}_fastest", None, "bpm", reason=reason)]
    where = (c.span(episodes[k].start, episodes[k].stop, f"{MEANING[label]}, {rates[k]:.0f} bpm"),)
    return [count, longest, c.fact(f"{name}_fastest", rates[k], "bpm", len(episodes), evidence=where)]


def _seconds(c: Context, episodes: list[Episode]) -> float:
    return sum(e.samples for e in episodes) / c.annotations.fs_hz


def _evidence(c: Context, label: str, episodes: list[Episode]) -> tuple[Span, ...]:
    """The longest first."""
    ordered = sorted(episodes, key=lambda e: e.start - e.stop)
    return tuple(c.span(e.start, e.stop, MEANING.get(label, label)) for e in ordered[:20])


def _count(c: Context, name: str, label: str, episodes: list[Episode]) -> Fact:
    n = round(c.analysable_s)
    return c.fact(name, float(len(episodes)), "episodes", n, evidence=_evidence(c, label, episodes))


def _total(c: Context, name: str, label: str, episodes: list[Episode]) -> Fact:
    return c.fact(name, _seconds(c, episodes), "s", round(c.analysable_s), evidence=_evidence(c, label, episodes))


def _longest(c: Context, name: str, label: str, episodes: list[Episode]) -> Fact:
    if not episodes:
        return c.fact(f"{name}_longest", None, "s", reason=_not_found(label))
    longest = max(episodes, key=lambda e: e.samples)
    where = (c.span(longest.start, longest.stop, MEANING[label]),)
    return c.fact(f"{name}_longest", longest.samples / c.annotations.fs_hz, "s", len(episodes), evidence=where)


def _share(c: Context, name: str, episodes: list[Episode]) -> Fact:
    """Of the analysable time; none of it may be in spans where the signal is flutter and therefore "unusable"."""
    n = round(c.analysable_s)
    if c.analysable_s <= 0:
        return c.fact(name, None, "%", n, c.obstacle)
    return c.fact(name, min(100.0, 100 * _seconds(c, episodes) / c.analysable_s), "%", n)


def _not_found(label: str) -> str:
    return f"no {MEANING[label]} was found"


def _unit(name: str) -> str:
    return "beats" if name == "vt_longest" else _UNITS[name.rsplit("_", 1)[1]]
