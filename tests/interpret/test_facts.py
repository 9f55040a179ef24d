"""Facts against numbers worked out by hand; a quantity that cannot be measured says why."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.clean.quality import Reason, State
from edge.interpret.facts import GROUPS, context_of, measure
from edge.settings import RhythmSettings
from edge.types import Annotations, Fact, Gap

FS_HZ = 1000.0
FEW = RhythmSettings(min_nn=10)


def found(
    beats_s: Sequence[float] | np.ndarray,
    duration_s: float,
    unusable: Sequence[int] = (),
    gaps: Sequence[Gap] = (),
    fs_hz: float = FS_HZ,
) -> Annotations:
    """Annotations with beats at these times; unusable seconds are noisy, those that a gap touches have no samples."""
    n = int(np.ceil(duration_s))
    quality, reasons = np.zeros(n, np.uint8), np.zeros(n, np.uint8)
    reasons[list(unusable)] = Reason.NOISY
    for gap in gaps:
        reasons[int(gap.start / fs_hz) : int(np.ceil(gap.stop / fs_hz))] = Reason.NO_SAMPLES
    quality[reasons > 0] = State.UNUSABLE
    beats = np.round(np.asarray(beats_s, np.float64) * fs_hz).astype(np.int64)
    return Annotations(fs_hz, round(duration_s * fs_hz), beats, quality, reasons, tuple(gaps))


def beats_of(rr_ms: Sequence[float], start_s: float = 0.5) -> np.ndarray:
    return start_s + np.concatenate(([0.0], np.cumsum(rr_ms))) / 1000.0


def facts_of(
    annotations: Annotations,
    start_s: float = 0.0,
    end_s: float = 1e9,
    rhythm: RhythmSettings = RhythmSettings(),  # noqa: B008 - frozen
) -> dict[str, Fact]:
    return measure(context_of(annotations, start_s, end_s, rhythm))


def value(fact: Fact) -> float:
    assert fact.value is not None, fact.reason
    return fact.value


def test_rates_are_means_over_eight_intervals_and_show_where_they_were() -> None:
    rr_ms = [1000] * 10 + [500] * 10 + [800] * 10
    facts = facts_of(found(beats_of(rr_ms), 24))
    assert value(facts["heart_rate_mean"]) == pytest.approx(60_000 * 30 / sum(rr_ms))
    assert value(facts["heart_rate_min"]) == pytest.approx(60.0)
    assert value(facts["heart_rate_max"]) == pytest.approx(120.0)
    assert value(facts["heart_rate_last"]) == pytest.approx(75.0)
    (fastest,) = facts["heart_rate_max"].evidence
    assert (fastest.start_s, fastest.end_s) == (10.5, 14.5)


def test_a_rate_needs_three_intervals_and_a_sliding_one_eight() -> None:
    two = facts_of(found(beats_of([800] * 2), 3))
    assert two["heart_rate_mean"].value is None
    assert two["heart_rate_mean"].reason == "too few beats"
    seven = facts_of(found(beats_of([800] * 7), 8))
    assert value(seven["heart_rate_mean"]) == pytest.approx(75.0)
    assert seven["heart_rate_mean"].n == 7
    assert seven["heart_rate_max"].value is None
    assert value(facts_of(found(beats_of([800] * 8), 9))["heart_rate_max"]) == pytest.approx(75.0)


def test_eight_intervals_in_pieces_give_a_mean_and_no_sliding_rate() -> None:
    facts = facts_of(found(beats_of([800] * 20), 17, unusable=[4, 9, 13]))
    assert value(facts["heart_rate_mean"]) == pytest.approx(75.0)
    assert facts["heart_rate_max"].reason == "no run of consecutive beats"


def test_a_span_that_is_mostly_unusable_says_so_and_why() -> None:
    facts = facts_of(found(beats_of([800] * 5), 20, unusable=range(5, 20)))
    assert facts["heart_rate_mean"].reason == "signal not usable: noisy"
    assert facts["heart_rate_mean"].analysable_fraction == 0.25


def test_no_interval_is_taken_across_a_gap_however_short() -> None:
    gap = Gap(10_200, 10_300, "link lost")
    annotations = found([*np.arange(0.5, 10.0, 1.0), *np.arange(12.5, 22.0, 1.0)], 22, gaps=[gap])
    facts = facts_of(annotations)
    assert value(facts["longest_rr"]) == pytest.approx(1.0)
    assert value(facts["pauses_2.0s"]) == 0
    assert facts["longest_rr"].n == 18
    without = facts_of(found(annotations.beats / FS_HZ, 22))
    assert value(without["longest_rr"]) == pytest.approx(3.0)
    assert value(without["pauses_2.0s"]) == 1


@pytest.mark.parametrize("second", [10, 11, 12])
def test_no_interval_touches_an_unusable_second_ends_included(second: int) -> None:
    beats_s = [*np.arange(0.5, 10.6, 1.0), *np.arange(12.5, 22.0, 1.0)]
    facts = facts_of(found(beats_s, 22, unusable=[second]))
    assert value(facts["longest_rr"]) == pytest.approx(1.0)
    assert value(facts["pauses_2.0s"]) == 0


@pytest.mark.parametrize("fs_hz", [100.0, 125.0, 128.0, 130.0, 250.0, 256.0, 333.0, 360.0, 500.0, 1000.0])
def test_a_pause_of_exactly_two_seconds_is_a_pause_at_any_rate(fs_hz: float) -> None:
    beats = np.round(np.arange(0.5, 20, 1.0) * fs_hz)
    beats[10:] += fs_hz - (beats[10] - beats[9] - fs_hz)
    facts = facts_of(found(beats / fs_hz, 22, fs_hz=fs_hz))
    assert value(facts["pauses_2.0s"]) == 1
    assert value(facts["pauses_2.5s"]) == 0
    (where,) = facts["pauses_2.0s"].evidence
    assert where.duration_s == pytest.approx(2.0)


def test_pauses_are_counted_by_each_limit_and_shown() -> None:
    facts = facts_of(found(beats_of([800] * 5 + [2100] + [800] * 5 + [2600] + [800] * 5 + [3400]), 22))
    assert [value(facts[f"pauses_{limit}s"]) for limit in ("2.0", "2.5", "3.0")] == [3, 2, 1]
    assert [round(span.duration_s, 3) for span in facts["pauses_2.0s"].evidence] == [2.1, 2.6, 3.4]
    assert value(facts["shortest_rr"]) == pytest.approx(0.8)


def test_variability_with_one_ectopic_beat_and_one_gap_is_what_a_hand_works_out() -> None:
    """Neither the early interval, nor the one after it, nor their neighbours count, nor any pair across the gap."""
    before = [800, 860, 800, 860, 800, 860, 800, 860]
    between = [800, 820, 900, 820, 800, 860, 800, 880]
    after = [810, 850, 810, 870, 810, 850, 810, 870]
    first = beats_of([*before, 500, 1150, *between])
    gap = Gap(round(first[-1] * 1000) + 600, round(first[-1] * 1000) + 700, "link lost")
    second = beats_of(after, float(np.ceil(gap.stop / 1000)) + 0.25)
    duration_s = second[-1] + 0.5
    facts = facts_of(found([*first, *second], duration_s, gaps=[gap]), rhythm=FEW)

    # The last interval before the gap ends in the second that the gap makes unusable, when they share it.
    shared = int(first[-1]) == int(gap.start / 1000)
    runs = [before[:-1], between[1 : -1 if shared else None], after]
    nn = np.array([rr for run in runs for rr in run], float)
    steps = np.concatenate([np.diff(run) for run in runs]).astype(float)
    assert value(facts["sdnn"]) == pytest.approx(float(np.std(nn, ddof=1)), abs=1e-9)
    assert value(facts["rmssd"]) == pytest.approx(float(np.sqrt(np.mean(steps**2))), abs=1e-9)
    assert value(facts["pnn50"]) == pytest.approx(100 * np.count_nonzero(np.abs(steps) > 50) / len(steps))
    assert facts["sdnn"].n == len(nn)
    assert facts["rmssd"].n == len(steps)
    assert value(facts["early_beat_count"]) == 1


def test_variability_needs_sixty_intervals_and_says_how_many_there_are() -> None:
    for n, enough in ((59, False), (60, True)):
        sdnn = facts_of(found(beats_of([800, 850] * 40)[: n + 1], 55))["sdnn"]
        assert (sdnn.value is not None) == enough
        assert enough or sdnn.reason == "only 59 normal-to-normal intervals, 60 are needed"


def test_variability_of_a_chaotic_rhythm_is_refused() -> None:
    rr_ms = np.random.default_rng(0).uniform(350, 1400, 300)
    facts = facts_of(found(beats_of(rr_ms.tolist()), 300))
    assert facts["rmssd"].value is None
    assert "normal-to-normal" in facts["rmssd"].reason
    assert facts["early_beat_count"].reason == "rhythm too irregular to call single beats early"
    assert value(facts["irregular_share"]) > 20


@pytest.mark.parametrize(("n", "episodes"), [(37, 0), (38, 1), (60, 1)])
@pytest.mark.parametrize("fs_hz", [250.0, 360.0, 1000.0])
def test_a_fast_stretch_is_an_episode_from_fifteen_seconds_on(n: int, episodes: int, fs_hz: float) -> None:
    """A rate is that of the middle of its eight intervals, so four at each end of the recording have none."""
    facts = facts_of(found(beats_of([500] * n), 40, fs_hz=fs_hz))
    assert value(facts["tachycardia_count"]) == episodes
    assert value(facts["tachycardia_total"]) == pytest.approx(0.5 * (n - 8) if episodes else 0.0)
    assert value(facts["bradycardia_count"]) == 0


@pytest.mark.parametrize(("rr_ms", "fast", "slow"), [(600, 0, 0), (599, 1, 0), (1200, 0, 0), (1201, 0, 1)])
def test_the_limits_themselves_are_neither_fast_nor_slow(rr_ms: int, fast: int, slow: int) -> None:
    facts = facts_of(found(beats_of([rr_ms] * 40), 50))
    assert value(facts["tachycardia_count"]) == fast
    assert value(facts["bradycardia_count"]) == slow
    assert value(facts["tachycardia_limit"]) == 100.0


def test_an_episode_does_not_go_on_across_a_gap() -> None:
    one, other = beats_of([500] * 20), beats_of([500] * 20, 14.5)
    gap = Gap(11_100, 14_000, "link lost")
    facts = facts_of(found([*one, *other], 25, gaps=[gap]))
    assert value(facts["heart_rate_mean"]) == pytest.approx(120.0)
    assert value(facts["tachycardia_count"]) == 0


def test_a_short_lull_in_a_fast_stretch_counts_no_second_twice() -> None:
    rr_ms = [580] * 50 + [640] * 4 + [580] * 50
    facts = facts_of(found(beats_of(rr_ms), 63))
    spans = sorted(facts["tachycardia_count"].evidence, key=lambda span: span.start_s)
    assert len(spans) == 2
    assert all(a.end_s <= b.start_s for a, b in pairwise(spans))
    assert value(facts["tachycardia_total"]) <= sum(rr_ms) / 1000


def test_episodes_are_shown_longest_first_with_their_extreme() -> None:
    rr_ms = [500] * 40 + [800] * 30 + [450] * 80 + [800] * 30 + [1500] * 20
    facts = facts_of(found(beats_of(rr_ms), 140))
    longest, shorter = facts["tachycardia_count"].evidence
    assert longest.duration_s > shorter.duration_s
    assert longest.label == "tachycardia, 133 bpm"
    assert (shorter.start_s, shorter.end_s) == (2.5, 19.5)  # two intervals of doubt before the slow ones
    assert [span.label for span in facts["bradycardia_count"].evidence] == ["bradycardia, 40 bpm"]


def test_gaps_are_cut_to_the_span() -> None:
    gaps = [Gap(2_000, 5_500, "link lost"), Gap(9_000, 20_000, "strap off")]
    facts = facts_of(found([], 30, gaps=gaps), 4.0, 10.0)
    assert value(facts["gap_count"]) == 2
    assert value(facts["gap_total"]) == pytest.approx(2.5)
    assert value(facts["longest_gap"]) == pytest.approx(1.5)
    assert value(facts["recorded_total"]) == pytest.approx(3.5)
    assert [(s.start_s, s.end_s, s.label) for s in facts["gap_count"].evidence] == [
        (4.0, 5.5, "link lost"),
        (9.0, 10.0, "strap off"),
    ]


def test_unusable_stretches_are_told_with_their_reason_and_lie_in_the_span() -> None:
    facts = facts_of(found([], 20, unusable=[3, 4, 5, 9, 15]), 4.5, 15.5)
    spans = facts["analysable_share"].evidence
    assert [(s.start_s, s.end_s, s.label) for s in spans] == [
        (4.5, 6.0, "noisy"),
        (9.0, 10.0, "noisy"),
        (15.0, 15.5, "noisy"),
    ]
    assert value(facts["unusable_total"]) == pytest.approx(3.0)
    assert value(facts["analysable_share"]) == pytest.approx(100 * 8 / 12)


@pytest.mark.parametrize(("start_s", "end_s"), [(5.0, 5.0), (5.3, 5.3), (9.0, 2.0), (50.0, 60.0), (-9.0, -2.0)])
@pytest.mark.parametrize("duration_s", [0.0, 20.0, 20.4])
def test_every_fact_of_an_empty_span_says_that_nothing_was_recorded(
    start_s: float, end_s: float, duration_s: float
) -> None:
    beats_s = np.arange(0.5, duration_s, 1.0)
    facts = facts_of(found(beats_s, duration_s), start_s, end_s)
    assert set(facts) >= {"heart_rate_mean", "sdnn", "pauses_2.0s", "gap_count", "analysable_share"}
    for fact in facts.values():
        assert (fact.value, fact.reason) == (None, "nothing was recorded then")
        assert fact.evidence == ()


def test_a_span_is_cut_to_what_was_analysed() -> None:
    context = context_of(found([], 20.4), -5.0, 1e9, RhythmSettings())
    assert (context.start_s, context.end_s) == (0.0, 20.4)


BEAT_TRAINS = st.lists(st.integers(1, 4000), max_size=120)
QUALITY = st.lists(st.sampled_from([0, 0, 0, 0, 1, 2]), min_size=1, max_size=90)
SPAN = st.tuples(st.floats(-20.0, 120.0), st.floats(-20.0, 120.0))


@settings(max_examples=150, deadline=None)
@given(
    BEAT_TRAINS,
    QUALITY,
    SPAN,
    st.sampled_from([100.0, 128.5, 250.0, 1000.0]),
    st.sampled_from([0, 1, 2, 3, 10, 60]),
    st.data(),
)
def test_every_fact_has_a_value_or_a_reason_and_evidence_within_its_span(
    steps: list[int],
    states: list[int],
    span: tuple[float, float],
    fs_hz: float,
    min_nn: int,
    data: st.DataObject,
) -> None:
    n = round(len(states) * fs_hz)
    beats = np.cumsum(np.array(steps, np.int64))
    quality = np.array(states, np.uint8)
    reasons = np.array([data.draw(st.integers(1, 255)) if s == State.UNUSABLE else 0 for s in states], np.uint8)
    gaps = tuple(Gap(a, a + 500, "link lost") for a in range(300, n - 500, 7919))
    annotations = Annotations(fs_hz, n, beats[beats < n], quality, reasons, gaps)
    context = context_of(annotations, *span, RhythmSettings(min_nn=min_nn))
    for group in GROUPS:
        for fact in measure(context, group).values():
            assert (fact.value is None) == bool(fact.reason)
            assert fact.value is None or np.isfinite(fact.value)
            assert fact.value is None or fact.value >= 0
            assert 0.0 <= fact.analysable_fraction <= 1.0
            assert (fact.start_s, fact.end_s) == (context.start_s, context.end_s)
            assert fact.unit != "%" or fact.value is None or fact.value <= 100.0 + 1e-9
            for place in fact.evidence:
                assert context.start_s <= place.start_s <= place.end_s <= context.end_s
            if fact.unit == "s" and fact.value is not None:
                assert fact.value <= context.end_s - context.start_s + 1e-6
