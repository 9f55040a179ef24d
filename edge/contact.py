"""Electrodes without contact: what lies in such a stretch is no ECG, however it looks."""

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from edge.clean.quality import Reason, State
from edge.types import Decided, LinkEvent

REPORT_S = 2.0  # straps tell of contact once a second, about what they sensed in the second before


@dataclass(frozen=True, slots=True)
class Off:
    """A stretch without contact, by sample index; `stop` is None while it lasts."""

    start: int
    stop: int | None = None


def contact_event(sample: int, leads: Collection[int] = (), *, made: bool) -> LinkEvent:
    """The link event that keeps a change of contact of these leads (indices; none: all), told counting from 1."""
    which = f" (lead {', '.join(str(lead + 1) for lead in sorted(leads))})" if leads else ""
    return LinkEvent(sample, "contact", f"contact {'made' if made else 'lost'}{which}")


def stretches_off(events: Iterable[LinkEvent], lead: int, fs_hz: float) -> list[Off]:
    """Stretches in which this lead (an index) had no contact, from a recording's link events."""
    found: list[Off] = []
    for event in events:
        found = with_event(found, event, lead, fs_hz)
    return found


def with_event(off: list[Off], event: LinkEvent, lead: int, fs_hz: float) -> list[Off]:
    """The stretches after one more event."""
    told = re.fullmatch(r"contact (made|lost)(?: \(lead ([\d, ]+)\))?", event.detail)
    if event.kind != "contact" or told is None:
        return off
    if told[2] and lead + 1 not in {int(number) for number in told[2].split(",")}:
        return off
    lasts = bool(off) and off[-1].stop is None
    if told[1] == "lost" and not lasts:
        return [*off, Off(max(0, event.sample - round(REPORT_S * fs_hz)))]
    if told[1] == "made" and lasts:
        return [*off[:-1], replace(off[-1], stop=event.sample)]
    return off


def seconds_off(first_second: int, n: int, off: Sequence[Off], fs_hz: float) -> NDArray[np.bool_]:
    """Which of `n` seconds lie in a stretch without contact, if only in part."""
    bad = np.zeros(n, bool)
    for stretch in off:
        a = int(stretch.start / fs_hz) - first_second
        b = n if stretch.stop is None else int(np.ceil(stretch.stop / fs_hz)) - first_second
        bad[max(0, a) : max(0, b)] = True
    return bad


def without_contact(decided: Decided, off: Sequence[Off], fs_hz: float) -> Decided:
    """The decision with its seconds in such stretches made unusable, and their beats left out."""
    first, n = decided.first_second, len(decided.quality)
    bad = seconds_off(first, n, off, fs_hz)
    if not bad.any():
        return decided
    # Second k begins at sample round(k * fs_hz).
    begins = np.round((first + np.arange(n)) * fs_hz).astype(np.int64)
    second = np.searchsorted(begins, decided.beats, side="right") - 1
    return replace(
        decided,
        beats=decided.beats[~bad[np.clip(second, 0, n - 1)]],
        quality=np.where(bad, np.uint8(State.UNUSABLE), decided.quality),
        reasons=np.where(bad, np.uint8(Reason.LEAD_OFF), decided.reasons),
    )
