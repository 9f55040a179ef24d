"""RR intervals without time stamps to beats on a time axis of 1/1024 s; what was lost on the way becomes a gap.

A strap tells its intervals about once a second and no time with them, and a notification may come seconds late or
not at all. Every interval that arrives is kept as it was told: a beat is placed by the sum of the intervals, and no
interval is ever taken over a loss. That something was lost shows in the host's clock only: the beats fall behind it,
for good. So the lag of each notification is watched, and where the least lag of some seconds rises above what it was
in the minutes before, the intervals that are missing become a gap of that length, put where the lag rose most.

Two lags are watched, and both must rise. One is that of the last beat; it also rises by an interval, with nothing
lost, when beats and notifications of nearly the same rhythm move through each other (60 bpm, once a second). The
other is that of a notification thought to be sent every second; it also rises, with nothing lost, where a strap
notifies with every beat instead and the heart slows.

A pure stage: the state is a value that goes in and comes out.
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from edge.acquire.packets import RrPacket
from edge.settings import RrSettings
from edge.types import RR_HZ, Gap, LinkEvent

LOST = "RR intervals were lost on the way"
NO_RATE = "the strap had no valid heart rate"
NO_CONTACT = "no skin contact"
IMPLAUSIBLE = "the strap told an implausible interval"
NOTHING_YET = "no RR intervals yet"
UNKNOWN_LOSS = "link lost"


@dataclass(slots=True)
class Held:
    """A notification whose place is not decided yet."""

    lag_at: float
    """When it arrived, seconds of the recording's steady clock."""
    received_s: float
    rr: tuple[int, ...]
    """In 1/1024 s; a negative one is time that passed without a usable interval."""
    start: int
    """The beat that its first interval begins with."""
    cause: str = ""
    """Why there is a gap before it; empty: its first interval follows the last one."""
    placed: bool = True
    """Whether the length of that gap is known; else the lags that follow will tell."""

    @property
    def stop(self) -> int:
        """Its last beat."""
        return self.start + sum(abs(value) for value in self.rr)


@dataclass(slots=True)
class RrState:
    """Where the placing of one strap's intervals stands."""

    settings: RrSettings = field(default_factory=RrSettings)
    origin_s: float | None = None
    """Host clock at sample 0."""
    offset_s: float = 0.0
    """What is taken from the host clock because it stepped."""
    last_s: float = 0.0
    """Latest arrival, in seconds of the time axis plus lag."""
    broken: str = NOTHING_YET
    """Why the next interval does not follow the last one; empty when it does."""
    linked: bool = False
    contact_seen: bool = False
    """The strap has told of contact: it can tell."""
    held: list[Held] = field(default_factory=list)
    beat: int = 0
    """The newest beat, held ones included."""
    has_beat: bool = False
    tick: float = 0.0
    """When the newest notification was sent, in 1/1024 s of the time axis, as far as can be told."""
    lags: list[tuple[float, float, float]] = field(default_factory=list)
    """Arrival, lag of the last beat and lag of the notification, all in seconds, since the last break."""
    usual_s: tuple[float, float | None] | None = None
    """Both least lags of a minute as they were when nothing had been lost; after a break the second is not known."""
    lag_s: float = 0.0
    """Least lag of a beat before the latest break: it places the beats after it."""
    next_look_s: float = 0.0
    stop: int = 0
    """Everything before is decided."""
    last_gap: tuple[int, str] = (-1, "")
    """Where the latest gap ended, and its cause."""
    rejected: int = 0
    """Intervals that were not used."""


@dataclass(slots=True)
class Placed:
    """What one step has decided, in order."""

    beats: list[int] = field(default_factory=list)
    gaps: list[Gap] = field(default_factory=list)
    events: list[LinkEvent] = field(default_factory=list)
    anchors: list[tuple[int, float]] = field(default_factory=list)
    """Beats with the host clock at which they were told."""


def place_rr(packet: RrPacket, received_s: float, state: RrState) -> tuple[Placed, RrState]:
    """Take in one notification; `received_s` is a steady host clock, in seconds. Returns what is now certain."""
    out = Placed()
    now_s = _steady(received_s, state, out)
    state.contact_seen |= packet.contact is True
    no_contact = packet.contact is False and state.contact_seen  # some straps' flag is always off
    if packet.rate_bpm is None or (no_contact and not packet.rr):
        state.rejected += len(packet.rr)
        if state.broken in {"", NO_RATE, NOTHING_YET}:
            state.broken = NO_CONTACT if packet.contact is False else NO_RATE
    elif rr := _usable(packet.rr, state):
        _hold(rr, now_s, received_s, state)
    else:
        state.tick += state.settings.tick_s * RR_HZ
    if not state.broken:
        _look_for_losses(now_s, state)
    _release(now_s - state.settings.hold_s, state, out)
    if state.broken and not state.held:
        grown_until = round((now_s - state.settings.hold_s - state.lag_s) * RR_HZ)
        if grown_until - state.stop >= state.settings.hold_s * RR_HZ:
            _gap_until(grown_until, state.broken, state, out)
    return out, state


