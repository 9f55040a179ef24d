"""From labelled beats and per-second probabilities to spans of rhythm, live and of whole recordings alike.

The rhythms, their labels, definitions and sources are the table `edge.detect.rhythm_names.NAMES`. No rule looks
further than some tens of seconds to either side, so naming is done over and over on the newest two minutes; what lies
so far back that nothing to come can change it is settled. However the seconds are cut into calls, the spans are the
same.

Spans never cover a second that was not recorded or could not be read (but "(NOISE"), so a rhythm that goes on behind
such a second has a span on either side. They begin and end at beats (R), or at seconds for what is read by the second.
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from edge.detect.rhythm_names import NAMES, Rhythm
from edge.detect.rhythm_runs import (
    BeatsHeld,
    S,
    V,
    asystole,
    basic_rhythm,
    linked_beats,
    paced_rhythm,
    pattern,
    reach_s,
    runs,
)
from edge.detect.rhythm_seconds import SecondsHeld, seconds_layers
from edge.detect.rhythm_spans import Spans, painted
from edge.settings import RhythmSettings
from edge.types import Labels, RhythmSpan, Samples

BLOCK_S = 6 * 3600  # seconds worked on at a time: a fortnight must not need a fortnight of scratch memory


@dataclass(frozen=True, slots=True, eq=False)
class ReadSeconds:
    """Consecutive seconds whose beats were found and labelled, as `edge.types.Annotations` would hold them."""

    first_second: int
    stop: int
    """Sample after the last second, which may be short where the recording ends."""
    beats: Samples
    """Shape (n_beats,), ascending, all within these seconds."""
    labels: Labels
    """Shape (n_beats,): ASCII codes of NSVFQ."""
    paced: NDArray[np.bool_]
    """Shape (n_beats,): this Q beat is a paced one."""
    quality: NDArray[np.uint8]
    """Shape (n_seconds,): `edge.clean.quality.State`."""
    reasons: NDArray[np.uint8]
    """Shape (n_seconds,): `edge.clean.quality.Reason`."""
    likely: NDArray[np.uint8]
    """Shape (n_seconds, 4): probability of each `edge.types.Likely` in 1/255."""

    def part(self, a: int, b: int, fs_hz: float) -> "ReadSeconds":
        """The seconds [a, b) of these."""
        start, stop = round((self.first_second + a) * fs_hz), round((self.first_second + b) * fs_hz)
        stop = self.stop if b >= len(self.quality) else stop
        i, j = np.searchsorted(self.beats, (start, stop))
        return ReadSeconds(
            self.first_second + a,
            stop,
            self.beats[i:j],
            self.labels[i:j],
            self.paced[i:j],
            self.quality[a:b],
            self.reasons[a:b],
            self.likely[a:b],
        )


@dataclass(slots=True, eq=False)
class RhythmState:
    """Where the naming of the rhythms of one recording stands: some minutes of seconds and beats, never more."""

    fs_hz: float
    settings: RhythmSettings = field(default_factory=RhythmSettings)
    seconds: SecondsHeld = field(default_factory=SecondsHeld)
    beats: BeatsHeld = field(
        default_factory=lambda: BeatsHeld(np.empty(0, np.int64), np.empty(0, np.uint8), np.empty(0, bool))
    )
    settled_second: int = 0
    """Spans before this second have been handed out, but the last one while it goes on."""
    open: tuple[int, int, Rhythm] | None = None
    """Start, settled stop and rhythm of the last one."""
    newest: tuple[int, int, Rhythm] | None = None
    """The same of the rhythm at the end of what has been heard, as far as it can be told now."""


def advance_rhythm(news: ReadSeconds, state: RhythmState) -> list[RhythmSpan]:
    """Take in the seconds that follow; return the spans that they close for good, in order.

    ValueError when the seconds do not follow those before.
    """
    expected = state.seconds.first + state.seconds.count
    if state.seconds.count and news.first_second != expected:
        raise ValueError(f"second {news.first_second} does not follow second {expected - 1}")
    closed: list[RhythmSpan] = []
    for a in range(0, len(news.quality), BLOCK_S):
        part = news.part(a, min(a + BLOCK_S, len(news.quality)), state.fs_hz)
        if not state.seconds.count:
            state.seconds.first = state.settled_second = part.first_second
        state.seconds.append(part.stop, part.quality, part.reasons, part.likely)
        state.beats = BeatsHeld(
            np.concatenate((state.beats.at, part.beats)),
            np.concatenate((state.beats.label, part.labels)),
            np.concatenate((state.beats.paced, part.paced)),
        )
        beyond = state.seconds.first + state.seconds.count - _reach(state.settings)
        closed += _settle(state, max(state.settled_second, beyond))
        _forget(state)
    return closed


def finish_rhythm(state: RhythmState) -> list[RhythmSpan]:
    """The spans that were still open; nothing may be pushed afterwards."""
    if not state.seconds.count:
        return []
    closed = _settle(state, state.seconds.first + state.seconds.count)
    closed += _named([state.open] if state.open else [], state)
    state.open = state.newest = None
    return closed


def current_rhythm(state: RhythmState) -> RhythmSpan | None:
    """The span that is open now, as far as it can be told now; None in a gap or before there is a rhythm.

    It is what the spans will be if nothing more comes: what has just begun may yet prove to be something else.
    """
    if state.newest is None:
        return None
    start, stop, rhythm = state.newest
    return RhythmSpan(start, stop, NAMES[rhythm].label)


def _reach(s: RhythmSettings) -> int:
    """Seconds to either side that can matter to the name of a place."""
    of_ventricles = s.vf_smooth_s + s.vf_min_s + 2
    of_atria = s.af_smooth_s + s.af_min_s + s.af_bridge_s + 2
    return int(np.ceil(max(reach_s(s), of_atria, s.noise_min_s) + of_ventricles))


def _settle(state: RhythmState, second: int) -> list[RhythmSpan]:
    """Name everything that is not settled; close what ends before a second, which is then the settled one."""
    held = state.seconds
    edges = held.edges(state.fs_hz)
    start, settled = (int(edges[k - held.first]) for k in (state.settled_second, second))
    spans = painted(_layers(state, edges), start, held.stop)
    state.newest = _newest(spans, state)
    closed: list[tuple[int, int, Rhythm]] = []
    last = state.open
    n = int(np.searchsorted(spans.start, settled))
    ends = np.minimum(spans.stop[:n], settled)
    for a, b, code in zip(spans.start[:n].tolist(), ends.tolist(), spans.code[:n].tolist(), strict=True):
        if last is not None and last[2] == code:
            last = (last[0], b, last[2])
            continue
        if last is not None:
            closed.append(last)
        last = (a, b, Rhythm(code))
    state.open, state.settled_second = last, second
    return _named(closed, state)


def _newest(spans: Spans, state: RhythmState) -> tuple[int, int, Rhythm] | None:
    """The last rhythm of `spans`, which go on from `state.open`, if nothing but the wait for a beat came after it."""
    k = len(spans.start) - 1
    if k >= 0 and spans.code[k] == Rhythm.NONE:
        waited = int(spans.stop[k] - spans.start[k])
        k = k - 1 if waited < state.settings.asystole_s * state.fs_hz else -1
    if k < 0 or spans.code[k] not in NAMES:
        return None
    start, rhythm = int(spans.start[k]), Rhythm(int(spans.code[k]))
    if k == 0 and state.open is not None and state.open[2] == rhythm:
        start = state.open[0]
    return start, int(spans.stop[k]), rhythm


def _named(spans: list[tuple[int, int, Rhythm]], state: RhythmState) -> list[RhythmSpan]:
    """Spans that have a name and are not just a remnant between two others."""
    shortest = state.settings.shortest_span_s * state.fs_hz
    return [RhythmSpan(a, b, NAMES[rhythm].label) for a, b, rhythm in spans if rhythm in NAMES and b - a >= shortest]


def _layers(state: RhythmState, edges: Samples) -> list[Spans]:
    """All that can be found in what is held, by rising priority."""
    fs_hz, s = state.fs_hz, state.settings
    readable, (brief, atrial, unread, ventricular) = seconds_layers(state.seconds, fs_hz, s)
    linked = linked_beats(state.beats, readable, edges, fs_hz, s)
    return [
        basic_rhythm(linked, s),
        brief,
        paced_rhythm(linked, s),
        pattern(linked, 3, Rhythm.T, s),
        pattern(linked, 2, Rhythm.B, s),
        runs(linked, S, Rhythm.NONE, Rhythm.SVTA, s),
        atrial,
        runs(linked, V, Rhythm.IVR, Rhythm.VT, s),
        asystole(state.beats.at, readable, edges, fs_hz, s),
        unread,
        ventricular,
    ]


def _forget(state: RhythmState) -> None:
    """Drop the seconds and beats that nothing to come can reach."""
    held = state.seconds
    n = state.settled_second - _reach(state.settings) - held.first
    if n > 0:
        held.forget(n)
        kept = np.searchsorted(state.beats.at, round(held.first * state.fs_hz))
        at, label, paced = state.beats
        state.beats = BeatsHeld(at[kept:], label[kept:], paced[kept:])
