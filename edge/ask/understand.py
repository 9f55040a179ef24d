"""Question to plan: the classifier names target and form, plain code reads spans, figures and limits."""

import re

from edge.ask.classify import Classifier, shipped_classifier
from edge.ask.plan import Form, Plan, PlanSpan, Target, Threshold
from edge.ask.spans import AskedSpan, spans_in
from edge.settings import AskSettings
from edge.types import RecordingInfo

_QUANTITIES: tuple[tuple[str, str], ...] = (
    ("min", r"\b(min(?:imum)?|lowest|slowest|least|smallest|low(?:er)?|bottom(?:ed)?|drop(?:ped)?|fall|fell|dip(?:ped)?|nadir)\b"),
    ("max", r"\b(max(?:imum)?|highest|fastest|peak(?:ed)?|top|most|largest|high|greatest|up to)\b"),
    ("longest", r"\b(longest|biggest|worst)\b"),
    ("shortest", r"\bshortest\b"),
    ("last", r"\b(now|currently|current|at the moment|at present|latest)\b"),
    ("mean", r"\b(mean|average|avg|typical|overall)\b"),
    ("count", r"\b(how many|how often|number of|count|times|tally|total)\b"),
    ("duration", r"\b(how long|duration|length|total time|how much time|minutes of|hours of)\b"),
)
_RECORDING_PARTS: tuple[tuple[str, str], ...] = (
    ("rate", r"\b(sampling|sample rate|samples per second|hz|frequency)\b"),
    ("leads", r"\b(leads?|channels?|electrodes?|derivations?)\b"),
    ("start", r"\b(start(?:ed)?|begin|began|begun|first sample|when was)\b"),
    ("end", r"\b(end(?:ed)?|stop(?:ped)?|finish(?:ed)?|last sample)\b"),
    ("duration", r"\b(how long|duration|length|hours|minutes|long)\b"),
)
# The word that turns a yes/no question round: "is it irregular?" and "is it regular?" have opposite answers.
_SENSE: dict[str, tuple[tuple[str, str], ...]] = {
    "regularity": (("irregular", r"\b(irregular\w*|uneven|erratic|unsteady|chaotic|all over the place|not (?:regular|steady|even)|jump\w*|vary\w*|varies|stumbl\w*)\b"),),
    "coverage": (
        ("live", r"\b(still|is (?:the|my|her|his) (?:strap|belt|sensor|device|monitor)|currently|connected|on now|worn|right now|battery)\b"),
        ("continuous", r"\b(complete|continuous\w*|uninterrupted|whole|unbroken|seamless|all there|everything)\b"),
    ),
    "quality": (("noisy", r"\b(nois\w*|artefact\w*|artifact\w*|interference|bad|poor|disturb\w*|distort\w*|hum|wander\w*|messy|unreadable|unusable|loose|problem\w*|garbage|rubbish)\b"),),
}
_NAMED: dict[str, str] = {
    "atrial fibrillation": r"\b(a\.?\s?fib|afib|af|atrial fib\w*|fibrillat\w*)\b",
    "atrial flutter": r"\bflutter\w*\b",
    "ventricular tachycardia": r"\b(vt|v-?tach|ventricular tach\w*)\b",
    "supraventricular tachycardia": r"\b(svt|psvt|supraventricular tach\w*)\b",
    "sinus rhythm": r"\b(sinus|nsr)\b",
    "AV block": r"\b(av[- ]?block|heart block|wenckebach|mobitz|block)\b",
    "paced rhythm": r"\b(paced|pacemaker|pacing)\b",
    "ventricular ectopic beats": r"\b(pvcs?|vpcs?|ves|vebs?|ventricular)\b",
    "supraventricular ectopic beats": r"\b(pacs?|apcs?|svebs?|sves|atrial (?:premature|ectop|extra)\w*|supraventricular)\b",
    "the QT interval": r"\bqtc?\b",
    "the PR interval": r"\bpr\b",
    "the QRS width": r"\bqrs\b",
    "the ST segment": r"\bst\b|\bst[- ](?:segment|elevation|depression|change)",
    "P waves": r"\bp[- ]?waves?\b",
    "T waves": r"\bt[- ]?waves?\b",
}
_LIMIT = re.compile(
    r"(?P<above>>=?|\b(?:above|over|more than|greater than|higher than|faster than|longer than|exceed\w*|at least|reach\w*)\b)\s*"
    r"(?P<value>\d+(?:\.\d+)?|two|three|four|five)(?![\d:])"
    r"|(?P<below><=?|\b(?:below|under|less than|fewer than|lower than|slower than|shorter than|down to|beneath)\b)\s*"
    r"(?P<value2>\d+(?:\.\d+)?|two|three|four|five)(?![\d:])"
)
_WORD_VALUES = {"two": 2.0, "three": 3.0, "four": 4.0, "five": 5.0}
_EMERGENCY = re.compile(
    r"\b(heart attack|can'?t breathe|cannot breathe|struggling to breathe|short of breath|breathless|"
    r"chest (?:pain|hurts|tightness|pressure)|(?:pain|pressure|tightness) in (?:my|his|her|the) chest|"
    r"faint(?:ed|ing)?|pass(?:ed|ing) out|unconscious|unresponsive|collaps\w+|stroke|dying|emergency|ambulance|"
    r"not breathing|blue lips|call (?:911|112|999))\b"
)
_WANTS_ADVICE = re.compile(r"\b(should|shall|ought|can i|may i|could i|safe|danger\w*|doctor|hospital|medic\w*|pills?|take|worr\w*|serious|why|cause\w*|treat\w*|die|risk)\b")
_LEAD = re.compile(r"\blead\s+(avr|avl|avf|iii|ii|i|v[1-9]|mlii|mliii|ml1|v)\b")

