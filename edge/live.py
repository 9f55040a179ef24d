"""The live path: frames are assembled, kept, analysed, and at the end measured. Synchronous; the rim runs it in a thread."""

from dataclasses import dataclass, field

from edge.acquire.assemble import AssemblyState, assemble, flush, give_up
from edge.contact import with_event
from edge.keeping import Keeper, ended
from edge.pipeline import AnalysisState, advance, finish
from edge.recording.writer import RecordingWriter
from edge.types import Decided, Frame, LinkEvent, Piece

STRETCHES_OFF = 64
News = tuple[list[Decided], list[LinkEvent]]


@dataclass(slots=True)
class LiveRecording:
    """One wearable's recording as it grows. After a StorageError everything taken in waits, see `retry`."""

    writer: RecordingWriter
    analysis: AnalysisState
    assembly: AssemblyState = field(default_factory=AssemblyState)
    keeper: Keeper = field(init=False)

    def __post_init__(self) -> None:
        self.keeper = Keeper(self.writer, self.analysis.settings)

    @property
    def next_sample(self) -> int:
        """Length of the time axis so far."""
        return self.assembly.next_sample

    def take(self, frame: Frame) -> News:
        """Store and analyse what one frame makes certain; return the new decisions and link events."""
        pieces, events, _ = assemble(frame, self.assembly)
        news = self._keep(pieces, events)
        if self.assembly.origin is not None:
            stop = frame.first_sample - self.assembly.origin + len(frame.signal_mv)
            self.keeper.pass_by(stop, frame.received_s)
        return news

    def retry(self) -> News:
        """Store what the disk refused; StorageError while it still does."""
        return self.keeper.retry()

    def lost(self, *, refetches: bool) -> News:
        """The link is lost: without a device that can repeat, what waited for a hole to be filled waits in vain."""
        return ([], []) if refetches else self._keep(*flush(self.assembly))

    def give_up(self, before_sample: int) -> News:
        """Samples before this index will not come any more."""
        return self._keep(*give_up(before_sample, self.assembly))

    def note(self, event: LinkEvent) -> None:
        """Store what happened to the link; a full disk keeps it for later."""
        off = with_event(self.analysis.off, event, self.analysis.leads[0], self.analysis.fs_hz)
        self.analysis.off = off[-STRETCHES_OFF:]  # only what may still be decided on is needed
        self.keeper.note(event)

    def end(self) -> News:
        """The link has ended: hand on what was held back, decide the rest, close the store."""
        try:
            pieces, events = flush(self.assembly)
            decided, events = self._keep(pieces, [*events, ended(self.assembly.next_sample)])
            last = finish(self.analysis)
            self.keeper.finish(last, classes=self.analysis.classes)
            return decided + last, events
        finally:
            self.writer.close()  # also on a full disk: no file stays open, and what was stored before is whole

    def _keep(self, pieces: list[Piece], events: list[LinkEvent]) -> News:
        """Store and analyse pieces; StorageError when the disk refuses them, after all of them have been taken in."""
        decided: list[Decided] = []
        for piece in pieces:
            self.keeper.write(piece)
            decided += advance(piece, self.analysis)[0]
        self.keeper.store(decided, events)
        return decided, events
