"""A virtual wearable: any recording as the frames a device would send, with the faults of a real link on request."""

import random
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from edge.errors import UsageError
from edge.types import Frame, Recording, Window, pieces


@dataclass(frozen=True, slots=True)
class FaultScript:
    """What goes wrong on the link, by seconds from the start of the recording; seeded, so it can be repeated."""

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
    try:
        given["dropouts"] = tuple((float(a), float(b)) for a, b in given.get("dropouts", ()))
        numbers: dict[str, Any] = {
            name: (int if name == "seed" else float)(given[name]) for name in given if name != "dropouts"
        }
    except (TypeError, ValueError, OverflowError) as error:
        advice = "dropouts is a list of [start_s, duration_s]; every other fault is a number"
        raise UsageError(f"The fault script {path} is not usable", advice) from error
    return FaultScript(dropouts=given["dropouts"], **numbers)


def frames(recording: Recording, frame_samples: int = 73, start_s: float = 0.0) -> Iterator[Frame]:
    """Frames of `frame_samples` samples (73: a Polar H10's); a gap of the recording is time without frames.

    `received_s` is when the frame's last sample was taken, `start_s` (Unix seconds) being sample 0.
    """
    fs_hz = recording.info.fs_hz
    for piece in pieces(recording):
        if not isinstance(piece, Window):
            continue
        for a in range(0, len(piece.signal_mv), frame_samples):
            signal_mv = piece.signal_mv[a : a + frame_samples]
            first = piece.start + a
            yield Frame(first, signal_mv, start_s + (first + len(signal_mv)) / fs_hz)


def with_faults(sent: Iterator[Frame], fs_hz: float, script: FaultScript) -> Iterator[Frame]:
    """The frames as they arrive over a link with faults."""
    chance = random.Random(script.seed)  # noqa: S311 - repeatable faults, no secrets
    held: Frame | None = None
    first_received_s: float | None = None
    for frame in sent:
        first_received_s = frame.received_s if first_received_s is None else first_received_s
        elapsed_s = (frame.received_s - first_received_s) / (1 + script.drift_ppm * 1e-6)
        arrived = Frame(frame.first_sample, frame.signal_mv, first_received_s + elapsed_s)
        at_s = frame.first_sample / fs_hz
        if any(start <= at_s < start + duration for start, duration in script.dropouts):
            continue
        if chance.random() < script.lose:
            continue
        if held is None and chance.random() < script.reorder:
            held = arrived
            continue
        yield arrived
        if chance.random() < script.duplicate:
            yield arrived
        if held is not None:
            yield held
            held = None
    if held is not None:
        yield held
