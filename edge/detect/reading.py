"""Reading a recording with the network, second by second: quality and beats at once, their names when they are clear.

Joins the parts that each keep their own state: resampling, quality, the network over the leads, labels, rhythms.
Beats of a second come when the second after it is complete; labels, waves and rhythms six seconds later.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from edge.clean.quality import Reason, State
from edge.clean.seconds import SecondsState, assess_seconds
from edge.clean.spikes import FrontState
from edge.contact import Off, seconds_off
from edge.detect.network.labels import LabelState, label_beats
from edge.detect.network.prepare import FS_HZ, reach_of, resample
from edge.detect.network.reader import Found, LeadBuffer, Named, ReaderState, pooled, read_seconds
from edge.detect.network.session import Network
from edge.detect.paced import PacedState, paced_beats, take_in
from edge.detect.rhythm import ReadSeconds, RhythmState, advance_rhythm, current_rhythm, finish_rhythm
from edge.settings import Settings
from edge.types import NO_POINT, Absent, Decided, Likely, Reading, RhythmSpan, Samples, Wave, seconds_begun

CLASS_S = 60  # the class of a recording is the mean over pieces of so many seconds
LONGEST_PAUSE_S = 14  # a quiet line that lasts longer cannot be told from a loose electrode
GRACE_S = LONGEST_PAUSE_S - 4  # where signal begins, the first beat may take four seconds
LARGEST_MV = 400.0  # electrodes may be off by 300 mV (IEC 60601-2-47); what is beyond never sets the network's scale
PACED = ord("Q")


@dataclass(slots=True, eq=False)
class ReadingState:
    """Where the reading of one recording stands; bounded however long it is."""

    fs_hz: float
    leads: tuple[int, ...]
    """Columns that are read; the first one is measured, the others help where it is drowned."""
    settings: Settings
    reader: ReaderState
    quality: list[SecondsState]
    rhythm: RhythmState
    paced: PacedState
    off: Sequence[Off] = ()
    """Stretches without contact of the first lead."""
    signal_mv: NDArray[np.float32] = field(default_factory=lambda: np.empty((0, 1), np.float32))
    """Shape (n, n_leads): what the resampler still sees."""
    signal_start: int = 0
    seconds_in: int = 0
    """Seconds handed to the network."""
    reasons: NDArray[np.uint8] = field(default_factory=lambda: np.empty(0, np.uint8))
    hidden: NDArray[np.bool_] = field(default_factory=lambda: np.empty(0, bool))
    """Of the seconds that were handed in and are not decided."""
    states: NDArray[np.uint8] = field(default_factory=lambda: np.empty(0, np.uint8))
    decided_reasons: NDArray[np.uint8] = field(default_factory=lambda: np.empty(0, np.uint8))
    last_reason: int = int(Reason.NO_SAMPLES)
    """Of the last second that was decided."""
    noise: NDArray[np.float32] = field(default_factory=lambda: np.empty(0, np.float32))
    """Of the seconds that are decided and not read."""
    beating: int = -GRACE_S - 1
    """The last second with a beat, later where signal began anew; see `_without_beats`."""
    labels: LabelState = field(default_factory=LabelState)
    classes: list[NDArray[np.float32]] = field(default_factory=list)
    """Of the current piece."""
    class_sum: NDArray[np.float64] = field(default_factory=lambda: np.zeros(4))
    class_pieces: int = 0

    @property
    def signal_stop(self) -> int:
        """Index after the last sample seen."""
        return self.signal_start + len(self.signal_mv)

    def sample_at(self, second: int) -> int:
        """Index at which a second of the recording begins."""
        return round(second * self.fs_hz)

    def class_probabilities(self) -> tuple[float, ...]:
        """Mean over the pieces so far; empty before the first."""
        pieces, total = self.class_pieces, self.class_sum
        rest = sum(map(len, self.classes))
        if rest >= CLASS_S // 2 or (rest and not pieces):
            pieces, total = pieces + 1, total + pooled(np.concatenate(self.classes))
        return tuple((total / pieces).tolist()) if pieces else ()


def reading_state(fs_hz: float, leads: Sequence[int], network: Network, settings: Settings) -> ReadingState:
    """A reading that begins with sample 0."""
    leads = tuple(leads[: settings.network.most_leads])
    return ReadingState(
        fs_hz,
        leads,
        settings,
        ReaderState(network, settings.network, [LeadBuffer() for _ in leads]),
        [SecondsState(fs_hz) for _ in leads],
        RhythmState(fs_hz, settings.rhythm),
        PacedState(FrontState(fs_hz)),
        signal_mv=np.empty((0, len(leads)), np.float32),
    )


def read_on(part_mv: NDArray[np.float32], state: ReadingState, *, final: bool = False) -> list[Decided]:
    """Take in the samples that follow, shape (n, all leads of the recording); return what they decide."""
    if len(part_mv):
        part = part_mv[:, list(state.leads)].astype(np.float32)
        part[np.isinf(part)] = np.nan
        take_in(part[:, 0], state.paced)
        np.clip(part, -LARGEST_MV, LARGEST_MV, out=part)
        state.signal_mv = np.concatenate((state.signal_mv, part))
    first = state.seconds_in
    if final:
        stop = seconds_begun(state.signal_stop, state.fs_hz)
    else:
        stop = int((state.signal_stop - reach_of(state.fs_hz)) / state.fs_hz)
    if stop <= first and not final:  # packets come several to the second
        return []
    stop = max(first, stop)
    seconds_mv, usable = _seconds(first, stop, state)
    found, named = read_seconds(seconds_mv, state.reader, usable, final=final)
    decided = [_decided(news, state) for news in found]
    readings = [reading for names in named if (reading := _reading(names, state)) is not None]
    if final and state.rhythm.seconds.count:
        last = finish_rhythm(state.rhythm)
        readings.append(_only_rhythms(last, state))
    if readings:
        if not decided:
            second = state.reader.found
            stop_sample = min(state.sample_at(second), state.signal_stop)
            none = np.empty(0, np.uint8)
            decided.append(Decided(second, stop_sample, np.empty(0, np.int64), none, none))
        d = decided[-1]
        decided[-1] = replace(d, readings=tuple(readings))
    if decided:
        decided[-1] = replace(decided[-1], rhythm_now=current_rhythm(state.rhythm))
    return decided


def _seconds(first: int, stop: int, state: ReadingState) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Seconds at 125 Hz, shape (n_leads, n), and which can be read, (n_leads, n_seconds), with their quality set down.

    Forgets what the resampler no longer needs.
    """
    starts = np.array([state.sample_at(second) for second in range(first, stop)], np.int64) - state.signal_start
    end = min(state.sample_at(stop), state.signal_stop) - state.signal_start
    rows, reasons, hidden = [], [], []
    for k, quality in enumerate(state.quality):
        row = state.signal_mv[:, k]
        if np.isfinite(row).any():
            beyond = np.abs(row) >= LARGEST_MV
            within = np.where(beyond, np.nan, row) if beyond.any() else row
            rows.append(resample(within, state.signal_start, state.fs_hz, first * FS_HZ, stop * FS_HZ))
        else:
            rows.append(np.full((stop - first) * FS_HZ, np.nan, np.float32))
        if stop > first:
            own = state.signal_mv[starts[0] : end, k]
            why, small_hidden = assess_seconds(own, starts - starts[0], quality, state.settings.quality)
            reasons.append(why)
            hidden.append(small_hidden)
    if stop > first:
        best = reasons[0]
        for other in reasons[1:]:  # a second is as good as its best lead
            best = np.where(other == 0, other, best)
        state.reasons = np.concatenate((state.reasons, best))
        state.hidden = np.concatenate((state.hidden, hidden[0] | (reasons[0] > 0)))  # waves are those of the first
    state.seconds_in = stop
    keep_from = max(state.signal_start, min(state.sample_at(stop) - 2 * reach_of(state.fs_hz), state.signal_stop))
    state.signal_mv = state.signal_mv[keep_from - state.signal_start :].copy()
    state.signal_start = keep_from
    usable = np.stack(reasons) == 0 if stop > first else np.empty((len(rows), 0), bool)
    return np.stack(rows), usable


