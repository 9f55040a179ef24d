"""Movesense sensors with the open movesense-ble-ecg-firmware, version 0.8 or later.

Its characteristics reuse numbers that Bluetooth assigned to the Generic Health Sensor: the service decides.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from edge.acquire.driver import DeviceRefused, Gatt, Stream
from edge.acquire.packets import NOT_MEASURED, Item, Rejected, SamplePacket
from edge.acquire.protocols.movesense import RAW_COUNTS_PER_MV
from edge.acquire.protocols.standard import device_text, read_if_there, watch_battery
from edge.acquire.protocols.values import unwrapped, uuid16
from edge.errors import UsageError
from edge.types import Lead

COMMUNITY = uuid16(0x1859)
ECG, CONFIGURATION = uuid16(0x2BF1), uuid16(0x2BF3)
INTERVALS_MS = (2, 4, 8, 10)
INVALID = -32768


def decode_frame(data: bytes, clock_ms: int | None) -> tuple[list[Item], int | None]:
    """One notification: u32 time of the last sample in milliseconds, then s16 counts.

    `clock_ms` is the unwrapped time of the frame before; returned for the next one.
    """
    if len(data) < 6 or len(data) % 2:
        return [Rejected("truncated")], clock_ms
    clock_ms = unwrapped(int.from_bytes(data[:4], "little"), clock_ms, 32)
    raw = np.frombuffer(data, "<i2", offset=4).astype(np.int32)[:, None]
    counts = np.where(raw == INVALID, NOT_MEASURED, raw)
    return [SamplePacket(counts, device_ns=clock_ms * 1_000_000, stamped="last")], clock_ms


def decode_interval_ms(configuration: bytes) -> int | None:
    """Sampling interval of the 16-byte configuration; None where it is none that the firmware knows.

    Its eight fields before the u64 time are taken as one byte each, in the documented order (unverified).
    """
    if len(configuration) != 16 or configuration[0] not in INTERVALS_MS:
        return None
    return configuration[0]


@dataclass(slots=True)
class MovesenseCommunity:
    """ECG of a Movesense sensor with the community firmware; it sends as long as it is subscribed to."""

    name: ClassVar[str] = "movesense-community"
    services: ClassVar[tuple[str, ...]] = (COMMUNITY,)

    interval_ms: int = 4
    """Sampling interval where the configuration cannot be read; 4 is what the firmware starts with."""
    _clock_ms: int | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        if self.interval_ms not in INTERVALS_MS:
            raise UsageError(
                f"The firmware has no interval of {self.interval_ms} ms",
                f"Intervals: {', '.join(map(str, INTERVALS_MS))}",
            )

    async def start(self, gatt: Gatt, deliver: Callable[[Item], None]) -> Stream:
        """See `Driver.start`."""
        if not gatt.has(COMMUNITY, ECG):
            raise DeviceRefused("The sensor's firmware has no ECG of version 0.8 or later", "Update the firmware")
        device = await device_text(gatt)
        interval_ms = decode_interval_ms(await read_if_there(gatt, COMMUNITY, CONFIGURATION) or b"")
        await watch_battery(gatt, deliver)
        await gatt.subscribe(COMMUNITY, ECG, lambda value: self._on_value(value, deliver))
        notes = ["Microvolts per count are those of the sensor's own firmware; this one does not document them."]
        if interval_ms is None:
            notes.append(f"The sensor does not tell its rate: {1000 / self.interval_ms:g} Hz is assumed.")
        return Stream(
            self.name,
            (Lead("ECG", counts_per_mv=RAW_COUNTS_PER_MV),),
            1000.0 / (interval_ms or self.interval_ms),
            placement="timestamp",
            device=device,
            notes=tuple(notes),
        )

    async def stop(self, gatt: Gatt) -> None:
        """The firmware has no command to stop: it ends with the link."""

    def _on_value(self, value: bytes, deliver: Callable[[Item], None]) -> None:
        items, self._clock_ms = decode_frame(value, self._clock_ms)
        for item in items:
            deliver(item)
