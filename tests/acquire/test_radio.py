"""One scanner for all who wait: nobody's leaving disturbs another, and a scan that ends is told to everybody."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from bleak.backends.device import BLEDevice
from bleak.backends.scanner import AdvertisementData

from edge.acquire import radio as module
from edge.acquire.radio import Radio, open_radio
from edge.errors import LinkError

ANNA, BERTA = "F1:00:00:00:00:01", "F1:00:00:00:00:02"
HEARD = AdvertisementData("strap", {}, {}, [], None, -60, ())


class Scanner:
    """In the place of bleak's: it hears what the test says, and fails when the test wants it to."""

    made: list["Scanner"]
    fails: list[Exception]
    """One for each next start."""

    def __init__(self, on_seen: Callable[[BLEDevice, AdvertisementData], None], **_kwargs: Any) -> None:
        self.on_seen = on_seen
        self.scans = False
        self.stop_fails: Exception | None = None
        Scanner.made.append(self)

    async def start(self) -> None:
        if Scanner.fails:
            raise Scanner.fails.pop()
        self.scans = True

    async def stop(self) -> None:
        self.scans = False
        if self.stop_fails is not None:
            raise self.stop_fails

    def hear(self, address: str) -> None:
        self.on_seen(BLEDevice(address, "strap", None), HEARD)


@pytest.fixture(autouse=True)
def scanner(monkeypatch: pytest.MonkeyPatch) -> type[Scanner]:
    Scanner.made, Scanner.fails = [], []
    monkeypatch.setattr(module, "BleakScanner", Scanner)
    return Scanner


async def scanning() -> Scanner:
    """The scanner that listens now."""
    async with asyncio.timeout(5):
        while not (Scanner.made and Scanner.made[-1].scans):
            await asyncio.sleep(0.001)
    return Scanner.made[-1]


async def leave(task: asyncio.Task[Any]) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


def run(test: Callable[[], Any]) -> None:
    async def limited() -> None:
        async with asyncio.timeout(10):
            await test()

    asyncio.run(limited())


def test_one_that_leaves_does_not_end_anothers_wait_for_the_same_address() -> None:
    async def test() -> None:
        radio = Radio()
        first, second = (asyncio.create_task(radio.find(a)) for a in (ANNA.lower(), ANNA))
        heard = await scanning()
        await leave(first)
        heard.hear(ANNA)
        assert (await second)[0].address == ANNA

    run(test)


def test_everybody_who_waits_for_an_address_is_served_by_one_sighting() -> None:
    async def test() -> None:
        radio = Radio()
        both = [asyncio.create_task(radio.find(ANNA)) for _ in range(2)]
        (await scanning()).hear(ANNA)
        assert [device.address for device, _ in await asyncio.gather(*both)] == [ANNA, ANNA]

    run(test)


def test_the_scan_ends_with_the_last_who_waits_and_begins_again_for_the_next() -> None:
    async def test() -> None:
        radio = Radio()
        waits = asyncio.create_task(radio.find(ANNA))
        first = await scanning()
        await leave(waits)
        await asyncio.sleep(0.05)
        assert not first.scans
        waits = asyncio.create_task(radio.find(BERTA))
        (await scanning()).hear(BERTA)
        await waits
        assert len(Scanner.made) == 2

    run(test)


def test_one_who_comes_while_the_scan_is_being_ended_is_served(monkeypatch: pytest.MonkeyPatch) -> None:
    async def test() -> None:
        radio = Radio()
        stopping = asyncio.Event()

        class Slow(Scanner):
            async def stop(self) -> None:
                stopping.set()
                await asyncio.sleep(0.05)
                await super().stop()

        monkeypatch.setattr(module, "BleakScanner", Slow)
        waits = asyncio.create_task(radio.find(ANNA))
        (await scanning()).hear(ANNA)
        await waits
        await stopping.wait()
        late = asyncio.create_task(radio.find(BERTA))
        while len(Scanner.made) < 2:
            await asyncio.sleep(0.001)
        (await scanning()).hear(BERTA)
        await late

    run(test)


@pytest.mark.parametrize("failure", [EOFError(), OSError("no adapter"), RuntimeError("the bus is gone")])
def test_a_scan_that_does_not_start_fails_all_who_wait_and_the_next_takes_a_new_scanner(failure: Exception) -> None:
    async def test() -> None:
        radio = Radio()
        Scanner.fails = [failure]
        both = [asyncio.create_task(radio.find(a)) for a in (ANNA, BERTA)]
        errors = await asyncio.gather(*both, return_exceptions=True)
        assert [type(error) for error in errors] == [LinkError, LinkError]
        again = asyncio.create_task(radio.find(ANNA))
        (await scanning()).hear(ANNA)
        await again

    run(test)


def test_a_scan_that_is_cancelled_fails_those_who_wait() -> None:
    async def test() -> None:
        radio = Radio()
        waits = asyncio.create_task(radio.find(ANNA))
        await scanning()
        assert radio._scan is not None
        radio._scan.cancel()
        with pytest.raises(LinkError, match="has stopped scanning"):
            await waits

    run(test)


def test_the_scanner_is_made_anew_while_somebody_waits_unserved() -> None:
    async def test() -> None:
        radio = Radio(rescan_s=0.02)
        waits = asyncio.create_task(radio.find(ANNA))
        first = await scanning()
        first.stop_fails = EOFError()  # the adapter has gone, and the scan with it
        while len(Scanner.made) < 3:
            await asyncio.sleep(0.005)
        assert not first.scans
        (await scanning()).hear(ANNA)
        await waits

    run(test)


def test_an_adapter_that_is_gone_when_the_scanner_is_made_anew_is_told_to_those_who_wait() -> None:
    async def test() -> None:
        radio = Radio(rescan_s=0.02)
        waits = asyncio.create_task(radio.find(ANNA))
        await scanning()
        Scanner.fails = [OSError("no adapter")]
        with pytest.raises(LinkError, match="no adapter"):
            await waits

    run(test)


@pytest.mark.parametrize("failure", [None, EOFError(), RuntimeError("no D-Bus")])
def test_a_link_left_by_a_killed_process_is_closed_before_the_wait(
    monkeypatch: pytest.MonkeyPatch, failure: Exception | None
) -> None:
    closed: list[str] = []

    async def close(address: str) -> None:
        closed.append(address)
        if failure is not None:
            raise failure

    monkeypatch.setattr(module, "close_stale_connections_by_address", close)

    async def test() -> None:
        async with open_radio(None) as radio:
            waits = asyncio.create_task(radio.find(ANNA))
            (await scanning()).hear(ANNA)
            await waits
            assert closed == [ANNA]
        waits = asyncio.create_task(Radio("The virtual air").find(ANNA))
        (await scanning()).hear(ANNA)
        await waits
        assert closed == [ANNA]

    run(test)
