"""Virtual HealthyPi, heart-rate strap, Generic Health Sensor and Ganglion over real ATT traffic."""

import asyncio
import struct
from decimal import Decimal

import numpy as np
import pytest
from air_tools import asked, client, heard, on_air, run, until, waves
from numpy.typing import NDArray

from edge.formats.memory import ArrayRecording, demo_recording
from firmware_bridge.air import Air
from firmware_bridge.faults import FaultScript
from firmware_bridge.peripherals import ganglion, healthypi
from firmware_bridge.peripherals import generic_health_sensor as ghs
from firmware_bridge.peripherals.beats import GivenBeats
from firmware_bridge.peripherals.ganglion import Ganglion
from firmware_bridge.peripherals.generic_health_sensor import GenericHealthSensor, HealthSensorOptions, mder
from firmware_bridge.peripherals.healthypi import HealthyPi
from firmware_bridge.peripherals.heart_rate import HeartRateOptions, HeartRateStrap

LIVE, CONTROL = "2b8b", "2bf4"


@pytest.mark.parametrize(("model", "samples"), [("move", 16), ("5", 8)])
def test_healthypi_streams_raw_counts_while_it_is_listened_to(model: str, samples: int) -> None:
    async def body() -> None:
        air = Air()
        device = HealthyPi(air, waves(), speed=20, model="move" if model == "move" else "5")
        async with on_air(device), client(device, air) as c:
            data = await heard(c, healthypi.ECG)
            values = await data.first(20)
            assert device.sent.first_sample is not None
            first = device.sent.first_sample
            await c.stop_notify(healthypi.ECG)
            n = device.sent.notifications
            await asyncio.sleep(0.05)
            assert device.sent.notifications <= n + 1
        assert {len(v) for v in values} == {4 * samples}
        counts = np.frombuffer(b"".join(values), "<i4")
        np.testing.assert_array_equal(counts, device.measured(first, len(counts))[:, 0])

    run(body())


def test_a_healthypi_move_says_nothing_without_contact() -> None:
    async def body() -> None:
        air = Air()
        device = HealthyPi(air, waves(), speed=30, faults=FaultScript(lead_off=((3.0, 10.0),)))
        async with on_air(device), client(device, air) as c:
            data = await heard(c, healthypi.ECG)
            await until(lambda: device.now_s > 4)
            n = len(data.values)
            await until(lambda: device.now_s > 12)
            assert len(data.values) == n
            await data.first(n + 3)

    run(body())


def test_a_heart_rate_strap_has_no_ecg_and_sends_every_interval_once() -> None:
    async def body() -> None:
        air = Air()
        times_s = np.cumsum(np.random.default_rng(3).uniform(0.3, 1.4, 200))
        strap = HeartRateStrap(air, waves(), speed=0, beats=GivenBeats(times_s))
        async with on_air(strap), client(strap, air) as c:
            assert "fb005c80" not in {s.uuid[:8] for s in c.services}
            data = await heard(c, "2a37")
            await strap.ended.wait()
            await until(lambda: len(data.values) == strap.sent.notifications)
        rr = [x for v in data.values for x in struct.unpack(f"<{(len(v) - 2) // 2}H", v[2:])]
        ticks = np.rint(times_s[times_s < 60] * 1024)
        assert rr == np.diff(ticks).tolist()
        assert len(data.values) == 60

    run(body())


def test_rates_of_16_bits_and_energy_come_where_the_flags_say() -> None:
    async def body() -> None:
        air = Air()
        options = HeartRateOptions(contact=False, u16_rate=True, energy=True)
        strap = HeartRateStrap(air, demo_recording(), speed=30, options=options)
        async with on_air(strap), client(strap, air) as c:
            values = await (await heard(c, "2a37")).first(5)
        for k, value in enumerate(values, 1):
            flags, rate_bpm, energy_kj = struct.unpack_from("<BHH", value)
            assert flags & ~16 == 1 | 8
            assert rate_bpm == 0 or 40 < rate_bpm < 200
            assert energy_kj == k

    run(body())


