"""Numbers as wearables write them: 24-bit samples, medical floats, clocks that wrap; and short UUIDs."""

import math

import numpy as np
from numpy.typing import NDArray

# Mantissas that IEEE 11073-20601 reserves, with exponent 0: NaN, not at this resolution, +inf, -inf, reserved.
_MDER_SPECIAL = frozenset({0x7FFFFF, 0x800000, 0x7FFFFE, 0x800002, 0x800001})


def uuid16(number: int) -> str:
    """128-bit text of a UUID that Bluetooth assigned."""
    return f"0000{number:04x}-0000-1000-8000-00805f9b34fb"


def s24_le(data: bytes) -> NDArray[np.int32]:
    """Signed 24-bit little-endian numbers, shape (len(data) // 3,); `data` is a whole number of them."""
    octets = np.frombuffer(data, np.uint8).reshape(-1, 3).astype(np.int32)
    return (octets[:, 0] | octets[:, 1] << 8 | octets[:, 2] << 16) - (octets[:, 2] >> 7 << 24)


def mder_float(data: bytes) -> float:
    """Medical 32-bit float of four bytes, little-endian; NaN for every special value."""
    mantissa, exponent = int.from_bytes(data[:3], "little"), int.from_bytes(data[3:4], "little", signed=True)
    if exponent == 0 and mantissa in _MDER_SPECIAL:
        return math.nan
    signed = mantissa - (mantissa >> 23 << 24)
    return signed / 10**-exponent if exponent < 0 else float(signed * 10**exponent)


def unwrapped(raw: int, previous: int | None, bits: int) -> int:
    """The number nearest to `previous` whose low `bits` are `raw`: follows wraps as well as small steps back."""
    if previous is None:
        return raw
    half, whole = 1 << bits - 1, 1 << bits
    return previous + (raw - previous + half) % whole - half
