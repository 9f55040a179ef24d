"""A device whose clock or counter began anew: what it sends waits until the host's clock can tell where it belongs.

One packet's arrival is late by chance; and after a reconnection a device that keeps what it measured sends old samples
first. So packets are held until the least delay among them no longer falls. Then that delay is taken to be the least
delay of the time before the loss.
"""

from collections import deque
from dataclasses import dataclass, field

from edge.acquire.packets import SamplePacket

CALM_PACKETS = 4  # so many without a smaller delay: the least is known
CALM_S = 0.020  # a smaller improvement is jitter
MOST_PACKETS = 1024  # held at most: a ring of eight minutes drains in a few hundred packets
MOST_S = 10.0  # and not longer than this
BEFORE_S = 30.0  # the least delay before is that of so much time


@dataclass(slots=True)
class Resync:
    """Delays before, and packets that wait."""

    before: deque[tuple[float, float]] = field(default_factory=deque)
    """(time of arrival, delay) of packets that were placed; delay: arrival minus index over rate."""
    waiting: list[tuple[SamplePacket, float, int]] = field(default_factory=list)
    """Packets, times of arrival, and samples from the first of them to each, by the device's clock or counter."""
    calm: int = 0
    least_s: float = float("inf")

    def remember(self, stop: int, fs_hz: float, received_s: float) -> None:
        """A packet was placed up to this sample."""
        self.before.append((received_s, received_s - stop / fs_hz))
        while self.before[0][0] < received_s - BEFORE_S:
            self.before.popleft()

    def hold(self, packet: SamplePacket, received_s: float, offset: int, fs_hz: float) -> bool:
        """Take in one packet; True once their place can be told."""
        self.waiting.append((packet, received_s, offset))
        delay_s = received_s - (offset + len(packet.counts)) / fs_hz
        self.calm = 0 if delay_s < self.least_s - CALM_S else self.calm + 1
        self.least_s = min(self.least_s, delay_s)
        too_long = received_s - self.waiting[0][1] > MOST_S or len(self.waiting) >= MOST_PACKETS
        return self.calm >= CALM_PACKETS or too_long

    def release(self, fs_hz: float) -> tuple[list[tuple[SamplePacket, float, int]], int]:
        """What waited, and the index of the first one's first sample by the host's clock."""
        before_s = min(delay_s for _, delay_s in self.before)
        first = round((self.least_s - before_s) * fs_hz)
        released, self.waiting, self.calm, self.least_s = self.waiting, [], 0, float("inf")
        return released, first
