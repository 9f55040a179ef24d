"""The ECG-link driver against the device's own state machine, over a wire that loses, repeats and damages."""

import asyncio
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.acquire.driver import DeviceRefused, DriverError, Stream
from edge.acquire.packets import Battery, Contact, Gone, Item, Rejected, Restarted, SamplePacket
from edge.acquire.protocols import ecg_link
from edge.acquire.protocols.ecg_link import MOST_AHEAD, PATIENCE_FRAMES, TRIES, EcgLink, LinkState, take_frame
from firmware_bridge.link.device import LinkDevice, Response, Status, decode_response
from firmware_bridge.link.frame import LinkFrame, encode_frame
from firmware_bridge.link.info import CONTROL, DATA, INFO, SERVICE, LinkInfo, LinkLead

FRAME = 20  # samples of every frame here
INFO_2 = LinkInfo(bytes(range(8)), (LinkLead("I", 48_000), LinkLead("II", 48_000)), 250_000)
COUNTS = np.random.default_rng(0).integers(-3000, 3000, (40_000, 2)).astype(np.int32)

Fate = Callable[[int], str]
"""What happens to the n-th notification: "arrives", "lost", "twice" or "damaged"."""


class Wire:
    """A Gatt over a LinkDevice; requests from callbacks reach the device some frames later."""

    mtu = 247

    def __init__(self, device: LinkDevice, fate: Fate = lambda _: "arrives", delay_frames: int = 0) -> None:
        self.device, self.fate, self.delay_frames = device, fate, delay_frames
        self.info = device.info.to_bytes()
        self.services = {SERVICE}
        self.on_value: dict[str, Callable[[bytes], None]] = {}
        self.under_way: list[tuple[int, bytes]] = []
        self.requests = 0
        self.frames = 0
        self.answers = True
        self.loses_requests = False

    def has(self, service: str, characteristic: str | None = None) -> bool:
        return service in self.services and characteristic in {None, INFO, DATA, CONTROL}

    async def read(self, service: str, characteristic: str) -> bytes:
        assert (service, characteristic) == (SERVICE, INFO)
        return self.info

    async def write(self, service: str, characteristic: str, value: bytes) -> None:
        assert (service, characteristic) == (SERVICE, CONTROL)
        self._command(value)

    def write_soon(self, service: str, characteristic: str, value: bytes) -> None:
        assert (service, characteristic) == (SERVICE, CONTROL)
        self.requests += 1
        if not self.loses_requests:
            self.under_way.append((self.frames + self.delay_frames, value))

    async def subscribe(self, service: str, characteristic: str, on_value: Callable[[bytes], None]) -> None:
        if characteristic == DATA:
            assert CONTROL in self.on_value, "the answer to START must not be missed"
        self.on_value[characteristic] = on_value

    def pump(self) -> None:
        """Send all that the device has to send."""
        while True:
            for due in [request for request in self.under_way if request[0] <= self.frames]:
                self.under_way.remove(due)
                self._command(due[1])
            value = self.device.next_value(self.mtu)
            if value is None:
                if not self.under_way:
                    return
                self.frames += 1
                continue
            fate = self.fate(self.frames)
            self.frames += 1
            if fate == "damaged":
                value = bytes([*value[:30], value[30] ^ 1, *value[31:]])
            for _ in range({"lost": 0, "twice": 2}.get(fate, 1)):
                self.on_value[DATA](value)

    def _command(self, value: bytes) -> None:
        response = self.device.command(value, self.mtu)
        if self.answers:
            self.on_value[CONTROL](response)


