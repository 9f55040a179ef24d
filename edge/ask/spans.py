"""Time in questions: which stretch of a recording is meant, and how times are written in answers."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Literal

from edge.ask.clock import (
    CLOCK,
    DATE,
    DAY_S,
    ISO,
    OFFSET,
    TIME,
    NotPlacedError,
    Stretch,
    checked,
    choose,
    days,
    length,
    local_end,
    moments,
    seconds_of,
    shown,
)
from edge.ask.spoken import UNIT, spelled_out
from edge.errors import UsageError
from edge.types import RecordingInfo

NIGHT = (22, 7)  # clock hours; printed with every answer that rests on it
PARTS_OF_DAY = {"morning": (6, 12), "afternoon": (12, 18), "evening": (18, 22), "night": NIGHT}
AT_HALF_WIDTH_S = 30.0  # "at 3:10" means the minute around it
AROUND_HALF_WIDTH_S = 300.0  # "around 3" means the ten minutes around it
NOW_S = 60.0  # "now", "at the end": the last minute

_ORDINALS = {
    word: n
    for n, word in enumerate(
        ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth"),
        start=1,
    )
}
_WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTH = (
    r"(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?"
    r"|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)"
)
_PART = r"(?:morning|afternoon|evening|night)"
_WHOLE = r"(?:recording|ecg|file|trace|measurement|session)"
ZONED = r"\d{1,2}:\d{2}(?::\d{2}(?:\.\d+)?)? ?(?:z|utc|gmt|[ce]e?s?t|\+\d{2}:?\d{2})\b"
_SIDE = r"(?P<side>since|until|till|before|after) "
_DAY = (
    rf"(?:day before yesterday|yesterday(?: {_PART})?|today|daytime|during the day|tonight|overnight"
    rf"|last night|(?:on |this |last )?(?:{'|'.join(_WEEKDAYS)})(?:'s)?(?: {_PART})?"
    rf"|(?:this|in the) (?:morning|afternoon|evening)|(?:at|(?:during|in|through(?:out)?|all)(?: the)?) night"
    r"|(?:while|when) (?:i|he|she|they|\w+) (?:was sleeping|was asleep|slept|sleeps)|during sleep"
    rf"|in (?:my|her|his|their) sleep|(?:on )?{DATE}(?![t\d-]|,? (?:at )?{ZONED})"
    rf"|(?:on )?(?:the )?\d{{1,2}}(?:st|nd|rd|th)? (?:of )?{_MONTH}\b|(?:on )?{_MONTH} \d{{1,2}}(?:st|nd|rd|th)?\b)"
)
_HOUR = r"(?:[01]?\d|2[0-4])(?:\.[0-5]\d)?"
_NOT_AN_HOUR = (
    r"(?! ?(?:%|bpm|hz|(?:\w+ )?(?:beats?|times|points?|places?|spots?)\b|per\b|or\b|mv\b|different))(?![\w:%-])"
)
_THIS = (
    rf"(?:(?:the|this|my|her|his|its|that|whole|entire) )*(?:{_WHOLE}|test|holter|monitoring|time|period|stretch)s?\b"
)
# What a question may name, and a recording does not know. Nothing else may stand for it.
_UNPLACEABLE = (
    (
        r"(?:last|this|past|next) (?:week|month|year)\b|\b\d+ (?:weeks?|months?|years?) ago",
        "one recording is asked at a time",
    ),
    (r"tomorrow|the night before last", "name the date"),
    (r"on the \d{1,2}(?:st|nd|rd|th)", "name the month, too"),
    (r"(?<!per )(?:minute|hour)s? \d+(?! ?(?:to|-))(?![\w.:])", 'say "between 4:00 and 5:00" or "the fifth minute"'),
    (rf"(?:at|since|until|till|by) {_HOUR}{_NOT_AN_HOUR}", 'say "3:00", "3 am" or "3 pm"'),
    (rf"(?:around|after|before) {_HOUR}(?= ?(?:[?.!,;]|and\b|or\b|on\b|$))", 'say "3:00", "3 am" or "3 pm"'),
)
_OCCASION = rf"(?:during|(?<!a )(?<!worth )while|whilst) (?!{_THIS})[^?.,;!\0]{{2,60}}"

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

    Clock times need a recording that knows when it started; words that cannot be placed come back as "unplaced"
    with the reason, never as a guess.
    """
    return read_spans(question, info)[0]


