"""The beat scorer's rules, one by one (EC57 as WFDB's bxb carries it out). 1000 samples a second; AFTER is scored."""

import time

import numpy as np
import pytest

from bench.ec57 import NO_SPANS, Ratio, Side, Spans, spans
from bench.ec57_beats import CELLS, counts_of, label_scores, pair_beats, qrs_scores, score_beats, table_of

FS = 1000.0
AFTER = 400_000  # past the learning period
WINDOW = 150


def side(beats: str, *, vf: Spans = NO_SPANS, shutdown: Spans = NO_SPANS, first: int = AFTER) -> Side:
    """One beat a second; `beats` names them, a dot is none."""
    at = [first + 1000 * k for k, label in enumerate(beats) if label != "."]
    labels = np.frombuffer(beats.replace(".", "").encode(), np.uint8)
    return Side(np.array(at, np.int64), labels, vf=vf, shutdown=shutdown)


def at(*beats: int, labels: str = "") -> Side:
    codes = np.frombuffer((labels or "N" * len(beats)).encode(), np.uint8)
    return Side(np.array(beats, np.int64), codes)


def cells(reference: Side, test: Side, within: Spans | None = None) -> dict[str, int]:
    """The cells of the matrix that are not zero, such as {"Nv": 2}."""
    matrix = score_beats(reference, test, FS, within=within)
    table = {f"{r}{c.lower()}": int(matrix[i, j]) for i, r in enumerate(CELLS) for j, c in enumerate(CELLS)}
    return {cell: n for cell, n in table.items() if n}


def test_a_beat_150_ms_away_pairs_and_one_151_ms_away_does_not() -> None:
    assert cells(at(AFTER), at(AFTER + 150)) == {"Nn": 1}
    assert cells(at(AFTER), at(AFTER - 150)) == {"Nn": 1}
    assert cells(at(AFTER), at(AFTER + 151)) == {"No": 1, "On": 1}
    assert cells(at(AFTER), at(AFTER - 151)) == {"No": 1, "On": 1}


def test_of_two_test_beats_the_nearer_one_pairs() -> None:
    assert cells(at(AFTER), at(AFTER - 100, AFTER + 20, labels="VN")) == {"Nn": 1, "Ov": 1}
    assert cells(at(AFTER), at(AFTER - 20, AFTER + 100, labels="NV")) == {"Nn": 1, "Ov": 1}


def test_of_two_reference_beats_the_nearer_one_pairs() -> None:
    assert cells(at(AFTER - 100, AFTER + 20, labels="VN"), at(AFTER)) == {"Nn": 1, "Vo": 1}
    assert cells(at(AFTER - 20, AFTER + 100, labels="NV"), at(AFTER)) == {"Nn": 1, "Vo": 1}


def test_of_two_equally_near_beats_the_later_one_pairs() -> None:
    assert cells(at(AFTER), at(AFTER - 80, AFTER + 80, labels="VN")) == {"Nn": 1, "Ov": 1}
    assert cells(at(AFTER - 80, AFTER + 80, labels="VN"), at(AFTER)) == {"Nn": 1, "Vo": 1}


def test_at_240_bpm_test_beats_130_ms_late_pair_with_the_beats_that_follow() -> None:
    reference = [AFTER + 250 * k for k in range(4)]
    assert cells(at(*reference, labels="VNNN"), at(*[beat + 130 for beat in reference])) == {"Vo": 1, "Nn": 3, "On": 1}


def test_each_beat_pairs_once() -> None:
    assert cells(at(AFTER, AFTER + 10), at(AFTER + 5)) == {"Nn": 1, "No": 1}
    assert cells(at(AFTER), at(AFTER, AFTER)) == {"Nn": 1, "On": 1}


def test_the_first_five_minutes_are_not_scored() -> None:
    assert cells(at(1000, 299_999, 300_000), at(5000)) == {"No": 1}


