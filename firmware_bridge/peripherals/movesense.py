"""A virtual Movesense sensor: ECG by the open sample protocol, or by the extended dialect (GSP) of newer firmware."""

import re
import struct
from dataclasses import dataclass

from bumble.device import Connection
from bumble.gatt import Service

from edge.inputs import analysis_lead
from edge.types import Recording
from firmware_bridge.air import Air
from firmware_bridge.faults import FaultScript
from firmware_bridge.peripherals.attributes import MANUFACTURER, MODEL, WRITE, information_service, notifying, service
from firmware_bridge.peripherals.converter import Converter, Counts
from firmware_bridge.peripherals.pacing import Stream, stream_from
from firmware_bridge.peripherals.peripheral import Peripheral

SERVICE = "34802252-7185-4d5d-b431-630e7050e8f0"
COMMAND = "34800001-7185-4d5d-b431-630e7050e8f0"
DATA = "34800002-7185-4d5d-b431-630e7050e8f0"

HELLO, SUBSCRIBE, UNSUBSCRIBE = 0, 1, 2
RESULT, PART_1, PART_2 = 1, 2, 3
RATES_HZ = (125, 128, 200, 250, 256, 500, 512)
COUNTS_PER_MV = 1 / 0.000381469726563
MOST_SUBSCRIPTIONS = 4
FIRST_PART_BYTES = 150
NO_FREE_SLOT = 507
SUCCESS, UNSUPPORTED, UNKNOWN = 200, 501, 404  # 404 is HTTP's; which one the firmware gives is not documented

_PATH = re.compile(rb"/Meas/ECG/(\d{1,4})(/mV)?\0?")


@dataclass(frozen=True, slots=True)
class MovesenseOptions:
    """Which firmware it is."""

    extended: bool = False
    """The extended dialect: answers carry a status, HELLO tells names."""
    packet_samples: int = 16
    """Samples of a packet; from 37 on, raw packets come in two notifications."""
    jitter_ms: int = 0
    """Each time stamp is wrong by up to this, either way."""
    second_part: bool = True
    """Some firmware never sent the second part of a split packet."""


