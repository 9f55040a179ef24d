"""The durable recording: one SQLite file (WAL), readable while it is written.

Blocks of samples per lead, gaps, beats, quality, rhythms, link events and time anchors; `edge.recording.writer` makes
them. A block that cannot be decoded is a gap with that cause. A recording of RR intervals has no leads and no blocks:
its beats are all there is, at a rate of 1024 Hz, their unit. Files of schema 1 have beats and quality, and no readings.
"""

import json
import math
import sqlite3
import zlib
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.clean.quality import Reason, State
from edge.errors import InputUnreadable
from edge.recording import codec, timemap
from edge.recording.readings import read_beats, unpacked_likely
from edge.types import (
    RR_HZ,
    Annotations,
    Fact,
    Gap,
    Lead,
    LinkEvent,
    RecordingInfo,
    RhythmSpan,
    SignalMv,
    Span,
    seconds_begun,
)

SUFFIX = ".ecgdb"
SCHEMA_VERSION = 2
MAGIC = b"SQLite format 3\0"
CACHED_BLOCKS = 8  # decoded blocks kept by a reader: a minute of each of a few leads
UNREAD_S = 60.0  # beats are read some seconds after they were found; so far behind, reading has stopped


class StoredRecording:
    """A recording in a store file, for reading; new samples appear as the writer commits them."""

    def __init__(self, path: Path) -> None:
        """Open; InputUnreadable where the file is no recording or cannot be read."""
        self.path = path
        try:
            if not path.is_file():
                raise InputUnreadable(f"No recording at {path}", "See `anyecg doctor` for the data folder")
            self._db = sqlite3.connect(
                f"{path.absolute().as_uri()}?mode=rw", uri=True, isolation_level=None, check_same_thread=False
            )
        except (sqlite3.Error, OSError, ValueError) as error:
            raise _unreadable(path, error) from error
        try:
            meta = dict(self._db.execute("SELECT key, value FROM meta"))
            self._info = _info_from(meta)
            self._longest_block = int(meta["longest_block"])
            self._schema = int(meta["schema"])
        except (sqlite3.Error, KeyError, TypeError, ValueError) as error:
            self._db.close()
            raise _unreadable(path, error) from error
        if not 1 <= self._schema <= SCHEMA_VERSION:
            self._db.close()
            raise InputUnreadable(
                f"{path} has schema {self._schema}, this version reads up to {SCHEMA_VERSION}", "Update anyecg"
            )
        self._cache: OrderedDict[tuple[int, int, int], SignalMv | None] = OrderedDict()
        self._info = replace(self._info, clock=timemap.fit(self.anchors(), self._info.fs_hz))

    @property
    def info(self) -> RecordingInfo:
        """What the recording is, as long as it is now."""
        # Blocks of all leads end together; RR intervals have none.
        blocks, gaps, analysed = self._query(
            "SELECT (SELECT CAST(start + n AS INTEGER) FROM block WHERE lead = 0 ORDER BY start DESC LIMIT 1),"
            " (SELECT CAST(stop AS INTEGER) FROM gap ORDER BY start DESC LIMIT 1),"
            " (SELECT CAST(value AS INTEGER) FROM meta WHERE key = 'analysed')"
        )[0]
        placed = analysed if self._info.rr_only else blocks
        return replace(self._info, n_samples=max(placed or 0, gaps or 0))

    def read_mv(self, start: int, stop: int) -> SignalMv:
        """Samples [start, stop), cut to the recording, shape (n, n_leads); NaN where nothing was recorded."""
        start = max(0, start)
        stop = max(start, min(stop, self.info.n_samples))
        signal_mv = np.full((stop - start, len(self._info.leads)), np.nan, np.float32)
        for lead in range(len(self._info.leads)):
            # One statement sees one state of the file, even while the writer packs blocks. No block is longer
            # than `_longest_block`: only blocks that can reach `start` are visited.
            rows = self._query(
                "SELECT start, n, codec, data FROM block WHERE lead = ? AND start < ? AND start > ? AND start + n > ?",
                (lead, stop, start - self._longest_block, start),
            )
            for at, n, kind, data in rows:
                block_mv = self._block(lead, at, n, kind, data)
                if block_mv is not None:
                    a, b = max(at, start), min(at + n, stop)
                    signal_mv[a - start : b - start, lead] = block_mv[a - at : b - at]
        return signal_mv

    def gap_cause(self, start: int) -> str:
        """Why the gap that begins here exists."""
        rows = self._query("SELECT cause FROM gap WHERE start <= ? AND stop > ?", (start, start))
        return str(rows[0][0]) if rows else "block unreadable"

    def annotations(self) -> Annotations:
        """Beats, quality, gaps and rhythms found so far: as far as all of them have been read.

        Where beats are found and not read, or reading stopped, as far as the analysis has come. Seconds of which
        nothing is known, such as those that retention took, count as not recorded.
        """
        with self._snapshot():
            meta = dict(self._query("SELECT key, value FROM meta WHERE key IN ('analysed', 'read', 'classes')"))
            analysed, read = int(meta.get("analysed", 0)), int(meta.get("read", 0))
            gaps = self._query("SELECT start, stop, cause FROM gap ORDER BY start")
            if read > 0 and analysed - read <= UNREAD_S * self._info.fs_hz:
                return self._read_annotations(read, gaps, meta.get("classes", "[]"))
            beats = self._table("SELECT sample FROM beat ORDER BY sample", "i8")
            quality, reasons, _ = self._seconds(analysed, read=False)
        kept = _joined_gaps(gaps) if self._info.rr_only else tuple(Gap(*row) for row in gaps)
        return Annotations(self._info.fs_hz, analysed, beats, quality, reasons, kept)

    def _read_annotations(self, stop: int, gaps: list[Any], classes: str) -> Annotations:
        """Annotations up to a sample up to which everything was read; inside a snapshot."""
        beats, labels, waves, absent = read_beats(self._db, stop)
        quality, reasons, likely = self._seconds(stop, read=True)
        # A span that goes back to before what retention took was closed after that.
        first = gaps[0][1] if gaps and gaps[0][0] == 0 else 0
        rhythms = (
            RhythmSpan(max(int(a), first), min(int(b), stop), str(label))
            for a, b, label in self._query("SELECT start, stop, label FROM rhythm ORDER BY start")
        )
        return Annotations(
            self._info.fs_hz,
            stop,
            beats,
            quality,
            reasons,
            tuple(Gap(*row) for row in gaps),
            labels,
            waves,
            absent,
            unpacked_likely(likely),
            tuple(span for span in rhythms if span.start < span.stop),
            tuple(float(probability) for probability in json.loads(classes)),
        )

    def _seconds(
        self, n_samples: int, *, read: bool
    ) -> tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.uint32]]:
        """Quality, reasons and, where `read`, packed probabilities of all seconds before a sample."""
        known = self._table(
            "SELECT second, state, reasons, coalesce(likely, 0) FROM quality WHERE second >= 0"
            if read
            else "SELECT second, state, reasons, 0 FROM quality WHERE second >= 0",
            "i8,u1,u1,u4",
        )
        n_seconds = seconds_begun(n_samples, self._info.fs_hz)
        known = known[known["f0"] < n_seconds]
        quality = np.full(n_seconds, State.UNUSABLE, np.uint8)
        reasons = np.full(n_seconds, Reason.NO_SAMPLES, np.uint8)
        likely = np.zeros(n_seconds, np.uint32)
        at = known["f0"]
        quality[at], reasons[at], likely[at] = known["f1"], known["f2"], known["f3"]
        return quality, reasons, likely

    def link_events(self) -> list[LinkEvent]:
        """What happened to the link, in order."""
        return [LinkEvent(*row) for row in self._query("SELECT sample, kind, detail FROM link_event ORDER BY id")]

    def facts(self) -> list[Fact]:
        """What was measured when the recording ended; empty while it is being made."""
        rows = (json.loads(row[0]) for row in self._query("SELECT document FROM fact ORDER BY id"))
        return [Fact(**{**row, "evidence": tuple(Span(**span) for span in row["evidence"])}) for row in rows]

    def anchors(self) -> list[tuple[int, float]]:
        """Pairs of sample index and host clock (seconds since the Unix epoch)."""
        return self._query("SELECT sample, utc_s FROM anchor ORDER BY sample")

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def _block(self, lead: int, at: int, n: int, kind: int, data: bytes) -> SignalMv | None:
        key = (lead, at, n)
        if key not in self._cache:
            self._cache[key] = decoded(kind, data, self._info.leads[lead], n)
            if len(self._cache) > CACHED_BLOCKS * len(self._info.leads):
                self._cache.popitem(last=False)
        return self._cache[key]

    @contextmanager
    def _snapshot(self) -> Iterator[None]:
        """All queries inside see one state of the file; what they cannot make sense of is InputUnreadable."""
        self._query("BEGIN")
        try:
            yield
        except (sqlite3.Error, TypeError, ValueError, OverflowError) as error:
            raise _unreadable(self.path, error) from error
        finally:
            with suppress(sqlite3.Error):
                self._db.execute("COMMIT")

    def _table(self, sql: str, dtype: str) -> NDArray[Any]:
        """Rows as an array, without a list of them in between: a month has millions."""
        rows = self._db.execute(sql)
        return np.fromiter(rows if "," in dtype else (row[0] for row in rows), dtype)

    def _query(self, sql: str, values: tuple[object, ...] = ()) -> list[Any]:
        try:
            return self._db.execute(sql, values).fetchall()
        except sqlite3.Error as error:
            raise _unreadable(self.path, error) from error


