"""Spoken numbers and clock times as digits, so that what follows reads one spelling only."""

import re
from functools import partial

_SMALL = {
    word: n
    for n, word in enumerate(
        (
            *(
                "zero",
                "one",
                "two",
                "three",
                "four",
                "five",
                "six",
                "seven",
                "eight",
                "nine",
                "ten",
                "eleven",
            ),
            *("twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"),
        )
    )
}
_TENS = {
    word: 10 * n
    for n, word in enumerate(("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"), start=2)
}
_UNDER_100 = rf"(?:(?:{'|'.join(_TENS)})(?:[ -](?:{'|'.join(list(_SMALL)[1:10])}))?|{'|'.join(_SMALL)})"
_NUMBER = re.compile(
    rf"\b(?:(?P<hundreds>a|{'|'.join(list(_SMALL)[1:10])}) hundred(?:(?: and)? (?P<rest>{_UNDER_100}))?"
    rf"|(?P<small>{_UNDER_100}))\b"
)
UNIT = r"(?:seconds?|secs?|s|minutes?|mins?|m|hours?|hrs?|hr|h|days?)"
_HOUR = r"(?P<hour>\d{1,2})(?P<minute>:\d{2})?"
_PART = r"(?: ?(?P<part>am|pm|in the (?:morning|afternoon|evening|night)|at night))"
_CLOCK_PAIR = re.compile(
    r"\b(?P<first>\d{1,2})(?P<first_minute>:\d{2})? ?(?P<joint>to|and|until|till|-) ?"
    r"(?P<second>\d{1,2})(?P<second_minute>:\d{2})? ?(?P<half>am|pm)\b"
)
_ABOUT_INTERVALS = re.compile(r"\b(?:pauses?|intervals?|rr|gaps?)\b")


def spelled_out(question: str) -> str:
    """Lower case, plain dashes, numbers as digits, clock times as "3:10", "3:10 pm" or "3:10 oclock".

    "oclock" marks a time that was spoken without its half of the day: it may be either.
    """
    text = re.sub(r"[–—−]", "-", question.lower().replace("’", "'"))
    text = re.sub(r"\b([ap])\. ?m\b\.?", r"\1m", text)
    text = re.sub(r"(?<![\d.,])(\d{1,3}(?:,\d{3})+)(?![\d,])", lambda m: m.group().replace(",", ""), text)
    text = re.sub(r"\b(\d+) point (\d+)\b", r"\1.\2", _NUMBER.sub(_digits, text))
    text = re.sub(r"\b(a|\d+)(?: thousand|k\b)(?:(?: and)? (\d{1,3})\b(?! thousand))?", _thousands, text)
    text = _spoken_clocks(_halves(text))
    return _shared_units(text)


def _digits(match: re.Match[str]) -> str:
    if match["small"]:
        return str(_under_100(match["small"]))
    hundreds = 1 if match["hundreds"] == "a" else _SMALL[match["hundreds"]]
    return str(100 * hundreds + (_under_100(match["rest"]) if match["rest"] else 0))


def _thousands(match: re.Match[str]) -> str:
    return str(1000 * (1 if match[1] == "a" else int(match[1])) + int(match[2] or 0))


def _under_100(words: str) -> int:
    return sum(_TENS.get(word, _SMALL.get(word, 0)) for word in re.split(r"[ -]", words))


def _halves(text: str) -> str:
    """Halves and quarters of units: half an hour, an hour and a half, two and a half minutes."""
    text = re.sub(rf"\b(\d+) and a half ({UNIT})\b", r"\1.5 \2", text)
    text = re.sub(rf"\b(?:(?:an?|1) )?(?<!\d )({UNIT}) and a half\b", r"1.5 \1", text)
    text = re.sub(rf"\b(\d+) ({UNIT}) and a half\b", r"\1.5 \2", text)
    text = re.sub(rf"\bhalf (?:an? )?({UNIT})\b", r"0.5 \1", text)
    text = re.sub(r"\b3 quarters of an hour\b", "45 minutes", text)
    return re.sub(r"\b(?:a )?quarter (?:of an )?hour\b", "15 minutes", text)


def _spoken_clocks(text: str) -> str:
    """Quarter past four, half past ten in the evening, 20 past 3, 3 o'clock, 3 30 pm, 3 in the morning."""
    for words, minute, shift in (("quarter past", 15, 0), ("half past", 30, 0), ("quarter to", 45, -1)):
        text = re.sub(rf"\b(?:a )?{words} {_HOUR}{_PART}?\b", partial(_clock, minute=minute, shift=shift), text)
    text = re.sub(
        rf"\b(?P<past>\d{{1,2}})(?: minutes?)? past {_HOUR}{_PART}?\b",
        lambda m: _clock(m, int(m["past"])),
        text,
    )
    text = re.sub(rf"\b{_HOUR} o'?clock{_PART}?(?!\w)", lambda m: _clock(m, 0), text)
    text = re.sub(r"\b(\d{1,2}) ([0-5]\d) ?(am|pm)\b", r"\1:\2 \3", text)
    return re.sub(rf"(?<![\d:.]){_HOUR}{_PART}\b", lambda m: _clock(m, None), text)


def _clock(match: re.Match[str], minute: int | None, shift: int = 0) -> str:
    """One clock time; the words as they were where they are none."""
    hour, part = int(match["hour"]), match["part"] or ""
    if minute is not None and match["minute"] and minute:
        return match.group()
    minute = int((match["minute"] or ":0")[1:]) if minute is None or match["minute"] else minute
    if hour > 12 and part in {"am", "pm"}:
        return match.group()
    if hour > 12 or hour == 0:
        return f"{(hour + shift) % 24}:{minute:02d}" if part == "" or match["minute"] else match.group()
    night = "pm" if 6 <= hour < 12 else "am"
    half = {"": "oclock", "in the morning": "am", "at night": night, "in the night": night}.get(part, part)
    half = "pm" if half.startswith("in the") else half
    if shift and hour == 12:
        half = {"am": "pm", "pm": "am"}.get(half, half)  # a quarter to noon is in the morning
    hour = (hour + shift - 1) % 12 + 1
    return f"{hour}:{minute:02d} {half}"


def _shared_units(text: str) -> str:
    """What is said once for both ends of a range: from 2 to 4 pm, between 1 and 3 minutes, 60-120 s."""
    text = _CLOCK_PAIR.sub(_both_halves, text)
    about_seconds = r"(?!s|second|sec)" if _ABOUT_INTERVALS.search(text) else ""  # "pauses between 2 and 3 s"
    return re.sub(
        rf"(?<![\w:.-])(\d+(?:\.\d+)?) ?(to|and|until|till|-) ?(\d+(?:\.\d+)?) ?{about_seconds}({UNIT})\b",
        r"\1 \4 \2 \3 \4",
        text,
    )


def _both_halves(match: re.Match[str]) -> str:
    """From 11 to 1 am begins before midnight."""
    first, second, half = int(match["first"]), int(match["second"]), match["half"]
    if not (1 <= first <= 12 and 1 <= second <= 12):
        return match.group()
    earlier = (first % 12, match["first_minute"] or ":00") < (second % 12, match["second_minute"] or ":00")
    other = half if earlier else {"am": "pm", "pm": "am"}[half]
    minutes = (match["first_minute"] or ":00", match["second_minute"] or ":00")
    return f"{first}{minutes[0]} {other} {match['joint']} {second}{minutes[1]} {half}"
