"""A draft answer: plain phrases made from facts, before a language model may reword them."""

from dataclasses import dataclass
from typing import Literal

from edge.interpret.facts import Context
from edge.types import Fact, RecordingInfo, Span

Status = Literal["answered", "not_measurable", "not_recorded", "out_of_scope"]
Verdict = Literal["yes", "no", "not sure"]


@dataclass(frozen=True, slots=True)
class Phrase:
    """One plain sentence and the words that tell its quantity from the others."""

    text: str
    cues: frozenset[str] = frozenset()
    """Words of which a rewording must keep one beside the phrase's numbers ("highest", "longest" …)."""


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
    """The span in words: "over the whole recording (5 min)"."""


CUES: dict[str, frozenset[str]] = {
    "mean": frozenset({"mean", "average", "averaged"}),
    "min": frozenset({"lowest", "minimum", "slowest"}),
    "max": frozenset({"highest", "maximum", "fastest", "peak"}),
    "last": frozenset({"last", "latest", "current"}),
    "longest": frozenset({"longest"}),
    "shortest": frozenset({"shortest"}),
    "count": frozenset({"beats", "heartbeats"}),
    "pauses": frozenset({"pause", "pauses"}),
    "tachycardia": frozenset({"above", "fast", "faster"}),
    "bradycardia": frozenset({"below", "slow", "slower"}),
    "sdnn": frozenset({"sdnn"}),
    "rmssd": frozenset({"rmssd"}),
    "pnn50": frozenset({"pnn50"}),
    "irregular": frozenset({"irregular", "regular", "step"}),
    "early": frozenset({"early"}),
    "usable": frozenset({"usable", "analysable", "unusable"}),
    "gaps": frozenset({"gap", "gaps", "missing"}),
}


def missing(asked: Asked, fact: Fact, what: str) -> Draft:
    """A quantity of the span that has no value: the reason, and nothing else."""
    status: Status = "not_recorded" if fact.reason == "nothing was recorded then" else "not_measurable"
    text = f"{what[0].upper()}{what[1:]} cannot be measured {asked.over}: {fact.reason}."
    return Draft(status, (Phrase(text),), (fact,), verdict="not sure")
