"""WFDB headers: what `wfdb` parses, together with what it passes over in silence."""

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from pathlib import Path
from typing import Any

from edge.errors import InputUnreadable, InputUnsupported
from edge.formats.reading import check_time_axis, reading

RECORD_LINE = re.compile(r"[-\w]+(/\d+)?[ \t]+\d+([ \t]+[-+]?(\d|\.\d|nan|inf)\S*([ \t]+.*)?)?", re.IGNORECASE)
"""The first line of a header: name, number of signals and, if any more, a rate."""

DEFAULT_FS_HZ = 250.0  # WFDB's own default where the header states no rate
DEFAULT_GAIN = 200.0  # WFDB's own default where a signal states no gain

_BITS = dict.fromkeys(("80", "508"), 8) | dict.fromkeys(("310", "311"), 10) | {"212": 12}
_BITS |= dict.fromkeys(("16", "61", "160", "516"), 16) | dict.fromkeys(("24", "524"), 24) | {"32": 32}
INVALID_COUNT = {signal_format: -(1 << bits - 1) for signal_format, bits in _BITS.items()}
"""The value that marks an invalid sample, by format. Format 8 (differences) cannot be read by window."""
_COMPRESSED = ("508", "516", "524")  # FLAC: the file's size says nothing
_THREE_IN_FOUR_BYTES = ("310", "311")


@dataclass(frozen=True, slots=True)
class SignalLine:
    """One signal of a record, as its header describes it."""

    name: str
    unit: str
    file: str
    format: str
    samples_per_frame: int
    skew: int
    """Frames by which the signal is stored late."""
    byte_offset: int
    gain: float
    """Converter steps per unit."""
    gain_is_stated: bool
    baseline: int
    """Converter value of 0."""


@dataclass(frozen=True, slots=True)
class Header:
    """One header file; it lists either signals or segments."""

    path: Path
    fs_hz: float
    """Frames per second; a signal has one or more samples per frame."""
    fs_is_stated: bool
    n_frames: int | None
    signals: tuple[SignalLine, ...]
    segments: tuple[tuple[str, int], ...]
    """Name ("~" where nothing was recorded) and number of frames of each."""
    start: datetime | None
    time_of_day: str


def header_path(record: Path) -> Path:
    """The header of a record that is given by its path without ending."""
    return record.with_name(f"{record.name}.hea")


def read_header(record: Path, rdheader: Callable[..., Any]) -> Header:
    """Read the header of a record with `wfdb.rdheader`; InputUnreadable when it contradicts itself."""
    path = header_path(record)
    with reading(path):
        parsed = rdheader(str(record))
        lines = [line.strip() for line in _decode(path.read_bytes()).splitlines()]
        lines = [line for line in lines if line and not line.startswith("#")]
        fields = lines[0].split()
        # wfdb takes a rate that it does not understand, such as -250, for none.
        fs_hz = float(fields[2].split("/")[0]) if len(fields) > 2 else DEFAULT_FS_HZ
        n_frames = int(fields[3]) if len(fields) > 3 else None
        check_time_axis(path, fs_hz, 1)
        if not math.isclose(fs_hz, parsed.fs) or (n_frames or None) != (parsed.sig_len or None):
            raise InputUnreadable(f"{path} has a first line that makes no sense", "Copy the header again")
        has_segments = "/" in fields[0]
        stated, listed = parsed.n_seg if has_segments else parsed.n_sig, len(lines) - 1
        if stated != listed:
            raise InputUnreadable(f"{path} promises {stated} lines and has {listed}", "Copy the header again")
        return Header(
            path=path,
            fs_hz=fs_hz,
            fs_is_stated=len(fields) > 2,
            n_frames=n_frames,
            signals=() if has_segments else tuple(_signal(parsed, i, line) for i, line in enumerate(lines[1:])),
            segments=tuple(zip(parsed.seg_name, parsed.seg_len, strict=True)) if has_segments else (),
            start=parsed.base_datetime,
            time_of_day=f"{parsed.base_time:%H:%M:%S}" if parsed.base_time else "",
        )


def n_frames_of(header: Header) -> int:
    """Frames of a record in one segment; InputUnsupported where its header does not state them."""
    if header.n_frames is not None:
        return header.n_frames
    advice = "Write the number of samples after the rate in its first line"
    if header.signals and (size := _bytes_per_frame(header, header.signals[0].file)):
        n_bytes = header.path.with_name(header.signals[0].file).stat().st_size - header.signals[0].byte_offset
        advice = f"Write {int(n_bytes / size)} after the rate in its first line"
    raise InputUnsupported(f"{header.path} does not state the number of samples", advice)


def check_files(header: Header, n_frames: int, signals: Sequence[SignalLine]) -> None:
    """Raise InputUnreadable when a file of these signals is missing or shorter than the header says."""
    for file, byte_offset in {(signal.file, signal.byte_offset) for signal in signals}:
        path = header.path.with_name(file)
        found = path.stat().st_size
        size = _bytes_per_frame(header, file)
        expected = 0 if size is None else byte_offset + math.ceil(n_frames * size)
        if found < expected:
            raise InputUnreadable(
                f"{path} has {found} bytes where its header asks for {expected}", "Copy the file again"
            )


def _bytes_per_frame(header: Header, file: str) -> Fraction | None:
    """Bytes of one frame in a signal file; None where it is compressed."""
    size = Fraction(0)
    for signal in header.signals:
        if signal.file == file:
            if signal.format in _COMPRESSED or signal.format not in _BITS:
                return None
            is_packed = signal.format in _THREE_IN_FOUR_BYTES
            size += signal.samples_per_frame * (Fraction(4, 3) if is_packed else Fraction(_BITS[signal.format], 8))
    return size


def _signal(parsed: Any, i: int, line: str) -> SignalLine:
    gain = (*line.split(), "", "", "")[2]
    return SignalLine(
        name=parsed.sig_name[i] or "",
        # wfdb drops bytes that are not ASCII, which makes volts of microvolts.
        unit="µV" if re.search(r"/[µμ]V", gain) else str(parsed.units[i]),
        file=parsed.file_name[i],
        format=parsed.fmt[i],
        samples_per_frame=parsed.samps_per_frame[i] or 1,
        skew=parsed.skew[i] or 0,
        byte_offset=parsed.byte_offset[i] or 0,
        gain=float(parsed.adc_gain[i]),
        gain_is_stated=bool(re.match(r"-?0*\.?0*[1-9]", gain)),
        baseline=int(parsed.baseline[i]),
    )


def _decode(raw: bytes) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("latin-1")
