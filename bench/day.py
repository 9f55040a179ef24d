"""A day of one virtual H10 at a multiple of real time: does memory stay flat, does the time map stay true?

The strap's crystal is 50 ppm off. The error of the time map is its distance from when each sample was taken, less its
median: a constant delay on the way cannot be seen by any receiver. Times are those of the strap; what the host adds
by its own delays is multiplied by the speed.
"""

import asyncio
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from bench.measure import machine
from bench.strap_run import StrapRun, compare, switched_on
from edge.errors import UsageError
from edge.formats.memory import demo_recording
from edge.recording.store import StoredRecording
from firmware_bridge.air import Air
from firmware_bridge.faults import FaultScript
from firmware_bridge.peripherals.polar_h10 import PolarH10

HOURS, SPEED, DRIFT_PPM = 24.0, 100.0, 50.0


def run(data: Path | None, records: tuple[str, ...]) -> dict[str, Any]:  # noqa: ARG001 - needs no recordings
    """Measure; `records` may give the hours and the speed."""
    hours, speed = (float(records[0]), float(records[1])) if len(records) == 2 else (HOURS, SPEED)
    if not Path("/proc/self/statm").exists():
        raise UsageError("This bench reads memory from /proc", "Run it on Linux")
    with tempfile.TemporaryDirectory(prefix="anyecg-bench-") as folder:
        measured = asyncio.run(_measure(hours, speed, Path(folder)))
    return {
        "command": "anyecg bench day",
        "signal": "the demo ECG again and again",
        "machine": machine(),
        "speed": speed,
        "drift_ppm": DRIFT_PPM,
        **measured,
    }


async def _measure(hours: float, speed: float, folder: Path) -> dict[str, Any]:
    air = Air()
    faults = FaultScript(drift_ppm=DRIFT_PPM)
    strap = PolarH10(air, demo_recording(), faults=faults, speed=speed, loop=True)
    memory: list[tuple[float, float]] = []

    async def watch() -> None:
        while strap.now_s < hours * 3600:
            memory.append((strap.now_s / 3600, _rss_mb()))
            await asyncio.sleep(min(30.0, 900.0 / speed))
        strap.ended.set()

    async with switched_on(strap):
        done = StrapRun(folder, strap, air)
        began_s = time.time() - strap.now_s / (1 + DRIFT_PPM * 1e-6) / speed
        clock_s = done.source.clock.now() - (time.time() - began_s) * speed  # the host's clock at the strap's sample 0
        cpu_s = time.process_time()
        watching = asyncio.create_task(watch())
        await done.record()
        await watching
        cpu_s = time.process_time() - cpu_s
        same = compare(done)
    stored = StoredRecording(done.paths[0])
    info = stored.info
    stored.close()
    assert info.clock is not None
    at = np.linspace(0, info.n_samples, 2000)
    first = (done.first_sample or 0) / info.fs_hz
    true_s = clock_s + (first + at / info.fs_hz) / (1 + DRIFT_PPM * 1e-6)
    error_ms = 1000 * (np.array([info.clock.utc_at(float(sample)) for sample in at]) - true_s)
    error_ms -= np.median(error_ms)
    tenth = len(at) // 10
    settled = [mb for hour, mb in memory if hour >= hours / 12]
    return {
        "hours": round(info.duration_s / 3600, 3),
        "cpu_s": round(cpu_s, 1),
        "exact": same.exact,
        "missing": same.missing,
        "rss_mb": {
            "after_a_twelfth": round(settled[0], 1),
            "at_the_end": round(settled[-1], 1),
            "most": round(max(settled), 1),
        },
        "time_map_ms": {
            "drift": round(float(np.mean(error_ms[-tenth:]) - np.mean(error_ms[:tenth])), 2),
            "p99": round(float(np.percentile(np.abs(error_ms), 99)), 2),
            "most": round(float(np.abs(error_ms).max()), 2),
        },
    }


def _rss_mb() -> float:
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * 4096 / 1e6
