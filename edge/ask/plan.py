"""What a question is taken to mean: a plan that ordinary code can run."""

import dataclasses
from dataclasses import dataclass
from typing import Any, Literal

Form = Literal["verify", "choose", "query", "locate", "compare", "trend", "report"]
FORMS: tuple[Form, ...] = ("verify", "choose", "query", "locate", "compare", "trend", "report")

Target = Literal[
    "rate", "beats", "pauses", "tachycardia", "bradycardia", "variability", "regularity", "ectopy", "quality",
    "coverage", "recording", "summary", "rhythm", "intervals", "advice", "off_topic", "other_language",
]  # fmt: skip
TARGETS: tuple[Target, ...] = (
    "rate", "beats", "pauses", "tachycardia", "bradycardia", "variability", "regularity", "ectopy", "quality",
    "coverage", "recording", "summary", "rhythm", "intervals", "advice", "off_topic", "other_language",
)  # fmt: skip


Sense = Literal["straight", "turned", "unclear"]
"""Whether a yes to the figure is a yes to the question: "free of gaps" turns it, "never above 120?" leaves it open."""


@dataclass(frozen=True, slots=True)
class Threshold:
    """A limit that the question names: "over 130", "longer than 3 s"."""

    above: bool
    value: float
    """Times in seconds."""
    words: str
    of: Literal["", "rate", "beats", "time", "count", "share"] = ""
    """What the unit says it limits; empty without a unit."""
    inclusive: bool = False
    """The limit itself counts: "at least", "or more"."""
    always: bool = False
    """Asked of the whole time: "stay below", not "drop below"."""

    def passed_by(self, value: float) -> bool:
        """Whether a figure, as rounded for the answer, is on the side asked about."""
        return (value > self.value) == self.above if value != self.value else self.inclusive


@dataclass(frozen=True, slots=True)
class PlanSpan:
    """The stretch asked about, in seconds from the start."""

    start_s: float
    end_s: float
    words: str = ""
    """Words of the question it was taken from; empty means the whole recording."""
    problem: str = ""
    """Why the words could not be placed; then the numbers mean nothing."""


@dataclass(frozen=True, slots=True)
class Plan:
    """One question, understood. A tuned language model may fill the same form later."""

    form: Form
    target: Target
    quantity: str
    """Which figure of the target: "mean", "min", "max", "last", "longest", "count", "duration", "start" …; empty for the usual."""
    span: PlanSpan
    other_span: PlanSpan | None = None
    """The second stretch of a comparison within one recording."""
    """Of two recordings: the stretch of the second one."""
    threshold: Threshold | None = None
    sense: Sense = "straight"
    lead: str = ""
    findings: tuple[str, ...] = ()
    """Rhythms, beats, waves and intervals that the question names: keys of `edge.ask.findings.FINDINGS`, in order."""
    recordings: tuple[str, ...] = ()
    confidence: float = 1.0
    """Of the classifier that chose the target, 0 to 1."""

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return dataclasses.asdict(self)
