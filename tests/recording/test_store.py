"""What was written is read, whole or by window, after the writer has closed or while it goes on."""

import sqlite3
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from store_tools import FS_HZ, QUICK, START, TWO_LEADS, cut, dense, info_of, new_writer, signal, store

from edge.errors import StorageError
from edge.recording.store import StoredRecording
from edge.recording.writer import RecordingWriter
from edge.settings import StoreSettings
from edge.types import Decided, Gap, LinkEvent, Piece, Window, pieces

PIECES = st.lists(
    st.tuples(st.sampled_from(["window", "window", "gap"]), st.integers(1, 1500)), min_size=1, max_size=12
)


def n_blocks(path: Path) -> list[int]:
    with sqlite3.connect(path) as db:
        return [n for (n,) in db.execute("SELECT n FROM block WHERE lead = 0 ORDER BY start")]


def test_a_recording_says_what_it_is(tmp_path: Path) -> None:
    store(tmp_path / "r.ecgdb", cut(signal(1234), 70))
    stored = StoredRecording(tmp_path / "r.ecgdb")
    assert stored.info == replace(info_of(), n_samples=1234)
    assert stored.info.time_of(10.0) == START.replace(second=10)
    stored.close()


def test_a_recording_without_samples_is_empty_and_not_unreadable(tmp_path: Path) -> None:
    store(tmp_path / "r.ecgdb", [])
    stored = StoredRecording(tmp_path / "r.ecgdb")
    assert stored.info.n_samples == 0
    assert stored.read_mv(0, 100).shape == (0, 2)
    assert stored.annotations().n_samples == 0
    assert list(pieces(stored)) == []
    stored.close()


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(layout=PIECES, step=st.integers(1, 1200), window=st.tuples(st.integers(-50, 9000), st.integers(0, 3000)))
def test_any_pieces_are_read_back_and_a_window_is_part_of_the_whole(
    tmp_path_factory: pytest.TempPathFactory,
    layout: list[tuple[str, int]],
    step: int,
    window: tuple[int, int],
) -> None:
    path = tmp_path_factory.mktemp("any") / "r.ecgdb"
    written: list[Piece] = []
    for kind, n in layout:
        at = written[-1].stop if written else 0
        written += [Gap(at, at + n, "link lost")] if kind == "gap" else cut(signal(n, at), step, at)
    store(path, written)
    stored, whole = StoredRecording(path), dense(written)
    assert stored.info.n_samples == len(whole)
    np.testing.assert_array_equal(stored.read_mv(0, len(whole)), whole)
    a, b = window[0], window[0] + window[1]
    np.testing.assert_array_equal(stored.read_mv(a, b), whole[max(0, a) : max(0, b)])
    again = list(pieces(stored, step_s=7.3))
    assert [p.start for p in again[1:]] == [p.stop for p in again[:-1]]
    np.testing.assert_array_equal(dense(again), whole)
    gaps = stored.annotations().gaps
    assert [(g.start, g.stop) for g in gaps] == [(g.start, g.stop) for g in written if isinstance(g, Gap)]
    stored.close()


def test_small_commits_are_packed_into_large_blocks(tmp_path: Path) -> None:
    path = tmp_path / "r.ecgdb"
    store(path, cut(signal(2010), 13))
    sizes = n_blocks(path)
    assert sum(sizes) == 2010
    assert all(400 <= n <= 450 for n in sizes[:4])
    assert len(sizes) <= 4 + 8


def test_a_long_hand_over_makes_no_block_that_readers_would_miss(tmp_path: Path) -> None:
    """Readers look back for two blocks' length; a commit that waits for longer than a block is cut too."""
    path, signal_mv = tmp_path / "r.ecgdb", signal(3000)
    settings = StoreSettings(commit_s=30.0, block_s=4.0, synchronous="OFF")
    store(path, [Window(0, signal_mv[:390]), *cut(signal_mv[390:], 799, 390)], settings)
    assert max(n_blocks(path)) < 800
    stored = StoredRecording(path)
    for start in range(0, 3000, 50):
        np.testing.assert_array_equal(stored.read_mv(start, start + 50), signal_mv[start : start + 50])
    stored.close()


def test_a_reader_opened_before_sees_later_commits(tmp_path: Path) -> None:
    path, signal_mv = tmp_path / "r.ecgdb", signal(2000)
    writer = new_writer(path)
    stored = StoredRecording(path)
    assert stored.info.n_samples == 0
    for piece in cut(signal_mv, 100):
        writer.write(piece)
        n = stored.info.n_samples
        assert writer.stop - n < 50
        np.testing.assert_array_equal(stored.read_mv(0, n), signal_mv[:n])
    writer.close()
    assert stored.info.n_samples == 2000
    stored.close()


def test_reading_while_another_thread_writes_and_packs_sees_every_sample_and_no_false_gap(
    tmp_path: Path,
) -> None:
    path, signal_mv = tmp_path / "r.ecgdb", signal(20_000)
    settings = StoreSettings(commit_s=0.1, block_s=0.5, synchronous="OFF")  # packs all the time
    writer = new_writer(path, settings)
    begun = threading.Event()

    def write() -> None:
        for k, piece in enumerate(cut(signal_mv, 10)):
            writer.write(piece)
            if k % 10 == 9:
                second = k // 10
                states = np.zeros(1, np.uint8)
                writer.add_decided([Decided(second, (second + 1) * 100, np.array([second * 100]), states, states)])
            begun.set()

    thread = threading.Thread(target=write)
    thread.start()
    stored, n, n_reads = StoredRecording(path), 0, 0
    begun.wait(10)
    while n < 20_000:
        n = stored.info.n_samples
        first = max(0, n - 700)
        np.testing.assert_array_equal(stored.read_mv(first, n), signal_mv[first:n])
        found = stored.annotations()
        assert len(found.beats) == len(found.quality) == found.n_samples / 100
        n_reads += 1
    thread.join()
    writer.close()
    stored.close()
    assert n_reads > 5


