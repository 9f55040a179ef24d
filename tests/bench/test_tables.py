"""The README says what bench/results say, and every figure of a result lands in the row that it belongs to."""

import json
from pathlib import Path
from typing import Any

import pytest

from bench.tables import MAKERS, RESULTS, ROOT, peers, renewed, scores

MACHINE = {"cpus": 2, "cpu": "board", "python": "3.11.7"}
CROSSED = "a network that had never seen the record"


def ratio(percent: float | None) -> dict[str, Any]:
    return {"percent": percent, "hits": 1, "of": 2}


def document(**figures: Any) -> dict[str, Any]:
    return {"command": "anyecg bench it", "subject": CROSSED, "machine": MACHINE, "records": 22, **figures}


def mitdb(*, labelled: bool = True) -> dict[str, Any]:
    gross = {"qrs_se": ratio(99.9), "qrs_se_readable": ratio(99.95), "qrs_pp": ratio(99.8)}
    more: dict[str, Any] = {}
    if labelled:
        names = ("veb_se", "veb_pp", "sveb_se", "sveb_pp", "sveb_se_papers", "sveb_pp_papers", "af_episode_se",
                 "af_episode_pp", "af_duration_se", "af_duration_pp", "false_p_in_af")  # fmt: skip
        gross |= {name: ratio(float(k)) for k, name in enumerate(names, start=81)}
        more["false_af"] = {"records_without_af": 14, "hours": 5.83, "minutes": 2.5}
    return document(gross=gross, unreadable_s=7, scored_s=33_000, **more)


