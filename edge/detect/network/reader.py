"""The network over the leads of a recording as they come in: beats at once, what they are some seconds later.

Seconds of the recording are the grid. A second's beats are found when the next second is complete; its beats are
named when the six after it are. What a second yields depends on a fixed reach before and after it and not on how
the signal was cut up on its way here, so live equals batch. Every lead is read by itself; where they meet (the beat
curve, labels, rhythm) each counts by how clear it is.
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from edge.detect.network import prepare as prep
from edge.detect.network.decode import find_peaks, find_waves, sigmoid
from edge.detect.network.features import BEFORE_S, beat_features
from edge.detect.network.prepare import FS_HZ
from edge.detect.network.session import Network
from edge.settings import NetworkSettings
from edge.types import Samples

FloatArray = NDArray[np.float32]

AHEAD_S = 1  # the trunk looks 0.75 s ahead, a beat's neighbourhood 0.1 s
TRUNK_BACK_S = 15  # its reach back is 13 s; one more for the neighbourhood, one to spare
NAMED_AHEAD_S = 6  # the context looks 5.4 s ahead, a beat's numbers 4 s
CONTEXT_BACK_S = 34  # its reach back is 29 s
STEP_S = 120  # most seconds taken through the network at once: bounds memory
FAINT = 0.02  # the weight of a lead that is drowned in noise, beside a clear one's 1


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """Beats of some seconds; positions are samples of the 125 Hz grid."""

    first_second: int
    stop_second: int
    beats: Samples
    noise: FloatArray
    """Probability, per second, that beats are lost in noise, of the clearest lead."""


@dataclass(frozen=True, slots=True, eq=False)
class Named:
    """What the beats of some seconds are; arrays over the same beats that `Found` gave."""

    first_second: int
    stop_second: int
    beats: Samples
    labels: FloatArray
    """Probability of each of `edge.types.LABELS`, shape (n_beats, 5)."""
    points: FloatArray
    """Of the first lead: samples of 1/125 s from the beat, shape (n_beats, 9); see decode.find_waves."""
    absent: NDArray[np.uint8]
    likely: FloatArray
    """AF, AFL, VF per second, shape (n_seconds, 3)."""
    classes: FloatArray
    """Attention and value of the classes N, A, O, ~ per second, shape (n_seconds, 8); see `pooled`."""


@dataclass(slots=True)
class LeadBuffer:
    """What is kept of one lead; all begin at `ReaderState.first`."""

    prepare: prep.PrepareState = field(default_factory=prep.PrepareState)
    signal: FloatArray = field(default_factory=lambda: np.empty((2, 0), np.float32))
    coarse: list[FloatArray] = field(default_factory=list)
    """Features at 5 Hz, in parts (c, 5 n)."""
    at_middle: list[FloatArray] = field(default_factory=list)
    """Features of the beats, in parts (m, c)."""
    clear: FloatArray = field(default_factory=lambda: np.empty(0, np.float32))
    """Weight per found second."""


@dataclass(slots=True)
class ReaderState:
    """Where the reading of a recording stands; second numbers are the recording's."""

    network: Network
    settings: NetworkSettings
    leads: list[LeadBuffer]
    first: int = 0
    """Second with which the buffers begin."""
    waves: FloatArray = field(default_factory=lambda: np.empty((3, 0), np.float32))
    """Probabilities of P, QRS, T in the first lead."""
    beats: Samples = field(default_factory=lambda: np.empty(0, np.int64))
    """In the buffers' seconds, in samples of the recording's 125 Hz grid."""
    found: int = 0
    """Seconds whose beats are found."""
    named: int = 0
    """Seconds whose beats are named."""

    @property
    def prepared(self) -> int:
        """Seconds that are ready for the trunk."""
        return self.first + int(min(lead.signal.shape[1] for lead in self.leads)) // FS_HZ


def read_seconds(seconds_mv: FloatArray, state: ReaderState, *, final: bool = False) -> tuple[list[Found], list[Named]]:
    """Take in whole seconds at 125 Hz, shape (n_leads, n), NaN where nothing was recorded; return what is certain now.

    With `final` nothing follows: what waited for its surroundings is decided without them.
    """
    found: list[Found] = []
    named: list[Named] = []
    n = seconds_mv.shape[1]
    for a in range(0, max(1, n), STEP_S * FS_HZ):
        last = final and a + STEP_S * FS_HZ >= n
        _prepare(seconds_mv[:, a : a + STEP_S * FS_HZ], state, final=last)
        while (news := _find(state, final=last)) is not None:
            found.append(news)
        if (names := _name(state, final=last)) is not None:
            named.append(names)
        _forget(state)
    return found, named


def _prepare(part_mv: FloatArray, state: ReaderState, *, final: bool) -> None:
    for lead, row in zip(state.leads, part_mv, strict=True):
        ready = [lead.signal, prep.prepare(row, lead.prepare)]
        if final and len(lead.prepare.waiting):
            ready.append(prep.settle(lead.prepare))
        lead.signal = np.concatenate(ready, axis=1)


