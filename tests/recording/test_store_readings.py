"""Labels, waves, probabilities and rhythms: stored when they are known, read back as far as all is read."""

import sqlite3
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from store_tools import START, cut, new_writer, signal

from edge.errors import InputUnreadable, StorageFull
from edge.keeping import Keeper
from edge.recording.library import apply_retention
from edge.recording.store import UNREAD_S, StoredRecording
from edge.recording.writer import RecordingWriter
from edge.settings import Settings, StoreSettings
from edge.types import NO_POINT, Absent, Annotations, Decided, Reading, RhythmSpan, Window

STEP_S = 5  # so many seconds are decided at a time, with a beat in each


def decided(first: int, *readings: Reading) -> Decided:
    good = np.zeros(STEP_S, np.uint8)
    return Decided(first, (first + STEP_S) * 100, beats_of(first), good, good, readings)


def beats_of(first: int) -> np.ndarray:
    return np.arange(first, first + STEP_S) * 100 + 30


def reading(first: int, *rhythms: RhythmSpan, seed: int = 0) -> Reading:
    """Labels, waves and probabilities of every possible value."""
    chance = np.random.default_rng(first + seed)
    return Reading(
        first,
        (first + STEP_S) * 100,
        beats_of(first),
        chance.choice(np.frombuffer(b"NSVFQ", np.uint8), STEP_S),
        chance.integers(-(2**15), 2**15, (STEP_S, 9)).astype(np.int16),
        chance.integers(0, len(Absent), (STEP_S, 3)).astype(np.uint8),
        chance.integers(0, 256, (STEP_S, 4)).astype(np.uint8),
        rhythms,
    )


def read_recording(path: Path, n_steps: int, *, read_steps: int | None = None) -> RecordingWriter:
    """One that goes on: each step's reading comes with the next step, those from `read_steps` on never."""
    writer = new_writer(path)
    for piece in cut(signal(n_steps * STEP_S * 100), 100):
        writer.write(piece)
    for step in range(n_steps):
        read = (reading((step - 1) * STEP_S),) if 0 < step <= (n_steps if read_steps is None else read_steps) else ()
        writer.add_decided([decided(step * STEP_S, *read)])
    return writer


def load(path: Path) -> Annotations:
    stored = StoredRecording(path)
    try:
        return stored.annotations()
    finally:
        stored.close()


def is_reading(found: Annotations, first: int, expected: Reading) -> None:
    """The seconds and beats of a reading are these; there is one beat in each second."""
    at = slice(first, first + STEP_S)
    for name in ("beats", "labels", "waves", "absent", "likely"):
        column = getattr(found, name)
        np.testing.assert_array_equal(column[at], getattr(expected, name))
        assert column.dtype == getattr(expected, name).dtype


def test_what_was_read_comes_back_as_it_was_stored(tmp_path: Path) -> None:
    path = tmp_path / "r.ecgdb"
    spans = (RhythmSpan(30, 480, "(N"), RhythmSpan(480, 930, "(AFIB"))
    writer = new_writer(path)
    writer.write(Window(0, signal(1000)))
    writer.add_decided([decided(0)])
    writer.add_decided([decided(5, reading(0, spans[0])), Decided(10, 1000, *empty(), (reading(5, spans[1]),))])
    writer.add_classes((0.125, 0.5, 0.25, 0.125))
    writer.close()
    found = load(path)
    assert found.read
    assert found.n_samples == 1000
    is_reading(found, 0, reading(0))
    is_reading(found, 5, reading(5))
    assert found.rhythms == spans
    assert found.classes == (0.125, 0.5, 0.25, 0.125)


def empty() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return np.empty(0, np.int64), np.empty(0, np.uint8), np.empty(0, np.uint8)


def test_while_it_is_being_made_a_recording_is_whole_up_to_where_it_was_read(tmp_path: Path) -> None:
    path = tmp_path / "r.ecgdb"
    writer = read_recording(path, 4)
    found = load(path)
    assert found.n_samples == 3 * STEP_S * 100
    assert len(found.beats) == len(found.labels) == len(found.waves) == len(found.absent) == 3 * STEP_S
    assert len(found.quality) == len(found.reasons) == len(found.likely) == 3 * STEP_S
    writer.close()


def test_a_recording_that_was_killed_before_its_last_beats_were_read_does_not_count_as_analysed(tmp_path: Path) -> None:
    path = tmp_path / "r.ecgdb"
    read_recording(path, 4).close()
    stored = StoredRecording(path)
    assert stored.annotations().n_samples < stored.info.n_samples
    stored.close()


