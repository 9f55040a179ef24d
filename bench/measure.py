"""Whole-process cost of a command: CPU seconds and peak memory by the operating system's own accounting."""

import json
import os
import platform
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_CHILD = """
import json, resource, subprocess, sys
code = subprocess.call(sys.argv[1:], stdout=subprocess.DEVNULL)
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(json.dumps([code, used.ru_utime + used.ru_stime, used.ru_maxrss]))
"""


@dataclass(frozen=True, slots=True)
class Cost:
    """What one run of a command used."""

    exit_code: int
    cpu_s: float
    peak_rss_mb: float


def cost_of(command: list[str]) -> Cost:
    """Run a command to its end and return what it used (its largest process, on Linux in KiB)."""
    run = subprocess.run([sys.executable, "-c", _CHILD, *command], capture_output=True, text=True, check=True)
    code, cpu_s, rss_kib = json.loads(run.stdout.splitlines()[-1])
    return Cost(code, cpu_s, rss_kib / 1024)


def machine() -> dict[str, Any]:
    """What the figures were measured on."""
    model = platform.processor() or platform.machine()
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        model = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), model)
    except OSError:
        pass
    return {
        "cpu": model,
        "cpus": os.cpu_count(),
        "python": platform.python_version(),
        "system": platform.system(),
    }
