"""Frames to pieces of a recording: order restored, duplicates and late frames counted, gaps declared.

A pure stage: the state is a value that goes in and comes out. The wearable's own sample counter decides where a frame
belongs; the host clock only feeds the time map.
"""

from dataclasses import dataclass, field
from typing import Literal

from edge.types import Frame, Gap, LinkEvent, Piece, Window

MAX_GAP_SAMPLES = 10**9  # three months at 130 Hz: a counter that jumps further is damage, not absence
REMEMBERED_GAPS = 64
UNKNOWN_CAUSE = "link lost"


@dataclass(slots=True)
class AssemblyState:
    """Where the assembly of one link stands."""

    hold_frames: int = 8
    """So many frames are held back to put a late one in its place."""
    origin: int | None = None
    """The wearable's counter at sample 0 of the recording."""
    n_leads: int | None = None
    """Leads of the first frame; frames with another number are damaged."""
    next_sample: int = 0
    """Index after the last sample handed on."""
    held: list[Frame] = field(default_factory=list)
    """Frames ahead of a hole, by their place."""
    lost: list[tuple[int, int]] = field(default_factory=list)
    """The latest gaps declared, to tell a late frame from a repeated one."""
    received: int = 0
    duplicates: int = 0
    late: int = 0
    malformed: int = 0


def assemble(frame: Frame, state: AssemblyState) -> tuple[list[Piece], list[LinkEvent], AssemblyState]:
    """Put one frame in its place; return the pieces and events that are now certain."""
    state.received += 1
    if frame.signal_mv.ndim != 2 or 0 in frame.signal_mv.shape or state.n_leads not in {None, frame.signal_mv.shape[1]}:
        state.malformed += 1
        return [], [], state
    if state.origin is None:
        state.origin, state.n_leads = frame.first_sample, frame.signal_mv.shape[1]
    start = frame.first_sample - state.origin
    stop = start + len(frame.signal_mv)
    if abs(start - state.next_sample) > MAX_GAP_SAMPLES:
        state.malformed += 1
        return [], [], state
    if stop <= state.next_sample or any(held.first_sample == frame.first_sample for held in state.held):
        return [], [_count_repeated(start, state)], state
    state.held.append(frame)
    state.held.sort(key=lambda held: held.first_sample)
    pieces, events = _release(state, limit=state.hold_frames)
    return pieces, events, state


def flush(state: AssemblyState) -> tuple[list[Piece], list[LinkEvent]]:
    """Hand on what is still held; holes before it become gaps. For the end of a link and for silences."""
    return _release(state, limit=0)


def give_up(before_sample: int, state: AssemblyState) -> tuple[list[Piece], list[LinkEvent]]:
    """Samples before this index will not come any more: hand on what waited for them."""
    pieces: list[Piece] = []
    events: list[LinkEvent] = []
    while state.held and state.next_sample < before_sample:
        new_pieces, new_events = _release(state, limit=len(state.held) - 1)
        pieces += new_pieces
        events += new_events
    return pieces, events


def _count_repeated(start: int, state: AssemblyState) -> LinkEvent:
    """A frame whose place is taken: sent twice, or so late that a gap was declared."""
    kind: Literal["late", "duplicate"] = "duplicate"
    if any(a <= start < b for a, b in state.lost):
        kind = "late"
        state.late += 1
    else:
        state.duplicates += 1
    return LinkEvent(max(0, start), kind, "frame dropped")


def _release(state: AssemblyState, limit: int) -> tuple[list[Piece], list[LinkEvent]]:
    pieces: list[Piece] = []
    events: list[LinkEvent] = []
    while state.held:
        start = state.held[0].first_sample - (state.origin or 0)
        if start > state.next_sample:
            if len(state.held) <= limit:
                break
            pieces.append(Gap(state.next_sample, start, state.held[0].after or UNKNOWN_CAUSE))
            events.append(LinkEvent(state.next_sample, "gap", f"{start - state.next_sample} samples missing"))
            state.lost = [*state.lost, (state.next_sample, start)][-REMEMBERED_GAPS:]
            state.next_sample = start
        frame = state.held.pop(0)
        # A frame that overlaps what is already there gives its new part only.
        signal_mv = frame.signal_mv[state.next_sample - start :]
        if len(signal_mv):
            pieces.append(Window(state.next_sample, signal_mv))
            state.next_sample += len(signal_mv)
    return pieces, events
