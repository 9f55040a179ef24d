"""P, QRS and T waves against people's marks: which were found, and how far each point is off.

A wave is found when its peak lies within 150 ms of the marked one (the field's convention), paired like beats; the
offsets of beginning, peak and end are those of the waves found. People mark a stretch of a recording and leave out
what lies before and after: waves found outside it, without a partner, do not count.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bench.ec57 import Ratio, Scores, window_of
from bench.ec57_beats import pair_beats
from edge.types import NO_POINT, Annotations, Point, Samples, Wave

SYMBOLS = {"p": Wave.P, "N": Wave.QRS, "t": Wave.T}
POINTS = {
    Wave.P: (Point.P_ON, Point.P_PEAK, Point.P_OFF),
    Wave.QRS: (Point.QRS_ON, Point.QRS_PEAK, Point.QRS_OFF),
    Wave.T: (Point.T_ON, Point.T_PEAK, Point.T_OFF),
}
MISSING = -1
PEAK = 1

Waves = NDArray[np.int64]
"""Shape (n, 3): beginning, peak and end of waves of one kind by ascending peak; MISSING where there is none."""


@dataclass(frozen=True, slots=True, eq=False)
class Marked:
    """People's marks on one lead."""

    waves: dict[Wave, Waves]
    first: int
    last: int
    """First and last mark of any kind."""


@dataclass(frozen=True, slots=True, eq=False)
class WaveScore:
    """One kind of wave on one lead."""

    hits: int
    missed: int
    extra: int
    errors_ms: NDArray[np.float64]
    """Shape (hits, 3): found minus marked; NaN where either has no such point."""

    def scores(self, wave: Wave) -> Scores:
        """Sensitivity, positive predictivity and their harmonic mean."""
        name, found, marked = wave.name.lower(), self.hits + self.extra, self.hits + self.missed
        return {
            f"{name}_se": Ratio(self.hits, marked),
            f"{name}_pp": Ratio(self.hits, found),
            f"{name}_f1": Ratio(2 * self.hits, marked + found),
        }


def marks_of(samples: Samples, symbols: Sequence[str]) -> Marked:
    """Read marks of the form ( peak ), with p, N or t for the peak; beginning and end may lack.

    LUDB has a few waves marked several times over, ((tt)), which are one wave, and beginnings marked just after their
    peak, N(), which are still its beginning.
    """
    at = np.asarray(samples, np.int64).tolist()
    found: dict[Wave, list[list[int]]] = {wave: [] for wave in Wave}
    last: tuple[int, Wave] | None = None
    for k, symbol in enumerate(symbols):
        wave = SYMBOLS.get(symbol)
        if wave is None:
            continue
        off = k + 1
        on = k - 1 if k and symbols[k - 1] == "(" else None
        if on is None and symbols[k + 1 : k + 3] == ["(", ")"]:
            on, off = k + 1, k + 2
        end = at[off] if off < len(at) and symbols[off] == ")" else MISSING
        if last == (k - 1, wave):
            found[wave][-1][2] = end
        else:
            found[wave].append([MISSING if on is None else at[on], at[k], end])
        last = (k, wave)
    waves = {wave: np.array(rows, np.int64).reshape(-1, 3) for wave, rows in found.items()}
    return Marked(waves, at[0] if at else 0, at[-1] if at else 0)


def waves_of(annotations: Annotations, wave: Wave) -> Waves:
    """The waves of one kind that were found; without a network the beats are all that is known of the QRS."""
    beats = annotations.beats
    if not annotations.read:
        rows = np.full((len(beats) if wave is Wave.QRS else 0, 3), MISSING, np.int64)
        rows[:, PEAK] = beats[: len(rows)]
        return rows
    offsets = annotations.waves[:, list(POINTS[wave])].astype(np.int64)
    rows = np.where(offsets == NO_POINT, MISSING, beats[:, None] + offsets).astype(np.int64)
    rows = rows[offsets[:, PEAK] != NO_POINT]
    in_order: Waves = rows[np.argsort(rows[:, PEAK], kind="stable")]
    return in_order


def has_p(annotations: Annotations) -> NDArray[np.bool_]:
    """Which beats got a P wave."""
    found: NDArray[np.bool_] = annotations.waves[:, Point.P_PEAK] != NO_POINT
    return found


def score_waves(marked: Waves, found: Waves, first: int, last: int, fs_hz: float) -> WaveScore:
    """Compare waves of one kind; found ones without a partner count from `first` to `last`, both included."""
    pairs = pair_beats(marked[:, PEAK], found[:, PEAK], window_of(fs_hz))
    extra = found[pairs.extra, PEAK]
    ours, theirs = marked[pairs.reference], found[pairs.test]
    known = (ours != MISSING) & (theirs != MISSING)
    errors_ms = np.where(known, (theirs - ours) * (1000.0 / fs_hz), np.nan)
    return WaveScore(len(ours), len(pairs.missed), int(((extra >= first) & (extra <= last)).sum()), errors_ms)
