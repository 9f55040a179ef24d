"""INPUT of the commands: a file, the id of a stored recording, or `demo`; and what was found in it."""

from dataclasses import dataclass, replace
from pathlib import Path

from edge.contact import Off, stretches_off
from edge.detect.network.session import shipped_network, why_no_network
from edge.errors import InputUnreadable, UsageError
from edge.formats.memory import DEMO_ID, demo_recording
from edge.formats.sniff import open_file
from edge.pipeline import annotate
from edge.recording.library import ID_PATTERN
from edge.recording.store import MAGIC, SUFFIX, StoredRecording
from edge.settings import Settings
from edge.types import Annotations, Lead, LinkEvent, Recording, RecordingInfo, SignalMv

# The lead in which beats stand out best comes first (a limb or chest lead along the heart's axis).
LEAD_PREFERENCE = ("ii", "mlii", "ecg", "i", "mv5", "v5", "cm5", "v4", "v2", "v1")


WITHOUT_NETWORK = "Without it beats are found by rules and not labelled, no wave is measured and no rhythm named"


@dataclass(frozen=True, slots=True, eq=False)
class OneLead:
    """One lead of a recording, read by itself."""

    whole: Recording
    index: int

    @property
    def info(self) -> RecordingInfo:
        """What the recording is, with this lead alone."""
        info = self.whole.info
        return replace(info, leads=(info.leads[self.index],))

    def read_mv(self, start: int, stop: int) -> SignalMv:
        """Samples [start, stop), shape (n, 1)."""
        return self.whole.read_mv(start, stop)[:, [self.index]]

    def gap_cause(self, start: int) -> str:
        """Why the gap of all leads that begins at this sample exists."""
        return self.whole.gap_cause(start)

    def close(self) -> None:
        """Release files."""
        self.whole.close()

    def link_events(self) -> list[LinkEvent]:
        """What happened to the link, of a stored recording."""
        return self.whole.link_events() if isinstance(self.whole, StoredRecording) else []


def open_input(text: str, folder: Path, lead: str | None = None) -> Recording:
    """The recording that a command names: a file, a stored one's id, or a strap's name for its latest one.

    `folder` holds the stored ones; `lead` names the only one to read, in any case. InputError and UsageError (no such
    lead) say what to do instead.
    """
    path = Path(text)
    if _is_stored(path):
        return _only(StoredRecording(path), lead)
    if ID_PATTERN.fullmatch(text) and (folder / f"{text}{SUFFIX}").is_file():
        return _only(StoredRecording(folder / f"{text}{SUFFIX}"), lead)
    if text == DEMO_ID and not path.exists():
        return _only(demo_recording(), lead)
    if (latest := latest_of(text, folder)) is not None and not path.exists():
        return _only(StoredRecording(latest), lead)
    if not text.strip():
        raise InputUnreadable("The input's name is empty", "Give a file, or the id of a stored recording")
    return open_file(path, lead)


def _only(recording: Recording, lead: str | None) -> Recording:
    """The recording with the named lead alone; UsageError where it has none of that name."""
    name_of, names = recording.info.id, [known.name for known in recording.info.leads]
    if lead is None or [lead.lower()] == [name.lower() for name in names]:
        return recording
    for index, name in enumerate(names):
        if name.lower() == lead.lower():
            return OneLead(recording, index)
    recording.close()
    raise UsageError(f"{name_of} has no lead {lead!r}", f"Its leads: {', '.join(names) or 'none'}")


def latest_of(name: str, folder: Path) -> Path | None:
    """The newest recording of a strap, by its name; None where it has none."""
    if not ID_PATTERN.fullmatch(name):
        return None
    return max(folder.glob(f"{name}-[0-9]*T[0-9]*Z*{SUFFIX}"), key=lambda path: path.name, default=None)


def _is_stored(path: Path) -> bool:
    """Told by content, like every other kind of file."""
    try:
        with path.open("rb") as file:
            return file.read(len(MAGIC)) == MAGIC
    except (OSError, ValueError):  # open_file says what is wrong with it
        return False


def analysis_leads(leads: tuple[Lead, ...]) -> tuple[int, ...]:
    """Indices of all leads, the one that is measured first, the others in the order in which they may help out."""
    names = [lead.name.lower() for lead in leads]
    known = [names.index(name) for name in LEAD_PREFERENCE if name in names]
    return (*known, *(k for k in range(len(leads)) if k not in known))


def analysis_lead(leads: tuple[Lead, ...]) -> int:
    """Index of the lead that is measured."""
    return next(iter(analysis_leads(leads)), 0)


def annotations_of(recording: Recording, settings: Settings) -> Annotations:
    """What the store already holds of a recording that was analysed as it came in, else a fresh analysis.

    RR intervals are never analysed afresh: there is nothing to find beats in. Beats that were only found when the
    recording was made are read now where the network runs.
    """
    lead, off = analysis_lead(recording.info.leads), list[Off]()
    if isinstance(recording, StoredRecording):
        found = recording.annotations()
        whole = found.n_samples >= recording.info.n_samples > 0
        if recording.info.rr_only or (whole and (found.read or shipped_network() is None)):
            return found
        off = stretches_off(recording.link_events(), lead, recording.info.fs_hz)
    elif isinstance(recording, OneLead):
        off = stretches_off(recording.link_events(), recording.index, recording.info.fs_hz)
    return annotate(recording, analysis_leads(recording.info.leads), settings, off)


def why_unread(info: RecordingInfo, found: Annotations) -> str:
    """A sentence for people where beats were found and not read because the network cannot run; else empty."""
    if info.rr_only or found.read or not (why := why_no_network()):
        return ""
    return f"{no_network(why)}."


def no_network(why: str) -> str:
    """What it means that the network cannot run, in one line without a full stop at its end."""
    return f"The network that reads beats does not run ({why}). {WITHOUT_NETWORK}"
