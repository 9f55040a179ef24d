"""Addresses, topics, and the two brokers this package runs itself."""

import asyncio
import gc
import logging
import subprocess
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar

import aiomqtt
import pytest
from aiomqtt.exceptions import MqttConnectError

from edge.errors import ExtraMissing, LinkError, UsageError
from edge.serve import broker as module
from edge.serve.broker import Broker, Topics, embedded_broker, find_mosquitto, mosquitto_broker
from edge.serve.mqtt import MqttLink

needs_mosquitto = [
    pytest.mark.broker,
    pytest.mark.skipif(find_mosquitto() is None, reason="the program mosquitto is not installed"),
]
T = TypeVar("T")


def run(main: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run to the end, and fail when a task or a socket is left."""

    async def guarded() -> T:
        async with asyncio.timeout(30):
            result = await main()
        assert asyncio.all_tasks() == {asyncio.current_task()}
        return result

    result = asyncio.run(guarded())
    gc.collect()  # unclosed sockets warn when they are collected, and warnings are errors here
    return result


async def exchange(broker: Broker, version: aiomqtt.ProtocolVersion) -> bytes:
    """Publish a message and receive it back, with a client that is not this package's."""
    async with aiomqtt.Client(broker.host, broker.port, protocol=version) as client:
        await client.subscribe("a/+", qos=1)
        await client.publish("a/b", b"hello", qos=1)
        payload = (await anext(client.messages)).payload
        assert isinstance(payload, bytes)
    await asyncio.sleep(0.01)  # aiomqtt's own task ends a moment after it
    return payload


def test_an_address_that_cannot_work_is_refused(tmp_path: Path) -> None:
    for wrong in ({"host": ""}, {"port": 0}, {"port": 70_000}, {"password": "x"}, {"ca_file": "ca.pem"}):
        with pytest.raises(UsageError):
            Broker(**wrong)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match=r"ca\.pem"):
        Broker(tls=True, ca_file=str(tmp_path / "ca.pem"))


def test_a_password_is_not_shown() -> None:
    assert "secret" not in repr(Broker(username="me", password="secret"))


@pytest.mark.parametrize("host", ["127.0.0.1", "127.3.2.1", "::1", "localhost"])
def test_this_machine_needs_no_encryption(host: str) -> None:
    assert Broker(host).warnings == ()


@pytest.mark.parametrize("host", ["192.168.1.5", "broker.example", "localhost.example", "0.0.0.0"])
def test_another_machine_without_encryption_is_warned_about(host: str) -> None:
    assert "unencrypted" in Broker(host).warnings[0]
    assert Broker(host, 8883, tls=True).warnings == ()


def test_topics_lie_below_the_gateway_and_the_device() -> None:
    topics = Topics("home", "strap_1")
    assert topics.status == "anyecg/home/strap_1/status"
    assert topics.state == "anyecg/home/strap_1/state"
    assert topics.event == "anyecg/home/strap_1/event"
    assert topics.ask == "anyecg/home/strap_1/ask"
    assert topics.command == "anyecg/home/strap_1/command"
    assert topics.alert("a1") == "anyecg/home/strap_1/alert/a1"
    assert topics.answer("q-1") == "anyecg/home/strap_1/answer/q-1"
    assert topics.answer_partial("q-1") == "anyecg/home/strap_1/answer/q-1/partial"


@pytest.mark.parametrize("wrong", ["", "a/b", "+", "#", "a b", "ä", "x" * 65, "a\n"])
def test_an_id_that_cannot_stand_in_a_topic_is_refused(wrong: str) -> None:
    topics = Topics("home", "strap")
    for use in (lambda x: Topics(x, "strap"), lambda x: Topics("home", x), topics.alert, topics.answer):
        with pytest.raises(UsageError):
            use(wrong)


@pytest.mark.parametrize("topic", ["a", "/", "a/+/b", "+", "#", "a/#", "+/+/#", "a//b", "$SYS/#", "ä/b"])
def test_a_topic_filter_is_accepted(topic: str) -> None:
    assert module.filter_problem(topic) == ""


@pytest.mark.parametrize("topic", ["", "a+", "a/b#", "#/a", "a/#/b", "a\x00", "x" * 65_536, "\ud800"])
def test_what_is_no_topic_filter_is_refused(topic: str) -> None:
    assert module.filter_problem(topic)


