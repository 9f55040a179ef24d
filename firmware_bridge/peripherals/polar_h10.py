"""A virtual Polar H10: heart rate with RR intervals, and ECG and acceleration by Polar Measurement Data (PMD)."""

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import cycle

import numpy as np
from bumble.device import Connection
from bumble.gatt import Service

from edge.inputs import analysis_lead
from edge.types import Recording
from firmware_bridge.air import Air
from firmware_bridge.faults import FaultScript
from firmware_bridge.peripherals.attributes import (
    FIRMWARE,
    MANUFACTURER,
    MODEL,
    SERIAL,
    SOFTWARE,
    battery_service,
    information_service,
    notifying,
    service,
)
from firmware_bridge.peripherals.beats import BeatSource, FoundBeats
from firmware_bridge.peripherals.converter import Converter, Counts
from firmware_bridge.peripherals.heart_rate import HEART_RATE, HeartRate, heart_rate_service
from firmware_bridge.peripherals.pacing import Stream, stream_from
from firmware_bridge.peripherals.peripheral import Peripheral

PMD = "fb005c80-02e7-f387-1cad-8acd2d8df0c8"
PMD_CONTROL = "fb005c81-02e7-f387-1cad-8acd2d8df0c8"
PMD_DATA = "fb005c82-02e7-f387-1cad-8acd2d8df0c8"
PSFTP = 0xFEEE
POLAR = 0x006B

FEATURES = bytes([0x0F, 0x05]) + bytes(15)  # ECG and acceleration
ECG, ACC = 0, 2
GET_SETTINGS, START, STOP = 1, 2, 3
LAST_OP = 9
OK, INVALID_OP, NOT_SUPPORTED, INVALID_LENGTH, INVALID_PARAMETER, ALREADY = 0, 1, 3, 4, 5, 6
INVALID_RESOLUTION, INVALID_RATE, INVALID_RANGE, INVALID_MTU = 7, 8, 9, 10

ECG_HZ, ECG_BITS, ECG_LIMIT_UV = 130, 14, 20_000
ACC_HZ, ACC_BITS, ACC_RANGES_G = (25, 50, 100, 200), 16, (2, 4, 8)
SMALLEST_MTU = 70
MOST_ECG_SAMPLES, MOST_ACC_SAMPLES = 73, 36  # an H10 fills 232 bytes at most, as users report; the maker does not say
HEADER_BYTES = 10

CLOCK_START_NS = 599_616_000_000_000_000  # 2019-01-01, counted from 2000-01-01: where it starts when nobody set it

_SETTINGS = {
    ECG: struct.pack("<BBHBBH", 0, 1, ECG_HZ, 1, 1, ECG_BITS),
    ACC: struct.pack("<BB4HBBHBB3H", 0, 4, *ACC_HZ, 1, 1, ACC_BITS, 2, 3, *ACC_RANGES_G),
}


@dataclass(frozen=True, slots=True)
class H10Options:
    """What differs between firmwares, or is asked for by a test."""

    statuses: Mapping[int, int] = field(default_factory=dict)
    """Op code to the status that it is always answered with, e.g. {2: 13} for a strap in its charger."""
    split_settings: bool = False
    """Settings come in two indications, the first with its "more" flag set."""
    trailing_byte: bool = False
    """A start is answered with one reserved byte at the end."""
    alternate_sizes: bool = False
    """Frames have 72 and 73 samples in turn, where the MTU allows 73."""
    clock_start_ns: int = CLOCK_START_NS
    """What the clock shows at power-up, nanoseconds since 2000-01-01."""