def test_a_test_beat_just_before_the_five_minutes_pairs_with_a_beat_just_after() -> None:
    assert cells(at(300_050), at(299_000, 299_950, labels="VN")) == {"Nn": 1}
    assert cells(at(300_050), at(299_900)) == {"Nn": 1}
    assert cells(at(300_050), at(299_899)) == {"No": 1}
    assert cells(at(300_050), at(299_950, 300_060, labels="VN")) == {"Nn": 1}
    assert cells(at(300_050), at(299_950, 300_150, labels="VN")) == {"Nn": 1}
    assert cells(at(300_050), at(299_950, 300_151, labels="NV")) == {"Nn": 1, "Ov": 1}


def test_a_test_beat_just_after_the_five_minutes_that_belongs_to_a_beat_before_is_not_counted() -> None:
    assert cells(at(299_950, 300_900), at(300_050, 300_900)) == {"Nn": 1}
    assert cells(at(299_950, 300_900), at(300_150, 300_900)) == {"Nn": 1}
    assert cells(at(299_950, 300_900), at(300_151, 300_900)) == {"Nn": 1, "On": 1}
    assert cells(at(300_900), at(300_100, 301_000)) == {"Nn": 1}
    assert cells(at(300_120), at(300_100, 300_200, labels="NV")) == {"Nn": 1, "Ov": 1}


def test_every_beat_of_a_comparison_from_the_beginning_counts() -> None:
    pairs = pair_beats(np.array([0, 900]), np.array([100, 900, 1500]), WINDOW)
    assert pairs.reference.tolist() == [0, 1]
    assert pairs.test.tolist() == [0, 1]
    assert (pairs.missed.tolist(), pairs.extra.tolist()) == ([], [2])
    assert (pairs.se, pairs.pp) == (Ratio(2, 2), Ratio(2, 3))


def test_unpaired_test_beats_inside_ventricular_flutter_are_not_counted() -> None:
    flutter = spans([(AFTER + 500, AFTER + 2500)])
    assert cells(side("N..N", vf=flutter), side("NVVN")) == {"Nn": 2}
    assert cells(side("N..N"), side("NVVN")) == {"Nn": 2, "Ov": 2}


def test_a_test_beat_inside_ventricular_flutter_pairs_with_a_beat_at_its_edge() -> None:
    flutter = spans([(AFTER + 50, AFTER + 900)])
    assert cells(side("V.N", vf=flutter), at(AFTER + 60, AFTER + 2000, labels="VN")) == {"Vv": 1, "Nn": 1}


def test_ventricular_flutter_called_by_the_test_excuses_nothing() -> None:
    assert cells(side("VV"), side("..", vf=spans([(AFTER - 1, AFTER + 2000)]))) == {"Vo": 2}


def test_beats_missed_where_the_test_declared_the_signal_unreadable_are_x() -> None:
    blind = spans([(AFTER + 500, AFTER + 1500)])
    assert cells(side("NVN"), side("N..", shutdown=blind)) == {"Nn": 1, "Vx": 1, "No": 1}


def test_test_beats_where_the_reference_declared_the_signal_unreadable_are_x() -> None:
    blind = spans([(AFTER + 500, AFTER + 1500)])
    assert cells(side("N.N", shutdown=blind), side("NVN")) == {"Nn": 2, "Xv": 1}


def test_a_pair_inside_unreadable_signal_stays_a_pair() -> None:
    blind = spans([(AFTER - 1, AFTER + 1)])
    assert cells(side("V", shutdown=blind), side("V", shutdown=blind)) == {"Vv": 1}


def test_stretches_keep_pairs_and_misses_by_the_reference_beat_and_others_by_the_test_beat() -> None:
    chosen = spans([(AFTER + 1000, AFTER + 3000)])
    reference, test = at(AFTER, AFTER + 1005, AFTER + 2000), at(AFTER, AFTER + 995, AFTER + 2500, AFTER + 3000)
    assert cells(reference, test, chosen) == {"Nn": 1, "No": 1, "On": 1}


