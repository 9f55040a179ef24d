"""The number of pacing spikes of a span: counted where they can be seen, and a reason where they cannot."""

import dataclasses
from itertools import pairwise

import numpy as np
import pytest

from edge.clean.quality import Reason, State
from edge.formats.memory import ArrayRecording
from edge.interpret.facts import context_of, measure
from edge.settings import RhythmSettings
from edge.types import Annotations, Fact

FS_HZ, N_SECONDS = 500.0, 90
EVERY_S = 0.8


def recorded(seconds: int = N_SECONDS, fs_hz: float = FS_HZ) -> ArrayRecording:
    """A spike every 0.8 s from 0.6 s on in the second of two leads."""
    signal_mv = np.random.default_rng(0).normal(0, 0.004, (round(seconds * fs_hz), 2))
    signal_mv[np.round(np.arange(0.6, seconds, EVERY_S) * fs_hz).astype(int), 1] += 0.6
    return ArrayRecording("paced", signal_mv, fs_hz)


def bare(n_samples: int, fs_hz: float = FS_HZ, unusable: slice = slice(0, 0)) -> Annotations:
    """Beats found and not labelled; what is counted here needs none."""
    reasons = np.zeros(int(n_samples / fs_hz), np.uint8)
    reasons[unusable] = Reason.NOISY
    quality = np.where(reasons > 0, State.UNUSABLE, State.GOOD).astype(np.uint8)
    return Annotations(fs_hz, n_samples, np.empty(0, np.int64), quality, reasons, ())


def counted(
    recording: ArrayRecording, annotations: Annotations, start_s: float = 0.0, end_s: float = 1e9, lead: int = 1
) -> Fact:
    context = context_of(annotations, start_s, end_s, RhythmSettings(), recording=recording, lead=lead)
    return measure(context, "pacing")["pacing_spike_count"]


def test_spikes_are_counted_in_the_analysis_lead_with_the_place_and_the_seconds_looked_at() -> None:
    recording = recorded()
    found = bare(recording.info.n_samples)
    fact = counted(recording, found)
    assert (fact.value, fact.unit, fact.n, fact.reason) == (112.0, "spikes", N_SECONDS, "")
    (place,) = fact.evidence
    assert place.label == "112 pacing spikes"
    assert place.start_s == pytest.approx(0.4, abs=0.01)
    none = counted(recording, found, lead=0)
    assert (none.value, none.reason, none.evidence) == (0.0, "", ())


def test_the_parts_of_a_recording_have_as_many_spikes_as_the_whole() -> None:
    recording = recorded(301)  # read in several pieces
    found = bare(recording.info.n_samples)
    edges_s = [0.0, 2.0, 7.5, 100.0, 240.3, 301.0]
    parts = [counted(recording, found, a, b).value for a, b in pairwise(edges_s)]
    assert all(parts)
    assert sum(value or 0 for value in parts) == counted(recording, found).value


def test_spikes_in_unusable_seconds_are_not_counted() -> None:
    recording = recorded()
    fact = counted(recording, bare(recording.info.n_samples, unusable=slice(20, 40)))
    assert fact.value == 112 - 25
    assert fact.n == N_SECONDS - 20
    assert sorted(place.label for place in fact.evidence) == ["25 pacing spikes", "62 pacing spikes"]


def test_the_search_begins_anew_after_a_gap() -> None:
    signal_mv = recorded().read_mv(0, 45_000).copy()
    signal_mv[15_000:27_000] = np.nan
    recording = ArrayRecording("gap", signal_mv, FS_HZ)
    fact = counted(recording, bare(45_000, unusable=slice(30, 54)))
    assert fact.value == 112 - 30
    assert [place.end_s <= 30 or place.start_s >= 54 for place in fact.evidence] == [True, True]


@pytest.mark.parametrize("fs_hz", [130.0, 250.0, 360.0])
def test_below_500_hz_they_are_not_looked_for(fs_hz: float) -> None:
    recording = recorded(fs_hz=fs_hz)
    fact = counted(recording, bare(recording.info.n_samples, fs_hz))
    assert (fact.value, fact.reason) == (None, f"the recording's {fs_hz:g} Hz cannot show pacing spikes")


def test_without_signal_or_without_ecg_the_reason_is_told() -> None:
    annotations = bare(45_000)
    context = context_of(annotations, 0, 90, RhythmSettings())
    reason = measure(context, "pacing")["pacing_spike_count"].reason
    assert reason == "pacing spikes are looked for in the signal, which is not at hand here"
    straps = dataclasses.replace(context, rr_only=True)
    told = measure(straps, "pacing")["pacing_spike_count"].reason
    assert told == "this recording holds the strap's RR intervals and no ECG"
    lost = counted(recorded(), bare(45_000, unusable=slice(0, 90)))
    assert (lost.value, lost.reason) == (None, "signal not usable: noisy")
    assert counted(recorded(), annotations, 200, 300).reason == "nothing was recorded then"
