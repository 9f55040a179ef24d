"""Which driver a device gets, and what a broken plugin costs."""

import logging
from collections.abc import Collection, Iterator
from importlib.metadata import EntryPoint
from typing import Any

import pytest

from edge.acquire import registry
from edge.acquire.protocols.heart_rate import HeartRate
from edge.acquire.protocols.movesense_community import MovesenseCommunity
from edge.acquire.protocols.polar import PMD, PolarH10
from edge.acquire.protocols.values import uuid16
from edge.acquire.registry import drivers, fallback, fitting

HEART_RATE, PSFTP, BATTERY = uuid16(0x180D), uuid16(0xFEEE), uuid16(0x180F)


class Plugin:
    name = "plugged"
    services: tuple[str, ...] = ("12345678-0000-4000-8000-000000000000",)

    async def start(self, gatt: Any, deliver: Any) -> Any: ...
    async def stop(self, gatt: Any) -> None: ...


class Raising(Plugin):
    name = "raising"
    services = ()

    @classmethod
    def advertises(cls, services: Collection[str], local_name: str) -> bool:
        raise RuntimeError("no")


class Unnamed(Plugin):
    name = "another"


class Bare(Plugin):
    name = "bare"
    services = HEART_RATE  # type: ignore[assignment] # a text instead of a tuple: what the registry must notice


@pytest.fixture
def plugins(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[EntryPoint]]:
    """Entry points that other packages would declare."""
    entries: list[EntryPoint] = []
    monkeypatch.setattr(registry, "entry_points", lambda group: [e for e in entries if e.group == group])
    registry._loaded.cache_clear()
    yield entries
    registry._loaded.cache_clear()


def entry(name: str, what: str) -> EntryPoint:
    return EntryPoint(name, f"{__name__}:{what}", registry.GROUP)


def test_every_driver_has_its_name_and_its_services() -> None:
    for name, driver in drivers().items():
        assert driver.name == name
        assert driver.services
        assert all(len(service) == 36 and service == service.lower() for service in driver.services)


def test_h10_is_known_by_its_name_because_it_does_not_advertise_its_ecg() -> None:
    assert fitting([HEART_RATE, PSFTP], "Polar H10 1A2B3C4D") is PolarH10


def test_connected_device_without_ecg_service_falls_back_to_heart_rate() -> None:  # scenario 15
    assert fallback(PolarH10) is HeartRate
    assert fallback(HeartRate) is None
    assert fitting([HEART_RATE, BATTERY, uuid16(0x180A)], "") is HeartRate
    assert fitting([HEART_RATE, PSFTP], "Polar H9 1A2B3C4D") is HeartRate


@pytest.mark.parametrize(
    ("services", "local_name", "name"),
    [
        ([HEART_RATE, PMD.upper()], "", "polar-h10"),
        ([], "Movesense 214530001234", "movesense"),
        ([HEART_RATE, uuid16(0x1859)], "Movesense 214530001234", "movesense-community"),  # scenario 24
        ([uuid16(0x1840)], "", "generic-health-sensor"),
        ([], "healthypi move", "healthypi"),
        ([uuid16(0xFE84)], "", "ganglion"),
        ([HEART_RATE], "Anything", "heart-rate"),
    ],
)
def test_a_device_gets_the_driver_of_its_services_or_name(services: list[str], local_name: str, name: str) -> None:
    driver = fitting(services, local_name)
    assert driver is not None
    assert driver.name == name


def test_a_device_of_another_kind_gets_no_driver() -> None:
    assert fitting([BATTERY], "Kettle") is None
    assert fitting([], "") is None


def test_a_sensor_with_other_firmware_falls_back_by_what_it_is() -> None:
    movesense = fitting([], "Movesense 214530001234")
    assert movesense is not None
    assert fallback(movesense) is MovesenseCommunity


def test_a_plugin_is_a_driver_like_the_others_and_comes_before_plain_heart_rate(plugins: list[EntryPoint]) -> None:
    plugins.append(entry("plugged", "Plugin"))
    assert drivers()["plugged"].name == "plugged"
    assert fitting([HEART_RATE, *Plugin.services], "") is drivers()["plugged"]


@pytest.mark.parametrize(
    "broken",
    [
        entry("gone", "Nothing"),
        entry("text", "HEART_RATE"),
        entry("named", "Unnamed"),
        entry("bare", "Bare"),
        entry("polar-h10", "Plugin"),
        EntryPoint("absent", "no_such_module:Driver", registry.GROUP),
    ],
    ids=lambda e: e.name,
)
def test_a_broken_plugin_costs_one_line_of_warning_once(
    plugins: list[EntryPoint], caplog: pytest.LogCaptureFixture, broken: EntryPoint
) -> None:
    plugins += [broken, entry("plugged", "Plugin")]
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            found = drivers()
    assert found["polar-h10"] is PolarH10
    assert "plugged" in found
    assert len(found) == 9
    (record,) = caplog.records
    assert broken.name in record.getMessage()
    assert "\n" not in record.getMessage()


def test_a_plugin_that_raises_over_an_advertisement_does_not_fit(plugins: list[EntryPoint]) -> None:
    plugins.append(entry("raising", "Raising"))
    assert fitting([HEART_RATE], "Anything") is HeartRate


def test_the_answer_cannot_be_changed_by_its_reader() -> None:
    drivers().clear()
    assert "polar-h10" in drivers()
