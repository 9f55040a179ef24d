"""A page to look at: strips of every rhythm and of every kind of failure, found beside reference.

`python -m bench.examples --data DIR --out FILE.html` reads MIT-BIH records. Above each strip stands what was found,
below it what the reference says. Failures are those of the EC57 scores, but of the whole record: beats missed and
invented, labels confused, fibrillation missed and invented, P waves found in fibrillation.
"""

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.delineation import has_p
from bench.ec57 import AF, Reference, Side, Spans, inside, read_reference, window_of
from bench.ec57_beats import pair_beats
from bench.subject import af_spans, analysed, read_folds, side_of
from edge.errors import UsageError
from edge.formats.sniff import open_file
from edge.interpret.rhythm import MEANING
from edge.report.page import figure, page
from edge.types import Annotations, Recording, Span

PER_KIND = 4  # strips of each kind of failure; one per record before a second of any
SIDE_S = 2.5  # shown to each side of a failure
RHYTHM_S = 8.0  # shown of a rhythm, from shortly before it begins …
LEAD_IN_S = 2.0  # … so long before


@dataclass(frozen=True, slots=True)
class Example:
    """A place of a record to look at."""

    kind: str
    record: str
    span: Span


@dataclass(frozen=True, slots=True, eq=False)
class Compared:
    """A record with what was found in it and what its reference says."""

    name: str
    path: Path
    reference: Reference
    found: Annotations

    @property
    def marked(self) -> Annotations:
        """The reference as annotations, to be drawn like what was found."""
        side = self.reference.side()
        none = np.empty(0, np.uint8)
        fs_hz, n = self.reference.fs_hz, self.reference.n_samples
        return Annotations(fs_hz, n, side.beats, none, none, (), side.labels, rhythms=self.reference.rhythms)


def rhythm_examples(compared: Compared) -> Iterator[Example]:
    """The longest stretch of each rhythm of a record's reference."""
    fs_hz = compared.reference.fs_hz
    longest = {r.label: r for r in sorted(compared.reference.rhythms, key=lambda r: r.stop - r.start)}
    for label, r in longest.items():
        start_s = max(0.0, r.start / fs_hz - LEAD_IN_S)
        yield Example(label, compared.name, Span(start_s, start_s + RHYTHM_S, MEANING.get(label, label)))


def failures(compared: Compared) -> Iterator[Example]:
    """Every place at which what was found differs from the reference."""
    reference, found = compared.reference, compared.found
    ours, theirs, fs_hz = reference.side(), side_of(found), reference.fs_hz
    pairs = pair_beats(ours.beats, theirs.beats, window_of(fs_hz))
    extra = pairs.extra[~inside(theirs.beats[pairs.extra], reference.vf)]
    yield from _at(compared, "missed beat", ours.beats[pairs.missed])
    yield from _at(compared, "false beat", theirs.beats[extra])
    if not found.read:
        return
    yield from _confused(compared, ours, theirs, pairs.reference, pairs.test)
    yield from _stretches(compared, "missed fibrillation", reference.spans_of(AF), af_spans(found))
    yield from _stretches(compared, "false fibrillation", af_spans(found), reference.spans_of("(AF"))
    yield from _at(
        compared, "P wave in fibrillation", found.beats[has_p(found) & inside(found.beats, reference.spans_of(AF))]
    )


def _confused(
    compared: Compared, ours: Side, theirs: Side, reference: NDArray[np.int64], test: NDArray[np.int64]
) -> Iterator[Example]:
    for i, j in zip(reference.tolist(), test.tolist(), strict=True):
        true, told = chr(ours.labels[i]), chr(theirs.labels[j])
        if true != told:
            yield from _at(compared, f"{true} called {told}", ours.beats[i : i + 1])


def _stretches(compared: Compared, kind: str, these: Spans, others: Spans) -> Iterator[Example]:
    """Where stretches begin of which more than half does not lie in the others."""
    for start, stop in these.tolist():
        common = np.minimum(others[:, 1], stop) - np.maximum(others[:, 0], start)
        if 2 * int(common.clip(0).sum()) < stop - start:
            yield from _at(compared, kind, np.array([start]))


