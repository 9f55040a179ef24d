"""Which beats are paced: those that begin with a pacing spike, where the sampling rate can show spikes.

Nothing else tells a paced beat: behind 100 Hz it looks like a bundle branch block. A single front may be a glitch, so
it counts only beside others alike within ten seconds before and four after, which is what is at hand when a beat is
named; `edge.clean.spikes` looks ten seconds both ways.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.clean.spikes import ALIKE, APART_S, CHUNK_S, MIN_FS_HZ, MOST_PER_S, TRAIN_SECONDS, FrontState, fronts_on
from edge.types import Samples

FloatArray = NDArray[np.float32]

# A paced QRS begins within 60 ms and peaks within 90 ms; the beat may be set on the spike.
SPIKE_TO_PEAK_S = (-0.02, 0.15)
TRAIN_BACK_S, TRAIN_AHEAD_S = 10.0, 4.0


@dataclass(slots=True, eq=False)
class PacedState:
    """Where the search in one lead stands; bounded however long the recording is."""

    search: FrontState
    waiting: list[FloatArray] = field(default_factory=list)
    """Signal that has not been searched: packets come several to the second."""
    fronts: Samples = field(default_factory=lambda: np.empty(0, np.int64))
    heights_mv: FloatArray = field(default_factory=lambda: np.empty(0, np.float32))
    last_front: int = -(10**9)
    """Also one that was not kept."""


def take_in(part_mv: NDArray[np.floating[Any]], state: PacedState) -> None:
    """Set aside the samples that follow, shape (n,), NaN where nothing was recorded."""
    if state.search.fs_hz >= MIN_FS_HZ:
        state.waiting.append(part_mv.astype(np.float32))


def paced_beats(beats: Samples, stop: int, state: PacedState) -> NDArray[np.bool_]:
    """Whether each beat is paced; `beats` ascending, with all signal up to `TRAIN_AHEAD_S` after them taken in.

    No beat before `stop` will be asked for again.
    """
    fs_hz = state.search.fs_hz
    _search(state)
    paced = np.zeros(len(beats), bool)
    first, last = (round(s * fs_hz) for s in SPIKE_TO_PEAK_S)
    of_beat = np.searchsorted(state.fronts, beats - first, "right") - 1  # the last front before
    for k in np.flatnonzero(of_beat >= 0).tolist():
        front = int(of_beat[k])
        paced[k] = beats[k] - state.fronts[front] <= last and _in_a_train(front, state)
    kept = state.fronts >= stop - round((TRAIN_BACK_S + 1) * fs_hz)
    state.fronts, state.heights_mv = state.fronts[kept], state.heights_mv[kept]
    return paced


def _search(state: PacedState) -> None:
    """Look for fronts in what waits, a minute at a time; of those of one spike the first is kept."""
    if not state.waiting:
        return
    signal_mv, chunk = np.concatenate(state.waiting), round(CHUNK_S * state.search.fs_hz)
    state.waiting = []
    for a in range(0, len(signal_mv), chunk):
        at, heights_mv = fronts_on(signal_mv[a : a + chunk], state.search)
        first = np.diff(at, prepend=state.last_front) > APART_S * state.search.fs_hz
        state.last_front = int(at[-1]) if len(at) else state.last_front
        state.fronts = np.concatenate((state.fronts, at[first]))
        state.heights_mv = np.concatenate((state.heights_mv, heights_mv[first]))


def _in_a_train(front: int, state: PacedState) -> bool:
    fs_hz, at, heights_mv = state.search.fs_hz, state.fronts, state.heights_mv
    own = at[front]
    around = (at >= own - round(TRAIN_BACK_S * fs_hz)) & (at <= own + round(TRAIN_AHEAD_S * fs_hz))
    ratio = heights_mv / heights_mv[front]
    alike = around & (ratio <= ALIKE) & (ratio * ALIKE >= 1)
    close = int((np.abs(at - own) <= round(fs_hz / 2)).sum())
    return close <= MOST_PER_S and len(np.unique((at[alike] / fs_hz).astype(np.int64))) >= TRAIN_SECONDS
