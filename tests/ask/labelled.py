"""Recordings whose every beat, wave and rhythm is known, as if a network had read them without a mistake."""

from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from itertools import pairwise
from pathlib import Path

import numpy as np

from edge.ask.answer import Source
from edge.clean.quality import Reason, State
from edge.detect.rhythm import ReadSeconds, RhythmState, advance_rhythm, finish_rhythm
from edge.formats.memory import ArrayRecording
from edge.types import NO_POINT, Absent, Annotations, Lead, Likely, Point, RecordingInfo, seconds_begun

FS_HZ = 250.0
POINTS_MS = (-160, -120, -80, -40, 0, 40, 200, 280, 360)  # P, QRS, T around R: PR 120, QRS 80, QT 400 ms
ST_MV = -0.10
Stretch = tuple[float, float]


def labelled(
    name: str,
    beats: Sequence[tuple[float, str]],
    *,
    af_s: Sequence[Stretch] = (),
    flutter_s: Sequence[Stretch] = (),
    vf_s: Sequence[Stretch] = (),
    unusable_s: Sequence[Stretch] = (),
    paced: bool = False,
    start: datetime | None = None,
) -> Source:
    """A recording of beats given as (RR interval in s before it, label), with seconds of fibrillation and noise."""
    at_s = 1.0 + np.cumsum([rr_s for rr_s, _ in beats])
    n_samples = round((at_s[-1] + 1.0) * FS_HZ)
    n_seconds = seconds_begun(n_samples, FS_HZ)
    likely = np.zeros((n_seconds, len(Likely)), np.uint8)
    for column, stretches in ((Likely.AF, af_s), (Likely.AFL, flutter_s), (Likely.VF, vf_s)):
        for a, b in stretches:
            likely[int(a) : int(b), column] = 255
    quality, reasons = np.full(n_seconds, State.GOOD, np.uint8), np.zeros(n_seconds, np.uint8)
    readable = np.ones(n_seconds, bool)
    for a, b in unusable_s:
        readable[int(a) : int(b)] = False
    quality[~readable], reasons[~readable] = State.UNUSABLE, Reason.NOISY
    at = np.round(at_s * FS_HZ).astype(np.int64)
    labels = np.array([ord(label) for _, label in beats], np.uint8)
    kept = readable[(at_s).astype(int)]
    return _source(name, n_samples, at[kept], labels[kept], quality, reasons, likely, FS_HZ, paced=paced, start=start)


def _source(
    name: str,
    n_samples: int,
    beats: np.ndarray,
    labels: np.ndarray,
    quality: np.ndarray,
    reasons: np.ndarray,
    likely: np.ndarray,
    fs_hz: float,
    *,
    paced: bool | np.ndarray = False,
    start: datetime | None = None,
) -> Source:
    state = RhythmState(fs_hz)
    is_paced = np.broadcast_to(paced, labels.shape) & (labels == ord("Q"))
    news = ReadSeconds(0, n_samples, beats, labels, is_paced, quality, reasons, likely)
    rhythms = (*advance_rhythm(news, state), *finish_rhythm(state))
    waves = np.tile(np.round(np.array(POINTS_MS) * fs_hz / 1000).astype(np.int16), (len(beats), 1))
    absent = np.full((len(beats), 3), Absent.PRESENT, np.uint8)
    no_p = (likely[(beats / fs_hz).astype(int), :2].max(axis=1) > 127) | (labels != ord("N"))
    waves[no_p, Point.P_ON : Point.P_OFF + 1] = NO_POINT
    absent[no_p, 0] = Absent.NO_ATRIAL_RHYTHM
    found = Annotations(fs_hz, n_samples, beats, quality, reasons, (), labels, waves, absent, likely, rhythms)
    signal_mv = np.zeros(n_samples)
    for beat in beats.tolist():  # the ST segment, and nothing else
        signal_mv[beat + round(0.06 * fs_hz) : beat + round(0.18 * fs_hz)] = ST_MV
    recording = ArrayRecording(name, signal_mv, fs_hz, (Lead("II"),), start)
    return Source(recording.info, found, recording)


