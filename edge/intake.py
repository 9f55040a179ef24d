"""What a source delivers becomes recordings: placed in time, kept, analysed. Synchronous; the rim runs it in a thread."""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

import numpy as np

from edge.acquire.arrivals import Arrival, ClockSet, LinkLost, Received, Started, Told
from edge.acquire.assemble import AssemblyState
from edge.acquire.device_clock import median_period_ns
from edge.acquire.driver import Stream
from edge.acquire.packets import Contact, Gone, Marked, Restarted, RrPacket, SamplePacket, Stopped
from edge.acquire.replay import PROTOCOL
from edge.acquire.rr import RrState
from edge.acquire.timeline import Placed, TimelineState, begin_again, lose_link, place, restart
from edge.contact import contact_event
from edge.inputs import analysis_leads
from edge.live import LiveRecording
from edge.live_rr import LiveRr
from edge.pipeline import AnalysisState
from edge.recording.codec import to_mv
from edge.recording.writer import RecordingWriter
from edge.settings import Settings
from edge.types import Decided, Frame, Lead, LinkEvent

News = tuple[list[Decided], list[LinkEvent]]
Begin = Callable[[tuple[Lead, ...], float, datetime, tuple[str, ...]], RecordingWriter]
"""Leads, rate, start and notes to the writer of a new recording."""

ALL_LEADS = -1
MOST_EARLY = 16  # marks from before a recording that are kept
ENOUGH_PACKETS = 3  # give the steps that a median needs


@dataclass(frozen=True, slots=True)
class LinkCounts:
    """What was counted on the way into the present recording."""

    next_sample: int = 0
    duplicates: int = 0
    late: int = 0
    malformed: int = 0
    clock_jumps: int = 0


