"""Movesense: both dialects, both payloads, clocks that wrap; and the community firmware."""

import asyncio
import struct

import numpy as np
import pytest
from gatt_tools import FakeGatt, start
from hypothesis import given
from hypothesis import strategies as st

from edge.acquire.driver import DeviceRefused, DriverError
from edge.acquire.packets import NOT_MEASURED, Item, Rejected, SamplePacket
from edge.acquire.protocols.movesense import (
    COMMAND,
    DATA,
    MOVESENSE,
    Movesense,
    MovesenseState,
    decode_hello,
    decode_notification,
    decode_status,
)
from edge.acquire.protocols.movesense_community import (
    COMMUNITY,
    CONFIGURATION,
    ECG,
    MovesenseCommunity,
    decode_frame,
    decode_interval_ms,
)
from edge.acquire.protocols.standard import DEVICE_INFORMATION, MODEL
from edge.errors import UsageError

MV_PAYLOAD = bytes.fromhex(
    "EA DC 01 00 00 00 00 00 00 00 FF FF EE FF 15 00 48 00 FC FE 66 FF 68 04 7B 02 C9 F5 14 F8 67 1F D8 56 C7 6F"
)
MICROVOLTS = [0, 0, 0, -1, -18, 21, 72, -260, -154, 1128, 635, -2615, -2028, 8039, 22232, 28615]
OPEN_HELLO = bytes.fromhex("01 01 48 65 6C 6C 6F")
GSP_HELLO = b"\x01\x01\x01" + b"\0".join((b"123456789012", b"Movesense HR2", b"0C:8C", b"default", b"2.3.1")) + b"\0"


def raw_payload(clock_ms: int, samples: range) -> bytes:
    return struct.pack(f"<I{len(samples)}i", clock_ms % 2**32, *samples)


def sensor(hello: bytes | None, answer: bytes | None, data: bytes | None) -> FakeGatt:
    def reply(characteristic: str, value: bytes) -> list[tuple[str, bytes]]:
        said = [hello] if value[0] == 0 else [answer, data] if value[0] == 1 else []
        return [(DATA, value) for value in said if value is not None]

    return FakeGatt({MOVESENSE: {COMMAND: b"", DATA: b""}}, reply)


def decoded(values: list[bytes], state: MovesenseState) -> tuple[list[Item], MovesenseState]:
    items: list[Item] = []
    for value in values:
        found, state = decode_notification(value, state)
        items += found
    return items, state


def packets(items: list[Item]) -> list[SamplePacket]:
    return [item for item in items if isinstance(item, SamplePacket)]


def test_captured_millivolt_payload_is_decoded() -> None:  # scenario 21
    items, _ = decoded([b"\x02\x02" + MV_PAYLOAD], MovesenseState(2))
    (packet,) = packets(items)
    assert packet.counts[:, 0].tolist() == MICROVOLTS
    assert (packet.device_ns, packet.stamped) == (122_090_000_000, "first")


def test_raw_payload_is_decoded() -> None:  # scenario 21
    items, _ = decoded([b"\x02\x02" + raw_payload(5, range(-8, 8))], MovesenseState(4))
    assert packets(items)[0].counts.tolist() == [[k] for k in range(-8, 8)]


@pytest.mark.parametrize("first_bytes", [1, 20, 67, 150])
def test_payload_split_into_parts_is_put_together(first_bytes: int) -> None:  # scenario 21
    payload = raw_payload(5, range(64))
    values = [b"\x02\x02" + payload[:first_bytes], b"\x03\x02" + payload[first_bytes:]]
    items, state = decoded(values, MovesenseState(4))
    assert [len(p.counts) for p in packets(items)] == [64]
    assert state.part == b""


def test_payload_may_have_three_parts() -> None:
    payload = raw_payload(5, range(96))
    values = [b"\x02\x02" + payload[:150], b"\x03\x02" + payload[150:300], b"\x04\x02" + payload[300:]]
    assert [len(p.counts) for p in packets(decoded(values, MovesenseState(4))[0])] == [96]


