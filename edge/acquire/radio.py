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
    from bleak_retry_connector import close_stale_connections_by_address, establish_connection
except ImportError as error:
    raise ExtraMissing(error.name or "bleak", "ble") from error

Seen = Callable[[BLEDevice, AdvertisementData], None]
Sighting = tuple[BLEDevice, AdvertisementData]

SYSTEM_S = 15.0  # for the system to answer; a D-Bus that hangs must not hold the search for ever


@dataclass
class Radio:
    """An adapter, shared by everything in this process that scans or connects."""

    name: str = "Bluetooth"
    scanner: dict[str, Any] = field(default_factory=dict)
    """What bleak's scanner takes beside its usual arguments."""
    client: dict[str, Any] = field(default_factory=dict)
    """What bleak's client takes beside its usual arguments."""
    keeps_links: bool = False
    """Whether links outlive the process that made them; a strap that is linked does not advertise."""
    rescan_s: float = 30.0
    """So long one scanner is used: scans of BlueZ go stale, and a scan ends without a word with its adapter."""
    _waiting: dict[asyncio.Future[Sighting], str] = field(default_factory=dict)
    """Who waits, and for which address."""
    _changed: asyncio.Event = field(default_factory=asyncio.Event)
    """Somebody waits no more."""
    _scan: asyncio.Task[None] | None = None

    @asynccontextmanager
    async def scanning(self, on_seen: Seen) -> AsyncIterator[None]:
        """Report advertisements while the context is open; LinkError where there is no adapter or no permission."""
        scanner = BleakScanner(on_seen, **self.scanner)
        try:
            async with asyncio.timeout(SYSTEM_S):
                await scanner.start()
        except (BleakError, OSError, EOFError) as error:
            if isinstance(error, FileNotFoundError):  # BlueZ is reached over D-Bus, and there is none
                advice = "Plug in an adapter, or start bluetoothd; `anyecg doctor` says more"
                raise LinkError("No Bluetooth was found on this computer", advice) from error
            advice = "Switch Bluetooth on; on Linux bluetoothd must run and the user be allowed to use it"
            raise LinkError(f"{self.name} cannot scan: {_text(error)}", advice) from error
        try:
            yield
        finally:
            with suppress(BleakError, OSError, EOFError):  # the adapter may be gone, and the scan with it
                async with asyncio.timeout(SYSTEM_S):
                    await scanner.stop()

    async def find(self, address: str) -> Sighting:
        """Wait until a device advertises, however long; scanning goes on only while somebody waits.

        LinkError when the scan ends meanwhile; the next call begins another one.
        """
        if self.keeps_links:
            with suppress(Exception):  # an attempt: whatever it fails with, the strap may be heard all the same
                async with asyncio.timeout(SYSTEM_S):
                    await close_stale_connections_by_address(address)
        waiting: asyncio.Future[Sighting] = asyncio.get_running_loop().create_future()
        self._waiting[waiting] = address.upper()
        if self._scan is None or self._scan.done():
            self._scan = asyncio.create_task(self._scan_while_waiting(), name="acquire.scan")
        try:
            return await waiting
        finally:
            self._waiting.pop(waiting, None)
            self._changed.set()

    async def _scan_while_waiting(self) -> None:
        def on_seen(device: BLEDevice, advertisement: AdvertisementData) -> None:
            for waiting, address in self._waiting.items():
                if address == device.address.upper() and not waiting.done():
                    waiting.set_result((device, advertisement))

        problem = LinkError(f"{self.name} has stopped scanning")
        try:
            while self._waiting:
                async with self.scanning(on_seen):
                    with suppress(TimeoutError):
                        async with asyncio.timeout(self.rescan_s):
                            await self._until_nobody_waits()
        except LinkError as error:
            problem = error
        except Exception as error:  # of any kind: who waits must hear of it, or the strap is never looked for again
            problem = LinkError(f"{self.name} has stopped scanning: {_text(error)}")
        finally:
            for waiting in self._waiting:
                if not waiting.done():
                    waiting.set_exception(problem)

    async def _until_nobody_waits(self) -> None:
        while self._waiting:
            self._changed.clear()
            await self._changed.wait()

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
            raise LinkError(
                f"{device.address} does not connect: {_text(error)}", "It may be connected elsewhere"
            ) from error


@asynccontextmanager
async def open_radio(where: str | None) -> AsyncIterator[Radio]:
    """The system's Bluetooth, or with "tcp-client:HOST:PORT" a controller that is reached by HCI over TCP."""
    if where is None:
        yield Radio(keeps_links=True)  # BlueZ does, also after this process was killed
        return
    from firmware_bridge.air import remote_adapter

    async with remote_adapter(where) as air:
        yield virtual_radio(air)


def virtual_radio(air: Any) -> Radio:
    """A radio over bumble, for virtual wearables; `air` is a medium of firmware_bridge.air."""
    from firmware_bridge.bumble_bleak import AirClient, AirScanner

    logging.getLogger("bumble").setLevel(logging.ERROR)  # it warns of every packet that a lost link leaves over
    return Radio("The virtual air", {"backend": AirScanner, "air": air}, {"backend": AirClient, "air": air})


def _text(error: Exception) -> str:
    return str(error) or type(error).__name__
