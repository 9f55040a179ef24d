"""Virtual straps recorded through the whole ingest path, for the tests."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from bench.strap_run import Comparison, StrapRun, compare, switched_on
from edge.acquire.arrivals import LinkStatus
from edge.formats.memory import ArrayRecording, demo_recording
from edge.recording.store import StoredRecording
from edge.settings import LinkSettings, Settings
from edge.types import Annotations, Gap, RecordingInfo
from firmware_bridge.air import Air
from firmware_bridge.peripherals.peripheral import Peripheral

SPEED = 30.0
Make = Callable[[Air, Any], Peripheral]
While = Callable[[StrapRun, Peripheral], Awaitable[None]]


def first_seconds(duration_s: float) -> ArrayRecording:
    """The beginning of the demo ECG."""
    demo = demo_recording()
    n = round(duration_s * demo.info.fs_hz)
    return ArrayRecording("demo", demo.read_mv(0, n), demo.info.fs_hz, demo.info.leads)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a virtual strap."""

    info: RecordingInfo | None
    """None: nothing was recorded."""
    same: Comparison | None
    """Against what the strap's converter measured."""
    gaps: tuple[Gap, ...]
    annotations: Annotations | None
    events: list[tuple[str, str]]
    status: LinkStatus
    run: StrapRun

    def told(self, kind: str) -> list[str]:
        """Details of the events of one kind."""
        return [detail for event, detail in self.events if event == kind]


def record_strap(
    make: Make,
    folder: Path,
    *,
    duration_s: float = 40.0,
    protocol: str | None = None,
    settings: LinkSettings | None = None,
    meanwhile: While | None = None,
    for_s: float | None = None,
) -> Outcome:
    """Record what `make(air, recording)` plays, to its end or for so much host time; `meanwhile` runs beside it."""

    async def go() -> StrapRun:
        air = Air()
        peripheral = make(air, first_seconds(duration_s))
        async with switched_on(peripheral):
            run = StrapRun(folder, peripheral, air, replace(Settings(), link=settings or LinkSettings()), protocol)
            tasks = [asyncio.create_task(run.record())]
            if meanwhile is not None:
                tasks.append(asyncio.create_task(meanwhile(run, peripheral)))
            if for_s is not None:
                asyncio.get_running_loop().call_later(for_s, run.source.close)
            async with asyncio.timeout(60):
                await asyncio.gather(*tasks)
            return run

    run = asyncio.run(go())
    events = [(e.kind, e.detail) for e in run.events]
    if not run.paths:
        return Outcome(None, None, (), None, events, run.source.status, run)
    stored = StoredRecording(run.paths[0])
    info, annotations = stored.info, stored.annotations()
    stored.close()
    same = compare(run) if info.leads else None
    return Outcome(info, same, annotations.gaps, annotations, events, run.source.status, run)


def assert_exact(outcome: Outcome, min_received: int) -> Comparison:
    """Every sample at its place, every missing one declared, and so many received.

    What the strap measured before it was connected counts as received, up to half: a busy machine takes its time.
    """
    assert outcome.same is not None, outcome.events
    assert outcome.same.exact, outcome.same
    before = min(outcome.run.first_sample or 0, min_received // 2)
    assert before + outcome.same.received >= min_received, (before, outcome.same)
    assert outcome.same.received + outcome.same.missing == outcome.same.n_samples
    assert np.sum([gap.stop - gap.start for gap in outcome.gaps]) == outcome.same.missing
    return outcome.same
