"""Packets that say nothing about time: their place follows from when they arrive.

Arrival is late by a varying delay and never early, so the least delay over a second is what counts. Where it rises
for good by half a packet or more, packets were lost. Losses are found only about a second later, and a loss during a
long delay is placed up to that delay too early: the protocol holds nothing better.
"""

from collections import deque
from dataclasses import dataclass, field

from edge.acquire.packets import SamplePacket

HOLD_S = 1.0  # so long a packet waits, so that the least delay after it is known; BLE delays reach about 0.25 s
BASE_S = 10.0  # the least delay before it is taken from so much; a rate off by 1 % shifts it by 0.1 s meanwhile
STEP_SHARE = 0.6  # of a packet's length: a smaller rise is drift or delay


@dataclass(slots=True)
class ArrivalState:
    """Where the placement by arrival stands."""

    fs_hz: float
    waiting: deque[tuple[SamplePacket, float]] = field(default_factory=deque)
    """Packets whose place is not decided, with their times of arrival."""
    recent: deque[tuple[float, float]] = field(default_factory=deque)
    """(time of arrival, delay) of the packets placed in the last BASE_S."""
    after_loss: bool = False
    """The link was lost: the next hole need not be whole packets."""


def push(packet: SamplePacket, received_s: float, state: ArrivalState) -> None:
    """Take in a packet."""
    state.waiting.append((packet, received_s))


def pop(next_sample: int, now_s: float, state: ArrivalState) -> tuple[SamplePacket, float, int] | None:
    """The next packet that has waited long enough, its time of arrival, and how many samples are missing before it."""
    if not state.waiting or now_s - state.waiting[0][1] < HOLD_S:
        return None
    packet, received_s = state.waiting[0]
    at, least_s = next_sample, float("inf")
    for waiting, arrived_s in state.waiting:
        at += len(waiting.counts)
        least_s = min(least_s, arrived_s - at / state.fs_hz)
    missing = 0
    if state.recent:
        rise_s = least_s - min(delay_s for _, delay_s in state.recent)
        n = len(packet.counts)
        if state.after_loss:
            missing = max(0, round(rise_s * state.fs_hz))
        elif rise_s * state.fs_hz >= STEP_SHARE * n:
            missing = max(1, round(rise_s * state.fs_hz / n)) * n
    state.after_loss = False
    state.waiting.popleft()
    delay_s = received_s - (next_sample + missing + len(packet.counts)) / state.fs_hz
    state.recent.append((received_s, delay_s))
    while state.recent[0][0] < received_s - BASE_S:
        state.recent.popleft()
    return packet, received_s, missing
