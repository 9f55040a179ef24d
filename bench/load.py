"""Eight virtual H10s at once in a process that may use one core: losses, time from packet to disk, CPU.

Straps, their radio (bumble), bleak's client, storage and analysis all run on that core, so the CPU per strap is more
than a gateway with a real radio needs. Real time; the time runs from the strap's notification to the commit.
"""

import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import deque
from pathlib import Path
from typing import Any

import numpy as np
from bumble.gatt import Characteristic

from bench.measure import machine
from bench.strap_run import StrapRun, compare, switched_on
from edge.formats.memory import ArrayRecording, demo_recording
from firmware_bridge.air import Air
from firmware_bridge.peripherals.polar_h10 import PMD_DATA, PolarH10

N_STRAPS = 8
DURATION_S = 120.0
SETTLED = 12  # packets left out at the start: the rate is being measured, nothing is stored yet


class TimedH10(PolarH10):
    """Notes when each ECG notification was sent."""

    sent_at: deque[float]

    def notify(self, characteristic: "Characteristic[bytes]", value: bytes, at_s: float) -> None:
        """Send."""
        if str(characteristic.uuid).lower() == PMD_DATA:
            self.sent_at.append(time.perf_counter())
        super().notify(characteristic, value, at_s)


def run(data: Path | None, records: tuple[str, ...]) -> dict[str, Any]:  # noqa: ARG001 - needs no recordings
    """Measure; `records` may give a number of straps and a duration in seconds."""
    n, duration_s = (int(records[0]), float(records[1])) if len(records) == 2 else (N_STRAPS, DURATION_S)
    command = [sys.executable, "-m", "bench.load", str(n), str(duration_s)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return {"command": "anyecg bench load", "machine": machine(), **json.loads(done.stdout.splitlines()[-1])}


async def measure(n: int, duration_s: float, folder: Path) -> dict[str, Any]:
    """All straps in this process and loop."""
    air = Air()
    demo = demo_recording()
    recording = ArrayRecording("demo", demo.read_mv(0, round(duration_s * 360)), 360.0, demo.info.leads)
    runs: list[StrapRun] = []
    straps: list[TimedH10] = []
    for k in range(n):
        strap = TimedH10(air, recording, address=f"F1:00:00:00:01:{k:02X}", name=f"Polar H10 0000000{k}")
        strap.sent_at = deque()
        (folder / str(k)).mkdir()
        straps.append(strap)
        runs.append(StrapRun(folder / str(k), strap, air, sent_at=strap.sent_at))

    async def one(strap: TimedH10, recorded: StrapRun) -> None:
        async with switched_on(strap):
            await recorded.record()

    cpu_s = time.process_time()
    await asyncio.gather(*(one(*pair) for pair in zip(straps, runs, strict=True)))
    cpu_s = time.process_time() - cpu_s
    outcomes = [compare(each) for each in runs]
    stored_ms = 1000 * np.concatenate([each.stored_s[SETTLED:] for each in runs])
    return {
        "straps": n,
        "duration_s": duration_s,
        "cores": 1,
        "exact": all(outcome.exact for outcome in outcomes),
        "missing": sum(outcome.missing for outcome in outcomes),
        "dropped": sum(each.mail.dropped for each in runs),
        "packets": len(stored_ms),
        "stored_ms": {
            "median": round(float(np.median(stored_ms)), 2),
            "p99": round(float(np.percentile(stored_ms, 99)), 2),
            "max": round(float(stored_ms.max()), 2),
        },
        "cpu_share_per_strap": round(cpu_s / duration_s / n, 5),
    }


if __name__ == "__main__":
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    with tempfile.TemporaryDirectory(prefix="anyecg-bench-") as at:
        result = asyncio.run(measure(int(sys.argv[1]), float(sys.argv[2]), Path(at)))
    print(json.dumps(result))
