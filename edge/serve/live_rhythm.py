"""What readings tell those who watch: rhythms that begin and end, and the last hour's ectopic beats."""

from collections import deque
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from edge.detect.rhythm_names import NAMES, Rhythm
from edge.types import Reading, RhythmSpan

MEANINGS = {name.label: name.meaning for name in NAMES.values()}
TOLD = frozenset(
    NAMES[rhythm].label for rhythm in (Rhythm.AFIB, Rhythm.AFL, Rhythm.SVTA, Rhythm.VT, Rhythm.VFL, Rhythm.ASYS)
)
"""Rhythms whose begin and end are told."""
REMEMBERED = 64  # a span is closed a minute after it ended; shorter ones than a second are not named
HOUR_MIN = 60


@dataclass(frozen=True, slots=True)
class RhythmChange:
    """A rhythm began or ended at a sample."""

    kind: Literal["rhythm_began", "rhythm_ended"]
    sample: int
    label: str
    detail: str


@dataclass(slots=True)
class RhythmWatch:
    """Which rhythms those who watch have been told of; every begin is followed by one end.

    The rhythm that goes on is told at once, although it may yet prove to be another one; what it hid is told when its
    span is closed.
    """

    fs_hz: float
    going_on: RhythmSpan | None = None
    """Told as begun and not as ended."""
    told: deque[RhythmSpan] = field(default_factory=lambda: deque(maxlen=REMEMBERED))
    """Told as ended, the latest ones."""

    def close(self, span: RhythmSpan) -> list[RhythmChange]:
        """What to tell of a span that is closed for good."""
        if span.label not in TOLD:
            return []
        if self.going_on is not None and _same(span, self.going_on):
            self.going_on = None
            self.told.append(span)
            return [self._ended(span)]
        if any(_same(span, earlier) for earlier in self.told):
            return []
        self.told.append(span)
        return [_began(span), self._ended(span)]

    def go_on(self, span: RhythmSpan | None) -> list[RhythmChange]:
        """What to tell when this rhythm, or none, is the present one."""
        before, present = self.going_on, span if span is not None and span.label in TOLD else None
        self.going_on = present
        if before is not None and present is not None and _same(before, present):
            return []
        changes: list[RhythmChange] = []
        if before is not None:
            self.told.append(before)
            changes.append(self._ended(before))
        if present is not None:
            changes.append(_began(present))
        return changes

    def _ended(self, span: RhythmSpan) -> RhythmChange:
        detail = f"{MEANINGS[span.label]} ended after {(span.stop - span.start) / self.fs_hz:.0f} s"
        return RhythmChange("rhythm_ended", span.stop, span.label, detail)


def _began(span: RhythmSpan) -> RhythmChange:
    return RhythmChange("rhythm_began", span.start, span.label, f"{MEANINGS[span.label]} began")


def _same(a: RhythmSpan, b: RhythmSpan) -> bool:
    """Two tellings of one episode."""
    return a.label == b.label and a.start < b.stop and b.start < a.stop


@dataclass(slots=True)
class LastHour:
    """Beats of the last hour that was read, counted by the minute."""

    fs_hz: float
    minutes: deque[tuple[int, int, int, int]] = field(default_factory=deque)
    """Minute of the recording, beats, V and S beats; a minute without a beat is left out."""

    def add(self, reading: Reading) -> None:
        """Take in a reading; forget what is older than an hour."""
        minute = (reading.beats / (60 * self.fs_hz)).astype(np.int64)
        for at in np.unique(minute).tolist():
            labels = reading.labels[minute == at]
            counts = [len(labels), int((labels == ord("V")).sum()), int((labels == ord("S")).sum())]
            if self.minutes and self.minutes[-1][0] == at:
                counts = [a + b for a, b in zip(counts, self.minutes.pop()[1:], strict=True)]
            self.minutes.append((at, counts[0], counts[1], counts[2]))
        newest = int(reading.stop / (60 * self.fs_hz))
        while self.minutes and self.minutes[0][0] <= newest - HOUR_MIN:
            self.minutes.popleft()

    def ectopic(self) -> tuple[int | None, int | None]:
        """Ventricular and supraventricular ectopic beats; None where no beat was read."""
        if not self.minutes:
            return None, None
        return sum(row[2] for row in self.minutes), sum(row[3] for row in self.minutes)
