"""A virtual Polar H10 over real ATT traffic: the scenarios that people have reported, one by one."""

import asyncio
import struct
from itertools import pairwise

import numpy as np
import pytest
from air_tools import START_ECG, asked, client, ecg, ecg_of, found, heard, index_of_last, on_air, run, until, waves
from bleak import BleakScanner
from bleak.exc import BleakDeviceNotFoundError, BleakError, BleakGATTProtocolError

from edge.formats.memory import demo_recording
from firmware_bridge.air import Air
from firmware_bridge.bumble_bleak import AirScanner
from firmware_bridge.faults import FaultScript
from firmware_bridge.peripherals.beats import GivenBeats
from firmware_bridge.peripherals.heart_rate import CONTACT, CONTACT_SUPPORTED
from firmware_bridge.peripherals.polar_h10 import CLOCK_START_NS, PMD_CONTROL, PMD_DATA, H10Options, PolarH10

HEART_RATE = "2a37"


def check_exact(strap: PolarH10, values: list[bytes]) -> None:
    """Every frame holds what the converter measured at the place that its time stamp names."""
    for value in values:
        stamp_ns, microvolts = ecg(value)
        last = index_of_last(strap, stamp_ns)
        expected = strap.measured(last + 1 - len(microvolts), len(microvolts))[:, 0]
        np.testing.assert_array_equal(microvolts, expected)


def test_the_advertisement_names_heart_rate_and_the_maker_but_not_pmd() -> None:
    async def body() -> None:
        air = Air()
        async with on_air(PolarH10(air, waves())):
            seen = await BleakScanner.discover(timeout=0.2, return_adv=True, backend=AirScanner, air=air)
            ((device, data),) = seen.values()
            assert device.name == data.local_name == "Polar H10 00000001"
            assert data.manufacturer_data.keys() == {0x006B}
            assert [uuid[4:8] for uuid in data.service_uuids] == ["180d", "feee"]

    run(body())


def test_a_stream_is_exact_to_the_sample_and_goes_on_without_a_seam() -> None:
    async def body() -> None:
        air = Air()
        strap = PolarH10(air, demo_recording(), speed=60)
        async with on_air(strap), client(strap, air) as c:
            _, data = await ecg_of(c)
            values = await data.first(100)
        check_exact(strap, values)
        stamps = [index_of_last(strap, ecg(v)[0]) for v in values]
        assert {len(v) for v in values} == {229}
        assert set(np.diff(stamps)) == {73}

    run(body())


def test_as_fast_as_the_link_takes_it_nothing_is_lost() -> None:
    async def body() -> None:
        air = Air()
        strap = PolarH10(air, demo_recording(), speed=0)
        async with on_air(strap), client(strap, air) as c:
            _, data = await ecg_of(c)
            await strap.ended.wait()
            await until(lambda: len(data.values) == strap.sent.notifications)
        check_exact(strap, data.values)
        assert strap.sent.samples == 39_000 - 39_000 % 73

    run(body())


def test_control_point_answers_as_the_maker_documents() -> None:
    async def body() -> None:
        air = Air()
        strap = PolarH10(air, waves())
        async with on_air(strap), client(strap, air) as c:
            assert await c.read_gatt_char(PMD_CONTROL) == bytes.fromhex("0f05") + bytes(15)
            answers = await heard(c, PMD_CONTROL)
            for command, answer in (
                ("0100", "f0010000000001820001010e00"),
                ("0102", "f0010200000004190032006400c800010110000203020004000800"),
                ("0300", "f003000600"),
                (START_ECG.hex(), "f00200000000"),
                (START_ECG.hex(), "f002000600"),
                ("0300", "f003000000"),
                ("0201", "f002010300"),
                ("0500", "f005000300"),
                ("0000", "f000000100"),
                ("0a00", "f00a000100"),
                ("02000001830001010e00", "f002000800"),
                ("02000001820001010f00", "f002000700"),
                ("020000", "f002000400"),
                ("0202000164000101100002011000", "f002020900"),
            ):
                assert (await asked(c, answers, bytes.fromhex(command))).hex() == answer, command

    run(body())


def test_ecg_and_acceleration_share_the_characteristic() -> None:
    async def body() -> None:
        air = Air()
        strap = PolarH10(air, waves(), speed=30)
        async with on_air(strap), client(strap, air) as c:
            answers, data = await ecg_of(c)
            started = await asked(c, answers, bytes.fromhex("0202020108000001c80001011000"))
            assert started == bytes.fromhex("f00202000000")
            await until(lambda: {v[0] for v in data.values[-20:]} == {0, 2})
            values = list(data.values)
        check_exact(strap, [v for v in values if v[0] == 0])
        acc = [v for v in values if v[0] == 2]
        for value in acc:
            _, stamp_ns, frame_type = struct.unpack_from("<BQB", value)
            xyz = np.frombuffer(value[10:], "<i2").reshape(-1, 3)
            last = round((stamp_ns - CLOCK_START_NS) * 200 / 1e9)
            np.testing.assert_array_equal(xyz, strap.measured_acc(last + 1 - len(xyz), len(xyz), 200))
            assert frame_type == 1

    run(body())


