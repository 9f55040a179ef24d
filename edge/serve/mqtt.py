"""The gateway's line to an MQTT broker, and a client that asks one question over it.

The only module that imports aiomqtt: its 2.x leaves reconnecting to the user, its 3.0 delivers differently.
"""

import asyncio
import dataclasses
import hashlib
import itertools
import json
import logging
import secrets
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from types import ModuleType
from typing import TYPE_CHECKING, Any, Self

from edge.errors import ExtraMissing, LinkError, UsageError
from edge.serve.broker import ROOT, Broker, Topics, filter_problem, reply_problem
from edge.serve.messages import Incoming, Outbox, Outgoing
from edge.serve.payloads import Status

if TYPE_CHECKING:
    import aiomqtt
    from paho.mqtt.properties import Properties

__all__ = ["V5", "V311", "Broker", "Incoming", "MqttLink", "Topics", "ask_over_mqtt"]

CONNECT_TIMEOUT_S = 5.0  # a broker in the house answers in milliseconds, one across the world in a second
ACK_TIMEOUT_S = 10.0  # an acknowledgement later than this means that the connection is dead
KEEPALIVE_S = 30  # the broker notices a gateway lost without a word after 1.5 times this
FIRST_RETRY_S = 0.5  # a restarting broker is back within a second; doubled after each failure …
MAX_RETRY_S = 30.0  # … up to this, the longest that caregivers wait once the broker is back
STABLE_S = 10.0  # a connection that lasted so long starts the back-off anew
FLUSH_S = 2.0  # longest wait at the end for messages that are still queued
OUTBOX_MESSAGES = 1000  # an hour of events and answers, a few hundred kilobytes
INBOX_MESSAGES = 256  # more questions waiting than this is a flood; the oldest go

V5, V311 = "5.0", "3.1.1"
_log = logging.getLogger(__name__)


