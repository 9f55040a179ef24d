"""What a command's INPUT names."""

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

import edge.inputs
from edge.contact import contact_event
from edge.detect.network.session import shipped_network
from edge.errors import InputUnreadable, UsageError
from edge.formats.memory import demo_recording
from edge.inputs import analysis_leads, annotations_of, open_input, why_unread
from edge.pipeline import AnalysisState, advance, finish
from edge.recording.writer import RecordingWriter
from edge.settings import Settings
from edge.types import Lead, LinkEvent, RecordingInfo, Window

needs_network = pytest.mark.skipif(shipped_network() is None, reason="the annotator network is not installed")


def stored(folder: Path, recording_id: str) -> None:
    info = RecordingInfo(recording_id, (Lead("ECG"),), 250.0, 0, datetime(2026, 1, 1, tzinfo=UTC), "store")
    writer = RecordingWriter(folder / f"{recording_id}.ecgdb", info)
    writer.write(Window(0, np.zeros((250, 1), np.float32)))
    writer.close()


def test_a_strap_s_name_is_its_latest_recording(tmp_path: Path) -> None:
    for recording_id in ("anna-20260101T080000Z", "anna-20260103T080000Z", "annabel-20260105T080000Z"):
        stored(tmp_path, recording_id)
    assert open_input("anna", tmp_path).info.id == "anna-20260103T080000Z"
    assert open_input("anna-20260101T080000Z", tmp_path).info.id == "anna-20260101T080000Z"
    with pytest.raises(InputUnreadable):
        open_input("ann", tmp_path)


def store_demo(path: Path, leads: tuple[str, ...], *, events: tuple[LinkEvent, ...] = (), read: bool = False) -> None:
    """The demo ECG in the first lead and half of it in the others, with what was found in it as it came in."""
    demo = demo_recording()
    size = np.array([1.0, *[0.5] * (len(leads) - 1)], np.float32)
    signal_mv = demo.read_mv(0, demo.info.n_samples) * size
    start = datetime(2026, 1, 1, tzinfo=UTC)
    writer = RecordingWriter(
        path, RecordingInfo(path.stem, tuple(map(Lead, leads)), demo.info.fs_hz, 0, start, "store")
    )
    state = AnalysisState(demo.info.fs_hz, network=shipped_network() if read else None)
    window = Window(0, signal_mv)
    writer.write(window)
    writer.commit()
    writer.add_decided(advance(window, state)[0] + finish(state))
    writer.add_events(list(events))
    writer.close()


def test_the_lead_that_is_named_is_the_only_one_of_a_stored_recording(tmp_path: Path) -> None:
    store_demo(tmp_path / "two.ecgdb", ("II", "V1"))
    whole, named = open_input("two", tmp_path), open_input("two", tmp_path, "v1")
    assert [lead.name for lead in named.info.leads] == ["V1"]
    np.testing.assert_array_equal(named.read_mv(100, 200), whole.read_mv(100, 200)[:, 1:])
    assert named.info.n_samples == whole.info.n_samples
    assert analysis_leads(named.info.leads) == (0,)
    found = annotations_of(named, Settings())
    assert found.n_samples == whole.info.n_samples
    assert len(found.beats) > 450
    named.close()
    whole.close()


def test_a_lead_that_is_not_there_is_a_usage_error_that_names_those_that_are(tmp_path: Path) -> None:
    store_demo(tmp_path / "two.ecgdb", ("II", "V1"))
    with pytest.raises(UsageError, match=r"two has no lead 'V5'. Its leads: II, V1"):
        open_input("two", tmp_path, "V5")
    with pytest.raises(UsageError, match="demo has no lead"):
        open_input("demo", tmp_path, "II")
    assert open_input("demo", tmp_path, "ecg").info.leads[0].name == "ECG"


def test_nothing_is_found_where_the_named_lead_had_no_contact(tmp_path: Path) -> None:
    lost = tuple(contact_event(360 * at_s, {1}, made=made) for at_s, made in ((100, False), (200, True)))
    store_demo(tmp_path / "two.ecgdb", ("II", "V1"), events=lost)
    of_second, of_first = (annotations_of(open_input("two", tmp_path, name), Settings()) for name in ("V1", "II"))
    within = (of_first.beats > 360 * 102) & (of_first.beats < 360 * 198)
    assert within.sum() > 100
    assert not ((of_second.beats > 360 * 102) & (of_second.beats < 360 * 198)).any()


@needs_network
def test_what_was_read_as_it_came_in_is_not_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store_demo(tmp_path / "one.ecgdb", ("II",), read=True)
    monkeypatch.setattr(edge.inputs, "annotate", lambda *_: pytest.fail("read again"))
    recording = open_input("one", tmp_path)
    found = annotations_of(recording, Settings())
    assert found.read
    assert why_unread(recording.info, found) == ""
    recording.close()


@needs_network
def test_beats_that_were_only_found_when_they_came_are_read_where_the_network_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store_demo(tmp_path / "one.ecgdb", ("II",))
    recording = open_input("one", tmp_path)
    assert annotations_of(recording, Settings()).read
    monkeypatch.setattr(edge.inputs, "shipped_network", lambda: None)
    monkeypatch.setattr(edge.inputs, "why_no_network", lambda: "The bundle is gone. Copy it again")
    found = annotations_of(recording, Settings())
    assert not found.read
    assert why_unread(recording.info, found).startswith(
        "The network that reads beats does not run (The bundle is gone. Copy it again). Without it beats are found by"
    )
    recording.close()
