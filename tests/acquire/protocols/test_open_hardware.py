"""HealthyPi and Ganglion: raw counts without a header, and differences between samples."""

import asyncio
import struct

import numpy as np
import pytest
from gatt_tools import FakeGatt, start
from hypothesis import given
from hypothesis import strategies as st

from edge.acquire.driver import DeviceRefused
from edge.acquire.packets import Item, Rejected, Restarted, SamplePacket
from edge.acquire.protocols import healthypi
from edge.acquire.protocols.ganglion import GANGLION, RECEIVE, SEND, Ganglion, GanglionState, decode_packet
from edge.acquire.protocols.healthypi import HEALTHYPI, HealthyPi, decode_samples


@given(st.lists(st.integers(-(2**31), 2**31 - 1), min_size=1, max_size=16))
def test_healthypi_samples_round_trip(samples: list[int]) -> None:
    (item,) = decode_samples(struct.pack(f"<{len(samples)}i", *samples))
    assert isinstance(item, SamplePacket)
    assert item.counts[:, 0].tolist() == samples
    assert item.counts.dtype == np.int32
    assert (item.counter, item.device_ns) == (None, None)


@pytest.mark.parametrize("data", [b"", bytes(3), bytes(63)])
def test_truncated_healthypi_value_is_rejected(data: bytes) -> None:
    assert decode_samples(data) == [Rejected("truncated")]


def test_healthypi_is_placed_by_arrival_and_says_what_is_assumed() -> None:  # scenario 25
    gatt = FakeGatt({HEALTHYPI: {healthypi.ECG: b""}})
    stream, items = start(HealthyPi(), gatt)
    for n in (16, 8, 16):  # a gap between them shows in nothing but the time of arrival
        gatt.send(healthypi.ECG, bytes(4 * n))
    assert (stream.placement, stream.fs_hz, stream.packet_samples) == ("arrival", 128.0, None)
    assert stream.leads[0].counts_per_mv == pytest.approx(5242.88)
    assert any("unverified" in note for note in stream.notes)
    assert [len(item.counts) for item in items if isinstance(item, SamplePacket)] == [16, 8, 16]
    with pytest.raises(DeviceRefused):
        start(HealthyPi(), FakeGatt({}))


# Ganglion. The encoder is the inverse of the published rule; a difference keeps its sign in its lowest bit.


