"""Times in words to seconds from the start of a recording; what cannot be placed says why and is never guessed.

A clock time comes round every day. Where the recording, or the day a question names, holds it once, it is that one;
where it holds it more than once, the question must name the day; where it holds it not at all, the nearest is taken,
and what is asked was not recorded.
"""

import re
from collections.abc import Iterable
from datetime import datetime, timedelta

from edge.ask.spoken import UNIT
from edge.types import RecordingInfo

NUM = r"(?:\d+(?:\.\d+)?|an?|couple of|few)"
CLOCK = (
    r"(?:(?<![\d:.])\d{1,2}:\d{2}(?::\d{2}(?:\.\d+)?)?(?: ?(?:am|pm|oclock)\b|(?![\d:]|\.\d))"
    r"|(?<![\d:.])\d{1,2} ?(?:am|pm)\b|\b(?:12 )?(?:midnight|noon)\b)"
)
OFFSET = rf"(?:(?<![\d:.]){NUM} ?{UNIT}\b(?: (?:and )?{NUM} ?{UNIT}\b)*)"
DATE = r"(?:\d{4}-\d{2}-\d{2})"
ISO = rf"(?:{DATE}(?:t|,? (?:at )?)\d{{2}}:\d{{2}}(?::\d{{2}}(?:\.\d+)?)?(?:z|[+-]\d{{2}}:?\d{{2}})?(?![\d:]))"
TIME = rf"(?:{ISO}|{CLOCK}|{OFFSET})"
DAY_S = 86400.0
MAX_S = 100 * 366 * DAY_S  # farther from any recording there is nothing to ask for
_UNIT_S = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": DAY_S}
Stretch = tuple[float, float]


class NotPlacedError(Exception):
    """The words name a time that this recording cannot place."""


def length(text: str) -> float:
    """Seconds of "90 s", "5 min and 30 s", or of a unit alone."""
    parts = re.findall(rf"({NUM})? ?({UNIT})\b", text)
    return checked(sum(_number(n) * _UNIT_S[unit[0]] for n, unit in parts))


def checked(seconds: float) -> float:
    """The seconds, where they are a time that may exist."""
    if not abs(seconds) < MAX_S:
        raise NotPlacedError("there is no such time")
    return seconds


def moments(text: str, info: RecordingInfo) -> list[float]:
    """Every place that a time in words may mean; one for an offset or a date with a time, one a day for a clock time."""
    text = text.strip()
    if re.fullmatch(ISO, text):
        return [_of_date(text, info)]
    if not re.fullmatch(CLOCK, text):
        if re.fullmatch(OFFSET, text):
            return [length(text)]
        raise NotPlacedError("it is neither a clock time nor an offset")
    offset_s = as_offset(text)
    if info.start is None:
        if offset_s is None:
            _clock(text)
            raise NotPlacedError("the recording does not say when it was made")
        return [offset_s]
    on_clock = _on_clock(text, info)
    if offset_s is not None and text.count(":") == 2 and not _inside(on_clock, info) and _inside([offset_s], info):
        return [offset_s]  # 00:01:30, in a recording that was not running at half past midnight
    return on_clock


def as_offset(text: str) -> float | None:
    """Seconds of m:ss or h:mm:ss, the spellings that answers use without a clock; None for any other text."""
    parts = re.fullmatch(r"(\d{1,2}):([0-5]\d)(?::([0-5]\d(?:\.\d+)?))?", text)
    if parts is None:
        return None
    first, second, third = parts.groups()
    return int(first) * 60.0 + int(second) if third is None else int(first) * 3600.0 + int(second) * 60 + float(third)


