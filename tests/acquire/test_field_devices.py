"""What happens to wearables other than a Polar H10 in the field (scenarios 15 and 20 to 26), over real ATT traffic from
a virtual device to the store.
"""

import asyncio
import struct
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bumble.device import Connection
from bumble.gatt import Characteristic, Service
from strap_tools import SPEED, Make, Outcome, While, assert_exact, record_strap

from bench.strap_run import StrapRun
from edge.acquire.packets import Counts
from edge.recording.codec import to_counts
from edge.recording.store import StoredRecording
from firmware_bridge.air import Air
from firmware_bridge.faults import FaultScript
from firmware_bridge.peripherals.attributes import notifying, readable, service
from firmware_bridge.peripherals.converter import Converter
from firmware_bridge.peripherals.ganglion import PACKETS_PER_CYCLE, Ganglion
from firmware_bridge.peripherals.generic_health_sensor import GenericHealthSensor, HealthSensorOptions
from firmware_bridge.peripherals.healthypi import HealthyPi
from firmware_bridge.peripherals.heart_rate import HeartRateOptions, HeartRateStrap
from firmware_bridge.peripherals.movesense import COUNTS_PER_MV, Movesense, MovesenseOptions
from firmware_bridge.peripherals.pacing import Stream, stream_from
from firmware_bridge.peripherals.peripheral import Peripheral


def making(kind: Callable[..., Peripheral], *, speed: float = SPEED, name: str | None = None, **faults: Any) -> Make:
    return lambda air, recording: kind(air, recording, speed=speed, name=name, faults=FaultScript(**faults))


def with_options(**options: Any) -> While:
    """Options of the protocol in the pin, set before the strap is found."""

    async def pin(run: StrapRun, peripheral: Peripheral) -> None:
        run.source.pin = replace(run.source.pin, options={**run.source.pin.options, **options})

    return pin


def intervals_of(outcome: Outcome) -> list[int]:
    """RR intervals of the recording, in 1/1024 s, without those across a gap."""
    assert outcome.annotations is not None
    beats = outcome.annotations.beats
    inside = [not any(a < gap.stop and b > gap.start for gap in outcome.gaps) for a, b in pairwise(beats)]
    return np.diff(beats)[inside].tolist()


# 15: straps that cannot send an ECG.


@pytest.mark.parametrize("protocol", [None, "polar-h10"])
def test_15_an_h10_without_pmd_is_recorded_by_its_rr_intervals(tmp_path: Path, protocol: str | None) -> None:
    outcome = record_strap(making(HeartRateStrap, name="Polar H10 00000001"), tmp_path, protocol=protocol)
    assert outcome.status.protocol == "heart-rate"
    assert outcome.info is not None
    assert outcome.info.rr_only
    assert len(intervals_of(outcome)) > 40
    (lost,) = outcome.told("lost")  # the service may show late, so the strap is looked at twice
    assert "no service for polar-h10" in lost


def test_15_an_h9_is_recorded_by_its_rr_intervals_at_once(tmp_path: Path) -> None:
    outcome = record_strap(making(HeartRateStrap), tmp_path)
    assert outcome.info is not None
    assert outcome.info.rr_only
    assert not outcome.told("lost")


# 20: heart-rate notifications.


class Batching(HeartRateStrap):
    """Tells beats of 150 bpm in batches of 0, 1, 2 … 9 intervals, each when it is full."""

    def services(self) -> list[Service]:
        self.told: list[int] = []
        self._batch = 0
        self._options = HeartRateOptions(u16_rate=True, energy=True)
        self.heart_rate.value = self.value  # type: ignore[method-assign]  # one strap's own firmware
        return super().services()

    def value(self, second: int) -> bytes:
        beats_ticks = [round(0.4 * 1024 * k) for k in range(int((second + 1) / 0.4) + 1)]
        rr = np.diff(beats_ticks).tolist()[len(self.told) :]
        n = self._batch if len(rr) >= self._batch else 0
        self._batch = (self._batch + (len(rr) >= self._batch)) % 10
        self.told += rr[:n]
        return struct.pack("<BHH", 0x1F if n else 0x0F, 150, second) + struct.pack(f"<{n}H", *rr[:n])


