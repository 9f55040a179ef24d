"""Stretches as arrays: runs of a condition, and spans painted over each other."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from edge.types import Samples

BoolArray = NDArray[np.bool_]


class Spans(NamedTuple):
    """Stretches of samples in order and without overlap, with the code of each; arrays of shape (n,)."""

    start: Samples
    stop: Samples
    code: NDArray[np.int64]

    @classmethod
    def all_of(cls, start: Samples, stop: Samples, code: int) -> "Spans":
        """Stretches of one code."""
        return cls(start, stop, np.full(len(start), code, np.int64))


def runs_of(condition: BoolArray) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """First index and index after the last of each stretch in which the condition holds."""
    padded = np.zeros(len(condition) + 2, np.int8)
    padded[1:-1] = condition
    edges = np.flatnonzero(np.diff(padded))
    return edges[::2], edges[1::2]


def groups_of(value: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """First index and index after the last of each stretch of equal values."""
    if len(value) == 0:
        return np.empty(0, np.int64), np.empty(0, np.int64)
    edges = np.flatnonzero(np.diff(value)) + 1
    return np.concatenate(([0], edges)), np.concatenate((edges, [len(value)]))


def filled(n: int, starts: NDArray[np.int64], stops: NDArray[np.int64]) -> BoolArray:
    """Of n places, those in the stretches [start, stop), which do not overlap."""
    steps = np.zeros(n + 1, np.int64)
    np.add.at(steps, starts, 1)
    np.add.at(steps, stops, -1)
    return np.asarray(np.cumsum(steps[:-1]) > 0)


def painted(layers: list[Spans], start: int, stop: int) -> Spans:
    """Cover [start, stop) exactly once; a later layer lies over the earlier, and code 0 is where there is none."""
    clipped = [Spans(np.clip(s.start, start, stop), np.clip(s.stop, start, stop), s.code) for s in layers]
    edges = np.unique(np.concatenate([[start, stop], *(part for s in clipped for part in s[:2])]))
    cells = np.zeros(len(edges) - 1, np.int64)
    for layer in clipped:
        steps = np.zeros(len(edges), np.int64)
        np.add.at(steps, np.searchsorted(edges, layer.start), layer.code)
        np.subtract.at(steps, np.searchsorted(edges, layer.stop), layer.code)
        code = np.cumsum(steps)[:-1]
        cells = np.where(code > 0, code, cells)
    first, last = groups_of(cells)
    return Spans(edges[first], edges[last], cells[first])
