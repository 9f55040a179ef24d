"""Bad times: cut lines, killed brokers, full queues, and brokers with rare manners."""

import asyncio
from contextlib import AsyncExitStack

import pytest
from mqtt_tools import (
    ACCEPT,
    HANG_UP,
    REFUSE,
    SILENCE,
    TOPICS,
    Brokers,
    Proxy,
    Scripted,
    both_brokers,
    has_mosquitto,
    received,
    run,
    stranger,
    until,
)

from edge.errors import LinkError
from edge.serve import mqtt
from edge.serve.broker import embedded_broker, mosquitto_broker
from edge.serve.messages import MAX_TRIES
from edge.serve.mqtt import V311, MqttLink, ask_over_mqtt


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mqtt, "FIRST_RETRY_S", 0.05)
    monkeypatch.setattr(mqtt, "ANSWER_TIMEOUT_S", 1.0)


@both_brokers
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


@both_brokers
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
                    seen = dict([await received(client), await received(client)])
                    assert seen[TOPICS.event] == "in between"
                    assert seen[TOPICS.status]["online"] is True
                    await client.publish(TOPICS.ask, "How fast?", qos=1)
                    assert (await anext(link.incoming())).payload == b"How fast?"
                    assert told == [version, version]

    run(main)


@both_brokers
def test_what_was_published_during_an_outage_arrives_in_order_afterwards(brokers: Brokers) -> None:
    async def main() -> None:
        async with brokers() as broker, stranger(broker, TOPICS.event) as client:
            proxy = Proxy(broker)
            async with proxy.serve() as through, MqttLink(through, TOPICS) as link:
                proxy.open = False
                proxy.cut()
                await until(lambda: not link.connected)
                for number in range(20):
                    await link.publish(TOPICS.event, str(number))
                proxy.open = True
                assert [(await received(client))[1] for _ in range(20)] == [str(n) for n in range(20)]
                assert link.dropped == 0

    run(main)


def test_a_full_queue_drops_the_oldest_and_counts_them() -> None:
    async def main() -> None:
        async with embedded_broker() as broker, stranger(broker, TOPICS.event) as client:
            proxy = Proxy(broker)
            async with proxy.serve() as through, MqttLink(through, TOPICS, outbox=5) as link:
                proxy.open = False
                proxy.cut()
                await until(lambda: not link.connected)
                for number in range(12):
                    await link.publish(TOPICS.event, str(number))
                assert link.dropped == 7
                proxy.open = True
                assert [(await received(client))[1] for _ in range(5)] == ["7", "8", "9", "10", "11"]

    run(main)


def test_a_gateway_that_may_wait_starts_without_a_broker_and_finds_it_later() -> None:
    async def main() -> None:
        async with embedded_broker() as broker:
            pass
        async with MqttLink(broker, TOPICS, wait=True) as link:
            await link.subscribe([TOPICS.ask])
            await link.publish(TOPICS.event, "early")
            await asyncio.sleep(0.1)
            assert not link.connected
            async with embedded_broker(broker.port), stranger(broker, TOPICS.event) as client:
                assert await received(client) == (TOPICS.event, "early")
                await client.publish(TOPICS.ask, "How fast?", qos=1)
                assert (await anext(link.incoming())).payload == b"How fast?"

    run(main)


def test_leaving_without_a_broker_does_not_wait_for_it() -> None:
    async def main() -> None:
        async with embedded_broker() as broker:
            pass
        async with asyncio.timeout(1), MqttLink(broker, TOPICS, wait=True) as link:
            await link.publish(TOPICS.event, "never sent")
            await asyncio.sleep(0.1)

    run(main)


def test_what_was_published_just_before_leaving_is_sent() -> None:
    async def main() -> None:
        async with embedded_broker() as broker, stranger(broker, TOPICS.event) as client:
            async with MqttLink(broker, TOPICS) as link:
                for number in range(50):
                    await link.publish(TOPICS.event, str(number))
            assert [(await received(client))[1] for _ in range(50)] == [str(n) for n in range(50)]

    run(main)


@pytest.mark.broker
@has_mosquitto
def test_a_message_that_breaks_the_connection_is_given_up_and_the_next_ones_arrive() -> None:
    async def main() -> None:
        config = ["allow_anonymous true", "max_packet_size 2000"]
        async with mosquitto_broker(config=config) as broker, stranger(broker, TOPICS.event) as client:
            connects = []

            async def on_connect() -> None:
                connects.append(1)

            async with MqttLink(broker, TOPICS, on_connect=on_connect) as link:
                await link.publish(TOPICS.event, "x" * 4000)
                await link.publish(TOPICS.event, "small")
                assert await received(client) == (TOPICS.event, "small")
                assert (link.dropped, len(connects)) == (1, 1 + MAX_TRIES)

    run(main)


