"""A virtual device that speaks the ECG link, over real ATT traffic."""

import asyncio

import numpy as np
from air_tools import Heard, asked, client, heard, on_air, run, until, waves
from bleak import BleakClient

from firmware_bridge.air import Air
from firmware_bridge.faults import FaultScript
from firmware_bridge.link.device import NOW, decode_response, start_command
from firmware_bridge.link.frame import LinkFrame, decode_frame
from firmware_bridge.link.info import CONTROL, DATA, INFO, LinkInfo
from firmware_bridge.peripherals.ecg_link import EcgLinkDevice, EcgLinkOptions


def decoded(values: list[bytes]) -> list[LinkFrame]:
    frames = [decode_frame(value) for value in values]
    assert all(isinstance(frame, LinkFrame) for frame in frames)
    return [frame for frame in frames if isinstance(frame, LinkFrame)]


def check_exact(device: EcgLinkDevice, values: list[bytes]) -> None:
    """Every frame of the latest power-up holds what the converter measured at its counter."""
    for frame in decoded(values):
        if frame.boot == device.link.boot:
            expected = device.measured(device.powered_at + frame.counter, len(frame.counts))
            np.testing.assert_array_equal(frame.counts, expected)


async def started(c: BleakClient, answers: Heard, boot: int = 0, sequence: int = NOW) -> None:
    response = decode_response(await asked(c, answers, start_command(boot, sequence), CONTROL))
    assert response is not None
    assert response.status == 0


def test_frames_are_exact_and_follow_each_other() -> None:
    async def body() -> None:
        air = Air()
        device = EcgLinkDevice(air, waves(n_leads=2), speed=20)
        async with on_air(device), client(device, air) as c:
            info = LinkInfo.from_bytes(bytes(await c.read_gatt_char(INFO)))
            assert isinstance(info, LinkInfo)
            assert (info.fs_hz, len(info.leads), info.ring_frames) == (360.0, 2, 240)
            answers, data = await heard(c, CONTROL), await heard(c, DATA)
            await started(c, answers)
            values = await data.first(30)
        check_exact(device, values)
        frames = decoded(values)
        assert [f.sequence for f in frames] == list(range(frames[0].sequence, frames[0].sequence + 30))
        assert device.sent.first_sample == frames[0].counter
        assert {f.battery for f in frames} == {80}

    run(body())


def test_what_was_measured_without_a_link_comes_after_it() -> None:
    async def body() -> None:
        air = Air()
        device = EcgLinkDevice(air, waves(), speed=20, faults=FaultScript(disconnects=(10.0,)))
        async with on_air(device):
            lost = asyncio.Event()
            c = client(device, air, disconnected_callback=lambda _: lost.set())
            await c.connect()
            answers, data = await heard(c, CONTROL), await heard(c, DATA)
            await started(c, answers)
            await lost.wait()
            before = decoded(data.values)
            await asyncio.sleep(0.2)
            await c.connect()
            answers, after = await heard(c, CONTROL), await heard(c, DATA)
            await started(c, answers, before[-1].boot, before[-1].sequence + 1)
            values = data.values + await after.first(15)
            await c.disconnect()
        check_exact(device, values)
        frames = decoded(values)
        assert [f.sequence for f in frames] == list(range(frames[0].sequence, frames[0].sequence + len(frames)))

    run(body())


def test_a_stall_delays_and_loses_nothing() -> None:
    async def body() -> None:
        air = Air()
        device = EcgLinkDevice(air, waves(), speed=20, faults=FaultScript(stalls=((5.0, 10.0),)))
        async with on_air(device), client(device, air) as c:
            answers, data = await heard(c, CONTROL), await heard(c, DATA)
            await started(c, answers)
            await until(lambda: device.now_s > 14)
            silent = len(data.values)
            await until(lambda: device.now_s > 18)
            values = list(data.values)
        assert decoded(values[:silent])[-1].counter / 360 < 5
        check_exact(device, values)
        frames = decoded(values)
        assert [f.sequence for f in frames] == list(range(frames[0].sequence, frames[0].sequence + len(frames)))

    run(body())


def test_a_frame_that_was_lost_is_sent_again_when_asked_for() -> None:
    async def body() -> None:
        air = Air()
        device = EcgLinkDevice(air, waves(), speed=20, faults=FaultScript(dropouts=((5.0, 3.0),)))
        async with on_air(device), client(device, air) as c:
            answers, data = await heard(c, CONTROL), await heard(c, DATA)
            await started(c, answers)
            await until(lambda: device.now_s > 10)
            have = {f.sequence for f in decoded(data.values)}
            missing = sorted(set(range(min(have), max(have))) - have)
            assert missing
            await started(c, answers, device.link.boot, missing[0])
            await until(lambda: set(missing) <= {f.sequence for f in decoded(data.values)})
        check_exact(device, data.values)

    run(body())


def test_a_power_loss_is_a_new_boot_with_its_own_counters() -> None:
    async def body() -> None:
        air = Air()
        device = EcgLinkDevice(air, waves(), speed=20, faults=FaultScript(clock_resets=(6.0,)))
        before = device.link.boot
        async with on_air(device):
            lost = asyncio.Event()
            c = client(device, air, disconnected_callback=lambda _: lost.set())
            await c.connect()
            await started(c, await heard(c, CONTROL))
            await lost.wait()
            await c.connect()
            answers, after = await heard(c, CONTROL), await heard(c, DATA)
            await started(c, answers, 1, 5)
            values = await after.first(5)
            await c.disconnect()
        frames = decoded(values)
        assert frames[0].boot == (before + 1) % 2**16
        assert (frames[0].counter, frames[0].sequence) == (0, 0)
        assert frames[0].time_ms < 200
        check_exact(device, values)

    run(body())


def test_lost_contact_sets_the_lead_off_bits() -> None:
    async def body() -> None:
        air = Air()
        device = EcgLinkDevice(air, waves(n_leads=3), speed=20, faults=FaultScript(lead_off=((5.0, 3.0),)))
        async with on_air(device), client(device, air) as c:
            answers, data = await heard(c, CONTROL), await heard(c, DATA)
            await started(c, answers)
            await until(lambda: device.now_s > 10)
        frames = decoded(data.values)
        assert {f.lead_off for f in frames} == {0, 7}
        assert all(4.4 < f.counter / 360 < 8.2 for f in frames if f.lead_off)

    run(body())


def test_as_fast_as_the_link_takes_it_every_sample_comes_once() -> None:
    async def body() -> None:
        air = Air()
        device = EcgLinkDevice(air, waves(), speed=0, options=EcgLinkOptions(ring_frames=1000))
        async with on_air(device), client(device, air) as c:
            answers, data = await heard(c, CONTROL), await heard(c, DATA)
            await started(c, answers)
            await device.ended.wait()
            await until(lambda: len(data.values) == device.sent.notifications)
        check_exact(device, data.values)
        frames = decoded(data.values)
        assert [f.sequence for f in frames] == list(range(len(frames)))
        assert frames[-1].counter + len(frames[-1].counts) > 21_600 - 180

    run(body())
