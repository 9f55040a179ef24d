"""The link over real traffic: the embedded broker (3.1.1), mosquitto (5), and a scripted one for rare manners."""

import asyncio
import gc
import json
import shutil
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import aiomqtt
import pytest
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from edge.errors import ExtraMissing, LinkError, UsageError
from edge.serve import mqtt
from edge.serve.broker import embedded_broker, find_mosquitto, mosquitto_broker
from edge.serve.messages import MAX_TRIES, Outbox, Outgoing
from edge.serve.mqtt import V5, V311, Broker, Incoming, MqttLink, Topics, ask_over_mqtt
from edge.serve.payloads import Status, parse_question

TOPICS = Topics("home", "strap")
has_mosquitto = pytest.mark.skipif(find_mosquitto() is None, reason="the program mosquitto is not installed")
needs_mosquitto = [pytest.mark.broker, has_mosquitto]
BOTH = pytest.mark.parametrize(
    "brokers", [embedded_broker, pytest.param(mosquitto_broker, marks=needs_mosquitto)]
)
Brokers = Callable[..., Any]


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retry within tests' patience."""
    monkeypatch.setattr(mqtt, "FIRST_RETRY_S", 0.05)
    monkeypatch.setattr(mqtt, "CONNECT_TIMEOUT_S", 1.0)


