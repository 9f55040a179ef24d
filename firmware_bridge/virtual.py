"""A virtual wearable: any recording as the frames a device would send, with the faults of a real link on request."""

import random
from collections.abc import Iterator
from pathlib import Path

from edge.errors import UsageError
from edge.types import Frame, Recording, Window, pieces
from firmware_bridge.faults import FaultScript as FaultScript
from firmware_bridge.faults import read_fault_script as read_any_fault_script
from firmware_bridge.faults import unsupported

REPLAYED = ("dropouts", "lose", "duplicate", "reorder", "drift_ppm", "seed")  # a replay has frames but no device


def read_fault_script(path: Path) -> FaultScript:
    """A fault script for a replay from a TOML file; UsageError names what is wrong or cannot be replayed."""
    script = read_any_fault_script(path)
    _check(script)
    return script


def _check(script: FaultScript) -> None:
    others = unsupported(script, REPLAYED)
    if others:
        raise UsageError(
            f"A replay cannot do these faults: {', '.join(others)}",
            f"It does {', '.join(REPLAYED)}; use a virtual device",
        )


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
    """The frames as they arrive over a link with faults; UsageError when a replay cannot do one of them."""
    _check(script)
    return _with_faults(sent, fs_hz, script)


def _with_faults(sent: Iterator[Frame], fs_hz: float, script: FaultScript) -> Iterator[Frame]:
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
