"""Paced beats are those behind a spike: in made signals, in LUDB, and at every cut of the stream."""

import csv
import os
from pathlib import Path

import numpy as np
import pytest

from edge.clean.spikes import FrontState
from edge.detect.paced import PacedState, paced_beats, take_in
from edge.formats.sniff import open_file
from edge.pipeline import AnalysisState, advance, annotate, collect, finish
from edge.types import Samples, Window

FS_HZ = 500.0
BEATS = np.arange(500, 15_000, 400)


def signal_with(spiked: Samples, mv: float = 1.0) -> np.ndarray:
    """Wide QRS at `BEATS`, and 80 ms before some a pulse of one sample."""
    t = np.arange(15_500)
    signal_mv = np.random.default_rng(0).normal(0, 0.003, len(t))
    for at in BEATS.tolist():
        signal_mv += 1.2 * np.exp(-0.5 * ((t - at) / 15) ** 2)
    signal_mv[spiked - 40] += mv
    return signal_mv


def paced_in(signal_mv: np.ndarray, step: int = 30_000) -> np.ndarray:
    state, found = PacedState(FrontState(FS_HZ)), []
    named = 0
    for a in range(0, len(signal_mv) + 7 * 500, step):
        take_in(signal_mv[a : a + step], state)
        stop = a + step - 6 * 500 if a + step < len(signal_mv) + 7 * 500 else 10**9
        now = BEATS[(named <= BEATS) & (stop > BEATS)]
        found.append(paced_beats(now, min(stop, len(signal_mv)), state))
        named = max(named, stop)
    return np.concatenate(found)


def test_beats_behind_a_spike_are_paced_and_others_between_them_are_not() -> None:
    spiked = np.delete(BEATS, [7, 20])
    assert paced_in(signal_with(spiked)).tolist() == np.isin(BEATS, spiked).tolist()


def test_single_glitches_before_a_beat_do_not_make_it_paced() -> None:
    assert not paced_in(signal_with(BEATS[[5, 25]])).any()


def test_what_is_paced_does_not_depend_on_how_the_stream_was_cut() -> None:
    signal_mv = signal_with(np.delete(BEATS, [7, 20]))
    for step in (500, 777, 5_000):
        assert paced_in(signal_mv, step).tolist() == paced_in(signal_mv).tolist()


def test_no_beat_is_paced_where_the_rate_shows_no_spikes() -> None:
    state = PacedState(FrontState(250.0))
    take_in(signal_with(BEATS)[::2], state)
    assert not paced_beats(BEATS // 2, 10_000, state).any()


def test_a_spike_that_decays_is_one_also_where_two_chambers_are_paced_fast() -> None:
    beats, fs_hz = np.arange(1000, 20_000, 400), 1000.0  # 150 bpm
    signal_mv = np.random.default_rng(0).normal(0, 0.003, 22_000)
    for at in beats.tolist():
        for spike in (at - 180, at - 60):
            signal_mv[spike : spike + 30] += np.exp(-np.arange(30) / 3)
    state = PacedState(FrontState(fs_hz))
    take_in(signal_mv, state)
    assert paced_beats(beats, 22_000, state).all()


def test_every_beat_of_a_long_paced_recording_is_paced_however_it_comes_in() -> None:
    every, n = 400, 250 * 500
    beats, t = np.arange(500, n - 500, every), np.arange(-60, 60)
    signal_mv = np.random.default_rng(0).normal(0, 0.003, n)
    for at in beats.tolist():
        signal_mv[at - 60 : at + 60] += 1.2 * np.exp(-0.5 * (t / 15) ** 2)
        signal_mv[at - 40] += 1.0
    whole, by_second = (_labels(signal_mv, step) for step in (n, 500))
    assert (whole == ord("Q")).mean() > 0.98
    assert whole.tolist() == by_second.tolist()


def _labels(signal_mv: np.ndarray, step: int) -> np.ndarray:
    state, decided = AnalysisState(FS_HZ), []
    for start in range(0, len(signal_mv), step):
        part = signal_mv[start : start + step, None].astype(np.float32)
        decided += advance(Window(start, part), state)[0]
    return collect([*decided, *finish(state)], FS_HZ, ()).labels


@pytest.mark.skipif("ANYECG_DATA" not in os.environ, reason="needs recordings")
def test_most_pacemaker_hearts_of_ludb_have_paced_beats_and_no_other_heart_has() -> None:
    folder = Path(os.environ["ANYECG_DATA"]) / "ludb"
    with (folder / "ludb.csv").open(encoding="utf-8-sig") as file:
        about = {row["ID"].strip(): " ".join(row.values()).lower() for row in csv.DictReader(file)}
    paced, others = [], []
    for path in sorted((folder / "data").glob("*.hea")):
        with_pacemaker = "pacemaker presence" in about[path.stem]
        if with_pacemaker or len(others) < 40:
            of_it = annotate(open_file(path.with_suffix("")), (1,)).labels == ord("Q")
            (paced if with_pacemaker else others).append(of_it.mean())
    assert np.mean(np.array(paced) > 0.3) >= 0.5, paced
    assert max(others) == 0
