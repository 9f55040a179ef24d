"""The small live state of a recording: counters, and the rate of the last beats."""

from collections import deque
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from edge.acquire.arrivals import LinkStatus
from edge.clean.quality import State as Quality
from edge.intake import Intake, LinkCounts
from edge.interpret.facts import context_of, measure
from edge.serve.payloads import State
from edge.settings import Settings
from edge.types import Annotations, Decided, LinkEvent, RecordingInfo

QualityName = Literal["good", "usable", "unusable"]
QUALITY_NAMES: tuple[QualityName, ...] = ("good", "usable", "unusable")  # by edge.clean.quality.State
NO_DATA = {
    "searching": "the strap is out of reach",
    "connecting": "the strap is being connected",
    "silent": "the strap sends no data",
    "lost": "the link to the strap is lost",
}
RECENT_S = 60  # rates are read from so much of the latest decisions


@dataclass(slots=True)
class LiveState:
    """What the state topic shows; memory does not grow with the recording."""

    info: RecordingInfo
    settings: Settings
    counts: LinkCounts = field(default_factory=LinkCounts)
    beats: int = 0
    seconds: int = 0
    usable_seconds: int = 0
    gaps: int = 0
    stop: int = 0
    recent: deque[Decided] = field(default_factory=deque)

    def add(self, decided: list[Decided], events: list[LinkEvent], intake: Intake) -> None:
        """Take in new decisions and link events, and what the intake has counted."""
        self.counts = intake.counts()
        for d in decided:
            self.beats += len(d.beats)
            self.seconds += len(d.quality)
            self.usable_seconds += int((d.quality != Quality.UNUSABLE).sum())
            self.stop = d.stop
            if self.recent and d.first_second != _stop_s(self.recent[-1]):
                self.recent.clear()  # what a failing disk withheld is missing in between
            self.recent.append(d)
        while self.recent and self.recent[0].first_second < _stop_s(self.recent[-1]) - RECENT_S:
            self.recent.popleft()
        self.gaps += sum(event.kind == "gap" for event in events)

    def payload(self, time: str, link: LinkStatus, dropped_frames: int) -> State:
        """The state message."""
        rate, reason, quality = self._rate()
        if link.state in NO_DATA:  # what was measured before is not the heart's rate now
            rate, reason, quality = None, NO_DATA[link.state], "unusable"
        return State(
            time=time,
            recording=self.info.id,
            rate_bpm=None if rate is None else round(rate, 1),
            rate_reason=reason,
            quality=quality,
            beats=self.beats,
            analysable_fraction=round(self.usable_seconds / self.seconds, 4) if self.seconds else 0.0,
            recorded_s=round(self.counts.next_sample / self.info.fs_hz, 3),
            gaps=self.gaps,
            duplicates=self.counts.duplicates,
            late=self.counts.late,
            dropped_frames=dropped_frames,
            rejected=link.rejected + self.counts.malformed,
            clock_jumps=self.counts.clock_jumps,
            **_link_fields(link),
        )

    def _rate(self) -> tuple[float | None, str, QualityName]:
        """Rate of the last beats, why there is none, and the quality of the latest second."""
        if not self.recent:
            return None, "not enough signal yet", "unusable"
        first = self.recent[0].first_second
        offset = round(first * self.info.fs_hz)
        recent = Annotations(
            self.info.fs_hz,
            self.stop - offset,
            np.concatenate([d.beats for d in self.recent]) - offset,
            np.concatenate([d.quality for d in self.recent]),
            np.concatenate([d.reasons for d in self.recent]),
            (),
        )
        context = context_of(recent, 0.0, recent.n_samples / recent.fs_hz, self.settings.rhythm)
        rate = measure(context, "rate")["heart_rate_last"]
        return rate.value, rate.reason, QUALITY_NAMES[int(recent.quality[-1])]


def state_without_recording(time: str, link: LinkStatus) -> State:
    """The state message while nothing has been recorded: how the link stands."""
    return State(
        time=time,
        recording=None,
        rate_bpm=None,
        rate_reason="nothing has been recorded yet",
        quality="unusable",
        beats=0,
        analysable_fraction=0.0,
        recorded_s=0.0,
        gaps=0,
        duplicates=0,
        late=0,
        dropped_frames=0,
        rejected=link.rejected,
        clock_jumps=0,
        **_link_fields(link),
    )


def _stop_s(decided: Decided) -> int:
    return decided.first_second + len(decided.quality)


def _link_fields(link: LinkStatus) -> dict[str, Any]:
    return {
        "link": link.state,
        "protocol": link.protocol or None,
        "device": link.device or None,
        "rssi_dbm": link.rssi_dbm,
        "battery_percent": link.battery_percent,
        "contact": link.contact,
        "reconnects": link.reconnects,
        "silent_s": None if link.silent_s is None else round(link.silent_s, 1),
    }
