"""Beat-by-beat comparison by the rules of WFDB's bxb: pairing, the confusion matrix, and what is read off it.

* Reference and test beats pair within 150 ms. The earlier of the two decides: it pairs unless the next beat on its
  own side is as near or nearer to the other one. So of two that are equally near, the later one pairs.
* The first five minutes are not scored; a test beat just before their end may still pair with the first scored
  reference beat, and one just after it that belongs to the last unscored one is not counted.
* Reference beats inside reference ventricular flutter do not exist; unpaired test beats there are not counted.
* What has no partner is paired with O, or with X where the other side had declared the signal unreadable.

Unlike bxb, which remembers the last two stretches of each kind, all of them count.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bench.ec57 import LEARNING_S, Ratio, Scores, Side, Spans, inside, window_of
from edge.types import LABELS, Samples

CELLS = LABELS + "OX"
"""Rows and columns of a confusion matrix: no beat is O, none because of unreadable signal is X."""
N, S, V, F, Q, O, X = range(len(CELLS))  # noqa: E741 - EC57's own letters
Matrix = NDArray[np.int64]
"""Shape (7, 7): reference row, test column."""

_CELL_OF_CODE = np.full(256, Q, np.int64)
_CELL_OF_CODE[[ord(label) for label in LABELS]] = range(len(LABELS))
_FAR = 1 << 60  # beyond every record


@dataclass(frozen=True, slots=True, eq=False)
class Pairs:
    """Indices of reference and test beats that belong together, and of those that have no partner."""

    reference: NDArray[np.int64]
    test: NDArray[np.int64]
    missed: NDArray[np.int64]
    extra: NDArray[np.int64]

    @property
    def se(self) -> Ratio:
        """Paired over all reference beats."""
        return Ratio(len(self.reference), len(self.reference) + len(self.missed))

    @property
    def pp(self) -> Ratio:
        """Paired over all test beats."""
        return Ratio(len(self.test), len(self.test) + len(self.extra))


def pair_beats(reference: Samples, test: Samples, window: int, start: int = 0) -> Pairs:
    """Pair ascending sample indices, each at most once, at most `window` samples apart, from `start` on."""
    ours, theirs = reference.tolist(), test.tolist()
    i = int(np.searchsorted(reference, start))
    j = int(np.searchsorted(test, start))
    n, m = len(ours), len(theirs)
    ours.append(_FAR)
    theirs.append(_FAR)
    pairs: list[tuple[int, int]] = []
    missed: list[int] = []
    extra: list[int] = []
    if start > 0:
        if i < n and j > 0 and ours[i] - theirs[j - 1] <= window and ours[i] - theirs[j - 1] < abs(ours[i] - theirs[j]):
            pairs.append((i, j - 1))
            i += 1
        elif j < m and theirs[j] - start <= window and abs(ours[i] - theirs[j + 1]) < abs(ours[i] - theirs[j]):
            j += 1  # it belongs to a beat before the start
    while i < n and j < m:
        apart = ours[i] - theirs[j]
        if apart > 0:
            if apart <= window and apart < abs(ours[i] - theirs[j + 1]):
                pairs.append((i, j))
                i += 1
            else:
                extra.append(j)
            j += 1
        else:
            if -apart <= window and -apart < abs(theirs[j] - ours[i + 1]):
                pairs.append((i, j))
                j += 1
            else:
                missed.append(i)
            i += 1
    missed += range(i, n)
    extra += range(j, m)
    paired = np.array(pairs, np.int64).reshape(-1, 2)
    return Pairs(paired[:, 0], paired[:, 1], np.array(missed, np.int64), np.array(extra, np.int64))


def score_beats(
    reference: Side, test: Side, fs_hz: float, start_s: float = LEARNING_S, within: Spans | None = None
) -> Matrix:
    """Confusion matrix of a record from `start_s` on.

    `within` keeps what lies in these stretches only: pairs and misses by the reference beat, others by the test beat.
    """
    pairs = pair_beats(reference.beats, test.beats, window_of(fs_hz), round(start_s * fs_hz))
    ours, theirs = _CELL_OF_CODE[reference.labels], _CELL_OF_CODE[test.labels]
    missed, extra = pairs.missed, pairs.extra
    extra = extra[~inside(test.beats[extra], reference.vf)]
    unread = np.where(inside(reference.beats[missed], test.shutdown), X, O)
    unmarked = np.where(inside(test.beats[extra], reference.shutdown), X, O)
    rows = np.concatenate((ours[pairs.reference], ours[missed], unmarked))
    columns = np.concatenate((theirs[pairs.test], unread, theirs[extra]))
    if within is not None:
        at = np.concatenate((reference.beats[pairs.reference], reference.beats[missed], test.beats[extra]))
        kept = inside(at, within)
        rows, columns = rows[kept], columns[kept]
    counts = np.bincount(rows * len(CELLS) + columns, minlength=len(CELLS) ** 2)
    return counts.reshape(len(CELLS), len(CELLS)).astype(np.int64)


def qrs_scores(matrix: Matrix) -> Scores:
    """QRS sensitivity and positive predictivity.

    Beats missed in seconds that the test declared unreadable (column X) count as missed, as EC57 wants it;
    `qrs_se_readable` leaves them out.
    """
    paired, not_found, unread, extra = (
        int(part.sum()) for part in (matrix[:O, :O], matrix[:O, O], matrix[:O, X], matrix[O:, :O])
    )
    return {
        "qrs_se": Ratio(paired, paired + not_found + unread),
        "qrs_se_readable": Ratio(paired, paired + not_found),
        "qrs_pp": Ratio(paired, paired + extra),
    }


def label_scores(matrix: Matrix) -> Scores:
    """VEB and SVEB figures. F or Q called v are no false positives, nor is Q called s."""
    veb, sveb = int(matrix[V, V]), int(matrix[S, S])
    veb_false = int(matrix[[N, S, O, X], V].sum())
    sveb_false = int(matrix[[N, V, F, O, X], S].sum())
    not_veb = int(matrix[np.ix_([N, S, F, Q, O, X], [N, S, F, Q])].sum())
    return {
        "veb_se": Ratio(veb, int(matrix[V].sum())),
        "veb_pp": Ratio(veb, veb + veb_false),
        "veb_fpr": Ratio(veb_false, veb_false + not_veb),
        "sveb_se": Ratio(sveb, int(matrix[S].sum())),
        "sveb_pp": Ratio(sveb, sveb + sveb_false),
    }


def table_of(matrix: Matrix) -> dict[str, dict[str, int]]:
    """The matrix for a result document: upper-case reference, lower-case test."""
    return {
        row: {column.lower(): int(matrix[i, j]) for j, column in enumerate(CELLS) if i < O or j < O}
        for i, row in enumerate(CELLS)
    }


def counts_of(matrix: Matrix) -> dict[str, int]:
    """How many reference beats there are, how many of them have no partner, and how many test beats have none."""
    return {
        "beats": int(matrix[:O].sum()),
        "missed": int(matrix[:O, O].sum()),
        "missed_in_unreadable": int(matrix[:O, X].sum()),
        "extra": int(matrix[O:].sum()),
    }
