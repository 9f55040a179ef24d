"""What is usual for this patient: medians and the common QRS shape of the last minutes, half-minute by half-minute.

A run of ectopic beats is its own neighbourhood; only what was usual before tells it from the normal rhythm. A second
is compared with the half-minutes that were complete before its own began, so the reference never depends on how the
signal came in.
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from edge.detect.network.features import Own, row_median
from edge.detect.network.prepare import FS_HZ
from edge.types import Samples

FloatArray = NDArray[np.float32]

BLOCK_S = 30
BLOCKS = 12  # six minutes; who turned over has a new usual shape after half of them …
EVER = 60  # … and half an hour, in which every common shape is known: a run of the old shape is not a new focus
KEPT = EVER + 8  # more than a step of the reader takes in at once
FEWEST_BEATS = 6  # in a half-minute that counts
LIKE_THE_MEAN = 0.8  # correlation of the beats that make the common shape

MEASURES = ("rr", "width", "size", "area", "sharp", "p", "pr", "t", "t_mass")


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """Medians of one half-minute, shape (9,), and its common QRS shape, (35,)."""

    medians: FloatArray
    shape: FloatArray


@dataclass(slots=True)
class UsualState:
    """The last half-minutes that held enough beats."""

    done: int = 0
    """Half-minutes taken in."""
    blocks: list[tuple[int, Block]] = field(default_factory=list)
    """With their numbers."""


def measures(own: Own, beats: Samples) -> FloatArray:
    """Per beat what medians are taken of, shape (n_beats, 9): natural logarithms of RR and size."""
    rr = np.diff(beats, prepend=beats[:1] - 10**6) / FS_HZ
    rr_log = np.where(rr < 3.0, np.log(np.maximum(rr, 0.1)), np.nan)
    size = np.log(np.maximum(own.size, 1e-2))
    return np.stack([rr_log, own.width, size, own.area, own.sharp, own.p, own.pr, own.t, own.t_mass], axis=1).astype(
        np.float32
    )


def take_in(own: Own, beats: Samples, found_s: int, state: UsualState) -> None:
    """Summarise the half-minutes that are complete; `beats` in samples of the recording's 125 Hz grid."""
    if (state.done + 1) * BLOCK_S > found_s:
        return
    values = measures(own, beats)
    while (state.done + 1) * BLOCK_S <= found_s:
        a, b = np.searchsorted(beats, [state.done * BLOCK_S * FS_HZ, (state.done + 1) * BLOCK_S * FS_HZ])
        if b - a >= FEWEST_BEATS:
            block = Block(row_median(values[a:b].T), _common(own.shapes[1, a:b]))
            state.blocks = [*state.blocks[-KEPT + 1 :], (state.done, block)]
        state.done += 1


def usual_features(own: Own, beats: Samples, state: UsualState) -> FloatArray:
    """Each beat against what was usual, shape (n_beats, 12); 0 while nothing is known."""
    out = np.zeros((len(beats), len(USUAL_FEATURES)), np.float32)
    values = measures(own, beats)
    number = beats // (BLOCK_S * FS_HZ)
    for k in np.unique(number).tolist():
        blocks = [block for n, block in state.blocks if k - BLOCKS <= n < k]
        if not blocks:
            continue
        at = np.flatnonzero(number == k)
        medians = row_median(np.stack([block.medians for block in blocks], axis=1))
        shape = np.mean([block.shape for block in blocks], axis=0)
        shape /= max(float(np.sqrt(np.square(shape).sum())), 1e-3)
        corr = np.max(own.shapes[:, at] @ shape, axis=0)
        ever = np.stack([block.shape for n, block in state.blocks if k - EVER <= n < k])
        ever /= np.maximum(np.sqrt(np.square(ever).sum(axis=1, keepdims=True)), 1e-3)
        corr_ever = np.max(own.shapes[:, at] @ ever.T, axis=(0, 2))
        columns = ((values[at] - medians) / SPREADS, np.column_stack((corr, np.full(len(at), medians[0]), corr_ever)))
        out[at] = np.nan_to_num(np.concatenate(columns, axis=1))
    return np.clip(out, -3, 3)


USUAL_FEATURES = (*(f"{name}_usual" for name in (*MEASURES, "corr", "rr_itself")), "corr_ever")
SPREADS = np.array([1, 6, 1, 0.5, 0.25, 1, 6, 0.5, 6], np.float32)


def _common(shapes: FloatArray) -> FloatArray:
    """The mean of the shapes that are like the mean."""
    mean = shapes.mean(axis=0)
    mean /= max(float(np.sqrt(np.square(mean).sum())), 1e-3)
    like = shapes @ mean >= LIKE_THE_MEAN
    return np.asarray(shapes[like].mean(axis=0) if like.any() else mean, np.float32)
