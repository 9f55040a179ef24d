"""What all virtual wearables share: advertising, connections, pacing, and the faults of their link."""

import asyncio
import contextlib
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from functools import partial
from typing import Any

from bumble import att
from bumble.device import Connection, Device
from bumble.gatt import GATT_CLIENT_CHARACTERISTIC_CONFIGURATION_DESCRIPTOR as CCCD
from bumble.gatt import Characteristic, Service

from edge.types import Recording
from firmware_bridge.air import Air
from firmware_bridge.faults import FaultScript, LinkFaults, during
from firmware_bridge.peripherals.attributes import INDICATE, READ, WRITE, advertisement, characteristic, no_reading
from firmware_bridge.peripherals.pacing import Stream, clock_s, happenings

ADVERTISING_MS = 20.0
MOST_QUEUED = 32  # packets between host and controller; above it a device that hurries waits


@dataclass(slots=True)
class Sent:
    """What a wearable has handed to its link; what became of it there counts `Peripheral.link_faults`."""

    notifications: int = 0
    samples: int = 0
    first_sample: int | None = None
    """Index of the first sample of the latest stream, as `measured` counts."""


class Peripheral:
    """A virtual wearable on an air.

    `speed` is a multiple of real time, 0 as fast as the link takes it. `loop` begins the recording again at its
    end; otherwise the device stays connected and silent from there on. Times of `faults` are those of the
    device, which started with sample 0; what is measured while nobody listens is not sent.
    """

    default_name = "Wearable"
    default_address = "F1:00:00:00:00:01"
    max_mtu = 247
    advertised: tuple[int | str, ...] = ()
    """Service UUIDs in the advertisement."""
    manufacturer_data: tuple[int, bytes] | None = None

    def __init__(
        self,
        air: Air,
        recording: Recording,
        *,
        faults: FaultScript | None = None,
        speed: float = 1.0,
        loop: bool = False,
        name: str | None = None,
        address: str | None = None,
    ) -> None:
        self.air = air
        self.recording = recording
        self.faults = faults or FaultScript()
        self.speed = speed
        self.loop = loop
        self.name = name or self.default_name
        self.address = (address or self.default_address).upper()
        self.link_faults = LinkFaults(self.faults)
        self.sent = Sent()
        self.clients: list[Connection] = []
        self.ended = asyncio.Event()
        """Set when the recording is over and the device goes on without a signal."""
        self._device: Device | None = None
        self._streams: list[Stream] = []
        self._happenings = happenings(self.faults)
        self._changed = asyncio.Event()
        self._began = 0.0
        self._flood_s = 0.0
        self._tasks: set[asyncio.Task[Any]] = set()

    # What a kind of wearable fills in.

    def services(self) -> list[Service]:
        """The GATT services of this kind of wearable."""
        raise NotImplementedError

    def on_connected(self) -> None:
        """A client has come."""

    def on_subscription(self, characteristic: Characteristic[bytes], *, wanted: bool) -> None:
        """A client has subscribed, or (`wanted` is False) no client is subscribed any more."""

    def on_disconnected(self) -> None:
        """No client is left, and no stream."""

    def on_device_stop(self) -> None:
        """The device ends its streams by itself; they are already gone."""

    def on_power_loss(self) -> None:
        """The device has lost its power: clock and counters start anew, links are gone."""

    # Life.

    async def start(self) -> None:
        """Switch on: the clock runs, sampling starts, the device advertises."""
        device = await self.air.device(self.name, self.address)
        self._device = device
        device.gatt_server.max_mtu = min(self.max_mtu, self.faults.max_mtu or self.max_mtu)
        device.add_services(self.services())
        self._watch_subscriptions(device)
        if self.faults.interval_ms is not None:
            low_ms, high_ms = self.faults.interval_ms
            shortened = 1000 * (self.speed or 1.0)
            self.air.delay(self.address, low_ms / shortened, high_ms / shortened)
        device.on(Device.EVENT_CONNECTION, self._on_connection)
        self._began = asyncio.get_running_loop().time()
        self.spawn(self._run())
        await self._advertise()

    async def stop(self) -> None:
        """Switch off and leave the air; links time out."""
        tasks, self._tasks = self._tasks, set()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        device, self._device = self._device, None
        if device is not None:
            await device.stop_advertising()
            self.air.remove(device)
            await asyncio.sleep(0)
            await device.power_off()

    @property
    def now_s(self) -> float:
        """Seconds since the device was switched on, by its own crystal."""
        if self.speed == 0:
            return self._flood_s
        elapsed_s = (asyncio.get_running_loop().time() - self._began) * self.speed
        return elapsed_s * (1 + self.faults.drift_ppm * 1e-6)

    def clock_ns(self, at_s: float) -> int:
        """What the device's clock shows at a device time, in nanoseconds since its start value."""
        return round(clock_s(self.faults, at_s) * 1e9)

    # Streams.

    def add_stream(self, stream: Stream) -> None:
        """Begin to send."""
        self._streams.append(stream)
        self._changed.set()

    def wake(self) -> None:
        """Something about the streams has changed."""
        self._changed.set()

    def is_running(self, stream: Stream | None) -> bool:
        """Whether a stream was added and has not ended."""
        return stream in self._streams

    def remove_stream(self, stream: Stream | None) -> None:
        """End a stream; nothing happens when it has ended."""
        if stream is not None and stream in self._streams:
            self._streams.remove(stream)
            self._changed.set()

    async def _run(self) -> None:
        while True:
            passes = self.speed > 0 or any(stream.leads for stream in self._streams)
            stream = min(self._streams, key=lambda s: s.due_s, default=None) if passes else None
            happening = self._happenings[-1] if self._happenings else None
            if happening and (stream is None or happening.at_s <= stream.due_s):
                if passes and await self._reached(happening.at_s):
                    self._happenings.pop()
                    self._happen(happening.kind)
                    continue
            elif stream is not None and await self._reached(stream.due_s):
                if self.is_running(stream):  # it may have been stopped meanwhile
                    stream.send(stream.next_sample, stream.size)
                    stream.sent()
                    await self.drained()
                continue
            if stream is None and (happening is None or not self.speed):
                await self._changed.wait()
                self._changed.clear()

    async def _reached(self, due_s: float) -> bool:
        """Wait for a device time; False when something changed before it came."""
        if self.speed == 0:
            self._flood_s = max(self._flood_s, due_s)
            return True
        loop = asyncio.get_running_loop()
        due = self._began + due_s / (1 + self.faults.drift_ppm * 1e-6) / self.speed
        if due <= loop.time():
            return True
        timer = loop.call_at(due, self._changed.set)
        await self._changed.wait()
        self._changed.clear()
        timer.cancel()
        return due <= loop.time()

    async def drained(self) -> None:
        """Let the link take what was sent."""
        await asyncio.sleep(0)
        while self._busy():  # noqa: ASYNC110 - bumble has no event for it
            await asyncio.sleep(0.001 if self.air.congested else 0)

    def _busy(self) -> bool:
        return self.air.congested or any(self._queued(client) > MOST_QUEUED for client in self.clients)

    def _queued(self, client: Connection) -> int:
        queue = client.device.host.get_data_packet_queue(client.handle)
        return queue.pending if queue else 0

    def _happen(self, kind: str) -> None:
        if kind == "device_stop":
            self._streams_end()
            self.on_device_stop()
            return
        self.air.drop(self.address)
        if kind == "power_loss":
            self.on_power_loss()

    def _streams_end(self) -> None:
        self._streams.clear()
        self._changed.set()

    # The link.

    def notify(self, characteristic: Characteristic[bytes], value: bytes, at_s: float) -> None:
        """Send a notification to every client that subscribed, with the script's faults."""
        self.sent.notifications += 1
        if during(self.faults.stalls, at_s):
            return
        for arriving in self.link_faults.arriving(characteristic.handle, value, at_s):
            for client in self.clients:
                self._notify_one(client, characteristic, arriving)

    def tell(self, characteristic: Characteristic[bytes], value: bytes) -> None:
        """Send a notification that answers a command; it suffers no faults and comes after the write's response."""

        async def send() -> None:
            for client in self.clients:
                self._notify_one(client, characteristic, value)

        self.spawn(send())

    def indicate(self, connection: Connection, characteristic: Characteristic[bytes], value: bytes) -> None:
        """Send an indication after what is being answered; it suffers no faults."""

        async def send() -> None:
            # The link may be lost before the confirmation comes.
            with contextlib.suppress(asyncio.CancelledError, Exception):
                await connection.device.indicate_subscriber(connection, characteristic, value)

        self.spawn(send())

    def subscribed(self, characteristic: Characteristic[bytes]) -> bool:
        """Whether a client wants its notifications."""
        return any(self._wants(client, characteristic) for client in self.clients)

    def _wants(self, client: Connection, characteristic: Characteristic[bytes]) -> bool:
        bits = client.device.gatt_server.subscribers.get(client, {}).get(characteristic.handle)
        return bool(bits and bits[0] & 1)

    def _notify_one(self, client: Connection, characteristic: Characteristic[bytes], value: bytes) -> None:
        if self._wants(client, characteristic):
            pdu = att.ATT_Handle_Value_Notification(
                attribute_handle=characteristic.handle, attribute_value=value[: client.att_mtu - 3]
            )
            client.device.gatt_server.send_gatt_pdu(client, bytes(pdu))

    def _on_connection(self, connection: Connection) -> None:
        self.clients.append(connection)
        connection.on(Connection.EVENT_DISCONNECTION, lambda _reason: self._on_disconnection(connection))
        self.on_connected()
        if self.faults.two_clients and len(self.clients) < 2:
            self.spawn(self._advertise())

    def _on_disconnection(self, connection: Connection) -> None:
        if connection in self.clients:
            self.clients.remove(connection)
        self.link_faults.link_lost()
        if not self.clients:
            self._streams_end()
            self.on_disconnected()
        if self._device is not None:
            self.spawn(self._advertise())

    async def _advertise(self) -> None:
        device = self._device
        if device is None:
            return
        await device.start_advertising(
            advertising_data=advertisement(self.name, self.advertised, self.manufacturer_data),
            advertising_interval_min=ADVERTISING_MS,
            advertising_interval_max=ADVERTISING_MS,
        )

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run something until the device is switched off."""
        task = asyncio.create_task(work, name=f"virtual {self.name}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def control(
        self,
        uuid: int | str,
        on_write: Callable[[Connection, bytes], None],
        read: Callable[[Connection], bytes] | None = None,
        properties: Characteristic.Properties = WRITE | INDICATE,
    ) -> Characteristic[bytes]:
        """A characteristic that takes commands; with pairing demanded it refuses until the link is encrypted."""

        def write(connection: Connection, value: bytes) -> None:
            self._check_paired(connection)
            on_write(connection, bytes(value))

        def checked(connection: Connection) -> bytes:
            self._check_paired(connection)
            return no_reading(connection) if read is None else read(connection)

        return characteristic(uuid, properties | READ if read else properties, checked, write)

    def _check_paired(self, connection: Connection) -> None:
        if self.faults.pairing and not connection.is_encrypted:
            raise att.ATT_Error(att.ATT_INSUFFICIENT_AUTHENTICATION_ERROR)

    def _watch_subscriptions(self, device: Device) -> None:
        for attribute in device.gatt_server.attributes:
            if isinstance(attribute, Characteristic):
                attribute.on(Characteristic.EVENT_SUBSCRIPTION, partial(self._on_subscription, attribute))
            if attribute.type == CCCD and isinstance(attribute.value, att.AttributeValueV2):
                attribute.value = att.AttributeValueV2(attribute.value.read, self._guarded(attribute.value.write))

    def _on_subscription(self, characteristic: Characteristic[bytes], *_bits: object) -> None:
        self.on_subscription(characteristic, wanted=self.subscribed(characteristic))

    def _guarded(self, write: Callable[[Any, bytes], Any]) -> Callable[[Any, bytes], Any]:
        def guarded(bearer: Any, value: bytes) -> Any:
            self._check_paired(bearer)
            return write(bearer, value)

        return guarded
