"""Reference marks are read as the reference programs read them, and sums are those of sumstats."""

import warnings
from pathlib import Path

import numpy as np
import pytest
import wfdb

from bench.ec57 import (
    Escapes,
    Ratio,
    Reference,
    average,
    gross,
    inside,
    percentages,
    read_reference,
    reference_of,
    spans,
)
from edge.errors import InputUnreadable
from edge.types import RhythmSpan

FS = 1000.0
N = 100_000


def reference(*marks: tuple[int, str] | tuple[int, str, int | str]) -> Reference:
    """Marks as (sample, symbol) with a subtype or a note behind."""
    subtypes = [m[2] if len(m) > 2 and isinstance(m[2], int) else 0 for m in marks]
    notes = [m[2] if len(m) > 2 and isinstance(m[2], str) else "" for m in marks]
    return reference_of(np.array([m[0] for m in marks], np.int64), [m[1] for m in marks], subtypes, notes, FS, N)


@pytest.mark.parametrize(
    ("symbols", "label"), [("NLRB", "N"), ("AaJSejn", "S"), ("VrE", "V"), ("F", "F"), ("/fQ?", "Q")]
)
def test_every_mit_symbol_of_a_beat_has_its_ec57_label(symbols: str, label: str) -> None:
    found = reference(*[(1000 * k, symbol) for k, symbol in enumerate(symbols)])
    assert bytes(found.side().labels).decode() == label * len(symbols)


def test_marks_that_are_no_beats_are_none() -> None:
    assert reference(*[(1000 * k, symbol) for k, symbol in enumerate('!x|~+"[')]).beats.tolist() == []


def test_escape_beats_are_s_as_bxb_maps_them_and_n_as_papers_do() -> None:
    found = reference(*[(1000 * k, symbol) for k, symbol in enumerate("NejnE")])
    assert bytes(found.side(Escapes.BXB).labels) == b"NSSSV"
    assert bytes(found.side(Escapes.PAPERS).labels) == b"NNNSV"


def test_beats_inside_ventricular_flutter_do_not_exist() -> None:
    found = reference((1000, "N"), (2000, "["), (2100, "!"), (2200, "V"), (3000, "]"), (4000, "N"))
    assert found.beats.tolist() == [1000, 4000]
    assert found.side().vf.tolist() == [[2000, 3001]]


def test_ventricular_flutter_without_an_end_lasts_to_the_end() -> None:
    found = reference((1000, "N"), (2000, "["), (4000, "N"))
    assert found.beats.tolist() == [1000]
    assert found.vf.tolist() == [[2000, N]]


def test_unreadable_signal_lasts_from_its_mark_to_the_next_noise_mark() -> None:
    found = reference((1000, "N"), (1500, "~", -1), (2500, "~", 1), (3000, "N"))
    assert found.shutdown.tolist() == [[1500, 2501]]


def test_noise_of_one_lead_is_not_unreadable() -> None:
    assert reference((1000, "~", 1), (2000, "~", 2), (3000, "~", 3)).shutdown.tolist() == []


def test_a_single_unreadable_mark_spreads_to_150_ms_from_its_neighbours() -> None:
    found = reference((1000, "N"), (1500, "~", -1), (2500, "N"))
    assert found.shutdown.tolist() == [[1150, 2351]]
    after_flutter = reference((1000, "["), (1200, "]"), (1500, "~", -1), (2500, "N"))
    assert after_flutter.shutdown.tolist() == [[1350, 2351]]


def test_unreadable_signal_without_an_end_lasts_to_the_end() -> None:
    assert reference((1000, "N"), (1500, "~", -1)).shutdown.tolist() == [[1500, N]]


def test_a_rhythm_lasts_to_the_next_one_of_another_name() -> None:
    found = reference(
        (10, "+", "(N\0"), (500, "+", "(AFIB\0"), (700, "+", "(AFIB\0"), (900, "+", "(AFL"), (1000, "+", "TS")
    )
    assert found.rhythms == (RhythmSpan(10, 500, "(N"), RhythmSpan(500, 900, "(AFIB"), RhythmSpan(900, N, "(AFL"))
    assert found.spans_of("(AFIB").tolist() == [[500, 900]]
    assert found.side().af.tolist() == [[500, 900], [900, N]]


def test_a_sample_lies_inside_from_the_first_to_before_the_last() -> None:
    where = spans([(10, 20), (15, 17), (30, 40)])
    assert inside(np.array([9, 10, 18, 19, 20, 30, 40]), where).tolist() == [
        False,
        True,
        True,
        True,
        False,
        True,
        False,
    ]
    assert inside(np.array([1]), spans([])).tolist() == [False]


def test_gross_pools_beats_and_average_means_the_records_in_which_a_figure_is_defined() -> None:
    records = [
        {"se": Ratio(90, 100), "veb": Ratio(0, 0)},
        {"se": Ratio(10, 10), "veb": Ratio(1, 4)},
        {"se": Ratio(0, 0)},
    ]
    assert percentages(gross(records)) == {"se": 90.91, "veb": 25.0}
    assert average(records) == {"se": 95.0, "veb": 25.0}
    assert average([{"se": Ratio(0, 0)}]) == {"se": None}
    assert gross([]) == average([]) == {}


def test_a_written_annotation_file_is_read_back(tmp_path: Path) -> None:
    write(
        tmp_path,
        np.array([100, 300, 500, 600]),
        ["N", "+", "V", "~"],
        notes=["", "(AFIB", "", ""],
        subtypes=[0, 0, 0, -1],
    )
    found = read_reference(tmp_path / "r")
    assert (found.fs_hz, found.n_samples) == (250.0, 1000)
    assert found.beats.tolist() == [100, 500]
    assert found.spans_of("(AFIB").tolist() == [[300, 1000]]
    assert found.shutdown.tolist() == [[600, 1000]]


def test_a_record_without_reference_marks_is_unreadable_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(InputUnreadable, match=r"nothing\.atr"):
        read_reference(tmp_path / "nothing")


def write(folder: Path, at: np.ndarray, symbols: list[str], notes: list[str], subtypes: list[int]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # wfdb 4.3 defines its tables in a way that pandas 3.1 deprecates
        wfdb.wrsamp("r", 250, ["mV"], ["II"], np.zeros((1000, 1)), fmt=["16"], write_dir=str(folder))
        wfdb.wrann("r", "atr", at, symbols, subtype=np.array(subtypes), aux_note=notes, write_dir=str(folder))