@pytest.mark.parametrize(("mtu", "samples"), [(70, 19), (100, 29), (517, 73)])
def test_frames_fill_the_mtu_up_to_73_samples(mtu: int, samples: int) -> None:
    async def body() -> None:
        air = Air()
        strap = PolarH10(air, waves(), speed=20)
        async with on_air(strap), client(strap, air, mtu=mtu) as c:
            _, data = await ecg_of(c)
            values = await data.first(5)
        assert {len(ecg(v)[1]) for v in values} == {samples}
        check_exact(strap, values)

    run(body())


def test_an_mtu_of_23_is_refused_with_status_10() -> None:
    async def body() -> None:
        air = Air()
        strap = PolarH10(air, waves(), faults=FaultScript(max_mtu=23))
        async with on_air(strap), client(strap, air) as c:
            assert c.mtu_size == 23
            answers = await heard(c, PMD_CONTROL)
            assert await asked(c, answers, START_ECG) == bytes.fromhex("f002000a00")

    run(body())


def test_every_status_can_be_injected() -> None:
    async def body() -> None:
        air = Air()
        for status in (5, 12, 13, 14):
            strap = PolarH10(air, waves(), options=H10Options(statuses={2: status}))
            async with on_air(strap), client(strap, air) as c:
                answers = await heard(c, PMD_CONTROL)
                assert await asked(c, answers, START_ECG) == bytes([0xF0, 2, 0, status, 0])

    run(body())


def test_settings_can_come_in_two_parts_and_a_start_with_a_trailing_byte() -> None:
    async def body() -> None:
        air = Air()
        strap = PolarH10(air, waves(), options=H10Options(split_settings=True, trailing_byte=True))
        async with on_air(strap), client(strap, air) as c:
            answers = await heard(c, PMD_CONTROL)
            await c.write_gatt_char(PMD_CONTROL, b"\1\0", response=True)
            first, last = await answers.first(2)
            assert (first[4], last[4]) == (1, 0)
            assert first[5:] + last[5:] == bytes.fromhex("0001820001010e00")
            assert await asked(c, answers, START_ECG) == bytes.fromhex("f0020000000000")

    run(body())


def test_frames_of_72_and_73_samples_alternate_on_request() -> None:
    async def body() -> None:
        air = Air()
        strap = PolarH10(air, waves(), speed=30, options=H10Options(alternate_sizes=True))
        async with on_air(strap), client(strap, air) as c:
            _, data = await ecg_of(c)
            values = await data.first(6)
        assert [len(ecg(v)[1]) for v in values] == [72, 73] * 3
        check_exact(strap, values)

    run(body())


def test_a_lost_link_ends_the_stream_and_the_clock_goes_on() -> None:
    async def body() -> None:
        air = Air()
        strap = PolarH10(air, waves(), speed=30, faults=FaultScript(disconnects=(10.0,)))
        async with on_air(strap):
            lost = asyncio.Event()
            c = client(strap, air, disconnected_callback=lambda _: lost.set())
            await c.connect()
            _, before = await ecg_of(c)
            await lost.wait()
            assert not c.is_connected
            await c.connect()
            _, after = await ecg_of(c)
            values = before.values + (await after.first(3))
            await c.disconnect()
        check_exact(strap, values)
        first_after = index_of_last(strap, ecg(after.values[0])[0])
        assert first_after > index_of_last(strap, ecg(before.values[-1])[0]) + 73

    run(body())


def test_a_power_loss_puts_the_clock_back_to_2019() -> None:
    async def body() -> None:
        air = Air()
        strap = PolarH10(air, waves(), speed=30, faults=FaultScript(clock_resets=(10.0,)))
        async with on_air(strap):
            lost = asyncio.Event()
            c = client(strap, air, disconnected_callback=lambda _: lost.set())
            await c.connect()
            await ecg_of(c)
            await lost.wait()
            await c.connect()
            _, data = await ecg_of(c)
            (value,) = await data.first(1)
            await c.disconnect()
        assert 0 < (ecg(value)[0] - CLOCK_START_NS) / 1e9 < 10

    run(body())