def test_second_part_that_never_comes_costs_its_packet_only() -> None:
    whole = b"\x02\x02" + raw_payload(5, range(16))
    items, _ = decoded([whole[:40], whole, b"\x03\x02" + whole[42:], whole], MovesenseState(4))
    assert [type(item) for item in items] == [Rejected, SamplePacket, Rejected, SamplePacket]


def test_values_cut_by_a_small_mtu_are_rejected_not_taken_for_short_packets() -> None:
    for width, payload in ((4, raw_payload(5, range(16))), (2, MV_PAYLOAD)):
        cut = (b"\x02\x02" + payload)[:20]
        items, _ = decoded([cut, cut, cut], MovesenseState(width))
        assert items == [Rejected("part missing")] * 2


def test_other_streams_and_answers_are_passed_over() -> None:
    values = [OPEN_HELLO, b"\x02\x09" + bytes(40), b"\x01\x02\xc8\x00"]
    assert decoded(values, MovesenseState(4))[0] == []


@pytest.mark.parametrize("value", [b"", b"\x02", b"\x07\x02", b"\x02\x02", b"\x04\x02\x00", b"\x02\x02" + bytes(600)])
def test_unusable_notification_is_rejected(value: bytes) -> None:
    (item,), state = decode_notification(value, MovesenseState(4))
    assert isinstance(item, Rejected)
    assert state.part == b""


def test_device_clock_goes_on_across_its_wrap_and_back_for_a_step_back() -> None:  # scenario 22
    clocks_ms = [2**32 - 100, 2**32 + 25, 2**32 + 13, 2**32 + 150]
    values = [b"\x02\x02" + raw_payload(clock_ms, range(16)) for clock_ms in clocks_ms]
    items, _ = decoded(values, MovesenseState(4))
    assert [p.device_ns for p in packets(items)] == [clock_ms * 1_000_000 for clock_ms in clocks_ms]


@pytest.mark.parametrize(
    ("hello", "device"), [(OPEN_HELLO, "Sensor"), (GSP_HELLO, "Movesense Movesense HR2 default 2.3.1")]
)
def test_both_dialects_start_and_deliver(hello: bytes, device: str) -> None:
    answer = None if hello is OPEN_HELLO else b"\x01\x02\xc8\x00"
    gatt = sensor(hello, answer, b"\x02\x02" + raw_payload(0, range(16)))
    gatt.table[DEVICE_INFORMATION] = {MODEL: b"Sensor"}
    stream, items = start(Movesense(), gatt)
    assert gatt.written == [b"\x00\x01", b"\x01\x02/Meas/ECG/200\0"]
    assert (stream.device, stream.fs_hz, stream.packet_samples) == (device, 200.0, 16)
    assert stream.leads[0].counts_per_mv == pytest.approx(1 / 0.000381469726563, rel=1e-9)
    assert len(packets(items)) == 1


def test_missing_answer_with_data_flowing_is_success() -> None:  # scenario 21
    gatt = sensor(None, None, b"\x02\x02" + MV_PAYLOAD)
    stream, items = start(Movesense(fs_hz=500, millivolts=True, hello_s=0.01, response_s=0.5), gatt)
    assert gatt.written[1] == b"\x01\x02/Meas/ECG/500/mV\0"
    assert (stream.fs_hz, stream.leads[0].counts_per_mv) == (500.0, 1000.0)
    assert packets(items)[0].counts[:, 0].tolist() == MICROVOLTS


def test_neither_answer_nor_data_is_an_error_in_bounded_time() -> None:
    with pytest.raises(DriverError, match="neither answers nor sends"):
        start(Movesense(hello_s=0.01, response_s=0.02), sensor(None, None, None))


@pytest.mark.parametrize(
    ("hello", "answer", "error", "status"),
    [
        (OPEN_HELLO, "01 02 01 FB", DriverError, 507),  # scenario 21: big-endian in the open sample
        (None, "01 02 01 FB", DriverError, 507),
        (GSP_HELLO, "01 02 FB 01", DriverError, 507),
        (None, "01 02 F7 01", DriverError, 503),
        (GSP_HELLO, "01 02 F5 01", DeviceRefused, 501),
    ],
)
def test_a_refusal_is_read_in_the_dialects_byte_order(
    hello: bytes | None, answer: str, error: type[Exception], status: int
) -> None:
    with pytest.raises(error, match=f"status {status}"):
        start(Movesense(hello_s=0.01), sensor(hello, bytes.fromhex(answer), None))