def lose_link(received_s: float, cause: str, state: RrState) -> tuple[Placed, RrState]:
    """The link is lost: whatever comes next does not follow what came before."""
    out = Placed()
    _release(float("inf"), state, out)
    if state.origin_s is not None:
        state.last_s = max(state.last_s, received_s + state.offset_s - state.origin_s)
        if state.broken:
            _gap_until(round((state.last_s - state.lag_s) * RR_HZ), state.broken, state, out)
    state.broken, state.linked = cause or UNKNOWN_LOSS, False
    return out, state


def flush_rr(state: RrState) -> tuple[Placed, RrState]:
    """Hand on all that is held; a break that is still open is a gap up to the last that was heard."""
    out = Placed()
    _release(float("inf"), state, out)
    if state.broken:
        _gap_until(round((state.last_s - state.lag_s) * RR_HZ), state.broken, state, out)
    return out, state


def _steady(received_s: float, state: RrState, out: Placed) -> float:
    """Seconds since the first arrival by a clock without steps: no silence of a standing link is so long."""
    if state.origin_s is None:
        state.origin_s = received_s
    now_s = received_s + state.offset_s - state.origin_s
    step_s = now_s - state.last_s
    if step_s < 0 or (state.linked and step_s > state.settings.longest_silence_s):
        ahead_s = step_s if step_s < 0 else step_s - state.settings.tick_s
        state.offset_s -= ahead_s
        now_s -= ahead_s
        if abs(ahead_s) >= state.settings.tick_s:
            out.events.append(LinkEvent(state.stop, "clock", f"the host clock stepped by {ahead_s:+.1f} s"))
    state.last_s, state.linked = now_s, True
    return now_s


def _usable(rr: tuple[int, ...], state: RrState) -> tuple[int, ...]:
    """The intervals, those that no heart makes as negative time; 0 and 1 are no time at all."""
    low, high = state.settings.shortest_rr_s * RR_HZ, state.settings.longest_rr_s * RR_HZ
    usable: list[int] = []
    for value in rr:
        if low <= value <= high:
            usable.append(value)
            continue
        state.rejected += 1
        if usable and usable[-1] < 0:
            usable[-1] -= value
        elif value > 1:  # the least that a gap between two beats can be
            usable.append(-value)
    return tuple(usable)


def _hold(rr: tuple[int, ...], now_s: float, received_s: float, state: RrState) -> None:
    """Give a notification its place for now: after the last one, or after a break by the clock."""
    length, tick = sum(abs(value) for value in rr), state.settings.tick_s * RR_HZ
    if state.broken:
        _settle(state)
        if state.lags:
            recent_s = state.lags[-1][0] - state.settings.history_s / 4
            state.lag_s = min(lag_s for at_s, lag_s, _ in state.lags if at_s >= recent_s)
            state.lags = []
            if state.usual_s is not None:
                state.usual_s = (state.usual_s[0], None)
        earliest = max(state.beat + 2 if state.has_beat else 0, state.stop)
        start = max(round((now_s - state.lag_s) * RR_HZ) - length, earliest)
        state.held.append(Held(now_s, received_s, rr, start, state.broken, placed=not state.has_beat))
        state.beat = start + length
        state.tick = float(state.beat)
    else:
        state.held.append(Held(now_s, received_s, rr, state.beat))
        sent = min(state.tick, state.beat + abs(rr[0])) + tick  # the last one was sent before this one's first beat
        state.beat += length
        state.tick = max(sent, float(state.beat))
    state.broken, state.has_beat = "", True
    state.lags.append((now_s, now_s - state.beat / RR_HZ, now_s - state.tick / RR_HZ))
    while state.lags[0][0] < now_s - state.settings.history_s:
        del state.lags[0]


def _look_for_losses(now_s: float, state: RrState) -> None:
    """Once a block: where both least lags have risen, move what is held by what is missing."""
    if now_s < state.next_look_s or not state.lags:
        return
    state.next_look_s = now_s + state.settings.block_s
    if not state.held or any(held.cause for held in state.held):
        return
    least = _least_lags(np.array(state.lags), now_s, state.settings)
    usual = _follow_usual(least, state)
    lost_s = _lost_s(least, usual, state.settings)
    if lost_s >= state.settings.shortest_loss_s:
        k = _where(state)
        state.held[k].cause = LOST
        _shift(k, round(lost_s * RR_HZ), state)


def _least_lags(lags: NDArray[np.float64], now_s: float, s: RrSettings) -> NDArray[np.float64]:
    """Both least lags of every whole block, newest first, shape (n, 2); infinite where nothing arrived."""
    n_blocks = int(s.history_s / s.block_s)
    block = np.minimum(((now_s - lags[:, 0]) / s.block_s).astype(np.int64), n_blocks)
    least = np.full((n_blocks + 1, 2), np.inf)
    for which in (0, 1):
        np.minimum.at(least[:, which], block, lags[:, which + 1])
    return least[: int(block[0])]


