"""Where the rows of a CSV file lie on the time axis."""

from array import array
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from edge.errors import InputUnreadable, InputUnsupported
from edge.formats.csv_header import Column, seconds_per
from edge.formats.csv_rows import Block, RowFormat, line_of_row
from edge.types import Samples

_JUMP_STEPS = 1.5  # a longer step between two rows is a gap
_MAX_JUMP_SHARE = 0.05  # with more of them the times are too coarse or too irregular to tell gaps
_MIN_JUMPS = 3  # so many may be gaps even in a short file
_RATE_TOLERANCE = 0.01  # between a stated rate and the time column
_RATE_ROUNDING = 2e-4  # a measured rate so near to a whole number is that number: times have few digits
_MIN_FS_HZ = 20.0  # no ECG has fewer; settles the unit of times that state none
_STATE_RATE = "State the rate in a line such as '# fs_hz: 250' and remove the time column"


class TimeAxis(NamedTuple):
    """The rate, and the runs of rows without a gap: first row of each, and which sample that is."""

    fs_hz: float
    run_rows: Samples
    run_samples: Samples
    notes: tuple[str, ...] = ()

    @classmethod
    def without_gaps(cls, fs_hz: float) -> "TimeAxis":
        """The axis of rows that carry no times."""
        return cls(fs_hz, np.zeros(1, np.int64), np.zeros(1, np.int64))


class TimeSteps:
    """The steps between the times of all rows, collected block by block."""

    def __init__(self, form: RowFormat) -> None:
        self._form = form
        self._n_rows = 0
        self._last = np.empty(0)
        self._ordinary = 0.0
        self._sum = 0.0
        self._count = 0
        self._jump_rows = array("q")
        self._jump_steps = array("d")

    def add(self, times: NDArray[np.float64], block: Block) -> None:
        """Take the times of a block's rows, shape (n_rows,), in any unit.

        Raises InputUnreadable with the line of a time that is missing or earlier than the one before.
        """
        if not np.isfinite(times).all():
            line = line_of_row(self._form, block, int(np.argmin(np.isfinite(times))))
            raise InputUnreadable(f"{self._form.path} has no time in line {line}", "Correct that line")
        steps = np.diff(np.concatenate([self._last, times]))
        first_row = self._n_rows + len(times) - len(steps)
        if (steps < 0).any():
            row = first_row - self._n_rows + int(np.argmax(steps < 0))
            line = line_of_row(self._form, block, row)
            raise InputUnreadable(f"{self._form.path} goes back in time in line {line}", "Correct its times")
        if not self._ordinary and len(steps):
            median = float(np.median(steps))
            self._ordinary = float(steps[steps <= _JUMP_STEPS * median].mean())
            if not median:
                raise InputUnsupported(f"{self._form.path} gives the same time to several rows", _STATE_RATE)
        is_jump = steps > _JUMP_STEPS * self._ordinary
        self._sum += float(steps[~is_jump].sum())
        self._count += int((~is_jump).sum())
        self._jump_rows.extend((first_row + np.flatnonzero(is_jump)).tolist())
        self._jump_steps.extend(steps[is_jump].tolist())
        self._n_rows += len(times)
        self._last = times[-1:] if len(times) else self._last

    def axis(self, column: Column, stated_fs_hz: float | None, unit: str) -> TimeAxis:
        """The time axis of the rows so far; `unit` is that of the times, "" where it is not stated.

        Raises InputUnreadable where the stated rate and the times disagree, InputUnsupported where no rate
        follows from the times.
        """
        if not self._count:
            if stated_fs_hz is None:
                raise InputUnsupported(f"{self._form.path} is too short to tell its sampling rate", _STATE_RATE)
            return TimeAxis.without_gaps(stated_fs_hz)
        if len(self._jump_rows) > max(_MIN_JUMPS, _MAX_JUMP_SHARE * self._n_rows):
            raise InputUnsupported(f"{self._form.path} has times that are not regular", _STATE_RATE)
        notes = []
        if not unit:
            unit = _likely_unit(self._sum / self._count, stated_fs_hz)
            notes.append(f"Column {column.name} states no unit; {unit} was taken.")
        step_s = self._sum / self._count * (seconds_per(unit) or 1.0)
        fs_hz = 1 / step_s
        if abs(fs_hz - round(fs_hz)) < _RATE_ROUNDING * fs_hz:
            fs_hz = float(round(fs_hz))
        if stated_fs_hz is not None:
            if abs(fs_hz / stated_fs_hz - 1) > _RATE_TOLERANCE:
                raise InputUnreadable(
                    f"Header and data of {self._form.path} disagree: {stated_fs_hz:g} Hz is stated, "
                    f"the times make it {fs_hz:g} Hz",
                    "Correct the one that is wrong",
                )
            fs_hz = stated_fs_hz
        steps_s = np.array(self._jump_steps) * (seconds_per(unit) or 1.0)
        missing = np.maximum(1, np.rint(steps_s * fs_hz).astype(np.int64) - 1)
        rows = np.array(self._jump_rows, dtype=np.int64)
        return TimeAxis(
            fs_hz=fs_hz,
            run_rows=np.concatenate([[0], rows]),
            run_samples=np.concatenate([[0], rows + np.cumsum(missing)]),
            notes=tuple(notes),
        )


def _likely_unit(step: float, stated_fs_hz: float | None) -> str:
    """The unit that makes a step that of the stated rate, else of any ECG."""
    units = ("s", "ms", "us", "ns")
    rates_hz = {unit: 1 / (step * (seconds_per(unit) or 1.0)) for unit in units}
    if stated_fs_hz is not None:
        return min(units, key=lambda unit: abs(np.log(rates_hz[unit] / stated_fs_hz)))
    return next((unit for unit in units if rates_hz[unit] >= _MIN_FS_HZ), "ns")