class Link:
    """A driver, a device that samples COUNTS, and what has been delivered."""

    def __init__(self, ring_frames: int = 1000) -> None:
        self.device = LinkDevice(INFO_2, ring_frames, FRAME, boot=7)
        self.driver = EcgLink()
        self.items: list[Item] = []
        self.n_sampled = 0

    def connect(self, fate: Fate = lambda _: "arrives", delay_frames: int = 0) -> Wire:
        wire = Wire(self.device, fate, delay_frames)
        asyncio.run(self.driver.start(wire, self.items.append))
        return wire

    def measure(self, n_frames: int, wire: Wire | None = None, **status: int) -> None:
        for _ in range(n_frames):
            counts = COUNTS[self.n_sampled : self.n_sampled + FRAME]
            self.device.sample(counts, 4 * self.n_sampled, **status)
            self.n_sampled += FRAME
            if wire is not None:
                wire.pump()

    def of(self, kind: type[Item]) -> list[Item]:
        return [item for item in self.items if isinstance(item, kind)]

    def came(self) -> list[int]:
        """Numbers of the frames in the order they came, each checked to hold exactly its samples."""
        order = []
        for packet in self.items:
            if isinstance(packet, SamplePacket):
                assert packet.counter is not None
                assert np.array_equal(packet.counts, COUNTS[packet.counter : packet.counter + FRAME])
                assert packet.device_ns == packet.counter * 4_000_000
                assert packet.stamped == "first"
                order.append(packet.counter // FRAME)
        return order


def lose(*numbers: int) -> Fate:
    return lambda n: "lost" if n in numbers else "arrives"


def test_the_stream_says_what_the_info_says() -> None:
    device = LinkDevice(replace(INFO_2, leads=(*INFO_2.leads, LinkLead("II", 5_000_000))), 10, FRAME, boot=1)
    stream = asyncio.run(EcgLink().start(Wire(device), lambda _: None))
    assert isinstance(stream, Stream)
    assert [lead.name for lead in stream.leads] == ["I", "II", "II 2"]
    assert [lead.counts_per_mv for lead in stream.leads] == [pytest.approx(1e6 / 48), pytest.approx(1e6 / 48), 200]
    assert (stream.fs_hz, stream.placement, stream.refetches) == (250, "counter", True)
    assert "0001020304050607" in stream.device


def test_a_recording_begins_with_what_is_sampled_after_the_first_connection() -> None:
    link = Link()
    link.measure(3)
    link.measure(4, link.connect())
    assert link.came() == [3, 4, 5, 6]


def test_a_reconnection_fetches_everything_since_the_last_frame() -> None:
    link = Link()
    link.measure(3, link.connect())
    link.device.disconnected()
    link.measure(50)
    link.measure(2, link.connect())
    assert link.came() == list(range(55))
    assert link.of(Gone) == []


def test_what_the_device_no_longer_holds_is_declared_gone() -> None:
    link = Link(ring_frames=10)
    link.measure(3, link.connect())
    link.device.disconnected()
    link.measure(50)
    link.measure(2, link.connect())
    assert link.came() == [0, 1, 2, *range(44, 55)]  # the ring holds ten when the first frame is taken
    assert link.of(Gone) == [Gone(44 * FRAME)]


@pytest.mark.parametrize("delay_frames", [0, 1, 5])
def test_a_frame_lost_inside_a_connection_is_fetched_with_one_request(delay_frames: int) -> None:
    link = Link()
    wire = link.connect(lose(3), delay_frames)
    link.measure(20, wire)
    assert sorted(link.came()) == list(range(20))
    assert link.came()[:4] == [0, 1, 2, 4]
    assert wire.requests == 1
    assert link.of(Gone) == []


def test_a_damaged_frame_is_counted_and_fetched() -> None:
    link = Link()
    link.measure(20, link.connect(lambda n: "damaged" if n == 3 else "arrives"))
    assert link.of(Rejected) == [Rejected("crc")]
    assert sorted(link.came()) == list(range(20))


def test_a_frame_that_is_lost_again_is_asked_for_again() -> None:
    link = Link()
    wire = link.connect(lose(3, 5))  # 3; then 4 arrives, and 5 is the repeated frame 3
    link.measure(20, wire)
    assert sorted(link.came()) == list(range(20))
    assert wire.requests == 2


def test_a_frame_that_never_comes_is_given_up() -> None:
    link = Link()
    wire = link.connect()
    notified = wire.device.next_value
    wire.device.next_value = lambda mtu: _without_frame(notified, mtu, 3)
    link.measure(20, wire)
    assert sorted(link.came()) == [n for n in range(20) if n != 3]
    assert link.of(Gone) == [Gone(4 * FRAME)]
    assert wire.requests == TRIES


def _without_frame(next_value: Callable[[int], bytes | None], mtu: int, sequence: int) -> bytes | None:
    value = next_value(mtu)
    while value is not None and int.from_bytes(value[8:12], "little") == sequence:
        value = next_value(mtu)
    return value


def test_a_request_that_is_lost_is_made_again_after_some_frames() -> None:
    link = Link()
    wire = link.connect(lose(3))
    wire.loses_requests = True
    link.measure(10, wire)
    wire.loses_requests = False
    link.measure(PATIENCE_FRAMES, wire)
    assert sorted(link.came()) == list(range(10 + PATIENCE_FRAMES))
    assert wire.requests == 2


def test_a_hole_that_is_open_at_a_disconnection_is_fetched_by_the_next_start() -> None:
    link = Link()
    wire = link.connect(lose(3), delay_frames=100)
    wire.loses_requests = True
    link.measure(10, wire)
    link.device.disconnected()
    wire = link.connect()
    link.measure(1, wire)
    assert sorted(link.came()) == list(range(11))
    assert wire.requests == 0


def test_frames_overwritten_before_they_are_sent_are_declared_gone() -> None:
    link = Link(ring_frames=10)
    wire = link.connect()
    link.measure(2, wire)
    link.measure(30)  # the link stalls
    wire.pump()
    link.measure(1, wire)
    assert sorted(link.came()) == [0, 1, *range(22, 33)]
    assert link.of(Gone) == [Gone(22 * FRAME)]
    assert wire.requests == 1


def test_a_power_cycle_is_declared_and_everything_since_is_fetched() -> None:
    link = Link()
    link.measure(5, link.connect())
    link.device.disconnected()
    link.device.power_cycle(8)
    link.n_sampled = 0
    link.measure(4)
    link.measure(2, link.connect())
    assert link.came() == [*range(5), *range(6)]
    assert [type(item) for item in link.items[5:8]] == [Restarted, Gone, SamplePacket]


def test_after_a_power_cycle_what_the_ring_lost_is_declared_gone() -> None:
    link = Link(ring_frames=10)
    link.measure(5, link.connect())
    link.device.power_cycle(8)
    link.n_sampled = 0
    link.measure(30)
    link.measure(1, link.connect())
    assert link.of(Restarted) == [Restarted()]
    assert link.of(Gone) == [Gone(21 * FRAME)]
    assert link.came()[5:] == list(range(21, 31))


def test_counter_and_clock_are_unwrapped() -> None:
    state = LinkState()
    counters, times = [], []
    for sequence in range(4):
        raw = (2**32 - 30 + 20 * sequence) % 2**32
        items, _ = take_frame(LinkFrame(1, sequence, raw, raw, COUNTS[:20]), state)
        [packet] = [item for item in items if isinstance(item, SamplePacket)]
        counters.append(packet.counter)
        times.append(packet.device_ns)
    assert counters == [2**32 - 30 + 20 * i for i in range(4)]
    assert times == [counter * 1_000_000 for counter in counters if counter is not None]


def test_contact_is_told_by_lead_when_it_changes() -> None:
    link = Link()
    wire = link.connect()
    for lead_off in (0, 3, 3, 2, 0):
        link.measure(1, wire, lead_off=lead_off)
    assert link.of(Contact) == [Contact(False, (0, 1)), Contact(True, (0,)), Contact(True, (1,))]


def test_battery_is_told_when_it_changes() -> None:
    link = Link()
    wire = link.connect()
    for percent in (80, 80, 79):
        link.measure(1, wire, battery=percent)
    link.measure(1, wire)
    assert link.of(Battery) == [Battery(80), Battery(79)]


def test_a_frame_that_is_fetched_later_does_not_tell_old_contact() -> None:
    link = Link()
    wire = link.connect(lose(1), delay_frames=2)
    for lead_off in (0, 1, 0, 0, 0, 0):
        link.measure(1, wire, lead_off=lead_off)
    assert sorted(link.came()) == list(range(6))
    assert link.of(Contact) == []


fates = st.lists(st.sampled_from(["arrives"] * 12 + ["lost", "twice", "damaged"]), max_size=120)


@settings(max_examples=40, deadline=None)
@given(fates, st.integers(0, 6))
def test_whatever_the_wire_does_every_sample_comes_once_or_is_gone(fates: list[str], delay_frames: int) -> None:
    link = Link()
    wire = link.connect(lambda n: fates[n] if n < len(fates) else "arrives", delay_frames)
    link.measure(80, wire)
    came = link.came()
    assert len(came) == len(set(came))
    missing = set(range(min(came), 80)) - set(came)
    gone = [item.before_counter // FRAME for item in link.items if isinstance(item, Gone)]
    assert all(any(frame < before for before in gone) for frame in missing)
    assert len(missing) <= len(gone)
    assert not gone or fates.count("lost") + fates.count("damaged") > TRIES


def test_a_device_without_the_service_is_refused() -> None:
    wire = Wire(Link().device)
    wire.services = set()
    with pytest.raises(DeviceRefused, match="does not speak"):
        asyncio.run(EcgLink().start(wire, lambda _: None))


def test_an_info_that_is_none_is_refused() -> None:
    wire = Wire(Link().device)
    wire.info = b"\x02" + wire.info[1:]
    with pytest.raises(DeviceRefused, match="version"):
        asyncio.run(EcgLink().start(wire, lambda _: None))


def test_an_mtu_that_is_too_small_is_refused_with_the_one_it_needs() -> None:
    wire = Wire(Link().device)
    wire.mtu = 185
    with pytest.raises(DeviceRefused, match="247"):
        asyncio.run(EcgLink().start(wire, lambda _: None))


def test_a_device_that_became_another_one_is_refused() -> None:
    link = Link()
    link.connect()
    wire = Wire(LinkDevice(replace(INFO_2, device_id=bytes(8)), 10, FRAME, boot=1))
    with pytest.raises(DeviceRefused, match="another id"):
        asyncio.run(link.driver.start(wire, lambda _: None))


def test_a_device_that_does_not_answer_may_be_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ecg_link, "RESPONSE_TIMEOUT_S", 0.01)
    wire = Wire(Link().device)
    wire.answers = False
    with pytest.raises(DriverError, match="does not answer"):
        asyncio.run(EcgLink().start(wire, lambda _: None))


def test_a_busy_device_may_be_tried_again() -> None:
    wire = Wire(Link().device)
    busy = Response(1, Status.BUSY, 7, 0, 0).to_bytes()
    wire.device.command = lambda value, mtu: busy
    with pytest.raises(DriverError, match="status 4"):
        asyncio.run(EcgLink().start(wire, lambda _: None))


def test_stop_ends_the_stream() -> None:
    link = Link()
    wire = link.connect()
    asyncio.run(link.driver.stop(wire))
    link.measure(2, wire)
    assert link.came() == []


@given(st.lists(st.tuples(st.booleans(), st.binary(max_size=80)), max_size=30))
def test_no_values_make_the_driver_raise(values: list[tuple[bool, bytes]]) -> None:
    link = Link()
    wire = link.connect()
    for is_data, value in values:
        wire.on_value[DATA if is_data else CONTROL](value)
    assert decode_response(b"") is None
    link.measure(3, wire)
    assert link.came()[-3:] == [0, 1, 2]


heads = st.tuples(st.integers(0, 2), st.integers(0, 40) | st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1))


@given(st.lists(heads, max_size=60))
def test_no_frames_make_the_driver_raise_or_say_more_than_came(sent: list[tuple[int, int, int]]) -> None:
    link = Link()
    wire = link.connect()
    for boot, sequence, counter in sent:
        wire.on_value[DATA](encode_frame(LinkFrame(boot, sequence, counter, 0, COUNTS[:2])))
    assert len(link.of(SamplePacket)) <= len(sent)
    assert len(link.of(Restarted)) < max(1, len(sent))


def test_memory_stays_bounded_whatever_is_missing() -> None:
    state = LinkState()
    for sequence in range(0, 20 * MOST_AHEAD, 2):
        take_frame(LinkFrame(1, sequence, sequence, sequence, COUNTS[:1]), state)
        assert len(state.ahead) <= MOST_AHEAD
