"""Spans do not depend on how seconds arrive, and naming costs little time and no growing memory."""

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.clean.quality import Reason, State
from edge.detect import rhythm
from edge.detect.rhythm import ReadSeconds, RhythmState, advance_rhythm, finish_rhythm
from edge.settings import RhythmSettings
from edge.types import Likely, RhythmSpan

LONG_S = 900  # several times what a state holds

of_beats = st.lists(
    st.tuples(
        st.sampled_from(["N", "V", "S", "NV", "NNV", "Q", "QQN", "NNNNV", "NS", "VNSFQ"]),
        st.integers(1, 60),
        st.sampled_from([0.2, 0.3, 0.4, 0.59, 0.6, 0.61, 0.8, 1.0, 1.19, 1.21, 1.5, 2.5, 2.99, 3.5, 9.0]),
        st.sampled_from([0.0, 0.02, 0.2]),
    ),
    min_size=1,
    max_size=40,
)
of_quality = st.lists(
    st.tuples(
        st.integers(1, 60),
        st.sampled_from([Reason(0)] * 3 + [Reason.NO_SAMPLES, Reason.NOISY, Reason.NO_QRS, Reason.LEAD_OFF]),
    ),
    max_size=40,
)
of_probability = st.lists(
    st.tuples(st.integers(1, 45), st.sampled_from([0, 0, 80, 100, 130, 160, 170, 255])), max_size=40
)


@st.composite
def recordings(draw: st.DrawFn) -> tuple[float, ReadSeconds]:
    """A sampling rate and up to a quarter of an hour in which anything may happen."""
    fs_hz, n_seconds = draw(st.sampled_from([128.5, 130.0, 250.0, 333.33])), draw(st.integers(1, LONG_S))
    noise = np.random.default_rng(draw(st.integers(0, 99)))
    times_s, labels, at_s = [], "", 0.0
    for cycle, n_beats, rr_s, jitter in draw(of_beats):
        steps_s = np.maximum(0.2, rr_s * (1 + jitter * noise.standard_normal(n_beats)))
        times_s += (at_s + np.cumsum(steps_s)).tolist()
        labels += (cycle * n_beats)[:n_beats]
        at_s = times_s[-1]
    stop = round(n_seconds * fs_hz) - draw(st.integers(0, 100))
    beats = np.round(np.array(times_s) * fs_hz).astype(np.int64)
    inside = beats < stop
    codes = np.frombuffer(labels.encode(), np.uint8)[inside]
    reasons = stretched(draw(of_quality), n_seconds)
    likely = np.stack([stretched(draw(of_probability), n_seconds) for _ in Likely], axis=1)
    return fs_hz, ReadSeconds(
        0,
        stop,
        beats[inside],
        codes,
        codes == ord("Q"),
        np.where(reasons > 0, State.UNUSABLE, State.GOOD).astype(np.uint8),
        reasons,
        likely,
    )


def stretched(parts: list[tuple[int, int]], n: int) -> np.ndarray:
    values = np.zeros(n, np.uint8)
    at = 0
    for length, value in parts:
        values[at : at + length] = value
        at += length
    return values


def named(news: ReadSeconds, fs_hz: float, cuts: list[int]) -> list[RhythmSpan]:
    state, spans = RhythmState(fs_hz), []
    for a, b in zip([0, *cuts], [*cuts, len(news.quality)], strict=True):
        spans += advance_rhythm(news.part(a, b, fs_hz), state)
    return spans + finish_rhythm(state)


@settings(max_examples=40, deadline=None)
@given(recordings(), st.one_of(st.sets(st.integers(1, LONG_S), max_size=60), st.just(set(range(1, LONG_S)))))
def test_however_seconds_are_cut_the_spans_are_the_same(recording: tuple[float, ReadSeconds], cuts: set[int]) -> None:
    fs_hz, news = recording
    whole = named(news, fs_hz, [])
    assert named(news, fs_hz, sorted(cut for cut in cuts if cut < len(news.quality))) == whole


