"""Accuracy and cost, measured: each module is one `anyecg bench NAME`."""

import importlib
from pathlib import Path
from typing import Any

from edge.errors import UsageError

BENCHES = {
    "cost": "CPU and memory of `analyze` for 24 hours and 14 days of one lead at 250 Hz",
    "kill": "a replay killed with SIGKILL at random moments: what the recording lacks",
    "ask": "time to the first word and to the whole answer, warm",
    "beats": "QRS sensitivity and positive predictivity on the records of a WFDB folder (--data)",
    "quality": "share of unusable seconds by the CinC 2017 class of the recording (--data)",
    "link": "bytes per sample of the open ECG link on real ECG (--data), flash and RAM of its C header",
    "rr": "RR intervals over lossy notifications without time stamps (--data)",
    "straps": "virtual straps over real ATT traffic: sample-exact reception, also with 200 random faults",
    "load": "eight virtual straps at once on one core: losses, packet to stored, CPU",
    "day": "24 hours of one strap at 60 times real time: memory and time map",
    "fuzz": "random and mutated bytes into every decoder (needs atheris)",
    "words": "how often the language model's rewording passes the check",
}


def run_bench(name: str, data: Path | None, records: tuple[str, ...]) -> dict[str, Any]:
    """Run one bench and return its result document."""
    if name not in BENCHES:
        raise UsageError(f"There is no bench {name!r}", f"Benches: {', '.join(BENCHES)}")
    result: dict[str, Any] = importlib.import_module(f"bench.{name}").run(data, records)
    return {"bench": name, **result}