def _decided(found: Found, state: ReadingState) -> Decided:
    """Beats and quality of the found seconds."""
    n, s = found.stop_second - found.first_second, state.settings.network
    reasons, state.reasons = state.reasons[:n].copy(), state.reasons[n:]
    hidden, state.hidden = state.hidden[:n], state.hidden[n:]
    # Where signal begins there is nothing to compare its first second with: doubtful is unreadable there.
    begins = np.concatenate(([state.last_reason], reasons[:-1])) == Reason.NO_SAMPLES
    state.last_reason = int(reasons[-1]) if n else state.last_reason
    bound = np.where(begins, s.doubtful_probability, s.unreadable_probability)
    reasons[(found.noise >= bound) & (reasons == 0)] |= np.uint8(Reason.NOISY)
    reasons[seconds_off(found.first_second, n, state.off, state.fs_hz)] = Reason.LEAD_OFF
    second = found.beats // FS_HZ - found.first_second
    beats_in = np.bincount(second[reasons[second] == 0], minlength=n) > 0
    reasons[_without_beats(beats_in, found.first_second, reasons, state)] = Reason.NO_QRS
    quality = np.where(hidden | (found.noise >= s.doubtful_probability), State.USABLE, State.GOOD).astype(np.uint8)
    quality[reasons > 0] = State.UNUSABLE
    state.states = np.concatenate((state.states, quality))
    state.decided_reasons = np.concatenate((state.decided_reasons, reasons))
    state.noise = np.concatenate((state.noise, found.noise))
    kept = quality[second] != State.UNUSABLE
    stop = min(state.sample_at(found.stop_second), state.signal_stop)
    return Decided(found.first_second, stop, _samples(found, state)[kept], quality, reasons)


