"""Pacing spikes of one lead: the pulses of a pacemaker, where the sampling rate lets them be told from a QRS.

A pacing pulse lasts 0.4 to 2 ms. Sampled at 500 Hz or more behind a filter that goes with it, it is a front of two
milliseconds out of a quiet line, which turns back at once or decays over some milliseconds; an R wave takes ten
times as long. Behind the 100 Hz of an ambulatory recorder the same pulse takes 10 ms to rise, like a narrow QRS: of the
four paced MIT-BIH records at 360 Hz some of the pulses of one lead could be told, and of most leads none. Below
`MIN_FS_HZ` nothing is looked for. Single glitches look like spikes, so a spike counts only among others alike.

A filter in the recorder may take spikes out at any rate, and those of bipolar electrodes are small: none found does
not mean that nothing paced.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.types import Samples

FloatArray = NDArray[np.float32]

MIN_FS_HZ = 480.0  # nominal 500 Hz: the front of a spike takes one or two samples
AVERAGED_HZ = 2000.0  # from here on samples are averaged down to 1000 Hz or more: bounded work, and a pulse fills one
FRONT_S = 0.002  # the longest pulse
MIN_MV = 0.1  # of the front; 1 mm of a standard strip
QUIET_S = 0.012  # before the front, in which …
QUIET_RATIO = 6.0  # … nothing was a sixth as steep: an R wave builds up
TURN_S = 0.008  # after the front it rises hardly higher …
TURN_SHARE = 0.85  # … than in twice the time of a front …
FRONT_SHARE = 0.5  # … of which the front alone, which may fall between two samples, is at least so much
BACK_S = 0.010  # then it has come back …
BACK_SHARE = 0.4  # … by so much of its height
NOISE_S = 0.1  # to both sides; the median steepness there is noise …
NOISE_RATIO = 10.0  # … above which a front stands out so many times
APART_S = 0.006  # a front so soon after another is the same spike's
MOST_PER_S = 10  # three in a beat at 200 bpm; more are noise
TRAIN_SECONDS, TRAIN_IN = 4, 10  # pacing: so many seconds with spikes alike among so many; fewer are glitches
ALIKE = 3.0  # largest ratio of the heights; a short pulse between two samples loses as much
LARGEST_MV = 400.0  # electrodes may be off by 300 mV (IEC 60601-2-47)
CHUNK_S = 60
_REACH_S = TRAIN_IN + 1  # whole seconds of the train, and half a second for `MOST_PER_S`
_BITS = np.array([bin(k).count("1") for k in range(1 << TRAIN_IN)], np.uint8)


@dataclass(slots=True, eq=False)
class FrontState:
    """Where the search for fronts in one lead stands; bounded however long the recording is."""

    fs_hz: float
    start: int = 0
    """Index of the first sample that will be pushed; then, of `signal_mv`."""
    signal_mv: FloatArray = field(default_factory=lambda: np.empty(0, np.float32))
    """What the search still sees."""
    searched: int = 0
    """Index up to which every front has been told."""


@dataclass(slots=True, eq=False)
class SpikeState(FrontState):
    """Where the search for spikes in one lead stands."""

    fronts: Samples = field(default_factory=lambda: np.empty(0, np.int64))
    heights_mv: FloatArray = field(default_factory=lambda: np.empty(0, np.float32))
    """Fronts not decided on and those that speak for them; upwards is positive."""
    decided: int = 0
    """Index up to which the spikes have been told."""


def pacing_spikes(signal_mv: NDArray[np.floating[Any]], fs_hz: float) -> Samples:
    """Sample indices of pacing spikes in one lead, shape (n_samples,), NaN where nothing was recorded.

    Empty below `MIN_FS_HZ`, where nothing is looked for, and within 0.11 s of an end or a gap.
    """
    state, step = SpikeState(fs_hz), max(1, round(CHUNK_S * fs_hz))
    found = [spikes_on(signal_mv[a : a + step], state) for a in range(0, len(signal_mv), step)]
    return np.concatenate((*found, spikes_on(signal_mv[:0], state, final=True)))


def spikes_on(part_mv: NDArray[np.floating[Any]], state: SpikeState, *, final: bool = False) -> Samples:
    """Take in the samples that follow, shape (n,); return the spikes that are certain now, however they were cut up.

    A spike is certain 11 s after it came.
    """
    at, heights_mv = fronts_on(part_mv, state)
    state.fronts, state.heights_mv = np.concatenate((state.fronts, at)), np.concatenate((state.heights_mv, heights_mv))
    reach = round(_REACH_S * state.fs_hz)
    stop = state.searched if final else max(state.decided, state.searched - reach)
    spikes = _trains(state.fronts, state.heights_mv, state.fs_hz)
    spikes = spikes[(spikes >= state.decided) & (spikes < stop)]
    kept = state.fronts >= stop - reach
    state.fronts, state.heights_mv, state.decided = state.fronts[kept], state.heights_mv[kept], stop
    return spikes


def fronts_on(part_mv: NDArray[np.floating[Any]], state: FrontState) -> tuple[Samples, FloatArray]:
    """Take in the samples that follow, shape (n,); return the fronts found, a tenth of a second late, and their heights.

    Heights in mV, upwards is positive. Nothing is looked for below `MIN_FS_HZ`.
    """
    if state.fs_hz < MIN_FS_HZ:
        return np.empty(0, np.int64), np.empty(0, np.float32)
    part_mv = np.clip(part_mv, -LARGEST_MV, LARGEST_MV).astype(np.float32)
    state.signal_mv = np.concatenate((state.signal_mv, part_mv))
    by = max(1, int(2 * state.fs_hz / AVERAGED_HZ))
    fs_hz, n = state.fs_hz / by, len(state.signal_mv) // by
    averaged_mv = state.signal_mv[: n * by].reshape(n, by).mean(axis=1)
    side = _samples(NOISE_S, fs_hz) + 2 * _samples(FRONT_S, fs_hz)
    at, heights_mv = _fronts(averaged_mv, fs_hz, side)
    fronts = state.start + at * by
    done = max(0, n - 2 * side) * by
    state.signal_mv, state.start = state.signal_mv[done:].copy(), state.start + done
    state.searched = state.start + side * by
    return fronts, heights_mv


def _samples(time_s: float, fs_hz: float) -> int:
    return max(1, round(time_s * fs_hz))


def _fronts(signal_mv: FloatArray, fs_hz: float, side: int) -> tuple[Samples, FloatArray]:
    """Where fronts as a spike has them end, and their heights; looked for `side` samples away from both ends.

    Where a sample is missing around, every comparison fails.
    """
    n = _samples(FRONT_S, fs_hz)
    quiet, turn, back, noise, level = (_samples(s, fs_hz) for s in (QUIET_S, TURN_S, BACK_S, NOISE_S, 2 * FRONT_S))
    steep = np.abs(signal_mv[n:] - signal_mv[:-n])
    c = side + np.flatnonzero(steep[side : len(signal_mv) - side] >= MIN_MV)
    before = steep[c[:, None] - np.arange(2 * n, 2 * n + quiet)].max(axis=1)
    c = c[steep[c] >= QUIET_RATIO * before]
    base_mv = np.median(signal_mv[c[:, None] - np.arange(level + 1)], axis=1)
    up = np.sign(signal_mv[c + n] - signal_mv[c])
    after = (signal_mv[c[:, None] + np.arange(1, n + turn + back + 1)] - base_mv[:, None]) * up[:, None]
    height_mv = after[:, : 2 * n].max(axis=1)
    turned = height_mv >= TURN_SHARE * after[:, : n + turn].max(axis=1)
    came_back = after[:, 2 * n : 2 * n + back].min(axis=1) <= (1 - BACK_SHARE) * height_mv
    front = (steep[c] >= FRONT_SHARE * height_mv) & (FRONT_SHARE * steep[c] <= height_mv)
    chosen = turned & came_back & front
    c, height_mv, up = c[chosen], height_mv[chosen], up[chosen]
    usual = np.median(steep[c[:, None] + np.arange(-noise, noise + 1)], axis=1)
    clear = steep[c] >= NOISE_RATIO * usual
    return (c + n)[clear], (height_mv * up)[clear].astype(np.float32)


def _trains(at: Samples, heights_mv: FloatArray, fs_hz: float) -> Samples:
    """The fronts that are spikes, because others alike come in the seconds around."""
    half = round(fs_hz / 2)
    near = np.searchsorted(at, at + half, "right") - np.searchsorted(at, at - half, "left")
    first = np.diff(at, prepend=np.iinfo(np.int64).min // 2) > APART_S * fs_hz
    kept = first & (near <= MOST_PER_S)
    at, heights_mv = at[kept], heights_mv[kept]
    second = (at / fs_hz).astype(np.int64)
    seen = np.full(len(at), 1 << TRAIN_IN, np.int64)  # bit k: a front alike k - TRAIN_IN seconds away
    for j in range(1, len(at)):
        apart = second[j:] - second[:-j]
        if not (apart < TRAIN_IN).any():
            break
        ratio = heights_mv[j:] / heights_mv[:-j]
        alike = (apart < TRAIN_IN) & (ratio <= ALIKE) & (ratio * ALIKE >= 1)
        seen[:-j][alike] |= 1 << (TRAIN_IN + apart[alike])
        seen[j:][alike] |= 1 << (TRAIN_IN - apart[alike])
    windows = [_BITS[(seen >> k) & ((1 << TRAIN_IN) - 1)] for k in range(1, TRAIN_IN + 1)]
    spikes: Samples = at[np.max(windows, axis=0) >= TRAIN_SECONDS]
    return spikes
