"""Polar Measurement Data (PMD): the ECG of a Polar H10, 130 Hz in microvolts.

The strap's clock stamps the last sample of every frame; there is no sequence number.
"""

from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from edge.acquire.driver import DeviceRefused, DriverError, Gatt, Stream
from edge.acquire.packets import Contact, Counts, Item, Rejected, RrPacket, SamplePacket, Stopped
from edge.acquire.protocols.heart_rate import HEART_RATE, MEASUREMENT, decode_heart_rate
from edge.acquire.protocols.standard import Answers, device_text, subscribe_if_there, watch_battery
from edge.acquire.protocols.values import s24_le
from edge.errors import LinkError
from edge.types import Lead

PMD = "fb005c80-02e7-f387-1cad-8acd2d8df0c8"
PMD_CONTROL = "fb005c81-02e7-f387-1cad-8acd2d8df0c8"
PMD_DATA = "fb005c82-02e7-f387-1cad-8acd2d8df0c8"

ECG = 0  # measurement type
GET_SETTINGS, START, STOP = 1, 2, 3
ALREADY = 6
STATUS = {
    1: "invalid op code",
    2: "invalid measurement type",
    3: "not supported",
    4: "invalid length",
    5: "invalid parameter",
    6: "already in that state",
    7: "invalid resolution",
    8: "invalid sample rate",
    9: "invalid range",
    10: "invalid MTU",
    11: "invalid number of channels",
    12: "invalid state",
    13: "device in charger",
    14: "disk full",
}
# Another try may meet another state; every other status answers what is asked.
PASSING = frozenset({6, 12, 13, 14})
INVALID_MTU, IN_CHARGER = 10, 13

SAMPLE_RATE = 0
_SETTING_BYTES = {0: 2, 1: 2, 2: 2, 3: 4, 4: 1, 5: 4, 6: 16}
_SIGNED_SETTING = 3  # range in milli-units
_ASKED_SETTINGS = (0, 1, 2, 3, 4)  # the conversion factor is never sent, security is for offline recordings

_HEADER_BYTES = 10
_SAMPLE_BYTES = {0: 3, 1: 3, 2: 3, 3: 7}
_TYPE_MASK = 0x3F
_MAX_NS = 2**63  # such a stamp is damage: the year 2292
_MAX_PARTS = 16  # of an answer; an H10's settings fit into one


def decode_ecg(data: bytes, frame_types: Collection[int] = (0, 1, 2, 3)) -> list[Item]:
    """One notification of the data characteristic; other streams on it (acceleration …) give nothing.

    Frame type 0, which an H10 sends, and 3 are signed microvolts; 1 and 2 are unsigned counts of other hardware.
    """
    if not data:
        return [Rejected("truncated")]
    if data[0] & _TYPE_MASK != ECG:
        return []
    if len(data) < _HEADER_BYTES:
        return [Rejected("truncated")]
    frame_type, samples = data[9], data[_HEADER_BYTES:]
    if frame_type & 0x80:
        return [Rejected("compressed")]
    if frame_type not in _SAMPLE_BYTES or frame_type not in frame_types:
        return [Rejected("frame type")]
    if not samples or len(samples) % _SAMPLE_BYTES[frame_type]:
        return [Rejected("truncated")]
    device_ns = int.from_bytes(data[1:9], "little")
    if device_ns >= _MAX_NS:
        return [Rejected("time stamp")]
    return [SamplePacket(_counts(samples, frame_type), device_ns=device_ns, stamped="last")]


def _counts(samples: bytes, frame_type: int) -> Counts:
    """Shape (n, 1), or (n, 2) for frame type 3."""
    if frame_type == 0:
        return s24_le(samples)[:, None]
    octets = np.frombuffer(samples, np.uint8).reshape(-1, _SAMPLE_BYTES[frame_type])
    if frame_type == 3:
        return s24_le(octets[:, :6].tobytes()).reshape(-1, 2)
    wide = octets.astype(np.int32)
    if frame_type == 1:
        return (wide[:, 0] | (wide[:, 1] & 0x3F) << 8)[:, None]
    return (wide[:, 0] | wide[:, 1] << 8 | (wide[:, 2] & 3) << 16)[:, None]


@dataclass(frozen=True, slots=True)
class Answer:
    """What the control point answers to a command, or a part of it."""

    op: int
    measurement: int
    status: int
    more: bool
    """More parts follow."""
    parameters: bytes


def decode_control(data: bytes) -> Answer | Stopped | Rejected | None:
    """One indication of the control point; None for what does not concern an ECG stream."""
    if len(data) >= 4 and data[0] == 0xF0:
        # The last two may be missing; a byte of parameters may be mere padding, which `decode_settings` knows.
        return Answer(data[1], data[2] & _TYPE_MASK, data[3], any(data[4:5]), data[5:])
    if data[:1] == b"\x01":
        ended = {kind & _TYPE_MASK for kind in data[1:]}
        return Stopped("the strap ended the stream") if not ended or ECG in ended else None
    if data[:1] == b"\x0f":
        return None  # BlueZ may deliver the feature read as if it were indicated
    return Rejected("control point")


def decode_settings(data: bytes) -> dict[int, tuple[int, ...]] | None:
    """Values by setting (a factor as its 32 bits); None where it is not a list of known settings."""
    settings: dict[int, tuple[int, ...]] = {}
    if len(data) <= 1:  # one reserved byte stands for nothing
        return settings
    while data:
        width = _SETTING_BYTES.get(data[0], 0)
        stop = 2 + width * data[1] if len(data) > 1 else 0
        if not width or not 2 < stop <= len(data):
            return None
        settings[data[0]] = tuple(
            int.from_bytes(data[k : k + width], "little", signed=data[0] == _SIGNED_SETTING)
            for k in range(2, stop, width)
        )
        data = data[stop:]
    return settings