def test_20_wide_rates_energy_and_up_to_nine_intervals_at_a_time_are_kept_as_told(tmp_path: Path) -> None:
    outcome = record_strap(making(Batching), tmp_path)
    strap = outcome.run.peripheral
    assert isinstance(strap, Batching)
    assert len(strap.told) > 80
    assert intervals_of(outcome) == strap.told
    assert [gap.cause for gap in outcome.gaps] == ["no RR intervals yet", "stopped"]


@pytest.mark.parametrize("options", [HeartRateOptions(contact=False), HeartRateOptions(u16_rate=True, energy=True)])
def test_20_the_intervals_of_a_real_ecg_are_those_told(tmp_path: Path, options: HeartRateOptions) -> None:
    told: list[int] = []

    def make(air: Air, recording: Any) -> Peripheral:
        strap = HeartRateStrap(air, recording, speed=SPEED, options=options)
        send, rr_at = strap.notify, 2 + options.u16_rate + 2 * options.energy

        def notify(characteristic: Characteristic[bytes], value: bytes, at_s: float) -> None:
            told.extend(n for (n,) in struct.iter_unpack("<H", value[rr_at:]))
            send(characteristic, value, at_s)

        strap.notify = notify  # type: ignore[method-assign]  # what is sent is looked at
        return strap

    outcome = record_strap(make, tmp_path)
    assert len(told) > 40
    assert intervals_of(outcome) == told


# 21, 22: Movesense.


class InMicrovolts(Movesense):
    """What its converter measured, as the /mV resource tells it."""

    def measured(self, first: int, n: int, rate_hz: int | None = None) -> Counts:
        counts = super().measured(first, n, rate_hz)
        return (counts * (1000 / COUNTS_PER_MV)).round().clip(-(2**15), 2**15 - 1).astype(np.int32)


def movesense(options: MovesenseOptions | None = None, kind: type[Movesense] = Movesense, **faults: Any) -> Make:
    return lambda air, recording: kind(air, recording, speed=SPEED, options=options, faults=FaultScript(**faults))


@pytest.mark.parametrize("extended", [False, True])
@pytest.mark.parametrize("fs_hz", [125, 512])
def test_21_raw_values_are_recorded_in_both_dialects(tmp_path: Path, extended: bool, fs_hz: int) -> None:
    make = movesense(MovesenseOptions(extended=extended))
    outcome = record_strap(make, tmp_path, duration_s=20.0, meanwhile=with_options(fs_hz=fs_hz))
    assert assert_exact(outcome, 17 * fs_hz).missing == 0
    assert outcome.status.reconnects == 0


@pytest.mark.parametrize("extended", [False, True])
def test_21_microvolts_are_recorded_where_the_pin_asks_for_them(tmp_path: Path, extended: bool) -> None:
    make = movesense(MovesenseOptions(extended=extended), InMicrovolts)
    outcome = record_strap(make, tmp_path, meanwhile=with_options(millivolts=True))
    assert assert_exact(outcome, 7000).missing == 0
    assert outcome.info is not None
    assert outcome.info.leads[0].counts_per_mv == 1000.0


def test_21_data_in_two_parts_are_joined(tmp_path: Path) -> None:
    outcome = record_strap(movesense(MovesenseOptions(packet_samples=48)), tmp_path)
    assert assert_exact(outcome, 7000).missing == 0
    assert outcome.status.rejected == 0


def test_21_without_their_second_parts_nothing_is_made_of_the_first(tmp_path: Path) -> None:
    outcome = record_strap(movesense(MovesenseOptions(packet_samples=48, second_part=False)), tmp_path, for_s=0.8)
    assert outcome.info is None
    assert outcome.status.rejected > 20


