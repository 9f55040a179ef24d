"""Extra beats, counted by hand in lines of letters."""

from pathlib import Path

import numpy as np
import pytest
from read_tools import FS_HZ, facts_of, read, values

from bench.ec57 import read_reference
from edge.types import Annotations, Fact, Gap


def ectopy(annotations: Annotations, **span: float) -> dict[str, Fact]:
    return facts_of(annotations, "ectopy", **span)


def test_isolated_beats_couplets_and_runs_are_told_apart() -> None:
    facts = ectopy(read("NNVNNVVNNVVVNNVVVVVNSNNSSN"))
    counted = values(facts, "ventricular_")
    assert counted["ectopic_count"] == 11
    assert (counted["isolated_count"], counted["couplet_count"], counted["run_count"]) == (1, 1, 2)
    assert counted["longest_run"] == 5
    assert counted["ectopic_share"] == pytest.approx(100 * 11 / 26)
    above = values(facts, "supraventricular_")
    assert (above["ectopic_count"], above["isolated_count"], above["couplet_count"], above["run_count"]) == (3, 1, 1, 0)
    assert above["longest_run"] is None
    assert facts["supraventricular_longest_run"].reason == "no supraventricular run of 3 or more beats"


def test_fusion_and_unclassifiable_beats_are_no_ectopic_beats_and_end_a_run() -> None:
    facts = ectopy(read("NVVFVVQVN"))
    assert facts["ventricular_run_count"].value == 0
    assert facts["ventricular_couplet_count"].value == 2
    assert facts["ventricular_ectopic_count"].value == 5


def test_a_run_is_cut_by_a_gap_and_by_an_unreadable_second() -> None:
    whole = ectopy(read("NVVVVN", 1000))
    assert whole["ventricular_longest_run"].value == 4
    cut = ectopy(read("NVVVVN", 1000, unusable=[3]))  # the beats of V lie at 1.4, 2.4, 3.4 and 4.4 s
    assert cut["ventricular_run_count"].value == 0
    assert (cut["ventricular_couplet_count"].value, cut["ventricular_isolated_count"].value) == (1, 2)
    gap = ectopy(read("NVVVVN", 1000, gaps=[Gap(round(2.6 * FS_HZ), round(3.1 * FS_HZ), "link lost")]))
    assert (gap["ventricular_run_count"].value, gap["ventricular_couplet_count"].value) == (0, 2)


def test_the_fastest_run_is_not_the_longest_and_its_rate_is_that_of_its_own_intervals() -> None:
    rr_ms = [800, 800, 600, 600, 600, 600, 900, 800, 800, 400, 500, 900]  # V from the 3rd to the 7th, and the 10th on
    facts = ectopy(read("NNVVVVVNNVVVN", rr_ms))
    (longest,), (fastest,) = (facts[f"ventricular_{what}_run"].evidence for what in ("longest", "fastest"))
    assert (facts["ventricular_longest_run"].value, longest.label) == (5, "ventricular run of 5 beats")
    assert facts["ventricular_fastest_run"].value == pytest.approx(60 / 0.45)
    assert fastest.label == "ventricular run of 3 beats, 133 bpm"


def test_the_rate_of_a_long_run_is_its_fastest_mean_of_eight_intervals() -> None:
    rr_ms = [800] + [500] * 10 + [400] * 8 + [500] * 10 + [800]
    facts = ectopy(read("N" + "V" * 29 + "N", rr_ms))
    assert facts["ventricular_fastest_run"].value == pytest.approx(150.0)
    assert facts["ventricular_longest_run"].value == 29


def test_evidence_lies_at_the_beats_and_within_the_span() -> None:
    annotations = read("NNNVNNNVVNNN", 1000)
    facts = ectopy(annotations)
    couplet, single = facts["ventricular_ectopic_count"].evidence
    assert couplet.label == "ventricular couplet"
    assert couplet.start_s < 7.4 < 8.4 < couplet.end_s
    assert single.start_s < 3.4 < single.end_s
    part = ectopy(annotations, start_s=3.4, end_s=6.0)
    (only,) = part["ventricular_ectopic_count"].evidence
    assert only.start_s == 3.4
    assert part["ventricular_ectopic_count"].n == 3


def test_bigeminy_and_trigeminy_are_the_spans_of_that_name_cut_to_the_span() -> None:
    annotations = read(
        "N" * 60, rhythms=[(0, 10, "(N"), (10, 22, "(B"), (22, 30, "(N"), (30, 33, "(B"), (33, 48, "(T")]
    )
    facts = ectopy(annotations)
    assert (facts["bigeminy_count"].value, facts["bigeminy_total"].value) == (2, 15.0)
    assert (facts["trigeminy_count"].value, facts["trigeminy_total"].value) == (1, 15.0)
    assert [span.duration_s for span in facts["bigeminy_count"].evidence] == [12.0, 3.0]
    assert ectopy(annotations, start_s=20.0, end_s=31.0)["bigeminy_total"].value == 3.0


def test_without_labels_every_count_says_that_beats_were_found_and_not_labelled() -> None:
    labelled = read("NVN")
    bare = Annotations(FS_HZ, labelled.n_samples, labelled.beats, labelled.quality, labelled.reasons, ())
    for fact in ectopy(bare).values():
        assert (fact.value, fact.reason) == (None, "beats were found and not labelled")


@pytest.mark.data
@pytest.mark.parametrize(("record", "v", "s"), [("106", 520, 0), ("119", 444, 0), ("208", 992, 2), ("209", 1, 383)])
def test_counts_of_mit_bih_are_those_of_its_reference(data: Path, record: str, v: int, s: int) -> None:
    """Expected counts: the database's own table of beats by record (V and E; A, a, J, S, e, j)."""
    side = read_reference(data / "mitdb" / record).side()
    facts = ectopy(_of_reference(side.beats, side.labels))
    assert facts["ventricular_ectopic_count"].value == v
    assert facts["supraventricular_ectopic_count"].value == s
    for kind, label in (("ventricular", "V"), ("supraventricular", "S")):
        text = side.labels.tobytes().decode()
        rows = "".join(label if letter == label else " " for letter in text).split()
        assert facts[f"{kind}_run_count"].value == sum(len(row) >= 3 for row in rows)
        assert facts[f"{kind}_couplet_count"].value == sum(len(row) == 2 for row in rows)


def _of_reference(beats: np.ndarray, labels: np.ndarray) -> Annotations:
    bare = read("N" * len(labels), seconds=1806)
    return Annotations(
        360.0, 650_000, beats, bare.quality, bare.reasons, (), labels, bare.waves, bare.absent, bare.likely
    )
