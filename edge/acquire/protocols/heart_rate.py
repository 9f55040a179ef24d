"""Bluetooth Heart Rate Service: the rate and RR intervals of any heart-rate strap."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from edge.acquire.driver import DeviceRefused, Gatt, Stream
from edge.acquire.packets import Item, Rejected, RrPacket
from edge.acquire.protocols.standard import device_text, read_if_there, watch_battery
from edge.acquire.protocols.values import uuid16

HEART_RATE = uuid16(0x180D)
MEASUREMENT, LOCATION = uuid16(0x2A37), uuid16(0x2A38)
RR_UNIT_HZ = 1024.0

_WIDE_RATE, _CONTACT, _CONTACT_KNOWN, _ENERGY, _RR = 1, 2, 4, 8, 16
_PLACES = (
    "at another place",
    "on the chest",
    "on the wrist",
    "on a finger",
    "on a hand",
    "on an ear lobe",
    "on a foot",
)


def decode_heart_rate(data: bytes) -> list[Item]:
    """One Heart Rate Measurement: flags, rate (u8 or u16), energy, RR intervals. Reserved flags are ignored."""
    if not data:
        return [Rejected("truncated")]
    flags = data[0]
    rr_at = 1 + (2 if flags & _WIDE_RATE else 1) + (2 if flags & _ENERGY else 0)
    rr_bytes = data[rr_at:] if flags & _RR else b""
    if len(data) < rr_at or len(rr_bytes) % 2:
        return [Rejected("truncated")]
    rate_bpm = int.from_bytes(data[1 : 3 if flags & _WIDE_RATE else 2], "little")
    rr = tuple(int.from_bytes(rr_bytes[k : k + 2], "little") for k in range(0, len(rr_bytes), 2))
    contact = bool(flags & _CONTACT) if flags & _CONTACT_KNOWN else None
    return [RrPacket(rr, rate_bpm or None, contact)]


def decode_location(data: bytes) -> str:
    """Body Sensor Location as a sentence; empty where it says nothing known."""
    if len(data) != 1 or data[0] >= len(_PLACES):
        return ""
    return f"The sensor says that it is worn {_PLACES[data[0]]}."


@dataclass(slots=True)
class HeartRate:
    """Any device with the Heart Rate Service; it sends as long as it is subscribed to."""

    name: ClassVar[str] = "heart-rate"
    services: ClassVar[tuple[str, ...]] = (HEART_RATE,)

    async def start(self, gatt: Gatt, deliver: Callable[[Item], None]) -> Stream:
        """See `Driver.start`."""
        if not gatt.has(HEART_RATE, MEASUREMENT):
            raise DeviceRefused("The device has no Heart Rate Service", "Choose another device with: anyecg scan")
        device = await device_text(gatt)
        place = decode_location(await read_if_there(gatt, HEART_RATE, LOCATION) or b"")
        await watch_battery(gatt, deliver)

        def on_value(value: bytes) -> None:
            for item in decode_heart_rate(value):
                deliver(item)

        await gatt.subscribe(HEART_RATE, MEASUREMENT, on_value)
        return Stream(self.name, (), RR_UNIT_HZ, placement="rr", device=device, notes=(place,) if place else ())

    async def stop(self, gatt: Gatt) -> None:
        """The service has no command to stop: it ends with the link."""
