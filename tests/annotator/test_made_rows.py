"""Rhythms made of recorded beats: what they are labelled is what was set, and nothing is made of too little."""

from itertools import pairwise

import numpy as np
import pytest

from edge.detect.network.prepare import FS_HZ
from training.annotator.data import Row
from training.annotator.ectopy import FEWEST, MADE, TURNED, made_rows, turned_rows

RR = round(0.9 * FS_HZ)


def row(record: str, n_beats: int = 300, gain: float = 1.0) -> Row:
    """P, QRS and T at 67 bpm; every tenth beat is a broad early one."""
    rng = np.random.default_rng(len(record))
    at = np.arange(1, n_beats + 1) * RR
    labels = np.where(np.arange(n_beats) % 10 == 5, ord("V"), ord("N")).astype(np.uint8)
    at = at - np.where(labels == ord("V"), RR // 4, 0)
    n = (n_beats + 2) * RR // FS_HZ * FS_HZ
    t = np.arange(n)
    signal = rng.normal(0, 0.003, n)
    for beat, label in zip(at.tolist(), labels.tolist(), strict=True):
        wave = slice(beat - 40, beat + 60)
        of = t[wave] - beat
        if label == ord("V"):
            signal[wave] += 1.5 * np.exp(-((of / 8) ** 2))
        else:
            signal[wave] += np.exp(-((of / 2.5) ** 2)) + 0.15 * np.exp(-(((of + 20) / 4) ** 2))
            signal[wave] += 0.3 * np.exp(-(((of - 35) / 8) ** 2))
    signal = (gain * signal).astype(np.float32)
    nothing = np.empty(0, np.uint8)
    return Row(
        "mitdb", record, signal, at.astype(np.int32), labels, np.zeros(n // FS_HZ, np.uint8), nothing, (0, n), -1
    )


@pytest.fixture(scope="module")
def made() -> list[Row]:
    return made_rows([row(name, gain=gain) for name in ("101", "2020", "30303") for gain in (1.0, -0.6, 0.3)])


def test_every_row_with_enough_sinus_beats_becomes_a_made_one(made: list[Row]) -> None:
    assert [r.record for r in made] == [f"{MADE}{name}" for name in ("101", "2020", "30303") for _ in range(3)]
    assert made_rows([row("101", n_beats=FEWEST)]) == []


def test_beats_stand_where_they_are_set_and_as_what_they_are_labelled(made: list[Row]) -> None:
    for r in made:
        assert (np.diff(r.beats) > 0.2 * FS_HZ).all()
        for at, label in zip(r.beats.tolist(), r.labels.tolist(), strict=True):
            around = np.abs(r.signal_mv[at - 12 : at + 13])
            if label == ord("N"):
                assert abs(int(around.argmax()) - 12) <= 2
        assert {chr(c) for c in np.unique(r.labels)} <= {"N", "S", "V"}


def test_supraventricular_beats_come_early_or_in_runs(made: list[Row]) -> None:
    n_early = n = 0
    for r in made:
        usual = np.median(np.diff(r.beats)[r.labels[1:] == ord("N")])
        for (before, at), label, last in zip(pairwise(r.beats.tolist()), r.labels[1:], r.labels[:-1], strict=True):
            if label == ord("S") and last == ord("N"):
                n, n_early = n + 1, n_early + (at - before < 0.92 * usual)
    assert n > 10
    assert n_early == n


def test_rows_are_made_again_the_same() -> None:
    first, second = (made_rows([row("101"), row("2020")]) for _ in range(2))
    for a, b in zip(first, second, strict=True):
        assert np.array_equal(a.signal_mv, b.signal_mv)
        assert np.array_equal(a.beats, b.beats)


def test_a_turned_body_keeps_its_beats_and_changes_their_shape() -> None:
    leads = [row("101"), row("101", gain=-0.6)]
    first, _ = turned_rows(leads)
    assert first.record == f"{TURNED}101"
    assert np.array_equal(first.beats, leads[0].beats)
    sizes = first.signal_mv[first.beats] / leads[0].signal_mv[first.beats]
    assert sizes.max() - sizes.min() > 0.3
