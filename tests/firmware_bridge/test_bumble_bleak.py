"""bleak over a virtual air behaves as bleak over a radio."""

import asyncio
import time
from contextlib import suppress

import pytest
from air_tools import START_ECG, client, ecg_of, found, on_air, run, until, waves
from bleak import BleakClient, BleakScanner
from bleak.exc import BleakDeviceNotFoundError, BleakError
from bleak_retry_connector import establish_connection

from firmware_bridge.air import Air
from firmware_bridge.bumble_bleak import AirClient, AirScanner
from firmware_bridge.faults import FaultScript
from firmware_bridge.peripherals.heart_rate import HeartRateStrap
from firmware_bridge.peripherals.polar_h10 import PMD_CONTROL, PMD_DATA, PolarH10

HEART_RATE_SERVICE = "0000180d-0000-1000-8000-00805f9b34fb"
FEATURES = bytes.fromhex("0f05") + bytes(15)


def test_a_scan_finds_by_name_and_filters_by_service() -> None:
    async def body() -> None:
        air = Air()
        async with on_air(PolarH10(air, waves()), HeartRateStrap(air, waves())):
            assert (await found(air, "Polar H10 00000001")).address == "F1:00:00:00:00:10"
            both = await BleakScanner.discover(0.1, service_uuids=[HEART_RATE_SERVICE], backend=AirScanner, air=air)
            assert {d.name for d in both} == {"Polar H10 00000001", "Polar H9 00000001"}
            assert await BleakScanner.discover(0.1, service_uuids=["1816"], backend=AirScanner, air=air) == []

    run(body())


def test_a_device_that_is_not_there_is_not_found_within_the_timeout() -> None:
    async def body() -> None:
        air = Air()
        began = time.monotonic()
        with pytest.raises(BleakDeviceNotFoundError):
            await client("F0:00:00:00:00:99", air, timeout=0.3).connect()
        assert time.monotonic() - began < 1
        strap = PolarH10(air, waves())  # and the adapter is as good as before
        async with on_air(strap), client(strap, air) as c:
            assert c.is_connected

    run(body())


def test_waiting_for_an_absent_device_does_not_keep_others_from_connecting() -> None:
    async def body() -> None:
        air = Air()
        strap = PolarH10(air, waves())
        async with on_air(strap):
            absent = asyncio.create_task(client("F0:00:00:00:00:99", air, timeout=2).connect())
            await asyncio.sleep(0.05)
            async with client(strap, air, timeout=1) as c:
                assert c.is_connected
            absent.cancel()
            await asyncio.gather(absent, return_exceptions=True)

    run(body())


def test_a_connection_attempt_that_is_cancelled_leaves_the_adapter_usable() -> None:
    async def body() -> None:
        air = Air()
        strap = PolarH10(air, waves())
        async with on_air(strap):
            for after_s in (0.0, 0.003, 0.01, 0.03, 0.06):
                c = client(strap, air)
                attempt = asyncio.create_task(c.connect())
                await asyncio.sleep(after_s)
                attempt.cancel()
                await asyncio.gather(attempt, return_exceptions=True)
                await c.disconnect()
            async with client(strap, air, timeout=2) as c:
                assert await c.read_gatt_char(PMD_CONTROL) == FEATURES

    run(body())


def test_after_a_drop_services_are_gone_and_calls_raise() -> None:
    async def body() -> None:
        air = Air()
        strap = PolarH10(air, waves(), speed=20)
        async with on_air(strap):
            calls: list[BleakClient] = []
            c = client(strap, air, disconnected_callback=calls.append)
            await c.connect()
            await ecg_of(c)
            air.drop(strap.address)
            await until(lambda: bool(calls))
            assert calls == [c]
            assert not c.is_connected
            with pytest.raises(BleakError, match="Service Discovery has not been performed"):
                _ = c.services
            with pytest.raises(BleakError):
                await c.write_gatt_char(PMD_CONTROL, START_ECG, response=True)
            await c.disconnect()  # which is no error
            await c.connect()
            await ecg_of(c)
            await c.disconnect()

    run(body())


def test_a_drop_in_the_middle_of_a_request_is_an_error_and_no_cancellation() -> None:
    async def body() -> None:
        air = Air()
        strap = PolarH10(air, waves(), faults=FaultScript(interval_ms=(20.0, 20.0)))
        async with on_air(strap), client(strap, air) as c:
            reading = asyncio.create_task(c.read_gatt_char(PMD_CONTROL))
            await asyncio.sleep(0.01)
            air.drop(strap.address)
            with pytest.raises(BleakError, match="lost"):
                await reading

    run(body())