def read_spans(question: str, info: RecordingInfo) -> tuple[list[AskedSpan], str]:
    """The spans of a question, and its other words in lower case with numbers as digits."""
    reader = _Reader(f" {' '.join(spelled_out(question).split())} ", info)
    reader.read()
    return [span for _, span in sorted(reader.found, key=lambda item: item[0])], reader.text.replace("\0", " ")


def parse_time(text: str, info: RecordingInfo) -> float:
    """Seconds from the start for `--from` and `--to`: ISO 8601, clock time, or an offset (`90s`, `00:01:30`).

    UsageError where it is none of these, or a clock time that the recording cannot place.
    """
    wanted = spelled_out(text.strip())
    # The commands promise that h:mm:ss is an offset; only where the recording is too short for it, it is a clock time.
    if offset := re.fullmatch(r"(\d{1,3}):([0-5]\d):([0-5]\d(?:\.\d+)?)", wanted):
        hours, minutes, seconds = offset.groups()
        at_s = int(hours) * 3600.0 + int(minutes) * 60 + float(seconds)
        if at_s <= info.duration_s or info.start is None:
            return at_s
    try:
        return choose([(at_s, at_s + 1e-3) for at_s in moments(wanted, info)], info)[0]
    except (NotPlacedError, ValueError, OverflowError) as error:
        why = str(error) if isinstance(error, NotPlacedError) else "there is no such time"
        raise UsageError(
            f"Cannot place the time {text!r}: {why}", "Use 2026-01-31T22:15, 22:15, 90s or 00:01:30"
        ) from error


