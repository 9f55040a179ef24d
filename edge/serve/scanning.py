"""`anyecg scan`: what is near, and pinning one of it."""

from dataclasses import replace
from pathlib import Path

from edge.acquire.pins import Pin, free_name, pin, read_pins, same_address
from edge.acquire.radio import open_radio
from edge.acquire.scan import Sighting, pinned_name, scan
from edge.errors import LinkError


async def scan_and_pin(
    folder: Path, radio_at: str | None, seconds: float, address: str | None, name: str | None
) -> list[Sighting]:
    """Listen, and pin `address` where it is given; LinkError when it was not heard or speaks no known protocol."""
    if address is not None:
        Pin(address, name or "strap")  # what cannot be pinned need not be listened for
    async with open_radio(radio_at) as radio:
        found = await scan(radio, seconds, read_pins(folder))
        if address is None:
            return found
        heard = next((s for s in found if same_address(s.address, address)), None)
        if heard is None:
            raise LinkError(
                f"{address} was not heard", "Wet the electrodes, wear the strap, and check that no phone holds it"
            )
        if heard.protocol is None:
            raise LinkError(
                f"{address} ({heard.name or 'nameless'}) speaks no protocol known here", "See README, devices"
            )
        others = [old.name for old in read_pins(folder) if not same_address(old.address, address)]
        pin(folder, Pin(heard.address, name or free_name(heard.name or heard.protocol, others), heard.protocol))
        pins = read_pins(folder)
        return [replace(s, pinned=pinned_name(s.address, pins)) for s in found]
