"""The gateway's line to an MQTT broker, and a client that asks one question over it.

The only module that imports aiomqtt: its 2.x leaves reconnecting to the user, its 3.0 delivers differently.
"""

import asyncio
import dataclasses
import hashlib
import json
import logging
import secrets
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

ANSWER_TIMEOUT_S = 5.0  # a broker in the house answers in milliseconds, one across the world in a second
KEEPALIVE_S = 30  # the broker notices a gateway lost without a word after 1.5 times this
FIRST_RETRY_S = 0.5  # a restarting broker is back within a second; doubled after each failure …
MAX_RETRY_S = 30.0  # … up to this, the longest that caregivers wait once the broker is back
STABLE_S = 10.0  # a connection that lasted so long starts the back-off anew
FLUSH_S = 2.0  # longest wait at the end for messages that are still queued
OUTBOX_MESSAGES = 1000  # an hour of events and answers, a few hundred kilobytes
INBOX_MESSAGES = 256  # more questions waiting than this is a flood; the oldest go

V5, V311 = "5.0", "3.1.1"
UNSUPPORTED_VERSION, BAD_LOGIN = 132, (134, 135)  # reason codes of MQTT 5
_log = logging.getLogger(__name__)
_paho_log = _log.getChild("paho")
_paho_log.setLevel(logging.CRITICAL)  # its errors are outages, which the link reports once each


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
        # Always the same, so that a reconnect ends the lost session and its will comes before `online`.
        # MQTT 3.1.1 obliges every broker to accept 23 characters.
        self._name = f"{ROOT}-{hashlib.sha256(topics.base.encode()).hexdigest()[:16]}"
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
        refused = (f"No messages come from {topic}: the broker refuses it." for topic in sorted(self._refused))
        return (*self.broker.warnings, *refused)

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
        if self._client is not None:
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
                options = {"identifier": self._name, "will": self._will()}
                # A refusal of MQTT 5 is remembered; its support is not, the broker may have been exchanged.
                known = V311 if self.version == V311 else None
                async with _connection(self.broker, known, **options) as (client, self.version):
                    await self._serve(client, first)
            except self._library.MqttError as error:
                problem = _unreachable(self.broker, error)
                if not first.done():
                    raise problem from error
                # Once per outage: a night without a broker must not fill the log.
                _log.log(logging.WARNING if retry_s == FIRST_RETRY_S else logging.DEBUG, "%s", problem)
            if self._closing:
                return
            if time.monotonic() - started_s > STABLE_S:
                retry_s = FIRST_RETRY_S
            await asyncio.sleep(retry_s)
            retry_s = min(2 * retry_s, MAX_RETRY_S)

    async def _serve(self, client: "aiomqtt.Client", first: "asyncio.Future[None]") -> None:
        """One connection, from its status message to its end by an MqttError or a cancellation."""
        pair: list[asyncio.Task[None]] = []
        try:
            early = len(self._filters)
            await self._subscribe(client, self._filters[:early])
            await client.publish(self.topics.status, self._status.to_json(), qos=1, retain=True)
            self._client = client
            await self._subscribe(client, self._filters[early:])
            if self._on_connect is not None:
                await self._on_connect()
            if not first.done():
                first.set_result(None)
            if self._closing:
                return  # the wait_for of Python 3.11, inside aiomqtt, swallowed the cancellation
            pair.append(asyncio.create_task(self._receive(client), name="mqtt.receive"))
            pair.append(asyncio.create_task(self._send(client), name="mqtt.send"))
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
            refused = {topic for topic, code in zip(topics, codes, strict=True) if code.is_failure}
            self._refused = self._refused - set(topics) | refused

    async def _receive(self, client: "aiomqtt.Client") -> None:
        async for message in client.messages:
            if not any(message.topic.matches(wanted) for wanted in self._filters):
                continue  # amqtt 0.12 sends newcomers what others have subscribed to
            reply = getattr(message.properties, "ResponseTopic", "")
            reply = None if reply_problem(reply) else reply
            correlation = getattr(message.properties, "CorrelationData", None)
            self._offer(Incoming(str(message.topic), message.payload, reply, correlation, message.retain))

    async def _send(self, client: "aiomqtt.Client") -> None:
        while self._client is client:
            message = await self._outbox.take()
            try:
                properties = _properties(message) if self.version == V5 else None
                await client.publish(message.topic, message.payload, message.qos, message.retain, properties)
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
        async with asyncio.timeout(timeout_s) as limit, _connection(broker) as (client, version):
            await client.subscribe([(answer_topic, 1)])
            properties = _properties(request, answer_topic) if version == V5 else None
            await client.publish(request.topic, request.payload, request.qos, properties=properties)
            # Again, since the wait_for of Python 3.11, inside aiomqtt, may swallow the first cancellation.
            async with asyncio.timeout_at(limit.when()):
                async for message in client.messages:
                    if message.topic.value == answer_topic:
                        answer = json.loads(message.payload)
                        break
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
    broker: Broker, version: str | None = None, **options: Any
) -> AsyncIterator[tuple["aiomqtt.Client", str]]:
    """Yield a connected client and its MQTT version, or raise MqttError; leaves no socket and no task.

    Without a `version` it is 5, or 3.1.1 where the broker refuses 5.
    """
    if version is None and "will" in options:
        # amqtt stumbles over a last will in a version it does not speak, and says nothing: ask it without.
        async with _connection(broker) as (_, version):
            pass
    library = _aiomqtt()
    options |= {"username": broker.username, "password": broker.password, "tls_context": broker.tls_context()}
    options |= {"timeout": ANSWER_TIMEOUT_S, "keepalive": KEEPALIVE_S, "logger": _paho_log}
    versions = [version] if version else [V5, V311]
    for agreed in versions:
        options["protocol"] = library.ProtocolVersion.V5 if agreed == V5 else library.ProtocolVersion.V311
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
            if agreed == versions[-1] or _code(error) != UNSUPPORTED_VERSION:
                raise
    try:
        yield client, agreed
    finally:
        await _close(client)


def _code(error: Exception) -> object:
    """MQTT 5's reason code for a refused connection; paho translates those of 3.1.1 into it."""
    return getattr(getattr(error, "rc", None), "value", None)


async def _close(client: "aiomqtt.Client") -> None:
    with suppress(_aiomqtt().MqttError):
        await client.__aexit__(None, None, None)
    await _tidy(client)


async def _tidy(client: "aiomqtt.Client") -> None:
    """End what aiomqtt 2.5 leaves behind when a connection fails: the socket, and the task that pings."""
    client._client._sock_close()
    if client._misc_task is not None:
        client._misc_task.cancel()
        await asyncio.wait({client._misc_task})
    if client._disconnected.done():
        client._disconnected.exception()  # asyncio complains about errors that nobody looked at


def _unreachable(broker: Broker, error: Exception) -> LinkError:
    if _code(error) in BAD_LOGIN:
        return LinkError(f"The broker at {broker.where} refused the login", "Check user name and password")
    return LinkError(f"No MQTT broker answers at {broker.where} ({error})", "Check that it runs there")
