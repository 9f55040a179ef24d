"""Replaying a recording through the live path yields the annotations of the file."""

from pathlib import Path

import numpy as np
import pytest

from edge.acquire.replay import ReplaySource
from edge.formats.memory import ArrayRecording, demo_recording
from edge.interpret.facts import context_of, measure
from edge.live import LiveRecording
from edge.pipeline import AnalysisState, annotate
from edge.recording.store import StoredRecording
from edge.recording.writer import RecordingWriter
from edge.settings import Settings
from edge.types import Annotations, Recording
from firmware_bridge.virtual import FaultScript


def replay(
    recording: Recording, path: Path, faults: FaultScript = FaultScript(), frame_samples: int = 73
) -> LiveRecording:
    live = LiveRecording(RecordingWriter(path, recording.info), AnalysisState(recording.info.fs_hz))
    for frame in ReplaySource(recording, 0, faults, frame_samples, start_s=1.7e9).frames():
        live.take(frame)
    live.end()
    return live


def assert_same(live: Annotations, batch: Annotations) -> None:
    np.testing.assert_array_equal(live.beats, batch.beats)
    np.testing.assert_array_equal(live.quality, batch.quality)
    np.testing.assert_array_equal(live.reasons, batch.reasons)
    assert live.gaps == batch.gaps
    assert live.n_samples == batch.n_samples


@pytest.mark.parametrize("frame_samples", [1, 19, 73, 1000])
def test_replay_of_the_demo_ecg_yields_the_annotations_of_the_file(tmp_path: Path, frame_samples: int) -> None:
    recording = demo_recording()
    replay(recording, tmp_path / "a.anyecg", frame_samples=frame_samples)
    stored = StoredRecording(tmp_path / "a.anyecg")
    batch = annotate(recording)
    assert len(batch.beats) > 400
    assert_same(stored.annotations(), batch)
    np.testing.assert_array_equal(stored.read_mv(0, 108000), recording.read_mv(0, 108000))
    assert_same(annotate(stored), batch)
    stored.close()


def test_live_annotations_of_a_bad_link_equal_the_analysis_of_what_was_stored(tmp_path: Path) -> None:
    faults = FaultScript(dropouts=((30.0, 5.0), (100.0, 61.0)), lose=0.02, duplicate=0.1, reorder=0.1, seed=3)
    live = replay(demo_recording(), tmp_path / "a.anyecg", faults)
    stored = StoredRecording(tmp_path / "a.anyecg")
    annotations = stored.annotations()
    assert live.assembly.duplicates > 50
    assert sum(g.stop - g.start for g in annotations.gaps) >= 66 * 360 - 2 * 73
    assert_same(annotations, annotate(stored))
    stored.close()


def test_samples_and_gaps_of_a_bad_link_cover_time_exactly_and_samples_are_the_files(tmp_path: Path) -> None:
    recording = demo_recording()
    faults = FaultScript(dropouts=((10.0, 3.0),), lose=0.05, duplicate=0.1, reorder=0.2, seed=9)
    replay(recording, tmp_path / "a.anyecg", faults)
    stored = StoredRecording(tmp_path / "a.anyecg")
    n = stored.info.n_samples
    got, sent = stored.read_mv(0, n), recording.read_mv(0, n)
    missing = np.isnan(got[:, 0])
    np.testing.assert_array_equal(got[~missing], sent[~missing])
    assert missing.sum() == sum(g.stop - g.start for g in stored.annotations().gaps) > 0
    stored.close()


def test_frames_out_of_order_are_put_in_place_without_a_gap(tmp_path: Path) -> None:
    live = replay(demo_recording(), tmp_path / "a.anyecg", FaultScript(reorder=0.5, seed=1))
    stored = StoredRecording(tmp_path / "a.anyecg")
    assert stored.annotations().gaps == ()
    assert live.assembly.next_sample == 108000
    stored.close()


def test_drift_of_the_strap_clock_shows_in_the_time_map(tmp_path: Path) -> None:
    replay(demo_recording(), tmp_path / "a.anyecg", FaultScript(drift_ppm=500.0))
    stored = StoredRecording(tmp_path / "a.anyecg")
    (first, first_s), *_, (last, last_s) = stored.anchors()
    fs_hz = (last - first) / (last_s - first_s)
    assert fs_hz == pytest.approx(360 * (1 + 500e-6), rel=2e-6)
    stored.close()


def test_annotations_do_not_depend_on_how_the_signal_is_cut(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    recording = demo_recording()
    signal_mv = np.array(recording.read_mv(0, 40000))
    signal_mv[9000:9400] = np.nan
    cut = ArrayRecording("cut", signal_mv, 360.0)
    whole = annotate(cut)
    from edge.pipeline import advance, collect, finish
    from edge.types import split_at_gaps

    state = AnalysisState(360.0)
    decided = []
    at = 0
    while at < 40000:
        step = int(rng.integers(1, 3000))
        for piece in split_at_gaps(signal_mv[at : at + step], at, lambda _: "x"):
            decided += advance(piece, state)[0]
        at += step
    decided += finish(state)
    parts = collect(decided, 360.0, whole.gaps)
    assert_same(parts, whole)


def test_a_finished_recording_holds_the_facts_of_its_annotations(tmp_path: Path) -> None:
    replay(demo_recording(), tmp_path / "a.ecgdb")
    stored = StoredRecording(tmp_path / "a.ecgdb")
    context = context_of(stored.annotations(), 0.0, 300.0, Settings().rhythm)
    assert stored.facts() == list(measure(context).values())
    stored.close()