def test_a_strap_without_contact_reports_no_rate_and_no_interval_across_it() -> None:
    async def body() -> None:
        air = Air()
        times_s = np.arange(0.5, 60.0)
        faults = FaultScript(lead_off=((10.0, 3.0),))
        strap = HeartRateStrap(air, waves(), speed=0, beats=GivenBeats(times_s), faults=faults)
        async with on_air(strap), client(strap, air) as c:
            data = await heard(c, "2a37")
            await strap.ended.wait()
            await until(lambda: len(data.values) == 60)
        assert [v[1] for v in data.values[10:13]] == [0, 0, 0]
        assert [v[0] & 6 for v in data.values[9:14]] == [6, 4, 4, 4, 6]
        assert sum((len(v) - 2) // 2 for v in data.values) == 60 - 1 - 3 - 1

    run(body())


def observations(values: list[bytes]) -> list[bytes]:
    """Whole observations of consecutive segments, each counter one more than the last."""
    counters = [v[0] >> 2 for v in values]
    assert counters == [k % 64 for k in range(counters[0], counters[0] + len(counters))]
    whole: list[bytes] = []
    for value in values:
        if value[0] & 1:
            whole.append(b"")
        whole[-1] += value[1:]
    return whole if values[-1][0] & 2 else whole[:-1]


@pytest.mark.parametrize(("samples", "mtu", "of_all"), [(40, 517, False), (125, 517, True), (125, 100, False)])
def test_a_health_sensor_sends_sample_arrays_in_segments(samples: int, mtu: int, of_all: bool) -> None:
    async def body() -> None:
        air = Air()
        options = HealthSensorOptions(samples=samples, length_of_all=of_all)
        sensor = GenericHealthSensor(air, waves(), speed=20, options=options)
        async with on_air(sensor), client(sensor, air, mtu=mtu) as c:
            answers = await heard(c, CONTROL)
            data = await heard(c, LIVE)
            assert await asked(c, answers, b"\1", CONTROL) == b"\x80"
            assert await asked(c, answers, b"\7", CONTROL) == b"\x81"
            values = await data.first(70 if mtu == 100 else 10)
        first = sensor.sent.first_sample
        assert first is not None
        for k, body_of in enumerate(observations(values)):
            kind, length, flags, mdc = struct.unpack_from("<BHHI", body_of)
            assert (kind, flags, mdc) == (4, 3, 0x20100)
            assert length == len(body_of) - (0 if of_all else 3)
            stamp_ms = int.from_bytes(body_of[10:16], "little") - ghs.CLOCK_START_MS
            assert stamp_ms == pytest.approx((first + k * samples) * 4, abs=1)
            array = body_of[18:]
            assert array[:14] == struct.pack("<H", 0x10B3) + mder(Decimal(1)) + mder(Decimal(0)) + mder(
                Decimal("0.004")
            )
            assert struct.unpack_from("<BBI", array, 14) == (1, 2, samples)
            np.testing.assert_array_equal(
                np.frombuffer(array[20:], "<i2"), sensor.measured(first + k * samples, samples)[:, 0]
            )

    run(body())


def test_mder_floats_are_those_of_the_specification() -> None:
    assert mder(Decimal("0.004")) == bytes.fromhex("040000fd")
    assert mder(Decimal(98)) == bytes.fromhex("62000000")
    assert mder(Decimal("-1.5")) == struct.pack("<I", 0xFF << 24 | (2**24 - 15))
    with pytest.raises(ValueError, match="digits"):
        mder(Decimal("0.123456789"))


def decompressed(values: list[bytes], bits: int) -> NDArray[np.int64]:
    """What the widely copied driver makes of packets."""
    shown = np.zeros(4, np.int64)
    samples = []
    for value in values:
        if value[0] == 0:
            shown = np.array([int.from_bytes(value[k : k + 3], "big", signed=True) for k in (1, 4, 7, 10)])
            samples.append(shown)
            continue
        text = "".join(f"{byte:08b}" for byte in value[1:])
        deltas = [int(text[k * bits : (k + 1) * bits], 2) for k in range(8)]
        signed = [delta - (1 << bits) if delta & 1 else delta for delta in deltas]
        for part in (signed[:4], signed[4:]):
            shown = shown - np.array(part)
            samples.append(shown)
    return np.array(samples)


@pytest.mark.parametrize("bits", [18, 19])
def test_a_ganglion_sends_differences_that_add_up_to_within_a_count(bits: int) -> None:
    async def body() -> None:
        air = Air()
        board = Ganglion(air, waves(n_leads=4), speed=5, bits=bits)
        async with on_air(board), client(board, air) as c:
            data = await heard(c, ganglion.RECEIVE)
            await c.write_gatt_char(ganglion.SEND, b"b", response=True)
            values = await data.first(210)
            await c.write_gatt_char(ganglion.SEND, b"s", response=True)
        ids = [0, *(range(1, 101) if bits == 18 else range(101, 201))]
        assert [v[0] for v in values] == (ids * 3)[:210]
        assert {len(v) for v in values} == {20}
        samples = decompressed(values, bits)
        assert board.sent.first_sample is not None
        measured = board.measured(board.sent.first_sample, len(samples))
        assert np.abs(samples - measured).max() <= 1

    run(body())


def test_a_ganglion_catches_up_with_what_a_difference_cannot_hold() -> None:
    step_mv = np.where(np.arange(7200) % 720 < 360, -4.0, 4.0)
    recording = ArrayRecording("steps", step_mv, 360.0)

    async def body() -> None:
        air = Air()
        board = Ganglion(air, recording, speed=5)
        async with on_air(board), client(board, air) as c:
            data = await heard(c, ganglion.RECEIVE)
            await c.write_gatt_char(ganglion.SEND, b"b", response=True)
            values = await data.first(150)
        samples = decompressed(values, 19)
        assert board.sent.first_sample is not None
        wrong = np.abs(samples - board.measured(board.sent.first_sample, len(samples))).max(axis=1) > 1
        assert 0 < wrong.mean() < 0.2

    run(body())
