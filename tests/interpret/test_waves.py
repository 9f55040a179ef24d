"""Intervals, absent P waves and the ST level, on beats with known limits."""

import dataclasses

import numpy as np
import pytest
from read_tools import FS_HZ, POINTS, facts_of, read

from edge.formats.memory import ArrayRecording
from edge.interpret.facts import context_of, measure
from edge.settings import RhythmSettings
from edge.types import NO_POINT, Absent, Annotations, Fact, Point, Wave

MS = 1000 / FS_HZ


def waves(annotations: Annotations, **span: float) -> dict[str, Fact]:
    return facts_of(annotations, "waves", **span)


def moved(annotations: Annotations, beats: slice, point: Point, offset: int) -> Annotations:
    table = annotations.waves.copy()
    table[beats, point] = offset
    return dataclasses.replace(annotations, waves=table)


def test_intervals_are_from_limit_to_limit_and_corrected_for_the_rate() -> None:
    facts = waves(read("N" * 20, 640))
    qt_ms = (POINTS[Point.T_OFF] - POINTS[Point.QRS_ON]) * MS
    assert facts["pr"].value == (POINTS[Point.QRS_ON] - POINTS[Point.P_ON]) * MS
    assert facts["qrs"].value == (POINTS[Point.QRS_OFF] - POINTS[Point.QRS_ON]) * MS
    assert facts["qt"].value == qt_ms
    assert facts["qtc_bazett"].value == pytest.approx(qt_ms / 0.8)
    assert facts["qtc_fridericia"].value == pytest.approx(qt_ms / 0.64 ** (1 / 3))
    assert (facts["qt"].n, facts["qtc_bazett"].n) == (20, 19)


def test_they_are_medians_also_of_an_even_number_of_beats() -> None:
    annotations = moved(read("N" * 20), slice(0, 10), Point.QRS_OFF, 15)
    assert waves(annotations)["qrs"].value == ((12 + 15) / 2 + 10) * MS
    assert waves(moved(read("N" * 21), slice(0, 10), Point.QRS_OFF, 15))["qrs"].value == 22 * MS


def test_only_normal_beats_in_good_seconds_count() -> None:
    annotations = moved(read("NNNNVVVVNNNN", 1000, usable=[10]), slice(4, 8), Point.QRS_OFF, 40)
    facts = waves(annotations)
    assert facts["qrs"].value == 22 * MS
    assert facts["qrs"].n == 7
    assert facts["qtc_bazett"].n == 5  # nor is the interval after a V beat normal-to-normal


def test_a_missing_limit_leaves_a_beat_out_and_too_few_give_no_value() -> None:
    annotations = moved(read("N" * 10), slice(0, 8), Point.P_ON, NO_POINT)
    facts = waves(annotations)
    assert (facts["pr"].value, facts["pr"].n) == (None, 2)
    assert facts["pr"].reason == "only 2 normal beats in good signal on which it can be measured, 3 are needed"
    assert facts["qrs"].n == 10


def test_the_share_without_p_waves_leaves_out_what_could_not_be_seen() -> None:
    annotations = read("N" * 10)
    absent = annotations.absent.copy()
    absent[:, Wave.P] = [*[Absent.PRESENT] * 3, Absent.NOT_SEEN, Absent.NO_ATRIAL_RHYTHM, *[Absent.NOISY] * 3,
                         Absent.CUT_OFF, Absent.NOT_ASSESSED]  # fmt: skip
    fact = waves(dataclasses.replace(annotations, absent=absent))["p_absent_share"]
    assert (fact.value, fact.n) == (40.0, 5)


def recorded(annotations: Annotations, level_mv: float, later_mv: float) -> ArrayRecording:
    """0.3 mV everywhere, and after each QRS another level up to the T wave; from half the time on a different one."""
    signal_mv = np.full(annotations.n_samples, 0.3)
    for beat in annotations.beats.tolist():
        level = level_mv if beat < annotations.n_samples / 2 else later_mv
        signal_mv[beat + POINTS[Point.QRS_OFF] : beat + 60] += level
        signal_mv[beat - 5 : beat + 5] += 1.0
    return ArrayRecording("st", signal_mv, FS_HZ)


def test_the_st_level_is_measured_against_the_level_before_the_qrs() -> None:
    annotations = read("N" * 1500)
    recording = recorded(annotations, -0.1, -0.1)
    facts = measure(context_of(annotations, 0, 1e9, RhythmSettings(), recording=recording), "waves")
    assert facts["st_level"].value == pytest.approx(-0.1, abs=1e-6)
    assert facts["st_change"].value == pytest.approx(0.0, abs=1e-6)
    assert facts["st_level"].evidence[0].label == "ST level, trend of one lead"


def test_a_change_of_the_st_level_is_shown_where_it_is_largest() -> None:
    annotations = read("N" * 2250)  # 30 minutes
    recording = recorded(annotations, 0.0, 0.2)
    facts = measure(context_of(annotations, 0, 1e9, RhythmSettings(), recording=recording), "waves")
    level_mv, change_mv = facts["st_level"].value, facts["st_change"].value
    assert level_mv is not None
    assert change_mv == pytest.approx(max(level_mv, 0.2 - level_mv), abs=1e-6)
    assert change_mv > 0.09
    (where,) = facts["st_change"].evidence
    assert "trend of one lead" in where.label


def test_without_the_signal_the_st_level_says_so() -> None:
    facts = waves(read("N" * 20))
    assert facts["st_level"].value is None
    assert (
        facts["st_level"].reason
        == "the ST level (trend of one lead) is measured in the signal, which is not at hand here"
    )


def test_a_span_without_beats_has_no_intervals() -> None:
    facts = waves(read("N" * 10, seconds=60), start_s=30.0, end_s=50.0)
    assert {fact.reason for fact in facts.values()} == {"no beats found"}
