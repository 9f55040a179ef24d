"""Packets to frames: every sample gets its place on the recording's axis, which counts the converter's samples.

A pure stage. A device's sample counter is believed; a device's clock is believed as far as the host's clock and the
samples around allow; without either the time of arrival must do. What cannot be placed exactly is placed by the host
clock and reported as a clock event.
"""

import zlib
from collections import deque
from dataclasses import dataclass, field
from typing import Literal

from edge.acquire.arrival import ArrivalState, pop, push
from edge.acquire.device_clock import DeviceClock
from edge.acquire.packets import Counts, SamplePacket
from edge.types import LinkEvent

AHEAD_S = 1.5  # a stamp may come from the future by so much (backlogs drain); beyond, the clock was set
BEHIND_S = 5.0  # a first packet after a reconnection is fresh; a much older stamp means that the clock was set
LOST_SHARE = 0.5  # of a packet: smaller deviations are jitter (Polar's own rule: 1.5 packet periods is a loss)
REMEMBERED = 64  # holes and packets remembered to tell late and repeated packets
STEADY_PACKETS = 8  # so many of one length: the device's packets have that length
LOST, LINK_LOST, STOPPED = "packets lost", "link lost", "stream stopped"
RESTARTED = "strap restarted; length by the host clock"


@dataclass(frozen=True, slots=True, eq=False)
class Placed:
    """Samples with their place."""

    first_sample: int
    counts: Counts
    received_s: float
    after: str
    """Why samples before these are missing, if they are."""


@dataclass(slots=True)
class TimelineState:
    """Where the placement of one strap's packets stands."""

    fs_hz: float
    placement: Literal["counter", "timestamp", "arrival"]
    packet_samples: int | None = None
    next_sample: int = 0
    """Index after the latest sample placed."""
    offset: int | None = None
    """Index minus the device's counter; None until the first packet and after a restart."""
    clock: DeviceClock = field(default_factory=lambda: DeviceClock(0.0))
    arrival: ArrivalState = field(default_factory=lambda: ArrivalState(0.0))
    last_received_s: float | None = None
    after: str = LOST
    lengths: deque[int] = field(default_factory=lambda: deque(maxlen=STEADY_PACKETS))
    """Lengths of the latest packets."""
    holes: deque[tuple[int, int]] = field(default_factory=lambda: deque(maxlen=REMEMBERED))
    latest: deque[tuple[int, int]] = field(default_factory=lambda: deque(maxlen=REMEMBERED))
    """(stamp, checksum) of the latest packets."""
    jumps: int = 0
    """How often the device's clock or counter began anew."""

    def __post_init__(self) -> None:
        self.clock.period_ns = self.clock.period_ns or 1e9 / self.fs_hz
        self.arrival.fs_hz = self.fs_hz


def place(packet: SamplePacket, received_s: float, state: TimelineState) -> tuple[list[Placed], list[LinkEvent]]:
    """Give one packet its place; `received_s` is a steady host clock. Packets placed by arrival come out later."""
    if state.placement == "arrival":
        push(packet, received_s, state.arrival)
        return _settle(received_s, state), []
    if state.placement == "counter" and packet.counter is not None:
        first, events = _by_counter(packet, received_s, state)
    else:
        first, events = _by_clock(packet, received_s, state)
    return [_put(first, packet, received_s, state)], events


def lose_link(state: TimelineState) -> list[Placed]:
    """The link is lost: what still waited is placed, and a hole that follows has this cause."""
    placed = _settle(float("inf"), state)
    state.after = LINK_LOST
    state.arrival.after_loss = True
    return placed


def begin_again(state: TimelineState) -> None:
    """The stream was stopped and started while the link stood: what is missing need not be whole packets."""
    if state.after == LOST:
        state.after = STOPPED
        state.arrival.after_loss = True


def restart(state: TimelineState) -> None:
    """The device says that its counter and clock begin anew."""
    state.offset = None
    state.clock.seen = 0


def _settle(now_s: float, state: TimelineState) -> list[Placed]:
    placed = []
    while (settled := pop(state.next_sample, now_s, state.arrival)) is not None:
        packet, received_s, missing = settled
        placed.append(_put(state.next_sample + missing, packet, received_s, state))
    return placed


