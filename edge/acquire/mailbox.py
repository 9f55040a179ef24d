"""Arrivals on their way from radio callbacks, which cannot wait, to the store: bounded, what is lost is counted."""

import asyncio
from collections import deque
from dataclasses import dataclass, field

from edge.acquire.arrivals import Arrival, Received


@dataclass(slots=True)
class Mailbox:
    """Data beyond `limit` is dropped; starts, losses and news always fit."""

    limit: int
    dropped: int = 0
    _waiting: deque[Arrival] = field(default_factory=deque)
    _some: asyncio.Event = field(default_factory=asyncio.Event)

    def put(self, arrival: Arrival) -> None:
        """Take in one arrival."""
        if isinstance(arrival, Received) and len(self._waiting) >= self.limit:
            self.dropped += 1
            return
        self._waiting.append(arrival)
        self._some.set()

    async def get(self) -> Arrival:
        """The oldest arrival, once there is one."""
        while not self._waiting:
            self._some.clear()
            await self._some.wait()
        return self._waiting.popleft()
