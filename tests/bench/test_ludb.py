"""The delineation bench: one lead by hand, and a whole run on small records of twelve leads."""

from pathlib import Path

import numpy as np
import pytest
from bench_tools import annotations, write_marks, write_record
from ecg_tools import even_ecg, times_of

from bench import Options, run_bench
from bench.delineation import Marked, marks_of
from bench.ec57 import Ratio
from bench.ludb import LEADS, Tally, error_rows, said_of_waves, score_lead
from edge.detect.network.session import shipped_network
from edge.errors import UsageError
from edge.types import NO_POINT, Absent, Point, Wave

FS = 500.0
SEEN = {
    Point.P_ON: -100, Point.P_PEAK: -80, Point.P_OFF: -60,
    Point.QRS_ON: -20, Point.QRS_PEAK: 0, Point.QRS_OFF: 20,
    Point.T_ON: 90, Point.T_PEAK: 120, Point.T_OFF: 150,
}  # fmt: skip


def marked(beats: list[int], waves: str = "pNt") -> Marked:
    """The first beat has no P mark and the last one no T mark, as in LUDB."""
    peaks = {"p": (-102, -80, -60), "N": (-20, 2, 20), "t": (90, 120, 152)}
    at, symbols = [], ""
    for k, beat in enumerate(beats):
        for kind in waves:
            if (kind == "p" and k == 0) or (kind == "t" and k == len(beats) - 1):
                continue
            at += [beat + offset for offset in peaks[kind]]
            symbols += f"({kind})"
    return marks_of(np.array(at), list(symbols))


def test_waves_of_the_beats_that_people_left_out_are_not_scored() -> None:
    beats = [500, 1000, 1500, 2000]
    scored = score_lead(marked(beats[1:]), annotations(beats, "NNNN", FS, 5, points=SEEN), fibrillating=False)
    assert scored.scores["p_se"] == scored.scores["p_pp"] == Ratio(2, 2)
    assert scored.scores["t_se"] == scored.scores["t_pp"] == Ratio(2, 2)
    assert scored.scores["qrs_f1"] == Ratio(6, 6)
    assert scored.absent[Wave.P, Absent.PRESENT] == 3


def test_errors_of_every_point_are_told_in_milliseconds() -> None:
    tally = Tally()
    beats = [1000, 1500, 2000]
    found = annotations(beats, "NNN", FS, 5, points=SEEN)
    found.waves[1, Point.QRS_PEAK] = 4
    tally.add(score_lead(marked(beats), found, fibrillating=False))
    rows = {row["point"]: row for row in error_rows("all", tally)}
    assert rows["P_ON"] == {"leads": "all", "point": "P_ON", "n": 2, "mean": 4.0, "sd": 0.0}
    assert rows["T_OFF"]["mean"] == -4.0
    assert rows["QRS_PEAK"] == {"leads": "all", "point": "QRS_PEAK", "n": 3, "mean": -1.3, "sd": 4.6}


def test_p_waves_in_fibrillation_are_false_and_absent_waves_are_told_with_their_reason() -> None:
    beats = [1000, 1500, 2000, 2400]
    found = annotations(beats, "NNNN", FS, 5, points=SEEN)
    found.waves[1:, Point.P_ON : Point.P_OFF + 1] = NO_POINT
    found.absent[1:, Wave.P] = Absent.NO_ATRIAL_RHYTHM
    scored = score_lead(marked(beats[:3], "Nt"), found, fibrillating=True)
    assert scored.scores["false_p_in_af"] == Ratio(1, 3)
    tally = Tally()
    tally.add(scored)
    assert said_of_waves(tally)["P"]["no_atrial_rhythm"] == 66.67
    assert said_of_waves(tally)["T"]["present"] == 100.0


def test_without_a_network_beats_alone_are_scored() -> None:
    scored = score_lead(marked([1000, 1500]), annotations([1001, 1500], "", FS, 5), fibrillating=True)
    assert list(scored.scores) == ["qrs_se", "qrs_pp", "qrs_f1"]
    assert scored.waves[Wave.QRS].errors_ms[:, 1].tolist() == [-2.0, -4.0]


def make_set(folder: Path) -> None:
    (folder / "data").mkdir()
    rows = ["ID,Sex,Rhythms", '1,M,"Sinus rhythm\nWandering atrial pacemaker"', "2,F,Atrial fibrillation"]
    (folder / "ludb.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    beats = np.round(times_of(60, 10) * FS).astype(int).tolist()
    for record in ("1", "2"):
        write_record(folder / "data", record, even_ecg(60, FS, 10), FS, LEADS)
        for lead in LEADS:
            at = [at for beat in beats[1:-1] for at in (beat - 20, beat, beat + 20)]
            write_marks(folder / "data", record, lead, at, list("(N)" * (len(beats) - 2)))


def test_a_folder_is_scored_lead_by_lead_and_record_by_record(tmp_path: Path) -> None:
    make_set(tmp_path)
    document = run_bench("ludb", tmp_path, ())
    assert [row["lead"] for row in document["by_lead"]] == list(LEADS)
    assert [row["record"] for row in document["rows"]] == ["1", "2"]
    assert document["rows"][0]["rhythm"] == "Sinus rhythm, Wandering atrial pacemaker"
    assert document["gross"]["qrs_se"] == {"percent": 100.0, "hits": 192, "of": 192}
    assert document["gross"]["qrs_pp"]["percent"] == 100.0
    assert {row["leads"] for row in document["errors_ms"]} == {"all", "ii", "i"}
    assert document["waves"].startswith("read" if shipped_network() else "not read")


def test_one_lead_and_one_record_can_be_asked_for(tmp_path: Path) -> None:
    make_set(tmp_path)
    document = run_bench("ludb", tmp_path, ("2",), Options(lead=1))
    assert [row["lead"] for row in document["by_lead"]] == ["ii"]
    assert document["records"] == 1
    with pytest.raises(UsageError, match="no lead 12"):
        run_bench("ludb", tmp_path, ("2",), Options(lead=12))
    with pytest.raises(UsageError, match=r"does not name 7"):
        run_bench("ludb", tmp_path, ("7",))
