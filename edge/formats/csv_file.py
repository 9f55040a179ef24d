"""CSV files with a header that states unit and rate, read by window.

One pass at opening checks every row, and remembers where blocks of rows begin and where the time column
jumps; a window then parses its own blocks only.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge.errors import InputUnreadable, InputUnsupported
from edge.formats import csv_rows, leads
from edge.formats.csv_header import Column, CsvHeader, clock_time
from edge.formats.csv_times import TimeAxis, TimeSteps
from edge.formats.reading import FileRecording, check_time_axis, reading
from edge.types import Lead, RecordingInfo


def open_csv(path: Path, header: CsvHeader, lead: str | None = None) -> FileRecording:
    """Open a CSV file whose header was understood: all its ECG columns, or the named one.

    Raises InputUnreadable, InputUnsupported or UsageError.
    """
    path = path.absolute()
    with reading(path):
        return FileRecording(path, _CsvSource(path, header, lead))


class _CsvSource:
    """The ECG columns of a file on one time axis."""

    def __init__(self, path: Path, header: CsvHeader, lead: str | None) -> None:
        self._form = csv_rows.RowFormat(path, header.delimiter, len(header.columns))
        time_column = _time_column(header.columns)
        if header.fs_hz is None and time_column is None:
            raise InputUnsupported(
                f"{path} does not state its sampling rate", "Add a line such as '# fs_hz: 250' at its top"
            )
        signals = [
            (k, column if column.unit else replace(column, unit=header.unit))
            for k, column in enumerate(header.columns)
            if not column.is_time and not column.is_row_number
        ]
        units = [column.unit for _, column in signals]
        if "" in units and not any(leads.mv_per_unit(unit) for unit in units):
            raise InputUnsupported(
                f"{path} does not state the unit of its signals", "Add a line such as '# unit: mV' at its top"
            )
        offered = [leads.Signal(column.name, column.unit, header.fs_hz or 0.0) for _, column in signals]
        chosen = leads.choose(offered, lead, path)
        self._columns = [signals[i][0] for i in chosen.indices]
        self._mv_per_unit = np.array(chosen.mv_per_unit)
        self._block_rows = [0]
        self._block_ends = [header.data_offset]
        self._axis, start = self._index(header, time_column)
        n_samples = int(self._axis.run_samples[-1] - self._axis.run_rows[-1]) + self._block_rows[-1]
        check_time_axis(path, self._axis.fs_hz, n_samples)
        self.info = RecordingInfo(
            id=path.stem,
            leads=tuple(
                Lead(name, original_unit=offered[i].unit) for name, i in zip(chosen.names, chosen.indices, strict=True)
            ),
            fs_hz=self._axis.fs_hz,
            n_samples=n_samples,
            start=header.start or start,
            source="csv",
            notes=(*chosen.notes, *header.notes, *self._axis.notes),
        )

    def samples_mv(self, start: int, stop: int) -> NDArray[np.float64]:
        """Millivolts of samples [start, stop)."""
        samples_mv = np.full((stop - start, len(self._columns)), np.nan)
        first, last = self._first_row_from(start), self._first_row_from(stop)
        if first == last:
            return samples_mv
        # Blocks from `begin` to `end` hold the rows [first, last).
        begin = int(np.searchsorted(self._block_rows, first, side="right")) - 1
        end = int(np.searchsorted(self._block_rows, last, side="left"))
        with self._form.path.open("rb") as file:
            file.seek(self._block_ends[begin])
            raw = file.read(self._block_ends[end] - self._block_ends[begin])
        table = csv_rows.numbers(self._form, csv_rows.clean(self._form, raw, 0), self._columns)
        if len(table) != self._block_rows[end] - self._block_rows[begin]:
            raise InputUnreadable(f"{self._form.path} has changed since it was opened", "Open it again")
        rows = np.arange(first, last)
        run = np.searchsorted(self._axis.run_rows, rows, side="right") - 1
        places = self._axis.run_samples[run] + rows - self._axis.run_rows[run] - start
        offset = self._block_rows[begin]
        samples_mv[places] = table[first - offset : last - offset] * self._mv_per_unit
        return samples_mv

    def gap_cause(self, start: int) -> str:
        """Tell a jump of the time column from rows without values."""
        rows = self._first_row_from(start), self._first_row_from(start + 1)
        return "time column jumps" if rows[0] == rows[1] else "empty cells"

    def _first_row_from(self, sample: int) -> int:
        """The first row that lies at a sample or later."""
        run = int(np.searchsorted(self._axis.run_samples, sample, side="right")) - 1
        row = int(self._axis.run_rows[run]) + sample - int(self._axis.run_samples[run])
        is_last = run + 1 == len(self._axis.run_rows)
        return min(row, self._block_rows[-1] if is_last else int(self._axis.run_rows[run + 1]))

    def _index(self, header: CsvHeader, time_column: int | None) -> tuple[TimeAxis, datetime | None]:
        """Read all rows once; the time axis, and the time of the first row where times are dates."""
        form = self._form
        steps = TimeSteps(form)
        start: datetime | None = None
        for end, block in csv_rows.blocks(form, header.data_offset, header.data_line):
            if time_column is None:
                n_rows = len(csv_rows.numbers(form, block, self._columns))
            elif start or (self._block_rows[-1] == 0 and (start := _first_time(form, block, time_column))):
                steps.add(csv_rows.clock_seconds(form, block, time_column), block)
                n_rows = len(csv_rows.numbers(form, block, self._columns))
            else:
                table = csv_rows.numbers(form, block, [time_column, *self._columns])
                steps.add(table[:, 0], block)
                n_rows = len(table)
            self._block_rows.append(self._block_rows[-1] + n_rows)
            self._block_ends.append(end)
        if self._block_rows[-1] == 0:
            raise InputUnreadable(f"{form.path} holds no samples", "Give a recording with a signal")
        if time_column is None:
            return TimeAxis.without_gaps(header.fs_hz or 0.0), None
        column = header.columns[time_column]
        return steps.axis(column, header.fs_hz, "s" if start else column.unit), start


def _time_column(columns: Sequence[Column]) -> int | None:
    """The column of times: of several, one that states its unit."""
    times = [k for k, column in enumerate(columns) if column.is_time]
    return next((k for k in times if columns[k].unit), times[0] if times else None)


def _first_time(form: csv_rows.RowFormat, block: csv_rows.Block, column: int) -> datetime | None:
    """Date and time of a block's first row; None where it has none."""
    cells = csv_rows.first_row(form, block)
    return clock_time(cells[column].decode("latin-1")) if cells else None
