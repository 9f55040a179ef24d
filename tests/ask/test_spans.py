"""Times in questions: placed exactly, or openly not placed; never a guess, never an exception."""

import contextlib
import dataclasses
import math
import time
from datetime import UTC, datetime, timedelta, timezone

import pytest
from ask_tools import MORNING, ask, demo, pulses, recording_info, source_of
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.ask.spans import duration_text, offset_text, parse_time, read_spans, spans_in, when_text
from edge.errors import UsageError
from edge.types import RecordingInfo

NO_CLOCK = recording_info()
FIVE_MINUTES = recording_info(MORNING)  # Saturday, 10:00 to 10:05
NIGHT = recording_info(datetime(2026, 1, 30, 22, 30), 9 * 3600.0)  # noqa: DTZ001 - Friday 22:30 to 07:30
THREE_DAYS = recording_info(datetime(2026, 1, 26, 8, 0), 3 * 86400.0 + 7200)  # noqa: DTZ001 - from a Monday on
ZONED = recording_info(datetime(2026, 1, 31, 9, 0, tzinfo=UTC))


def placed(question: str, info: RecordingInfo) -> list[tuple[float, float]]:
    spans = spans_in(question, info)
    assert [span.problem for span in spans] == [""] * len(spans)
    return [(span.start_s, span.end_s) for span in spans]


def clocked(question: str, info: RecordingInfo) -> list[str]:
    """Placed spans as weekday and clock times."""
    assert info.start is not None
    start = info.start
    return [
        " to ".join(f"{start + timedelta(seconds=at):%a %H:%M:%S}" for at in span) for span in placed(question, info)
    ]


OFFSETS = [
    ("in the first minute", (0, 60)),
    ("during the first thirty seconds", (0, 30)),
    ("the first 2 minutes and 30 seconds", (0, 150)),
    ("in the opening half minute", (0, 30)),
    ("over the last 2 minutes", (180, 300)),
    ("the last couple of minutes", (180, 300)),
    ("the last minute and a half", (210, 300)),
    ("in the last twenty-five seconds", (275, 300)),
    ("the final 10 s", (290, 300)),
    ("the second minute", (60, 120)),
    ("in the 3rd minute", (120, 180)),
    ("between 60s and 120s", (60, 120)),
    ("from 90 s to 2 minutes", (90, 120)),
    ("between one and three minutes", (60, 180)),
    ("60–120 s", (60, 120)),
    ("30 to 45 seconds", (30, 45)),
    ("between 1:00 and 2:00", (60, 120)),
    ("from 0:30 until 1:15", (30, 75)),
    ("from 0:01:00 to 0:02:00", (60, 120)),
    ("at 3:10", (160, 220)),
    ("@ 90 s", (60, 120)),
    ("around 3:10", (0, 300)),
    ("at 0:10", (0, 40)),
    ("after 2 minutes", (120, 300)),
    ("before 90 s", (0, 90)),
    ("until 1:30", (0, 90)),
    ("since 1:30", (90, 300)),
    ("from 2:00 on", (120, 300)),
    ("the two minutes after 1:00", (60, 180)),
    ("2 minutes ago", (150, 210)),
    ("two minutes into the recording", (90, 150)),
    ("right now", (240, 300)),
    ("at the moment", (240, 300)),
    ("at the end of the recording", (240, 300)),
    ("at the beginning", (0, 60)),
    ("in the first half", (0, 150)),
    ("in the last third of the recording", (200, 300)),
]


@pytest.mark.parametrize(("words", "span"), OFFSETS)
def test_offsets_are_placed_without_a_clock(words: str, span: tuple[float, float]) -> None:
    assert placed(f"What was the heart rate {words}?", NO_CLOCK) == [pytest.approx(span)]


