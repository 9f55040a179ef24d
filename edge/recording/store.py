"""The durable recording: one SQLite file (WAL), readable while it is written.

Blocks of samples per lead, gaps, beats, quality, link events and time anchors. Signal is committed every
`StoreSettings.commit_s` of it, so a killed process loses at most what came after the last commit; small commits are
packed into larger blocks as the recording goes on. A block that cannot be decoded is a gap with that cause.
"""

import json
import sqlite3
import zlib
from collections import OrderedDict
from contextlib import suppress
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from edge.errors import InputUnreadable, StorageError, StorageFull
from edge.pipeline import Decided
from edge.recording import codec
from edge.settings import StoreSettings
from edge.types import Annotations, Gap, Lead, LinkEvent, Piece, RecordingInfo, Samples, SignalMv

SUFFIX = ".ecgdb"
MAGIC = b"SQLite format 3\0"
SCHEMA_VERSION = 1
CACHED_BLOCKS = 8  # decoded blocks kept by a reader: a minute of each of a few leads

_TABLES = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE block (lead INTEGER, start INTEGER, n INTEGER NOT NULL, codec INTEGER NOT NULL, data BLOB NOT NULL,
                    PRIMARY KEY (lead, start));
CREATE TABLE gap (start INTEGER PRIMARY KEY, stop INTEGER NOT NULL, cause TEXT NOT NULL);
CREATE TABLE beat (sample INTEGER PRIMARY KEY, label TEXT NOT NULL);
CREATE TABLE quality (second INTEGER PRIMARY KEY, state INTEGER NOT NULL, reasons INTEGER NOT NULL);
CREATE TABLE link_event (id INTEGER PRIMARY KEY, sample INTEGER NOT NULL, kind TEXT NOT NULL, detail TEXT NOT NULL);
CREATE TABLE fact (id INTEGER PRIMARY KEY, name TEXT NOT NULL, start_s REAL NOT NULL, end_s REAL NOT NULL, document TEXT NOT NULL);
CREATE TABLE anchor (sample INTEGER PRIMARY KEY, utc_s REAL NOT NULL);
"""

Statement = tuple[str, tuple[object, ...]]
UNLABELLED = "Q"  # WFDB: unclassifiable; this version finds beats and does not label them


class StoredRecording:
    """A recording in a store file, for reading; new samples appear as the writer commits them."""

    def __init__(self, path: Path) -> None:
        """Open; InputUnreadable where the file is no recording or cannot be read."""
        self.path = path
        try:
            if not path.is_file():
                raise InputUnreadable(f"No recording at {path}", "See `anyecg doctor` for the data folder")
            self._db = sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", uri=True, check_same_thread=False)
            self._meta = dict(self._db.execute("SELECT key, value FROM meta"))
            leads = tuple(Lead(**lead) for lead in json.loads(self._meta["leads"]))
            fs_hz = float(self._meta["fs_hz"])
        except (sqlite3.Error, OSError, KeyError, TypeError, ValueError) as error:
            raise InputUnreadable(f"{path} is not a readable recording: {error}", "Restore it from a copy") from error
        start = self._meta.get("start")
        self._info = RecordingInfo(
            id=self._meta["id"],
            leads=leads,
            fs_hz=fs_hz,
            n_samples=0,
            start=datetime.fromisoformat(start) if start else None,
            source="store",
        )
        self._cache: OrderedDict[tuple[int, int, int], SignalMv] = OrderedDict()

    @property
    def info(self) -> RecordingInfo:
        """What the recording is, as long as it is now."""
        blocks, gaps = self._query(
            "SELECT (SELECT max(start + n) FROM block), (SELECT max(stop) FROM gap)"
        )[0]
        return replace(self._info, n_samples=max(blocks or 0, gaps or 0))

    def read_mv(self, start: int, stop: int) -> SignalMv:
        """Samples [start, stop), shape (n, n_leads); NaN where nothing was recorded."""
        signal_mv = np.full((max(0, stop - start), len(self._info.leads)), np.nan, np.float32)
        rows = self._query(
            # No block is longer than block_s, which is stored: only blocks that can reach `start` are visited.
            "SELECT lead, start, n, codec FROM block WHERE start < ? AND start > ? AND start + n > ?",
            (stop, start - int(self._meta["longest_block"]) - 1, start),
        )
        for lead, at, n, kind in rows:
            block_mv = self._block(lead, at, n, kind)
            a, b = max(at, start), min(at + n, stop)
            signal_mv[a - start : b - start, lead] = block_mv[a - at : b - at]
        return signal_mv

    def gap_cause(self, start: int) -> str:
        """Why the gap that begins here exists."""
        rows = self._query("SELECT cause FROM gap WHERE start <= ? AND stop > ?", (start, start))
        return str(rows[0][0]) if rows else "block unreadable"

    def annotations(self) -> Annotations:
        """Beats, quality and gaps found so far, as far as the analysis has come."""
        beats = self._column("SELECT sample FROM beat ORDER BY sample")
        done = self._query("SELECT value FROM meta WHERE key = 'analysed'")
        quality = self._query("SELECT state, reasons FROM quality ORDER BY second")
        table = np.array(quality, np.uint8).reshape(-1, 2)
        gaps = tuple(Gap(*row) for row in self._query("SELECT start, stop, cause FROM gap ORDER BY start"))
        return Annotations(
            self._info.fs_hz, int(done[0][0]) if done else 0, beats, table[:, 0], table[:, 1], gaps
        )

    def link_events(self) -> list[LinkEvent]:
        """What happened to the link, in order."""
        return [LinkEvent(*row) for row in self._query("SELECT sample, kind, detail FROM link_event ORDER BY id")]

    def anchors(self) -> list[tuple[int, float]]:
        """Pairs of sample index and host clock (seconds since the Unix epoch)."""
        return self._query("SELECT sample, utc_s FROM anchor ORDER BY sample")

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def _block(self, lead: int, at: int, n: int, kind: int) -> SignalMv:
        key = (lead, at, n)
        if key not in self._cache:
            rows = self._query("SELECT data FROM block WHERE lead = ? AND start = ? AND n = ?", key)
            try:
                # A block that the writer has packed meanwhile, or that is damaged, reads as not recorded.
                block_mv = codec.decode(kind, rows[0][0], self._info.leads[lead]) if rows else np.empty(0)
            except (zlib.error, ValueError):
                block_mv = np.empty(0)
            if len(block_mv) != n:
                block_mv = np.full(n, np.nan, np.float32)
            self._cache[key] = block_mv.astype(np.float32)
            if len(self._cache) > CACHED_BLOCKS * len(self._info.leads):
                self._cache.popitem(last=False)
        return self._cache[key]

    def _column(self, sql: str) -> Samples:
        return np.fromiter((row[0] for row in self._cursor(sql)), np.int64)

    def _cursor(self, sql: str, values: tuple[object, ...] = ()) -> sqlite3.Cursor:
        try:
            return self._db.execute(sql, values)
        except sqlite3.Error as error:
            raise InputUnreadable(f"{self.path} cannot be read: {error}", "Restore it from a copy") from error

    def _query(self, sql: str, values: tuple[object, ...] = ()) -> list[Any]:
        try:
            return self._cursor(sql, values).fetchall()
        except sqlite3.Error as error:
            raise InputUnreadable(f"{self.path} cannot be read: {error}", "Restore it from a copy") from error


class RecordingWriter:
    """Writes one recording. Pieces must follow each other without a hole; one thread at a time."""

    def __init__(self, path: Path, info: RecordingInfo, settings: StoreSettings | None = None) -> None:
        """Create the store; StorageError where the folder cannot be written."""
        self.path = path
        self.info = info
        self._settings = settings or StoreSettings()
        self._waiting: list[SignalMv] = []
        self._waiting_n = 0
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
                # Commits of odd sizes may overshoot a block by one hand-over; twice is ample.
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
        """Take in a window or a gap; committed at the latest when `commit_s` of signal waits."""
        if piece.start != self.stop:
            raise ValueError(f"piece starts at {piece.start}, expected {self.stop}")
        if isinstance(piece, Gap):
            self.commit()
            self._transact([("INSERT OR REPLACE INTO gap VALUES (?, ?, ?)", (piece.start, piece.stop, piece.cause))])
            self._written = self._packed = piece.stop
            return
        # A long hand-over is cut, so that no block outgrows what readers look back for.
        for a in range(0, len(piece.signal_mv), self._block_n):
            self._waiting.append(piece.signal_mv[a : a + self._block_n])
            self._waiting_n += len(self._waiting[-1])
            if self._waiting_n >= self._commit_n:
                self.commit()

    @property
    def stop(self) -> int:
        """Index after the last sample handed over."""
        return self._written + self._waiting_n

    def commit(self) -> None:
        """Put everything handed over so far on disk; pack the small blocks once they fill a large one."""
        if not self._waiting_n:
            return
        signal_mv = np.concatenate(self._waiting)
        stop = self.stop
        full = stop - self._packed >= self._block_n
        if full and self._written > self._packed:
            self._transact(self._pack(signal_mv))
        else:
            self._transact([self._insert(k, self._written, signal_mv[:, k]) for k in range(signal_mv.shape[1])])
        # Only now: after a full disk the samples still wait, and the call may be repeated.
        self._waiting, self._waiting_n, self._written = [], 0, stop
        if full:
            self._packed = stop

    def add_decided(self, decided: list[Decided]) -> None:
        """Store what the analysis decided, in one transaction."""
        rows: list[Statement] = []
        for d in decided:
            rows += [("INSERT OR REPLACE INTO beat VALUES (?, ?)", (b, UNLABELLED)) for b in d.beats.tolist()]
            rows += [
                ("INSERT OR REPLACE INTO quality VALUES (?, ?, ?)", (d.first_second + i, int(q), int(r)))
                for i, (q, r) in enumerate(zip(d.quality, d.reasons, strict=True))
            ]
            rows.append(("INSERT OR REPLACE INTO meta VALUES ('analysed', ?)", (str(d.stop),)))
        self._transact(rows)

    def add_events(self, events: list[LinkEvent]) -> None:
        """Store link events."""
        insert = "INSERT INTO link_event (sample, kind, detail) VALUES (?, ?, ?)"
        self._transact([(insert, (e.sample, e.kind, e.detail)) for e in events])

    def add_anchor(self, sample: int, utc_s: float) -> None:
        """Store a pair of sample index and host clock."""
        self._transact([("INSERT OR REPLACE INTO anchor VALUES (?, ?)", (sample, utc_s))])

    def close(self) -> None:
        """Commit and close; the file is then complete in itself."""
        try:
            self.commit()
            self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        except sqlite3.Error as error:
            raise storage_error(self.path, error) from error
        finally:
            self._db.close()

    def _pack(self, signal_mv: SignalMv) -> list[Statement]:
        """Statements that join the small blocks since `_packed` and the new samples into one block per lead."""
        statements: list[Statement] = []
        for index, lead in enumerate(self.info.leads):
            rows = self._db.execute(
                "SELECT codec, data FROM block WHERE lead = ? AND start >= ? ORDER BY start", (index, self._packed)
            )
            parts = [codec.decode(kind, data, lead) for kind, data in rows]
            joined = np.concatenate([*parts, signal_mv[:, index]])
            statements.append(("DELETE FROM block WHERE lead = ? AND start >= ?", (index, self._packed)))
            statements.append(self._insert(index, self._packed, joined))
        return statements

    def _insert(self, lead: int, start: int, signal_mv: SignalMv) -> Statement:
        kind, data = codec.encode(np.ascontiguousarray(signal_mv), self.info.leads[lead])
        return "INSERT INTO block VALUES (?, ?, ?, ?, ?)", (lead, start, len(signal_mv), kind, data)

    def _transact(self, statements: list[Statement]) -> None:
        """All or nothing; StorageFull or StorageError leaves what was stored before intact."""
        try:
            self._db.execute("BEGIN IMMEDIATE")
            for sql, values in statements:
                self._db.execute(sql, values)
            self._db.execute("COMMIT")
        except sqlite3.Error as error:
            with suppress(sqlite3.Error):
                self._db.execute("ROLLBACK")
            raise storage_error(self.path, error) from error


def storage_error(path: Path, error: Exception) -> StorageError:
    """The error to show for a failure of SQLite or of the file system."""
    code = getattr(error, "sqlite_errorcode", None)
    if code == sqlite3.SQLITE_FULL or getattr(error, "errno", None) == 28:
        return StorageFull(
            f"No space left for {path}; everything stored before is intact",
            "Free space, or lower store.max_gb or store.max_age_days",
        )
    return StorageError(f"Cannot write {path}: {error}", "Check the folder's permissions and the disk")
