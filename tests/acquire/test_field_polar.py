"""What happens to Polar straps in the field (scenarios 1 to 19), over real ATT traffic from a virtual H10 to the store."""

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from bleak import BleakClient
from strap_tools import SPEED, Make, assert_exact, first_seconds, record_strap

from bench.strap_run import StrapRun, compare, switched_on
from edge.clean.quality import State
from firmware_bridge.air import Air
from firmware_bridge.bumble_bleak import AirClient
from firmware_bridge.faults import FaultScript
from firmware_bridge.peripherals.peripheral import Peripheral
from firmware_bridge.peripherals.polar_h10 import H10Options, PolarH10


def h10(options: H10Options | None = None, speed: float = SPEED, **faults: Any) -> Make:
    return lambda air, recording: PolarH10(air, recording, speed=speed, options=options, faults=FaultScript(**faults))


def test_01_a_normal_h10_is_recorded_sample_exact_at_its_true_rate(tmp_path: Path) -> None:
    outcome = record_strap(h10(rate_percent=0.2077), tmp_path)
    assert_exact(outcome, 4000)
    assert outcome.info is not None
    assert outcome.info.fs_hz == pytest.approx(130.27, abs=0.011)
    assert not outcome.gaps


@pytest.mark.parametrize(("percent", "rate_hz"), [(-2.0, 127.4), (2.0, 132.6)])
def test_02_a_rate_two_percent_off_is_measured(tmp_path: Path, percent: float, rate_hz: float) -> None:
    outcome = record_strap(h10(rate_percent=percent), tmp_path)
    assert_exact(outcome, 4000)
    assert outcome.info is not None
    assert outcome.info.fs_hz == pytest.approx(rate_hz, abs=0.011)


def test_03_a_first_frame_after_25_s_is_waited_for(tmp_path: Path) -> None:
    outcome = record_strap(h10(first_frame_s=25.0), tmp_path, duration_s=60.0)
    assert_exact(outcome, 3000)
    assert outcome.status.reconnects == 0


# A frame lasts 0.56 s, so that 0.6 s take one or two of them.
@pytest.mark.parametrize(("dropout", "missing"), [((15.0, 0.6), 110), ((15.0, 5.5), 730)])
def test_04_lost_notifications_are_a_gap_of_their_length(
    tmp_path: Path, dropout: tuple[float, float], missing: int
) -> None:
    outcome = record_strap(h10(dropouts=(dropout,)), tmp_path)
    assert assert_exact(outcome, 3000).missing == pytest.approx(missing, abs=73)
    assert [gap.cause for gap in outcome.gaps] == ["packets lost"]


def test_05_repeated_frames_and_a_clock_that_goes_back_cost_nothing(tmp_path: Path) -> None:
    outcome = record_strap(h10(duplicate=0.5, clock_jumps=((20.0, -7.0),), seed=2), tmp_path)
    assert assert_exact(outcome, 4000).missing == 0
    assert outcome.run.counts.duplicates > 10
    assert outcome.run.counts.clock_jumps == 1


def test_06_acceleration_between_the_ecg_frames_changes_nothing(tmp_path: Path) -> None:
    async def start_acceleration(run: StrapRun, peripheral: Peripheral) -> None:
        assert isinstance(peripheral, PolarH10)
        while not peripheral.sent.samples:
            await asyncio.sleep(0.01)
        command = bytes.fromhex("02020201080000 01C80001011000")
        peripheral._on_command(peripheral.clients[0], command)

    outcome = record_strap(h10(), tmp_path, meanwhile=start_acceleration)
    assert assert_exact(outcome, 4000).missing == 0
    assert outcome.run.peripheral.sent.notifications > 150
    assert outcome.status.rejected == 0


def test_07_a_stream_ended_by_the_strap_is_started_again(tmp_path: Path) -> None:
    outcome = record_strap(h10(device_stops=(15.0, 25.0)), tmp_path)
    assert_exact(outcome, 3500)
    assert outcome.told("silent").count("the strap ended the stream") == 2
    assert outcome.status.reconnects == 0


