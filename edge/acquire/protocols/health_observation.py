"""Observations of the Generic Health Sensor service: which sample arrays they hold.

The specification's text was not at hand: the layout is that of implementations, and what they leave open is said
where it matters. A length may count the bytes after the length field or the whole observation; both are read.
"""

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from edge.acquire.packets import Rejected
from edge.acquire.protocols.values import mder_float

SAMPLE_ARRAY, BUNDLE = 4, 255
_CLASSES = frozenset({1, 2, 3, 4, 5, 6, 7, 8, 255})
_KNOWN_FLAGS = 0x03FF
_TYPE, _TIME, _DURATION, _STATUS, _ID, _PATIENT, _SUPPLEMENT, _DERIVED, _MEMBER, _TLVS = (1 << k for k in range(10))
_LENGTH_STOP = 3  # class and length come first
_TICK_NS = (1_000_000_000, 100_000_000, 1_000_000, 100_000)  # by two bits of the time's flags


class _Malformed(Exception):
    """Inside this module only: the observation cannot be read, for this reason."""


@dataclass(frozen=True, slots=True)
class Stamp:
    """Time of an observation."""

    device_ns: int
    """Since 2000, or ticks of the device since its start."""
    resolution_ns: int


@dataclass(frozen=True, slots=True, eq=False)
class SampleArray:
    """Samples of one observation, as the device counts; physical value = scale × raw + offset, in `unit`."""

    kind: int
    """MDC code of what was measured."""
    unit: int
    """Low 16 bits of the MDC code of the unit."""
    scale: float
    offset: float
    period_s: float
    raw: NDArray[np.int64]
    stamp: Stamp | None


@dataclass(frozen=True, slots=True)
class _Shared:
    """What a bundle says for all of its members."""

    kind: int | None = None
    stamp: Stamp | None = None


class _Reader:
    """Bytes taken one after another."""

    def __init__(self, data: bytes) -> None:
        self.left = data

    def take(self, n: int) -> bytes:
        if n > len(self.left):
            raise _Malformed("truncated")
        taken, self.left = self.left[:n], self.left[n:]
        return taken

    def number(self, n: int) -> int:
        return int.from_bytes(self.take(n), "little")


def decode_observation(body: bytes, *, signed: bool = True) -> list[SampleArray] | Rejected:
    """The sample arrays of one reassembled observation or bundle; other observations are passed over.

    `signed`: how raw samples are read, which no source settles.
    """
    if len(body) < _LENGTH_STOP:
        return Rejected("truncated")
    stated = int.from_bytes(body[1:3], "little")
    if len(body) - stated not in (0, _LENGTH_STOP):
        return Rejected("length")
    try:
        return _read(body, len(body) - stated, _Shared(), signed=signed, inside=False)
    except _Malformed as error:
        return Rejected(str(error))


def _read(body: bytes, uncounted: int, shared: _Shared, *, signed: bool, inside: bool) -> list[SampleArray]:
    """Sample arrays of one whole observation; a bundle's members count their bytes as the bundle does."""
    kind = body[0]
    if kind not in _CLASSES or (kind == BUNDLE and inside):
        raise _Malformed("observation class")
    if kind not in (SAMPLE_ARRAY, BUNDLE):
        return []
    reader = _Reader(body[_LENGTH_STOP:])
    shared = _header(reader, shared)
    if kind == SAMPLE_ARRAY:
        return [_sample_array(reader, shared, signed=signed)]
    arrays = []
    for _ in range(reader.number(1)):
        head = reader.take(_LENGTH_STOP)
        length = int.from_bytes(head[1:], "little") + uncounted - _LENGTH_STOP
        if length < 0:
            raise _Malformed("length")
        arrays += _read(head + reader.take(length), uncounted, shared, signed=signed, inside=True)
    return arrays


def _header(reader: _Reader, shared: _Shared) -> _Shared:
    """Flags and the fields that they announce, in their order."""
    flags = reader.number(2)
    if flags & ~_KNOWN_FLAGS:
        raise _Malformed("flags")  # a field of unknown length may follow
    if flags & _TYPE:
        shared = replace(shared, kind=reader.number(4))
    if flags & _TIME:
        shared = replace(shared, stamp=_stamp(reader.take(9)))
    for flag, n in ((_DURATION, 4), (_STATUS, 2), (_ID, 4), (_PATIENT, 1)):
        reader.take(n if flags & flag else 0)
    for flag in (_SUPPLEMENT, _DERIVED, _MEMBER):
        if flags & flag:
            reader.take(4 * reader.number(1))
    if flags & _TLVS:
        for _ in range(reader.number(1)):
            reader.take(4)
            length = reader.number(2)
            reader.take(1 + length)  # taken as the value's length, without the format byte (unverified)
    return shared


def _stamp(data: bytes) -> Stamp:
    """Nine bytes: flags, u48 time in the flagged unit, source, offset from UTC."""
    resolution_ns = _TICK_NS[data[0] >> 2 & 3]
    return Stamp(int.from_bytes(data[1:7], "little") * resolution_ns, resolution_ns)


def _sample_array(reader: _Reader, shared: _Shared, *, signed: bool) -> SampleArray:
    unit = reader.number(2)
    scale, offset, period_s = (mder_float(reader.take(4)) for _ in range(3))
    dimension, width, stated = reader.number(1), reader.number(1), reader.number(4)
    data = reader.left
    if shared.kind is None:
        raise _Malformed("no type")
    if dimension != 1:
        raise _Malformed("dimension")  # implementations differ in what is counted then
    if not 1 <= width <= 4:
        raise _Malformed("sample width")
    if not data or len(data) != stated * width:
        raise _Malformed("number of samples")
    if not (math.isfinite(offset) and math.isfinite(scale) and scale > 0 and math.isfinite(period_s) and period_s > 0):
        raise _Malformed("scale")
    return SampleArray(shared.kind, unit, scale, offset, period_s, _numbers(data, width, signed=signed), shared.stamp)


def _numbers(data: bytes, width: int, *, signed: bool) -> NDArray[np.int64]:
    """Little-endian numbers of 1-4 bytes."""
    octets = np.frombuffer(data, np.uint8).reshape(-1, width).astype(np.int64)
    numbers: NDArray[np.int64] = (octets << 8 * np.arange(width, dtype=np.int64)).sum(axis=1)
    return numbers - (numbers >> 8 * width - 1 << 8 * width) if signed else numbers
