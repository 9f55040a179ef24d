"""Two weeks of beats: every group of facts stays within its memory, and quick."""

import time
import tracemalloc
from collections.abc import Iterator

import numpy as np
import pytest

from edge.interpret.facts import GROUPS, Context, context_of, measure
from edge.report.summary import summarise
from edge.settings import RhythmSettings, Settings
from edge.types import Annotations, Lead, Likely, RecordingInfo, RhythmSpan, Wave

FS_HZ, N_BEATS = 250.0, 1_400_000
MOST_MB = 30


@pytest.fixture(scope="module")
def fortnight() -> Annotations:
    rng = np.random.default_rng(0)
    rr_ms = rng.normal(860, 50, N_BEATS).clip(400, 2000)
    beats = np.cumsum(np.round(rr_ms * FS_HZ / 1000)).astype(np.int64)
    n = int(beats[-1] / FS_HZ) + 1
    labels = rng.choice(np.frombuffer(b"N" * 16 + b"SVVFQ", np.uint8), N_BEATS)
    quality = rng.choice(np.array([0] * 16 + [1, 2], np.uint8), n)
    names = ("(N", "(AFIB", "(VT", "(B", "(SVTA", "(T")
    spans = tuple(
        RhythmSpan(round(at * FS_HZ), round((at + 11) * FS_HZ), names[at // 12 % 6]) for at in range(0, n - 20, 12)
    )
    return Annotations(
        FS_HZ, round(n * FS_HZ), beats, quality, np.where(quality == 2, 32, 0).astype(np.uint8), (), labels,
        np.tile(np.array([-40, -30, -20, -10, 0, 10, 30, 60, 80], np.int16), (N_BEATS, 1)),
        np.zeros((N_BEATS, len(Wave)), np.uint8), np.zeros((n, len(Likely)), np.uint8), spans,
    )  # fmt: skip


@pytest.fixture(scope="module")
def whole(fortnight: Annotations) -> Context:
    return context_of(fortnight, 0.0, 1e9, RhythmSettings())


@pytest.fixture
def traced() -> Iterator[None]:
    tracemalloc.start()
    yield
    tracemalloc.stop()


@pytest.mark.parametrize("group", GROUPS)
@pytest.mark.usefixtures("traced")
def test_a_group_needs_little_memory_beyond_the_annotations(group: str, whole: Context) -> None:
    measure(whole, group)
    assert tracemalloc.get_traced_memory()[1] < MOST_MB * 1e6


@pytest.mark.parametrize("group", GROUPS)
def test_a_group_takes_less_than_two_seconds(group: str, whole: Context) -> None:
    began = time.process_time()
    measure(whole, group)
    assert time.process_time() - began < 2.0


@pytest.mark.usefixtures("traced")
def test_the_intervals_need_little_memory(fortnight: Annotations) -> None:
    context_of(fortnight, 0.0, 1e9, RhythmSettings())
    assert tracemalloc.get_traced_memory()[1] < MOST_MB * 1e6


@pytest.mark.usefixtures("traced")
def test_the_summary_of_two_weeks_needs_little_memory(fortnight: Annotations) -> None:
    info = RecordingInfo("long", (Lead("I"),), FS_HZ, fortnight.n_samples, None, "array")
    document = summarise(info, fortnight, 0, Settings())
    assert tracemalloc.get_traced_memory()[1] < 2 * MOST_MB * 1e6
    assert sum(row["ve"] for row in document["hourly"]) == document["ectopy"]["ventricular_ectopic_count"]["value"]
    assert sum(row["ve_runs"] for row in document["hourly"]) == document["ectopy"]["ventricular_run_count"]["value"]
    assert sum(row["pauses"] for row in document["hourly"]) == document["pauses"]["pauses_2.0s"]["value"]
    assert sum(row["af_min"] for row in document["hourly"]) * 60 == pytest.approx(
        document["rhythm"]["af_total"]["value"], rel=0.01
    )
