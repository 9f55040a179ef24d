"""What the tests over a virtual air share: connected clients, and what a strap's bytes say."""

import asyncio
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from bleak import BleakClient, BleakScanner
from numpy.typing import NDArray

from edge.formats.memory import ArrayRecording
from firmware_bridge.bumble_bleak import AirClient, AirScanner
from firmware_bridge.peripherals.peripheral import Peripheral
from firmware_bridge.peripherals.polar_h10 import PMD_CONTROL, PMD_DATA, PolarH10

START_ECG = bytes.fromhex("02000001820001010e00")


def run(work: Awaitable[None]) -> None:
    """A test's body in an event loop, within five seconds."""

    async def bounded() -> None:
        await asyncio.wait_for(work, 5)

    asyncio.run(bounded())


def waves(duration_s: float = 60.0, fs_hz: float = 360.0, n_leads: int = 1) -> ArrayRecording:
    """A signal that differs at every sample, within 1 mV."""
    t_s = np.arange(round(duration_s * fs_hz)) / fs_hz
    leads = [0.6 * np.sin(2 * np.pi * (1.1 + k) * t_s) + 0.3 * np.sin(2 * np.pi * 0.07 * t_s) for k in range(n_leads)]
    return ArrayRecording("waves", np.stack(leads, axis=1), fs_hz)


@asynccontextmanager
async def on_air(*devices: Peripheral) -> AsyncIterator[None]:
    """The devices are switched on."""
    for device in devices:
        await device.start()
    try:
        yield
    finally:
        for device in devices:
            await device.stop()


def client(device: Peripheral | str, air: Any, **kwargs: Any) -> BleakClient:
    """A client for a device that was not scanned for."""
    address = device if isinstance(device, str) else device.address
    return BleakClient(address, backend=AirClient, air=air, **kwargs)


async def found(air: Any, name: str, within_s: float = 2.0) -> Any:
    """The device of this name, by a scan; None when there is none."""
    return await BleakScanner.find_device_by_name(name, timeout=within_s, backend=AirScanner, air=air)


async def until(condition: Callable[[], bool]) -> None:
    """Wait until something is so; the test's own time limit ends it."""
    while not condition():
        await asyncio.sleep(0.005)


@dataclass
class Heard:
    """Values of a characteristic in the order of their arrival."""

    values: list[bytes] = field(default_factory=list)

    def __call__(self, _characteristic: Any, value: bytearray) -> None:
        self.values.append(bytes(value))

    async def first(self, n: int) -> list[bytes]:
        await until(lambda: len(self.values) >= n)
        return self.values[:n]


async def heard(client: BleakClient, characteristic: str) -> Heard:
    """Subscribe."""
    values = Heard()
    await client.start_notify(characteristic, values)
    return values


async def asked(client: BleakClient, answers: Heard, command: bytes, characteristic: str = PMD_CONTROL) -> bytes:
    """The indication that answers a command."""
    n = len(answers.values)
    await client.write_gatt_char(characteristic, command, response=True)
    return (await answers.first(n + 1))[n]


async def ecg_of(client: BleakClient) -> tuple[Heard, Heard]:
    """Start the ECG of an H10; control answers and data."""
    answers = await heard(client, PMD_CONTROL)
    data = await heard(client, PMD_DATA)
    assert await asked(client, answers, START_ECG) == bytes.fromhex("f00200000000")
    return answers, data


def ecg(frame: bytes) -> tuple[int, NDArray[np.int32]]:
    """Time stamp and microvolts of an ECG frame of type 0."""
    kind, stamp_ns, frame_type = struct.unpack_from("<BQB", frame)
    assert (kind, frame_type) == (0, 0)
    assert (len(frame) - 10) % 3 == 0
    return stamp_ns, s24(frame[10:])


def s24(body: bytes) -> NDArray[np.int32]:
    """Signed 24-bit numbers, little-endian."""
    parts = np.frombuffer(body, np.uint8).reshape(-1, 3).astype(np.int32)
    values = parts[:, 0] | parts[:, 1] << 8 | parts[:, 2] << 16
    return np.where(values >= 1 << 23, values - (1 << 24), values).astype(np.int32)


def index_of_last(strap: PolarH10, stamp_ns: int) -> int:
    """Which sample a time stamp belongs to, where the clock was not disturbed."""
    return round((stamp_ns - strap.options.clock_start_ns) * 1e-9 * strap.converter.fs_hz)
