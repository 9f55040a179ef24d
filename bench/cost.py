"""What the analysis costs: CPU and peak memory of `anyecg analyze`, its parts, beats alone, and reading as it comes in.

The signal is the demo ECG, resampled to 250 Hz and tiled: real in shape, synthetic in length. It is written as WFDB
format 16, so reading is part of the cost. Whole commands are measured by the operating system; parts in this process,
in CPU time, by a stopwatch around the functions that `PARTS` names.
"""

import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from statistics import median
from typing import Any
from unittest.mock import patch

import numpy as np
import scipy.signal
from numpy.typing import NDArray

from bench.measure import Cost, cost_of, machine
from edge.detect import classic, reading
from edge.detect.network import confirm, prepare, reader
from edge.detect.network.session import Network, load_network
from edge.errors import UsageError
from edge.formats.memory import demo_recording
from edge.formats.sniff import open_file
from edge.pipeline import AnalysisState, advance, annotate
from edge.report.summary import summarise
from edge.settings import Settings
from edge.types import Window

FS_HZ = 250
DAY_H = 24.0
LIVE_S = 600
RUNS = 3  # of up to a day: the speed of a shared machine drifts; the median is told
Signal = NDArray[np.float32]

PARTS: dict[str, tuple[tuple[Any, str], ...]] = {
    "resample and prepare": ((reading, "resample"), (prepare, "prepare"), (prepare, "settle")),
    "trunk": ((Network, "run_trunk"),),
    "confirming beats": (
        *((Network, name) for name in ("run_first_look", "run_beats")),
        *((confirm, name) for name in ("look", "company_of", "peak_numbers", "remember")),
        (reader, "find_peaks"),
    ),
    "context": ((Network, "run_context"),),
    "labels and waves": (
        (Network, "run_labels"),
        *((reader, name) for name in ("find_waves", "own_numbers", "take_in")),
        *((reader, name) for name in ("beat_features", "usual_features")),
        (reading, "label_beats"),
    ),
    "quality": ((reading, "assess_seconds"),),
    "rhythm": tuple((reading, name) for name in ("advance_rhythm", "current_rhythm", "finish_rhythm")),
}
"""Parts of reading with the network, and the functions that each consists of, where they are looked up."""
ALONE: dict[str, tuple[tuple[Any, str], ...]] = {"beats": ((classic, "find_beats"),), "quality": ((classic, "assess"),)}
"""The same of the classical path."""


