"""Fault scripts: what goes wrong with a virtual wearable and its link, repeatable and by seconds of the recording."""

import math
import random
import tomllib
from collections.abc import Callable, Collection
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from edge.errors import UsageError

MIN_MTU = 23  # ATT's smallest


@dataclass(frozen=True, slots=True)
class FaultScript:
    """What goes wrong, by seconds from the start of the recording; seeded, so it can be repeated."""

    dropouts: tuple[tuple[float, float], ...] = ()
    """(start_s, duration_s): nothing arrives; the wearable counts on."""
    lose: float = 0.0
    """Chance of a frame being lost, 0 to 1."""
    duplicate: float = 0.0
    """Chance of a frame arriving twice."""
    reorder: float = 0.0
    """Chance of a frame changing places with the next one."""
    drift_ppm: float = 0.0
    """The wearable's clock against the host's: positive runs fast, so that its seconds are shorter."""
    seed: int = 0
    corrupt: float = 0.0
    """Chance of a notification with one byte changed."""
    truncate: float = 0.0
    """Chance of a notification that lacks bytes at its end."""
    stalls: tuple[tuple[float, float], ...] = ()
    """(start_s, duration_s): connected but silent; what is measured meanwhile is lost unless the device keeps a ring."""
    disconnects: tuple[float, ...] = ()
    """at_s: the link is lost as by a supervision timeout; the device can be reached again at once."""
    clock_resets: tuple[float, ...] = ()
    """at_s: the device loses power: the link is lost, its clock and counters start anew."""
    clock_jumps: tuple[tuple[float, float], ...] = ()
    """(at_s, by_s): the device's clock is set while it streams."""
    rate_percent: float = 0.0
    """How far the true sampling rate lies above the nominal one; the device's clock is right."""
    lead_off: tuple[tuple[float, float], ...] = ()
    """(start_s, duration_s): electrodes off: the input sits at its rail, with noise; contact bits say so."""
    max_mtu: int | None = None
    """Largest ATT MTU that the link grants, e.g. 23."""
    interval_ms: tuple[float, float] | None = None
    """(lowest, highest): each packet is delayed by a random time between these; the order is kept."""
    first_frame_s: float = 0.0
    """Time from the answer to the start command until the stream begins."""
    device_stops: tuple[float, ...] = ()
    """at_s: the device ends the stream by itself; the link stands."""
    pairing: bool = False
    """Everything but discovery is refused (ATT 0x05) until the link is paired."""
    two_clients: bool = False
    """A second client may connect; otherwise the device is not to be found while it has one."""


CHANCES = ("lose", "duplicate", "reorder", "corrupt", "truncate")
SPANS = ("dropouts", "stalls", "lead_off")
MOMENTS = ("disconnects", "clock_resets", "device_stops")
SWITCHES = ("pairing", "two_clients")


def read_fault_script(path: Path) -> FaultScript:
    """A fault script from a TOML file; UsageError names what is wrong in it."""
    try:
        given = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UsageError(f"Cannot read the fault script {path}: {error}") from error
    known = {f.name for f in fields(FaultScript)}
    unknown = sorted(set(given) - known)
    if unknown:
        raise UsageError(f"Unknown fault {unknown[0]!r} in {path}", f"Known: {', '.join(sorted(known))}")
    values: dict[str, Any] = {}
    for name, value in given.items():
        read, form = _READERS.get(name, (_finite, "a number"))
        try:
            values[name] = read(value)
        except (TypeError, ValueError, OverflowError) as error:
            raise UsageError(f"The fault {name!r} in {path} is not usable", f"It is {form}") from error
    return FaultScript(**values)


def unsupported(script: FaultScript, names: Collection[str]) -> tuple[str, ...]:
    """The faults that the script asks for and that are not among `names`."""
    nothing = FaultScript()
    asked = (f.name for f in fields(FaultScript) if getattr(script, f.name) != getattr(nothing, f.name))
    return tuple(name for name in asked if name not in names)


def random_faults(n: int, duration_s: float, kinds: Collection[str], seed: int) -> FaultScript:
    """`n` faults of these kinds at random times of `duration_s` seconds; ValueError for a kind without a time.

    Spans last 1 to 10 s, clocks are set by up to an hour either way.
    """
    unknown = set(kinds) - {*SPANS, *MOMENTS, "clock_jumps"}
    if unknown or not kinds:
        raise ValueError(f"kinds must be some of {', '.join((*SPANS, *MOMENTS, 'clock_jumps'))}")
    chance = random.Random(seed)  # noqa: S311 - repeatable faults, no secrets
    found: dict[str, list[Any]] = {kind: [] for kind in kinds}
    for at_s in sorted(chance.uniform(0, duration_s) for _ in range(n)):
        kind = chance.choice(sorted(kinds))
        if kind in SPANS:
            found[kind].append((at_s, chance.uniform(1.0, 10.0)))
        elif kind == "clock_jumps":
            found[kind].append((at_s, chance.uniform(-3600.0, 3600.0)))
        else:
            found[kind].append(at_s)
    values: dict[str, Any] = {kind: tuple(times) for kind, times in found.items()}
    return FaultScript(seed=seed, **values)


