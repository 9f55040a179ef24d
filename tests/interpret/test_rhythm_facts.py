"""Facts about named rhythms, from spans whose truth is known."""

from pathlib import Path

import numpy as np
import pytest
from read_tools import FS_HZ, facts_of, read

from bench.ec57 import read_reference
from edge.types import Annotations, Fact, RhythmSpan


def rhythm(annotations: Annotations, **span: float) -> dict[str, Fact]:
    return facts_of(annotations, "rhythm", **span)


def test_burden_is_the_share_of_the_analysable_time() -> None:
    spans = [(0, 40, "(N"), (40, 80, "(AFIB"), (90, 100, "(N")]
    facts = rhythm(read("N" * 124, rhythms=spans, unusable=range(80, 90), seconds=100))
    assert facts["af_burden"].value == pytest.approx(100 * 40 / 90)
    assert (facts["af_count"].value, facts["af_total"].value, facts["af_longest"].value) == (1, 40.0, 40.0)
    assert facts["sinus_share"].value == pytest.approx(100 * 50 / 90)
    assert facts["rhythm_named_share"].value == pytest.approx(90.0)


def test_fibrillation_behind_a_short_unreadable_time_is_one_episode_and_behind_a_long_one_two() -> None:
    near = [(0, 40, "(AFIB"), (44, 48, "(NOISE"), (48, 80, "(AFIB")]
    facts = rhythm(read("N" * 99, rhythms=near, unusable=range(40, 48)))
    assert (facts["af_count"].value, facts["af_total"].value, facts["af_longest"].value) == (1, 72.0, 72.0)
    (where,) = facts["af_longest"].evidence
    assert (where.start_s, where.end_s) == (0.0, 80.0)
    far = [(0, 40, "(AFIB"), (51, 90, "(AFIB")]
    assert rhythm(read("N" * 110, rhythms=far, unusable=range(40, 51)))["af_count"].value == 2


def test_readable_time_without_a_name_ends_an_episode() -> None:
    spans = [(0, 40, "(AFIB"), (45, 90, "(AFIB")]
    assert rhythm(read("N" * 110, rhythms=spans))["af_count"].value == 2


def test_a_ventricular_run_does_not_end_fibrillation_and_sinus_rhythm_does() -> None:
    for label, episodes in (("(VT", 1), ("(IVR", 1), ("(N", 2), ("(AFL", 2)):
        spans = [(0, 40, "(AFIB"), (40, 42, label), (42, 80, "(AFIB")]
        facts = rhythm(read("N" * 99, rhythms=spans))
        assert facts["af_count"].value == episodes, label
        assert facts["af_total"].value == 78.0


def test_rates_in_fibrillation_are_of_its_own_beats() -> None:
    rr_ms = [1000] * 50 + [500] * 80 + [1000] * 10
    facts = rhythm(read("N" * 141, rr_ms, rhythms=[(0, 50, "(N"), (50, 91, "(AFIB"), (91, 102, "(N")]))
    assert facts["af_rate_mean"].value == pytest.approx(120, abs=1.5)
    assert facts["af_rate_max"].value == pytest.approx(120)
    none = rhythm(read("N" * 141, rr_ms, rhythms=[(0, 102, "(N")]))
    assert (none["af_count"].value, none["af_burden"].value) == (0, 0.0)
    assert none["af_rate_mean"].reason == none["af_longest"].reason == "no atrial fibrillation was found"


@pytest.mark.parametrize(("after", "beats"), [("NNN", 4), ("", 4)])
def test_the_beats_of_a_tachycardia_are_its_v_beats_also_where_the_recording_ends_in_it(after: str, beats: int) -> None:
    labels = "NNNNVVVV" + after
    annotations = read(labels, 500)
    first = int(annotations.beats[4]) / FS_HZ
    stop = int(annotations.beats[8 if after else 7]) / FS_HZ  # a span lasts to the beat after its last, if there is one
    facts = rhythm(read(labels, 500, rhythms=[(0, first, "(N"), (first, stop, "(VT")]))
    assert facts["vt_count"].value == 1
    assert facts["vt_longest"].value == beats
    assert facts["vt_fastest"].value == pytest.approx(120.0)
    assert facts["vt_longest"].unit == "beats"
    assert facts["vt_longest"].evidence[0].label == "ventricular tachycardia, 4 beats"


def test_a_faster_part_of_a_run_does_not_count_the_slower_part_behind_it() -> None:
    annotations = read("NN" + "V" * 8 + "N", 500)
    at_s = [beat / FS_HZ for beat in annotations.beats.tolist()]
    spans = [(at_s[2], at_s[6], "(VT"), (at_s[6], at_s[10], "(IVR")]
    facts = rhythm(read("NN" + "V" * 8 + "N", 500, rhythms=spans))
    assert (facts["vt_longest"].value, facts["idioventricular_count"].value) == (4, 1)