def test_08_a_lost_link_is_found_again_and_the_same_recording_goes_on(tmp_path: Path) -> None:
    outcome = record_strap(h10(disconnects=(15.0,)), tmp_path)
    same = assert_exact(outcome, 2500)
    assert same.missing > 0
    assert len(outcome.run.paths) == 1
    assert [gap.cause for gap in outcome.gaps] == ["link lost"]
    assert (outcome.told("lost"), outcome.status.reconnects) == (["link lost"], 1)


def test_09_after_a_power_loss_the_gap_has_the_length_that_the_host_saw(tmp_path: Path) -> None:
    starts: list[int] = []

    async def note_starts(run: StrapRun, peripheral: Peripheral) -> None:
        while not peripheral.ended.is_set():
            first = peripheral.sent.first_sample
            if first is not None and first not in starts:
                starts.append(first)
            await asyncio.sleep(0.005)

    outcome = record_strap(h10(clock_resets=(10.0,), speed=5.0), tmp_path, duration_s=20.0, meanwhile=note_starts)
    assert outcome.info is not None
    assert outcome.same is not None
    assert len(outcome.run.paths) == 1
    assert outcome.same.undeclared == 0
    assert outcome.told("clock") == ["the strap's clock was set or restarted"]
    (gap,) = outcome.gaps
    assert gap.cause.startswith("strap restarted")
    # The gap is as long as the strap was away, to the jitter of arrival (20 ms here, times the speed).
    first, second = starts
    assert gap.stop - gap.start == pytest.approx(second - first - gap.start, abs=0.02 * 5 * 130)


@pytest.mark.parametrize("by_s", [250_000_000.0, -250_000_000.0])
def test_10_a_clock_set_by_years_mid_stream_costs_no_sample(tmp_path: Path, by_s: float) -> None:
    outcome = record_strap(h10(clock_jumps=((15.0, by_s),)), tmp_path)
    assert assert_exact(outcome, 4000).missing == 0
    assert len(outcome.told("clock")) == 1


def test_11_an_mtu_of_23_is_told_and_not_worked_around(tmp_path: Path) -> None:
    outcome = record_strap(h10(max_mtu=23), tmp_path, for_s=1.0)
    assert outcome.info is None
    assert any("MTU" in detail for detail in outcome.told("lost"))


def test_11_an_mtu_of_70_gives_19_samples_a_frame(tmp_path: Path) -> None:
    outcome = record_strap(h10(max_mtu=70, speed=10.0), tmp_path, duration_s=20.0)
    assert assert_exact(outcome, 1500).missing == 0
    assert outcome.run.peripheral.sent.samples / outcome.run.peripheral.sent.notifications < 20


def test_12_a_strap_that_wants_pairing_is_paired_once(tmp_path: Path) -> None:
    assert_exact(record_strap(h10(pairing=True), tmp_path), 3500)


def test_12_a_strap_that_must_not_be_paired_is_refused(tmp_path: Path) -> None:
    async def forbid(run: StrapRun, peripheral: Peripheral) -> None:
        run.source.pin = replace(run.source.pin, bond=False)

    outcome = record_strap(h10(pairing=True), tmp_path, meanwhile=forbid, for_s=0.7)
    assert outcome.info is None
    assert any("paired" in detail for detail in outcome.told("lost"))


def test_13_settings_in_two_parts_are_joined(tmp_path: Path) -> None:
    assert_exact(record_strap(h10(H10Options(split_settings=True, trailing_byte=True)), tmp_path), 3500)


@pytest.mark.parametrize("status", [code for code in range(1, 15) if code != 6])
def test_14_every_status_is_told_in_words_and_tried_again(tmp_path: Path, status: int) -> None:
    outcome = record_strap(h10(H10Options(statuses={2: status})), tmp_path, for_s=0.4)
    assert outcome.info is None
    assert outcome.told("lost")
    assert all(len(detail) > 20 for detail in outcome.told("lost"))


