"""Frames as a bad link delivers them become pieces that cover time exactly."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.acquire.assemble import MAX_GAP_SAMPLES, AssemblyState, assemble, flush
from edge.acquire.replay import ReplaySource
from edge.errors import StorageFull, UsageError
from edge.formats.memory import demo_recording
from edge.live import LiveRecording
from edge.pipeline import AnalysisState, annotate
from edge.recording.store import StoredRecording
from edge.recording.writer import RecordingWriter
from edge.types import Frame, Gap, Piece, Window
from firmware_bridge.virtual import FaultScript, read_fault_script


def frame(first: int, n: int = 10, n_leads: int = 1) -> Frame:
    samples = np.arange(first, first + n, dtype=np.float32)
    return Frame(first, np.repeat(samples[:, None], n_leads, axis=1), 1.7e9 + first / 130)


def assembled(frames: list[Frame], hold: int = 8) -> tuple[list[Piece], AssemblyState]:
    state = AssemblyState(hold_frames=hold)
    pieces = [piece for f in frames for piece in assemble(f, state)[0]]
    return pieces + flush(state)[0], state


@given(st.lists(st.integers(0, 60), min_size=1, max_size=80), st.integers(0, 10))
def test_pieces_of_any_order_loss_and_repetition_follow_each_other_and_keep_their_samples(
    order: list[int], hold: int
) -> None:
    pieces, state = assembled([frame(1000 + 10 * k) for k in order], hold)
    at = 0
    for piece in pieces:
        assert piece.start == at
        at = piece.stop
        if isinstance(piece, Window):
            np.testing.assert_array_equal(
                piece.signal_mv[:, 0], np.arange(piece.start, piece.stop) + 1000 + 10 * order[0]
            )
    assert at == state.next_sample
    assert state.received == len(order)


def test_a_frame_after_its_gap_was_declared_is_late_and_one_sent_twice_is_a_duplicate() -> None:
    _, state = assembled([frame(0), frame(20), frame(30), frame(10), frame(30)], hold=1)
    assert (state.late, state.duplicates) == (1, 1)


def test_a_frame_that_overlaps_gives_its_new_part_only() -> None:
    pieces, _ = assembled([frame(0), frame(5)])
    assert [(p.start, p.stop) for p in pieces] == [(0, 10), (10, 15)]


@pytest.mark.parametrize(
    "bad", [frame(10, n_leads=2), frame(10, 0), Frame(10, np.zeros(5, np.float32), 0.0), frame(MAX_GAP_SAMPLES + 11)]
)
def test_a_damaged_frame_is_counted_and_dropped(bad: Frame) -> None:
    pieces, state = assembled([frame(0), bad, frame(10)])
    assert state.malformed == 1
    assert [(p.start, p.stop) for p in pieces] == [(0, 10), (10, 20)]


def test_a_lost_frame_becomes_a_gap_with_its_cause() -> None:
    pieces, _ = assembled([frame(0), frame(20)])
    assert pieces[1] == Gap(10, 20, "link lost")


def test_a_full_disk_in_the_middle_of_a_frame_loses_nothing_once_there_is_space(tmp_path: Path) -> None:
    recording = demo_recording()
    path = tmp_path / "a.ecgdb"
    writer = RecordingWriter(path, recording.info)
    live = LiveRecording(writer, AnalysisState(360.0))
    frames = list(ReplaySource(recording, 0, FaultScript(dropouts=((20.0, 5.0),)), start_s=1.7e9).frames())
    for f in frames[:90]:
        live.take(f)
    pages = writer._db.execute("PRAGMA page_count").fetchone()[0]
    writer._db.execute(f"PRAGMA max_page_count = {pages}")
    refused = 0
    for f in frames[90:140]:
        try:
            live.take(f)
        except StorageFull:
            refused += 1
    assert refused > 0
    writer._db.execute("PRAGMA max_page_count = 1000000")
    for f in frames[140:]:
        live.take(f)
    live.end()
    stored = StoredRecording(path)
    got, sent = stored.read_mv(0, 108000), recording.read_mv(0, 108000)
    missing = np.isnan(got[:, 0])
    assert missing.sum() == sum(g.stop - g.start for g in stored.annotations().gaps) < 6 * 360
    np.testing.assert_array_equal(got[~missing], sent[~missing])
    np.testing.assert_array_equal(stored.annotations().beats, annotate(stored).beats)
    stored.close()


@pytest.mark.parametrize("text", ["lose = 'often'", "drops = 1", "dropouts = [[1]]", "dropouts = 5", "lose = "])
def test_a_wrong_fault_script_is_a_usage_error(tmp_path: Path, text: str) -> None:
    path = tmp_path / "faults.toml"
    path.write_text(text)
    with pytest.raises(UsageError):
        read_fault_script(path)


def test_a_fault_script_reads_as_written(tmp_path: Path) -> None:
    path = tmp_path / "faults.toml"
    path.write_text("dropouts = [[60, 5]]\nlose = 0.01\nseed = 7\n")
    assert read_fault_script(path) == FaultScript(dropouts=((60.0, 5.0),), lose=0.01, seed=7)
