"""A wearable over Bluetooth LE: found by its pinned address, connected, started, watched, and found again for ever.

The link's rules come from what fails in the field: subscribe before start; a stream may fall silent without a
disconnection; a device may end the stream by itself; every attempt takes a new client; always stop on the way out.
"""

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field

from bleak import BleakClient
from bleak.exc import BleakError

from edge.acquire.arrivals import ClockSet, LinkLost, LinkStatus, Received, Started, Told
from edge.acquire.driver import DeviceRefused, Driver, NeedsPairing, Stream
from edge.acquire.gatt import BleakGatt
from edge.acquire.host_clock import HostClock
from edge.acquire.mailbox import Mailbox
from edge.acquire.packets import Battery, Contact, Item, Rejected, RrPacket, SamplePacket, Stopped
from edge.acquire.pins import Pin
from edge.acquire.radio import Radio, Sighting
from edge.acquire.registry import drivers, fallback, fitting
from edge.errors import LinkError, UsageError
from edge.settings import LinkSettings

WATCH_EVERY_S = 0.25
CLOCK_STEP_S = 0.5  # smaller steps of this computer's clock are its ordinary correction
GOODBYE_S = 3.0  # for the stop command on the way out; the strap would go on until its battery is empty
FAREWELL_S = 2 * GOODBYE_S + 1  # for the stop command and the disconnection
BOND_S = 30.0  # SMP's own timeout
MAX_RESTARTS = 3  # of a stream that the device ends again and again; then the link is made anew
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
        return None if self.status.state == "ended" else self.clock.now()

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
        wait_s = self.settings.retry_first_s
        try:
            while not self._closing.is_set():
                try:
                    await self._link_once(mail)
                    wait_s = self.settings.retry_first_s
                except DeviceRefused as error:
                    mail.put(Told("lost", str(error), self.clock.now()))
                    wait_s = self.settings.retry_most_s
                except LinkError as error:
                    mail.put(Told("lost", str(error), self.clock.now()))
                self.status.state = "lost"
                with suppress(TimeoutError):
                    async with asyncio.timeout(self.clock.host_s(wait_s)):
                        await self._closing.wait()
                wait_s = min(2 * wait_s, self.settings.retry_most_s)
        finally:
            self.radio.forget(self.pin.address)

    async def _link_once(self, mail: Mailbox) -> None:
        """One connection, from finding the device to losing it; LinkError where it never streamed."""
        self.status.state = "searching"
        device, advertisement = await self._find(mail)
        self.status.state, self.status.rssi_dbm = "connecting", advertisement.rssi
        session = _Session(self, mail)
        lost = session.lost
        try:
            async with asyncio.timeout(self.settings.attempt_s):
                client = await self.radio.connect(device, session.on_lost)
        except TimeoutError as error:
            raise LinkError(f"{self.pin.address} did not connect in {self.settings.attempt_s:g} s") from error
        gatt = BleakGatt(client, session.deliver)
        driver: Driver | None = None
        try:
            driver = self._driver_for(gatt, advertisement.local_name or device.name or "")
            await session.begin(await self._start(driver, gatt, client, session))
            await session.watch(driver, gatt)
        finally:
            if driver is not None and not lost.is_set():
                with suppress(TimeoutError, LinkError):
                    async with asyncio.timeout(GOODBYE_S):
                        await driver.stop(gatt)
            cause = "link lost" if lost.is_set() else "stopped" if self.is_closing else "link made anew"
            session.end(cause, told=not self.is_closing)
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

    async def _start(self, driver: Driver, gatt: BleakGatt, client: BleakClient, session: "_Session") -> Stream:
        """Start the stream; a device that asks for it is paired once."""
        try:
            return await driver.start(gatt, session.deliver)
        except NeedsPairing:
            if not self.pin.bond:
                raise
        try:
            async with asyncio.timeout(BOND_S):
                await client.pair()
        except (BleakError, OSError, TimeoutError, NotImplementedError) as error:
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


