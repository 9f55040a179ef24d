"""Bluetooth's Generic Health Sensor service: live ECG sample arrays. Experimental: no device on sale is known.

Observations come in segments with a rolling counter; a lost segment costs its observation.
"""

import math
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import ClassVar

import numpy as np

from edge.acquire.driver import DeviceRefused, DriverError, Gatt, Stream
from edge.acquire.packets import NOT_MEASURED, Item, Rejected, SamplePacket
from edge.acquire.protocols.health_observation import SampleArray, decode_observation
from edge.acquire.protocols.standard import Answers, device_text, watch_battery
from edge.acquire.protocols.values import uuid16
from edge.errors import LinkError
from edge.types import Lead

HEALTH_SENSOR = uuid16(0x1840)
LIVE_OBSERVATIONS, CONTROL = uuid16(0x2B8B), uuid16(0x2BF4)
START, STOP = b"\x01", b"\x02"
REFUSALS = {0x81: "server busy", 0x82: "error with live observations"}

FIRST, LAST = 1, 2
MAX_OBSERVATION_BYTES = 3 + 0xFFFF  # what a 16-bit length can state
UNIT_MV = {0x10B2: 1.0, 0x10B3: 0.001}  # millivolts per unit, by the low half of the MDC code
LEADS = {
    0x20100: "ECG",
    0x20101: "I",
    0x20102: "II",
    0x2013D: "III",
    0x2013E: "aVR",
    0x2013F: "aVL",
    0x20140: "aVF",
} | {0x20102 + k: f"V{k}" for k in range(1, 7)}
FINEST_NEEDED_NS = 1_000_000  # coarser time stamps (0.1 s, 1 s) are worse than the time of arrival
MAX_FS_HZ = 100_000.0  # no ECG converter is faster; such a period is damage


@dataclass(frozen=True, slots=True)
class Layout:
    """What the first ECG observation says of the stream; the others must agree."""

    leads: tuple[Lead, ...]
    fs_hz: float
    timed: bool
    """Time stamps are fine enough to place samples."""


@dataclass(frozen=True, slots=True)
class HealthState:
    """What the next segment continues."""

    signed: bool = True
    """Whether raw samples are signed, which no source settles."""
    layout: Layout | None = None
    """Known from the first ECG observation on."""
    segment: bytes = b""
    """The latest segment."""
    pending: bytes | None = None
    """Begin of an observation whose next segment has not come."""


def decode_segment(data: bytes, state: HealthState) -> tuple[list[Item], HealthState]:
    """One notification of the live observations."""
    if not data:
        return [Rejected("truncated")], state
    if data == state.segment:
        return [Rejected("repeated")], state
    items: list[Item] = []
    pending = state.pending
    if state.segment and data[0] >> 2 != (state.segment[0] >> 2) + 1 & 0x3F:
        items.append(Rejected("lost segment"))
        pending = None
    state = replace(state, segment=data[:512], pending=None)
    if data[0] & FIRST:
        if pending is not None:
            items.append(Rejected("unfinished"))
        pending = b""
    if pending is None:
        return items or [Rejected("lost segment")], state
    whole = pending + data[1:]
    if len(whole) > MAX_OBSERVATION_BYTES:
        return [*items, Rejected("length")], state
    if not data[0] & LAST:
        return items, replace(state, pending=whole)
    found, state = _packet(whole, state)
    return items + found, state


def _packet(body: bytes, state: HealthState) -> tuple[list[Item], HealthState]:
    """The ECG of one observation: every lead of it in one packet."""
    arrays = decode_observation(body, signed=state.signed)
    if isinstance(arrays, Rejected):
        return [arrays], state
    arrays = [array for array in arrays if array.kind in LEADS]
    if not arrays:
        return [], state
    layout = _layout(arrays)
    if isinstance(layout, Rejected):
        return [layout], state
    if state.layout not in (None, layout):
        return [Rejected("format changed")], state
    raw = np.stack([array.raw for array in arrays], axis=1)
    if raw.max() > np.iinfo(np.int32).max or raw.min() <= NOT_MEASURED:
        return [Rejected("value")], state
    stamp = arrays[0].stamp
    # Whether the stamp marks the first sample is not verified.
    packet = SamplePacket(
        raw.astype(np.int32), device_ns=stamp.device_ns if stamp and layout.timed else None, stamped="first"
    )
    return [packet], replace(state, layout=layout)


