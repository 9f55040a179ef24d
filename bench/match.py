"""Beat-by-beat comparison after the rules of WFDB's bxb (EC57): pure functions over sample indices."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge.types import Samples

WINDOW_S = 0.150
LEARNING_S = 300.0
BEAT_SYMBOLS = frozenset("NLRBAaJSVrFejnE/fQ?")


@dataclass(frozen=True, slots=True)
class Counts:
    """Matched, missed and extra beats."""

    matched: int
    missed: int
    extra: int

    @property
    def sensitivity(self) -> float:
        """Matched over all reference beats; NaN without any."""
        return self.matched / (self.matched + self.missed) if self.matched + self.missed else float("nan")

    @property
    def positive_predictivity(self) -> float:
        """Matched over all test beats; NaN without any."""
        return self.matched / (self.matched + self.extra) if self.matched + self.extra else float("nan")


def compare(
    reference: Samples,
    test: Samples,
    fs_hz: float,
    skipped: list[tuple[int, int]],
    start_s: float = LEARNING_S,
) -> Counts:
    """Pair reference and test beats within 150 ms, from `start_s` on, outside `skipped` sample ranges.

    A pair is made only when neither beat has a nearer partner among the next ones on the other side.
    """
    first = start_s * fs_hz
    reference, test = (_kept(beats, first, skipped) for beats in (reference, test))
    window = WINDOW_S * fs_hz
    matched = i = j = 0
    while i < len(reference) and j < len(test):
        apart = abs(int(test[j] - reference[i]))
        if apart <= window:
            if j + 1 < len(test) and abs(int(test[j + 1] - reference[i])) < apart:
                j += 1  # the next test beat is nearer to this reference beat
                continue
            if i + 1 < len(reference) and abs(int(test[j] - reference[i + 1])) < apart:
                i += 1
                continue
            matched, i, j = matched + 1, i + 1, j + 1
        elif test[j] < reference[i]:
            j += 1
        else:
            i += 1
    return Counts(matched, len(reference) - matched, len(test) - matched)


def _kept(beats: Samples, first: float, skipped: list[tuple[int, int]]) -> Samples:
    keep: NDArray[np.bool_] = beats >= first
    for a, b in skipped:
        keep &= (beats < a) | (beats >= b)
    return beats[keep]


def total(counts: list[Counts]) -> Counts:
    """All counts together (gross statistics)."""
    return Counts(sum(c.matched for c in counts), sum(c.missed for c in counts), sum(c.extra for c in counts))
