"""What every protocol shares: device information, battery, and waiting for a control point's answer."""

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from edge.acquire.driver import Gatt
from edge.acquire.packets import Battery, Item, Rejected
from edge.acquire.protocols.values import uuid16
from edge.errors import LinkError

T = TypeVar("T")

BATTERY, BATTERY_LEVEL = uuid16(0x180F), uuid16(0x2A19)
DEVICE_INFORMATION = uuid16(0x180A)
MANUFACTURER, MODEL, FIRMWARE, SOFTWARE = uuid16(0x2A29), uuid16(0x2A24), uuid16(0x2A26), uuid16(0x2A28)

MAX_TEXT = 64  # characters of a device's own text that are kept
MAX_WAITING = 16  # answers that nobody has taken yet


def decode_battery(data: bytes) -> list[Item]:
    """Battery Level: one byte, percent."""
    if len(data) != 1 or data[0] > 100:
        return [Rejected("battery")]
    return [Battery(data[0])]


def decode_text(data: bytes) -> str:
    """A device's text on one line; what cannot be printed is left out."""
    text = data.decode("utf-8", "replace")
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())[:MAX_TEXT]


async def read_if_there(gatt: Gatt, service: str, characteristic: str) -> bytes | None:
    """Value of a characteristic that the stream can do without; None where it is missing or refuses."""
    if not gatt.has(service, characteristic):
        return None
    try:
        return await gatt.read(service, characteristic)
    except LinkError:
        return None


async def device_text(gatt: Gatt) -> str:
    """ "Polar Electro Oy H10, firmware 5.0.0, software 3.2.0", as far as the device names them."""
    parts = {}
    for number in (MANUFACTURER, MODEL, FIRMWARE, SOFTWARE):
        value = await read_if_there(gatt, DEVICE_INFORMATION, number)
        parts[number] = decode_text(value) if value else ""
    named = [
        " ".join(part for part in (parts[MANUFACTURER], parts[MODEL]) if part),
        # The firmware may be the radio's and the software the strap's: both are needed.
        f"firmware {parts[FIRMWARE]}" if parts[FIRMWARE] else "",
        f"software {parts[SOFTWARE]}" if parts[SOFTWARE] else "",
    ]
    return ", ".join(text for text in named if text)


async def watch_battery(gatt: Gatt, deliver: Callable[[Item], None]) -> None:
    """Deliver the battery level now and whenever the device tells it; a device without it is fine."""

    def on_value(value: bytes) -> None:
        for item in decode_battery(value):
            deliver(item)

    value = await read_if_there(gatt, BATTERY, BATTERY_LEVEL)
    if value is None:
        return
    on_value(value)
    await subscribe_if_there(gatt, BATTERY, BATTERY_LEVEL, on_value)


async def subscribe_if_there(gatt: Gatt, service: str, characteristic: str, on_value: Callable[[bytes], None]) -> None:
    """Subscribe to what the stream can do without; notifying it is optional in several services."""
    if gatt.has(service, characteristic):
        try:
            await gatt.subscribe(service, characteristic, on_value)
        except LinkError:
            return


@dataclass(slots=True)
class Answers(Generic[T]):
    """Answers that come later than the write they belong to; the oldest are forgotten when nobody takes them."""

    waiting: deque[T] = field(default_factory=lambda: deque(maxlen=MAX_WAITING))
    arrived: asyncio.Event = field(default_factory=asyncio.Event)

    def put(self, answer: T) -> None:
        """Take in an answer, from a callback of the event loop."""
        self.waiting.append(answer)
        self.arrived.set()

    def clear(self) -> None:
        """Forget what came before the next write; before the first one of every connection."""
        self.waiting.clear()
        self.arrived = asyncio.Event()  # an event belongs to the loop that first waited for it

    async def take(self, fits: Callable[[T], bool], within_s: float) -> T | None:
        """The next answer that fits, those before it dropped; None when there is none in time."""
        try:
            async with asyncio.timeout(within_s):
                while True:
                    while self.waiting:
                        if fits(answer := self.waiting.popleft()):
                            return answer
                    self.arrived.clear()
                    await self.arrived.wait()
        except TimeoutError:
            return None
