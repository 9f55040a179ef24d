"""Rhythms that are read second by second from the network's probabilities: fibrillation, flutter, unreadable signal."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from edge.clean.quality import Reason, State
from edge.detect.rhythm_names import Rhythm
from edge.detect.rhythm_spans import BoolArray, Spans, filled, groups_of, runs_of
from edge.settings import RhythmSettings
from edge.types import Likely, Samples

FloatArray = NDArray[np.float64]
ByteArray = NDArray[np.uint8]


def _none() -> BoolArray:
    return np.empty(0, bool)


@dataclass(slots=True, eq=False)
class SecondsHeld:
    """The newest seconds of a recording, and which thresholds are known to have been passed in them.

    The arrays from `atrial` on hold what later seconds cannot change; they are shorter than the others.
    """

    first: int = 0
    stop: int = 0
    """Sample after the last of them."""
    quality: ByteArray = field(default_factory=lambda: np.empty(0, np.uint8))
    reasons: ByteArray = field(default_factory=lambda: np.empty(0, np.uint8))
    likely: ByteArray = field(default_factory=lambda: np.empty((0, len(Likely)), np.uint8))
    atrial: BoolArray = field(default_factory=_none)
    """Fibrillation or flutter."""
    flutter: BoolArray = field(default_factory=_none)
    """Of the two, it is flutter."""
    ventricular: BoolArray = field(default_factory=_none)

    @property
    def count(self) -> int:
        """How many seconds are held."""
        return len(self.quality)

    def edges(self, fs_hz: float) -> Samples:
        """The sample at which each begins, and that after the last; second k begins at `round(k * fs_hz)`."""
        at: Samples = np.rint(np.arange(self.first, self.first + self.count + 1) * fs_hz).astype(np.int64)
        at[-1] = self.stop
        return at

    def append(self, stop: int, quality: ByteArray, reasons: ByteArray, likely: ByteArray) -> None:
        """Take in the seconds that follow."""
        self.stop = stop
        self.quality = np.concatenate((self.quality, quality))
        self.reasons = np.concatenate((self.reasons, reasons))
        self.likely = np.concatenate((self.likely, likely))

    def forget(self, n: int) -> None:
        """Drop the oldest n."""
        self.first += n
        for name in ("quality", "reasons", "likely", "atrial", "flutter", "ventricular"):
            setattr(self, name, getattr(self, name)[n:])


def seconds_layers(held: SecondsHeld, fs_hz: float, s: RhythmSettings) -> tuple[BoolArray, list[Spans]]:
    """Which seconds can be read beat by beat, shape (n,), and the spans of the others and of the atria.

    The layers are: brief irregular rhythm; fibrillation and flutter of the atria; unreadable signal; fibrillation of
    the ventricles. Adds to what is settled in `held`.
    """
    edges = held.edges(fs_hz)
    recorded = held.reasons & Reason.NO_SAMPLES == 0
    readable = recorded & (held.quality != State.UNUSABLE)
    # Fibrillating ventricles have no distinct beats, which alone must not hide them.
    watched = recorded & (held.reasons & ~np.uint8(Reason.NO_QRS) == 0)

    ventricular = _passed(
        held.ventricular, held.likely[:, Likely.VF], watched, recorded, (s.vf_enter, s.vf_leave), s.vf_smooth_s, 0.0
    )
    fibrillating = filled(held.count, *_lasting(ventricular, watched, s.vf_min_s)[:2])
    readable &= ~fibrillating

    # The two exclude each other, so that their probabilities add up.
    either = held.likely[:, Likely.AF].astype(np.int64) + held.likely[:, Likely.AFL]
    limits = (s.af_enter, s.af_leave)
    atrial = _passed(held.atrial, np.minimum(either, 255), readable, recorded, limits, s.af_smooth_s, s.af_bridge_s)
    flutter = _flutter(held, atrial, readable, recorded, s)
    start, stop, length = _lasting(atrial, readable, s.af_brief_s)
    brief = length < s.af_min_s
    fibrillation = filled(held.count, start[~brief], stop[~brief])
    code = np.where(fibrillation, np.where(flutter, Rhythm.AFL, Rhythm.AFIB), 0)

    unread = np.where(readable | fibrillating, 0, Rhythm.UNREAD)
    start_noise, stop_noise, _ = _lasting(recorded & (unread > 0), recorded, s.noise_min_s)
    unread[filled(held.count, start_noise, stop_noise)] = Rhythm.NOISE

    held.ventricular = ventricular[: max(len(held.ventricular), held.count - s.vf_smooth_s // 2)]
    n_settled = max(len(held.atrial), held.count - s.af_smooth_s // 2 - s.vf_smooth_s // 2 - int(np.ceil(s.vf_min_s)))
    held.atrial, held.flutter = atrial[:n_settled], flutter[:n_settled]
    return readable, [
        Spans.all_of(edges[start[brief]], edges[stop[brief]], Rhythm.IRREG),
        _of_seconds(code, edges),
        _of_seconds(unread, edges),
        _of_seconds(np.where(fibrillating, Rhythm.VFL, 0), edges),
    ]


def _of_seconds(code: NDArray[np.int64], edges: Samples) -> Spans:
    """Spans of the seconds that have a code."""
    first, last = groups_of(code)
    named = code[first] > 0
    return Spans(edges[first[named]], edges[last[named]], code[first[named]])


def _passed(
    settled: BoolArray,
    probability: NDArray[np.integer],
    seen: BoolArray,
    recorded: BoolArray,
    limits: tuple[float, float],
    smooth_s: int,
    bridge_s: float,
) -> BoolArray:
    """Hysteresis of a smoothed probability (in 1/255), going on from what is settled.

    Unseen seconds keep the state for `bridge_s`, then it is off, as in each second that was not recorded.
    """
    smoothed = _smoothed(probability, seen, recorded, smooth_s)
    at = np.arange(len(seen))
    unseen_s = at - np.maximum.accumulate(np.where(seen, at, -1))
    enter, leave = limits
    on = seen & (smoothed >= 255 * enter)
    off = (seen & (smoothed < 255 * leave)) | ~recorded | (unseen_s > bridge_s)
    return _held_on(settled, on, off)


def _flutter(
    held: SecondsHeld, atrial: BoolArray, seen: BoolArray, recorded: BoolArray, s: RhythmSettings
) -> BoolArray:
    """Where flutter is likelier than fibrillation; once it has begun the other must be likelier by a margin."""
    ahead = _smoothed(held.likely[:, Likely.AFL], seen, recorded, s.af_smooth_s) - _smoothed(
        held.likely[:, Likely.AF], seen, recorded, s.af_smooth_s
    )
    margin = np.where(atrial, 255 * (s.af_enter - s.af_leave), 0.0)
    return _held_on(held.flutter, seen & (ahead > margin), ~recorded | (seen & (ahead <= -margin)))


def _held_on(settled: BoolArray, on: BoolArray, off: BoolArray) -> BoolArray:
    """The state that the last second with `on` or `off` has set; the settled ones stay as they are."""
    n = len(settled)
    at = np.arange(len(on))
    last = np.maximum.accumulate(np.where((on | off) & (at >= n), at, -1))
    before = bool(settled[-1]) if n else False
    state = np.where(last >= 0, on[last] & ~off[last], before)
    state[:n] = settled
    return np.asarray(state, bool)


def _smoothed(value: NDArray[np.integer], seen: BoolArray, recorded: BoolArray, width: int) -> FloatArray:
    """Mean of the seen seconds up to `width // 2` away, never across one that was not recorded; 0 where unseen."""
    n = len(value)
    sums = np.concatenate(([0], np.cumsum(np.where(seen, value, 0), dtype=np.int64)))
    counts = np.concatenate(([0], np.cumsum(seen, dtype=np.int64)))
    at = np.arange(n)
    bound = np.zeros(n, np.int64)  # of the stretch of recorded seconds
    limit = np.zeros(n, np.int64)
    for_start, for_stop = runs_of(recorded)
    lengths = for_stop - for_start
    bound[recorded], limit[recorded] = np.repeat(for_start, lengths), np.repeat(for_stop, lengths)
    first = np.maximum(at - width // 2, bound)
    last = np.minimum(at + width // 2 + 1, limit)
    usable = seen & recorded
    mean = np.zeros(n)
    mean[usable] = (sums[last] - sums[first])[usable] / (counts[last] - counts[first])[usable]
    return mean


def _lasting(
    state: BoolArray, seen: BoolArray, at_least_s: float
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Stretches of a state from the first to the last seen second: start, stop and length in seconds."""
    start, stop = runs_of(state)
    at = np.arange(len(seen))
    last_seen = np.maximum.accumulate(np.where(seen, at, -1))
    stop = last_seen[stop - 1] + 1
    kept = stop - start >= at_least_s
    return start[kept], stop[kept], (stop - start)[kept]
