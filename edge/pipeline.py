"""The analysis stages in order, once: live and batch push pieces through the same function.

Decisions fall on a grid of windows anchored at sample 0, each seen with a fixed context, so they do not depend on
how the signal was cut up on its way here: replaying a recording gives the annotations of the file.
"""

from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from edge.clean.quality import Reason, State, assess
from edge.contact import Off, without_contact
from edge.detect.beats import find_beats, join_beats, refractory_of
from edge.settings import Settings
from edge.types import Annotations, Decided, Gap, Piece, Recording, pieces, seconds_begun

QUALITY_CONTEXT_S = 5  # before the window; the filters settle within two, the kurtosis looks back two
EDGE_S = 0.15  # a beat this far before a window's edge may still be reported by that window


@dataclass(slots=True)
class AnalysisState:
    """Where the analysis of one lead of one recording stands."""

    fs_hz: float
    lead: int = 0
    settings: Settings = field(default_factory=Settings)
    windows_done: int = 0
    signal_mv: NDArray[np.float64] = field(default_factory=lambda: np.empty(0))
    """The samples still needed: context and what waits for a full window."""
    signal_start: int = 0
    last_beat: int = -(10**12)
    context_states: NDArray[np.uint8] = field(default_factory=lambda: np.empty(0, np.uint8))
    """States of the decided seconds within reach of the next window."""

    @property
    def signal_stop(self) -> int:
        """Index after the last sample seen."""
        return self.signal_start + len(self.signal_mv)

    def sample_at(self, second: float) -> int:
        """Index at which a second of the recording begins."""
        return round(second * self.fs_hz)


def advance(piece: Piece, state: AnalysisState) -> tuple[list[Decided], AnalysisState]:
    """Take in one piece; return what it decided. Pieces must follow each other without a hole."""
    decided: list[Decided] = []
    step = max(1, round(60 * state.fs_hz))  # a gap of days is taken in a minute at a time
    for start in range(piece.start, piece.stop, step):
        stop = min(start + step, piece.stop)
        if isinstance(piece, Gap):
            part = np.full(stop - start, np.nan)
        else:
            part = piece.signal_mv[start - piece.start : stop - piece.start, state.lead].astype(np.float64)
        state.signal_mv = np.concatenate((state.signal_mv, part))
        decided += _joined(_decide(state, final=False))
    return decided, state


def finish(state: AnalysisState) -> list[Decided]:
    """Decide what still waited for its context; nothing may be pushed afterwards."""
    return _decide(state, final=True)


def annotate(
    recording: Recording, lead: int = 0, settings: Settings | None = None, off: Sequence[Off] = ()
) -> Annotations:
    """Analyse a whole recording by window; nothing is found in stretches in which the lead had no contact."""
    info = recording.info
    state = AnalysisState(info.fs_hz, lead, settings or Settings())
    gaps: list[Gap] = []

    def decisions() -> Iterator[Decided]:
        for piece in pieces(recording):
            if isinstance(piece, Gap):
                _extend_gaps(gaps, piece)
            yield from advance(piece, state)[0]
        yield from finish(state)

    kept = (without_contact(d, off, info.fs_hz) for d in decisions())
    return collect(kept, info.fs_hz, gaps)


def collect(decided: Iterable[Decided], fs_hz: float, gaps: Iterable[Gap]) -> Annotations:
    """Join decisions, in order and without a hole, into annotations; `gaps` is read when all have come."""
    beats, quality, reasons, stop = array("q"), bytearray(), bytearray(), 0
    for d in decided:
        beats.extend(d.beats.tolist())
        quality += d.quality.tobytes()
        reasons += d.reasons.tobytes()
        stop = d.stop
    return Annotations(
        fs_hz=fs_hz,
        n_samples=stop,
        beats=np.frombuffer(beats, np.int64),
        quality=np.frombuffer(quality, np.uint8),
        reasons=np.frombuffer(reasons, np.uint8),
        gaps=tuple(gaps),
    )


