"""What sets a beat apart from its neighbours: timing, shape and waves, as input to the labelling part.

Only quantities that a cardiologist could name: nothing here was learned from the patients whose beats were labelled.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge.detect.network.prepare import FS_HZ
from edge.types import Samples

FloatArray = NDArray[np.float32]

BEFORE, AFTER = 20, 3  # neighbours looked at …
BEFORE_S, AFTER_S = 24.0, 4.0  # … and never farther away than this
NEAREST = 6  # of the neighbours before, those that make the local rhythm
QRS = (-15, 20)  # samples around the beat: -120 to 160 ms
P = (-36, -9)  # -290 to -70 ms
T = (22, 46)  # 180 to 370 ms
ALIKE = 0.90  # correlation from which two complexes count as the same shape
STEADY = 0.12  # RR intervals this near (natural logarithm) to a beat's own belong to the same rate
SHIFTS = (-1, 0, 1)  # samples by which two beats may be set apart after centring
BLOCK = 4096


@dataclass(frozen=True, slots=True, eq=False)
class Own:
    """Numbers of each beat by itself, shape (n_beats,) each, and its QRS in three positions."""

    width: FloatArray
    """Mass of the QRS curve, samples."""
    size: FloatArray
    """Root energy of the QRS."""
    area: FloatArray
    """Mean of the QRS against the level before it."""
    sharp: FloatArray
    """Energy of the slope, of unit energy."""
    p: FloatArray
    """Highest P probability before the QRS."""
    pr: FloatArray
    """Where the P wave's mass lies, samples before the beat."""
    t: FloatArray
    """Mean of the ST-T stretch against the level before the QRS."""
    t_mass: FloatArray
    shapes: FloatArray
    """Unit QRS at each of `SHIFTS`, (3, n_beats, 35)."""
    p_shapes: FloatArray
    """P region without its mean, (n_beats, 27)."""


FEATURES = (
    "rr_before", "rr_after", "rr_before_change", "rr_after_change", "rr_second", "rr_local", "rr_spread", "compensation",
    "corr_median", "corr_best", "corr_before", "corr_after", "share_alike", "p_corr", "p_differs",
    "width", "width_more", "size_more", "area_more", "sharp", "sharp_more", "p", "p_more", "pr_more", "t_more", "t_mass_more",
    "rr_before_s", "af", "rr_onset",
)  # fmt: skip


def beat_features(own: Own, beats: Samples, af: FloatArray) -> FloatArray:
    """Numbers of each beat against its neighbours, shape (n_beats, len(FEATURES)); 0 where something is missing.

    `beats` ascending, in samples at 125 Hz, `af` the probability of fibrillation at each beat. RR ratios are natural
    logarithms; "more" is the difference to the median of the neighbours.
    """
    blocks = [_block(own, beats, af, slice(a, min(a + BLOCK, len(beats)))) for a in range(0, len(beats), BLOCK)]
    return np.concatenate([np.empty((0, len(FEATURES)), np.float32), *blocks])


