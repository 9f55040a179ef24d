"""WFDB records: a text header with one or more signal files, in one segment or many.

Samples are read as converter values and scaled here, segment by segment: `wfdb` itself rejects leads that are
skewed differently, and gives no converter values where the gain differs between segments.
"""

import warnings
from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.errors import InputUnreadable, InputUnsupported
from edge.formats import leads
from edge.formats.reading import FileRecording, check_time_axis, reading
from edge.formats.wfdb_header import (
    DEFAULT_FS_HZ,
    DEFAULT_GAIN,
    INVALID_COUNT,
    Header,
    SignalLine,
    check_files,
    header_path,
    n_frames_of,
    read_header,
)
from edge.types import Lead, RecordingInfo


def open_wfdb(record: Path, lead: str | None = None) -> FileRecording:
    """Open a record by its path without ending: all its ECG leads, or the named one.

    Raises InputUnreadable, InputUnsupported or UsageError.
    """
    # Imported here because it brings pandas, which takes longer to import than an hour of signal to read.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # wfdb 4.3 defines its tables in a way that pandas 3.1 deprecates
        import wfdb

    record = record.absolute()
    with reading(header_path(record)):
        return FileRecording(header_path(record), _WfdbSource(record, lead, wfdb.rdheader, wfdb.rdrecord))


@dataclass(frozen=True, slots=True)
class _Channel:
    """Where a lead is within a segment, and what its converter values mean."""

    index: int
    skew: int
    invalid_count: int
    counts_per_mv: float
    baseline: int


@dataclass(frozen=True, slots=True)
class _Segment:
    """Consecutive frames; a channel is None where its lead was not recorded."""

    record: Path
    start: int
    n_frames: int
    channels: tuple[_Channel | None, ...]


@dataclass(frozen=True, slots=True)
class _Layout:
    """The signals of a record as a whole, and the segments that hold them."""

    signals: tuple[SignalLine, ...]
    is_variable: bool
    """Each segment has signals of its own, matched by name."""
    parts: tuple[tuple[Path, Header | None, int], ...]
    """Record, header (None where nothing was recorded) and number of frames of each segment."""