CLOCK_TIMES = [
    (FIVE_MINUTES, "at 10:02", "Sat 10:01:30 to Sat 10:02:30"),
    (FIVE_MINUTES, "at 10:02 am", "Sat 10:01:30 to Sat 10:02:30"),
    (FIVE_MINUTES, "at 10:02:30", "Sat 10:02:00 to Sat 10:03:00"),
    (FIVE_MINUTES, "between 9 and 11 a.m.", "Sat 09:00:00 to Sat 11:00:00"),
    (FIVE_MINUTES, "from 9:30 to 10:01", "Sat 09:30:00 to Sat 10:01:00"),
    (FIVE_MINUTES, "after 10:04", "Sat 10:04:00 to Sat 10:05:00"),
    (FIVE_MINUTES, "since 9 o'clock", "Sat 09:00:00 to Sat 10:05:00"),
    (FIVE_MINUTES, "before 10:01", "Sat 10:00:00 to Sat 10:01:00"),
    (FIVE_MINUTES, "at 2026-01-31T10:02", "Sat 10:01:30 to Sat 10:02:30"),
    (FIVE_MINUTES, "at 2026-01-31 10:02:30", "Sat 10:02:00 to Sat 10:03:00"),
    (FIVE_MINUTES, "between 2026-01-31 10:01 and 10:02", "Sat 10:01:00 to Sat 10:02:00"),
    (FIVE_MINUTES, "this morning", "Sat 06:00:00 to Sat 10:05:00"),
    (FIVE_MINUTES, "today", "Sat 00:00:00 to Sat 10:05:00"),
    (
        FIVE_MINUTES,
        "at 00:01:30",
        "Sat 10:01:00 to Sat 10:02:00",
    ),  # an offset: half past midnight it did not run
    (NIGHT, "at half past ten", "Fri 22:30:00 to Fri 22:30:30"),
    (NIGHT, "at quarter past three", "Sat 03:14:30 to Sat 03:15:30"),
    (NIGHT, "at 20 past 3", "Sat 03:19:30 to Sat 03:20:30"),
    (NIGHT, "at eleven at night", "Fri 22:59:30 to Fri 23:00:30"),
    (NIGHT, "at three in the morning", "Sat 02:59:30 to Sat 03:00:30"),
    (NIGHT, "around 3 am", "Sat 02:55:00 to Sat 03:05:00"),
    (NIGHT, "between 11 and 1 am", "Fri 23:00:00 to Sat 01:00:00"),
    (NIGHT, "from 23:00 to 01:00", "Fri 23:00:00 to Sat 01:00:00"),
    (NIGHT, "between midnight and five", "Sat 00:00:00 to Sat 05:00:00"),
    (NIGHT, "30 minutes before midnight", "Fri 23:30:00 to Sat 00:00:00"),
    (NIGHT, "since midnight", "Sat 00:00:00 to Sat 07:30:00"),
    (NIGHT, "last night", "Fri 22:00:00 to Sat 07:00:00"),
    (NIGHT, "while she slept", "Fri 22:00:00 to Sat 07:00:00"),
    (NIGHT, "last night at 3:10", "Sat 03:09:30 to Sat 03:10:30"),
    (NIGHT, "yesterday at 11 pm", "Fri 22:59:30 to Fri 23:00:30"),
    (THREE_DAYS, "yesterday at 3:10", "Wed 03:09:30 to Wed 03:10:30"),
    (THREE_DAYS, "on Tuesday", "Tue 00:00:00 to Wed 00:00:00"),
    (THREE_DAYS, "on Tuesday morning", "Tue 06:00:00 to Tue 12:00:00"),
    (THREE_DAYS, "last Tuesday", "Tue 00:00:00 to Wed 00:00:00"),
    (THREE_DAYS, "Tuesday at 2 pm", "Tue 13:59:30 to Tue 14:00:30"),
    (THREE_DAYS, "on 27 January", "Tue 00:00:00 to Wed 00:00:00"),
    (THREE_DAYS, "on 2026-01-27", "Tue 00:00:00 to Wed 00:00:00"),
    (THREE_DAYS, "from 2026-01-26T22:00 to 2026-01-27T07:00", "Mon 22:00:00 to Tue 07:00:00"),
    (THREE_DAYS, "last night", "Wed 22:00:00 to Thu 07:00:00"),
    (THREE_DAYS, "the day before yesterday", "Tue 00:00:00 to Wed 00:00:00"),
    (THREE_DAYS, "since yesterday", "Wed 00:00:00 to Thu 10:00:00"),
]


@pytest.mark.parametrize(("info", "words", "span"), CLOCK_TIMES)
def test_clock_times_and_days_are_placed_where_the_recording_has_them(
    info: RecordingInfo, words: str, span: str
) -> None:
    assert clocked(f"How fast was my heart {words}?", info) == [span]