def _extend_gaps(gaps: list[Gap], piece: Gap) -> None:
    """Append a gap, or lengthen the last one that it continues (files are read a minute at a time)."""
    if gaps and gaps[-1].stop == piece.start:
        gaps[-1] = Gap(gaps[-1].start, piece.stop, gaps[-1].cause)
    else:
        gaps.append(piece)


def _joined(decided: list[Decided]) -> list[Decided]:
    """Decisions that follow each other as one: a gap of a month has a quarter of a million windows."""
    if len(decided) < 2:
        return decided
    return [
        Decided(
            decided[0].first_second,
            decided[-1].stop,
            np.concatenate([d.beats for d in decided]),
            np.concatenate([d.quality for d in decided]),
            np.concatenate([d.reasons for d in decided]),
        )
    ]


def _decide(state: AnalysisState, *, final: bool) -> list[Decided]:
    beats = state.settings.beats
    decided: list[Decided] = []
    while True:
        first_second = state.windows_done * beats.window_s
        start = state.sample_at(first_second)
        stop = state.sample_at(first_second + beats.window_s)
        if stop + round(beats.ahead_s * state.fs_hz) > state.signal_stop:
            if not final or start >= state.signal_stop:
                return decided
            stop = min(stop, state.signal_stop)
        decided.append(_decide_window(state, first_second, start, stop))
        state.windows_done += 1
        _forget(state, stop)


def _decide_window(state: AnalysisState, first_second: int, start: int, stop: int) -> Decided:
    """Quality and beats of one window, from its context in `state`."""
    beats = state.settings.beats
    seen_stop = min(state.signal_stop, stop + round(beats.ahead_s * state.fs_hz))
    signal_mv = state.signal_mv[: seen_stop - state.signal_start]
    n_seconds = seconds_begun(stop, state.fs_hz) - first_second
    n_ahead = seconds_begun(seen_stop, state.fs_hz) - first_second - n_seconds
    if np.isnan(signal_mv[start - state.signal_start :]).all():
        nothing = np.full(n_seconds, Reason.NO_SAMPLES, np.uint8)
        states = np.full(n_seconds, State.UNUSABLE, np.uint8)
        state.context_states = np.concatenate((state.context_states, states))
        return Decided(first_second, stop, np.empty(0, np.int64), states, nothing)

    # Decided seconds keep their verdict; only the window's own and the ones ahead are judged now.
    n_context = len(state.context_states)
    seconds = first_second - n_context + np.arange(n_context + n_seconds + n_ahead)
    starts = np.array([state.sample_at(s) for s in seconds.tolist()], np.int64) - state.signal_start
    judged_from = max(0, n_context - QUALITY_CONTEXT_S)
    base = int(starts[judged_from])
    new_states, new_reasons = assess(signal_mv[base:], state.fs_hz, starts[judged_from:] - base, state.settings.quality)
    own = slice(n_context - judged_from, n_context - judged_from + n_seconds)
    states = np.concatenate((state.context_states, new_states[n_context - judged_from :]))
    found = find_beats(signal_mv, state.fs_hz, starts, states, beats) + state.signal_start
    joined = join_beats(
        state.last_beat,
        found,
        start - round(EDGE_S * state.fs_hz),
        stop,
        refractory_of(found, state.fs_hz, beats),
    )
    state.last_beat = joined[-1] if joined else state.last_beat
    state.context_states = states[: n_context + n_seconds]
    return Decided(first_second, stop, np.array(joined, np.int64), new_states[own], new_reasons[own])


def _forget(state: AnalysisState, stop: int) -> None:
    """Drop samples and states beyond the reach of the next window, by whole seconds."""
    n_keep = state.settings.beats.before_s
    state.context_states = state.context_states[-n_keep:]
    next_second = state.windows_done * state.settings.beats.window_s
    keep_from = min(state.sample_at(next_second - len(state.context_states)), stop)
    if keep_from > state.signal_start:
        state.signal_mv = state.signal_mv[keep_from - state.signal_start :]
        state.signal_start = keep_from
