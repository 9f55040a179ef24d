"""Any recording played as if it came from a strap: at real time or a multiple, with faults on request."""

import asyncio
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

from edge.acquire.arrivals import LinkStatus, Started
from edge.acquire.driver import Stream
from edge.acquire.mailbox import Mailbox
from edge.types import Frame, Recording
from firmware_bridge.virtual import FaultScript, frames, with_faults

LONGEST_SLEEP_S = 0.5  # so that a stop is noticed soon
FRAMES_BETWEEN_YIELDS = 16  # at top speed, other tasks of the loop still get their turn
PROTOCOL = "replay"


@dataclass(frozen=True, slots=True)
class ReplaySource:
    """Frames of a recording, paced by the host clock."""

    recording: Recording
    speed: float = 1.0
    """Multiple of real time; 0 is as fast as possible."""
    faults: FaultScript = FaultScript()
    frame_samples: int = 73
    start_s: float | None = None
    """Unix seconds of sample 0; None is now."""
    status: LinkStatus = field(default_factory=lambda: LinkStatus(state="replaying", protocol=PROTOCOL))

    @property
    def name(self) -> str:
        """Beginning of the recordings' ids."""
        return self.recording.info.id

    def present_s(self) -> None:
        """What is replayed has no present: "now" is where it has come to."""

    def frames(self, start_s: float | None = None) -> Iterator[Frame]:
        """All frames in the order of their arrival, unpaced."""
        start_s = self.start_s if start_s is None else start_s
        sent = frames(self.recording, self.frame_samples, time.time() if start_s is None else start_s)
        return with_faults(sent, self.recording.info.fs_hz, self.faults)

    async def run(self, mail: Mailbox) -> None:
        """Put the frames into the mailbox, each not before its time; at top speed none is dropped."""
        began, start_s = time.monotonic(), time.time() if self.start_s is None else self.start_s
        info = self.recording.info
        mail.put(Started(Stream(PROTOCOL, info.leads, info.fs_hz, "counter", notes=info.notes), start_s))
        first_s: float | None = None
        for count, frame in enumerate(self.frames(start_s)):
            first_s = frame.received_s if first_s is None else first_s
            if self.speed > 0:
                due = began + (frame.received_s - first_s) / self.speed
                while (wait := due - time.monotonic()) > 0:  # noqa: ASYNC110 - it waits for a time, not for an event
                    await asyncio.sleep(min(wait, LONGEST_SLEEP_S))
            else:
                await mail.room()
            if count % FRAMES_BETWEEN_YIELDS == 0:
                await asyncio.sleep(0)
            mail.put(frame)
        self.status.state = "ended"