class MqttLink:
    """A connection to a broker that comes back by itself; use it with `async with`.

    It publishes `status` as online after each connect and as offline at the end; the broker does the latter
    when the link is lost (last will). Entering raises LinkError when the first attempt to connect fails; with
    `wait` it returns at once and connecting goes on in the background, since a recording needs no broker.

    `on_connect` is awaited after each connect, for what a broker without a memory has to be told again.
    Outgoing messages pass one bounded queue, in order; those with QoS 1 arrive at least once.
    """

    def __init__(
        self,
        broker: Broker,
        topics: Topics,
        *,
        status: Status | None = None,
        wait: bool = False,
        on_connect: Callable[[], Awaitable[None]] | None = None,
        outbox: int = OUTBOX_MESSAGES,
    ) -> None:
        self._library = _aiomqtt()
        self.broker = broker
        self.topics = topics
        self.version: str | None = None
        """MQTT version the broker speaks, "5.0" or "3.1.1"; None before the first connect."""
        self.dropped_incoming = 0
        """Messages that nobody fetched in time from `incoming`."""
        self._status = dataclasses.replace(status or Status(online=True), online=True)
        self._wait = wait
        self._on_connect = on_connect
        self._filters: list[str] = []
        self._refused: set[str] = set()
        self._outbox = Outbox(outbox)
        self._inbox: asyncio.Queue[Incoming | None] = asyncio.Queue(INBOX_MESSAGES)
        self._client: aiomqtt.Client | None = None
        self._closing = False
        self._task: asyncio.Task[None] | None = None

    @property
    def connected(self) -> bool:
        """Whether the broker is connected and knows that this gateway is online."""
        return self._client is not None

    @property
    def dropped(self) -> int:
        """Outgoing messages given up: the queue was full, or the connection broke under them repeatedly."""
        return self._outbox.dropped

    @property
    def warnings(self) -> tuple[str, ...]:
        """What the owner should know, one sentence each: no encryption, refused subscriptions."""
        advice = "check the broker's access rules"
        return (
            *self.broker.warnings,
            *(f"No messages come from {t}; {advice}." for t in sorted(self._refused)),
        )

    async def __aenter__(self) -> Self:
        first: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._task = asyncio.create_task(self._run(first), name=f"mqtt.link[{self.broker.where}]")
        try:
            await first
        except BaseException:
            await self._stop(self._task)
            raise
        return self

    async def __aexit__(self, kind: object, error: object, trace: object) -> None:
        assert self._task is not None
        try:
            if self.connected:
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._outbox.sent(), FLUSH_S)
        finally:
            await self._stop(self._task)
        if error is None and not self._task.cancelled():
            self._task.result()

    async def publish(
        self,
        topic: str,
        payload: bytes | str,
        *,
        retain: bool = False,
        qos: int = 1,
        correlation_data: bytes | None = None,
        expiry_s: int | None = None,
    ) -> None:
        """Queue a message and return at once, also during an outage; a wrong topic or number is a UsageError.

        A full queue drops its oldest message. A retained message replaces an unsent one for the same topic.
        One older than `expiry_s` seconds is not sent any more; under MQTT 5 the broker drops it then, too.
        """
        data = payload.encode("utf-8", "replace") if isinstance(payload, str) else payload
        self._outbox.put(Outgoing(topic, data, retain, qos, correlation_data, expiry_s))

    async def set_status(self, *, recording: str | None) -> None:
        """Publish, now and after each reconnect, which recording is being made."""
        self._status = dataclasses.replace(self._status, recording=recording)
        await self.publish(self.topics.status, self._status.to_json(), retain=True)

    async def subscribe(self, topics: Iterable[str]) -> None:
        """Have messages for these topic filters come to `incoming`, now and after each reconnect.

        A filter that is none is a UsageError; one that the broker refuses is told in `warnings`.
        """
        new = [topic for topic in topics if topic not in self._filters]
        for topic in new:
            if problem := filter_problem(topic):
                raise UsageError(f"Cannot subscribe to {topic!r}: {problem}")
        self._filters += new
        if self._client is not None and new:
            with suppress(self._library.MqttError):  # lost meanwhile: the next connect subscribes to all
                await self._subscribe(self._client, new)

    async def incoming(self) -> AsyncIterator[Incoming]:
        """Yield messages as they arrive, across reconnects; ends with the link. For one reader."""
        while (message := await self._inbox.get()) is not None:
            yield message

    async def _run(self, first: "asyncio.Future[None]") -> None:
        """Connect, serve and connect again until cancelled; tell `first` how the first attempt went."""
        try:
            if self._wait:
                first.set_result(None)
            await self._keep_connected(first)
        except Exception as error:
            if first.done():
                _log.exception("The MQTT link ended")
                raise
            first.set_exception(error)
        finally:
            self._offer(None)

    async def _keep_connected(self, first: "asyncio.Future[None]") -> None:
        retry_s = FIRST_RETRY_S
        while True:
            started_s = time.monotonic()
            try:
                options = {"identifier": self._identifier(), "will": self._will()}
                async with _connection(self.broker, self.version, **options) as (client, self.version):
                    await self._serve(client, first)
            except self._library.MqttError as error:
                problem = _unreachable(self.broker, error)
                if not first.done():
                    raise problem from error
                # Once per outage: a night without a broker must not fill the log.
                _log.log(logging.WARNING if retry_s == FIRST_RETRY_S else logging.DEBUG, "%s", problem)
            if time.monotonic() - started_s > STABLE_S:
                retry_s = FIRST_RETRY_S
            await asyncio.sleep(retry_s)
            retry_s = min(2 * retry_s, MAX_RETRY_S)

    async def _serve(self, client: "aiomqtt.Client", first: "asyncio.Future[None]") -> None:
        """One connection, from its status message to its end by an MqttError or a cancellation."""
        pair: list[asyncio.Task[None]] = []
        try:
            await self._subscribe(client, self._filters)
            await client.publish(self.topics.status, self._status.to_json(), qos=1, retain=True)
            self._client = client
            if self._on_connect is not None:
                await self._on_connect()
            if not first.done():
                first.set_result(None)
            pair = [
                asyncio.create_task(self._receive(client), name="mqtt.receive"),
                asyncio.create_task(self._send(client), name="mqtt.send"),
            ]
            done, _ = await asyncio.wait(pair, return_when=asyncio.FIRST_COMPLETED)
            done.pop().result()
        finally:
            self._client = None
            for task in pair:
                task.cancel()
            await asyncio.gather(*pair, return_exceptions=True)
            if self._closing:
                will = self._will()
                with suppress(self._library.MqttError):
                    await client.publish(will.topic, will.payload, will.qos, will.retain, timeout=FLUSH_S)

    async def _subscribe(self, client: "aiomqtt.Client", topics: list[str]) -> None:
        if topics:
            codes: Iterable[Any] = await client.subscribe([(topic, 1) for topic in topics])
            refused = [getattr(code, "value", code) >= 128 for code in codes]
            self._refused = self._refused - set(topics) | set(itertools.compress(topics, refused))

    async def _receive(self, client: "aiomqtt.Client") -> None:
        async for message in client.messages:
            reply = getattr(message.properties, "ResponseTopic", None)
            if reply is not None and reply_problem(reply):
                reply = None
            correlation = getattr(message.properties, "CorrelationData", None)
            self._offer(Incoming(str(message.topic), message.payload, reply, correlation, message.retain))

    async def _send(self, client: "aiomqtt.Client") -> None:
        while True:
            message = await self._outbox.take()
            try:
                await _publish(client, message, _properties(message) if self.version == V5 else None)
            except BaseException:
                self._outbox.put_back(message)
                raise

    def _offer(self, message: Incoming | None) -> None:
        if self._inbox.full():
            self._inbox.get_nowait()
            self.dropped_incoming += 1
        self._inbox.put_nowait(message)

    def _will(self) -> "aiomqtt.Will":
        offline = dataclasses.replace(self._status, online=False).to_json()
        will: aiomqtt.Will = self._library.Will(self.topics.status, offline, qos=1, retain=True)
        return will

    def _identifier(self) -> str:
        """Always the same: a reconnect then ends the lost session and publishes its will before `online`.

        It has the 23 characters that MQTT 3.1.1 obliges every broker to accept.
        """
        return f"{ROOT}-{hashlib.sha256(self.topics.base.encode()).hexdigest()[:16]}"

    async def _stop(self, task: "asyncio.Task[None]") -> None:
        self._closing = True
        task.cancel()
        await asyncio.wait({task})


