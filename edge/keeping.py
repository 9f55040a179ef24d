"""What every live recording does with its store: nothing is forgotten while the disk refuses, times are anchored."""

import time
from contextlib import suppress
from dataclasses import dataclass, field

from edge.errors import StorageError
from edge.interpret.facts import context_of, measure
from edge.recording.store import StoredRecording
from edge.recording.writer import RecordingWriter
from edge.settings import Settings
from edge.types import Decided, LinkEvent, Piece


@dataclass(slots=True)
class Anchor:
    """The least delayed packet of a stretch, for the time map."""

    sample: int
    utc_s: float
    delay_s: float
    until_s: float
    """Host clock at which the stretch ends."""


@dataclass(slots=True)
class Keeper:
    """A recording's way to disk. What the disk refuses waits and is stored with what comes next."""

    writer: RecordingWriter
    settings: Settings
    decided: list[Decided] = field(default_factory=list)
    events: list[LinkEvent] = field(default_factory=list)
    problem: StorageError | None = None
    anchor: Anchor | None = None
    time_shift_s: float = 0.0
    """By how much the host's clock was set since the source began."""

    def write(self, piece: Piece) -> None:
        """Take in a piece; a refusal is raised by the next `store`, when the pieces after it have been taken in, too."""
        try:
            self.writer.write(piece)
        except StorageError as error:
            self.problem = error  # the writer holds the piece; the following ones must not leave a hole behind it

    def store(self, decided: list[Decided], events: list[LinkEvent]) -> None:
        """Store decisions and events, after the signal they rest on; StorageError when the disk refuses."""
        self.decided += decided
        self.events += events
        problem, self.problem = self.problem, None
        if problem is not None:
            raise problem
        if self.decided:
            self.writer.commit()
            self.writer.add_decided(self.decided)
            self.decided = []
        self._store_events()

    def retry(self) -> tuple[list[Decided], list[LinkEvent]]:
        """Store what the disk refused, and return it; StorageError while it still does."""
        self.writer.commit()
        decided, gaps = self.decided, [event for event in self.events if event.kind == "gap"]
        self.store([], [])
        return decided, gaps

    def note(self, event: LinkEvent) -> None:
        """Store what happened to the link; a full disk keeps it for later."""
        self.events.append(event)
        with suppress(StorageError):
            self._store_events()

    def shift_time(self, step_s: float) -> None:
        """The host's clock was set by so much: from now on it is right, and it was wrong before."""
        self.time_shift_s += step_s
        self.writer.shift_time(step_s)

    def pass_by(self, sample: int, received_s: float) -> None:
        """Everything before this sample had arrived; the least delayed of every stretch goes into the time map."""
        delay_s = received_s - sample / self.writer.info.fs_hz
        every_s = self.settings.link.anchor_s
        if self.anchor is None:  # the first one goes in, so that also a short recording has its time
            self.writer.add_anchor(sample, received_s + self.time_shift_s)
            self.anchor = Anchor(sample, received_s, float("inf"), received_s + every_s)
        elif received_s >= self.anchor.until_s:
            self._store_anchor()
            self.anchor = Anchor(sample, received_s, delay_s, received_s + every_s)
        elif delay_s < self.anchor.delay_s:
            self.anchor = Anchor(sample, received_s, delay_s, self.anchor.until_s)

    def finish(self, last: list[Decided], *, classes: tuple[float, ...] = (), rr_only: bool = False) -> None:
        """Store the last decisions, the last anchor, and what was measured of the whole recording.

        `classes`: see `edge.types.Annotations`.
        """
        self._store_anchor()
        self.writer.commit()
        if last:
            self.writer.add_decided(last)
        if classes:
            self.writer.add_classes(classes)
        stored = StoredRecording(self.writer.path)
        try:
            annotations = stored.annotations()
        finally:
            stored.close()
        duration_s = annotations.n_samples / annotations.fs_hz
        context = context_of(annotations, 0.0, duration_s, self.settings.rhythm, rr_only=rr_only)
        self.writer.add_facts(list(measure(context).values()))

    def _store_anchor(self) -> None:
        if self.anchor is not None and self.anchor.delay_s < float("inf"):
            self.writer.add_anchor(self.anchor.sample, self.anchor.utc_s + self.time_shift_s)

    def _store_events(self) -> None:
        if self.events:
            self.writer.add_events(self.events)
            self.events = []


def ended(sample: int) -> LinkEvent:
    """The event that ends a recording, with the time."""
    return LinkEvent(sample, "ended", time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()))
