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


@dataclass(frozen=True, slots=True)
class Threshold:
    """A limit that the question names: "over 130", "longer than 3 s"."""

    above: bool
    value: float
    words: str


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
    threshold: Threshold | None = None
    lead: str = ""
    recordings: tuple[str, ...] = ()
    confidence: float = 1.0
    """Of the classifier that chose the target, 0 to 1."""

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return dataclasses.asdict(self)
