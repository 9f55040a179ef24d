"""Sample indices to UTC: a fit of what arrived when, robust against delayed packets and drifting crystals.

An anchor is a sample index and the host's clock when everything before it had arrived. Arrival is late by a varying
delay and never early; so after the common slope is taken out, what rises faster than crystals drift, and comes down
again, is taken for a backlog and cut off. The smallest delay itself cannot be seen and stays as a constant.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

DRIFT = 20e-6  # a delay that rises faster and comes down again was a backlog; crystals wander by a few ppm
LAST_S = 4e10  # the year 3237; later is damage
SMOOTH = 11  # ten minutes, in which a crystal wanders by a millisecond
SLOPE_POINTS = 200  # the common slope is the median over pairs of so many anchors
MIN_SLOPE_S = 60.0  # shorter recordings take the nominal rate


@dataclass(frozen=True, slots=True, eq=False)
class TimeMap:
    """Piecewise linear: knots of sample index (float64) against UTC (seconds since the Unix epoch)."""

    sample: NDArray[np.float64]
    utc_s: NDArray[np.float64]
    period_s: float
    """Of one sample, beyond the knots."""

    def utc_at(self, sample: float) -> float:
        """UTC of a sample index, also outside the knots."""
        return _along(sample, self.sample, self.utc_s, self.period_s)

    def sample_at(self, utc_s: float) -> float:
        """Sample index of a moment, as a fraction."""
        return _along(utc_s, self.utc_s, self.sample, 1 / self.period_s)


def fit(anchors: list[tuple[int, float]], fs_hz: float) -> TimeMap | None:
    """Time map from (sample index, host clock) pairs in order; None without any, or where they are damaged."""
    try:
        sample, utc_s = np.array(anchors, np.float64).reshape(-1, 2).T
    except (TypeError, ValueError):
        return None
    whole = np.isfinite([sample, utc_s]).all() and (np.diff(sample) > 0).all() and (np.abs(utc_s) < LAST_S).all()
    if len(sample) == 0 or not whole:
        return None
    period_s = 1 / fs_hz
    if (sample[-1] - sample[0]) * period_s >= MIN_SLOPE_S:
        period_s = _median_slope(sample, utc_s, period_s)
    delay_s = utc_s - utc_s[0] - (sample - sample[0]) * period_s
    reach_s = DRIFT * np.diff(sample) * period_s
    forward_s = _held_down(delay_s, reach_s)
    backward_s = _held_down(delay_s[::-1], reach_s[::-1])[::-1]
    delay_s = _smooth(np.maximum(forward_s, backward_s))
    fitted_s = utc_s[0] + (sample - sample[0]) * period_s + delay_s
    return TimeMap(sample, fitted_s, period_s)


def _held_down(delay_s: NDArray[np.float64], reach_s: NDArray[np.float64]) -> NDArray[np.float64]:
    """Delays that rise no faster than the crystals can drift."""
    reached_s = np.concatenate(([0.0], np.cumsum(reach_s)))
    held: NDArray[np.float64] = reached_s + np.minimum.accumulate(delay_s - reached_s)
    return held


def _smooth(delay_s: NDArray[np.float64]) -> NDArray[np.float64]:
    """Running median over up to SMOOTH anchors: the least delay of a minute varies by milliseconds."""
    padded = np.pad(delay_s, SMOOTH // 2, constant_values=np.nan)
    windows = np.lib.stride_tricks.sliding_window_view(padded, SMOOTH)
    return np.asarray(np.nanmedian(windows, axis=1))


def _median_slope(sample: NDArray[np.float64], utc_s: NDArray[np.float64], nominal_s: float) -> float:
    """Median slope over all pairs of a thinned selection (Theil-Sen), as long as it is near the nominal one."""
    thin = np.unique(np.linspace(0, len(sample) - 1, SLOPE_POINTS).astype(int))
    a, b = np.triu_indices(len(thin), 1)
    a, b = thin[a], thin[b]
    apart = sample[b] - sample[a]
    far = apart * nominal_s >= MIN_SLOPE_S / 2
    if not far.any():
        return nominal_s
    slope = float(np.median((utc_s[b] - utc_s[a])[far] / apart[far]))
    return slope if abs(slope / nominal_s - 1) < 0.1 else nominal_s


def _along(x: float, xs: NDArray[np.float64], ys: NDArray[np.float64], slope: float) -> float:
    if x <= xs[0]:
        return float(ys[0] + (x - xs[0]) * slope)
    if x >= xs[-1]:
        return float(ys[-1] + (x - xs[-1]) * slope)
    return float(np.interp(x, xs, ys))