_FORM_RULES: tuple[tuple[Form, str], ...] = (
    ("report", r"\b(report|overview|summar\w+|findings|run[- ]?down|tell me about|describe)\b"),
    ("compare", r"\b(compar\w+|versus|vs\.?|difference between|than (?:in|on|at|during|the|last|yesterday|earlier|before)|relative to)\b"),
    ("trend", r"\b(trend\w*|over time|chang(?:e|ed|ing)|evolv\w+|creep\w*|develop\w*|increas\w+ over|course of|as the \w+ went on|settl\w+|from hour to hour|hour by hour)\b"),
    ("locate", r"\b(when|where|at what (?:time|point|moment)|what time|which (?:part|minute|hour|moment|stretch)|show me|point out|locate|find)\b"),
)


def understand(
    question: str, info: RecordingInfo, settings: AskSettings, classifier: Classifier | None = None
) -> Plan:
    """The plan of a question about one recording. Never raises on any text."""
    classifier = classifier or shipped_classifier()
    target, confidence, form = classifier.classify(question)
    text = question.lower()
    if target == "advice" and is_emergency(question):
        target, confidence, form = _measurable_part(text, classifier) or (target, confidence, form)
    if target == "advice" and named_things(question) and not _WANTS_ADVICE.search(text):
        target = "rhythm"  # "do I have AFib?" asks what is in the signal
    if confidence < settings.plan_confidence:
        target = "off_topic"
    spans = spans_in(question, info)
    for span in spans:
        text = text.replace(span.words, " ")  # "6 min" is no minimum
    lead = _LEAD.search(text)
    return Plan(
        form=_form(text, target, form, spans),
        target=target,
        quantity=_quantity(text, target),
        span=_plan_span(spans[0]) if spans else PlanSpan(0.0, info.duration_s),
        other_span=_plan_span(spans[1]) if len(spans) > 1 else None,
        threshold=_threshold(text),
        lead=lead.group(1) if lead else "",
        confidence=round(confidence, 3),
    )


def named_things(question: str) -> list[str]:
    """Rhythms, beats and waves that a question names, in this project's words."""
    text = question.lower()
    return [name for name, pattern in _NAMED.items() if re.search(pattern, text)]


def is_emergency(question: str) -> bool:
    """True where the words may describe an emergency; better once too often."""
    return _EMERGENCY.search(question.lower()) is not None


def _measurable_part(text: str, classifier: Classifier) -> tuple[Target, float, Form] | None:
    """What a part of an emergency's words asks to be measured: "I have chest pain, what is my heart rate?"."""
    for part in re.split(r"[.,;:!?]+|\band\b", text):
        found = classifier.classify(part)
        if found[0] not in {"advice", "off_topic", "other_language"} and found[1] > 0.5:
            return found
    return None


def _form(text: str, target: Target, guessed: Form, spans: list[AskedSpan]) -> Form:
    """Plain words decide where they are plain; the classifier decides the rest."""
    if target == "summary":
        return "report"
    for form, pattern in _FORM_RULES:
        if re.search(pattern, text) and not (form == "report" and target not in {"summary", "off_topic"}):
            if form == "compare" and len(spans) < 2 and guessed not in {"compare", "choose"}:
                continue
            if form == "locate" and target == "recording":
                return "query"
            return form
    return guessed


def _quantity(text: str, target: Target) -> str:
    for name, pattern in _SENSE.get(target, ()):
        if re.search(pattern, text):
            return name
    for name, pattern in _RECORDING_PARTS if target == "recording" else _QUANTITIES:
        if re.search(pattern, text):
            return name
    return ""


def _threshold(text: str) -> Threshold | None:
    match = _LIMIT.search(text)
    if match is None:
        return None
    value = match["value"] or match["value2"]
    return Threshold(match["above"] is not None, _WORD_VALUES.get(value) or float(value), match.group())


def _plan_span(asked: AskedSpan) -> PlanSpan:
    return PlanSpan(asked.start_s, asked.end_s, asked.words, asked.problem)