def rows(folder: Path, **results: dict[str, Any]) -> list[list[str]]:
    """Cells of the score table's rows."""
    for name, result in results.items():
        (folder / f"{name}.json").write_text(json.dumps(result))
    lines = [line for line in scores(folder).splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def test_the_readme_shows_the_scores_of_the_result_files() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert renewed(readme) == readme, "run: python -m bench.tables"


def test_every_result_that_is_there_has_its_rows() -> None:
    table = scores(RESULTS)
    there = [name for name in MAKERS if (RESULTS / f"{name}.json").is_file()]
    assert {"cost", "kill", "straps"} <= set(there)
    for name in there:
        assert f"`{json.loads((RESULTS / f'{name}.json').read_text())['command']}`" in table


def test_a_readme_without_the_places_of_the_tables_is_refused() -> None:
    with pytest.raises(ValueError, match="no place for a table"):
        renewed("# anyecg")


def test_without_any_result_the_tables_have_no_rows(tmp_path: Path) -> None:
    assert rows(tmp_path) == []
    assert peers(tmp_path) == ""


def test_the_figures_of_mit_bih_stand_beside_their_targets(tmp_path: Path) -> None:
    told = {what: (measured, target) for what, measured, target, _ in rows(tmp_path, mitdb=mitdb())}
    records = "MIT-BIH, 22 records"
    readable = "(Se of what was not declared unreadable 99.95 %; 7 of 33000 s were)"
    assert told == {
        f"QRS Se / +P, one lead, {records}": (f"99.9 / 99.8 % {readable}", "≥ 99.85 / 99.85 %"),
        f"{records}, ventricular ectopic beats Se / +P": ("81 / 82 %", "≥ 94 / 94 %"),
        f"{records}, supraventricular ectopic beats Se / +P, escape beats counted as such (bxb); as normal": (
            "83 / 84 %; 85 / 86 %",
            "≥ 80 / 70 %",
        ),
        f"{records}, atrial fibrillation: episodes Se / +P; duration Se / +P": ("87 / 88 %; 89 / 90 %", "–"),
        f"{records}, atrial fibrillation called in the 14 records without it": ("2.5 min of 5.8 h", "–"),
        f"{records}, atrial fibrillation: beats with a P wave in it": ("91 %", "≤ 5 %"),
    }
    assert f"mitdb: {CROSSED}." in scores(tmp_path)
    assert "Measured on 2 cores of an board, Python 3.11.7." in scores(tmp_path)


def test_beats_that_were_not_labelled_have_no_label_rows(tmp_path: Path) -> None:
    assert [row[0] for row in rows(tmp_path, mitdb=mitdb(labelled=False))] == [
        "QRS Se / +P, one lead, MIT-BIH, 22 records"
    ]


def test_noise_is_told_for_the_three_strengths_that_have_a_target(tmp_path: Path) -> None:
    by_snr, of_record = [], []
    for snr_db, record in ((18, "118e18"), (12, "118e12"), (6, "118e06"), (0, "118e00")):
        for part, less in (("all", 0), ("noisy", 40)):
            figures = {"qrs_se": 90 + snr_db / 2 - less, "qrs_se_readable": 99.5, "qrs_pp": 80 + snr_db - less}
            by_snr.append({"snr_db": snr_db, "part": part, "records": 1, **figures})
            of_record.append({"record": record, "part": part, "unreadable_s": 100 - snr_db, **figures})
    told = rows(tmp_path, nstdb=document(by_snr=by_snr, rows=of_record))
    assert [row[0].rpartition(", ")[2] for row in told] == ["118e12", "118e06", "118e00"]
    readable = "(Se of what was not declared unreadable 99.5 %;"
    assert told[1][1:3] == [f"93 / 86 % {readable} 94 s were)", "≥ 99 / 97 %, or unreadable"]


def test_the_challenge_s_score_and_the_unusable_seconds_are_told(tmp_path: Path) -> None:
    share = [{"class": "normal", "unusable_percent": 0.4}, {"class": "too noisy", "unusable_percent": None}]
    scored = document(score_percent=84.2, f1_percent={"N": 91.0, "A": 86.1, "O": 75.5, "~": 60.0}, rows=share)
    told = rows(tmp_path, cinc2017=scored)
    assert [row[1:3] for row in told] == [["84.2; 86.1 %", "≥ 83; ≥ 85 %"], ["0.4 / – %", "–"]]
    assert len(rows(tmp_path, cinc2017=document(rows=share))) == 1


def test_waves_are_told_with_the_tolerated_spread(tmp_path: Path) -> None:
    gross = {"p_f1": ratio(98.1), "qrs_f1": ratio(99.9), "t_f1": ratio(99.0), "false_p_in_af": ratio(3.0)}
    points = {"P_ON": 11.0, "P_PEAK": 1.0, "P_OFF": 12.0, "QRS_ON": 9.0, "QRS_OFF": 10.0, "T_OFF": 20.5}
    errors = [
        {"leads": leads, "point": p, "sd": sd + (leads == "ii")} for leads in ("all", "ii") for p, sd in points.items()
    ]
    told = rows(tmp_path, ludb=document(gross=gross, errors_ms=errors))
    assert [row[1:3] for row in told] == [
        ["98.1 / 99.9 / 99 %", "≥ 98 / 99.8 / 99 %"],
        ["11, 12, 9, 10, 20.5 ms", "≤ 15.3, 19.05, 9.75, 17.4, 45.9 ms"],
        ["3 %", "≤ 5 %"],
    ]
    assert told[1][0] == "LUDB, 22 records, SD of P on, P off, QRS on, QRS off, T off"


def test_the_cost_of_each_length_and_of_the_parts_is_told(tmp_path: Path) -> None:
    lengths = [
        {"hours": 24, "cpu_s": 21.34, "cpu_s_of_runs": [20.5, 21.34, 24.0], "peak_rss_mb": 180.2},
        {"hours": 336, "cpu_s": 300.0, "peak_rss_mb": 182.0},
    ]
    plain = document(rows=lengths)
    assert [row[:3] for row in rows(tmp_path, cost=plain)] == [
        ["`analyze`, 24 h of one lead at 250 Hz", "21.3 s CPU (median of 3, 20.5 to 24.0), 180 MB", "30 s, 300 MB"],
        ["`analyze`, 14 days of one lead at 250 Hz", "300.0 s CPU, 182 MB", "300 MB, as for 24 h"],
    ]
    parts = {"hours": 24.0, "cpu_s": {"trunk": 7.04, "all": 20.0}}
    alone = {"hours": 24.0, "cpu_s": {"beats": 9.26, "all": 15.0}}
    live = {"seconds": 600, "cpu_percent_of_one_core": 0.66}
    told = rows(tmp_path, cost={**plain, "parts": parts, "beats_alone": alone, "live": live})
    assert [row[1:3] for row in told[2:]] == [
        ["trunk 7.0, all 20.0 s", "–"],
        ["9.3 s CPU", "2 s"],
        ["0.66 % of one core", "1 %"],
    ]


def test_peers_stand_in_one_table_with_their_accuracy_and_speed(tmp_path: Path) -> None:
    def lane(detector: str, **more: Any) -> dict[str, Any]:
        figures = {"qrs_se": 99.0, "qrs_pp": 98.0, "average_se": 97.0, "average_pp": 96.0, "cpu_s_per_24_h": 1.5}
        return {"detector": detector, "version": "1.0", **figures, **more}

    missing = {"detector": "biosppy", "not_installed": "pip install biosppy"}
    race = document(peers=[lane("anyecg"), lane("xqrs", failed=["100", "101"]), missing])
    (tmp_path / "peers.json").write_text(json.dumps(race))
    lines = peers(tmp_path).splitlines()
    assert lines[0].count("|") == 5
    assert lines[2] == "| anyecg 1.0 | 99 / 98 % | 97 / 96 % | 1.5 s |"
    assert lines[3] == "| xqrs 1.0 | 99 / 98 %; failed on 2 | 97 / 96 % | 1.5 s |"
    assert lines[4] == "| biosppy | not installed here | – | – |"
    noise = [lane("anyecg", group=f"{snr_db} dB", qrs_se=80.0 + snr_db) for snr_db in (24, 12, 0)]
    (tmp_path / "nstdb.json").write_text(json.dumps(document(by_snr=[], rows=[], peers=[*noise, missing])))
    lines = peers(tmp_path).splitlines()
    assert [cell.strip() for cell in lines[0].split("|")[4:6]] == ["under noise, 12 dB", "under noise, 0 dB"]
    assert lines[2] == "| anyecg 1.0 | 99 / 98 % | 97 / 96 % | 92 / 98 % | 80 / 98 % | 1.5 s |"
    assert lines[3] == "| xqrs 1.0 | 99 / 98 %; failed on 2 | 97 / 96 % | – | – | 1.5 s |"
