"""QRS detection on WFDB records with reference beats (.atr), first lead; the first five minutes are not scored.

Not the full EC57 report (labels and runs come later): detection only, gross and per record, ventricular flutter
(between [ and ]) left out as bxb does, the four paced records left out as the MIT-BIH reporting rules say.
"""

from pathlib import Path
from typing import Any

import numpy as np
from sleepecg import detect_heartbeats

from bench.match import BEAT_SYMBOLS, Counts, compare, total
from bench.measure import machine
from edge.clean.quality import State
from edge.errors import UsageError
from edge.formats.sniff import open_file
from edge.pipeline import annotate

PACED = frozenset({"102", "104", "107", "217"})


def run(data: Path | None, records: tuple[str, ...]) -> dict[str, Any]:
    """Score every record of the folder `data`, or those named."""
    if data is None or not data.is_dir():
        raise UsageError("bench beats needs recordings", "Give a folder of WFDB records with .atr files as --data")
    names = records or tuple(p.stem for p in sorted(data.glob("*.atr")) if p.stem not in PACED)
    if not names:
        raise UsageError(f"{data} holds no .atr files", "Give a folder of WFDB records as --data")
    rows, counts, bare = [], [], []
    for name in names:
        scored, bare_detector, row = score(data / name)
        counts.append(scored)
        bare.append(bare_detector)
        rows.append({"record": name, **row})
    gross = total(counts)
    return {
        "command": f"anyecg bench beats --data {data.name}" + (f" --records {','.join(records)}" if records else ""),
        "rules": "150 ms, first 5 min and ventricular flutter left out, first lead",
        "machine": machine(),
        "gross": figures(gross),
        "gross_of_bare_sleepecg": figures(total(bare)),
        "average": {
            "se_percent": round(100 * float(np.mean([c.sensitivity for c in counts])), 2),
            "pp_percent": round(100 * float(np.mean([c.positive_predictivity for c in counts])), 2),
        },
        "rows": rows,
    }


def score(path: Path) -> tuple[Counts, Counts, dict[str, Any]]:
    """Counts, those of sleepecg on the whole record beside them, and the row of one record."""
    import wfdb

    recording = open_file(path)
    annotations = annotate(recording, lead=0)
    reference = wfdb.rdann(str(path), "atr")
    beats = np.array(
        [s for s, symbol in zip(reference.sample, reference.symbol, strict=True) if symbol in BEAT_SYMBOLS],
        np.int64,
    )
    edges = [int(s) for s, symbol in zip(reference.sample, reference.symbol, strict=True) if symbol in "[]"]
    skipped = list(zip(edges[::2], edges[1::2], strict=False))
    counts = compare(beats, annotations.beats, annotations.fs_hz, skipped)
    whole_mv = recording.read_mv(0, recording.info.n_samples)[:, 0].astype(np.float64)
    bare = compare(beats, np.asarray(detect_heartbeats(whole_mv, annotations.fs_hz)), annotations.fs_hz, skipped)
    unusable_s = int((annotations.quality == State.UNUSABLE).sum())
    recording.close()
    return counts, bare, {**figures(counts), "unusable_s": unusable_s}


def figures(counts: Counts) -> dict[str, Any]:
    """Counts and percentages."""
    return {
        "matched": counts.matched,
        "missed": counts.missed,
        "extra": counts.extra,
        "se_percent": round(100 * counts.sensitivity, 2),
        "pp_percent": round(100 * counts.positive_predictivity, 2),
    }
