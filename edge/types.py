"""What crosses a door between two parts of the runtime: frozen values with units in their names.

Positions are sample indices of the recording. The index runs over *time*, gaps included: sample ``i`` lies
``i / fs_hz`` seconds after the start, whether or not everything before it was received.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

SignalMv = NDArray[np.float32]
"""Samples in millivolts, shape (n_samples, n_leads); NaN where nothing was recorded."""

Samples = NDArray[np.int64]
"""Ascending sample indices of a recording."""


RR_HZ = 1024.0
"""Rate of a recording of RR intervals: the Bluetooth Heart Rate Service tells them in 1/1024 s."""


@dataclass(frozen=True, slots=True)
class Lead:
    """One ECG lead, and what its samples were before they became millivolts."""

    name: str
    counts_per_mv: float | None = None
    """Converter steps per millivolt; None where it is unknown or varies within the recording."""
    zero_count: int = 0
    """Converter value of 0 mV (WFDB's baseline)."""
    original_unit: str = "mV"


class SampleClock(Protocol):
    """A fit of sample indices to UTC, where a recording has one (see edge.recording.timemap)."""

    def utc_at(self, sample: float) -> float:
        """Seconds since the Unix epoch at a sample index."""

    def sample_at(self, utc_s: float) -> float:
        """Sample index of a moment."""


@dataclass(frozen=True, slots=True)
class RecordingInfo:
    """What a recording is, without its samples."""

    id: str
    leads: tuple[Lead, ...]
    fs_hz: float
    n_samples: int
    """Length of the time axis in samples, gaps included; grows while a recording is being made."""
    start: datetime | None
    """Time of sample 0; naive where the source names no time zone, None where it names no time."""
    source: str
    """Where it came from: "wfdb", "edf", "csv", "store" …"""
    notes: tuple[str, ...] = ()
    """What the reader left out or assumed, one plain sentence each."""
    clock: SampleClock | None = None
    """Where the recording's own sampling was compared with UTC; None: `start` and `fs_hz` are all there is."""
    present_s: float | None = None
    """Offset of the present moment, of a recording that is being made: nothing may have come for hours."""

    @property
    def rr_only(self) -> bool:
        """Whether it holds a heart-rate strap's RR intervals and no ECG; its samples are then 1/1024 s."""
        return not self.leads

    @property
    def duration_s(self) -> float:
        """Length of the time axis in seconds, gaps included."""
        return self.n_samples / self.fs_hz

    @property
    def now_s(self) -> float:
        """What "now" means: the present moment, or the end of a recording that was made before."""
        return self.duration_s if self.present_s is None else max(self.duration_s, self.present_s)

    def time_of(self, offset_s: float) -> datetime | None:
        """Clock time of an offset from the start, or None where the recording has no start time."""
        if self.start is None:
            return None
        if self.clock is None or self.start.tzinfo is None:
            return self.start + timedelta(seconds=offset_s)
        return datetime.fromtimestamp(self.clock.utc_at(offset_s * self.fs_hz), self.start.tzinfo)

    def offset_of(self, moment: datetime) -> float:
        """Offset from the start in seconds of a clock time; needs a start, both with or both without a zone."""
        assert self.start is not None
        if self.clock is None or self.start.tzinfo is None:
            return (moment - self.start).total_seconds()
        return self.clock.sample_at(moment.timestamp()) / self.fs_hz


@dataclass(frozen=True, slots=True, eq=False)
class Window:
    """Consecutive samples in which at least one lead was recorded throughout."""

    start: int
    signal_mv: SignalMv

    @property
    def stop(self) -> int:
        """Index after the last sample."""
        return self.start + len(self.signal_mv)


@dataclass(frozen=True, slots=True)
class Gap:
    """Time of which no lead has a sample."""

    start: int
    stop: int
    cause: str


Piece = Window | Gap


class Recording(Protocol):
    """A source of samples that is read by window: a file, or a store that is still growing."""

    @property
    def info(self) -> RecordingInfo:
        """What the recording is; `n_samples` may grow between two calls."""

    def read_mv(self, start: int, stop: int) -> SignalMv:
        """Samples [start, stop) of every lead; NaN where nothing was recorded."""

    def gap_cause(self, start: int) -> str:
        """Why the gap that begins at this sample exists."""

    def close(self) -> None:
        """Release files; reading afterwards is an error."""


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """What a wearable hands over at once."""

    first_sample: int
    """The wearable's own count of samples at the frame's first one."""
    signal_mv: SignalMv
    received_s: float
    """Host clock at arrival, seconds since the Unix epoch."""
    after: str = ""
    """Why samples before it are missing, if they are and it is known."""


EventKind = Literal[
    "connected", "lost", "silent", "gap", "duplicate", "late", "clock", "contact", "mark", "ended", "storage"
]


@dataclass(frozen=True, slots=True)
class LinkEvent:
    """Something that happened to the link, at a place on the recording's time axis."""

    sample: int
    kind: EventKind
    detail: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Annotations:
    """What was found in a recording's signal; the times are sample indices.

    `quality` and `reasons` hold one entry per second that was analysed: see `edge.clean.quality`.
    """

    fs_hz: float
    n_samples: int
    """Analysed up to this sample."""
    beats: Samples
    quality: NDArray[np.uint8]
    reasons: NDArray[np.uint8]
    gaps: tuple[Gap, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Decided:
    """What one step of the analysis has decided for good."""

    first_second: int
    stop: int
    """Index up to which everything is decided."""
    beats: Samples
    quality: NDArray[np.uint8]
    reasons: NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of a recording in seconds from its start, with what it shows."""

    start_s: float
    end_s: float
    label: str = ""

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return self.end_s - self.start_s


@dataclass(frozen=True, slots=True)
class Fact:
    """One measured quantity of a span, or no value and why.

    Reports, states and answers are made of facts and of nothing else.
    """

    name: str
    value: float | None
    unit: str
    start_s: float
    end_s: float
    n: int = 0
    """How many beats, intervals or seconds the value rests on."""
    analysable_fraction: float = 0.0
    """Share of the span in which beats could be found at all, 0 to 1."""
    reason: str = ""
    """Why `value` is None; empty when it is not."""
    evidence: tuple[Span, ...] = ()
    """Where in the recording the value can be seen."""


def pieces(recording: Recording, start: int = 0, stop: int | None = None, step_s: float = 240.0) -> Iterator[Piece]:
    """Yield windows and gaps of [start, stop) in order; together they cover it exactly once.

    At most `step_s` seconds are read at a time, so a window may continue in the next piece.
    """
    info = recording.info
    end = info.n_samples if stop is None else min(stop, info.n_samples)
    step = max(1, round(step_s * info.fs_hz))
    for at in range(start, end, step):
        signal_mv = recording.read_mv(at, min(at + step, end))
        yield from split_at_gaps(signal_mv, at, recording.gap_cause)


def split_at_gaps(signal_mv: SignalMv, start: int, cause_at: Callable[[int], str]) -> Iterator[Piece]:
    """Split dense samples where every lead is NaN into windows and gaps."""
    absent: NDArray[np.bool_] = np.all(np.isnan(signal_mv), axis=1)
    edges = np.flatnonzero(np.diff(absent)) + 1
    for a, b in zip([0, *edges.tolist()], [*edges.tolist(), len(absent)], strict=True):
        if a == b:
            continue
        if absent[a]:
            yield Gap(start + a, start + b, cause_at(start + a))
        else:
            yield Window(start + a, signal_mv[a:b])


def seconds_begun(n_samples: int, fs_hz: float) -> int:
    """How many seconds begin before a sample; second k begins at sample `round(k * fs_hz)`."""
    n = int(n_samples / fs_hz)
    while n > 0 and round((n - 1) * fs_hz) >= n_samples:
        n -= 1
    while round(n * fs_hz) < n_samples:
        n += 1
    return n
