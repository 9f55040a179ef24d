"""The live state: a rate of what follows on each other, the present rhythm or why there is none."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import numpy as np
import pytest

from edge.acquire.arrivals import ClockSet, LinkStatus, Started
from edge.acquire.driver import Stream
from edge.acquire.replay import PROTOCOL
from edge.intake import Intake
from edge.recording.writer import RecordingWriter
from edge.serve.live_state import LiveState
from edge.serve.payloads import State
from edge.settings import Settings
from edge.types import RR_HZ, Decided, Lead, Reading, RecordingInfo, RhythmSpan

FS_HZ = 250.0
START = datetime(2026, 3, 1, 13, tzinfo=timezone(timedelta(hours=1)))
STREAMING = LinkStatus("streaming")
NOW = "2026-03-01T12:10:00+00:00"


def seconds(first: int, n: int, bpm: float) -> Decided:
    """Good seconds with a steady rate."""
    beats = np.arange(first, first + n, 60 / bpm) * FS_HZ
    good = np.zeros(n, np.uint8)
    return Decided(first, round((first + n) * FS_HZ), beats.astype(np.int64), good, good)


@dataclass(frozen=True, slots=True, eq=False)
class Told(Decided):
    """A decision that names the rhythm that goes on."""

    rhythm_now: RhythmSpan | None = None


def told(first: int, n: int, rhythm: RhythmSpan | None, closed: tuple[RhythmSpan, ...] = ()) -> Told:
    """Seconds, with the readings of all up to six seconds before their end: two V beats and an S beat."""
    d = seconds(first, n, 60.0)
    rows = np.zeros((4, 9), np.int16), np.zeros((4, 3), np.uint8), np.zeros((n, 4), np.uint8)
    read = Reading(first, d.stop - round(6 * FS_HZ), d.beats[:4], np.frombuffer(b"VNVS", np.uint8), *rows, closed)
    return Told(d.first_second, d.stop, d.beats, d.quality, d.reasons, (read,), rhythm)


def span(start_s: int, stop_s: int, label: str) -> RhythmSpan:
    return RhythmSpan(round(start_s * FS_HZ), round(stop_s * FS_HZ), label)


def new_state(info: RecordingInfo | None = None) -> LiveState:
    return LiveState(info or RecordingInfo("r", (Lead("I"),), FS_HZ, 0, START, "store"), Settings())


def new_intake() -> Intake:
    def no_writer(*_: object) -> None: ...

    return Intake(no_writer, Settings())  # type: ignore[arg-type]  # never begins a recording here


def rhythm_of(state: State) -> tuple[str | None, str | None, str, str | None]:
    return state.rhythm, state.rhythm_name, state.rhythm_reason, state.rhythm_since


def test_decisions_that_a_failing_disk_withheld_do_not_shift_the_beats_of_the_later_ones() -> None:
    state, intake = new_state(), new_intake()
    state.add([seconds(0, 30, 60.0)], [], intake)
    state.add([seconds(50, 30, 80.0)], [], intake)
    assert [d.first_second for d in state.recent] == [50]
    shown = state.payload(NOW, STREAMING, 0)
    assert shown.rate_bpm is not None
    assert abs(shown.rate_bpm - 80) < 1


def test_the_present_rhythm_is_shown_by_both_names_and_since_when() -> None:
    state = new_state()
    assert state.add([told(0, 90, span(30, 84, "(N"))], [], new_intake()) == []
    shown = state.payload(NOW, STREAMING, 0)
    assert rhythm_of(shown) == ("(N", "normal sinus rhythm", "", "2026-03-01T12:00:30.000+00:00")
    assert shown.ventricular_ectopic_last_hour == 2
    assert shown.supraventricular_ectopic_last_hour == 1


@pytest.mark.parametrize("start", [None, datetime(2026, 3, 1, 12)])  # noqa: DTZ001 - some files name no time zone
def test_without_a_clock_time_the_rhythm_has_no_since(start: datetime | None) -> None:
    state = new_state(RecordingInfo("r", (Lead("I"),), FS_HZ, 0, start, "store"))
    state.add([told(0, 90, span(30, 84, "(N"))], [], new_intake())
    assert rhythm_of(state.payload(NOW, STREAMING, 0)) == ("(N", "normal sinus rhythm", "", None)


def test_a_rhythm_that_was_seen_before_the_link_was_lost_is_not_the_present_one() -> None:
    state = new_state()
    state.add([told(0, 90, span(30, 84, "(VT"))], [], new_intake())
    shown = state.payload(NOW, LinkStatus("lost"), 0)
    assert rhythm_of(shown) == (None, None, "the link to the strap is lost", None)
    assert shown.ventricular_ectopic_last_hour == 2


def test_where_beats_are_found_and_not_read_the_state_says_so() -> None:
    state = new_state()
    state.add([seconds(0, 30, 60.0)], [], new_intake())
    assert state.payload(NOW, STREAMING, 0).rhythm_reason == "no rhythm can be told yet"
    state.add([seconds(30, 40, 60.0)], [], new_intake())
    shown = state.payload(NOW, STREAMING, 0)
    assert rhythm_of(shown) == (None, None, "rhythms are not read here", None)
    assert shown.ventricular_ectopic_last_hour is shown.supraventricular_ectopic_last_hour is None


def test_in_unusable_signal_the_state_says_why_there_is_no_rhythm() -> None:
    state = new_state()
    bad = told(0, 30, None)
    state.add([replace(bad, quality=np.full(30, 2, np.uint8))], [], new_intake())
    assert state.payload(NOW, STREAMING, 0).rhythm_reason == "the signal is not usable"


def test_a_strap_without_an_ecg_has_no_rhythm() -> None:
    state = new_state(RecordingInfo("r", (), RR_HZ, 0, START, "store"))
    shown = state.payload(NOW, STREAMING, 0)
    assert shown.rhythm_reason == "this recording holds the strap's RR intervals and no ECG"


def test_begin_and_end_are_told_in_the_order_in_which_they_became_known() -> None:
    state, intake = new_state(), new_intake()
    first = told(0, 90, span(40, 84, "(AFIB"), (span(0, 38, "(N"), span(38, 40, "(VT")))
    second = told(90, 60, span(120, 144, "(N"), (span(40, 120, "(AFIB"),))
    changes = state.add([first, second], [], intake)
    assert [(c.kind, c.sample / FS_HZ, c.label) for c in changes] == [
        ("rhythm_began", 38, "(VT"),
        ("rhythm_ended", 40, "(VT"),
        ("rhythm_began", 40, "(AFIB"),
        ("rhythm_ended", 120, "(AFIB"),
    ]


def test_when_the_hosts_clock_was_set_the_rhythms_time_follows(tmp_path: Path) -> None:
    writers: list[RecordingWriter] = []

    def begin(leads: tuple[Lead, ...], fs_hz: float, start: datetime, notes: tuple[str, ...]) -> RecordingWriter:
        info = RecordingInfo("r", leads, fs_hz, 0, start, "store", notes)
        writers.append(RecordingWriter(tmp_path / "r.ecgdb", info))
        return writers[-1]

    intake = Intake(begin, Settings())
    intake.take([Started(Stream(PROTOCOL, (Lead("I"),), FS_HZ, "counter"), START.timestamp())])
    state = new_state(writers[0].info)
    intake.take([ClockSet(3600.0)])
    state.add([told(0, 90, span(30, 84, "(N"))], [], intake)
    assert state.clock_time(0.0) == (START + timedelta(hours=1)).astimezone(UTC).isoformat(timespec="milliseconds")
    intake.end()
