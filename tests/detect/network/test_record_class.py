"""The numbers of a short recording: each says what its name says, and nothing is made up where nothing was measured."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.clean.quality import State
from edge.detect.network.record_class import CLASS_NUMBERS, SHORT_S, class_numbers
from edge.detect.network.session import shipped_network
from edge.formats.memory import ArrayRecording, demo_recording
from edge.pipeline import AnalysisState, advance, annotate, finish
from edge.settings import Settings
from edge.types import NO_POINT, Absent, Annotations, Likely, Point, Wave, pieces

FS_HZ = 250.0
POOLED = (0.7, 0.1, 0.15, 0.05)


def annotations(rr_s: list[float], labels: str = "", seconds: int = 30) -> Annotations:
    """Beats at these intervals, each with a QRS of 100 ms, a P wave and a PR interval of 160 ms."""
    beats = np.rint(np.cumsum([0.5, *rr_s]) * FS_HZ).astype(np.int64)
    n = len(beats)
    waves = np.full((n, len(Point)), NO_POINT, np.int16)
    waves[:, [Point.P_ON, Point.P_PEAK, Point.P_OFF]] = -52, -40, -28
    waves[:, [Point.QRS_ON, Point.QRS_PEAK, Point.QRS_OFF]] = -12, 0, 13
    return Annotations(
        FS_HZ, round(seconds * FS_HZ), beats, np.zeros(seconds, np.uint8), np.zeros(seconds, np.uint8), (),
        labels=np.frombuffer((labels or "N" * n).encode(), np.uint8), waves=waves,
        absent=np.full((n, len(Wave)), Absent.PRESENT, np.uint8), likely=np.zeros((seconds, len(Likely)), np.uint8),
    )  # fmt: skip


def told(of: Annotations) -> dict[str, float]:
    return dict(zip(CLASS_NUMBERS, class_numbers(of, POOLED).tolist(), strict=True))


def test_an_even_rhythm_of_normal_beats_is_told_as_such() -> None:
    n = told(annotations([0.8] * 30))
    assert n["log_n"] == pytest.approx(np.log(0.7), abs=0.01)
    assert n["rr_s"] == pytest.approx(0.8)
    assert n["n_rr"] == 30
    assert n["duration_s"] == 30
    assert n["rr_cv"] == pytest.approx(0, abs=1e-6)
    assert n["rr_changed"] == n["rr_early"] == n["share_v"] == n["af_mean"] == 0
    assert n["share_p"] == 1
    assert n["share_t"] == 0
    assert n["pr_s_median"] == pytest.approx(0.16)
    assert n["qrs_s_median"] == pytest.approx(0.1)
    assert np.isnan(n["qt_s_median"])


def test_an_irregular_rhythm_is_told_by_its_changes() -> None:
    rng = np.random.default_rng(1)
    even, uneven = told(annotations([0.8] * 30)), told(annotations(rng.uniform(0.45, 1.1, 30).tolist()))
    for name in ("rr_cv", "rr_iqr", "rr_rmssd", "rr_changed", "rr_jumps", "rr_change_entropy", "rr_entropy"):
        assert uneven[name] > even[name] + 0.1, name


def test_labels_and_quality_are_shares() -> None:
    of = annotations([0.8] * 9, "NNNVNNSNNN")
    of = replace(of, quality=np.array([State.UNUSABLE] * 6 + [State.USABLE] * 3 + [State.GOOD] * 21, np.uint8))
    n = told(of)
    assert n["share_v"] == pytest.approx(0.1)
    assert n["number_s"] == pytest.approx(np.log(2))
    assert n["share_unusable"] == pytest.approx(0.2)
    assert n["share_usable"] == pytest.approx(0.1)


def test_without_beats_nothing_is_made_up() -> None:
    of = annotations([])
    none = replace(of, beats=of.beats[:0], labels=of.labels[:0], waves=of.waves[:0], absent=of.absent[:0])
    n = told(none)
    assert np.isnan([n["rr_s"], n["rr_cv"], n["share_p"], n["pr_s_median"], n["qrs_s_most"]]).all()
    assert n["rate_hz"] == n["share_v"] == 0


@settings(max_examples=30, deadline=None)
@given(st.lists(st.floats(0.2, 4), max_size=60))
def test_numbers_are_finite_or_missing_whatever_the_rhythm(rr_s: list[float]) -> None:
    numbers = class_numbers(annotations(rr_s, seconds=int(sum(rr_s)) + 2), POOLED)
    assert not np.isinf(numbers).any()


def test_the_class_of_a_short_recording_is_the_same_live() -> None:
    demo = demo_recording()
    short = ArrayRecording("short", demo.read_mv(0, round(40 * demo.info.fs_hz)), demo.info.fs_hz)
    whole = annotate(short).classes
    state = AnalysisState(short.info.fs_hz, (0,), Settings(), shipped_network())
    for piece in pieces(short, step_s=1.0):
        advance(piece, state)
    finish(state)
    assert state.classes == pytest.approx(whole, abs=1e-4)
    assert sum(whole) == pytest.approx(1, abs=1e-4)


def test_of_a_longer_recording_nothing_is_kept_for_its_class() -> None:
    demo = demo_recording()
    assert demo.info.duration_s > SHORT_S
    state = AnalysisState(demo.info.fs_hz, (0,), Settings(), shipped_network())
    for piece in pieces(demo):
        advance(piece, state)
    assert state.short is None
    assert sum(state.classes) == pytest.approx(1, abs=1e-4)
