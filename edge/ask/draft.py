"""A draft answer: plain phrases made from facts, before a language model may reword them."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from edge.ask.plan import Plan
from edge.clean.quality import Reason
from edge.interpret.facts import Context
from edge.types import Fact, RecordingInfo, Span

Status = Literal["answered", "not_measurable", "not_recorded", "out_of_scope"]
Verdict = Literal["yes", "no", "not sure"]
SEEN = 0.9  # share of a span that must be analysable before "it did not happen" is said


@dataclass(frozen=True, slots=True)
class Phrase:
    """One plain sentence and words that mean the same in it."""

    text: str
    cues: frozenset[str] = frozenset()
    """Words of which a rewording may use any in the place of the phrase's own ("highest", "maximum" …)."""


@dataclass(frozen=True, slots=True)
class Draft:
    """What ordinary code answers."""

    status: Status
    phrases: tuple[Phrase, ...]
    facts: tuple[Fact, ...] = ()
    verdict: Verdict | None = None
    choice: str | None = None
    items: tuple[str, ...] | None = None
    locations: tuple[Span, ...] | None = None

    @property
    def text(self) -> str:
        """The plain sentences."""
        return " ".join(phrase.text for phrase in self.phrases)


@dataclass(frozen=True, slots=True, eq=False)
class Asked:
    """One recording and the measured span a question is about."""

    info: RecordingInfo
    context: Context
    over: str
    """The span in words: "over the whole recording"."""
    recorded_share: float = 1.0
    """How much of the time that the question names lies in the recording."""


CUES: dict[str, frozenset[str]] = {
    "mean": frozenset({"mean", "average", "averaged"}),
    "min": frozenset({"lowest", "minimum", "slowest"}),
    "max": frozenset({"highest", "maximum", "fastest", "peak"}),
    "last": frozenset({"last", "latest", "current"}),
    "count": frozenset({"beats", "heartbeats"}),
    "usable": frozenset({"usable", "analysable"}),
}


def seen(asked: Asked) -> bool:
    """Whether enough of the span could be analysed to say that something did not happen in it."""
    return asked.context.analysable_fraction * asked.recorded_share >= SEEN


def judged(yes: bool, *, sure: bool) -> Verdict:  # noqa: FBT001 - the one thing it is about
    """A verdict; "not sure" where what was not seen could turn it."""
    return ("yes" if yes else "no") if sure else "not sure"


def missing(asked: Asked, fact: Fact, what: str) -> Draft:
    """A quantity of the span that has no value: the reason, and nothing else."""
    c = asked.context
    reasons = c.annotations.reasons[int(c.start_s) : int(np.ceil(c.end_s))]
    nothing = bool(np.all(reasons & Reason.NO_SAMPLES))  # outside the recording, or inside a gap
    nothing |= c.rr_only and c.analysable_fraction < 0.005  # a gap of these ends within seconds
    status: Status = "not_recorded" if nothing else "not_measurable"
    text = f"{what[0].upper()}{what[1:]} cannot be measured {asked.over}: {fact.reason}."
    return Draft(status, (Phrase(text),), (fact,), verdict="not sure")


def located(plan: Plan, phrases: list[Phrase], facts: tuple[Fact, ...], verdict: Verdict | None, where: Fact) -> Draft:
    """An answer with its verdict for yes-or-no questions, and its places for where-questions."""
    return Draft(
        "answered",
        tuple(phrases),
        facts,
        verdict if plan.form == "verify" else None,
        locations=where.evidence if plan.form == "locate" else None,
    )


def not_seen(asked: Asked) -> list[Phrase]:
    """How much of the span the answer does not cover, where that matters."""
    unseen = 1 - asked.context.analysable_fraction
    if unseen < 0.005:
        return []
    if asked.context.rr_only:
        return [Phrase(f"RR intervals are missing for {100 * unseen:.0f} % of that time.")]
    return [Phrase(f"{100 * unseen:.0f} % of that time could not be analysed.")]


def count_verdict(asked: Asked, plan: Plan, n: int) -> Verdict | None:
    """Whether there were more or fewer than a limit; None where the limit is of something else."""
    limit = plan.threshold
    if limit is None or limit.of not in {"count", "beats"}:
        return None
    yes = limit.passed_by(n)
    return judged(yes, sure=seen(asked) or yes == limit.above)


def plural(n: int) -> str:
    """The ending of a counted word."""
    return "" if n == 1 else "s"


def share_text(percent: float) -> str:
    """A share in per cent with as many digits as it takes not to say none where there is some."""
    return f"{percent:.0f}" if percent >= 10 or percent == 0 else f"{percent:.2g}"
