"""Question to plan: the classifier names target and form, plain code reads spans, figures and limits."""

import re

from edge.ask.classify import Classifier, shipped_classifier
from edge.ask.findings import FINDINGS, JUDGED, POLARITY, findings_in, target_of
from edge.ask.limits import limits_in, other_way, sense_of
from edge.ask.plan import TARGETS, Form, Plan, PlanSpan, Sense, Target, Threshold
from edge.ask.spans import NOW_S, AskedSpan, read_spans
from edge.settings import AskSettings
from edge.types import RecordingInfo

MAX_BARE_WORDS = 3  # a question of so few words is a name and no sentence

_QUANTITIES: tuple[tuple[str, str], ...] = (
    (
        "min",
        r"\b(min(?:imum)?|lowest|slowest|least|smallest|low(?:er)?|bottom(?:ed)?|drop(?:ped)?|fall|fell|dip(?:ped)?|nadir)\b",
    ),
    ("max", r"\b(max(?:imum)?|highest|fastest|peak(?:ed)?|top|most|largest|high|greatest|up to)\b"),
    ("longest", r"\b(longest|biggest|worst)\b"),
    ("shortest", r"\bshortest\b"),
    ("last", r"\b(now|currently|current|at the moment|at present|latest)\b"),
    ("mean", r"\b(mean|average|avg|typical|overall)\b"),
    ("count", r"\b(how many|how often|number of|count|times|tally|total)\b"),
    ("duration", r"\b(how long|duration|length|total time|how much time|minutes of|hours of)\b"),
)
_NAMED_EXTREMES = {
    "min": r"\b(min(?:imum)?|lowest|slowest|smallest)\b",
    "max": r"\b(max(?:imum)?|highest|fastest|peak(?:ed)?|largest)\b",
}
_NOW = re.compile(r"\b(?:now|currently|at the moment|at present)\b")
_RECORDING_PARTS: tuple[tuple[str, str], ...] = (
    ("rate", r"\b(sampling|sample rate|samples per second|hz|frequency)\b"),
    ("leads", r"\b(leads?|channels?|electrodes?|derivations?)\b"),
    ("start", r"\b(start(?:ed)?|begin|began|begun|first sample|when was)\b"),
    ("end", r"\b(end(?:ed)?|stop(?:ped)?|finish(?:ed)?|last sample)\b"),
    ("duration", r"\b(how long|duration|length|hours|minutes|long)\b"),
)
_LIVE = r"\b(?:still|is (?:the|my|her|his) (?:strap|belt|sensor|device|monitor)|currently|connected|on now|worn|right now|battery)\b"
_PARTS_OF_FINDINGS: tuple[tuple[str, str], ...] = (
    ("share", r"(?:%|per cent|\b(?:burden|load|percent\w*|share|fraction|proportion|density)\b|\bhow much of\b)"),
    ("sustained", r"(?<!non-)(?<!non )\bsustained\b"),
    ("mean", r"\b(?:mean|average|avg|typical)\b"),
    ("max", r"\b(?:fastest|highest|maximum|max|peak)\b"),
    ("longest", r"\b(?:longest|biggest|worst)\b"),
    ("shortest", r"\bshortest\b"),
    ("min", r"\b(?:lowest|slowest|minimum|min)\b"),
    ("rate", r"\b(?:how fast|rates?|bpm|beats per minute|pulse)\b"),
    ("per hour", r"\b(?:per|an|each|every) hour\b|/ ?h(?:r|our)?\b|\bhow (?:often|frequent\w*)\b|\bfrequency\b"),
    ("count", r"\b(?:how many|number of|count|times|tally|total number|episodes|attacks|spells|bouts)\b"),
    ("duration", r"\b(?:how long|duration|total|how much|time in|time spent|hours|minutes)\b"),
    ("last", r"\b(?:still|now|currently|current|at the moment|at present|latest|last)\b"),
)
# "Was the VT fast?", "is the AF persistent?": the figures are told, and the judgement left to people.
_OPEN = re.compile(
    r"\b(?:frequent\w*|many|lots?|often|rapid|slow|fast|long|short|high|persistent|permanent|paroxysmal|chronic|new"
    r"|controlled|mostly|only|whole|continuous\w*|constant\w*|throughout|entire\w*|dangerous|serious|harmless)\b"
)
_STILL = re.compile(r"\bstill\b")
_ABSENT = re.compile(r"\b(?:miss\w*|absen\w*|gone|lack\w*|vanish\w*|disappear\w*|lost)\b")
_MEASURED = frozenset(TARGETS) - {"recording", "advice", "off_topic", "other_language"}
_EMERGENCY = re.compile(
    r"\b(?:heart attack|cardiac arrest|(?:can'?t|can ?not|cannot|couldn'?t|not|hard to|struggling to|trouble|difficulty"
    r"|stopped|unable to) breath(?:e|ing)|short(?:ness)? of breath|breathless|gasping|chok(?:ing|ed)"
    r"|chest (?:pain|hurts?|ache|tight\w*|pressure|is (?:tight|hurting))|(?:pain|pressure|tightness|hurts) in (?:my|his|her|the|their)"
    r" (?:chest|(?:left )?arm|jaw)|numb (?:arm|face)|faint(?:ed|ing)?|pass(?:ed|ing)? out|black(?:ed|ing) out|unconscious"
    r"|unresponsive|not respond\w*|(?:won'?t|will not|does not|doesn'?t) wake|collaps\w+|stroke|seizure|dying|emergency"
    r"|ambulance|blue lips|overdos\w+|suicid\w*|call (?:911|112|999))\b"
)
_WANTS_ADVICE = re.compile(
    r"\b(should|shall|ought|can i|may i|could i|safe|danger\w*|doctor|hospital|medic\w*|pills?|take|worr\w*|serious|need|bad for|good for|come from|wrong|why|cause\w*|treat\w*|die|risk)\b"
)
_LEAD = re.compile(r"\blead\s+(avr|avl|avf|iii|ii|i|v[1-9]|mlii|mliii|ml1|v)\b")

