"""What happens when on a virtual wearable: its clocks, and its streams in the order in which their frames are due."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import repeat

from firmware_bridge.faults import FaultScript


@dataclass(slots=True)
class Stream:
    """Frames of a device, each sent when its last sample has been taken."""

    fs_hz: float
    """True rate, in the device's seconds."""
    send: Callable[[int, int], None]
    """Called with the first sample's index and the number of samples of a frame that is due."""
    next_sample: int
    sizes: Iterator[int]
    size: int
    leads: bool = True
    """At top speed, time passes only while a stream that leads is running."""

    @property
    def due_s(self) -> float:
        """Device time at which the next frame is complete."""
        return (self.next_sample + self.size) / self.fs_hz

    def sent(self) -> None:
        """Go on to the next frame."""
        self.next_sample += self.size
        self.size = next(self.sizes)


def stream_from(
    at_s: float,
    fs_hz: float,
    send: Callable[[int, int], None],
    size: int,
    sizes: Iterator[int] | None = None,
    *,
    leads: bool = True,
) -> Stream:
    """A stream whose first sample is the next one after a device time; `sizes` where frames differ in size."""
    sizes = repeat(size) if sizes is None else sizes
    return Stream(fs_hz, send, -int(-at_s * fs_hz // 1), sizes, next(sizes), leads)


@dataclass(frozen=True, slots=True)
class Happening:
    """A fault that comes at a time, rather than with a notification."""

    at_s: float
    kind: str


def happenings(script: FaultScript) -> list[Happening]:
    """Every fault that needs something done at its time, latest first."""
    found = [Happening(at_s, "disconnect") for at_s in script.disconnects]
    found += [Happening(at_s, "power_loss") for at_s in script.clock_resets]
    found += [Happening(at_s, "device_stop") for at_s in script.device_stops]
    return sorted(found, key=lambda happening: -happening.at_s)


def clock_s(script: FaultScript, at_s: float) -> float:
    """What the device's clock shows, as seconds since the clock's start value, at a device time.

    A power loss starts it anew; each time it is set adds to it.
    """
    started_s = max((reset for reset in script.clock_resets if reset <= at_s), default=0.0)
    return at_s - started_s + sum(by for jumped, by in script.clock_jumps if started_s <= jumped <= at_s)
