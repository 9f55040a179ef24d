"""The classical path: quality and beats by rules, window by window; without onnxruntime it is the only one.

Decisions fall on a grid of windows anchored at sample 0, each seen with a fixed context, so they do not depend on
how the signal was cut up on its way here. Beats are found and not labelled.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from edge.clean.quality import Reason, State, assess
from edge.contact import Off, without_contact
from edge.detect.beats import find_beats, join_beats, refractory_of
from edge.settings import Settings
from edge.types import Decided, seconds_begun

QUALITY_CONTEXT_S = 5  # before the window; the filters settle within two, the kurtosis looks back two
EDGE_S = 0.15  # a beat this far before a window's edge may still be reported by that window


@dataclass(slots=True)
class ClassicState:
    """Where the analysis of one lead of one recording stands."""

    fs_hz: float
    lead: int
    settings: Settings
    off: Sequence[Off] = ()
    """Stretches without contact."""
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


def find_on(part_mv: NDArray[np.float32], state: ClassicState, *, final: bool = False) -> list[Decided]:
    """Take in the samples that follow, shape (n, all leads of the recording); return what they decide."""
    if len(part_mv):
        state.signal_mv = np.concatenate((state.signal_mv, part_mv[:, state.lead].astype(np.float64)))
    return [without_contact(d, state.off, state.fs_hz) for d in _decide(state, final=final)]


def _decide(state: ClassicState, *, final: bool) -> list[Decided]:
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


def _decide_window(state: ClassicState, first_second: int, start: int, stop: int) -> Decided:
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


def _forget(state: ClassicState, stop: int) -> None:
    """Drop samples and states beyond the reach of the next window, by whole seconds."""
    n_keep = state.settings.beats.before_s
    state.context_states = state.context_states[-n_keep:]
    next_second = state.windows_done * state.settings.beats.window_s
    keep_from = min(state.sample_at(next_second - len(state.context_states)), stop)
    if keep_from > state.signal_start:
        state.signal_mv = state.signal_mv[keep_from - state.signal_start :]
        state.signal_start = keep_from