MATRIX = np.array(
    #  n   s   v  f  q  o  x
    [
        [90, 5, 4, 3, 2, 6, 1],  # N
        [7, 20, 2, 1, 1, 2, 3],  # S
        [4, 3, 30, 2, 1, 5, 2],  # V
        [2, 1, 3, 8, 0, 1, 1],  # F
        [1, 2, 6, 0, 4, 1, 0],  # Q
        [9, 3, 2, 1, 1, 0, 0],  # O
        [2, 1, 1, 0, 1, 0, 0],  # X
    ],
    np.int64,
)


def test_qrs_sensitivity_counts_unreadable_seconds_as_missed_and_also_without_them() -> None:
    scores = qrs_scores(MATRIX)
    paired = int(MATRIX[:5, :5].sum())
    assert scores["qrs_se"] == Ratio(paired, paired + 15 + 7)
    assert scores["qrs_se_readable"] == Ratio(paired, paired + 15)
    assert scores["qrs_pp"] == Ratio(paired, paired + 16 + 5)


def test_fusion_or_unclassifiable_beats_called_v_are_no_false_positives() -> None:
    scores = label_scores(MATRIX)
    assert scores["veb_se"] == Ratio(30, 30 + 4 + 3 + 2 + 1 + 5 + 2)
    assert scores["veb_pp"] == Ratio(30, 30 + 4 + 2 + 2 + 1)  # Nv Sv Ov Xv; neither Fv nor Qv


def test_unclassifiable_beats_called_s_are_no_false_positives_and_fusion_beats_are() -> None:
    scores = label_scores(MATRIX)
    assert scores["sveb_se"] == Ratio(20, 20 + 7 + 2 + 1 + 1 + 2 + 3)
    assert scores["sveb_pp"] == Ratio(20, 20 + 5 + 3 + 1 + 3 + 1)  # Ns Vs Fs Os Xs; not Qs


def test_the_false_positive_rate_of_veb_is_over_everything_that_is_none_and_was_found() -> None:
    true_negatives = (90 + 5 + 3 + 2) + (7 + 20 + 1 + 1) + (2 + 1 + 8) + (1 + 2 + 4) + (9 + 3 + 1 + 1) + (2 + 1 + 1)
    assert label_scores(MATRIX)["veb_fpr"] == Ratio(9, 9 + true_negatives)


def test_the_table_of_a_document_has_no_cells_for_what_nobody_saw() -> None:
    table = table_of(MATRIX)
    assert list(table) == list("NSVFQOX")
    assert table["V"] == {"n": 4, "s": 3, "v": 30, "f": 2, "q": 1, "o": 5, "x": 2}
    assert list(table["O"]) == list(table["X"]) == list("nsvfq")


def test_the_counts_of_a_row_are_those_of_the_matrix() -> None:
    assert counts_of(MATRIX) == {
        "beats": int(MATRIX[:5].sum()),
        "missed": 15,
        "missed_in_unreadable": 7,
        "extra": 21,
    }


@pytest.mark.parametrize(("reference", "test"), [("", ""), ("N", ""), ("", "N")])
def test_nothing_to_compare_is_no_figure_and_no_exception(reference: str, test: str) -> None:
    scores = qrs_scores(score_beats(side(reference), side(test), FS))
    assert scores["qrs_se"].percent == (None if not reference else 0.0)
    assert scores["qrs_pp"].percent == (None if not test else 0.0)


def test_a_hundred_thousand_beats_are_compared_in_well_under_a_second() -> None:
    beats = AFTER + np.arange(100_000, dtype=np.int64) * 800
    labels = np.full(len(beats), ord("N"), np.uint8)
    blind = spans((a, a + 1000) for a in range(AFTER, int(beats[-1]), 40_000))
    began = time.process_time()
    matrix = score_beats(Side(beats, labels), Side(beats[::2] + 40, labels[::2], shutdown=blind), FS)
    assert time.process_time() - began < 0.8
    assert matrix[0, 0] == 50_000
    assert matrix[0, 5:].sum() == 50_000
