"""Rhythms that are read from the labels and intervals of the beats: rates, runs, patterns, asystole.

Every rule looks at beats within a bounded reach of a place (see `reach_s`), never across a second that cannot be read,
and never across asystole, so it gives the same on a piece of a recording as on the whole.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from edge.detect.rhythm_names import Rhythm
from edge.detect.rhythm_spans import BoolArray, Spans, filled, groups_of, runs_of
from edge.settings import RhythmSettings
from edge.types import Labels, Samples

FloatArray = NDArray[np.float64]
Indices = NDArray[np.int64]

N, S, V, F, Q = (ord(label) for label in "NSVFQ")


class BeatsHeld(NamedTuple):
    """The newest beats of a recording."""

    at: Samples
    label: Labels
    paced: BoolArray


class Linked(NamedTuple):
    """Beats, and which intervals between them count; arrays of shape (n_beats,) and (n_beats - 1,)."""

    beats: BeatsHeld
    joined: BoolArray
    """The interval after a beat counts: it can be read throughout and is shorter than asystole."""
    first: Indices
    """Of each interval that counts: the beat at which the unbroken row of such intervals begins …"""
    last: Indices
    """… and the beat at which it ends."""
    fs_hz: float

    def bpm(self, at: Indices, first: Indices, last: Indices, n_intervals: int) -> FloatArray:
        """Mean rate of the `n_intervals` around each beat `at`, or of what there is between the beats first and last."""
        start = np.clip(at - n_intervals // 2, first, np.maximum(first, last - n_intervals))
        stop = np.minimum(start + n_intervals, last)
        samples = self.beats.at[stop] - self.beats.at[start]
        return np.asarray(60.0 * self.fs_hz * (stop - start) / samples)

    def spans(self, code: Indices) -> Spans:
        """Spans from beat to beat of equal intervals; `code` has one entry per interval, 0 where there is no name."""
        first, last = groups_of(code)
        named = code[first] > 0
        return Spans(self.beats.at[first[named]], self.beats.at[last[named]], code[first[named]])


def reach_s(s: RhythmSettings) -> float:
    """How far from a place, in seconds, beats can matter to what is named there."""
    n_beats = max(s.rate_beats, s.local_beats, 3 * (s.pattern_cycles + 1), 3 * s.run_beats, s.paced_beats)
    return s.asystole_s * (n_beats + 1) + max(s.episode_min_s, s.whole_stretch_s, s.sinus_arrhythmia_min_s)


def linked_beats(beats: BeatsHeld, readable: BoolArray, edges: Samples, fs_hz: float, s: RhythmSettings) -> Linked:
    """Find the intervals that count; `readable` has one entry per second, `edges` (shape one more) where they begin."""
    unread = np.concatenate(([0], np.cumsum(~readable)))
    second = np.searchsorted(edges, beats.at, side="right") - 1
    joined = np.diff(beats.at) < s.asystole_s * fs_hz
    joined &= unread[second[1:] + 1] == unread[second[:-1]]
    first, last = np.arange(len(joined)), np.arange(len(joined)) + 1
    a, b = runs_of(joined)
    first[joined], last[joined] = np.repeat(a, b - a), np.repeat(b, b - a)
    return Linked(beats, joined, first, last, fs_hz)


def basic_rhythm(linked: Linked, s: RhythmSettings) -> Spans:
    """Sinus rhythm and its variants where beats follow each other; nothing where most beats are unclassifiable.

    A fast or slow stretch is what `edge.interpret.facts.episode_facts` counts, but the beats next to a break, which
    have no eight intervals around them, go with the nearest that have.
    """
    at = linked.beats.at
    code = np.where(linked.joined, Rhythm.N, Rhythm.NONE).astype(np.int64)
    counted = np.flatnonzero(linked.joined)
    bounds = linked.first[counted], linked.last[counted]
    rates = [linked.bpm(counted + side, *bounds, s.rate_beats) for side in (0, 1)]  # at both beats of an interval

    def mark(condition: BoolArray, rhythm: Rhythm, min_s: float) -> None:
        met = np.zeros(len(code), bool)
        met[counted] = condition
        a, b = runs_of(met)
        lasts = at[b] - at[a]
        whole = (a == linked.first[a]) & (b == linked.last[a]) & (lasts >= s.whole_stretch_s * linked.fs_hz)
        kept = whole | (lasts >= min_s * linked.fs_hz)
        code[filled(len(code), a[kept], b[kept])] = rhythm

    mark(_uneven(linked, counted, s), Rhythm.SARRH, s.sinus_arrhythmia_min_s)
    mark(np.maximum(*rates) < s.bradycardia_bpm, Rhythm.SBR, s.episode_min_s)
    mark(np.minimum(*rates) > s.tachycardia_bpm, Rhythm.STACH, s.episode_min_s)
    mark(np.minimum(*rates) > s.sinus_limit_bpm, Rhythm.SVTA, s.episode_min_s)
    code[_mostly(linked, (linked.beats.label == Q) & ~linked.beats.paced, s.paced_beats)] = Rhythm.NONE
    return linked.spans(code)


def _uneven(linked: Linked, counted: Indices, s: RhythmSettings) -> BoolArray:
    """Whether the intervals between N beats around an interval differ as in sinus arrhythmia; shape of `counted`."""
    at, label, _ = linked.beats
    sinus = linked.joined & (label[:-1] == N) & (label[1:] == N)
    rr_ms = np.where(sinus, np.diff(at) * 1000.0 / linked.fs_hz, np.nan)
    half = s.local_beats // 2
    around = counted[:, None] + np.arange(-half, half + 1)
    inside = (around >= linked.first[counted][:, None]) & (around < linked.last[counted][:, None])
    rows = np.where(inside, rr_ms[np.where(inside, around, counted[:, None])], np.nan)
    rows.sort(axis=1)  # NaN goes last
    n, row = np.isfinite(rows).sum(axis=1), np.arange(len(rows))
    median_ms = (rows[row, (n - 1) // 2] + rows[row, n // 2]) / 2
    spread_ms = rows[row, n - 1] - rows[:, 0]
    wide = (spread_ms > s.sinus_arrhythmia_ms) & (spread_ms > s.sinus_arrhythmia_share * median_ms)
    return np.asarray((n > half) & wide)


def paced_rhythm(linked: Linked, s: RhythmSettings) -> Spans:
    """Where most beats around are paced."""
    return linked.spans(np.where(_mostly(linked, linked.beats.paced, s.paced_beats), Rhythm.P, Rhythm.NONE))


def _mostly(linked: Linked, mark: BoolArray, n_beats: int) -> BoolArray:
    """Per interval: whether more than half of the `n_beats` around each of its beats are marked."""
    counted = np.flatnonzero(linked.joined)
    first, after = linked.first[counted], linked.last[counted] + 1
    marks = np.concatenate(([0], np.cumsum(mark)))
    most = linked.joined.copy()
    for side in (0, 1):
        start = np.clip(counted + side - n_beats // 2, first, np.maximum(first, after - n_beats))
        stop = np.minimum(start + n_beats, after)
        most[counted] &= 2 * (marks[stop] - marks[start]) > stop - start
    return most


def pattern(linked: Linked, period: int, rhythm: Rhythm, s: RhythmSettings) -> Spans:
    """V beats of which each is the `period`-th after the last; from the first V beat to the beat after the last."""
    at, label, _ = linked.beats
    n = max(0, len(at) - period)  # beats that have one so much later
    cycle = (label[:n] == V) & (label[period:] == V)
    for k in range(period):
        cycle &= linked.joined[k : n + k]
        if k > 0:
            cycle &= (label[k : n + k] != V) & (label[k : n + k] != F)
    begins = np.flatnonzero(cycle)
    breaks = np.flatnonzero(np.diff(begins) != period) + 1
    a = np.concatenate(([0], breaks))[: len(begins)]
    b = np.concatenate((breaks, [len(begins)]))[: len(a)]
    kept = b - a >= s.pattern_cycles - 1
    first, last = begins[a[kept]], begins[b[kept] - 1] + period
    return Spans.all_of(at[first], at[_beat_after(linked, last)], rhythm)


def runs(linked: Linked, kind: int, slow: Rhythm, fast: Rhythm, s: RhythmSettings) -> Spans:
    """Beats of one kind in succession, to the beat after the last; fast and slow parts of a run are told apart."""
    label = linked.beats.label
    first, last = runs_of(linked.joined & (label[:-1] == kind) & (label[1:] == kind))
    n_least = s.run_beats - 1
    first, last = first[last - first >= n_least], last[last - first >= n_least]
    length = last - first
    run = np.repeat(np.arange(len(first)), length)
    interval = np.arange(length.sum()) - np.repeat(np.cumsum(length) - length - first, length)
    is_fast = linked.bpm(interval, first[run], last[run], s.rate_beats) > s.run_bpm
    for value in (False, True):  # a part must be a run of its own
        a, b = groups_of(2 * run + is_fast)
        brief = (b - a < n_least) & (is_fast[a] == value) & (b - a < length[run[a]])
        is_fast[filled(len(run), a[brief], b[brief])] = not value
    code = np.zeros(len(linked.joined), np.int64)
    code[interval] = np.where(is_fast, fast, slow)
    to_next = last[_beat_after(linked, last) > last]
    code[to_next] = code[to_next - 1]
    return linked.spans(code)


def _beat_after(linked: Linked, beat: Indices) -> Indices:
    """The next beat where the interval to it counts, else the beat itself."""
    has_next = np.append(linked.joined, False)
    return np.asarray(beat + has_next[beat])


def asystole(beats: Samples, readable: BoolArray, edges: Samples, fs_hz: float, s: RhythmSettings) -> Spans:
    """Readable signal without a beat: between two, or between one and where reading begins or ends."""
    a, b = runs_of(readable)
    if len(a) == 0:
        return Spans.all_of(edges[a], edges[b], Rhythm.ASYS)
    marks = np.sort(np.concatenate((beats, edges[a], edges[b])))
    stretch = np.searchsorted(edges[a], marks[:-1], side="right") - 1
    inside = (stretch >= 0) & (marks[1:] <= edges[b][stretch])
    empty = inside & (np.diff(marks) >= s.asystole_s * fs_hz)
    return Spans.all_of(marks[:-1][empty], marks[1:][empty], Rhythm.ASYS)
