"""The same figure of two spans or two recordings, side by side."""

import re

from edge.ask.draft import SEEN, Asked, Draft, Phrase
from edge.ask.findings import JUDGED, POLARITY
from edge.ask.plan import Plan
from edge.ask.spans import when_text
from edge.ask.trend import Figure, figure_of, measured
from edge.types import Fact

COMPARABLE: dict[str, Figure] = {
    "rate": ("rate", "heart_rate_mean", "mean heart rate"),
    "beats": ("beats", "beat_count", "number of beats"),
    "pauses": ("pauses", "longest_rr", "longest interval between two beats"),
    "variability": ("variability", "rmssd", "RMSSD"),
    "regularity": ("regularity", "irregular_share", "share of intervals out of step"),
    "ectopy": ("regularity", "early_beat_count", "number of early beats"),
    "quality": ("quality", "analysable_share", "share of usable signal"),
    "coverage": ("coverage", "gap_total", "time missing"),
    "tachycardia": ("episodes", "tachycardia_total", "time at a fast rate"),
    "bradycardia": ("episodes", "bradycardia_total", "time at a slow rate"),
}
"""Per target: the group of facts, the one that two recordings or spans are compared by, and its name."""

MORE = r"\b(?:higher|highest|faster|fastest|more|most|greater|greatest|larger|largest|bigger|biggest|longer|longest)\b"
LESS = r"\b(?:lower|lowest|slower|slowest|less|least|fewer|fewest|smaller|smallest|shorter|shortest|calmer)\b"
BETTER = r"\b(?:better|best|clean(?:er|est)|clear(?:er|est)|complete|(?:more|most) (?:regular|steady|even)|steadi(?:er|est))\b"
WORSE = r"\b(?:wors[et]|nois(?:ier|iest)|poor(?:er|est)|incomplete|(?:more|most) (?:irregular|uneven|gaps|missing))\b"


def comparable(plan: Plan, sides: list[Asked]) -> Figure | None:
    """The figure that tells most of what is asked about; None where there is none."""
    if POLARITY.intersection(plan.findings):
        return None  # it is one or the other
    if plan.target in JUDGED and all(asked.context.annotations.read for asked in sides):
        return figure_of(plan)
    return COMPARABLE.get(plan.target)


def compare(question: str, plan: Plan, sides: list[Asked], figure: Figure, *, two_recordings: bool) -> Draft:
    """The main figure of both sides and their difference."""
    higher = _asks_higher(question, plan)
    if plan.target in {"tachycardia", "bradycardia"} and higher is not None and plan.threshold is None:
        figure = COMPARABLE["rate"]  # "which was slower?"
    group, name, called = figure
    labels = [asked.info.id if two_recordings else from_to(asked) for asked in sides]
    if labels[0] == labels[1]:
        labels = ["the first", "the second"]
    facts = [measured(asked.context, group, name) for asked in sides]
    a, b = (None if fact is None else fact.value for fact in facts)
    if a is None or b is None:
        fact, label = (facts[0], labels[0]) if a is None else (facts[1], labels[1])
        reason = fact.reason if fact else "too few beats"
        text = f"The {called} cannot be compared: in {label} it is not measurable ({reason})."
        found = tuple(fact for fact in facts if fact)
        return Draft("not_measurable", (Phrase(text),), found, verdict="not sure")
    first, second = (fact for fact in facts if fact)
    unit = first.unit
    digits = 2 if name == "longest_rr" or unit == "mV" else 1 if unit == "%" and plan.target in JUDGED else 0
    by = round(b, digits) - round(a, digits)
    c = sides[1].context
    difference = Fact("difference", by, unit, c.start_s, c.end_s, second.n, c.analysable_fraction)
    told = f"{abs(by):.{digits}f} {unit} {'higher' if by > 0 else 'lower'}" if by else "the same"
    text = (
        f"The {called} was {a:.{digits}f} {unit} in the first ({labels[0]}) "
        f"and {b:.{digits}f} {unit} in the second ({labels[1]}): {told} in the second."
    )
    choice = None
    if higher is not None and plan.form != "verify":
        choice = labels[int((by > 0) == higher)] if by else "equal"
    little = (
        [] if plan.target not in JUDGED else [k for k, f in enumerate((first, second)) if f.analysable_fraction < SEEN]
    )
    phrases = [Phrase(text)]
    for k in little:
        share = 100 * sides[k].context.analysable_fraction
        phrases.append(Phrase(f"Only {share:.0f} % of the {('first', 'second')[k]} could be analysed."))
    return Draft("answered", tuple(phrases), (first, second, difference), choice=None if little else choice)


def _asks_higher(question: str, plan: Plan) -> bool | None:
    """Whether the higher or the lower figure answers "which"; None where the words do not tell."""
    more, less = MORE, LESS
    if plan.target == "quality":
        more, less = BETTER, WORSE
    elif plan.target in {"coverage", "regularity"}:  # their figures count what is missing or out of step
        more, less = WORSE, BETTER
    asks_more, asks_less = (re.search(words, question.lower()) is not None for words in (more, less))
    return asks_more if asks_more != asks_less else None


def from_to(asked: Asked) -> str:
    """A measured span by its ends."""
    c = asked.context
    return f"{when_text(c.start_s, asked.info)} to {when_text(c.end_s, asked.info)}"
