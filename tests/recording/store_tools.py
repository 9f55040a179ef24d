"""Small recordings for the tests of the store."""

from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from edge.recording.writer import RecordingWriter
from edge.settings import StoreSettings
from edge.types import Gap, Lead, Piece, RecordingInfo, SignalMv, Window

FS_HZ = 100.0
TWO_LEADS = (Lead("I", 200.0), Lead("II"))  # one stored as counts, one as floats
QUICK = StoreSettings(commit_s=0.5, block_s=4.0, synchronous="OFF")  # these tests do not cut the power
START = datetime(2026, 3, 1, 12, tzinfo=UTC)


def info_of(name: str = "r", leads: tuple[Lead, ...] = TWO_LEADS) -> RecordingInfo:
    return RecordingInfo(name, leads, FS_HZ, 0, START, "store")


def new_writer(path: Path, settings: StoreSettings = QUICK) -> RecordingWriter:
    return RecordingWriter(path, info_of(path.stem), settings)


def signal(n: int, seed: int = 0) -> SignalMv:
    """Noise that cannot be compressed, the first lead on its converter's steps."""
    rng = np.random.default_rng(seed)
    counts = rng.integers(-2000, 2000, n)
    return np.stack((counts / 200.0, rng.standard_normal(n)), axis=1).astype(np.float32)


def cut(signal_mv: SignalMv, step: int, start: int = 0) -> list[Piece]:
    return [Window(start + a, signal_mv[a : a + step]) for a in range(0, len(signal_mv), step)]


def store(path: Path, pieces: list[Piece], settings: StoreSettings = QUICK) -> None:
    writer = new_writer(path, settings)
    for piece in pieces:
        writer.write(piece)
    writer.close()


def dense(pieces: list[Piece]) -> SignalMv:
    """What a reader should give: NaN where a gap is."""
    parts = [np.full((p.stop - p.start, 2), np.nan, np.float32) if isinstance(p, Gap) else p.signal_mv for p in pieces]
    return np.concatenate(parts)
