"""What the beats around say about a beat's P wave: a P wave keeps its distance from the QRS.

Where the beats of the last and next seconds have a P wave at one distance, a faint one there is believed; what looks
like a P wave at a distance of its own must be clear. In fibrillation the bumps before the QRS have no such distance.
"""

import numpy as np
from numpy.typing import NDArray

from edge.detect.network.prepare import FS_HZ
from edge.settings import NetworkSettings

FloatArray = NDArray[np.float32]

BACK, AHEAD = 10 * FS_HZ, 4 * FS_HZ  # samples; whose beats are asked
ENOUGH = 4  # beats; of fewer the word counts less
SLACK = 2  # samples by which the distance may differ from beat to beat
LONGEST_PR = round(0.50 * FS_HZ)  # samples before the QRS that are looked at


def with_company(p: FloatArray, on: NDArray[np.number], settings: NetworkSettings) -> FloatArray:
    """The probability of P, shape (n,), after the other beats were asked; `on`, (n_beats,): the samples of QRS onsets."""
    n, n_beats = len(p), len(on)
    if n_beats < 2:
        return p
    # Half samples go up: rounded to even, they would depend on where the buffer begins.
    start = np.maximum.accumulate(np.floor(np.asarray(on, np.float64) + 0.5).astype(np.int64))
    at = start[:, None] + np.arange(-LONGEST_PR, 0)
    own = (at >= np.maximum(np.concatenate(([0], start[:-1])), 0)[:, None]) & (at < n)
    mine = np.where(own, p[np.clip(at, 0, n - 1)], 0)
    near = np.pad(mine, ((0, 0), (SLACK, SLACK)))
    near = np.max([near[:, k : k + LONGEST_PR] for k in range(2 * SLACK + 1)], axis=0)
    total = np.concatenate((np.zeros((1, LONGEST_PR)), np.cumsum(near, axis=0, dtype=np.float64)))
    known = np.concatenate((np.zeros((1, LONGEST_PR), np.int64), np.cumsum(own, axis=0, dtype=np.int64)))
    a, b = np.searchsorted(start, start - BACK), np.searchsorted(start, start + AHEAD, side="right")
    others: NDArray[np.int64] = known[b] - known[a] - own
    share = (total[b] - total[a] - near) / np.maximum(others, 1)
    shift = settings.p_company * np.minimum(others / ENOUGH, 1) * (share - settings.p_company_share)
    out = p.copy()
    value = np.clip(mine[own], 1e-6, 1 - 1e-6)
    out[at[own]] = 1 / (1 + (1 - value) / value * np.exp(-shift[own]))
    return out
