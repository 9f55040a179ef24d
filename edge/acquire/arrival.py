"""Packets that say nothing about time: their place follows from when they arrive.

Arrival is late by a varying delay and never early, so the least delay over a second is what counts. Where it rises
for good by half a packet or more, packets were lost. Losses are found one to three seconds later, and a loss during a
long delay is placed up to that delay too early: the protocol holds nothing better.
"""

from collections import deque
from dataclasses import dataclass, field

from edge.acquire.packets import SamplePacket

HOLD_S = 1.0  # so long a packet waits, so that the least delay after it is known …
LONG_HOLD_S = 3.0  # … or so long, while delays vary by more than …
STEADY_SHARE = 0.3  # … this share of a packet's length (slow connections: up to 0.25 s of delay)
BASE_S = 3.0  # the least delay before it is taken from so much; a rate off by 1 % shifts it by 0.03 s meanwhile
STEP_SHARE = 0.75  # of a packet's length: a smaller rise is drift or delay


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
    if not state.waiting:
        return None
    packet, received_s = state.waiting[0]
    delays_s = [delay_s for _, delay_s in state.recent]
    varies = bool(delays_s) and max(delays_s) - min(delays_s) > STEADY_SHARE * len(packet.counts) / state.fs_hz
    if now_s - received_s < (LONG_HOLD_S if varies else HOLD_S):
        return None
    at, least_s = next_sample, float("inf")
    for waiting, arrived_s in state.waiting:
        at += len(waiting.counts)
        least_s = min(least_s, arrived_s - at / state.fs_hz)
    missing = 0
    if delays_s:
        rise_s = least_s - min(delays_s)
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
