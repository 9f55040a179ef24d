"""Beats are found where they are, at any rate and sampling rate, and nowhere else."""

from pathlib import Path

import numpy as np
import pytest
from ecg_tools import analysed, compared, ecg_at, even_ecg, second_of, times_of
from hypothesis import given, settings
from hypothesis import strategies as st

from bench import run_bench
from edge.clean.quality import State
from edge.detect.beats import find_beats, join_beats, refractory_of
from edge.formats.memory import ArrayRecording, demo_recording
from edge.interpret.facts import context_of, measure
from edge.pipeline import annotate
from edge.settings import BeatSettings, RhythmSettings

FS_HZ = 250.0
RECORDS = ("101", "106", "119", "203", "209", "230")


@pytest.mark.parametrize("bpm", [15, 20, 30, 45, 60, 72, 100, 150, 200, 240, 250, 290])
def test_every_beat_of_an_even_rhythm_is_found_and_no_other(bpm: int) -> None:
    found = analysed(even_ecg(bpm, FS_HZ, 60), FS_HZ)
    counts = compared(times_of(bpm, 60), found)
    assert max(counts.missed, counts.extra) <= 1
    assert (found.quality != State.UNUSABLE).all()


def test_every_beat_at_300_bpm_is_found() -> None:
    counts = compared(times_of(300, 60), analysed(even_ecg(300, FS_HZ, 60), FS_HZ))
    assert counts.missed <= 2


@pytest.mark.parametrize("fs_hz", [80.0, 100.0, 128.5, 130.0, 333.33, 360.0, 500.0, 1000.0, 10_000.0])
def test_beats_are_found_at_any_sampling_rate(fs_hz: float) -> None:
    found = analysed(even_ecg(72, fs_hz, 30), fs_hz)
    counts = compared(times_of(72, 30), found)
    assert (counts.missed, counts.extra) == (0, 0)
    drawn = np.round(times_of(72, 30) * fs_hz)
    assert np.abs(found.beats - drawn).max() <= 0.03 * fs_hz


@settings(max_examples=25, deadline=None)
@given(st.lists(st.floats(0.35, 1.6), min_size=12, max_size=30), st.floats(0.2, 4.0), st.integers(0, 99))
def test_beats_of_any_irregular_rhythm_and_size_are_found(rr_s: list[float], size: float, seed: int) -> None:
    times_s = 0.5 + np.cumsum(rr_s)
    duration_s = float(times_s[-1]) + 1.0
    signal_mv = size * ecg_at(times_s, FS_HZ, duration_s, noise_mv=0.005 / size, seed=seed)
    counts = compared(times_s, analysed(signal_mv, FS_HZ))
    assert counts.missed <= 0.1 * len(times_s)
    assert counts.extra <= 0.1 * len(times_s)


def test_an_inverted_signal_gives_about_the_same_beats() -> None:
    recording = demo_recording()
    upright = annotate(recording)
    inverted = annotate(ArrayRecording("inverted", -recording.read_mv(0, 108_000), 360.0))
    counts = compared(upright.beats / 360.0, inverted)
    assert counts.sensitivity > 0.97
    assert counts.positive_predictivity > 0.97


def test_a_p_wave_after_a_long_interval_is_not_taken_for_the_beat() -> None:
    times_s = 0.5 + np.cumsum([0.8] * 12 + [1.5, 1.0, 1.5] + [0.8] * 6)
    found = analysed(ecg_at(times_s, FS_HZ, float(times_s[-1]) + 1.0), FS_HZ)
    assert np.abs(found.beats - times_s * FS_HZ).max() < 0.04 * FS_HZ


def test_an_offset_and_a_slow_wander_change_no_beat() -> None:
    signal_mv = even_ecg(72, FS_HZ, 40)
    wander_mv = 300.0 + 1.0 * np.sin(2 * np.pi * 0.15 * np.arange(len(signal_mv)) / FS_HZ)
    beats = analysed(signal_mv, FS_HZ).beats
    assert np.abs(analysed(signal_mv + wander_mv, FS_HZ).beats - beats).max() <= 2


