"""One powered Bluetooth controller of this process: everything that scans or connects shares it, as with a dongle."""

import asyncio
import contextlib
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from bumble import core, hci
from bumble.device import Advertisement, Connection, Device
from bumble.transport.common import Transport

T = TypeVar("T")
ATTEMPT_S = 2.0

OnAdvertisement = Callable[[Advertisement], None]


class Adapter:
    """Scans and connects for several clients at once.

    Keys of paired devices live as long as the adapter. `transport` is closed with it where it has one.
    """

    def __init__(self, device: Device, transport: Transport | None = None) -> None:
        self.device = device
        self.lost = False
        self._transport = transport
        self._listeners: list[OnAdvertisement] = []
        self._scanning = asyncio.Lock()
        self._connecting = asyncio.Lock()
        device.on(Device.EVENT_ADVERTISEMENT, self._on_advertisement)
        device.host.on("flush", self._on_flush)

    async def adapter(self) -> "Adapter":
        """Itself: an adapter may stand wherever a medium is asked for."""
        return self

    async def start_scan(self, listener: OnAdvertisement) -> None:
        """Call `listener` with every advertisement."""
        self._listeners.append(listener)
        await self._switch_scan()

    async def stop_scan(self, listener: OnAdvertisement) -> None:
        """End what `start_scan` began; nothing happens when it did not."""
        if listener in self._listeners:
            self._listeners.remove(listener)
        if not self.lost:
            await self._switch_scan()

    async def connect(self, address: str, timeout_s: float) -> Connection:
        """A link to this address; TimeoutError when it cannot be had in time.

        The controller takes one request at a time, so a device is first waited for and then connected: one that is
        absent does not keep others from being connected.
        """
        async with asyncio.timeout(timeout_s):
            while True:
                await self._seen(address)
                async with self._connecting:
                    connection = await self._request(address)
                if connection is not None:
                    return connection

    async def close(self) -> None:
        """Power off; links and scans end."""
        self.lost = True
        for connection in list(self.device.connections.values()):
            with contextlib.suppress(Exception):
                await connection.disconnect()
        await self.device.power_off()
        if self._transport:
            await self._transport.close()

    async def _seen(self, address: str) -> None:
        seen = asyncio.Event()

        def look(advertisement: Advertisement) -> None:
            if advertisement.address.to_string(False) == address:
                seen.set()

        try:
            await self.start_scan(look)
            await seen.wait()
        finally:
            await self.stop_scan(look)

    async def _request(self, address: str) -> Connection | None:
        """One attempt, short because the device was just seen; None when it went away in between."""
        peer = hci.Address(address, hci.Address.RANDOM_DEVICE_ADDRESS)
        attempt = asyncio.create_task(self.device.connect(peer, timeout=ATTEMPT_S), name="adapter.connect")
        try:
            return await asyncio.shield(attempt)
        except (core.TimeoutError, core.ConnectionError):
            return None
        except asyncio.CancelledError:
            # The controller must forget the request, or it refuses the next one.
            with contextlib.suppress(Exception):
                await whole(self.device.send_sync_command(hci.HCI_LE_Create_Connection_Cancel_Command()))
            with contextlib.suppress(Exception):
                late = await attempt
                await late.disconnect()
            raise

    async def _switch_scan(self) -> None:
        """Scan if somebody wants to; whoever is cancelled here must not leave the controller half-way."""
        await asyncio.shield(asyncio.create_task(self._scan_if_wanted(), name="adapter.scan"))

    async def _scan_if_wanted(self) -> None:
        async with self._scanning:
            if self._listeners and not self.device.is_scanning:
                await whole(self.device.start_scanning(filter_duplicates=False))
            elif not self._listeners and self.device.is_scanning:
                await whole(self.device.stop_scanning())

    def _on_advertisement(self, advertisement: Advertisement) -> None:
        for listener in list(self._listeners):
            listener(advertisement)

    def _on_flush(self) -> None:
        """The controller is gone: its links are, too, and nobody else will say so."""
        if self.lost:
            return
        self.lost = True
        for handle in list(self.device.connections):
            self.device.host.emit("disconnection", handle, hci.HCI_ErrorCode.CONNECTION_TIMEOUT_ERROR)


async def whole(request: Coroutine[Any, Any, T]) -> T:
    """A request that goes on when its caller is cancelled: bumble stumbles over answers that nobody waits for."""
    task = asyncio.ensure_future(request)
    task.add_done_callback(lambda done: done.cancelled() or done.exception())
    return await asyncio.shield(task)
