"""The network over the leads of a recording as they come in: beats at once, what they are some seconds later.

Seconds of the recording are the grid. A second's beats are found when the next second is complete; its beats are
named when the six after it are. What a second yields depends on a fixed reach before and after it and not on how
the signal was cut up on its way here, so live equals batch. Every lead is read by itself; the first one speaks, and
the others in its place as far as it is drowned in noise.
"""

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from edge.detect.network import confirm
from edge.detect.network import prepare as prep
from edge.detect.network.decode import find_peaks, find_waves, sigmoid
from edge.detect.network.features import beat_features, own_numbers
from edge.detect.network.prepare import FS_HZ
from edge.detect.network.session import N_NUMBERS, Network
from edge.detect.network.usual import UsualState, take_in, usual_features
from edge.settings import NetworkSettings
from edge.types import Samples

FloatArray = NDArray[np.float32]

AHEAD_S = 1  # the trunk looks 0.75 s ahead, a beat's neighbourhood 0.2 s
TRUNK_BACK_S = 15  # its reach back is 13 s; one more for the neighbourhood, one to spare
NAMED_AHEAD_S = 6  # the context looks 5.4 s ahead, a beat's numbers 4 s
CONTEXT_BACK_S = 34  # its reach back is 29 s
STEP_S = 120  # most seconds taken through the network at once: bounds memory
FAINT = 0.02  # how clear a lead counts at least
QUIET = 0.15  # peak-to-peak, in units of the scale: a line so quiet hides no beat, whatever else it may be
NEVER = np.float32(-30)  # the logit of what is not there


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """Beats of some seconds; positions are samples of the 125 Hz grid."""

    first_second: int
    stop_second: int
    beats: Samples
    place: FloatArray
    """Where the beats are exactly: samples to add to `beats`, between -0.5 and 0.5."""
    noise: FloatArray
    """Probability, per second, that beats are lost in noise, of the clearest lead."""


@dataclass(frozen=True, slots=True, eq=False)
class Named:
    """What the beats of some seconds are; arrays over the same beats that `Found` gave."""

    first_second: int
    stop_second: int
    beats: Samples
    place: FloatArray
    labels: FloatArray
    """Probability of each of `edge.types.LABELS`, shape (n_beats, 5)."""
    features: FloatArray
    """Numbers of the beats in the first lead, shape (n_beats, 41): `features.FEATURES`, `usual.USUAL_FEATURES`."""
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
    waves: FloatArray = field(default_factory=lambda: np.empty((3, 0), np.float32))
    """Probabilities of P, QRS, T."""
    clear: FloatArray = field(default_factory=lambda: np.empty(0, np.float32))
    """Per found second, 0 to 1."""
    past: confirm.ConfirmState = field(default_factory=confirm.ConfirmState)
    usual: UsualState = field(default_factory=UsualState)
    usable: NDArray[np.bool_] = field(default_factory=lambda: np.empty(0, bool))
    """Per second handed in: whether the lead can be read at all; a line without contact looks clear to the network."""


@dataclass(slots=True)
class ReaderState:
    """Where the reading of a recording stands; second numbers are the recording's."""

    network: Network
    settings: NetworkSettings
    leads: list[LeadBuffer]
    first: int = 0
    """Second with which the buffers begin."""
    beats: Samples = field(default_factory=lambda: np.empty(0, np.int64))
    """In the buffers' seconds, in samples of the recording's 125 Hz grid."""
    place: FloatArray = field(default_factory=lambda: np.empty(0, np.float32))
    found: int = 0
    """Seconds whose beats are found."""
    named: int = 0
    """Seconds whose beats are named."""

    @property
    def prepared(self) -> int:
        """Seconds that are ready for the trunk."""
        return self.first + int(min(lead.signal.shape[1] for lead in self.leads)) // FS_HZ


