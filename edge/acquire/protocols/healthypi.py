"""HealthyPi Move and HealthyPi 5: raw 32-bit counts and nothing else, so only the time of arrival places them."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from edge.acquire.driver import DeviceRefused, Gatt, Stream
from edge.acquire.packets import Item, Rejected, SamplePacket
from edge.acquire.protocols.standard import device_text, watch_battery
from edge.acquire.protocols.values import uuid16
from edge.types import Lead

HEALTHYPI = uuid16(0x1122)  # the maker chose the form of an assigned number
ECG = uuid16(0x1424)
CONVERTER_STEPS = 2**17  # MAX3000x: volts = counts × 1.0 V / (2^17 × gain)


def decode_samples(data: bytes) -> list[Item]:
    """One notification: signed 32-bit counts; 16 of them from a Move, 8 from a HealthyPi 5."""
    if not data or len(data) % 4:
        return [Rejected("truncated")]
    return [SamplePacket(np.frombuffer(data, "<i4").astype(np.int32)[:, None])]


@dataclass(slots=True)
class HealthyPi:
    """ECG of a HealthyPi; a Move sends it only during a spot check with the electrodes on."""

    name: ClassVar[str] = "healthypi"
    services: ClassVar[tuple[str, ...]] = (HEALTHYPI,)

    fs_hz: float = 128.0
    """The Move's rate; nothing that is sent tells it."""
    gain: float = 40.0
    """Volts per volt of the front-end's amplifier; 40 in the Move's firmware."""

    @classmethod
    def advertises(cls, services: Collection[str], local_name: str) -> bool:  # noqa: ARG003 - the name suffices
        """A Move is called "healthypi move"."""
        return local_name.lower().startswith("healthypi")

    async def start(self, gatt: Gatt, deliver: Callable[[Item], None]) -> Stream:
        """See `Driver.start`."""
        if not gatt.has(HEALTHYPI, ECG):
            raise DeviceRefused("The device has no ECG service", "Update its firmware")
        device = await device_text(gatt)
        await watch_battery(gatt, deliver)

        def on_value(value: bytes) -> None:
            for item in decode_samples(value):
                deliver(item)

        await gatt.subscribe(HEALTHYPI, ECG, on_value)
        return Stream(
            self.name,
            (Lead("ECG", counts_per_mv=CONVERTER_STEPS * self.gain / 1000),),
            self.fs_hz,
            placement="arrival",
            device=device,
            notes=(
                "Millivolts follow the converter's data sheet; the firmware may shift its counts (unverified).",
                f"The device does not tell its rate: {self.fs_hz:g} Hz is assumed.",
                "Lost samples show only by the time of arrival.",
            ),
        )

    async def stop(self, gatt: Gatt) -> None:
        """There is no command to stop: it ends with the link."""
