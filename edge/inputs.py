"""INPUT of the commands: a file, the id of a stored recording, or `demo`; and what was found in it."""

from pathlib import Path

from edge.contact import Off, stretches_off
from edge.errors import InputUnreadable
from edge.formats.memory import DEMO_ID, demo_recording
from edge.formats.sniff import open_file
from edge.pipeline import annotate
from edge.recording.library import ID_PATTERN
from edge.recording.store import MAGIC, SUFFIX, StoredRecording
from edge.settings import Settings
from edge.types import Annotations, Lead, Recording

# The lead in which beats stand out best comes first (a limb or chest lead along the heart's axis).
LEAD_PREFERENCE = ("ii", "mlii", "ecg", "i", "mv5", "v5", "cm5", "v4", "v2", "v1")


def open_input(text: str, folder: Path, lead: str | None = None) -> Recording:
    """The recording that a command names: a file, a stored one's id, or a strap's name for its latest one.

    `folder` holds the stored ones. InputError says what to do instead.
    """
    path = Path(text)
    if _is_stored(path):
        return StoredRecording(path)
    if ID_PATTERN.fullmatch(text) and (folder / f"{text}{SUFFIX}").is_file():
        return StoredRecording(folder / f"{text}{SUFFIX}")
    if (latest := latest_of(text, folder)) is not None and not path.exists():
        return StoredRecording(latest)
    if text == DEMO_ID and not path.exists():
        return demo_recording()
    if not text.strip():
        raise InputUnreadable("The input's name is empty", "Give a file, or the id of a stored recording")
    return open_file(path, lead)


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

    RR intervals are never analysed afresh: there is nothing to find beats in.
    """
    lead, off = analysis_lead(recording.info.leads), list[Off]()
    if isinstance(recording, StoredRecording):
        found = recording.annotations()
        if recording.info.rr_only or found.n_samples >= recording.info.n_samples > 0:
            return found
        off = stretches_off(recording.link_events(), lead, recording.info.fs_hz)
    return annotate(recording, analysis_leads(recording.info.leads), settings, off)
