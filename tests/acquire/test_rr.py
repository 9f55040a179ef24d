"""RR intervals without time stamps: every one is kept as it was told, none is made up, and what is lost is a gap."""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from bench.rr import Notification, intervals, notifications, placed_of, score
from edge.acquire.packets import RrPacket
from edge.acquire.rr import (
    IMPLAUSIBLE,
    LOST,
    NO_CONTACT,
    NO_RATE,
    RR_HZ,
    Placed,
    RrState,
    flush_rr,
    lose_link,
    place_rr,
)
from edge.formats.memory import demo_recording
from edge.pipeline import annotate

Integers = NDArray[np.int64]
START_S = 1.7e9
DAY_S = 86400


@lru_cache(maxsize=1)
def demo_rr() -> Integers:
    """The intervals of a real heart, fifteen minutes of them."""
    beats = annotate(demo_recording()).beats
    return np.tile(np.diff(np.round(beats / 360 * RR_HZ).astype(np.int64)), 3)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def told(rr: Sequence[int] = (), rate_bpm: int | None = 70, contact: bool | None = None) -> RrPacket:
    return RrPacket(tuple(rr), rate_bpm, contact)


def placed_from(steps: Sequence[tuple[float, RrPacket | str]]) -> tuple[Placed, RrState]:
    """What comes of packets, and of losses of the link (by their cause), at seconds from the start."""
    state, whole = RrState(), Placed()
    for at_s, step in steps:
        take = (
            lose_link(START_S + at_s, step, state) if isinstance(step, str) else place_rr(step, START_S + at_s, state)
        )
        join(whole, take[0])
    join(whole, flush_rr(state)[0])
    return whole, state


def join(whole: Placed, part: Placed) -> None:
    whole.beats += part.beats
    whole.gaps += part.gaps
    whole.events += part.events
    whole.anchors += part.anchors


def once_a_second(start_s: int, stop_s: int, rr: int = 1024) -> list[tuple[float, RrPacket | str]]:
    return [(float(k), told([rr])) for k in range(start_s, stop_s)]


def lengths(placed: Placed) -> list[int]:
    return [length for _, length in intervals(placed)]


def seconds_of_gaps(placed: Placed, cause: str) -> float:
    return sum(gap.stop - gap.start for gap in placed.gaps if gap.cause == cause) / RR_HZ


@pytest.mark.parametrize("latest_s", [0.0, 0.1, 1.0, 4.0])
def test_every_interval_of_a_link_that_loses_nothing_is_kept_as_it_was_told(latest_s: float) -> None:
    placed = placed_of(notifications(demo_rr(), latest_s, 0.0, rng()))
    assert lengths(placed) == demo_rr().tolist()
    assert placed.beats[0] >= 0
    assert placed.gaps == []


def test_nine_intervals_at_once_and_late_by_four_seconds_make_no_gap() -> None:
    sent = [(float(k), told([512] * 2)) for k in range(60)]
    burst = [(72.0, told([512] * 9)), (72.0, told([512] * 9)), (72.1, told([512] * 8))]
    after = [(float(k), told([512] * 2)) for k in range(73, 140)]
    placed, _ = placed_from([*sent, *burst, *after])
    assert placed.gaps == []
    assert lengths(placed) == [512] * (140 * 2)


def test_a_lost_notification_of_a_steady_link_is_a_gap_of_its_length_where_it_was_lost() -> None:
    sent = notifications(demo_rr(), 0.05, 0.0, rng())
    lost = [n for n in sent if n.sent_s in {300.0, 500.0, 501.0, 700.0}]
    placed = placed_of([n for n in sent if n not in lost])
    assert [gap.cause for gap in placed.gaps] == [LOST] * 3
    for gap, missing in zip(placed.gaps, (lost[:1], lost[1:3], lost[3:]), strict=True):
        assert gap.start / RR_HZ == pytest.approx(missing[0].sent_s, abs=3.0)
        told_s = sum(sum(n.packet.rr) for n in missing) / RR_HZ
        assert (gap.stop - gap.start) / RR_HZ == pytest.approx(told_s, abs=0.8)
    received = [n for n in sent if n not in lost]
    assert lengths(placed) == [value for n in received for value in n.packet.rr]


