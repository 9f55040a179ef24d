"""What `anyecg analyze` writes: JSON, CSV, WFDB annotations, HTML. Each file is written aside and then renamed."""

import csv
import io
import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge.clean.quality import State, describe
from edge.errors import AnyecgError, StorageFull
from edge.formats.wfdb_annotations import annotation_bytes
from edge.report.page import report_page
from edge.types import Annotations, Recording

FORMATS = ("html", "json", "csv", "wfdb")
PLANNED = ("edf", "fhir")


@dataclass(frozen=True, slots=True, eq=False)
class Analysed:
    """One recording with everything found and measured in it."""

    recording: Recording
    annotations: Annotations
    lead: int
    summary: dict[str, Any]


def write_files(analysed: Analysed, out: Path, formats: tuple[str, ...]) -> list[Path]:
    """Write the files of the named formats into `out`; StorageFull or AnyecgError when that fails."""
    stem = analysed.recording.info.id
    makers: dict[str, Callable[[], dict[str, bytes]]] = {
        "json": lambda: {f"{stem}.json": _json(analysed)},
        "csv": lambda: {
            f"{stem}.beats.csv": _beats_csv(analysed),
            f"{stem}.quality.csv": _quality_csv(analysed),
        },
        "wfdb": lambda: {f"{stem}.anyecg": annotation_bytes(analysed.annotations), **_wfdb_header(analysed)},
        "html": lambda: {
            f"{stem}.html": report_page(
                analysed.recording, analysed.annotations, analysed.lead, analysed.summary
            ).encode()
        },
    }
    written = []
    for name in formats:
        for file, data in makers[name]().items():
            written.append(_replace(out / file, data))
    return written


def _replace(path: Path, data: bytes) -> Path:
    aside = path.with_name(f".{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        aside.write_bytes(data)
        return aside.replace(path)
    except OSError as error:
        with suppress(OSError):
            aside.unlink(missing_ok=True)
        if error.errno == 28:
            raise StorageFull(f"No space left for {path}", "Free space and run the command again") from error
        raise AnyecgError(f"Cannot write {path}: {error.strerror}", "Choose another --out folder") from error


def _json(analysed: Analysed) -> bytes:
    return (json.dumps(analysed.summary, indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode()


def _wfdb_header(analysed: Analysed) -> dict[str, bytes]:
    """Of RR intervals a record without signals, which tells readers of the annotations their rate."""
    info = analysed.recording.info
    if not info.rr_only:
        return {}
    return {f"{info.id}.hea": f"{info.id} 0 {info.fs_hz:g} {info.n_samples}\n".encode()}


def _beats_csv(analysed: Analysed) -> bytes:
    fs_hz, beats = analysed.annotations.fs_hz, analysed.annotations.beats
    rows = ((int(b), f"{b / fs_hz:.4f}") for b in beats)
    return _table(("sample", "time_s"), rows)


def _quality_csv(analysed: Analysed) -> bytes:
    a = analysed.annotations
    rows = (
        (k, State(int(q)).name.lower(), describe(int(r)))
        for k, (q, r) in enumerate(zip(a.quality, a.reasons, strict=True))
    )
    return _table(("second", "state", "reasons"), rows)


def _table(header: tuple[str, ...], rows: Any) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return text.getvalue().encode()
