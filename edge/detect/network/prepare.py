"""From millivolts at any rate to what the annotator network takes in: 125 Hz, without drift, in units of its own size.

Every step works second by second on the recording's own grid and looks ahead by less than 0.1 s (but see `SETTLE`),
so that live and batch give the network the same numbers. Training uses these very functions.
"""

from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
import scipy.signal
from numpy.typing import NDArray

FloatArray = NDArray[np.float32]

FS_HZ = 125  # divides the usual rates well, and by 5 three times: samples, 25 Hz, 5 Hz, seconds
PASS_HZ = 50.0  # of the resampler; diagnostic content beyond is lost on a 125 Hz strap as well
HALF_TAPS_S = 0.064  # reach of the resampler to either side
PHASES = 1000  # resolution of the resampler's phase: 1/1000 sample
HIGHPASS_HZ = 0.5  # one pole, causal: drift goes, ST and T keep most of their shape
SETTLE = 4  # recorded seconds from which the first scale is taken; only there more than a second is waited for
HISTORY = 9  # recorded seconds that make the scale later
SCALE_QUANTILE = 0.70  # of their peak-to-peak values: at 30 bpm half the seconds hold no QRS
LONG_HISTORY = 60  # recorded seconds of which the largest keep the scale up through a pause
LONG_QUANTILE = 0.90  # at 8 bpm one second in eight holds a QRS; of artefacts there are fewer
LONG_SHARE = 0.25  # of them the scale has at least so much: the line of a pause stays a line
LEAST_SCALE_MV = 0.02
FLAT_MV = 0.01  # peak-to-peak of a second that tells nothing of the signal's size
LONGEST_WAIT = 20  # seconds; then it goes on without a scale, which the first recorded ones will give
CLIP = 6.0
BLOCK = 1 << 16


@lru_cache(maxsize=8)
def _kernels(fs_hz: float) -> NDArray[np.float32]:
    """Low-pass interpolation weights, shape (PHASES + 1, n_taps), each row summing to one."""
    half = max(4, int(np.ceil(HALF_TAPS_S * fs_hz)))
    cutoff = min(2 * PASS_HZ / fs_hz, 0.9)
    phase = np.arange(PHASES + 1)[:, None] / PHASES
    at = np.arange(-half + 1, half + 1)[None, :] - phase
    weights = np.sinc(cutoff * at) * np.cos(np.pi * np.clip(at / (half + 1), -1, 1) / 2) ** 2
    rows: NDArray[np.float32] = (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)
    return rows


def reach_of(fs_hz: float) -> int:
    """Samples that the resampler sees to either side of a position."""
    return int(_kernels(fs_hz).shape[1] // 2)


def resample(signal_mv: NDArray[np.floating], signal_start: int, fs_hz: float, first: int, stop: int) -> FloatArray:
    """The signal at 125 Hz: samples [first, stop) of a grid on which sample m lies m/125 s after recording sample 0.

    `signal_mv` holds the recording's samples from `signal_start` on, NaN where nothing was recorded; NaN where less
    than half of what a sample is made of was recorded. Windowed-sinc interpolation.
    """
    weights = _kernels(fs_hz)
    half = weights.shape[1] // 2
    out = np.empty(stop - first, np.float32)
    for a in range(first, stop, BLOCK):
        b = min(a + BLOCK, stop)
        position = np.arange(a, b) * (fs_hz / FS_HZ)
        whole = np.floor(position).astype(np.int64)
        phase = np.rint((position - whole) * PHASES).astype(np.int64)
        lowest, highest = int(whole[0]) - half + 1, int(whole[-1]) + half + 1
        part = np.full(highest - lowest, np.nan, np.float32)
        inside = slice(max(lowest, signal_start), min(highest, signal_start + len(signal_mv)))
        if inside.stop > inside.start:
            part[inside.start - lowest : inside.stop - lowest] = signal_mv[
                inside.start - signal_start : inside.stop - signal_start
            ]
        taps = np.lib.stride_tricks.sliding_window_view(part, 2 * half)[whole - whole[0]]
        if np.isfinite(part).all():
            out[a - first : b - first] = np.einsum("ij,ij->i", taps, weights[phase])
        else:
            finite = np.isfinite(taps)
            share = np.einsum("ij,ij->i", finite, weights[phase])
            total = np.einsum("ij,ij->i", np.where(finite, taps, 0), weights[phase])
            out[a - first : b - first] = np.where(share > 0.5, total / np.maximum(share, 0.5), np.nan)
    return out


@dataclass(slots=True)
class PrepareState:
    """What the filters and the scale remember of one lead."""

    last_mv: float = np.nan
    """The last recorded sample; NaN at the start and after a gap."""
    memory: float = 0.0
    """State of the high-pass."""
    ranges: FloatArray = field(default_factory=lambda: np.empty(0, np.float32))
    """Peak-to-peak of the last recorded seconds, mV."""
    scale: float = np.nan
    """In force at the end of the last second; NaN until the waiting is over."""
    first_scale: float = np.nan
    """In force until `SETTLE` seconds were recorded; NaN where too few came during the waiting."""
    waiting: FloatArray = field(default_factory=lambda: np.empty((0, FS_HZ), np.float32))
    """Seconds filtered but not yet scaled: only before the first scale is known."""


def prepare(seconds_mv: FloatArray, state: PrepareState) -> FloatArray:
    """Network input of whole seconds at 125 Hz; shape (n,) in, (2, n or less) out: signal, and 1 where recorded.

    Nothing comes out until `SETTLE` seconds were recorded (or `LONGEST_WAIT` went by); then what waited comes first.
    `settle` ends the waiting.
    """
    flat = highpass(seconds_mv, state).reshape(-1, FS_HZ)
    if not np.isnan(state.scale):
        return _scaled(flat, state)
    state.waiting = np.concatenate((state.waiting, flat))
    enough = int(_ranges(state.waiting)[1].sum()) >= SETTLE or len(state.waiting) >= LONGEST_WAIT
    return settle(state) if enough else np.empty((2, 0), np.float32)


def settle(state: PrepareState) -> FloatArray:
    """Scale the seconds that waited by the first ones recorded; shape (2, n)."""
    waiting = state.waiting[:LONGEST_WAIT]
    rest, state.waiting = state.waiting[LONGEST_WAIT:], np.empty((0, FS_HZ), np.float32)
    ranges, recorded = _ranges(waiting)
    first = ranges[recorded][:SETTLE]
    if len(first) == SETTLE:
        state.first_scale = float(np.quantile(first, SCALE_QUANTILE))
    state.scale = max(LEAST_SCALE_MV, float(np.quantile(first, SCALE_QUANTILE)) if len(first) else 0.0)
    return np.concatenate((_scaled(waiting, state), _scaled(rest, state)), axis=1)


def highpass(signal_mv: FloatArray, state: PrepareState) -> FloatArray:
    """The signal without drift, shape (n,); NaN stays NaN and starts the filter anew."""
    out = np.full(len(signal_mv), np.nan, np.float32)
    finite = np.isfinite(signal_mv)
    edges = np.flatnonzero(np.diff(np.concatenate(([0], finite.view(np.int8), [0]))))
    pole = float(np.exp(-2 * np.pi * HIGHPASS_HZ / FS_HZ))
    for a, b in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True):
        if a > 0 or np.isnan(state.last_mv):
            state.last_mv, state.memory = float(signal_mv[a]), 0.0
        steps = np.diff(signal_mv[a:b].astype(np.float64), prepend=state.last_mv)
        filtered = scipy.signal.lfilter([1.0], [1.0, -pole], steps, zi=[pole * state.memory])[0]
        out[a:b], state.memory, state.last_mv = filtered, float(filtered[-1]), float(signal_mv[b - 1])
    if len(finite) and not finite[-1]:
        state.last_mv = np.nan
    return out