_FORM_RULES: tuple[tuple[Form, str], ...] = (
    ("report", r"\b(report|overview|summar\w+|findings|run[- ]?down|tell me about|describe)\b"),
    (
        "compare",
        r"\b(compar\w+|versus|vs\.?|difference between|than (?:in|on|at|during|the|last|yesterday|earlier|before)|relative to)\b",
    ),
    (
        "trend",
        r"\b(trend\w*|over time|chang(?:e|ed|ing)|evolv\w+|creep\w*|develop\w*|increas\w+ over|course of|as the \w+ went on|settl\w+|from hour to hour|hour by hour)\b",
    ),
    (
        "locate",
        r"\b(when|where|at what (?:time|point|moment)|what time|which (?:part|minute|hour|moment|stretch)|show me|point out|locate|(?<!you )find)\b",
    ),
)


def understand(question: str, info: RecordingInfo, settings: AskSettings, classifier: Classifier | None = None) -> Plan:
    """The plan of a question about one recording. Never raises on any text."""
    classifier = classifier or shipped_classifier()
    target, confidence, form = classifier.classify(question)
    text = _plain(question)
    findings, deciding = findings_in(text)
    if target == "advice" and is_emergency(question):
        target, confidence, form = _measurable_part(text, classifier) or (target, confidence, form)
    asked = target_of(deciding)
    if target == "advice" and findings and not _WANTS_ADVICE.search(text):
        target = asked or FINDINGS[findings[0]].target  # "do I have AFib?" asks what is in the signal
    elif target == "off_topic" or confidence < settings.plan_confidence:
        target = asked or "off_topic"
    elif target == "other_language" and asked and text.isascii() and len(text.split()) <= MAX_BARE_WORDS:
        target = asked  # "WPW?" is of no language
    target = _named_target(text, target, asked)
    if target == "recording" and POLARITY.intersection(findings):
        target = "intervals"
    spans, text = read_spans(question, info)  # "6 min" is no minimum
    limits = limits_in(text, any_length=target == "pauses")
    lead = _LEAD.search(text)
    findings = findings_in(text)[0]
    span = _plan_span(spans[0]) if spans else PlanSpan(0.0, info.duration_s)
    if target == "rhythm" and not spans and (still := _STILL.search(text)):
        span = PlanSpan(max(0.0, info.now_s - NOW_S), info.now_s, still.group())
    return Plan(
        form=_form(text, target, form, spans, limits),
        target=target,
        quantity=_quantity(text, target, limits, spans),
        span=span,
        other_span=_plan_span(spans[1]) if len(spans) > 1 else None,
        threshold=limits[0] if limits else None,
        sense=_sense(text, target, limits, findings, spans),
        lead=lead.group(1) if lead else "",
        findings=tuple(findings),
        confidence=round(confidence, 3),
    )


