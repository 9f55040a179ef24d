"""One question about one or two recordings to one answer: plan, facts, words, check."""

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

from edge.ask.compare import comparable, compare, from_to
from edge.ask.draft import SEEN, Asked, Draft, Phrase, Verdict
from edge.ask.model_client import LanguageModel
from edge.ask.no_ecg import without_ecg
from edge.ask.plan import Plan, PlanSpan
from edge.ask.replies import REPLIES
from edge.ask.spans import when_text
from edge.ask.trend import rate_course
from edge.ask.understand import is_emergency, understand
from edge.ask.unmeasured import not_measured, with_unmeasured
from edge.ask.words import PREFIX, word
from edge.errors import UsageError
from edge.inputs import analysis_lead
from edge.interpret.facts import context_of
from edge.settings import Settings
from edge.types import Annotations, Fact, Recording, RecordingInfo, Span

SCHEMA = "anyecg.answer/1"
NOTICE = "Not a medical device and not for emergencies; measured by software, reviewed by nobody."
EMERGENCY = "If this may be an emergency, call your local emergency number now; do not wait for this device."
VERDICT_WORDS: dict[Verdict, str] = {"yes": "Yes.", "no": "No.", "not sure": "That is not certain."}
EXAMPLES = 'Ask for example "What was the lowest heart rate?", "Were there pauses?" or "How good is the signal?"'