def own_numbers(signal: FloatArray, waves: FloatArray, beats: Samples) -> Own:
    """What each beat is by itself.

    `signal` is the prepared signal at 125 Hz, shape (n,), `waves` the probabilities of P, QRS and T, shape (3, up to
    n); `beats` are ascending indices into both.
    """
    margin = 64
    padded = np.pad(signal, margin)
    p_curve, qrs_curve, t_curve = (np.pad(row, (margin, max(0, len(signal) - len(row)) + margin)) for row in waves)

    def around(curve: FloatArray, span: tuple[int, int], at: Samples) -> FloatArray:
        return np.lib.stride_tricks.sliding_window_view(curve, span[1] - span[0])[at + margin + span[0]]

    centred = _centred(padded, beats + margin) - margin
    shapes, sizes = zip(*(_unit(around(padded, QRS, centred + shift)) for shift in SHIFTS), strict=True)
    qrs = around(padded, QRS, centred)
    level = around(padded, (-14, -8), centred).mean(axis=1)
    p_chance, p_signal = around(p_curve, P, centred), around(padded, P, centred)
    mass = p_chance.sum(axis=1)
    return Own(
        width=around(qrs_curve, QRS, beats).sum(axis=1),
        size=sizes[1],
        area=qrs[:, 6:30].mean(axis=1) - level,
        sharp=np.square(np.diff(shapes[1], axis=1)).sum(axis=1),
        p=p_chance.max(axis=1),
        pr=np.where(
            mass > 1, (p_chance * np.arange(-P[0], -P[1], -1)).sum(axis=1) / np.maximum(mass, 1), np.nan
        ).astype(np.float32),
        t=around(padded, T, centred).mean(axis=1) - level,
        t_mass=around(t_curve, T, centred).sum(axis=1),
        shapes=np.stack(shapes),
        p_shapes=p_signal - p_signal.mean(axis=1, keepdims=True),
    )


def qrs_shapes(signal: FloatArray, at: Samples) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Unit QRS around each peak in each of the three positions, (3, n, 35), its root energy and its sharpness, (n,)."""
    margin = 64
    padded = np.pad(signal, margin)
    centred = _centred(padded, at + margin)
    windows = np.lib.stride_tricks.sliding_window_view(padded, QRS[1] - QRS[0])
    shapes, sizes = zip(*(_unit(windows[centred + QRS[0] + shift]) for shift in SHIFTS), strict=True)
    return np.stack(shapes), sizes[1], np.square(np.diff(shapes[1], axis=1)).sum(axis=1)


def _centred(padded: FloatArray, beats: Samples) -> Samples:
    """The middle of each beat's slopes, at most 48 ms away."""
    windows = np.lib.stride_tricks.sliding_window_view(padded, QRS[1] - QRS[0])[beats + QRS[0]]
    slope = np.square(np.diff(windows, axis=1))
    place = np.arange(slope.shape[1]) + 0.5
    centre = (slope * place).sum(axis=1) / np.maximum(slope.sum(axis=1), 1e-6) + QRS[0]
    centred: Samples = beats + np.clip(np.rint(centre), -6, 6).astype(np.int64)
    return centred


def _block(own: Own, beats: Samples, af: FloatArray, block: slice) -> FloatArray:
    index = np.arange(block.start, block.stop)
    steps = np.array([*range(-BEFORE, 0), *range(1, AFTER + 1)])
    place = index[:, None] + steps
    near = (place >= 0) & (place < len(beats))
    place = np.clip(place, 0, len(beats) - 1)
    apart_s = (beats[place] - beats[index][:, None]) / FS_HZ
    near &= (apart_s >= -BEFORE_S) & (apart_s <= AFTER_S)
    timing = _timing(apart_s, near)
    columns: list[NDArray[np.floating]] = [*timing[:8], *_alike(own, index, place, near)]

    def more(values: FloatArray) -> FloatArray:
        usual = row_median(np.where(near, values[place], np.nan))
        return np.asarray(values[index] - usual, np.float32)

    width, size = own.width, np.log(np.maximum(own.size, 1e-2))
    columns += [
        width[index] / 10, more(width) / 6, more(size), 2 * more(own.area), 4 * own.sharp[index], 4 * more(own.sharp),
        own.p[index], more(own.p), more(own.pr) / 6, 2 * more(own.t), more(own.t_mass) / 6,
        timing[5] + timing[0], af[index], timing[8],
    ]  # fmt: skip
    return np.asarray(np.clip(np.nan_to_num(np.stack(columns, axis=1)), -3, 3), np.float32)