def test_where_reading_stopped_long_ago_the_beats_are_found_and_not_read(tmp_path: Path) -> None:
    path = tmp_path / "r.ecgdb"
    n_steps = int(UNREAD_S) // STEP_S + 4
    read_recording(path, n_steps, read_steps=2).close()
    found = load(path)
    assert not found.read
    assert found.n_samples == n_steps * STEP_S * 100
    assert len(found.beats) == n_steps * STEP_S
    assert len(found.labels) == len(found.waves) == len(found.rhythms) == 0


def test_a_beat_of_which_nothing_was_read_is_not_assessed(tmp_path: Path) -> None:
    path = tmp_path / "r.ecgdb"
    part = reading(0)
    columns = {name: getattr(part, name)[1:] for name in ("beats", "labels", "waves", "absent")}
    writer = new_writer(path)
    writer.write(Window(0, signal(500)))
    writer.add_decided([decided(0)])
    writer.add_decided([Decided(5, 500, *empty(), (replace(part, **columns),))])
    writer.close()
    found = load(path)
    assert bytes(found.labels[:1]) == b"Q"
    assert (found.waves[0] == NO_POINT).all()
    assert (found.absent[0] == Absent.NOT_ASSESSED).all()
    np.testing.assert_array_equal(found.waves[1:], part.waves[1:])


def test_a_reading_of_beats_that_were_left_out_brings_none_back(tmp_path: Path) -> None:
    """A stretch without contact: its beats were not stored."""
    path = tmp_path / "r.ecgdb"
    writer = new_writer(path)
    writer.write(Window(0, signal(500)))
    writer.add_decided([replace(decided(0), beats=beats_of(0)[3:], readings=(reading(0),))])
    writer.close()
    found = load(path)
    assert found.beats.tolist() == [330, 430]
    np.testing.assert_array_equal(found.labels, reading(0).labels[3:])


def as_schema_1(path: Path) -> None:
    """Make it what the version before wrote."""
    with sqlite3.connect(path) as db:
        db.execute("ALTER TABLE beat DROP COLUMN waves")
        db.execute("ALTER TABLE quality DROP COLUMN likely")
        db.execute("DROP TABLE rhythm")
        db.execute("UPDATE meta SET value = '1' WHERE key = 'schema'")


def test_a_recording_of_schema_1_has_beats_and_quality_and_no_readings(tmp_path: Path) -> None:
    path = tmp_path / "r.ecgdb"
    read_recording(path, 20, read_steps=0).close()
    before = load(path)
    as_schema_1(path)
    found = load(path)
    np.testing.assert_array_equal(found.beats, before.beats)
    np.testing.assert_array_equal(found.quality, before.quality)
    assert (found.n_samples, found.read, found.rhythms) == (before.n_samples, False, ())


def test_a_recording_of_schema_1_expires_like_any_other(tmp_path: Path) -> None:
    path = tmp_path / "r.ecgdb"
    read_recording(path, 20, read_steps=0).close()
    as_schema_1(path)
    apply_retention(tmp_path, StoreSettings(max_age_days=1.0, max_gb=0.0), START + timedelta(days=1, seconds=50), path)
    found = load(path)
    assert found.gaps[0].cause == "expired"
    assert found.beats[0] >= found.gaps[0].stop > 0


