"""What is near: every advertising device, with the protocol it seems to speak."""

import asyncio
from dataclasses import dataclass

from bleak.backends.device import BLEDevice
from bleak.backends.scanner import AdvertisementData

from edge.acquire.pins import Pin, same_address
from edge.acquire.radio import Radio
from edge.acquire.registry import fitting


@dataclass(frozen=True, slots=True)
class Sighting:
    """One device that advertised."""

    address: str
    name: str
    protocol: str | None
    """Name of the protocol that its advertisement fits; None: none known, it would be refused."""
    rssi_dbm: int
    """Strongest signal seen."""
    pinned: str | None
    """Name under which it is pinned; None: it is not."""
    services: tuple[str, ...]


async def scan(radio: Radio, seconds: float, pins: list[Pin]) -> list[Sighting]:
    """Listen for so long; the strongest first, those that speak a known protocol before the others."""
    seen: dict[str, Sighting] = {}

    def on_seen(device: BLEDevice, advertisement: AdvertisementData) -> None:
        old = seen.get(device.address)
        name = advertisement.local_name or (old.name if old else "") or device.name or ""
        services = tuple(sorted({*advertisement.service_uuids, *(old.services if old else ())}))
        fits = fitting(services, name)
        seen[device.address] = Sighting(
            device.address,
            name,
            fits.name if fits else None,
            max(advertisement.rssi, old.rssi_dbm) if old else advertisement.rssi,
            pinned_name(device.address, pins),
            services,
        )

    async with radio.scanning(on_seen):
        await asyncio.sleep(seconds)
    return sorted(seen.values(), key=lambda s: (s.protocol is None, -s.rssi_dbm))


def pinned_name(address: str, pins: list[Pin]) -> str | None:
    """Under which name an address is pinned."""
    return next((pin.name for pin in pins if same_address(pin.address, address)), None)