def test_14_already_in_that_state_counts_as_started(tmp_path: Path) -> None:
    async def start_before(run: StrapRun, peripheral: Peripheral) -> None:
        assert isinstance(peripheral, PolarH10)
        while not peripheral.clients:
            await asyncio.sleep(0)
        peripheral._on_command(peripheral.clients[0], bytes.fromhex("02 00 00 01 82 00 01 01 0E 00"))

    assert_exact(record_strap(h10(), tmp_path, meanwhile=start_before), 3500)


def test_16_noise_of_electrodes_in_the_air_is_not_counted_as_beats(tmp_path: Path) -> None:
    outcome = record_strap(h10(lead_off=((12.0, 15.0),)), tmp_path)
    assert_exact(outcome, 4000)
    assert "contact lost" in outcome.told("contact")
    assert outcome.annotations is not None
    assert outcome.info is not None
    first_s = (outcome.run.first_sample or 0) / 130
    off = slice(round(13 - first_s), round(26 - first_s))
    assert (outcome.annotations.quality[off] == State.UNUSABLE).all()


def test_17_a_second_client_finds_the_strap_taken(tmp_path: Path) -> None:
    async def second(run: StrapRun, peripheral: Peripheral) -> None:
        while not peripheral.sent.samples:
            await asyncio.sleep(0.01)
        other = Air.another_adapter(run.air)
        client = BleakClient(peripheral.address, timeout=0.3, backend=AirClient, air=await other)
        with pytest.raises(Exception, match="was found"):
            await client.connect()

    outcome = record_strap(h10(), tmp_path, meanwhile=second)
    assert_exact(outcome, 3500)


def test_17_a_strap_taken_by_a_phone_is_waited_for(tmp_path: Path) -> None:
    async def go() -> None:
        air = Air()
        strap = PolarH10(air, first_seconds(60.0), speed=SPEED)
        async with switched_on(strap):
            phone = BleakClient(strap.address, backend=AirClient, air=await air.another_adapter())
            await phone.connect()
            run = StrapRun(tmp_path, strap, air)
            recording = asyncio.create_task(run.record())
            await asyncio.sleep(0.5)
            assert run.source.status.state == "searching"
            await phone.disconnect()
            await recording
            assert compare(run).exact

    asyncio.run(go())


def test_18_truncated_frames_are_rejected_and_counted(tmp_path: Path) -> None:
    async def send_truncated(run: StrapRun, peripheral: Peripheral) -> None:
        assert isinstance(peripheral, PolarH10)
        while peripheral.sent.samples < 1000:
            await asyncio.sleep(0.01)
        for n in (0, 1, 9, 11, 12, 14, 243):
            peripheral.notify(peripheral._data, bytes(n), 10.0)

    outcome = record_strap(h10(), tmp_path, meanwhile=send_truncated)
    assert assert_exact(outcome, 4000).missing == 0
    assert outcome.status.rejected >= 6


def test_19_unknown_and_compressed_frames_are_rejected_and_the_stream_goes_on(tmp_path: Path) -> None:
    async def send_strange(run: StrapRun, peripheral: Peripheral) -> None:
        assert isinstance(peripheral, PolarH10)
        while peripheral.sent.samples < 1000:
            await asyncio.sleep(0.01)
        for kind in (0x80, 0x04, 0x7F, 0x81):
            peripheral.notify(peripheral._data, bytes(9) + bytes([kind]) + bytes(30), 10.0)

    outcome = record_strap(h10(), tmp_path, meanwhile=send_strange)
    assert assert_exact(outcome, 4000).missing == 0
    assert outcome.status.rejected == 4


def test_the_stream_is_stopped_on_the_way_out(tmp_path: Path) -> None:
    outcome = record_strap(h10(), tmp_path, for_s=0.8)
    peripheral = outcome.run.peripheral
    assert isinstance(peripheral, PolarH10)
    assert not peripheral._running
    assert outcome.status.state == "ended"
