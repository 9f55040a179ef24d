"""A replay killed with SIGKILL at random moments: does the recording open, and what does it lack?

The child replays the demo ECG into a store and reports, through a pipe, each frame after it was handed over. The
parent kills it at a random moment, opens what is left and compares.
"""

import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from bench.measure import machine
from edge.formats.memory import demo_recording
from edge.recording.store import StoredRecording

TIMES = 100
SPEED = 300.0
CHILD = "bench.kill_child"


def run(data: Path | None, records: tuple[str, ...], times: int = TIMES) -> dict[str, Any]:  # noqa: ARG001 - needs no recordings
    """Kill `times` replays; every lost sample counts from the last one handed over."""
    chance = random.Random(20261121)
    whole_mv = demo_recording().read_mv(0, demo_recording().info.n_samples)
    fs_hz = demo_recording().info.fs_hz
    opened, lost_s, wrong = 0, [], 0
    with tempfile.TemporaryDirectory(prefix="anyecg-kill-") as folder:
        for k in range(times):
            path = Path(folder) / f"{k}.anyecg"
            handed = killed_replay(path, chance.uniform(0.01, 0.95))
            stored = StoredRecording(path)
            n_samples = stored.info.n_samples
            opened += 1
            wrong += not np.array_equal(stored.read_mv(0, n_samples), whole_mv[:n_samples])
            lost_s.append(max(0.0, (handed - n_samples) / fs_hz))
            stored.annotations()
            stored.close()
    return {
        "command": "anyecg bench kill",
        "machine": machine(),
        "times": times,
        "opened": opened,
        "with_wrong_samples": wrong,
        "lost_s": {"max": round(max(lost_s), 3), "median": round(float(np.median(lost_s)), 3)},
    }


def killed_replay(path: Path, after_s: float) -> int:
    """Replay into `path` and kill the process `after_s` seconds after its first frame; samples handed over by then."""
    with subprocess.Popen([sys.executable, "-m", CHILD, str(path), str(SPEED)], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(after_s)
        process.send_signal(signal.SIGKILL)
        rest = process.stdout.read()
    reported = [line for line in rest.split(b"\n")[:-1] if line]
    return int(reported[-1]) if reported else 0
