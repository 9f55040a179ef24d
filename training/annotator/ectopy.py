"""Rhythms that were not recorded, made of beats that were: premature beats, runs and faster sinus rhythms.

Twenty hearts hold a handful of runs and of shapes. A labelling that saw only those learns them by heart: whoever had a
supraventricular run also had a wide QRS, say. Here a record's own beats are set anew: early without their P wave, in
runs of any rate, ventricular ones (its own or another heart's) singly, in pairs and in runs that are no faster than
the rhythm around them. What makes a beat what it is stays true; what goes with it by chance does not.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from edge.detect.network.prepare import FS_HZ
from training.annotator.data import RHYTHMS, SEED, Row

FloatArray = NDArray[np.float32]

AF = RHYTHMS["(AFIB"]
MADE, TURNED = "made-", "turned-"  # before the record's name
MINUTES = 12
BEFORE, QRS_END = round(0.30 * FS_HZ), round(0.12 * FS_HZ)
V_BEFORE = round(0.12 * FS_HZ)
LONGEST = round(0.56 * FS_HZ)  # of a beat, from its QRS to the end of T
TAPER = 6
P_FROM, P_TO = BEFORE - round(0.27 * FS_HZ), BEFORE - round(0.06 * FS_HZ)
FEWEST = 60  # sinus beats that can be set anew
WIDE = 0.12  # share of supraventricular beats that come so early that a bundle branch does not conduct
FIBRILLATING = 0.25  # share of made rows
SHAPE_CHANGES = (0.0, 0.1, 0.3, 1.0)  # how often a ventricular beat does not look like the last one; 1: by turns
ROOM_S = 0.55  # of an interval around a beat that is cut out


@dataclass(frozen=True, slots=True, eq=False)
class Cut:
    """One beat without what lies around it: its line at both ends taken off."""

    signal_mv: FloatArray
    peak: int
    """Where its QRS is."""


@dataclass(frozen=True, slots=True)
class Set:
    """A beat to be set: how long after the one before, as what."""

    rr_s: float
    label: str
    p: float
    """What becomes of its P wave: 1 as it was, 0 gone, negative upside down."""
    wide: bool = False
    """Whether it is conducted over one bundle branch alone."""


def made_rows(rows: list[Row]) -> list[Row]:
    """One made row per row that holds enough sinus beats; of MIT-BIH rows only, whose beats are labelled."""
    rng = np.random.default_rng(SEED)
    labelled = [r for r in rows if r.source == "mitdb"]
    foreign = [cut for r in labelled for cut in _cuts(r, "V")[:40]]
    made = []
    for row in labelled:
        sinus = _cuts(row, "N")
        if len(sinus) >= FEWEST and foreign:
            made.append(_made(row, sinus, _cuts(row, "V"), foreign, rng))
    return made


def turned_rows(rows: list[Row]) -> list[Row]:
    """The same hearts in bodies that turn over: mixtures of the two leads of a record that change now and then."""
    rng = np.random.default_rng(SEED)
    labelled = [r for r in rows if r.source == "mitdb"]
    turned = []
    for row in labelled:
        other = next((r for r in labelled if r.record == row.record and r is not row), row)
        angle = _angles(len(row.signal_mv), rng)
        ratio = np.std(row.signal_mv) / max(float(np.std(other.signal_mv)), 1e-3)
        signal = np.cos(angle) * row.signal_mv + np.sin(angle) * np.float32(ratio) * other.signal_mv
        turned.append(replace(row, record=f"{TURNED}{row.record}", signal_mv=signal.astype(np.float32)))
    return turned


def _angles(n: int, rng: Generator) -> FloatArray:
    """Where the heart points to, radians, shape (n,): for minutes the same, then within seconds elsewhere."""
    angle, at, now = np.zeros(n, np.float32), 0, 0.0
    while at < n:
        stop = min(n, at + int(rng.uniform(20, 240) * FS_HZ))
        angle[at:stop] = now
        turning = min(n - stop, int(rng.uniform(0.5, 6) * FS_HZ))
        to = float(rng.uniform(-1.2, 1.2)) if rng.random() < 0.7 else 0.0
        angle[stop : stop + turning] = np.linspace(now, to, turning)
        at, now = stop + turning, to
    return angle


def _cuts(row: Row, label: str) -> list[Cut]:
    """The beats of a row with room around them, outside fibrillation and flutter."""
    code, before = ord(label), BEFORE if label == "N" else V_BEFORE
    gaps = np.diff(row.beats)
    cuts = []
    for k in range(1, len(row.beats) - 1):
        at = int(row.beats[k])
        if (
            row.labels[k] != code
            or row.rhythm[at // FS_HZ] != 0
            or gaps[k] < ROOM_S * FS_HZ
            or gaps[k - 1] < before + 20
        ):
            continue
        after = min(LONGEST, int(gaps[k]) - round(0.2 * FS_HZ))
        signal = row.signal_mv[at - before : at + after]
        if len(signal) < before + after or not np.isfinite(signal).all():
            continue
        ends = (signal[:TAPER].mean(), signal[-TAPER:].mean())
        flat = signal - np.linspace(*ends, len(signal), dtype=np.float32)
        fade = np.ones(len(flat), np.float32)
        fade[:TAPER], fade[-TAPER:] = np.linspace(0, 1, TAPER), np.linspace(1, 0, TAPER)
        cuts.append(Cut(flat * fade, before))
    return _alike(cuts)


def _alike(cuts: list[Cut]) -> list[Cut]:
    """Those whose QRS is as high as is usual: the others are noise, or cut where a neighbour reaches in."""
    if not cuts:
        return cuts
    heights = np.array([np.ptp(cut.signal_mv[max(0, cut.peak - QRS_END) : cut.peak + QRS_END]) for cut in cuts])
    rest = np.array([np.abs(cut.signal_mv[: max(1, cut.peak - QRS_END)]).max() for cut in cuts])
    usual = float(np.median(heights))
    kept = (heights > 0.6 * usual) & (heights < 1.6 * usual) & (rest < usual)
    return [cut for cut, keep in zip(cuts, kept.tolist(), strict=True) if keep]


def _made(row: Row, sinus: list[Cut], own: list[Cut], foreign: list[Cut], rng: Generator) -> Row:
    """A row of `MINUTES` with the beats of `row` in a rhythm of its own."""
    n = MINUTES * 60 * FS_HZ
    normal = (row.labels[1:] == ord("N")) & (row.labels[:-1] == ord("N"))
    rr_s = np.diff(row.beats)[normal] / FS_HZ
    size_mv = float(np.median([np.ptp(cut.signal_mv) for cut in sinus]))
    fibrillating = bool(rng.random() < FIBRILLATING)
    signal = _line(n, size_mv, rng) + (_fibrillation(n, size_mv, rng) if fibrillating else 0)
    if own and rng.random() < 0.6:
        shapes = [own[k] for k in rng.permutation(len(own))[: int(rng.integers(1, 30))]]
    else:
        some = range(int(rng.integers(1, 4)))
        shapes = [_like(foreign[int(rng.integers(len(foreign)))], size_mv, rng) for _ in some]
    at_s, beats, labels, shape = 1.0, list[int](), list[int](), 0
    changing = float(rng.choice(SHAPE_CHANGES))
    next_sinus = int(rng.integers(len(sinus)))
    usual_s, branch = float(np.median(rr_s)), float(rng.choice([-1, 1]))
    for beat in _irregular(usual_s, rng) if fibrillating else _rhythm(rr_s, rng):
        at_s += beat.rr_s
        at = round(at_s * FS_HZ)
        if at > n - LONGEST - FS_HZ:
            break
        if beat.label == "V":
            shape = (shape + 1) % len(shapes) if rng.random() < changing else shape
            cut = shapes[shape]
        else:
            next_sinus = (next_sinus + 1) % len(sinus)
            cut = _with_p(sinus[next_sinus], beat.p)
            cut = _aberrant(cut, branch) if beat.wide else cut
        if beat.label == "V" and beat.p:
            _put(signal, _p_alone(sinus[next_sinus]), round((at_s - beat.rr_s + usual_s) * FS_HZ))
        cut = _shorter(cut, beat.rr_s / usual_s)
        if rng.random() < 0.3:
            cut = replace(cut, signal_mv=cut.signal_mv * np.float32(rng.normal(1, 0.05)))
        _put(signal, cut, at)
        beats.append(at)
        labels.append(ord(beat.label))
    return replace(
        row, record=f"{MADE}{row.record}", signal_mv=signal, beats=np.array(beats, np.int32),
        labels=np.array(labels, np.uint8), rhythm=np.full(n // FS_HZ, AF if fibrillating else 0, np.uint8), sure=(0, n),
    )  # fmt: skip


def _rhythm(rr_s: NDArray[np.float64], rng: Generator) -> Iterator[Set]:
    """Beats without end: stretches of the recorded intervals, with ectopic beats and runs between them."""
    factor = float(rng.uniform(0.75, 1.2))
    usual_s = float(np.median(rr_s)) * factor
    s_p = float(rng.choice([0.0, 0.3, -0.7, 0.8]))
    v_share = float(rng.choice([0.0, 0.3, 0.5, 0.8]))
    while True:
        start = int(rng.integers(max(1, len(rr_s) - 40)))
        for rr in np.clip(rr_s[start : start + int(rng.integers(3, 40))] * factor, 0.6 * usual_s, 1.5 * usual_s):
            yield Set(float(rr), "N", 1.0)
        kind = float(rng.random())
        if kind < 0.12:
            yield from _faster(usual_s, rng)
        elif rng.random() < v_share:
            yield from _ventricular(usual_s, rng)
        else:
            yield from _supraventricular(usual_s, s_p, rng)


def _irregular(usual_s: float, rng: Generator) -> Iterator[Set]:
    """Fibrillation without end: intervals at random, no P wave, ventricular beats between them."""
    spread, mean_s = float(rng.uniform(0.12, 0.3)), usual_s * float(rng.uniform(0.55, 1.1))
    often = float(rng.choice([0.0, 0.3, 1.0]))
    while True:
        for _ in range(int(rng.integers(3, 40))):
            yield Set(float(np.clip(mean_s * np.exp(rng.normal(0, spread)), 0.32, 2.0)), "N", 0.0)
        if rng.random() < often:
            yield from (replace(beat, p=0.0) for beat in _ventricular(mean_s, rng))


def _faster(usual_s: float, rng: Generator) -> Iterator[Set]:
    """A sinus rhythm that grows faster step by step, and slower again."""
    top = float(rng.uniform(0.5, 0.85))
    up, stay, down = (int(rng.integers(15, 50)) for _ in range(3))
    for share in (*np.linspace(1, top, up), *np.full(stay, top), *np.linspace(top, 1, down)):
        yield Set(max(0.33, usual_s * float(share) * float(rng.normal(1, 0.02))), "N", 1.0)


def _supraventricular(usual_s: float, p: float, rng: Generator) -> Iterator[Set]:
    """One early beat, some, or a run; the sinus rhythm goes on after somewhat more than its interval."""
    early_s = max(0.30, usual_s * float(rng.uniform(0.45, 0.86)))
    some = float(rng.random())
    count = 1 if some < 0.6 else int(rng.integers(2, 6)) if some < 0.8 else int(rng.integers(6, 60))
    follows_s = max(0.28, min(usual_s * float(rng.uniform(0.5, 0.82)), 0.62))
    wide = bool(rng.random() < WIDE) and early_s < 0.75 * usual_s
    for k in range(count):
        p_seen = 1.0 if wide else p  # without its P wave nobody could tell it
        yield Set((early_s if k == 0 else follows_s) * float(rng.normal(1, 0.03)), "S", p_seen, wide and k < 3)
    yield Set(usual_s * float(rng.uniform(0.95, 1.45)), "N", 1.0)


def _ventricular(usual_s: float, rng: Generator) -> Iterator[Set]:
    """Single beats with or without a full pause, bigeminy, pairs, tachycardias and slow ventricular rhythms."""
    early_s = max(0.32, usual_s * float(rng.uniform(0.45, 0.95)))
    some = float(rng.random())
    if some < 0.5:
        yield Set(early_s, "V", 1.0)
        yield Set(max(0.5, float(rng.choice([2 * usual_s - early_s, usual_s]))), "N", 1.0)
    elif some < 0.65:
        for _ in range(int(rng.integers(3, 15))):
            yield Set(early_s * float(rng.normal(1, 0.03)), "V", 1.0)
            yield Set(2 * usual_s - early_s, "N", 1.0)
    elif some < 0.85:
        follows_s = max(0.26, usual_s * float(rng.uniform(0.35, 0.85)))
        limp = 1 + (float(rng.uniform(-0.25, 0.25)) if rng.random() < 0.3 else 0.0)  # two foci take turns
        for k in range(int(rng.integers(2, 25))):
            rr_s = early_s if k == 0 else follows_s * (limp if k % 2 else 2 - limp)
            yield Set(rr_s * float(rng.normal(1, 0.04)), "V", 0.0)
        yield Set(usual_s * float(rng.uniform(1.0, 1.4)), "N", 1.0)
    else:
        slow_s = usual_s * float(rng.uniform(0.85, 1.15))
        for _ in range(int(rng.integers(4, 40))):
            yield Set(slow_s * float(rng.normal(1, 0.02)), "V", 0.0)


def _with_p(cut: Cut, p: float) -> Cut:
    """The beat with its P wave times `p`, against the line between its ends."""
    if p == 1.0:
        return cut
    signal = cut.signal_mv.copy()
    line = np.linspace(signal[P_FROM], signal[P_TO], P_TO - P_FROM, dtype=np.float32)
    signal[P_FROM:P_TO] = line + np.float32(p) * (signal[P_FROM:P_TO] - line)
    return replace(cut, signal_mv=signal)


def _aberrant(cut: Cut, branch: float) -> Cut:
    """The beat with a QRS that ends late: drawn out, and a slow wave `branch` (1 or -1) of its size at the end."""
    signal, at = cut.signal_mv, cut.peak
    start, stop = at - round(0.05 * FS_HZ), at + round(0.07 * FS_HZ)
    n = round(1.35 * (stop - start))
    qrs = np.interp(np.linspace(0, stop - start - 1, n), np.arange(stop - start), signal[start:stop])
    late = np.arange(n) / FS_HZ - 0.105
    qrs += branch * 0.45 * float(np.ptp(signal[start:stop])) * np.exp(-np.square(late / 0.025))
    tail = -signal[stop:] * 0.6 * np.sign(branch) * np.sign(signal[stop:].sum() or 1)
    tail += np.linspace(float(qrs[-1] - tail[0]), 0, len(tail)) * np.exp(-np.arange(len(tail)) / 4)
    return Cut(np.concatenate((signal[:start], qrs, tail)).astype(np.float32), at)


def _p_alone(cut: Cut) -> Cut:
    """The P wave of a beat, with nothing after it."""
    signal = cut.signal_mv[:P_TO].copy()
    line = np.linspace(signal[P_FROM], signal[-1], P_TO - P_FROM, dtype=np.float32)
    signal[:P_FROM], signal[P_FROM:] = 0, signal[P_FROM:] - line
    return Cut(signal, cut.peak)


def _put(signal: FloatArray, cut: Cut, at: int) -> None:
    signal[at - cut.peak : at - cut.peak + len(cut.signal_mv)] += cut.signal_mv


def _shorter(cut: Cut, share: float) -> Cut:
    """The beat with its ST-T stretch as long as at an interval of `share` of the recorded one (square root)."""
    scale = float(np.clip(np.sqrt(share), 0.65, 1.1))
    head, tail = cut.signal_mv[: cut.peak + QRS_END], cut.signal_mv[cut.peak + QRS_END :]
    m = max(2, round(len(tail) * scale))
    squeezed = np.interp(np.linspace(0, len(tail) - 1, m), np.arange(len(tail)), tail).astype(np.float32)
    return replace(cut, signal_mv=np.concatenate((head, squeezed)))


def _like(cut: Cut, size_mv: float, rng: Generator) -> Cut:
    """Another heart's ventricular beat, as high as it could be in this lead, upside down in half of them."""
    gain = size_mv * float(rng.uniform(0.6, 2.2)) / max(float(np.ptp(cut.signal_mv)), 1e-3)
    return replace(cut, signal_mv=cut.signal_mv * np.float32(gain if rng.random() < 0.5 else -gain))


def _fibrillation(n: int, size_mv: float, rng: Generator) -> FloatArray:
    """Fibrillatory waves: 4 to 8 Hz, waxing and waning."""
    t_s = np.arange(n) / FS_HZ
    phase = 2 * np.pi * (rng.uniform(4, 8) * t_s + 0.5 * np.sin(2 * np.pi * 0.23 * t_s))
    return np.asarray(size_mv * rng.uniform(0.01, 0.06) * np.sin(phase) * (1 + 0.5 * np.sin(0.7 * t_s)), np.float32)


def _line(n: int, size_mv: float, rng: Generator) -> FloatArray:
    """What lies below the beats: breathing, wander and a little noise."""
    t_s = np.arange(n) / FS_HZ
    wander = size_mv * rng.uniform(0.01, 0.08) * np.sin(2 * np.pi * rng.uniform(0.15, 0.35) * t_s)
    noise = size_mv * rng.uniform(0.003, 0.03) * rng.normal(size=n)
    return np.asarray(wander + noise, np.float32)
