"""Accuracy and cost, measured: each module is one `anyecg bench NAME`."""

import importlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge.errors import UsageError

BENCHES = {
    "mitdb": "beats, labels, runs and atrial fibrillation on MIT-BIH records by the rules of EC57 (--data)",
    "nstdb": "beats under electrode-motion noise by its strength, MIT-BIH Noise Stress Test (--data)",
    "cinc2017": "normal, atrial fibrillation, other or too noisy: the score of the CinC 2017 challenge (--data)",
    "ludb": "P, QRS and T waves against cardiologists' marks, lead by lead (--data)",
    "cost": "CPU and memory of `analyze` for 24 hours and 14 days of one lead at 250 Hz",
    "kill": "a replay killed with SIGKILL at random moments: what the recording lacks",
    "ask": "time to the first word and to the whole answer, warm",
    "link": "bytes per sample of the open ECG link on real ECG (--data), flash and RAM of its C header",
    "rr": "RR intervals over lossy notifications without time stamps (--data)",
    "straps": "virtual straps over real ATT traffic: sample-exact reception, also with 200 random faults",
    "load": "eight virtual straps at once on one core: losses, packet to stored, CPU",
    "day": "24 hours of one strap at 60 times real time: memory and time map",
    "fuzz": "random and mutated bytes into every decoder (needs atheris)",
    "words": "how often the language model's rewording passes the check",
}
ACCURACY = ("mitdb", "nstdb", "cinc2017", "ludb")
"""The benches that take `Options`."""


@dataclass(frozen=True, slots=True)
class Options:
    """What only the accuracy benches can be asked for."""

    lead: int | None = None
    """Index of the one lead to read; None: the first, or all where leads are compared."""
    folds: Path | None = None
    """Folder of networks, each with the records that it has never seen; see bench.subject."""
    peers: bool = False
    """Run other detectors beside it."""


def run_bench(name: str, data: Path | None, records: tuple[str, ...], options: Options | None = None) -> dict[str, Any]:
    """Run one bench and return its result document."""
    if name not in BENCHES:
        raise UsageError(f"There is no bench {name!r}", f"Benches: {', '.join(BENCHES)}")
    chosen = options or Options()
    module = importlib.import_module(f"bench.{name}")
    if name in ACCURACY:
        return {"bench": name, **module.run(data, records, chosen)}
    if chosen != Options():
        raise UsageError(f"bench {name} takes no --lead, --folds or --peers", f"These do: {', '.join(ACCURACY)}")
    return {"bench": name, **module.run(data, records)}