def test_the_embedded_broker_carries_messages_and_leaves_nothing_behind() -> None:
    async def main() -> None:
        async with embedded_broker() as broker:
            assert broker.host == "127.0.0.1"
            assert await exchange(broker, aiomqtt.ProtocolVersion.V311) == b"hello"
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection(broker.host, broker.port)

    run(main)


def test_the_embedded_broker_stops_while_clients_are_connected() -> None:
    async def main() -> None:
        async with embedded_broker() as broker:
            client = aiomqtt.Client(broker.host, broker.port)
            await client.__aenter__()
            await client.subscribe("a/#", qos=1)
        with pytest.raises(aiomqtt.MqttError):
            await anext(client.messages)
        await client.__aexit__(None, None, None)
        await asyncio.sleep(0.01)

    run(main)


def test_the_embedded_broker_comes_back_on_the_same_port() -> None:
    async def main() -> None:
        async with embedded_broker() as broker:
            await exchange(broker, aiomqtt.ProtocolVersion.V311)
        async with embedded_broker(broker.port) as again:
            assert again == broker
            await exchange(again, aiomqtt.ProtocolVersion.V311)

    run(main)


def test_the_embedded_broker_says_nothing_when_mqtt_5_is_tried(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        async with embedded_broker() as broker:
            with pytest.raises(MqttConnectError, match="Unsupported protocol version") as refusal:
                await exchange(broker, aiomqtt.ProtocolVersion.V5)
            assert getattr(refusal.value.rc, "value", None) == 132
            async with MqttLink(broker, Topics("home", "strap")):  # has a last will, too
                pass
            await exchange(broker, aiomqtt.ProtocolVersion.V311)
            await asyncio.sleep(0.01)

    with caplog.at_level(logging.INFO):
        run(main)
    assert [r.getMessage() for r in caplog.records if r.name.startswith(("amqtt", "transitions"))] == []


def test_the_embedded_broker_lets_nobody_in_from_outside() -> None:
    async def main() -> None:
        async with embedded_broker(host="0.0.0.0"):
            pass

    with pytest.raises(UsageError, match="anyone"):
        run(main)


def test_a_taken_port_is_a_link_error() -> None:
    async def main() -> None:
        async with embedded_broker() as first:
            with pytest.raises(LinkError, match="another port"):
                await embedded_broker(first.port).__aenter__()

    run(main)


def test_without_amqtt_the_install_command_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "amqtt.broker", None)
    monkeypatch.setitem(sys.modules, "amqtt", None)
    with pytest.raises(ExtraMissing, match=r"anyecg-edge\[mqtt\]"):
        run(lambda: embedded_broker().__aenter__())


def test_neither_library_is_imported_before_it_is_used() -> None:
    code = "import sys, edge.serve.mqtt; print({'aiomqtt', 'amqtt', 'paho'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "set()\n"


def test_importing_amqtt_warns_of_nothing() -> None:
    code = "import warnings; warnings.simplefilter('error'); import amqtt.broker"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stderr == ""


class TestMosquitto:
    """The real broker."""

    pytestmark = needs_mosquitto

    @pytest.mark.parametrize("version", [aiomqtt.ProtocolVersion.V5, aiomqtt.ProtocolVersion.V311])
    def test_it_carries_messages_in_both_versions(self, version: aiomqtt.ProtocolVersion) -> None:
        async def main() -> None:
            async with mosquitto_broker() as broker:
                assert await exchange(broker, version) == b"hello"
            with pytest.raises(ConnectionRefusedError):
                await asyncio.open_connection(broker.host, broker.port)

        run(main)

    def test_a_wrong_configuration_is_a_link_error_that_quotes_it(self) -> None:
        with pytest.raises(LinkError, match="nonsense"):
            run(lambda: mosquitto_broker(config=["nonsense true"]).__aenter__())

    def test_a_taken_port_is_a_link_error(self) -> None:
        async def main() -> None:
            async with mosquitto_broker() as first:
                with pytest.raises(LinkError, match="port"):
                    await mosquitto_broker(first.port).__aenter__()

        run(main)

    def test_it_is_found_where_a_users_path_omits_it(self, monkeypatch: pytest.MonkeyPatch) -> None:
        if not Path("/usr/sbin/mosquitto").exists():
            pytest.skip("mosquitto lies elsewhere on this machine")
        monkeypatch.setenv("PATH", "/bin")
        assert find_mosquitto() == "/usr/sbin/mosquitto"


def test_without_mosquitto_the_next_step_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "find_mosquitto", lambda: None)
    with pytest.raises(LinkError, match="apt install mosquitto"):
        run(lambda: mosquitto_broker().__aenter__())