def _info_from(meta: dict[str, str]) -> RecordingInfo:
    """What the table `meta` says; KeyError, TypeError or ValueError where it is damaged."""
    leads = tuple(Lead(**lead) for lead in json.loads(meta["leads"]))
    fs_hz, start = float(meta["fs_hz"]), meta.get("start")
    if not (math.isfinite(fs_hz) and fs_hz > 0 and (leads or fs_hz == RR_HZ)):
        raise ValueError("it names no leads or no sampling rate")
    return RecordingInfo(meta["id"], leads, fs_hz, 0, datetime.fromisoformat(start) if start else None, source="store")


def _joined_gaps(rows: list[tuple[int, int, str]]) -> tuple[Gap, ...]:
    """Gaps of RR intervals; one that was stored while it grew is one."""
    gaps: list[Gap] = []
    for start, stop, cause in rows:
        if gaps and (gaps[-1].stop, gaps[-1].cause) == (start, cause):
            start = gaps.pop().start
        gaps.append(Gap(start, stop, cause))
    return tuple(gaps)


def decoded(kind: int, data: bytes, lead: Lead, n: int) -> SignalMv | None:
    """The `n` samples of a block of one lead; None where the bytes are damaged."""
    try:
        block_mv = codec.decode(kind, data, lead)
    except (zlib.error, ValueError, TypeError):
        return None
    return block_mv if len(block_mv) == n else None


def _unreadable(path: Path, error: Exception) -> InputUnreadable:
    return InputUnreadable(f"{path} is not a readable recording: {error}", "Restore it from a copy")