class PolarH10(Peripheral):
    """ECG at 130 Hz in microvolts; `measured` gives what its converter produced at any sample index."""

    default_name = "Polar H10 00000001"
    default_address = "F1:00:00:00:00:10"
    advertised = (HEART_RATE, PSFTP)
    manufacturer_data = (POLAR, bytes.fromhex("2b000000"))  # one heart-rate segment, as the sheet's example begins

    def __init__(
        self,
        air: Air,
        recording: Recording,
        *,
        options: H10Options | None = None,
        beats: BeatSource | None = None,
        faults: FaultScript | None = None,
        speed: float = 1.0,
        loop: bool = False,
        name: str | None = None,
        address: str | None = None,
    ) -> None:
        super().__init__(air, recording, faults=faults, speed=speed, loop=loop, name=name, address=address)
        self.options = options or H10Options()
        lead = analysis_lead(recording.info.leads)
        self.converter = Converter(
            recording,
            ECG_HZ * (1 + self.faults.rate_percent / 100),
            1000.0,
            (-ECG_LIMIT_UV, ECG_LIMIT_UV),
            (lead,),
            loop=loop,
            lead_off=self.faults.lead_off,
            seed=self.faults.seed,
        )
        self._control = self.control(PMD_CONTROL, self._on_command, lambda _connection: FEATURES)
        self._data = notifying(PMD_DATA)
        self._heart_rate = HeartRate(self, beats or FoundBeats(recording, lead), self.converter)
        self._running: dict[int, Stream] = {}

    def measured(self, first: int, n: int) -> Counts:
        """Microvolts of ECG samples [first, first + n) since power-up, shape (n, 1)."""
        return self.converter.measured(first, n)

    def measured_acc(self, first: int, n: int, fs_hz: int) -> Counts:
        """Milli-g of acceleration samples [first, first + n), shape (n, 3): somebody who breathes and stands."""
        breath = 2 * np.pi * 0.25 * np.arange(first, first + n) / fs_hz
        xyz = np.stack((20 * np.sin(breath), 15 * np.cos(breath), 980 + 10 * np.sin(breath)), axis=1)
        milli_g: Counts = np.rint(xyz).astype(np.int32)
        return milli_g

    def services(self) -> list[Service]:
        """Heart rate, battery, device information, PMD."""
        return [
            heart_rate_service(self._heart_rate.measurement),
            battery_service(),
            information_service(
                {
                    MANUFACTURER: "Polar Electro Oy",
                    MODEL: "H10",
                    SERIAL: self.name.rpartition(" ")[2],
                    FIRMWARE: "5.0.0",  # the radio's
                    SOFTWARE: "3.2.0",
                }
            ),
            service(PMD, self._control, self._data),
        ]

    def on_connected(self) -> None:
        """Heart rate needs no command."""
        self._heart_rate.begin(leads=False)

    def on_disconnected(self) -> None:
        """Streams end with the link."""
        self._running.clear()

    def on_device_stop(self) -> None:
        """Say which measurements have ended."""
        ended = bytes([1, *sorted(self._running)])
        self._running.clear()
        self._heart_rate.begin(leads=False)
        for client in self.clients:
            self.indicate(client, self._control, ended)

    def _on_command(self, connection: Connection, command: bytes) -> None:
        op, kind = (*command, 0, 0)[:2]
        status = self._status(connection, command)
        if status is None:
            status = self._start(connection, kind, command[2:]) if op == START else self._do(op, kind)
        head = bytes([0xF0, op, kind, status])
        if op == GET_SETTINGS and status == OK:
            settings = _SETTINGS[kind]
            parts = [settings[:4], settings[4:]] if self.options.split_settings else [settings]
            for k, part in enumerate(parts, 1):
                self.indicate(connection, self._control, head + bytes([k < len(parts)]) + part)
        else:
            trailing = b"\x00" if op == START and status == OK and self.options.trailing_byte else b""
            more = b"\x00\x00" if op == START and status == OK else b"\x00"
            self.indicate(connection, self._control, head + more + trailing)

    def _status(self, connection: Connection, command: bytes) -> int | None:
        """Why a command is refused before anything is done, or None."""
        op = command[0] if command else 0
        if op in self.options.statuses:
            return self.options.statuses[op]
        if not 0 < op <= LAST_OP:
            return INVALID_OP
        if len(command) < 2:
            return INVALID_LENGTH
        if op not in (GET_SETTINGS, START, STOP) or command[1] not in _SETTINGS:
            return NOT_SUPPORTED
        if op == START and connection.att_mtu < SMALLEST_MTU:
            return INVALID_MTU
        return None

    def _do(self, op: int, kind: int) -> int:
        if op == STOP:
            stream = self._running.pop(kind, None)
            if stream is None:
                return ALREADY
            self.remove_stream(stream)
        return OK

    def _start(self, connection: Connection, kind: int, parameters: bytes) -> int:
        if kind in self._running:
            return ALREADY
        settings = _parsed(parameters)
        if settings is None:
            return INVALID_LENGTH
        if set(settings) != ({0, 1} if kind == ECG else {0, 1, 2}):
            return INVALID_PARAMETER
        if settings[0] not in ((ECG_HZ,) if kind == ECG else ACC_HZ):
            return INVALID_RATE
        if settings[1] != (ECG_BITS if kind == ECG else ACC_BITS):
            return INVALID_RESOLUTION
        if kind == ACC and settings[2] not in ACC_RANGES_G:
            return INVALID_RANGE
        begins_s = self.now_s + self.faults.first_frame_s
        room = connection.att_mtu - 3 - HEADER_BYTES
        if kind == ECG:
            size = min(room // 3, MOST_ECG_SAMPLES)
            alternating = self.options.alternate_sizes and size == MOST_ECG_SAMPLES
            sizes: Iterator[int] | None = cycle((size - 1, size)) if alternating else None
            stream = stream_from(begins_s, self.converter.fs_hz, self._send_ecg, size, sizes)
            self.sent.first_sample = stream.next_sample
        else:
            rate_hz = settings[0]

            def send_acc(first: int, n: int) -> None:
                body = self.measured_acc(first, n, rate_hz).astype("<i2").tobytes()
                self._send_frame(ACC, 1, (first + n - 1) / rate_hz, body)

            stream = stream_from(begins_s, rate_hz, send_acc, min(room // 6, MOST_ACC_SAMPLES))
        self._running[kind] = stream
        self.add_stream(stream)
        return OK

    def _send_ecg(self, first: int, n: int) -> None:
        counts = self.measured(first, n)
        if len(counts) < n:
            self.remove_stream(self._running.pop(ECG))
            self.ended.set()
            return
        self.sent.samples += n
        body = counts.astype("<i4").view(np.uint8).reshape(n, 4)[:, :3].tobytes()
        self._send_frame(ECG, 0, (first + n - 1) / self.converter.fs_hz, body)

    def _send_frame(self, kind: int, frame_type: int, last_at_s: float, body: bytes) -> None:
        stamp_ns = self.options.clock_start_ns + self.clock_ns(last_at_s)
        self.notify(self._data, struct.pack("<BQB", kind, stamp_ns, frame_type) + body, last_at_s)


def _parsed(parameters: bytes) -> dict[int, int] | None:
    """Settings of a start command, each with one value of two bytes; None when they are none."""
    if len(parameters) % 4 or any(parameters[at] != 1 for at in range(1, len(parameters), 4)):
        return None
    return {
        parameters[at]: int.from_bytes(parameters[at + 2 : at + 4], "little") for at in range(0, len(parameters), 4)
    }
