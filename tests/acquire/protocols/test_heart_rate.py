"""Heart Rate Service: every combination of its flags."""

import pytest
from gatt_tools import FakeGatt, start
from hypothesis import given
from hypothesis import strategies as st

from edge.acquire.driver import DeviceRefused
from edge.acquire.packets import Battery, Rejected, RrPacket
from edge.acquire.protocols import standard
from edge.acquire.protocols.heart_rate import HEART_RATE, LOCATION, MEASUREMENT, HeartRate, decode_heart_rate


@pytest.mark.parametrize(
    ("data", "packet"),
    [
        ("00 FF", RrPacket((), 255)),
        ("01 80 80", RrPacket((), 32896)),
        ("06 00", RrPacket((), None, contact=True)),
        ("04 00", RrPacket((), None, contact=False)),
        ("02 00", RrPacket((), None)),
        ("00 00", RrPacket((), None)),
        ("09 00 00 FF FF", RrPacket((), None)),
        ("08 00 7F 80", RrPacket((), None)),
        ("10 00 FF FF", RrPacket((65535,), None)),
        ("11 00 00 FF FF 7F 80", RrPacket((65535, 32895), None)),
        ("16 40 00 04", RrPacket((1024,), 64, contact=True)),
    ],
)
def test_heart_rate_vectors(data: str, packet: RrPacket) -> None:
    assert decode_heart_rate(bytes.fromhex(data)) == [packet]


@given(
    st.integers(1, 65535),
    st.one_of(st.none(), st.booleans()),
    st.one_of(st.none(), st.integers(0, 65535)),
    st.lists(st.integers(0, 65535), max_size=9),
    st.booleans(),
    st.integers(0, 7),
)
def test_every_combination_of_wide_rate_contact_energy_and_nought_to_nine_rr_is_read(
    rate_bpm: int, contact: bool | None, energy_kj: int | None, rr: list[int], wide: bool, reserved: int
) -> None:
    wide = wide or rate_bpm > 255
    flags = wide | (0 if contact is None else 4 | contact << 1) | (energy_kj is not None) << 3 | bool(rr) << 4
    data = bytes((flags | reserved << 5,)) + rate_bpm.to_bytes(2 if wide else 1, "little")
    data += b"" if energy_kj is None else energy_kj.to_bytes(2, "little")
    data += b"".join(value.to_bytes(2, "little") for value in rr)
    assert decode_heart_rate(data) == [RrPacket(tuple(rr), rate_bpm, contact)]


@pytest.mark.parametrize("data", ["", "00", "01 80", "08 40 01", "10 40 00", "10 40 00 04 00"])
def test_truncated_heart_rate_is_rejected(data: str) -> None:
    assert decode_heart_rate(bytes.fromhex(data)) == [Rejected("truncated")]


def test_rr_stream_has_no_leads_and_says_where_the_sensor_is_worn() -> None:
    gatt = FakeGatt(
        {HEART_RATE: {MEASUREMENT: b"", LOCATION: b"\x01"}, standard.BATTERY: {standard.BATTERY_LEVEL: b"\x5a"}}
    )
    stream, items = start(HeartRate(), gatt)
    gatt.send(MEASUREMENT, bytes.fromhex("16 40 00 04"))
    assert (stream.leads, stream.fs_hz, stream.placement) == ((), 1024.0, "rr")
    assert stream.notes == ("The sensor says that it is worn on the chest.",)
    assert items == [Battery(90), RrPacket((1024,), 64, contact=True)]


def test_a_device_without_the_service_is_refused() -> None:
    with pytest.raises(DeviceRefused):
        start(HeartRate(), FakeGatt({}))
