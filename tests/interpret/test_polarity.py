"""Polarity of a lead, told by P waves and QRS together and from enough beats."""

import csv
import dataclasses
from collections import Counter
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from read_tools import FS_HZ, POINTS, read

from bench.delineation import MISSING, marks_of
from bench.ludb import LEADS
from edge.formats.memory import ArrayRecording
from edge.formats.sniff import open_file
from edge.interpret.facts import context_of, measure
from edge.interpret.polarity import INVERTED, UPRIGHT, polarity_words
from edge.settings import RhythmSettings
from edge.types import NO_POINT, Annotations, Fact, Point, SignalMv, Wave


def drawn(annotations: Annotations, p_mv: float, qrs_mv: float, noise_mv: float = 0.005) -> SignalMv:
    """P waves and QRS of these heights where the annotations have them, and a small deflection the other way."""
    signal_mv = np.random.default_rng(0).normal(0, noise_mv, annotations.n_samples).astype(np.float32)
    p_on, p_off, qrs_on, qrs_off = (POINTS[k] for k in (Point.P_ON, Point.P_OFF, Point.QRS_ON, Point.QRS_OFF))
    for beat in annotations.beats.tolist():
        signal_mv[beat + p_on : beat + p_off + 1] += p_mv * np.hanning(p_off - p_on + 1)
        signal_mv[beat + qrs_on : beat + 5] += qrs_mv * np.hanning(5 - qrs_on)
        signal_mv[beat + 5 : beat + qrs_off] -= 0.4 * qrs_mv * np.hanning(qrs_off - 5)
    return signal_mv


def polarity(annotations: Annotations, signal_mv: SignalMv, start_s: float = 0.0, end_s: float = 1e9) -> Fact:
    recording = ArrayRecording("lead", signal_mv, annotations.fs_hz)
    context = context_of(annotations, start_s, end_s, RhythmSettings(), recording=recording)
    return measure(context, "polarity")["polarity"]


@pytest.mark.parametrize(
    ("p_mv", "qrs_mv", "expected"),
    [(0.12, 1.0, UPRIGHT), (-0.12, -1.0, INVERTED), (0.12, -1.0, UPRIGHT), (0.05, 0.3, UPRIGHT), (-0.05, -0.3, INVERTED)],
)  # fmt: skip
def test_p_waves_decide_and_down_they_must_have_the_qrs_with_them(p_mv: float, qrs_mv: float, expected: float) -> None:
    annotations = read("N" * 60)
    fact = polarity(annotations, drawn(annotations, p_mv, qrs_mv))
    assert (fact.value, fact.reason) == (expected, "")
    assert fact.n >= 5


def test_p_waves_down_before_a_qrs_that_points_up_tell_nothing() -> None:
    annotations = read("N" * 20)
    fact = polarity(annotations, drawn(annotations, -0.12, 1.0))
    assert fact.value is None
    assert fact.reason == f"P waves point up in 0 of {fact.n} beats, and P waves and QRS together down in 0"


def test_flat_p_waves_tell_nothing_whatever_the_qrs() -> None:
    annotations = read("N" * 20)
    for qrs_mv in (1.0, -1.0):
        assert polarity(annotations, drawn(annotations, 0.0, qrs_mv, noise_mv=0.001)).value is None