@pytest.mark.parametrize("latest_s", [0.1, 1.0, 4.0])
@pytest.mark.parametrize("seed", range(3))
def test_no_interval_is_made_up_however_bad_the_link_is(latest_s: float, seed: int) -> None:
    sent = notifications(demo_rr(), latest_s, 0.05, rng(seed))
    placed = placed_of([n for n in sent if not n.lost])
    assert lengths(placed) == [value for n in sent if not n.lost for value in n.packet.rr]
    missing_s = sum(sum(n.packet.rr) for n in sent if n.lost) / RR_HZ
    assert seconds_of_gaps(placed, LOST) == pytest.approx(missing_s, abs=8.0)  # some are not noticed before the end


def test_most_of_what_a_bad_link_loses_in_hours_is_accounted_for() -> None:
    rr = np.tile(demo_rr(), 12)  # three hours
    sent = notifications(rr, 4.0, 0.01, rng(1))
    found = score(rr, sent, placed_of(sent))
    assert found["false"] == 0
    assert found["kept"] == found["received"]
    assert found["declared_s"] == pytest.approx(found["lost_s"], abs=12)
    assert found["place_error_s"]["median"] < 4


@pytest.mark.parametrize(("host_ppm", "rr"), [(0, 1024), (300, 1024), (-300, 850)])
def test_a_host_clock_that_runs_wrong_for_a_day_makes_no_gap(host_ppm: int, rr: int) -> None:
    """Sixty beats a minute told sixty times a minute: beat and notification stand still against each other."""
    state, gaps, at, arrived = RrState(), [], 0, rng().uniform(0, 0.2, DAY_S)
    for k in range(1, DAY_S):
        n = (k * 1024 - at) // rr
        at += n * rr
        received_s = START_S + k * (1 + host_ppm * 1e-6) + float(arrived[k])
        gaps += place_rr(told([rr] * n), received_s, state)[0].gaps
    assert gaps == []


def test_a_step_of_the_host_clock_makes_no_gap_and_is_told() -> None:
    steps = [*once_a_second(0, 100), *((k - 3600.0, told([1024])) for k in range(100, 200))]
    steps += [(k + 7200.0, told([1024])) for k in range(200, 300)]
    placed, _ = placed_from(steps)
    assert placed.gaps == []
    assert [event.kind for event in placed.events] == ["clock", "clock"]
    assert lengths(placed) == [1024] * 300


def test_a_strap_that_notifies_with_every_beat_makes_no_gap_when_its_heart_slows() -> None:
    rr = np.concatenate((np.full(400, 480), np.full(300, 1500), np.full(400, 700)))
    at_s = np.cumsum(rr) / RR_HZ
    placed, _ = placed_from([(float(s), told([int(value)])) for s, value in zip(at_s, rr, strict=True)])
    assert placed.gaps == []
    assert lengths(placed) == rr.tolist()


@pytest.mark.parametrize(
    ("absent", "cause"),
    [
        (told(rate_bpm=None), NO_RATE),
        (told(rate_bpm=None, contact=False), NO_CONTACT),
        (told(contact=False), NO_CONTACT),
    ],
)
def test_a_strap_without_heart_rate_or_contact_makes_a_gap_with_that_cause(absent: RrPacket, cause: str) -> None:
    before = [(float(k), told([1024], contact=True)) for k in range(100)]
    nothing = [(float(k), absent) for k in range(100, 160)]
    placed, _ = placed_from([*before, *nothing, *once_a_second(160, 220)])
    assert {gap.cause for gap in placed.gaps} == {cause}
    assert seconds_of_gaps(placed, cause) == pytest.approx(59, abs=1.5)
    assert sum(event.kind == "gap" for event in placed.events) == 1
    assert lengths(placed) == [1024] * 160


def test_the_gap_of_a_strap_that_is_not_worn_grows_while_it_says_so() -> None:
    state, gaps = RrState(), []
    for at_s, packet in [*once_a_second(0, 50), *((float(k), told(rate_bpm=None)) for k in range(50, 400))]:
        assert isinstance(packet, RrPacket)
        gaps += place_rr(packet, START_S + at_s, state)[0].gaps
    assert gaps[-1].stop / RR_HZ > 400 - 30


def test_a_contact_flag_that_is_always_off_is_not_believed() -> None:
    steps = [(float(k), told([1536] if k % 3 else [], contact=False)) for k in range(90)]
    placed, _ = placed_from(steps)
    assert placed.gaps == []
    assert len(lengths(placed)) == 60


