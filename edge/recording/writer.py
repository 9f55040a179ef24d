"""Writing a recording's store: what was handed over is on disk soon, all of it or none.

Signal is committed every `StoreSettings.commit_s` of it, so a killed process loses at most what came after the last
commit; small commits are packed into larger blocks as the recording goes on.
"""

import json
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from edge.errors import StorageError, StorageFull
from edge.recording import codec
from edge.recording.readings import UNLABELLED, packed_likely, packed_waves
from edge.recording.store import SCHEMA_VERSION, decoded
from edge.settings import StoreSettings
from edge.types import Decided, Fact, Gap, LinkEvent, Piece, Reading, RecordingInfo, SignalMv, Window

_TABLES = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE block (lead INTEGER, start INTEGER, n INTEGER NOT NULL, codec INTEGER NOT NULL, data BLOB NOT NULL,
                    PRIMARY KEY (lead, start));
CREATE TABLE gap (start INTEGER PRIMARY KEY, stop INTEGER NOT NULL, cause TEXT NOT NULL);
CREATE TABLE beat (sample INTEGER PRIMARY KEY, label TEXT NOT NULL, waves BLOB);
CREATE TABLE quality (second INTEGER PRIMARY KEY, state INTEGER NOT NULL, reasons INTEGER NOT NULL, likely INTEGER);
CREATE TABLE rhythm (start INTEGER PRIMARY KEY, stop INTEGER NOT NULL, label TEXT NOT NULL);
CREATE TABLE link_event (id INTEGER PRIMARY KEY, sample INTEGER NOT NULL, kind TEXT NOT NULL, detail TEXT NOT NULL);
CREATE TABLE fact (id INTEGER PRIMARY KEY, document TEXT NOT NULL);
CREATE TABLE anchor (sample INTEGER PRIMARY KEY, utc_s REAL NOT NULL);
"""

Statement = tuple[str, tuple[object, ...]]
_SET_META = "INSERT OR REPLACE INTO meta VALUES (?, ?)"


class RecordingWriter:
    """Writes one recording. Pieces must follow each other without a hole; one thread at a time."""

    def __init__(self, path: Path, info: RecordingInfo, settings: StoreSettings | None = None) -> None:
        """Create the store; StorageError where the folder cannot be written."""
        self.path = path
        self.info = info
        self._settings = settings or StoreSettings()
        self._waiting: list[Piece] = []  # taken in, not on disk yet
        self._stop = 0  # what was taken in ends here
        self._written = 0  # blocks and gaps on disk end here
        self._packed = 0  # large blocks end here
        self._block_n = max(1, round(self._settings.block_s * info.fs_hz))
        self._commit_n = max(1, round(self._settings.commit_s * info.fs_hz))
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            if path.exists():
                raise StorageError(f"{path} exists already", "Choose another id")
            self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
            self._db.execute("PRAGMA auto_vacuum = INCREMENTAL")
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute(f"PRAGMA synchronous = {self._settings.synchronous}")
            meta = {
                "schema": str(SCHEMA_VERSION),
                "id": info.id,
                "leads": json.dumps([asdict(lead) for lead in info.leads]),
                "fs_hz": repr(info.fs_hz),
                "start": info.start.isoformat() if info.start else "",
                "created": datetime.now(UTC).isoformat(timespec="seconds"),
                # At most `block_n` are written at once, and packed with less than `block_n` before them.
                "longest_block": str(2 * self._block_n),
            }
            self._db.execute("BEGIN IMMEDIATE")
            for statement in _TABLES.split(";"):
                self._db.execute(statement)
            self._db.executemany("INSERT INTO meta VALUES (?, ?)", list(meta.items()))
            self._db.execute("COMMIT")
        except (sqlite3.Error, OSError) as error:
            raise storage_error(path, error) from error

    def write(self, piece: Piece) -> None:
        """Take in a window or a gap; committed at the latest when `commit_s` of signal waits.

        After StorageFull or StorageError the piece has been taken in all the same and waits: `commit` again when
        there is space, or go on with the next piece.
        """
        if piece.start != self.stop or piece.stop < piece.start:
            raise ValueError(f"piece is [{piece.start}, {piece.stop}), expected one from {self.stop} on")
        if isinstance(piece, Gap):
            parts: list[Piece] = [piece] if piece.stop > piece.start else []
        else:
            signal_mv = np.asarray(piece.signal_mv, np.float32)
            if signal_mv.shape[1:] != (len(self.info.leads),):
                raise ValueError(f"shape {signal_mv.shape}, expected {len(self.info.leads)} leads")
            # A long hand-over is cut, so that no block outgrows what readers look back for.
            cuts = range(0, len(signal_mv), self._block_n)
            parts = [Window(piece.start + a, signal_mv[a : a + self._block_n]) for a in cuts]
        self._waiting += parts
        self._stop = piece.stop
        if isinstance(piece, Gap) or self._stop - self._written >= self._commit_n:
            self.commit()

    @property
    def stop(self) -> int:
        """Index after the last sample handed over."""
        return self._stop

    def commit(self) -> None:
        """Put everything handed over so far on disk; pack the small blocks once they fill a large one."""
        while self._waiting:
            first = self._waiting[0]
            n_pieces, packed = 1, self._packed
            if isinstance(first, Gap):
                row = (first.start, first.stop, first.cause)
                stop = packed = first.stop
                self._transact([("INSERT OR REPLACE INTO gap VALUES (?, ?, ?)", row)])
            else:
                windows = self._next_windows()
                n_pieces, stop = len(windows), windows[-1].stop
                signal_mv = np.concatenate([window.signal_mv for window in windows])
                if stop - packed >= self._block_n:
                    packed = stop
                    self._transact(self._pack(signal_mv))
                else:
                    leads = range(signal_mv.shape[1])
                    self._transact(self._insert(k, first.start, signal_mv[:, k]) for k in leads)
            # Only now: after a full disk the samples still wait, and the call may be repeated.
            del self._waiting[:n_pieces]
            self._written, self._packed = stop, packed

    def add_decided(self, decided: list[Decided]) -> None:
        """Store what the analysis decided, in one transaction."""
        self._transact(row for d in decided for row in _rows_of(d))

    def add_classes(self, classes: tuple[float, ...]) -> None:
        """Store `edge.types.Annotations.classes` of the whole recording."""
        self._transact([(_SET_META, ("classes", json.dumps([float(probability) for probability in classes])))])

    def add_events(self, events: list[LinkEvent]) -> None:
        """Store link events."""
        insert = "INSERT INTO link_event (sample, kind, detail) VALUES (?, ?, ?)"
        self._transact([(insert, (e.sample, e.kind, e.detail)) for e in events])

    def add_facts(self, facts: list[Fact]) -> None:
        """Store what was measured of the whole recording, in place of what was stored before."""
        rows = [("INSERT INTO fact (document) VALUES (?)", (json.dumps(asdict(fact)),)) for fact in facts]
        self._transact([("DELETE FROM fact", ()), *rows])

    def add_anchor(self, sample: int, utc_s: float) -> None:
        """Store a pair of sample index and host clock."""
        self._transact([("INSERT OR REPLACE INTO anchor VALUES (?, ?)", (sample, utc_s))])

    def shift_time(self, step_s: float) -> None:
        """The host's clock was wrong by so much when the start and the anchors were stored."""
        start = self.info.start
        if start is not None:
            self.info = replace(self.info, start=start + timedelta(seconds=step_s))
            moved = self.info.start.isoformat() if self.info.start else ""
            self._transact(
                [
                    ("UPDATE anchor SET utc_s = utc_s + ?", (step_s,)),
                    ("UPDATE meta SET value = ? WHERE key = 'start'", (moved,)),
                ]
            )

    def close(self) -> None:
        """Commit and close; the file is then complete in itself."""
        try:
            self.commit()
            self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        except sqlite3.Error as error:
            raise storage_error(self.path, error) from error
        finally:
            self._db.close()

    def _next_windows(self) -> list[Window]:
        """The windows that wait at the front, as many as make up a block at most."""
        windows: list[Window] = []
        for piece in self._waiting:
            if isinstance(piece, Gap) or (windows and piece.stop - windows[0].start > self._block_n):
                break
            windows.append(piece)
        return windows

    def _pack(self, signal_mv: SignalMv) -> Iterator[Statement]:
        """Statements that join the small blocks since `_packed` and the new samples into one block per lead."""
        stop = self._written + len(signal_mv)
        for index, lead in enumerate(self.info.leads):
            rows = self._db.execute(
                "SELECT start, n, codec, data FROM block WHERE lead = ? AND start >= ? ORDER BY start",
                (index, self._packed),
            ).fetchall()
            start = rows[0][0] if rows else self._written  # retention may have taken the oldest
            joined = np.full(stop - start, np.nan, np.float32)
            for at, n, kind, data in rows:
                block_mv = decoded(kind, data, lead, n)
                if block_mv is not None:  # a damaged block stays a gap
                    joined[at - start : at - start + n] = block_mv
            joined[self._written - start :] = signal_mv[:, index]
            yield "DELETE FROM block WHERE lead = ? AND start >= ?", (index, start)
            yield self._insert(index, start, joined)

    def _insert(self, lead: int, start: int, signal_mv: SignalMv) -> Statement:
        kind, data = codec.encode(np.ascontiguousarray(signal_mv), self.info.leads[lead])
        return "INSERT INTO block VALUES (?, ?, ?, ?, ?)", (lead, start, len(signal_mv), kind, data)

    def _transact(self, statements: Iterable[Statement]) -> None:
        """All or nothing; StorageFull or StorageError leaves what was stored before intact."""
        try:
            self._db.execute("BEGIN IMMEDIATE")
            for sql, values in statements:
                self._db.execute(sql, values)
            self._db.execute("COMMIT")
        except BaseException as error:
            with suppress(sqlite3.Error):
                self._db.execute("ROLLBACK")
            if isinstance(error, sqlite3.Error):
                raise storage_error(self.path, error) from error
            raise