def test_a_clock_that_is_set_jumps_and_the_samples_do_not() -> None:
    async def body() -> None:
        air = Air()
        strap = PolarH10(air, waves(), speed=30, faults=FaultScript(clock_jumps=((8.0, 86400.0),)))
        async with on_air(strap), client(strap, air) as c:
            _, data = await ecg_of(c)
            await until(lambda: strap.now_s > 12)
            values = list(data.values)
        steps_s = np.diff([ecg(v)[0] for v in values]) / 1e9
        assert np.sum(steps_s > 86400) == 1
        first = strap.sent.first_sample
        assert first is not None
        together = np.concatenate([ecg(v)[1] for v in values])
        np.testing.assert_array_equal(together, strap.measured(first, len(together))[:, 0])

    run(body())


def test_a_stream_that_the_device_stops_is_announced_and_the_link_stands() -> None:
    async def body() -> None:
        air = Air()
        strap = PolarH10(air, waves(), speed=30, faults=FaultScript(device_stops=(5.0,)))
        async with on_air(strap), client(strap, air) as c:
            answers, data = await ecg_of(c)
            assert (await answers.first(2))[1] == bytes.fromhex("0100")
            n = len(data.values)
            await asyncio.sleep(0.1)
            assert len(data.values) == n
            assert await asked(c, answers, START_ECG) == bytes.fromhex("f00200000000")
            await data.first(n + 2)

    run(body())


def test_a_stall_is_silence_and_what_was_measured_meanwhile_is_lost() -> None:
    async def body() -> None:
        air = Air()
        strap = PolarH10(air, waves(), speed=60, faults=FaultScript(stalls=((10.0, 10.0),)))
        async with on_air(strap), client(strap, air) as c:
            _, data = await ecg_of(c)
            await until(lambda: strap.now_s > 25)
            values = list(data.values)
        check_exact(strap, values)
        last = np.array([index_of_last(strap, ecg(v)[0]) for v in values])
        assert 1300 <= max(np.diff(last)) <= 1300 + 2 * 73

    run(body())


def test_the_first_frame_can_be_late() -> None:
    async def body() -> None:
        air = Air()
        strap = PolarH10(air, waves(), speed=60, faults=FaultScript(first_frame_s=25.0))
        async with on_air(strap), client(strap, air) as c:
            _, data = await ecg_of(c)
            started_s = strap.now_s
            values = await data.first(1)
        check_exact(strap, values)
        assert index_of_last(strap, ecg(values[0])[0]) / 130 > started_s + 24

    run(body())


def test_a_true_rate_of_its_own_shows_in_the_time_stamps() -> None:
    async def body() -> None:
        air = Air()
        strap = PolarH10(air, waves(), speed=60, faults=FaultScript(rate_percent=2.0))
        async with on_air(strap), client(strap, air) as c:
            _, data = await ecg_of(c)
            values = await data.first(20)
        check_exact(strap, values)
        stamps_ns = [ecg(v)[0] for v in values]
        assert 19 * 73 / ((stamps_ns[-1] - stamps_ns[0]) / 1e9) == pytest.approx(132.6, rel=1e-4)

    run(body())


def test_corrupted_truncated_and_duplicated_notifications_are_counted_as_sent() -> None:
    async def body() -> None:
        air = Air()
        faults = FaultScript(corrupt=0.1, truncate=0.1, duplicate=0.1, lose=0.1, reorder=0.1, seed=4)
        strap = PolarH10(air, waves(300), speed=0, faults=faults)
        async with on_air(strap), client(strap, air) as c:
            _, data = await ecg_of(c)
            await strap.ended.wait()
            done = strap.link_faults
            held = 1  # one may still be held back
            await until(lambda: len(data.values) >= strap.sent.notifications - done.lost + done.duplicated - held)
        assert min(done.corrupted, done.truncated, done.duplicated, done.lost, done.reordered) > 20
        assert sum(len(v) < 229 for v in data.values) >= done.truncated

    run(body())


def test_heart_rate_notifications_carry_the_intervals_of_the_beats() -> None:
    async def body() -> None:
        air = Air()
        times_s = np.cumsum(np.random.default_rng(2).uniform(0.5, 1.1, 100))
        strap = PolarH10(air, waves(), speed=30, beats=GivenBeats(times_s))
        async with on_air(strap), client(strap, air) as c:
            values = await (await heard(c, HEART_RATE)).first(20)
        rr = [x for v in values for x in struct.unpack(f"<{(len(v) - 2) // 2}H", v[2:])]
        expected = [round(b * 1024) - round(a * 1024) for a, b in pairwise(times_s)]
        assert any(rr == expected[k : k + len(rr)] for k in range(20))
        assert all(v[0] & (CONTACT | CONTACT_SUPPORTED) == 6 for v in values)
        assert 60 < values[-1][1] < 110

    run(body())


