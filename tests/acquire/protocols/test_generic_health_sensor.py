"""Generic Health Sensor: vendors' observations, sample arrays in segments, both length conventions."""

import asyncio
import struct

import pytest
from gatt_tools import FakeGatt, start
from hypothesis import given
from hypothesis import strategies as st

from edge.acquire.driver import DeviceRefused, DriverError
from edge.acquire.packets import Item, Rejected, SamplePacket
from edge.acquire.protocols.generic_health_sensor import (
    CONTROL,
    HEALTH_SENSOR,
    LIVE_OBSERVATIONS,
    GenericHealthSensor,
    HealthState,
    decode_segment,
)
from edge.acquire.protocols.health_observation import decode_observation

NUMERIC = bytes.fromhex("01 1B 00 63 00 B8 4B 02 00 22 72 9D 2B 29 00 00 06 00 01 01 3C 4C 02 00 20 02 62 00 00 00")
NUMERIC_BUNDLE = bytes.fromhex(
    "FF 2F 00 42 00 22 72 9D 2B 29 00 00 06 00 01 3C 4C 02 00 02"
    "01 0C 00 01 00 B8 4B 02 00 20 02 62 00 00 00"
    "01 0C 00 01 00 1A 48 02 00 A0 0A 62 00 00 00"
)
LEAD_I = bytes.fromhex(
    "04 2B 00 03 00 01 01 02 00 2A 50 05 5F D2 A0 00 06 00 B3 10 01 00 00 00 00 00 00 00 04 00 00 FD 01 02 04 00 00 00"
    "00 00 0A 00 EC FF 2C 01"
)
STAMP_NS = int.from_bytes(LEAD_I[10:16], "little") * 1_000_000


def array(
    samples: list[int],
    *,
    kind: int = 0x20101,
    unit: int = 0x10B3,
    scale: int = 1,
    offset: int = 0,
    width: int = 2,
    time: bytes = LEAD_I[9:18],
    whole_length: bool = False,
) -> bytes:
    """A sample array of 250 Hz."""
    flags = 1 | (2 if time else 0)
    raw = b"".join(sample.to_bytes(width, "little", signed=True) for sample in samples)
    period = 0xFD000004
    body = struct.pack("<HI", flags, kind) + time
    body += struct.pack("<HIIIBBI", unit, scale, offset, period, 1, width, len(samples)) + raw
    return b"\x04" + struct.pack("<H", len(body) + (3 if whole_length else 0)) + body


def bundle(members: list[bytes], *, time: bytes = LEAD_I[9:18], whole_length: bool = False) -> bytes:
    body = struct.pack("<H", 2) + time + bytes((len(members),)) + b"".join(members)
    return b"\xff" + struct.pack("<H", len(body) + (3 if whole_length else 0)) + body


def segments(body: bytes, counter: int = 0, size: int = 512) -> list[bytes]:
    parts = [body[k : k + size] for k in range(0, len(body), size)]
    return [
        bytes(((counter + k) % 64 << 2 | (k == len(parts) - 1) << 1 | (k == 0),)) + part for k, part in enumerate(parts)
    ]


def decoded(values: list[bytes], state: HealthState | None = None) -> tuple[list[Item], HealthState]:
    items: list[Item] = []
    state = state or HealthState()
    for value in values:
        found, state = decode_segment(value, state)
        items += found
    return items, state


def samples_of(items: list[Item]) -> list[list[list[int]]]:
    return [item.counts.tolist() for item in items if isinstance(item, SamplePacket)]


@pytest.mark.parametrize("observation", [NUMERIC, NUMERIC_BUNDLE])
def test_vendors_numeric_observations_are_read_and_hold_no_ecg(observation: bytes) -> None:
    assert decode_observation(observation) == []
    assert decoded([b"\x8b" + observation])[0] == []  # counter 34, first and last


@pytest.mark.parametrize("length", [0x2B, 0x2E])
def test_constructed_lead_i_is_decoded_with_both_length_conventions(length: int) -> None:  # scenario 23
    items, state = decoded([b"\x03" + LEAD_I[:1] + bytes((length,)) + LEAD_I[2:]])
    (item,) = items
    assert isinstance(item, SamplePacket)
    assert item.counts[:, 0].tolist() == [0, 10, -20, 300]
    assert (item.device_ns, item.stamped) == (STAMP_NS, "first")
    assert state.layout is not None
    assert state.layout.fs_hz == 250.0
    assert [(lead.name, lead.counts_per_mv, lead.zero_count) for lead in state.layout.leads] == [("I", 1000.0, 0)]


