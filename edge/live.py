"""The live path: frames are assembled, kept, analysed, and at the end measured. Synchronous; the rim runs it in a thread."""

import time
from contextlib import suppress
from dataclasses import dataclass, field

from edge.acquire.assemble import AssemblyState, assemble, flush, give_up
from edge.contact import Off, with_event, without_contact
from edge.errors import StorageError
from edge.interpret.facts import context_of, measure
from edge.pipeline import AnalysisState, advance, finish
from edge.recording.store import StoredRecording
from edge.recording.writer import RecordingWriter
from edge.types import Decided, Fact, Frame, LinkEvent, Piece

STRETCHES_OFF = 64


@dataclass(slots=True)
class Anchor:
    """The least delayed packet of a stretch, for the time map."""

    sample: int
    utc_s: float
    delay_s: float
    until_s: float
    """Host clock at which the stretch ends."""


@dataclass(slots=True)
class LiveRecording:
    """One wearable's recording as it grows."""

    writer: RecordingWriter
    analysis: AnalysisState
    assembly: AssemblyState = field(default_factory=AssemblyState)
    waiting_decided: list[Decided] = field(default_factory=list)
    """Decisions that a full disk refused; stored with the next ones."""
    waiting_events: list[LinkEvent] = field(default_factory=list)
    off: list[Off] = field(default_factory=list)
    """Stretches without contact that may still be decided on."""
    anchor: Anchor | None = None
    time_shift_s: float = 0.0
    """By how much the host's clock was set since the recording began."""

    @property
    def next_sample(self) -> int:
        """Length of the time axis so far."""
        return self.assembly.next_sample

    def take(self, frame: Frame) -> tuple[list[Decided], list[LinkEvent]]:
        """Store and analyse what one frame makes certain; return the new decisions and link events."""
        pieces, events, _ = assemble(frame, self.assembly)
        decided = self._keep(pieces, events)
        self._anchor(frame)
        return decided, events

    def retry(self) -> tuple[list[Decided], list[LinkEvent]]:
        """Store what the disk refused; StorageError while it still does."""
        self.writer.commit()
        return self._keep([], []), []

    def lost(self, *, refetches: bool) -> tuple[list[Decided], list[LinkEvent]]:
        """The link is lost: without a device that can repeat, what waited for a hole to be filled waits in vain."""
        if refetches:
            return [], []
        pieces, events = flush(self.assembly)
        return self._keep(pieces, events), events

    def give_up(self, before_sample: int) -> tuple[list[Decided], list[LinkEvent]]:
        """Samples before this index will not come any more."""
        pieces, events = give_up(before_sample, self.assembly)
        return self._keep(pieces, events), events

    def note(self, event: LinkEvent) -> None:
        """Store what happened to the link; a full disk keeps it for later."""
        off = with_event(self.off, event, self.analysis.lead, self.analysis.fs_hz)
        self.off = off[-STRETCHES_OFF:]  # only what may still be decided on is needed
        self.waiting_events.append(event)
        with suppress(StorageError):
            self._store_events()

    def shift_time(self, step_s: float) -> None:
        """The host's clock was set by so much: from now on it is right, and it was wrong before."""
        self.time_shift_s += step_s
        self.writer.shift_time(step_s)

    def _with_contact(self, decided: list[Decided]) -> list[Decided]:
        return [without_contact(d, self.off, self.analysis.fs_hz) for d in decided] if self.off else decided

    def _anchor(self, frame: Frame) -> None:
        if self.assembly.origin is None:
            return
        stop = frame.first_sample - self.assembly.origin + len(frame.signal_mv)
        delay_s = frame.received_s - stop / self.analysis.fs_hz
        every_s = self.analysis.settings.link.anchor_s
        if self.anchor is None:  # the first frame is one, so that also a short recording has its time
            self.writer.add_anchor(stop, frame.received_s + self.time_shift_s)
            self.anchor = Anchor(stop, frame.received_s, float("inf"), frame.received_s + every_s)
        elif frame.received_s >= self.anchor.until_s:
            if self.anchor.delay_s < float("inf"):
                self.writer.add_anchor(self.anchor.sample, self.anchor.utc_s + self.time_shift_s)
            self.anchor = Anchor(stop, frame.received_s, delay_s, frame.received_s + every_s)
        elif delay_s < self.anchor.delay_s:
            self.anchor = Anchor(stop, frame.received_s, delay_s, self.anchor.until_s)

    def end(self) -> tuple[list[Decided], list[LinkEvent]]:
        """The link has ended: hand on what was held back, decide the rest, close the store."""
        try:
            return self._end()
        finally:
            self.writer.close()  # also on a full disk: no file stays open, and what was stored before is whole

    def _end(self) -> tuple[list[Decided], list[LinkEvent]]:
        pieces, events = flush(self.assembly)
        events.append(LinkEvent(self.assembly.next_sample, "ended", time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())))
        decided = self._keep(pieces, events)
        if self.anchor is not None and self.anchor.delay_s < float("inf"):
            self.writer.add_anchor(self.anchor.sample, self.anchor.utc_s + self.time_shift_s)
        last = self._with_contact(finish(self.analysis))
        self.writer.commit()
        self.writer.add_decided(last)
        self.writer.add_facts(self._facts())
        return decided + last, events

    def _facts(self) -> list[Fact]:
        """What was measured of the whole recording, for those who open it without analysing it again."""
        stored = StoredRecording(self.writer.path)
        try:
            annotations = stored.annotations()
        finally:
            stored.close()
        duration_s = annotations.n_samples / annotations.fs_hz
        context = context_of(annotations, 0.0, duration_s, self.analysis.settings.rhythm)
        return list(measure(context).values())

    def _keep(self, pieces: list[Piece], events: list[LinkEvent]) -> list[Decided]:
        """Store and analyse pieces; StorageError when the disk refuses them, after the writer has taken all of them."""
        decided: list[Decided] = []
        problem: StorageError | None = None
        for piece in pieces:
            try:
                self.writer.write(piece)
            except StorageError as error:
                problem = error  # the writer holds the piece; the following ones must not leave a hole behind it
            decided += self._with_contact(advance(piece, self.analysis)[0])
        self.waiting_decided += decided
        self.waiting_events += events
        if problem is not None:
            raise problem
        if self.waiting_decided:
            self.writer.commit()  # what was decided on is on disk before the decision
            self.writer.add_decided(self.waiting_decided)
            self.waiting_decided = []
        self._store_events()
        return decided

    def _store_events(self) -> None:
        if self.waiting_events:
            self.writer.add_events(self.waiting_events)
            self.waiting_events = []
