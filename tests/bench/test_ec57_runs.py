"""Run scoring by the rules of WFDB's rxr. One beat a second, 1000 samples a second; a dot is no beat."""

import numpy as np
import pytest

from bench.ec57 import NO_SPANS, Ratio, Scores, Side, Spans, spans
from bench.ec57_runs import Kind, run_matrices, run_scores

FS = 1000.0
AFTER = 400_000
N = 1_000_000


def side(
    beats: str, *, vf: Spans = NO_SPANS, af: Spans = NO_SPANS, shutdown: Spans = NO_SPANS, first: int = AFTER
) -> Side:
    at = [first + 1000 * k for k, label in enumerate(beats) if label != "."]
    labels = np.frombuffer(beats.replace(".", "").encode(), np.uint8)
    return Side(np.array(at, np.int64), labels, vf=vf, af=af, shutdown=shutdown)


def lengths(reference: Side, test: Side, kind: Kind = "V") -> tuple[dict[str, int], dict[str, int]]:
    """Cells that are not zero as "reference/test" lengths, for sensitivity and for positive predictivity."""
    matrices = run_matrices(reference, test, FS, N, kind)
    by_reference, by_test = ({f"{i}/{j}": int(m[i, j]) for i, j in np.argwhere(m).tolist()} for m in matrices)
    return by_reference, by_test


def test_runs_are_counted_by_length_up_to_six() -> None:
    beats = side("NVNVVNVVVNVVVVVNVVVVVVNVVVVVVVVVN")
    assert lengths(beats, beats) == ({"1/1": 1, "2/2": 1, "3/3": 1, "5/5": 1, "6/6": 2},) * 2


def test_a_run_is_compared_with_the_longest_one_of_the_other_side_between_its_ends() -> None:
    by_reference, by_test = lengths(side("NVVVVVN"), side("NVNVVNN"))
    assert by_reference == {"5/2": 1}
    assert by_test == {"1/1": 1, "2/2": 1}


def test_a_run_that_goes_on_beyond_the_other_sides_ends_is_cut_there() -> None:
    by_reference, by_test = lengths(side("NVVNNNN"), side("VVVVVVN"))
    assert by_reference == {"2/2": 1}
    assert by_test == {"2/6": 1}


def test_beats_150_ms_from_the_ends_belong_to_the_run_and_farther_ones_do_not() -> None:
    reference = side("NVVN")
    near, far = (Side(reference.beats + shift, reference.labels) for shift in (150, 151))
    assert lengths(reference, near)[0] == {"2/2": 1}
    assert lengths(reference, far)[0] == {"2/1": 1}


def test_fusion_beats_lengthen_a_ventricular_run() -> None:
    assert lengths(side("NVFVN"), side("NVVVN"))[0] == {"3/3": 1}


@pytest.mark.parametrize("breaking", "NSQ")
def test_any_other_beat_ends_a_ventricular_run(breaking: str) -> None:
    assert lengths(side(f"NVV{breaking}VN"), side(""))[0] == {"2/0": 1, "1/0": 1}


def test_a_ventricular_beat_ends_a_supraventricular_run() -> None:
    assert lengths(side("NSSVSSSN"), side("NSSNSSSN"), "S") == ({"2/2": 1, "3/3": 1},) * 2


def test_unreadable_signal_ends_a_run() -> None:
    blind = spans([(AFTER + 2500, AFTER + 3500)])
    assert lengths(side("NVV.VVVN", shutdown=blind), side(""))[0] == {"2/0": 1, "3/0": 1}


def test_a_run_that_the_end_of_the_record_cuts_is_not_counted() -> None:
    assert lengths(side("NVVV"), side(""))[0] == {}


def test_runs_count_from_the_end_of_the_first_five_minutes() -> None:
    early = side("VVVVN", first=298_000)
    assert lengths(early, early)[0] == {"2/2": 1}


def test_ventricular_flutter_is_a_run_of_six() -> None:
    flutter = spans([(AFTER + 1500, AFTER + 6500)])
    assert lengths(side("NN.....NN", vf=flutter), side("NNVVVVVVN"))[0] == {"6/5": 1}
    assert lengths(side("NNVVVNNNN"), side("NN.....NN", vf=flutter)) == ({"3/6": 1}, {"3/6": 1})


def test_beats_inside_ventricular_flutter_neither_lengthen_nor_end_it() -> None:
    flutter = spans([(AFTER + 1500, AFTER + 6500)])
    assert lengths(side(""), side("NNVNVNVNN", vf=flutter))[1] == {"0/6": 1}


def test_a_run_that_leads_into_flutter_keeps_its_own_count() -> None:
    flutter = spans([(AFTER + 2500, AFTER + 6500)])
    assert lengths(side("NVV.....N", vf=flutter), side(""))[0] == {"2/0": 1}


def test_flutter_that_began_in_the_first_five_minutes_is_a_run() -> None:
    flutter = spans([(290_000, AFTER + 500)])
    assert lengths(side(".NN", vf=flutter), side("NVN"))[0] == {"6/0": 1}


def test_in_atrial_fibrillation_normal_beats_make_supraventricular_runs() -> None:
    fibrillation = spans([(AFTER + 1000, AFTER + 8000)])
    reference = side("NNNNNNNNNNN", af=fibrillation)
    assert lengths(reference, side("NSSSSSSSNNN"), "S") == ({"6/6": 1}, {"6/6": 1})
    assert lengths(reference, side("NNSSNNNNNNN"), "S") == ({"6/2": 1}, {"6/2": 1})
    assert lengths(reference, reference, "V") == ({}, {})


def test_a_ventricular_beat_in_atrial_fibrillation_splits_the_run() -> None:
    fibrillation = spans([(AFTER + 1000, AFTER + 8000)])
    assert lengths(side("NNNVNNNNNNN", af=fibrillation), side(""), "S")[0] == {"6/0": 1, "4/0": 1}


def test_a_beat_at_the_end_of_fibrillation_belongs_to_the_next_rhythm() -> None:
    fibrillation = spans([(AFTER + 1000, AFTER + 3000)])
    assert lengths(side("NNNNN", af=fibrillation), side(""), "S")[0] == {"6/0": 1}


def scores(reference: dict[tuple[int, int], int], test: dict[tuple[int, int], int]) -> Scores:
    matrices = np.zeros((2, 7, 7), np.int64)
    for k, cells in enumerate((reference, test)):
        for (i, j), n in cells.items():
            matrices[k, i, j] = n
    return run_scores(matrices, "V")


def test_a_run_is_found_by_one_of_its_class_or_longer() -> None:
    found = scores({(2, 1): 1, (2, 2): 2, (2, 6): 4, (5, 2): 1, (5, 3): 2, (3, 6): 4, (6, 5): 1, (6, 6): 2}, {})
    assert found["v_couplet_se"] == Ratio(6, 7)
    assert found["v_short_se"] == Ratio(6, 7)
    assert found["v_long_se"] == Ratio(2, 3)


def test_a_run_is_true_when_the_reference_has_one_of_its_class_or_longer() -> None:
    found = scores({}, {(1, 2): 1, (2, 2): 2, (6, 2): 4, (2, 5): 1, (3, 5): 2, (6, 3): 4, (5, 6): 1, (6, 6): 2})
    assert found["v_couplet_pp"] == Ratio(6, 7)
    assert found["v_short_pp"] == Ratio(6, 7)
    assert found["v_long_pp"] == Ratio(2, 3)


def test_single_beats_are_no_runs() -> None:
    assert all(ratio.of == 0 for ratio in scores({(1, 1): 9}, {(1, 1): 9}).values())
