"""What a command's INPUT names."""

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from edge.errors import InputUnreadable
from edge.inputs import open_input
from edge.recording.writer import RecordingWriter
from edge.types import Lead, RecordingInfo, Window


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
