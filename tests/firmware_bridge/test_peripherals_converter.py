"""What a virtual device's converter measures, and the beats that its firmware finds."""

import numpy as np
import pytest

from edge.formats.memory import ArrayRecording, demo_recording
from edge.pipeline import annotate
from firmware_bridge.faults import FaultScript
from firmware_bridge.peripherals.beats import FoundBeats, GivenBeats, intervals
from firmware_bridge.peripherals.converter import Converter
from firmware_bridge.peripherals.pacing import clock_s

LIMITS = (-20_000, 20_000)


def sine(duration_s: float = 100.0, fs_hz: float = 360.0) -> ArrayRecording:
    t_s = np.arange(round(duration_s * fs_hz)) / fs_hz
    return ArrayRecording("sine", np.sin(2 * np.pi * 1.3 * t_s), fs_hz)


@pytest.mark.parametrize("fs_hz", [125.0, 128.0, 130.0, 130.27, 250.0, 360.0, 512.0])
def test_resampling_keeps_the_signal_in_its_place(fs_hz: float) -> None:
    converter = Converter(sine(), fs_hz, 1000.0, LIMITS, (0,))
    counts = converter.measured(0, 10**9)[:, 0]
    t_s = np.arange(len(counts)) / converter.fs_hz
    assert converter.fs_hz == pytest.approx(fs_hz, rel=5e-7)
    assert len(counts) == pytest.approx(100 * fs_hz, abs=1.5)
    inside = slice(round(fs_hz), -round(fs_hz))
    np.testing.assert_allclose(counts[inside], 1000 * np.sin(2 * np.pi * 1.3 * t_s[inside]), atol=2)


def test_a_sample_does_not_depend_on_how_it_is_asked_for() -> None:
    whole = Converter(demo_recording(), 130.0, 1000.0, LIMITS, (0,), lead_off=((50.0, 10.0),))
    parts = Converter(demo_recording(), 130.0, 1000.0, LIMITS, (0,), lead_off=((50.0, 10.0),))
    expected = whole.measured(0, 39_000)
    for first in (31_000, 12, 6_480, 7_700, 0, 1_295):
        np.testing.assert_array_equal(parts.measured(first, 700), expected[first : first + 700])


def test_the_same_rate_leaves_every_sample_as_it_is() -> None:
    recording = demo_recording()
    counts = Converter(recording, 360.0, 200.0, LIMITS, (0,)).measured(0, 5_000)
    np.testing.assert_array_equal(counts, np.rint(recording.read_mv(0, 5_000).astype(np.float64) * 200))


def test_a_gap_is_a_flat_line_without_contact() -> None:
    signal_mv = sine().read_mv(0, 36_000).copy()
    signal_mv[3_600:7_200] = np.nan
    converter = Converter(ArrayRecording("gap", signal_mv, 360.0), 130.0, 1000.0, LIMITS, (0,))
    contact = converter.contact(0, 13_000)
    assert not contact[1_300:2_600].any()
    assert contact[:1_300].all()
    assert contact[2_600:].all()
    assert not converter.measured(1_300, 1_300).any()


def test_an_open_input_is_noise_at_the_rail() -> None:
    converter = Converter(sine(), 130.0, 1000.0, LIMITS, (0,), lead_off=((10.0, 5.0),))
    counts = converter.measured(1_300, 650)
    assert counts.min() >= 0.99 * LIMITS[1]
    assert counts.max() <= LIMITS[1]
    assert len(np.unique(counts)) > 20
    assert not converter.contact(1_300, 650).any()
    assert converter.contact(1_950, 1).all()


def test_a_looped_recording_begins_again_and_another_ends() -> None:
    looped = Converter(sine(10.0), 130.0, 1000.0, LIMITS, (0,), loop=True)
    np.testing.assert_array_equal(looped.measured(1_250, 200)[50:], looped.measured(0, 150))
    np.testing.assert_array_equal(looped.measured(10**9 * 1_300, 10), looped.measured(0, 10))
    ended = Converter(sine(10.0), 130.0, 1000.0, LIMITS, (0,))
    assert len(ended.measured(1_250, 200)) == 50
    assert len(ended.measured(5_000, 200)) == 0


def test_beats_found_by_window_are_those_of_the_whole() -> None:
    recording = demo_recording()
    found_s = FoundBeats(recording, 0).between(0, 300)
    whole_s = annotate(recording).beats / 360
    matched = [np.abs(whole_s - at_s).min() < 0.1 for at_s in found_s]
    assert np.mean(matched) > 0.98
    assert len(found_s) == pytest.approx(len(whole_s), rel=0.02)


def test_intervals_add_up_to_the_time_between_their_beats() -> None:
    times_s = np.cumsum(np.random.default_rng(1).uniform(0.6, 1.1, 200))
    beats = GivenBeats(times_s)
    rr = [value for second in range(200) for value in intervals(beats, second, second + 1)]
    assert sum(rr) / 1024 == pytest.approx(times_s[-1] - times_s[0], abs=0.001)
    assert len(rr) == 199


def test_no_interval_spans_lost_contact() -> None:
    beats = GivenBeats(np.array([1.0, 2.0, 3.0, 20.0, 21.0]))
    assert intervals(beats, 0, 30) == [1024, 1024, 1024]
    assert intervals(beats, 2.5, 3.5, since_s=2.5) == []


def test_the_clock_starts_anew_after_a_power_loss_and_jumps_when_it_is_set() -> None:
    script = FaultScript(clock_resets=(50.0,), clock_jumps=((20.0, 1000.0), (60.0, -5.0)))
    assert [clock_s(script, at_s) for at_s in (10.0, 30.0, 55.0, 61.0)] == [10.0, 1030.0, 5.0, 6.0]
