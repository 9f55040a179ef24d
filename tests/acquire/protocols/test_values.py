"""Numbers and texts that several protocols share."""

import asyncio
import math

import numpy as np
import pytest
from gatt_tools import FakeGatt
from hypothesis import given
from hypothesis import strategies as st

from edge.acquire.packets import Battery, Item, Rejected
from edge.acquire.protocols import standard
from edge.acquire.protocols.standard import Answers, decode_battery, device_text, watch_battery
from edge.acquire.protocols.values import mder_float, s24_le, unwrapped, uuid16
from edge.errors import LinkError


def test_assigned_number_becomes_a_128_bit_uuid() -> None:
    assert uuid16(0x180D) == "0000180d-0000-1000-8000-00805f9b34fb"


@given(st.lists(st.integers(-(2**23), 2**23 - 1)))
def test_signed_24_bit_numbers_round_trip(numbers: list[int]) -> None:
    data = b"".join(number.to_bytes(3, "little", signed=True) for number in numbers)
    assert s24_le(data).tolist() == numbers
    assert s24_le(data).dtype == np.int32


@pytest.mark.parametrize(
    ("number", "value"),
    [(0x00000062, 98), (0xFF00000A, 1.0), (0xFD000004, 0.004), (0xFFFFFFFF, -0.1), (0x7F000001, 1e127)],
)
def test_medical_float_is_mantissa_times_power_of_ten(number: int, value: float) -> None:
    assert mder_float(number.to_bytes(4, "little")) == value


@pytest.mark.parametrize("number", [0x7FFFFF, 0x800000, 0x7FFFFE, 0x800002, 0x800001])
def test_special_medical_floats_are_not_numbers(number: int) -> None:
    assert math.isnan(mder_float(number.to_bytes(4, "little")))


@given(st.integers(0, 2**40), st.integers(-(2**31), 2**31 - 1))
def test_unwrapped_clock_follows_steps_in_both_directions_across_its_wrap(before: int, step: int) -> None:
    assert unwrapped((before + step) % 2**32, before, 32) == before + step


def test_first_clock_value_is_taken_as_it_is() -> None:
    assert unwrapped(7, None, 32) == 7


@pytest.mark.parametrize(
    ("data", "items"),
    [
        (b"\x64", [Battery(100)]),
        (b"\x00", [Battery(0)]),
        (b"\x65", [Rejected("battery")]),
        (b"", [Rejected("battery")]),
    ],
)
def test_battery_level_is_a_percentage(data: bytes, items: list[Item]) -> None:
    assert decode_battery(data) == items


def test_device_text_names_both_versions_and_trims_what_cannot_be_printed() -> None:
    values = {
        standard.MANUFACTURER: b"Polar Electro Oy\0",
        standard.MODEL: b"H10",
        standard.FIRMWARE: b"5.0.0\n",
        standard.SOFTWARE: b"3.2.0\xff",
    }
    gatt = FakeGatt({standard.DEVICE_INFORMATION: values})
    assert asyncio.run(device_text(gatt)) == "Polar Electro Oy H10, firmware 5.0.0, software 3.2.0\ufffd"
    assert asyncio.run(device_text(FakeGatt({}))) == ""


def test_battery_is_delivered_at_once_and_when_it_changes() -> None:
    gatt = FakeGatt({standard.BATTERY: {standard.BATTERY_LEVEL: b"\x50"}})
    items: list[Item] = []
    asyncio.run(watch_battery(gatt, items.append))
    gatt.send(standard.BATTERY_LEVEL, b"\x4f")
    assert items == [Battery(80), Battery(79)]


def test_a_device_that_refuses_its_battery_is_used_without() -> None:
    gatt = FakeGatt({standard.BATTERY: {standard.BATTERY_LEVEL: b"\x50"}})
    gatt.broken = LinkError("no")
    items: list[Item] = []
    asyncio.run(watch_battery(gatt, items.append))
    assert items == []


def test_an_answer_that_nobody_waits_for_is_dropped_and_a_missing_one_is_none() -> None:
    async def scenario() -> tuple[int | None, int | None]:
        answers: Answers[int] = Answers()
        for number in range(100):
            answers.put(number)
        assert len(answers.waiting) == standard.MAX_WAITING
        asyncio.get_running_loop().call_soon(answers.put, 1000)
        return await answers.take(lambda a: a >= 1000, 1), await answers.take(lambda a: a >= 1000, 0.01)

    assert asyncio.run(scenario()) == (1000, None)
