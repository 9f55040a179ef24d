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
PATIENCE_S = 10.0  # without a smaller delay for so long: no more is to be had
MOST_PACKETS = 8192  # held at most: an hour of half-second frames, some megabytes
BEFORE_S = 30.0  # the least delay before is that of so much time


@dataclass(slots=True)
class Resync:
    """What was placed before, and packets that wait."""

    before: deque[tuple[float, int]] = field(default_factory=deque)
    """(time of arrival, index after it) of packets that were placed."""
    waiting: list[tuple[SamplePacket, float, int]] = field(default_factory=list)
    """Packets, times of arrival, and samples from the first of them to each, by the device's clock or counter."""
    calm: int = 0
    least_s: float = float("inf")
    least_at_s: float = 0.0

    def remember(self, stop: int, received_s: float) -> None:
        """A packet was placed up to this sample."""
        self.before.append((received_s, stop))
        while self.before[0][0] < received_s - BEFORE_S:
            self.before.popleft()

    def hold(self, packet: SamplePacket, received_s: float, offset: int, fs_hz: float) -> bool:
        """Take in one packet; True once their place can be told. While a backlog drains, the delay keeps falling."""
        self.waiting.append((packet, received_s, offset))
        delay_s = received_s - (offset + len(packet.counts)) / fs_hz
        if delay_s < self.least_s - CALM_S:
            self.calm, self.least_at_s = 0, received_s
        else:
            self.calm += 1
        self.least_s = min(self.least_s, delay_s)
        in_vain = received_s - self.least_at_s > PATIENCE_S or len(self.waiting) >= MOST_PACKETS
        return self.calm >= CALM_PACKETS or in_vain

    def release(self, next_sample: int, fs_hz: float) -> tuple[list[tuple[SamplePacket, float, int]], int]:
        """What waited, and the index of the first one's first sample by the host's clock."""
        next_s = min(received_s + (next_sample - stop) / fs_hz for received_s, stop in self.before)
        first = next_sample + round((self.least_s - next_s) * fs_hz)
        released, self.waiting, self.calm, self.least_s = self.waiting, [], 0, float("inf")
        return released, first