def read_seconds(
    seconds_mv: FloatArray, state: ReaderState, usable: NDArray[np.bool_] | None = None, *, final: bool = False
) -> tuple[list[Found], list[Named]]:
    """Take in whole seconds at 125 Hz, shape (n_leads, n), NaN where nothing was recorded; return what is certain now.

    `usable`, shape (n_leads, n_seconds): where other leads do not speak for this one at once (default: everywhere).
    With `final` nothing follows: what waited for its surroundings is decided without them.
    """
    found: list[Found] = []
    named: list[Named] = []
    n = seconds_mv.shape[1]
    if usable is None:
        usable = np.ones((len(state.leads), n // FS_HZ), bool)
    for lead, row in zip(state.leads, usable, strict=True):
        lead.usable = np.concatenate((lead.usable, row))
    step = STEP_S * FS_HZ if np.isfinite(seconds_mv).any() else max(1, n)  # a gap costs next to nothing
    for a in range(0, max(1, n), step):
        last = final and a + step >= n
        _prepare(seconds_mv[:, a : a + step], state, final=last)
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
    if any(lead.signal[1, _samples(first - state.first) :].any() for lead in state.leads):
        stop = min(stop, first + STEP_S)
    seen, seen_stop = max(state.first, first - TRUNK_BACK_S), min(state.prepared, stop + AHEAD_S)
    own, own_seconds = slice(_samples(first - seen), _samples(stop - seen)), slice(first - seen, stop - seen)
    outputs: list[tuple[FloatArray, FloatArray, FloatArray]] = []
    clears: list[FloatArray] = []
    recorded = np.zeros(_samples(seen_stop - seen), bool)
    for lead in state.leads:
        window = lead.signal[:, _samples(seen - state.first) : _samples(seen_stop - state.first)]
        present = window[1].reshape(-1, FS_HZ).mean(axis=1)
        logits, coarse, noise = _trunk(np.ascontiguousarray(window), present, own_seconds, state.network)
        quiet = np.ptp(window[0].reshape(-1, FS_HZ), axis=1) < QUIET
        clear = present * np.where(quiet, 1, 1 - sigmoid(noise.reshape(-1, 5).mean(axis=1)))
        if len(state.leads) > 1:
            clear = clear * lead.usable[seen - state.first : seen_stop - state.first]
        clears.append(np.asarray(clear, np.float32))
        recorded |= window[1] > 0
        outputs.append((logits[3], sigmoid(logits[:3]), noise))
        lead.coarse.append(coarse[:, 5 * own_seconds.start : 5 * own_seconds.stop])
        lead.clear = np.concatenate((lead.clear, clears[-1][own_seconds]))
        lead.waves = np.concatenate((lead.waves, outputs[-1][1][:, own]), axis=1)
    weight = _weights(np.stack(clears))
    curve = (np.repeat(weight, FS_HZ, axis=1) * np.stack([beat for beat, _, _ in outputs])).sum(axis=0)
    at = find_peaks(sigmoid(curve), own.start, own.stop, state.settings.peak_probability)
    at = at[recorded[at]]
    at = _confirmed(at, curve, outputs, weight, (seen, first, stop), state)
    beats, place = at + _samples(seen), _between_samples(curve, at)
    state.beats, state.place = np.concatenate((state.beats, beats)), np.concatenate((state.place, place))
    state.found = stop
    clearest = np.max(clears, axis=0)[own_seconds]
    return Found(first, stop, beats, place, np.asarray(1 - clearest, np.float32))


def _confirmed(
    at: Samples,
    curve: FloatArray,
    outputs: list[tuple[FloatArray, FloatArray, FloatArray]],
    weight: FloatArray,
    seconds: tuple[int, int, int],
    state: ReaderState,
) -> Samples:
    """Those of the peaks that are beats, half-minute by half-minute; `seconds`: first seen, first and stop of own."""
    seen, first, stop = seconds
    s, kept = state.settings, [at[:0]]
    every: list[confirm.Peaks] = []
    for lead, (_, waves, noise) in zip(state.leads, outputs, strict=True):
        signal = lead.signal[0, _samples(seen - state.first) : _samples(seen - state.first) + len(curve)]
        every.append(confirm.look(signal, waves, noise, curve, at, _samples(seen)) if len(at) else confirm.no_peaks())
    while first < stop:
        piece_stop = min(stop, (first // confirm.BLOCK_S + 1) * confirm.BLOCK_S)
        piece = slice(*np.searchsorted(at, [_samples(first - seen), _samples(piece_stop - seen)]).tolist())
        own = at[piece]
        chance, enough = np.zeros(len(own), np.float32), np.zeros(len(own), np.float32)
        looks = []
        for k, (lead, peaks) in enumerate(zip(state.leads, every, strict=True)):
            company = confirm.company_of(peaks[piece], lead.past)
            at_first = state.network.run_first_look(confirm.peak_numbers(company, lead.past))
            looks.append(replace(company.peaks, chance=at_first))
            numbers = confirm.peak_numbers(company, lead.past, at_first)
            share = weight[k, own // FS_HZ]
            chance += share * state.network.run_beats(numbers)
            enough += share * np.where(confirm.quiet(numbers, s), s.quiet_probability, s.beat_probability)
        sure = chance >= enough
        for lead, peaks in zip(state.leads, looks, strict=True):
            confirm.remember(peaks, sure, _samples(piece_stop), lead.past)
        kept.append(own[sure])
        first = piece_stop
        if first % confirm.BLOCK_S == 0 and (at < _samples(first - seen)).all():
            break  # nothing more to remember either: a gap may last for days
    return np.concatenate(kept)


def _trunk(
    window: FloatArray, present: FloatArray, own: slice, network: Network
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """The trunk's outputs; nothing is there, and nothing is computed, in seconds that were not recorded."""
    n = len(present)
    if not present[own].any():
        return (
            np.full((4, _samples(n)), NEVER),
            np.zeros((network.n_coarse, 5 * n), np.float32),
            np.zeros(5 * n, np.float32),
        )
    logits, coarse, noise = network.run_trunk(window)
    logits = np.where(np.repeat(present > 0, FS_HZ), logits, NEVER)
    return logits, coarse * np.repeat(present > 0, 5).astype(np.float32), noise


def _name(state: ReaderState, *, final: bool) -> Named | None:
    """Run the context over the seconds that have what follows them, and the labelling over their beats."""
    first, stop = state.named, state.found - (0 if final else NAMED_AHEAD_S)
    if stop <= first:
        return None
    seen, seen_stop = max(state.first, first - CONTEXT_BACK_S), min(state.found, stop + NAMED_AHEAD_S)
    own = (state.beats >= _samples(first)) & (state.beats < _samples(stop))
    beats = state.beats - _samples(state.first)
    seconds = slice(first - seen, stop - seen)
    clear = _weights(np.stack([lead.clear[seen - state.first : seen_stop - state.first] for lead in state.leads]))
    own_weight = clear[:, state.beats[own] // FS_HZ - seen]
    labels, likely, classes = np.float32(0), np.float32(0), np.float32(0)
    numbers = np.empty((0, N_NUMBERS), np.float32)
    for k, (lead, weight) in enumerate(zip(state.leads, clear, strict=True)):
        lead.coarse = [np.concatenate(lead.coarse, axis=1)]
        coarse = lead.coarse[0][:, 5 * (seen - state.first) : 5 * (seen_stop - state.first)]
        present = lead.signal[1, _samples(seen - state.first) : _samples(seen_stop - state.first)]
        chance, of_class = _context(np.ascontiguousarray(coarse), present, seconds, state.network)
        likely, classes = likely + weight * chance, classes + weight * of_class
        of_beat = _numbers(lead, state, beats, chance[0], seen)[own]
        labels = labels + own_weight[k][:, None] * state.network.run_labels(of_beat)
        numbers = of_beat if k == 0 else numbers
    points, absent = find_waves(state.leads[0].waves, state.leads[0].signal[0], beats, state.settings)
    state.named = stop
    return Named(
        first,
        stop,
        state.beats[own],
        state.place[own],
        np.asarray(labels),
        numbers,
        points[own],
        absent[own],
        np.asarray(likely)[:, seconds].T,
        np.asarray(classes)[:, seconds].T,
    )


def _context(coarse: FloatArray, present: FloatArray, own: slice, network: Network) -> tuple[FloatArray, FloatArray]:
    """Probabilities of AF, AFL, VF (3, n) and the classes (8, n); 0 and of no weight in seconds that were not recorded."""
    recorded = present.reshape(-1, FS_HZ).max(axis=1) > 0
    n = len(recorded)
    chance, classes = np.zeros((3, n), np.float32), np.zeros((8, n), np.float32)
    if recorded[own].any():
        of_second, classes, _ = network.run_context(coarse)
        chance = sigmoid(of_second) * recorded
    classes = np.concatenate((np.where(recorded, classes[:4], NEVER), classes[4:] * recorded))
    return chance, classes


def _numbers(lead: LeadBuffer, state: ReaderState, beats: Samples, af: FloatArray, seen: int) -> FloatArray:
    """Numbers of every beat in the buffers, shape (n_beats, 41)."""
    numbers = own_numbers(lead.signal[0], lead.waves, beats)
    take_in(numbers, state.beats, state.found - 1, lead.usual)  # a beat's T wave may lie in the second after it
    af_at = af[np.clip(state.beats // FS_HZ - seen, 0, len(af) - 1)]
    near = beat_features(numbers, beats, af_at)
    return np.concatenate((near, usual_features(numbers, state.beats, lead.usual)), axis=1)


def pooled(classes: FloatArray) -> FloatArray:
    """Probabilities of N, A, O, ~ of a stretch from its seconds' attention and value, shape (n, 8) -> (4,)."""
    attention, value = classes[:, :4], classes[:, 4:]
    weight = np.exp(attention - attention.max(axis=0))
    return _softmax((weight * value).sum(axis=0) / weight.sum(axis=0))


def _weights(clear: FloatArray) -> FloatArray:
    """Shares of the leads, shape (n_leads, n) in and out: the first one's is how clear it is, others have the rest."""
    others = np.maximum(np.square(clear[1:]), FAINT**2)
    rest = (1 - clear[0]) * others / np.maximum(others.sum(axis=0), FAINT**2)
    raised = np.concatenate((np.maximum(clear[:1], FAINT), rest))
    return np.asarray(raised / raised.sum(axis=0), np.float32)


def _between_samples(curve: FloatArray, at: Samples) -> FloatArray:
    """Where the top of a parabola through each peak and its neighbours lies, samples from the peak."""
    padded = np.pad(curve, 1, mode="edge")
    low, top, high = padded[at], padded[at + 1], padded[at + 2]
    bend = low - 2 * top + high
    return np.asarray(
        np.clip(np.where(bend < 0, 0.5 * (low - high) / np.minimum(bend, -1e-6), 0), -0.5, 0.5), np.float32
    )


def _softmax(logits: FloatArray) -> FloatArray:
    raised = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return np.asarray(raised / raised.sum(axis=-1, keepdims=True), np.float32)


def _samples(seconds: int) -> int:
    return seconds * FS_HZ


def _forget(state: ReaderState) -> None:
    """Drop the seconds that no later one can see."""
    first = max(state.first, min(state.found - TRUNK_BACK_S, state.named - CONTEXT_BACK_S))
    gone = first - state.first
    if gone < STEP_S // 4:
        return
    for lead in state.leads:
        lead.signal = lead.signal[:, _samples(gone) :].copy()
        lead.coarse = [np.concatenate(lead.coarse, axis=1)[:, 5 * gone :].copy()]
        lead.waves = lead.waves[:, _samples(gone) :].copy()
        lead.clear = lead.clear[gone:].copy()
        lead.usable = lead.usable[gone:].copy()
    kept = state.beats >= _samples(first)
    state.beats, state.place = state.beats[kept], state.place[kept]
    state.first = first
