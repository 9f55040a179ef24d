"""Run-by-run comparison by the rules of WFDB's rxr: couplets, short runs (3 to 5) and long runs (6 or more).

* A ventricular run is made of V and F beats, a supraventricular one of S beats; inside atrial fibrillation or flutter
  normal beats are S, too. Any other beat ends a run, and so does the beginning of unreadable signal. Where a record
  ends inside a run, the run is not counted.
* Ventricular flutter is a ventricular run of six, atrial fibrillation or flutter a supraventricular one, unless a run
  that is under way leads into it: that one keeps its own count of beats.
* The run is compared with the longest run that the other side has between 150 ms before its first and 150 ms after
  its last beat. Sensitivity takes the reference's runs, positive predictivity those of the test.

Unlike rxr, beats that lie inside ventricular flutter neither lengthen nor end a ventricular run, unreadable signal ends
no episode, and the beginning of the other kind of episode cuts no run in two.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from bench.ec57 import LEARNING_S, Ratio, Scores, Side, Spans, inside, window_of
from edge.types import Samples

Kind = Literal["V", "S"]
LONGEST = 6
LENGTHS = {"couplet": (2, 2), "short": (3, 5), "long": (6, 6)}
"""Names of run lengths, both ends included; 6 stands for 6 and more."""
MEMBER, BREAK, OPEN, CLOSE = range(4)


@dataclass(frozen=True, slots=True, eq=False)
class Marks:
    """What one side says about runs of one kind, in order."""

    at: Samples
    what: NDArray[np.int64]
    """Beats that belong to a run or end one, and the ends of episodes that are a run by themselves."""
    episodes: Spans


def marks_of(side: Side, kind: Kind) -> Marks:
    """Everything of one side that begins, lengthens or ends runs of a kind."""
    beats, labels = side.beats, side.labels
    if kind == "V":
        episodes = side.vf
        member = np.isin(labels, [ord("V"), ord("F")])
        free = ~inside(beats, side.vf)
        beats, member = beats[free], member[free]
    else:
        episodes = side.af
        member = (labels == ord("S")) | ((labels == ord("N")) & inside(beats, side.af))
    # At the same sample an episode ends before the beat after it, and begins before its own first beat.
    at = np.concatenate((episodes[:, 1], episodes[:, 0], beats, side.shutdown[:, 0]))
    what = np.concatenate(
        (
            np.full(len(episodes), CLOSE),
            np.full(len(episodes), OPEN),
            np.where(member, MEMBER, BREAK),
            np.full(len(side.shutdown), BREAK),
        )
    )
    order = np.argsort(at, kind="stable")
    return Marks(at[order], what[order], episodes)


def runs_of(marks: Marks, start: int, stop: int, window: int) -> list[tuple[int, int, int]]:
    """Runs from `start` to `stop`: beginning and end of the stretch to search on the other side, and length up to 6."""
    first, last, length = 0, 0, 0
    under_way = (marks.episodes[:, 0] < start) & (marks.episodes[:, 1] > start)
    if under_way.any():
        first, last, length = start - window, start + window, LONGEST
    found = []
    chosen = (marks.at >= start) & (marks.at <= stop)
    for at, what in zip(marks.at[chosen].tolist(), marks.what[chosen].tolist(), strict=True):
        if length == 0 and what in (MEMBER, OPEN):
            first, last, length = at - window, at + window, LONGEST if what == OPEN else 1
        elif length and what == MEMBER:
            last, length = at + window, min(length + 1, LONGEST)
        elif length and what == CLOSE:
            last = at + window
        elif length and what == BREAK:
            found.append((first, last, length))
            length = 0
    return found


def longest_run(marks: Marks, first: int, last: int) -> int:
    """Length, up to 6, of the longest run or part of one between two samples, both included."""
    if ((marks.episodes[:, 0] <= last) & (marks.episodes[:, 1] > first)).any():
        return LONGEST
    a, b = np.searchsorted(marks.at, first), np.searchsorted(marks.at, last, side="right")
    longest = length = 0
    for what in marks.what[a:b].tolist():
        length = length + 1 if what == MEMBER else 0
        longest = max(longest, length)
    return min(longest, LONGEST)


def run_matrices(
    reference: Side, test: Side, fs_hz: float, n_samples: int, kind: Kind, start_s: float = LEARNING_S
) -> NDArray[np.int64]:
    """Run lengths, reference row and test column, shape (2, 7, 7): for sensitivity and for positive predictivity."""
    counts = np.zeros((2, LONGEST + 1, LONGEST + 1), np.int64)
    ours, theirs = marks_of(reference, kind), marks_of(test, kind)
    start, window = round(start_s * fs_hz), window_of(fs_hz)
    for first, last, length in runs_of(ours, start, n_samples, window):
        counts[0, length, longest_run(theirs, first, last)] += 1
    for first, last, length in runs_of(theirs, start, n_samples, window):
        counts[1, longest_run(ours, first, last), length] += 1
    return counts


def run_scores(matrices: NDArray[np.int64], kind: Kind) -> Scores:
    """Sensitivity and positive predictivity by length: a run counts as found when the other side's is as long.

    "As long" is of the same class or a longer one: three beats for a short run, whatever its length.
    """
    by_reference, by_test = matrices
    scores: Scores = {}
    for name, (low, high) in LENGTHS.items():
        of_reference, of_test = by_reference[low : high + 1], by_test[:, low : high + 1]
        prefix = f"{kind.lower()}_{name}"
        scores[f"{prefix}_se"] = Ratio(int(of_reference[:, low:].sum()), int(of_reference.sum()))
        scores[f"{prefix}_pp"] = Ratio(int(of_test[low:].sum()), int(of_test.sum()))
    return scores
