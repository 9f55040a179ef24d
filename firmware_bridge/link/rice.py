"""Samples of a frame to bits and back without loss: differences, then Rice codes, one parameter per lead and frame.

A lead is written as `order - 1` (1 bit), `k` (5 bits), its first sample (24 bits), then the residuals of the others:
the quotients of all of them in unary (so many zeros, then a one), after these the remainders of all of them (k bits
each). Bits run from the highest of each byte down; leads follow each other without padding.
Quotients and remainders are kept apart so that numpy decodes a lead without a loop over samples.
"""

import numpy as np
from numpy.typing import NDArray

SAMPLE_BITS = 24
RESIDUAL_BITS = 26  # of a second difference of 24-bit samples, its sign folded in
LEAD_BITS = 1 + 5 + SAMPLE_BITS
SMALLEST, LARGEST = -(2 ** (SAMPLE_BITS - 1)), 2 ** (SAMPLE_BITS - 1) - 1

_Words = NDArray[np.int64]
_Bits = NDArray[np.uint8]


def n_that_fit(counts: NDArray[np.int32], n_bytes: int) -> int:
    """How many of the first samples, shape (n, n_leads), have a code of at most `n_bytes` bytes.

    Code length never falls with more samples, so every way of searching finds the same number.
    """
    n_leads = counts.shape[1]
    most = 8 * n_bytes // n_leads - LEAD_BITS + 1  # a residual has at least one bit
    if most < 1:
        return 0
    counts = counts[:most]
    bits = np.full(len(counts), n_leads * LEAD_BITS)
    for lead in counts.T.astype(np.int64):
        first, second = (_code_lengths(folded).min(axis=0) for folded in _residuals(lead))
        bits += np.minimum(first, second)
    return int(np.searchsorted(bits, 8 * n_bytes, side="right"))


def encode(counts: NDArray[np.int32]) -> bytes:
    """Code of 24-bit samples, shape (n, n_leads) with n at least 1; the last byte is filled up with zeros."""
    parts: list[_Bits] = []
    for lead in counts.T.astype(np.int64):
        residuals = _residuals(lead)
        lengths = [_code_lengths(folded)[:, -1] for folded in residuals]
        # The encoder's rule: the shortest code; where two are equally short, the lower order, then the lower k.
        order = int(lengths[1].min() < lengths[0].min())
        k = int(lengths[order].argmin())
        folded = residuals[order]
        ends = np.cumsum((folded >> k) + 1)
        unary = np.zeros(int(ends[-1]) if len(ends) else 0, np.uint8)
        unary[ends - 1] = 1
        head = np.array([(order << 29) | (k << SAMPLE_BITS) | (int(lead[0]) & 0xFFFFFF)])
        parts += [_to_bits(head, LEAD_BITS), unary, _to_bits(folded, k)]
    return np.packbits(np.concatenate(parts)).tobytes()


def decode(code: bytes, n: int, n_leads: int) -> NDArray[np.int32] | None:
    """Samples of a code, shape (n, n_leads); None where it is no code of so many samples, or one of other than 24 bits."""
    bits = np.unpackbits(np.frombuffer(code, np.uint8))
    ones = np.flatnonzero(bits)
    counts = np.empty((n, n_leads), np.int64)
    at = 0
    for lead in range(n_leads):
        if len(bits) - at < LEAD_BITS:
            return None
        order = int(bits[at])
        k = int(_from_bits(bits[at + 1 : at + 6], 5)[0])
        first = int(_from_bits(bits[at + 6 : at + LEAD_BITS], SAMPLE_BITS)[0])
        at += LEAD_BITS
        since = int(np.searchsorted(ones, at))
        ends = ones[since : since + n - 1]
        quotients = np.diff(ends, prepend=at - 1) - 1
        at = int(ends[-1]) + 1 if len(ends) else at
        remainders = bits[at : at + (n - 1) * k]
        if k > RESIDUAL_BITS or len(ends) < n - 1 or len(remainders) < (n - 1) * k:
            return None
        if np.any(quotients > (2**RESIDUAL_BITS - 1) >> k):
            return None
        at += (n - 1) * k
        folded = (quotients << k) | _from_bits(remainders, k, n - 1)
        steps = (folded >> 1) ^ -(folded & 1)
        steps = np.cumsum(steps) if order else steps
        counts[0, lead] = first - 2**SAMPLE_BITS if first > LARGEST else first
        counts[1:, lead] = counts[0, lead] + np.cumsum(steps)
    if len(bits) - at >= 8 or bits[at:].any() or counts.min() < SMALLEST or counts.max() > LARGEST:
        return None
    return counts.astype(np.int32)


def _residuals(lead: _Words) -> tuple[_Words, _Words]:
    """First and second differences with their sign folded in (0, -1, 1, -2 … become 0, 1, 2, 3 …).

    The second sample's is a first difference in both.
    """
    first = np.diff(lead)
    second = np.diff(first, prepend=0)
    return (first << 1) ^ (first >> 63), (second << 1) ^ (second >> 63)


def _code_lengths(folded: _Words) -> _Words:
    """Bits of the codes of the first 0, 1, 2 … residuals by k, shape (n_k, n + 1)."""
    longest = int(folded.max(initial=0)).bit_length()
    k = np.arange(longest + 1)[:, np.newaxis]
    lengths = np.zeros((longest + 1, len(folded) + 1), np.int64)
    np.cumsum((folded >> k) + 1 + k, axis=1, out=lengths[:, 1:])
    return lengths


def _to_bits(words: _Words, width: int) -> _Bits:
    return ((words[:, np.newaxis] >> np.arange(width)[::-1]) & 1).astype(np.uint8).ravel()


def _from_bits(bits: _Bits, width: int, n: int = 1) -> _Words:
    return bits.reshape(n, width).astype(np.int64) @ (np.int64(1) << np.arange(width)[::-1])
