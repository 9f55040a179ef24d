"""A full disk, damage, deletion, a killed writer: nothing that was stored before is lost to it."""

import random
import sqlite3
import threading
from pathlib import Path

import numpy as np
import pytest
from store_tools import QUICK, cut, dense, new_writer, signal, store

from bench.kill import killed_replay
from edge.errors import InputUnreadable, StorageError, StorageFull
from edge.formats.memory import demo_recording
from edge.recording.store import StoredRecording
from edge.recording.writer import RecordingWriter
from edge.types import Decided, Gap, LinkEvent, Piece, Window, pieces


def set_free_pages(writer: RecordingWriter, n: int) -> None:
    """The disk is full once the store has grown by so many pages."""
    used = writer._db.execute("PRAGMA page_count").fetchone()[0]
    writer._db.execute(f"PRAGMA max_page_count = {used + n}")


def read_everything(path: Path) -> None:
    """What a report does with a recording."""
    stored = StoredRecording(path)
    try:
        n = min(stored.info.n_samples, 100_000)
        stored.read_mv(0, n)
        for piece in pieces(stored, 0, n):
            assert piece.stop > piece.start
        stored.annotations()
        stored.link_events()
        stored.anchors()
    finally:
        stored.close()


def full_recording(path: Path) -> list[Piece]:
    """A finished recording with something in every table."""
    written = [*cut(signal(1200), 70), Gap(1200, 1300, "link lost"), *cut(signal(500, 1), 70, 1300)]
    writer = new_writer(path)
    for piece in written:
        writer.write(piece)
    states = np.zeros(18, np.uint8)
    writer.add_decided([Decided(0, 1800, np.arange(50, 1800, 80), states, states)])
    writer.add_events([LinkEvent(1200, "gap", "100 samples missing")])
    writer.add_anchor(1800, 1.75e9)
    writer.close()
    return written


def test_a_full_disk_loses_nothing_that_was_stored_and_nothing_that_waits(tmp_path: Path) -> None:
    path = tmp_path / "r.ecgdb"
    written: list[Piece] = [
        *cut(signal(3000), 30),
        Gap(3000, 3100, "link lost"),
        *cut(signal(900, 1), 30, 3100),
    ]
    whole = dense(written)
    writer, refused = new_writer(path), 0
    stored = StoredRecording(path)
    for k, piece in enumerate(written):
        if k == 40:
            set_free_pages(writer, 3)
        try:
            writer.write(piece)
        except StorageFull:
            refused += 1
        if refused == 1:
            n = stored.info.n_samples
            assert n > 1000
            np.testing.assert_array_equal(stored.read_mv(0, n), whole[:n])
    assert refused > 20
    assert writer.stop == len(whole)
    set_free_pages(writer, 10_000)
    writer.commit()
    np.testing.assert_array_equal(stored.read_mv(0, len(whole)), whole)
    assert stored.annotations().gaps == (Gap(3000, 3100, "link lost"),)
    writer.write(Window(len(whole), signal(100)))
    writer.close()
    assert stored.info.n_samples == len(whole) + 100
    stored.close()


def test_a_full_disk_that_is_never_freed_leaves_a_recording_that_opens(tmp_path: Path) -> None:
    path, signal_mv = tmp_path / "r.ecgdb", signal(5000)
    writer = new_writer(path)
    writer.write(Window(0, signal_mv[:1000]))
    set_free_pages(writer, 1)
    with pytest.raises(StorageFull, match="everything stored before is intact"):
        writer.write(Window(1000, signal_mv[1000:]))
    with pytest.raises(StorageFull):
        writer.close()
    stored = StoredRecording(path)
    n = stored.info.n_samples
    assert n >= 1000
    np.testing.assert_array_equal(stored.read_mv(0, n), signal_mv[:n])
    stored.close()


def test_a_full_disk_stores_a_decision_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "r.ecgdb"
    writer = new_writer(path)
    writer.write(Window(0, signal(100)))
    set_free_pages(writer, 1)
    many = Decided(0, 100, np.arange(100_000), np.zeros(1, np.uint8), np.zeros(1, np.uint8))
    with pytest.raises(StorageFull):
        writer.add_decided([many])
    stored = StoredRecording(path)
    assert (len(stored.annotations().beats), stored.annotations().n_samples) == (0, 0)
    stored.close()
    writer.close()


