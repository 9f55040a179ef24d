"""Variants of real signals: noise, polarity, bandwidth, gaps, speed, pauses. Pure functions with a generator."""

from dataclasses import dataclass, replace

import numpy as np
import scipy.ndimage
import scipy.signal
from numpy.random import Generator
from numpy.typing import NDArray

from edge.detect.network.prepare import FS_HZ
from training.annotator.data import CINC, UNKNOWN

FloatArray = NDArray[np.float32]
NOISE_CLASS = CINC.index("~")


@dataclass(frozen=True, slots=True)
class Sample:
    """One training stretch at 125 Hz; `rhythm` and `noisy` per second, the others as in training.annotator.data.Row."""

    signal_mv: FloatArray
    beats: NDArray[np.int32]
    labels: NDArray[np.uint8]
    rhythm: NDArray[np.uint8]
    waves: NDArray[np.uint8]
    """Bits 1 P, 2 QRS, 4 T, 8 known, 16 no P known for certain; shape (n,)."""
    beats_known: NDArray[np.bool_]
    """Per sample: whether every beat there is in `beats`."""
    noisy: NDArray[np.float32]
    """Per second: 1 drowned by added noise, 0 not, NaN not known."""
    recording_class: int


def paused(sample: Sample, rng: Generator) -> Sample:
    """A pause or two, or a heart that beats a few times a minute: quiet line put in between T and the next P wave."""
    beats, n = sample.beats, len(sample.signal_mv)
    at = beats[:-1] + round(0.45 * FS_HZ)
    able = np.flatnonzero(np.diff(beats) > 0.65 * FS_HZ)
    if len(able) == 0:
        return sample
    chosen = able if rng.random() < 0.4 else np.sort(rng.permutation(able)[: int(rng.integers(1, 3))])
    longest_s = float(rng.uniform(1, 9))
    parts: list[FloatArray] = []
    shift, last = np.zeros(len(beats), np.int64), 0
    for k in chosen.tolist():
        extra = int(rng.uniform(0.7, 1.0) * longest_s * FS_HZ)
        level = sample.signal_mv[at[k]]
        wander = np.cumsum(rng.normal(0, 0.001, extra)) + rng.normal(0, 0.004, extra)
        parts += [
            sample.signal_mv[last : at[k]],
            (level + wander - wander[-1] * np.linspace(0, 1, extra)).astype(np.float32),
        ]
        last = int(at[k])
        shift[k + 1 :] += extra
    signal = np.concatenate([*parts, sample.signal_mv[last:]])[:n]
    moved = (beats + shift).astype(np.int32)
    kept = moved < n
    unknown = np.full(len(sample.rhythm), UNKNOWN, np.uint8)
    return replace(
        sample, signal_mv=signal, beats=moved[kept], labels=sample.labels[kept], rhythm=unknown,
        waves=np.zeros(n, np.uint8), recording_class=-1,
    )  # fmt: skip


def only_noise(n: int, rng: Generator) -> Sample:
    """No heart at all: an electrode that hangs in the air, at any gain."""
    gain_mv = np.float32(np.exp(rng.uniform(np.log(0.003), np.log(3))))
    white = rng.normal(size=n).astype(np.float32)
    signal = gain_mv * (white if rng.random() < 0.35 else noise_like(n, rng))
    seconds = n // FS_HZ
    return Sample(
        signal, np.empty(0, np.int32), np.empty(0, np.uint8), np.full(seconds, UNKNOWN, np.uint8), np.zeros(n, np.uint8),
        np.ones(n, bool), np.ones(seconds, np.float32), NOISE_CLASS,
    )  # fmt: skip


