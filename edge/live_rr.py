"""The live path of RR intervals: they are placed in time, kept as beats and gaps, and at the end measured."""

from dataclasses import dataclass, field

import numpy as np

from edge.acquire.packets import RrPacket
from edge.acquire.rr import Placed, RrState, flush_rr, lose_link, place_rr
from edge.clean.quality import Reason, State
from edge.keeping import Keeper, ended
from edge.recording.writer import RecordingWriter
from edge.settings import Settings
from edge.types import RR_HZ, Decided, Gap, LinkEvent, Piece, Window, seconds_begun

News = tuple[list[Decided], list[LinkEvent]]


@dataclass(slots=True)
class LiveRr:
    """One strap's recording without an ECG as it grows."""

    writer: RecordingWriter
    settings: Settings = field(default_factory=Settings)
    placement: RrState = field(default_factory=RrState)
    seconds: int = 0
    """So many are decided."""
    beats: list[int] = field(default_factory=list)
    """Placed, in seconds that are not decided yet."""
    gaps: list[Gap] = field(default_factory=list)
    """Placed, and reaching into such seconds."""
    keeper: Keeper = field(init=False)

    def __post_init__(self) -> None:
        self.keeper = Keeper(self.writer, self.settings)

    @property
    def next_sample(self) -> int:
        """Length of the time axis so far."""
        return self.placement.stop

    def take(self, packet: RrPacket, received_s: float) -> News:
        """Store what one notification makes certain; return the new decisions and link events."""
        return self._keep(place_rr(packet, received_s, self.placement)[0])

    def retry(self) -> News:
        """Store what the disk refused; StorageError while it still does."""
        return self.keeper.retry()

    def lost(self, received_s: float, cause: str) -> News:
        """The link is lost: no interval reaches from before to after."""
        return self._keep(lose_link(received_s, cause, self.placement)[0])

    def note(self, event: LinkEvent) -> None:
        """Store what happened to the link; a full disk keeps it for later."""
        self.keeper.note(event)

    def end(self) -> News:
        """The link has ended: place what was held back, decide the rest, close the store."""
        try:
            placed = flush_rr(self.placement)[0]
            placed.events.append(ended(self.placement.stop))
            news = self._keep(placed, final=True)
            self.keeper.finish([], rr_only=True)
            return news
        finally:
            self.writer.close()  # also on a full disk: no file stays open, and what was stored before is whole

    def _keep(self, placed: Placed, *, final: bool = False) -> News:
        """Store what was placed; StorageError when the disk refuses it, after all of it has been taken in."""
        for piece in self._pieces(placed):
            self.keeper.write(piece)
        self.beats += placed.beats
        self.gaps += placed.gaps
        decided, shown = self._decide(final=final)
        self.keeper.store(decided, placed.events)
        for anchor in placed.anchors:
            self.keeper.pass_by(*anchor)
        return shown, placed.events

    def _pieces(self, placed: Placed) -> list[Piece]:
        """The gaps, with windows of no lead in between: the store wants time without a hole."""
        pieces: list[Piece] = []
        at = self.writer.stop
        for gap in placed.gaps:
            if gap.start > at:
                pieces.append(Window(at, np.empty((gap.start - at, 0), np.float32)))
            pieces.append(gap)
            at = gap.stop
        return pieces

    def _decide(self, *, final: bool) -> tuple[list[Decided], list[Decided]]:
        """The whole seconds that are certain now, at the end also the begun one: to be stored, and to be shown.

        Beats are known there and waves are not, so no second is "good". Stored, a second is unusable when nothing
        else is in it, and intervals end at the gaps themselves; those who watch are told of seconds only, so to
        them every second that a gap touches is unusable.
        """
        stop = self.placement.stop
        n_seconds = (seconds_begun(stop, RR_HZ) if final else int(stop / RR_HZ)) - self.seconds
        if n_seconds <= 0:
            return [], []
        stop = stop if final else round((self.seconds + n_seconds) * RR_HZ)
        within, touched = np.zeros(n_seconds, bool), np.zeros(n_seconds, bool)
        for gap in self.gaps:
            a, b = gap.start / RR_HZ - self.seconds, gap.stop / RR_HZ - self.seconds
            within[max(0, int(np.ceil(a))) : max(0, int(b))] = True
            touched[max(0, int(a)) : max(0, int(np.ceil(b)))] = True
        beats = np.array([beat for beat in self.beats if beat < stop], np.int64)
        decided = [
            Decided(
                self.seconds,
                stop,
                beats,
                np.where(bad, State.UNUSABLE, State.USABLE).astype(np.uint8),
                np.where(bad, Reason.NO_SAMPLES, 0).astype(np.uint8),
            )
            for bad in (within, touched)
        ]
        self.seconds += n_seconds
        self.beats = self.beats[len(beats) :]
        self.gaps = [gap for gap in self.gaps if gap.stop > stop]
        return decided[:1], decided[1:]