@dataclass
class _Session:
    """One connection's stream: what it delivers goes into the mailbox in order, its start first."""

    source: StrapSource
    mail: Mailbox
    lost: asyncio.Event = field(default_factory=asyncio.Event)
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    early: list[Received] | None = field(default_factory=list)
    """What came before the stream was known; None afterwards."""
    last_data_s: float = 0.0
    heard: bool = False
    told_silent: bool = False
    stopped: bool = False

    def on_lost(self) -> None:
        """From the radio: the link is lost."""
        self.lost.set()
        self.wake.set()

    def deliver(self, item: Item) -> None:
        """From the radio's callbacks."""
        status, now_s = self.source.status, self.source.clock.now()
        match item:
            case Rejected():
                status.rejected += 1
                return
            case Battery():
                status.battery_percent = item.percent
            case Contact():
                news = item.leads or status.contact not in {None, item.on} or not item.on
                status.contact = item.on
                if not news:
                    return
            case Stopped():
                self.stopped = True
                self.wake.set()
            case SamplePacket() | RrPacket():
                if isinstance(item, RrPacket):
                    status.contact = item.contact
                self._hear(now_s)
            case _:
                pass
        received = Received(item, now_s)
        if self.early is not None:
            self.early.append(received)
        else:
            self.mail.put(received)

    async def begin(self, stream: Stream) -> None:
        """The stream runs: say so, then hand on what came meanwhile."""
        source, now_s = self.source, self.source.clock.now()
        source.status.state, source.status.protocol = "streaming", stream.protocol
        source.status.device = stream.device
        source.status.reconnects += source.begun
        self.mail.put(Started(stream, now_s))
        again = " again" if source.begun else ""
        source.begun = True
        self.mail.put(Told("connected", f"{stream.device or stream.protocol}{again}", now_s))
        self._flush()
        self.last_data_s = now_s

    def end(self, cause: str, *, told: bool) -> None:
        """The connection is over; an end that was asked for is no news."""
        if self.early is None:
            now_s = self.source.clock.now()
            self.mail.put(LinkLost(now_s, cause))
            if told:
                self.mail.put(Told("lost", cause, now_s))
        self.early = None

    async def watch(self, driver: Driver, gatt: BleakGatt) -> None:
        """Until the link is lost or so silent that it must be made anew."""
        settings, clock = self.source.settings, self.source.clock
        restarted = 0
        while not (self.lost.is_set() or self.source.is_closing):
            with suppress(TimeoutError):
                async with asyncio.timeout(clock.host_s(WATCH_EVERY_S)):
                    await self.wake.wait()
            self.wake.clear()
            if self.lost.is_set():
                return
            if abs(step_s := clock.step()) > CLOCK_STEP_S:
                self.mail.put(ClockSet(step_s))
            quiet_s = clock.now() - self.last_data_s
            self.source.status.silent_s = quiet_s
            if self.heard and not self.told_silent and quiet_s > settings.silent_s:
                self.told_silent, self.source.status.state = True, "silent"
                self.mail.put(Told("silent", f"no data for {settings.silent_s:g} s", clock.now()))
            if quiet_s < settings.silent_s and not self.stopped:
                restarted = 0
            restart_s = settings.restart_s if self.heard else settings.first_data_s
            reconnect_s = settings.reconnect_s if self.heard else settings.first_data_s + settings.restart_s
            if quiet_s > reconnect_s or (self.stopped and restarted >= MAX_RESTARTS):
                return
            if self.stopped or (quiet_s > restart_s and not restarted):
                restarted, self.stopped = restarted + 1, False
                await self._restart(driver, gatt)

    async def _restart(self, driver: Driver, gatt: BleakGatt) -> None:
        """Stop and start a stream that fell silent or was ended by the device."""
        self.early = []
        await driver.stop(gatt)
        stream = await driver.start(gatt, self.deliver)
        self.mail.put(Started(stream, self.source.clock.now()))
        self._flush()

    def _hear(self, now_s: float) -> None:
        if self.told_silent:
            silent_s = now_s - self.last_data_s
            self.mail.put(Told("connected", f"data again after {silent_s:.1f} s", now_s))
            self.source.status.state, self.told_silent = "streaming", False
        self.heard, self.last_data_s = True, now_s
        self.source.status.silent_s = 0.0

    def _flush(self) -> None:
        early, self.early = self.early or [], None
        for received in early:
            self.mail.put(received)
