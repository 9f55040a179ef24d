"""What begins and ends in the heart's rhythm goes out as events, with its place and its clock time."""

import asyncio
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np

from edge.acquire.replay import ReplaySource
from edge.ask.answer import Answerer
from edge.formats.memory import demo_recording
from edge.intake import Intake, News
from edge.recording.writer import RecordingWriter
from edge.serve.broker import Topics
from edge.serve.gateway import Gateway
from edge.serve.live_state import LiveState
from edge.serve.payloads import SCHEMAS
from edge.settings import Settings
from edge.types import Decided, Lead, Reading, RecordingInfo, RhythmSpan

TOPICS = Topics("test", "strap")
START = datetime(2026, 3, 1, 12, tzinfo=UTC)


class Published:
    """Stands for the link to a broker: keeps what is published."""

    topics = TOPICS

    def __init__(self) -> None:
        self.messages: list[tuple[str, dict[str, Any]]] = []

    async def publish(self, topic: str, text: str, **_: object) -> None:
        self.messages.append((topic, json.loads(text)))


def no_writer(*_: object) -> RecordingWriter:
    raise AssertionError("no recording begins here")


def test_a_rhythm_that_began_and_ended_goes_out_as_two_events_with_offset_and_time(tmp_path: Path) -> None:
    link = Published()
    gateway = Gateway(ReplaySource(demo_recording(), 0.0), link, tmp_path, Answerer(Settings()))  # type: ignore[arg-type]
    gateway._live = LiveState(RecordingInfo("r", (Lead("I"),), 100.0, 0, START, "store"), Settings())
    good, beats = np.zeros(30, np.uint8), np.arange(0, 3000, 80)
    n = len(beats)
    rows = np.zeros((n, 9), np.int16), np.zeros((n, 3), np.uint8), np.zeros((30, 4), np.uint8)
    spans = (RhythmSpan(0, 1250, "(N"), RhythmSpan(1250, 1700, "(VT"), RhythmSpan(1700, 2900, "(N"))
    reading = Reading(0, 3000, beats, np.full(n, ord("V"), np.uint8), *rows, spans)
    news: News = ([Decided(0, 3000, beats, good, good, (reading,))], [])
    asyncio.run(gateway._note(Intake(no_writer, Settings()), news))
    asyncio.run(gateway._publish_now())
    gateway.close()
    (_, began), (_, ended), (topic, state) = link.messages
    for event, kind, start_s in ((began, "rhythm_began", 12.5), (ended, "rhythm_ended", 17.0)):
        jsonschema.validate(event, SCHEMAS["event"])
        assert (event["kind"], event["start_s"], event["rhythm"]) == (kind, start_s, "(VT")
    assert began["start"] == "2026-03-01T12:00:12.500+00:00"
    assert ended["start"] == "2026-03-01T12:00:17.000+00:00"
    assert ended["detail"] == "ventricular tachycardia ended after 4 s"
    assert topic == TOPICS.state
    jsonschema.validate(state, SCHEMAS["state"])
    assert state["ventricular_ectopic_last_hour"] == n