def start_parameters(settings: dict[int, tuple[int, ...]]) -> bytes:
    """Each setting once, with the first value on offer; an H10 offers one rate and one resolution for ECG."""
    return b"".join(
        bytes((kind, 1)) + settings[kind][0].to_bytes(_SETTING_BYTES[kind], "little", signed=kind == _SIGNED_SETTING)
        for kind in _ASKED_SETTINGS
        if kind in settings
    )


def refusal(status: int, mtu: int) -> DriverError | DeviceRefused:
    """The error for a status other than success."""
    text = f"The strap answers status {status} ({STATUS.get(status, 'unknown')})"
    if status == INVALID_MTU:
        return DeviceRefused(f"{text}: the link's MTU is {mtu}", "Use a Bluetooth adapter that negotiates at least 70")
    if status == IN_CHARGER:
        return DriverError(text, "Take it out of the charger")
    if status in PASSING or status not in STATUS:
        return DriverError(text, "Take the strap's transmitter off and on again")
    return DeviceRefused(text, "Update the strap's firmware with the maker's app")


@dataclass(slots=True)
class PolarH10:
    """ECG of a Polar H10; of its Heart Rate Service only skin contact is used."""

    name: ClassVar[str] = "polar-h10"
    services: ClassVar[tuple[str, ...]] = (PMD,)
    fallback: ClassVar[str | None] = "heart-rate"  # very old firmware has no PMD

    response_s: float = 10.0
    """How long an answer of the control point may take."""
    _answers: Answers[Answer] = field(default_factory=Answers, init=False)
    _contact: bool | None = field(default=None, init=False)

    @classmethod
    def advertises(cls, services: Collection[str], local_name: str) -> bool:  # noqa: ARG003 - PMD is not advertised
        """An H10 is known by its name: it advertises the Heart Rate Service only."""
        return local_name.startswith("Polar H10")

    async def start(self, gatt: Gatt, deliver: Callable[[Item], None]) -> Stream:
        """See `Driver.start`."""
        if not gatt.has(PMD, PMD_CONTROL):
            raise DeviceRefused("The strap has no ECG service", "Its heart rate can be recorded: heart-rate")
        self._contact = None
        # Both subscriptions come first: otherwise the first answer or the first seconds of signal may be missed.
        await gatt.subscribe(PMD, PMD_CONTROL, lambda value: self._on_control(value, deliver))
        await gatt.subscribe(PMD, PMD_DATA, lambda value: _deliver_all(decode_ecg(value, (0,)), deliver))
        features = await gatt.read(PMD, PMD_CONTROL)
        if features[:1] == b"\x0f" and not any(octet & 1 for octet in features[1:2]):
            raise DeviceRefused("The strap's measurements do not include an ECG", "Choose another one: anyecg scan")
        settings = decode_settings(await self._command(gatt, GET_SETTINGS))
        if not settings or not settings.get(SAMPLE_RATE, (0,))[0]:
            raise DriverError("The strap states no sampling rate", "Take its transmitter off and on again")
        device = await device_text(gatt)
        await watch_battery(gatt, deliver)
        await subscribe_if_there(gatt, HEART_RATE, MEASUREMENT, lambda value: self._on_heart_rate(value, deliver))
        await self._command(gatt, START, start_parameters(settings))
        return Stream(
            self.name,
            (Lead("ECG", counts_per_mv=1000.0, original_unit="uV"),),
            float(settings[SAMPLE_RATE][0]),
            placement="timestamp",
            measures_rate=True,
            device=device,
            notes=("Lost contact shows only if the strap tells it with its heart rate.",),
        )

    async def stop(self, gatt: Gatt) -> None:
        """See `Driver.stop`: a strap that streams stays on, even off the body, until its battery is empty."""
        with suppress(LinkError):
            await gatt.write(PMD, PMD_CONTROL, bytes((STOP, ECG)))

    async def _command(self, gatt: Gatt, op: int, parameters: bytes = b"") -> bytes:
        """Write a command and return the parameters of its whole answer."""
        self._answers.clear()
        await gatt.write(PMD, PMD_CONTROL, bytes((op, ECG)) + parameters)
        whole = b""
        for _ in range(_MAX_PARTS):
            part = await self._answers.take(lambda a: (a.op, a.measurement) == (op, ECG), self.response_s)
            if part is None:
                raise DriverError(f"The strap does not answer within {self.response_s:g} s", "Try again")
            if part.status and not (op == START and part.status == ALREADY):
                raise refusal(part.status, gatt.mtu)
            whole += part.parameters
            if not part.more:
                return whole
        raise DriverError(f"The strap's answer has more than {_MAX_PARTS} parts", "Try again")

    def _on_control(self, value: bytes, deliver: Callable[[Item], None]) -> None:
        said = decode_control(value)
        if isinstance(said, Answer):
            self._answers.put(said)
        elif said is not None:
            deliver(said)

    def _on_heart_rate(self, value: bytes, deliver: Callable[[Item], None]) -> None:
        for item in decode_heart_rate(value):
            if not isinstance(item, RrPacket):
                deliver(item)
            elif item.contact is not None and item.contact != self._contact:
                self._contact = item.contact
                deliver(Contact(item.contact))


def _deliver_all(items: list[Item], deliver: Callable[[Item], None]) -> None:
    for item in items:
        deliver(item)