@pytest.mark.parametrize("extended", [False, True])
def test_21_a_sensor_without_a_free_slot_is_told_and_tried_again(tmp_path: Path, extended: bool) -> None:
    async def take_slots(run: StrapRun, peripheral: Peripheral) -> None:
        assert isinstance(peripheral, Movesense)
        while not peripheral.clients:
            await asyncio.sleep(0)
        for reference in range(10, 14):
            peripheral._on_command(peripheral.clients[0], bytes([1, reference]) + b"/Meas/ECG/200\0")
        peripheral.sent.first_sample = None  # theirs; the recording's comes later

    outcome = record_strap(movesense(MovesenseOptions(extended=extended)), tmp_path, meanwhile=take_slots)
    assert_exact(outcome, 6000)
    (lost,) = outcome.told("lost")
    assert "status 507" in lost


class Mute(Movesense):
    """Does not answer its greeting, and does not hear its first subscription."""

    deaf = 1

    def _on_command(self, connection: Connection, command: bytes) -> None:
        if command[:1] == b"\x01" and self.deaf:
            self.deaf -= 1
        elif command[:1] != b"\x00":
            super()._on_command(connection, command)


def test_21_a_sensor_that_does_not_answer_is_asked_again(tmp_path: Path) -> None:
    quick = with_options(hello_s=0.1, response_s=0.3)
    outcome = record_strap(movesense(kind=Mute), tmp_path, meanwhile=quick)
    assert assert_exact(outcome, 3000).missing == 0
    (lost,) = outcome.told("lost")
    assert "neither answers nor sends" in lost


def test_22_stamps_that_jitter_cost_no_sample(tmp_path: Path) -> None:
    outcome = record_strap(movesense(MovesenseOptions(jitter_ms=30)), tmp_path)
    assert assert_exact(outcome, 7000).missing == 0
    assert not outcome.told("clock")


def test_22_stamps_that_go_back_cost_no_sample(tmp_path: Path) -> None:
    make = movesense(MovesenseOptions(jitter_ms=10), clock_jumps=((12.0, -0.7), (20.0, -0.3), (28.0, -60.0)))
    outcome = record_strap(make, tmp_path)
    assert assert_exact(outcome, 7000).missing == 0


# 23, 24: Generic Health Sensor, and the firmware that uses its numbers.


@pytest.mark.parametrize("length_of_all", [False, True])
@pytest.mark.parametrize(("samples", "max_mtu"), [(40, 247), (125, 247), (125, 64)])
def test_23_sample_arrays_in_one_and_in_many_segments_are_joined(
    tmp_path: Path, samples: int, max_mtu: int, length_of_all: bool
) -> None:
    def make(air: Air, recording: Any) -> Peripheral:
        options = HealthSensorOptions(samples=samples, length_of_all=length_of_all)
        return GenericHealthSensor(air, recording, speed=SPEED, options=options, faults=FaultScript(max_mtu=max_mtu))

    outcome = record_strap(make, tmp_path)
    assert assert_exact(outcome, 8000).missing == 0
    assert outcome.run.peripheral.sent.notifications > 128  # the segment counter has wrapped
    assert (outcome.status.protocol, outcome.status.rejected) == ("generic-health-sensor", 0)


def test_23_a_lost_segment_costs_its_observation_and_is_a_gap(tmp_path: Path) -> None:
    outcome = record_strap(making(GenericHealthSensor, dropouts=((15.0, 0.3),), lose=0.03, seed=3), tmp_path)
    same = assert_exact(outcome, 6000)
    assert same.missing > 0
    assert same.missing % 125 == 0
    assert outcome.status.rejected > 0


