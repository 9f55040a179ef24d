"""Small recordings for the tests of the readers."""

from pathlib import Path

import numpy as np

from edge.types import Recording


def whole(recording: Recording) -> np.ndarray:
    return recording.read_mv(0, recording.info.n_samples)


def write_header(folder: Path, first_line: str, *lines: str) -> Path:
    path = folder / f"{first_line.split()[0].split('/')[0]}.hea"
    path.write_text("\n".join([first_line, *lines]) + "\n", encoding="latin-1")
    return path


def write_record(folder: Path, counts: np.ndarray, gain: str = "200(10)/mV", fs: str = "250", name: str = "r") -> Path:
    """Format 16, one or more signals of (n,) or (n, n_signals) converter values."""
    table = counts[:, None] if counts.ndim == 1 else counts
    table.astype("<i2").tofile(folder / f"{name}.dat")
    lines = [f"{name}.dat 16 {gain} 16 0 0 0 0 V{k + 1}" for k in range(table.shape[1])]
    return write_header(folder, f"{name} {table.shape[1]} {fs} {len(counts)}", *lines)


def write_csv(folder: Path, text: str, encoding: str = "utf-8") -> Path:
    path = folder / "strap.csv"
    path.write_bytes(text.encode(encoding))
    return path


def rows(*columns, delimiter: str = ",", end: str = "\n") -> str:
    return "".join(delimiter.join(str(cell) for cell in row) + end for row in zip(*columns, strict=True))


def times_s(n: int = 600, fs_hz: float = 250, digits: int = 3) -> list[str]:
    return [f"{k / fs_hz:.{digits}f}" for k in range(n)]
