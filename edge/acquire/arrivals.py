"""What a source of samples delivers, in order: a stream's start, its items, losses, and news of the link."""

from dataclasses import dataclass
from typing import Literal

from edge.acquire.driver import Stream
from edge.acquire.packets import Item
from edge.types import EventKind, Frame


@dataclass(frozen=True, slots=True)
class Started:
    """The stream has begun, or has begun again after a loss."""

    stream: Stream
    received_s: float


@dataclass(frozen=True, slots=True)
class Received:
    """An item of the stream."""

    item: Item
    received_s: float
    """Steady host clock, seconds since the Unix epoch (see edge.acquire.host_clock)."""


@dataclass(frozen=True, slots=True)
class LinkLost:
    """No more comes until the next `Started`."""

    received_s: float
    cause: str


@dataclass(frozen=True, slots=True)
class Told:
    """News of the link that belongs into the recording."""

    kind: EventKind
    detail: str
    received_s: float


@dataclass(frozen=True, slots=True)
class ClockSet:
    """The host's own clock was set."""

    step_s: float


Arrival = Started | Received | LinkLost | Told | ClockSet | Frame

LinkState = Literal["searching", "connecting", "streaming", "silent", "lost", "replaying", "ended"]


@dataclass(slots=True)
class LinkStatus:
    """How a source's link stands; the source keeps it up to date, the state topic shows it."""

    state: LinkState = "searching"
    protocol: str = ""
    device: str = ""
    """Manufacturer, model and firmware, as the device names them."""
    address: str = ""
    rssi_dbm: int | None = None
    battery_percent: int | None = None
    contact: bool | None = None
    """Skin contact; None where the device does not tell."""
    reconnects: int = 0
    rejected: int = 0
    """Values that were damaged, cut or of an unknown kind."""
    silent_s: float | None = None
    """How long nothing has come, as far as the source watches it."""
