"""Virtual straps recorded over real ATT traffic: every sample at its place, without and with 200 random faults.

The recording is the first record of --data (30 minutes of MIT-BIH), else the demo ECG played again and again for
half an hour. Faults come at random times: lost notifications, silences, lost links, streams ended by the device, a
clock that is set, also while nothing arrives. What a device without a clock or counter loses is placed by the time of arrival.
"""

import asyncio
import tempfile
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from bench.measure import machine
from bench.strap_run import StrapRun, compare, switched_on
from edge.errors import UsageError
from edge.formats.memory import ArrayRecording, demo_recording
from edge.inputs import open_input
from edge.recording.store import StoredRecording
from edge.types import Recording
from firmware_bridge.air import Air
from firmware_bridge.faults import FaultScript, random_faults
from firmware_bridge.simulate import DEVICES, new_device

HALF_HOUR_S = 1800.0
PLAIN_SPEED, FAULTY_SPEED = 60.0, 10.0
N_FAULTS = 200
SILENCES = ("dropouts", "stalls", "disconnects")
LINK_FAULTS = (*SILENCES, "device_stops")
CLOCK_FAULTS = (*LINK_FAULTS, "clock_jumps")
WITHOUT_CLOCK = ("healthypi", "heart-rate")  # they neither end their stream nor have a clock that could be set
# The lowest bit of a Ganglion's difference is its sign: no receiver gets what its converter measured to the last bit.
COMPARED = tuple(name for name in DEVICES if name != "ganglion")


def run(data: Path | None, records: tuple[str, ...]) -> dict[str, Any]:
    """Both runs of each device; `records` may name devices."""
    unknown = sorted(set(records) - set(COMPARED))
    if unknown:
        raise UsageError(f"{unknown[0]!r} is not compared", f"Devices: {', '.join(COMPARED)}")
    recording = half_hour(data)
    rows = []
    for device in records or COMPARED:
        rows.append({"device": device, "faults": 0, **_outcome(device, recording, FaultScript(), PLAIN_SPEED)})
        for kinds in (LINK_FAULTS, CLOCK_FAULTS) if device not in WITHOUT_CLOCK else (SILENCES,):
            script = random_faults(N_FAULTS, HALF_HOUR_S, kinds, seed=3)
            outcome = _outcome(device, recording, script, FAULTY_SPEED)
            rows.append({"device": device, "faults": N_FAULTS, "kinds": kinds, **outcome})
    return {
        "command": "anyecg bench straps" + (" --data mitdb" if data else ""),
        "signal": recording.info.id,
        "faults": N_FAULTS,
        "faulty_speed": FAULTY_SPEED,
        "machine": machine(),
        "rows": rows,
    }


def half_hour(data: Path | None) -> Recording:
    """Thirty minutes of one lead."""
    if data is not None:
        heads = sorted(data.glob("*.hea"))
        if not heads:
            raise UsageError(f"{data} holds no WFDB record", "Name a folder of MIT-BIH records")
        return open_input(str(heads[0]), data)
    demo = demo_recording()
    n = round(HALF_HOUR_S * demo.info.fs_hz)
    tiled = np.resize(demo.read_mv(0, demo.info.n_samples)[:, 0], n)
    return ArrayRecording("demo, tiled", tiled, demo.info.fs_hz, demo.info.leads)


def _outcome(device: str, recording: Recording, script: FaultScript, speed: float) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="anyecg-bench-") as folder:
        done = asyncio.run(_record(device, recording, replace(script, seed=3), speed, Path(folder)))
        stored = StoredRecording(done.paths[0])
        info, gaps = stored.info, stored.annotations().gaps
        stored.close()
        counts = {
            "speed": speed,
            "recordings": len(done.paths),
            "fs_hz": info.fs_hz,
            "duration_s": round(info.duration_s, 3),
            "gaps": len(gaps),
            "gap_s": round(sum(gap.stop - gap.start for gap in gaps) / info.fs_hz, 3),
            "reconnects": done.source.status.reconnects,
            "rejected": done.source.status.rejected,
            "dropped": done.mail.dropped,
            "clock_jumps": done.counts.clock_jumps,
        }
        if not info.leads:
            return counts
        same = compare(done)
        return {**counts, "exact": same.exact, **asdict(same)}


async def _record(device: str, recording: Recording, script: FaultScript, speed: float, folder: Path) -> StrapRun:
    air = Air()
    peripheral = new_device(device, recording, air, faults=script, speed=speed)
    async with switched_on(peripheral):
        done = StrapRun(folder, peripheral, air)
        await done.record()
        return done
