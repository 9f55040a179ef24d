"""QRS positions in one lead, window by window."""

import numpy as np
from numpy.typing import NDArray
from sleepecg import detect_heartbeats

from edge.clean.quality import State, finite_runs
from edge.detect.revise import band_size, revise_beats, sizes_at
from edge.settings import BeatSettings
from edge.types import Samples


def find_beats(
    signal_mv: NDArray[np.float64],
    fs_hz: float,
    second_starts: Samples,
    states: NDArray[np.uint8],
    settings: BeatSettings,
) -> Samples:
    """QRS positions (indices into `signal_mv`) in the seconds that are not unusable.

    `signal_mv` has shape (n_samples,) in mV, NaN where nothing was recorded; second k begins at
    `second_starts[k]` and has `states[k]`. Uses sleepecg's derivative detector (Pan & Tompkins 1985, modified).

    Differs from running it on a whole recording: it sees at most the context and one window, so its search-back
    is bounded on any input and no threshold outlives half a minute; unusable seconds are cut out instead of
    searched; what is left is searched stretch by stretch; a second look (edge.detect.revise) adds wide beats and
    drops T waves; half a QRS at the edge of a stretch is no beat, and neither is the noise of a long pause.
    """
    searchable = signal_mv.copy()
    stops = np.append(second_starts[1:], len(signal_mv))
    for a, b in zip(second_starts[states == State.UNUSABLE], stops[states == State.UNUSABLE], strict=True):
        searchable[a:b] = np.nan
    found: list[Samples] = []
    sizes_mv: list[NDArray[np.float64]] = []
    for a, b in finite_runs(searchable):
        run = searchable[a:b]
        # sleepecg refuses a constant signal; the bound is far below one converter step
        if b - a >= settings.min_run_s * fs_hz and np.ptp(run) > 1e-6:
            beats = np.asarray(detect_heartbeats(run, fs_hz), np.int64)
            size_mv = band_size(run, fs_hz)
            beats = revise_beats(size_mv, fs_hz, beats, settings)
            guard = settings.edge_guard_s * fs_hz
            beats = beats[(beats >= guard) & (beats < b - a - guard)]
            found.append(beats + a)
            sizes_mv.append(sizes_at(size_mv, fs_hz, beats))
    if sum(map(len, found)) == 0:
        return np.empty(0, np.int64)
    joined, sizes = np.concatenate(found), np.concatenate(sizes_mv)
    # The detector lowers its thresholds until it finds something, and a pause of some seconds holds only noise.
    return joined[sizes >= settings.noise_share * np.quantile(sizes, 0.9)]


def refractory_of(found: Samples, fs_hz: float, settings: BeatSettings) -> int:
    """Samples within which a second detection is the same beat: `refractory_s`, less where all beats are so fast."""
    refractory = settings.refractory_s * fs_hz
    if len(found) > 1:
        refractory = min(refractory, settings.fast_share * float(np.median(np.diff(found))))
    return round(refractory)


def join_beats(last: int, found: Samples, first_allowed: int, stop: int, refractory: int) -> list[int]:
    """The beats of `found` in [first_allowed, stop) that are none of those already reported up to `last`.

    Two neighbouring windows may place the beat at their common edge some samples apart: nearer than `refractory`
    samples to the last reported beat is the same beat.
    """
    joined: list[int] = []
    for sample in found[(found >= first_allowed) & (found < stop)].tolist():
        if sample - last > refractory:
            joined.append(sample)
            last = sample
    return joined
