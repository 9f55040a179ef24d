"""The benches run, small, and their floors hold."""

from pathlib import Path

import pytest

from bench import ACCURACY, BENCHES, Options, run_bench
from bench.cost import cost_of_analysis, write_tiled
from bench.kill import run as kill
from edge.errors import UsageError


def test_an_unknown_bench_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match="There is no bench"):
        run_bench("speed", None, ())


@pytest.mark.parametrize("name", ACCURACY)
def test_a_bench_without_its_data_says_what_it_needs(name: str) -> None:
    assert name in BENCHES
    with pytest.raises(UsageError, match="--data"):
        run_bench(name, None, ())


def test_a_bench_of_cost_takes_no_options_of_the_accuracy_benches() -> None:
    with pytest.raises(UsageError, match="takes no --lead, --folds or --peers"):
        run_bench("kill", None, (), Options(peers=True))


@pytest.mark.slow
def test_a_killed_recording_opens_and_lacks_at_most_a_second() -> None:
    result = kill(None, (), times=5)
    assert result["opened"] == 5
    assert result["with_wrong_samples"] == 0
    assert result["lost_s"]["max"] <= 1.0


@pytest.mark.slow
def test_the_cost_of_analysis_grows_with_the_recording_and_its_memory_does_not(tmp_path: Path) -> None:
    costs = []
    for hours in (1.0, 4.0):
        path = write_tiled(tmp_path, hours)
        costs.append(cost_of_analysis(path, tmp_path))
    assert all(cost.exit_code == 0 for cost in costs)
    assert costs[1].peak_rss_mb < costs[0].peak_rss_mb + 15
    assert costs[1].peak_rss_mb < 300
    assert costs[1].cpu_s < 12  # three times what it takes on two idle cores; 24 h are in bench/results/cost.json


@pytest.mark.data
def test_qrs_detection_stays_above_its_floor(data: Path) -> None:
    result = run_bench("mitdb", data / "mitdb", ("101", "106", "119", "208", "230"))
    assert result["gross"]["qrs_se"]["percent"] >= 99.2
    assert result["gross"]["qrs_pp"]["percent"] >= 98.9
    assert [row["record"] for row in result["rows"]] == ["101", "106", "119", "208", "230"]


@pytest.mark.slow
def test_three_virtual_straps_on_one_core_lose_nothing_and_are_stored_at_once() -> None:
    result = run_bench("load", None, ("3", "12"))
    assert (result["exact"], result["missing"], result["dropped"]) == (True, 0, 0)
    assert result["packets"] > 20
    assert result["stored_ms"]["p99"] < 500  # of a busy test machine; the real figure is in bench/results/load.json


@pytest.mark.slow
def test_half_an_hour_of_a_strap_keeps_its_time_and_memory() -> None:
    result = run_bench("day", None, ("0.5", "120"))
    assert result["exact"]
    assert result["missing"] == 0
    assert result["rss_mb"]["at_the_end"] < result["rss_mb"]["after_a_twelfth"] + 20
    assert result["time_map_ms"]["p99"] < 400  # a few ms of a busy test machine, times the speed