@pytest.mark.parametrize("size", [1, 7, 20, 43])
def test_sample_array_in_many_segments_is_put_together_across_the_counters_wrap(size: int) -> None:  # scenario 23
    values = segments(LEAD_I, 60, size)
    values += segments(LEAD_I, 60 + len(values), size)
    assert samples_of(decoded(values)[0]) == [[[0], [10], [-20], [300]]] * 2


@pytest.mark.parametrize("lost", range(5))
def test_a_lost_segment_costs_its_observation_and_no_other(lost: int) -> None:  # scenario 23
    before, damaged = segments(LEAD_I, 0, 10), segments(LEAD_I, 5, 10)
    after = segments(LEAD_I, 10, 10)
    items, state = decoded([*before, *damaged[:lost], *damaged[lost + 1 :], *after])
    assert len(samples_of(items)) == 2
    assert Rejected("lost segment") in items
    assert state.pending is None


def test_a_repeated_segment_is_dropped_alone() -> None:
    values = segments(LEAD_I, 0, 10)
    items, _ = decoded([*values[:2], values[1], *values[2:]])
    assert len(samples_of(items)) == 1
    assert items[0] == Rejected("repeated")


def test_an_observation_that_never_ends_is_given_up() -> None:
    first = b"\x01" + bytes(511)
    values = [first] + [bytes((k % 64 << 2,)) + bytes(511) for k in range(1, 200)]
    items, state = decoded(values)
    assert Rejected("length") in items
    assert state.pending is None


def test_a_first_segment_inside_an_observation_begins_a_new_one() -> None:
    items, _ = decoded([segments(LEAD_I, 0, 30)[0], *segments(LEAD_I, 1, 30)])
    assert items[0] == Rejected("unfinished")
    assert len(samples_of(items)) == 1


@pytest.mark.parametrize("whole_length", [False, True])
def test_a_bundle_of_leads_is_one_packet_with_the_shared_time(whole_length: bool) -> None:
    members = [
        array([1, 2, 3], time=b"", whole_length=whole_length),
        bytes((1,)) + struct.pack("<H", 0x0F if whole_length else 0x0C) + NUMERIC_BUNDLE[23:35],
        array([4, 5, 6], kind=0x20102, unit=0x10B2, time=b"", whole_length=whole_length),
    ]
    items, state = decoded(segments(bundle(members, whole_length=whole_length), size=30))
    (item,) = items
    assert isinstance(item, SamplePacket)
    assert item.counts.tolist() == [[1, 4], [2, 5], [3, 6]]
    assert item.device_ns == STAMP_NS
    assert state.layout is not None
    assert [(lead.name, lead.counts_per_mv) for lead in state.layout.leads] == [("I", 1000.0), ("II", 1.0)]


@given(st.integers(1, 4), st.data(), st.booleans())
def test_samples_of_any_width_round_trip(width: int, data: st.DataObject, whole_length: bool) -> None:
    low = -(2 ** (8 * width - 1))
    numbers = st.lists(st.integers(low + 1, -low - 1), min_size=1, max_size=40)
    samples = data.draw(numbers)
    body = array(samples, width=width, whole_length=whole_length)
    assert samples_of(decoded(segments(body, size=data.draw(st.integers(1, 100))))[0]) == [[[s] for s in samples]]


def test_scale_and_offset_become_counts_per_millivolt_and_zero() -> None:
    scale = 0xFF000005  # 0.5 microvolts per count
    _, state = decoded(segments(array([1], scale=scale, offset=-50 & 0xFFFFFF)))
    assert state.layout is not None
    assert (state.layout.leads[0].counts_per_mv, state.layout.leads[0].zero_count) == (2000.0, 100)


