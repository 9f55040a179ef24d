"""The queue in front of a broker that may be away."""

import asyncio

import pytest
from mqtt_tools import run

from edge.serve.messages import MAX_TRIES, Outbox, Outgoing


def message(text: str, *, retain: bool = False, topic: str = "a") -> Outgoing:
    return Outgoing(topic, text.encode(), retain=retain)


async def contents(outbox: Outbox) -> list[str]:
    return [(await outbox.take()).payload.decode() for _ in range(len(outbox))]


def test_messages_leave_in_order() -> None:
    async def main() -> None:
        outbox = Outbox(10)
        for text in "abc":
            outbox.put(message(text))
        assert await contents(outbox) == ["a", "b", "c"]
        assert outbox.dropped == 0

    run(main)


def test_a_retained_message_replaces_the_waiting_one_of_its_topic_only() -> None:
    async def main() -> None:
        outbox = Outbox(3)
        outbox.put(message("event"))
        outbox.put(message("state of another", retain=True, topic="b"))
        for number in range(100):
            outbox.put(message(f"state {number}", retain=True))
        assert await contents(outbox) == ["event", "state of another", "state 99"]
        assert outbox.dropped == 0

    run(main)


def test_a_message_put_back_is_first_again() -> None:
    async def main() -> None:
        outbox = Outbox(10)
        outbox.put(message("a"))
        outbox.put(message("b"))
        outbox.put_back(await outbox.take())
        assert await contents(outbox) == ["a", "b"]

    run(main)


def test_a_message_put_back_into_a_full_queue_is_its_oldest() -> None:
    async def main() -> None:
        outbox = Outbox(2)
        outbox.put(message("a"))
        taken = await outbox.take()
        outbox.put(message("b"))
        outbox.put(message("c"))
        outbox.put_back(taken)
        assert await contents(outbox) == ["b", "c"]
        assert outbox.dropped == 1

    run(main)


def test_a_retained_message_put_back_does_not_undo_a_newer_one() -> None:
    async def main() -> None:
        outbox = Outbox(10)
        outbox.put(message("old", retain=True))
        taken = await outbox.take()
        outbox.put(message("new", retain=True))
        outbox.put_back(taken)
        assert await contents(outbox) == ["new"]
        assert outbox.dropped == 0

    run(main)


def test_a_message_that_never_gets_through_is_given_up() -> None:
    async def main() -> None:
        outbox = Outbox(10)
        outbox.put(message("a"))
        for _ in range(MAX_TRIES):
            assert len(outbox) == 1
            outbox.put_back(await outbox.take())
        assert (len(outbox), outbox.dropped) == (0, 1)

    run(main)


def test_a_message_that_nobody_wants_any_more_is_skipped() -> None:
    async def main() -> None:
        outbox = Outbox(10)
        stale = Outgoing("a", b"stale", expiry_s=1)
        stale.made_s -= 1.0
        outbox.put(stale)
        outbox.put(Outgoing("a", b"fresh", expiry_s=1))
        assert (await outbox.take()).payload == b"fresh"
        assert outbox.dropped == 0

    run(main)


def test_sent_waits_for_the_message_that_is_under_way() -> None:
    async def main() -> None:
        outbox = Outbox(10)
        await outbox.sent()
        outbox.put(message("a"))
        await outbox.take()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(outbox.sent(), 0.01)
        idle = asyncio.create_task(outbox.take())
        await asyncio.wait_for(outbox.sent(), 1)
        idle.cancel()
        await asyncio.wait({idle})

    run(main)