@settings(max_examples=60, deadline=None)
@given(recordings())
def test_spans_are_in_order_do_not_overlap_and_cover_no_gap(recording: tuple[float, ReadSeconds]) -> None:
    fs_hz, news = recording
    spans = named(news, fs_hz, [])
    edges = [0, *(edge for span in spans for edge in (span.start, span.stop)), news.stop]
    assert edges == sorted(edges)
    for k in np.flatnonzero(news.reasons & Reason.NO_SAMPLES):
        start, stop = round(k * fs_hz), round((k + 1) * fs_hz)
        assert all(span.stop <= start or span.start >= stop for span in spans)


def days_of(n_days: int, unrest: float) -> ReadSeconds:
    """Days of beats of which a share is ectopic, of seconds of which a share cannot be read, and of noisy guesses."""
    noise, n_seconds = np.random.default_rng(7), n_days * 86_400
    beats = np.round(np.cumsum(noise.normal(0.85, 0.04, int(n_seconds / 0.84))) * 250).astype(np.int64)
    beats = beats[beats < n_seconds * 250]
    labels = np.full(len(beats), ord("N"), np.uint8)
    ectopic = noise.random(len(beats)) < unrest
    labels[ectopic] = noise.choice(np.frombuffer(b"SVFQ", np.uint8), int(ectopic.sum()))
    unread = noise.random(n_seconds) < unrest / 2
    likely = (noise.integers(0, 256, (n_seconds, 4)) * unrest).astype(np.uint8)
    quality, reasons = unread * np.uint8(State.UNUSABLE), unread * np.uint8(Reason.NOISY)
    return ReadSeconds(0, n_seconds * 250, beats, labels, labels == ord("Q"), quality, reasons, likely)


@pytest.mark.parametrize("unrest", [0.0, 0.6])
def test_a_fortnight_is_named_in_less_than_ten_seconds(unrest: float) -> None:
    news = days_of(14, unrest)
    assert len(news.beats) > 1_400_000
    started_s = time.process_time()
    spans = named(news, 250.0, [])
    assert time.process_time() - started_s < 10.0
    assert len(spans) == 1 if unrest == 0 else len(spans) > 100_000


def test_a_state_holds_minutes_after_a_day() -> None:
    state, news = RhythmState(250.0), days_of(1, 0.3)
    for a in range(0, 86_400, 600):
        advance_rhythm(news.part(a, a + 600, 250.0), state)
    assert state.seconds.count < 240
    assert len(state.beats.at) < 400
    assert all(len(column) <= state.seconds.count for column in (state.seconds.likely, state.seconds.atrial))


def test_the_reach_that_a_state_keeps_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The comparisons above can fail: with less context they do."""
    news = days_of(1, 0.0).part(0, 600, 250.0)
    news.likely[200:230, Likely.AF] = 255
    whole = named(news, 250.0, [])
    assert "(AFIB" in {span.label for span in whole}
    assert named(news, 250.0, list(range(1, 600))) == whole
    monkeypatch.setattr(rhythm, "_reach", lambda _: 10)
    assert named(news, 250.0, list(range(1, 600))) != whole


def test_the_reach_follows_the_settings() -> None:
    slow = RhythmSettings(asystole_s=10.0, af_min_s=300.0)
    news = days_of(1, 0.0).part(0, 2000, 250.0)
    news.likely[500:801, Likely.AF] = 255

    def spans(step: int) -> list[RhythmSpan]:
        state, found = RhythmState(250.0, slow), []
        for a in range(0, 2000, step):
            found += advance_rhythm(news.part(a, min(a + step, 2000), 250.0), state)
        return found + finish_rhythm(state)

    assert spans(1) == spans(2000)
    assert "(AFIB" in {span.label for span in spans(50)}
