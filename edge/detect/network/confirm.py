"""Which peaks of the beat curve are beats: each against the beats before it, by numbers that have names.

The trunk sees 13 s and knows no patient. A bump of an electrode looks to it as likely a beat as a small QRS does; it
looks nothing like this patient's beats of the last minutes, comes at no time a beat would, and stands beside a higher
peak. These numbers say so, and a small perceptron weighs them; twice, for at the second look it is known which of the neighbours look like beats. Only the past and the peak's own second are looked at,
so nothing depends on how the signal came in.
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from edge.detect.network.decode import sigmoid
from edge.detect.network.features import qrs_shapes, row_median
from edge.detect.network.prepare import FS_HZ
from edge.settings import NetworkSettings
from edge.types import Samples

FloatArray = NDArray[np.float32]

NEIGHBOURS = 24  # peaks before that are looked at …
BACK_S = 13.0  # … and never farther away
LONGEST_RR_S = 3.0  # a longer interval says nothing of the rhythm
STRONG = 8  # of those that look like beats, how many make the local rhythm
STRONG_CHANCE = 0.5
OF_STRONG = ("logit", "size", "sharp", "qrs", "p", "rr")  # what the local rhythm is made of
BESIDE = round(0.45 * FS_HZ)  # samples; a P or T wave lies so near to its QRS
BLOCK_S, BLOCKS = 30, 12  # what was usual: six minutes of half-minutes
FEWEST_BEATS = 6  # in a half-minute that counts

PEAK_NUMBERS = (
    "logit", "logit_more", "corr_local", "corr_best", "size_more", "corr_usual", "size_usual", "logit_usual", "usual_known",
    "rr_local", "rr_usual", "off_step", "before_higher", "after_higher", "noise", "noise_second", "sharp", "sharp_more",
    "qrs", "p", "t", "slope_beside", "width", "rr_spread", "weak_share", "coherence", "noise_before", "logit_spread",
    "qrs_more", "p_more", "beside_before", "beside_after", "chance",
)  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class Peaks:
    """Peaks of the beat curve in one lead, ascending; shape (n,) unless said."""

    at: Samples
    """Samples of the recording's 125 Hz grid."""
    logit: FloatArray
    chance: FloatArray
    """That it is a beat, at a first look."""
    shapes: FloatArray
    """Unit QRS at each of `SHIFTS`, (3, n, 35)."""
    size: FloatArray
    """Natural logarithm of the root energy."""
    own: FloatArray
    """What a peak is by itself, (n, 8): noise, noise_second, sharp, qrs, p, t, slope_beside, width."""

    def __getitem__(self, which: slice | NDArray[np.bool_]) -> "Peaks":
        return Peaks(
            self.at[which],
            self.logit[which],
            self.chance[which],
            self.shapes[:, which],
            self.size[which],
            self.own[which],
        )


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """A half-minute's beats: common shape (35,), and the medians of size, logit and logarithm of RR in seconds."""

    shape: FloatArray
    medians: FloatArray


def no_peaks() -> Peaks:
    """None yet."""
    none = np.empty(0, np.float32)
    return Peaks(
        np.empty(0, np.int64), none, none, np.empty((3, 0, 35), np.float32), none, np.empty((0, 8), np.float32)
    )


@dataclass(slots=True)
class ConfirmState:
    """What is remembered of one lead."""

    seen: Peaks = field(default_factory=no_peaks)
    """Peaks of the last seconds, confirmed or not."""
    beats: list[Peaks] = field(default_factory=list)
    """Confirmed ones of the current half-minute."""
    blocks: list[Block] = field(default_factory=list)
    """Of the last minutes, oldest first."""
    numbers: list[int] = field(default_factory=list)
    """Of the blocks: which half-minutes."""


def join(a: Peaks, b: Peaks) -> Peaks:
    """First those of `a`, then those of `b`."""
    return Peaks(
        np.concatenate((a.at, b.at)), np.concatenate((a.logit, b.logit)), np.concatenate((a.chance, b.chance)), np.concatenate((a.shapes, b.shapes), axis=1),
        np.concatenate((a.size, b.size)), np.concatenate((a.own, b.own)),
    )  # fmt: skip


