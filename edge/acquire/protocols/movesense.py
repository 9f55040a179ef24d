"""Movesense over its GATT sensor-data service: the open sample firmware and the default firmware's dialect of it.

A command is `[number, reference, data]`, a notification `[type, reference, payload]`. The dialects differ in how they
answer: the open sample answers a subscription only when it fails, with a big-endian status; the default firmware
(known from third-party clients only) answers with a little-endian one.
"""

from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import ClassVar

import numpy as np

from edge.acquire.driver import MAX_VALUE_BYTES, DeviceRefused, DriverError, Gatt, Stream
from edge.acquire.packets import Item, Rejected, SamplePacket
from edge.acquire.protocols.standard import Answers, decode_text, device_text, watch_battery
from edge.acquire.protocols.values import unwrapped
from edge.errors import LinkError, UsageError
from edge.types import Lead

MOVESENSE = "34802252-7185-4d5d-b431-630e7050e8f0"
COMMAND = "34800001-7185-4d5d-b431-630e7050e8f0"
DATA = "34800002-7185-4d5d-b431-630e7050e8f0"

HELLO, SUBSCRIBE, UNSUBSCRIBE = 0, 1, 2
RESULT, FIRST_PART, LAST_PART = 1, 2, 4
HELLO_REFERENCE, ECG_REFERENCE = 1, 2

RATES_HZ = (125, 128, 200, 250, 256, 500, 512)
PACKET_SAMPLES = 16
RAW_COUNTS_PER_MV = 2621.44  # one count is 0.000381469726563 mV
MICROVOLTS_PER_MV = 1000.0
UNSUPPORTED = 501


@dataclass(frozen=True, slots=True)
class MovesenseState:
    """What the next notification continues."""

    sample_bytes: int = 4
    """4: raw counts; 2: microvolts. Only the path subscribed to tells."""
    clock_ms: int | None = None
    """Device time of the last packet, unwrapped."""
    part: bytes = b""
    """Begin of a payload whose next part has not come."""
    part_type: int = 0
    """Type of the latest part."""


def decode_notification(data: bytes, state: MovesenseState) -> tuple[list[Item], MovesenseState]:
    """One notification of the data characteristic; answers to commands and other streams give nothing.

    A payload is whole when it holds a multiple of 16 samples, as every packet does; a shorter one waits for its
    remainder. That covers both dialects: where the default firmware splits is not known.
    """
    if len(data) < 2:
        return [Rejected("truncated")], state
    kind, reference = data[0], data[1]
    if kind == RESULT or reference != ECG_REFERENCE:
        return [], state
    if not FIRST_PART <= kind <= LAST_PART:
        return [Rejected("message type")], state
    items: list[Item] = []
    if kind == FIRST_PART:
        if state.part:
            items.append(Rejected("part missing"))
        payload = data[2:]
    elif not state.part or kind != state.part_type + 1:
        return [Rejected("part missing")], replace(state, part=b"", part_type=0)
    else:
        payload = state.part + data[2:]
    n_samples, rest = divmod(len(payload) - 4, state.sample_bytes)
    if n_samples <= 0 or rest or n_samples % PACKET_SAMPLES:
        if kind == LAST_PART or not 2 < len(data) <= MAX_VALUE_BYTES:
            return [*items, Rejected("length")], replace(state, part=b"", part_type=0)
        return items, replace(state, part=payload, part_type=kind)
    clock_ms = unwrapped(int.from_bytes(payload[:4], "little"), state.clock_ms, 32)
    counts = np.frombuffer(payload, f"<i{state.sample_bytes}", offset=4).astype(np.int32)[:, None]
    # The maker does not say which sample the stamp marks; clients take the first.
    items.append(SamplePacket(counts, device_ns=clock_ms * 1_000_000, stamped="first"))
    return items, replace(state, clock_ms=clock_ms, part=b"", part_type=0)


def decode_hello(payload: bytes) -> str | None:
    """What the default firmware says of itself (product and app); None for the open sample's bare greeting."""
    if payload == b"Hello" or len(payload) < 2:
        return None
    texts = [decode_text(text) for text in payload[1:].split(b"\0")]
    product, app = texts[1:2], texts[3:5]
    return " ".join(text for text in ["Movesense", *product, *app] if text)


def decode_status(payload: bytes, *, little_endian: bool | None) -> int | None:
    """Status of an answer; None where there is none. An unknown dialect is told by which status makes sense."""
    if len(payload) < 2:
        return None
    little, big = int.from_bytes(payload[:2], "little"), int.from_bytes(payload[:2], "big")
    if little_endian is None:
        little_endian = 100 <= little < 600
    return little if little_endian else big


