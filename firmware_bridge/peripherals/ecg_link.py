"""A virtual self-built wearable that speaks the ECG link: it keeps what it measured and sends it when asked."""

import asyncio
import math
import secrets
from dataclasses import dataclass

from bumble.device import Connection
from bumble.gatt import Service

from edge.types import Recording
from firmware_bridge.air import Air
from firmware_bridge.faults import FaultScript, during
from firmware_bridge.link.device import STOP_COMMAND, LinkDevice
from firmware_bridge.link.frame import LinkFrame, decode_frame
from firmware_bridge.link.info import CONTROL, DATA, INFO, LEAD_NAMES, SERVICE, LinkInfo, LinkLead
from firmware_bridge.peripherals.attributes import battery_service, notifying, readable, service
from firmware_bridge.peripherals.converter import Converter, Counts
from firmware_bridge.peripherals.pacing import stream_from
from firmware_bridge.peripherals.peripheral import Peripheral

PICOVOLT_PER_MV = 1_000_000_000
CHUNK_S = 0.1  # samples are handed on this often
STALL_LOOK_S = 0.1  # how often a silent device looks whether its stall is over


@dataclass(frozen=True, slots=True)
class EcgLinkOptions:
    """What a builder decides."""

    fs_hz: float | None = None
    """Sampling rate; None is the recording's."""
    pv_per_count: int = 1_000_000
    """Picovolts per count."""
    mtu: int = 247
    """Smallest MTU at which it streams; its frames fill it."""
    ring_frames: int = 240
    frame_s: float = 0.5
    """A frame holds at most this long."""
    battery: int | None = 80
    """Level in percent that its frames state."""


class EcgLinkDevice(Peripheral):
    """All leads of the recording, sampled from power-up on, connected or not; `measured` gives the counts.

    At top speed it samples only while it streams.
    """

    default_name = "ECG link 0001"
    default_address = "F1:00:00:00:00:60"
    advertised = (SERVICE,)

    def __init__(
        self,
        air: Air,
        recording: Recording,
        *,
        options: EcgLinkOptions | None = None,
        faults: FaultScript | None = None,
        speed: float = 1.0,
        loop: bool = False,
        name: str | None = None,
        address: str | None = None,
    ) -> None:
        super().__init__(air, recording, faults=faults, speed=speed, loop=loop, name=name, address=address)
        self.options = options or EcgLinkOptions()
        leads = recording.info.leads
        fs_hz = self.options.fs_hz or recording.info.fs_hz
        self.converter = Converter(
            recording,
            fs_hz * (1 + self.faults.rate_percent / 100),
            PICOVOLT_PER_MV / self.options.pv_per_count,
            (-(2**23), 2**23 - 1),
            tuple(range(len(leads))),
            loop=loop,
            lead_off=self.faults.lead_off,
            seed=self.faults.seed,
        )
        info = LinkInfo(
            device_id=b"virtual\0",
            leads=tuple(LinkLead(_lead_name(lead.name), self.options.pv_per_count) for lead in leads),
            rate_mhz=round(fs_hz * 1000),
            mtu=self.options.mtu,
        )
        self.link = LinkDevice(info, self.options.ring_frames, max(1, round(self.options.frame_s * fs_hz)), _new_boot())
        self.powered_at = 0
        """Index of the first sample since the latest power-up."""
        self._all_leads = (1 << len(leads)) - 1
        self._info = readable(INFO, self.link.info.to_bytes())
        self._data = notifying(DATA)
        self._control = self.control(CONTROL, self._on_command)
        self._sampling = stream_from(
            0.0, self.converter.fs_hz, self._sample, max(1, round(CHUNK_S * fs_hz)), leads=False
        )
        self._to_send = asyncio.Event()

    def measured(self, first: int, n: int) -> Counts:
        """Counts of samples [first, first + n) since the device was switched on, shape (n, n_leads)."""
        return self.converter.measured(first, n)

    def services(self) -> list[Service]:
        """The ECG link and the battery."""
        return [battery_service(self.options.battery or 0), service(SERVICE, self._info, self._data, self._control)]

    async def start(self) -> None:
        """Switch on: sampling begins whether or not somebody listens."""
        await super().start()
        self.add_stream(self._sampling)
        self.spawn(self._send_frames())

    def on_disconnected(self) -> None:
        """The link ends, sampling does not."""
        self.link.disconnected()
        self._go_on_sampling()

    def on_device_stop(self) -> None:
        """The device ends the stream; nothing tells the client."""
        self.link.command(STOP_COMMAND, self.options.mtu)
        self._go_on_sampling()

    def on_power_loss(self) -> None:
        """What the ring held is gone."""
        self.powered_at = self._sampling.next_sample = math.ceil(self.now_s * self.converter.fs_hz)
        self.link.power_cycle((self.link.boot + 1) % 2**16)

    def _go_on_sampling(self) -> None:
        self._sampling.leads = False
        if not self.ended.is_set() and not self.is_running(self._sampling):
            self.add_stream(self._sampling)

    def _on_command(self, connection: Connection, command: bytes) -> None:
        self.indicate(connection, self._control, self.link.command(command, connection.att_mtu))
        if self.link.streaming:
            self.sent.first_sample = None  # until the first frame says
        self._sampling.leads = self.link.streaming
        self.wake()
        self._to_send.set()

    def _sample(self, first: int, n: int) -> None:
        counts = self.measured(first, n)
        if len(counts):
            lost = not self.converter.contact(first, len(counts)).all()
            time_ms = self.clock_ns(first / self.converter.fs_hz) // 1_000_000
            self.link.sample(counts, time_ms % 2**32, self._all_leads if lost else 0, self.options.battery)
            self.sent.samples += len(counts)
            self._to_send.set()
        if len(counts) < n:
            self.remove_stream(self._sampling)
            self.ended.set()

    async def _send_frames(self) -> None:
        while True:
            if during(self.faults.stalls, self.now_s):
                await asyncio.sleep(STALL_LOOK_S / self.speed if self.speed else 0)
                continue
            mtu = min((client.att_mtu for client in self.clients), default=0)
            value = self.link.next_value(mtu) if mtu else None
            if value is None:
                self._to_send.clear()
                await self._to_send.wait()
                continue
            if self.sent.first_sample is None and isinstance(frame := decode_frame(value), LinkFrame):
                self.sent.first_sample = self.powered_at + frame.counter
            self.notify(self._data, value, self.now_s)
            await self.drained()


def _new_boot() -> int:
    """What a device would count in its flash memory: another number at every power-up."""
    return secrets.randbelow(2**16)


def _lead_name(name: str) -> str:
    known = {known.lower(): known for known in LEAD_NAMES}
    return known.get(name.lower(), LEAD_NAMES[0])