async def ask_over_mqtt(broker: Broker, topics: Topics, question: str, *, timeout_s: float) -> dict[str, Any]:
    """Ask a gateway one question and return its answer document, or its error document.

    LinkError when the broker cannot be reached, or no JSON object comes back within `timeout_s` seconds.
    """
    library = _aiomqtt()
    question_id = secrets.token_hex(8)
    answer_topic = topics.answer(question_id)
    request = Outgoing(
        topics.ask,
        json.dumps({"question": question, "id": question_id}).encode(),
        correlation_data=secrets.token_bytes(8),
        expiry_s=max(1, round(timeout_s)),  # a gateway that comes back later need not answer any more
    )
    try:
        async with asyncio.timeout(timeout_s), _connection(broker) as (client, version):
            await client.subscribe([(answer_topic, 1)])
            await _publish(client, request, _properties(request, answer_topic) if version == V5 else None)
            answer = json.loads((await anext(client.messages)).payload)
    except TimeoutError:
        advice = f"Check that the gateway is online; the retained {topics.status} tells"
        raise LinkError(f"No answer within {timeout_s:g} s", advice) from None
    except library.MqttError as error:
        raise _unreachable(broker, error) from error
    except ValueError:
        answer = None
    if not isinstance(answer, dict):
        raise LinkError(f"What came on {answer_topic} is no JSON object", "Check who else publishes there")
    return answer


