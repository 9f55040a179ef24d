"""The noise stress bench: names, noisy stretches, and a whole run on a small record."""

from pathlib import Path

import numpy as np
import pytest
from bench_tools import write_marks, write_record
from ecg_tools import even_ecg, times_of

from bench import Options, run_bench
from bench.nstdb import noisy_spans, snr_of
from edge.errors import UsageError

FS = 100.0


def test_the_name_of_a_record_tells_its_source_and_noise() -> None:
    assert snr_of("118e24") == ("118", 24)
    assert snr_of("118e00") == ("118", 0)
    assert snr_of("119e_6") == ("119", -6)
    with pytest.raises(UsageError, match="100 is no record of the Noise Stress Test"):
        snr_of("100")


def test_noise_lies_in_alternate_stretches_of_two_minutes_from_minute_five_on() -> None:
    assert noisy_spans(1.0, 800).tolist() == [[300, 420], [540, 660], [780, 800]]
    assert noisy_spans(360.0, 650_000)[0].tolist() == [108_000, 151_200]


def make_record(folder: Path, name: str) -> None:
    """Eight and a half minutes; flat from 5:00 to 5:10 (noisy) and from 7:00 to 7:05 (not noisy any more)."""
    signal_mv = even_ecg(60, FS, 510)
    signal_mv[30_000:31_000] = signal_mv[42_000:42_500] = 0.0
    write_record(folder, name, signal_mv, FS)
    at = np.round(times_of(60, 510) * FS).astype(int).tolist()
    write_marks(folder, name, "atr", at, ["N"] * len(at))


def test_strengths_are_scored_apart_all_and_in_the_noisy_stretches(tmp_path: Path) -> None:
    make_record(tmp_path, "118e_6")
    make_record(tmp_path, "118e06")
    write_marks(tmp_path, "118", "atr", [100], ["N"])
    document = run_bench("nstdb", tmp_path, (), Options(peers=True))
    assert [(row["snr_db"], row["part"]) for row in document["by_snr"]] == [
        (6, "all"),
        (6, "noisy"),
        (-6, "all"),
        (-6, "noisy"),
    ]
    whole, noisy = document["rows"][:2]
    assert (whole["record"], whole["part"], noisy["part"]) == ("118e06", "all", "noisy")
    assert (whole["beats"], noisy["beats"]) == (210, 120)
    assert (whole["unreadable_s"], noisy["unreadable_s"]) == (15, 10)
    assert (whole["missed_in_unreadable"], noisy["missed_in_unreadable"]) == (15, 10)
    assert noisy["qrs_se"] == round(100 * 110 / 120, 2)
    assert noisy["qrs_se_readable"] == 100.0
    assert document["gross"]["qrs_se"]["of"] == 420
    assert [row["group"] for row in document["peers"] if row["detector"] == "sleepecg"] == ["6 dB", "-6 dB"]


@pytest.mark.data
def test_118_is_read_without_a_fault_where_the_noise_is_weak(data: Path) -> None:
    if not (data / "nstdb" / "118e24.atr").exists():
        pytest.skip("no nstdb in ANYECG_DATA")
    rows = run_bench("nstdb", data / "nstdb", ("118e24",))["rows"]
    assert rows[0]["beats"] == 1916
    assert min(rows[0]["qrs_se"], rows[0]["qrs_pp"], rows[1]["qrs_se"]) >= 99.8