def during(spans: tuple[tuple[float, float], ...], at_s: float) -> bool:
    """Whether a moment lies in one of the (start_s, duration_s) spans."""
    return any(start <= at_s < start + duration for start, duration in spans)


@dataclass(slots=True)
class LinkFaults:
    """Where the faults of notifications stand; `arriving` decides about each notification in the order of sending."""

    script: FaultScript
    lost: int = 0
    duplicated: int = 0
    reordered: int = 0
    corrupted: int = 0
    truncated: int = 0
    _held: dict[int, bytes] = field(default_factory=dict)
    _chance: random.Random = field(init=False)

    def __post_init__(self) -> None:
        self._chance = random.Random(self.script.seed)  # noqa: S311 - repeatable faults, no secrets

    def arriving(self, handle: int, value: bytes, at_s: float) -> list[bytes]:
        """What of a notification of this attribute handle reaches the client, and what was held back before."""
        if during(self.script.dropouts, at_s) or self._happens(self.script.lose):
            self.lost += 1
            return []
        if self._happens(self.script.corrupt):
            self.corrupted += 1
            k = self._chance.randrange(len(value))
            value = value[:k] + bytes([value[k] ^ self._chance.randint(1, 255)]) + value[k + 1 :]
        if self._happens(self.script.truncate):
            self.truncated += 1
            value = value[: self._chance.randrange(len(value))]
        held = self._held.pop(handle, None)
        if held is None and self._happens(self.script.reorder):
            self.reordered += 1
            self._held[handle] = value
            return []
        values = [value]
        if self._happens(self.script.duplicate):
            self.duplicated += 1
            values.append(value)
        return values if held is None else [*values, held]

    def link_lost(self) -> None:
        """What was held back never arrives."""
        self.lost += len(self._held)
        self._held.clear()

    def _happens(self, chance: float) -> bool:
        return chance > 0 and self._chance.random() < chance


def _finite(value: Any) -> float:
    if isinstance(value, bool) or not math.isfinite(value):
        raise ValueError(value)
    return float(value)


def _whole(value: Any) -> int:
    if isinstance(value, bool) or value != int(value):
        raise ValueError(value)
    return int(value)


def _chance(value: Any) -> float:
    if not 0 <= _finite(value) <= 1:
        raise ValueError(value)
    return float(value)


def _not_negative(value: Any) -> float:
    if _finite(value) < 0:
        raise ValueError(value)
    return float(value)


def _spans(value: Any) -> tuple[tuple[float, float], ...]:
    return tuple((_not_negative(start), _not_negative(duration)) for start, duration in value)


def _jumps(value: Any) -> tuple[tuple[float, float], ...]:
    return tuple((_not_negative(at), _finite(by)) for at, by in value)


def _moments(value: Any) -> tuple[float, ...]:
    return tuple(_not_negative(at) for at in value)


def _interval(value: Any) -> tuple[float, float]:
    low, high = value
    if not 0 <= _finite(low) <= _finite(high):
        raise ValueError(value)
    return float(low), float(high)


def _mtu(value: Any) -> int:
    if _whole(value) < MIN_MTU:
        raise ValueError(value)
    return int(value)


def _switch(value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError(value)
    return value


_READERS: dict[str, tuple[Callable[[Any], Any], str]] = {
    **dict.fromkeys(CHANCES, (_chance, "a chance from 0 to 1")),
    **dict.fromkeys(SPANS, (_spans, "a list of [start_s, duration_s]")),
    **dict.fromkeys(MOMENTS, (_moments, "a list of times in seconds")),
    **dict.fromkeys(SWITCHES, (_switch, "true or false")),
    "clock_jumps": (_jumps, "a list of [at_s, by_s]"),
    "interval_ms": (_interval, "[lowest, highest] in milliseconds"),
    "first_frame_s": (_not_negative, "a number of seconds"),
    "max_mtu": (_mtu, f"a whole number from {MIN_MTU}"),
    "seed": (_whole, "a whole number"),
}
