"""What we write as WFDB annotations, wfdb reads."""

from pathlib import Path
from types import ModuleType

import numpy as np

from edge.formats.wfdb_annotations import BLOCK, annotation_parts
from edge.types import Annotations, RhythmSpan


def annotation_bytes(found: Annotations) -> bytes:
    return b"".join(annotation_parts(found))


def annotations(beats: list[int], quality: list[int], reasons: list[int], fs_hz: float = 250.0) -> Annotations:
    return Annotations(
        fs_hz,
        round(len(quality) * fs_hz),
        np.array(beats, np.int64),
        np.array(quality, np.uint8),
        np.array(reasons, np.uint8),
        (),
    )


def test_beats_far_apart_and_near_come_back_at_their_samples(tmp_path: Path, wfdb: ModuleType) -> None:
    beats = [1, 2, 1025, 1026, 70_000, 5_000_000, 300_000_000]
    (tmp_path / "r.anyecg").write_bytes(annotation_bytes(annotations(beats, [], [])))
    read = wfdb.rdann(str(tmp_path / "r"), "anyecg")
    assert read.sample.tolist() == beats
    assert set(read.symbol) == {"Q"}


def test_changes_of_quality_are_noise_marks_with_their_reasons(tmp_path: Path, wfdb: ModuleType) -> None:
    found = annotations([300], [0, 0, 2, 2, 1], [0, 0, 6, 6, 0])
    (tmp_path / "r.anyecg").write_bytes(annotation_bytes(found))
    read = wfdb.rdann(str(tmp_path / "r"), "anyecg")
    marks = [
        (s, n, a) for s, y, n, a in zip(read.sample, read.symbol, read.subtype, read.aux_note, strict=True) if y == "~"
    ]
    assert marks == [(0, 0, "good"), (500, -1, "unusable: lead off, flat signal"), (1000, 1, "usable")]


def test_an_empty_analysis_is_a_readable_file(tmp_path: Path) -> None:
    assert annotation_bytes(annotations([], [], [])) == b"\0\0"


def labelled(beats: list[int], labels: str, rhythms: list[tuple[int, int, str]], n_samples: int) -> Annotations:
    spans = tuple(RhythmSpan(*span) for span in rhythms)
    none = np.empty(0, np.uint8)
    codes = np.frombuffer(labels.encode(), np.uint8)
    return Annotations(250.0, n_samples, np.array(beats, np.int64), none, none, (), labels=codes, rhythms=spans)


def test_labels_come_back_as_the_symbols_of_wfdb(tmp_path: Path, wfdb: ModuleType) -> None:
    found = labelled([100, 300, 500, 700, 900], "NSVFQ", [], 1000)
    (tmp_path / "r.anyecg").write_bytes(annotation_bytes(found))
    read = wfdb.rdann(str(tmp_path / "r"), "anyecg")
    assert read.symbol == ["N", "S", "V", "F", "Q"]
    assert read.sample.tolist() == [100, 300, 500, 700, 900]


def test_rhythms_begin_with_a_plus_and_their_name_and_none_is_claimed_after_their_end(
    tmp_path: Path, wfdb: ModuleType
) -> None:
    spans = [(100, 2000, "(N"), (2000, 9000, "(AFIB"), (9500, 12_000, "(N")]
    (tmp_path / "r.anyecg").write_bytes(annotation_bytes(labelled([100, 2000, 9000], "NNN", spans, 15_000)))
    read = wfdb.rdann(str(tmp_path / "r"), "anyecg")
    rhythms = [(s, a.rstrip("\0")) for s, y, a in zip(read.sample, read.symbol, read.aux_note, strict=True) if y == "+"]
    assert rhythms == [(100, "(N"), (2000, "(AFIB"), (9000, "(NONE"), (9500, "(N"), (12_000, "(NONE")]
    assert [s for s, y in zip(read.sample, read.symbol, strict=True) if y == "N"] == [100, 2000, 9000]


def test_ventricular_flutter_stands_between_brackets(tmp_path: Path, wfdb: ModuleType) -> None:
    spans = [(0, 1000, "(N"), (1000, 3000, "(VFL"), (3000, 4000, "(N")]
    (tmp_path / "r.anyecg").write_bytes(annotation_bytes(labelled([500, 3500], "NN", spans, 4000)))
    read = wfdb.rdann(str(tmp_path / "r"), "anyecg")
    assert [(s, y) for s, y in zip(read.sample, read.symbol, strict=True) if y in "[]"] == [(1000, "["), (3000, "]")]


def test_a_long_recording_is_written_in_parts_and_read_as_one(tmp_path: Path, wfdb: ModuleType) -> None:
    rng = np.random.default_rng(3)
    n = 2 * BLOCK + 1000
    beats = np.cumsum(rng.integers(50, 3000, n))
    labels = rng.choice(np.frombuffer(b"NSVFQ", np.uint8), n)
    seconds = int(beats[-1] / 250) + 2
    quality = rng.choice(np.array([0, 0, 0, 1], np.uint8), seconds)
    starts = np.sort(rng.choice(beats, 400, replace=False)).tolist()
    names = ["(N", "(AFIB"] * 200
    spans = tuple(RhythmSpan(a, b, name) for a, b, name in zip(starts[:-1], starts[1:], names, strict=False))
    nothing = np.zeros(seconds, np.uint8)
    found = Annotations(250.0, seconds * 250, beats, quality, nothing, (), labels, rhythms=spans)
    parts = list(annotation_parts(found))
    assert len(parts) > 3
    (tmp_path / "r.anyecg").write_bytes(b"".join(parts))
    read = wfdb.rdann(str(tmp_path / "r"), "anyecg")
    symbols = np.array(read.symbol)
    is_beat = np.isin(symbols, list("NSVFQ"))
    assert np.array_equal(read.sample[is_beat], beats)
    assert "".join(symbols[is_beat]) == labels.tobytes().decode()
    changes = np.flatnonzero(np.diff(quality)) + 1
    assert np.array_equal(read.sample[symbols == "~"], np.concatenate(([0], changes)) * 250)
    assert np.array_equal(read.sample[symbols == "+"], starts)