def _aiomqtt() -> ModuleType:
    try:
        import aiomqtt
    except ImportError as error:
        raise ExtraMissing("aiomqtt", "mqtt") from error
    return aiomqtt


async def _publish(client: "aiomqtt.Client", message: Outgoing, properties: "Properties | None") -> None:
    data, qos, retain = message.payload, message.qos, message.retain
    await client.publish(message.topic, data, qos, retain, properties, timeout=ACK_TIMEOUT_S)


def _properties(message: Outgoing, response_topic: str | None = None) -> "Properties":
    """What MQTT 5 carries beside the payload."""
    from paho.mqtt.packettypes import PacketTypes
    from paho.mqtt.properties import Properties

    properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
    if message.payload.startswith(b"{"):
        properties.ContentType = "application/json"
    if message.correlation_data is not None:
        properties.CorrelationData = message.correlation_data
    if response_topic is not None:
        properties.ResponseTopic = response_topic
    if message.expiry_s is not None:
        properties.MessageExpiryInterval = max(1, round(message.left_s))
    return properties


@asynccontextmanager
async def _connection(
    broker: Broker, known: str | None = None, **options: Any
) -> AsyncIterator[tuple["aiomqtt.Client", str]]:
    """Yield a connected client and its MQTT version, or raise MqttError; leaves no socket and no task.

    The version is 5, or 3.1.1 where the broker is `known` not to speak 5 or refuses it now.
    """
    library = _aiomqtt()
    if broker.tls:
        options["tls_context"] = await asyncio.to_thread(ssl.create_default_context, cafile=broker.ca_file)
    options |= {"username": broker.username, "password": broker.password}
    options |= {"timeout": CONNECT_TIMEOUT_S, "keepalive": KEEPALIVE_S}
    for version in (V311,) if known == V311 else (V5, V311):
        options["protocol"] = library.ProtocolVersion.V5 if version == V5 else library.ProtocolVersion.V311
        client: aiomqtt.Client = library.Client(broker.host, broker.port, **options)
        opening = asyncio.create_task(client.__aenter__(), name="mqtt.connect")
        try:
            await asyncio.shield(opening)
            break
        except asyncio.CancelledError:
            # paho connects in a thread, which cannot be interrupted and would leave its socket behind.
            await asyncio.wait({opening})
            await (_tidy(client) if opening.exception() else _close(client))
            raise
        except library.MqttError as error:
            await _tidy(client)
            # Most brokers say that they do not speak 5; a few hang up, which aiomqtt shows as a timeout.
            refused = _code(error) == 132 or (known is None and str(error) == "Operation timed out")
            if version == V311 or not refused:
                raise
    try:
        yield client, version
    finally:
        await _close(client)


def _code(error: Exception) -> int | None:
    """The number behind an aiomqtt error, which keeps it as it is or as a ReasonCode of paho's."""
    code = getattr(error, "rc", None)
    return getattr(code, "value", code)


async def _close(client: "aiomqtt.Client") -> None:
    with suppress(_aiomqtt().MqttError):
        await client.__aexit__(None, None, None)
    await _tidy(client)


async def _tidy(client: "aiomqtt.Client") -> None:
    """End what aiomqtt 2.5 leaves behind when a connection fails: the socket, and the task that pings."""
    if client._client.socket() is not None:
        client._client.disconnect()
    if client._misc_task is not None:
        await asyncio.wait({client._misc_task}, timeout=CONNECT_TIMEOUT_S)
    if client._disconnected.done():
        client._disconnected.exception()  # asyncio complains about errors that nobody looked at


def _unreachable(broker: Broker, error: Exception) -> LinkError:
    what, advice = (
        f"No MQTT broker answers at {broker.where} ({error})",
        "Start it, or check host, port and tls",
    )
    if _code(error) in (4, 5, 134, 135):
        what, advice = f"The broker at {broker.where} refused the login", "Check its user name and password"
    return LinkError(what, advice)