UNPLACED = [
    *((NO_CLOCK, words) for words in ("at 3 pm", "last night", "on Tuesday", "since midnight", "today", "at noon")),
    *((NO_CLOCK, words) for words in ("at 3:75", "from 2:00 to 1:00", "at 99999999999999999999 hours", "at six")),
    *((NO_CLOCK, words) for words in ("during the interview", "while she climbed the stairs", "at 3 with a friend")),
    *((NO_CLOCK, words) for words in ("between minute 3 and minute 7", "last week", "in the fifth quarter")),
    (FIVE_MINUTES, "at 25:61"),
    (FIVE_MINUTES, "at 13 pm"),
    (FIVE_MINUTES, "at 10:02:99"),
    (FIVE_MINUTES, "at 2026-13-45T10:00"),
    (FIVE_MINUTES, "on 31 February"),
    (FIVE_MINUTES, "at 2026-01-31T10:02Z"),  # the recording names no zone
    (FIVE_MINUTES, "at 10:02 UTC"),
    (FIVE_MINUTES, "in the evening at 10:02"),
    (NIGHT, "between quarter past four and half past"),
    (THREE_DAYS, "at 3:10"),
    (THREE_DAYS, "from 22:00 to 7:00"),
    (THREE_DAYS, "at 14:02:11"),
    (THREE_DAYS, "overnight"),
    (THREE_DAYS, "from Monday 8 am to Tuesday 8 am"),
    (THREE_DAYS, "in the first hour of last night"),
    (THREE_DAYS, "on the 27th"),
]


@pytest.mark.parametrize(("info", "words"), UNPLACED)
def test_what_cannot_be_placed_says_why_instead_of_guessing(info: RecordingInfo, words: str) -> None:
    spans = spans_in(f"What was the heart rate {words}?", info)
    assert any(span.kind == "unplaced" and span.problem for span in spans)


NO_TIME = [
    "What was the highest heart rate?",
    "How many beats per minute?",
    "Is it at 60?",
    "Was it between 60 and 100?",
    "Any pauses between 2 and 3 seconds?",
    "Any pauses up to 3 seconds?",
    "Pauses longer than 2 s?",
    "Did it happen every hour?",
    "Now, what was the highest heart rate?",
    "Was it uneven only now and then?",
    "How many beats until now?",
    "Is the first beat early?",
    "What is the shortest RR interval?",
    "Did it stay fast for a while?",
    "Was anything lost during the recording?",
    "Was it at 12 beats?",
]


@pytest.mark.parametrize("question", NO_TIME)
def test_words_that_name_no_time_are_left_alone(question: str) -> None:
    assert spans_in(question, NO_CLOCK) == []
    assert spans_in(question, FIVE_MINUTES) == []


def test_two_spans_come_in_the_order_of_the_question() -> None:
    assert placed("Compare the last minute with the first minute", NO_CLOCK) == [(240, 300), (0, 60)]


def test_the_other_words_keep_their_order_and_lose_the_time() -> None:
    _, rest = read_spans("Was it over one hundred and twenty in the first 6 min?", NO_CLOCK)
    assert " ".join(rest.split()) == "was it over 120 in ?"


@settings(max_examples=400, deadline=None)
@given(st.text(max_size=200), st.sampled_from([NO_CLOCK, FIVE_MINUTES, NIGHT, THREE_DAYS, ZONED]))
def test_no_text_is_an_error(text: str, info: RecordingInfo) -> None:
    for span in spans_in(text, info):
        assert math.isfinite(span.start_s)
        assert math.isfinite(span.end_s)
        assert (span.kind == "unplaced") == bool(span.problem)


WORDS = st.sampled_from(
    "from to between and until since after before at around the first last next second half quarter past of ago now "  # noqa: SIM905
    "minute minutes hour s sec day night morning yesterday today tuesday noon midnight am pm o'clock oclock in on 0 3 "
    "12 13 24 60 99 3:10 23:59 24:00 00:01:30 25:00 3:99 2026-01-31 2026-02-30 2026-01-31T10:02 Z +25:00 -3 1e9 0.5 "
    "31 february may 5 half-past couple few a an one twenty hundred point".split()
)


@settings(max_examples=600, deadline=None)
@given(st.lists(WORDS, max_size=12), st.sampled_from([NO_CLOCK, FIVE_MINUTES, NIGHT, THREE_DAYS, ZONED]))
def test_no_jumble_of_times_is_an_error_or_a_span_that_ends_before_it_begins(
    words: list[str], info: RecordingInfo
) -> None:
    for span in spans_in(" ".join(words), info):
        assert math.isfinite(span.start_s)
        assert math.isfinite(span.end_s)
        if not span.problem and span.start_s > span.end_s:  # since, after and before a time outside the recording
            assert span.start_s >= info.duration_s or span.end_s <= 0