def _put(first: int, packet: SamplePacket, received_s: float, state: TimelineState) -> Placed:
    stop = first + len(packet.counts)
    after = state.after
    state.lengths.append(len(packet.counts))
    if first > state.next_sample:
        state.holes.append((state.next_sample, first))
    if stop > state.next_sample:
        state.next_sample, state.last_received_s, state.after = stop, received_s, LOST
    return Placed(first, packet.counts, received_s, after)


def _by_counter(packet: SamplePacket, received_s: float, state: TimelineState) -> tuple[int, list[LinkEvent]]:
    assert packet.counter is not None
    if state.offset is not None:
        return packet.counter + state.offset, []
    first, events = _by_host(packet, received_s, state)
    state.offset = first - packet.counter
    return first, events


def _by_clock(packet: SamplePacket, received_s: float, state: TimelineState) -> tuple[int, list[LinkEvent]]:
    """By the device's clock: at the expected place, after a hole, into one, or anew when the clock was set."""
    assert packet.device_ns is not None
    n, clock, stamp_ns = len(packet.counts), state.clock, packet.device_ns
    to_stamp = n - 1 if packet.stamped == "last" else 0
    repeated = _remember(packet, state)
    if clock.seen == 0:
        first, events = _by_host(packet, received_s, state)
        clock.set_to(first + to_stamp, stamp_ns, received_s)
        return first, events
    deviation = clock.sample_at(stamp_ns) - to_stamp - state.next_sample
    if abs(deviation) < LOST_SHARE * n:
        delay_s = clock.delay_s(stamp_ns, received_s)
        if state.after != LINK_LOST or delay_s < BEHIND_S:
            clock.follow(state.next_sample + to_stamp, stamp_ns, received_s)
            return state.next_sample, []
    missing = round(deviation)
    if deviation > 0:
        if state.packet_samples and state.after == LOST:
            missing = max(1, round(deviation / state.packet_samples)) * state.packet_samples
        delay_s = clock.delay_s(stamp_ns, received_s)
        if delay_s > -AHEAD_S and (state.after != LINK_LOST or delay_s < BEHIND_S):
            clock.follow(state.next_sample + missing + to_stamp, stamp_ns, received_s)
            return state.next_sample + missing, []
    elif repeated or (fitting := _hole_at(state.next_sample + missing, n, state)) is not None:
        return (state.next_sample + missing if repeated else fitting or 0), []
    first, events = _by_host(packet, received_s, state)
    clock.set_to(first + to_stamp, stamp_ns, received_s)
    return first, events


def _by_host(packet: SamplePacket, received_s: float, state: TimelineState) -> tuple[int, list[LinkEvent]]:
    """Where the samples lie by the time of arrival: the first packet, or one after the device's clock was set."""
    if state.last_received_s is None:
        return 0, []
    n = len(packet.counts)
    missing = round((received_s - state.last_received_s) * state.fs_hz) - n
    missing = missing if missing >= LOST_SHARE * n else 0  # less is the jitter of arrival
    if state.after == LOST and (whole := _packet_length(state)):
        missing = round(missing / whole) * whole  # the stream went on meanwhile, and packets are lost whole
    state.jumps += 1
    if missing:
        state.after = RESTARTED
    return state.next_sample + missing, [
        LinkEvent(state.next_sample, "clock", "the strap's clock was set or restarted")
    ]


def _packet_length(state: TimelineState) -> int | None:
    """Samples of every packet, where that is known or has been so for a while."""
    if state.packet_samples is None and len(state.lengths) == STEADY_PACKETS and len(set(state.lengths)) == 1:
        return state.lengths[0]
    return state.packet_samples


def _remember(packet: SamplePacket, state: TimelineState) -> bool:
    """Whether the very same packet came before; a clock that was set back brings other samples."""
    assert packet.device_ns is not None
    seen = (packet.device_ns, zlib.crc32(packet.counts.tobytes()))
    repeated = seen in state.latest
    state.latest.append(seen)
    return repeated


def _hole_at(first: int, n: int, state: TimelineState) -> int | None:
    """Where in a remembered hole the samples fit; the stamp's jitter may shift them by a few samples."""
    slack = round(LOST_SHARE * n)
    for start, stop in state.holes:
        if start - slack <= first and first + n <= stop + slack and stop - start >= n:
            return min(max(first, start), stop - n)
    return None
