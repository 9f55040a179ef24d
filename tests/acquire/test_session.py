"""One connection's stream, with a device that misbehaves: its loss is always told, its mistakes end nothing."""

import asyncio
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
import pytest

from edge.acquire.arrivals import Arrival, LinkLost, LinkStatus, Received, Started, Told
from edge.acquire.driver import DeviceRefused, DriverError, Gatt, Stream
from edge.acquire.host_clock import HostClock
from edge.acquire.mailbox import FLOOD, Mailbox
from edge.acquire.packets import Contact, Item, SamplePacket, Stopped
from edge.acquire.session import MAX_RESTARTS, NOTHING_YET, Session
from edge.errors import LinkError
from edge.settings import LinkSettings
from edge.types import Lead

SPEED = 100.0
STREAM = Stream("test", (Lead("ECG", counts_per_mv=1000.0),), 250.0, "counter")
PACKET = SamplePacket(np.zeros((25, 1), np.int32), 0)


class Misbehaving:
    """A driver whose second start fails, or whose device says at once that it stopped."""

    name: ClassVar[str] = "test"
    services: ClassVar[tuple[str, ...]] = ()

    def __init__(self, *, fails: bool = False) -> None:
        self.fails = fails
        self.starts = 0

    async def start(self, gatt: Gatt, deliver: Callable[[Item], None]) -> Stream:
        self.starts += 1
        deliver(PACKET)
        if self.fails:
            raise DriverError("No", "Again")
        deliver(Stopped("enough"))
        return STREAM

    async def stop(self, gatt: Gatt) -> None:
        """Nothing."""


def session_of(mail: Mailbox) -> Session:
    return Session(LinkStatus(), HostClock(SPEED), LinkSettings(), mail, asyncio.Event(), again=False)


async def arrived(mail: Mailbox) -> list[Arrival]:
    mail.close()
    out: list[Arrival] = []
    while batch := await mail.batch(100):
        out += batch
    return out


def test_a_restart_that_fails_is_a_lost_link_and_what_came_meanwhile_is_kept() -> None:
    async def go() -> list[Arrival]:
        mail = Mailbox(100)
        session = session_of(mail)
        session.begin(STREAM)
        session.deliver(PACKET)
        session.deliver(Stopped("enough"))
        with pytest.raises(DriverError):
            await session.watch(Misbehaving(fails=True), None)  # type: ignore[arg-type]
        session.end()
        return await arrived(mail)

    kinds = [type(a) for a in asyncio.run(go())]
    assert kinds.count(LinkLost) == 1
    assert kinds.index(LinkLost) == len(kinds) - 2  # then it is told
    assert kinds.count(Received) == 3  # two packets and the stop


def test_nothing_is_delivered_after_the_end() -> None:
    async def go() -> list[Arrival]:
        mail = Mailbox(100)
        session = session_of(mail)
        session.deliver(PACKET)  # a start that fails afterwards
        session.end()
        session.deliver(PACKET)
        return await arrived(mail)

    assert asyncio.run(go()) == []


def test_a_device_that_stops_again_and_again_is_given_up() -> None:
    async def go() -> tuple[bool, int, list[Arrival]]:
        mail, driver = Mailbox(1000), Misbehaving()
        session = session_of(mail)
        session.begin(await driver.start(None, session.deliver))  # type: ignore[arg-type]
        kept = await asyncio.wait_for(session.watch(driver, None), 10)  # type: ignore[arg-type]
        return kept, driver.starts, await arrived(mail)

    kept, starts, arrivals = asyncio.run(go())
    assert not kept
    assert starts == 1 + MAX_RESTARTS
    stops = [a for a in arrivals if isinstance(a, Received) and isinstance(a.item, Stopped)]
    assert len(stops) == starts


@pytest.mark.parametrize("rate_hz", [0.0, 1e-9, 1.0, 1e6, float("nan")])
def test_an_absurd_rate_is_refused(rate_hz: float) -> None:
    async def go() -> None:
        session_of(Mailbox(10)).begin(Stream("test", STREAM.leads, rate_hz, "counter"))

    with pytest.raises(DeviceRefused, match="Hz"):
        asyncio.run(go())


def test_a_link_lost_while_the_stream_is_started_is_noticed_at_once() -> None:
    async def go() -> None:
        session = session_of(Mailbox(10))
        asyncio.get_running_loop().call_later(0.05, session.on_lost)
        await asyncio.wait_for(session.while_linked(asyncio.sleep(30)), 2)

    with pytest.raises(LinkError, match="lost"):
        asyncio.run(go())


def test_a_full_mailbox_drops_samples_and_keeps_what_says_where_they_belong() -> None:
    async def go() -> list[Any]:
        mail = Mailbox(4)
        for k in range(50):
            mail.put(Received(PACKET, float(k)))
        mail.put(Received(Contact(True), 50.0))
        mail.put(LinkLost(51.0, "link lost"))
        mail.put(Started(STREAM, 52.0))
        for k in range(1000):  # a flood of news is bounded, too
            mail.put(Told("contact", "x", float(k)))
        assert mail.dropped == 46 + 1000 - (FLOOD * 4 - 7)
        return await arrived(mail)

    kinds = [type(a) for a in asyncio.run(go())]
    assert kinds[:7] == [Received] * 5 + [LinkLost, Started]


def test_a_strap_that_sends_nothing_at_all_is_told_of_with_what_to_do() -> None:
    async def go() -> tuple[str, list[Arrival]]:
        mail = Mailbox(100)
        session = session_of(mail)
        session.begin(STREAM)
        watching = asyncio.create_task(session.watch(Misbehaving(), None))  # type: ignore[arg-type]
        await asyncio.sleep(6 / SPEED)
        state = session.status.state
        session.on_lost()
        await watching
        return state, await arrived(mail)

    state, arrivals = asyncio.run(go())
    assert state == "silent"
    assert [a.detail for a in arrivals if isinstance(a, Told) and a.kind == "silent"] == [NOTHING_YET]


def test_what_comes_while_a_stream_is_being_started_is_bounded_and_counted() -> None:
    async def go() -> tuple[int, int]:
        mail = Mailbox(10)
        session = session_of(mail)
        for _ in range(LinkSettings().frame_queue + 500):
            session.deliver(PACKET)
        return len(session.early), mail.dropped

    assert asyncio.run(go()) == (LinkSettings().frame_queue, 500)