def test_a_long_text_of_times_is_read_quickly() -> None:
    text = "between 1:00 and 2:00 from 3 " * 33
    began = time.perf_counter()
    spans_in(text, THREE_DAYS)
    assert time.perf_counter() - began < 1.0


@pytest.mark.parametrize(
    ("text", "info", "seconds"),
    [
        ("90s", NO_CLOCK, 90),
        ("90 s", NO_CLOCK, 90),
        ("1:30", NO_CLOCK, 90),
        ("00:01:30", NO_CLOCK, 90),
        ("00:01:30", FIVE_MINUTES, 90),
        ("2 min", NO_CLOCK, 120),
        ("10:02", FIVE_MINUTES, 120),
        ("10:02:15", FIVE_MINUTES, 135),
        ("2026-01-31T10:02", FIVE_MINUTES, 120),
        ("2026-01-31 10:02:15.5", FIVE_MINUTES, 135.5),
        ("2026-01-31T09:02Z", ZONED, 120),
        ("2026-01-31T10:02+01:00", ZONED, 120),
        ("2026-01-31T04:02-05:00", ZONED, 120),
        ("23:30", NIGHT, 3600),
        ("01:00", NIGHT, 9000),
        ("01:30:00", NIGHT, 5400),  # also a clock time of that night; the commands promise an offset
        ("2026-01-27T03:10", THREE_DAYS, 19 * 3600 + 600),
    ],
)
def test_from_and_to_take_offsets_clock_times_and_dates(text: str, info: RecordingInfo, seconds: float) -> None:
    assert parse_time(text, info) == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("text", "info"),
    [
        ("3 pm", NO_CLOCK),
        ("yesterday", FIVE_MINUTES),
        ("", NO_CLOCK),
        ("-90s", NO_CLOCK),
        ("nan", NO_CLOCK),
        ("9" * 400 + "s", NO_CLOCK),
        ("2026-02-30T10:00", FIVE_MINUTES),
        ("2026-01-31T10:02Z", FIVE_MINUTES),
        ("3:10", THREE_DAYS),
        ("10:02; rm -rf /", FIVE_MINUTES),
    ],
)
def test_a_time_for_from_or_to_that_cannot_be_placed_is_a_usage_error(text: str, info: RecordingInfo) -> None:
    with pytest.raises(UsageError, match="Cannot place the time"):
        parse_time(text, info)


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=40), st.sampled_from([NO_CLOCK, FIVE_MINUTES, THREE_DAYS, ZONED]))
def test_any_other_text_for_from_or_to_is_a_usage_error_too(text: str, info: RecordingInfo) -> None:
    with contextlib.suppress(UsageError):
        assert math.isfinite(parse_time(text, info))


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 299))
def test_a_time_copied_from_an_answer_is_found_again(second: int) -> None:
    for info in (NO_CLOCK, FIVE_MINUTES, NIGHT, ZONED):
        words = when_text(second, info)
        start_s, end_s = placed(f"heart rate at {words}", info)[0]
        assert start_s == pytest.approx(max(0, second - 30), abs=0.5)
        assert end_s == pytest.approx(min(info.duration_s, second + 30), abs=0.5)


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York", "Asia/Kathmandu"])
def test_clock_times_stay_true_over_a_change_to_summer_time(zone: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        for month, day in ((3, 7), (3, 28), (10, 24), (10, 31)):
            info = recording_info(datetime(2026, month, day, 12, tzinfo=UTC), 22 * 3600.0)
            for offset_s in (3600.0, 19 * 3600.0):
                words = when_text(offset_s, info)
                found = spans_in(f"heart rate at {words}", info)[0]
                assert found.problem or (found.start_s + found.end_s) / 2 == pytest.approx(offset_s)
    finally:
        monkeypatch.delenv("TZ")
        time.tzset()


def test_a_zone_in_the_question_is_converted_to_that_of_the_recording() -> None:
    info = recording_info(datetime(2026, 1, 31, 10, 0, tzinfo=timezone(timedelta(hours=5))))
    assert placed("at 2026-01-31T05:02:00Z", info) == [(90, 150)]


@pytest.mark.parametrize("words", ["from 10:10 to 10:20", "last night", "the 20th minute", "after 11 am", "on Monday"])
def test_a_time_outside_the_recording_was_not_recorded(words: str) -> None:
    source = source_of(pulses([0.8] * 60, start=MORNING))
    answer = ask(f"What was the heart rate {words}?", source)
    assert answer["status"] == "not_recorded"
    assert answer["verdict"] == "not sure"
    assert "the recording covers 10:00:00 to 10:00:5" in answer["answer"]


def test_a_time_partly_outside_is_cut_to_what_was_recorded() -> None:
    answer = ask("How many beats were there between 4:00 and 10:00?")
    assert answer["status"] == "answered"
    assert "between 4:00 and 5:00" in answer["answer"]
    assert (answer["span"]["start_s"], answer["span"]["end_s"]) == (240.0, 300.0)


@pytest.mark.parametrize(
    ("question", "verdict"),
    [
        ("Did we lose any data last night?", "not sure"),
        ("Was everything captured from midnight to six?", "not sure"),
        ("Were there pauses longer than 4 s in the last 24 hours?", "not sure"),
        ("Was the heart rate over 200 since midnight?", "not sure"),
        ("Were there more than 1000 beats today?", "not sure"),
        ("Were there any pauses last night?", "yes"),
        ("Were there more than 20 beats last night?", "yes"),
        ("Were there any pauses in the last minute?", "yes"),
    ],
)
def test_nothing_is_denied_of_a_time_that_was_recorded_in_part(question: str, verdict: str) -> None:
    source = source_of(pulses([0.8] * 40 + [3.2] + [0.8] * 40, start=MORNING.replace(hour=3)))
    answer = ask(question, source)
    assert answer["verdict"] == verdict
    assert ("only 03:00:00 to 03:01" in answer["answer"]) == ("minute" not in question)


def test_a_time_in_the_middle_of_a_gap_was_not_recorded() -> None:
    source = demo()
    assert ask("heart rate in the first minute", source)["status"] == "answered"
    from ask_tools import hard_recordings

    answer = ask("What was the heart rate from 2:00 to 3:00?", _without_start(hard_recordings()["gap"]))
    assert answer["status"] == "not_recorded"


def _without_start(source):  # type: ignore[no-untyped-def]
    from dataclasses import replace

    return replace(source, info=replace(source.info, start=None))


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (1.84, "1.8 s"),
        (59.7, "60 s"),
        (60, "1 min"),
        (119.7, "2 min"),
        (93, "1 min 33 s"),
        (3600, "1 h"),
    ],
)
def test_lengths_of_time_in_words(seconds: float, text: str) -> None:
    assert duration_text(seconds) == text


