"""The analysis stages in order, once: live and batch push pieces through the same function.

Beats are found and read by the annotator network (edge.detect.reading), or, where it cannot run, found by rules
(edge.detect.classic). Neither depends on how the signal was cut up on its way here: replaying a recording gives the
annotations of the file.
"""

from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from edge.contact import Off
from edge.detect.classic import ClassicState, find_on
from edge.detect.network.record_class import SHORT_S, class_numbers
from edge.detect.network.session import Network, shipped_network
from edge.detect.reading import ReadingState, read_on, reading_state
from edge.settings import Settings
from edge.types import Annotations, Decided, Gap, Likely, Piece, Point, Recording, RhythmSpan, Wave, pieces

STEP_S = 120  # of signal taken in at a time: at each step the network reads 16 s again; longer is no faster
GAP_STEP_S = 900  # a gap may last for days


@dataclass(slots=True)
class AnalysisState:
    """Where the analysis of one recording stands. By default the shipped network reads it, where it can run."""

    fs_hz: float
    leads: Sequence[int] = (0,)
    """Columns to read; the first one is measured."""
    settings: Settings = field(default_factory=Settings)
    network: Network | None = field(default_factory=shipped_network)
    """None: beats are found by rules and not read."""
    off: list[Off] = field(default_factory=list)
    """Stretches without contact of the first lead; may grow as they become known."""
    engine: ReadingState | ClassicState = field(init=False)
    short: list[Decided] | None = field(default_factory=list)
    """What was decided so far of a recording that may remain a short one; None when it is none."""

    def __post_init__(self) -> None:
        if self.network is not None and self.fs_hz >= self.settings.quality.min_fs_hz:
            self.engine = reading_state(self.fs_hz, self.leads, self.network, self.settings)
        else:
            self.engine = ClassicState(self.fs_hz, self.leads[0], self.settings)

    @property
    def classes(self) -> tuple[float, ...]:
        """See `edge.types.Annotations.classes`."""
        if not isinstance(self.engine, ReadingState) or self.network is None:
            return ()
        pooled = self.engine.class_probabilities()
        if not pooled or not self.short:
            return pooled
        annotations = collect(self.short, self.fs_hz, ())
        return self.network.run_classes(class_numbers(annotations, pooled))


def advance(piece: Piece, state: AnalysisState) -> tuple[list[Decided], AnalysisState]:
    """Take in one piece; return what it decided. Pieces must follow each other without a hole."""
    decided: list[Decided] = []
    step = max(1, round((GAP_STEP_S if isinstance(piece, Gap) else STEP_S) * state.fs_hz))
    for start in range(piece.start, piece.stop, step):
        stop = min(start + step, piece.stop)
        if isinstance(piece, Gap):
            part = np.full((stop - start, max(state.leads) + 1), np.nan, np.float32)
        else:
            part = piece.signal_mv[start - piece.start : stop - piece.start]
        decided += _joined(_push(part, state, final=False))
    return decided, state


def finish(state: AnalysisState) -> list[Decided]:
    """Decide what still waited for its context; nothing may be pushed afterwards."""
    return _push(np.empty((0, max(state.leads) + 1), np.float32), state, final=True)


def _push(part_mv: NDArray[np.float32], state: AnalysisState, *, final: bool) -> list[Decided]:
    state.engine.off = state.off
    if isinstance(state.engine, ReadingState):
        decided = read_on(part_mv, state.engine, final=final)
        if state.short is not None:
            state.short = None if state.engine.signal_stop > SHORT_S * state.fs_hz else state.short + decided
        return decided
    return find_on(part_mv, state.engine, final=final)


def annotate(
    recording: Recording,
    leads: Sequence[int] = (0,),
    settings: Settings | None = None,
    off: Sequence[Off] = (),
    network: Network | None = None,
    *,
    classical: bool = False,
) -> Annotations:
    """Analyse a whole recording by window, with the shipped network where none is given.

    `leads`: columns to read, the most telling first. Nothing is found in stretches in which it had no contact (`off`).
    `classical`: without any network.
    """
    info = recording.info
    network = None if classical else network or shipped_network()
    state = AnalysisState(info.fs_hz, leads, settings or Settings(), network, list(off))
    gaps: list[Gap] = []

    def decisions() -> Iterator[Decided]:
        for piece in pieces(recording):
            if isinstance(piece, Gap):
                _extend_gaps(gaps, piece)
            yield from advance(piece, state)[0]
        yield from finish(state)

    annotations = collect(decisions(), info.fs_hz, gaps)
    return replace(annotations, classes=state.classes)


def collect(decided: Iterable[Decided], fs_hz: float, gaps: Iterable[Gap]) -> Annotations:
    """Join decisions, in order and without a hole, into annotations; `gaps` is read when all have come."""
    beats, quality, reasons, stop = array("q"), bytearray(), bytearray(), 0
    labels, likely, waves, absent = bytearray(), bytearray(), array("h"), bytearray()
    rhythms: list[RhythmSpan] = []
    for d in decided:
        beats.frombytes(d.beats.astype(np.int64).tobytes())
        quality += d.quality.tobytes()
        reasons += d.reasons.tobytes()
        stop = d.stop
        for reading in d.readings:
            labels += reading.labels.tobytes()
            likely += reading.likely.tobytes()
            waves.frombytes(reading.waves.tobytes())
            absent += reading.absent.tobytes()
            rhythms += reading.rhythms
    return Annotations(
        fs_hz=fs_hz,
        n_samples=stop,
        beats=np.frombuffer(beats, np.int64),
        quality=np.frombuffer(quality, np.uint8),
        reasons=np.frombuffer(reasons, np.uint8),
        gaps=tuple(gaps),
        labels=np.frombuffer(labels, np.uint8),
        waves=np.frombuffer(waves, np.int16).reshape(-1, len(Point)),
        absent=np.frombuffer(absent, np.uint8).reshape(-1, len(Wave)),
        likely=np.frombuffer(likely, np.uint8).reshape(-1, len(Likely)),
        rhythms=tuple(rhythms),
    )


def _extend_gaps(gaps: list[Gap], piece: Gap) -> None:
    """Append a gap, or lengthen the last one that it continues (files are read piece by piece)."""
    if gaps and gaps[-1].stop == piece.start:
        gaps[-1] = Gap(gaps[-1].start, piece.stop, gaps[-1].cause)
    else:
        gaps.append(piece)


def _joined(decided: list[Decided]) -> list[Decided]:
    """Decisions that follow each other as one: a gap of a month has a quarter of a million windows."""
    if len(decided) < 2:
        return decided
    return [
        Decided(
            decided[0].first_second,
            decided[-1].stop,
            np.concatenate([d.beats for d in decided]),
            np.concatenate([d.quality for d in decided]),
            np.concatenate([d.reasons for d in decided]),
            tuple(reading for d in decided for reading in d.readings),
            decided[-1].rhythm_now,
        )
    ]
