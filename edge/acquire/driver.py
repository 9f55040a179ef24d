"""What the link asks of a protocol, and what a protocol may ask of the link."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Literal, Protocol

from edge.acquire.packets import Item
from edge.errors import LinkError
from edge.types import Lead

MAX_VALUE_BYTES = 512  # ATT's longest attribute value; longer ones are rejected before anything reads them


class DriverError(LinkError):
    """The device answers, but does not do what its protocol says; trying again later may help."""


class DeviceRefused(LinkError):
    """The device says no for good: no such service, or a status that another try does not change."""


class NeedsPairing(LinkError):
    """The device wants an authenticated or encrypted link first (ATT 0x05, 0x0F)."""


@dataclass(frozen=True, slots=True)
class Stream:
    """What a started device sends."""

    protocol: str
    leads: tuple[Lead, ...]
    """Empty: RR intervals only."""
    fs_hz: float
    """Nominal rate; for RR intervals 1024, their unit."""
    placement: Literal["counter", "timestamp", "arrival", "rr"]
    """What tells where a packet belongs: the device's sample counter, its clock, or only the time of arrival."""
    packet_samples: int | None = None
    """Samples of every packet, where that is fixed: what is lost is then a multiple of it."""
    measures_rate: bool = False
    """The clock is better than the sampling rate: the true rate is measured from it (Polar H10: up to 2 % off)."""
    refetches: bool = False
    """What was lost can come later, in its place."""
    device: str = ""
    """Manufacturer, model and firmware, as the device names them."""
    notes: tuple[str, ...] = ()
    """What the protocol leaves open, one plain sentence each."""


class Gatt(Protocol):
    """The GATT client that a protocol gets; UUIDs are lower-case 128-bit texts. Errors are LinkError."""

    @property
    def mtu(self) -> int:
        """Negotiated ATT MTU; 23 where the system does not tell (BlueZ), so do not refuse because of it."""

    def has(self, service: str, characteristic: str | None = None) -> bool:
        """Whether the device has the service (and in it the characteristic)."""

    async def read(self, service: str, characteristic: str) -> bytes:
        """Value of a characteristic."""

    async def write(self, service: str, characteristic: str, value: bytes) -> None:
        """Write with response."""

    def write_soon(self, service: str, characteristic: str, value: bytes) -> None:
        """Write with response from a callback; a failure is counted as a rejected value and changes nothing."""

    async def subscribe(self, service: str, characteristic: str, on_value: Callable[[bytes], None]) -> None:
        """Notifications or indications to `on_value`, which gets at most MAX_VALUE_BYTES."""


class Driver(Protocol):
    """One device's protocol; it lives as long as the strap's recording, through every reconnection."""

    name: ClassVar[str]
    """As users write it: "polar-h10", "heart-rate" …"""
    services: ClassVar[tuple[str, ...]]
    """GATT services that it needs; it fits a device that has all of them."""

    async def start(self, gatt: Gatt, deliver: Callable[[Item], None]) -> Stream:
        """Subscribe, then start the stream of a connected device; every value becomes items for `deliver`.

        DeviceRefused, NeedsPairing or DriverError where it does not start. Called again after every reconnection.
        """

    async def stop(self, gatt: Gatt) -> None:
        """Tell the device to end its stream, so that it does not drain its battery; never raises LinkError."""
