"""The gateway: what a source delivers is kept, analysed and published; questions about it are answered.

One asyncio loop for the network; storage and analysis in one worker thread, answers in another, the language model
in a process of its own. A full disk, a lost broker, a lost model or a mistake in one recording ends none of the others.
"""

import asyncio
import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from edge.acquire.mailbox import Mailbox
from edge.acquire.source import Source
from edge.ask.answer import Answerer
from edge.ask.answer import Source as Asked
from edge.ask.spans import parse_time
from edge.errors import AnyecgError
from edge.intake import Intake, News
from edge.recording.library import apply_retention, new_id, recording_path
from edge.recording.store import StoredRecording
from edge.recording.writer import RecordingWriter
from edge.serve.live_state import LiveState, state_without_recording
from edge.serve.mqtt import Incoming, MqttLink
from edge.serve.payloads import ErrorReply, Event
from edge.serve.questions import parse_question
from edge.serve.recorder import Recorder
from edge.settings import Settings
from edge.types import Lead, RecordingInfo

RETENTION_EVERY_S = 3600.0
ANSWER_EXPIRY_S = 3600  # an answer nobody fetched within the hour is no answer any more


@dataclass(slots=True)
class Gateway:
    """Serves one wearable, real or replayed."""

    source: Source
    link: MqttLink
    folder: Path
    answerer: Answerer
    settings: Settings = field(default_factory=Settings)
    on_event: Callable[[Event], None] = lambda _: None
    recording_id: str = ""
    problem: AnyecgError | None = None
    """Why keeping ended early; answering goes on."""
    thinker: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1, "answer"))
    """Answers one question at a time; gateways that share a language model share it."""
    _mail: Mailbox = field(init=False)
    _live: LiveState | None = None
    _begun: RecordingInfo | None = None
    """A recording that the worker has begun and nobody has been told of."""
    _worker: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1, "keep"))

    def __post_init__(self) -> None:
        self._mail = Mailbox(self.settings.link.frame_queue)

    async def run(self, *, until_source_ends: bool = False, ended: asyncio.Event | None = None) -> None:
        """Serve until cancelled, or until the source has ended; `ended` is set when it has."""
        await self.link.subscribe([self.link.topics.ask])
        async with asyncio.TaskGroup() as group:
            asking = group.create_task(self._answer_questions(), name="gateway.ask")
            keeping = group.create_task(self._keep(), name="gateway.keep")
            await keeping
            if ended is not None:
                ended.set()
            if until_source_ends:
                asking.cancel()

    def close(self) -> None:
        """Stop the worker threads; call after `run` has ended."""
        self._worker.shutdown(wait=True)
        self.thinker.shutdown(wait=False, cancel_futures=True)

    async def _keep(self) -> None:
        """From the source to the store; on any end what came is taken in and the recording is closed properly."""
        keeper = Recorder(self._mail, self._begin, self.settings, self._worker, self._note, self._tell)
        pump = asyncio.create_task(self._pump(), name="gateway.acquire")
        publish = asyncio.create_task(self._publish_state(), name="gateway.state")
        taking = asyncio.create_task(keeper.run(), name="gateway.take")
        try:
            await asyncio.wait({taking})
        finally:
            pump.cancel()
            await asyncio.gather(pump, return_exceptions=True)
            self._mail.close()  # a pump cancelled before its first step has not
            await keeper.leave(taking)
            self.problem = self.problem or keeper.problem
            publish.cancel()
            await asyncio.gather(publish, return_exceptions=True)
            await self._publish_now()

    async def _pump(self) -> None:
        """The source into the mailbox. What ends it early is told; what came in is closed properly."""
        try:
            await self.source.run(self._mail)
        except Exception as error:  # its file was deleted, its settings cannot work, or a mistake of ours
            self.problem = (
                error
                if isinstance(error, AnyecgError)
                else AnyecgError(f"The source {self.source.name} failed ({type(error).__name__})", "Please report it")
            )
            await self._tell("source", str(self.problem))
        finally:
            self._mail.close()

    def _begin(self, leads: tuple[Lead, ...], fs_hz: float, start: datetime, notes: tuple[str, ...]) -> RecordingWriter:
        """A new recording; called in the worker."""
        now = datetime.now(UTC)
        if self.settings.store.max_age_days or self.settings.store.max_gb:
            apply_retention(self.folder, self.settings.store, now)
        recording_id = new_id(self.folder, self.source.name, now)
        info = RecordingInfo(recording_id, leads, fs_hz, 0, start, "store", notes)
        writer = RecordingWriter(recording_path(self.folder, recording_id), info, self.settings.store)
        self._begun = info
        return writer

    async def _note(self, intake: Intake, news: News) -> None:
        """Tell the live state and the event topic what is new."""
        decided, events = news
        if (begun := self._begun) is not None:
            self._begun, self.recording_id = None, begun.id
            self._live = LiveState(begun, self.settings)
            await self.link.set_status(recording=begun.id)
            await self._tell("recording", begun.id, 0.0)
        changes = [] if self._live is None else self._live.add(decided, events, intake)
        for event in events:
            if event.kind not in {"duplicate", "late"}:  # these are counted in the state; a bad link has thousands
                start_s = event.sample / self._live.info.fs_hz if self._live is not None else None
                await self._tell(event.kind, event.detail, start_s)
        for change in changes:
            assert self._live is not None
            await self._tell(change.kind, change.detail, change.sample / self._live.info.fs_hz, change.label)

    async def _tell(self, kind: str, detail: str, start_s: float | None = None, rhythm: str | None = None) -> None:
        start = self._live.clock_time(start_s) if self._live is not None and start_s is not None else None
        event = Event(_now(), kind, detail, start_s, start, rhythm)
        self.on_event(event)
        await self.link.publish(self.link.topics.event, event.to_json())

    async def _publish_state(self) -> None:
        since_retention_s = time.monotonic()
        while True:
            await asyncio.sleep(self.settings.link.state_every_s)
            await self._publish_now()
            if time.monotonic() - since_retention_s > RETENTION_EVERY_S:
                since_retention_s = time.monotonic()
                await self._retain()

    async def _retain(self) -> None:
        """Keep the folder within its limits; what fails is told and tried again in an hour."""
        path = recording_path(self.folder, self.recording_id) if self.recording_id else None
        try:
            await self._in(self._worker, apply_retention, self.folder, self.settings.store, datetime.now(UTC), path)
        except AnyecgError as error:
            await self._tell("storage", str(error))
        except Exception as error:
            await self._tell("error", f"Old recordings could not be removed ({type(error).__name__})")

    async def _publish_now(self) -> None:
        link, dropped = self.source.status, self._mail.dropped
        if self._live is not None:
            state = self._live.payload(_now(), link, dropped)
        else:
            state = state_without_recording(_now(), link)
        await self.link.publish(self.link.topics.state, state.to_json(), retain=True)

    async def _answer_questions(self) -> None:
        async for message in self.link.incoming():
            if message.topic == self.link.topics.ask and not message.retained:
                await self._answer(message)

    async def _answer(self, message: Incoming) -> None:
        asked = parse_question(message.payload)
        topic = message.response_topic or asked.reply_to or self.link.topics.answer(asked.id)
        loop = asyncio.get_running_loop()

        def on_words(text: str) -> None:
            """From the answering thread: checked words, as they come. Waiting for the loop here could wait for ever."""
            partial = self.link.publish(self.link.topics.answer_partial(asked.id), text, qos=0)
            asyncio.run_coroutine_threadsafe(partial, loop)

        try:
            if asked.problem:
                raise AnyecgError(asked.problem.rstrip("."))
            document = await self._in(self.thinker, self._think, asked.question, asked.start, asked.end, on_words)
            text = _json({**document, "id": asked.id})
        except AnyecgError as error:
            text = ErrorReply(asked.id, str(error), error.advice).to_json()
        except Exception as error:
            # A question that finds a mistake of ours costs its answer, never the recording.
            problem = f"The question could not be answered ({type(error).__name__})"
            text = ErrorReply(asked.id, problem, "Please report it").to_json()
        await self.link.publish(topic, text, correlation_data=message.correlation_data, expiry_s=ANSWER_EXPIRY_S)

    def _think(
        self, question: str, start: str | None, end: str | None, on_words: Callable[[str], None]
    ) -> dict[str, Any]:
        """Answer from what is stored so far."""
        if not self.recording_id:
            raise AnyecgError("Nothing has been recorded yet", "Ask again in a moment")
        stored = StoredRecording(recording_path(self.folder, self.recording_id))
        try:
            info = stored.info
            if (present_s := self.source.present_s()) is not None:
                info = replace(info, present_s=info.offset_of(datetime.fromtimestamp(present_s, UTC)))
            return self.answerer.ask(
                question,
                [Asked(info, stored.annotations(), stored)],
                from_s=parse_time(start, info) if start else None,
                to_s=parse_time(end, info) if end else None,
                on_words=on_words,
            )
        finally:
            stored.close()

    async def _in(self, pool: ThreadPoolExecutor, function: Callable[..., Any], *args: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(pool, function, *args)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def _json(document: dict[str, Any]) -> str:
    return json.dumps(document, ensure_ascii=False, allow_nan=False)