def _without_beats(
    beats_in: NDArray[np.bool_], first: int, reasons: NDArray[np.uint8], state: ReadingState
) -> NDArray[np.bool_]:
    """Seconds in which nothing has shown for so long that there is no knowing whether a heart would."""
    at = first + np.arange(len(beats_in))
    anchors = np.where(beats_in, at, np.where(reasons > 0, at - GRACE_S, state.beating))
    anchors = np.maximum.accumulate(np.maximum(anchors, state.beating))
    state.beating = int(anchors[-1])
    too_long: NDArray[np.bool_] = (reasons == 0) & (at - anchors > LONGEST_PAUSE_S)
    return too_long


def _reading(named: Named, state: ReadingState) -> Reading | None:
    """What the named seconds are, with the rhythms that they close."""
    first, n = named.first_second, named.stop_second - named.first_second
    quality, state.states = state.states[:n], state.states[n:]
    reasons, state.decided_reasons = state.decided_reasons[:n], state.decided_reasons[n:]
    noise, state.noise = state.noise[:n], state.noise[n:]
    _take_classes(named.classes, state)
    second = named.beats // FS_HZ - first
    kept = quality[second] != State.UNUSABLE
    labels = label_beats(
        named.labels[kept], named.features[kept], named.beats[kept], state.labels, state.settings.network
    )
    beats = _samples(named, state)[kept]
    stop = min(state.sample_at(named.stop_second), state.signal_stop)
    paced = paced_beats(beats, stop, state.paced)
    labels = np.where(paced, np.uint8(PACED), labels)
    points, absent = named.points[kept], named.absent[kept].copy()
    moved = np.rint(points * (state.fs_hz / FS_HZ))
    told = np.abs(moved) <= np.iinfo(np.int16).max  # false for NaN, and beyond 50 kHz for what lies farthest
    waves = np.where(told, moved, NO_POINT).astype(np.int16)
    in_second = second[kept]
    af = named.likely[in_second, Likely.AF] + named.likely[in_second, Likely.AFL]
    _leave_out(waves, absent, Wave.P, af >= state.settings.network.af_no_p, Absent.NO_ATRIAL_RHYTHM)
    for wave in (Wave.P, Wave.T):
        _leave_out(waves, absent, wave, quality[in_second] != State.GOOD, Absent.NOISY)
    likely = np.concatenate((named.likely, noise[:, None]), axis=1)
    chances = np.rint(255 * np.clip(likely, 0, 1)).astype(np.uint8)
    news = ReadSeconds(first, stop, beats, labels, paced, quality, reasons, chances)
    return Reading(first, stop, beats, labels, waves, absent, chances, tuple(advance_rhythm(news, state.rhythm)))


def _only_rhythms(spans: list[RhythmSpan], state: ReadingState) -> Reading:
    """The spans that the recording's end closes."""
    none = np.empty(0, np.uint8)
    return Reading(
        state.reader.named,
        state.signal_stop,
        np.empty(0, np.int64),
        none,
        np.empty((0, 9), np.int16),
        np.empty((0, 3), np.uint8),
        np.empty((0, 4), np.uint8),
        tuple(spans),
    )


def _take_classes(classes: NDArray[np.float32], state: ReadingState) -> None:
    for row in np.split(classes, range(CLASS_S, len(classes), CLASS_S)):
        state.classes.append(row)
        if sum(map(len, state.classes)) >= CLASS_S:
            joined = np.concatenate(state.classes)
            state.class_sum = state.class_sum + pooled(joined[:CLASS_S])
            state.class_pieces += 1
            state.classes = [joined[CLASS_S:]] if len(joined) > CLASS_S else []


def _leave_out(
    waves: NDArray[np.int16], absent: NDArray[np.uint8], wave: Wave, where: NDArray[np.bool_], why: Absent
) -> None:
    """Take a wave out of some beats, in place."""
    waves[where, 3 * wave : 3 * wave + 3] = NO_POINT
    absent[where, wave] = why


def _samples(news: Found | Named, state: ReadingState) -> Samples:
    """Beats as sample indices of the recording, each within its own second."""
    second = news.beats // FS_HZ
    begins = second * state.fs_hz
    whole = np.floor(begins)  # so that a beat falls on the same sample of its second however late the second is
    inside = (news.beats - second * FS_HZ + news.place) * (state.fs_hz / FS_HZ)
    at = (whole + np.rint((begins - whole) + inside)).astype(np.int64)
    low, high = np.rint(begins).astype(np.int64), np.rint((second + 1) * state.fs_hz).astype(np.int64)
    samples: Samples = np.clip(at, low, np.minimum(high, state.signal_stop) - 1)
    return samples
