"""What all file readers share: how errors leave them and how windows are asked of them."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from edge.errors import AnyecgError, InputUnreadable
from edge.types import RecordingInfo, SignalMv

MAX_FS_HZ = 100_000.0  # no ECG converter is faster; such a number is a damaged header
MAX_LENGTH_DAYS = 366.0  # a longer time axis is a damaged header or a clock that was set
_MAX_REASON_CHARS = 160


class Source(Protocol):
    """A file that was opened; what `FileRecording` needs of it."""

    @property
    def info(self) -> RecordingInfo:
        """What the recording is."""

    def samples_mv(self, start: int, stop: int) -> NDArray[np.float64]:
        """Millivolts of samples [start, stop) within the recording, shape (stop - start, n_leads)."""

    def gap_cause(self, start: int) -> str:
        """Why the gap that begins at this sample exists."""


class FileRecording:
    """A recording in a file; files are opened for each read only, so it may be shared between threads."""

    def __init__(self, path: Path, source: Source) -> None:
        self._path = path
        self._source = source
        self._closed = False

    @property
    def info(self) -> RecordingInfo:
        """What the recording is."""
        return self._source.info

    def read_mv(self, start: int, stop: int) -> SignalMv:
        """Millivolts of samples [start, stop), shape (n_samples, n_leads); NaN where nothing was recorded.

        Like a slice, the range is cut to the recording. Raises InputUnreadable when the file has changed or
        gone since it was opened, ValueError after `close`.
        """
        if self._closed:
            raise ValueError(f"{self._path} was closed")
        first = min(max(start, 0), self.info.n_samples)
        last = min(max(stop, first), self.info.n_samples)
        if first == last:
            return np.empty((0, len(self.info.leads)), dtype=np.float32)
        with reading(self._path), np.errstate(over="ignore", invalid="ignore"):
            signal_mv = self._source.samples_mv(first, last).astype(np.float32)
        signal_mv[~np.isfinite(signal_mv)] = np.nan
        return signal_mv

    def gap_cause(self, start: int) -> str:
        """Why the gap that begins at this sample exists."""
        return self._source.gap_cause(start)

    def close(self) -> None:
        """Refuse further reads; no file is held open."""
        self._closed = True


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turn whatever a parser or the system raises over a file into one line of InputUnreadable."""
    try:
        yield
    except AnyecgError:
        raise
    except FileNotFoundError as error:
        raise InputUnreadable(f"{error.filename or path} does not exist", "Check the path") from error
    except PermissionError as error:
        raise InputUnreadable(f"{error.filename or path} may not be read", "Check its permissions") from error
    except Exception as error:
        # Parsers raise anything over a damaged byte; people need the file's name, not the exception's.
        reason = " ".join(str(error).split())[:_MAX_REASON_CHARS] or type(error).__name__
        raise InputUnreadable(f"Cannot read {path} ({reason})", "The file may be damaged: copy it again") from error


def check_time_axis(path: Path, fs_hz: float, n_samples: int) -> None:
    """Raise InputUnreadable when a rate or a length cannot be that of an ECG recording."""
    if not (math.isfinite(fs_hz) and 0 < fs_hz <= MAX_FS_HZ):
        raise InputUnreadable(f"{path} states a sampling rate of {fs_hz:g} Hz", "Correct its header")
    if n_samples <= 0:
        raise InputUnreadable(f"{path} holds no samples", "Give a recording with a signal")
    days = n_samples / fs_hz / 86400
    if days > MAX_LENGTH_DAYS:
        raise InputUnreadable(f"{path} claims to last {days:.0f} days", "Correct its header or its times")
