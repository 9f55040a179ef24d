"""Rhythms that begin and end are told once each, and the last hour's ectopic beats are counted in bounded memory."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from edge.detect.rhythm_names import NAMES
from edge.serve.live_rhythm import HOUR_MIN, MEANINGS, REMEMBERED, TOLD, LastHour, RhythmChange, RhythmWatch
from edge.types import Reading, RhythmSpan

FS_HZ = 250.0


def span(start_s: float, stop_s: float, label: str = "(AFIB") -> RhythmSpan:
    return RhythmSpan(round(start_s * FS_HZ), round(stop_s * FS_HZ), label)


def told(changes: list[RhythmChange]) -> list[tuple[str, float, str]]:
    return [(change.kind.removeprefix("rhythm_"), change.sample / FS_HZ, change.label) for change in changes]


def reading(minute: float, labels: str, spacing_s: float = 1.0) -> Reading:
    """Beats of these labels from a minute on, `spacing_s` apart."""
    n = len(labels)
    beats = ((minute * 60 + spacing_s * np.arange(n)) * FS_HZ).astype(np.int64)
    rows = np.zeros((n, 9), np.int16), np.zeros((n, 3), np.uint8), np.zeros((n, 4), np.uint8)
    stop = round((minute * 60 + spacing_s * n) * FS_HZ)
    return Reading(round(minute * 60), stop, beats, np.frombuffer(labels.encode(), np.uint8), *rows)


def test_every_rhythm_that_is_told_has_plain_words() -> None:
    assert TOLD < set(MEANINGS) == {name.label for name in NAMES.values()}
    assert {"(AFIB", "(VT", "(SVTA", "(VFL", "(ASYS"} < TOLD


def test_a_rhythm_that_goes_on_is_told_once_and_its_end_when_it_is_over() -> None:
    watch = RhythmWatch(FS_HZ)
    assert told(watch.go_on(span(10, 12))) == [("began", 10, "(AFIB")]
    assert watch.go_on(span(10, 40)) == []
    (end,) = watch.go_on(span(41, 44, "(N"))
    assert told([end]) == [("ended", 40, "(AFIB")]
    assert end.detail == "atrial fibrillation ended after 30 s"
    assert watch.close(span(10, 41)) == []


def test_a_rhythm_that_was_never_seen_to_go_on_is_told_when_its_span_is_closed() -> None:
    watch = RhythmWatch(FS_HZ)
    assert watch.go_on(None) == []
    assert told(watch.close(span(10, 14, "(VT"))) == [("began", 10, "(VT"), ("ended", 14, "(VT")]


def test_a_span_that_is_closed_while_its_rhythm_is_told_as_going_on_ends_it_where_it_ended() -> None:
    watch = RhythmWatch(FS_HZ)
    watch.go_on(span(10, 12, "(VT"))
    assert told(watch.close(span(10, 13.5, "(VT"))) == [("ended", 13.5, "(VT")]
    assert watch.go_on(None) == []


def test_a_short_run_that_comes_to_light_does_not_end_what_goes_on() -> None:
    watch = RhythmWatch(FS_HZ)
    watch.go_on(span(100, 130))
    assert len(watch.close(span(90, 94, "(VT"))) == 2
    assert watch.go_on(span(100, 131)) == []


def test_a_rhythm_that_passes_into_another_ends_before_that_begins() -> None:
    watch = RhythmWatch(FS_HZ)
    watch.go_on(span(10, 20, "(VT"))
    assert told(watch.go_on(span(20, 23, "(VFL"))) == [("ended", 20, "(VT"), ("began", 20, "(VFL")]


def test_a_second_episode_of_the_same_rhythm_is_told_anew() -> None:
    watch = RhythmWatch(FS_HZ)
    watch.go_on(span(10, 50))
    assert told(watch.go_on(span(60, 95))) == [("ended", 50, "(AFIB"), ("began", 60, "(AFIB")]
    assert watch.close(span(10, 50)) == []


def test_what_is_no_tachycardia_fibrillation_or_asystole_is_not_told() -> None:
    watch = RhythmWatch(FS_HZ)
    for label in set(MEANINGS) - TOLD:
        assert watch.go_on(span(0, 10, label)) == []
        assert watch.close(span(0, 10, label)) == []


STEPS = st.lists(
    st.tuples(st.booleans(), st.integers(0, 20), st.integers(1, 30), st.sampled_from(["(AFIB", "(VT", "(N", ""])),
    max_size=60,
)


@given(STEPS)
def test_whatever_comes_every_begin_is_followed_by_one_end_and_memory_is_bounded(
    steps: list[tuple[bool, int, int, str]],
) -> None:
    watch, at, changes = RhythmWatch(FS_HZ), 0, list[RhythmChange]()
    for closes, wait, length, label in steps:
        at += wait
        if closes and label:
            changes += watch.close(span(at, at + length, label))
        else:
            changes += watch.go_on(span(at, at + length, label) if label else None)
    changes += watch.go_on(None)
    for label in TOLD:
        kinds = [change.kind for change in changes if change.label == label]
        assert kinds.count("rhythm_began") == kinds.count("rhythm_ended")
    assert watch.going_on is None
    assert len(watch.told) <= REMEMBERED


def test_ectopic_beats_are_counted_by_their_label() -> None:
    hour = LastHour(FS_HZ)
    hour.add(reading(0, "NNVNSFQV"))
    assert hour.ectopic() == (2, 1)


def test_without_a_beat_that_was_read_there_is_no_count() -> None:
    hour = LastHour(FS_HZ)
    assert hour.ectopic() == (None, None)
    hour.add(reading(0, ""))
    assert hour.ectopic() == (None, None)


def test_beats_older_than_an_hour_are_forgotten_and_a_pause_leaves_no_count() -> None:
    hour = LastHour(FS_HZ)
    hour.add(reading(0, "VV"))
    hour.add(reading(30, "NS"))
    assert hour.ectopic() == (2, 1)
    hour.add(reading(61, "NN"))
    assert hour.ectopic() == (0, 1)
    hour.add(reading(500, ""))
    assert hour.ectopic() == (None, None)


def test_an_hour_takes_a_row_for_each_of_its_minutes_however_its_beats_come() -> None:
    whole, cut = LastHour(FS_HZ), LastHour(FS_HZ)
    labels = "NVSN" * 1800  # two hours of a beat a second
    whole.add(reading(0, labels))
    for first in range(0, len(labels), 7):
        part = labels[first : first + 7]
        cut.add(reading(first / 60, part))
    assert list(cut.minutes) == list(whole.minutes)
    assert len(cut.minutes) == HOUR_MIN - 1  # the newest minute has only just begun
    assert cut.ectopic() == (15 * 59, 15 * 59)