def test_a_lost_link_is_a_gap_with_its_cause_and_the_first_late_notification_does_not_lengthen_it() -> None:
    late = [(164.0, told([1024])), (164.0, told([1024, 1024, 1024]))]
    steps = [*once_a_second(0, 100), (104.0, "supervision timeout"), *late, *once_a_second(165, 230)]
    placed, _ = placed_from(steps)
    assert [gap.cause for gap in placed.gaps] == ["supervision timeout"]
    assert seconds_of_gaps(placed, "supervision timeout") == pytest.approx(61, abs=0.5)
    assert lengths(placed) == [1024] * (100 + 4 + 65)


def test_a_link_that_stays_lost_leaves_a_gap_up_to_the_last_that_was_heard() -> None:
    placed, state = placed_from([*once_a_second(0, 100), (130.0, "out of range"), (160.0, "switched off")])
    assert [gap.cause for gap in placed.gaps] == ["out of range"]
    assert state.stop / RR_HZ == pytest.approx(161, abs=1.5)


@pytest.mark.parametrize("absurd", [2, 150, 9000, 65535])
def test_an_interval_that_no_heart_makes_is_time_without_an_interval(absurd: int) -> None:
    placed, state = placed_from([(0.0, told([1024])), (1.0, told([1000, absurd, 900])), (2.0, told([1024]))])
    assert lengths(placed) == [1024, 1000, 900, 1024]
    assert placed.beats[-1] == 1024 + 1000 + absurd + 900 + 1024
    assert state.rejected == 1
    assert {gap.cause for gap in placed.gaps} <= {IMPLAUSIBLE}
    assert sum(gap.stop - gap.start for gap in placed.gaps) == absurd - 1


def test_an_interval_of_zero_is_left_out_and_counted() -> None:
    placed, state = placed_from([(0.0, told([1024, 0, 1000])), (1.0, told([1])), (2.0, told([1024]))])
    assert lengths(placed) == [1024, 1000, 1024]
    assert placed.gaps == []
    assert state.rejected == 2


def test_a_real_pause_is_an_interval_and_no_gap() -> None:
    steps = [*once_a_second(0, 100), *((float(k), told()) for k in range(100, 104)), (104.5, told([5600]))]
    placed, _ = placed_from([*steps, *((k + 0.5, told([1024])) for k in range(105, 160))])
    assert placed.gaps == []
    assert max(lengths(placed)) == 5600


def test_without_any_interval_there_are_no_beats() -> None:
    placed, _ = placed_from([(float(k), told(rate_bpm=None)) for k in range(30)])
    assert placed.beats == []
    assert placed_from([])[0].gaps == []


packets = st.builds(
    told,
    st.lists(st.integers(0, 65535) | st.integers(200, 2000), max_size=9),
    st.none() | st.integers(1, 65535),
    st.none() | st.booleans(),
)
steps_of_any_kind = st.lists(st.tuples(st.floats(-5, 40) | st.floats(0, 2), packets | st.just("lost")), max_size=80)


@hypothesis_settings(max_examples=150, deadline=None)
@given(steps_of_any_kind)
def test_whatever_comes_beats_ascend_gaps_do_not_overlap_and_no_interval_is_made_up(
    steps: list[tuple[float, RrPacket | str]],
) -> None:
    times_s = np.cumsum([apart_s for apart_s, _ in steps]).tolist()
    placed, state = placed_from([(at_s, step) for at_s, (_, step) in zip(times_s, steps, strict=True)])
    assert all(a < b for a, b in zip(placed.beats, placed.beats[1:], strict=False))
    assert all(a.stop <= b.start for a, b in zip(placed.gaps, placed.gaps[1:], strict=False))
    assert all(gap.start < gap.stop <= state.stop for gap in placed.gaps)
    beats = np.array(placed.beats)
    assert not any(((beats >= gap.start) & (beats < gap.stop)).any() for gap in placed.gaps)
    sent = iter([value for _, step in steps if isinstance(step, RrPacket) for value in step.rr])
    assert all(length in sent for length in lengths(placed))  # in the order of sending


def test_a_notification_knows_where_its_intervals_stand() -> None:
    sent = notifications(demo_rr(), 4.0, 0.0, rng())
    assert all(isinstance(n, Notification) and n.received_s - n.sent_s < 5 for n in sent)
    assert [value for n in sent for value in n.packet.rr] == demo_rr().tolist()