def _layout(arrays: list[SampleArray]) -> Layout | Rejected:
    first = arrays[0]
    if any((len(a.raw), a.period_s, a.stamp) != (len(first.raw), first.period_s, first.stamp) for a in arrays):
        return Rejected("leads differ")
    if len({a.kind for a in arrays}) < len(arrays):
        return Rejected("lead twice")
    if any(a.unit not in UNIT_MV for a in arrays):
        return Rejected("unit")
    fs_hz = 1 / first.period_s
    counts_per_mv = [1 / (a.scale * UNIT_MV[a.unit]) for a in arrays]
    zeros = [-a.offset / a.scale for a in arrays]
    if not (fs_hz <= MAX_FS_HZ and all(map(math.isfinite, counts_per_mv)) and all(abs(z) < 2**31 for z in zeros)):
        return Rejected("scale")
    leads = tuple(
        # The zero is rounded to a whole count, at most half a count of direct voltage.
        Lead(LEADS[a.kind], counts_per_mv=per_mv, zero_count=round(zero))
        for a, per_mv, zero in zip(arrays, counts_per_mv, zeros, strict=True)
    )
    return Layout(leads, fs_hz, first.stamp is not None and first.stamp.resolution_ns <= FINEST_NEEDED_NS)


@dataclass(slots=True)
class GenericHealthSensor:
    """ECG of a Generic Health Sensor; the stream's format is known once its first observation has come."""

    name: ClassVar[str] = "generic-health-sensor"
    services: ClassVar[tuple[str, ...]] = (HEALTH_SENSOR,)

    signed: bool = True
    """Read raw samples as signed numbers."""
    response_s: float = 10.0
    """How long the first ECG observation may take."""
    _state: HealthState = field(default_factory=HealthState, init=False)
    _answers: Answers[int | Layout] = field(default_factory=Answers, init=False)

    async def start(self, gatt: Gatt, deliver: Callable[[Item], None]) -> Stream:
        """See `Driver.start`."""
        if not gatt.has(HEALTH_SENSOR, LIVE_OBSERVATIONS):
            raise DeviceRefused("The sensor sends no live observations", "Choose another device with: anyecg scan")
        self._state = HealthState(self.signed)  # segments are counted per connection
        device = await device_text(gatt)
        await watch_battery(gatt, deliver)
        self._answers.clear()
        controlled = gatt.has(HEALTH_SENSOR, CONTROL)
        if controlled:
            await gatt.subscribe(HEALTH_SENSOR, CONTROL, self._on_control)
        await gatt.subscribe(HEALTH_SENSOR, LIVE_OBSERVATIONS, lambda value: self._on_value(value, deliver))
        if controlled:
            await gatt.write(HEALTH_SENSOR, CONTROL, START)
        # Success may be announced, or only show as an observation: that one is needed anyway, for the format.
        answer = await self._answers.take(lambda a: a in REFUSALS or isinstance(a, Layout), self.response_s)
        if isinstance(answer, int):
            raise DriverError(f"The sensor refuses to start: {REFUSALS[answer]}", "Try again")
        if answer is None:
            raise DriverError(f"The sensor sends no ECG within {self.response_s:g} s", "Check that it measures one")
        notes = ["Experimental: read after other implementations, not after the specification."]
        if not answer.timed:
            notes.append("The sensor sends no time stamps of a millisecond or finer: the time of arrival counts.")
        return Stream(
            self.name,
            answer.leads,
            answer.fs_hz,
            placement="timestamp" if answer.timed else "arrival",
            device=device,
            notes=tuple(notes),
        )

    async def stop(self, gatt: Gatt) -> None:
        """See `Driver.stop`."""
        if gatt.has(HEALTH_SENSOR, CONTROL):
            with suppress(LinkError):
                await gatt.write(HEALTH_SENSOR, CONTROL, STOP)

    def _on_control(self, value: bytes) -> None:
        if value:
            self._answers.put(value[0])

    def _on_value(self, value: bytes, deliver: Callable[[Item], None]) -> None:
        items, state = decode_segment(value, self._state)
        if self._state.layout is None and state.layout is not None:
            self._answers.put(state.layout)
        self._state = state
        for item in items:
            deliver(item)
