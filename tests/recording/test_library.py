"""The folder of recordings: names, ages and sizes; what retention takes and what it never touches."""

import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from store_tools import FS_HZ, START, cut, new_writer, signal, store

from edge.clean.quality import Reason, State
from edge.errors import UsageError
from edge.pipeline import Decided, annotate
from edge.recording.library import (
    apply_retention,
    expire_blocks,
    folder_bytes,
    new_id,
    recording_path,
    recordings,
)
from edge.recording.store import StoredRecording
from edge.recording.writer import RecordingWriter
from edge.settings import StoreSettings
from edge.types import Annotations, Gap, Piece, Window, pieces

NOW = datetime(2026, 4, 1, tzinfo=UTC)
KEEP_ALL = StoreSettings(max_age_days=0.0, max_gb=0.0)


def stored_on(folder: Path, name: str, days_ago: float, n: int = 500) -> Path:
    path = folder / f"{name}.ecgdb"
    store(path, cut(signal(n), 100))
    changed_s = (NOW - timedelta(days=days_ago)).timestamp()
    os.utime(path, (changed_s, changed_s))
    return path


def being_written(path: Path, n_seconds: int, *, analysed: bool = True) -> RecordingWriter:
    """A recording that goes on, with a beat in every second."""
    writer = new_writer(path)
    for piece in cut(signal(n_seconds * 100), 50):
        writer.write(piece)
    if analysed:
        good = np.zeros(n_seconds, np.uint8)
        writer.add_decided([Decided(0, n_seconds * 100, np.arange(30, n_seconds * 100, 100), good, good)])
    return writer


def consistent(stored: StoredRecording) -> Annotations:
    """Windows and gaps cover time once; nothing was found in gaps; the gap rows are what is read."""
    found, at = stored.annotations(), 0
    covered: list[Piece] = list(pieces(stored))
    for piece in covered:
        assert piece.start == at
        at = piece.stop
    assert at == stored.info.n_samples
    assert all(a.stop <= b.start for a, b in zip(found.gaps[:-1], found.gaps[1:], strict=True))
    absent = np.isnan(stored.read_mv(0, at)).all(axis=1)
    by_rows = np.zeros(at, bool)
    for gap in found.gaps:
        by_rows[gap.start : gap.stop] = True
    np.testing.assert_array_equal(by_rows, absent)
    assert not absent[found.beats].any()
    for second, state in enumerate(found.quality):
        if absent[round(second * FS_HZ) : round((second + 1) * FS_HZ)].any():
            assert state == State.UNUSABLE
            assert found.reasons[second] & Reason.NO_SAMPLES
    return found


@pytest.mark.parametrize(
    "name", ["", ".", "..", "../x", "a/b", "a\\b", "/etc/x", "a b", "é", "x" * 65, "a\n", "-a", "a\0"]
)
def test_an_id_that_is_no_plain_name_is_a_usage_error(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match="is not a recording id"):
        recording_path(tmp_path, name)


@pytest.mark.parametrize(
    "name", ["demo", "_x", "__", "-", "../../etc/passwd", "my strap (left)", "é", "", "x" * 300, ".ssh"]
)
def test_any_name_makes_an_id_that_is_valid_and_unused(tmp_path: Path, name: str) -> None:
    first = new_id(tmp_path, name, NOW)
    path = recording_path(tmp_path, first)
    assert path.parent == tmp_path
    path.touch()
    second = new_id(tmp_path, name, NOW)
    recording_path(tmp_path, second).touch()
    assert len({first, second, new_id(tmp_path, name, NOW)}) == 3


def test_an_id_holds_the_time_in_utc(tmp_path: Path) -> None:
    summer = datetime.fromisoformat("2026-07-01T01:30:00+02:00")
    assert new_id(tmp_path, "demo", summer) == "demo-20260630T233000Z"


def test_recordings_are_listed_by_their_last_change_and_other_files_are_not(tmp_path: Path) -> None:
    paths = [stored_on(tmp_path, name, days) for name, days in (("c", 1), ("a", 3), ("b", 2))]
    (tmp_path / "notes.txt").write_text("x")
    assert recordings(tmp_path) == [paths[1], paths[2], paths[0]]
    assert recordings(tmp_path / "none") == []


def test_retention_by_age_removes_whole_recordings_with_their_side_files(tmp_path: Path) -> None:
    old, young = stored_on(tmp_path, "old", 31), stored_on(tmp_path, "young", 29)
    side = [old.with_name(old.name + end) for end in ("-wal", "-shm")]
    for path in side:
        path.touch()
    removed = apply_retention(tmp_path, StoreSettings(max_age_days=30.0, max_gb=0.0), NOW)
    assert removed.recordings == ("old",)
    assert sorted(tmp_path.iterdir()) == [young]


