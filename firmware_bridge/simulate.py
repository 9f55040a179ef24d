"""One virtual wearable, run until it is told to stop, and the place where other Bluetooth stacks reach it."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from edge.errors import ExtraMissing, UsageError
from edge.types import Recording
from firmware_bridge.faults import FaultScript

try:
    from firmware_bridge.air import TCP_CLIENT, TCP_SERVER, Air, parse_hci
    from firmware_bridge.peripherals.ecg_link import EcgLinkDevice
    from firmware_bridge.peripherals.ganglion import Ganglion
    from firmware_bridge.peripherals.generic_health_sensor import GenericHealthSensor
    from firmware_bridge.peripherals.healthypi import HealthyPi
    from firmware_bridge.peripherals.heart_rate import HeartRateStrap
    from firmware_bridge.peripherals.movesense import Movesense
    from firmware_bridge.peripherals.peripheral import Peripheral
    from firmware_bridge.peripherals.polar_h10 import PolarH10
except ImportError as error:
    raise ExtraMissing(error.name or "bumble", "ble") from error

DEVICES: dict[str, type[Peripheral]] = {
    "polar-h10": PolarH10,
    "movesense": Movesense,
    "healthypi": HealthyPi,
    "heart-rate": HeartRateStrap,
    "ecg-link": EcgLinkDevice,
    "generic-health-sensor": GenericHealthSensor,
    "ganglion": Ganglion,
}
"""Virtual wearables by the names of their protocols."""

DEFAULT_HCI = f"{TCP_SERVER}:127.0.0.1:9000"


def new_device(
    device: str,
    recording: Recording,
    air: Air,
    *,
    faults: FaultScript | None = None,
    speed: float = 1.0,
    loop: bool = False,
    name: str | None = None,
    address: str | None = None,
) -> Peripheral:
    """A virtual wearable that is still switched off; UsageError names the known ones."""
    if device not in DEVICES:
        raise UsageError(f"Unknown virtual wearable {device!r}", f"Known: {', '.join(DEVICES)}")
    return DEVICES[device](air, recording, faults=faults, speed=speed, loop=loop, name=name, address=address)


@asynccontextmanager
async def virtual_device(
    device: str,
    recording: Recording,
    air: Air,
    *,
    faults: FaultScript | None = None,
    speed: float = 1.0,
    loop: bool = False,
    name: str | None = None,
    address: str | None = None,
) -> AsyncIterator[Peripheral]:
    """A virtual wearable on an air, switched on while the context is open."""
    peripheral = new_device(device, recording, air, faults=faults, speed=speed, loop=loop, name=name, address=address)
    await peripheral.start()
    try:
        yield peripheral
    finally:
        await peripheral.stop()


async def simulate(
    device: str,
    recording: Recording,
    *,
    faults: FaultScript | None = None,
    speed: float = 1.0,
    hci: str | None = None,
    air: Air | None = None,
    loop: bool = False,
    name: str | None = None,
    address: str | None = None,
    say: Callable[[str], None] = print,
) -> None:
    """Run one virtual wearable until cancelled.

    Without an `air` of the caller nobody could hear it, so HCI is then served over TCP at `hci`
    ("tcp-server:HOST:PORT", by default on this machine only). UsageError, LinkError.
    """
    logging.getLogger("bumble").setLevel(logging.ERROR)  # it warns of every packet that a lost link leaves over
    where = parse_hci(hci or DEFAULT_HCI, TCP_SERVER) if hci or air is None else None
    air = air or Air()
    server = await air.serve_hci(*where) if where else None
    try:
        async with virtual_device(
            device, recording, air, faults=faults, speed=speed, loop=loop, name=name, address=address
        ) as peripheral:
            say(f"{peripheral.name} ({device}, {peripheral.address}) plays {recording.info.id} at speed {speed:g}")
            if server and where:
                say(f"Reach it with: anyecg scan --radio {TCP_CLIENT}:{where[0]}:{server.port}")
            await peripheral.ended.wait()
            say(f"{recording.info.id} has been played to its end; the strap stays connected and silent. Ctrl-C ends it")
            await asyncio.get_running_loop().create_future()
    finally:
        if server:
            await server.close()