def _at(compared: Compared, kind: str, samples: NDArray[np.int64]) -> Iterator[Example]:
    for at_s in (samples / compared.reference.fs_hz).tolist():
        yield Example(kind, compared.name, Span(max(0.0, at_s - SIDE_S), at_s + SIDE_S, kind))


def chosen(examples: list[Example], most: int = PER_KIND) -> list[Example]:
    """At most so many, spread over the records: the first of each record, then the second of each …"""
    rank: dict[str, int] = {}
    ordered = []
    for example in examples:
        rank[example.record] = rank.get(example.record, 0) + 1
        ordered.append((rank[example.record], example))
    return [example for _, example in sorted(ordered, key=lambda pair: pair[0])[:most]]


def examples_page(records: list[Compared], lead: int = 0) -> str:
    """The page as HTML: rhythms, then failures with how many there are of each kind."""
    rhythms: dict[str, list[Example]] = {}
    failed: dict[str, list[Example]] = {}
    for compared in records:
        for example in rhythm_examples(compared):
            rhythms.setdefault(example.kind, []).append(example)
        for example in failures(compared):
            failed.setdefault(example.kind, []).append(example)
    by_name = {compared.name: compared for compared in records}
    note = f"Above each strip: what was found. Below: what the reference says. Records: {', '.join(by_name)}."
    if not any(compared.found.read for compared in records):
        note += " Beats were found and not labelled, so that labels, fibrillation and waves cannot be compared."
    body = [f'<h1>Examples</h1><p class="soft">{escape(note)}</p><h2>Rhythms</h2>']
    order = [*[label for label in MEANING if label in rhythms], *[label for label in rhythms if label not in MEANING]]
    for label in order:
        longest = max(rhythms[label], key=lambda e: _length(by_name[e.record], label))
        body += [
            f"<h3>{escape(f'{MEANING.get(label, label)} · {label}')}</h3>",
            _figure(by_name[longest.record], longest, lead),
        ]
    body.append("<h2>Failures</h2>")
    for kind, places in sorted(failed.items(), key=lambda item: -len(item[1])):
        where = ", ".join(sorted({e.record for e in places}))
        body.append(f'<h3>{escape(kind)}: {len(places)}</h3><p class="soft">in {escape(where)}</p>')
        body += [_figure(by_name[e.record], e, lead) for e in chosen(places)]
    if not failed:
        body.append("<p>None.</p>")
    return page("Examples", "".join(body))


def _length(compared: Compared, label: str) -> int:
    return max(r.stop - r.start for r in compared.reference.rhythms if r.label == label)


def _figure(compared: Compared, example: Example, lead: int) -> str:
    recording: Recording = open_file(compared.path)
    try:
        label = f"{compared.name}: {example.span.label}"
        span = Span(example.span.start_s, min(example.span.end_s, recording.info.duration_s), label)
        return figure(recording, span, lead, compared.found, compared.marked)
    finally:
        recording.close()


def main(arguments: list[str] | None = None) -> None:
    """Analyse the records of a folder and write the page; UsageError for an empty folder."""
    parser = argparse.ArgumentParser(prog="python -m bench.examples", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of MIT-BIH records")
    parser.add_argument("--out", type=Path, required=True, help="page to write")
    parser.add_argument("--records", default="", help="names, joined by commas; all by default")
    parser.add_argument("--folds", type=Path, help="folder of networks, each with the records it has never seen")
    given = parser.parse_args(arguments)
    names = [name for name in given.records.split(",") if name] or sorted(p.stem for p in given.data.glob("*.atr"))
    if not names:
        raise UsageError(f"{given.data} holds no *.atr", "Give the folder of the records as --data")
    folds = None if given.folds is None else read_folds(given.folds)
    records = []
    for name in names:
        path = given.data / name
        bundle = None if folds is None else folds.bundle("mitdb", name)
        records.append(Compared(name, path, read_reference(path), analysed(path, 0, bundle)))
    given.out.write_text(examples_page(records), encoding="utf-8")


if __name__ == "__main__":
    main()
