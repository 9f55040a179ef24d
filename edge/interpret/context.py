"""A span of a recording, ready to be measured: its intervals, its beats, and how much of it could be analysed."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge.clean.quality import State, describe
from edge.interpret.intervals import Intervals, intervals_of, rhythms_between
from edge.settings import RhythmSettings
from edge.types import Annotations, Fact, Labels, Recording, RhythmSpan, Span

NO_ECG = "this recording holds the strap's RR intervals and no ECG"
NO_ECG_HERE = f"T{NO_ECG[1:]}"
NOT_LABELLED = "beats were found and not labelled"
MAX_EVIDENCE = 20  # places kept per fact; the count is always the full one


@dataclass(frozen=True, slots=True, eq=False)
class Context:
    """A span of a recording, ready to be measured."""

    annotations: Annotations
    start_s: float
    end_s: float
    settings: RhythmSettings
    intervals: Intervals
    analysable_s: float
    analysable_fraction: float
    obstacle: str
    """Why the span, or most of it, cannot be analysed; empty when it can."""
    rr_only: bool = False
    """There is no signal: beats are where a strap's RR intervals put them."""
    recording: Recording | None = None
    """The signal itself, where it is at hand: the ST level is measured in it."""
    lead: int = 0

    @property
    def labels(self) -> Labels:
        """Labels of the span's beats, shape (n_beats,); empty where they were not labelled."""
        return self.annotations.labels[self.intervals.beats]

    @property
    def unread(self) -> str:
        """Why beats have no labels and rhythms no names here; empty when they have."""
        if self.obstacle and not len(_quality_of(self.annotations, self.start_s, self.end_s)):
            return self.obstacle
        if self.rr_only:
            return NO_ECG
        return "" if self.annotations.read else NOT_LABELLED

    def fact(
        self,
        name: str,
        value: float | None,
        unit: str,
        n: int = 0,
        reason: str = "",
        evidence: tuple[Span, ...] = (),
    ) -> Fact:
        """A fact of this span; a missing value without a reason of its own takes the span's obstacle."""
        if value is None and not reason:
            reason = self.obstacle or "too few beats"
        if value is not None:
            reason = ""
        return Fact(
            name,
            value,
            unit,
            self.start_s,
            self.end_s,
            n,
            self.analysable_fraction,
            reason,
            evidence[:MAX_EVIDENCE],
        )

    def rhythms(self) -> list[RhythmSpan]:
        """Rhythm spans, cut to this span."""
        fs_hz = self.annotations.fs_hz
        start, stop = round(self.start_s * fs_hz), round(self.end_s * fs_hz)
        return rhythms_between(self.annotations, start, stop)

    def span(self, start: int, stop: int, label: str) -> Span:
        """A place given in samples, cut to this span."""
        a, b = (min(max(at / self.annotations.fs_hz, self.start_s), self.end_s) for at in (start, stop))
        return Span(a, b, label)


def context_of(
    annotations: Annotations,
    start_s: float,
    end_s: float,
    settings: RhythmSettings,
    *,
    rr_only: bool = False,
    recording: Recording | None = None,
    lead: int = 0,
) -> Context:
    """Prepare a span; it is cut to what was analysed. `recording` is needed for the ST level alone."""
    end_s = min(end_s, annotations.n_samples / annotations.fs_hz)
    start_s = min(max(0.0, start_s), end_s)
    seconds = seconds_of(start_s, end_s)
    states, reasons = annotations.quality[seconds], annotations.reasons[seconds]
    usable = states != State.UNUSABLE
    share = float(usable.mean()) if len(states) else 0.0
    if rr_only and end_s > start_s:  # gaps begin and end within seconds there, and leave their rest usable
        missing_s = sum(span.duration_s for span in gap_spans(annotations, start_s, end_s))
        share = min(share, 1 - missing_s / (end_s - start_s))
    obstacle = ""
    if len(states) == 0:
        obstacle = "nothing was recorded then"
    elif share < 0.5 and rr_only:
        obstacle = "no RR intervals for most of that time"
    elif share < 0.5:
        worst = np.bincount(reasons[~usable]).argmax()
        obstacle = f"signal not usable: {describe(int(worst))}"
    return Context(
        annotations,
        start_s,
        end_s,
        settings,
        intervals_of(annotations, start_s, end_s, settings),
        share * (end_s - start_s),
        share,
        obstacle,
        rr_only,
        recording,
        lead,
    )


def seconds_of(start_s: float, end_s: float) -> slice:
    """The seconds that a span touches; an empty span touches none."""
    return slice(int(start_s), int(np.ceil(end_s)) if end_s > start_s else int(start_s))


def _quality_of(annotations: Annotations, start_s: float, end_s: float) -> NDArray[np.uint8]:
    return annotations.quality[seconds_of(start_s, end_s)]


def gap_spans(annotations: Annotations, start_s: float, end_s: float) -> list[Span]:
    """The parts of gaps that lie in a span, the longest first."""
    cut = [
        Span(max(gap.start / annotations.fs_hz, start_s), min(gap.stop / annotations.fs_hz, end_s), gap.cause)
        for gap in annotations.gaps
    ]
    return sorted((span for span in cut if span.duration_s > 0), key=lambda span: -span.duration_s)