@pytest.mark.parametrize("schema", ["0", "3", "x"])
def test_a_recording_of_a_schema_to_come_is_unreadable_and_says_what_to_do(tmp_path: Path, schema: str) -> None:
    path = tmp_path / "r.ecgdb"
    read_recording(path, 2).close()
    with sqlite3.connect(path) as db:
        db.execute("UPDATE meta SET value = ? WHERE key = 'schema'", (schema,))
    with pytest.raises(InputUnreadable) as refused:
        StoredRecording(path)
    if schema == "3":
        assert refused.value.advice == "Update anyecg"


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE beat SET label = 'X' WHERE sample = 130",
        "UPDATE beat SET label = x'fffe' WHERE sample = 130",
        "UPDATE beat SET label = '' WHERE sample = 130",
        "UPDATE beat SET waves = '123456789012345678901' WHERE sample = 130",
        "UPDATE beat SET waves = x'0000000000000000000000000000000000000000ff' WHERE sample = 130",
        "UPDATE quality SET likely = -1 WHERE second = 1",
        "UPDATE quality SET likely = 'much' WHERE second = 1",
        "UPDATE meta SET value = '4_' WHERE key = 'read'",
        "INSERT INTO meta VALUES ('classes', '[0.1, null]')",
        "UPDATE rhythm SET stop = 'late'",
        "DROP TABLE rhythm",
    ],
)
def test_damage_to_what_was_read_is_unreadable_and_the_signal_still_reads(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "r.ecgdb"
    writer = read_recording(path, 3)
    writer.add_decided([decided(15, reading(10, RhythmSpan(0, 1400, "(N")))])
    writer.close()
    with sqlite3.connect(path) as db:
        db.execute(damage)
    stored = StoredRecording(path)
    with pytest.raises(InputUnreadable):
        stored.annotations()
    np.testing.assert_array_equal(stored.read_mv(0, 1500), signal(1500))
    stored.close()


def test_a_full_disk_stores_a_reading_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "r.ecgdb"
    writer = read_recording(path, 3)
    pages = writer._db.execute("PRAGMA page_count").fetchone()[0]
    writer._db.execute(f"PRAGMA max_page_count = {pages}")
    spans = [RhythmSpan(k, k + 1, "(N") for k in range(20_000)]
    late = decided(15, reading(10, *spans, seed=1))
    with pytest.raises(StorageFull):
        writer.add_decided([late])
    found = load(path)
    assert (found.n_samples, found.rhythms) == (1000, ())
    writer._db.execute("PRAGMA max_page_count = 100000")
    writer.add_decided([late])
    found = load(path)
    assert found.n_samples == len(found.likely) * 100 == 1500
    is_reading(found, 10, reading(10, seed=1))
    assert len(found.rhythms) == 1500  # cut where the reading ends
    writer.close()


def test_retention_takes_the_rhythms_of_what_it_takes_and_cuts_a_span_that_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "r.ecgdb"
    writer = read_recording(path, 12)
    writer.add_decided([decided(60, reading(55, RhythmSpan(30, 700, "(VT"), RhythmSpan(700, 4500, "(N")))])
    now = START + timedelta(days=1, seconds=30)
    apply_retention(tmp_path, StoreSettings(max_age_days=1.0, max_gb=0.0), now, path)
    writer.add_decided([decided(65, reading(60, RhythmSpan(4500, 6200, "(AFIB")))])
    found = load(path)
    cut_at = found.gaps[0].stop
    assert 700 < cut_at <= 3000
    assert found.rhythms == (RhythmSpan(cut_at, 4500, "(N"), RhythmSpan(4500, 6200, "(AFIB"))
    assert len(found.beats) == len(found.labels) == len(found.waves)
    assert found.beats[0] >= cut_at
    writer.close()


def test_a_span_closed_after_retention_took_its_begin_is_cut_too(tmp_path: Path) -> None:
    path = tmp_path / "r.ecgdb"
    writer = read_recording(path, 12)
    now = START + timedelta(days=1, seconds=30)
    apply_retention(tmp_path, StoreSettings(max_age_days=1.0, max_gb=0.0), now, path)
    writer.add_decided([decided(60, reading(55, RhythmSpan(30, 600, "(VT"), RhythmSpan(700, 5500, "(N")))])
    found = load(path)
    assert found.rhythms == (RhythmSpan(found.gaps[0].stop, 5500, "(N"),)
    writer.close()


def test_at_the_end_of_a_recording_its_class_and_the_last_readings_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "r.ecgdb"
    writer = read_recording(path, 4)
    keeper = Keeper(writer, Settings())
    last = Decided(20, 2000, *empty(), (reading(15, RhythmSpan(30, 2000, "(N")),))
    keeper.finish([last], classes=(1.0, 0.0, 0.0, 0.0))
    writer.close()
    stored = StoredRecording(path)
    found = stored.annotations()
    assert found.n_samples == stored.info.n_samples == 2000
    assert found.classes == (1.0, 0.0, 0.0, 0.0)
    assert found.rhythms == (RhythmSpan(30, 2000, "(N"),)
    assert stored.facts()
    stored.close()


def test_a_second_with_its_beat_and_their_readings_takes_less_than_64_bytes(tmp_path: Path) -> None:
    path, few, many = tmp_path / "r.ecgdb", 10, 1000
    writer = read_recording(path, few)
    pages = writer._db.execute("PRAGMA page_count").fetchone()[0]
    for step in range(few, many):
        writer.add_decided([decided(step * STEP_S, reading((step - 1) * STEP_S))])
    more = writer._db.execute("PRAGMA page_count").fetchone()[0] - pages
    page_bytes = writer._db.execute("PRAGMA page_size").fetchone()[0]
    assert more * page_bytes < 64 * (many - few) * STEP_S
    writer.close()