def look(
    signal: FloatArray, waves: FloatArray, noise: FloatArray, logits: FloatArray, at: Samples, start: int
) -> Peaks:
    """What the peaks at `at` are by themselves.

    `signal` (n,) prepared; `waves` (3, n) probabilities of P, QRS, T; `noise` (n / 25,) logits; `logits` (n,) of the
    beat curve; `at` are indices into them, and `start` is the recording's sample that index 0 is.
    """
    shapes, size, sharp = qrs_shapes(signal, at)
    slope = np.abs(np.diff(signal, prepend=signal[:1]))
    margin = BESIDE
    windows = np.lib.stride_tricks.sliding_window_view(np.pad(slope, margin), 2 * BESIDE + 1)[at]
    near = slice(BESIDE - 12, BESIDE + 13)
    own_slope = windows[:, near].max(axis=1)
    beside = windows.copy()
    beside[:, near] = 0
    around = np.lib.stride_tricks.sliding_window_view(np.pad(waves, ((0, 0), (15, 15))), 31, axis=1)[:, at]
    seconds = noise.reshape(-1, 5).mean(axis=1)
    own = np.stack(
        [
            noise[at // 25], seconds[at // FS_HZ], 4 * sharp, around[1].max(axis=1), around[0, :, 12:19].max(axis=1),
            around[2, :, 12:19].max(axis=1), np.log((own_slope + 1e-3) / (beside.max(axis=1) + 1e-3)),
            around[1].sum(axis=1) / 10,
        ],
        axis=1,
    )  # fmt: skip
    return Peaks(
        at + start, logits[at], sigmoid(logits[at]), shapes, np.log(np.maximum(size, 1e-2)), np.asarray(own, np.float32)
    )


@dataclass(frozen=True, slots=True, eq=False)
class Company:
    """The n peaks that follow, all within one half-minute of the recording, and up to `NEIGHBOURS` before each."""

    peaks: Peaks
    every: Peaks
    """Those remembered, then the n."""
    place: NDArray[np.int64]
    """Indices into `every` of the peaks before each, (n, 24), where …"""
    near: NDArray[np.bool_]
    """… there is one and it is not too far away."""
    around: FloatArray
    """Shapes of those before each, (n, 24, 35) …"""
    corr: FloatArray
    """… and its likeness to them, (n, 24)."""


def company_of(peaks: Peaks, state: ConfirmState) -> Company:
    """What does not depend on which of the peaks look like beats."""
    every, n = join(state.seen, peaks), len(peaks.at)
    index = np.arange(len(every.at) - n, len(every.at))[:, None]
    place = index + np.arange(-NEIGHBOURS, 0)
    near = place >= 0
    place = np.maximum(place, 0)
    near &= every.at[index] - every.at[place] <= BACK_S * FS_HZ
    around = every.shapes[1][place]
    corr = np.matmul(around, peaks.shapes[1][:, :, None])[..., 0]
    return Company(peaks, every, place, near, around, corr)


def peak_numbers(company: Company, state: ConfirmState, chance_of_peaks: FloatArray | None = None) -> FloatArray:
    """Numbers of the peaks that follow, shape (n, len(PEAK_NUMBERS)).

    At a first look (no `chance_of_peaks`) high peaks stand for beats; afterwards those that the first look took for
    beats do.
    """
    peaks, every, place, near = company.peaks, company.every, company.place, company.near
    n = len(peaks.at)
    if n == 0:
        return np.empty((0, len(PEAK_NUMBERS)), np.float32)
    index = np.arange(len(every.at) - n, len(every.at))
    chance = sigmoid(every.logit) if chance_of_peaks is None else np.concatenate((state.seen.chance, chance_of_peaks))
    weight = np.where(near, chance[place], 0) ** 3
    local = np.matmul(weight.astype(np.float32)[:, None, :], company.around)[:, 0]
    length = np.sqrt(np.square(local).sum(axis=1))
    coherence = length / np.maximum(weight.sum(axis=1), 1e-3)  # 1: all alike
    local /= np.maximum(length, 1e-3)[:, None]
    mine = peaks.shapes
    corr_local = np.einsum("sik,ik->si", mine, local).max(axis=0)
    strong_near = near & (chance[place] >= STRONG_CHANCE)
    corr_best = np.where(strong_near, company.corr, -1).max(axis=1)

    n_near = np.maximum(near.sum(axis=1), 1)
    weak_share = (near & ~strong_near).sum(axis=1) / n_near
    noise_before = np.where(near, every.own[place, 0], 0).sum(axis=1) / n_near

    strong = np.flatnonzero(chance >= STRONG_CHANCE)
    since, recent = np.full(n, np.nan), np.full((len(OF_STRONG), n, STRONG), np.nan)
    if len(strong):
        rr = np.log(np.maximum(np.diff(every.at[strong], prepend=-(10**9)) / FS_HZ, 0.1))
        rr = np.where(rr < np.log(LONGEST_RR_S), rr, np.nan)
        of_strong = np.stack([every.logit[strong], every.size[strong], *every.own[strong][:, (2, 3, 4)].T, rr])
        before = np.searchsorted(strong, index)[:, None] + np.arange(-STRONG, 0)
        known = before >= 0
        before = np.maximum(before, 0)
        known &= every.at[index][:, None] - every.at[strong[before]] <= BACK_S * FS_HZ
        recent = np.where(known, of_strong[:, before], np.nan)
        since = np.where(known[:, -1], (peaks.at - every.at[strong[before[:, -1]]]) / FS_HZ, np.nan)
    medians = row_median(recent.reshape(-1, STRONG)).reshape(len(OF_STRONG), n)  # one of all is faster
    logit, size, sharp, qrs, p, rr_median = medians
    logit_spread, rr_spread = (_spread(recent[k], medians[k]) for k in (0, -1))
    since = np.log(np.maximum(since, 0.1))
    steps = np.clip(np.exp(since - rr_median), 0.3, 4.5)
    off_step = np.abs(np.log(steps / np.maximum(np.rint(steps), 1)))

    gap = np.diff(every.at, prepend=-(10**9))[index]
    before_higher = np.where(gap <= BESIDE, peaks.logit - every.logit[np.maximum(index - 1, 0)], 3)
    beside_before = np.where(gap <= BESIDE, chance[index] - chance[np.maximum(index - 1, 0)], 1)
    following = np.minimum(np.arange(n) + 1, n - 1)
    beside = (peaks.at[following] - peaks.at <= BESIDE) & (peaks.at[following] > peaks.at)
    beside &= peaks.at[following] // FS_HZ == peaks.at // FS_HZ
    after_higher = np.where(beside, peaks.logit - peaks.logit[following], 3)

    mine_chance = chance[index]
    beside_after = np.where(beside, mine_chance - mine_chance[following], 1)

    usual = _usual(int(peaks.at[0]) // (BLOCK_S * FS_HZ), state)
    if usual is None:
        corr_usual, size_usual, logit_usual, rr_usual = np.zeros(n), np.zeros(n), np.zeros(n), np.zeros(n)
    else:
        corr_usual = (mine @ usual.shape).max(axis=0)
        size_usual, logit_usual = peaks.size - usual.medians[0], peaks.logit - usual.medians[1]
        rr_usual = since - usual.medians[2]
    own = peaks.own
    columns = (
        peaks.logit, peaks.logit - logit, corr_local, corr_best, peaks.size - size, corr_usual, size_usual,
        logit_usual, np.full(n, float(usual is not None)), since - rr_median, rr_usual, 3 * off_step, before_higher,
        after_higher, own[:, 0] / 2, own[:, 1] / 2, own[:, 2], own[:, 2] - sharp, own[:, 3], own[:, 4],
        own[:, 5], own[:, 6], own[:, 7], 3 * rr_spread, 2 * weak_share, 4 * coherence, noise_before / 2,
        logit_spread, 2 * (own[:, 3] - qrs), 2 * (own[:, 4] - p),
        3 * beside_before, 3 * beside_after, 4 * mine_chance,
    )  # fmt: skip
    return np.asarray(np.clip(np.nan_to_num(np.stack(columns, axis=1)), -4, 4), np.float32)


def quiet(numbers: FloatArray, settings: NetworkSettings) -> NDArray[np.bool_]:
    """Which peaks lie in little noise, from their numbers, shape (n, len(PEAK_NUMBERS))."""
    of_second, before = (sigmoid(2 * numbers[:, PEAK_NUMBERS.index(name)]) for name in ("noise_second", "noise_before"))
    return np.asarray((of_second < settings.quiet_noise) & (before < settings.quiet_before))


def remember(peaks: Peaks, confirmed: NDArray[np.bool_], stop: int, state: ConfirmState) -> None:
    """Keep what later peaks are compared with; `stop`: the sample up to which every peak has now been seen."""
    if len(peaks.at):
        every = join(state.seen, peaks)
        # The farthest that a later peak looks back to has an interval before it as well.
        state.seen = every[every.at > stop - round((BACK_S + LONGEST_RR_S) * FS_HZ)]
        if confirmed.any():
            state.beats.append(peaks[confirmed])
    if stop % (BLOCK_S * FS_HZ) == 0 and state.beats:
        beats = state.beats[0]
        for part in state.beats[1:]:
            beats = join(beats, part)
        state.beats = []
        if len(beats.at) >= FEWEST_BEATS:
            state.blocks.append(_block(beats))
            state.numbers.append(stop // (BLOCK_S * FS_HZ) - 1)
            del state.blocks[:-BLOCKS], state.numbers[:-BLOCKS]


def _block(beats: Peaks) -> Block:
    mean = beats.shapes[1].mean(axis=0)
    mean /= max(float(np.sqrt(np.square(mean).sum())), 1e-3)
    like = beats.shapes[1] @ mean >= 0.8
    common = beats.shapes[1][like].mean(axis=0) if like.any() else mean
    rr = np.diff(beats.at) / FS_HZ
    medians = (np.median(beats.size), np.median(beats.logit), np.log(np.median(rr)))
    return Block(np.asarray(common, np.float32), np.array(medians, np.float32))


def _usual(number: int, state: ConfirmState) -> Block | None:
    """The last six minutes as one."""
    blocks = [block for k, block in zip(state.numbers, state.blocks, strict=True) if number - BLOCKS <= k < number]
    if not blocks:
        return None
    shape = np.mean([block.shape for block in blocks], axis=0)
    shape /= max(float(np.sqrt(np.square(shape).sum())), 1e-3)
    return Block(shape, np.median([block.medians for block in blocks], axis=0))


def _spread(rows: NDArray[np.floating], medians: FloatArray) -> FloatArray:
    """Root mean square distance of each row's values from their median, without NaN; 0 where there is nothing else."""
    known = np.isfinite(rows)
    square = np.where(known, np.square(rows - medians[:, None]), 0).sum(axis=1)
    return np.asarray(np.sqrt(square / np.maximum(known.sum(axis=1), 1)), np.float32)
