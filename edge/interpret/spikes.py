"""How many pacing spikes a span has, where its sampling rate can show them: see edge.clean.spikes."""

import numpy as np

from edge.clean.quality import State
from edge.clean.spikes import CHUNK_S, MIN_FS_HZ, SpikeState, spikes_on
from edge.interpret.context import MAX_EVIDENCE, NO_ECG, Context
from edge.types import Fact, Gap, Recording, Samples, Span, pieces

AROUND_S = 12.0  # read on both sides of the span: what is alike may lie outside
TOGETHER_S = 10.0  # spikes nearer to each other are one place
SIDE_S = 0.2  # shown on both sides of a place


def spike_facts(c: Context) -> list[Fact]:
    """Number of pacing spikes in the analysis lead; those in unusable seconds are not counted."""
    reason, fs_hz = "", c.annotations.fs_hz
    if c.rr_only:
        reason = NO_ECG
    elif fs_hz < MIN_FS_HZ:
        reason = f"the recording's {fs_hz:g} Hz cannot show pacing spikes"
    elif c.analysable_s == 0:
        reason = c.obstacle
    elif c.recording is None:
        reason = "pacing spikes are looked for in the signal, which is not at hand here"
    if reason or c.recording is None:
        return [c.fact("pacing_spike_count", None, "spikes", reason=reason)]
    spikes = _spikes(c, c.recording)
    n_seconds = round(c.analysable_s)
    return [c.fact("pacing_spike_count", float(len(spikes)), "spikes", n_seconds, evidence=_places(c, spikes))]


def _spikes(c: Context, recording: Recording) -> Samples:
    """Spikes in the usable seconds of the span; the search begins anew after each gap."""
    quality, fs_hz = c.annotations.quality, c.annotations.fs_hz
    start, stop = round(c.start_s * fs_hz), round(c.end_s * fs_hz)
    around = round(AROUND_S * fs_hz)
    nothing, found = np.empty(0, np.float32), list[Samples]()
    state = SpikeState(fs_hz, max(0, start - around))
    for piece in pieces(recording, state.start, min(stop + around, c.annotations.n_samples), CHUNK_S):
        if isinstance(piece, Gap):
            found.append(spikes_on(nothing, state, final=True))
            state = SpikeState(fs_hz, piece.stop)
        else:
            found.append(spikes_on(piece.signal_mv[:, c.lead], state))
    spikes: Samples = np.concatenate((*found, spikes_on(nothing, state, final=True)))
    second = np.minimum((spikes / fs_hz).astype(np.int64), len(quality) - 1)
    counted: Samples = spikes[(spikes >= start) & (spikes < stop) & (quality[second] != State.UNUSABLE)]
    return counted


def _places(c: Context, spikes: Samples) -> tuple[Span, ...]:
    """Where the spikes are, the places with most of them first."""
    if len(spikes) == 0:
        return ()
    fs_hz, side = c.annotations.fs_hz, round(SIDE_S * c.annotations.fs_hz)
    begins = np.flatnonzero(np.diff(spikes, prepend=np.iinfo(np.int64).min // 2) > TOGETHER_S * fs_hz)
    counts = np.diff(begins, append=len(spikes))
    spans = []
    for k in np.argsort(-counts, kind="stable")[:MAX_EVIDENCE].tolist():
        first, n = int(begins[k]), int(counts[k])
        label = f"{n} pacing spike{'' if n == 1 else 's'}"
        spans.append(c.span(int(spikes[first]) - side, int(spikes[first + n - 1]) + side, label))
    return tuple(spans)
