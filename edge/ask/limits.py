"""Limits in questions ("over 130", "3 s or longer"), and words that turn a yes-or-no question round."""

import re
from typing import Literal

from edge.ask.plan import Sense, Target, Threshold

_UNITS: dict[str, tuple[Literal["rate", "beats", "time", "count", "share"], float]] = {
    r"ms|msecs?|milliseconds?": ("time", 0.001),
    r"s|secs?|seconds?": ("time", 1.0),
    r"m|mins?|minutes?": ("time", 60.0),
    r"h|hrs?|hours?": ("time", 3600.0),
    r"bpm|(?:heart)?beats? (?:per|a) ?min(?:ute)?|beats?/min": ("rate", 1.0),
    r"(?:\w+ )?(?:heart)?beats?": ("beats", 1.0),
    r"(?:\w+ )?(?:pauses?|gaps?|dropouts?|episodes?|times)": ("count", 1.0),
    r"%|percent|per cent": ("share", 1.0),
}
_VALUE = (
    r"(?:about |around )?(?<![\d:.])(?P<value>\d+(?:\.\d+)?|an?(?= (?:second|minute|hour)\b))(?![\d:]|[.,]\d| \d)"
    rf"(?:[ -]?(?P<unit>{'|'.join(_UNITS)})(?![a-z]))?"
)
_UP_TO = r"(?:go|goes|went|gone|get|gets|got|rise|rose|risen|climb\w*|jump\w*|shoot|shot) (?:\w+ )?up to"
_FORMS: tuple[tuple[bool, bool, str], ...] = (
    (True, True, rf"(?:\b(?:(?:at least )?(?:reach\w*|hit|{_UP_TO})|at least)|>=|≥) ?{_VALUE}"),
    (
        True,
        False,
        r"(?:\b(?:above|over|more than|greater than|higher than|faster than|longer than|wider than|broader than|exceed\w*|in excess of"
        rf"|beyond|past)|>) ?{_VALUE}",
    ),
    (False, True, rf"(?:\b(?:at most|down to)|<=|≤) ?{_VALUE}"),
    (
        False,
        False,
        rf"(?:\b(?:below|under|less than|fewer than|lower than|slower than|shorter than|narrower than|beneath)|<) ?{_VALUE}",
    ),
    (True, True, rf"{_VALUE} ?(?:\+|or (?:more|over|above|higher|faster|longer)\b)"),
    (False, True, rf"{_VALUE} or (?:less|fewer|under|below|lower|slower|shorter)\b"),
)
# Without a comparison only a length of time is a limit: "a pause of 3 s", "did it race for 10 minutes?".
_LENGTHS = (rf"\b(?:of|for) {_VALUE}", rf"{_VALUE}[ -](?:long )?(?:pauses?|gaps?)\b")
_ALL_FORMS = [(above, inclusive, re.compile(form), False) for above, inclusive, form in _FORMS] + [
    (True, True, re.compile(form), True) for form in _LENGTHS
]
_ANY_LENGTH = (True, True, re.compile(_VALUE), True)
# A comparison with something that is no limit: "above normal", "more than once".
_COMPARISON = re.compile(
    r"\b(?:above|below|(?:more|less|fewer|greater|higher|lower|faster|slower|longer|shorter|wider|narrower) than|at least|at most"
    r"|exceed\w*|over(?= \d))\b"
)
_VAGUE = re.compile(r"\b(?:sustained|prolonged|for (?:a )?(?:long|while|stretch)|most of|mostly)\b")
# Asked whether all is well: the figure is told, and the judgement left to people.
_WELL = re.compile(r"\b(?:normal\w*|okay|ok|fine|healthy|calm\w*|in range|under control|safe|usual\w*)\b")
_EITHER = re.compile(r"\bor (?!not\b|no\b|any\b)|\btoo (?:much|many)\b")
_ALWAYS = re.compile(
    r"\b(?:stay(?:s|ed)?|remain\w*|always|keeps?|kept|throughout|constantly|consistently|at all times"
    r"|(?:all|the whole|the entire) (?:of )?the time|the whole time|all (?:the )?(?:beats|intervals))\b"
)
_FLAW = r"(?:gap|interrupt|hole|loss|nois|artefact|artifact|pause|dropout|break|problem|disturb|irregular|interfer)"
_TURNING = re.compile(
    rf"\bfree (?:of|from)\b|\b(?:without|lacking)(?: \w+){{0,2}}? {_FLAW}|\b{_FLAW}\w*-free\b|\bgapless\b"
)
_NEGATIVE = re.compile(r"(?<!or )(?<!if )\b(?:no|not|never|none|neither|nor|cannot|nothing|nowhere|hardly|barely)\b")
# A yes-or-no question may ask for the one or for the other: "is it irregular?", "is it regular?".
_OTHER_WAY: dict[str, tuple[str, str, str]] = {
    "regularity": (
        "irregular",
        r"\b(?:irregular\w*|uneven\w*|erratic\w*|unsteady|chaotic|all over the place|jump\w*|vary\w*|varies|stumbl\w*)\b",
        r"\b(?:regular\w*|steady|steadily|even|evenly|uniform\w*|rhythmic\w*)\b",
    ),
    "coverage": (
        "continuous",
        r"\b(?:complete\w*|continuous\w*|uninterrupted\w*|whole|unbroken|seamless\w*|all there|everything|intact)\b",
        r"\b(?:gap\w*|holes?|miss\w*|los[est]\w*|drop\w*|interrupt\w*|breaks?|broke\w*|disconnect\w*|incomplete|cut"
        r"|fail\w*|absent|blank|empty|stop\w*)\b",
    ),
    "quality": (
        "noisy",
        r"\b(?:nois\w*|art[ei]fact\w*|interfer\w*|bad\w*|poor\w*|disturb\w*|distort\w*|hum|wander\w*|messy|unreadable"
        r"|unusable|loose|problem\w*|garbage|rubbish|corrupt\w*|saturat\w*|clip\w*|weak)\b",
        r"\b(?:good|clean|clear|usable|readable|interpretable|fine|okay|ok|reliable|decent|proper\w*|sufficient|crisp)\b",
    ),
    "pauses": (
        "",
        "$^",
        r"\b(?:paus\w*|stop\w*|asysto\w*|stand ?still|still|halt\w*|skip\w*|miss\w*|gaps?|quit|silen\w*|wait\w*|arrest\w*"
        r"|drop\w*|break\w*|forg[oe]t\w*|late\w*|long\w*|freez\w*|froze\w*|without|intervals?|rr|r-r|stall\w*|died)\b",
    ),
    "ectopy": ("", "$^", r"\b(?:early|prematur\w*|extra\w*|ectop\w*|additional|ahead of time|too soon)\b"),
}
_WHOLE = re.compile(r"\b(?:whole|everything)\b")  # "a gap in the whole recording" does not ask whether it is whole