def test_a_lead_that_is_turned_over_half_way_is_neither_and_each_half_is_told() -> None:
    annotations = read("N" * 1500)  # 20 minutes
    signal_mv = drawn(annotations, 0.12, 1.0)
    signal_mv[annotations.n_samples // 2 :] *= -1
    assert polarity(annotations, signal_mv).value is None
    assert polarity(annotations, signal_mv, 0, 590).value == UPRIGHT
    second = polarity(annotations, signal_mv, 610, 1200)
    assert second.value == INVERTED
    assert all(610 <= place.start_s < place.end_s <= 1200 for place in second.evidence)
    assert second.evidence[0].label.startswith("P waves and QRS point down in ")


@pytest.mark.parametrize("labels", ["NNNN", "V" * 60, "NVVV" * 4])
def test_too_few_normal_beats_tell_nothing(labels: str) -> None:
    annotations = read(labels)
    fact = polarity(annotations, drawn(annotations, -0.12, -1.0))
    assert (fact.value, fact.n) == (None, 4 if "N" in labels else 0)
    assert fact.reason == f"only {fact.n} normal beats with a P wave in good signal, 5 are needed"


def test_beats_without_p_waves_do_not_count() -> None:
    annotations = read("N" * 60)
    waves = annotations.waves.copy()
    waves[:, [Point.P_ON, Point.P_OFF]] = NO_POINT
    fact = polarity(dataclasses.replace(annotations, waves=waves), drawn(annotations, 0.0, -1.0))
    assert (fact.value, fact.n) == (None, 0)


def test_without_labels_or_signal_the_reason_is_told() -> None:
    annotations = read("N" * 20)
    bare = Annotations(FS_HZ, annotations.n_samples, annotations.beats, annotations.quality, annotations.reasons, ())
    assert polarity(bare, drawn(annotations, 0.1, 1.0)).reason == "beats were found and not labelled"
    context = context_of(annotations, 0, 1e9, RhythmSettings())
    told = measure(context, "polarity")["polarity"].reason
    assert told == "polarity is measured in the signal, which is not at hand here"


def test_beats_with_missing_samples_are_left_out() -> None:
    annotations = read("N" * 20)
    signal_mv = drawn(annotations, 0.12, 1.0)
    signal_mv[annotations.beats[3:10] + POINTS[Point.P_ON] + 3] = np.nan
    whole = polarity(annotations, drawn(annotations, 0.12, 1.0))
    fact = polarity(annotations, signal_mv)
    assert (fact.value, fact.n) == (UPRIGHT, whole.n - 7)


def test_the_words_are_those_of_the_values() -> None:
    assert polarity_words(UPRIGHT) == "upright"
    assert polarity_words(INVERTED) == "seems upside down"
    assert polarity_words(None) is None


@settings(max_examples=80, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([0.0, 0.1, 1e4]), st.floats(0, 0.2), st.integers(1, 60))
def test_any_points_in_any_signal_give_a_value_or_a_reason(seed: int, mv: float, missing: float, n: int) -> None:
    rng = np.random.default_rng(seed)
    annotations = read("N" * n, rng.uniform(150, 1500, n - 1).tolist())
    waves = rng.integers(-300, 300, annotations.waves.shape).astype(np.int16)
    waves[rng.random(waves.shape) < 0.1] = NO_POINT
    signal_mv = rng.normal(0, mv, annotations.n_samples).astype(np.float32)
    signal_mv[rng.random(len(signal_mv)) < missing] = np.nan
    fact = polarity(dataclasses.replace(annotations, waves=waves), signal_mv)
    assert fact.value in {None, UPRIGHT, INVERTED}
    assert (fact.value is None) == bool(fact.reason)


def told_of_ludb(data: Path, wfdb: ModuleType, sign: int) -> dict[str, Counter[float | None]]:
    """Polarity of each standard lead over LUDB's unpaced records, on the cardiologists' own marks."""
    with (data / "ludb" / "ludb.csv").open(encoding="utf-8", newline="") as file:
        paced = {row["ID"].strip() for row in csv.DictReader(file) if row["Cardiac pacing"].strip()}
    told: dict[str, Counter[float | None]] = {lead: Counter() for lead in LEADS}
    for header in sorted((data / "ludb" / "data").glob("*.hea")):
        if header.stem in paced:
            continue
        signal_mv = sign * open_file(header).read_mv(0, 5000)
        for k, lead in enumerate(LEADS):
            marks = wfdb.rdann(str(header.with_suffix("")), lead)
            marked = marks_of(marks.sample, marks.symbol)
            qrs, p = marked.waves[Wave.QRS], marked.waves[Wave.P]
            table = np.full((len(qrs), len(Point)), NO_POINT, np.int16)
            for row, (on, peak, off) in zip(table, qrs.tolist(), strict=True):
                row[[Point.QRS_ON, Point.QRS_OFF]] = [NO_POINT if at == MISSING else at - peak for at in (on, off)]
                near = p[(p[:, 1] < peak) & (p[:, 1] > peak - 175) & (p != MISSING).all(axis=1)]
                if len(near):
                    row[[Point.P_ON, Point.P_OFF]] = near[-1, [0, 2]] - peak
            bare = read("N" * len(qrs), seconds=10)
            annotations = dataclasses.replace(bare, fs_hz=500.0, n_samples=5000, beats=qrs[:, 1], waves=table)
            told[lead][polarity(annotations, signal_mv[:, k]).value] += 1
    return told


@pytest.fixture
def wfdb() -> ModuleType:
    return pytest.importorskip("wfdb")


@pytest.mark.data
def test_no_lead_that_looks_from_the_left_is_called_upside_down_and_avr_is(data: Path, wfdb: ModuleType) -> None:
    told = told_of_ludb(data, wfdb, 1)
    assert [lead for lead in ("i", "ii", "avf", "v3", "v4", "v5", "v6") if told[lead][INVERTED]] == []
    assert all(told[lead][UPRIGHT] >= 115 for lead in ("i", "ii", "avf", "v4", "v5", "v6"))
    assert (told["avr"][UPRIGHT], told["avr"][INVERTED] >= 125) == (0, True)


@pytest.mark.data
def test_negated_the_same_leads_are_called_upside_down(data: Path, wfdb: ModuleType) -> None:
    told = told_of_ludb(data, wfdb, -1)
    assert (told["avr"][INVERTED], told["avr"][UPRIGHT] >= 125) == (0, True)
    assert all(told[lead][INVERTED] >= 115 for lead in ("i", "ii", "v6"))
    assert all(told[lead][UPRIGHT] <= 2 for lead in ("i", "ii", "avf", "v4", "v5", "v6"))