def run(main: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run to the end, and fail when a task or a socket is left, or asyncio has something to complain about."""
    complaints: list[dict[str, Any]] = []

    async def guarded() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, complaint: complaints.append(complaint))
        async with asyncio.timeout(30):
            await main()
        assert asyncio.all_tasks() == {asyncio.current_task()}
        gc.collect()  # unclosed sockets warn when they are collected, and warnings are errors here

    asyncio.run(guarded())
    assert complaints == []


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


async def answer_all(link: MqttLink) -> None:
    """A gateway that answers each question with itself."""
    await link.subscribe([link.topics.ask])
    async for message in link.incoming():
        question = parse_question(message.payload)
        topic = message.response_topic or question.reply_to or link.topics.answer(question.id)
        text = json.dumps({"question": question.question, "id": question.id})
        await link.publish(topic, text, correlation_data=message.correlation_data)


@asynccontextmanager
async def gateway(broker: Broker) -> AsyncIterator[MqttLink]:
    async with MqttLink(broker, TOPICS) as link:
        task = asyncio.create_task(answer_all(link), name="gateway")
        yield link
    await task  # `incoming` ended with the link


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
    """A broker of few words: CONNACK by protocol level, SUBACK with one code, and an acknowledgement of the rest."""

    def __init__(self, connack: dict[int, bytes | None], suback: int = 1) -> None:
        self.levels: list[int] = []
        self._connack = connack
        self._suback = suback

    @asynccontextmanager
    async def serve(self) -> AsyncIterator[Broker]:
        server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        async with server:
            yield Broker("127.0.0.1", server.sockets[0].getsockname()[1])
        await asyncio.sleep(0.05)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError, OSError):
            while True:
                kind, length = await reader.readexactly(2)
                if length > 127:
                    length += 128 * ((await reader.readexactly(1))[0] - 1)
                body = await reader.readexactly(length)
                if kind >> 4 == 1:
                    self.levels.append(body[6])
                    reply = self._connack[body[6]]
                    if reply == b"":
                        break
                    writer.write(reply or b"")
                elif kind >> 4 == 3:
                    at = 2 + int.from_bytes(body[:2])
                    writer.write(b"\x40\x02" + body[at : at + 2])
                elif kind >> 4 == 8:
                    writer.write(b"\x90\x03" + body[:2] + bytes([self._suback]))
        writer.close()


ACCEPT, SILENCE, HANG_UP = b"\x20\x02\x00\x00", None, b""


@BOTH
def test_the_version_is_agreed_with_the_broker(brokers: Brokers) -> None:
    async def main() -> None:
        async with brokers() as broker, MqttLink(broker, TOPICS) as link:
            assert link.version == (V5 if brokers is mosquitto_broker else V311)
            assert link.connected
            assert link.warnings == ()

    run(main)


@BOTH
def test_a_question_is_answered(brokers: Brokers) -> None:
    async def main() -> None:
        async with brokers() as broker, gateway(broker):
            answer = await ask_over_mqtt(broker, TOPICS, "Wie schnell schlägt es?", timeout_s=10)
            assert answer["question"] == "Wie schnell schlägt es?"

    run(main)


@BOTH
def test_a_plain_text_question_of_a_3_1_1_client_is_answered(brokers: Brokers) -> None:
    async def main() -> None:
        async with (
            brokers() as broker,
            gateway(broker),
            stranger(broker, "anyecg/home/strap/answer/+") as client,
        ):
            await client.publish(TOPICS.ask, "How fast?", qos=1)
            topic, answer = await received(client)
            assert answer["question"] == "How fast?"
            assert topic == TOPICS.answer(answer["id"])

    run(main)


@pytest.mark.broker
@has_mosquitto
def test_response_topic_and_correlation_bytes_come_back_unchanged() -> None:
    async def main() -> None:
        properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
        properties.ResponseTopic = "my/answers"
        properties.CorrelationData = bytes(range(256))
        async with mosquitto_broker() as broker, gateway(broker), stranger(broker, "my/+", v5=True) as client:
            await client.publish(TOPICS.ask, "How fast?", qos=1, properties=properties)
            message = await anext(client.messages)
            assert str(message.topic) == "my/answers"
            assert message.properties is not None
            assert message.properties.CorrelationData == bytes(range(256))
            assert message.properties.ContentType == "application/json"

    run(main)


@pytest.mark.broker
@has_mosquitto
def test_a_response_topic_that_would_loop_is_not_used() -> None:
    async def main() -> None:
        properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
        properties.ResponseTopic = TOPICS.ask
        async with (
            mosquitto_broker() as broker,
            MqttLink(broker, TOPICS) as link,
            stranger(broker, v5=True) as client,
        ):
            await link.subscribe([TOPICS.ask])
            await client.publish(TOPICS.ask, "How fast?", qos=1, properties=properties)
            assert await anext(link.incoming()) == Incoming(TOPICS.ask, b"How fast?")

    run(main)


@BOTH
def test_the_status_is_retained_and_offline_after_a_clean_end(brokers: Brokers) -> None:
    async def main() -> None:
        status = Status(online=True, version="0.1.0", recording=None, since="2025-01-31T21:59:00Z")
        async with brokers() as broker:
            async with MqttLink(broker, TOPICS, status=status) as link:
                async with stranger(broker, TOPICS.status) as client:
                    assert (await received(client))[1] == json.loads(status.to_json())
                    await link.set_status(recording="r1")
                    assert (await received(client))[1]["recording"] == "r1"
            async with stranger(broker, TOPICS.status) as client:
                last = (await received(client))[1]
                assert (last["online"], last["recording"]) == (False, "r1")

    run(main)


@BOTH
def test_the_last_will_comes_when_the_socket_is_cut_and_online_follows(brokers: Brokers) -> None:
    async def main() -> None:
        async with brokers() as broker, stranger(broker, TOPICS.status) as client:
            proxy = Proxy(broker)
            async with proxy.serve() as through, MqttLink(through, TOPICS) as link:
                assert (await received(client))[1]["online"] is True
                proxy.open = False
                proxy.cut()
                assert (await received(client))[1]["online"] is False
                await until(lambda: not link.connected)
                proxy.open = True
                assert (await received(client))[1]["online"] is True
            assert (await received(client))[1]["online"] is False

    run(main)


@BOTH
def test_a_broker_killed_and_restarted_on_its_port_is_found_again(brokers: Brokers) -> None:
    async def main() -> None:
        async with AsyncExitStack() as first:
            broker = await first.enter_async_context(brokers())
            told = []

            async def on_connect() -> None:
                told.append(link.version)

            link = MqttLink(broker, TOPICS, on_connect=on_connect)
            async with link:
                version = link.version
                await link.subscribe([TOPICS.ask])
                await first.aclose()
                await until(lambda: not link.connected)
                await link.publish(TOPICS.event, "in between")
                async with brokers(broker.port), stranger(broker, TOPICS.status, TOPICS.event) as client:
                    assert sorted([await received(client), await received(client)], key=str)[0] == (
                        TOPICS.event,
                        "in between",
                    )
                    await client.publish(TOPICS.ask, "How fast?", qos=1)
                    assert (await anext(link.incoming())).payload == b"How fast?"
                    assert told == [version, version]
                    await link.__aexit__(None, None, None)

    run(main)