def is_emergency(question: str) -> bool:
    """True where the words may describe an emergency; better once too often."""
    return _EMERGENCY.search(_plain(question)) is not None


def _sense(text: str, target: Target, limits: list[Threshold], findings: list[str], spans: list[AskedSpan]) -> Sense:
    """As `sense_of`; "normal" beside "sinus" is a part of the name and no judgement."""
    if findings and target not in JUDGED and not (target == "pauses" and findings == ["asystole"]):
        return "unclear"
    if not findings or target not in JUDGED:
        return sense_of(text, target, limits)
    lasting = re.search(r"\bbeen\b", text) and any(span.words.startswith("since") for span in spans)
    if lasting or _OPEN.search(text):
        return "unclear"
    return sense_of(re.sub(r"\bnormal (?=sinus)", "", text), "rhythm", limits)


def _measurable_part(text: str, classifier: Classifier) -> tuple[Target, float, Form] | None:
    """What a part of an emergency's words asks to be measured: "I have chest pain, what is my heart rate?"."""
    for part in re.split(r"[.,;:!?]+|\band\b", text):
        found = classifier.classify(part)
        if found[0] not in {"advice", "off_topic", "other_language"} and found[1] > 0.5:
            return found
    return None


def _form(text: str, target: Target, guessed: Form, spans: list[AskedSpan], limits: list[Threshold]) -> Form:
    """Plain words decide where they are plain; the classifier decides the rest."""
    if target == "summary":
        return "report"
    for form, pattern in _FORM_RULES:
        if re.search(pattern, text) and not (form == "report" and target not in {"summary", "off_topic"}):
            if form == "compare" and len(spans) < 2 and guessed not in {"compare", "choose"}:
                continue
            if form == "locate" and target == "recording":
                return "query"
            if form == "compare" and limits:
                continue  # "more than 100 beats"
            return form
    if guessed == "verify" and len(spans) > 1 and re.search(r"\bor\b", text):
        return "choose"
    if target in JUDGED and guessed in {"verify", "query"}:
        if re.match(r" *(?:the )?(?:longest|shortest|fastest|slowest|highest|lowest)\b", text):
            return "query"
        if limits and not re.search(r"\b(?:how|what|which|count|number)\b", text):
            return "verify"  # "VT above 150?"
    if guessed in {"choose", "compare"} and limits and not re.search(r"\bor\b", _without(text, limits)):
        guessed = "verify"  # "3 s or longer" is no choice
    return "verify" if guessed == "choose" and re.search(r"\bor (?:not|no)\b", text) else guessed


def _without(text: str, limits: list[Threshold]) -> str:
    for limit in limits:
        text = text.replace(limit.words, " ")
    return text


def _quantity(text: str, target: Target, limits: list[Threshold], spans: list[AskedSpan]) -> str:
    """Which figure is asked for. Beside a limit only its plain names count: "did it drop below 50?" names none."""
    if target == "coverage" and re.search(_LIVE, text + " ".join(span.words for span in spans)):
        return "live"
    if other := other_way(text, target):
        return other
    if target == "intervals" and _ABSENT.search(text):
        return "absent"
    if target in {"rate", "tachycardia", "bradycardia"} and any(_NOW.search(span.words) for span in spans):
        return "last"
    text = _without(text, limits)
    patterns = _PARTS_OF_FINDINGS if target in JUDGED else _QUANTITIES
    if target == "recording":
        patterns = _RECORDING_PARTS
    for name, pattern in patterns:
        if re.search(_NAMED_EXTREMES.get(name, pattern) if limits else pattern, text):
            return name
    return "last" if target in JUDGED and any(_NOW.search(span.words) for span in spans) else ""


def _named_target(text: str, target: Target, asked: Target | None) -> Target:
    """A rhythm, beat type or wave that is named is asked for, whatever else the words resemble."""
    if asked and target in _MEASURED:
        return asked
    if target == "beats" and re.search(r"\b(?:per|a|each) minute\b|\bbpm\b", text):
        return "rate"
    if target == "recording" and re.search(r"\bstill (?:recording|running|going|on|worn|connected)\b", text):
        return "coverage"
    return target


def _plan_span(asked: AskedSpan) -> PlanSpan:
    return PlanSpan(asked.start_s, asked.end_s, asked.words, asked.problem)


def _plain(question: str) -> str:
    """Lower case, with the apostrophe that phones write replaced by the plain one."""
    return question.lower().replace("’", "'")
