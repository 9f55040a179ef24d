"""Polar H10: the maker's vectors, and the scenarios that users report."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import pytest
from gatt_tools import FakeGatt, start
from hypothesis import given
from hypothesis import strategies as st

from edge.acquire.driver import DeviceRefused, DriverError, NeedsPairing
from edge.acquire.packets import Contact, Item, Rejected, SamplePacket, Stopped
from edge.acquire.protocols.heart_rate import HEART_RATE, MEASUREMENT
from edge.acquire.protocols.polar import (
    PMD,
    PMD_CONTROL,
    PMD_DATA,
    STATUS,
    Answer,
    PolarH10,
    decode_control,
    decode_ecg,
    decode_settings,
    start_parameters,
)
from edge.errors import LinkError

HEAD = "00 00 94 35 77 00 00 00 00"
SETTINGS = bytes.fromhex("F0 01 00 00 00 00 01 82 00 01 01 0E 00")
ACC_FRAME = bytes.fromhex("02 EA 54 A2 42 8B 45 52 08 01 45 FF E4 FF B5 03 45 FF E4 FF B8 03")
ECG_FRAME = bytes.fromhex(f"{HEAD} 00 02 80 FF 02 80 00")


@dataclass
class Strap:
    """An H10: what it answers to each command, by op code."""

    answers: dict[int, list[bytes]] = field(
        default_factory=lambda: {1: [SETTINGS], 2: [bytes.fromhex("F0 02 00 00 00 00")]}
    )
    features: str = "0F 05" + " 00" * 15
    mtu: int = 232

    def gatt(self) -> FakeGatt:
        pmd = {PMD_CONTROL: bytes.fromhex(self.features), PMD_DATA: b""}
        return FakeGatt({PMD: pmd, HEART_RATE: {MEASUREMENT: b""}}, self._reply, self.mtu)

    def _reply(self, characteristic: str, value: bytes) -> list[tuple[str, bytes]]:
        return [(PMD_CONTROL, answer) for answer in self.answers.get(value[0], [])]


def only_packet(items: list[Item]) -> SamplePacket:
    (item,) = items
    assert isinstance(item, SamplePacket)
    return item


@pytest.mark.parametrize(
    ("frame_type", "samples", "counts"),
    [
        ("00", "02 80 FF 02 80 00", [[-32766], [32770]]),
        ("01", "02 80 FF 80 02 00", [[2], [640]]),
        ("02", "80 80 FC FF FF 03", [[32896], [262143]]),
        ("03", "00 12 03 11 10 04 00 02 80 F0 11 10 04 FF", [[201216, 266257], [-1015806, 266257]]),
    ],
)
def test_ecg_vectors_of_the_makers_sdk(frame_type: str, samples: str, counts: list[list[int]]) -> None:
    packet = only_packet(decode_ecg(bytes.fromhex(f"{HEAD} {frame_type} {samples}")))
    assert packet.counts.tolist() == counts
    assert packet.counts.dtype == np.int32
    assert (packet.device_ns, packet.stamped, packet.counter) == (2_000_000_000, "last", None)


def test_real_h10_frame_head_is_decoded() -> None:
    data = "00 EA 1C AC CC 99 43 52 08 00 68 00 00 58 00 00 46 00 00 3D 00 00 32 00 00 26 00 00 16 00 00 04 00 00"
    packet = only_packet(decode_ecg(bytes.fromhex(data)))
    assert packet.device_ns == 599_616_028_236_586_218
    assert packet.counts[:, 0].tolist() == [104, 88, 70, 61, 50, 38, 22, 4]


def test_acceleration_between_ecg_frames_is_passed_over() -> None:  # scenario 6
    gatt = Strap().gatt()
    _, items = start(PolarH10(), gatt)
    for value in (ECG_FRAME, ACC_FRAME, ECG_FRAME, ACC_FRAME):
        gatt.send(PMD_DATA, value)
    assert [type(item) for item in items] == [SamplePacket, SamplePacket]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        ("", "truncated"),
        (HEAD, "truncated"),
        (f"{HEAD} 00", "truncated"),
        (f"{HEAD} 00 02 80 FF 02", "truncated"),  # scenario 18
        (f"{HEAD} 03 00 12 03", "truncated"),
        (f"{HEAD} 80 02 80 FF", "compressed"),  # scenario 19
        (f"{HEAD} 04 02 80 FF", "frame type"),
        ("00 FF FF FF FF FF FF FF FF 00 02 80 FF", "time stamp"),
    ],
)
def test_unusable_ecg_frame_is_rejected(data: str, reason: str) -> None:
    assert decode_ecg(bytes.fromhex(data)) == [Rejected(reason)]


def test_stream_goes_on_after_a_rejected_frame_and_takes_what_an_h10_sends_only() -> None:  # scenarios 18, 19
    gatt = Strap().gatt()
    _, items = start(PolarH10(), gatt)
    two_channels = bytes.fromhex(f"{HEAD} 03 00 12 03 11 10 04 00")
    for value in (ECG_FRAME[:-1], two_channels, ECG_FRAME[:9] + b"\x80" + ECG_FRAME[10:], ECG_FRAME):
        gatt.send(PMD_DATA, value)
    assert items[:3] == [Rejected("truncated"), Rejected("frame type"), Rejected("compressed")]
    assert only_packet(items[3:]).counts[:, 0].tolist() == [-32766, 32770]


@given(
    st.integers(0, 2**63 - 1), st.lists(st.integers(-(2**23), 2**23 - 1), min_size=1, max_size=73), st.integers(0, 3)
)
def test_ecg_of_any_samples_round_trips(device_ns: int, samples: list[int], recording_bits: int) -> None:
    data = bytes((recording_bits << 6,)) + device_ns.to_bytes(8, "little") + b"\0"
    packet = only_packet(decode_ecg(data + b"".join(s.to_bytes(3, "little", signed=True) for s in samples)))
    assert (packet.device_ns, packet.counts[:, 0].tolist()) == (device_ns, samples)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ("F0 01 02 00 00 FF FF FF", Answer(1, 2, 0, False, b"\xff\xff\xff")),
        ("F0 01 06 07 00", Answer(1, 6, 7, False, b"")),
        ("F0 02 00 06", Answer(2, 0, 6, False, b"")),
        ("F0 02 02 00 00 01", Answer(2, 2, 0, False, b"\x01")),
        ("F0 01 00 00 01 00 01", Answer(1, 0, 0, True, b"\x00\x01")),
        ("01", Stopped("the strap ended the stream")),
        ("01 00", Stopped("the strap ended the stream")),
        ("01 01 02", None),
        ("0F 05 00", None),
        ("", Rejected("control point")),
        ("F0 01", Rejected("control point")),
        ("55 01 00 00", Rejected("control point")),
    ],
)
def test_control_point_vectors(data: str, said: object) -> None:
    assert decode_control(bytes.fromhex(data)) == said


@pytest.mark.parametrize(
    ("data", "settings"),
    [
        ("00 01 82 00 01 01 0E 00", {0: (130,), 1: (14,)}),
        (
            "00 01 34 00 01 01 10 00 02 04 F5 00 F4 01 E8 03 D0 07 04 01 03",
            {0: (52,), 1: (16,), 2: (245, 500, 1000, 2000), 4: (3,)},
        ),
        ("03 02 FF FF FF FF FF 00 00 00 01 01 0E 00", {3: (-1, 255), 1: (14,)}),
        (
            "00 04 19 00 32 00 64 00 C8 00 01 01 10 00 02 03 02 00 04 00 08 00",
            {0: (25, 50, 100, 200), 1: (16,), 2: (2, 4, 8)},
        ),
        ("00 01 34 00 01 01 10 00 02 01 08 00 04 01 03", {0: (52,), 1: (16,), 2: (8,), 4: (3,)}),
        ("00 01 82 00 01 01 16 00", {0: (130,), 1: (22,)}),
        ("05 01 40 DA 7F 39", {5: (0x397FDA40,)}),
        ("", {}),
        ("00", {}),
        ("01", {}),
        ("00 01 82", None),
        ("00 00", None),
        ("07 01 00", None),
    ],
)
def test_settings_vectors(data: str, settings: dict[int, tuple[int, ...]] | None) -> None:
    assert decode_settings(bytes.fromhex(data)) == settings


def test_start_request_holds_each_setting_once_and_never_the_factor() -> None:
    settings = {0: (130, 260), 1: (14,), 3: (-1,), 5: (1,), 6: (0,)}
    assert start_parameters(settings) == bytes.fromhex("00 01 82 00 01 01 0E 00 03 01 FF FF FF FF")


def test_stream_starts_in_the_order_that_the_strap_needs() -> None:
    gatt = Strap().gatt()
    stream, _ = start(PolarH10(), gatt)
    order = [(what, where) for what, where, _ in gatt.log if where in (PMD_CONTROL, PMD_DATA)]
    assert order[:3] == [("subscribe", PMD_CONTROL), ("subscribe", PMD_DATA), ("read", PMD_CONTROL)]
    assert gatt.written == [b"\x01\x00", bytes.fromhex("02 00 00 01 82 00 01 01 0E 00")]
    assert (stream.fs_hz, stream.placement, stream.measures_rate) == (130.0, "timestamp", True)
    assert [(lead.name, lead.counts_per_mv) for lead in stream.leads] == [("ECG", 1000.0)]
    asyncio.run(PolarH10().stop(gatt))
    assert gatt.written[-1] == b"\x03\x00"


def test_settings_that_come_in_parts_are_put_together() -> None:  # scenario 13
    strap = Strap()
    strap.answers[1] = [bytes.fromhex("F0 01 00 00 01 00 01 82"), bytes.fromhex("F0 01 00 00 00 00 01 01 0E 00")]
    gatt = strap.gatt()
    assert start(PolarH10(), gatt)[0].fs_hz == 130.0
    assert gatt.written[1] == bytes.fromhex("02 00 00 01 82 00 01 01 0E 00")


def test_settings_without_end_are_given_up() -> None:
    strap = Strap()
    strap.answers[1] = [bytes.fromhex("F0 01 00 00 01 00")] * 16
    with pytest.raises(DriverError, match="parts"):
        start(PolarH10(response_s=0.1), strap.gatt())


@pytest.mark.parametrize(
    "answer", ["F0 02 00 00", "F0 02 00 00 00", "F0 02 00 00 00 01", "F0 02 00 06", "F0 02 00 06 00"]
)
def test_start_answer_may_be_short_padded_or_say_that_it_streams_already(answer: str) -> None:
    strap = Strap()
    strap.answers[2] = [bytes.fromhex(answer)]
    start(PolarH10(), strap.gatt())


@pytest.mark.parametrize("status", sorted(set(STATUS) - {6}))
def test_every_other_status_of_start_is_an_error_that_names_it(status: int) -> None:  # scenario 14
    strap = Strap()
    strap.answers[2] = [bytes((0xF0, 2, 0, status, 0))]
    expected = DriverError if status in (12, 13, 14) else DeviceRefused
    with pytest.raises(expected, match=f"status {status} \\({STATUS[status]}\\)"):
        start(PolarH10(), strap.gatt())


def test_too_small_mtu_is_refused_with_its_size() -> None:  # scenario 11
    strap = Strap(mtu=23)
    strap.answers[2] = [bytes.fromhex("F0 02 00 0A 00")]
    with pytest.raises(DeviceRefused, match="the link's MTU is 23"):
        start(PolarH10(), strap.gatt())


def test_status_that_no_document_names_is_worth_another_try() -> None:
    strap = Strap()
    strap.answers[1] = [bytes.fromhex("F0 01 00 63")]
    with pytest.raises(DriverError, match="status 99"):
        start(PolarH10(), strap.gatt())


def test_answers_to_other_commands_do_not_count() -> None:
    strap = Strap()
    strap.answers[1] = [bytes.fromhex("F0 01 02 00 00 00 01 34 00"), bytes.fromhex("F0 03 00 06"), SETTINGS]
    assert start(PolarH10(), strap.gatt())[0].fs_hz == 130.0


def test_a_missing_answer_is_an_error_in_bounded_time() -> None:
    with pytest.raises(DriverError, match="does not answer"):
        start(PolarH10(response_s=0.02), Strap(answers={}).gatt())


@pytest.mark.parametrize("settings", ["F0 01 00 00 00", "F0 01 00 00 00 01 01 0E 00", "F0 01 00 00 00 00 01 82"])
def test_settings_without_a_rate_are_an_error(settings: str) -> None:
    strap = Strap()
    strap.answers[1] = [bytes.fromhex(settings)]
    with pytest.raises(DriverError, match="sampling rate"):
        start(PolarH10(), strap.gatt())


def test_a_stream_that_the_strap_ends_is_reported_and_one_of_another_kind_is_not() -> None:  # scenario 7
    gatt = Strap().gatt()
    _, items = start(PolarH10(), gatt)
    gatt.send(PMD_CONTROL, bytes.fromhex("01 02"))
    gatt.send(PMD_CONTROL, bytes.fromhex("01 00"))
    assert items == [Stopped("the strap ended the stream")]


def test_a_strap_without_ecg_is_refused() -> None:  # scenario 15: H9, old firmware, Verity Sense
    with pytest.raises(DeviceRefused):
        start(PolarH10(), FakeGatt({HEART_RATE: {MEASUREMENT: b""}}))
    with pytest.raises(DeviceRefused):
        start(PolarH10(), Strap(features="0F 6E" + " 00" * 15).gatt())


@pytest.mark.parametrize("error", [NeedsPairing("pair first"), LinkError("refused: another client holds it")])
def test_what_the_link_raises_passes_through(error: LinkError) -> None:  # scenarios 12, 17
    gatt = Strap().gatt()
    gatt.broken = error
    with pytest.raises(type(error), match=str(error)):
        start(PolarH10(), gatt)
    asyncio.run(PolarH10().stop(gatt))


def test_contact_comes_from_the_heart_rate_service_when_it_changes_and_rr_does_not() -> None:  # scenario 16
    gatt = Strap().gatt()
    _, items = start(PolarH10(), gatt)
    for value in ("10 40 00 04", "16 40 00 04", "06 40", "04 00", "04 00", "06 40", ""):
        gatt.send(MEASUREMENT, bytes.fromhex(value))
    assert items == [Contact(on=True), Contact(on=False), Contact(on=True), Rejected("truncated")]


def test_the_driver_starts_again_after_a_reconnection() -> None:
    driver = PolarH10()
    first, second = Strap().gatt(), Strap().gatt()
    start(driver, first)
    _, items = start(driver, second)
    second.send(PMD_DATA, ECG_FRAME)
    assert first.written == second.written
    assert len(items) == 1


def test_frames_that_come_before_the_start_is_answered_are_delivered() -> None:
    strap = Strap()
    gatt = strap.gatt()
    reply: Callable[[str, bytes], list[tuple[str, bytes]]] = gatt.reply
    gatt.reply = lambda where, value: [*([(PMD_DATA, ECG_FRAME)] if value[0] == 2 else []), *reply(where, value)]
    assert len(start(PolarH10(), gatt)[1]) == 1
