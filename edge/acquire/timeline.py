"""Packets to frames: every sample gets its place on the recording's axis, which counts the converter's samples.

A pure stage. A device's sample counter is believed; a device's clock is believed as far as the host's clock and the
samples around allow; without either the time of arrival must do. What cannot be placed exactly is placed by the host
clock and reported as a clock event.
"""

import math
import zlib
from collections import deque
from dataclasses import dataclass, field
from typing import Literal

from edge.acquire.arrival import ArrivalState, pop, push
from edge.acquire.device_clock import DeviceClock
from edge.acquire.packets import Counts, SamplePacket
from edge.acquire.resync import Resync
from edge.types import LinkEvent

AHEAD_S = 1.5  # a stamp may come from the future by so much (backlogs drain); beyond, the clock was set
RESYNC_REACH_S = 60.0  # packets after a clock was set are this near each other; else it was set again
BEHIND_S = 2.0  # what comes after a hole is fresh; an older stamp means a backlog, or that the clock was set back
LOST_SHARE = 0.5  # of a packet: smaller deviations are jitter (Polar's own rule: 1.5 packet periods is a loss)
FIRST_SHARE = 0.2  # of a packet more for a clock's first stamps: they are held against one as uncertain; a loss among
# them is found while stamps jitter by less than 0.15 of a packet
REMEMBERED = 64  # holes and packets remembered to tell late and repeated packets
JITTERS = 4.0  # times its usual deviation a stamp may be off
STEADY_PACKETS = 8  # so many of one length: the device's packets have that length
LOST, LINK_LOST, STOPPED = "packets lost", "link lost", "stream stopped"
RESTARTED = "strap restarted; length by the host clock"


Seen = tuple[int, int]
"""A packet's stamp and the checksum of its samples: a clock that was set back brings other samples."""


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
    resync: Resync = field(default_factory=Resync)
    after: str = LOST
    lengths: deque[int] = field(default_factory=lambda: deque(maxlen=STEADY_PACKETS))
    """Lengths of the latest packets."""
    holes: deque[tuple[int, int]] = field(default_factory=lambda: deque(maxlen=REMEMBERED))
    latest: dict[Seen, int] = field(default_factory=dict)
    """The latest packets that a stamp placed, oldest first, and their places: a repeated one gets the place it had."""
    jumps: int = 0
    """How often the device's clock or counter began anew."""

    def __post_init__(self) -> None:
        self.clock.period_ns = self.clock.period_ns or 1e9 / self.fs_hz
        self.arrival.fs_hz = self.fs_hz


def place(packet: SamplePacket, received_s: float, state: TimelineState) -> tuple[list[Placed], list[LinkEvent]]:
    """Give one packet its place; `received_s` is a steady host clock. Some come out later, when it can be told."""
    if state.placement == "arrival":
        push(packet, received_s, state.arrival)
        return _settle(received_s, state), []
    if not _counts(packet, state) and (known := state.latest.get(_seen(packet))) is not None:
        return [_put(known, packet, received_s, state)], []
    if state.resync.waiting:
        offset = _offset_from(state.resync.waiting[0][0], packet, state)
        if offset is not None:
            ready = state.resync.hold(packet, received_s, offset, _true_hz(state))
            return _release(state) if ready else ([], [])
        placed, events = _release(state)  # its clock was set again: first what waited, then this one
        more, more_events = place(packet, received_s, state)
        return placed + more, events + more_events
    first = _by_counter(packet, received_s, state) if _counts(packet, state) else _by_clock(packet, received_s, state)
    if first is None:
        state.resync.hold(packet, received_s, 0, _true_hz(state))
        return [], []
    return [_put(first, packet, received_s, state)], []


def lose_link(state: TimelineState, *, ended: bool = False) -> tuple[list[Placed], list[LinkEvent]]:
    """The link is lost: what still waited is placed, and a hole that follows has this cause."""
    placed, events = _settle(float("inf"), state), list[LinkEvent]()
    # What a device counts goes on after the loss: it may still be sending what it kept, so its place is not known yet.
    if state.resync.waiting and (ended or state.placement != "counter"):
        placed, events = _release(state)
    state.after = LINK_LOST
    state.arrival.after_loss = True
    return placed, events


def begin_again(state: TimelineState) -> list[Placed]:
    """The stream was stopped and started while the link stood: what is missing need not be whole packets."""
    placed = _settle(float("inf"), state)  # these came before
    if state.after == LOST:
        state.after = STOPPED
        state.arrival.after_loss = True
    return placed


def restart(state: TimelineState) -> tuple[list[Placed], list[LinkEvent]]:
    """The device says that its counter and clock begin anew; what waited is placed first."""
    news = _release(state) if state.resync.waiting else ([], [])
    state.offset = None
    state.clock.seen = 0
    return news


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
    if packet.device_ns is not None and not _counts(packet, state):
        state.latest[_seen(packet)] = first
        if len(state.latest) > REMEMBERED:
            del state.latest[next(iter(state.latest))]
    if first > state.next_sample:
        state.holes.append((state.next_sample, first))
    if stop > state.next_sample:
        state.next_sample, state.after = stop, LOST
        state.resync.remember(stop, received_s)
    return Placed(first, packet.counts, received_s, after)


def _counts(packet: SamplePacket, state: TimelineState) -> bool:
    return state.placement == "counter" and packet.counter is not None


def _true_hz(state: TimelineState) -> float:
    """The sampling rate as the device's clock has shown it."""
    return 1e9 / state.clock.period_ns