@pytest.mark.parametrize(
    ("seconds", "precise", "text"),
    [
        (0, False, "0:00"),
        (59.6, False, "1:00"),
        (3599.96, True, "1:00:00.0"),
        (75.25, True, "1:15.2"),
        (7384, False, "2:03:04"),
    ],
)
def test_offsets_in_words(seconds: float, precise: bool, text: str) -> None:
    assert offset_text(seconds, precise) == text


@pytest.mark.parametrize("zone", ["UTC", "America/New_York"])
def test_a_recording_that_states_its_offset_is_read_and_told_in_it(monkeypatch: pytest.MonkeyPatch, zone: str) -> None:
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        start = datetime(2026, 1, 31, 22, 0, tzinfo=timezone(timedelta(hours=1)))
        info = recording_info(start, 60.0)
        assert parse_time("22:00:30", info) == pytest.approx(30)
        assert when_text(30.0, info) == "22:00:30"
    finally:
        monkeypatch.delenv("TZ")
        time.tzset()


def test_now_in_a_recording_whose_strap_fell_silent_is_not_its_last_minute() -> None:
    """The link was lost an hour ago: what was measured then is not the rate now."""
    source = demo()
    silent = dataclasses.replace(source, info=dataclasses.replace(source.info, present_s=300.0 + 3600.0))
    for question in ("What is the heart rate now?", "How fast was the heart in the last 10 minutes?"):
        document = ask(question, silent)
        assert document["status"] == "not_recorded", document["answer"]
    assert ask("What was the heart rate in the last 2 hours?", silent)["status"] == "answered"
    assert ask("What was the highest heart rate?", silent)["status"] == "answered"