class _Reader:
    """Takes the words of time out of a text, so that none is placed twice."""

    def __init__(self, text: str, info: RecordingInfo) -> None:
        self.text = text
        self.info = info
        self.found: list[tuple[int, AskedSpan]] = []
        self.day: Stretch | None = None
        """The day that clock times belong to, where the question names one."""

    def read(self) -> None:
        """The order matters: longer forms first."""
        end_s, now_s = self.info.duration_s, self.info.now_s
        self._drop(rf"(?:until|till|up to|by) now|so far|since the (?:start|beginning)(?: of the {_WHOLE})?")
        self.claim(
            rf"(?<![\d:])(?<!{DATE} )(?<!{DATE}t){ZONED}",
            partial(self._refuse, why='name its date, too: "2026-01-31T22:15Z"'),
        )
        self._days()
        self.claim(rf"(?:from|between) ({TIME}) (?:to|and|until|till|-) ({TIME})(?![\w:])", self._between)
        self.claim(rf"({TIME}) ?(?:-|to|until|till) ?({TIME})(?![\w:])", self._between)
        self.claim(rf"(?:from|between) ({CLOCK}) (?:to|and|until|till) (\d{{1,2}})(?! ?[\w:%])", self._between)
        self.claim(rf"({OFFSET}) (before|after) ({TIME})", self._beside)
        self.claim(rf"({OFFSET}) (?:into(?: the {_WHOLE})?|after the (?:start|beginning))", self._at)
        self.claim(rf"({OFFSET}) ago", lambda m: self._around(now_s - length(m[1]), AT_HALF_WIDTH_S))
        self.claim(rf"(?:the )?(?:first|opening|initial) ({OFFSET}|{UNIT}\b)", self._first)
        self.claim(
            rf"(?:the )?(?:last|past|previous|final|latest) ({OFFSET}|{UNIT}\b)",
            lambda m: self._part(now_s - length(m[1]), now_s, m),
        )
        self.claim(rf"(?:the )?({'|'.join(_ORDINALS)}|\d+(?:st|nd|rd|th)) (minute|hour)\b", self._nth)
        self.claim(rf"(?:the )?({'|'.join(_ORDINALS)}|last) (half|third|quarter)\b(?: of the {_WHOLE})?", self._share)
        self.claim(rf"(?:since|starting(?: at| from)?) (?:at )?({ISO}|{CLOCK})", self._since)
        self.claim(rf"(?:after ({TIME})|past ({ISO}|{CLOCK}))(?![\w:])", self._since)
        self.claim(rf"from ({TIME})(?: onwards?| on\b)?(?![\w:])", self._since)
        self.claim(rf"(?:(?:before|until|till) ({TIME})|(?:up to|by) ({ISO}|{CLOCK}))(?![\w:])", self._until)
        self.claim(rf"(?:around|about|near|roughly) ({ISO}|{CLOCK})", lambda m: self._at(m, AROUND_HALF_WIDTH_S))
        self.claim(rf"(?:at |@ ?)({TIME})(?![\w:])", self._at)
        self.claim(rf"between [^\0?]{{0,30}}({CLOCK})", partial(self._refuse, why="say both its ends as clock times"))
        self.claim(rf"({ISO}|{CLOCK})", self._at)
        self.claim(
            rf"(?:at|in|near|towards) the (?:start|beginning)(?: of the {_WHOLE})?\b(?! of)",
            lambda m: self._part(0.0, min(NOW_S, end_s), m),
        )
        self.claim(
            r"(?:right now|just now|at the moment|at present|currently|(?<!^ )now(?! (?:and|that|on)\b)|now(?=[ ?.!]*$))\b",
            lambda m: self._part(max(0.0, now_s - NOW_S), now_s, m),
        )
        self.claim(
            rf"(?:at|near|towards) the end(?: of the {_WHOLE})?\b(?! of)",
            lambda m: self._part(max(0.0, end_s - NOW_S), end_s, m),
        )
        for pattern, problem in _UNPLACEABLE:
            self.claim(rf"(?:{pattern})", partial(self._refuse, why=problem))
        if not self.found:  # "while she climbed the stairs at 3:10" is placed by its time
            self.claim(_OCCASION, partial(self._refuse, why="when that was is not known; give clock times"))

    def claim(self, pattern: str, place: Callable[[re.Match[str]], Stretch]) -> None:
        """Take every match out of the text and place it."""
        for match in list(re.finditer(rf"(?<![\w.]){pattern}", self.text)):
            self.found.append((match.start(), self._asked(match, place)))
            self._blank(match)

    @staticmethod
    def _asked(match: re.Match[str], place: Callable[[re.Match[str]], Stretch]) -> AskedSpan:
        words = match.group().replace(" oclock", "").replace("\0", "").strip()
        try:
            start_s, end_s = place(match)
            return AskedSpan(checked(start_s), checked(end_s), words)
        except NotPlacedError as error:
            return AskedSpan(0.0, 0.0, words, "unplaced", str(error))
        except (ValueError, OverflowError):  # the 31st of February, the year 0
            return AskedSpan(0.0, 0.0, words, "unplaced", "there is no such time")

    def _blank(self, match: re.Match[str]) -> None:
        self.text = self.text[: match.start()] + "\0" * len(match.group()) + self.text[match.end() :]

    def _drop(self, pattern: str) -> None:
        for match in list(re.finditer(rf"\b(?:{pattern})\b", self.text)):
            self._blank(match)

    def _days(self) -> None:
        """Days and parts of days; a single one beside clock times says which day these belong to."""
        named = list(re.finditer(rf"\b{_DAY}", self.text))
        clocked = re.search(CLOCK, re.sub(rf"\b{_DAY}", " ", self.text)) is not None
        if len(named) > 1 and clocked:
            self.claim(
                rf"(?P<day>{_DAY})",
                partial(self._refuse, why='write each time with its date: "2026-01-31T22:15"'),
            )
            return
        if named and clocked:
            day = self._asked(named[0], lambda m: self._day(m.group()))
            self.day = (day.start_s, day.end_s)
            if day.problem:
                self.found.append((0, day))
            rest = self.text[: named[0].start()] + self.text[named[0].end() :]
            self.text = f" {' '.join(rest.split())} "
            return
        self.claim(rf"(?:{_SIDE})?(?P<day>{_DAY})", self._named_day)

    def _named_day(self, match: re.Match[str]) -> Stretch:
        start_s, end_s = self._day(match["day"])
        if match["side"] in {"since", "after"}:
            return (start_s if match["side"] == "since" else end_s), self.info.duration_s
        return (0.0, start_s if match["side"] == "before" else end_s) if match["side"] else (start_s, end_s)

    def _day(self, words: str) -> Stretch:
        """A day or a part of one; "last", "this" and the like count from the recording's end."""
        last = local_end(self.info).replace(hour=0, minute=0, second=0, microsecond=0)
        part = next((part for part in PARTS_OF_DAY if part in words), "")
        asleep = re.search(r"overnight|sle(?:ep|pt)", words) is not None
        if "before yesterday" in words:
            return self._window(last - timedelta(days=2), "")
        if "yesterday" in words:
            return self._window(last - timedelta(days=1), part)
        if words in {"today", "daytime", "during the day"}:
            return self._so_far(self._window(last, ""))
        weekday = next((k for k, name in enumerate(_WEEKDAYS) if name in words), None)
        if weekday is not None:
            windows = [self._window(day, part) for day in self._around_days() if day.weekday() == weekday]
            begun = [window for window in windows if window[0] < self.info.duration_s]
            return begun[-1] if words.startswith("last") else choose(windows, self.info)
        if date := re.search(DATE, words):
            return self._window(datetime.fromisoformat(date.group()), "")
        if month := re.search(_MONTH, words):
            found = re.search(r"\d+", words)
            assert found is not None
            years = {day.year for day in days(self.info)}
            at = [datetime(year, _MONTHS.index(month.group()[:3]) + 1, int(found.group())) for year in years]  # noqa: DTZ001 - wall-clock time
            return choose([self._window(day, "") for day in at], self.info)
        windows = [self._window(day, "night" if asleep else part or "night") for day in days(self.info)]
        begun = [window for window in windows if window[0] < self.info.duration_s]
        if re.match(r"last|this|tonight", words):
            return self._so_far(begun[-1])
        return choose(begun, self.info)

    def _around_days(self) -> list[datetime]:
        known = days(self.info)
        return [known[0] + timedelta(days=k) for k in range(-6, len(known) + 6)]

    def _window(self, day: datetime, part: str) -> Stretch:
        first, last = PARTS_OF_DAY.get(part, (0, 24))
        stop = day + timedelta(hours=last, days=1 if last < first else 0)
        return seconds_of(day + timedelta(hours=first), self.info), seconds_of(stop, self.info)

    def _between(self, match: re.Match[str]) -> Stretch:
        second = match[2] if not match[2].isdigit() else f"{match[2]}:00{' oclock' if 1 <= int(match[2]) <= 12 else ''}"
        starts, ends = moments(match[1], self.info), moments(second, self.info)
        clocked = len(ends) > 1
        pairs = [(a, min((b for b in ends if b > a), default=ends[-1])) for a in starts]
        pairs = [(a, b) for a, b in pairs if b > a and (b - a <= DAY_S or not clocked)]
        if not pairs:
            raise NotPlacedError("it ends before it begins")
        return choose(pairs, self.info, self.day)

    def _beside(self, match: re.Match[str]) -> Stretch:
        """The ten minutes after 2:00."""
        long_s = length(match[1])
        sides = [
            (at - long_s, at) if match[2] == "before" else (at, at + long_s) for at in moments(match[3], self.info)
        ]
        return choose(sides, self.info, self.day)

    def _at(self, match: re.Match[str], half_s: float = AT_HALF_WIDTH_S) -> Stretch:
        return choose([self._around(at, half_s) for at in moments(match[1], self.info)], self.info, self.day)

    def _since(self, match: re.Match[str]) -> Stretch:
        return self._moment(match[match.lastindex or 1]), self.info.duration_s

    def _until(self, match: re.Match[str]) -> Stretch:
        return 0.0, self._moment(match[match.lastindex or 1])

    def _moment(self, text: str) -> float:
        return choose([(at_s, at_s + 1e-3) for at_s in moments(text, self.info)], self.info, self.day)[0]

    def _first(self, match: re.Match[str]) -> Stretch:
        return self._part(0.0, length(match[1]), match)

    def _nth(self, match: re.Match[str]) -> Stretch:
        n = _ORDINALS.get(match[1]) or int(re.sub(r"\D", "", match[1]))
        return self._part((n - 1) * length(match[2]), n * length(match[2]), match)

    def _share(self, match: re.Match[str]) -> Stretch:
        n = {"half": 2, "third": 3, "quarter": 4}[match[2]]
        k = n if match[1] == "last" else _ORDINALS[match[1]]
        if k > n:
            raise NotPlacedError(f"it has no such {match[2]}")
        return self._part(self.info.duration_s * (k - 1) / n, self.info.duration_s * k / n, match)

    def _part(self, start_s: float, end_s: float, match: re.Match[str]) -> Stretch:
        """A stretch of the recording itself, not of a day that the question names."""
        if self.day is not None or re.match(r" (?:of|in|on) (?:the )?\0", self.text[match.end() :]):
            raise NotPlacedError("give its beginning and end as clock times")
        return start_s, end_s

    def _so_far(self, stretch: Stretch) -> Stretch:
        """A day or night that is not over yet ends with the recording."""
        return stretch[0], min(stretch[1], max(stretch[0], self.info.duration_s))

    def _around(self, at_s: float, half_s: float) -> Stretch:
        """The width is this project's and not the question's: at an edge of the recording it is cut."""
        end_s = self.info.duration_s
        if 0 <= at_s <= end_s:
            return max(0.0, at_s - half_s), min(end_s, at_s + half_s)
        return at_s - half_s, at_s + half_s

    @staticmethod
    def _refuse(_: re.Match[str], why: str) -> Stretch:
        raise NotPlacedError(why)