def reshaped(signal_mv: FloatArray, waves: NDArray[np.uint8], rng: Generator) -> tuple[FloatArray, NDArray[np.uint8]]:
    """Marked waves higher, lower or upside down, against the line between their ends; sometimes no P wave at all.

    The marked recordings are of few hearts: this shows how high P is against QRS in hearts that are not among them.
    """
    signal, marks = signal_mv.copy(), waves.copy()
    p_factor = 0.0 if rng.random() < 0.1 else float(np.exp(rng.uniform(np.log(0.35), np.log(2.5))))
    p_factor *= -1 if rng.random() < 0.2 else 1
    t_factor = float(np.exp(rng.uniform(np.log(0.4), np.log(1.6)))) * (-1 if rng.random() < 0.15 else 1)
    for bit, factor in ((1, p_factor), (2, float(np.exp(rng.uniform(np.log(0.5), np.log(1.6))))), (4, t_factor)):
        edges = np.flatnonzero(np.diff(np.concatenate(([0], (waves & bit > 0).view(np.int8), [0]))))
        for a, b in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True):
            line = np.linspace(signal[a], signal[b - 1], b - a, dtype=np.float32)
            signal[a:b] = line + np.float32(factor) * (signal[a:b] - line)
    if p_factor == 0:
        marks &= ~np.uint8(1)
    return signal, marks