def test_every_rhythm_has_its_own_counts() -> None:
    labels = ["(N", "(SBR", "(STACH", "(SARRH", "(IRREG", "(P", "(SVTA", "(AFL", "(ASYS", "(VFL"]
    facts = rhythm(
        read("N" * 130, rhythms=[(10 * k, 10 * k + 10, label) for k, label in enumerate(labels)], seconds=105)
    )
    assert facts["sinus_share"].value == pytest.approx(100 * 40 / 105)
    assert (facts["irregular_count"].value, facts["vf_count"].value, facts["vf_total"].value) == (1, 1, 10.0)
    assert facts["paced_share"].value == pytest.approx(100 * 10 / 105)
    assert (facts["svt_count"].value, facts["svt_longest"].value) == (1, 10.0)
    assert facts["svt_fastest"].value == pytest.approx(75.0)
    assert (facts["asystole_count"].value, facts["asystole_longest"].value) == (1, 10.0)
    assert (facts["afl_count"].value, facts["afl_total"].value, facts["afl_longest"].value) == (1, 10.0, 10.0)
    assert facts["af_count"].value == 0


def test_spans_are_cut_to_the_span_that_is_measured() -> None:
    facts = rhythm(read("N" * 124, rhythms=[(0, 60, "(N"), (60, 99, "(AFIB")]), start_s=50.0, end_s=70.0)
    assert (facts["af_total"].value, facts["af_burden"].value) == (10.0, 50.0)
    assert rhythm(read("N" * 124, rhythms=[(0, 60, "(N")]), start_s=60.0, end_s=70.0)["rhythm_named_share"].value == 0


def test_intervals_across_ventricular_fibrillation_are_none() -> None:
    labels, rr_ms = "N" * 40, [800] * 20 + [12_000] + [800] * 18
    vf = (17.0, 28.0, "(VFL")
    with_vf = facts_of(read(labels, rr_ms, rhythms=[(0, 17, "(N"), vf, (28, 42, "(N")]), "pauses", "rate")
    assert with_vf["pauses_2.0s"].value == 0
    assert with_vf["heart_rate_min"].value == pytest.approx(75.0)
    assert facts_of(read(labels, rr_ms), "pauses")["pauses_2.0s"].value == 1


def test_normal_to_normal_is_told_by_labels_and_not_by_timing() -> None:
    rr_ms = [800, 860] * 40
    rr_ms[30] = 500  # early by its timing
    facts = facts_of(read("N" * 81, rr_ms), "variability")
    assert facts["sdnn"].n == 80
    ectopic = facts_of(read("N" * 31 + "S" + "N" * 49, rr_ms), "variability")
    assert ectopic["sdnn"].n == 78
    nn = np.delete(np.array(rr_ms, float), [30, 31])
    assert ectopic["sdnn"].value == pytest.approx(float(np.std(nn, ddof=1)), rel=1e-6)
    early = facts_of(read("N" * 31 + "S" + "N" * 49, rr_ms), "regularity")
    assert early["early_beat_count"].value == 1


def test_no_interval_in_fibrillation_is_normal_to_normal() -> None:
    rr_ms = np.random.default_rng(1).uniform(400, 1100, 200).tolist()
    facts = facts_of(read("N" * 201, rr_ms, rhythms=[(0, 150, "(AFIB")], seconds=160), "variability")
    assert facts["sdnn"].value is None
    assert "normal-to-normal" in facts["sdnn"].reason
    assert "timing" not in facts["sdnn"].reason


@pytest.mark.data
def test_burden_and_episodes_of_mit_bih_are_those_of_its_reference(data: Path) -> None:
    reference = read_reference(data / "mitdb" / "203")
    side = reference.side()
    bare = read("N" * len(side.beats), seconds=1806)
    annotations = Annotations(
        360.0, 650_000, side.beats, bare.quality, bare.reasons, (), side.labels, bare.waves, bare.absent, bare.likely,
        tuple(RhythmSpan(r.start, r.stop, r.label) for r in reference.rhythms),
    )  # fmt: skip
    facts = rhythm(annotations)
    total = sum(r.stop - r.start for r in reference.rhythms if r.label == "(AFIB") / 360
    assert facts["af_total"].value == pytest.approx(total)
    assert facts["af_burden"].value == pytest.approx(100 * total / (650_000 / 360))
    assert facts["vt_count"].value == sum(r.label == "(VT" for r in reference.rhythms)
    assert facts["af_count"].value is not None
    assert facts["af_count"].value < sum(r.label == "(AFIB" for r in reference.rhythms)