def _ranges(seconds: FloatArray) -> tuple[FloatArray, NDArray[np.bool_]]:
    """Peak-to-peak of each second, and whether at least half of it was recorded and not flat."""
    finite = np.isfinite(seconds)
    recorded = 2 * finite.sum(axis=1) >= seconds.shape[1]
    high = np.where(finite, seconds, -np.inf).max(axis=1, initial=-np.inf)
    low = np.where(finite, seconds, np.inf).min(axis=1, initial=np.inf)
    spread = np.where(recorded, high - low, 0).astype(np.float32)
    return spread, recorded & (spread > FLAT_MV)


def _scaled(flat: FloatArray, state: PrepareState) -> FloatArray:
    """Seconds over their scale, which moves within a second from the last one to that of the seconds before."""
    ranges, recorded = _ranges(flat)
    n_before = len(state.ranges)
    known = np.concatenate((state.ranges, ranges[recorded]))
    before = n_before + np.cumsum(recorded) - recorded  # recorded seconds before each second
    scales = _scales(known, before, state)
    after = np.where(recorded | (before > 0), scales, state.scale)  # before the first there is nothing to scale
    after = np.maximum(after, LEAST_SCALE_MV).astype(np.float32)[:, None]
    at_start = np.concatenate(([[np.float32(state.scale)]], after[:-1]))
    ramp = at_start + (after - at_start) * np.linspace(0, 1, FS_HZ, dtype=np.float32)
    state.scale, state.ranges = float(after[-1, 0]) if len(after) else state.scale, known[-LONG_HISTORY:]
    finite = np.isfinite(flat)
    signal = np.clip(np.where(finite, flat, 0) / ramp, -CLIP, CLIP)
    return np.stack([signal.ravel(), finite.ravel().astype(np.float32)])


def _scales(known: FloatArray, before: NDArray[np.int64], state: PrepareState) -> NDArray[np.float64]:
    """The scale of seconds that have so many recorded ones `before` them, from the ranges of those."""
    places, of_second = np.unique(before, return_inverse=True)
    scales = np.full(len(places), state.scale)
    for k, n in enumerate(places.tolist()):
        if n >= SETTLE:
            break
        if np.isfinite(state.first_scale):
            scales[k] = state.first_scale
        elif len(known):  # its own size, until there are others
            scales[k] = np.quantile(known[: max(n, 1)], SCALE_QUANTILE)
    later = places >= SETTLE
    lately = _trailing(known, places[later], HISTORY, SCALE_QUANTILE)
    scales[later] = np.maximum(lately, LONG_SHARE * _trailing(known, places[later], LONG_HISTORY, LONG_QUANTILE))
    return scales[of_second]


def _trailing(known: FloatArray, places: NDArray[np.int64], n: int, quantile: float) -> NDArray[np.float64]:
    """Quantile of the up to `n` values before each place."""
    out = np.empty(len(places))
    short = places < n
    out[short] = [np.quantile(known[:k], quantile) for k in places[short].tolist()]
    if not short.all():
        rows = np.sort(np.lib.stride_tricks.sliding_window_view(known, n)[places[~short] - n], axis=1)
        at = quantile * (n - 1)
        low = int(at)
        out[~short] = rows[:, low] + (at - low) * (rows[:, min(low + 1, n - 1)] - rows[:, low])
    return out
