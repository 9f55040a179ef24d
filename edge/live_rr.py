"""The live path of RR intervals: they are placed in time, kept as beats and gaps, and at the end measured."""

import time
from contextlib import suppress
from dataclasses import dataclass, field

import numpy as np

from edge.acquire.packets import RrPacket
from edge.acquire.rr import Placed, RrState, flush_rr, lose_link, place_rr
from edge.clean.quality import Reason, State
from edge.errors import StorageError
from edge.interpret.facts import context_of, measure
from edge.live import Anchor
from edge.recording.store import StoredRecording
from edge.recording.writer import RecordingWriter
from edge.settings import Settings
from edge.types import RR_HZ, Decided, Fact, Gap, LinkEvent, Piece, Window, seconds_begun

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
    waiting_decided: list[Decided] = field(default_factory=list)
    """Decisions that a full disk refused; stored with the next ones."""
    waiting_events: list[LinkEvent] = field(default_factory=list)
    anchor: Anchor | None = None
    time_shift_s: float = 0.0
    """By how much the host's clock was set since the recording began."""

    @property
    def next_sample(self) -> int:
        """Length of the time axis so far."""
        return self.placement.stop

    def take(self, packet: RrPacket, received_s: float) -> News:
        """Store what one notification makes certain; return the new decisions and link events."""
        return self._keep(place_rr(packet, received_s, self.placement)[0])

    def retry(self) -> News:
        """Store what the disk refused; StorageError while it still does."""
        self.writer.commit()
        return self._keep(Placed())

    def lost(self, received_s: float, cause: str) -> News:
        """The link is lost: no interval reaches from before to after."""
        return self._keep(lose_link(received_s, cause, self.placement)[0])

    def note(self, event: LinkEvent) -> None:
        """Store what happened to the link; a full disk keeps it for later."""
        self.waiting_events.append(event)
        with suppress(StorageError):
            self._store_events()

    def shift_time(self, step_s: float) -> None:
        """The host's clock was set by so much: from now on it is right, and it was wrong before."""
        self.time_shift_s += step_s
        self.writer.shift_time(step_s)

    def end(self) -> News:
        """The link has ended: place what was held back, decide the rest, close the store."""
        try:
            return self._end()
        finally:
            self.writer.close()  # also on a full disk: no file stays open, and what was stored before is whole

    def _end(self) -> News:
        placed = flush_rr(self.placement)[0]
        ended = LinkEvent(self.placement.stop, "ended", time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()))
        placed.events.append(ended)
        news = self._keep(placed, final=True)
        if self.anchor is not None and self.anchor.delay_s < float("inf"):
            self.writer.add_anchor(self.anchor.sample, self.anchor.utc_s + self.time_shift_s)
        self.writer.add_facts(self._facts())
        return news

    def _facts(self) -> list[Fact]:
        """What was measured of the whole recording, for those who open it later."""
        stored = StoredRecording(self.writer.path)
        try:
            annotations = stored.annotations()
        finally:
            stored.close()
        duration_s = annotations.n_samples / annotations.fs_hz
        return list(measure(context_of(annotations, 0.0, duration_s, self.settings.rhythm, rr_only=True)).values())

    def _keep(self, placed: Placed, *, final: bool = False) -> News:
        """Store what was placed; StorageError when the disk refuses it, after all of it has been taken in."""
        problem: StorageError | None = None
        for piece in self._pieces(placed):
            try:
                self.writer.write(piece)
            except StorageError as error:
                problem = error  # the writer holds the piece; the following ones must not leave a hole behind it
        self.beats += placed.beats
        self.gaps += placed.gaps
        decided, shown = self._decide(final=final)
        self.waiting_decided += decided
        self.waiting_events += placed.events
        if problem is not None:
            raise problem
        if self.waiting_decided:
            self.writer.commit()
            self.writer.add_decided(self.waiting_decided)
            self.waiting_decided = []
        self._store_events()
        for anchor in placed.anchors:
            self._anchor(*anchor)
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

    def _anchor(self, beat: int, received_s: float) -> None:
        """The least delayed notification of every stretch goes into the time map, and the first one."""
        delay_s, every_s = received_s - beat / RR_HZ, self.settings.link.anchor_s
        if self.anchor is None:
            self.writer.add_anchor(beat, received_s + self.time_shift_s)
            self.anchor = Anchor(beat, received_s, float("inf"), received_s + every_s)
        elif received_s >= self.anchor.until_s:
            if self.anchor.delay_s < float("inf"):
                self.writer.add_anchor(self.anchor.sample, self.anchor.utc_s + self.time_shift_s)
            self.anchor = Anchor(beat, received_s, delay_s, received_s + every_s)
        elif delay_s < self.anchor.delay_s:
            self.anchor = Anchor(beat, received_s, delay_s, self.anchor.until_s)

    def _store_events(self) -> None:
        if self.waiting_events:
            self.writer.add_events(self.waiting_events)
            self.waiting_events = []
