"""Rows of a CSV file, a block of whole lines at a time."""

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge.errors import InputUnreadable
from edge.formats.csv_header import clock_time

BLOCK_BYTES = 1 << 18  # about ten thousand rows: little to parse twice for a window, few blocks to remember
_NO_VALUE = frozenset([b"", b"nan", b"na", b"null", b"none"])


@dataclass(frozen=True, slots=True)
class RowFormat:
    """How the rows of a file are written."""

    path: Path
    delimiter: str
    n_columns: int


@dataclass(frozen=True, slots=True)
class Block:
    """Whole lines of a file: without quotes and carriage returns, with decimal points."""

    first_line: int
    text: bytes


def blocks(form: RowFormat, offset: int, first_line: int) -> Iterator[tuple[int, Block]]:
    """Cut a file from a byte on into blocks of about `BLOCK_BYTES`, each with the byte after it."""
    with form.path.open("rb") as file:
        file.seek(offset)
        while raw := file.read(BLOCK_BYTES):
            if not raw.endswith(b"\n"):
                raw += file.readline(BLOCK_BYTES)
            offset += len(raw)
            yield offset, clean(form, raw, first_line)
            first_line += raw.count(b"\n")


def clean(form: RowFormat, raw: bytes, first_line: int) -> Block:
    """Make one block of whole lines, with decimal points for commas where commas do not part the cells."""
    text = raw.replace(b"\r", b"").replace(b'"', b"")
    if form.delimiter != ",":
        text = text.replace(b",", b".")
    return Block(first_line, text if text.endswith(b"\n") else text + b"\n")


def numbers(form: RowFormat, block: Block, columns: Sequence[int]) -> NDArray[np.float64]:
    """The columns of all rows, shape (n_rows, len(columns)); NaN for empty cells.

    Raises InputUnreadable with the line of a row that has too many cells, too few, or text.
    """
    n_rows = _n_rows_if_regular(form, block)
    if n_rows:
        text = io.StringIO(block.text.decode("latin-1"))
        try:
            table = np.loadtxt(text, delimiter=form.delimiter, comments=None, usecols=columns, ndmin=2)
        except ValueError:
            pass  # an empty cell or text: the slow way tells which, and knows the line
        else:
            if len(table) == n_rows:
                return table
    rows = [[_number(form, line, cells[k]) for k in columns] for line, cells in _rows(form, block)]
    return np.array(rows, dtype=np.float64).reshape(-1, len(columns))


def clock_seconds(form: RowFormat, block: Block, column: int) -> NDArray[np.float64]:
    """A column of ISO 8601 times as seconds since 1970; times without a zone are taken as UTC."""
    seconds = []
    for line, cells in _rows(form, block):
        time = clock_time(cells[column].decode("latin-1"))
        if time is None:
            raise InputUnreadable(f"{form.path} has no time in line {line}", "Correct that line")
        seconds.append((time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp())
    return np.array(seconds, dtype=np.float64)


def first_row(form: RowFormat, block: Block) -> list[bytes]:
    """The cells of a block's first row; none where it has no row."""
    return next((cells for _, cells in _rows(form, block)), [])


def line_of_row(form: RowFormat, block: Block, row: int) -> int:
    """Number of the line that holds a row of a block."""
    return next(line for k, (line, _) in enumerate(_rows(form, block)) if k == row)


def _n_rows_if_regular(form: RowFormat, block: Block) -> int:
    """Number of rows where every line is one with the right number of cells, else 0."""
    text = np.frombuffer(block.text, dtype=np.uint8)
    ends = np.flatnonzero(text == ord("\n"))
    delimiters = np.flatnonzero(text == ord(form.delimiter))
    n_cells = np.diff(np.searchsorted(delimiters, ends), prepend=0) + 1
    has_other_lines = b"#" in block.text or bool((np.diff(ends, prepend=-1) == 1).any())
    return 0 if has_other_lines or bool((n_cells != form.n_columns).any()) else len(ends)


def _rows(form: RowFormat, block: Block) -> Iterator[tuple[int, list[bytes]]]:
    """Line number and cells of each row; blank lines and comments are passed over."""
    delimiter = form.delimiter.encode()
    for line, text in enumerate(block.text.split(b"\n"), start=block.first_line):
        if not text.strip() or text.lstrip().startswith(b"#"):
            continue
        cells = text.split(delimiter)
        if len(cells) != form.n_columns:
            raise InputUnreadable(
                f"{form.path} has {len(cells)} cells in line {line} where its header has {form.n_columns}",
                "Correct that line",
            )
        yield line, cells


def _number(form: RowFormat, line: int, cell: bytes) -> float:
    if cell.strip().lower() in _NO_VALUE:
        return float("nan")
    try:
        return float(cell)
    except ValueError:
        text = cell.strip()[:20].decode("latin-1")
        raise InputUnreadable(f"{form.path} has {text!r} for a number in line {line}", "Correct that line") from None
