"""A virtual wearable recorded through the whole ingest path, and what came of it, for benches and tests."""

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.acquire.host_clock import HostClock
from edge.acquire.mailbox import Mailbox
from edge.acquire.packets import Counts
from edge.acquire.pins import Pin
from edge.acquire.radio import virtual_radio
from edge.acquire.registry import drivers
from edge.acquire.strap import StrapSource
from edge.intake import Intake, LinkCounts
from edge.recording.codec import to_counts
from edge.recording.store import StoredRecording
from edge.recording.writer import RecordingWriter
from edge.settings import Settings
from edge.types import Lead, LinkEvent, RecordingInfo
from firmware_bridge.air import Air
from firmware_bridge.peripherals.movesense import Movesense
from firmware_bridge.peripherals.peripheral import Peripheral
from firmware_bridge.simulate import DEVICES

MOST_AT_ONCE = 64  # as the gateway
TAIL, REACH = 64, 3000  # samples at the end that are looked for in what was measured, and how far away
SETTLE_S = 2.0  # on the wearable's clock, after its recording's end: what is under way arrives


@dataclass
class StrapRun:
    """One wearable's way into a folder: what a gateway does with a source, without its network."""

    folder: Path
    peripheral: Peripheral
    air: Air
    settings: Settings = field(default_factory=Settings)
    protocol: str | None = None
    source: StrapSource = field(init=False)
    mail: Mailbox = field(init=False)
    events: list[LinkEvent] = field(default_factory=list)
    paths: list[Path] = field(default_factory=list)
    counts: LinkCounts = field(default_factory=LinkCounts)
    stored_s: list[float] = field(default_factory=list)
    """Host time from each notification's sending to its data being on disk, where `sent_at` is kept."""
    sent_at: deque[float] | None = None
    first_sample: int | None = None
    """The device's index of the first sample that was recorded."""

    def __post_init__(self) -> None:
        clock = HostClock(self.peripheral.speed or 1.0)
        pin = Pin(self.peripheral.address, "strap", self.protocol, options=_in_its_time(self.peripheral, clock))
        self.source = StrapSource(pin, virtual_radio(self.air), self.settings.link, clock)
        self.mail = Mailbox(self.settings.link.frame_queue)

    async def record(self) -> None:
        """Until the peripheral's recording has been played; then the recording is closed."""
        pool = ThreadPoolExecutor(1, "keep")
        loop = asyncio.get_running_loop()
        intake = Intake(self._begin, self.settings)
        running = asyncio.create_task(self._run_source(), name="bench.source")
        ending = asyncio.create_task(self._end(), name="bench.end")
        try:
            while batch := await self.mail.batch(MOST_AT_ONCE):
                self.events += (await loop.run_in_executor(pool, intake.take, batch))[1]
                if self.sent_at is not None:
                    now = time.perf_counter()
                    n_data = sum(type(getattr(a, "item", None)).__name__ == "SamplePacket" for a in batch)
                    self.stored_s += [now - self.sent_at.popleft() for _ in range(min(n_data, len(self.sent_at)))]
                if self.first_sample is None:
                    self.first_sample = self.peripheral.sent.first_sample
            self.events += (await loop.run_in_executor(pool, intake.end))[1]
            self.counts = intake.counts()
        finally:
            for task in (running, ending):
                task.cancel()
            await asyncio.gather(running, ending, return_exceptions=True)
            pool.shutdown(wait=True)

    async def _run_source(self) -> None:
        try:
            await self.source.run(self.mail)
        finally:
            self.mail.close()

    async def _end(self) -> None:
        await self.peripheral.ended.wait()
        await asyncio.sleep(self.source.clock.host_s(SETTLE_S) + 0.1)
        self.source.close()

    def _begin(self, leads: tuple[Lead, ...], fs_hz: float, start: datetime, notes: tuple[str, ...]) -> RecordingWriter:
        path = self.folder / f"run{len(self.paths)}.ecgdb"
        self.paths.append(path)
        info = RecordingInfo(path.stem, leads, fs_hz, 0, start, "store", notes)
        return RecordingWriter(path, info, self.settings.store)


