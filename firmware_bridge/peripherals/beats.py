"""Beats of a recording as a strap's own firmware would find them: times, and the intervals between them."""

from functools import lru_cache
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from sleepecg import detect_heartbeats

from edge.types import Recording

Seconds = NDArray[np.float64]

WINDOW_S = 60.0
MARGIN_S = 10.0  # the detector adapts to the signal; it sees this much before and after each window
MIN_RR_S = 0.2  # nearer, the same beat was found from both sides of a window's edge
MAX_RR_S = 8.0  # longer, contact was lost in between: no interval


class BeatSource(Protocol):
    """Where beats lie, by seconds of the recording."""

    def between(self, start_s: float, stop_s: float) -> Seconds:
        """Times of the beats in [start_s, stop_s), ascending."""


class GivenBeats:
    """Beats at known times."""

    def __init__(self, times_s: Seconds) -> None:
        self._times_s = np.sort(np.asarray(times_s, np.float64))

    def between(self, start_s: float, stop_s: float) -> Seconds:
        """Times of the beats in [start_s, stop_s), ascending."""
        a, b = np.searchsorted(self._times_s, (start_s, stop_s))
        return self._times_s[a:b]


class FoundBeats:
    """Beats that sleepecg finds in one lead, window by window; none where the lead has gaps or is constant."""

    def __init__(self, recording: Recording, lead: int) -> None:
        self._recording = recording
        self._lead = lead
        self._found = lru_cache(2)(self._find)

    def between(self, start_s: float, stop_s: float) -> Seconds:
        """Times of the beats in [start_s, stop_s), ascending."""
        windows = range(max(0, int(start_s // WINDOW_S)), int(stop_s // WINDOW_S) + 1)
        times_s = np.concatenate([self._found(k) for k in windows]) if windows else np.empty(0)
        if len(times_s):
            times_s = times_s[np.diff(times_s, prepend=-np.inf) >= MIN_RR_S]
        return times_s[(times_s >= start_s) & (times_s < stop_s)]

    def _find(self, k: int) -> Seconds:
        fs_hz = self._recording.info.fs_hz
        a = max(0, round((k * WINDOW_S - MARGIN_S) * fs_hz))
        b = min(self._recording.info.n_samples, round(((k + 1) * WINDOW_S + MARGIN_S) * fs_hz))
        if a >= b:
            return np.empty(0)
        lead_mv = self._recording.read_mv(a, b)[:, self._lead].astype(np.float64)
        absent = np.isnan(lead_mv)
        filled = np.where(absent, 0.0, lead_mv)
        if b - a < 2 * fs_hz or np.ptp(filled) == 0:  # sleepecg refuses a constant signal
            return np.empty(0)
        at = np.asarray(detect_heartbeats(filled, fs_hz), np.int64)
        times_s: Seconds = (a + at[~absent[at]]) / fs_hz
        return times_s[(times_s >= k * WINDOW_S) & (times_s < (k + 1) * WINDOW_S)]


def intervals(beats: BeatSource, start_s: float, stop_s: float, since_s: float = -np.inf) -> list[int]:
    """RR intervals, in 1/1024 s, of the beats in [start_s, stop_s); the first may reach back, not before `since_s`.

    Positions are rounded, not intervals, so that rounding does not add up.
    """
    times_s = beats.between(max(start_s - MAX_RR_S, since_s), stop_s)
    ticks = np.rint(times_s * 1024).astype(np.int64)
    rr = np.diff(ticks)
    kept = (times_s[1:] >= start_s) & (rr <= MAX_RR_S * 1024)
    return [int(value) for value in rr[kept]]
