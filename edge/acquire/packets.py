"""What a wearable's notifications say, before they have a place in a recording.

A protocol turns bytes into these items; bytes that it cannot use become `Rejected`, never an exception.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Counts = NDArray[np.int32]
"""Converter counts, shape (n_samples, n_leads); `NOT_MEASURED` where the device says a sample is invalid."""

NOT_MEASURED = np.int32(-(2**31))


@dataclass(frozen=True, slots=True, eq=False)
class SamplePacket:
    """Consecutive samples of every lead."""

    counts: Counts
    counter: int | None = None
    """The device's count of samples at the first one, unwrapped; None where the protocol has none."""
    device_ns: int | None = None
    """Device clock in nanoseconds, of any epoch; None where the protocol has none."""
    stamped: Literal["first", "last"] = "first"
    """Which sample `device_ns` belongs to."""


@dataclass(frozen=True, slots=True)
class RrPacket:
    """What one heart-rate notification says."""

    rr: tuple[int, ...]
    """RR intervals in 1/1024 s, oldest first; may be empty."""
    rate_bpm: int | None
    """The device's own rate; None where it says that it has none (0)."""
    contact: bool | None = None
    """Skin contact; None where the device does not tell."""


@dataclass(frozen=True, slots=True)
class Contact:
    """The electrodes of these leads (indices; empty: all of them) have contact or have lost it."""

    on: bool
    leads: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Battery:
    """Battery level in percent."""

    percent: int


@dataclass(frozen=True, slots=True)
class Marked:
    """The wearer pressed the device's button at this counter."""

    counter: int


@dataclass(frozen=True, slots=True)
class Restarted:
    """The device lost its counter and clock: what follows has new ones."""


@dataclass(frozen=True, slots=True)
class Gone:
    """Samples before this counter that have not come will not come: the device no longer holds them."""

    before_counter: int


@dataclass(frozen=True, slots=True)
class Stopped:
    """The device ended the stream by itself; the link still stands."""

    detail: str


@dataclass(frozen=True, slots=True)
class Rejected:
    """A value that could not be used; `reason` is one of few fixed texts, so that it can be counted."""

    reason: str


Item = SamplePacket | RrPacket | Contact | Battery | Marked | Restarted | Gone | Stopped | Rejected
