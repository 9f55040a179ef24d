"""Arrivals on their way from a source, which may not wait, to the store: bounded, and what is lost is counted."""

import asyncio
from collections import deque
from dataclasses import dataclass, field

from edge.acquire.arrivals import Arrival, Received, Started, Told
from edge.acquire.packets import RrPacket, SamplePacket
from edge.types import Frame

FLOOD = 4  # a device that tells of contact a thousand times a second must not fill the memory


@dataclass(slots=True)
class Mailbox:
    """Samples beyond `limit` arrivals are dropped; what says where they belong always fits, up to FLOOD times that."""

    limit: int
    dropped: int = 0
    _waiting: deque[Arrival] = field(default_factory=deque)
    _changed: asyncio.Event = field(default_factory=asyncio.Event)
    _room: asyncio.Event = field(default_factory=asyncio.Event)
    _closed: bool = False

    def put(self, arrival: Arrival) -> None:
        """Take in one arrival; never waits."""
        n = len(self._waiting)
        if n >= self.limit and (
            _is_data(arrival) or (n >= FLOOD * self.limit and isinstance(arrival, (Received, Told)))
        ):
            self.dropped += 1
            return
        self._waiting.append(arrival)
        self._changed.set()

    async def room(self) -> None:
        """Wait until nothing would be dropped: for sources that can wait."""
        while len(self._waiting) >= self.limit:
            self._room.clear()
            await self._room.wait()

    def close(self) -> None:
        """Nothing more will come."""
        self._closed = True
        self._changed.set()

    async def batch(self, most: int) -> list[Arrival]:
        """What waits, at least one arrival; a stream's start ends a batch. Empty once closed."""
        while not self._waiting and not self._closed:
            self._changed.clear()
            await self._changed.wait()
        batch: list[Arrival] = []
        while self._waiting and len(batch) < most:
            batch.append(self._waiting.popleft())
            if isinstance(batch[-1], Started):
                break
        self._room.set()
        return batch


def _is_data(arrival: Arrival) -> bool:
    if isinstance(arrival, Frame):
        return True
    return isinstance(arrival, Received) and isinstance(arrival.item, (SamplePacket, RrPacket))