def limits_in(text: str, *, any_length: bool = False) -> list[Threshold]:
    """Every limit that a text (lower case, numbers as digits) names, in order.

    With `any_length` every length of time is one: a question about pauses that says "3 seconds" means such pauses.
    """
    always = _ALWAYS.search(text) is not None
    found: dict[tuple[int, int], Threshold] = {}
    for above, inclusive, form, only_times in (*_ALL_FORMS, _ANY_LENGTH) if any_length else _ALL_FORMS:
        for match in form.finditer(text):
            of, factor = _unit(match["unit"] or "")
            taken = any(match.start() < stop and start < match.end() for start, stop in found)
            if taken or (only_times and of != "time"):
                continue
            words = match.group().strip()
            found[match.span()] = Threshold(above, _number(match["value"]) * factor, words, of, inclusive, always)
    return [found[place] for place in sorted(found)]


def other_way(text: str, target: Target) -> str:
    """Name of the turned question ("irregular", "continuous", "noisy"); empty for the straight one."""
    name, turned, straight = _OTHER_WAY.get(target, ("", "$^", ""))
    if not re.search(turned, text):
        return ""
    return "" if re.search(straight, text) and not re.search(turned, _WHOLE.sub("", text)) else name


def sense_of(text: str, target: Target, limits: list[Threshold]) -> Sense:
    """Whether the figure's yes is the question's; "unclear" where the words leave it open, so that none is given."""
    rest = text
    for limit in limits:
        rest = rest.replace(limit.words, " ")
    if len(limits) > 1 or _NEGATIVE.search(text) or _COMPARISON.search(rest) or (limits and _VAGUE.search(rest)):
        return "unclear"
    if target not in {"regularity", "coverage", "quality"} and _WELL.search(rest):
        return "unclear"
    if target in _OTHER_WAY and not limits:
        _, turned, straight = _OTHER_WAY[target]
        one_way = bool(re.search(turned, _WHOLE.sub("", text))), bool(re.search(straight, text))
        if all(one_way) or _EITHER.search(text) or not (any(one_way) or re.search(turned, text)):
            return "unclear"
    return "turned" if _TURNING.search(text) else "straight"


def _number(text: str) -> float:
    return 1.0 if text in {"a", "an"} else float(text)


def _unit(text: str) -> tuple[Literal["", "rate", "beats", "time", "count", "share"], float]:
    for pattern, meaning in _UNITS.items():
        if re.fullmatch(pattern, text):
            return meaning
    return "", 1.0
