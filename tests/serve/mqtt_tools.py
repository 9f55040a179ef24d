"""What the MQTT tests share: a strict loop, a foreign client, a line to cut, a scripted broker."""

import asyncio
import gc
import json
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from typing import Any

import aiomqtt
import pytest

from edge.serve.broker import Broker, Topics, embedded_broker, find_mosquitto, mosquitto_broker

TOPICS = Topics("home", "strap")
Brokers = Callable[..., Any]
has_mosquitto = pytest.mark.skipif(find_mosquitto() is None, reason="the program mosquitto is not installed")
_MOSQUITTO = pytest.param(mosquitto_broker, marks=[pytest.mark.broker, has_mosquitto])
both_brokers = pytest.mark.parametrize("brokers", [embedded_broker, _MOSQUITTO])


def run(main: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run to the end, and fail when a task or a socket is left or asyncio has something to complain about."""
    complaints: list[dict[str, Any]] = []

    async def guarded() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, complaint: complaints.append(complaint))
        async with asyncio.timeout(30):
            await main()
        assert asyncio.all_tasks() == {asyncio.current_task()}
        gc.collect()  # unclosed sockets warn when they are collected, and warnings are errors here

    asyncio.run(guarded())
    assert complaints == [], complaints


@asynccontextmanager
async def stranger(broker: Broker, *topics: str, v5: bool = False) -> AsyncIterator[aiomqtt.Client]:
    """A client that is not this package's."""
    version = aiomqtt.ProtocolVersion.V5 if v5 else aiomqtt.ProtocolVersion.V311
    async with aiomqtt.Client(broker.host, broker.port, protocol=version) as client:
        for topic in topics:
            await client.subscribe(topic, qos=1)
        yield client
    await asyncio.sleep(0.01)  # aiomqtt's own task ends a moment after it


async def received(client: aiomqtt.Client) -> tuple[str, Any]:
    message = await asyncio.wait_for(anext(client.messages), 10)
    assert isinstance(message.payload, bytes)
    text = message.payload.decode()
    return str(message.topic), json.loads(text) if text.startswith("{") else text


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.01)


class Proxy:
    """Passes bytes on to a broker until it is cut; refuses everyone while `open` is false."""

    def __init__(self, broker: Broker) -> None:
        self._to = broker
        self._writers: list[asyncio.StreamWriter] = []
        self.open = True
        self.connects = 0

    @asynccontextmanager
    async def serve(self) -> AsyncIterator[Broker]:
        server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        async with server:
            yield Broker("127.0.0.1", server.sockets[0].getsockname()[1])
            self.cut()
        await asyncio.sleep(0.05)

    def cut(self) -> None:
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not self.open:
            writer.transport.abort()
            return
        self.connects += 1
        there, back = await asyncio.open_connection(self._to.host, self._to.port)
        self._writers += [writer, back]
        await asyncio.gather(self._pass(reader, back), self._pass(there, writer))

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(65_536):
                writer.write(data)
        writer.close()


class Scripted:
    """A broker of few words: CONNACKs by protocol level, a code for SUBACKs (None hangs up), slow PUBACKs."""

    def __init__(self, connack: dict[int, bytes | None], suback: int | None = 1, puback_s: float = 0.0) -> None:
        self.levels: list[int] = []
        self.subscriptions: list[bytes] = []
        self.writers: set[asyncio.StreamWriter] = set()
        self._connack = connack
        self._suback = suback
        self._puback_s = puback_s

    @asynccontextmanager
    async def serve(self) -> AsyncIterator[Broker]:
        server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        async with server:
            yield Broker("127.0.0.1", server.sockets[0].getsockname()[1])
            self.cut()
        await asyncio.sleep(0.05)

    def cut(self) -> None:
        for writer in self.writers:
            writer.transport.abort()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.writers.add(writer)
        with suppress(asyncio.IncompleteReadError, OSError):
            while (reply := await self._reply(reader)) != HANG_UP:
                writer.write(reply or b"")
        writer.close()
        self.writers.discard(writer)

    async def _reply(self, reader: asyncio.StreamReader) -> bytes | None:
        kind, length = await reader.readexactly(2)
        if length > 127:
            length += 128 * ((await reader.readexactly(1))[0] - 1)
        body = await reader.readexactly(length)
        if kind >> 4 == 1:
            self.levels.append(body[6])
            return self._connack[body[6]]
        if kind >> 4 == 3:
            await asyncio.sleep(self._puback_s)
            at = 2 + int.from_bytes(body[:2])
            return b"\x40\x02" + body[at : at + 2]
        if kind >> 4 == 8:
            self.subscriptions.append(body[4:-1])
            return HANG_UP if self._suback is None else b"\x90\x03" + body[:2] + bytes([self._suback])
        return None


ACCEPT, REFUSE, SILENCE, HANG_UP = b"\x20\x02\x00\x00", b"\x20\x02\x00\x01", None, b""
