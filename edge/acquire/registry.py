"""The drivers there are: those of this package, and those of other installed packages (`anyecg.protocols`)."""

import importlib
import logging
from collections.abc import Collection
from functools import cache
from importlib.metadata import entry_points
from typing import cast

from edge.acquire.driver import Driver

GROUP = "anyecg.protocols"
GENERAL = "heart-rate"  # many ECG devices have it, too: it is the last choice

_log = logging.getLogger(__name__)
_PROTOCOLS = "edge.acquire.protocols"
_BUILT_IN = {
    "ecg-link": f"{_PROTOCOLS}.ecg_link:EcgLink",
    "polar-h10": f"{_PROTOCOLS}.polar:PolarH10",
    # Before `movesense`: a sensor with the community firmware keeps its name.
    "movesense-community": f"{_PROTOCOLS}.movesense_community:MovesenseCommunity",
    "movesense": f"{_PROTOCOLS}.movesense:Movesense",
    "generic-health-sensor": f"{_PROTOCOLS}.generic_health_sensor:GenericHealthSensor",
    "healthypi": f"{_PROTOCOLS}.healthypi:HealthyPi",
    "ganglion": f"{_PROTOCOLS}.ganglion:Ganglion",
    GENERAL: f"{_PROTOCOLS}.heart_rate:HeartRate",
}


@cache
def _loaded() -> dict[str, type[Driver]]:
    found = {name: _resolve(place) for name, place in _BUILT_IN.items()}
    for entry in entry_points(group=GROUP):
        if entry.name in found:
            _log.warning("The protocol %s of %s is ignored: the name is taken", entry.name, entry.value)
            continue
        try:
            found[entry.name] = _checked(entry.load(), entry.name)
        except Exception as error:  # a plugin may raise anything, and the others must go on
            _log.warning("The protocol %s of %s cannot be used (%s)", entry.name, entry.value, _line(error))
    return found


def drivers() -> dict[str, type[Driver]]:
    """Every driver by its name; a plugin that cannot be used costs one line of warning, once."""
    return dict(_loaded())


def fitting(services: Collection[str], local_name: str) -> type[Driver] | None:
    """The driver for an advertisement, or for the services of a connected device (then with an empty name).

    A driver fits when all of its services are there, or when its `advertises(services, local_name)` says so: an
    advertisement seldom lists every service.
    """
    there = {service.lower() for service in services}
    candidates = drivers()
    for name in [*(name for name in candidates if name != GENERAL), GENERAL]:
        driver = candidates[name]
        if (driver.services and there.issuperset(driver.services)) or _advertises(driver, there, local_name):
            return driver
    return None


def fallback(driver: type[Driver]) -> type[Driver] | None:
    """What to try where a device turns out to lack the driver's services (`DeviceRefused`)."""
    return drivers().get(getattr(driver, "fallback", None) or "")


def _advertises(driver: type[Driver], services: Collection[str], local_name: str) -> bool:
    told = getattr(driver, "advertises", None)
    try:
        return told is not None and bool(told(services, local_name))
    except Exception as error:  # a plugin may raise anything, and the others must go on
        _log.debug("The protocol %s cannot read an advertisement (%s)", driver.name, _line(error))
        return False


def _resolve(place: str) -> type[Driver]:
    module, _, name = place.partition(":")
    return cast(type[Driver], getattr(importlib.import_module(module), name))


def _checked(driver: object, name: str) -> type[Driver]:
    """The driver class; TypeError for what is none."""
    if not isinstance(driver, type) or not all(hasattr(driver, part) for part in ("name", "services", "start", "stop")):
        raise TypeError("it is no driver class")
    checked = cast(type[Driver], driver)
    if checked.name != name:
        raise TypeError(f"it calls itself {checked.name!r}")
    if not isinstance(checked.services, tuple) or not all(isinstance(service, str) for service in checked.services):
        raise TypeError("its services are no tuple of texts")
    return checked


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