def test_retention_by_size_removes_the_oldest_until_the_rest_fits(tmp_path: Path) -> None:
    for k in range(5):
        stored_on(tmp_path, f"r{k}", 5 - k, 3000)
    each = folder_bytes(tmp_path) / 5
    removed = apply_retention(tmp_path, StoreSettings(max_age_days=0.0, max_gb=2.5 * each / 1e9), NOW)
    assert removed.recordings == ("r0", "r1", "r2")
    assert folder_bytes(tmp_path) <= 2.5 * each


def test_retention_that_is_switched_off_removes_nothing(tmp_path: Path) -> None:
    stored_on(tmp_path, "ancient", 9999)
    assert apply_retention(tmp_path, KEEP_ALL, NOW).recordings == ()
    assert len(recordings(tmp_path)) == 1


def test_the_recording_being_written_is_kept_however_its_path_is_spelt(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = stored_on(tmp_path, "kept", 400)
    monkeypatch.chdir(tmp_path)
    settings = StoreSettings(max_age_days=30.0, max_gb=1e-9)
    assert apply_retention(tmp_path, settings, NOW, Path("kept.ecgdb")).recordings == ()
    assert recordings(tmp_path) == [kept]


def test_the_recording_being_written_loses_its_oldest_blocks_by_age_and_they_become_a_gap(
    tmp_path: Path,
) -> None:
    path, n_seconds = tmp_path / "r.ecgdb", 60
    writer = being_written(path, n_seconds)
    now = START + timedelta(days=1, seconds=30)
    removed = apply_retention(tmp_path, StoreSettings(max_age_days=1.0, max_gb=0.0), now, path)
    assert removed.blocks > 0
    stored = StoredRecording(path)
    found = consistent(stored)
    assert len(found.gaps) == 1
    gap = found.gaps[0]
    assert (gap.start, gap.cause) == (0, "expired")
    assert 25 * 100 <= gap.stop <= 30 * 100
    np.testing.assert_array_equal(stored.read_mv(gap.stop, 6000), signal(6000)[gap.stop :])
    assert len(found.quality) == n_seconds
    assert found.quality[30:].tolist() == [State.GOOD] * 30
    stored.close()
    writer.close()


def test_the_recording_being_written_shrinks_to_the_size_allowed_and_no_further(tmp_path: Path) -> None:
    path = tmp_path / "r.ecgdb"
    writer = being_written(path, 2000)
    writer.close()
    whole = folder_bytes(tmp_path)
    apply_retention(tmp_path, StoreSettings(max_age_days=0.0, max_gb=0.5 * whole / 1e9), NOW, path)
    assert 0.4 * whole < folder_bytes(tmp_path) <= 0.5 * whole
    stored = StoredRecording(path)
    consistent(stored)
    stored.close()


def test_writing_goes_on_while_blocks_expire_over_and_over(tmp_path: Path) -> None:
    """Also blocks that are not packed yet: what is left keeps its place in time."""
    path, signal_mv = tmp_path / "r.ecgdb", signal(5000)
    writer, reader, expired = new_writer(path), None, 0
    for piece in cut(signal_mv, 50):
        writer.write(piece)
        if piece.start % 300 == 0:
            expired += expire_blocks(path, None, 1e12)
        reader = reader or StoredRecording(path)
        n = reader.info.n_samples
        gap_stop = max((gap.stop for gap in reader.annotations().gaps), default=0)
        np.testing.assert_array_equal(reader.read_mv(gap_stop, n), signal_mv[gap_stop:n])
        assert np.isnan(reader.read_mv(0, gap_stop)).all()
    writer.close()
    assert reader is not None
    assert expired > 20
    assert consistent(reader).gaps[0].stop > 1000
    reader.close()


def test_expiry_swallows_older_gaps_and_leaves_later_ones(tmp_path: Path) -> None:
    path = tmp_path / "r.ecgdb"
    signal_mv, at = signal(450), 0
    writer = new_writer(path)
    for k in range(4):
        writer.write(Window(at, signal_mv))
        writer.write(Gap(at + 450, at + 500, f"gap {k}"))
        at += 500
    writer.write(Window(at, signal_mv))
    now = START + timedelta(days=1, seconds=9.9)  # two windows and the gap between are older
    apply_retention(tmp_path, StoreSettings(max_age_days=1.0, max_gb=0.0), now, path)
    stored = StoredRecording(path)
    found = consistent(stored)
    assert found.gaps == (
        Gap(0, 950, "expired"),
        Gap(950, 1000, "gap 1"),
        Gap(1450, 1500, "gap 2"),
        Gap(1950, 2000, "gap 3"),
    )
    stored.close()
    writer.close()


def test_the_newest_block_and_what_is_not_analysed_never_expire(tmp_path: Path) -> None:
    path = tmp_path / "r.ecgdb"
    writer = new_writer(path)
    for piece in cut(signal(2000), 50):
        writer.write(piece)
    good = np.zeros(10, np.uint8)
    writer.add_decided([Decided(0, 1000, np.array([30]), good, good)])
    expire_blocks(path, None, 1e12)
    stored = StoredRecording(path)
    assert 500 < consistent(stored).gaps[0].stop <= 1000
    writer.add_decided([Decided(10, 2000, np.array([1500]), good, good)])
    expire_blocks(path, None, 1e12)
    found = consistent(stored)
    assert found.gaps[0].stop == 1600  # the newest block is [1600, 2000)
    assert found.n_samples == 2000
    stored.close()
    writer.close()


def test_what_is_left_after_expiry_is_analysed_as_before(tmp_path: Path) -> None:
    path = tmp_path / "r.ecgdb"
    being_written(path, 60, analysed=False).close()
    before = StoredRecording(path)
    whole = annotate(before)
    apply_retention(tmp_path, StoreSettings(max_age_days=1.0, max_gb=0.0), START + timedelta(days=1, seconds=20), path)
    left = annotate(before)
    assert left.gaps == before.annotations().gaps
    np.testing.assert_array_equal(left.quality[45:], whole.quality[45:])
    before.close()


def test_a_recording_deleted_meanwhile_does_not_stop_retention(tmp_path: Path) -> None:
    stored_on(tmp_path, "old", 40)
    (tmp_path / "gone.ecgdb").symlink_to(tmp_path / "nowhere")  # listed, but its state cannot be read
    assert apply_retention(tmp_path, StoreSettings(max_age_days=30.0), NOW).recordings == ("old",)


def test_expiry_does_not_wait_for_ever_for_a_reader(tmp_path: Path) -> None:
    path = tmp_path / "r.ecgdb"
    writer = being_written(path, 60)
    stored = StoredRecording(path)
    with stored._snapshot():
        stored._query("SELECT count(*) FROM block")
        assert expire_blocks(path, None, 5000.0) > 0
        assert stored.info.n_samples == 6000
    consistent(stored)
    stored.close()
    writer.close()


def test_retention_never_deletes_a_recording_that_another_gateway_is_writing(tmp_path: Path) -> None:
    own = being_written(tmp_path / "own.ecgdb", 60)
    other = being_written(tmp_path / "other.ecgdb", 60)
    stored_on(tmp_path, "done", days_ago=1.0)
    tight = StoreSettings(max_age_days=0.0, max_gb=1e-6)
    assert apply_retention(tmp_path, tight, NOW, own.path).recordings == ("done",)
    changed_s = (NOW - timedelta(days=90)).timestamp()
    os.utime(other.path, (changed_s, changed_s))
    assert apply_retention(tmp_path, StoreSettings(max_age_days=30.0, max_gb=0.0), NOW).recordings == ()
    other.write(Window(other.stop, signal(500)))
    other.close()
    own.close()
    assert StoredRecording(other.path).info.n_samples == 6500


WRITE_UNTIL_KILLED = """
import sqlite3, sys, time
db = sqlite3.connect(sys.argv[1], isolation_level=None)
db.execute("INSERT INTO meta VALUES ('written', 'yes')")
print("open", flush=True)
time.sleep(60)
"""


def test_retention_waits_for_another_process_and_takes_what_a_killed_one_left(tmp_path: Path) -> None:
    path = stored_on(tmp_path, "old", days_ago=40.0)
    a_month = StoreSettings(max_age_days=30.0, max_gb=0.0)
    with subprocess.Popen([sys.executable, "-c", WRITE_UNTIL_KILLED, str(path)], stdout=subprocess.PIPE) as writing:
        assert writing.stdout is not None
        writing.stdout.readline()
        assert apply_retention(tmp_path, a_month, NOW).recordings == ()
        writing.kill()
    assert path.with_name(path.name + "-wal").exists()
    assert apply_retention(tmp_path, a_month, NOW).recordings == ("old",)
    assert list(tmp_path.iterdir()) == []


def test_retention_takes_a_file_that_is_no_recording(tmp_path: Path) -> None:
    path = tmp_path / "damaged.ecgdb"
    path.write_bytes(b"x" * 5000)
    os.utime(path, (0, 0))
    assert apply_retention(tmp_path, StoreSettings(max_age_days=30.0), NOW).recordings == ("damaged",)
