"""What was read of beats and seconds, as rows of the store: 21 bytes beside a beat's label, an integer per second."""

import sqlite3

import numpy as np
from numpy.typing import NDArray

from edge.types import LABELS, NO_POINT, Absent, Labels, Likely, Point, Samples, Wave

UNLABELLED = "Q"  # WFDB: unclassifiable; a beat that was found and is not read yet
_WAVES = [("waves", "<i2", (len(Point),)), ("absent", "u1", (len(Wave),))]
WAVES_BYTES = np.dtype(_WAVES).itemsize
# The same bytes twice: as SQLite hands them over, and as what they mean.
_ROW = np.dtype([("sample", "<i8"), ("label", "S1"), ("waves", f"V{WAVES_BYTES}")])
_BEAT = np.dtype([("sample", "<i8"), ("label", "u1"), *_WAVES])


def packed_waves(waves: NDArray[np.int16], absent: NDArray[np.uint8]) -> list[bytes]:
    """Bytes of each beat's points, shape (n, 9), and of what it lacks, shape (n, 3)."""
    rows = np.empty(len(waves), _WAVES)
    rows["waves"], rows["absent"] = waves, absent
    return [row.tobytes() for row in rows]


_UNREAD = packed_waves(
    np.full((1, len(Point)), NO_POINT, np.int16), np.full((1, len(Wave)), Absent.NOT_ASSESSED, np.uint8)
)[0]


def packed_likely(likely: NDArray[np.uint8]) -> list[int]:
    """One integer for each second's probabilities, shape (n, 4)."""
    packed: list[int] = np.ascontiguousarray(likely, np.uint8).view("<u4").ravel().tolist()
    return packed


def unpacked_likely(packed: NDArray[np.uint32]) -> NDArray[np.uint8]:
    """The probabilities again, shape (n, 4)."""
    return packed.astype("<u4").view(np.uint8).reshape(-1, len(Likely))


def read_beats(db: sqlite3.Connection, stop: int) -> tuple[Samples, Labels, NDArray[np.int16], NDArray[np.uint8]]:
    """Beats before a sample with labels, waves and absences, as `edge.types.Annotations` holds them.

    ValueError or TypeError where they are damaged. Beats of which nothing was read are Q and not assessed.
    """
    # Rows go straight into one array of their final number: a fortnight has 1.4 million.
    (n,) = db.execute("SELECT count(*) FROM beat WHERE sample < ?", (stop,)).fetchone()
    rows = np.fromiter(
        db.execute(
            "SELECT sample, label, CASE length(waves) WHEN ? THEN waves ELSE ? END FROM beat"
            " WHERE sample < ? ORDER BY sample",
            (WAVES_BYTES, _UNREAD, stop),
        ),
        _ROW,
        n,
    ).view(_BEAT)
    labels = rows["label"].copy()
    absent = rows["absent"].copy()
    if not np.isin(labels, np.frombuffer(LABELS.encode(), np.uint8)).all() or absent.max(initial=0) > max(Absent):
        raise ValueError("a beat's label or waves are none")
    return rows["sample"].copy(), labels, rows["waves"].copy(), absent