@pytest.mark.parametrize("turns", [0, 1, 2, 3, 5, 8, 13, 21, 34, 55, 89])
def test_a_drop_while_connecting_is_an_error_at_once_and_the_next_attempt_works(turns: int) -> None:
    async def body() -> None:
        air = Air()
        strap = PolarH10(air, waves())
        async with on_air(strap):
            c = client(strap, air)
            connecting = asyncio.create_task(c.connect())
            await until(lambda: bool(strap.clients))
            for _ in range(turns):
                await asyncio.sleep(0)
            air.drop(strap.address)
            # Where only the strap had seen the link yet, the adapter's own next attempt may already stand.
            with suppress(BleakError):
                await asyncio.wait_for(connecting, 2)
            await c.disconnect()
            assert not c.is_connected
            async with client(strap, air, timeout=2) as again:
                assert len(list(again.services)) >= 4

    run(body())


@pytest.mark.parametrize("after_s", [0.0, 0.002, 0.005, 0.01, 0.02])
def test_a_drop_while_pairing_is_an_error_and_pairing_works_later(after_s: float) -> None:
    async def body() -> None:
        air = Air()
        strap = PolarH10(air, waves(), faults=FaultScript(pairing=True, interval_ms=(2.0, 2.0)))
        async with on_air(strap):
            c = client(strap, air)
            await c.connect()
            pairing = asyncio.create_task(c.pair())
            await asyncio.sleep(after_s)
            air.drop(strap.address)
            with pytest.raises(BleakError):
                await asyncio.wait_for(pairing, 2)
            await c.connect()
            await c.pair()
            assert await c.read_gatt_char(PMD_CONTROL) == FEATURES
            await c.disconnect()

    run(body())


def test_a_task_that_is_really_cancelled_stays_cancelled() -> None:
    async def body() -> None:
        air = Air()
        strap = PolarH10(air, waves(), faults=FaultScript(interval_ms=(20.0, 20.0)))
        async with on_air(strap), client(strap, air) as c:
            reading = asyncio.create_task(c.read_gatt_char(PMD_CONTROL))
            await asyncio.sleep(0.01)
            reading.cancel()
            with pytest.raises(asyncio.CancelledError):
                await reading

    run(body())


def test_the_retry_connector_connects_and_gives_up_on_an_absent_device() -> None:
    async def body() -> None:
        air = Air()
        strap = PolarH10(air, waves(), speed=20)
        async with on_air(strap):
            device = await found(air, strap.name)
            c = await establish_connection(BleakClient, device, device.name, backend=AirClient, air=air)
            _, data = await ecg_of(c)
            await data.first(2)
            await c.disconnect()

    run(body())


def test_several_devices_stream_through_one_adapter() -> None:
    async def body() -> None:
        air = Air()
        straps = [PolarH10(air, waves(), speed=10, address=f"F1:00:00:00:01:0{k}") for k in range(4)]
        async with on_air(*straps):

            async def listen(strap: PolarH10) -> None:
                async with client(strap, air) as c:
                    _, data = await ecg_of(c)
                    await data.first(5)

            await asyncio.gather(*(listen(strap) for strap in straps))

    run(body())


def test_no_notification_comes_after_it_was_unsubscribed() -> None:
    async def body() -> None:
        air = Air()
        strap = PolarH10(air, waves(), speed=20)
        async with on_air(strap), client(strap, air) as c:
            _, data = await ecg_of(c)
            await data.first(2)
            await c.stop_notify(PMD_DATA)
            n = len(data.values)
            await asyncio.sleep(0.1)
            assert len(data.values) == n

    run(body())


def test_a_descriptor_can_be_read() -> None:
    async def body() -> None:
        air = Air()
        strap = PolarH10(air, waves())
        async with on_air(strap), client(strap, air) as c:
            (cccd,) = c.services.get_characteristic(PMD_DATA).descriptors
            assert await c.read_gatt_descriptor(cccd) == b"\0\0"
            await c.start_notify(PMD_DATA, lambda *_: None)
            assert await c.read_gatt_descriptor(cccd) == b"\1\0"

    run(body())
