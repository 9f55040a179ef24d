"""A virtual Generic Health Sensor: one ECG lead as sample arrays in segments. No device on sale is known.

The specification's text was not available: the layout follows published implementations, and what they disagree
about is an option.
"""

import struct
from dataclasses import dataclass
from decimal import Decimal

from bumble.device import Connection
from bumble.gatt import Service

from edge.inputs import analysis_lead
from edge.types import Recording
from firmware_bridge.air import Air
from firmware_bridge.faults import FaultScript
from firmware_bridge.peripherals.attributes import INDICATE, NOTIFY, characteristic, readable, service
from firmware_bridge.peripherals.converter import Converter, Counts
from firmware_bridge.peripherals.pacing import Stream, stream_from
from firmware_bridge.peripherals.peripheral import Peripheral

SERVICE, FEATURES, LIVE, CONTROL = 0x1840, 0x2BF3, 0x2B8B, 0x2BF4
START, STOP = 1, 2
SUCCESS, NOT_SUPPORTED = 0x80, 0x81
FS_HZ, PERIOD_S = 250, Decimal("0.004")
ECG_TYPES = {"I": 0x20101, "II": 0x20102, "III": 0x2013D} | {f"V{k}": 0x20102 + k for k in range(1, 7)}
UNSPECIFIED_ECG = 0x20100
MICROVOLT = 0x10B3
SAMPLE_ARRAY = 4
HAS_TYPE, HAS_TIME = 1, 2
MILLISECONDS_UTC = 0x2A  # time flags: UTC, 1 ms, on the current timeline
FIRST_SEGMENT, LAST_SEGMENT, COUNTS = 1, 2, 64
CLOCK_START_MS = 820_454_400_000  # 2026-01-01, counted from 2000-01-01


@dataclass(frozen=True, slots=True)
class HealthSensorOptions:
    """What implementations disagree about."""

    length_of_all: bool = False
    """An observation's length counts the whole of it; otherwise what follows the length."""
    samples: int = 125
    """Samples of an observation; many need several segments."""
    clock_start_ms: int = CLOCK_START_MS
    """What the clock shows at power-up, milliseconds since 2000-01-01."""


class GenericHealthSensor(Peripheral):
    """ECG at 250 Hz in microvolts, 16 bits; the time stamp is that of an observation's first sample (unverified)."""

    default_name = "Health sensor 0001"
    default_address = "F1:00:00:00:00:50"
    advertised = (SERVICE,)

    def __init__(
        self,
        air: Air,
        recording: Recording,
        *,
        options: HealthSensorOptions | None = None,
        faults: FaultScript | None = None,
        speed: float = 1.0,
        loop: bool = False,
        name: str | None = None,
        address: str | None = None,
    ) -> None:
        super().__init__(air, recording, faults=faults, speed=speed, loop=loop, name=name, address=address)
        self.options = options or HealthSensorOptions()
        lead = analysis_lead(recording.info.leads)
        self._type = ECG_TYPES.get(recording.info.leads[lead].name.upper(), UNSPECIFIED_ECG)
        self.converter = Converter(
            recording,
            FS_HZ * (1 + self.faults.rate_percent / 100),
            1000.0,
            (-(2**15), 2**15 - 1),
            (lead,),
            loop=loop,
            lead_off=self.faults.lead_off,
            seed=self.faults.seed,
        )
        self._live = characteristic(LIVE, NOTIFY | INDICATE)
        self._control = self.control(CONTROL, self._on_command)
        self._stream: Stream | None = None
        self._segment = 0

    def measured(self, first: int, n: int) -> Counts:
        """Microvolts of samples [first, first + n) since power-up, shape (n, 1)."""
        return self.converter.measured(first, n)

    def services(self) -> list[Service]:
        """The health sensor service."""
        features = struct.pack("<BBI", 0, 1, self._type)
        return [service(SERVICE, readable(FEATURES, features), self._live, self._control)]

    def on_connected(self) -> None:
        """Segments are counted per connection."""
        self._segment = 0

    def observation(self, first: int, counts: Counts) -> bytes:
        """The sample array of samples that begin at `first`."""
        stamp_ms = self.options.clock_start_ms + self.clock_ns(first / self.converter.fs_hz) // 1_000_000
        head = struct.pack("<I", self._type)
        time = struct.pack("<B", MILLISECONDS_UTC) + stamp_ms.to_bytes(6, "little") + struct.pack("<Bb", 6, 0)
        array = struct.pack("<H", MICROVOLT) + mder(Decimal(1)) + mder(Decimal(0)) + mder(PERIOD_S)
        array += struct.pack("<BBI", 1, 2, len(counts)) + counts.astype("<i2").tobytes()
        rest = struct.pack("<H", HAS_TYPE | HAS_TIME) + head + time + array
        length = len(rest) + (3 if self.options.length_of_all else 0)
        return struct.pack("<BH", SAMPLE_ARRAY, length) + rest

    def _on_command(self, connection: Connection, command: bytes) -> None:
        answer = SUCCESS
        if command == bytes([START]):
            if not self.is_running(self._stream):
                begins_s = self.now_s + self.faults.first_frame_s
                self._stream = stream_from(begins_s, self.converter.fs_hz, self._send, self.options.samples)
                self.sent.first_sample = self._stream.next_sample
                self.add_stream(self._stream)
        elif command == bytes([STOP]):
            self.remove_stream(self._stream)
        else:
            answer = NOT_SUPPORTED
        self.indicate(connection, self._control, bytes([answer]))

    def _send(self, first: int, n: int) -> None:
        counts = self.measured(first, n)
        if len(counts) < n:
            self.remove_stream(self._stream)
            self.ended.set()
            return
        self.sent.samples += n
        body = self.observation(first, counts)
        room = min((client.att_mtu for client in self.clients), default=23) - 3 - 1
        for at in range(0, len(body), room):
            ends = (FIRST_SEGMENT if at == 0 else 0) | (LAST_SEGMENT if at + room >= len(body) else 0)
            head = bytes([self._segment << 2 | ends])
            self._segment = (self._segment + 1) % COUNTS
            self.notify(self._live, head + body[at : at + room], (first + n - 1) / self.converter.fs_hz)


def mder(value: Decimal) -> bytes:
    """A decimal number as the four bytes of an MDER FLOAT; ValueError when its mantissa does not fit."""
    exponent = value.normalize().as_tuple().exponent
    if not isinstance(exponent, int):
        raise ValueError(f"{value} is not finite")
    mantissa = int(value.scaleb(-exponent))
    if not -(2**23) < mantissa < 2**23 - 2:
        raise ValueError(f"{value} has too many digits")
    return struct.pack("<I", (exponent & 0xFF) << 24 | mantissa & 0xFFFFFF)