def _follow_usual(least: NDArray[np.float64], state: RrState) -> NDArray[np.float64] | None:
    """The least lags as they would be had nothing been lost: they follow what is seen as fast as clocks drift."""
    s = state.settings
    n = int(s.history_s / s.block_s / 4)
    if len(least) < n or not np.isfinite(long := least[:n].min(axis=0)).all():
        return None
    if state.usual_s is None:
        state.usual_s = (float(long[0]), float(long[1]))
    elif state.usual_s[1] is None:  # after a break the second lag counts from another place
        state.usual_s = (state.usual_s[0], state.usual_s[0] + float(long[1] - long[0]))
    most = s.drift * s.block_s
    beat_s, tick_s = np.array(state.usual_s) + np.clip(long - np.array(state.usual_s), -most, most)
    state.usual_s = (float(beat_s), float(tick_s))
    return np.array(state.usual_s)


def _lost_s(least: NDArray[np.float64], usual: NDArray[np.float64] | None, s: RrSettings) -> float:
    """By how much both least lags clearly rose lately, in seconds; 0 where they did not.

    Short stretches tell of a steady link within seconds; where notifications come now early, now late, only longer
    ones do, because the rise must lie beyond all that stretches of that length showed before. Losses that none of
    them told add up until a minute's least lag is far above the usual one.
    """
    n = 2
    n_minute = int(s.history_s / s.block_s / 4)
    while n < n_minute and 4 * n <= len(least):
        lately, before = least[:n].min(axis=0), _sliding_least(least[n:], n)
        if len(before) and np.isfinite(least[:n]).all():  # what follows a silence may all be late
            spread = before.max(axis=0) - before.min(axis=0)
            if np.all(lately > before.max(axis=0) + s.rise_s + spread / 2):
                return float((lately - (np.median(before, axis=0) if usual is None else usual)).min())
        n *= 2
    if usual is None:
        return 0.0
    rise = least[:n_minute].min(axis=0) - usual
    return float(rise.min()) if np.all(rise > s.slow_rise_s) else 0.0


def _sliding_least(least: NDArray[np.float64], n: int) -> NDArray[np.float64]:
    """Least of every n consecutive rows in which anything arrived."""
    found: NDArray[np.float64] = np.lib.stride_tricks.sliding_window_view(least, n, axis=0).min(axis=2)
    return found[np.isfinite(found).all(axis=1)]


def _where(state: RrState) -> int:
    """The held notification before which the lag rose most."""
    lags = [lag_s for _, _, lag_s in state.lags[-len(state.held) - 1 :]]
    rises = np.diff(lags) if len(lags) > len(state.held) else np.diff(lags, prepend=lags[0])
    return int(rises.argmax())


def _shift(first: int, by: int, state: RrState) -> None:
    """Move held notifications from one on, with the lags that follow from their places."""
    for held in state.held[first:]:
        held.start += by
    state.beat += by
    state.tick += by
    since_s, by_s = state.held[first].lag_at, by / RR_HZ
    state.lags = [(t, a - by_s, b - by_s) if t >= since_s else (t, a, b) for t, a, b in state.lags]


def _settle(state: RrState) -> None:
    """After a break: the least lag of what followed is the usual one, so the first may have come late."""
    k = next((k for k, held in enumerate(state.held) if not held.placed), None)
    if k is None:
        return
    state.held[k].placed = True
    late_s = min(held.lag_at - held.stop / RR_HZ for held in state.held[k:]) - state.lag_s
    earliest = max(state.held[k - 1].stop + 2 if k else 0, state.stop + 1)
    by = max(round(late_s * RR_HZ), earliest - state.held[k].start)
    if by < 0:
        _shift(k, by, state)


def _release(until_s: float, state: RrState, out: Placed) -> None:
    """Hand on what arrived up to a moment."""
    while state.held and state.held[0].lag_at <= until_s:
        first = state.held[0]
        if not first.placed:
            _settle(state)
        if first.cause:
            _gap_until(first.start, first.cause, state, out)
            out.beats.append(first.start)
        at = first.start
        for value in first.rr:
            state.stop = at + 1
            at += abs(value)
            if value < 0:
                _gap_until(at, IMPLAUSIBLE, state, out)
            out.beats.append(at)
        state.stop = at + 1
        out.anchors.append((at, first.received_s + state.offset_s))
        del state.held[0]


def _gap_until(stop: int, cause: str, state: RrState, out: Placed) -> None:
    """A gap from what is decided up to a beat, or to a moment; one that grows is one event."""
    if stop <= state.stop:
        return
    out.gaps.append(Gap(state.stop, stop, cause))
    if (state.stop, cause) != state.last_gap:
        out.events.append(LinkEvent(state.stop, "gap", cause))
    state.stop = stop
    state.last_gap = (stop, cause)