@dataclass(slots=True)
class Intake:
    """One source's way into recordings; a stream with other leads or another rate begins a new one."""

    begin: Begin
    settings: Settings
    recording: LiveRecording | LiveRr | None = None
    timeline: TimelineState | None = None
    _stream: Stream | None = None
    _shift_s: float = 0.0
    """By how much the host's clock was set since the source began."""
    _without: set[int] = field(default_factory=set)
    """Leads without contact as far as is known; ALL_LEADS for all of them."""
    _early: list[LinkEvent] = field(default_factory=list)
    """The wearer's marks from before the recording began."""
    _placed: list[Placed] = field(default_factory=list)
    """What has its place and is not handed on yet, within one batch."""
    _gone: int | None = None
    """Samples before this counter will not come; waits for the counter's place."""
    _last_counts: LinkCounts = field(default_factory=LinkCounts)
    _waiting: deque[Arrival] = field(default_factory=deque)
    """Handed over, and not taken in yet because the storage failed before."""
    _news: list[News] = field(default_factory=list)
    """Not returned yet, for the same reason."""
    _held: list[Received] = field(default_factory=list)
    """Packets from which the true rate is measured, before the recording begins."""

    def anew(self) -> "Intake":
        """An intake for what follows, when this one cannot go on: it knows the clock and the contact."""
        fresh = Intake(self.begin, self.settings)
        fresh._shift_s, fresh._without = self._shift_s, set(self._without)
        return fresh

    def take(self, batch: Sequence[Arrival]) -> News:
        """Take in what arrived; returns new decisions and link events.

        After StorageError nothing is lost: `retry` takes in the rest of the batch when there is space.
        """
        self._waiting += batch
        return self._go_on()

    def _go_on(self) -> News:
        while self._waiting:
            arrival = self._waiting[0]
            if not (isinstance(arrival, Received) and isinstance(arrival.item, SamplePacket)):
                self._news.append(self._write())
            if isinstance(arrival, Started):  # tried again as a whole: without it nothing after it can be taken in
                self._news.append(self._take(arrival))
                self._waiting.popleft()
            else:
                self._news.append(self._take(self._waiting.popleft()))
        self._news.append(self._write())
        news, self._news = self._news, []
        return _joined(news)

    def _take(self, arrival: Arrival) -> News:
        match arrival:
            case Frame():
                return self._frame(arrival)
            case Started():
                return self._started(arrival)
            case LinkLost():
                return self._lost(arrival)
            case ClockSet():
                return self._clock_set(arrival.step_s)
            case Told():
                return self._tell(LinkEvent(self._at(), arrival.kind, arrival.detail))
            case Received():
                return self._received(arrival)

    def _clock_set(self, step_s: float) -> News:
        self._shift_s += step_s
        if self.recording is None:
            return [], []
        self.recording.keeper.shift_time(step_s)
        return self._tell(LinkEvent(self._at(), "clock", f"this computer's clock was set by {step_s:+.1f} s"))

    def retry(self) -> News:
        """Store what a full disk or a lock refused, and go on; StorageError while it still does."""
        if self.recording is not None:
            self._news.append(self.recording.retry())
        return self._go_on()

    def end(self) -> News:
        """The source has ended: decide the rest and close the recording."""
        if self._held:
            self._begin_held()
        if self.recording is None:
            return [], []
        news = self._place_rest(ended=True)
        recording = self.recording
        try:
            return _joined([news, recording.end()])
        finally:
            self._last_counts = self.counts()
            self.recording = self.timeline = None

    def counts(self) -> LinkCounts:
        """The counters of the present recording."""
        jumps = self.timeline.jumps if self.timeline is not None else 0
        match self.recording:
            case LiveRecording(assembly=a):
                return LinkCounts(a.next_sample, a.duplicates, a.late, a.malformed, jumps)
            case LiveRr() as rr:
                return LinkCounts(rr.next_sample)
            case None:
                return self._last_counts

    def _at(self) -> int:
        """Where the present moment lies: after the latest samples that have a place."""
        if self.recording is None:
            return 0
        return max(self.recording.next_sample, self.timeline.next_sample if self.timeline is not None else 0)

    def _tell(self, event: LinkEvent) -> News:
        if self.recording is not None:
            self.recording.note(event)
        elif event.kind == "mark":
            self._early = [*self._early, event][-MOST_EARLY:]
        return [], [event]

    def _started(self, started: Started) -> News:
        stream, before = started.stream, self._stream
        news: News = ([], [])
        if before is not None and replace(stream, device="", notes=()) != replace(before, device="", notes=()):
            news = self.end()  # other leads or another rate cannot stand in the same recording
        elif self.timeline is not None:
            news = self._place(begin_again(self.timeline), [])
        self._stream = stream
        if self.recording is None and not self._held and stream.protocol == PROTOCOL:
            self._begin_recording(stream.fs_hz, started.received_s)
        return news

    def _lost(self, lost: LinkLost) -> News:
        if self._held:
            begun = self._begin_held() if len(self._held) > ENOUGH_PACKETS else self._forget_held()
            return _joined([begun, self._lost(lost)])
        if isinstance(self.recording, LiveRr):
            return self.recording.lost(lost.received_s, lost.cause)
        if self.recording is None or self.timeline is None or self._stream is None:
            return [], []
        rest = self._place_rest(ended=False)
        return _joined([rest, self.recording.lost(refetches=self._stream.refetches)])

    def _forget_held(self) -> News:
        """Too little to measure a rate from, with which all that follows would be recorded."""
        n, self._held = len(self._held), []
        return [], [LinkEvent(0, "lost", f"the first {n} packets were too few to measure the strap's rate; left out")]

    def _place_rest(self, *, ended: bool) -> News:
        if self.timeline is None or self.recording is None:
            return [], []
        return self._place(*lose_link(self.timeline, ended=ended))

    def _place(self, placed: list[Placed], events: list[LinkEvent]) -> News:
        """Hand on what has its place now."""
        for event in events:
            if self.recording is not None:
                self.recording.note(event)
        self._placed += placed
        return _joined([([], events), self._write()])

    def _received(self, arrived: Received) -> News:
        match arrived.item:
            case SamplePacket():
                return self._samples(arrived)
            case RrPacket() as packet:
                return self._rr(packet, arrived.received_s)
            case Restarted():
                return self._place(*restart(self.timeline)) if self.timeline is not None else ([], [])
            case Gone() as gone:
                self._gone = gone.before_counter
                return self._give_up()
            case Contact() as contact:
                touched = set(contact.leads or {ALL_LEADS})
                self._without = self._without | touched if not contact.on else self._without - touched
                if contact.on and not contact.leads:
                    self._without = set()
                return self._tell(contact_event(self._at(), contact.leads, made=contact.on))
            case Marked() as marked:
                offset = self.timeline.offset if self.timeline is not None else None
                at = self._at() if offset is None else max(0, marked.counter + offset)
                return self._tell(LinkEvent(at, "mark", "the wearer pressed the button"))
            case Stopped() as stopped:
                return self._tell(LinkEvent(self._at(), "silent", stopped.detail))
            case _:
                return [], []  # battery and damage are counted in the link's status

    def _give_up(self) -> News:
        """What the device no longer holds becomes a gap, once its counter has a place on the axis."""
        offset = self.timeline.offset if self.timeline is not None else None
        if self._gone is None or offset is None or not isinstance(self.recording, LiveRecording):
            return [], []
        before = self._gone + offset
        news = self.recording.give_up(before)
        if self.recording.next_sample >= before:  # else what follows the hole has yet to come
            self._gone = None
        return news

    def _rr(self, packet: RrPacket, received_s: float) -> News:
        if self._stream is None or self._stream.placement != "rr":
            return [], []
        if self.recording is None:
            self._begin_recording(self._stream.fs_hz, received_s)
        assert isinstance(self.recording, LiveRr)
        return self.recording.take(packet, received_s)

    def _samples(self, arrived: Received) -> News:
        assert isinstance(arrived.item, SamplePacket)
        n_samples, n_leads = arrived.item.counts.shape
        if self._stream is None or n_samples == 0 or not 0 < n_leads == len(self._stream.leads):
            return [], []
        if self.recording is None:
            return self._before_recording(arrived)
        assert self.timeline is not None
        placed, events = place(arrived.item, arrived.received_s, self.timeline)
        for event in events:
            self.recording.note(event)
        self._placed += placed
        if self._gone is None:
            return [], events
        return _joined([([], events), self._write(), self._give_up()])

    def _before_recording(self, arrived: Received) -> News:
        assert self._stream is not None
        self._held.append(arrived)
        if self._stream.measures_rate:
            n_samples = sum(len(a.item.counts) for a in self._held if isinstance(a.item, SamplePacket))
            if n_samples < self.settings.link.rate_s * self._stream.fs_hz:
                return [], []
        return self._begin_held()

    def _begin_held(self) -> News:
        """The rate is known, as well as it can be: the recording begins with what was held back."""
        assert self._stream is not None
        held, self._held = self._held, []
        packets = [a.item for a in held if isinstance(a.item, SamplePacket)]
        fs_hz = _rate(self._stream, packets, self.settings.link.rate_tolerance)
        self._begin_recording(fs_hz, held[0].received_s - len(packets[0].counts) / fs_hz)
        return _joined([self._samples(arrived) for arrived in held])

    def _begin_recording(self, fs_hz: float, start_s: float) -> None:
        assert self._stream is not None
        stream = self._stream
        writer = self.begin(stream.leads, fs_hz, datetime.fromtimestamp(start_s + self._shift_s, UTC), stream.notes)
        self._gone, self._placed = None, []
        if stream.placement == "rr":
            self.recording = LiveRr(writer, self.settings, RrState(settings=self.settings.rr))
            self.recording.keeper.time_shift_s = self._shift_s
            return
        link = self.settings.link
        hold = link.refetch_frames if stream.refetches else link.reorder_frames
        analysis = AnalysisState(fs_hz, analysis_leads(stream.leads), self.settings)
        self.recording = LiveRecording(writer, analysis, AssemblyState(hold_frames=hold))
        self.recording.keeper.time_shift_s = self._shift_s
        self.timeline = TimelineState(fs_hz, stream.placement, stream.packet_samples)
        for event in self._early:
            self.recording.note(event)
        if self._without:
            leads = set() if ALL_LEADS in self._without else self._without
            self.recording.note(contact_event(0, leads, made=False))
        self._early = []

    def _write(self) -> News:
        """Hand on what has its place; packets that follow each other go together, some devices send 100 a second."""
        assert self._stream is not None or not self._placed
        news: list[News] = []
        while self._placed:
            run = next(_runs(self._placed))
            del self._placed[: len(run)]
            counts = np.concatenate([p.counts for p in run])
            leads = self._stream.leads if self._stream is not None else ()
            signal_mv = np.column_stack([to_mv(counts[:, k], lead) for k, lead in enumerate(leads)])
            news.append(self._frame(Frame(run[0].first_sample, signal_mv, run[-1].received_s, run[0].after)))
        return _joined(news)

    def _frame(self, frame: Frame) -> News:
        assert isinstance(self.recording, LiveRecording)
        return self.recording.take(frame)