@dataclass(frozen=True, slots=True, eq=False)
class Source:
    """A recording with what was found in it."""

    info: RecordingInfo
    annotations: Annotations
    recording: Recording | None = None
    """Its signal, where it is at hand: the ST level is measured in it."""


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
        if len(sources) == 2:  # the same words may be another time in the other recording
            second = understand(question, sources[1].info, self.settings.ask)
            plan = replace(plan, other_span=second.other_span or second.span)
        if from_s is not None or to_s is not None:
            plan = _bounded(plan, from_s, to_s, sources)
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

        rr_only = any(source.info.rr_only for source in sources)
        worded = word(draft, question, self.model, self.settings.ask, forward, rr_only=rr_only)
        done = time.perf_counter()
        span, fraction = _looked_at(plan, sources[0], draft, self.settings)
        return {
            "schema": SCHEMA,
            "question": question,
            "answer": " ".join([*lead, worded.text]),
            "status": draft.status,
            "plan": plan.as_dict(),
            "span": {
                "start_s": round(span.start_s, 3),
                "end_s": round(span.end_s, 3),
                "start": _iso(span.start_s, info),
                "end": _iso(span.end_s, info),
            },
            "facts": [fact_document(fact) for fact in draft.facts],
            "locations": None if draft.locations is None else [span_document(s) for s in draft.locations],
            "choice": draft.choice,
            "items": None if draft.items is None else list(draft.items),
            "verdict": draft.verdict,
            "evidence": [span_document(s) for s in _evidence(draft)],
            "analysable_fraction": round(fraction, 4),
            "source": "measured",
            "model": {"name": self.model.name, "sha256": self.model.sha256} if self.model and worded.by_model else None,
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
    question = question.encode(errors="replace").decode().strip()  # half a character cannot be shown
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
    spans = [plan.span] if plan.other_span is None else [plan.span, plan.other_span]
    for span in spans:
        if span.problem:
            text = f'"{span.words}" cannot be placed in this recording: {span.problem}.'
            return Draft("not_measurable", (Phrase(text),), verdict="not sure")
    owners = sources if len(sources) == 2 else sources * len(spans)
    sides = [_asked(source, span, settings) for source, span in zip(owners, spans, strict=False)]
    if draft := without_ecg(question, plan, sides):
        return draft
    for asked, span in zip(sides, spans, strict=False):
        if asked.context.end_s <= asked.context.start_s:
            return _not_recorded(span, asked)
    if plan.lead and (draft := _other_lead(plan, sources[0].info)):
        return draft
    if plan.target == "pauses" and "asystole" in plan.findings and all(s.context.annotations.read for s in sides):
        plan = replace(plan, target="rhythm")
    if draft := not_measured(plan, sides):
        pass
    elif len(sides) == 2 and (figure := comparable(plan, sides)):
        return compare(question, plan, sides, figure, two_recordings=len(sources) == 2)
    elif plan.form == "trend" and plan.target in {"rate", "tachycardia", "bradycardia", "summary"}:
        draft = rate_course(sides[0])
    else:
        draft = with_unmeasured(_in_sense(REPLIES[plan.target](sides[0], plan), plan), plan)
    if plan.target in {"tachycardia", "bradycardia"} and "sinus" in plan.findings:
        draft = _with_rhythm(draft, plan, sides[0])
    if sides[0].recorded_share < SEEN and draft.status == "answered":
        told = f'Of "{plan.span.words}" only {from_to(sides[0])} was recorded.'
        draft = replace(draft, phrases=(*draft.phrases, Phrase(told)))
    if len(sides) == 2:
        which = f"recording {sides[0].info.id}" if len(sources) == 2 else from_to(sides[0])
        draft = replace(draft, phrases=(*draft.phrases, Phrase(f"This is about {which} alone.")))
    return draft


def _with_rhythm(draft: Draft, plan: Plan, asked: Asked) -> Draft:
    """ "Sinus tachycardia" asks for the rhythm, too."""
    rhythm = REPLIES["rhythm"](asked, replace(plan, target="rhythm", form="query", threshold=None))
    return replace(draft, phrases=(*draft.phrases, rhythm.phrases[0]), facts=(*draft.facts, *rhythm.facts))


def _in_sense(draft: Draft, plan: Plan) -> Draft:
    """The verdict on the question instead of the figure: "is it free of gaps?" is a yes where no gap was found."""
    if draft.status != "answered" or draft.verdict not in {"yes", "no"} or plan.sense == "straight":
        return draft
    if plan.sense == "unclear":
        return replace(draft, verdict=None)
    return replace(draft, verdict="no" if draft.verdict == "yes" else "yes")


def _other_lead(plan: Plan, info: RecordingInfo) -> Draft | None:
    """Says so when the question names a lead that is not there, or not the one that beats were found in."""
    names = [lead.name for lead in info.leads]
    named = {"avr": "aVR", "avl": "aVL", "avf": "aVF"}.get(plan.lead, plan.lead.upper())
    if plan.lead not in [name.lower() for name in names]:
        text = f"Lead {named} is not in this recording; it has {', '.join(names)}."
        return Draft("not_recorded", (Phrase(text),), verdict="not sure")
    analysed = names[analysis_lead(info.leads)]
    if plan.target == "recording" or plan.lead == analysed.lower():
        return None
    text = f"Lead {named} was recorded, but beats and signal quality were measured in lead {analysed} only."
    return Draft("not_measurable", (Phrase(text),), verdict="not sure")


def _asked(source: Source, span: PlanSpan, settings: Settings) -> Asked:
    whole = source.info.duration_s
    start_s, end_s = (max(0.0, span.start_s), min(whole, span.end_s)) if span.words else (0.0, whole)
    info, recording = source.info, source.recording
    lead = 0 if info.rr_only else analysis_lead(info.leads)
    context = context_of(
        source.annotations, start_s, end_s, settings.rhythm, rr_only=info.rr_only, recording=recording, lead=lead
    )
    begin, end = when_text(context.start_s, source.info), when_text(context.end_s, source.info)
    over = f"between {begin} and {end}"
    if context.start_s <= 0 and context.end_s >= whole - 0.5:
        over = "over the whole recording"
    share = (context.end_s - context.start_s) / (span.end_s - span.start_s) if span.words else 1.0
    return Asked(source.info, context, over, share)


def _bounded(plan: Plan, from_s: float | None, to_s: float | None, sources: list[Source]) -> Plan:
    """The plan's spans cut to the caller's bounds."""
    if to_s is not None and to_s <= (from_s or 0.0):
        raise UsageError("The span ends before it begins", "Give --to a later time than --from")

    def cut(span: PlanSpan, source: Source) -> PlanSpan:
        start_s = max(span.start_s, from_s or 0.0)
        end_s = min(span.end_s, source.info.duration_s if to_s is None else to_s)
        if span.words and end_s <= start_s and not span.problem:
            return replace(span, problem="it lies outside the time given beside the question")
        return PlanSpan(start_s, end_s, span.words or "the time given", span.problem)

    other = plan.other_span
    return replace(plan, span=cut(plan.span, sources[0]), other_span=other and cut(other, sources[-1]))


def _looked_at(plan: Plan, source: Source, draft: Draft, settings: Settings) -> tuple[PlanSpan, float]:
    """What of the recording was looked at, and how much of that could be analysed."""
    whole_s, span = source.info.duration_s, plan.span
    if draft.status == "out_of_scope" or not (span.words or span.problem):
        span = PlanSpan(0.0, whole_s)
    elif not span.problem and span.start_s < whole_s and span.end_s > 0:
        span = replace(span, start_s=max(0.0, span.start_s), end_s=min(whole_s, span.end_s))
    if draft.facts:
        return span, max(fact.analysable_fraction for fact in draft.facts)
    context = context_of(source.annotations, span.start_s, span.end_s, settings.rhythm, rr_only=source.info.rr_only)
    return span, context.analysable_fraction


def _not_recorded(span: PlanSpan, asked: Asked) -> Draft:
    begin, end = when_text(0.0, asked.info), when_text(asked.info.duration_s, asked.info)
    reason = f"the recording covers {begin} to {end}"
    fact = Fact("recorded", None, "s", span.start_s, span.end_s, reason=reason)
    text = f'"{span.words or "that time"}" was not recorded: {reason}.'
    return Draft("not_recorded", (Phrase(text),), (fact,), verdict="not sure")


def _out_of_scope(plan: Plan) -> Draft:
    text = f"That is outside what this can answer. {EXAMPLES}"
    if plan.target == "advice":
        text = "This reports what was measured; what it means for health or treatment is for a doctor to say."
    elif plan.target == "other_language":
        text = f"Questions are understood in English only. {EXAMPLES}"
    return Draft("out_of_scope", (Phrase(text),))


def _evidence(draft: Draft) -> list[Span]:
    """Where to look: places of the facts that the answer rests on first."""
    seen: list[Span] = []
    for fact in draft.facts:
        # The whole span is no place to look at.
        seen += [s for s in fact.evidence if s not in seen and s.duration_s < fact.end_s - fact.start_s]
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


def _iso(offset_s: float, info: RecordingInfo) -> str | None:
    with suppress(OverflowError):  # before the year 1
        moment = info.time_of(offset_s)
        return None if moment is None else moment.isoformat()
    return None


def _ms(seconds: float) -> float:
    return round(1000 * seconds, 1)
