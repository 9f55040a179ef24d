"""Many recordings, one after another or several at a time; results come as they finish."""

import multiprocessing
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from edge.errors import AnyecgError
from edge.inputs import analysis_lead, annotations_of, open_input, why_unread
from edge.report.files import Analysed, write_files
from edge.report.summary import summarise
from edge.settings import Settings


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one input."""

    input: str
    files: list[str] = field(default_factory=list)
    summary: dict[str, Any] = field(default_factory=dict)
    problem: str | None = None
    """Why it failed, in one line; None when it did not."""
    unread: str = ""
    """Why beats were found and not read; empty where they were, or where there is nothing to read."""


def analyse_all(
    inputs: list[str],
    out: Path,
    formats: tuple[str, ...],
    folder: Path,
    settings: Settings,
    lead: str | None,
    jobs: int,
) -> Iterator[Result]:
    """Analyse every input and yield its result; one that fails stops none of the others."""
    if jobs == 1 or len(inputs) == 1:
        for text in inputs:
            yield analyse_one(text, out, formats, folder, settings, lead)
        return
    # spawn: the same on every system, and no thread of ours is copied half-way
    with ProcessPoolExecutor(min(jobs, len(inputs)), multiprocessing.get_context("spawn")) as pool:
        waiting = {pool.submit(analyse_one, text, out, formats, folder, settings, lead): text for text in inputs}
        for future in as_completed(waiting):
            try:
                yield future.result()
            except BrokenProcessPool:
                yield Result(waiting[future], problem="The process that analysed it was ended (out of memory?)")


def analyse_one(
    text: str, out: Path, formats: tuple[str, ...], folder: Path, settings: Settings, lead: str | None
) -> Result:
    """Analyse one input and write its files; what goes wrong is in the result."""
    try:
        recording = open_input(text, folder, lead)
        try:
            annotations = annotations_of(recording, settings)
            info, index = recording.info, analysis_lead(recording.info.leads)
            if unread := why_unread(info, annotations):
                info = replace(info, notes=(*info.notes, unread))
            summary = summarise(info, annotations, index, settings, recording)
            files = write_files(Analysed(recording, annotations, index, summary), out, formats)
        finally:
            recording.close()
    except AnyecgError as error:
        return Result(text, problem=str(error))
    return Result(text, [str(file) for file in files], summary, unread=unread)