@dataclass(slots=True)
class Movesense:
    """ECG of a Movesense sensor."""

    name: ClassVar[str] = "movesense"
    services: ClassVar[tuple[str, ...]] = (MOVESENSE,)
    fallback: ClassVar[str | None] = "movesense-community"  # other firmware in the same sensor, with the same name

    fs_hz: int = 200
    """Sampling rate. Above 200 Hz the sensor may lose samples by itself (its front-end's buffer is small)."""
    millivolts: bool = False
    """Ask for microvolt values (firmware 2.3 or later), half the size of raw ones."""
    hello_s: float = 1.0
    """How long the greeting may take; a sensor that does not answer it is asked for its ECG all the same."""
    response_s: float = 10.0
    """How long the subscription's answer, or the first data in its place, may take."""
    _state: MovesenseState = field(default_factory=MovesenseState, init=False)
    _answers: Answers[bytes] = field(default_factory=Answers, init=False)

    def __post_init__(self) -> None:
        if self.fs_hz not in RATES_HZ:
            raise UsageError(f"A Movesense has no rate of {self.fs_hz} Hz", f"Rates: {', '.join(map(str, RATES_HZ))}")

    @classmethod
    def advertises(cls, services: Collection[str], local_name: str) -> bool:  # noqa: ARG003 - the name suffices
        """Its name is "Movesense " and the serial number."""
        return local_name.startswith("Movesense ")

    async def start(self, gatt: Gatt, deliver: Callable[[Item], None]) -> Stream:
        """See `Driver.start`."""
        if not gatt.has(MOVESENSE, COMMAND):
            raise DeviceRefused("The sensor has no sensor-data service", "Update its firmware with the maker's app")
        self._state = MovesenseState(2 if self.millivolts else 4, self._state.clock_ms)
        await gatt.subscribe(MOVESENSE, DATA, lambda value: self._on_value(value, deliver))
        hello = await self._hello(gatt)
        named = None if hello is None else decode_hello(hello)
        device = named or await device_text(gatt)
        await watch_battery(gatt, deliver)
        # The open sample does without the trailing NUL but does not mind it; the default firmware needs it.
        path = f"/Meas/ECG/{self.fs_hz}{'/mV' if self.millivolts else ''}\0"
        self._answers.clear()
        await gatt.write(MOVESENSE, COMMAND, bytes((SUBSCRIBE, ECG_REFERENCE)) + path.encode("ascii"))
        answer = await self._answers.take(lambda a: a[1] == ECG_REFERENCE, self.response_s)
        if answer is None:
            raise DriverError(f"The sensor neither answers nor sends within {self.response_s:g} s", "Try again")
        if answer[0] == RESULT:
            self._check(decode_status(answer[2:], little_endian=None if hello is None else named is not None))
        return Stream(
            self.name,
            (Lead("ECG", counts_per_mv=MICROVOLTS_PER_MV if self.millivolts else RAW_COUNTS_PER_MV),),
            float(self.fs_hz),
            placement="timestamp",
            packet_samples=PACKET_SAMPLES,
            device=device,
            notes=(
                "Which sample a time stamp marks is not documented: it is taken as the first.",
                "Some firmware versions stamp without regard to samples that they lost.",
            ),
        )

    async def stop(self, gatt: Gatt) -> None:
        """See `Driver.stop`."""
        with suppress(LinkError):
            await gatt.write(MOVESENSE, COMMAND, bytes((UNSUBSCRIBE, ECG_REFERENCE)))

    async def _hello(self, gatt: Gatt) -> bytes | None:
        """Payload of the greeting's answer."""
        self._answers.clear()
        await gatt.write(MOVESENSE, COMMAND, bytes((HELLO, HELLO_REFERENCE)))
        answer = await self._answers.take(lambda a: tuple(a[:2]) == (RESULT, HELLO_REFERENCE), self.hello_s)
        return None if answer is None else answer[2:]

    def _check(self, status: int | None) -> None:
        if status is None or 200 <= status < 300:
            return
        if status == UNSUPPORTED:
            raise DeviceRefused(f"The sensor has no ECG at {self.fs_hz} Hz (status {status})", "Choose another rate")
        raise DriverError(
            f"The sensor refuses the ECG with status {status}", "End other connections to it and try again"
        )

    def _on_value(self, value: bytes, deliver: Callable[[Item], None]) -> None:
        if len(value) >= 2:
            self._answers.put(bytes(value[:MAX_VALUE_BYTES]))  # data that flows is an answer, too
        items, self._state = decode_notification(value, self._state)
        for item in items:
            deliver(item)
