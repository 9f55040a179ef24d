"""What a short recording is as a whole: numbers of it with names, for the part of the annotator that tells its class.

The context's opinion (see `reader.pooled`) sees features that nobody named; whether the rhythm is even, how
many beats have a P wave and how wide they are says more to it. The classes are those of CinC 2017: normal, atrial
fibrillation, another rhythm, too noisy to tell.
"""

import numpy as np
from numpy.typing import NDArray

from edge.clean.quality import State
from edge.types import NO_POINT, Annotations, Likely, Point

FloatArray = NDArray[np.float32]

SHORT_S = 120  # longer recordings are more than one thing; the part was trained on 9 to 61 s
RR_S = (0.2, 3.0)  # intervals outside are not between neighbouring beats
FEWEST_RR = 4
FEWEST_WAVES = 3
CHANGES = np.linspace(-0.6, 0.6, 13)  # edges of the histogram of changes, in median RR intervals …
INTERVALS = np.linspace(-0.5, 0.5, 11)  # … and of that of intervals, natural logarithms to the median

RR_NUMBERS = (
    "rr_s", "rr_cv", "rr_iqr", "rr_rmssd", "rr_change", "rr_changed", "rr_jumps", "rr_shortest", "rr_longest",
    "rr_lag", "rr_early", "rr_late", "rr_change_entropy", "rr_entropy",
)  # fmt: skip
SPANS = (
    ("p_s", Point.P_ON, Point.P_OFF), ("pr_s", Point.P_ON, Point.QRS_ON), ("qrs_s", Point.QRS_ON, Point.QRS_OFF),
    ("qt_s", Point.QRS_ON, Point.T_OFF), ("to_t_s", None, Point.T_PEAK),
)  # fmt: skip
CLASS_NUMBERS = (
    *(f"log_{name}" for name in ("n", "a", "o", "noise")),
    *(f"{likely.name.lower()}_{how}" for likely in Likely for how in ("mean", "most", "quarter")),
    "n_rr", "duration_s", "rate_hz", *RR_NUMBERS,
    *(f"{how}_{letter.lower()}" for letter in "SVFQ" for how in ("share", "number")), "share_p", "share_t",
    *(f"{name}_{how}" for name, _, _ in SPANS for how in ("median", "sd", "most")), "share_unusable", "share_usable",
)  # fmt: skip


def class_numbers(annotations: Annotations, pooled: tuple[float, ...]) -> FloatArray:
    """Numbers of a recording that was read, shape (len(CLASS_NUMBERS),); NaN where there is nothing to measure.

    `pooled`: the context's probabilities of the four classes.
    """
    a = annotations
    duration_s = a.n_samples / a.fs_hz
    likely = a.likely / 255
    numbers = [
        *np.log(np.array(pooled) + 1e-3),
        *np.stack([likely.mean(axis=0), likely.max(axis=0), np.quantile(likely, 0.25, axis=0)], axis=1).ravel(),
    ]
    rr_s = np.diff(a.beats) / a.fs_hz
    rr_s = rr_s[(rr_s > RR_S[0]) & (rr_s < RR_S[1])]
    numbers += [len(rr_s), duration_s, len(a.beats) / duration_s, *_of_rr(rr_s)]
    n_beats = max(1, len(a.labels))
    for letter in "SVFQ":
        n = int((a.labels == ord(letter)).sum())
        numbers += [n / n_beats, np.log1p(n)]
    points = np.where(a.waves == NO_POINT, np.nan, a.waves / a.fs_hz)
    has = np.isfinite(points)
    numbers += [float(has[:, point].mean()) if len(has) else np.nan for point in (Point.P_PEAK, Point.T_PEAK)]
    for _, first, last in SPANS:
        span_s = points[:, last] - (0 if first is None else points[:, first])
        span_s = span_s[np.isfinite(span_s)]
        enough = len(span_s) >= FEWEST_WAVES
        numbers += [np.median(span_s), span_s.std(), span_s.max()] if enough else [np.nan] * 3
    numbers += [float((a.quality == state).mean()) for state in (State.UNUSABLE, State.USABLE)]
    return np.array(numbers, np.float32)


def _of_rr(rr_s: NDArray[np.float64]) -> list[float]:
    """`RR_NUMBERS`: all but the first in units of the median interval."""
    if len(rr_s) < FEWEST_RR:
        return [np.nan] * len(RR_NUMBERS)
    median = float(np.median(rr_s))
    rr = rr_s / median
    change = np.diff(rr)
    varies = rr[:-1].std() > 1e-6 and rr[1:].std() > 1e-6
    quarters = np.quantile(rr, [0.25, 0.75])
    return [
        median, float(rr.std()), float(quarters[1] - quarters[0]), float(np.sqrt(np.square(change).mean())),
        float(np.median(np.abs(change))), float((np.abs(change) > 0.1).mean()), float((np.abs(change) > 0.25).mean()),
        float(rr.min()), float(rr.max()), float(np.corrcoef(rr[:-1], rr[1:])[0, 1]) if varies else 0.0,
        float((rr < 0.85).mean()), float((rr > 1.15).mean()), _entropy(change, CHANGES), _entropy(np.log(rr), INTERVALS),
    ]  # fmt: skip


def _entropy(values: NDArray[np.float64], edges: NDArray[np.float64]) -> float:
    """Shannon entropy of the histogram, nats; 0 where all values lie outside."""
    counts, _ = np.histogram(values, edges)
    share = counts[counts > 0] / max(1, int(counts.sum()))
    return float(-(share * np.log(share)).sum())
