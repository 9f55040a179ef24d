"""The page of examples: which places it shows, and that it names what is there."""

from pathlib import Path

import numpy as np
import pytest
from bench_tools import annotations, write_marks, write_record

from bench.ec57 import read_reference
from bench.examples import Compared, Example, chosen, examples_page, failures, main, rhythm_examples
from edge.errors import UsageError
from edge.types import Annotations, Point, RhythmSpan, Span

FS_HZ = 100.0


@pytest.fixture
def record(tmp_path: Path) -> Path:
    path = write_record(tmp_path, "rec", np.zeros(60_000), FS_HZ)
    at = [10, *range(100, 1100, 100), 1100, *range(1105, 60_000, 100)]
    symbols = ["+", *"NNNVNNNNNN", "+", *["N"] * len(range(1105, 60_000, 100))]
    write_marks(tmp_path, "rec", "atr", at, symbols, ["(N", *[""] * 10, "(AFIB", *[""] * (len(at) - 12)])
    return path


def compared(record: Path, found: Annotations) -> Compared:
    return Compared("rec", record, read_reference(record), found)


def beats_of(record: Path) -> list[int]:
    return [int(beat) for beat in read_reference(record).beats]


def test_every_kind_of_failure_is_found_at_its_place(record: Path) -> None:
    beats = beats_of(record)
    found = sorted([*beats[:1], *beats[2:], 1450])  # the second is missed, one at 14.5 s is invented
    labels = "".join("V" if beat == 300 else "N" for beat in found)
    told = [(e.kind, e.span.start_s + 2.5) for e in failures(compared(record, annotations(found, labels)))]
    assert ("missed beat", 2.5) in told  # at 2 s: what is shown begins with the recording
    assert ("false beat", 14.5) in told
    assert ("N called V", 3.0) in told
    assert ("V called N", 4.0) in told
    assert ("missed fibrillation", 11.0) in told
    assert len(told) == 5


def test_fibrillation_and_p_waves_where_the_reference_has_none_are_failures(record: Path) -> None:
    beats = beats_of(record)
    labels = "".join("V" if beat == 400 else "N" for beat in beats)
    spans = (RhythmSpan(200, 1100, "(AFIB"), RhythmSpan(1100, 60_000, "(AFIB"))
    found = annotations(beats, labels, rhythms=spans, points={Point.P_ON: -20, Point.P_PEAK: -16, Point.P_OFF: -12})
    kinds = [e.kind for e in failures(compared(record, found))]
    assert kinds.count("false fibrillation") == 1
    assert kinds.count("P wave in fibrillation") == sum(beat >= 1100 for beat in beats)
    assert "missed fibrillation" not in kinds


def test_beats_without_labels_have_no_wrong_ones(record: Path) -> None:
    assert list(failures(compared(record, annotations(beats_of(record))))) == []


def test_a_rhythm_is_shown_where_its_longest_stretch_begins(record: Path) -> None:
    shown = {e.kind: e.span.start_s for e in rhythm_examples(compared(record, annotations([])))}
    assert shown == {"(N": 0.0, "(AFIB": 9.0}


def test_strips_are_spread_over_the_records() -> None:
    many = [Example("x", name, Span(k, k + 1)) for name in ("a", "b", "c") for k in range(5)]
    assert [(e.record, e.span.start_s) for e in chosen(many, 4)] == [("a", 0), ("b", 0), ("c", 0), ("a", 1)]


def test_the_page_counts_failures_and_shows_them_with_the_reference_below(record: Path) -> None:
    html = examples_page([compared(record, annotations(beats_of(record)[:-3]))])
    assert "<h3>missed beat: 3</h3>" in html
    assert "normal sinus rhythm" in html
    assert "atrial fibrillation · (AFIB" in html
    assert "cannot be compared" in html
    assert html.count("<svg class=") == 5
    assert "rec: missed beat, from 9:5" in html


def test_the_command_writes_the_page(record: Path, tmp_path: Path) -> None:
    main(["--data", str(record.parent), "--out", str(tmp_path / "page.html")])
    assert "Records: rec." in (tmp_path / "page.html").read_text(encoding="utf-8")
    with pytest.raises(UsageError):
        main(["--data", str(tmp_path / "none"), "--out", str(tmp_path / "page.html")])
