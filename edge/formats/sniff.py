"""Opens a recording of any kind that is read here; the kind is told by its content, not by its name."""

from pathlib import Path

from edge.errors import InputUnreadable, InputUnsupported
from edge.formats.csv_file import open_csv
from edge.formats.csv_header import read_csv_header
from edge.formats.edf_file import BDF_MAGIC, EDF_MAGIC, open_edf
from edge.formats.reading import reading
from edge.formats.wfdb_file import open_wfdb
from edge.formats.wfdb_header import RECORD_LINE, header_path
from edge.types import Recording

_HEAD_BYTES = 1 << 16  # far more than the comments above any table
_KINDS = "Give a WFDB record, an EDF or BDF file, or a CSV file with column names"


def open_file(path: Path, lead: str | None = None) -> Recording:
    """Open a WFDB record, an EDF, EDF+ or BDF file, or a CSV file with a header.

    `path` may be a WFDB header, a record without ending, or another file of a record. All ECG leads are read,
    or only the one that `lead` names, in any case.

    Raises InputUnreadable (missing, damaged, contradictory), InputUnsupported (another kind of file, or no
    ECG in it) and UsageError (no such lead), each with one line that tells what to do.
    """
    with reading(path):
        return _open(Path(path), lead)


def _open(path: Path, lead: str | None) -> Recording:
    if path.name and not path.is_file() and header_path(path).is_file():
        return open_wfdb(path, lead)
    if path.is_dir():
        raise InputUnsupported(f"{path} is a folder", "Give one recording in it")
    if path.exists() and not path.is_file():
        raise InputUnsupported(f"{path} is not an ordinary file", _KINDS)
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
    if not head:
        raise InputUnreadable(f"{path} is empty", "Copy the file again")
    if head.startswith((EDF_MAGIC, BDF_MAGIC)):
        return open_edf(path, lead)
    if _is_text(head):
        if _is_wfdb_header(head):
            if path.suffix != ".hea":
                raise InputUnsupported(f"{path} looks like a WFDB header", "Give it a name that ends in .hea")
            return open_wfdb(path.with_suffix(""), lead)
        csv_header = read_csv_header(head)
        if csv_header is not None:
            return open_csv(path, csv_header, lead)
    if path.suffix != ".hea" and path.with_suffix(".hea").is_file():
        return open_wfdb(path.with_suffix(""), lead)
    raise InputUnsupported(f"{path} is no recording that this version reads", _KINDS)


def _is_text(head: bytes) -> bool:
    """Whether no byte is a control character other than white space."""
    return not set(head) & (set(range(32)) - set(b"\t\n\r\f\v"))


def _is_wfdb_header(head: bytes) -> bool:
    """Whether the first line that is no comment describes a record."""
    lines = (line.strip() for line in head.decode("latin-1").splitlines())
    first = next((line for line in lines if line and not line.startswith("#")), "")
    return RECORD_LINE.fullmatch(first) is not None
