"""The MIT-BIH bench: what a record adds, what the document says, and a whole run on a small record."""

from pathlib import Path

import numpy as np
import pytest
from bench_tools import annotations, write_marks, write_record
from ecg_tools import even_ecg, times_of

from bench import Options, run_bench
from bench.ec57 import PACED, Escapes, Ratio, Reference, Side, read_reference, reference_of
from bench.ec57_beats import score_beats
from bench.mitdb import false_p, row_of, score_record, summary
from edge.errors import InputUnreadable, UsageError
from edge.types import NO_POINT, Point, RhythmSpan

FS = 100.0
BEATS = list(range(30_050, 31_050, 100))  # ten beats from second 300 on, one a second


def reference(symbols: str, *rhythms: tuple[int, str]) -> Reference:
    marks = sorted([*zip(BEATS, symbols, strict=True), *[(at, "+") for at, _ in rhythms]], key=lambda mark: mark[0])
    notes = dict(rhythms)
    return reference_of(
        np.array([at for at, _ in marks]),
        [symbol for _, symbol in marks],
        [0] * len(marks),
        [notes.get(at, "") for at, _ in marks],
        FS,
        60_000,
    )


def test_labels_are_scored_with_escape_beats_as_ectopic_and_as_normal() -> None:
    scored = score_record(reference("NNAeVFNNNj"), annotations(BEATS, "NNSNVVNSNN"))
    assert scored.scores["qrs_se"] == Ratio(10, 10)
    assert scored.scores["veb_pp"] == Ratio(1, 1)  # the fusion beat called v does not count
    assert scored.scores["sveb_se"] == Ratio(1, 3)
    assert scored.scores["sveb_se_papers"] == Ratio(1, 1)
    assert scored.scores["sveb_pp"] == scored.scores["sveb_pp_papers"] == Ratio(1, 2)


def test_without_labels_beats_are_scored_and_the_tables_say_so() -> None:
    scored = score_record(reference("NNAeVFNNNj"), annotations(BEATS))
    assert list(scored.scores) == ["qrs_se", "qrs_se_readable", "qrs_pp"]
    document = summary({"100": scored})
    assert (document["labels"], document["rhythms"]) == ("not labelled", "not named")
    assert "confusion" not in document
    assert "confused" not in row_of("100", scored)


def test_runs_of_both_kinds_are_scored() -> None:
    scores = score_record(reference("NVVNAAANNN"), annotations(BEATS, "NVVNSSNNNN")).scores
    assert scores["v_couplet_se"] == Ratio(1, 1)
    assert scores["s_short_se"] == Ratio(0, 1)
    assert scores["s_couplet_pp"] == Ratio(1, 1)


def test_beats_missed_in_seconds_declared_unreadable_are_counted_apart() -> None:
    scored = score_record(reference("NNNNNNNNNN"), annotations(BEATS[:8], "N" * 8, unusable=(299, 308)))
    assert scored.scores["qrs_se"] == Ratio(8, 10)
    assert scored.scores["qrs_se_readable"] == Ratio(8, 9)
    assert scored.unreadable_s == 1  # second 299 is not scored
    row = row_of("100", scored)
    assert (row["beats"], row["missed"], row["missed_in_unreadable"], row["extra"]) == (10, 1, 1, 0)


def test_a_row_names_the_confused_labels() -> None:
    scored = score_record(reference("NNAVVFNNNj"), annotations(BEATS, "NVSVVVNNNN"))
    assert row_of("100", scored)["confused"] == {"Nv": 1, "Fv": 1, "Sn": 1}


def test_fibrillation_called_in_a_record_without_is_told_in_minutes() -> None:
    spans = (RhythmSpan(29_000, 33_000, "(AFIB"),)
    without = score_record(reference("N" * 10), annotations(BEATS, "N" * 10, rhythms=spans))
    with_some = score_record(reference("N" * 10, (30_500, "(AFIB")), annotations(BEATS, "N" * 10, rhythms=spans))
    assert (without.false_af_ms, with_some.false_af_ms) == (30_000, None)
    assert with_some.scores["af_duration_se"] == Ratio(25_000, 295_000)
    document = summary({"100": without, "201": with_some})
    assert document["false_af"] == {"records_without_af": 1, "hours": 0.08, "minutes": 0.5}
    assert row_of("100", without)["false_af_s"] == 30


def test_p_waves_found_in_reference_fibrillation_are_false() -> None:
    found = annotations(BEATS, "N" * 10, points={Point.P_PEAK: -16})
    found.waves[:7, Point.P_PEAK] = NO_POINT
    assert false_p(reference("N" * 10, (30_500, "(AFIB")), found) == Ratio(3, 5)
    assert false_p(reference("N" * 10), found) == Ratio(0, 0)


