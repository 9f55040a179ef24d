"""Talking over real traffic: the embedded broker (3.1.1) and mosquitto (5)."""

import asyncio
import json
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from mqtt_tools import TOPICS, Brokers, both_brokers, has_mosquitto, received, run, stranger, until
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from edge.errors import ExtraMissing, LinkError, UsageError
from edge.serve.broker import embedded_broker, mosquitto_broker
from edge.serve.mqtt import V5, V311, Broker, Incoming, MqttLink, ask_over_mqtt
from edge.serve.payloads import Status
from edge.serve.questions import parse_question


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


@both_brokers
def test_the_version_is_agreed_with_the_broker(brokers: Brokers) -> None:
    async def main() -> None:
        async with brokers() as broker, MqttLink(broker, TOPICS) as link:
            assert link.version == (V5 if brokers is mosquitto_broker else V311)
            assert link.connected
            assert link.warnings == ()

    run(main)


@both_brokers
def test_a_question_is_answered(brokers: Brokers) -> None:
    async def main() -> None:
        async with brokers() as broker, gateway(broker):
            answer = await ask_over_mqtt(broker, TOPICS, "Wie schnell schlägt es?", timeout_s=10)
            assert answer["question"] == "Wie schnell schlägt es?"

    run(main)


@both_brokers
def test_what_others_subscribed_to_is_not_taken_for_ours(brokers: Brokers) -> None:
    """amqtt 0.12 sends every newcomer the retained messages of all subscriptions, also of others'."""

    async def main() -> None:
        async with brokers() as broker, stranger(broker, "#") as client:
            await client.publish(TOPICS.command, "kept", qos=1, retain=True)
            async with gateway(broker) as link:
                for _ in range(3):
                    answer = await ask_over_mqtt(broker, TOPICS, "How fast?", timeout_s=10)
                    assert answer["question"] == "How fast?"
                assert link.dropped_incoming == 0
            async with MqttLink(broker, TOPICS) as link:
                await link.subscribe([TOPICS.ask])
                await client.publish(TOPICS.ask, "now", qos=1)
                assert await anext(link.incoming()) == Incoming(TOPICS.ask, b"now")

    run(main)


@both_brokers
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


@both_brokers
def test_the_status_is_retained_and_offline_after_a_clean_end(brokers: Brokers) -> None:
    async def main() -> None:
        status = Status(online=True, version="0.1.0", recording=None, since="2025-01-31T21:59:00Z")
        async with brokers() as broker:
            link = MqttLink(broker, TOPICS, status=status)
            async with link, stranger(broker, TOPICS.status) as client:
                assert (await received(client))[1] == json.loads(status.to_json())
                await link.set_status(recording="r1")
                assert (await received(client))[1]["recording"] == "r1"
            async with stranger(broker, TOPICS.status) as client:
                last = (await received(client))[1]
                assert (last["online"], last["recording"]) == (False, "r1")

    run(main)


@both_brokers
def test_a_message_kept_by_the_broker_is_marked(brokers: Brokers) -> None:
    async def main() -> None:
        async with brokers() as broker, stranger(broker) as client:
            await client.publish(TOPICS.command, "kept", qos=1, retain=True)
            async with MqttLink(broker, TOPICS) as link:
                await link.subscribe([TOPICS.command])
                assert await anext(link.incoming()) == Incoming(TOPICS.command, b"kept", retained=True)
                await client.publish(TOPICS.command, "now", qos=1)
                assert await anext(link.incoming()) == Incoming(TOPICS.command, b"now")

    run(main)


@pytest.mark.broker
@has_mosquitto
def test_a_message_says_when_nobody_wants_it_any_more() -> None:
    async def main() -> None:
        async with mosquitto_broker() as broker, stranger(broker, TOPICS.event, v5=True) as client:
            async with MqttLink(broker, TOPICS) as link:
                await link.publish(TOPICS.event, b"soon stale", expiry_s=60)
            message = await anext(client.messages)
            assert message.properties is not None
            assert 58 <= message.properties.MessageExpiryInterval <= 60

    run(main)


def test_what_mqtt_cannot_carry_is_refused_before_it_is_sent() -> None:
    async def main() -> None:
        async with embedded_broker() as broker, MqttLink(broker, TOPICS) as link:
            for topic in ("", "a/+", "a/#", "a\x00b", "\ud800"):
                with pytest.raises(UsageError):
                    await link.publish(topic, "x")
            for wrong in ({"qos": 3}, {"expiry_s": 0}, {"correlation_data": b"x" * 65_536}):
                with pytest.raises(UsageError):
                    await link.publish("a", "x", **wrong)  # type: ignore[arg-type]
            with pytest.raises(UsageError):
                await link.subscribe(["a", "a/#/b"])
            async with stranger(broker, "a") as client:
                await link.publish("a", "half a pair: \ud800")
                assert await received(client) == ("a", "half a pair: ?")

    run(main)


def test_incoming_ends_with_the_link() -> None:
    async def main() -> None:
        async with embedded_broker() as broker:
            async with MqttLink(broker, TOPICS) as link:
                pass
            assert [message async for message in link.incoming()] == []

    run(main)