def offset_text(seconds: float, precise: bool = False) -> str:  # noqa: FBT001 - read as offset_text(t, precise=True)
    """h:mm:ss or m:ss from the start of a recording; tenths when `precise`."""
    if not precise:
        seconds = round(seconds)
    hours, rest = divmod(seconds, 3600)
    minutes, second = divmod(rest, 60)
    tail = f"{second:04.1f}" if precise else f"{int(second):02d}"
    if tail.startswith("60"):  # 59.96 s rounds up
        return offset_text(round(seconds), precise)
    return f"{int(hours)}:{int(minutes):02d}:{tail}" if hours else f"{int(minutes)}:{tail}"


def local_time(offset_s: float, info: RecordingInfo) -> datetime | None:
    """Clock time of an offset as people there read it; None where the recording has no start time."""
    at = info.time_of(offset_s)
    return shown(at) if at else None


def when_text(offset_s: float, info: RecordingInfo) -> str:
    """A moment in an answer: clock time where the recording knows it, else time from its start."""
    local = local_time(offset_s, info)
    if local is None:
        return offset_text(offset_s)
    local += timedelta(milliseconds=500)  # strftime cuts; offsets are rounded
    return f"{local:%H:%M:%S}" if info.duration_s < 86400 else f"{local:%Y-%m-%d %H:%M:%S}"


def duration_text(seconds: float) -> str:
    """A length of time in words."""
    if seconds < 60:
        return f"{seconds:.1f} s" if seconds < 10 and seconds != round(seconds) else f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    if seconds < 3600:
        return f"{int(seconds // 60)} min {round(seconds % 60)} s" if round(seconds) % 60 else f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60} min" if minutes % 60 else f"{minutes // 60} h"
