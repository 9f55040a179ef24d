"""The virtual wearables by name, as the command runs them."""

import asyncio
import re

import pytest
from air_tools import found, run, waves

from edge.errors import UsageError
from firmware_bridge.air import Air, open_air
from firmware_bridge.simulate import DEVICES, simulate, virtual_device


@pytest.mark.parametrize("device", DEVICES)
def test_every_wearable_advertises_under_its_name(device: str) -> None:
    async def body() -> None:
        air = Air()
        async with virtual_device(device, waves(), air, name="mine", address="F1:00:00:00:00:77") as peripheral:
            seen = await found(air, "mine")
            assert seen.address == peripheral.address == "F1:00:00:00:00:77"

    run(body())


def test_a_simulated_wearable_says_how_it_is_reached_and_is_reached_so() -> None:
    async def body() -> None:
        said: list[str] = []
        running = asyncio.create_task(
            simulate("heart-rate", waves(), hci="tcp-server:127.0.0.1:0", speed=5, say=said.append)
        )
        while len(said) < 2:
            await asyncio.sleep(0.01)
        match = re.search(r"tcp-client:\S+", said[1])
        assert match
        remote = open_air(match[0])
        assert (await found(remote, "Polar H9 00000001")).address in said[0]
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await remote.close()

    run(body())


@pytest.mark.parametrize(("device", "hci"), [("toaster", None), ("polar-h10", "here")])
def test_an_unknown_wearable_or_place_is_a_usage_error(device: str, hci: str | None) -> None:
    with pytest.raises(UsageError, match=r"Known: polar-h10|tcp-server:HOST:PORT"):
        asyncio.run(simulate(device, waves(), air=Air(), hci=hci))
