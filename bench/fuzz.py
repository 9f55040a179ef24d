"""Every protocol decoder under atheris, a coverage-guided fuzzer: how many inputs, and whether one broke it."""

import importlib.util
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from bench.measure import machine
from edge.errors import UsageError

ROOT = Path(__file__).parents[1]
RUNS = 300_000
LIMIT_S = 1800  # per decoder
_DONE = re.compile(r"^Done (\d+)", re.MULTILINE)
_INPUT = re.compile(r"^Base64: .*", re.MULTILINE)
_COVERED = re.compile(r"cov: (\d+)")
_TOLD_LINES = 12


def run(data: Path | None, records: tuple[str, ...]) -> dict[str, Any]:  # noqa: ARG001 - needs no recordings
    """Fuzz each decoder with 300,000 inputs; `records` may name some of them, and a number of inputs."""
    if importlib.util.find_spec("atheris") is None:
        raise UsageError("The fuzzer atheris is not installed", "Install it with: pip install atheris")
    if not (ROOT / "fuzz" / "decoders.py").is_file():
        raise UsageError("The fuzzing harness is not part of an installed package", "Run this in the source tree")
    from fuzz.decoders import TARGETS

    runs = next((int(text) for text in records if text.isdecimal()), RUNS)
    chosen = [text for text in records if not text.isdecimal()] or list(TARGETS)
    if unknown := [name for name in chosen if name not in TARGETS]:
        raise UsageError(f"There is no decoder {unknown[0]!r}", f"Decoders: {', '.join(TARGETS)}")
    return {
        "command": "anyecg bench fuzz",
        "machine": machine(),
        "rows": [fuzz_one(name, runs) for name in chosen],
    }


def fuzz_one(name: str, runs: int) -> dict[str, Any]:
    """Inputs tried, branches covered; where an input broke the decoder, how, and the input."""
    command = [sys.executable, "-m", "fuzz.decoders", name, "--runs", str(runs)]
    began = time.monotonic()
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=LIMIT_S, check=False)
        trace, told, code = done.stdout, done.stderr, done.returncode
    except subprocess.TimeoutExpired as error:
        trace, told, code = "", (error.stderr or b"").decode(errors="replace"), -1
    finished, covered = _DONE.findall(told), _COVERED.findall(told)
    row: dict[str, Any] = {
        "decoder": name,
        "inputs": int(finished[-1]) if finished else None,
        "coverage": int(covered[-1]) if covered else None,
        "seconds": round(time.monotonic() - began, 1),
        "broken": code != 0,
    }
    if code != 0:
        row["told"] = trace.splitlines()[-_TOLD_LINES:] + _INPUT.findall(told)
    return row