def _rows_of(decided: Decided) -> Iterator[Statement]:
    """Statements that store one decision."""
    for sample in decided.beats.tolist():
        yield "INSERT OR REPLACE INTO beat VALUES (?, ?, NULL)", (sample, UNLABELLED)
    states = zip(decided.quality.tolist(), decided.reasons.tolist(), strict=True)
    for second, (state, reasons) in enumerate(states, decided.first_second):
        yield "INSERT OR REPLACE INTO quality VALUES (?, ?, ?, NULL)", (second, state, reasons)
    yield _SET_META, ("analysed", str(decided.stop))
    for reading in decided.readings:
        yield from _rows_of_reading(reading)


def _rows_of_reading(reading: Reading) -> Iterator[Statement]:
    """Statements that add what was read to beats and seconds stored before; those that retention took stay away."""
    waves = packed_waves(reading.waves, reading.absent)
    for sample, label, row in zip(reading.beats.tolist(), reading.labels.tobytes().decode(), waves, strict=True):
        yield "UPDATE beat SET label = ?, waves = ? WHERE sample = ?", (label, row, sample)
    for second, likely in enumerate(packed_likely(reading.likely), reading.first_second):
        yield "UPDATE quality SET likely = ? WHERE second = ?", (likely, second)
    for span in reading.rhythms:
        yield "INSERT OR REPLACE INTO rhythm VALUES (?, ?, ?)", (span.start, span.stop, span.label)
    yield _SET_META, ("read", str(reading.stop))


def storage_error(path: Path, error: Exception) -> StorageError:
    """The error to show for a failure of SQLite or of the file system."""
    code = getattr(error, "sqlite_errorcode", None)
    if code == sqlite3.SQLITE_FULL or getattr(error, "errno", None) == 28:
        return StorageFull(
            f"No space left for {path}; everything stored before is intact",
            "Free space, or lower store.max_gb or store.max_age_days",
        )
    return StorageError(f"Cannot write {path}: {error}", "Check the folder's permissions and the disk")
