"""The gateway when something breaks while it records: storage for a while, its source, its own code, its end."""

import asyncio
import shutil
import sqlite3
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

from edge.acquire.arrivals import LinkStatus, Received, Started, Told
from edge.acquire.driver import Stream
from edge.acquire.mailbox import Mailbox
from edge.acquire.packets import SamplePacket
from edge.acquire.replay import ReplaySource
from edge.acquire.source import Source
from edge.ask.answer import Answerer
from edge.errors import StorageError
from edge.formats.memory import demo_recording
from edge.intake import Intake
from edge.recording.library import recordings
from edge.recording.store import StoredRecording
from edge.recording.writer import RecordingWriter
from edge.serve import recorder
from edge.serve.broker import Topics
from edge.serve.gateway import Gateway
from edge.serve.mqtt import MqttLink
from edge.serve.payloads import Event
from edge.settings import LinkSettings, Settings, StoreSettings
from edge.types import Lead

FS_HZ, PACKET_N = 250.0, 125
SETTINGS = Settings(link=LinkSettings(state_every_s=0.05), store=StoreSettings(commit_s=0.5, synchronous="OFF"))
ECG = Stream("test", (Lead("I", 200.0),), FS_HZ, "counter", packet_samples=PACKET_N)
Fault = Callable[[], Awaitable[None]]


class Unheard:
    """In the place of the MQTT link: nobody asks, nobody listens."""

    topics = Topics("test", "strap")

    async def subscribe(self, _topics: list[str]) -> None: ...

    async def publish(self, *_args: Any, **_kwargs: Any) -> None: ...

    async def set_status(self, **_kwargs: Any) -> None: ...

    async def incoming(self) -> AsyncIterator[Any]:
        await asyncio.Event().wait()
        yield


class Wearable:
    """Sends a packet every `every_s`, much faster than a strap does; numbers its samples."""

    name = "strap"

    def __init__(self) -> None:
        self.status = LinkStatus("streaming")
        self.every_s, self.sent, self.began_s = 0.005, 0, time.time()
        self.fails: Exception | None = None

    def present_s(self) -> float | None:
        return None

    def send(self, mail: Mailbox) -> None:
        """The next packet."""
        counter = self.sent * PACKET_N
        counts = (np.arange(counter, counter + PACKET_N) % 1000).astype(np.int32)[:, None]
        mail.put(Received(SamplePacket(counts, counter=counter), self.began_s + self.sent * PACKET_N / FS_HZ))
        self.sent += 1

    async def run(self, mail: Mailbox) -> None:
        mail.put(Started(ECG, self.began_s))
        while True:
            self.send(mail)
            if self.fails is not None and self.sent > 100:
                raise self.fails
            await asyncio.sleep(self.every_s)


class Running:
    """A gateway over a wearable, with what it told."""

    def __init__(self, folder: Path, source: Source | None = None) -> None:
        self.wearable = Wearable()
        self.events: list[Event] = []
        self.gateway = Gateway(
            source or self.wearable,
            cast(MqttLink, Unheard()),
            folder,
            Answerer(SETTINGS),
            SETTINGS,
            on_event=self.events.append,
        )

    def told(self, kind: str) -> list[str]:
        return [event.detail for event in self.events if event.kind == kind]

    async def until(self, is_so: Callable[[], object]) -> None:
        async with asyncio.timeout(20):
            while not is_so():
                await asyncio.sleep(0.005)

    async def recorded(self, more_s: float = 10.0) -> None:
        """Until so much more has been decided on."""
        live = self.gateway._live
        stop = (live.stop if live is not None else 0) + more_s * FS_HZ
        await self.until(lambda: (live := self.gateway._live) is not None and live.stop > stop)

    def during(self, test: Fault) -> None:
        """Run the gateway, the test beside it, and end it as a signal does."""

        async def go() -> None:
            running = asyncio.create_task(self.gateway.run())
            try:
                await test()
            finally:
                running.cancel()
                ended = await asyncio.gather(running, return_exceptions=True)
                self.gateway.close()
            assert isinstance(ended[0], asyncio.CancelledError), ended

        asyncio.run(go())


