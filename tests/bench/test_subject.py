"""What is measured, and which network may read which record."""

import json
from pathlib import Path

import numpy as np
import pytest
from bench_tools import annotations, write_record

from bench import Options
from bench.request import requested
from bench.subject import af_spans, analysed, read_folds, record_class, side_of, unreadable_seconds
from edge.errors import InputUnreadable, UsageError
from edge.types import RhythmSpan


def write_fold(folder: Path, name: str, **held_out: list[str]) -> None:
    (folder / name).mkdir()
    (folder / name / "held_out.json").write_text(json.dumps(held_out), encoding="utf-8")


def test_unusable_seconds_are_the_stretches_that_the_subject_declared_unreadable() -> None:
    found = annotations([150, 900], unusable=(2, 3, 7))
    assert unreadable_seconds(found).tolist() == [2, 3, 7]
    assert side_of(found).shutdown.tolist() == [[200, 400], [700, 800]]


def test_unlabelled_beats_are_q_and_labelled_ones_keep_their_label() -> None:
    assert bytes(side_of(annotations([150, 900])).labels) == b"QQ"
    assert bytes(side_of(annotations([150, 900], "NV")).labels) == b"NV"


def test_rhythms_give_fibrillation_and_flutter_of_the_atria_and_of_the_ventricles() -> None:
    rhythms = (
        RhythmSpan(0, 10, "(N"),
        RhythmSpan(10, 20, "(AFIB"),
        RhythmSpan(20, 30, "(AFL"),
        RhythmSpan(40, 50, "(VFL"),
    )
    found = annotations([5], "N", rhythms=rhythms)
    assert side_of(found).af.tolist() == [[10, 20], [20, 30]]
    assert side_of(found).vf.tolist() == [[40, 50]]
    assert af_spans(found).tolist() == [[10, 20]]


def test_a_lead_that_is_not_there_is_a_usage_error(tmp_path: Path) -> None:
    path = write_record(tmp_path, "r", np.zeros(500), 100.0)
    assert analysed(path, 0, None).n_samples == 500
    with pytest.raises(UsageError, match="r has no lead 1"):
        analysed(path, 1, None)


def test_recordings_are_not_classified_yet() -> None:
    assert record_class(annotations([150])) is None


def test_each_record_is_read_by_the_network_that_held_it_out(tmp_path: Path) -> None:
    write_fold(tmp_path, "fold0", mitdb=["101", "106"], ludb=["1"])
    write_fold(tmp_path, "fold1", mitdb=["118"], ludb=["101"])
    folds = read_folds(tmp_path)
    assert folds.bundle("mitdb", "106") == tmp_path / "fold0"
    assert folds.bundle("mitdb", "118") == tmp_path / "fold1"
    assert folds.bundle("ludb", "101") == tmp_path / "fold1"


def test_a_record_that_no_network_held_out_is_an_error(tmp_path: Path) -> None:
    write_fold(tmp_path, "fold0", mitdb=["101"])
    with pytest.raises(UsageError, match="No fold held out 106 of mitdb"):
        read_folds(tmp_path).bundle("mitdb", "106")


def test_a_record_held_out_twice_is_an_error(tmp_path: Path) -> None:
    write_fold(tmp_path, "fold0", mitdb=["101"])
    write_fold(tmp_path, "fold1", mitdb=["101"])
    with pytest.raises(UsageError, match="held out twice"):
        read_folds(tmp_path)


def test_a_folder_without_folds_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no held_out\.json"):
        read_folds(tmp_path)


def test_a_damaged_list_of_held_out_records_is_told_in_one_line(tmp_path: Path) -> None:
    write_fold(tmp_path, "fold0", mitdb=["101"])
    (tmp_path / "fold0" / "held_out.json").write_text("{", encoding="utf-8")
    with pytest.raises(InputUnreadable, match=r"held_out\.json"):
        read_folds(tmp_path)


def test_the_command_in_a_result_names_folders_and_not_where_they_are(tmp_path: Path) -> None:
    write_fold(tmp_path, "fold0", mitdb=["101"])
    (tmp_path / "101.atr").touch()
    asked = requested("mitdb", tmp_path, "*.atr", ("101",), Options(1, tmp_path, peers=True), races=True)
    name = tmp_path.name
    assert asked.command == f"anyecg bench mitdb --data {name} --records 101 --lead 1 --folds {name} --peers"
    assert asked.bundle("mitdb", "101") == tmp_path / "fold0"
    assert "cross-validation" in asked.subject


def test_without_folds_the_installed_network_reads_every_record(tmp_path: Path) -> None:
    (tmp_path / "101.atr").touch()
    asked = requested("mitdb", tmp_path, "*.atr", (), Options())
    assert asked.command == f"anyecg bench mitdb --data {tmp_path.name}"
    assert asked.bundle("mitdb", "999") is None


@pytest.mark.parametrize("name", ["cinc2017", "ludb"])
def test_a_bench_without_beat_detectors_to_compare_takes_no_peers(tmp_path: Path, name: str) -> None:
    (tmp_path / "REFERENCE.csv").touch()
    with pytest.raises(UsageError, match="takes no --peers"):
        requested(name, tmp_path, "*.csv", (), Options(peers=True))
