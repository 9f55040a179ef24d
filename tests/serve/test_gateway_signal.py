"""A question over MQTT is answered from the stored signal, too: the ST level is measured in it."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from edge.acquire.replay import ReplaySource
from edge.ask.answer import Answerer, Source
from edge.formats.memory import demo_recording
from edge.recording.library import recording_path
from edge.recording.writer import RecordingWriter
from edge.serve.gateway import Gateway
from edge.types import Lead, RecordingInfo, Window


class Listening(Answerer):
    """Keeps what the answerer was given to read, as it can be read while it answers."""

    signal_mv: np.ndarray | None = None

    def ask(self, question: str, sources: list[Source], **_: Any) -> dict[str, Any]:
        (source,) = sources
        assert source.recording is not None
        self.signal_mv = source.recording.read_mv(0, 300)
        return {"question": question}


def test_the_answerer_gets_the_stored_signal_with_what_was_found_in_it(tmp_path: Path) -> None:
    info = RecordingInfo("strap", (Lead("I"),), 100.0, 0, datetime(2026, 1, 1, tzinfo=UTC), "store")
    signal_mv = np.sin(np.arange(300, dtype=np.float32))[:, None]
    writer = RecordingWriter(recording_path(tmp_path, "strap"), info)
    writer.write(Window(0, signal_mv))
    writer.close()
    answerer = Listening()
    gateway = Gateway(ReplaySource(demo_recording(), 0.0), None, tmp_path, answerer, recording_id="strap")  # type: ignore[arg-type]
    assert gateway._think("ST?", None, None, lambda _: None) == {"question": "ST?"}
    gateway.close()
    assert answerer.signal_mv is not None
    np.testing.assert_allclose(answerer.signal_mv, signal_mv, atol=1e-6)
