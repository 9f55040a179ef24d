"""What an accuracy bench was asked to do: which records, which lead, and which network reads each of them."""

import shlex
from dataclasses import dataclass
from pathlib import Path

from bench import Options
from bench.subject import Folds, read_folds
from edge.errors import UsageError


@dataclass(frozen=True, slots=True)
class Request:
    """One call of an accuracy bench."""

    bench: str
    data: Path
    records: tuple[str, ...]
    """As named in the call; empty: all that the bench takes by default."""
    options: Options
    folds: Folds | None

    @property
    def command(self) -> str:
        """The call, with the names of folders alone: results must not tell where somebody keeps their data."""
        words = ["anyecg", "bench", self.bench, "--data", self.data.resolve().name]
        words += ["--records", ",".join(self.records)] if self.records else []
        words += ["--lead", str(self.options.lead)] if self.options.lead is not None else []
        words += ["--folds", self.options.folds.resolve().name] if self.options.folds is not None else []
        words += ["--peers"] if self.options.peers else []
        return shlex.join(words)

    @property
    def subject(self) -> str:
        """What was measured, in words."""
        if self.folds is None:
            return "anyecg as installed"
        return "anyecg with the network that had never seen the record (cross-validation by record)"

    def bundle(self, data_set: str, record: str) -> Path | None:
        """The network to read a record with; None: the installed one. Raises UsageError."""
        return None if self.folds is None else self.folds.bundle(data_set, record)


def requested(
    bench: str, data: Path | None, needs: str, records: tuple[str, ...], options: Options, *, races: bool = False
) -> Request:
    """Check a call; `needs` is a pattern that the folder must hold, `races` whether other detectors can take part.

    Raises UsageError.
    """
    if data is None or not any(data.glob(needs)):
        where = f"{data} holds no {needs}" if data else f"bench {bench} needs recordings"
        raise UsageError(where, "Give the folder of the records as --data")
    if options.peers and not races:
        raise UsageError(f"bench {bench} takes no --peers", "mitdb and nstdb do")
    return Request(bench, data, records, options, None if options.folds is None else read_folds(options.folds))
