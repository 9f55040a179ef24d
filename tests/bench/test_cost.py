"""What the cost bench measures: lengths, parts that add up, and functions that are themselves again afterwards."""

from pathlib import Path

import numpy as np
import pytest

from bench.cost import ALONE, PARTS, Stopwatch, beats_alone, hours_of, live, parts_of, tile, write_tiled
from edge.detect.network.session import shipped_network
from edge.errors import UsageError
from edge.formats.sniff import open_file

needs_network = pytest.mark.skipif(shipped_network() is None, reason="the annotator network is not installed")


def test_a_length_is_given_in_hours_or_days() -> None:
    assert [hours_of(text) for text in ("24", "0.5", "14d")] == [24.0, 0.5, 336.0]


@pytest.mark.parametrize("text", ["d", "a week", "0", "-1d", "inf", "nan"])
def test_what_is_no_length_is_a_usage_error(text: str) -> None:
    with pytest.raises(UsageError, match="no length"):
        hours_of(text)


@pytest.mark.parametrize("hours", [0.1, 1.2])
def test_the_tiled_record_is_the_demo_ecg_as_long_as_asked(tmp_path: Path, hours: float) -> None:
    recording = open_file(write_tiled(tmp_path, hours))
    assert recording.info.n_samples == round(hours * 3600 * 250)
    mv = tile()
    np.testing.assert_allclose(recording.read_mv(len(mv), len(mv) + 5000)[:, 0], mv[:5000], atol=0.0026)
    recording.close()


def test_a_function_that_another_one_calls_counts_for_the_outer_one() -> None:
    watch = Stopwatch()
    inner = watch.around("inner", lambda: sum(range(200_000)))
    outer = watch.around("outer", lambda: inner() + 1)
    assert outer() == sum(range(200_000)) + 1
    assert watch.cpu_s["outer"] > 0
    assert watch.cpu_s["inner"] == 0
    assert inner() == sum(range(200_000))
    assert watch.cpu_s["inner"] > 0


def test_a_function_that_fails_ends_its_part() -> None:
    watch = Stopwatch()
    with pytest.raises(ZeroDivisionError):
        watch.around("part", lambda: 1 // 0)()
    assert not watch.running


@needs_network
def test_every_part_of_reading_takes_time_and_together_they_are_all(tmp_path: Path) -> None:
    before = {name: getattr(owner, name) for parts in (PARTS, ALONE) for f in parts.values() for owner, name in f}
    path = write_tiled(tmp_path, 0.2)
    told = parts_of(path)
    assert set(told) == {*PARTS, "file and everything else", "facts", "all"}
    assert all(cpu_s >= 0 for cpu_s in told.values())
    assert told["trunk"] > 0
    assert told["labels and waves"] > 0
    assert sum(told.values()) == pytest.approx(2 * told["all"], abs=0.05)
    alone = beats_alone(path)
    assert 0 < alone["beats"] < alone["all"]
    after = {name: getattr(owner, name) for parts in (PARTS, ALONE) for f in parts.values() for owner, name in f}
    assert after == before


@needs_network
def test_reading_as_it_comes_in_takes_a_small_share_of_one_core() -> None:
    told = live(seconds=60)
    assert told["seconds"] == 60
    assert (
        0 < told["cpu_percent_of_one_core"] < 10
    )  # a busy test machine; the real figure is in bench/results/cost.json
    assert told["slowest_second_ms"] > 0
