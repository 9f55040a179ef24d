"""The small live state of a recording: counters, the rate of the last beats, the present rhythm."""

from collections import deque
from dataclasses import dataclass, field
from datetime import UTC
from typing import Any, Literal

import numpy as np

from edge.acquire.arrivals import LinkStatus
from edge.clean.quality import State as Quality
from edge.intake import Intake, LinkCounts
from edge.interpret.facts import NO_ECG, context_of, measure
from edge.recording.store import UNREAD_S
from edge.serve.live_rhythm import MEANINGS, LastHour, RhythmChange, RhythmWatch
from edge.serve.payloads import State
from edge.settings import Settings
from edge.types import Annotations, Decided, LinkEvent, RecordingInfo, RhythmSpan

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
    read_stop: int = 0
    """Beats are labelled and rhythms named up to here."""
    recent: deque[Decided] = field(default_factory=deque)
    watch: RhythmWatch = field(init=False)
    last_hour: LastHour = field(init=False)

    def __post_init__(self) -> None:
        self.watch, self.last_hour = RhythmWatch(self.info.fs_hz), LastHour(self.info.fs_hz)

    def add(self, decided: list[Decided], events: list[LinkEvent], intake: Intake) -> list[RhythmChange]:
        """Take in new decisions and link events, and what the intake has counted; return the rhythms to be told of."""
        self.counts = intake.counts()
        if intake.recording is not None and intake.recording.writer.info.id == self.info.id:
            self.info = intake.recording.writer.info  # its start moves when the host's clock is set
        changes: list[RhythmChange] = []
        for d in decided:
            self.beats += len(d.beats)
            self.seconds += len(d.quality)
            self.usable_seconds += int((d.quality != Quality.UNUSABLE).sum())
            self.stop = d.stop
            if self.recent and d.first_second != _stop_s(self.recent[-1]):
                self.recent.clear()  # what a failing disk withheld is missing in between
            self.recent.append(d)
            for reading in d.readings:
                self.read_stop = reading.stop
                self.last_hour.add(reading)
                for span in reading.rhythms:
                    changes += self.watch.close(span)
            changes += self.watch.go_on(open_rhythm(self))
        while len(self.recent) > 1 and self.recent[0].first_second < _stop_s(self.recent[-1]) - RECENT_S:
            self.recent.popleft()
        self.gaps += sum(event.kind == "gap" for event in events)
        return changes

    def clock_time(self, start_s: float) -> str | None:
        """UTC of a place in the recording; None where its start has no time zone."""
        moment = self.info.time_of(start_s)
        return moment.astimezone(UTC).isoformat(timespec="milliseconds") if moment and moment.tzinfo else None

    def payload(self, time: str, link: LinkStatus, dropped_frames: int) -> State:
        """The state message."""
        rate, reason, quality = self._rate()
        if link.state in NO_DATA:  # what was measured before is not the heart's rate now
            rate, reason, quality = None, NO_DATA[link.state], "unusable"
        no_rhythm = self._why_no_rhythm(link, quality)
        rhythm = None if no_rhythm else open_rhythm(self)
        ventricular, supraventricular = self.last_hour.ectopic()
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
            rhythm=rhythm.label if rhythm else None,
            rhythm_name=MEANINGS[rhythm.label] if rhythm else None,
            rhythm_reason=no_rhythm,
            rhythm_since=self.clock_time(rhythm.start / self.info.fs_hz) if rhythm else None,
            ventricular_ectopic_last_hour=ventricular,
            supraventricular_ectopic_last_hour=supraventricular,
        )

    def _why_no_rhythm(self, link: LinkStatus, quality: QualityName) -> str:
        """Why there is no present rhythm; empty when there is one."""
        if link.state in NO_DATA:
            return NO_DATA[link.state]
        if self.info.rr_only:
            return NO_ECG
        if self.stop - self.read_stop > UNREAD_S * self.info.fs_hz:
            return "rhythms are not read here"
        if open_rhythm(self) is not None:
            return ""
        return "the signal is not usable" if quality == "unusable" and self.recent else "no rhythm can be told yet"

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
        rhythm=None,
        rhythm_name=None,
        rhythm_reason="nothing has been recorded yet",
        rhythm_since=None,
        ventricular_ectopic_last_hour=None,
        supraventricular_ectopic_last_hour=None,
    )


def open_rhythm(state: LiveState) -> RhythmSpan | None:
    """The rhythm that goes on, as far as it can be told now; None where there is none."""
    if not state.recent:
        return None
    return state.recent[-1].rhythm_now


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