class _WfdbSource:
    """The ECG leads of a record on one time axis."""

    def __init__(
        self, record: Path, lead: str | None, rdheader: Callable[..., Any], rdrecord: Callable[..., Any]
    ) -> None:
        self._rdrecord = rdrecord
        header = read_header(record, rdheader)
        layout = _read_layout(record, header, rdheader)
        offered = [leads.Signal(s.name, s.unit, header.fs_hz * s.samples_per_frame) for s in layout.signals]
        chosen = leads.choose(offered, lead, header.path)
        wanted = [layout.signals[i] for i in chosen.indices]
        self._samples_per_frame = wanted[0].samples_per_frame
        self._segments: list[_Segment] = []
        n_frames = 0
        for part_record, part, part_frames in layout.parts:
            channels = _channels(part, layout, chosen.indices)
            if part is not None:
                held = [part.signals[channel.index] for channel in channels if channel is not None]
                check_files(part, part_frames, held)
            self._segments.append(_Segment(part_record, n_frames, part_frames, channels))
            n_frames += part_frames
        self._starts = [segment.start for segment in self._segments]
        check_time_axis(header.path, chosen.fs_hz, n_frames * self._samples_per_frame)
        self.info = RecordingInfo(
            id=record.name,
            leads=tuple(
                _lead(name, wanted[k].unit, [segment.channels[k] for segment in self._segments])
                for k, name in enumerate(chosen.names)
            ),
            fs_hz=chosen.fs_hz,
            n_samples=n_frames * self._samples_per_frame,
            start=header.start,
            source="wfdb",
            notes=(*chosen.notes, *_notes(header, wanted)),
        )

    def samples_mv(self, start: int, stop: int) -> NDArray[np.float64]:
        """Millivolts of samples [start, stop)."""
        per_frame = self._samples_per_frame
        first, last = start // per_frame, -(-stop // per_frame)
        samples_mv = np.full(((last - first) * per_frame, len(self.info.leads)), np.nan)
        for segment in self._segments[bisect_right(self._starts, first) - 1 :]:
            if segment.start >= last:
                break
            begin = max(first, segment.start)
            end = min(last, segment.start + segment.n_frames)
            into = samples_mv[(begin - first) * per_frame : (end - first) * per_frame]
            self._read_segment(segment, begin - segment.start, end - segment.start, into)
        return samples_mv[start - first * per_frame : stop - first * per_frame]

    def gap_cause(self, start: int) -> str:
        """Tell time without a recorded segment from samples that the converter marked as invalid."""
        segment = self._segments[bisect_right(self._starts, start // self._samples_per_frame) - 1]
        return "invalid samples" if any(segment.channels) else "not recorded"

    def _read_segment(self, segment: _Segment, first: int, last: int, into: NDArray[np.float64]) -> None:
        """Write millivolts of the segment's frames [first, last) into `into`, except of absent leads."""
        present = [(k, channel) for k, channel in enumerate(segment.channels) if channel is not None]
        if not present:
            return
        per_frame = self._samples_per_frame
        # A skewed lead is stored so many frames late; its last frames lie beyond the segment and stay NaN.
        begin = first + min(channel.skew for _, channel in present)
        end = min(last + max(channel.skew for _, channel in present), segment.n_frames)
        if begin >= end:
            return
        record = self._rdrecord(
            str(segment.record),
            sampfrom=begin,
            sampto=end,
            channels=[channel.index for _, channel in present],
            physical=False,
            smooth_frames=False,
            ignore_skew=True,
        )
        for (k, channel), stored in zip(present, record.e_d_signal, strict=True):
            late = channel.skew - begin
            counts = stored[(first + late) * per_frame : (last + late) * per_frame]
            lead_mv = (counts - float(channel.baseline)) / channel.counts_per_mv
            lead_mv[counts == channel.invalid_count] = np.nan
            into[: len(lead_mv), k] = lead_mv


def _read_layout(record: Path, header: Header, rdheader: Callable[..., Any]) -> _Layout:
    if not header.segments:
        n_frames = n_frames_of(header)
        check_time_axis(header.path, header.fs_hz, n_frames)
        return _Layout(header.signals, is_variable=False, parts=((record, header, n_frames),))
    parts: list[tuple[Path, Header | None, int]] = []
    for name, n_frames in header.segments:
        part = None if name == "~" else read_header(record.with_name(name), rdheader)
        if part is not None and (part.fs_hz != header.fs_hz or part.segments or (part.n_frames or 0) < n_frames):
            raise InputUnreadable(f"{part.path} and {header.path.name} disagree", "Copy the whole record again")
        parts.append((record.with_name(name), part, n_frames))
    known = [part for _, part, _ in parts if part is not None]
    total = sum(n_frames for _, _, n_frames in parts)
    if not known or header.n_frames not in (None, total):
        raise InputUnreadable(
            f"{header.path} states {header.n_frames} frames, its segments have {total}",
            "Copy the header again",
        )
    # A first segment without samples only names the signals that later segments may have.
    is_variable = parts[0][1] is not None and parts[0][2] == 0
    return _Layout(known[0].signals, is_variable, tuple(part for part in parts if part[2] > 0))


def _channels(part: Header | None, layout: _Layout, indices: Sequence[int]) -> tuple[_Channel | None, ...]:
    """Where the chosen leads are within one segment."""
    if part is None:
        return (None,) * len(indices)
    names = [signal.name for signal in part.signals]
    channels: list[_Channel | None] = []
    for index in indices:
        wanted = layout.signals[index]
        place = names.index(wanted.name) if layout.is_variable and wanted.name in names else index
        if (layout.is_variable and wanted.name not in names) or place >= len(names):
            channels.append(None)
        else:
            channels.append(_channel(part, place, wanted.samples_per_frame))
    return tuple(channels)


def _channel(part: Header, index: int, samples_per_frame: int) -> _Channel:
    signal = part.signals[index]
    if signal.format not in INVALID_COUNT:
        raise InputUnsupported(
            f"{part.path} has signals in WFDB format {signal.format}", "Convert it to format 16 with xform"
        )
    mv_per_unit = leads.mv_per_unit(signal.unit)
    if mv_per_unit is None or signal.samples_per_frame != samples_per_frame:
        raise InputUnreadable(
            f"{part.path} gives {signal.name} another unit or rate than the record does",
            "Open the segments one by one",
        )
    return _Channel(
        index=index,
        skew=signal.skew,
        invalid_count=INVALID_COUNT[signal.format],
        counts_per_mv=signal.gain / mv_per_unit,
        baseline=signal.baseline,
    )


def _lead(name: str, unit: str, channels: Sequence[_Channel | None]) -> Lead:
    scales = {(channel.counts_per_mv, channel.baseline) for channel in channels if channel is not None}
    if len(scales) != 1:
        return Lead(name, original_unit=unit)
    [(counts_per_mv, baseline)] = scales
    return Lead(name, counts_per_mv=counts_per_mv, zero_count=baseline, original_unit=unit)


def _notes(header: Header, wanted: Sequence[SignalLine]) -> list[str]:
    notes = []
    if not header.fs_is_stated:
        notes.append(f"The header states no sampling rate; WFDB's default of {DEFAULT_FS_HZ:g} Hz was taken.")
    notes += [
        f"The header states no gain of {s.name or 'a lead'}; WFDB's default of {DEFAULT_GAIN:g} was taken."
        for s in wanted
        if not s.gain_is_stated and s.file != "~"
    ]
    if header.time_of_day and header.start is None:
        notes.append(f"The header gives a time of day, {header.time_of_day}, without a date.")
    return notes
