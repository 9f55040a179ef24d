"""Time in questions: which stretch of a recording is meant, and how times are written in answers."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from edge.errors import UsageError
from edge.types import RecordingInfo

NIGHT = (22, 7)  # clock hours; printed with every answer that rests on it
PARTS_OF_DAY = {"morning": (6, 12), "afternoon": (12, 18), "evening": (18, 22), "night": NIGHT, "noon": (11, 13)}
AT_HALF_WIDTH_S = 30.0  # "at 3:10" means the minute around it
AROUND_HALF_WIDTH_S = 300.0  # "around 3" means the ten minutes around it

_NUMBER_WORDS = {
    word: value
    for value, word in enumerate("zero one two three four five six seven eight nine ten eleven twelve".split())
} | {"a": 1, "an": 1, "half": 0.5, "fifteen": 15, "twenty": 20, "thirty": 30, "forty": 40, "sixty": 60, "ninety": 90}
_ORDINALS = {word: n + 1 for n, word in enumerate("first second third fourth fifth sixth seventh eighth ninth tenth".split())}
_UNIT_S = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_NUM = r"(?:\d+(?:\.\d+)?|" + "|".join(sorted(_NUMBER_WORDS, key=len, reverse=True)) + r"|couple of|few)"
_UNIT = r"(?:seconds?|secs?|s|minutes?|mins?|min|m|hours?|hrs?|hr|h|days?)"
_CLOCK = r"(?:\d{1,2}:\d{2}(?::\d{2})?(?:\.\d+)?\s*(?:am|pm)?|\d{1,2}\s*(?:am|pm)|midnight|noon)"
_OFFSET = rf"(?:{_NUM}\s*{_UNIT}(?:\s*(?:and\s*)?{_NUM}\s*{_UNIT})?)"
_ISO = r"(?:\d{4}-\d{2}-\d{2}[t ]\d{2}:\d{2}(?::\d{2})?(?:\.\d+)?(?:z|[+-]\d{2}:?\d{2})?)"
_TIME = rf"(?:{_ISO}|{_CLOCK}|{_OFFSET})"

SpanKind = Literal["all", "span", "unplaced"]


@dataclass(frozen=True, slots=True)
class AskedSpan:
    """A stretch of the recording that a question names."""

    start_s: float
    end_s: float
    words: str
    """The words it was taken from; empty for the whole recording."""
    kind: SpanKind = "span"
    problem: str = ""
    """Why the words could not be placed (kind "unplaced")."""


def spans_in(question: str, info: RecordingInfo) -> list[AskedSpan]:
    """Every stretch of time that a question names, in order; empty when it names none.

    Clock times need a recording that knows when it started; words that cannot be placed come back as "unplaced" with
    the reason, never as a guess.
    """
    text = " " + _spelled_out(re.sub(r"[–—]", "-", question.lower())) + " "
    found: list[tuple[int, AskedSpan]] = []

    def claim(pattern: str, build: Callable[[re.Match[str]], AskedSpan]) -> None:
        """Take every match out of the text, so that no word is placed twice."""
        nonlocal text
        for match in list(re.finditer(pattern, text)):
            try:
                span = build(match)
            except _NotPlaced as error:
                span = AskedSpan(0.0, 0.0, match.group().strip(), "unplaced", str(error))
            found.append((match.start(), span))
            text = text[: match.start()] + "\0" * len(match.group()) + text[match.end() :]

    end = info.duration_s
    claim(rf"\b(?:from|between)\s+({_TIME})\s+(?:to|and|until|till|-)\s+({_TIME})(?![\w:])", lambda m: _between(m, info))
    claim(rf"\b({_CLOCK}|\d+\s*s)\s*(?:-|to)\s*({_CLOCK}|\d+\s*s)(?![\w:])", lambda m: _between(m, info))
    claim(rf"\b(?:the\s+)?(?:first|opening|initial)\s+({_NUM})?\s*({_UNIT})\b(?!\w)", lambda m: _stretch(0.0, _length(m), m))
    claim(
        rf"\b(?:the\s+)?(?:last|past|previous|final|latest)\s+({_NUM})?\s*(?:an?\s+)?({_UNIT})\b",
        lambda m: _stretch(end - _length(m), end, m),
    )
    claim(rf"\b(?:the\s+)?({'|'.join(_ORDINALS)}|\d+(?:st|nd|rd|th))\s+(minute|hour)\b", lambda m: _nth(m))
    claim(rf"\bsince\s+({_ISO}|{_CLOCK})", lambda m: _stretch(_moment(m.group(1), info), end, m))
    claim(rf"\bafter\s+({_TIME})(?![\w:])", lambda m: _stretch(_moment(m.group(1), info), end, m))
    claim(rf"\b(?:before|until|till|up to)\s+({_TIME})(?![\w:])", lambda m: _stretch(0.0, _moment(m.group(1), info), m))
    claim(rf"\b(around|about|near|roughly)\s+({_ISO}|{_CLOCK})(?![\w:])", lambda m: _at(m, info, AROUND_HALF_WIDTH_S))
    claim(rf"\b(at|@)\s+({_TIME})(?![\w:])", lambda m: _at(m, info, AT_HALF_WIDTH_S))
    claim(r"\b(?:last night|overnight|(?:during|in|through(?:out)?|all) the night|at night|tonight|while (?:i|he|she|they|\w+) "
          r"(?:was sleeping|was asleep|slept|sleeps)|during sleep|in (?:my|her|his) sleep)\b", lambda m: _part_of_day(m, "night", info))
    claim(r"\b(?:since )?(?:this|in the|yesterday)\s+(morning|afternoon|evening)\b", lambda m: _part_of_day(m, m.group(1), info))
    claim(r"\b(?:since )?(?:today|during the day|daytime)\b", lambda m: _day(m, info, 0))
    claim(r"\byesterday\b", lambda m: _day(m, info, -1))
    claim(r"\b(?:on |last |this )?(?:monday|tuesday|wednesday|thursday|friday|saturday|sunday)(?:'s)?\b", lambda m: _weekday(m, info))
    claim(r"\b(?:right now|just now|at the moment|at present|currently|now)\b", lambda m: _stretch(end - 60.0, end, m))
    claim(r"\b(?:last|this|past) (?:week|month|year)\b|\b\d+ (?:weeks?|months?|years?) ago\b",
          lambda m: AskedSpan(0, 0, m.group().strip(), "unplaced", "one recording is asked at a time"))
    return [span for _, span in sorted(found, key=lambda item: item[0])]


def _spelled_out(text: str) -> str:
    """Spoken clock times as digits: quarter past four, half past ten, 3 in the morning, from 2 to 3 pm."""
    hours = {word: n for word, n in _NUMBER_WORDS.items() if isinstance(n, int) and 1 <= n <= 12 and word not in {"a", "an"}}
    hour = rf"({'|'.join(hours)}|\d{{1,2}})"

    def clock(match: re.Match[str], minute: int, shift: int = 0) -> str:
        return f"{(int(hours.get(match.group(1), 0) or match.group(1)) + shift) % 24}:{minute:02d}"

    text = re.sub(rf"\bquarter past {hour}\b", lambda m: clock(m, 15), text)
    text = re.sub(rf"\bhalf past {hour}\b", lambda m: clock(m, 30), text)
    text = re.sub(rf"\bquarter to {hour}\b", lambda m: clock(m, 45, -1), text)
    text = re.sub(rf"\b{hour} o'?clock\b", lambda m: clock(m, 0), text)
    text = re.sub(rf"\b{hour} (?:in the|at) (?:morning|night)\b", lambda m: f"{hours.get(m.group(1), m.group(1))} am", text)
    text = re.sub(rf"\b{hour} in the (?:afternoon|evening)\b", lambda m: f"{hours.get(m.group(1), m.group(1))} pm", text)
    text = re.sub(rf"\b{hour} ?(am|pm)\b", lambda m: f"{hours.get(m.group(1), m.group(1))} {m.group(2)}", text)
    return re.sub(r"\b(from|between) (\d{1,2}) (to|and) (\d{1,2}) ?(am|pm)\b", r"\1 \2 \5 \3 \4 \5", text)


def parse_time(text: str, info: RecordingInfo) -> float:
    """Seconds from the start for `--from` and `--to`: ISO 8601, clock time, or an offset (`90s`, `00:01:30`)."""
    try:
        return _moment(text.strip().lower(), info)
    except _NotPlaced as error:
        raise UsageError(f"Cannot place the time {text!r}: {error}", "Use 2026-01-31T22:15, 22:15, 90s or 00:01:30") from error


def offset_text(seconds: float, precise: bool = False) -> str:
    """h:mm:ss or m:ss from the start of a recording; tenths when `precise`."""
    if not precise:
        seconds = round(seconds)
    hours, rest = divmod(seconds, 3600)
    minutes, second = divmod(rest, 60)
    tail = f"{second:04.1f}" if precise else f"{int(second):02d}"
    if tail.startswith("60"):  # 59.96 s rounds up
        return offset_text(round(seconds), precise)
    return f"{int(hours)}:{int(minutes):02d}:{tail}" if hours else f"{int(minutes)}:{tail}"


def when_text(offset_s: float, info: RecordingInfo) -> str:
    """A moment in an answer: clock time where the recording knows it, else time from its start."""
    at = info.time_of(offset_s)
    if at is None:
        return offset_text(offset_s)
    local = at.astimezone() if at.tzinfo else at
    return f"{local:%H:%M:%S}" if info.duration_s < 86400 else f"{local:%Y-%m-%d %H:%M:%S}"


def duration_text(seconds: float) -> str:
    """A length of time in words."""
    if seconds < 60:
        return f"{seconds:.1f} s" if seconds < 10 and seconds != round(seconds) else f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    if seconds < 3600:
        return f"{int(seconds // 60)} min {round(seconds % 60)} s" if round(seconds) % 60 else f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60} min" if minutes % 60 else f"{minutes // 60} h"


class _NotPlaced(Exception):
    """The words name a time that this recording cannot place."""


def _stretch(start_s: float, end_s: float, match: re.Match[str]) -> AskedSpan:
    return AskedSpan(start_s, end_s, match.group().strip())


def _number(text: str | None) -> float:
    if not text:
        return 1.0
    text = text.strip()
    return {"couple of": 2.0, "few": 3.0}.get(text) or float(_NUMBER_WORDS.get(text, 0)) or float(text)


def _length(match: re.Match[str]) -> float:
    return _number(match.group(1)) * _UNIT_S[match.group(2)[0]]


def _offset(text: str) -> float:
    parts = re.findall(rf"({_NUM})\s*({_UNIT})", text)
    return sum(_number(n) * _UNIT_S[unit[0]] for n, unit in parts)


def _moment(text: str, info: RecordingInfo) -> float:
    """Seconds from the start of a time in words; _NotPlaced where the recording knows no clock."""
    text = text.strip()
    if re.fullmatch(_ISO, text):
        return _since_start(datetime.fromisoformat(text.upper().replace(" ", "T")), info)
    if not re.fullmatch(_CLOCK, text):
        if re.fullmatch(_OFFSET, text):
            return _offset(text)
        raise _NotPlaced("it is neither a clock time nor an offset")
    parts = re.fullmatch(r"(\d{1,2}):(\d{2})(?::(\d{2}(?:\.\d+)?))?", text)
    if parts:
        a, b, c = parts.groups()
        if info.start is None:  # without a clock, two parts are minutes and seconds from the start
            return int(a) * 60.0 + int(b) if c is None else int(a) * 3600.0 + int(b) * 60 + float(c)
        as_offset = int(a) * 3600.0 + int(b) * 60 + float(c or 0)
        if c is not None and as_offset <= info.duration_s:
            return as_offset
    if info.start is None:
        raise _NotPlaced("the recording does not say when it was made")
    hour, minute, second = _clock(text)
    return _next_clock(hour, minute, second, info)


def _clock(text: str) -> tuple[int, int, float]:
    if text in {"midnight", "noon"}:
        return (0 if text == "midnight" else 12), 0, 0.0
    match = re.fullmatch(r"(\d{1,2})(?::(\d{2}))?(?::(\d{2}(?:\.\d+)?))?\s*(am|pm)?", text)
    if match is None:
        raise _NotPlaced("it is no clock time")
    hour, minute, second, half = match.groups()
    hours = int(hour) % 12 + (12 if half == "pm" else 0) if half else int(hour)
    if hours > 24 or int(minute or 0) > 59:
        raise _NotPlaced("it is no clock time")
    return hours % 24, int(minute or 0), float(second or 0)


def _local_start(info: RecordingInfo) -> datetime:
    if info.start is None:
        raise _NotPlaced("the recording does not say when it was made")
    return info.start.astimezone() if info.start.tzinfo else info.start


def _next_clock(hour: int, minute: int, second: float, info: RecordingInfo) -> float:
    """First time of day at or after the start; a recording of several days is asked with a date."""
    start = _local_start(info)
    at = start.replace(hour=hour, minute=minute, second=int(second), microsecond=0)
    if at < start.replace(microsecond=0):
        at += timedelta(days=1)
    return (at - start).total_seconds()


def _since_start(at: datetime, info: RecordingInfo) -> float:
    start = _local_start(info)
    if at.tzinfo is None and start.tzinfo is not None:
        at = at.replace(tzinfo=start.tzinfo)
    if at.tzinfo is not None and start.tzinfo is None:
        at = at.replace(tzinfo=None)
    return (at - start).total_seconds()


def _placed(match: re.Match[str], times: tuple[str, str], info: RecordingInfo) -> AskedSpan:
    start_s, end_s = (_moment(text, info) for text in times)
    if end_s < start_s and info.start is not None:
        end_s += 86400.0  # from 23:00 to 01:00
    return AskedSpan(start_s, end_s, match.group().strip())


def _between(match: re.Match[str], info: RecordingInfo) -> AskedSpan:
    return _placed(match, (match.group(1), match.group(2)), info)


def _at(match: re.Match[str], info: RecordingInfo, half_s: float) -> AskedSpan:
    at_s = _moment(match.group(2), info)
    return AskedSpan(at_s - half_s, at_s + half_s, match.group().strip())


def _nth(match: re.Match[str]) -> AskedSpan:
    word = match.group(1)
    n = _ORDINALS.get(word) or int(re.sub(r"\D", "", word))
    unit_s = _UNIT_S[match.group(2)[0]]
    return AskedSpan((n - 1) * unit_s, n * unit_s, match.group().strip())


def _part_of_day(match: re.Match[str], part: str, info: RecordingInfo) -> AskedSpan:
    """The latest such part of a day that the recording reaches, up to its end."""
    words = match.group().strip()
    start = _local_start(info)
    end = start + timedelta(seconds=info.duration_s)
    first_hour, last_hour = PARTS_OF_DAY[part]
    day = end.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1 if part != "night" else 0)
    if "yesterday" in words:
        day = end.replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=1)
        return _span_of(day + timedelta(hours=first_hour), day + timedelta(hours=last_hour), start, words)
    while True:
        begin = day + timedelta(hours=first_hour)
        stop = day + timedelta(hours=last_hour, days=1 if last_hour < first_hour else 0)
        if begin < end or begin <= start:
            return _span_of(begin, end if words.startswith("since") else stop, start, words)
        day -= timedelta(days=1)


def _day(match: re.Match[str], info: RecordingInfo, shift: int) -> AskedSpan:
    words = match.group().strip()
    start = _local_start(info)
    last = start + timedelta(seconds=info.duration_s)
    midnight = last.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=shift)
    return _span_of(midnight, midnight + timedelta(days=1), start, words)


def _weekday(match: re.Match[str], info: RecordingInfo) -> AskedSpan:
    words = match.group().strip()
    start = _local_start(info)
    names = "monday tuesday wednesday thursday friday saturday sunday".split()
    wanted = next(k for k, name in enumerate(names) if name in words)
    day = start.replace(hour=0, minute=0, second=0, microsecond=0)
    day += timedelta(days=(wanted - day.weekday()) % 7)
    return _span_of(day, day + timedelta(days=1), start, words)


def _span_of(begin: datetime, stop: datetime, start: datetime, words: str) -> AskedSpan:
    return AskedSpan((begin - start).total_seconds(), (stop - start).total_seconds(), words)
