"""A wearable over Bluetooth LE: found by its pinned address, connected, started, watched, and found again for ever.

The link's rules come from what fails in the field: subscribe before start; a stream may fall silent without a
disconnection; a device may end the stream by itself; every attempt takes a new client; always stop on the way out.
"""

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field

from bleak import BleakClient
from bleak.exc import BleakError

from edge.acquire.arrivals import LinkStatus, Told
from edge.acquire.driver import DeviceRefused, Driver, NeedsPairing, Stream
from edge.acquire.gatt import BleakGatt
from edge.acquire.host_clock import HostClock
from edge.acquire.mailbox import Mailbox
from edge.acquire.pins import Pin
from edge.acquire.radio import Radio, Sighting
from edge.acquire.registry import drivers, fallback, fitting
from edge.acquire.session import Session
from edge.errors import LinkError, UsageError
from edge.settings import LinkSettings

GOODBYE_S = 3.0  # for the stop command on the way out; the strap would go on until its battery is empty
FAREWELL_S = 2 * GOODBYE_S + 1  # for the stop command and the disconnection
BOND_S = 30.0  # SMP's own timeout
LACKING_TWICE = 2  # connections without the service before a device has none; BlueZ may show them late


@dataclass
class StrapSource:
    """One pinned wearable; `stream` yields what it delivers, through every loss of the link."""

    pin: Pin
    radio: Radio
    settings: LinkSettings = field(default_factory=LinkSettings)
    clock: HostClock = field(default_factory=HostClock)
    status: LinkStatus = field(default_factory=LinkStatus)
    begun: bool = False
    """Whether it has ever streamed."""
    _driver: Driver | None = None
    _lacking: int = 0
    _closing: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def name(self) -> str:
        """As in the topics and the recordings' ids."""
        return self.pin.name

    def present_s(self) -> float | None:
        """The present moment, also while nothing comes; None once it has ended."""
        return None if self.status.state == "ended" else self.clock.now() + self.clock.shift_s

    async def run(self, mail: Mailbox) -> None:
        """Deliver everything into the mailbox, through every loss, until `close` or cancellation."""
        self.status.address = self.pin.address
        linking = asyncio.create_task(self._keep_linked(mail), name=f"acquire.{self.pin.name}")
        closing = asyncio.create_task(self._closing.wait(), name=f"acquire.{self.pin.name}.close")
        try:
            await asyncio.wait({linking, closing}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            closing.cancel()
            self._closing.set()
            while not linking.done():  # a cancellation may be lost on the way (asyncio.wait_for of Python 3.11)
                linking.cancel()
                await asyncio.wait({linking}, timeout=FAREWELL_S)
            ended = (await asyncio.gather(linking, closing, return_exceptions=True))[0]
            self.status.state = "ended"
        if isinstance(ended, Exception):  # a mistake of ours or of the configuration; losses of the link end nothing
            raise ended

    def close(self) -> None:
        """End the stream politely; `run` returns then."""
        self._closing.set()

    @property
    def is_closing(self) -> bool:
        """Whether it has been told to end."""
        return self._closing.is_set()

    async def _keep_linked(self, mail: Mailbox) -> None:
        """Find, connect, stream; again and again, with growing waits while it fails."""
        wait_s, told = self.settings.retry_first_s, ""
        while not self._closing.is_set():
            try:
                if await self._link_once(mail):
                    wait_s, told = self.settings.retry_first_s, ""
            except UsageError:  # the configuration cannot work, now or later
                raise
            except Exception as error:  # whatever a driver raises costs this attempt only
                known = isinstance(error, LinkError)
                text = str(error) if known else f"The protocol failed ({type(error).__name__}: {error})"
                if text != told:  # the same problem again and again is no news
                    mail.put(Told("lost", text, self.clock.now()))
                told = text
                if isinstance(error, DeviceRefused) or not known:
                    wait_s = self.settings.retry_most_s
            self.status.state = "lost"
            with suppress(TimeoutError):
                async with asyncio.timeout(self.clock.host_s(wait_s)):
                    await self._closing.wait()
            wait_s = min(2 * wait_s, self.settings.retry_most_s)

    async def _link_once(self, mail: Mailbox) -> bool:
        """One connection, from finding the device to losing it; False where the stream was given up."""
        self.status.state = "searching"
        device, advertisement = await self._find(mail)
        self.status.state, self.status.rssi_dbm = "connecting", advertisement.rssi
        session = Session(self.status, self.clock, self.settings, mail, self._closing, again=self.begun)
        try:
            async with asyncio.timeout(self.settings.attempt_s):
                client = await self.radio.connect(device, session.on_lost)
        except TimeoutError as error:
            raise LinkError(f"{self.pin.address} did not connect in {self.settings.attempt_s:g} s") from error
        if client.is_connected:  # a first attempt may have been lost, and a second one stands
            session.forgive()
        gatt = BleakGatt(client, session.deliver)
        driver: Driver | None = None
        try:
            driver = self._driver_for(gatt, advertisement.local_name or device.name or "")
            stream = await session.while_linked(self._start(driver, gatt, client, session))
            session.begin(stream)
            self.begun = True
            return await session.watch(driver, gatt)
        finally:
            if driver is not None and not session.lost.is_set():
                with suppress(Exception):  # a driver's mistake must not leave the link open
                    async with asyncio.timeout(GOODBYE_S):
                        await driver.stop(gatt)
            session.end()
            with suppress(BleakError, OSError, EOFError, TimeoutError):
                async with asyncio.timeout(GOODBYE_S):
                    await client.disconnect()

    async def _find(self, mail: Mailbox) -> Sighting:
        """Wait until it advertises, however long; that it takes long is told once."""
        with suppress(TimeoutError):
            async with asyncio.timeout(self.clock.host_s(self.settings.scan_s)):
                return await self.radio.find(self.pin.address)
        advice = "Wet the electrodes, wear the strap, and check that no phone holds it"
        text = f"{self.pin.address} has not been heard for {self.settings.scan_s:g} s and is waited for. {advice}"
        mail.put(Told("lost", text, self.clock.now()))
        return await self.radio.find(self.pin.address)

    async def _start(self, driver: Driver, gatt: BleakGatt, client: BleakClient, session: Session) -> Stream:
        """Start the stream; a device that asks for it is paired once."""
        try:
            return await driver.start(gatt, session.deliver)
        except NeedsPairing:
            if not self.pin.bond:
                raise
        try:
            async with asyncio.timeout(BOND_S):
                await client.pair()
        except (BleakError, OSError, TimeoutError, NotImplementedError) as error:  # macOS pairs by itself, and not here
            raise LinkError(
                f"Pairing with {self.pin.address} failed: {error}", "Pair it in the system's settings"
            ) from error
        return await driver.start(gatt, session.deliver)

    def _driver_for(self, gatt: BleakGatt, local_name: str) -> Driver:
        """The pinned protocol, or the one that fits; without its service, at last the protocol it falls back to."""
        if self._driver is None:
            chosen = self._choose(gatt, local_name)
            try:
                self._driver = chosen(**self.pin.options)
            except (TypeError, ValueError) as error:
                raise UsageError(f"{chosen.name} does not take the options {self.pin.options}: {error}") from error
        missing = [service for service in self._driver.services if not gatt.has(service)]
        if not missing:
            self._lacking = 0
            return self._driver
        self._lacking += 1
        other = fallback(type(self._driver))
        if other is not None and not self.begun:
            if self._lacking < LACKING_TWICE:
                raise LinkError(f"{self.pin.address} shows no service for {self._driver.name}", "It is looked at again")
            if all(gatt.has(service) for service in other.services):
                self._driver, self._lacking = other(), 0
                return self._driver
        raise DeviceRefused(
            f"{self.pin.address} has no service for {self._driver.name}",
            "Is it the right device, with its latest firmware?",
        )

    def _choose(self, gatt: BleakGatt, local_name: str) -> type[Driver]:
        known = drivers()
        if self.pin.protocol is not None:
            if self.pin.protocol not in known:
                raise UsageError(f"No protocol {self.pin.protocol!r}", f"Known: {', '.join(known)}")
            return known[self.pin.protocol]
        chosen = fitting([service for d in known.values() for service in d.services if gatt.has(service)], local_name)
        if chosen is None:
            raise DeviceRefused(f"{self.pin.address} speaks no protocol known here", f"Known: {', '.join(known)}")
        return chosen