def test_samples_are_unsigned_where_the_option_says_so() -> None:
    values = segments(array([-1, 5], width=1))
    assert samples_of(decoded(values, HealthState(signed=False))[0]) == [[[255], [5]]]


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"\x04", "truncated"),
        (b"\x04\x09\x00\x01\x00", "length"),
        (b"\x04\x02\x00\x01\x00", "truncated"),
        (b"\x04\x02\x00\x00\x04", "flags"),
        (b"\x63\x02\x00\x00\x00", "observation class"),
        (array([1, 2])[:-1], "length"),
        (array([]), "number of samples"),
        (array([1], unit=0x0220), "unit"),
        (array([1], scale=0), "scale"),
        (array([1], scale=0x7FFFFF), "scale"),
        (array([1], scale=1 << 24 | 0xFFFFFF), "scale"),
        (array([1, 2], width=2).replace(b"\x01\x02\x02\x00\x00\x00", b"\x02\x02\x02\x00\x00\x00"), "dimension"),
        (array([1, 2], width=2).replace(b"\x01\x02\x02\x00\x00\x00", b"\x01\x05\x02\x00\x00\x00"), "sample width"),
        (bundle([bundle([])]), "observation class"),
        (bundle([array([1]), array([1, 2], kind=0x20102)]), "leads differ"),
        (bundle([array([1]), array([2])]), "lead twice"),
        (array([-(2**31)], width=4), "value"),
    ],
)
def test_unusable_observation_is_rejected(body: bytes, reason: str) -> None:
    assert decoded([b"\x03" + part for part in [body]])[0] == [Rejected(reason)]


def test_observation_of_another_format_is_rejected_and_the_stream_goes_on() -> None:
    values = [array([1]), array([1], scale=2), array([2])]
    items, _ = decoded([bytes((k << 2 | 3,)) + body for k, body in enumerate(values)])
    assert samples_of(items) == [[[1]], [[2]]]
    assert items[1] == Rejected("format changed")


def test_arrays_of_something_else_than_ecg_are_passed_over() -> None:
    assert decoded(segments(array([1], kind=0x24BB8)))[0] == []


def test_optional_fields_before_the_value_are_skipped() -> None:
    plain = array([7], time=b"")
    fields = bytes(4) + bytes(2) + bytes(4) + b"\x01" + b"\x01" + bytes(4) + b"\x00" + b"\x02" + bytes(8)
    fields += b"\x01" + bytes(4) + struct.pack("<H", 2) + b"\x00" + bytes(2)
    body = struct.pack("<H", 0x3FD) + plain[5:9] + fields + plain[9:]
    assert samples_of(decoded(segments(b"\x04" + struct.pack("<H", len(body)) + body))[0]) == [[[7]]]


def sensor(body: bytes | None, answer: bytes = b"\x80") -> FakeGatt:
    def reply(characteristic: str, value: bytes) -> list[tuple[str, bytes]]:
        if value != b"\x01":
            return []
        return [(CONTROL, answer), *((LIVE_OBSERVATIONS, part) for part in segments(body or b""))]

    return FakeGatt({HEALTH_SENSOR: {LIVE_OBSERVATIONS: b"", CONTROL: b""}}, reply)


def test_stream_takes_its_format_from_the_first_observation() -> None:
    gatt = sensor(LEAD_I)
    stream, items = start(GenericHealthSensor(), gatt)
    assert [what for what, _, _ in gatt.log] == ["subscribe", "subscribe", "write"]
    assert (stream.fs_hz, stream.placement, [lead.name for lead in stream.leads]) == (250.0, "timestamp", ["I"])
    assert len(samples_of(items)) == 1
    asyncio.run(GenericHealthSensor().stop(gatt))
    assert gatt.written == [b"\x01", b"\x02"]


@pytest.mark.parametrize("time", [b"", b"\x22" + LEAD_I[10:18]])
def test_stream_without_fine_time_stamps_is_placed_by_arrival(time: bytes) -> None:
    stream, items = start(GenericHealthSensor(), sensor(array([1, 2], time=time)))
    (item,) = items
    assert isinstance(item, SamplePacket)
    assert (stream.placement, item.device_ns) == ("arrival", None)


def test_a_busy_or_silent_sensor_is_an_error_in_bounded_time() -> None:
    with pytest.raises(DriverError, match="server busy"):
        start(GenericHealthSensor(), sensor(None, b"\x81"))
    with pytest.raises(DriverError, match="no ECG"):
        start(GenericHealthSensor(response_s=0.02), sensor(NUMERIC))
    with pytest.raises(DeviceRefused):
        start(GenericHealthSensor(), FakeGatt({}))


def test_a_sensor_without_control_point_is_only_subscribed_to() -> None:
    gatt = FakeGatt({HEALTH_SENSOR: {LIVE_OBSERVATIONS: b""}})

    async def scenario() -> list[Item]:
        items: list[Item] = []
        asyncio.get_running_loop().call_later(0.01, gatt.send, LIVE_OBSERVATIONS, b"\x03" + LEAD_I)
        driver = GenericHealthSensor()
        await driver.start(gatt, items.append)
        await driver.stop(gatt)
        return items

    assert len(samples_of(asyncio.run(scenario()))) == 1
    assert gatt.written == []
