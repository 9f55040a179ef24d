"""What crosses a door between two parts of the runtime: frozen values with units in their names.

Positions are sample indices of the recording. The index runs over *time*, gaps included: sample ``i`` lies
``i / fs_hz`` seconds after the start, whether or not everything before it was received.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import IntEnum
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


LABELS = "NSVFQ"
"""Beat labels of AAMI EC57: normal, supraventricular ectopic, ventricular ectopic, fusion, unclassifiable or paced."""

Labels = NDArray[np.uint8]
"""One ASCII code of `LABELS` per beat."""


class Point(IntEnum):
    """Columns of `Annotations.waves`."""

    P_ON = 0
    P_PEAK = 1
    P_OFF = 2
    QRS_ON = 3
    QRS_PEAK = 4
    QRS_OFF = 5
    T_ON = 6
    T_PEAK = 7
    T_OFF = 8


class Wave(IntEnum):
    """Columns of `Annotations.absent`."""

    P = 0
    QRS = 1
    T = 2


class Absent(IntEnum):
    """Why a beat has no such wave."""

    PRESENT = 0
    NOT_ASSESSED = 1  # no network, or no signal of this beat was read
    NOT_SEEN = 2  # searched in readable signal, not there
    NOISY = 3  # the second is not good enough to tell
    NO_ATRIAL_RHYTHM = 4  # fibrillation or flutter: there is no P wave to be found
    CUT_OFF = 5  # a gap or the recording's end lies where it would be


NO_POINT = np.iinfo(np.int16).min
"""In `Annotations.waves`: there is no such point."""


class Likely(IntEnum):
    """Columns of `Annotations.likely`."""

    AF = 0  # atrial fibrillation
    AFL = 1  # atrial flutter
    VF = 2  # ventricular flutter or fibrillation
    NOISE = 3  # beats cannot be read here


@dataclass(frozen=True, slots=True)
class RhythmSpan:
    """A stretch of samples in one rhythm, by WFDB's name: "(N", "(AFIB", "(AFL", "(SVTA", "(VT", "(B", "(T", "(VFL" …"""

    start: int
    stop: int
    label: str


@dataclass(frozen=True, slots=True, eq=False)
class Annotations:
    """What was found in a recording's signal; the times are sample indices.

    `quality` and `reasons` hold one entry per second that was analysed: see `edge.clean.quality`. The arrays from
    `labels` on are empty where beats were not read, only found: a strap's RR intervals, or no network.
    """

    fs_hz: float
    n_samples: int
    """Analysed up to this sample."""
    beats: Samples
    quality: NDArray[np.uint8]
    reasons: NDArray[np.uint8]
    gaps: tuple[Gap, ...]
    labels: Labels = field(default_factory=lambda: np.empty(0, np.uint8))
    """Shape (n_beats,)."""
    waves: NDArray[np.int16] = field(default_factory=lambda: np.empty((0, len(Point)), np.int16))
    """Shape (n_beats, 9): samples from the beat to each `Point`, or NO_POINT."""
    absent: NDArray[np.uint8] = field(default_factory=lambda: np.empty((0, len(Wave)), np.uint8))
    """Shape (n_beats, 3): an `Absent` per `Wave`."""
    likely: NDArray[np.uint8] = field(default_factory=lambda: np.empty((0, len(Likely)), np.uint8))
    """Shape (n_seconds, 4): the network's probability of each `Likely`, in 1/255."""
    rhythms: tuple[RhythmSpan, ...] = ()
    """In order, without overlap; what no span covers was not readable or too short to name."""
    classes: tuple[float, ...] = ()
    """Probabilities that the whole is N, A (fibrillation), O (another rhythm) or noise; of more than two minutes the
    mean over the minutes."""

    @property
    def read(self) -> bool:
        """Whether beats were labelled and rhythms named."""
        return len(self.likely) > 0


@dataclass(frozen=True, slots=True, eq=False)
class Reading:
    """What the beats and seconds that were decided some seconds ago are; the arrays as in `Annotations`."""

    first_second: int
    stop: int
    """Index up to which everything is read."""
    beats: Samples
    labels: Labels
    waves: NDArray[np.int16]
    absent: NDArray[np.uint8]
    likely: NDArray[np.uint8]
    rhythms: tuple[RhythmSpan, ...] = ()
    """Spans that are closed for good by this; they may begin long before it."""


@dataclass(frozen=True, slots=True, eq=False)
class Decided:
    """What one step of the analysis has decided for good."""

    first_second: int
    stop: int
    """Index up to which beats and quality are decided."""
    beats: Samples
    quality: NDArray[np.uint8]
    reasons: NDArray[np.uint8]
    readings: tuple[Reading, ...] = ()
    """What became certain at the same time about earlier seconds; empty where beats are found and not read."""
    rhythm_now: RhythmSpan | None = None
    """The rhythm at the end of what has been read, as far as it can be told now."""


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