def test_writing_after_close_is_a_storage_error(tmp_path: Path) -> None:
    writer = new_writer(tmp_path / "r.ecgdb")
    writer.close()
    with pytest.raises(StorageError):
        writer.write(Window(0, signal(100)))


def test_a_folder_that_cannot_be_made_is_a_storage_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(StorageError):
        new_writer(tmp_path / "file" / "r.ecgdb")


@pytest.mark.parametrize("damage", ["data = x'00'", "data = zeroblob(9)", "codec = 9", "codec = 1", "n = n + 1"])
def test_a_damaged_block_reads_as_a_gap_and_raises_nothing(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "r.ecgdb"
    whole = dense(full_recording(path))
    with sqlite3.connect(path) as db:
        start, n = db.execute("SELECT start, n FROM block WHERE lead = 1 ORDER BY start LIMIT 1 OFFSET 1").fetchone()
        # `codec = 1` says that the lead of floats holds counts; both leads go, so that it is a gap.
        also_counts = "" if damage == "codec = 1" else " OR lead = 0"
        db.execute(f"UPDATE block SET {damage} WHERE start = ? AND (lead = 1{also_counts})", (start,))
        if not also_counts:
            db.execute("UPDATE block SET data = x'' WHERE start = ? AND lead = 0", (start,))
    stored = StoredRecording(path)
    np.testing.assert_array_equal(stored.read_mv(0, start), whole[:start])
    assert np.isnan(stored.read_mv(start, start + n)).all()
    np.testing.assert_array_equal(stored.read_mv(start + n, 1800), whole[start + n :])
    assert stored.gap_cause(start) == "block unreadable"
    found = [p for p in pieces(stored) if isinstance(p, Gap)]
    assert found == [Gap(start, start + n, "block unreadable"), Gap(1200, 1300, "link lost")]
    stored.close()


def test_a_block_that_is_damaged_before_it_is_packed_stays_a_gap_and_the_writer_goes_on(
    tmp_path: Path,
) -> None:
    path, signal_mv = tmp_path / "r.ecgdb", signal(1000)
    writer = new_writer(path)
    writer.write(Window(0, signal_mv[:50]))
    writer.write(Window(50, signal_mv[50:100]))
    with sqlite3.connect(path) as db:
        db.execute("UPDATE block SET data = x'00' WHERE start = 50")
    for piece in cut(signal_mv[100:], 50, 100):
        writer.write(piece)
    writer.close()
    stored = StoredRecording(path)
    missing = np.isnan(stored.read_mv(0, 1000)).all(axis=1)
    assert np.flatnonzero(missing).tolist() == list(range(50, 100))
    np.testing.assert_array_equal(stored.read_mv(100, 1000), signal_mv[100:])
    stored.close()


@pytest.mark.parametrize(
    "content", [b"", b"x", b"SQLite format 3\0", b"\0" * 5000, b"SQLite format 3\0" + b"\xff" * 5000]
)
def test_a_file_that_is_no_recording_is_unreadable(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "r.ecgdb"
    path.write_bytes(content)
    with pytest.raises(InputUnreadable):
        StoredRecording(path)
    assert path.read_bytes() == content


def test_a_database_of_something_else_is_unreadable(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "r.ecgdb") as db:
        db.execute("CREATE TABLE meta (key TEXT, value TEXT)")
    with pytest.raises(InputUnreadable):
        StoredRecording(tmp_path / "r.ecgdb")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("leads", "[]"),
        ("leads", "7"),
        ("leads", '[{"volume": 3}]'),
        ("leads", "{"),
        ("fs_hz", "0.0"),
        ("fs_hz", "-5"),
        ("fs_hz", "nan"),
        ("fs_hz", "x"),
        ("start", "2026-13-01"),
        ("longest_block", "x"),
        ("id", None),
    ],
)
def test_a_damaged_description_is_unreadable(tmp_path: Path, key: str, value: str | None) -> None:
    full_recording(tmp_path / "r.ecgdb")
    with sqlite3.connect(tmp_path / "r.ecgdb") as db:
        db.execute("DELETE FROM meta WHERE key = ?", (key,))
        if value is not None:
            db.execute("INSERT INTO meta VALUES (?, ?)", (key, value))
    with pytest.raises(InputUnreadable):
        StoredRecording(tmp_path / "r.ecgdb")