def _by_counter(packet: SamplePacket, received_s: float, state: TimelineState) -> int | None:
    """By the device's counter; None where it began anew, or runs far ahead of the time that passed."""
    assert packet.counter is not None
    if not state.resync.before:
        state.offset = -packet.counter
    if state.offset is None:
        return None
    first = packet.counter + state.offset
    passed_s = received_s - state.resync.before[-1][0] if state.resync.before else 0.0
    if first - state.next_sample > (passed_s + RESYNC_REACH_S) * state.fs_hz:
        state.offset = None
        return None
    return first


def _by_clock(packet: SamplePacket, received_s: float, state: TimelineState) -> int | None:
    """By the device's clock: at the expected place, after a hole, or into one; None where the clock was set."""
    assert packet.device_ns is not None
    n, clock, stamp_ns = len(packet.counts), state.clock, packet.device_ns
    to_stamp = n - 1 if packet.stamped == "last" else 0
    if clock.seen == 0:
        if state.resync.before:
            return None
        clock.set_to(to_stamp, stamp_ns, received_s)
        return 0
    deviation = clock.sample_at(stamp_ns) - to_stamp - state.next_sample
    delay_s = clock.delay_s(stamp_ns, received_s)
    jitter = (LOST_SHARE + FIRST_SHARE / math.sqrt(clock.seen)) * n
    if state.after != LOST and deviation > 0:  # what is missing after a stop need not be near a whole packet
        jitter = _jitter(n, state)
    missing = 0 if abs(deviation) < jitter else round(deviation)
    if missing < 0:
        return _hole_at(state.next_sample + missing, n, state)
    if missing > 0 and state.packet_samples and state.after == LOST:
        missing = max(1, round(deviation / state.packet_samples)) * state.packet_samples
    after_hole = missing > 0 or state.after == LINK_LOST
    if after_hole and not -AHEAD_S < delay_s < BEHIND_S:
        return None
    clock.follow(state.next_sample + missing + to_stamp, stamp_ns, received_s)
    return state.next_sample + missing


def _jitter(n: int, state: TimelineState) -> float:
    """By how many samples the stamp of a packet of n may be off."""
    return min(LOST_SHARE * n, 1.0 + JITTERS * state.clock.jitter_ns / state.clock.period_ns)


def _offset_from(first: SamplePacket, packet: SamplePacket, state: TimelineState) -> int | None:
    """Samples from the first waiting packet to this one; None where they have no clock or counter in common."""
    if _counts(packet, state):
        if state.offset is not None or packet.counter is None or first.counter is None:
            return None
        return packet.counter - first.counter
    assert packet.device_ns is not None
    assert first.device_ns is not None
    to_last = (len(packet.counts) - len(first.counts)) if packet.stamped == "last" else 0
    offset = round((packet.device_ns - first.device_ns) / state.clock.period_ns) - to_last
    for other, _, known in state.resync.waiting:
        if other.device_ns == packet.device_ns and _seen(other) == _seen(packet):
            return known
    expected = max(known + len(other.counts) for other, _, known in state.resync.waiting)
    if abs(offset - expected) >= RESYNC_REACH_S * state.fs_hz:
        return None
    if abs(offset - expected) <= _jitter(len(packet.counts), state):
        return expected
    whole = _packet_length(state) if state.after == LOST else None  # then packets are lost whole
    return expected + round((offset - expected) / whole) * whole if whole else offset


def _release(state: TimelineState) -> tuple[list[Placed], list[LinkEvent]]:
    """Place what waited for the host's clock to tell where it belongs."""
    at = state.next_sample
    released, first = state.resync.release(at, _true_hz(state))
    n = len(released[0][0].counts)
    missing = first - at
    missing = missing if missing >= LOST_SHARE * n else 0  # less is the jitter of arrival
    if state.after == LOST and (whole := _packet_length(state)):
        missing = round(missing / whole) * whole  # the stream went on meanwhile, and packets are lost whole
    state.jumps += 1
    if missing:
        state.after = RESTARTED
    placed: list[Placed] = []
    for packet, received_s, offset in released:
        place_at = at + missing + offset
        if _counts(packet, state) and packet.counter is not None:
            state.offset = place_at - packet.counter
        elif packet.device_ns is not None:
            to_stamp = len(packet.counts) - 1 if packet.stamped == "last" else 0
            if placed:
                state.clock.follow(place_at + to_stamp, packet.device_ns, received_s)
            else:
                state.clock.set_to(place_at + to_stamp, packet.device_ns, received_s)
        placed.append(_put(place_at, packet, received_s, state))
    return placed, [LinkEvent(at, "clock", "the strap's clock was set or restarted")]


def _packet_length(state: TimelineState) -> int | None:
    """Samples of every packet, where that is known or has been so for a while."""
    if state.packet_samples is None and len(state.lengths) == STEADY_PACKETS and len(set(state.lengths)) == 1:
        return state.lengths[0]
    return state.packet_samples


def _seen(packet: SamplePacket) -> Seen:
    assert packet.device_ns is not None
    return packet.device_ns, zlib.crc32(packet.counts.tobytes())


def _hole_at(first: int, n: int, state: TimelineState) -> int | None:
    """Where in a remembered hole the samples fit; the stamp's jitter may shift them by a few samples."""
    slack = round(LOST_SHARE * n)
    for start, stop in state.holes:
        if start - slack <= first and first + n <= stop + slack and stop - start >= n:
            return min(max(first, start), stop - n)
    return None
