"""The live path: frames are assembled, kept, analysed, and at the end measured. Synchronous; the rim runs it in a thread."""

import time
from dataclasses import dataclass, field

from edge.acquire.assemble import AssemblyState, assemble, flush
from edge.errors import StorageError
from edge.interpret.facts import context_of, measure
from edge.pipeline import AnalysisState, advance, finish
from edge.recording.store import RecordingWriter, StoredRecording
from edge.types import Decided, Fact, Frame, LinkEvent, Piece

ANCHOR_EVERY_S = 60.0  # the time map needs no more: wearables drift by tens of parts per million


@dataclass(slots=True)
class LiveRecording:
    """One wearable's recording as it grows."""

    writer: RecordingWriter
    analysis: AnalysisState
    assembly: AssemblyState = field(default_factory=AssemblyState)
    waiting_decided: list[Decided] = field(default_factory=list)
    """Decisions that a full disk refused; stored with the next ones."""
    waiting_events: list[LinkEvent] = field(default_factory=list)
    next_anchor_s: float = 0.0

    def take(self, frame: Frame) -> tuple[list[Decided], list[LinkEvent]]:
        """Store and analyse what one frame makes certain; return the new decisions and link events."""
        pieces, events, _ = assemble(frame, self.assembly)
        decided = self._keep(pieces, events)
        if frame.received_s >= self.next_anchor_s and self.assembly.origin is not None:
            stop = frame.first_sample - self.assembly.origin + len(frame.signal_mv)
            self.writer.add_anchor(stop, frame.received_s)
            self.next_anchor_s = frame.received_s + ANCHOR_EVERY_S
        return decided, events

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
        last = finish(self.analysis)
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
            decided += advance(piece, self.analysis)[0]
        self.waiting_decided += decided
        self.waiting_events += events
        if problem is not None:
            raise problem
        if self.waiting_decided:
            self.writer.commit()  # what was decided on is on disk before the decision
            self.writer.add_decided(self.waiting_decided)
            self.waiting_decided = []
        if self.waiting_events:
            self.writer.add_events(self.waiting_events)
            self.waiting_events = []
        return decided
