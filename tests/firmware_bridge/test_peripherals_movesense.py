"""A virtual Movesense sensor over real ATT traffic, in both dialects."""

import asyncio

import numpy as np
import pytest
from air_tools import asked, client, heard, on_air, run, until, waves
from numpy.typing import NDArray

from firmware_bridge.air import Air
from firmware_bridge.faults import FaultScript
from firmware_bridge.peripherals.movesense import COMMAND, COUNTS_PER_MV, DATA, Movesense, MovesenseOptions


def subscribe(path: str, reference: int = 7) -> bytes:
    return bytes([1, reference]) + path.encode() + b"\0"


def packets(values: list[bytes], dtype: str = "<i4") -> tuple[list[int], NDArray[np.int64]]:
    """Time stamps in ms and samples of whole packets."""
    payloads: list[bytes] = []
    for value in values:
        if value[0] == 2:
            payloads.append(value[2:])
        elif value[0] == 3:
            payloads[-1] += value[2:]
    stamps = [int.from_bytes(payload[:4], "little") for payload in payloads]
    return stamps, np.concatenate([np.frombuffer(payload[4:], dtype) for payload in payloads]).astype(np.int64)


def test_the_open_protocol_answers_hello_and_nothing_but_data_to_a_subscription() -> None:
    async def body() -> None:
        air = Air()
        sensor = Movesense(air, waves(), speed=20)
        async with on_air(sensor), client(sensor, air) as c:
            data = await heard(c, DATA)
            assert await asked(c, data, b"\0\5", COMMAND) == b"\1\5Hello"
            await c.write_gatt_char(COMMAND, subscribe("/Meas/ECG/256"), response=True)
            values = (await data.first(31))[1:]
        assert {len(v) for v in values} == {70}
        assert {v[:2] for v in values} == {b"\2\7"}
        stamps_ms, counts = packets(values)
        first = sensor.sent.first_sample
        assert first is not None
        np.testing.assert_array_equal(counts, sensor.measured(first, len(counts))[:, 0])
        assert stamps_ms == [int((first + 16 * k) / 256 * 1000 + 1e-6) for k in range(len(stamps_ms))]

    run(body())


def test_millivolts_come_as_microvolts_of_16_bits() -> None:
    async def body() -> None:
        air = Air()
        sensor = Movesense(air, waves(), speed=20)
        async with on_air(sensor), client(sensor, air) as c:
            data = await heard(c, DATA)
            await c.write_gatt_char(COMMAND, subscribe("/Meas/ECG/128/mV"), response=True)
            values = await data.first(20)
        assert {len(v) for v in values} == {38}
        _, microvolts = packets(values, "<i2")
        assert sensor.sent.first_sample is not None
        counts = sensor.measured(sensor.sent.first_sample, len(microvolts), 128)[:, 0]
        np.testing.assert_allclose(microvolts, counts / COUNTS_PER_MV * 1000, atol=0.51)

    run(body())


def test_long_packets_come_in_two_notifications_or_without_the_second() -> None:
    async def body() -> None:
        air = Air()
        for second_part in (True, False):
            options = MovesenseOptions(packet_samples=48, second_part=second_part)
            sensor = Movesense(air, waves(), speed=20, options=options)
            async with on_air(sensor), client(sensor, air) as c:
                data = await heard(c, DATA)
                await c.write_gatt_char(COMMAND, subscribe("/Meas/ECG/512"), response=True)
                values = await data.first(8)
            if second_part:
                assert [(v[0], len(v)) for v in values[:2]] == [(2, 152), (3, 48)]
                _, counts = packets(values)
                assert sensor.sent.first_sample is not None
                np.testing.assert_array_equal(counts, sensor.measured(sensor.sent.first_sample, 192, 512)[:, 0])
            else:
                assert {v[0] for v in values} == {2}

    run(body())


@pytest.mark.parametrize(("extended", "answer"), [(False, "010501fb"), (True, "0105fb01")])
def test_a_fifth_subscription_finds_no_slot_in_either_dialect(extended: bool, answer: str) -> None:
    async def body() -> None:
        air = Air()
        sensor = Movesense(air, waves(), speed=0.1, options=MovesenseOptions(extended=extended))
        async with on_air(sensor), client(sensor, air) as c:
            data = await heard(c, DATA)
            for reference in (1, 2, 3, 4, 5):
                await c.write_gatt_char(COMMAND, subscribe("/Meas/ECG/125", reference), response=True)
            await until(lambda: bytes.fromhex(answer) in data.values)

    run(body())


def test_the_extended_dialect_answers_with_statuses_and_insists_on_the_nul() -> None:
    async def body() -> None:
        air = Air()
        sensor = Movesense(air, waves(), speed=20, options=MovesenseOptions(extended=True))
        async with on_air(sensor), client(sensor, air) as c:
            data = await heard(c, DATA)
            hello = await asked(c, data, b"\0\5", COMMAND)
            assert hello[:3] == b"\1\5\1"
            assert hello[3:].split(b"\0")[1] == b"Movesense"
            for command, status in ((subscribe("/Meas/ECG/100"), 501), (subscribe("/Meas/ECG/256")[:-1], 404)):
                assert await asked(c, data, command, COMMAND) == b"\1\7" + status.to_bytes(2, "little")
            assert await asked(c, data, subscribe("/Meas/ECG/256"), COMMAND) == b"\1\7\xc8\0"
            await until(lambda: sum(v[0] == 2 for v in data.values) > 5)
            await c.write_gatt_char(COMMAND, b"\2\7", response=True)
            await until(lambda: b"\1\7\xc8\0" in data.values[5:])
            n = len(data.values)
            await asyncio.sleep(0.05)
            assert len(data.values) == n

    run(body())


@pytest.mark.parametrize("faults", [FaultScript(), FaultScript(clock_jumps=((3.0, -2.0),))])
def test_time_stamps_can_jitter_and_go_back_while_samples_do_not(faults: FaultScript) -> None:
    async def body() -> None:
        air = Air()
        sensor = Movesense(air, waves(), speed=20, faults=faults, options=MovesenseOptions(jitter_ms=80))
        async with on_air(sensor), client(sensor, air) as c:
            data = await heard(c, DATA)
            await c.write_gatt_char(COMMAND, subscribe("/Meas/ECG/256"), response=True)
            values = await data.first(80)
        stamps_ms, counts = packets(values)
        assert min(np.diff(stamps_ms)) < 0
        assert len(set(np.diff(stamps_ms))) > 5
        assert sensor.sent.first_sample is not None
        np.testing.assert_array_equal(counts, sensor.measured(sensor.sent.first_sample, len(counts))[:, 0])

    run(body())
