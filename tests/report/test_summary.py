"""The summary document: what it tells of labelled beats, and what it says where there are none."""

import dataclasses
import json
from typing import Any

import numpy as np
import pytest
from read_tools import FS_HZ, read

from edge.formats.memory import ArrayRecording
from edge.report.recording_page import report_page
from edge.report.summary import MAX_SPANS, summarise
from edge.settings import Settings
from edge.types import Annotations, RhythmSpan


def summary(found: Annotations) -> dict[str, Any]:
    recording = ArrayRecording("r", np.zeros(found.n_samples), FS_HZ)
    document = summarise(recording.info, found, 0, Settings(), recording)
    return dict(json.loads(json.dumps(document, allow_nan=False)))


def test_the_rhythm_is_the_one_with_the_largest_share_in_wfdbs_name_and_in_words() -> None:
    found = read("N" * 100, rhythms=[(0, 20, "(N"), (20, 60, "(AFIB"), (60, 78, "(NOISE")])
    rhythm = summary(dataclasses.replace(found, classes=(0.1, 0.7, 0.15, 0.05)))["rhythm"]
    assert (rhythm["label"], rhythm["name"], rhythm["reason"]) == ("(AFIB", "atrial fibrillation", "")
    assert rhythm["shares"]["(AFIB"] == pytest.approx(40 / 78, abs=1e-6)
    assert rhythm["spans"][1] == {"start_s": 20.0, "end_s": 60.0, "label": "(AFIB"}
    assert rhythm["probabilities"] == {"N": 0.1, "A": 0.7, "O": 0.15, "noise": 0.05}
    assert rhythm["af_burden"]["value"] == pytest.approx(100 * 40 / 81, abs=1e-3)


def test_probabilities_are_null_where_the_whole_was_not_classified() -> None:
    assert summary(read("N" * 100, rhythms=[(0, 80, "(N")]))["rhythm"]["probabilities"] is None


def test_more_spans_than_are_told_are_counted_and_the_gravest_are_kept() -> None:
    found = read("N" * 10, seconds=2 * MAX_SPANS + 20)
    names = ["(N", "(SBR"] * MAX_SPANS + ["(VT"]
    spans = tuple(RhythmSpan(round(k * FS_HZ), round((k + 1) * FS_HZ), name) for k, name in enumerate(names))
    rhythm = summary(dataclasses.replace(found, rhythms=spans))["rhythm"]
    assert rhythm["span_count"] == 2 * MAX_SPANS + 1
    assert len(rhythm["spans"]) == MAX_SPANS
    assert rhythm["spans"][-1]["label"] == "(VT"
    starts = [span["start_s"] for span in rhythm["spans"]]
    assert starts == sorted(starts)


def test_intervals_have_their_number_of_beats() -> None:
    intervals = summary(read("N" * 50, rhythms=[(0, 40, "(N")]))["intervals"]
    assert intervals["pr_ms"] == 120.0
    assert intervals["qt_ms"] == 380.0
    assert intervals["qtc_bazett_ms"] == pytest.approx(380 / 0.8**0.5, abs=0.1)
    assert intervals["n"] == {"pr_ms": 50, "qrs_ms": 50, "qt_ms": 50, "qtc_bazett_ms": 49, "qtc_fridericia_ms": 49}


def test_a_run_and_a_pause_stand_in_the_hour_in_which_they_begin() -> None:
    rr_ms = [1000.0] * 3595 + [600.0] * 20 + [3000.0] + [1000.0] * 40
    labels = "N" * 3590 + "V" * 20 + "N" * (len(rr_ms) + 1 - 3610)
    first, second = summary(read(labels, rr_ms, rhythms=[(0, 3000, "(N"), (3000, 3640, "(AFIB")]))["hourly"]
    assert (first["ve"], second["ve"]) == (13, 7)  # the 14th is at 3600.2 s
    assert (first["ve_runs"], second["ve_runs"]) == (1, 0)
    assert (first["pauses"], second["pauses"]) == (0, 1)
    assert (first["sve"], first["sve_runs"]) == (0, 0)
    assert (first["af_min"], second["af_min"]) == (10.0, 0.7)


def test_notable_places_are_the_gravest_first_and_each_once() -> None:
    found = read("NNNNNNVVVVNNNNSNNN" * 20, rhythms=[(0, 100, "(N"), (100, 200, "(AFIB"), (200, 203, "(VT")])
    events = summary(found)["events"]
    labels = [event["label"] for event in events]
    assert labels[0].startswith("ventricular tachycardia")
    assert {"atrial fibrillation begins", "atrial fibrillation ends", "supraventricular beat"} <= set(labels)
    assert "ventricular run of 4 beats" in labels
    assert len({(event["start_s"], event["end_s"]) for event in events}) == len(events)
    assert {event["kind"] for event in events} == {"rhythm", "ectopy", "pauses", "rate"}


def test_beats_without_labels_leave_null_and_the_reason() -> None:
    found = read("N" * 100)
    bare = Annotations(FS_HZ, found.n_samples, found.beats, found.quality, found.reasons, ())
    document = summary(bare)
    for section in ("rhythm", "ectopy", "intervals"):
        assert document[section]["reason"] == "beats were found and not labelled"
    assert document["rhythm"]["label"] is document["rhythm"]["af_burden"] is document["rhythm"]["probabilities"] is None
    assert document["rhythm"]["spans"] == []
    assert document["intervals"]["qt_ms"] is None
    assert document["hourly"][0]["ve"] is document["hourly"][0]["af_min"] is None
    assert document["hourly"][0]["pauses"] == 0


def test_polarity_and_pacing_spikes_stand_with_the_quality_in_words_or_with_their_reason() -> None:
    quality = summary(read("N" * 50))["quality"]
    assert (quality["polarity"]["value"], quality["polarity"]["told"]) == (None, None)
    assert quality["polarity"]["reason"].startswith("P waves point up in 0 of ")
    assert quality["pacing_spike_count"]["reason"] == "the recording's 250 Hz cannot show pacing spikes"
    found = read("N" * 50)
    signal_mv = np.zeros(found.n_samples)
    for beat in found.beats.tolist():
        signal_mv[beat - 40 : beat - 20] -= np.hanning(20)
        signal_mv[beat - 10 : beat + 12] -= np.hanning(22)
    recording = ArrayRecording("r", signal_mv, FS_HZ)
    told = summarise(recording.info, found, 0, Settings(), recording)
    assert (told["quality"]["polarity"]["value"], told["quality"]["polarity"]["told"]) == (-1.0, "seems upside down")
    rows = report_page(recording, found, 0, told)
    assert "<td>Polarity of the lead</td><td>seems upside down</td>" in rows
    assert "<td>Pacing spikes</td><td>– (the recording&#x27;s 250 Hz cannot show pacing spikes)</td>" in rows
