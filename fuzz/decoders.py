"""Arbitrary values through every protocol decoder: whatever comes, there are items and a bounded state.

`python -m fuzz.decoders NAME --runs N` lets atheris look for values that break one (package `atheris`); the tests
use the same targets with random values.
"""

import argparse
import importlib
import struct
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, get_args

import numpy as np

if __name__ == "__main__":
    try:
        atheris = importlib.import_module("atheris")
    except ModuleNotFoundError:
        sys.exit("atheris is not installed. Install it with: pip install atheris")
    # Only what is imported in here is watched for coverage, so the decoders come after it.
    with atheris.instrument_imports(include=["edge.acquire.protocols", "firmware_bridge.link"]):
        from fuzz import decoders
    sys.exit(decoders.main(atheris))

from edge.acquire.packets import Item, Rejected, SamplePacket, Stopped
from edge.acquire.protocols import ganglion, generic_health_sensor, healthypi, heart_rate, movesense, polar, standard
from edge.acquire.protocols import health_observation as observation
from edge.acquire.protocols import movesense_community as community
from firmware_bridge.link.device import decode_response
from firmware_bridge.link.frame import LinkFrame, crc, decode_frame
from firmware_bridge.link.info import LinkInfo, decode_info
from fuzz.seeds import SEEDS, joined

Target = Callable[[Sequence[bytes]], None]

MOST_STATE_BYTES = generic_health_sensor.MAX_OBSERVATION_BYTES
MOST_STATE_BITS = 64


def check_items(items: object) -> None:
    """AssertionError unless it is a list of items, and every packet has the shape that packets have."""
    assert isinstance(items, list)
    for item in items:
        assert isinstance(item, get_args(Item))
        if isinstance(item, SamplePacket):
            assert item.counts.dtype == np.int32
            assert item.counts.ndim == 2
            assert item.counts.size > 0


def check_state(state: Any) -> None:
    """AssertionError when a state holds more than one observation, or a number of more than 64 bits."""
    for part in fields(state):
        value = getattr(state, part.name)
        if isinstance(value, bytes):
            assert len(value) <= MOST_STATE_BYTES
        if isinstance(value, int):
            assert value.bit_length() <= MOST_STATE_BITS


def _stateful(decode: Callable[[bytes, Any], tuple[list[Item], Any]], *states: Any) -> Target:
    """Target of a decoder with a state: every value in turn, from each of the initial states."""

    def target(values: Sequence[bytes]) -> None:
        for state in states:
            for value in values:
                items, state = decode(value, state)
                check_items(items)
                check_state(state)

    return target


def _stateless(*decoders: Callable[[bytes], list[Item]]) -> Target:
    def target(values: Sequence[bytes]) -> None:
        for value in values:
            for decode in decoders:
                check_items(decode(value))

    return target


def _polar_control(values: Sequence[bytes]) -> None:
    for value in values:
        said = polar.decode_control(value)
        assert said is None or isinstance(said, (polar.Answer, Stopped, Rejected))
        settings = polar.decode_settings(said.parameters if isinstance(said, polar.Answer) else value)
        if settings:
            asked = polar.decode_settings(polar.start_parameters(settings))
            assert asked is not None
            assert all(asked[kind] == settings[kind][:1] for kind in asked)


def _movesense_answers(values: Sequence[bytes]) -> None:
    for value in values:
        assert isinstance(movesense.decode_hello(value) or "", str)
        for dialect in (None, False, True):
            assert isinstance(movesense.decode_status(value, little_endian=dialect) or 0, int)


def _community(values: Sequence[bytes]) -> None:
    clock_ms: int | None = None
    for value in values:
        items, clock_ms = community.decode_frame(value, clock_ms)
        check_items(items)
        assert community.decode_interval_ms(value) in (None, *community.INTERVALS_MS)


def _observations(values: Sequence[bytes]) -> None:
    """Whole observations; as segments are, the value's second and third byte are its length."""
    for value in values:
        for body in (value, value[:1] + struct.pack("<H", len(value)) + value[1:]):
            found = observation.decode_observation(body)
            assert isinstance(found, (list, Rejected))


def _texts(values: Sequence[bytes]) -> None:
    for value in values:
        check_items(standard.decode_battery(value))
        assert len(standard.decode_text(value)) <= standard.MAX_TEXT
        assert isinstance(heart_rate.decode_location(value), str)


def _link(values: Sequence[bytes]) -> None:
    """Also with the right checksum, which no fuzzer guesses."""
    for value in values:
        for sealed in (value, value + struct.pack("<H", crc(value))):
            frame = decode_frame(sealed)
            assert isinstance(frame, (LinkFrame, str))
        assert isinstance(decode_info(value), (LinkInfo, str))
        decode_response(value)


TARGETS: dict[str, Target] = {
    "polar-ecg": _stateless(polar.decode_ecg, lambda value: polar.decode_ecg(value, (0,))),
    "polar-control": _polar_control,
    "heart-rate": _stateless(heart_rate.decode_heart_rate),
    "movesense": _stateful(movesense.decode_notification, movesense.MovesenseState(4), movesense.MovesenseState(2)),
    "movesense-answers": _movesense_answers,
    "movesense-community": _community,
    "healthypi": _stateless(healthypi.decode_samples),
    "ganglion": _stateful(ganglion.decode_packet, ganglion.GanglionState()),
    "health-sensor": _stateful(
        generic_health_sensor.decode_segment,
        generic_health_sensor.HealthState(signed=True),
        generic_health_sensor.HealthState(signed=False),
    ),
    "health-observation": _observations,
    "device-texts": _texts,
    "ecg-link": _link,
}


def split(data: bytes) -> Iterator[bytes]:
    """Values of an input: each is preceded by its length; the last one takes what is left."""
    while data:
        n = data[0]
        yield data[1 : 1 + n]
        data = data[1 + n :]


def main(atheris: Any) -> int:
    """Run one target; atheris ends the process itself, with 77 where a value broke it."""
    parser = argparse.ArgumentParser(prog="python -m fuzz.decoders", description=__doc__)
    parser.add_argument("name", choices=TARGETS)
    parser.add_argument("--runs", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    target = TARGETS[chosen.name]
    with tempfile.TemporaryDirectory(prefix="anyecg-fuzz-") as corpus:
        Path(corpus, "seed").write_bytes(joined(SEEDS[chosen.name]))
        atheris.Setup(
            [sys.argv[0], f"-atheris_runs={chosen.runs}", f"-seed={chosen.seed}", "-max_len=2048", corpus],
            lambda data: target(list(split(data))),
        )
        atheris.Fuzz()
    return 0
