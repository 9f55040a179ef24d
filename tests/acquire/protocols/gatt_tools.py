"""A scripted device in memory: what it holds, and what it does when it is written to."""

import asyncio
from collections.abc import Callable

from edge.acquire.driver import Driver, Stream
from edge.acquire.packets import Item
from edge.errors import LinkError

Reply = Callable[[str, bytes], list[tuple[str, bytes]]]


def silent(characteristic: str, value: bytes) -> list[tuple[str, bytes]]:
    return []


class FakeGatt:
    """`table`: values by service and characteristic; `reply`: what is sent after a write, as (characteristic, value).

    What it sends reaches subscribers only, as over the air.
    """

    def __init__(self, table: dict[str, dict[str, bytes]], reply: Reply = silent, mtu: int = 247) -> None:
        self.table, self.reply, self.mtu = table, reply, mtu
        self.log: list[tuple[str, str, bytes]] = []
        self.subscribers: dict[str, Callable[[bytes], None]] = {}
        self.broken: LinkError | None = None

    def has(self, service: str, characteristic: str | None = None) -> bool:
        there = self.table.get(service)
        return there is not None and (characteristic is None or characteristic in there)

    async def read(self, service: str, characteristic: str) -> bytes:
        self._note("read", service, characteristic, b"")
        return self.table[service][characteristic]

    async def write(self, service: str, characteristic: str, value: bytes) -> None:
        self._note("write", service, characteristic, value)
        loop = asyncio.get_running_loop()
        for sender, answer in self.reply(characteristic, value):
            loop.call_soon(self.send, sender, answer)

    def write_soon(self, service: str, characteristic: str, value: bytes) -> None:
        self._note("write", service, characteristic, value)

    async def subscribe(self, service: str, characteristic: str, on_value: Callable[[bytes], None]) -> None:
        self._note("subscribe", service, characteristic, b"")
        self.subscribers[characteristic] = on_value

    def send(self, characteristic: str, value: bytes) -> None:
        if characteristic in self.subscribers:
            self.subscribers[characteristic](value)

    @property
    def written(self) -> list[bytes]:
        return [value for what, _, value in self.log if what == "write"]

    def _note(self, what: str, service: str, characteristic: str, value: bytes) -> None:
        if self.broken is not None:
            raise self.broken
        assert self.has(service, characteristic), f"{characteristic} is not in the table"
        self.log.append((what, characteristic, value))


def start(driver: Driver, gatt: FakeGatt) -> tuple[Stream, list[Item]]:
    """Start the driver; the list goes on filling as the device sends."""
    items: list[Item] = []
    return asyncio.run(driver.start(gatt, items.append)), items
