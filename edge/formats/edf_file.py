"""EDF, EDF+ and BDF files, contiguous or not.

`edfio` decodes: it is given the header and the data records of one window, as a small file in memory.
Its own lazy reading maps the whole file, which ends the process when the file is cut meanwhile; it has
none for BDF; and it takes the records of a discontinuous file for contiguous.
"""

import io
import re
import warnings
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from edge.errors import InputUnreadable, InputUnsupported
from edge.formats import leads
from edge.formats.reading import FileRecording, check_time_axis, reading
from edge.types import Lead, RecordingInfo, Samples

if TYPE_CHECKING:
    from edfio import Bdf, BdfSignal, Edf, EdfSignal

EDF_MAGIC = b"0       "
BDF_MAGIC = b"\xffBIOSEMI"

_RECORD_TIME = re.compile(rb"([+-]\d+(?:\.\d*)?)[\x14\x15]")
_NO_DATE = (1985, 1, 1)  # EDF+: what the start date is set to where it must not be known


def open_edf(path: Path, lead: str | None = None) -> FileRecording:
    """Open an EDF, EDF+ or BDF file: all its ECG leads, or the named one.

    Raises InputUnreadable, InputUnsupported or UsageError.
    """
    path = path.absolute()
    with reading(path):
        return FileRecording(path, _EdfSource(path, lead))


@dataclass(frozen=True, slots=True)
class _Scale:
    """How one signal's converter values become millivolts."""

    index: int
    counts_per_mv: float
    zero_count: float


class _EdfSource:
    """The ECG leads of a file; data record k begins at sample `_first_samples[k]`."""

    def __init__(self, path: Path, lead: str | None) -> None:
        self._layout = layout = _read_layout(path)
        first = layout.parse(layout.read(0, 1), 1)
        if not first.signals:
            raise InputUnsupported(f"{path} holds annotations and no signal", "Give the file with the signals")
        offered = [leads.Signal(s.label, s.physical_dimension, s.sampling_frequency) for s in first.signals]
        chosen = leads.choose(offered, lead, path)
        check_time_axis(path, chosen.fs_hz, 1)
        wanted = [first.signals[i] for i in chosen.indices]
        self._scales = [
            _scale(path, i, signal, mv_per_unit)
            for i, signal, mv_per_unit in zip(chosen.indices, wanted, chosen.mv_per_unit, strict=True)
        ]
        self._per_record = wanted[0].samples_per_data_record
        self._is_discontinuous = first.reserved.startswith(("EDF+D", "BDF+D"))
        if self._is_discontinuous:
            self._first_samples = _place_records(layout, chosen.fs_hz, self._per_record)
        else:
            self._first_samples = np.arange(layout.n_records, dtype=np.int64) * self._per_record
        n_samples = int(self._first_samples[-1]) + self._per_record
        check_time_axis(path, chosen.fs_hz, n_samples)
        start, time_of_day = _start(first)
        notes = [*chosen.notes, *layout.notes]
        if time_of_day:
            notes.append(f"The header gives a time of day, {time_of_day}, without a date.")
        self.info = RecordingInfo(
            id=path.stem,
            leads=tuple(
                Lead(name, scale.counts_per_mv, round(scale.zero_count), signal.physical_dimension)
                for name, scale, signal in zip(chosen.names, self._scales, wanted, strict=True)
            ),
            fs_hz=chosen.fs_hz,
            n_samples=n_samples,
            start=start,
            source="bdf" if layout.is_bdf else "edf",
            notes=tuple(notes),
        )

    def samples_mv(self, start: int, stop: int) -> NDArray[np.float64]:
        """Millivolts of samples [start, stop)."""
        samples_mv = np.full((stop - start, len(self._scales)), np.nan)
        first = max(0, int(np.searchsorted(self._first_samples, start, side="right")) - 1)
        last = int(np.searchsorted(self._first_samples, stop, side="left"))
        window = self._layout.parse(self._layout.read(first, last), last - first)
        places = (self._first_samples[first:last, None] + np.arange(self._per_record)).ravel() - start
        within = (places >= 0) & (places < stop - start)
        for k, scale in enumerate(self._scales):
            counts = window.signals[scale.index].digital
            samples_mv[places[within], k] = (counts[within] - scale.zero_count) / scale.counts_per_mv
        return samples_mv

    def gap_cause(self, start: int) -> str:  # noqa: ARG002 - there is one cause only
        """EDF has no invalid samples; only discontinuous files have gaps."""
        return f"discontinuous {'BDF' if self._layout.is_bdf else 'EDF'}+D"


@dataclass(frozen=True, slots=True)
class _Layout:
    """Where the data records of a file are."""

    path: Path
    header: bytes
    is_bdf: bool
    n_records: int
    record_bytes: int
    times_at: slice
    """Bytes of a data record that begin with the time it was made at; empty where there are none."""
    notes: tuple[str, ...]

    def read(self, first: int, last: int) -> bytes:
        """Data records [first, last)."""
        with self.path.open("rb") as file:
            file.seek(len(self.header) + first * self.record_bytes)
            records = file.read((last - first) * self.record_bytes)
        if len(records) < (last - first) * self.record_bytes:
            raise InputUnreadable(f"{self.path} has become shorter since it was opened", "Open it again")
        return records

    def parse(self, records: bytes, n_records: int) -> "Edf | Bdf":
        """Have whole data records decoded as if they were a file."""
        import edfio

        file = self.header[:236] + b"%-8d" % n_records + self.header[244:] + records
        encoding = "utf-8" if _is_utf8(self.header) else "latin-1"
        if self.is_bdf:
            return edfio.read_bdf(io.BytesIO(file), header_encoding=encoding)
        return edfio.read_edf(file, header_encoding=encoding)