N, V, S = (0.8, "N"), (0.5, "V"), (0.5, "S")
AFTER = (1.1, "N")


@lru_cache(maxsize=1)
def known_hearts() -> dict[str, Source]:
    """About four minutes each."""
    rng = np.random.default_rng(5)
    irregular = [(float(rr_s), "N") for rr_s in rng.uniform(0.45, 0.95, 430)]
    made = (
        labelled("sinus", [(1.0, "N")] * 240),
        labelled("fibrillating", irregular, af_s=[(0, 400)]),
        labelled("paroxysmal", [(0.8, "N")] * 400, af_s=[(60, 120), (200, 250)]),
        labelled("brief", [(0.8, "N")] * 300, af_s=[(60, 80)]),
        labelled("flutter", [(0.5, "N")] * 480, flutter_s=[(0, 300)]),
        labelled("ventricular", ([N] * 20 + [V, AFTER]) * 10 + [N] * 20 + [V, V, AFTER] + [N] * 20),
        labelled("supraventricular", ([N] * 20 + [S, AFTER]) * 6 + [N] * 20 + [V, AFTER]),
        labelled("tachycardia", [N] * 60 + [(0.35, "V")] * 7 + [AFTER] + [N] * 200),
        labelled("svt", [N] * 60 + [(0.38, "S")] * 30 + [AFTER] + [N] * 200),
        labelled("bigeminy", [N] * 60 + [(0.5, "V"), (1.0, "N")] * 12 + [N] * 150),
        labelled("vf", [N] * 60 + [(14.0, "N")] + [N] * 60, vf_s=[(50, 62)]),
        labelled("asystole", [N] * 60 + [(6.0, "N")] + [N] * 60),
        labelled("paced", [(0.85, "Q")] * 280, paced=True),
        labelled("noisy", [(0.8, "N")] * 300, unusable_s=[(20, 225)]),
        labelled("unreadable", [(0.8, "N")] * 100, unusable_s=[(0, 100)]),
    )
    return {source.info.id: source for source in made}


SYMBOLS = {
    **dict.fromkeys("NLRejn", "N"), **dict.fromkeys("AaJS", "S"), **dict.fromkeys("VE", "V"),
    "F": "F", **dict.fromkeys("/fQ?", "Q"),
}  # fmt: skip
LIKELY = {"(AFIB": Likely.AF, "(AFL": Likely.AFL, "(VFL": Likely.VF}


def reference(folder: Path, name: str) -> Source:
    """A record of the MIT-BIH Arrhythmia Database with the labels and the atrial rhythms of its annotators."""
    import wfdb

    header, notes = wfdb.rdheader(str(folder / name)), wfdb.rdann(str(folder / name), "atr")
    fs_hz, n_samples = float(header.fs), int(header.sig_len)
    kept = [k for k, symbol in enumerate(notes.symbol) if symbol in SYMBOLS]
    beats = notes.sample[kept].astype(np.int64)
    labels = np.array([ord(SYMBOLS[notes.symbol[k]]) for k in kept], np.uint8)
    paced = np.array([notes.symbol[k] in "/f" for k in kept])
    n_seconds = seconds_begun(n_samples, fs_hz)
    likely = np.zeros((n_seconds, len(Likely)), np.uint8)
    changes = [
        (int(at), text.rstrip("\0")) for at, text in zip(notes.sample, notes.aux_note, strict=True) if text[:1] == "("
    ]
    for (at, label), (end, _) in pairwise([*changes, (n_samples, "")]):
        if label in LIKELY:
            likely[int(at / fs_hz) : int(end / fs_hz), LIKELY[label]] = 255
    quality, reasons = np.full(n_seconds, State.GOOD, np.uint8), np.zeros(n_seconds, np.uint8)
    found = _source(name, n_samples, beats, labels, quality, reasons, likely, fs_hz, paced=paced)
    info = RecordingInfo(name, (Lead("MLII"),), fs_hz, n_samples, None, "wfdb")
    return Source(info, found.annotations)