def _in_its_time(peripheral: Peripheral, clock: HostClock) -> dict[str, Any]:
    """Waiting times of the device's protocol on its own clock: it lives faster than the host."""
    kind = next((name for name, made in DEVICES.items() if made is type(peripheral)), "")
    driver = drivers().get(kind)
    waits = {name: getattr(driver(), name, None) for name in ("response_s", "hello_s")} if driver is not None else {}
    return {name: clock.host_s(wait_s) + 0.05 for name, wait_s in waits.items() if wait_s is not None}


@asynccontextmanager
async def switched_on(peripheral: Peripheral) -> AsyncIterator[Peripheral]:
    """The peripheral, advertising."""
    await peripheral.start()
    try:
        yield peripheral
    finally:
        await peripheral.stop()


@dataclass(frozen=True, slots=True)
class Comparison:
    """A recording against what the wearable's converter measured."""

    n_samples: int
    """Length of the time axis."""
    received: int
    wrong: int
    """Samples that differ from what was measured at their place."""
    missing: int
    """Samples in gaps."""
    undeclared: int
    """Missing samples that no stored gap covers."""
    axis_error: int | None
    """By how many samples the axis is longer (positive) or shorter at its end than the time that passed on the
    converter; None where the last samples are not found in what was measured."""

    @property
    def exact(self) -> bool:
        """Every sample at its place, every missing one declared."""
        return self.wrong == 0 and self.undeclared == 0 and self.axis_error == 0


def compare(run: StrapRun) -> Comparison:
    """Compare the (first) recording with the counts of the device's converter."""
    measured: Callable[[int, int], Counts] = run.peripheral.measured  # type: ignore[attr-defined]  # all but RR straps
    if isinstance(run.peripheral, Movesense):
        measured = partial(run.peripheral.measured, rate_hz=round(StoredRecording(run.paths[0]).info.fs_hz))
    stored = StoredRecording(run.paths[0])
    try:
        info, gaps = stored.info, stored.annotations().gaps
        first = _first_of(run.first_sample or 0, stored, measured)
        received = wrong = missing = undeclared = 0
        step = round(600 * info.fs_hz)
        tail: tuple[int, Counts] | None = None
        for start in range(0, info.n_samples, step):
            stop = min(start + step, info.n_samples)
            signal_mv = stored.read_mv(start, stop)
            absent: NDArray[np.bool_] = np.all(np.isnan(signal_mv), axis=1)
            declared = np.zeros(stop - start, bool)
            for gap in gaps:
                declared[max(0, gap.start - start) : max(0, gap.stop - start)] = True
            truth = measured(first + start, stop - start)
            counts = np.column_stack([to_counts(signal_mv[:, k], lead) for k, lead in enumerate(info.leads)])
            n = min(len(truth), len(counts))
            differs = np.abs(counts[:n] - truth[:n]).max(axis=1, initial=0).astype(bool) & ~absent[:n]
            received += int((~absent).sum())
            wrong += int(differs.sum()) + (len(counts) - n)
            missing += int(absent.sum())
            undeclared += int((absent & ~declared).sum())
            whole = np.flatnonzero(~absent)[-TAIL:]
            if len(whole) == TAIL and whole[-1] - whole[0] == TAIL - 1:
                tail = start + int(whole[0]), counts[whole]
        return Comparison(info.n_samples, received, wrong, missing, undeclared, _axis_error(first, tail, measured))
    finally:
        stored.close()


def _first_of(told: int, stored: StoredRecording, measured: Callable[[int, int], Counts]) -> int:
    """The device's index of the first recorded sample; what it sent before may have been lost on the way."""
    head_mv = stored.read_mv(0, TAIL)
    counts = np.column_stack([to_counts(head_mv[:, k], lead) for k, lead in enumerate(stored.info.leads)])
    late = _axis_error(told, (0, counts), measured)
    return told - (late or 0)


def _axis_error(first: int, tail: tuple[int, Counts] | None, measured: Callable[[int, int], Counts]) -> int | None:
    """How far from its true place the end of a recording stands."""
    if tail is None:
        return None
    place, counts = tail
    begin = max(0, first + place - REACH)
    truth = measured(begin, 2 * REACH + TAIL)
    for off in sorted(range(len(truth) - TAIL + 1), key=lambda at: abs(begin + at - first - place)):
        if np.array_equal(truth[off : off + TAIL], counts):
            return first + place - (begin + off)
    return None