def encode(packet_id: int, before: list[int], first: list[int], second: list[int]) -> bytes:
    width = 18 if packet_id <= 100 else 19
    deltas = [a - b for a, b in zip([*before, *first], [*first, *second], strict=True)]
    assert all((delta < 0) == bool(delta & 1) for delta in deltas), "only such differences exist on the air"
    bits = "".join(format(delta % 2**width, f"0{width}b") for delta in deltas)
    return bytes((packet_id,)) + int(bits, 2).to_bytes(len(bits) // 8, "big").ljust(19, b"\0")


def whole(values: list[int]) -> bytes:
    return b"\0" + b"".join(value.to_bytes(3, "big", signed=True) for value in values) + bytes(7)


def step(values: list[int], rng: np.random.Generator) -> list[int]:
    """The next sample: positive differences are even, negative ones odd."""
    deltas = rng.integers(-100_000, 100_000, 4)
    return [int(v) for v in np.array(values) - np.where(deltas < 0, deltas | 1, deltas & ~1)]


def board(n_packets: int, *, fine: bool = False) -> tuple[list[bytes], list[list[list[int]]]]:
    """Packets of a board from id 0 on, and the samples of each."""
    rng = np.random.default_rng(1)
    packets, samples = [], []
    now: list[int] = []
    for k in range(n_packets):
        if k % 101 == 0:
            now = rng.integers(-(2**20), 2**20, 4).tolist()
            packets.append(whole(now))
            samples.append([now])
        else:
            first = step(now, rng)
            second = step(first, rng)
            packets.append(encode(k % 101 + (100 if fine else 0), now, first, second))
            samples.append([first, second])
            now = second
    return packets, samples


def decoded(packets: list[bytes]) -> list[Item]:
    items: list[Item] = []
    state = GanglionState()
    for packet in packets:
        found, state = decode_packet(packet, state)
        items += found
    return items


@pytest.mark.parametrize("fine", [False, True])
def test_ganglion_differences_become_the_boards_samples(fine: bool) -> None:
    packets, samples = board(250, fine=fine)
    items = [item for item in decoded(packets) if isinstance(item, SamplePacket)]
    assert [item.counts.tolist() for item in items] == samples
    assert [item.counter for item in items] == np.cumsum([0, *map(len, samples[:-1])]).tolist()


@pytest.mark.parametrize("lost", [range(30, 31), range(95, 110), range(101, 102), range(1, 60)])
def test_after_a_lost_id_samples_are_withheld_until_the_next_whole_one_and_the_gap_is_exact(lost: range) -> None:
    packets, samples = board(303)  # scenario 26
    counters = np.cumsum([0, *map(len, samples)])
    items = decoded([packet for k, packet in enumerate(packets) if k not in lost])
    resumed = next(k for k in (101, 202) if k >= lost.stop)
    kept = [k for k in range(303) if k < lost.start or k >= resumed]
    found = [item for item in items if isinstance(item, SamplePacket)]
    assert [item.counter for item in found] == [counters[k] for k in kept]
    assert [item.counts.tolist() for item in found] == [samples[k] for k in kept]
    assert items.count(Rejected("no reference")) == resumed - lost.stop


def test_a_repeated_packet_is_not_applied_twice() -> None:
    packets, samples = board(10)
    items = decoded([*packets[:5], packets[4], *packets[5:]])
    assert [item.counts.tolist() for item in items if isinstance(item, SamplePacket)] == samples
    assert items.count(Rejected("repeated")) == 1


def test_a_stream_that_begins_between_whole_samples_waits_for_one() -> None:
    packets, samples = board(110)
    items = decoded(packets[90:])
    assert items[:11] == [Rejected("no reference")] * 11
    first = items[11]
    assert isinstance(first, SamplePacket)
    assert (first.counter, first.counts.tolist()) == (22, samples[101])


@pytest.mark.parametrize(
    ("data", "items"),
    [
        (b"", [Rejected("truncated")]),
        (b"\0" + bytes(18), [Rejected("truncated")]),
        (b"\x65" + bytes(20), [Rejected("truncated")]),
        (b"\xc9 12Z\n", []),
        (b"\xcfhelp", []),
        (b"\xd0" + bytes(19), [Rejected("packet id")]),
    ],
)
def test_other_ganglion_packets_are_passed_over_or_rejected(data: bytes, items: list[Item]) -> None:
    assert decode_packet(data, GanglionState()) == (items, GanglionState())


def test_ganglion_starts_stops_and_begins_anew_after_a_reconnection() -> None:
    packets, _ = board(3)
    driver = Ganglion()
    table = {GANGLION: {RECEIVE: b"", SEND: b""}}
    first, second = FakeGatt(table), FakeGatt(table)
    stream, items = start(driver, first)
    assert (stream.fs_hz, len(stream.leads), stream.placement) == (200.0, 4, "counter")
    assert stream.leads[0].counts_per_mv == pytest.approx(1000 / 0.001869917, rel=3e-5)
    assert first.log[0][:2] == ("subscribe", RECEIVE)
    for packet in packets:
        first.send(RECEIVE, packet)
    assert len(items) == 3
    _, items = start(driver, second)
    second.send(RECEIVE, packets[0])
    assert items[0] == Restarted()
    assert isinstance(items[1], SamplePacket)
    assert items[1].counter == 0
    asyncio.run(driver.stop(second))
    assert second.written == [b"b", b"s"]
    with pytest.raises(DeviceRefused):
        start(Ganglion(), FakeGatt({}))