class Community(Peripheral):
    """A Movesense with the community firmware: u32 milliseconds of the last sample, then 16 counts, at 250 Hz."""

    default_name = "Movesense 000000000002"
    default_address = "F1:00:00:00:00:21"

    def __init__(self, air: Air, recording: Any, **given: Any) -> None:
        super().__init__(air, recording, **given)
        self.converter = Converter(recording, 250.0, COUNTS_PER_MV, (-(2**15) + 1, 2**15 - 1), (0,))
        self._ecg = notifying(0x2BF1)
        self._stream: Stream | None = None

    def measured(self, first: int, n: int) -> Counts:
        return self.converter.measured(first, n)

    def services(self) -> list[Service]:
        return [service(0x1859, self._ecg, readable(0x2BF3, bytes([4, 0, 16]) + bytes(13)))]

    def on_subscription(self, characteristic: Characteristic[bytes], *, wanted: bool) -> None:
        if characteristic is self._ecg and wanted:
            self._stream = stream_from(self.now_s, 250.0, self._send, 16)
            self.sent.first_sample = self._stream.next_sample
            self.add_stream(self._stream)

    def _send(self, first: int, n: int) -> None:
        counts = self.measured(first, n)
        if len(counts) < n:
            self.remove_stream(self._stream)
            self.ended.set()
            return
        stamp_ms = self.clock_ns((first + n - 1) / 250.0) // 1_000_000
        self.notify(self._ecg, struct.pack("<I", stamp_ms) + counts.astype("<i2").tobytes(), (first + n - 1) / 250.0)


@pytest.mark.parametrize("advertised", [(), (0x1859,)])
def test_24_the_numbers_of_a_health_sensor_under_another_service_are_another_protocol(
    tmp_path: Path, advertised: tuple[int, ...]
) -> None:
    def make(air: Air, recording: Any) -> Peripheral:
        sensor = Community(air, recording, speed=SPEED)
        sensor.advertised = advertised
        return sensor

    outcome = record_strap(make, tmp_path)
    assert assert_exact(outcome, 8000).missing == 0
    assert outcome.status.protocol == "movesense-community"


# 25, 26: open hardware.


@pytest.mark.parametrize("lost_packets", [1, 10])
def test_25_notifications_lost_by_a_device_without_time_stamps_are_a_gap_in_its_place(
    tmp_path: Path, lost_packets: int
) -> None:
    make = making(HealthyPi, speed=8.0, dropouts=((10.0, lost_packets * 0.125),))
    outcome = record_strap(make, tmp_path, duration_s=18.0)
    assert assert_exact(outcome, 1500).missing == lost_packets * 16
    assert len(outcome.gaps) == 1


def test_26_a_gap_in_the_ids_of_a_ganglion_lasts_to_the_next_whole_sample(tmp_path: Path) -> None:
    outcome = record_strap(making(Ganglion, dropouts=((15.0, 0.2),)), tmp_path)
    (gap,) = outcome.gaps
    assert outcome.status.protocol == "ganglion"
    per_cycle = 2 * PACKETS_PER_CYCLE - 1
    assert 40 < gap.stop - gap.start < per_cycle + 40
    assert gap.stop % per_cycle == 0  # the recording begins with a whole sample, too
    stored = StoredRecording(outcome.run.paths[0])
    signal_mv, leads = stored.read_mv(0, stored.info.n_samples), stored.info.leads
    stored.close()
    absent = np.isnan(signal_mv).all(axis=1)
    assert absent.nonzero()[0].tolist() == list(range(gap.start, gap.stop))
    counts = np.column_stack([to_counts(signal_mv[:, k], lead) for k, lead in enumerate(leads)])
    ganglion = outcome.run.peripheral
    assert isinstance(ganglion, Ganglion)
    wrong = np.abs(counts - ganglion.measured(outcome.run.first_sample or 0, len(counts))).max(axis=1)
    assert not wrong[::per_cycle][~absent[::per_cycle]].any()
    assert (wrong[~absent] <= 1).mean() > 0.95  # a difference's sign is its lowest bit; steep slopes are caught up with