def test_two_gaps_in_a_row_and_a_gap_at_the_start_keep_their_causes(tmp_path: Path) -> None:
    written = [Gap(0, 130, "strap off"), Gap(130, 200, "link lost"), *cut(signal(300), 100, 200)]
    store(tmp_path / "r.ecgdb", written)
    stored = StoredRecording(tmp_path / "r.ecgdb")
    assert stored.info.n_samples == 500
    assert stored.annotations().gaps == (written[0], written[1])
    assert stored.gap_cause(0) == "strap off"
    assert stored.gap_cause(199) == "link lost"
    np.testing.assert_array_equal(stored.read_mv(0, 500), dense(written))
    stored.close()


@pytest.mark.parametrize(
    "piece",
    [
        Window(49, signal(10)),
        Window(51, signal(10)),
        Gap(0, 60, "x"),
        Gap(60, 70, "x"),
        Gap(50, 40, "x"),
        Window(50, signal(10)[:, :1]),
        Window(50, np.zeros((10, 3), np.float32)),
    ],
)
def test_a_piece_out_of_place_or_of_other_leads_is_refused_and_spoils_nothing(tmp_path: Path, piece: Piece) -> None:
    path, signal_mv = tmp_path / "r.ecgdb", signal(100)
    writer = new_writer(path)
    writer.write(Window(0, signal_mv[:50]))
    with pytest.raises(ValueError, match="expected"):
        writer.write(piece)
    writer.write(Window(50, signal_mv[50:]))
    writer.close()
    stored = StoredRecording(path)
    np.testing.assert_array_equal(stored.read_mv(0, 100), signal_mv)
    stored.close()


def test_pieces_without_length_leave_no_trace(tmp_path: Path) -> None:
    store(tmp_path / "r.ecgdb", [Gap(0, 0, "x"), Window(0, signal(20)), Window(20, signal(0)), Gap(20, 20, "x")])
    stored = StoredRecording(tmp_path / "r.ecgdb")
    assert stored.info.n_samples == 20
    assert stored.annotations().gaps == ()
    stored.close()


def test_samples_of_double_precision_are_stored_as_single(tmp_path: Path) -> None:
    signal_mv = signal(60)
    store(tmp_path / "r.ecgdb", [Window(0, signal_mv.astype(np.float64))])  # type: ignore[arg-type]
    stored = StoredRecording(tmp_path / "r.ecgdb")
    np.testing.assert_array_equal(stored.read_mv(0, 60), signal_mv)
    stored.close()


def test_events_anchors_and_annotations_come_back_as_written(tmp_path: Path) -> None:
    path = tmp_path / "r.ecgdb"
    events = [
        LinkEvent(0, "connected", "strap 7"),
        LinkEvent(200, "gap", "é \u0000 ' "),
        LinkEvent(200, "duplicate"),
    ]
    first = Decided(0, 200, np.array([80, 160]), np.array([0, 1], np.uint8), np.array([0, 0], np.uint8))
    second = Decided(2, 250, np.array([230]), np.array([2], np.uint8), np.array([96], np.uint8))
    writer = new_writer(path)
    writer.write(Window(0, signal(200)))
    writer.write(Gap(200, 250, "link lost"))
    writer.add_events(events)
    writer.add_anchor(0, 1.75e9)
    writer.add_anchor(250, 1.75e9 + 2.5003)
    writer.add_decided([first])
    writer.add_decided([second])
    writer.close()
    stored = StoredRecording(path)
    assert stored.link_events() == events
    assert stored.anchors() == [(0, 1.75e9), (250, 1.75e9 + 2.5003)]
    found = stored.annotations()
    assert (found.fs_hz, found.n_samples) == (FS_HZ, 250)
    assert found.beats.tolist() == [80, 160, 230]
    assert found.quality.tolist() == [0, 1, 2]
    assert found.reasons.tolist() == [0, 0, 96]
    assert found.gaps == (Gap(200, 250, "link lost"),)
    stored.close()


def test_a_second_that_was_never_stored_counts_as_not_recorded_and_shifts_no_other(tmp_path: Path) -> None:
    writer = new_writer(tmp_path / "r.ecgdb")
    writer.write(Window(0, signal(300)))
    good = np.zeros(1, np.uint8)
    writer.add_decided([Decided(0, 100, np.empty(0, np.int64), good, good)])
    writer.add_decided([Decided(2, 300, np.empty(0, np.int64), good, good)])
    writer.close()
    stored = StoredRecording(tmp_path / "r.ecgdb")
    assert stored.annotations().quality.tolist() == [0, 2, 0]
    stored.close()


def test_a_path_with_signs_that_mean_something_in_an_address_is_just_a_path(tmp_path: Path) -> None:
    folder = tmp_path / "50 % off? #1 & more"
    store(folder / "r.ecgdb", cut(signal(100), 50))
    stored = StoredRecording(folder / "r.ecgdb")
    assert stored.info.n_samples == 100
    stored.close()


def test_an_existing_recording_is_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "r.ecgdb"
    store(path, cut(signal(100), 50))
    with pytest.raises(StorageError, match="exists already"):
        RecordingWriter(path, info_of(leads=TWO_LEADS), QUICK)
    stored = StoredRecording(path)
    assert stored.info.n_samples == 100
    stored.close()
