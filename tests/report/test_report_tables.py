"""CSV tables and written files."""

import csv
import dataclasses
from pathlib import Path

import numpy as np
from read_tools import FS_HZ, POINTS, read

from edge.formats.memory import ArrayRecording
from edge.interpret.intervals import BLOCK
from edge.report.files import Analysed, write_files
from edge.report.summary import summarise
from edge.settings import Settings
from edge.types import NO_POINT, Annotations, Gap, Point


def written(found: Annotations, out: Path, *formats: str) -> dict[str, Path]:
    recording = ArrayRecording("r", np.zeros(found.n_samples), FS_HZ)
    summary = summarise(recording.info, found, 0, Settings())
    return {path.name: path for path in write_files(Analysed(recording, found, 0, summary), out, formats)}


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_a_beat_has_its_label_its_interval_and_its_waves_in_milliseconds(tmp_path: Path) -> None:
    found = read("NVS", [800, 600])
    waves = found.waves.copy()
    waves[1, [Point.P_ON, Point.P_OFF]] = NO_POINT
    first, second, third = rows(written(dataclasses.replace(found, waves=waves), tmp_path, "csv")["r.beats.csv"])
    assert [row["label"] for row in (first, second, third)] == ["N", "V", "S"]
    assert [row["rr_ms"] for row in (first, second, third)] == ["", "800.0", "600.0"]
    assert (second["sample"], second["time_s"]) == ("300", "1.2000")
    assert float(first["p_on_ms"]) == POINTS[Point.P_ON] * 4
    assert float(first["t_off_ms"]) == POINTS[Point.T_OFF] * 4
    assert (second["p_on_ms"], second["p_off_ms"], first["p_peak_ms"]) == ("", "", "")
    assert second["qrs_on_ms"] == "-40.0"


def test_no_interval_is_told_across_a_gap_or_an_unreadable_second(tmp_path: Path) -> None:
    found = read("N" * 6, 1000, unusable=[4], gaps=[Gap(400, 430, "link lost")])  # beats at 0.4, 1.4 … 5.4 s
    told = [row["rr_ms"] for row in rows(written(found, tmp_path, "csv")["r.beats.csv"])]
    assert told == ["", "1000.0", "", "1000.0", "", ""]


def test_tables_longer_than_a_block_are_whole(tmp_path: Path) -> None:
    n = 2 * BLOCK + 7
    told = rows(written(read("N" * n, 400), tmp_path, "csv")["r.beats.csv"])
    assert len(told) == n
    assert {row["rr_ms"] for row in told[1:]} == {"400.0"}


def test_rhythms_are_told_with_samples_seconds_and_words(tmp_path: Path) -> None:
    found = read("N" * 40, rhythms=[(0, 10, "(N"), (10, 30, "(AFIB")])
    assert rows(written(found, tmp_path, "csv")["r.rhythms.csv"])[1] == {
        "start_sample": "2500", "stop_sample": "7500", "start_s": "10.0000", "end_s": "30.0000",
        "label": "(AFIB", "name": "atrial fibrillation",
    }  # fmt: skip


def test_beats_without_labels_leave_those_columns_empty_and_write_no_rhythms(tmp_path: Path) -> None:
    found = read("NN")
    bare = Annotations(FS_HZ, found.n_samples, found.beats, found.quality, found.reasons, ())
    files = written(bare, tmp_path, "csv")
    assert set(files) == {"r.beats.csv", "r.quality.csv"}
    assert [(row["label"], row["rr_ms"], row["qrs_on_ms"]) for row in rows(files["r.beats.csv"])] == [
        ("", "", ""),
        ("", "800.0", ""),
    ]


def test_a_recording_without_beats_has_tables_with_a_header_alone(tmp_path: Path) -> None:
    found = read("N")
    bare = Annotations(FS_HZ, found.n_samples, found.beats[:0], found.quality, found.reasons, ())
    files = written(bare, tmp_path, "csv", "wfdb", "html", "json")
    assert rows(files["r.beats.csv"]) == []
    assert files["r.beats.csv"].read_text().startswith("sample,time_s,label,rr_ms,p_on_ms,")
    assert len(rows(files["r.quality.csv"])) == len(found.quality)
