"""Quality of whole seconds as they come: what can be said without looking for beats. The network judges the noise.

The same rules and thresholds as `edge.clean.quality`, with filters that run forwards only and keep their state, so
that however the seconds are cut into calls the verdicts are the same.
"""

from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
import scipy.signal
from numpy.typing import NDArray

from edge.clean.quality import NOISE_EDGE_HZ, QRS_BAND_HZ, Reason, finite_runs, mark, rows_of
from edge.settings import QualitySettings

FloatArray = NDArray[np.float64]


@dataclass(slots=True)
class SecondsState:
    """What the filters remember of one lead, and how many of the last seconds were flat."""

    fs_hz: float
    flat_seconds: int = 0
    memory: dict[str, FloatArray] = field(default_factory=dict)
    """State of each filter; empty at the start and after a gap."""


@lru_cache(maxsize=8)
def _filters(fs_hz: float) -> dict[str, FloatArray]:
    edge_hz = min(NOISE_EDGE_HZ, 0.4 * fs_hz)
    return {
        "noise": scipy.signal.butter(2, edge_hz, "highpass", fs=fs_hz, output="sos"),
        "qrs": scipy.signal.butter(2, QRS_BAND_HZ, "bandpass", fs=fs_hz, output="sos"),
    }


def assess_seconds(
    signal_mv: NDArray[np.floating], starts: NDArray[np.int64], state: SecondsState, settings: QualitySettings
) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Reasons why each second cannot be used (shape (n,), 0: none), and whether noise hides its small waves.

    `signal_mv` holds exactly the seconds that begin at `starts` (ascending indices, the first 0), NaN where nothing
    was recorded.
    """
    n, fs_hz = len(starts), state.fs_hz
    reasons = np.zeros(n, np.uint8)
    if n == 0:
        return reasons, np.zeros(0, bool)
    if fs_hz < settings.min_fs_hz:
        return np.full(n, Reason.LOW_RATE, np.uint8), np.ones(n, bool)
    stops = np.append(starts[1:], len(signal_mv))
    rows = rows_of(signal_mv, starts, stops, fs_hz)
    missing = ~np.isfinite(rows).all(axis=1)
    mark(reasons, missing, Reason.NO_SAMPLES)
    whole = np.flatnonzero(~missing)
    rows = rows[whole]
    high, low = rows.max(axis=1, initial=-np.inf), rows.min(axis=1, initial=np.inf)
    spread = high - low
    mark(reasons, whole[spread < settings.flat_mv], Reason.FLAT)
    _mark_lead_off(reasons, state, settings)
    middle = np.median(rows, axis=1) if len(rows) else np.empty(0)
    at_top = (rows >= high[:, None]).mean(axis=1) * (high - middle > settings.rail_mv)
    at_bottom = (rows <= low[:, None]).mean(axis=1) * (middle - low > settings.rail_mv)
    mark(reasons, whole[np.maximum(at_top, at_bottom) >= settings.rail_share], Reason.SATURATED)
    mark(reasons, whole[spread > settings.artefact_mv], Reason.ARTEFACT)
    noise, qrs = (_filtered(signal_mv, name, state) for name in ("noise", "qrs"))
    noise_mv = 1.48 * np.median(np.abs(rows_of(noise, starts, stops, fs_hz)), axis=1)
    qrs_mv = np.sqrt(np.square(rows_of(qrs, starts, stops, fs_hz)).mean(axis=1))
    fifth = max(1, rows.shape[1] // 5)
    net = np.abs(rows[:, -fifth:].mean(axis=1) - rows[:, :fifth].mean(axis=1))
    mark(reasons, whole[(net > settings.drift_mv) & (qrs_mv[whole] < settings.drift_quiet_mv)], Reason.ARTEFACT)
    return reasons, noise_mv > settings.noise_usable_mv


def _mark_lead_off(reasons: NDArray[np.uint8], state: SecondsState, settings: QualitySettings) -> None:
    """A flat line means no contact from its third second on; before, nobody knows how long it will last."""
    flat = reasons & Reason.FLAT > 0
    if not flat.any():
        state.flat_seconds = 0
        return
    so_far = np.empty(len(flat), np.int64)
    for k, is_flat in enumerate(flat.tolist()):
        state.flat_seconds = state.flat_seconds + 1 if is_flat else 0
        so_far[k] = state.flat_seconds
    mark(reasons, so_far >= settings.lead_off_s, Reason.LEAD_OFF)


def _filtered(signal_mv: NDArray[np.floating], name: str, state: SecondsState) -> FloatArray:
    """The band of the signal, 0 where nothing was recorded; starts anew, settled, after each gap."""
    sos = _filters(state.fs_hz)[name]
    out = np.zeros(len(signal_mv))
    runs = finite_runs(signal_mv)
    for a, b in runs:
        memory = state.memory.get(name) if a == 0 else None
        if memory is None:
            memory = scipy.signal.sosfilt_zi(sos) * signal_mv[a]
        out[a:b], state.memory[name] = scipy.signal.sosfilt(sos, signal_mv[a:b].astype(np.float64), zi=memory)
    if not runs or runs[-1][1] < len(signal_mv):
        state.memory.pop(name, None)
    return out
