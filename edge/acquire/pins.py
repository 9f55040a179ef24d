"""Pinned wearables: the only ones that the gateway connects to by itself."""

import json
import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import NoneType
from typing import Any

from edge.errors import InputUnreadable, StorageError, UsageError

FILE = "straps.json"
NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")  # a level of the MQTT topics

_FIELDS: dict[str, tuple[type, ...]] = {
    "address": (str,),
    "name": (str,),
    "protocol": (str, NoneType),
    "bond": (bool,),
    "options": (dict,),
}


@dataclass(frozen=True, slots=True)
class Pin:
    """One wearable that may be recorded."""

    address: str
    """Bluetooth address; on macOS the system's identifier."""
    name: str
    """As in the topics and recordings' ids."""
    protocol: str | None = None
    """Which protocol it must speak; None: the one that fits it when it is first connected."""
    bond: bool = True
    """Whether it is paired when it asks for it."""
    options: dict[str, Any] = field(default_factory=dict)
    """Options of the protocol, such as {"fs_hz": 500} of movesense."""

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[0-9A-Fa-f:-]{1,64}", self.address):
            raise UsageError(f"{self.address!r} is no Bluetooth address", "`anyecg scan` lists what is near")
        if not NAME.fullmatch(self.name):
            raise UsageError(f"{self.name!r} cannot name a strap", "Use letters, digits, '-' and '_'")


def read_pins(folder: Path) -> list[Pin]:
    """The pinned wearables; none where nothing was pinned."""
    path = folder / FILE
    try:
        return _pins(json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return []
    except (OSError, ValueError, RecursionError, UsageError) as error:
        raise InputUnreadable(f"Cannot read the pinned straps {path}: {error}", "Mend or delete the file") from error


def pin(folder: Path, new: Pin) -> None:
    """Add a wearable, or replace what was said of it."""
    others = [old for old in read_pins(folder) if not same_address(old.address, new.address)]
    if any(same_name(old.name, new.name) for old in others):
        raise UsageError(f"Another strap is called {new.name!r}", "Give this one another name with --name")
    _write(folder, [*others, new])


def unpin(folder: Path, address: str) -> None:
    """Forget a wearable; UsageError where it is not pinned."""
    pins = read_pins(folder)
    kept = [old for old in pins if not same_address(old.address, address)]
    if len(kept) == len(pins):
        known = ", ".join(old.address for old in pins)
        raise UsageError(f"{address} is not pinned", f"Pinned: {known}" if known else "Nothing is pinned")
    _write(folder, kept)


def same_address(a: str, b: str) -> bool:
    """Whether two texts are the same address."""
    return a.upper() == b.upper()


def same_name(a: str, b: str) -> bool:
    """Whether two names would be the same recording's on a disk that does not tell cases apart."""
    return a.lower() == b.lower()


def free_name(wanted: str, taken: Iterable[str]) -> str:
    """A topic level made of a device's name, not among those taken."""
    plain = re.sub(r"[^A-Za-z0-9_-]+", "-", wanted).strip("-").lower()[:48] or "strap"
    taken, name, n = {other.lower() for other in taken}, plain, 2
    while name in taken:
        name, n = f"{plain}-{n}", n + 1
    return name


def _pins(document: Any) -> list[Pin]:
    """The wearables of a file; ValueError or UsageError says what is wrong with it."""
    entries = document.get("straps") if isinstance(document, dict) else None
    if not isinstance(entries, list):
        raise ValueError('it has no list "straps"')
    pins: list[Pin] = []
    for entry in entries:
        if not isinstance(entry, dict) or not {"address", "name"} <= set(entry):
            raise ValueError("every strap needs an address and a name")
        for key, value in entry.items():
            if key not in _FIELDS:
                raise ValueError(f"a strap has no {key!r}")
            if not isinstance(value, _FIELDS[key]):
                raise ValueError(f"{key!r} cannot be {value!r}")
        new = Pin(**entry)
        if any(same_address(old.address, new.address) or same_name(old.name, new.name) for old in pins):
            raise ValueError(f"the address or the name of {new.name!r} ({new.address}) stands there twice")
        pins.append(new)
    return pins


def _write(folder: Path, pins: list[Pin]) -> None:
    path = folder / FILE
    try:
        folder.mkdir(parents=True, exist_ok=True)
        new = path.with_suffix(".new")
        new.write_text(json.dumps({"straps": [asdict(each) for each in pins]}, indent=1) + "\n", encoding="utf-8")
        new.replace(path)
    except OSError as error:
        raise StorageError(f"Cannot write {path}: {error}", "Check the folder's permissions and the disk") from error
