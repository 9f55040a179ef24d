"""What the first lines of a CSV file say: unit, rate, start, and what each column is."""

import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from edge.formats import leads

_RATE_KEYS = ("fs", "sf", "rate", "samplerate", "samplingrate", "samplefrequency", "samplingfrequency")
_UNIT_KEYS = ("unit", "units", "ecgunit", "ecgunits", "signalunit", "voltageunit")
_START_KEYS = (
    "start",
    "startutc",
    "starttime",
    "starttimeutc",
    "startdatetime",
    "recordeddate",
    "recordedat",
)
_LEAD_KEYS = ("lead", "channel")
_TIME_NAMES = ("time", "t", "timestamp", "elapsed", "datetime", "seconds", "sec", "milliseconds", "ms")
_ROW_NAMES = ("", "#", "index", "idx", "sample", "samples", "sample #", "n", "no", "row", "counter", "seq")
_TIME_UNITS = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9}
_TIME_WORDS = {"sec": "s", "second": "s", "seconds": "s", "millisecond": "ms", "milliseconds": "ms"}

_SETTING = re.compile(r"#*\s*\"?([a-z][\w .()\[\]/-]*?)\"?\s*[:=,;\t]\s*(.+)", re.IGNORECASE)
_RATE = re.compile(r"([-+]?\d+(?:[.,]\d+)?(?:e[-+]?\d+)?)\s*(k?)(?:hz|hertz|sps|samples.*)?", re.IGNORECASE)
_NUMBER = re.compile(r"[-+]?(\d+([.,]\d*)?|[.,]\d+)(e[-+]?\d+)?|[-+]?(nan|inf)", re.IGNORECASE)
_BRACKETED = re.compile(r"(.*?)[\s_]*[\[(]\s*([^\])]*?)\s*[\])]")
_SUFFIXED = re.compile(r"(.+?)[\s_/]+([^\s_/]+)")
_BLANK_BEFORE_ZONE = re.compile(r"\s+(?=[-+]\d\d:?\d\d$)")


@dataclass(frozen=True, slots=True)
class Column:
    """One column; `unit` is empty where its name states none."""

    name: str
    unit: str = ""

    @property
    def is_time(self) -> bool:
        """Whether it holds the times of the rows."""
        words = re.findall(r"[a-z]+", self.name.lower())
        return bool(words) and (words[0] in _TIME_NAMES or words[-1] in _TIME_NAMES)

    @property
    def is_row_number(self) -> bool:
        """Whether it only counts the rows."""
        return self.name.lower() in _ROW_NAMES

    @property
    def is_recognised(self) -> bool:
        """Whether it shows that this is a table of signals."""
        return self.is_time or leads.mv_per_unit(self.unit) is not None or leads.looks_like_ecg(self.name)


@dataclass(slots=True)
class CsvHeader:
    """Everything above the rows."""

    delimiter: str = ","
    columns: list[Column] = field(default_factory=list)
    fs_hz: float | None = None
    unit: str = ""
    """Unit of every column that states none."""
    start: datetime | None = None
    lead: str = ""
    """Name of the one signal, where the column has no name."""
    notes: list[str] = field(default_factory=list)
    data_offset: int = 0
    """Byte at which the rows begin."""
    data_line: int = 1
    """Number of the first row's line, counted from 1."""


@dataclass(frozen=True, slots=True)
class _Line:
    number: int
    begin: int
    end: int
    text: str


def read_csv_header(head: bytes) -> CsvHeader | None:
    """Understand the beginning of a text file; None where it is no CSV with a header."""
    header = CsvHeader()
    lines = [line for line in _lines(head) if not _take_setting(line.text, header)]
    names = _name_line(lines)
    if names is not None:
        text = names.text.lstrip("#").strip()
        header.delimiter = _delimiter(text)
        header.columns = [_column(cell) for cell in _cells(text)]
        header.data_offset, header.data_line = names.end, names.number + 1
        return header
    # Wrist ECGs are exported as settings and one column without a name.
    first = next((line for line in lines if _NUMBER.fullmatch(line.text)), None)
    if first is None or header.fs_hz is None or not header.unit:
        return None
    header.columns = [Column(header.lead or "ECG")]
    header.data_offset, header.data_line = first.begin, first.number
    return header


