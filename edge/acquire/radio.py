"""Where Bluetooth comes from: the system's adapter through bleak, or a virtual air. One scanner per process."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from edge.errors import ExtraMissing, LinkError

try:
    from bleak import BleakClient, BleakScanner
    from bleak.backends.device import BLEDevice
    from bleak.backends.scanner import AdvertisementData
    from bleak.exc import BleakError
    from bleak_retry_connector import establish_connection
except ImportError as error:
    raise ExtraMissing(error.name or "bleak", "ble") from error

Seen = Callable[[BLEDevice, AdvertisementData], None]
Sighting = tuple[BLEDevice, AdvertisementData]


@dataclass
class Radio:
    """An adapter, shared by everything in this process that scans or connects."""

    name: str = "Bluetooth"
    scanner: dict[str, Any] = field(default_factory=dict)
    """What bleak's scanner takes beside its usual arguments."""
    client: dict[str, Any] = field(default_factory=dict)
    """What bleak's client takes beside its usual arguments."""
    _waiting: dict[str, asyncio.Future[Sighting]] = field(default_factory=dict)
    _scan: asyncio.Task[None] | None = None

    @asynccontextmanager
    async def scanning(self, on_seen: Seen) -> AsyncIterator[None]:
        """Report advertisements while the context is open; LinkError where there is no adapter or no permission."""
        scanner = BleakScanner(on_seen, **self.scanner)
        try:
            await scanner.start()
        except (BleakError, OSError) as error:
            advice = "Switch Bluetooth on; on Linux bluetoothd must run and the user be allowed to use it"
            raise LinkError(f"{self.name} cannot scan: {error}", advice) from error
        try:
            yield
        finally:
            with suppress(BleakError, OSError):  # the adapter may be gone, and the scan with it
                await scanner.stop()

    async def find(self, address: str) -> Sighting:
        """Wait until a device advertises, however long; scanning goes on only while somebody waits."""
        key = address.upper()
        waiting = self._waiting.setdefault(key, asyncio.get_running_loop().create_future())
        if self._scan is None or self._scan.done():
            self._scan = asyncio.create_task(self._scan_while_waiting(), name="acquire.scan")
        return await asyncio.shield(waiting)

    def forget(self, address: str) -> None:
        """Nobody waits for this device any more."""
        if (waiting := self._waiting.pop(address.upper(), None)) is not None:
            waiting.cancel()

    async def _scan_while_waiting(self) -> None:
        changed = asyncio.Event()

        def on_seen(device: BLEDevice, advertisement: AdvertisementData) -> None:
            waiting = self._waiting.pop(device.address.upper(), None)
            if waiting is not None and not waiting.done():
                waiting.set_result((device, advertisement))
                changed.set()

        try:
            async with self.scanning(on_seen):
                while self._waiting:
                    changed.clear()
                    with suppress(TimeoutError):
                        await asyncio.wait_for(changed.wait(), 1.0)
        except LinkError as error:
            for waiting in self._waiting.values():
                waiting.set_exception(error)
            self._waiting.clear()

    async def connect(self, device: BLEDevice, on_lost: Callable[[], None]) -> BleakClient:
        """A connected client, a new one each time; LinkError where two attempts fail."""
        try:
            return await establish_connection(
                BleakClient,
                device,
                device.name or device.address,
                disconnected_callback=lambda _: on_lost(),
                max_attempts=2,
                **self.client,
            )
        except (BleakError, OSError, TimeoutError, EOFError) as error:
            raise LinkError(f"{device.address} does not connect: {error}", "It may be connected elsewhere") from error


@asynccontextmanager
async def open_radio(where: str | None) -> AsyncIterator[Radio]:
    """The system's Bluetooth, or with "tcp-client:HOST:PORT" a controller that is reached by HCI over TCP."""
    if where is None:
        yield Radio()
        return
    from firmware_bridge.air import remote_adapter

    async with remote_adapter(where) as air:
        yield virtual_radio(air)


def virtual_radio(air: Any) -> Radio:
    """A radio over bumble, for virtual wearables; `air` is a medium of firmware_bridge.air."""
    from firmware_bridge.bumble_bleak import AirClient, AirScanner

    logging.getLogger("bumble").setLevel(logging.ERROR)  # it warns of every packet that a lost link leaves over
    return Radio("The virtual air", {"backend": AirScanner, "air": air}, {"backend": AirClient, "air": air})
