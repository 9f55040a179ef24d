"""Quality of one lead, second by second: three states, each with its reasons.

* good      beats and, later, waves can be measured
* usable    beats can be found; small waves may be buried
* unusable  nothing is measured in this second, and no interval is taken across it

The cut-offs live in `edge.settings.QualitySettings`; how the states fall on recordings that people marked as
noisy is told by `anyecg bench cinc2017`.
"""

from enum import IntEnum, IntFlag
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.clean.filters import zero_phase
from edge.settings import QualitySettings

FloatArray = NDArray[np.float64]
ByteArray = NDArray[np.uint8]

NOISE_EDGE_HZ = 40.0  # above the ECG's own band; at low rates 80 % of Nyquist
QRS_BAND_HZ = (5.0, 30.0)
KURTOSIS_SECONDS = 5  # long enough to hold a beat at 15 bpm's neighbours and short enough for a burst of noise


class State(IntEnum):
    """What can be measured in a second."""

    GOOD = 0
    USABLE = 1
    UNUSABLE = 2


class Reason(IntFlag):
    """Why a second is not good."""

    NO_SAMPLES = 1
    LEAD_OFF = 2
    FLAT = 4
    SATURATED = 8
    ARTEFACT = 16
    NOISY = 32
    NO_QRS = 64
    LOW_RATE = 128


REASON_TEXT = {
    Reason.NO_SAMPLES: "no samples",
    Reason.LEAD_OFF: "lead off",
    Reason.FLAT: "flat signal",
    Reason.SATURATED: "saturated",
    Reason.ARTEFACT: "movement artefact",
    Reason.NOISY: "noisy",
    Reason.NO_QRS: "no distinct beats",
    Reason.LOW_RATE: "sampling rate too low",
}


def describe(reasons: int) -> str:
    """The reasons of a second, or of several joined by `|`, in words."""
    return ", ".join(text for flag, text in REASON_TEXT.items() if reasons & flag)