def _find(state: ReaderState, *, final: bool) -> Found | None:
    """Run the trunk over the seconds that have what follows them."""
    first, stop = state.found, state.prepared - (0 if final else AHEAD_S)
    if stop <= first:
        return None
    stop = min(stop, first + STEP_S)
    seen, seen_stop = max(state.first, first - TRUNK_BACK_S), min(state.prepared, stop + AHEAD_S)
    middles: list[FloatArray] = []
    curves: list[FloatArray] = []
    clears: list[FloatArray] = []
    recorded = np.zeros(_samples(seen_stop - seen), bool)
    for k, lead in enumerate(state.leads):
        window = lead.signal[:, _samples(seen - state.first) : _samples(seen_stop - state.first)]
        logits, middle, coarse, noise = state.network.run_trunk(np.ascontiguousarray(window))
        present = window[1].reshape(-1, FS_HZ).mean(axis=1)
        clears.append(np.asarray(present * (1 - sigmoid(noise.reshape(-1, 5).mean(axis=1))), np.float32))
        recorded |= window[1] > 0
        curves.append(logits[3])
        middles.append(middle)
        lead.coarse.append(coarse[:, 5 * (first - seen) : 5 * (stop - seen)])
        lead.clear = np.concatenate((lead.clear, clears[-1][first - seen : stop - seen]))
        if k == 0:
            own_waves = sigmoid(logits[:3, _samples(first - seen) : _samples(stop - seen)])
            state.waves = np.concatenate((state.waves, own_waves), axis=1)
    weight = np.repeat(_weights(np.stack(clears)), FS_HZ, axis=1)
    curve = sigmoid((weight * np.stack(curves)).sum(axis=0))
    at = find_peaks(curve, _samples(first - seen), _samples(stop - seen), state.settings)
    at = at[recorded[at]]
    for lead, middle in zip(state.leads, middles, strict=True):
        lead.at_middle.append(middle[:, at // 5].T)
    beats = at + _samples(seen)
    state.beats = np.concatenate((state.beats, beats))
    state.found = stop
    clearest = np.max(clears, axis=0)[first - seen : stop - seen]
    return Found(first, stop, beats, np.asarray(1 - clearest, np.float32))


def _name(state: ReaderState, *, final: bool) -> Named | None:
    """Run the context over the seconds that have what follows them."""
    first, stop = state.named, state.found - (0 if final else NAMED_AHEAD_S)
    if stop <= first:
        return None
    seen, seen_stop = max(state.first, first - CONTEXT_BACK_S), min(state.found, stop + NAMED_AHEAD_S)
    beats = state.beats - _samples(state.first)
    seen_beats = (state.beats >= _samples(seen)) & (state.beats < _samples(seen_stop))
    frame = beats[seen_beats] // 25 - 5 * (seen - state.first)
    clear = _weights(np.stack([lead.clear[seen - state.first : seen_stop - state.first] for lead in state.leads]))
    labels, likely, classes = np.float32(0), np.float32(0), np.float32(0)
    for lead, weight in zip(state.leads, clear, strict=True):
        _joined(lead)
        coarse = lead.coarse[0][:, 5 * (seen - state.first) : 5 * (seen_stop - state.first)]
        features = beat_features(lead.signal[0], beats)[seen_beats]
        of_lead = state.network.run_context(
            np.ascontiguousarray(coarse), lead.at_middle[0][seen_beats], frame, features
        )
        labels = labels + weight[frame // 5][:, None] * _softmax(of_lead[0])
        likely = likely + weight * sigmoid(of_lead[1])
        classes = classes + weight * of_lead[2]
    points, absent = find_waves(state.waves, state.leads[0].signal[0], beats, state.settings)
    own = (state.beats >= _samples(first)) & (state.beats < _samples(stop))
    seconds = slice(first - seen, stop - seen)
    state.named = stop
    return Named(
        first,
        stop,
        state.beats[own],
        np.asarray(labels)[own[seen_beats]],
        points[own],
        absent[own],
        np.asarray(likely)[:, seconds].T,
        np.asarray(classes)[:, seconds].T,
    )


def pooled(classes: FloatArray) -> FloatArray:
    """Probabilities of N, A, O, ~ of a stretch from its seconds' attention and value, shape (n, 8) -> (4,)."""
    attention, value = classes[:, :4], classes[:, 4:]
    weight = np.exp(attention - attention.max(axis=0))
    return _softmax((weight * value).sum(axis=0) / weight.sum(axis=0))


def _weights(clear: FloatArray) -> FloatArray:
    """Shares of the leads, shape (n_leads, n) in and out; a lead's noise makes the others count."""
    raised = np.maximum(np.square(clear), FAINT**2)
    return np.asarray(raised / raised.sum(axis=0), np.float32)


def _softmax(logits: FloatArray) -> FloatArray:
    raised = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return np.asarray(raised / raised.sum(axis=-1, keepdims=True), np.float32)


def _samples(seconds: int) -> int:
    return seconds * FS_HZ


def _joined(lead: LeadBuffer) -> None:
    """Make one part of each list."""
    if len(lead.coarse) > 1:
        lead.coarse = [np.concatenate(lead.coarse, axis=1)]
        lead.at_middle = [np.concatenate(lead.at_middle)]


def _forget(state: ReaderState) -> None:
    """Drop the seconds that no later one can see."""
    first = max(state.first, min(state.found - TRUNK_BACK_S, state.named - CONTEXT_BACK_S - round(BEFORE_S)))
    gone = first - state.first
    if gone < STEP_S // 4:
        return
    kept = state.beats >= _samples(first)
    for lead in state.leads:
        _joined(lead)
        lead.signal = lead.signal[:, _samples(gone) :].copy()
        lead.coarse = [lead.coarse[0][:, 5 * gone :].copy()]
        lead.at_middle = [lead.at_middle[0][kept]]
        lead.clear = lead.clear[gone:].copy()
    state.waves = state.waves[:, _samples(gone) :].copy()
    state.beats = state.beats[kept]
    state.first = first