def test_two_gateways_of_one_name_do_not_share_the_line() -> None:
    """The broker ends the older session, so that its last will cannot contradict the newer one later."""

    async def main() -> None:
        links = [MqttLink(mqtt.Broker(), TOPICS) for _ in range(2)]
        assert links[0]._name == links[1]._name
        assert len(links[0]._name) == 23
        assert links[0]._name != MqttLink(mqtt.Broker(), mqtt.Topics("home", "b"))._name

    run(main)


def test_a_refusal_of_mqtt_5_is_remembered() -> None:
    async def main() -> None:
        scripted = Scripted({5: REFUSE, 4: ACCEPT})
        async with scripted.serve() as broker, MqttLink(broker, TOPICS) as link:
            assert link.version == V311
            assert scripted.levels == [5, 4, 4]  # without a will first: 5, then 3.1.1; then for good
            scripted.cut()
            await until(lambda: len(scripted.levels) == 4)
            assert scripted.levels[3] == 4

    run(main)


@pytest.mark.parametrize("code", [b"\x04", b"\x05"])
def test_a_login_refused_in_3_1_1_is_told_as_such(code: bytes) -> None:
    async def main() -> None:
        async with Scripted({5: REFUSE, 4: b"\x20\x02\x00" + code}).serve() as broker:
            with pytest.raises(LinkError, match="refused the login"):
                await MqttLink(broker, TOPICS).__aenter__()

    run(main)


@pytest.mark.parametrize("manner", [HANG_UP, SILENCE])
def test_a_broker_that_says_nothing_is_a_link_error_and_leaves_nothing_behind(manner: bytes | None) -> None:
    async def main() -> None:
        scripted = Scripted({5: manner, 4: manner})
        async with scripted.serve() as broker:
            with pytest.raises(LinkError, match="timed out"):
                await MqttLink(broker, TOPICS).__aenter__()
            await until(lambda: not scripted.writers)
            with pytest.raises(LinkError):
                await ask_over_mqtt(broker, TOPICS, "How fast?", timeout_s=0.2)

    run(main)


def test_connecting_can_be_cancelled_and_leaves_nothing_behind() -> None:
    async def main() -> None:
        scripted = Scripted({5: SILENCE})
        async with scripted.serve() as broker:
            entering = asyncio.create_task(MqttLink(broker, TOPICS).__aenter__())
            await asyncio.sleep(0.1)
            entering.cancel()
            with pytest.raises(asyncio.CancelledError):
                await entering
            await until(lambda: not scripted.writers)

    run(main)


def test_a_refused_subscription_is_told() -> None:
    async def main() -> None:
        scripted = Scripted({5: REFUSE, 4: ACCEPT}, suback=0x80)
        async with scripted.serve() as broker, MqttLink(broker, TOPICS) as link:
            await link.subscribe([TOPICS.ask])
            assert link.warnings == (f"No messages come from {TOPICS.ask}: the broker refuses it.",)

    run(main)


def test_a_subscription_made_while_connecting_is_not_forgotten() -> None:
    async def main() -> None:
        scripted = Scripted({5: REFUSE, 4: ACCEPT}, puback_s=0.2)
        async with scripted.serve() as broker, MqttLink(broker, TOPICS, wait=True) as link:
            await link.subscribe(["early"])
            await until(lambda: scripted.subscriptions == [b"early"])
            assert not link.connected
            await link.subscribe(["meanwhile"])
            await until(lambda: scripted.subscriptions == [b"early", b"meanwhile"])

    run(main)


def test_a_connection_lost_while_subscribing_leaves_nothing_behind() -> None:
    async def main() -> None:
        async with Scripted({5: REFUSE, 4: ACCEPT}, suback=None).serve() as broker:
            link = MqttLink(broker, TOPICS)
            await link.subscribe([TOPICS.ask])
            with pytest.raises(LinkError):
                await link.__aenter__()

    run(main)


@pytest.mark.broker
@has_mosquitto
def test_a_line_that_flaps_at_the_end_leaves_the_status_offline() -> None:
    """Leaving while reconnecting must not leave a retained `online` behind."""

    async def main() -> None:
        async with mosquitto_broker() as broker:
            for delay_ms in range(0, 60, 6):
                proxy = Proxy(broker)
                async with proxy.serve() as through, MqttLink(through, TOPICS):
                    proxy.cut()
                    await asyncio.sleep(0.04 + delay_ms / 1000)
                async with stranger(broker, TOPICS.status) as client:
                    assert (await received(client))[1]["online"] is False

    run(main)