def test_figures_are_pooled_and_averaged_over_records() -> None:
    one = score_record(reference("N" * 10), annotations(BEATS, "N" * 10))
    other = score_record(reference("N" * 10), annotations(BEATS[:5], "N" * 5))
    document = summary({"100": one, "101": other})
    assert document["gross"]["qrs_se"] == {"percent": 75.0, "hits": 15, "of": 20}
    assert document["average"]["qrs_se"] == 75.0
    assert document["average"]["veb_se"] is None
    assert document["confusion"]["bxb"]["N"] == {"n": 15, "s": 0, "v": 0, "f": 0, "q": 0, "o": 5, "x": 0}


def test_a_record_of_less_than_five_minutes_adds_no_scored_time() -> None:
    short = reference_of(np.array([1000]), ["N"], [0], [""], FS, 20_000)
    scored = score_record(short, annotations([1000], "N", seconds=200))
    assert (scored.scored_s, scored.scores["qrs_se"]) == (0.0, Ratio(0, 0))


def make_set(folder: Path, *names: str) -> None:
    """Records of six minutes at 70 bpm, the beats of the last minute 40 ms late and every tenth one unmarked."""
    signal_mv = even_ecg(70, FS, 360)
    for name in names:
        write_record(folder, name, np.column_stack((signal_mv, np.zeros(len(signal_mv)))), FS, ("II", "V1"))
        at = np.round(times_of(70, 360) * FS).astype(int)
        at[at > 33_000] += 4
        kept = [beat for k, beat in enumerate(at.tolist()) if k % 10]
        write_marks(folder, name, "atr", kept, ["N"] * len(kept))


def test_a_folder_is_scored_record_by_record_and_paced_ones_only_when_named(tmp_path: Path) -> None:
    make_set(tmp_path, "100", "102")
    document = run_bench("mitdb", tmp_path, ())
    assert document["command"] == f"anyecg bench mitdb --data {tmp_path.name}"
    assert [row["record"] for row in document["rows"]] == ["100"]
    assert document["gross"]["qrs_se"] == {"percent": 100.0, "hits": 63, "of": 63}
    assert document["gross"]["qrs_pp"]["of"] == 70
    assert run_bench("mitdb", tmp_path, ("102",))["rows"][0]["extra"] == 7
    flat = run_bench("mitdb", tmp_path, ("102",), Options(lead=1))["rows"][0]
    assert (flat["beats"], flat["missed_in_unreadable"], flat["extra"], flat["unreadable_s"]) == (63, 63, 0, 60)


def test_peers_run_on_the_same_records_beside_the_subject(tmp_path: Path) -> None:
    make_set(tmp_path, "100")
    document = run_bench("mitdb", tmp_path, (), Options(peers=True))
    assert document["command"].endswith(" --peers")
    rows = {row["detector"]: row for row in document["peers"]}
    assert next(iter(rows)) == "anyecg"
    assert rows["anyecg"]["qrs_se"] == document["gross"]["qrs_se"]["percent"]
    assert rows["sleepecg"]["qrs_pp"] == 90.0
    assert 0 < rows["sleepecg"]["cpu_s_per_24_h"] < rows["wfdb xqrs"]["cpu_s_per_24_h"]


def test_records_with_paced_beats_alone_must_be_named(tmp_path: Path) -> None:
    (tmp_path / "102.atr").touch()
    with pytest.raises(UsageError, match="paced beats alone"):
        run_bench("mitdb", tmp_path, ())


def test_a_record_that_is_not_there_is_told_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "100.atr").touch()
    with pytest.raises(InputUnreadable, match="999"):
        run_bench("mitdb", tmp_path, ("999",))


@pytest.mark.data
def test_the_scored_reference_beats_of_ds1_are_those_that_were_counted_before(data: Path) -> None:
    """37,982 N, 894 S and 30 escapes, 3,214 V, 335 F and 8 Q after the first five minutes."""
    if not (data / "mitdb" / "101.atr").exists():
        pytest.skip("no mitdb in ANYECG_DATA")
    nothing = Side(np.empty(0, np.int64), np.empty(0, np.uint8))
    names = [path.stem for path in (data / "mitdb").glob("*.atr") if path.stem not in PACED]
    references = [read_reference(data / "mitdb" / name) for name in names]
    counts = {
        escapes: sum(score_beats(one.side(escapes), nothing, one.fs_hz) for one in references)[:5].sum(axis=1)
        for escapes in Escapes
    }
    assert len(names) == 22
    assert counts[Escapes.BXB].tolist() == [37_982, 924, 3_214, 335, 8]
    assert counts[Escapes.PAPERS].tolist() == [38_012, 894, 3_214, 335, 8]
