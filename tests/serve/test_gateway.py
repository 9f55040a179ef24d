"""The gateway over real brokers: frames in, states and answers out, and what happens when things break."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from edge.acquire.replay import ReplaySource
from edge.ask.answer import Answerer
from edge.errors import InputUnreadable, StorageFull
from edge.formats.memory import ArrayRecording, demo_recording
from edge.pipeline import annotate
from edge.recording.library import recording_path
from edge.recording.store import StoredRecording
from edge.serve import recorder
from edge.serve.broker import Broker, Topics, embedded_broker, find_mosquitto, mosquitto_broker
from edge.serve.gateway import Gateway
from edge.serve.mqtt import MqttLink, ask_over_mqtt
from edge.serve.payloads import SCHEMAS, Event
from edge.settings import LinkSettings, Settings
from firmware_bridge.virtual import FaultScript

TOPICS = Topics("test", "strap")
FAST = Settings(link=LinkSettings(state_every_s=0.1))
Use = Callable[[Gateway, Broker, asyncio.Event], Awaitable[Any]]


def with_gateway(
    folder: Path,
    use: Use,
    broker_of: Any = embedded_broker,
    speed: float = 0.0,
    faults: FaultScript = FaultScript(),
) -> Any:
    async def go() -> Any:
        async with AsyncExitStack() as stack:
            broker = await stack.enter_async_context(broker_of())
            link = await stack.enter_async_context(MqttLink(broker, TOPICS))
            gateway = Gateway(ReplaySource(demo_recording(), speed, faults), link, folder, Answerer(FAST), FAST)
            stack.callback(gateway.close)
            ended = asyncio.Event()
            running = asyncio.create_task(gateway.run(ended=ended))
            try:
                return await asyncio.wait_for(use(gateway, broker, ended), 60)
            finally:
                running.cancel()
                await asyncio.gather(running, return_exceptions=True)

    return asyncio.run(go())


async def ask_after_end(gateway: Gateway, broker: Broker, ended: asyncio.Event) -> dict[str, Any]:
    await ended.wait()
    return await ask_over_mqtt(broker, TOPICS, "How many beats were there?", timeout_s=20)


def test_a_question_over_the_embedded_broker_is_answered_from_the_stored_recording(tmp_path: Path) -> None:
    answer = with_gateway(tmp_path, ask_after_end)
    jsonschema.validate(answer, SCHEMAS["answer"])
    assert answer["facts"][0]["value"] == len(annotate(demo_recording()).beats)


@pytest.mark.broker
def test_a_question_over_mosquitto_is_answered_too(tmp_path: Path) -> None:
    if find_mosquitto() is None:
        pytest.skip("the mosquitto program is not installed")
    answer = with_gateway(tmp_path, ask_after_end, mosquitto_broker)
    assert answer["status"] == "answered"


def test_a_question_during_the_recording_is_answered_from_what_is_there(tmp_path: Path) -> None:
    async def ask_early(gateway: Gateway, broker: Broker, ended: asyncio.Event) -> dict[str, Any]:
        await asyncio.sleep(1.5)
        assert not ended.is_set()
        return await ask_over_mqtt(broker, TOPICS, "What is the heart rate now?", timeout_s=20)

    answer = with_gateway(tmp_path, ask_early, speed=40.0)
    assert answer["status"] == "answered"
    assert answer["span"]["end_s"] < 300


@pytest.mark.parametrize(
    "payload",
    [b"", b"{", b"\xff\xfe", b'{"question": 5}', b"x" * 70_000, b'{"question": "' + b"a" * 5000 + b'"}'],
)
def test_a_bad_question_gets_an_error_document_and_the_gateway_goes_on(tmp_path: Path, payload: bytes) -> None:
    async def ask_badly(gateway: Gateway, broker: Broker, ended: asyncio.Event) -> dict[str, Any]:
        await ended.wait()
        async with MqttLink(broker, Topics("test", "asker")) as link:
            await link.subscribe(["anyecg/test/strap/answer/+"])
            await link.publish(TOPICS.ask, payload)
            async for message in link.incoming():
                if message.topic.startswith("anyecg/test/strap/answer/"):
                    error: dict[str, Any] = json.loads(message.payload)
                    break
        good = await ask_after_end(gateway, broker, ended)
        assert good["status"] == "answered"
        return error

    jsonschema.validate(with_gateway(tmp_path, ask_badly), SCHEMAS["error"])


def test_states_come_while_it_records_and_count_the_faults(tmp_path: Path) -> None:
    faults = FaultScript(dropouts=((60.0, 10.0),), duplicate=0.2, seed=2)

    async def watch(gateway: Gateway, broker: Broker, ended: asyncio.Event) -> list[dict[str, Any]]:
        states = []
        async with MqttLink(broker, Topics("test", "watcher")) as link:
            await link.subscribe([TOPICS.state])
            async for message in link.incoming():
                if message.topic == TOPICS.state:
                    states.append(json.loads(message.payload))
                    if states[-1]["recorded_s"] >= 300:
                        return states
        return states

    states = with_gateway(tmp_path, watch, speed=100.0, faults=faults)
    for state in states:
        jsonschema.validate(state, SCHEMAS["state"])
    assert len(states) > 3
    assert states[-1]["gaps"] == 1
    assert states[-1]["duplicates"] > 100
    assert states[-1]["dropped_frames"] == 0
    assert any(s["rate_bpm"] and 80 < s["rate_bpm"] < 140 for s in states)


def test_the_recording_made_over_a_bad_link_is_whole_and_closed(tmp_path: Path) -> None:
    async def wait(gateway: Gateway, broker: Broker, ended: asyncio.Event) -> str:
        await ended.wait()
        return gateway.recording_id

    recording_id = with_gateway(tmp_path, wait, faults=FaultScript(lose=0.05, reorder=0.1, seed=4))
    path = recording_path(tmp_path, recording_id)
    assert not path.with_name(path.name + "-wal").exists()
    stored = StoredRecording(path)
    annotations = stored.annotations()
    assert annotations.n_samples == stored.info.n_samples
    assert stored.link_events()[-1].kind == "ended"
    stored.close()


def test_a_full_disk_ends_the_recording_with_an_event_and_answers_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    events: list[Event] = []

    async def fill(gateway: Gateway, broker: Broker, ended: asyncio.Event) -> dict[str, Any]:
        gateway.on_event = events.append
        while gateway._live is None or gateway._live.stop < 360 * 60:
            await asyncio.sleep(0.05)
        live = gateway._live
        assert live is not None
        writer = next(w for w in WRITERS if w.path.stem == gateway.recording_id)
        pages = writer._db.execute("PRAGMA page_count").fetchone()[0]
        writer._db.execute(f"PRAGMA max_page_count = {pages}")
        await ended.wait()
        assert isinstance(gateway.problem, StorageFull)
        return await ask_over_mqtt(broker, TOPICS, "How many beats were there?", timeout_s=20)

    import edge.serve.gateway as module

    WRITERS: list[Any] = []
    made = module.RecordingWriter

    def remember(*args: Any) -> Any:
        WRITERS.append(made(*args))
        return WRITERS[-1]

    monkeypatch.setattr(module, "RecordingWriter", remember)
    monkeypatch.setattr(recorder, "STORAGE_PATIENCE_S", 0.0)
    answer = with_gateway(tmp_path, fill, speed=60.0)
    assert [e.kind for e in events if e.kind == "storage"]
    assert answer["status"] == "answered"
    assert answer["facts"][0]["value"] > 50


def test_a_source_that_is_lost_meanwhile_ends_the_recording_properly(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = ArrayRecording.read_mv

    def until_a_minute(self: ArrayRecording, start: int, stop: int) -> Any:
        if start >= 360 * 240:  # the second hand-over of the file
            raise InputUnreadable("the file was deleted")
        return whole(self, start, stop)

    monkeypatch.setattr(ArrayRecording, "read_mv", until_a_minute)

    async def wait(gateway: Gateway, broker: Broker, ended: asyncio.Event) -> tuple[Any, dict[str, Any]]:
        answer = await ask_after_end(gateway, broker, ended)
        return gateway.problem, answer

    problem, answer = with_gateway(tmp_path, wait)
    assert isinstance(problem, InputUnreadable)
    assert answer["status"] == "answered"
    assert answer["span"]["end_s"] == pytest.approx(240)