@pytest.mark.parametrize(("payload", "status"), [(b"", None), (b"\xc8", None), (b"\xc8\x00", 200), (b"\x00\xc8", 200)])
def test_status_of_an_unknown_dialect_is_the_one_that_makes_sense(payload: bytes, status: int | None) -> None:
    assert decode_status(payload, little_endian=None) == status


def test_hello_of_the_default_firmware_names_product_and_app_but_no_serial_number() -> None:
    assert decode_hello(GSP_HELLO[2:]) == "Movesense Movesense HR2 default 2.3.1"
    assert decode_hello(b"Hello") is None
    assert decode_hello(b"") is None


def test_an_impossible_rate_is_a_usage_error_that_lists_the_rates() -> None:
    with pytest.raises(UsageError, match="125, 128, 200, 250, 256, 500, 512"):
        Movesense(fs_hz=300)


def test_stop_unsubscribes() -> None:
    gatt = sensor(None, None, None)
    asyncio.run(Movesense().stop(gatt))
    assert gatt.written == [b"\x02\x02"]


# The community firmware.


def test_community_frame_is_stamped_last_and_invalid_samples_are_not_measured() -> None:
    ((item,), clock_ms) = decode_frame(struct.pack("<I3h", 4000, 5, -32768, -7), None)
    assert isinstance(item, SamplePacket)
    assert item.counts[:, 0].tolist() == [5, int(NOT_MEASURED), -7]
    assert item.counts.dtype == np.int32
    assert (item.stamped, item.device_ns, clock_ms) == ("last", 4_000_000_000, 4000)


@given(st.integers(0, 2**32 - 1), st.lists(st.integers(-32767, 32767), min_size=1, max_size=120))
def test_community_frame_of_any_samples_round_trips(clock_ms: int, samples: list[int]) -> None:
    (item,), _ = decode_frame(struct.pack(f"<I{len(samples)}h", clock_ms, *samples), None)
    assert isinstance(item, SamplePacket)
    assert item.counts[:, 0].tolist() == samples


@pytest.mark.parametrize("data", [b"", bytes(4), bytes(5), bytes(7)])
def test_truncated_community_frame_is_rejected(data: bytes) -> None:
    assert decode_frame(data, 9) == ([Rejected("truncated")], 9)


@pytest.mark.parametrize(
    ("configuration", "interval_ms"),
    [(b"\x02" + bytes(15), 2), (b"\x0a" + bytes(15), 10), (b"\x05" + bytes(15), None), (b"\x02", None)],
)
def test_interval_is_read_from_the_configuration(configuration: bytes, interval_ms: int | None) -> None:
    assert decode_interval_ms(configuration) == interval_ms


@pytest.mark.parametrize(("configuration", "fs_hz", "n_notes"), [(b"\x08" + bytes(15), 125.0, 1), (b"", 250.0, 2)])
def test_community_stream_has_the_configured_rate_or_says_that_it_is_assumed(
    configuration: bytes, fs_hz: float, n_notes: int
) -> None:
    gatt = FakeGatt({COMMUNITY: {ECG: b"", CONFIGURATION: configuration}})
    stream, items = start(MovesenseCommunity(), gatt)
    gatt.send(ECG, struct.pack("<I2h", 4000, 5, 6))
    assert (stream.fs_hz, stream.placement, len(stream.notes)) == (fs_hz, "timestamp", n_notes)
    assert len(packets(items)) == 1


def test_same_characteristic_number_in_another_service_is_not_taken_for_ecg() -> None:  # scenario 24
    other = FakeGatt({"00001840-0000-1000-8000-00805f9b34fb": {ECG: b"", CONFIGURATION: b""}})
    with pytest.raises(DeviceRefused):
        start(MovesenseCommunity(), other)


def test_an_interval_that_the_firmware_lacks_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match="2, 4, 8, 10"):
        MovesenseCommunity(interval_ms=5)


def test_a_sensor_without_the_service_is_refused() -> None:
    with pytest.raises(DeviceRefused):
        start(Movesense(), FakeGatt({}))