def _read_layout(path: Path) -> _Layout:
    """Find the data records; InputUnreadable where not even one is whole."""
    with path.open("rb") as file:
        main = file.read(256)
        n_signals = _int(path, main[252:256], "number of signals")
        if n_signals <= 0:
            raise InputUnreadable(f"{path} has a header that names no signals", "Copy the file again")
        header = main + file.read(256 * n_signals)
    is_bdf = main.startswith(BDF_MAGIC)
    if len(header) != _int(path, main[184:192], "length of the header") or len(header) != 256 * (n_signals + 1):
        raise InputUnreadable(f"{path} has a header whose length is not what it says", "Copy the file again")
    labels = [header[256 + 16 * i : 272 + 16 * i].rstrip() for i in range(n_signals)]
    counts_at = 256 + 216 * n_signals
    per_record = [header[counts_at + 8 * i : counts_at + 8 * i + 8] for i in range(n_signals)]
    widths = [_int(path, field, "samples per data record") * (3 if is_bdf else 2) for field in per_record]
    if min(widths) < 0 or sum(widths) == 0:
        raise InputUnreadable(f"{path} has a header without samples per record", "Copy the file again")
    times_at = slice(0, 0)
    if (label := b"BDF Annotations" if is_bdf else b"EDF Annotations") in labels:
        offset = sum(widths[: labels.index(label)])
        times_at = slice(offset, offset + widths[labels.index(label)])
    stated = _int(path, main[236:244], "number of data records")
    present, rest = divmod(path.stat().st_size - len(header), sum(widths))
    if stated == 0 or present == 0:
        raise InputUnreadable(f"{path} holds no samples", "Copy the file again")
    notes = []
    if stated < 0:
        notes.append(f"The header does not say how long the recording is; {present} data records were found.")
    elif present < stated:
        notes.append(f"The file was cut: {present} of {stated} data records are there.")
    elif present > stated or rest:
        notes.append("Bytes after the last data record were left out.")
    return _Layout(
        path=path,
        header=header,
        is_bdf=is_bdf,
        n_records=present if stated < 0 else min(stated, present),
        record_bytes=sum(widths),
        times_at=times_at,
        notes=tuple(notes),
    )


def _int(path: Path, header_field: bytes, what: str) -> int:
    try:
        return int(header_field)
    except ValueError:
        raise InputUnreadable(f"{path} has a header without {what}", "Copy the file again") from None


def _place_records(layout: _Layout, fs_hz: float, per_record: int) -> Samples:
    """First sample of each data record of a discontinuous file, from the times they carry.

    Times that miss the end of the record before by one sample are rounding. A record that begins up to
    half its length too early is put after the one before; more is a contradiction.
    """
    first_samples = np.empty(layout.n_records, dtype=np.int64)
    end, start_s = 0, 0.0
    with layout.path.open("rb") as file:
        for k in range(layout.n_records):
            file.seek(len(layout.header) + k * layout.record_bytes + layout.times_at.start)
            time = _RECORD_TIME.match(file.read(layout.times_at.stop - layout.times_at.start))
            if time is None:
                raise InputUnreadable(f"{layout.path} gives no time for data record {k + 1}", "Copy the file again")
            if k == 0:
                start_s = float(time[1])
            at = round((float(time[1]) - start_s) * fs_hz)
            if at < end - max(1, per_record // 2):
                raise InputUnreadable(
                    f"Data record {k + 1} of {layout.path} begins before the one before ends",
                    "Copy the file again",
                )
            first_samples[k] = at if at > end + 1 else end
            end = int(first_samples[k]) + per_record
    return first_samples


def _scale(path: Path, index: int, signal: "EdfSignal | BdfSignal", mv_per_unit: float) -> _Scale:
    counts = signal.digital_max - signal.digital_min
    span_mv = (signal.physical_max - signal.physical_min) * mv_per_unit
    if not counts or not span_mv:
        raise InputUnreadable(f"{path} gives no range for {signal.label}", "Correct its header")
    counts_per_mv = counts / span_mv
    return _Scale(index, counts_per_mv, signal.digital_min - signal.physical_min * mv_per_unit * counts_per_mv)


def _start(first: "Edf | Bdf") -> tuple[datetime | None, str]:
    """Time of the first sample; a time of day that has no date is given as text."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # edfio warns where the two date fields differ, and takes the EDF+ one
        try:
            start = first.startdatetime
        except (ValueError, IndexError, OverflowError):
            start = None
        if start is not None and (start.year, start.month, start.day) != _NO_DATE:
            return start, ""
        try:
            time = first.starttime
        except (ValueError, IndexError, OverflowError):
            return None, ""
    return None, f"{time:%H:%M:%S}" if time else ""


def _is_utf8(header: bytes) -> bool:
    try:
        header[8:].decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True
