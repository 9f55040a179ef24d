"""Blocks of samples of one lead to bytes and back, without loss.

Converter counts are stored where the lead names its steps (differences, then zlib: an ECG needs about one byte a
sample), float32 bits where it does not or where a sample lies between two steps.
"""

import zlib

import numpy as np
from numpy.typing import NDArray

from edge.types import Lead

COUNTS, FLOATS = 1, 2
NOT_RECORDED = np.int32(-(2**31))
ZLIB_LEVEL = 3  # fast: blocks are written at every commit


def encode(signal_mv: NDArray[np.float32], lead: Lead) -> tuple[int, bytes]:
    """Codec number and bytes of samples in mV, shape (n,), NaN where nothing was recorded."""
    if lead.counts_per_mv is not None:
        counts = to_counts(signal_mv, lead)
        if np.array_equal(to_mv(counts, lead), signal_mv, equal_nan=True):
            steps = np.diff(counts, prepend=np.int32(0)).astype(np.int32)  # wraps, and unwraps in decode
            return COUNTS, zlib.compress(_bytes_by_significance(steps), ZLIB_LEVEL)
    return FLOATS, zlib.compress(_bytes_by_significance(signal_mv), ZLIB_LEVEL)


def decode(codec: int, data: bytes, lead: Lead) -> NDArray[np.float32]:
    """Samples in mV, shape (n,); ValueError or zlib.error where the bytes are damaged."""
    raw = np.frombuffer(zlib.decompress(data), np.uint8)
    words = np.ascontiguousarray(raw.reshape(4, -1).T).view(np.int32).ravel()
    if codec == COUNTS and lead.counts_per_mv is not None:
        return to_mv(np.cumsum(words, dtype=np.int32), lead)
    if codec == FLOATS:
        return words.view(np.float32)
    raise ValueError(f"unknown codec {codec}")


def to_counts(signal_mv: NDArray[np.float32], lead: Lead) -> NDArray[np.int32]:
    """Converter counts nearest to the samples."""
    assert lead.counts_per_mv is not None
    with np.errstate(invalid="ignore"):  # signalling NaN
        scaled = np.rint(signal_mv.astype(np.float64) * lead.counts_per_mv + lead.zero_count)
    scaled = np.clip(np.where(np.isnan(scaled), 0, scaled), -(2**31) + 1, 2**31 - 1)
    return np.where(np.isnan(signal_mv), NOT_RECORDED, scaled.astype(np.int32))


def to_mv(counts: NDArray[np.int32], lead: Lead) -> NDArray[np.float32]:
    """Millivolts of converter counts, by the formula that the file readers use."""
    assert lead.counts_per_mv is not None
    with np.errstate(over="ignore"):  # a lead of tiny steps: what float32 cannot hold is stored as floats
        signal_mv = ((counts.astype(np.float64) - lead.zero_count) / lead.counts_per_mv).astype(np.float32)
    signal_mv[counts == NOT_RECORDED] = np.nan
    return signal_mv


def _bytes_by_significance(words: NDArray[np.int32] | NDArray[np.float32]) -> bytes:
    """All lowest bytes, then all next ones: the high bytes of small steps compress to almost nothing."""
    return np.ascontiguousarray(words).view(np.uint8).reshape(-1, 4).T.tobytes()