def test_a_strap_that_is_taken_off_reports_no_rate_no_contact_and_rails() -> None:
    async def body() -> None:
        air = Air()
        strap = PolarH10(air, demo_recording(), speed=30, faults=FaultScript(lead_off=((5.0, 200.0),)))
        async with on_air(strap), client(strap, air) as c:
            rates = await heard(c, HEART_RATE)
            _, data = await ecg_of(c)
            await until(lambda: strap.now_s > 10)
            assert rates.values[-1] == b"\x04\x00"
            assert ecg(data.values[-1])[1].min() > 19_000

    run(body())


def test_without_pairing_everything_is_refused_and_with_it_the_stream_runs() -> None:
    async def body() -> None:
        air = Air()
        strap = PolarH10(air, waves(), speed=30, faults=FaultScript(pairing=True, disconnects=(40.0,)))
        async with on_air(strap):
            lost = asyncio.Event()
            c = client(strap, air, disconnected_callback=lambda _: lost.set())
            await c.connect()
            for attempt in (
                c.read_gatt_char(PMD_CONTROL),
                c.start_notify(PMD_DATA, lambda *_: None),
                c.write_gatt_char(PMD_CONTROL, START_ECG, response=True),
            ):
                with pytest.raises(BleakGATTProtocolError) as refused:
                    await attempt
                assert refused.value.code == 5
            await c.pair()
            _, data = await ecg_of(c)
            await data.first(2)
            await lost.wait()
            await c.connect()  # with the keys of before
            _, data = await ecg_of(c)
            await data.first(2)
            await c.disconnect()

    run(body())


def test_a_second_client_does_not_find_the_strap_unless_two_are_allowed() -> None:
    async def body() -> None:
        air = Air()
        other = await air.another_adapter()
        strap = PolarH10(air, waves(), speed=30)
        async with on_air(strap), client(strap, air):
            with pytest.raises(BleakDeviceNotFoundError):
                await client(strap, other, timeout=0.3).connect()
        both = PolarH10(air, waves(), speed=30, faults=FaultScript(two_clients=True))
        async with on_air(both), client(both, air) as first, client(both, other) as second:
            _, data = await ecg_of(first)
            others = await heard(second, PMD_DATA)
            await others.first(3)
            assert set(others.values) <= set(await data.first(5))
        await other.close()

    run(body())


def test_what_may_not_be_read_or_written_is_refused() -> None:
    async def body() -> None:
        air = Air()
        strap = PolarH10(air, waves())
        async with on_air(strap), client(strap, air) as c:
            with pytest.raises(BleakGATTProtocolError) as refused:
                await c.read_gatt_char(PMD_DATA)
            assert refused.value.code == 2
            with pytest.raises(BleakGATTProtocolError) as refused:
                await c.write_gatt_char("2a29", b"x", response=True)
            assert refused.value.code == 3
            assert await c.read_gatt_char("2a29") == b"Polar Electro Oy"
            assert await c.read_gatt_char("2a19") == bytes([88])

    run(body())


def test_a_slow_connection_delays_frames_and_keeps_their_order() -> None:
    async def body() -> None:
        air = Air()
        strap = PolarH10(air, waves(), speed=10, faults=FaultScript(interval_ms=(10.0, 300.0)))
        async with on_air(strap), client(strap, air) as c:
            _, data = await ecg_of(c)
            values = await data.first(15)
        check_exact(strap, values)
        assert set(np.diff([index_of_last(strap, ecg(v)[0]) for v in values])) == {73}

    run(body())


def test_at_the_recordings_end_the_link_stands_and_is_silent() -> None:
    async def body() -> None:
        air = Air()
        strap = PolarH10(air, waves(10), speed=30)
        async with on_air(strap), client(strap, air) as c:
            answers, data = await ecg_of(c)
            await strap.ended.wait()
            await asyncio.sleep(0.05)
            n = len(data.values)
            await asyncio.sleep(0.1)
            assert c.is_connected
            assert len(data.values) == n
            assert await asked(c, answers, b"\3\0") == bytes.fromhex("f003000600")

    run(body())


def test_a_device_that_is_switched_off_is_gone() -> None:
    async def body() -> None:
        air = Air()
        strap = PolarH10(air, waves())
        async with on_air(strap):
            c = client(strap, air)
            await c.connect()
        await until(lambda: not c.is_connected)
        with pytest.raises(BleakError):
            await c.read_gatt_char(PMD_CONTROL)
        assert await found(air, strap.name, within_s=0.2) is None

    run(body())
