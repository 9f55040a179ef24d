"""What a source delivers becomes recordings: what comes before, between and beside the samples is not lost."""

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from edge.acquire.arrivals import ClockSet, LinkLost, Received, Started
from edge.acquire.driver import Stream
from edge.acquire.packets import Contact, Marked, RrPacket, SamplePacket
from edge.clean.quality import State
from edge.formats.memory import demo_recording
from edge.intake import Intake
from edge.live import LiveRecording
from edge.recording.store import StoredRecording
from edge.recording.writer import RecordingWriter
from edge.settings import Settings
from edge.types import Lead, RecordingInfo

AT_S = 1_790_000_000.0
LEADS = (Lead("ECG", counts_per_mv=200.0),)
COUNTED = Stream("test", LEADS, 360.0, "counter")
STAMPED = Stream("test", LEADS, 360.0, "timestamp", measures_rate=True)


class Folder:
    """Recordings that an intake begins, in order."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.paths: list[Path] = []

    def begin(self, leads: tuple[Lead, ...], fs_hz: float, start: datetime, notes: tuple[str, ...]) -> RecordingWriter:
        path = self.folder / f"{len(self.paths)}.ecgdb"
        self.paths.append(path)
        return RecordingWriter(path, RecordingInfo(path.stem, leads, fs_hz, 0, start, "store", notes))


def packets(first_s: float, last_s: float, *, stamped: bool = False, lead: int = 0) -> list[Received]:
    """Half-second packets of the demo ECG, as they arrive."""
    counts = np.rint(200 * demo_recording().read_mv(0, 108_000)).astype(np.int32)
    out = []
    for a in range(round(first_s * 360), round(last_s * 360), 180):
        stamp = round((a + 179) * 1e9 / 360) if stamped else None
        packet = SamplePacket(counts[a : a + 180], None if stamped else a, stamp, "last" if stamped else "first")
        out.append(Received(packet, AT_S + (a + 180) / 360 + 0.02))
    return out


def test_contact_lost_before_the_recording_begins_makes_its_beginning_unusable(tmp_path: Path) -> None:
    """An H10's first four seconds are held back while its rate is measured."""
    folder = Folder(tmp_path)
    intake = Intake(folder.begin, Settings())
    intake.take([Started(STAMPED, AT_S), Received(Contact(False), AT_S + 0.1)])
    intake.take(packets(0, 20, stamped=True))
    intake.take([Received(Contact(True), AT_S + 20.0), *packets(20, 60, stamped=True)])
    intake.end()
    quality = StoredRecording(folder.paths[0]).annotations().quality
    assert (quality[:20] == State.UNUSABLE).all()
    assert (quality[22:58] == State.GOOD).mean() > 0.8


def test_a_mark_before_the_recording_begins_is_kept(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    intake = Intake(folder.begin, Settings())
    intake.take([Started(STAMPED, AT_S), Received(Marked(0), AT_S + 0.1), *packets(0, 20, stamped=True)])
    intake.end()
    assert "mark" in [event.kind for event in StoredRecording(folder.paths[0]).link_events()]


def test_a_clock_set_before_the_recording_begins_dates_it_right(tmp_path: Path) -> None:
    """A board without a clock of its own boots in the past and is set by the network."""
    folder = Folder(tmp_path)
    intake = Intake(folder.begin, Settings())
    intake.take([Started(COUNTED, AT_S), ClockSet(86_400.0), *packets(0, 30)])
    intake.end()
    info = StoredRecording(folder.paths[0]).info
    assert info.start is not None
    assert info.start.timestamp() == pytest.approx(AT_S + 86_400.0, abs=1)
    moment = info.time_of(10.0)
    assert moment is not None
    assert moment.timestamp() == pytest.approx(AT_S + 86_410.0, abs=1)


def test_a_clock_set_while_recording_moves_what_was_recorded(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    intake = Intake(folder.begin, Settings())
    intake.take([Started(COUNTED, AT_S), *packets(0, 30)])
    _, events = intake.take([ClockSet(3600.0), *packets(30, 60)])
    intake.end()
    assert [event.kind for event in events if event.kind == "clock"]
    info = StoredRecording(folder.paths[0]).info
    assert info.start is not None
    assert info.start.tzinfo == UTC
    for offset_s in (0.0, 59.0):
        moment = info.time_of(offset_s)
        assert moment is not None
        assert moment.timestamp() == pytest.approx(AT_S + 3600.0 + offset_s, abs=1)


def test_the_contact_of_another_lead_does_not_hide_a_lost_electrode(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    intake = Intake(folder.begin, Settings())
    intake.take([Started(COUNTED, AT_S), *packets(0, 20), Received(Contact(False, (0,)), AT_S + 20)])
    for k in range(100):  # a loose electrode elsewhere
        intake.take([Received(Contact(k % 2 == 1, (1,)), AT_S + 20)])
    intake.take(packets(20, 60))
    intake.end()
    assert (StoredRecording(folder.paths[0]).annotations().quality[20:] == State.UNUSABLE).all()


def test_samples_without_a_stream_and_of_other_leads_are_left_out(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    intake = Intake(folder.begin, Settings())
    assert intake.take(packets(0, 2)) == ([], [])
    assert intake.take([Received(RrPacket((1024,), 60), AT_S)]) == ([], [])
    two = Received(SamplePacket(np.zeros((5, 2), np.int32), 0), AT_S)
    none = Received(SamplePacket(np.zeros((5, 0), np.int32), 0), AT_S)
    intake.take([Started(COUNTED, AT_S), two, none, Received(RrPacket((1024,), 60), AT_S)])
    intake.end()
    assert folder.paths == []


def test_a_stream_of_another_placement_begins_another_recording(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    intake = Intake(folder.begin, Settings())
    intake.take([Started(COUNTED, AT_S), *packets(0, 20), LinkLost(AT_S + 20, "link lost")])
    intake.take([Started(Stream("test", LEADS, 360.0, "arrival"), AT_S + 30)])
    intake.take([Received(SamplePacket(np.zeros((180, 1), np.int32)), AT_S + 30 + k / 2) for k in range(20)])
    intake.end()
    assert len(folder.paths) == 2


def test_a_recording_goes_on_after_the_link_was_lost_with_a_gap_of_the_right_length(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    intake = Intake(folder.begin, Settings())
    intake.take([Started(COUNTED, AT_S), *packets(0, 20), LinkLost(AT_S + 20, "link lost")])
    intake.take([Started(COUNTED, AT_S + 25), *packets(25, 40)])
    assert isinstance(intake.recording, LiveRecording)
    intake.end()
    (gap,) = StoredRecording(folder.paths[0]).annotations().gaps
    assert (gap.start, gap.stop, gap.cause) == (20 * 360, 25 * 360, "link lost")


def test_packets_without_samples_do_not_pile_up_while_the_rate_is_measured(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    intake = Intake(folder.begin, Settings())
    empty = Received(SamplePacket(np.zeros((0, 1), np.int32), device_ns=0), AT_S)
    intake.take([Started(STAMPED, AT_S), *[empty] * 5000, *[Received(Marked(0), AT_S)] * 5000])
    assert len(intake._held) + len(intake._early) < 100
    intake.end()
