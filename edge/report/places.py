"""Places of a recording that are worth a strip, by subject, the gravest first."""

from dataclasses import dataclass, replace
from typing import Literal

from edge.interpret.facts import Context
from edge.interpret.rhythm import MEANING
from edge.types import Fact, Span

Kind = Literal["rate", "pauses", "rhythm", "ectopy"]
ONSET_S = 4.0  # shown before and after the moment at which a rhythm begins or ends
MOST = 40  # strips of a page: beyond, nobody looks, and the file grows past some megabytes
_GRAVE = ("vf_count", "asystole_longest", "vt_longest", "vt_fastest", "svt_longest", "svt_fastest")
_ECTOPY = tuple(
    (f"{kind}_{what}", most)
    for kind in ("ventricular", "supraventricular")
    for what, most in (("longest_run", 1), ("fastest_run", 1), ("couplet_count", 1), ("isolated_count", 1))
)


@dataclass(frozen=True, slots=True)
class Place:
    """A span and the section of the report that it belongs to."""

    span: Span
    kind: Kind


def notable(c: Context, facts: dict[str, Fact]) -> list[Place]:
    """Grave rhythms, onset and end of fibrillation, one of every other rhythm, pauses, ectopic beats, rates."""
    found = [Place(span, "rhythm") for name in _GRAVE for span in _places(facts, name, 1)]
    found += [Place(span, "rhythm") for span in _changes(c, facts)]
    found += [Place(span, "rhythm") for span in _one_of_each(c)]
    found += [Place(span, "rhythm") for span in _places(facts, "pacing_spike_count", 1)]
    found += [Place(span, "pauses") for span in _places(facts, "longest_rr", 1)]
    found += [Place(span, "ectopy") for name, most in _ECTOPY for span in _places(facts, name, most)]
    found += [
        Place(span, "ectopy") for span in _places(facts, "bigeminy_count", 1) + _places(facts, "trigeminy_count", 1)
    ]
    if not c.annotations.read:
        found += [Place(span, "ectopy") for span in _places(facts, "early_beat_count", 2)]
    for name in ("heart_rate_max", "heart_rate_min"):
        for span in _places(facts, name, 1):
            found.append(Place(replace(span, label=f"{name.replace('_', ' ')}: {span.label}"), "rate"))
    for name in ("tachycardia_count", "bradycardia_count"):
        found += [Place(span, "rate") for span in _places(facts, name, 1)]
    unique: dict[tuple[float, float], Place] = {}
    for place in found:
        unique.setdefault((place.span.start_s, place.span.end_s), place)
    return list(unique.values())[:MOST]


def _places(facts: dict[str, Fact], name: str, most: int) -> list[Span]:
    return list(facts[name].evidence[:most]) if name in facts else []


def _changes(c: Context, facts: dict[str, Fact]) -> list[Span]:
    """Where the longest episode of fibrillation and of flutter begins and ends."""
    found = []
    for name, what in (("af_longest", "atrial fibrillation"), ("afl_longest", "atrial flutter")):
        for span in facts[name].evidence if name in facts else ():
            for at_s, happens in ((span.start_s, "begins"), (span.end_s, "ends")):
                a, b = max(c.start_s, at_s - ONSET_S), min(c.end_s, at_s + ONSET_S)
                found.append(Span(a, b, f"{what} {happens}"))
    return found


def _one_of_each(c: Context) -> list[Span]:
    """The longest span of each rhythm."""
    longest: dict[str, Span] = {}
    for r in c.rhythms():
        span = c.span(r.start, r.stop, MEANING.get(r.label, r.label))
        if r.label not in longest or span.duration_s > longest[r.label].duration_s:
            longest[r.label] = span
    return [longest[label] for label in MEANING if label in longest]