class Movesense(Peripheral):
    """ECG at the rate that a client subscribes to; `measured` gives the counts at that rate."""

    default_name = "Movesense 000000000001"
    default_address = "F1:00:00:00:00:20"
    advertised = (SERVICE,)

    def __init__(
        self,
        air: Air,
        recording: Recording,
        *,
        options: MovesenseOptions | None = None,
        faults: FaultScript | None = None,
        speed: float = 1.0,
        loop: bool = False,
        name: str | None = None,
        address: str | None = None,
    ) -> None:
        super().__init__(air, recording, faults=faults, speed=speed, loop=loop, name=name, address=address)
        self.options = options or MovesenseOptions()
        self._command = self.control(COMMAND, self._on_command, properties=WRITE)
        self._data = notifying(DATA)
        self._subscriptions: dict[int, Stream] = {}
        self._converters: dict[int, Converter] = {}
        self._latest_hz = RATES_HZ[0]

    def converter(self, rate_hz: int) -> Converter:
        """The converter at a nominal rate."""
        if rate_hz not in self._converters:
            self._converters[rate_hz] = Converter(
                self.recording,
                rate_hz * (1 + self.faults.rate_percent / 100),
                COUNTS_PER_MV,
                (-(2**17), 2**17 - 1),
                (analysis_lead(self.recording.info.leads),),
                loop=self.loop,
                lead_off=self.faults.lead_off,
                seed=self.faults.seed,
            )
        return self._converters[rate_hz]

    def measured(self, first: int, n: int, rate_hz: int | None = None) -> Counts:
        """Raw counts of samples [first, first + n) since power-up, shape (n, 1); by default at the latest rate."""
        return self.converter(rate_hz or self._latest_hz).measured(first, n)

    def services(self) -> list[Service]:
        """Device information and the sensor data service."""
        return [
            information_service({MANUFACTURER: "Movesense", MODEL: "virtual"}),
            service(SERVICE, self._command, self._data),
        ]

    def on_disconnected(self) -> None:
        """Subscriptions end with the link."""
        self._subscriptions.clear()

    def on_device_stop(self) -> None:
        """Nothing tells the client."""
        self._subscriptions.clear()

    def _on_command(self, _connection: Connection, command: bytes) -> None:
        if len(command) < 2 or command[1] == 0:
            return  # the reference must not be 0; what such a command is answered is not documented
        op, reference, data = command[0], command[1], command[2:]
        if op == HELLO:
            names = b"000000000001\0Movesense\000000000000000\0virtual\0001.0\0"
            self._answer(reference, b"\x01" + names if self.options.extended else b"Hello")
        elif op == SUBSCRIBE:
            self._subscribe(reference, data)
        elif op == UNSUBSCRIBE:
            self.remove_stream(self._subscriptions.pop(reference, None))
            self._status(reference, SUCCESS)
        else:
            self._status(reference, UNSUPPORTED)

    def _subscribe(self, reference: int, path: bytes) -> None:
        match = _PATH.fullmatch(path)
        if self.options.extended and not path.endswith(b"\0"):
            match = None
        if len(self._subscriptions) >= MOST_SUBSCRIPTIONS:
            if self.options.extended:
                self._status(reference, NO_FREE_SLOT)
            else:
                self._answer(reference, NO_FREE_SLOT.to_bytes(2, "big"))
            return
        if match is None:
            self._status(reference, UNKNOWN)
            return
        rate_hz, in_mv = int(match[1]), match[2] is not None
        if rate_hz not in RATES_HZ:
            self._status(reference, UNSUPPORTED)
            return
        converter = self.converter(rate_hz)
        self._latest_hz = rate_hz

        def send(first: int, n: int) -> None:
            self._send_ecg(reference, converter, first, n, in_mv=in_mv)

        stream = stream_from(self.now_s + self.faults.first_frame_s, converter.fs_hz, send, self.options.packet_samples)
        self.remove_stream(self._subscriptions.get(reference))
        self._subscriptions[reference] = stream
        self.sent.first_sample = stream.next_sample
        self.add_stream(stream)
        self._status(reference, SUCCESS)

    def _send_ecg(self, reference: int, converter: Converter, first: int, n: int, *, in_mv: bool) -> None:
        counts = converter.measured(first, n)
        if len(counts) < n:
            self.remove_stream(self._subscriptions.pop(reference, None))
            self.ended.set()
            return
        self.sent.samples += n
        at_s = first / converter.fs_hz
        # Which sample the time belongs to is not documented; clients take the first.
        stamp_ms = self.clock_ns(at_s) // 1_000_000 + self._jitter_ms(first)
        if in_mv:
            microvolts = (counts * (1000 / COUNTS_PER_MV)).round().clip(-(2**15), 2**15 - 1)
            body = microvolts.astype("<i2").tobytes()
        else:
            body = counts.astype("<i4").tobytes()
        payload = struct.pack("<I", stamp_ms % 2**32) + body
        last_s = (first + n - 1) / converter.fs_hz
        self.notify(self._data, bytes([PART_1, reference]) + payload[:FIRST_PART_BYTES], last_s)
        if len(payload) > FIRST_PART_BYTES and self.options.second_part:
            self.notify(self._data, bytes([PART_2, reference]) + payload[FIRST_PART_BYTES:], last_s)

    def _jitter_ms(self, first: int) -> int:
        width = 2 * self.options.jitter_ms + 1
        # One hash per packet: repeatable, whatever was sent before.
        return (first * 0x9E3779B97F4A7C15 % 2**64 >> 40) % width - self.options.jitter_ms

    def _status(self, reference: int, status: int) -> None:
        """The open sample protocol does not answer subscriptions, whether they succeed or not."""
        if self.options.extended:
            self._answer(reference, status.to_bytes(2, "little"))

    def _answer(self, reference: int, content: bytes) -> None:
        """Answers come through the data characteristic and suffer no faults."""
        self.tell(self._data, bytes([RESULT, reference]) + content)
