"""What we write as WFDB annotations, wfdb reads."""

from pathlib import Path
from types import ModuleType

import numpy as np

from edge.formats.wfdb_annotations import annotation_bytes
from edge.types import Annotations


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