def _timing(apart_s: NDArray[np.float64], near: NDArray[np.bool_]) -> list[FloatArray]:
    """The first eight features and the last one, from the times of the neighbours."""
    times = np.insert(np.where(near, apart_s, np.nan), BEFORE, 0.0, axis=1)
    rr = np.log(np.maximum(np.diff(times, axis=1), 0.08))  # NaN where unknown
    local = rr[:, BEFORE - NEAREST - 1 :]
    median = row_median(local)
    known = np.isfinite(local)
    n_known = np.maximum(known.sum(axis=1), 1)
    mean = np.where(known, local, 0).sum(axis=1) / n_known
    spread = np.sqrt(np.where(known, np.square(local - mean[:, None]), 0).sum(axis=1) / n_known)
    before, after = rr[:, BEFORE - 1], rr[:, BEFORE]
    both = np.log(np.maximum(np.exp(before) + np.exp(after), 0.1) / 2)
    columns = (
        before - median, after - median, before - rr[:, BEFORE - 2], after - before, rr[:, BEFORE + 1] - median,
        median, spread, both - median, _onset(rr[:, :BEFORE]),
    )  # fmt: skip
    return [np.asarray(column, np.float32) for column in columns]


def _onset(rr: NDArray[np.float64]) -> NDArray[np.float64]:
    """How abruptly the rate of each beat began: its RR against the last one that was different; 0 where none was seen.

    `rr`: natural logarithms of the intervals up to the beat's own, the last column. A run of early beats began with a
    step, a sinus rhythm that grows faster did not.
    """
    own, onset = rr[:, -1], np.zeros(len(rr))
    steady = np.isfinite(own)
    for column in range(rr.shape[1] - 2, -1, -1):
        other = rr[:, column]
        differs = steady & (np.abs(own - other) >= STEADY)
        onset[differs] = (own - other)[differs]
        steady &= np.isfinite(other) & ~differs
    return onset


def _alike(own: Own, index: Samples, place: Samples, near: NDArray[np.bool_]) -> list[FloatArray]:
    """How a beat's QRS and P region compare with its neighbours'."""
    mine = own.shapes[SHIFTS.index(0)][index]
    best = np.full(near.shape, -1.0, np.float32)
    for theirs in own.shapes:
        np.maximum(best, np.einsum("ik,ijk->ij", mine, theirs[place]), out=best)
    n_near = np.maximum(near.sum(axis=1), 1)
    known = np.where(near, best, np.nan)
    weight = np.where(near, np.maximum(best - 0.5, 0) ** 2 + 1e-6, 0)
    weight /= np.maximum(weight.sum(axis=1, keepdims=True), 1e-6)
    p_mine = own.p_shapes[index]
    p_usual = np.einsum("ij,ijk->ik", weight.astype(np.float32), own.p_shapes[place])
    energy = np.sqrt(np.square(p_mine).sum(axis=1) * np.square(p_usual).sum(axis=1))
    return [
        row_median(known),
        np.where(near, best, -1).max(axis=1),
        known[:, BEFORE - 1],
        known[:, BEFORE],
        (near & (best > ALIKE)).sum(axis=1) / n_near,
        (p_mine * p_usual).sum(axis=1) / np.maximum(energy, 1e-3),
        5 * np.sqrt(np.square(p_mine - p_usual).mean(axis=1)),
    ]


def row_median(rows: NDArray[np.floating]) -> FloatArray:
    """Median of each row without its NaN; NaN where there is nothing else."""
    ordered = np.sort(rows, axis=1)  # NaN goes last
    n_known = np.isfinite(rows).sum(axis=1)
    at = np.arange(len(rows))
    middle = (
        ordered[at, np.maximum(n_known - 1, 0) // 2] + ordered[at, np.minimum(n_known // 2, rows.shape[1] - 1)]
    ) / 2
    return np.asarray(np.where(n_known > 0, middle, np.nan), np.float32)


def _unit(windows: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Windows without mean and with unit energy, and the root of the energy they had."""
    centred = windows - windows.mean(axis=-1, keepdims=True)
    size = np.sqrt(np.square(centred).sum(axis=-1))
    return centred / np.maximum(size, 1e-3)[..., None], size