def stretch(sample: Sample, rng: Generator) -> Sample:
    """The same heart a little slower or faster, seldom much faster: 300 beats a minute are real, if rare."""
    factor = float(rng.uniform(0.88, 1.13) if rng.random() < 0.75 else rng.uniform(1.3, 2.8))
    n = len(sample.signal_mv)
    at = np.arange(n) * factor
    inside = at <= n - 1
    low = np.minimum(at.astype(np.int64), n - 2)
    part = (at - low).astype(np.float32)
    signal = sample.signal_mv[low] * (1 - part) + sample.signal_mv[low + 1] * part
    signal[~inside] = np.nan
    nearest = np.minimum(np.rint(at).astype(np.int64), n - 1)
    beats = np.rint(sample.beats / factor).astype(np.int32)
    kept = beats < min(n, int((n - 1) / factor))
    seconds = np.minimum(np.rint(np.arange(n // FS_HZ) * factor).astype(np.int64), n // FS_HZ - 1)
    return replace(
        sample,
        signal_mv=signal,
        beats=beats[kept],
        labels=sample.labels[kept],
        waves=np.where(inside, sample.waves[nearest], 0).astype(np.uint8),
        beats_known=sample.beats_known[nearest] | ~inside,
        rhythm=sample.rhythm[seconds],
    )


def noise_like(n: int, rng: Generator) -> FloatArray:
    """Made noise of about unit size: electrode motion, muscle, mains, drift, in random mixture."""
    noise = np.zeros(n)
    if rng.random() < 0.85:  # electrode motion: bumps of any width, as sharp as a QRS or as slow as a breath
        n_bumps = int(rng.poisson(rng.uniform(0.3, 4.0) * n / FS_HZ)) + 1
        for centre, width, kind in zip(
            rng.integers(0, n, n_bumps), np.exp(rng.uniform(np.log(2), np.log(60), n_bumps)), rng.random(n_bumps),
            strict=True,
        ):  # fmt: skip
            a, b = max(0, int(centre - 4 * width)), min(n, int(centre + 4 * width) + 1)
            t = (np.arange(a, b) - centre) / width
            bump = np.exp(-(t**2) / 2)
            if kind < 0.35:
                bump = -t * bump * 1.6
            elif kind < 0.5:
                bump = (1 - t**2) * bump
            elif kind < 0.65:
                bump = np.where(t > 0, np.exp(-t), 0)
            noise[a:b] += rng.standard_t(3) * bump
    if rng.random() < 0.5:  # coloured noise
        low, high = sorted(np.exp(rng.uniform(np.log(0.5), np.log(45), 2)))
        sos = scipy.signal.butter(2, (low, max(high, low * 1.3)), "bandpass", fs=FS_HZ, output="sos")
        coloured = scipy.signal.sosfilt(sos, rng.normal(size=n))
        noise += rng.uniform(0.2, 1.2) * coloured / (coloured.std() + 1e-9)
    if rng.random() < 0.4:  # muscle
        envelope = scipy.ndimage.uniform_filter1d(rng.random(n) > 0.5, int(rng.integers(30, 400))) ** 2
        noise += rng.uniform(0.1, 0.8) * rng.normal(size=n) * envelope * 3
    if rng.random() < 0.2:
        noise += rng.uniform(0.1, 0.5) * np.sin(
            2 * np.pi * rng.choice([50, 60, 16.7]) * np.arange(n) / FS_HZ + rng.random()
        )
    if rng.random() < 0.3:
        noise += scipy.ndimage.gaussian_filter1d(np.cumsum(rng.normal(size=n)), 20) * rng.uniform(0.02, 0.15)
    noise -= noise.mean()
    return (noise / (noise.std() + 1e-6)).astype(np.float32)


DROWNED, CLEAR = 0.42, 0.22  # noise over the signal's scale, above which beats are lost and below which they are not


def with_noise(sample: Sample, noise: FloatArray, scale_mv: float, level: float, rng: Generator) -> Sample:
    """Add noise of `level` times the signal's own size, all the time or in bursts; say which seconds drown in it."""
    n = len(sample.signal_mv)
    gate = np.ones(n, np.float32)
    if rng.random() < 0.6:
        gate[:] = 0
        for _ in range(int(rng.integers(1, 4))):
            a, width = int(rng.integers(0, n)), int(rng.uniform(1, 20) * FS_HZ)
            gate[a : a + width] = 1
        gate = scipy.ndimage.uniform_filter1d(gate, 25)
    added = noise * gate * np.float32(level * scale_mv)
    fast = added - scipy.ndimage.uniform_filter1d(added, FS_HZ // 2)
    seconds = np.sqrt(np.square(fast).reshape(-1, FS_HZ).mean(axis=1)) / scale_mv
    noisy = np.where(seconds > DROWNED, 1.0, np.where(seconds < CLEAR, 0.0, np.nan)).astype(np.float32)
    noisy = np.where(np.isnan(sample.noisy) & (noisy == 0), np.nan, noisy).astype(np.float32)
    hidden = np.repeat(~(seconds < CLEAR / 2), FS_HZ)
    waves = np.where(hidden, 0, sample.waves).astype(np.uint8)
    return replace(sample, signal_mv=sample.signal_mv + added, noisy=noisy, waves=waves)


def with_gaps(sample: Sample, rng: Generator) -> Sample:
    """Lost packets: samples missing, or held at the last value; beats inside are gone."""
    signal, n = sample.signal_mv.copy(), len(sample.signal_mv)
    lost = np.zeros(n, bool)
    frozen = rng.random() < 0.3
    for _ in range(int(rng.integers(1, 4))):
        a = int(rng.integers(1, n))
        b = min(n, a + int(np.exp(rng.uniform(np.log(0.05), np.log(4))) * FS_HZ) + 1)
        signal[a:b] = signal[a - 1] if frozen else np.nan
        lost[a:b] = True
    inside = scipy.ndimage.binary_erosion(lost, iterations=6)
    near = scipy.ndimage.binary_dilation(lost, iterations=12) & ~inside
    kept = ~inside[sample.beats]
    return replace(
        sample,
        signal_mv=signal,
        beats=sample.beats[kept],
        labels=np.where(near[sample.beats[kept]], 0, sample.labels[kept]).astype(np.uint8),
        beats_known=sample.beats_known & ~near,
        waves=np.where(near | lost, 0, sample.waves).astype(np.uint8),
    )


def lowpassed(signal_mv: FloatArray, rng: Generator) -> FloatArray:
    """A narrower device: its pass band ends between 20 and 45 Hz."""
    sos = scipy.signal.butter(2, float(rng.uniform(20, 45)), fs=FS_HZ, output="sos")
    recorded = np.isfinite(signal_mv)
    filtered = scipy.signal.sosfiltfilt(sos, np.where(recorded, signal_mv, 0))
    return np.where(recorded, filtered, np.nan).astype(np.float32)