def test_the_demo_ecg_yields_its_beats_and_no_pause() -> None:
    """Its 5 minutes are those of MIT-BIH record 208 from 19:34.5; people marked 509 beats in them."""
    found = annotate(demo_recording())
    assert 495 <= len(found.beats) <= 515
    facts = measure(context_of(found, 0.0, 300.0, RhythmSettings()), "pauses")
    assert facts["pauses_2.0s"].value == 0


@pytest.mark.parametrize("pause_s", [3.0, 4.0, 7.0, 12.0])
@pytest.mark.parametrize("noise_mv", [0.003, 0.01])
def test_the_noise_of_a_long_pause_is_not_taken_for_beats(pause_s: float, noise_mv: float) -> None:
    times_s = times_of(70, 60)
    times_s = times_s[(times_s < 30) | (times_s > 30 + pause_s)]
    found = analysed(ecg_at(times_s, FS_HZ, 60, noise_mv), FS_HZ)
    inside = (found.beats > 30.1 * FS_HZ) & (found.beats < (29.9 + pause_s) * FS_HZ)
    assert not inside.any()
    assert compared(times_s, found).missed <= 2


def test_a_heart_at_eight_beats_a_minute_is_not_said_to_beat_at_a_hundred() -> None:
    found = analysed(even_ecg(8, FS_HZ, 60), FS_HZ)
    assert len(found.beats) <= 12


def test_unusable_seconds_are_not_searched() -> None:
    signal_mv = even_ecg(72, FS_HZ, 20)
    states = np.zeros(20, np.uint8)
    states[8:12] = State.UNUSABLE
    beats = find_beats(signal_mv, FS_HZ, np.arange(0, 5000, 250), states, BeatSettings())
    assert not ((beats >= 8 * 250) & (beats < 12 * 250)).any()
    assert len(beats) == 20


@pytest.mark.parametrize("signal_mv", [np.empty(0), np.zeros(5000), np.full(5000, np.nan), np.ones(1)])
def test_nothing_to_see_is_no_beat_and_no_exception(signal_mv: np.ndarray) -> None:
    starts = np.arange(0, max(1, len(signal_mv)), 250)
    assert len(find_beats(signal_mv, FS_HZ, starts, np.zeros(len(starts), np.uint8), BeatSettings())) == 0


def test_beats_of_a_noisy_ecg_lie_in_usable_seconds() -> None:
    rng = np.random.default_rng(2)
    signal_mv = even_ecg(72, FS_HZ, 60)
    signal_mv[20 * 250 : 30 * 250] += rng.standard_normal(2500)
    found = analysed(signal_mv, FS_HZ)
    assert (found.quality[21:29] == State.UNUSABLE).all()
    assert (found.quality[second_of(found)] != State.UNUSABLE).all()


def test_one_beat_seen_by_two_windows_is_reported_once() -> None:
    found = np.array([980, 1003, 1200, 1990, 2100])
    assert join_beats(995, found, first_allowed=960, stop=2000, refractory=62) == [1200, 1990]
    assert join_beats(-(10**12), found, first_allowed=960, stop=2000, refractory=62) == [980, 1200, 1990]


def test_the_refractory_time_is_a_quarter_second_and_less_where_all_beats_are_fast() -> None:
    assert refractory_of(np.arange(0, 5000, 200), FS_HZ, BeatSettings()) == 62
    assert refractory_of(np.arange(0, 5000, 54), FS_HZ, BeatSettings()) == 43
    assert refractory_of(np.empty(0, np.int64), FS_HZ, BeatSettings()) == 62
    one_pair = np.sort(np.append(np.arange(0, 5000, 200), 1030))
    assert refractory_of(one_pair, FS_HZ, BeatSettings()) == 62


@pytest.mark.data
def test_detection_on_mit_bih_records_is_not_worse_than_it_was(data: Path) -> None:
    if not (data / "mitdb" / "101.atr").exists():
        pytest.skip("no mitdb in ANYECG_DATA")
    gross = run_bench("mitdb", data / "mitdb", RECORDS)["gross"]
    assert gross["qrs_se"]["percent"] >= 99.4
    assert gross["qrs_pp"]["percent"] >= 99.6