def choose(stretches: Iterable[Stretch], info: RecordingInfo, within: Stretch | None = None) -> Stretch:
    """The one stretch that meets the recording, or the named day; the nearest to the recording where none does."""
    low, high = within or (0.0, info.duration_s)
    known = sorted(set(stretches))
    meeting = [(a, b) for a, b in known if a < high and b > low]
    if within is not None and not meeting:
        raise NotPlacedError("it is not in the part of the day that is named")
    if len(meeting) > 1:
        meeting = [(a, b) for a, b in meeting if a < info.duration_s and b > 0] if within else meeting
    if len(meeting) > 1:
        raise NotPlacedError("it comes more than once in the recording; name the date")
    if meeting:
        return meeting[0]
    return min(known, key=lambda s: max(s[0] - high, low - s[1]))


def local_start(info: RecordingInfo) -> datetime:
    """Wall-clock time of sample 0, as answers print it."""
    if info.start is None:
        raise NotPlacedError("the recording does not say when it was made")
    return shown(info.start).replace(tzinfo=None)


def local_end(info: RecordingInfo) -> datetime:
    """Wall-clock time of the recording's end, or of the present moment while it is being made."""
    start = local_start(info)
    end = info.time_of(info.now_s) or start
    return shown(end).replace(tzinfo=None)


def shown(at: datetime) -> datetime:
    """A moment as answers print it: in the offset that the recording states; UTC, which states none, in local time."""
    return at if at.tzinfo is None or at.utcoffset() else at.astimezone()


def seconds_of(wall: datetime, info: RecordingInfo) -> float:
    """Seconds from the start to a wall-clock time; exact also over a change to or from summer time."""
    assert info.start is not None
    at = wall.replace(tzinfo=info.start.tzinfo) if info.start.utcoffset() else wall
    at = at.astimezone() if info.start.tzinfo and at.tzinfo is None else at
    return checked(info.offset_of(at))


def days(info: RecordingInfo) -> list[datetime]:
    """Midnights of the recording's days, with one day before and one after."""
    first = local_start(info).replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=1)
    n = (local_end(info) - first).days + 2
    return [first + timedelta(days=k) for k in range(n)]


def _number(text: str) -> float:
    if text in {"", "a", "an"}:
        return 1.0
    return {"couple of": 2.0, "few": 3.0}.get(text) or float(text)


def _of_date(text: str, info: RecordingInfo) -> float:
    at = datetime.fromisoformat(re.sub(r"(?:t|,? (?:at )?)(?=\d{2}:)", "T", text, count=1).upper())
    start = local_start(info)
    if at.tzinfo is None:
        return seconds_of(at, info)
    assert info.start is not None
    if info.start.tzinfo is None:
        raise NotPlacedError(f"the recording, made at {start:%Y-%m-%d %H:%M}, does not say its time zone")
    return checked(info.offset_of(at))


def _on_clock(text: str, info: RecordingInfo) -> list[float]:
    found = []
    for hour, minute, second in _clock(text):
        past = timedelta(hours=hour, minutes=minute, seconds=second)
        found += [seconds_of(day + past, info) for day in days(info)]
    return sorted(found)


def _clock(text: str) -> list[tuple[int, int, float]]:
    """Hour, minute and second; both halves of the day where the words leave it open."""
    if text.endswith(("midnight", "noon")):
        return [(0 if text.endswith("midnight") else 12, 0, 0.0)]
    match = re.fullmatch(r"(\d{1,2})(?::(\d{2}))?(?::(\d{2}(?:\.\d+)?))? ?(am|pm|oclock)?", text)
    hour, minute, second, half = match.groups() if match else ("99", None, None, None)
    h, m, s = int(hour), int(minute or 0), float(second or 0)
    if not (h <= 24 and m <= 59 and s < 60) or (half and not 1 <= h <= 12) or (h == 24 and (m or s)):
        raise NotPlacedError("it is no clock time")
    if half == "oclock":
        return [(h % 12, m, s), (h % 12 + 12, m, s)]
    return [(h % 12 + (12 if half == "pm" else 0) if half else h % 24, m, s)]


def _inside(at: list[float], info: RecordingInfo) -> list[float]:
    return [at_s for at_s in at if 0 <= at_s <= info.duration_s]