def test_damage_to_what_was_found_is_unreadable_and_the_signal_still_reads(tmp_path: Path) -> None:
    whole = dense(full_recording(tmp_path / "r.ecgdb"))
    with sqlite3.connect(tmp_path / "r.ecgdb") as db:
        db.execute("UPDATE meta SET value = '18G0' WHERE key = 'analysed'")
    stored = StoredRecording(tmp_path / "r.ecgdb")
    with pytest.raises(InputUnreadable):
        stored.annotations()
    np.testing.assert_array_equal(stored.read_mv(0, 1800), whole)
    stored.close()


def test_a_missing_file_is_unreadable_and_is_not_created(tmp_path: Path) -> None:
    with pytest.raises(InputUnreadable):
        StoredRecording(tmp_path / "none.ecgdb")
    assert list(tmp_path.iterdir()) == []


def test_a_truncated_recording_is_read_in_part_or_unreadable(tmp_path: Path) -> None:
    full_recording(tmp_path / "whole.ecgdb")
    content, refused = (tmp_path / "whole.ecgdb").read_bytes(), 0
    for k in range(1, 40):
        path = tmp_path / f"{k}.ecgdb"
        path.write_bytes(content[: len(content) * k // 40])
        try:
            read_everything(path)
        except InputUnreadable:
            refused += 1
    assert refused > 10


def test_damage_anywhere_in_the_file_is_read_around_or_unreadable(tmp_path: Path) -> None:
    full_recording(tmp_path / "whole.ecgdb")
    content, chance, refused = (tmp_path / "whole.ecgdb").read_bytes(), random.Random(4), 0
    for k in range(300):
        damaged = bytearray(content)
        at = chance.randrange(len(damaged))
        damaged[at : at + chance.choice([1, 1, 8, 300])] = chance.randbytes(1) * chance.choice([1, 1, 8])
        path = tmp_path / f"{k}.ecgdb"
        path.write_bytes(damaged)
        try:
            read_everything(path)
        except InputUnreadable:
            refused += 1
        path.unlink()
    assert 0 < refused < 300


def delete(path: Path) -> None:
    for side in ("", "-wal", "-shm"):
        path.with_name(path.name + side).unlink(missing_ok=True)


def test_a_recording_deleted_while_it_is_read_is_read_to_the_end_or_unreadable(tmp_path: Path) -> None:
    signal_mv = signal(20_000)
    for seed in range(5):
        path = tmp_path / f"{seed}.ecgdb"
        store(path, cut(signal_mv, 300))
        stored = StoredRecording(path)
        deleting = threading.Timer(0.002 * seed, delete, (path,))  # retention leaves alone what is read
        deleting.start()
        try:
            for start in range(0, 20_000, 40):
                np.testing.assert_array_equal(stored.read_mv(start, start + 40), signal_mv[start : start + 40])
            stored.annotations()
        except InputUnreadable:
            pass
        deleting.join()
        stored.close()
        assert list(tmp_path.iterdir()) == []
        with pytest.raises(InputUnreadable):
            StoredRecording(path)


def test_a_file_cut_short_while_it_is_read_is_read_in_part_or_unreadable(tmp_path: Path) -> None:
    path = tmp_path / "r.ecgdb"
    store(path, cut(signal(20_000), 300), QUICK)
    stored = StoredRecording(path)
    stored.read_mv(0, 100)
    with path.open("r+b") as file:
        file.truncate(9000)
    try:
        for start in range(0, 20_000, 400):
            stored.read_mv(start, start + 400)
    except InputUnreadable:
        pass
    stored.close()


def test_a_killed_writer_leaves_a_recording_that_opens_and_lacks_a_second_at_most(tmp_path: Path) -> None:
    recording = demo_recording()
    whole = recording.read_mv(0, recording.info.n_samples)
    for k, after_s in enumerate((0.02, 0.15, 0.3, 0.45, 0.6, 0.75)):
        path = tmp_path / f"{k}.ecgdb"
        handed_over = killed_replay(path, after_s)
        stored = StoredRecording(path)
        n = stored.info.n_samples
        np.testing.assert_array_equal(stored.read_mv(0, n), whole[:n])
        assert handed_over - n <= recording.info.fs_hz
        assert stored.annotations().n_samples <= n
        stored.close()
