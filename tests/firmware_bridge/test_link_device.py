"""The wearable's side of the ECG link: samples become frames, START moves the cursor."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from link_tools import HALF, info_of, wave

from firmware_bridge.link.device import (
    STOP_COMMAND,
    LinkDevice,
    Response,
    Status,
    decode_response,
    start_command,
)
from firmware_bridge.link.frame import LinkFrame, decode_frame
from firmware_bridge.link.info import LinkInfo


def device_of(n_leads: int = 1, mtu: int = 247, ring_frames: int = 10, max_samples: int = 50) -> LinkDevice:
    return LinkDevice(info_of(n_leads, mtu), ring_frames, max_samples, boot=1)


def sent(device: LinkDevice, mtu: int = 247) -> list[LinkFrame]:
    found = []
    while (value := device.next_value(mtu)) is not None:
        frame = decode_frame(value)
        assert isinstance(frame, LinkFrame)
        assert len(value) <= device.info.mtu - 3
        found.append(frame)
    return found


def command(device: LinkDevice, value: bytes, mtu: int = 247) -> Response:
    response = decode_response(device.command(value, mtu))
    assert response is not None
    return response


def sequences(frames: list[LinkFrame]) -> list[int]:
    return [frame.sequence for frame in frames]


@pytest.mark.parametrize(("n_leads", "mtu"), [(1, 64), (2, 64), (10, 64), (2, 100), (3, 185), (12, 247), (16, 515)])
def test_frames_fit_the_mtu_and_hold_every_sample_once(n_leads: int, mtu: int) -> None:
    device = device_of(n_leads, mtu, ring_frames=1000)
    command(device, start_command(), mtu)
    counts = wave(700, n_leads)
    device.sample(counts, time_ms=0)
    frames = sent(device, mtu)
    got = np.concatenate([frame.counts for frame in frames])
    assert len(counts) - len(got) < 50
    assert np.array_equal(got, counts[: len(got)])
    assert [frame.counter for frame in frames] == [0, *np.cumsum([len(frame.counts) for frame in frames])[:-1]]
    assert sequences(frames) == list(range(len(frames)))


@given(st.lists(st.integers(1, 90), min_size=1, max_size=12))
def test_how_samples_are_handed_over_changes_nothing(chunks: list[int]) -> None:
    counts, whole, parts = wave(sum(chunks), 2), device_of(2, 64, 500), device_of(2, 64, 500)
    whole.command(start_command(), 64)
    parts.command(start_command(), 64)
    whole.sample(counts, time_ms=10)
    at = 0
    for n in chunks:
        parts.sample(counts[at : at + n], time_ms=10 + 4 * at)
        at += n
    while (value := whole.next_value(64)) is not None:
        assert parts.next_value(64) == value
    assert parts.next_value(64) is None


def test_the_time_of_a_frame_is_that_of_its_first_sample() -> None:
    device = device_of(2, 64, ring_frames=100)
    command(device, start_command(), 64)
    device.sample(wave(200, 2), time_ms=1000)
    assert all(frame.time_ms == 1000 + 4 * frame.counter for frame in sent(device, 64))


def test_counter_and_clock_wrap_at_32_bits() -> None:
    device = device_of()
    command(device, start_command())
    device.lost(2**32 - 25)
    device.sample(wave(100), time_ms=2**32 - 100)
    first, second = sent(device)
    assert (first.counter, second.counter) == (2**32 - 25, 25)
    assert (first.time_ms, second.time_ms) == (2**32 - 100, 100)


def test_nothing_is_sent_before_start_and_after_stop() -> None:
    device = device_of()
    device.sample(wave(100), 0)
    assert device.next_value(247) is None
    command(device, start_command())
    device.sample(wave(50), 0)
    assert sequences(sent(device)) == [2]
    device.sample(wave(50), 0)
    assert command(device, STOP_COMMAND).status == Status.OK
    assert device.next_value(247) is None


def test_start_from_a_frame_sends_all_from_there_and_goes_on_live() -> None:
    device = device_of()
    device.sample(wave(400), 0)
    assert command(device, start_command(1, 3)) == Response(1, Status.OK, 1, 0, 8)
    assert sequences(sent(device)) == [3, 4, 5, 6, 7]
    device.sample(wave(50), 0)
    assert sequences(sent(device)) == [8]


def test_start_from_a_frame_that_is_overwritten_begins_with_the_oldest_held() -> None:
    device = device_of(ring_frames=5)
    device.sample(wave(400), 0)
    assert command(device, start_command(1, 1)) == Response(1, Status.OK, 1, 3, 8)
    assert sequences(sent(device)) == [3, 4, 5, 6, 7]


@pytest.mark.parametrize("asked", [(2, 3), (1, 9), (0, 0)])
def test_start_from_another_power_up_or_from_the_future_begins_with_the_oldest_held(asked: tuple[int, int]) -> None:
    device = device_of()
    device.sample(wave(400), 0)
    command(device, start_command(*asked))
    assert sequences(sent(device))[0] == 0


def test_a_cursor_that_the_ring_overtakes_goes_on_with_the_oldest_held() -> None:
    device = device_of(ring_frames=3)
    command(device, start_command())
    device.sample(wave(500), 0)
    assert sequences(sent(device)) == [7, 8, 9]


def test_sampling_goes_on_while_disconnected_and_the_ring_is_sent_afterwards() -> None:
    device = device_of()
    command(device, start_command())
    device.sample(wave(100), 0)
    assert sequences(sent(device)) == [0, 1]
    device.disconnected()
    device.sample(wave(100), 0)
    assert device.next_value(247) is None
    command(device, start_command(1, 2))
    assert sequences(sent(device)) == [2, 3]


def test_a_power_cycle_begins_anew_with_another_boot_id() -> None:
    device = device_of()
    device.sample(wave(100), 0)
    device.power_cycle(2)
    device.sample(wave(50), 0)
    assert command(device, start_command(1, 2)) == Response(1, Status.OK, 2, 0, 1)
    [frame] = sent(device)
    assert (frame.boot, frame.sequence, frame.counter) == (2, 0, 0)


def test_an_mtu_that_is_too_small_is_refused_and_nothing_is_sent() -> None:
    device = device_of()
    device.sample(wave(100), 0)
    assert command(device, start_command(1, 0), mtu=246).status == Status.MTU_TOO_SMALL
    assert device.next_value(246) is None


@pytest.mark.parametrize(
    ("value", "status"),
    [
        (b"", Status.UNKNOWN_OP),
        (b"\x09", Status.UNKNOWN_OP),
        (b"\x01", Status.BAD_LENGTH),
        (start_command() + b"\0", Status.BAD_LENGTH),
        (b"\x02\0", Status.BAD_LENGTH),
    ],
)
def test_a_command_that_is_none_is_answered_with_its_status(value: bytes, status: Status) -> None:
    assert command(device_of(), value).status == status


@given(st.binary(max_size=20), st.integers(0, 600))
def test_no_command_makes_the_device_raise(value: bytes, mtu: int) -> None:
    device = device_of()
    device.sample(wave(120), 0)
    command(device, value, mtu)
    device.next_value(mtu)


def test_lead_off_bits_are_those_of_any_sample_of_the_frame() -> None:
    device = device_of(2)
    command(device, start_command())
    for lead_off in (0, 2, 0, 0, 1, 1, 1, 0, 0):
        device.sample(wave(25, 2), 0, lead_off=lead_off)
    assert [frame.lead_off for frame in sent(device)] == [2, 0, 1, 1]


def test_battery_and_button_are_told_by_the_next_frame() -> None:
    device = device_of()
    command(device, start_command())
    device.sample(wave(25), 0, battery=50, marked=True)
    device.sample(wave(125), 0, battery=49)
    assert [(frame.battery, frame.marked) for frame in sent(device)] == [(49, True), (49, False), (49, False)]


def test_samples_lost_in_the_converter_are_a_jump_of_the_counter() -> None:
    device = device_of()
    command(device, start_command())
    device.sample(wave(60), 0)
    device.lost(7)
    device.sample(wave(50), 0)
    assert [(frame.counter, len(frame.counts)) for frame in sent(device)] == [(0, 50), (50, 10), (67, 50)]


def test_counts_beyond_24_bits_are_clipped() -> None:
    device = device_of()
    command(device, start_command())
    device.sample(np.repeat(np.array([[2**30], [-(2**30)]], np.int32), 25, axis=0), 0)
    [frame] = sent(device)
    assert set(frame.counts.ravel().tolist()) == {HALF - 1, -HALF}


@pytest.mark.parametrize(("n_leads", "mtu"), [(0, 247), (17, 515), (11, 64), (1, 63), (1, 516)])
def test_a_device_that_cannot_be_is_refused(n_leads: int, mtu: int) -> None:
    with pytest.raises(ValueError, match=r"leads|MTU"):
        LinkDevice(info_of(1, mtu) if n_leads == 1 else _with_leads(n_leads, mtu), 10, 50, 1)


def _with_leads(n_leads: int, mtu: int) -> LinkInfo:
    return replace(info_of(1, mtu), leads=info_of(1).leads * n_leads)
