"""From the mailbox into recordings, batch by batch: through storage that fails for a while, and mistakes of ours."""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable
from concurrent.futures import Executor
from contextlib import suppress
from dataclasses import dataclass, field, replace

from edge.acquire.arrivals import Arrival, Started
from edge.acquire.mailbox import Mailbox
from edge.errors import AnyecgError, StorageError
from edge.intake import Begin, Intake, News
from edge.settings import Settings

MAX_BATCH = 64  # arrivals handed to the worker at once: half a minute of a strap's signal
STORAGE_FIRST_S, STORAGE_MOST_S = 0.5, 30.0  # waits between tries, doubled each time
STORAGE_PATIENCE_S = 600.0  # a program that copies the store is done by then; a disk still full needs a person
LEAVE_S = 5.0  # for what waits at the end; who stops a service kills it when it takes long
MISTAKES, MISTAKES_S = 3, 60.0  # so many within so long: a new recording does not help


@dataclass(slots=True)
class Recorder:
    """Takes in what one source delivers; `problem` tells why it ended early."""

    mail: Mailbox
    begin: Begin
    settings: Settings
    worker: Executor
    """One thread: storage and analysis, never at once."""
    note: Callable[[Intake, News], Awaitable[None]]
    """Told of every new decision and link event."""
    tell: Callable[[str, str], Awaitable[None]]
    """Told of failures: their kind, and a sentence."""
    problem: AnyecgError | None = None
    _intake: Intake = field(init=False)
    _started: Started | None = None
    """The stream's latest start: a new intake needs it first."""
    _first: list[Arrival] = field(default_factory=list)
    """To be taken in before the next batch."""
    _failing_since_s: float | None = None
    _wait_s: float = STORAGE_FIRST_S
    _mistakes_s: deque[float] = field(default_factory=lambda: deque(maxlen=MISTAKES))
    _leaving: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self._intake = Intake(self.begin, self.settings)

    async def run(self) -> None:
        """Until the mailbox is closed and empty, or nothing can be kept any more."""
        while self.problem is None and (batch := await self.mail.batch(MAX_BATCH)):
            await self._take(batch)

    async def leave(self, running: asyncio.Task[None]) -> None:
        """Take in what still waits in the closed mailbox, for LEAVE_S at most, and close the recording properly.

        `running` is the task of `run`.
        """
        self._leaving.set()
        await asyncio.wait({running}, timeout=LEAVE_S)
        if not running.done():
            running.cancel()
            await self.tell("storage", f"What was not stored within {LEAVE_S:g} s of the end is lost")
        (ended,) = await asyncio.gather(running, return_exceptions=True)
        if isinstance(ended, Exception):
            self.problem = _mistake(ended)
            await self.tell("error", str(self.problem))
        problem = await self._close()
        self.problem = self.problem or problem

    async def _take(self, batch: list[Arrival]) -> None:
        if isinstance(batch[-1], Started):  # nowhere else in a batch
            self._started = batch[-1]
        first, self._first = self._first, []
        try:
            try:
                news = await self._in_worker(self._intake.take, [*first, *batch])
            except StorageError as error:
                news = await self._retry(error)
            await self.note(self._intake, news)
            await self._stored()
        except StorageError as error:
            self.problem = error
            await self.tell("storage", f"Given up: {error}")
        except Exception as error:
            await self._begin_anew(error)

    async def _retry(self, error: StorageError) -> News:
        """Wait until the storage takes what the intake holds; StorageError when it does not for too long.

        The mailbox fills meanwhile, and counts what does not fit.
        """
        if self._failing_since_s is None:
            self._failing_since_s, self._wait_s = time.monotonic(), STORAGE_FIRST_S
            await self.tell("storage", str(error))
        while time.monotonic() - self._failing_since_s < STORAGE_PATIENCE_S:
            if self._leaving.is_set():
                await asyncio.sleep(STORAGE_FIRST_S)
            else:
                with suppress(TimeoutError):
                    async with asyncio.timeout(self._wait_s):
                        await self._leaving.wait()
            self._wait_s = min(2 * self._wait_s, STORAGE_MOST_S)
            try:
                news = await self._in_worker(self._intake.retry)
            except StorageError as again:
                error = again
                continue
            if self._intake.recording is None and self._started is not None:
                self._first = [self._started]  # the recording could not be begun: the next batch tries it again
            return news
        raise error

    async def _stored(self) -> None:
        """Tell that the storage works again, once it does; a recording that could not be begun tells nothing yet."""
        if self._failing_since_s is not None and self._intake.recording is not None:
            failed_s = time.monotonic() - self._failing_since_s
            self._failing_since_s = None
            await self.tell("storage", f"Works again after {failed_s:.0f} s")

    async def _begin_anew(self, error: Exception) -> None:
        """A mistake of ours costs one recording its rest, and no other source anything."""
        await self.tell("error", f"What came could not be taken in ({type(error).__name__}); a new recording begins")
        await self._close()
        self._mistakes_s.append(time.monotonic())
        if len(self._mistakes_s) == MISTAKES and self._mistakes_s[-1] - self._mistakes_s[0] < MISTAKES_S:
            self.problem = _mistake(error)
            await self.tell("error", str(self.problem))
            return
        self._intake = self._intake.anew()
        if self._started is not None:
            self._first = [replace(self._started, received_s=time.time())]

    async def _close(self) -> AnyecgError | None:
        """Close the recording; what fails is told and returned."""
        try:
            await self.note(self._intake, await self._in_worker(_end, self._intake))
        except AnyecgError as error:  # a full disk, or the file was deleted meanwhile
            await self.tell("storage", str(error))
            return error
        except Exception as error:
            problem = _mistake(error)
            await self.tell("error", str(problem))
            return problem
        return None

    async def _in_worker(self, function: Callable[..., News], *args: object) -> News:
        return await asyncio.get_running_loop().run_in_executor(self.worker, function, *args)


def _end(intake: Intake) -> News:
    try:
        return intake.end()
    finally:
        if intake.recording is not None:  # it failed before it came to the file
            intake.recording.writer.close()


def _mistake(error: Exception) -> AnyecgError:
    return AnyecgError(f"The recording cannot go on ({type(error).__name__})", "Please report it")