def read(path: Path) -> tuple[int, int, list[str]]:
    """Samples, gaps and kinds of link events of a recording."""
    stored = StoredRecording(path)
    try:
        return stored.info.n_samples, len(stored.annotations().gaps), [e.kind for e in stored.link_events()]
    finally:
        stored.close()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recorder, "STORAGE_FIRST_S", 0.02)
    monkeypatch.setattr(recorder, "STORAGE_MOST_S", 0.05)


def failing_commits(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Commits fail while the list holds anything."""
    fails: list[bool] = []
    commit = RecordingWriter.commit

    def maybe(self: RecordingWriter) -> None:
        if fails:
            raise StorageError("The database is locked")
        commit(self)

    monkeypatch.setattr(RecordingWriter, "commit", maybe)
    return fails


def test_storage_that_fails_for_a_while_costs_nothing_and_is_told_once_at_each_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, impatient: None
) -> None:
    fails = failing_commits(monkeypatch)
    run = Running(tmp_path)

    async def test() -> None:
        await run.recorded()
        fails.append(True)
        await run.until(lambda: run.told("storage"))
        await asyncio.sleep(0.3)
        fails.clear()
        await run.recorded(20.0)

    run.during(test)
    first, last = run.told("storage")
    assert ("locked" in first, "Works again" in last) == (True, True)
    assert run.gateway.problem is None
    (path,) = recordings(tmp_path)
    assert read(path)[2][-1] == "ended"
    assert read(path)[0] == run.wearable.sent * PACKET_N


def test_what_came_in_one_batch_with_a_failure_is_stored_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, impatient: None
) -> None:
    fails = failing_commits(monkeypatch)
    run = Running(tmp_path)

    async def test() -> None:
        await run.recorded()
        mail, at = run.gateway._mail, run.wearable.sent
        run.wearable.every_s = 0.2
        await asyncio.sleep(0.3)
        fails.append(True)
        for _ in range(20):  # nothing else runs meanwhile: all of it comes in one batch
            run.wearable.send(mail)
            mail.put(Told("mark", "pressed", time.time()))
        await run.until(lambda: run.told("storage"))
        fails.clear()
        await run.until(lambda: run.told("storage")[1:])
        assert run.wearable.sent >= at + 20

    run.during(test)
    assert len(run.told("mark")) == 20
    n_samples, n_gaps, _ = read(recordings(tmp_path)[0])
    assert (n_samples, n_gaps) == (run.wearable.sent * PACKET_N, 0)


def test_a_store_locked_by_another_program_is_written_on_afterwards(tmp_path: Path, impatient: None) -> None:
    run = Running(tmp_path)

    async def test() -> None:
        await run.recorded()
        db = sqlite3.connect(recordings(tmp_path)[0], isolation_level=None)
        db.execute("BEGIN IMMEDIATE")
        await run.until(lambda: run.told("storage"))
        db.execute("COMMIT")
        db.close()
        await run.recorded(20.0)

    run.during(test)
    assert run.gateway.problem is None
    assert len(recordings(tmp_path)) == 1


def test_storage_that_fails_too_long_is_given_up_and_the_gateway_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, impatient: None
) -> None:
    monkeypatch.setattr(recorder, "STORAGE_PATIENCE_S", 0.2)
    fails = failing_commits(monkeypatch)
    run = Running(tmp_path)

    async def test() -> None:
        await run.recorded()
        fails.append(True)
        await run.until(lambda: run.gateway.problem)

    run.during(test)
    assert isinstance(run.gateway.problem, StorageError)


@pytest.mark.parametrize("replayed", [False, True])
def test_a_recording_that_cannot_be_begun_is_begun_when_the_folder_can_be_written(
    tmp_path: Path, impatient: None, *, replayed: bool
) -> None:
    folder = tmp_path / "data"
    folder.write_text("in the way")
    run = Running(folder, ReplaySource(demo_recording(), 60.0) if replayed else None)

    async def test() -> None:
        await run.until(lambda: run.told("storage"))
        await asyncio.sleep(0.2)
        folder.unlink()
        await run.recorded()

    run.during(test)
    assert [text.split()[0] for text in run.told("storage")] == ["Cannot", "Works"]
    assert run.told("error") == []
    assert run.gateway.problem is None


def test_a_mistake_of_ours_costs_one_recording_its_rest_and_the_next_begins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    take, fails = Intake.take, [False]

    def poisoned(self: Intake, batch: Any) -> Any:
        if fails.pop():
            fails.append(False)
            raise ZeroDivisionError
        fails.append(False)
        return take(self, batch)

    monkeypatch.setattr(Intake, "take", poisoned)
    run = Running(tmp_path)

    async def test() -> None:
        await run.recorded()
        fails[:] = [True]
        await run.until(lambda: len(run.told("recording")) > 1)
        await run.recorded()

    run.during(test)
    assert run.told("error") == ["What came could not be taken in (ZeroDivisionError); a new recording begins"]
    assert run.gateway.problem is None
    assert [read(path)[2][-1] for path in recordings(tmp_path)] == ["ended", "ended"]


def test_a_mistake_that_comes_back_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def poisoned(_self: Intake, _batch: Any) -> Any:
        raise ZeroDivisionError

    monkeypatch.setattr(Intake, "take", poisoned)
    run = Running(tmp_path)

    async def test() -> None:
        await run.until(lambda: run.gateway.problem)

    run.during(test)
    assert "ZeroDivisionError" in str(run.gateway.problem)
    assert len(run.told("error")) == recorder.MISTAKES + 1


def test_a_recording_whose_analysis_is_broken_is_closed_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_self: Intake) -> Any:
        raise KeyError("end")

    monkeypatch.setattr(Intake, "end", broken)
    run = Running(tmp_path)
    run.during(run.recorded)
    (path,) = recordings(tmp_path)
    assert not path.with_name(path.name + "-wal").exists()
    assert "KeyError" in run.told("error")[0]


def test_a_recording_deleted_meanwhile_is_told_at_its_end(tmp_path: Path) -> None:
    run = Running(tmp_path)

    async def test() -> None:
        await run.recorded()
        shutil.rmtree(tmp_path)

    run.during(test)
    assert "No recording at" in run.told("storage")[0]


def test_whatever_ends_the_source_is_told_and_the_recording_closed(tmp_path: Path) -> None:
    run = Running(tmp_path)
    run.wearable.fails = RuntimeError("secret")

    async def test() -> None:
        await run.until(lambda: run.told("ended"))

    run.during(test)
    assert run.told("source") == ["The source strap failed (RuntimeError). Please report it"]
    assert str(run.gateway.problem) == run.told("source")[0]
    assert read(recordings(tmp_path)[0])[0] == run.wearable.sent * PACKET_N


def test_what_waits_for_a_slow_disk_when_the_gateway_is_stopped_is_stored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = RecordingWriter.commit

    def slow(self: RecordingWriter) -> None:
        time.sleep(0.3)
        commit(self)

    monkeypatch.setattr(RecordingWriter, "commit", slow)
    monkeypatch.setattr(recorder, "LEAVE_S", 30.0)  # also where this machine is busy
    run = Running(tmp_path)
    run.wearable.every_s = 0.002

    async def test() -> None:
        await run.recorded()
        await run.until(lambda: len(run.gateway._mail._waiting) > recorder.MAX_BATCH)

    run.during(test)
    assert run.gateway._mail.dropped == 0
    n_samples, n_gaps, kinds = read(recordings(tmp_path)[0])
    assert (n_samples, n_gaps, kinds[-1]) == (run.wearable.sent * PACKET_N, 0, "ended")


def test_a_disk_too_slow_for_the_end_does_not_hold_it_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, impatient: None
) -> None:
    monkeypatch.setattr(recorder, "LEAVE_S", 0.2)
    fails = failing_commits(monkeypatch)
    run = Running(tmp_path)

    async def test() -> None:
        await run.recorded()
        fails.append(True)
        await run.until(lambda: run.told("storage"))

    began_s = time.monotonic()
    run.during(test)
    assert time.monotonic() - began_s < 10
    assert any("is lost" in text for text in run.told("storage"))
