"""One connection's stream: what it delivers goes into the mailbox in order, its start first, its loss last."""

import asyncio
from collections import deque
from collections.abc import Coroutine
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

from edge.acquire.arrivals import ClockSet, LinkLost, LinkStatus, Received, Started, Told
from edge.acquire.driver import DeviceRefused, Driver, Gatt, Stream
from edge.acquire.host_clock import HostClock
from edge.acquire.mailbox import Mailbox
from edge.acquire.packets import Battery, Contact, Item, Rejected, RrPacket, SamplePacket, Stopped
from edge.errors import LinkError
from edge.settings import LinkSettings

T = TypeVar("T")
WATCH_EVERY_S = 0.25
MAX_RESTARTS = 3  # in a minute; a stream that ends more often is given up, and the link is made anew
RESTARTS_S = 60.0
RATES_HZ = (20.0, 20_000.0)  # nothing outside samples an ECG; a device that states such a rate is broken
MOST_LEADS = 64
NOTHING_YET = "connected, and no data yet; wet the electrodes and wear the strap"


@dataclass
class Session:
    """From the link's making to its end."""

    status: LinkStatus
    clock: HostClock
    settings: LinkSettings
    mail: Mailbox
    closing: asyncio.Event
    """The source has been told to end."""
    again: bool
    """The device has streamed before."""
    lost: asyncio.Event = field(default_factory=asyncio.Event)
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    state: Literal["starting", "streaming", "ended"] = "starting"
    begun: bool = False
    """Whether this connection has streamed."""
    early: list[Received] = field(default_factory=list)
    """What came while the stream was being started."""
    last_data_s: float = 0.0
    heard: bool = False
    told_silent: bool = False
    stopped: bool = False
    restarts: deque[float] = field(default_factory=deque)

    def on_lost(self) -> None:
        """From the radio: the link is lost."""
        self.lost.set()
        self.wake.set()

    def forgive(self) -> None:
        """The link stands after all."""
        self.lost.clear()
        self.wake.clear()

    def deliver(self, item: Item) -> None:
        """From the radio's callbacks."""
        if self.state == "ended":
            return
        status, now_s = self.status, self.clock.now()
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
                if self.stopped:  # told already
                    return
                self.stopped = True
                self.wake.set()
            case SamplePacket() | RrPacket():
                if isinstance(item, RrPacket):
                    status.contact = item.contact
                self._hear(now_s)
            case _:
                pass
        received = Received(item, now_s)
        if self.state == "starting":
            if len(self.early) < self.settings.frame_queue:  # a start may take half a minute with pairing
                self.early.append(received)
            else:
                self.mail.dropped += 1
        else:
            self.mail.put(received)

    async def while_linked(self, work: Coroutine[Any, Any, T]) -> T:
        """What the work returns; LinkError as soon as the link is lost, without waiting for an answer in vain."""
        working, losing = asyncio.ensure_future(work), asyncio.ensure_future(self.lost.wait())
        try:
            await asyncio.wait({working, losing}, return_when=asyncio.FIRST_COMPLETED)
            if working.done():
                return working.result()
            raise LinkError("The link was lost while the stream was being started")
        finally:
            working.cancel()
            losing.cancel()
            await asyncio.gather(working, losing, return_exceptions=True)

    def begin(self, stream: Stream) -> None:
        """The stream runs: say so, then hand on what came meanwhile. DeviceRefused for one that cannot be."""
        low_hz, high_hz = RATES_HZ
        if (stream.leads and not low_hz <= stream.fs_hz <= high_hz) or len(stream.leads) > MOST_LEADS:
            raise DeviceRefused(
                f"{stream.protocol} states {stream.fs_hz:g} Hz for {len(stream.leads)} leads", "Reset it"
            )
        now_s = self.clock.now()
        if not self.begun:
            self.status.reconnects += self.again
        self.status.state, self.status.protocol, self.status.device = "streaming", stream.protocol, stream.device
        self.mail.put(Started(stream, now_s))
        if not self.begun:
            again = " again" if self.again else ""
            self.mail.put(Told("connected", f"{stream.device or stream.protocol}{again}", now_s))
            self.last_data_s = now_s
        self.begun, self.state = True, "streaming"
        self._flush()

    def end(self) -> None:
        """The connection is over; an end that was asked for is no news. Nothing is delivered afterwards."""
        cause = "link lost" if self.lost.is_set() else "stopped" if self.closing.is_set() else "link made anew"
        if self.begun:
            self._flush()
            now_s = self.clock.now()
            self.mail.put(LinkLost(now_s, cause))
            if not self.closing.is_set():
                self.mail.put(Told("lost", cause, now_s))
        self.state, self.status.silent_s = "ended", None

    async def watch(self, driver: Driver, gatt: Gatt) -> bool:
        """Until the link is lost or to be closed (True), or the stream is given up (False)."""
        clock, settings = self.clock, self.settings
        while not (self.lost.is_set() or self.closing.is_set()):
            with suppress(TimeoutError):
                async with asyncio.timeout(clock.host_s(WATCH_EVERY_S)):
                    await self.wake.wait()
            self.wake.clear()
            if self.lost.is_set():
                break
            if step_s := clock.step():
                self.mail.put(ClockSet(step_s))
            quiet_s = clock.now() - self.last_data_s
            self.status.silent_s = quiet_s
            if not self.told_silent and quiet_s > settings.silent_s:
                self.told_silent, self.status.state = True, "silent"
                text = f"no data for {settings.silent_s:g} s" if self.heard else NOTHING_YET
                self.mail.put(Told("silent", text, clock.now()))
            restart_s = settings.restart_s if self.heard else settings.first_data_s
            reconnect_s = settings.reconnect_s if self.heard else settings.first_data_s + settings.restart_s
            while self.restarts and clock.now() - self.restarts[0] > RESTARTS_S:
                self.restarts.popleft()
            if quiet_s > reconnect_s or (self.stopped and len(self.restarts) >= MAX_RESTARTS):
                return False
            restarted = bool(self.restarts) and self.restarts[-1] > self.last_data_s
            if self.stopped or (quiet_s > restart_s and not restarted):
                self.stopped = False
                self.restarts.append(clock.now())
                await self._restart(driver, gatt)
        return True

    async def _restart(self, driver: Driver, gatt: Gatt) -> None:
        """Stop and start a stream that fell silent or was ended by the device."""
        self.state = "starting"
        await driver.stop(gatt)
        self.begin(await self.while_linked(driver.start(gatt, self.deliver)))

    def _hear(self, now_s: float) -> None:
        if self.told_silent:
            silent_s = now_s - self.last_data_s
            what = "data again" if self.heard else "first data"
            self.mail.put(Told("connected", f"{what} after {silent_s:.1f} s", now_s))
            self.status.state, self.told_silent = "streaming", False
        self.heard, self.last_data_s = True, now_s
        self.status.silent_s = 0.0

    def _flush(self) -> None:
        early, self.early = self.early, []
        for received in early:
            self.mail.put(received)
