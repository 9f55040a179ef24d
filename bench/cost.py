"""CPU and peak memory of `anyecg analyze` for long recordings.

The signal is the demo ECG, resampled to 250 Hz and tiled: real in shape, synthetic in length. It is written as WFDB
format 16, so reading is part of the cost.
"""

import sys
import tempfile
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import scipy.signal

from bench.measure import cost_of, machine
from edge.formats.memory import demo_recording

FS_HZ = 250
LENGTHS_H = (24, 14 * 24)


def run(data: Path | None, records: tuple[str, ...]) -> dict[str, Any]:  # noqa: ARG001 - needs no recordings
    """Measure both lengths; `records` may name other lengths in hours."""
    rows = []
    with tempfile.TemporaryDirectory(prefix="anyecg-bench-") as folder:
        for hours in (float(r) for r in records) if records else LENGTHS_H:
            path = write_tiled(Path(folder), hours)
            command = [
                sys.executable,
                "-m",
                "edge",
                "analyze",
                str(path),
                "--out",
                f"{folder}/out",
                "--formats",
                "json",
            ]
            cost = cost_of(command)
            rows.append(
                {
                    "hours": hours,
                    "exit_code": cost.exit_code,
                    "cpu_s": round(cost.cpu_s, 2),
                    "peak_rss_mb": round(cost.peak_rss_mb, 1),
                }
            )
            path.with_suffix(".dat").unlink()
    return {
        "command": "anyecg bench cost",
        "signal": "the demo ECG (5 min, one lead) resampled to 250 Hz and tiled; WFDB format 16; --formats json",
        "machine": machine(),
        "rows": rows,
    }


def write_tiled(folder: Path, hours: float) -> Path:
    """A WFDB record of the tiled demo ECG; returns its path without ending."""
    info = demo_recording().info
    signal_mv = demo_recording().read_mv(0, info.n_samples)[:, 0]
    ratio = Fraction(FS_HZ, round(info.fs_hz))
    tile = (
        np.rint(200 * scipy.signal.resample_poly(signal_mv, ratio.numerator, ratio.denominator)).astype("<i2").tobytes()
    )
    n_samples = round(hours * 3600 * FS_HZ)
    path = folder / f"tiled{hours:g}h"
    with path.with_suffix(".dat").open("wb") as file:
        left = 2 * n_samples
        while left > 0:
            left -= file.write(tile[:left])
    path.with_suffix(".hea").write_text(f"{path.name} 1 {FS_HZ} {n_samples}\n{path.name}.dat 16 200 16 0 0 0 0 ECG\n")
    return path
