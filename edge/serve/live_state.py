"""The small live state of a recording: counters, and the rate of the last beats."""

from collections import deque
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from edge.acquire.assemble import AssemblyState
from edge.clean.quality import State as Quality
from edge.interpret.facts import context_of, measure
from edge.serve.payloads import State
from edge.settings import Settings
from edge.types import Annotations, Decided, LinkEvent, RecordingInfo

QualityName = Literal["good", "usable", "unusable"]
QUALITY_NAMES: tuple[QualityName, ...] = ("good", "usable", "unusable")  # by edge.clean.quality.State
RECENT_S = 60  # rates are read from so much of the latest decisions


@dataclass(slots=True)
class LiveState:
    """What the state topic shows; memory does not grow with the recording."""

    info: RecordingInfo
    settings: Settings
    assembly: AssemblyState
    beats: int = 0
    seconds: int = 0
    usable_seconds: int = 0
    gaps: int = 0
    stop: int = 0
    recent: deque[Decided] = field(default_factory=deque)

    def add(self, decided: list[Decided], events: list[LinkEvent]) -> None:
        """Take in new decisions and link events."""
        for d in decided:
            self.beats += len(d.beats)
            self.seconds += len(d.quality)
            self.usable_seconds += int((d.quality != Quality.UNUSABLE).sum())
            self.stop = d.stop
            self.recent.append(d)
        while self.recent and self.recent[0].first_second < self.seconds - RECENT_S:
            self.recent.popleft()
        self.gaps += sum(event.kind == "gap" for event in events)

    def payload(self, time: str, dropped_frames: int) -> State:
        """The state message."""
        rate, reason, quality = self._rate()
        return State(
            time=time,
            recording=self.info.id,
            rate_bpm=None if rate is None else round(rate, 1),
            rate_reason=reason,
            quality=quality,
            beats=self.beats,
            analysable_fraction=round(self.usable_seconds / self.seconds, 4) if self.seconds else 0.0,
            recorded_s=round(self.assembly.next_sample / self.info.fs_hz, 3),
            gaps=self.gaps,
            duplicates=self.assembly.duplicates,
            late=self.assembly.late,
            dropped_frames=dropped_frames,
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
