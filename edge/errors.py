"""Every error that anyecg raises on purpose, in one tree. A bad *signal* is never an error.

* AnyecgError                 one line for people: what, where, what to do
  x UsageError                the call itself is wrong                       (exit 2)
  x InputError                an input cannot be used                       (exit 3)
    + InputUnreadable         missing, truncated, contradictory
    + InputUnsupported        a kind of file or signal this version does not read
  x StorageError              the recording store cannot go on              (exit 3)
    + StorageFull             no space left; what was stored is intact
  x LinkError                 a wearable or a broker cannot be reached      (exit 3)
  x ModelError                the language model cannot serve               (costs fluency only)
  x ExtraMissing              an optional package is not installed          (exit 3)
"""


class AnyecgError(Exception):
    """Base of all errors here; its text is one line that ends with the next step."""

    exit_code = 3

    def __init__(self, what: str, advice: str = "") -> None:
        super().__init__(f"{what}. {advice}" if advice else what)
        self.advice = advice


class UsageError(AnyecgError):
    """The call itself is wrong."""

    exit_code = 2


class InputError(AnyecgError):
    """An input cannot be used."""


class InputUnreadable(InputError):
    """The input is missing, truncated or contradicts itself."""


class InputUnsupported(InputError):
    """The input is a kind of file or signal that this version does not read."""


class StorageError(AnyecgError):
    """The recording store cannot go on."""


class StorageFull(StorageError):
    """No space is left; what was stored is intact."""


class LinkError(AnyecgError):
    """A wearable or a broker cannot be reached."""


class ModelError(AnyecgError):
    """The language model cannot serve; answers fall back to plain sentences."""


class ExtraMissing(AnyecgError):
    """An optional package is not installed."""

    def __init__(self, package: str, extra: str) -> None:
        super().__init__(f"This needs the package {package}", f"Install it with: pip install 'anyecg-edge[{extra}]'")
