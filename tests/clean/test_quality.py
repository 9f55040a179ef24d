"""Which seconds can be measured, and why the others cannot."""

import numpy as np
import pytest
from ecg_tools import analysed, compared, ecg_at, even_ecg, second_of, times_of
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.clean.quality import Reason, State, assess, describe
from edge.formats.memory import demo_recording
from edge.interpret.facts import context_of, measure
from edge.pipeline import annotate
from edge.settings import QualitySettings, RhythmSettings
from edge.types import Absent, Annotations, Wave

FS_HZ = 250.0


def reasons_in(found: Annotations, first: int, stop: int) -> list[str]:
    return [describe(int(reasons)) for reasons in found.reasons[first:stop]]


@pytest.mark.parametrize("level_mv", [0.0, 4.9, -300.0, 3e38])
def test_a_flat_line_yields_no_beats_and_is_lead_off_from_its_third_second(level_mv: float) -> None:
    found = analysed(np.full(30 * 250, level_mv), FS_HZ)
    assert len(found.beats) == 0
    assert (found.quality == State.UNUSABLE).all()
    assert (found.reasons & Reason.FLAT > 0).all()
    assert (found.reasons[2:] & Reason.LEAD_OFF > 0).all()


def test_the_last_digit_of_a_converter_without_an_electrode_is_still_a_flat_line() -> None:
    toggling = np.random.default_rng(0).integers(0, 2, 30 * 250) * 0.005
    found = analysed(toggling, FS_HZ)
    assert len(found.beats) == 0
    assert (found.reasons[2:] & Reason.LEAD_OFF > 0).all()


@pytest.mark.parametrize("first", [3, 8, 14])
def test_a_flat_stretch_is_lead_off_from_three_seconds_on_wherever_it_begins(first: int) -> None:
    for n_flat, lead_off in ((2, False), (3, True), (7, True)):
        signal_mv = even_ecg(72, FS_HZ, 40)
        signal_mv[first * 250 : (first + n_flat) * 250] = 0.2
        found = analysed(signal_mv, FS_HZ)
        flat = found.reasons[first : first + n_flat]
        assert (flat & Reason.FLAT > 0).all()
        assert (flat[2:] & Reason.LEAD_OFF > 0).all()
        assert (flat & Reason.LEAD_OFF > 0).any() == lead_off
        around = np.r_[found.quality[: first - 1], found.quality[first + n_flat + 1 :]]
        assert (around != State.UNUSABLE).all()
        assert not ((second_of(found) >= first) & (second_of(found) < first + n_flat)).any()


def test_a_signal_at_the_converters_end_is_saturated() -> None:
    signal_mv = even_ecg(72, FS_HZ, 20)
    swing_mv = 8.0 * np.sin(2 * np.pi * 1.5 * np.arange(5 * 250) / FS_HZ)
    signal_mv[10 * 250 : 15 * 250] = np.clip(signal_mv[10 * 250 : 15 * 250] + swing_mv, -3.3, 3.3)
    found = analysed(signal_mv, FS_HZ)
    assert all("saturated" in text for text in reasons_in(found, 10, 15))
    assert (found.quality[:9] == State.GOOD).all()


def test_an_r_wave_with_a_cut_top_is_not_a_saturated_second() -> None:
    signal_mv = np.minimum(2.0 * even_ecg(72, FS_HZ, 20), 1.6)
    assert not any("saturated" in text for text in reasons_in(analysed(signal_mv, FS_HZ), 0, 20))


@pytest.mark.parametrize("fill", [np.nan, np.inf, -np.inf])
def test_missing_samples_make_their_own_second_unusable_and_no_other(fill: float) -> None:
    signal_mv = even_ecg(72, FS_HZ, 30)
    signal_mv[7 * 250 + 3] = fill
    signal_mv[12 * 250 + 100 : 15 * 250 + 1] = fill
    found = analysed(signal_mv, FS_HZ)
    assert np.flatnonzero(found.quality == State.UNUSABLE).tolist() == [7, 12, 13, 14, 15]
    assert set(reasons_in(found, 12, 16)) == {"no samples"}


@settings(max_examples=40, deadline=None)
@given(
    scale=st.floats(-2.0, 38.0),
    fs_hz=st.sampled_from([100.0, 128.5, 250.0, 360.0, 1000.0]),
    seed=st.integers(0, 1000),
)
def test_white_noise_of_any_strength_is_unusable_and_gives_no_rate(scale: float, fs_hz: float, seed: int) -> None:
    noise_mv = 10.0**scale * np.random.default_rng(seed).standard_normal(round(24 * fs_hz)).clip(-3, 3)
    found = analysed(noise_mv, fs_hz)
    assert (found.quality == State.UNUSABLE).mean() > 0.8
    assert (found.quality[second_of(found)] != State.UNUSABLE).all()
    facts = measure(context_of(found, 0.0, 24.0, RhythmSettings()))
    assert facts["heart_rate_mean"].value is None
    assert facts["heart_rate_mean"].reason


