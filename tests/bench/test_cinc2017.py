"""The challenge's score and confusion, and the share of seconds that were declared unreadable."""

from pathlib import Path

import numpy as np
import pytest
from bench_tools import write_record
from ecg_tools import even_ecg

from bench import run_bench
from bench.cinc2017 import challenge_score, classification, confusion, f1_percent, read_classes
from edge.errors import InputUnreadable, UsageError

MARKED = {"a": "N", "b": "N", "c": "N", "d": "A", "e": "O", "f": "O", "g": "~"}
CALLED = {"a": "N", "b": "N", "c": "O", "d": "A", "e": "A", "f": "O", "g": "N"}


def test_the_confusion_has_marked_rows_and_called_columns() -> None:
    counts = confusion([(MARKED[name], CALLED[name]) for name in MARKED])
    assert counts.tolist() == [[2, 0, 1, 0], [0, 1, 0, 0], [0, 1, 1, 0], [1, 0, 0, 0]]


def test_f1_is_twice_the_agreements_over_marked_plus_called_and_the_score_leaves_noise_out() -> None:
    f1 = f1_percent(confusion([(MARKED[name], CALLED[name]) for name in MARKED]))
    assert f1 == {"N": round(400 / 6, 2), "A": round(200 / 3, 2), "O": 50.0, "~": 0.0}
    assert challenge_score(f1) == 61.11


def test_the_score_is_undefined_while_a_class_is() -> None:
    f1 = f1_percent(confusion([("N", "N"), ("A", "A")]))
    assert (f1["O"], challenge_score(f1)) == (None, None)


def test_a_document_names_the_records_that_are_wrong_and_counts_those_not_classified() -> None:
    document = classification(MARKED, CALLED | {"g": None})
    assert document["wrong"] == {"N called O": ["c"], "O called A": ["e"]}
    assert document["not_classified"] == 1
    assert document["confusion"]["O"] == {"N": 0, "A": 1, "O": 1, "~": 0}


def test_where_nothing_is_classified_the_document_says_so() -> None:
    assert classification(MARKED, dict.fromkeys(MARKED, None)) == {"classes": "not classified"}


def make_set(folder: Path) -> None:
    rng = np.random.default_rng(1)
    write_record(folder, "A1", even_ecg(70, 300, 20), 300.0)
    write_record(folder, "A2", rng.standard_normal(6000), 300.0)
    write_record(folder, "A3", even_ecg(90, 300, 10), 300.0)
    (folder / "REFERENCE.csv").write_text("A1,N\nA2,~\nA3,N\n", encoding="utf-8")


def test_the_share_of_unreadable_seconds_is_told_by_class(tmp_path: Path) -> None:
    make_set(tmp_path)
    rows = {row["class"]: row for row in run_bench("cinc2017", tmp_path, ())["rows"]}
    assert (rows["normal"]["records"], rows["normal"]["unusable_percent"]) == (2, 0.0)
    assert rows["too noisy"]["unusable_percent"] > 90
    assert rows["too noisy"]["records_mostly_unusable"] == 1
    assert rows["other rhythm"]["good_percent"] is None


def test_named_records_alone_are_read(tmp_path: Path) -> None:
    make_set(tmp_path)
    assert run_bench("cinc2017", tmp_path, ("A3",))["records"] == 1
    with pytest.raises(UsageError, match="does not name A9"):
        run_bench("cinc2017", tmp_path, ("A9",))


@pytest.mark.parametrize("text", ["", "A1,N\nA2\n", "A1,X\n"])
def test_a_reference_that_is_none_is_unreadable(tmp_path: Path, text: str) -> None:
    path = tmp_path / "REFERENCE.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputUnreadable, match="RECORD,CLASS"):
        read_classes(path)
