"""What any wearable may do: stand beside another one, speak nothing known, send garbage."""

import asyncio
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bumble.gatt import Characteristic, Service
from strap_tools import SPEED, Make, While, assert_exact, first_seconds, record_strap

from bench.strap_run import StrapRun, compare, switched_on
from edge.recording.store import StoredRecording
from firmware_bridge.air import Air
from firmware_bridge.faults import FaultScript
from firmware_bridge.peripherals.attributes import readable, service
from firmware_bridge.peripherals.ecg_link import EcgLinkDevice
from firmware_bridge.peripherals.ganglion import Ganglion
from firmware_bridge.peripherals.generic_health_sensor import GenericHealthSensor
from firmware_bridge.peripherals.healthypi import HealthyPi
from firmware_bridge.peripherals.heart_rate import HeartRateStrap
from firmware_bridge.peripherals.movesense import Movesense
from firmware_bridge.peripherals.peripheral import Peripheral
from firmware_bridge.peripherals.polar_h10 import PolarH10


def making(kind: Callable[..., Peripheral], *, speed: float = SPEED, name: str | None = None, **faults: Any) -> Make:
    return lambda air, recording: kind(air, recording, speed=speed, name=name, faults=FaultScript(**faults))


def test_two_straps_on_one_air_give_two_recordings(tmp_path: Path) -> None:
    async def go() -> None:
        air = Air()
        straps = [kind(air, first_seconds(30.0), speed=SPEED) for kind in (PolarH10, EcgLinkDevice)]
        async with switched_on(straps[0]), switched_on(straps[1]):
            for name in ("a", "b"):
                (tmp_path / name).mkdir()
            runs = [StrapRun(tmp_path / name, strap, air) for name, strap in zip("ab", straps, strict=True)]
            runs[1].source.radio = runs[0].source.radio  # as a gateway does it
            async with asyncio.timeout(30):
                await asyncio.gather(*(run.record() for run in runs))
        for run in runs:
            same = compare(run)
            assert same.exact
            assert same.missing == 0
            assert same.received > 3000

    asyncio.run(go())


class Lamp(Peripheral):
    def services(self) -> list[Service]:
        return [service(0x1234, readable(0x1235, b"on"))]


def test_a_device_without_a_known_service_is_refused_with_one_line(tmp_path: Path) -> None:
    outcome = record_strap(making(Lamp), tmp_path, for_s=0.6)
    assert outcome.info is None
    (lost,) = outcome.told("lost")
    assert "speaks no protocol known here" in lost
    assert len(lost.splitlines()) == 1


def garbage(seed: int) -> While:
    """Damaged, random and overlong values on everything that notifies, while the stream runs."""

    async def send(run: StrapRun, peripheral: Peripheral) -> None:
        chance = random.Random(seed)
        while run.source.status.state != "streaming":
            await asyncio.sleep(0.001)
        attributes = peripheral.clients[0].device.gatt_server.attributes
        telling = Characteristic.Properties.NOTIFY | Characteristic.Properties.INDICATE
        targets = [a for a in attributes if isinstance(a, Characteristic) and a.properties & telling]
        for n in [513, 0, 1, 514, *(chance.choice((2, 4, 13, 20, 64, 70, 229, 244, 512)) for _ in range(60))]:
            for target in targets:
                value = bytearray(chance.randbytes(n))
                if chance.random() < 0.5:
                    value[:1] = bytes([chance.choice((0, 1, 2, 3, 4, 0xF0))])[: len(value)]
                for client in peripheral.clients:
                    peripheral._notify_one(client, target, bytes(value))
            await asyncio.sleep(0.005)

    return send


@pytest.mark.parametrize(
    "kind",
    [PolarH10, HeartRateStrap, Movesense, GenericHealthSensor, HealthyPi, Ganglion, EcgLinkDevice],
)
def test_garbage_and_overlong_values_on_every_characteristic_never_end_the_stream(
    tmp_path: Path, kind: type[Peripheral]
) -> None:
    def make(air: Air, recording: Any) -> Peripheral:
        device = kind(air, recording, speed=SPEED)
        device.max_mtu = 517
        return device

    outcome = record_strap(make, tmp_path, meanwhile=garbage(7))
    assert outcome.run.peripheral.ended.is_set()  # it was listened to until its recording was over
    assert outcome.info is not None
    assert outcome.status.rejected >= 2  # the overlong ones
    stored = StoredRecording(outcome.run.paths[-1])
    last_s = stored.info.duration_s
    if stored.info.leads:
        rest = stored.read_mv(round((last_s - 5) * stored.info.fs_hz), stored.info.n_samples)
        assert np.isfinite(rest).mean() > 0.9
    stored.close()
    if kind is EcgLinkDevice:
        assert assert_exact(outcome, 12000).missing == 0