def seconds_per(unit: str) -> float | None:
    """Seconds per unit of time, or None for what is none."""
    plain = unit.strip().lower().replace("µ", "u").replace("μ", "u")
    return _TIME_UNITS.get(_TIME_WORDS.get(plain, plain))


def clock_time(text: str) -> datetime | None:
    """Date and time in ISO 8601, also with a blank before the time zone; None for anything else."""
    plain = text.strip().strip("\"'")
    if not re.match(r"\d{4}-\d\d-\d\d[T ]", plain):
        return None
    try:
        return datetime.fromisoformat(_BLANK_BEFORE_ZONE.sub("", plain))
    except ValueError:
        return None


def _lines(head: bytes) -> list[_Line]:
    """The lines that are not blank, without byte-order mark."""
    lines = []
    begin = 0
    for number, raw in enumerate(head.splitlines(keepends=True), start=1):
        text = _decode(raw.removeprefix(b"\xef\xbb\xbf")).strip()
        if text:
            lines.append(_Line(number, begin, begin + len(raw), text))
        begin += len(raw)
    return lines


def _take_setting(text: str, header: CsvHeader) -> bool:
    """Store what a `key: value` line states; False where it is not a line of a known key."""
    match = _SETTING.fullmatch(text)
    if match is None:
        return False
    key = re.sub(r"[\[(].*|[^a-z]", "", match[1].lower()).removesuffix("hz")
    value = match[2].strip(" \t,;").strip("\"'").strip()
    if key in _RATE_KEYS and (rate := _RATE.fullmatch(value)):
        header.fs_hz = float(rate[1].replace(",", ".")) * (1000 if rate[2] else 1)
    elif key in _UNIT_KEYS:
        header.unit = value
    elif key in _START_KEYS:
        header.start = clock_time(value)
        if header.start is None:
            header.notes.append(f"The start time {value[:40]!r} is not written as ISO 8601 and was left out.")
        elif header.start.tzinfo is None and key.endswith("utc"):
            header.start = header.start.replace(tzinfo=UTC)
    elif key in _LEAD_KEYS:
        header.lead = value
    else:
        return False
    return True


def _name_line(lines: Sequence[_Line]) -> _Line | None:
    """The line of column names: known names above a row, else known names, else any names above two rows."""
    known, any_names = None, None
    for k, line in enumerate(lines):
        delimiter = _delimiter(line.text)
        cells = _cells(line.text.lstrip("#"), delimiter)
        if not any(cells) or any(_is_value(cell) for cell in cells):
            continue
        below = [_cells(row.text, delimiter) for row in lines[k + 1 : k + 3]]
        are_rows = [len(row) == len(cells) and any(_is_value(cell) for cell in row) for row in below]
        if any(_column(cell).is_recognised for cell in cells):
            if are_rows[:1] == [True]:
                return line
            if known is None and len(cells) > 1 and not line.text.startswith("#"):
                known = line
        elif are_rows and all(are_rows) and len(cells) > 1:
            any_names = any_names or line
    return known or any_names


def _column(cell: str) -> Column:
    """Part a column's name from its unit: `II_mV`, `ecg [uV]`, `MLII (mV)`, `t_ms`."""
    match = _BRACKETED.fullmatch(cell)
    if match:
        is_unit = leads.mv_per_unit(match[2]) is not None or seconds_per(match[2]) is not None
        # ECG (II) names a lead in its brackets.
        return Column(match[1], match[2]) if is_unit or not leads.looks_like_ecg(match[2]) else Column(cell)
    match = _SUFFIXED.fullmatch(cell)
    # A single V is a lead more often than a unit.
    if match and leads.mv_per_unit(match[2]) is not None and match[2].lower() != "v":
        return Column(match[1], match[2])
    if match and seconds_per(match[2]) is not None and Column(match[1]).is_time:
        return Column(match[1], match[2])
    is_unit = len(cell) > 1 and (seconds_per(cell) is not None or leads.mv_per_unit(cell) is not None)
    return Column(cell, cell if is_unit else "")


def _delimiter(text: str) -> str:
    return max("\t;,", key=text.count)


def _cells(text: str, delimiter: str | None = None) -> list[str]:
    row = next(csv.reader([text], delimiter=delimiter or _delimiter(text)), [])
    return [cell.strip().strip("'\"").strip() for cell in row]


def _is_value(cell: str) -> bool:
    return bool(_NUMBER.fullmatch(cell)) or clock_time(cell) is not None


def _decode(raw: bytes) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("latin-1")
