"""Zero-phase Butterworth filters for short stretches that come by the thousand.

The same result as `scipy.signal.sosfiltfilt` (tested); the steady state of a filter, which scipy computes anew at
every call and which costs more than filtering half a minute, is kept.
"""

from functools import lru_cache

import numpy as np
import scipy.signal
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
EDGES_S = 0.5  # odd extension at both ends, in which the start-up of the filters dies away


@lru_cache(maxsize=16)
def _design(kind: str, edges_hz: tuple[float, ...], fs_hz: float) -> tuple[FloatArray, FloatArray]:
    """Second-order sections of a second-order Butterworth filter, and their steady state for a step."""
    sos = scipy.signal.butter(2, edges_hz if len(edges_hz) > 1 else edges_hz[0], kind, fs=fs_hz, output="sos")
    return sos, scipy.signal.sosfilt_zi(sos)


def zero_phase(signal_mv: FloatArray, fs_hz: float, kind: str, *edges_hz: float) -> FloatArray:
    """Filter forwards and backwards; `kind` is "highpass" or "bandpass". Shape (n,) in and out, without NaN."""
    sos, steady = _design(kind, edges_hz, fs_hz)
    n_edge = min(len(signal_mv) - 1, round(EDGES_S * fs_hz))
    before = 2 * signal_mv[0] - signal_mv[n_edge:0:-1]
    after = 2 * signal_mv[-1] - signal_mv[-2 : -n_edge - 2 : -1]
    extended = np.concatenate((before, signal_mv, after))
    forward, _ = scipy.signal.sosfilt(sos, extended, zi=steady * extended[0])
    backward, _ = scipy.signal.sosfilt(sos, forward[::-1], zi=steady * forward[-1])
    filtered: FloatArray = backward[::-1][n_edge : n_edge + len(signal_mv)]
    return filtered