@dataclass(slots=True)
class Stopwatch:
    """CPU seconds by part; a function that another one calls counts for the outer one."""

    cpu_s: dict[str, float] = field(default_factory=dict)
    running: bool = False

    def around(self, part: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function, with its time added to the part."""
        self.cpu_s.setdefault(part, 0.0)

        def timed(*args: Any, **kwargs: Any) -> Any:
            if self.running:
                return function(*args, **kwargs)
            self.running, began = True, time.process_time()
            try:
                return function(*args, **kwargs)
            finally:
                self.cpu_s[part] += time.process_time() - began
                self.running = False

        return timed


def run(data: Path | None, records: tuple[str, ...]) -> dict[str, Any]:  # noqa: ARG001 - needs no recordings
    """Measure 24 hours; `records` may name other lengths: hours, or days as in 14d."""
    lengths = tuple(hours_of(text) for text in records) or (DAY_H,)
    rows = []
    with tempfile.TemporaryDirectory(prefix="anyecg-bench-") as folder:
        for hours in lengths:
            path = write_tiled(Path(folder), hours)
            costs = [cost_of_analysis(path, Path(folder)) for _ in range(RUNS if hours <= DAY_H else 1)]
            path.with_suffix(".dat").unlink()
            cpu_s = [round(cost.cpu_s, 2) for cost in costs]
            rows.append(
                {
                    "hours": hours,
                    "exit_code": next((cost.exit_code for cost in costs if cost.exit_code), 0),
                    "cpu_s": round(median(cpu_s), 2),
                    "cpu_s_of_runs": cpu_s,
                    "peak_rss_mb": round(max(cost.peak_rss_mb for cost in costs), 1),
                }
            )
        hours = min(DAY_H, *lengths)
        path = write_tiled(Path(folder), hours)
        parts, alone = parts_of(path), beats_alone(path)
    return {
        "command": " ".join(("anyecg bench cost", *(["--records", ",".join(records)] if records else []))),
        "signal": "the demo ECG (5 min, one lead) resampled to 250 Hz and tiled; WFDB format 16; --formats json",
        "machine": machine(),
        "rows": rows,
        "parts": {"hours": hours, "cpu_s": parts},
        "beats_alone": {"hours": hours, "cpu_s": alone},
        "live": live(),
    }


def cost_of_analysis(path: Path, out: Path) -> Cost:
    """What `anyecg analyze` of a record costs, results in `out`."""
    return cost_of([sys.executable, "-m", "edge", "analyze", str(path), "--out", str(out), "--formats", "json"])


def hours_of(text: str) -> float:
    """Length in hours: "24" or "14d"; raises UsageError."""
    try:
        hours = 24 * float(text[:-1]) if text.endswith("d") else float(text)
    except ValueError:
        hours = 0.0
    if not 0 < hours < float("inf"):
        raise UsageError(f"{text!r} is no length", "Give hours, or days as in 14d, as --records")
    return hours


def parts_of(path: Path) -> dict[str, float]:
    """CPU seconds of reading a record with the network, by part, and of the facts and the summary made of them."""
    network, settings, recording = load_network(), Settings(), open_file(path)
    watch = Stopwatch()
    with _timed(watch, PARTS):
        began = time.process_time()
        found = annotate(recording, settings=settings, network=network)
        read_s = time.process_time() - began
    began = time.process_time()
    summarise(recording.info, found, 0, settings, recording)
    facts_s = time.process_time() - began
    recording.close()
    rest_s = read_s - sum(watch.cpu_s.values())
    told = {**watch.cpu_s, "file and everything else": rest_s, "facts": facts_s, "all": read_s + facts_s}
    return {part: round(cpu_s, 2) for part, cpu_s in told.items()}


def beats_alone(path: Path) -> dict[str, float]:
    """CPU seconds of the classical detector over its windows, of the quality that it goes by, and of all of that path."""
    recording, watch = open_file(path), Stopwatch()
    with _timed(watch, ALONE):
        began = time.process_time()
        annotate(recording, classical=True)
        all_s = time.process_time() - began
    recording.close()
    return {part: round(cpu_s, 2) for part, cpu_s in {**watch.cpu_s, "all": all_s}.items()}


def live(seconds: int = LIVE_S) -> dict[str, Any]:
    """CPU of reading signal that comes in second by second, as a share of one core."""
    tile_mv = tile()
    signal_mv = np.resize(tile_mv, seconds * FS_HZ)[:, None]
    state = AnalysisState(float(FS_HZ), (0,), Settings(), load_network())
    steps_s = []
    for start in range(0, len(signal_mv), FS_HZ):
        began = time.process_time()
        advance(Window(start, signal_mv[start : start + FS_HZ]), state)
        steps_s.append(time.process_time() - began)
    return {
        "seconds": seconds,
        "cpu_percent_of_one_core": round(100 * sum(steps_s) / seconds, 2),
        "slowest_second_ms": round(1000 * max(steps_s), 1),
    }


def _timed(watch: Stopwatch, parts: dict[str, tuple[tuple[Any, str], ...]]) -> ExitStack:
    """While it is entered, every function of the parts runs by the stopwatch."""
    with ExitStack() as stack:
        for part, functions in parts.items():
            for owner, name in functions:
                stack.enter_context(patch.object(owner, name, watch.around(part, getattr(owner, name))))
        return stack.pop_all()


def tile() -> Signal:
    """The demo ECG at 250 Hz in mV, shape (n,)."""
    info = demo_recording().info
    signal_mv = demo_recording().read_mv(0, info.n_samples)[:, 0]
    ratio = Fraction(FS_HZ, round(info.fs_hz))
    return np.asarray(scipy.signal.resample_poly(signal_mv, ratio.numerator, ratio.denominator), np.float32)


def write_tiled(folder: Path, hours: float) -> Path:
    """A WFDB record of the tiled demo ECG; returns its path without ending."""
    counts = np.rint(200 * tile()).astype("<i2").tobytes()
    n_samples = round(hours * 3600 * FS_HZ)
    path = folder / f"tiled{round(60 * hours)}min"
    with path.with_suffix(".dat").open("wb") as file:
        left = 2 * n_samples
        while left > 0:
            left -= file.write(counts[:left])
    path.with_suffix(".hea").write_text(f"{path.name} 1 {FS_HZ} {n_samples}\n{path.name}.dat 16 200 16 0 0 0 0 ECG\n")
    return path
