"""What `anyecg analyze` writes: JSON, CSV, WFDB annotations, HTML. Each file is written aside and then renamed."""

import json
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge.errors import AnyecgError, StorageFull
from edge.formats.wfdb_annotations import annotation_parts
from edge.interpret.intervals import intervals_of
from edge.report.recording_page import report_page
from edge.report.tables import beats_csv, quality_csv, rhythms_csv
from edge.settings import RhythmSettings
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
    makers: dict[str, Callable[[], dict[str, Iterable[bytes]]]] = {
        "json": lambda: {f"{stem}.json": [_json(analysed)]},
        "csv": lambda: _tables(analysed),
        "wfdb": lambda: {f"{stem}.anyecg": annotation_parts(analysed.annotations), **_wfdb_header(analysed)},
        "html": lambda: {
            f"{stem}.html": [
                report_page(analysed.recording, analysed.annotations, analysed.lead, analysed.summary).encode()
            ]
        },
    }
    written = []
    for name in formats:
        for file, parts in makers[name]().items():
            written.append(_replace(out / file, parts))
    return written


def _replace(path: Path, parts: Iterable[bytes]) -> Path:
    aside = path.with_name(f".{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with aside.open("wb") as file:
            file.writelines(parts)
        return aside.replace(path)
    except OSError as error:
        with suppress(OSError):
            aside.unlink(missing_ok=True)
        if error.errno == 28:
            raise StorageFull(f"No space left for {path}", "Free space and run the command again") from error
        raise AnyecgError(f"Cannot write {path}: {error.strerror}", "Choose another --out folder") from error


def _json(analysed: Analysed) -> bytes:
    return (json.dumps(analysed.summary, indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode()


def _wfdb_header(analysed: Analysed) -> dict[str, Iterable[bytes]]:
    """Of RR intervals a record without signals, which tells readers of the annotations their rate."""
    info = analysed.recording.info
    if not info.rr_only:
        return {}
    return {f"{info.id}.hea": [f"{info.id} 0 {info.fs_hz:g} {info.n_samples}\n".encode()]}


def _tables(analysed: Analysed) -> dict[str, Iterable[bytes]]:
    stem, found = analysed.recording.info.id, analysed.annotations
    intervals = intervals_of(found, 0.0, found.n_samples / found.fs_hz, RhythmSettings())
    tables: dict[str, Iterable[bytes]] = {
        f"{stem}.beats.csv": beats_csv(found, intervals.valid),
        f"{stem}.quality.csv": quality_csv(found),
    }
    if found.read:
        tables[f"{stem}.rhythms.csv"] = rhythms_csv(found)
    return tables