def assess(
    signal_mv: FloatArray, fs_hz: float, second_starts: NDArray[np.int64], settings: QualitySettings
) -> tuple[ByteArray, ByteArray]:
    """State and reasons of the seconds that begin at `second_starts` (indices into `signal_mv`).

    `signal_mv` has shape (n_samples,), NaN where nothing was recorded. Band features are taken from the whole
    stretch, so seconds near its ends are judged with less context. Returns two uint8 arrays, one entry a second.
    """
    n_seconds = len(second_starts)
    reasons = np.zeros(n_seconds, np.uint8)
    if fs_hz < settings.min_fs_hz:
        return np.full(n_seconds, State.UNUSABLE, np.uint8), np.full(n_seconds, Reason.LOW_RATE, np.uint8)

    stops = np.minimum(np.append(second_starts[1:], second_starts[-1] + round(fs_hz)), len(signal_mv))
    whole = np.flatnonzero(stops > second_starts)
    mark(reasons, stops <= second_starts, Reason.NO_SAMPLES)
    rows = rows_of(signal_mv, second_starts[whole], stops[whole], fs_hz)
    missing = ~np.isfinite(rows).all(axis=1)
    mark(reasons, whole[missing], Reason.NO_SAMPLES)
    whole, rows = whole[~missing], rows[~missing]
    if len(whole) == 0:
        return _states(reasons, np.zeros(n_seconds, bool)), reasons

    high, low = rows.max(axis=1), rows.min(axis=1)
    spread = high - low
    mark(reasons, whole[spread < settings.flat_mv], Reason.FLAT)
    mark(reasons, _long_runs(reasons & Reason.FLAT > 0, settings.lead_off_s), Reason.LEAD_OFF)
    middle = np.median(rows, axis=1)
    at_top = (rows >= high[:, None]).mean(axis=1) * (high - middle > settings.rail_mv)
    at_bottom = (rows <= low[:, None]).mean(axis=1) * (middle - low > settings.rail_mv)
    mark(reasons, whole[np.maximum(at_top, at_bottom) >= settings.rail_share], Reason.SATURATED)
    mark(reasons, whole[spread > settings.artefact_mv], Reason.ARTEFACT)

    noise_mv, qrs_mv, kurtosis = _band_features(signal_mv, fs_hz, second_starts, stops)
    net = np.zeros(n_seconds)
    fifth = max(1, rows.shape[1] // 5)
    net[whole] = np.abs(rows[:, -fifth:].mean(axis=1) - rows[:, :fifth].mean(axis=1))
    # Beats cannot be seen while an amplifier recovers: without this its smooth slope would pass for a pause.
    mark(reasons, (net > settings.drift_mv) & (qrs_mv < settings.drift_quiet_mv), Reason.ARTEFACT)
    buried = (noise_mv > settings.noise_unusable_mv) | (
        (noise_mv > settings.noise_usable_mv) & (noise_mv > settings.noise_qrs_ratio * qrs_mv)
    )
    mark(reasons, buried, Reason.NOISY)
    indistinct = kurtosis < settings.min_kurtosis
    # Nothing to see beside strong beats is a pause; without such beats near it, the noise of a loose electrode.
    beating = (reasons == 0) & ~indistinct & np.isfinite(kurtosis) & (qrs_mv > settings.beating_mv)
    silent = (qrs_mv < settings.drift_quiet_mv) & beating.any()
    mark(reasons, indistinct & ~silent, Reason.NO_QRS)
    hidden = (noise_mv > settings.noise_usable_mv) | (kurtosis < settings.good_kurtosis)
    return _states(reasons, hidden), reasons


def _states(reasons: ByteArray, hides_small_waves: NDArray[np.bool_]) -> ByteArray:
    """Any reason makes a second unusable, noise that only hides small waves usable."""
    states = np.where(hides_small_waves, State.USABLE, State.GOOD).astype(np.uint8)
    states[reasons > 0] = State.UNUSABLE
    return states


def mark(reasons: ByteArray, where: NDArray[np.bool_] | NDArray[np.int64], reason: Reason) -> None:
    """Add a reason to some seconds (a mask or indices), in place."""
    reasons[where] |= np.uint8(reason)


def rows_of(signal_mv: NDArray[Any], starts: NDArray[np.int64], stops: NDArray[np.int64], fs_hz: float) -> NDArray[Any]:
    """Seconds as rows; shorter ones repeat their own last sample, so that a row depends on its second alone."""
    width = int(np.ceil(fs_hz))
    rows: NDArray[Any] = signal_mv[np.minimum(starts[:, None] + np.arange(width), stops[:, None] - 1)]
    return rows


def _long_runs(flags: NDArray[np.bool_], at_least: float) -> NDArray[np.bool_]:
    """The flags that belong to runs of at least so many."""
    edges = np.flatnonzero(np.diff(np.concatenate(([0], flags.view(np.int8), [0]))))
    kept = np.zeros(len(flags), bool)
    for a, b in zip(edges[::2], edges[1::2], strict=True):
        kept[a:b] = b - a >= at_least
    return kept


def _band_features(
    signal_mv: FloatArray, fs_hz: float, starts: NDArray[np.int64], stops: NDArray[np.int64]
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Noise above the ECG's band, strength in the QRS band (mV, RMS-like) and the QRS band's kurtosis.

    Noise is 1.48 times the median of the absolute value, which the QRS, a tenth of the time, hardly moves.
    Kurtosis of some seconds around: beats that stand out of a quiet line give 5 to 30, noise gives 3, a sine 1.5.
    """
    n_seconds = len(starts)
    noise_mv, qrs_mv, kurtosis = np.zeros(n_seconds), np.zeros(n_seconds), np.full(n_seconds, np.inf)
    sums = np.zeros((3, n_seconds))  # samples, squares, fourth powers of the QRS band
    noise_edge_hz = min(NOISE_EDGE_HZ, 0.4 * fs_hz)
    for a, b in finite_runs(signal_mv):
        inside = np.flatnonzero((starts >= a) & (stops <= b) & (stops > starts))
        if len(inside) == 0 or b - a < fs_hz / 2:
            continue
        run = signal_mv[a:b]
        noise = np.abs(zero_phase(run, fs_hz, "highpass", noise_edge_hz))
        noise_mv[inside] = 1.48 * np.median(rows_of(noise, starts[inside] - a, stops[inside] - a, fs_hz), axis=1)
        squares = np.square(zero_phase(run, fs_hz, "bandpass", *QRS_BAND_HZ))
        square_rows = rows_of(squares, starts[inside] - a, stops[inside] - a, fs_hz)
        sums[0, inside] = square_rows.shape[1]
        sums[1, inside] = square_rows.sum(axis=1)
        sums[2, inside] = np.square(square_rows).sum(axis=1)
        qrs_mv[inside] = np.sqrt(square_rows.mean(axis=1))
    around = np.ones(KURTOSIS_SECONDS)
    if n_seconds >= KURTOSIS_SECONDS:
        count, second, fourth = (np.convolve(row, around, mode="same") for row in sums)
    else:
        count, second, fourth = (np.full(n_seconds, row.sum()) for row in sums)
    enough = (count > 2 * fs_hz) & (second**2 > 0)
    kurtosis[enough] = fourth[enough] * count[enough] / second[enough] ** 2
    return noise_mv, qrs_mv, kurtosis


def finite_runs(signal_mv: NDArray[np.floating[Any]]) -> list[tuple[int, int]]:
    """Stretches [a, b) without NaN."""
    finite = np.isfinite(signal_mv)
    if finite.all():
        return [(0, len(signal_mv))] if len(signal_mv) else []
    edges = np.flatnonzero(np.diff(np.concatenate(([0], finite.view(np.int8), [0]))))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))
