"""One question about one or two recordings to one answer: plan, facts, words, check."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from edge.ask.draft import Asked, Draft, Phrase, Verdict
from edge.ask.model_client import LanguageModel
from edge.ask.plan import Plan, PlanSpan
from edge.ask.replies import REPLIES, span_words, trend
from edge.ask.spans import when_text
from edge.ask.understand import is_emergency, named_things, understand
from edge.ask.words import PREFIX, word
from edge.errors import UsageError
from edge.interpret.facts import context_of, measure
from edge.settings import Settings
from edge.types import Annotations, Fact, RecordingInfo, Span

SCHEMA = "anyecg.answer/1"
NOTICE = "Not a medical device and not for emergencies; measured by software, reviewed by nobody."
EMERGENCY = "If this may be an emergency, call your local emergency number now; do not wait for this device."
VERDICT_WORDS: dict[Verdict, str] = {"yes": "Yes.", "no": "No.", "not sure": "That is not certain."}
EXAMPLES = (
    'Ask for example "What was the lowest heart rate?", "Were there pauses?" or "How good is the signal?"'
)
COMPARABLE = {"rate": "heart_rate_mean", "beats": "beat_count", "pauses": "longest_rr", "variability": "rmssd",
              "regularity": "irregular_share", "ectopy": "early_beat_count", "quality": "analysable_share",
              "coverage": "gap_total", "tachycardia": "tachycardia_total", "bradycardia": "bradycardia_total"}  # fmt: skip
FACT_WORDS = {"heart_rate_mean": "mean heart rate", "beat_count": "number of beats", "longest_rr": "longest interval between two beats",
              "rmssd": "RMSSD", "irregular_share": "share of intervals out of step", "early_beat_count": "number of early beats",
              "analysable_share": "share of usable signal", "gap_total": "time missing", "tachycardia_total": "time at a fast rate",
              "bradycardia_total": "time at a slow rate"}  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class Source:
    """A recording with what was found in it."""

    info: RecordingInfo
    annotations: Annotations


@dataclass(slots=True)
class Answerer:
    """Answers questions; the language model is optional and costs fluency only."""

    settings: Settings = field(default_factory=Settings)
    model: LanguageModel | None = None

    def ask(
        self,
        question: str,
        sources: list[Source],
        *,
        from_s: float | None = None,
        to_s: float | None = None,
        on_words: Callable[[str], None] = lambda _: None,
    ) -> dict[str, Any]:
        """Answer as an `anyecg.answer/1` document.

        `from_s` and `to_s` bound the span (offsets from the start); a span in the question lies within them.
        UsageError for an empty or over-long question. `on_words` gets the text as it grows, checked.
        """
        began = time.perf_counter()
        question = checked_question(question, self.settings)
        if not 1 <= len(sources) <= 2:
            raise UsageError("A question is about one recording, or compares two")
        info = sources[0].info
        plan = understand(question, info, self.settings.ask)
        plan = replace(plan, recordings=tuple(source.info.id for source in sources))
        if from_s is not None or to_s is not None:
            plan = _bounded(plan, from_s or 0.0, info.duration_s if to_s is None else to_s)
        planned = time.perf_counter()

        draft = draft_answer(question, plan, sources, self.settings)
        lead = [EMERGENCY] if is_emergency(question) else []
        if draft.verdict and draft.status == "answered":
            lead.append(VERDICT_WORDS[draft.verdict])
        measured = time.perf_counter()
        first_words: list[float] = []

        def forward(text: str) -> None:
            first_words.append(time.perf_counter())
            on_words(" ".join([*lead, text]))

        worded = word(draft, question, self.model, self.settings.ask, forward)
        done = time.perf_counter()
        span = plan.span if draft.status != "out_of_scope" else PlanSpan(0.0, info.duration_s)
        return {
            "schema": SCHEMA,
            "question": question,
            "answer": " ".join([*lead, worded.text]),
            "status": draft.status,
            "plan": plan.as_dict(),
            "span": {
                "start_s": round(span.start_s, 3),
                "end_s": round(span.end_s, 3),
                "start": _iso(info.time_of(span.start_s)),
                "end": _iso(info.time_of(span.end_s)),
            },
            "facts": [fact_document(fact) for fact in draft.facts],
            "locations": None if draft.locations is None else [span_document(s) for s in draft.locations],
            "choice": draft.choice,
            "items": None if draft.items is None else list(draft.items),
            "verdict": draft.verdict,
            "evidence": [span_document(s) for s in _evidence(draft)],
            "analysable_fraction": round(max((f.analysable_fraction for f in draft.facts), default=0.0), 4),
            "source": "measured",
            "model": {"name": self.model.name, "sha256": self.model.sha256}
            if self.model and worded.by_model
            else None,
            "timing_ms": {
                "plan": _ms(planned - began),
                "facts": _ms(measured - planned),
                "first_token": _ms((first_words[0] if first_words else done) - began),
                "total": _ms(done - began),
            },
            "notice": f"{EMERGENCY} {NOTICE}" if is_emergency(question) else NOTICE,
        }


def new_model(settings: Settings) -> LanguageModel:
    """The shipped language model, not yet started."""
    return LanguageModel(PREFIX, settings.ask)


def checked_question(question: str, settings: Settings) -> str:
    """The question without surrounding space; UsageError when there is none, or far too much of it."""
    question = question.strip()
    if not any(ch.isalnum() for ch in question):
        raise UsageError("The question is empty", EXAMPLES)
    if len(question) > settings.ask.max_question_chars:
        raise UsageError(
            f"The question has {len(question)} characters, more than {settings.ask.max_question_chars}",
            "Ask one thing at a time",
        )
    return question


def draft_answer(question: str, plan: Plan, sources: list[Source], settings: Settings) -> Draft:
    """The plain answer to a plan."""
    if plan.target in {"advice", "off_topic", "other_language"}:
        return _out_of_scope(plan)
    if plan.span.problem or (plan.other_span and plan.other_span.problem):
        span = plan.span if plan.span.problem else plan.other_span
        assert span is not None
        text = f'"{span.words}" cannot be placed in this recording: {span.problem}.'
        return Draft("not_measurable", (Phrase(text),), verdict="not sure")
    sides = [_asked(source, plan.span, settings) for source in sources]
    if plan.other_span is not None and len(sources) == 1:
        sides.append(_asked(sources[0], plan.other_span, settings))
    for asked in sides:
        if asked.context.end_s <= asked.context.start_s:
            return _not_recorded(plan, asked)
    if plan.lead and plan.lead not in {lead.name.lower() for lead in sources[0].info.leads}:
        names = ", ".join(lead.name for lead in sources[0].info.leads)
        return Draft(
            "not_recorded",
            (Phrase(f"Lead {plan.lead} is not in this recording; it has {names}."),),
            verdict="not sure",
        )
    if plan.target in {"rhythm", "intervals"} or (plan.target == "ectopy" and _names_origin(question)):
        return _not_judged(question, plan, sides[0])
    if len(sides) == 2 and plan.target in COMPARABLE:
        return _compare(plan, sides, two_recordings=len(sources) == 2)
    if plan.form == "trend" and plan.target in {"rate", "tachycardia", "bradycardia", "summary"}:
        return trend(sides[0], plan)
    return REPLIES[plan.target](sides[0], plan)


def _asked(source: Source, span: PlanSpan, settings: Settings) -> Asked:
    whole = source.info.duration_s
    start_s, end_s = (max(0.0, span.start_s), min(whole, span.end_s)) if span.words else (0.0, whole)
    context = context_of(source.annotations, start_s, end_s, settings.rhythm)
    begin, end = when_text(context.start_s, source.info), when_text(context.end_s, source.info)
    return Asked(source.info, context, span_words(context.start_s, context.end_s, whole, begin, end))


def _bounded(plan: Plan, from_s: float, to_s: float) -> Plan:
    """The plan's span cut to the caller's bounds."""
    if to_s <= from_s:
        raise UsageError("The span ends before it begins", "Give --to a later time than --from")
    start_s, end_s = max(plan.span.start_s, from_s), min(plan.span.end_s, to_s)
    words = plan.span.words or "the span given"
    return replace(plan, span=PlanSpan(start_s, end_s, words, plan.span.problem))


def _not_recorded(plan: Plan, asked: Asked) -> Draft:
    begin, end = when_text(0.0, asked.info), when_text(asked.info.duration_s, asked.info)
    words = plan.span.words or "that time"
    reason = f"the recording covers {begin} to {end}"
    fact = Fact("recorded", None, "s", plan.span.start_s, plan.span.end_s, reason=reason)
    return Draft(
        "not_recorded", (Phrase(f'"{words}" was not recorded: {reason}.'),), (fact,), verdict="not sure"
    )


def _out_of_scope(plan: Plan) -> Draft:
    text = f"That is outside what this can answer. {EXAMPLES}"
    if plan.target == "advice":
        text = "This reports what was measured; what it means for health or treatment is for a doctor to say."
    elif plan.target == "other_language":
        text = f"Questions are understood in English only. {EXAMPLES}"
    return Draft("out_of_scope", (Phrase(text),))


def _names_origin(question: str) -> bool:
    return any("ectopic" in name for name in named_things(question))


def _not_judged(question: str, plan: Plan, asked: Asked) -> Draft:
    """Rhythm names, beat types and waves: said to be unmeasured, with the nearest thing that is measured."""
    names = named_things(question)
    what = (
        ", ".join(names)
        if names
        else {"rhythm": "the name of the rhythm", "intervals": "waves and their intervals"}.get(
            plan.target, "the origin of beats"
        )
    )
    reason = "this version measures when beats come and does not judge rhythm names, beat types or waves"
    fact = Fact(
        plan.target,
        None,
        "",
        asked.context.start_s,
        asked.context.end_s,
        0,
        asked.context.analysable_fraction,
        reason,
    )
    phrases = [Phrase(f"{what[0].upper()}{what[1:]}: not measurable, because {reason}.")]
    facts = [fact]
    if plan.target in {"rhythm", "ectopy"}:
        near = REPLIES["regularity" if plan.target == "rhythm" else "ectopy"](
            asked, replace(plan, form="query")
        )
        if near.status == "answered":
            phrases += [Phrase("What was measured:"), near.phrases[0]]
            facts += near.facts
    return Draft("not_measurable", tuple(phrases), tuple(facts), verdict="not sure")


def _compare(plan: Plan, sides: list[Asked], *, two_recordings: bool) -> Draft:
    """The main figure of both sides and their difference."""
    name = COMPARABLE[plan.target]
    group = (
        "episodes"
        if plan.target in {"tachycardia", "bradycardia"}
        else "regularity"
        if plan.target == "ectopy"
        else plan.target
    )
    values: list[Fact] = []
    for asked in sides:
        facts = measure(asked.context, group)
        values.append(facts.get(name) or next(iter(facts.values())))
    labels = [asked.info.id if two_recordings else _from_to(asked) for asked in sides]
    for fact, label in zip(values, labels, strict=True):
        if fact.value is None or fact.name != name:
            text = f"The {FACT_WORDS[name]} cannot be compared: in {label} it is not measurable ({fact.reason or 'too irregular'})."
            return Draft("not_measurable", (Phrase(text),), tuple(values), verdict="not sure")
    a, b = (float(fact.value or 0.0) for fact in values)
    digits = 2 if values[0].unit == "s" and name == "longest_rr" else 0
    difference = Fact(
        "difference",
        round(b, digits) - round(a, digits),
        values[0].unit,
        sides[1].context.start_s,
        sides[1].context.end_s,
        values[1].n,
        sides[1].context.analysable_fraction,
    )
    assert difference.value is not None
    unit = values[0].unit
    how = (
        "the same"
        if difference.value == 0
        else f"{abs(difference.value):.{digits}f} {unit} {'higher' if difference.value > 0 else 'lower'}"
    )
    text = f"The {FACT_WORDS[name]} was {a:.{digits}f} {unit} in the first ({labels[0]}) and {b:.{digits}f} {unit} in the second ({labels[1]}): {how} in the second."
    choice = "equal" if difference.value == 0 else labels[int(difference.value > 0)]
    return Draft(
        "answered",
        (Phrase(text),),
        (*values, difference),
        choice=choice if plan.form in {"choose", "compare"} else None,
    )


def _from_to(asked: Asked) -> str:
    c = asked.context
    return f"{when_text(c.start_s, asked.info)} to {when_text(c.end_s, asked.info)}"


def _evidence(draft: Draft) -> list[Span]:
    """Where to look: places of the facts that the answer rests on first."""
    seen: list[Span] = []
    for span in (span for fact in draft.facts for span in fact.evidence):
        if span not in seen:
            seen.append(span)
    return seen[:10]


def fact_document(fact: Fact) -> dict[str, Any]:
    """A fact as JSON."""
    return {
        "name": fact.name,
        "value": None if fact.value is None else round(fact.value, 4),
        "unit": fact.unit,
        "start_s": round(fact.start_s, 3),
        "end_s": round(fact.end_s, 3),
        "n": fact.n,
        "reason": fact.reason,
    }


def span_document(span: Span) -> dict[str, Any]:
    """A span as JSON."""
    return {"start_s": round(span.start_s, 3), "end_s": round(span.end_s, 3), "label": span.label}


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()


def _ms(seconds: float) -> float:
    return round(1000 * seconds, 1)
