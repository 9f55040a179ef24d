"""Messages from and to a broker, and the queue in which they wait while it is away."""

import asyncio
import time
from collections import deque
from dataclasses import dataclass

from edge.errors import UsageError
from edge.serve.broker import topic_problem

MAX_TRIES = 3  # a message during which the connection broke so often is the reason why it breaks


@dataclass(frozen=True)
class Incoming:
    """A message from the broker."""

    topic: str
    payload: bytes
    response_topic: str | None = None
    """Where the answer goes (MQTT 5); None also where nothing may be published to what was asked for."""
    correlation_data: bytes | None = None
    """To be sent back unchanged with the answer (MQTT 5)."""
    retained: bool = False
    """The broker kept it from earlier: a retained question or command is nobody's present wish."""


@dataclass(slots=True)
class Outgoing:
    """A message to publish; what MQTT cannot carry is a UsageError."""

    topic: str
    payload: bytes
    retain: bool = False
    qos: int = 1
    correlation_data: bytes | None = None
    expiry_s: int | None = None
    """Seconds after which nobody wants it any more."""
    made_s: float = 0.0
    """Clock of time.monotonic() at the making."""
    tries: int = 0

    def __post_init__(self) -> None:
        self.made_s = time.monotonic()
        if problem := topic_problem(self.topic):
            raise UsageError(f"Cannot publish to {self.topic!r}: {problem}")
        if self.qos not in (0, 1, 2):
            raise UsageError(f"Cannot publish with qos={self.qos}", "Use 0, 1 or 2")
        if self.expiry_s is not None and not 0 < self.expiry_s < 2**32:
            raise UsageError(f"Cannot publish with expiry_s={self.expiry_s}", "Use 1 s or more")
        if self.correlation_data is not None and len(self.correlation_data) > 65_535:
            raise UsageError("Cannot publish more than 65535 bytes of correlation data")

    @property
    def left_s(self) -> float:
        """Seconds until nobody wants it; infinite without an expiry."""
        return float("inf") if self.expiry_s is None else self.made_s + self.expiry_s - time.monotonic()


class Outbox:
    """A bounded queue with one sender, which puts a message back when the connection breaks under it."""

    def __init__(self, size: int) -> None:
        self.dropped = 0
        """Messages given up: the queue was full, or the connection broke during them again and again."""
        self._size = size
        self._waiting: deque[Outgoing] = deque()
        self._filled = asyncio.Event()
        self._empty = asyncio.Event()
        self._empty.set()

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, message: Outgoing) -> None:
        """Append; a full queue drops its oldest message.

        A retained message replaces a waiting one for the same topic: the broker would keep the new one only,
        and the states of an hour without a broker must not push out the events of that hour.
        """
        if message.retain:
            for older in [m for m in self._waiting if m.retain and m.topic == message.topic]:
                self._waiting.remove(older)
        self._waiting.append(message)
        self._changed()

    def put_back(self, message: Outgoing) -> None:
        """Return a message that was not acknowledged to the front, unless it is hopeless or outdated."""
        if message.tries >= MAX_TRIES:
            self.dropped += 1
        elif not (message.retain and any(m.retain and m.topic == message.topic for m in self._waiting)):
            self._waiting.appendleft(message)
        self._changed()

    async def take(self) -> Outgoing:
        """Wait for the next message that is still wanted; asking for it says that the one before was sent."""
        while True:
            while self._waiting:
                message = self._waiting.popleft()
                if message.left_s > 0:
                    message.tries += 1
                    return message
            self._empty.set()
            self._filled.clear()
            await self._filled.wait()

    async def sent(self) -> None:
        """Wait until the last message was sent."""
        await self._empty.wait()

    def _changed(self) -> None:
        while len(self._waiting) > self._size:
            self._waiting.popleft()
            self.dropped += 1
        self._empty.clear()
        self._filled.set()
