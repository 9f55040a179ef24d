"""The folder of stored recordings: find one, begin one, keep the folder within its limits."""

import re
import sqlite3
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from edge.errors import StorageError, UsageError
from edge.recording.store import SUFFIX
from edge.recording.writer import storage_error
from edge.settings import StoreSettings
from edge.types import seconds_begun

ID_PATTERN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
BUSY = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_BUSY_RECOVERY, sqlite3.SQLITE_BUSY_SNAPSHOT)
CHECKPOINT_WAIT_MS = 500  # for readers; the writer waits meanwhile


def recording_path(folder: Path, recording_id: str) -> Path:
    """Path of a recording; UsageError where the id is not a plain name."""
    if not ID_PATTERN.fullmatch(recording_id):
        raise UsageError(f"{recording_id!r} is not a recording id", "Use letters, digits, '.', '_' and '-'")
    return folder / f"{recording_id}{SUFFIX}"


def new_id(folder: Path, name: str, now: datetime) -> str:
    """An unused id made of a name and the time."""
    plain = re.sub(r"[^A-Za-z0-9_-]+", "-", name).strip("-_")[:32] or "recording"
    base = f"{plain}-{now.astimezone(UTC):%Y%m%dT%H%M%SZ}"
    candidate, n = base, 2
    while recording_path(folder, candidate).exists():
        candidate, n = f"{base}-{n}", n + 1
    return candidate


def recordings(folder: Path) -> list[Path]:
    """Stored recordings, oldest first by their last change."""
    return [path for _, path in _changes(folder)]


def _changes(folder: Path) -> list[tuple[float, Path]]:
    """Recordings with the time of their last change (Unix seconds), oldest first."""
    found = []
    for path in folder.glob(f"*{SUFFIX}"):
        try:
            found.append((path.stat().st_mtime, path))
        except OSError:  # deleted between the listing and here
            continue
    return sorted(found)


@dataclass(frozen=True, slots=True)
class Removed:
    """What retention took away."""

    recordings: tuple[str, ...]
    blocks: int


def apply_retention(folder: Path, settings: StoreSettings, now: datetime, keep: Path | None = None) -> Removed:
    """Remove what is older than `max_age_days`, then the oldest until the folder is within `max_gb`.

    Whole recordings go by the time of their last change; those that anybody has open stay. `keep`, the caller's
    own, loses its oldest blocks, which become a gap with the cause "expired".
    """
    removed: list[str] = []
    kept = keep.name if keep else ""
    oldest = now - timedelta(days=settings.max_age_days)
    if settings.max_age_days > 0:
        for changed_s, path in _changes(folder):
            if path.name != kept and changed_s < oldest.timestamp() and not is_open(path):
                _delete(path)
                removed.append(path.stem)
    limit = settings.max_gb * 1e9
    if settings.max_gb > 0:
        for path in recordings(folder):
            if folder_bytes(folder) <= limit:
                break
            if path.name != kept and not is_open(path):
                _delete(path)
                removed.append(path.stem)
    blocks = 0
    if keep is not None and keep.exists():
        age_cut = oldest if settings.max_age_days > 0 else None
        excess = folder_bytes(folder) - limit if settings.max_gb > 0 else 0.0
        blocks = expire_blocks(keep, age_cut, excess)
    return Removed(tuple(removed), blocks)


def is_open(path: Path) -> bool:
    """Whether anybody has this recording open, in this process or another, to write or to read."""
    # SQLite's own locks tell: whoever has a store in WAL mode open shares a lock on it, which the system frees when
    # a process dies, and exclusive locking needs the file alone. A list of ours would not know other processes, and
    # a file beside it would outlive a killed one.
    db: sqlite3.Connection | None = None
    try:
        db = sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", uri=True, isolation_level=None, timeout=0)
        db.execute("PRAGMA locking_mode = EXCLUSIVE")
        db.execute("BEGIN EXCLUSIVE")
    except sqlite3.Error as error:  # any other failure: damaged or gone, nobody writes it
        return getattr(error, "sqlite_errorcode", None) in BUSY
    finally:
        if db is not None:
            db.close()
    return False


def folder_bytes(folder: Path) -> int:
    """Bytes of all recordings with their side files."""
    total = 0
    for path in folder.glob(f"*{SUFFIX}*"):
        try:
            total += path.stat().st_size
        except OSError:
            continue
    return total


def expire_blocks(path: Path, age_cut: datetime | None, excess_bytes: float) -> int:
    """Turn the oldest blocks of a recording into a gap: those before `age_cut`, then until `excess_bytes` are free.

    What was found in them goes too. The newest block and what is not analysed yet always stay. Returns how many
    blocks (over all leads) went.
    """
    db = sqlite3.connect(path, isolation_level=None, timeout=30)
    try:
        db.execute("BEGIN IMMEDIATE")
        meta = dict(db.execute("SELECT key, value FROM meta"))
        begun = datetime.fromisoformat(meta.get("start") or meta["created"])
        begun = begun if begun.tzinfo else begun.replace(tzinfo=UTC)
        fs_hz = float(meta["fs_hz"])
        newest = db.execute("SELECT max(start) FROM block").fetchone()[0] or 0
        last = min(newest, int(meta.get("analysed", newest)))
        cut, freed = 0, 0
        for start, n, size in db.execute(
            "SELECT start, max(n), sum(length(data)) FROM block GROUP BY start ORDER BY start"
        ):
            too_old = age_cut is not None and begun + timedelta(seconds=(start + n) / fs_hz) < age_cut
            if start + n > last or not (too_old or freed < excess_bytes):
                break
            cut, freed = start + n, freed + size
        n_blocks = db.execute("DELETE FROM block WHERE start < ?", (cut,)).rowcount
        if cut:
            db.execute("DELETE FROM beat WHERE sample < ?", (cut,))
            db.execute("DELETE FROM quality WHERE second < ?", (seconds_begun(cut, fs_hz),))
            if int(meta["schema"]) >= 2:
                db.execute("DELETE FROM rhythm WHERE stop <= ?", (cut,))
            db.execute("DELETE FROM gap WHERE stop <= ?", (cut,))
            db.execute("INSERT OR REPLACE INTO gap VALUES (0, ?, 'expired')", (cut,))
        db.execute("COMMIT")
        # Without a checkpoint the file keeps its size, and the next call would take more for it. As a script:
        # `execute` steps once, and a step frees a single page.
        db.executescript(
            f"PRAGMA busy_timeout = {CHECKPOINT_WAIT_MS}; PRAGMA incremental_vacuum; PRAGMA wal_checkpoint(TRUNCATE)"
        )
        return int(n_blocks)
    except sqlite3.Error as error:
        raise storage_error(path, error) from error
    finally:
        db.close()


def _delete(path: Path) -> None:
    for side in ("", "-wal", "-shm"):
        try:
            path.with_name(path.name + side).unlink(missing_ok=True)
        except OSError as error:
            raise StorageError(f"Cannot delete {path}: {error}", "Check the folder's permissions") from error