@pytest.mark.parametrize("noise_mv", [0.005, 0.02])
def test_quiet_noise_after_the_last_beat_is_not_a_signal_for_long(noise_mv: float) -> None:
    """A pause of some seconds is one only because beats come before or after it."""
    signal_mv = np.random.default_rng(3).normal(0.0, noise_mv, 90 * 250)
    signal_mv[: 20 * 250] += even_ecg(72, FS_HZ, 20)
    found = analysed(signal_mv, FS_HZ)
    assert (found.quality[:20] != State.UNUSABLE).all()
    assert (found.quality[35:] == State.UNUSABLE).mean() > 0.9
    assert not ((found.beats > 20.2 * 250) & (found.beats < 86 * 250)).any()


def test_strong_mains_hum_hides_small_waves_and_no_beat() -> None:
    hum = np.sin(2 * np.pi * 50.0 * np.arange(20 * 250) / FS_HZ)
    strong = analysed(even_ecg(72, FS_HZ, 20) + 1.0 * hum, FS_HZ)
    weak = analysed(even_ecg(72, FS_HZ, 20) + 0.03 * hum, FS_HZ)
    assert (strong.quality != State.GOOD).all()
    assert (strong.absent[:, Wave.P] != Absent.PRESENT).all()
    for found in (strong, weak):
        counts = compared(times_of(72, 20), found)
        assert (counts.missed, counts.extra) == (0, 0)


@pytest.mark.parametrize("fs_hz", [1.0, 2.5, 10.0, 40.0, 79.9])
def test_a_rate_too_low_for_beats_is_the_reason_given(fs_hz: float) -> None:
    found = analysed(even_ecg(72, 250.0, 60)[: round(20 * fs_hz)], fs_hz)
    assert len(found.beats) == 0
    assert len(found.quality) == 20
    assert set(reasons_in(found, 0, 20)) == {"sampling rate too low"}
    rate = measure(context_of(found, 0.0, 20.0, RhythmSettings()), "rate")["heart_rate_mean"]
    assert rate.reason == "signal not usable: sampling rate too low"


@pytest.mark.parametrize("fs_hz", [100.0, 128.5, 130.0, 360.0, 1000.0, 10_000.0])
def test_a_clean_ecg_is_good_throughout(fs_hz: float) -> None:
    found = analysed(even_ecg(72, fs_hz, 30), fs_hz)
    assert (found.quality == State.GOOD).all()
    assert (found.reasons == 0).all()


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_an_amplifier_that_recovers_is_unusable_and_no_pause(sign: float) -> None:
    times_s = times_of(72, 40)
    at = np.arange(40 * 250) / FS_HZ
    blind = (at >= 18) & (at < 22)
    seen = times_s[(times_s < 18) | (times_s > 22)]
    slope = np.where(at >= 18, sign * 4.0 * np.exp(-(at - 18) / 2.0), 0.0)
    signal_mv = ecg_at(seen, FS_HZ, 40) + slope
    signal_mv[blind] = slope[blind] + 0.002 * np.sin(at[blind])
    found = analysed(signal_mv, FS_HZ)
    assert (found.quality[19:21] == State.UNUSABLE).all()
    facts = measure(context_of(found, 0.0, 40.0, RhythmSettings()), "pauses")
    assert facts["pauses_2.0s"].value == 0


def test_the_electrode_pop_of_the_demo_is_unusable_and_no_pause() -> None:
    found = annotate(demo_recording())
    assert (found.quality[210:212] == State.UNUSABLE).all()
    assert (found.quality != State.UNUSABLE).mean() > 0.97
    facts = measure(context_of(found, 0.0, 300.0, RhythmSettings()), "pauses")
    assert facts["pauses_2.0s"].value == 0


def test_seconds_beyond_the_signal_have_no_samples() -> None:
    starts = np.arange(0, 5 * 250, 250)
    states, reasons = assess(even_ecg(72, FS_HZ, 3), FS_HZ, starts, QualitySettings())
    assert (states[:3] != State.UNUSABLE).all()
    assert reasons[3:].tolist() == [Reason.NO_SAMPLES] * 2


def test_reasons_are_told_in_words() -> None:
    assert describe(0) == ""
    assert describe(Reason.LEAD_OFF | Reason.FLAT) == "lead off, flat signal"
    assert all(describe(reason) for reason in Reason)
