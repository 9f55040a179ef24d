"""Waves against people's marks. 1000 samples a second unless another rate is named."""

import numpy as np
from bench_tools import annotations
from numpy.testing import assert_array_equal

from bench.delineation import MISSING, has_p, marks_of, score_waves, waves_of
from bench.ec57 import Ratio
from edge.types import Point, Wave

FS = 1000.0


def waves(*rows: tuple[int, int, int]) -> np.ndarray:
    return np.array(rows, np.int64).reshape(-1, 3)


def test_marks_are_read_as_waves_with_beginning_peak_and_end() -> None:
    marked = marks_of(np.arange(10, 100, 10), list("(p)(N)(t)"))
    assert marked.waves[Wave.P].tolist() == [[10, 20, 30]]
    assert marked.waves[Wave.QRS].tolist() == [[40, 50, 60]]
    assert marked.waves[Wave.T].tolist() == [[70, 80, 90]]
    assert (marked.first, marked.last) == (10, 90)


def test_a_wave_may_lack_its_beginning_or_its_end() -> None:
    marked = marks_of(np.arange(10, 50, 10), list("N)(t"))
    assert marked.waves[Wave.QRS].tolist() == [[MISSING, 10, 20]]
    assert marked.waves[Wave.T].tolist() == [[30, 40, MISSING]]


def test_a_beginning_marked_just_after_its_peak_is_still_its_beginning() -> None:
    assert marks_of(np.array([10, 11, 40, 50]), list("N()t")).waves[Wave.QRS].tolist() == [[11, 10, 40]]


def test_a_wave_marked_several_times_over_is_one_wave() -> None:
    marked = marks_of(np.arange(10, 70, 10), list("((tt))"))
    assert marked.waves[Wave.T].tolist() == [[20, 30, 50]]


def test_limits_without_a_peak_are_no_wave() -> None:
    assert [len(found) for found in marks_of(np.array([10, 20]), list("()")).waves.values()] == [0, 0, 0]


def test_no_marks_are_no_waves_and_no_exception() -> None:
    assert [len(found) for found in marks_of(np.empty(0, np.int64), []).waves.values()] == [0, 0, 0]


def test_found_waves_lie_where_the_beats_points_say_and_absent_ones_nowhere() -> None:
    found = annotations([1000, 2000], "NN", points={Point.P_PEAK: -160, Point.P_ON: -200})
    assert waves_of(found, Wave.P).tolist() == [[800, 840, MISSING], [1800, 1840, MISSING]]
    assert waves_of(found, Wave.T).tolist() == []
    assert has_p(found).tolist() == [True, True]


def test_without_a_network_the_beats_are_all_that_is_known_of_the_qrs() -> None:
    found = annotations([1000, 2000])
    assert waves_of(found, Wave.QRS).tolist() == [[MISSING, 1000, MISSING], [MISSING, 2000, MISSING]]
    assert waves_of(found, Wave.P).tolist() == []


def test_found_waves_are_ordered_by_their_peak_even_where_their_beats_are_not() -> None:
    found = annotations([1000, 1010], "NN", points={Point.T_PEAK: 300})
    found.waves[:, Point.T_PEAK] = [300, 280]
    assert waves_of(found, Wave.T)[:, 1].tolist() == [1290, 1300]


def test_a_wave_is_found_when_its_peak_is_at_most_150_ms_away() -> None:
    marked = waves((950, 1000, 1050), (1950, 2000, 2050))
    scored = score_waves(marked, waves((1110, 1150, 1190), (2110, 2151, 2190)), 0, 3000, FS)
    assert (scored.hits, scored.missed, scored.extra) == (1, 1, 1)
    assert_array_equal(scored.errors_ms, [[160.0, 150.0, 140.0]])


def test_errors_are_found_minus_marked_in_milliseconds_and_only_where_both_have_the_point() -> None:
    scored = score_waves(waves((MISSING, 500, 520)), waves((490, 499, MISSING)), 0, 1000, 500.0)
    assert_array_equal(scored.errors_ms, [[np.nan, -2.0, np.nan]])


def test_waves_found_outside_the_marked_stretch_do_not_count_unless_they_find_a_wave() -> None:
    marked = waves((990, 1000, 1010))
    found = waves((0, 500, 0), (0, 980, 0), (0, 2500, 0), (0, 2000, 0))
    scored = score_waves(marked, found[np.argsort(found[:, 1])], 990, 2000, FS)
    assert (scored.hits, scored.missed, scored.extra) == (1, 0, 1)


def test_f1_is_the_harmonic_mean_of_sensitivity_and_positive_predictivity() -> None:
    scored = score_waves(
        waves((0, 1000, 0), (0, 2000, 0), (0, 3000, 0)), waves((0, 1000, 0), (0, 1500, 0)), 0, 4000, FS
    )
    assert scored.scores(Wave.P) == {"p_se": Ratio(1, 3), "p_pp": Ratio(1, 2), "p_f1": Ratio(2, 5)}