def _runs(placed: list[Placed]) -> Iterator[list[Placed]]:
    """Packets grouped by what follows without a hole."""
    run: list[Placed] = []
    for p in placed:
        if run and p.first_sample != run[-1].first_sample + len(run[-1].counts):
            yield run
            run = []
        run.append(p)
    if run:
        yield run


def _rate(stream: Stream, packets: list[SamplePacket], tolerance: float) -> float:
    """The measured sampling rate, to 0.01 Hz, where it was measured and differs from the nominal one."""
    if not stream.measures_rate:
        return stream.fs_hz
    first, last = packets[0], packets[-1]
    if None not in (first.counter, last.counter, first.device_ns, last.device_ns):
        n_samples = (last.counter or 0) - (first.counter or 0)
        period_ns = ((last.device_ns or 0) - (first.device_ns or 0)) / n_samples if n_samples > 0 else None
    else:
        stamps = [(len(p.counts), p.device_ns) for p in packets if p.device_ns is not None]
        period_ns = median_period_ns(stamps, 1e9 / stream.fs_hz)
    if not period_ns or not 0.9 < 1e9 / period_ns / stream.fs_hz < 1.1:
        return stream.fs_hz
    return stream.fs_hz if abs(1e9 / period_ns / stream.fs_hz - 1) < tolerance else round(1e9 / period_ns, 2)


def _joined(news: list[News]) -> News:
    return [d for decided, _ in news for d in decided], [e for _, events in news for e in events]
