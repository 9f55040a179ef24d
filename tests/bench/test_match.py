"""The beat scorer's rules, one by one (EC57 as WFDB's bxb implements it)."""

import numpy as np
import pytest

from bench.match import Counts, compare, total

FS = 1000.0
AFTER = 400_000  # past the learning period


def counts(
    reference: list[int],
    test: list[int],
    skipped: list[tuple[int, int]] | None = None,
    start_s: float = 300.0,
) -> Counts:
    return compare(np.array(reference, np.int64), np.array(test, np.int64), FS, skipped or [], start_s)


def test_a_beat_150_ms_away_matches_and_one_151_ms_away_does_not() -> None:
    assert counts([AFTER], [AFTER + 150]) == Counts(1, 0, 0)
    assert counts([AFTER], [AFTER - 150]) == Counts(1, 0, 0)
    assert counts([AFTER], [AFTER + 151]) == Counts(0, 1, 1)


def test_the_first_five_minutes_are_not_scored() -> None:
    assert counts([1000, 299_999, 300_000], [5000]) == Counts(0, 1, 0)


def test_of_two_test_beats_the_nearer_one_is_paired() -> None:
    assert counts([AFTER], [AFTER - 100, AFTER + 20]) == Counts(1, 0, 1)


def test_of_two_reference_beats_the_nearer_one_is_paired() -> None:
    assert counts([AFTER - 100, AFTER + 20], [AFTER]) == Counts(1, 1, 0)


def test_beats_in_ventricular_flutter_count_neither_way() -> None:
    assert counts([AFTER, AFTER + 1000], [AFTER + 500, AFTER + 1000], [(AFTER - 1, AFTER + 900)]) == Counts(1, 0, 0)


def test_no_beats_at_all_have_no_sensitivity() -> None:
    assert np.isnan(counts([], []).sensitivity)
    assert counts([AFTER], []).sensitivity == 0.0


def test_gross_figures_pool_the_beats_of_all_records() -> None:
    pooled = total([Counts(90, 10, 0), Counts(900, 0, 100)])
    assert pooled.sensitivity == pytest.approx(0.99)
    assert pooled.positive_predictivity == pytest.approx(990 / 1090)