def test_a_flood_of_questions_drops_the_oldest_and_counts_them() -> None:
    async def main() -> None:
        async with embedded_broker() as broker, MqttLink(broker, TOPICS) as link, stranger(broker) as client:
            await link.subscribe([TOPICS.ask])
            for number in range(300):
                await client.publish(TOPICS.ask, str(number), qos=1)
            await until(lambda: link.dropped_incoming == 300 - 256)
            assert (await anext(link.incoming())).payload == b"44"

    run(main)


def test_the_links_tasks_have_names() -> None:
    async def main() -> None:
        async with embedded_broker() as broker:
            before = {task.get_name() for task in asyncio.all_tasks()}
            async with MqttLink(broker, TOPICS):
                names = {task.get_name() for task in asyncio.all_tasks()} - before
                assert {f"mqtt.link[{broker.where}]", "mqtt.receive", "mqtt.send"} <= names

    run(main)


def test_an_error_after_connecting_is_not_lost() -> None:
    async def main() -> None:
        async def on_connect() -> None:
            raise UsageError("a mistake in the gateway")

        async with embedded_broker() as broker:
            with pytest.raises(UsageError, match="a mistake"):
                async with MqttLink(broker, TOPICS, on_connect=on_connect):
                    pass
            link = MqttLink(broker, TOPICS, on_connect=on_connect, wait=True)
            await link.__aenter__()
            assert [message async for message in link.incoming()] == []
            with pytest.raises(UsageError, match="a mistake"):
                await link.__aexit__(None, None, None)

    run(main)


def test_a_question_nobody_answers_is_a_link_error() -> None:
    async def main() -> None:
        async with embedded_broker() as broker:
            with pytest.raises(LinkError, match=r"No answer within 0\.2 s\..*home/strap/status"):
                await ask_over_mqtt(broker, TOPICS, "Is anybody there?", timeout_s=0.2)

    run(main)


@pytest.mark.parametrize("answer", [b"[1, 2]", b"{", b"\xff"])
def test_an_answer_that_is_no_json_object_is_a_link_error(answer: bytes) -> None:
    async def main() -> None:
        async with embedded_broker() as broker, MqttLink(broker, TOPICS) as link:
            await link.subscribe([TOPICS.ask])
            asking = asyncio.create_task(ask_over_mqtt(broker, TOPICS, "How fast?", timeout_s=5))
            question = parse_question((await anext(link.incoming())).payload)
            await link.publish(TOPICS.answer(question.id), answer)
            with pytest.raises(LinkError, match="no JSON object"):
                await asking

    run(main)


def test_an_absent_broker_is_one_line_with_advice() -> None:
    async def main() -> None:
        async with embedded_broker() as broker:
            pass
        for attempt in (
            MqttLink(broker, TOPICS).__aenter__(),
            ask_over_mqtt(broker, TOPICS, "How fast?", timeout_s=5),
        ):
            with pytest.raises(LinkError) as error:
                await attempt
            assert str(error.value).startswith(f"No MQTT broker answers at {broker.where} (")
            assert str(error.value).endswith("Check that it runs there")
            assert "\n" not in str(error.value)

    run(main)


def test_health_data_in_the_clear_is_warned_about() -> None:
    assert "unencrypted" in MqttLink(Broker("192.0.2.1"), TOPICS).warnings[0]


def test_without_aiomqtt_the_install_command_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "aiomqtt", None)
    with pytest.raises(ExtraMissing, match=r"aiomqtt.*anyecg-edge\[mqtt\]"):
        MqttLink(Broker(), TOPICS)


@pytest.mark.broker
@has_mosquitto
@pytest.mark.skipif(shutil.which("mosquitto_passwd") is None, reason="mosquitto_passwd is not installed")
def test_only_the_right_password_opens_a_guarded_broker(tmp_path: Path) -> None:
    file = tmp_path / "passwords"
    subprocess.run(["mosquitto_passwd", "-b", "-c", file, "gateway", "right"], check=True)

    async def main() -> None:
        async with mosquitto_broker(config=[f"password_file {file}", "allow_anonymous false"]) as broker:
            for login in ({}, {"username": "gateway", "password": "wrong"}):
                with pytest.raises(LinkError, match=r"refused the login\. Check user name and password"):
                    await MqttLink(Broker(broker.host, broker.port, **login), TOPICS).__aenter__()
            right = Broker(broker.host, broker.port, "gateway", "right")
            async with MqttLink(right, TOPICS) as link:
                assert link.connected

    run(main)


# paho 2.2 leaves the socket of a failed TLS handshake to the garbage collector.
@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.broker
@has_mosquitto
@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")
def test_tls_checks_who_the_broker_is(tmp_path: Path) -> None:
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    make = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1"]
    make += ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    make += ["-keyout", str(key), "-out", str(certificate)]
    subprocess.run(make, check=True, capture_output=True)
    files = [f"keyfile {key}", f"certfile {certificate}", "allow_anonymous true"]

    async def main() -> None:
        async with mosquitto_broker(config=files) as broker:
            known = Broker("localhost", broker.port, tls=True, ca_file=str(certificate))
            async with MqttLink(known, TOPICS) as link:
                assert (link.version, link.connected) == (V5, True)
            for unknown in (
                Broker("localhost", broker.port, tls=True),
                Broker("127.0.0.1", broker.port, tls=True, ca_file=str(certificate)),
            ):
                with pytest.raises(LinkError, match="CERTIFICATE_VERIFY_FAILED"):
                    await MqttLink(unknown, TOPICS).__aenter__()

    run(main)
