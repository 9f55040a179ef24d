"""Batches of 40 s stretches, drawn so that rare things are seen often, augmented, and turned into tensors."""

from dataclasses import dataclass, replace

import numpy as np
import scipy.ndimage
import torch
from numpy.typing import NDArray
from torch import Tensor

from edge.detect.network.prepare import FS_HZ, PrepareState, prepare, settle
from training.annotator import augment
from training.annotator.augment import Sample
from training.annotator.data import UNKNOWN, Row

SECONDS = 40
N = SECONDS * FS_HZ
PER_BATCH = (("mitdb", 6), ("cinc2017", 6), ("ludb", 4))
MAX_BEATS = 160
NO_P_WEIGHT = 0.1  # hours of fibrillation must not drown the minutes in which P waves are marked
PEAK_SD = 2.0  # samples; width of the peak that marks a beat


@dataclass(frozen=True, slots=True)
class Batch:
    """Tensors of one step; masks are 0 where nothing is known."""

    signal: Tensor
    waves: Tensor
    waves_mask: Tensor
    expects_p: Tensor
    """Shape (batch, MAX_BEATS): samples of beats before which a P wave must lie, -1 for none …"""
    expects_no_p: Tensor
    """… and of beats before which none can lie."""
    likely: Tensor
    likely_mask: Tensor
    classes: Tensor
    recorded: Tensor


class Sampler:
    """Draws training stretches from the rows that a fold may see."""

    def __init__(self, rows: list[Row], seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.rows = {source: [r for r in rows if r.source == source] for source, _ in PER_BATCH}
        self.noises = [r.signal_mv for r in self.rows["cinc2017"] if r.recording_class == 3]
        self.partner = self._partners(self.rows["mitdb"])
        leads: dict[str, list[Row]] = {}
        for row in self.rows["ludb"]:
            leads.setdefault(row.record, []).append(row)
        self.leads = list(leads.values())
        self.rare = self._rare(self.rows["mitdb"])
        by_class: dict[int, list[int]] = {}
        for k, row in enumerate(self.rows["cinc2017"]):
            by_class.setdefault(row.recording_class, []).append(k)
        self.by_class = by_class

    @staticmethod
    def _partners(rows: list[Row]) -> dict[int, int]:
        """The other lead of the same record."""
        places: dict[str, list[int]] = {}
        for k, row in enumerate(rows):
            places.setdefault(row.record, []).append(k)
        return {a: b for pair in places.values() if len(pair) == 2 for a, b in (pair, pair[::-1])}

    @staticmethod
    def _rare(rows: list[Row]) -> dict[str, list[tuple[int, NDArray[np.int32]]]]:
        """For each rare thing, the rows that have it and where."""
        found: dict[str, list[tuple[int, NDArray[np.int32]]]] = {}
        for k, row in enumerate(rows):
            for letter in "SVFQ":
                at = row.beats[row.labels == ord(letter)]
                if len(at) >= 3:
                    found.setdefault(letter, []).append((k, at))
            for code, name in ((1, "AF"), (2, "AFL"), (3, "VF")):
                seconds = np.flatnonzero(row.rhythm == code)
                if len(seconds) > 5:
                    found.setdefault(name, []).append((k, (seconds * FS_HZ).astype(np.int32)))
        return found

    def _mitdb(self) -> Sample:
        rng, rows = self.rng, self.rows["mitdb"]
        if rng.random() < 0.6:
            name = str(rng.choice(["S", "V", "F", "Q", "AF", "AFL", "VF"], p=[0.35, 0.2, 0.1, 0.06, 0.16, 0.08, 0.05]))
            choices = self.rare.get(name) or self.rare["V"]
            k, at = choices[int(rng.integers(len(choices)))]
            start = int(rng.choice(at)) - int(rng.integers(8 * FS_HZ, N - 8 * FS_HZ))
        else:
            k = int(rng.integers(len(rows)))
            start = int(rng.integers(0, len(rows[k].signal_mv) - N))
        row = rows[k]
        start = FS_HZ * (min(max(0, start), len(row.signal_mv) - N) // FS_HZ)
        signal = row.signal_mv[start : start + N].copy()
        if k in self.partner and rng.random() < 0.3:
            other = rows[self.partner[k]].signal_mv[start : start + N]
            angle = rng.uniform(-0.5, 1.2)
            signal = (np.cos(angle) * signal + np.sin(angle) * other).astype(np.float32)
        inside = (row.beats >= start) & (row.beats < start + N)
        rhythm = row.rhythm[start // FS_HZ : start // FS_HZ + SECONDS]
        waves = np.where(np.repeat(np.isin(rhythm, (1, 3)), FS_HZ), 16, 0).astype(np.uint8)
        beats, labels = row.beats[inside] - start, row.labels[inside].copy()
        known = np.ones(N, bool)
        return Sample(signal, beats, labels, rhythm, waves, known, np.zeros(SECONDS, np.float32), -1)

    def _cinc(self) -> Sample:
        rng = self.rng
        kind = int(rng.choice(4, p=[0.36, 0.22, 0.34, 0.08]))
        places = self.by_class.get(kind) or self.by_class[0]
        row = self.rows["cinc2017"][int(rng.choice(places))]
        n = len(row.signal_mv)
        start = 0 if n <= N else FS_HZ * int(rng.integers(0, (n - N) // FS_HZ + 1))
        if n >= 20 * FS_HZ and rng.random() < 0.2:
            start = FS_HZ * int(rng.integers(0, (n - 15 * FS_HZ) // FS_HZ))
        signal = np.full(N, np.nan, np.float32)
        part = row.signal_mv[start : start + N]
        lead_in = FS_HZ * int(rng.integers(0, 4)) if len(part) + 4 * FS_HZ < N else 0
        signal[lead_in : lead_in + len(part)] = part
        inside = (row.beats >= start) & (row.beats < start + len(part))
        rhythm = np.full(SECONDS, UNKNOWN, np.uint8)
        seconds = row.rhythm[start // FS_HZ : start // FS_HZ + len(part) // FS_HZ]
        rhythm[lead_in // FS_HZ : lead_in // FS_HZ + len(seconds)] = seconds
        known = np.ones(N, bool)
        known[lead_in : lead_in + len(part)] = row.sure[1] > 0
        noisy = np.full(SECONDS, np.nan if row.recording_class == 3 else 0, np.float32)
        waves = np.full(N, 16 if row.recording_class == 1 else 0, np.uint8)
        return Sample(
            signal, row.beats[inside] - start + lead_in, row.labels[inside], rhythm, waves, known, noisy,
            row.recording_class,
        )  # fmt: skip

    def _ludb(self) -> Sample:
        rng = self.rng
        signal, waves = np.full(N, np.nan, np.float32), np.zeros(N, np.uint8)
        rhythm, known = np.full(SECONDS, UNKNOWN, np.uint8), np.ones(N, bool)
        beats: list[NDArray[np.int32]] = []
        at = 0
        for _ in range(3):
            leads = self.leads[int(rng.integers(len(self.leads)))]
            row = leads[int(rng.integers(len(leads)))]
            n = len(row.signal_mv)
            at += FS_HZ * int(rng.integers(0, 4))
            if at + n > N:
                break
            signal[at : at + n], waves[at : at + n] = self._marked(row, leads)
            known[at : at + row.sure[0] - 12] = False
            known[at + row.sure[1] + 12 : at + n] = False
            rhythm[at // FS_HZ : (at + n) // FS_HZ] = row.rhythm
            beats.append(row.beats + at)
            at += n
        joined = np.concatenate(beats).astype(np.int32)
        return Sample(
            signal, joined, np.zeros(len(joined), np.uint8), rhythm, waves, known, np.zeros(SECONDS, np.float32), -1
        )

    def _marked(self, row: Row, leads: list[Row]) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
        """Signal and marks of a lead, sometimes with some of another one in it, sometimes with other wave heights."""
        rng, signal, waves = self.rng, row.signal_mv, row.waves
        if rng.random() < 0.3:
            angle = rng.uniform(-0.6, 0.6)
            other = leads[int(rng.integers(len(leads)))].signal_mv
            signal = (np.cos(angle) * signal + np.sin(angle) * other).astype(np.float32)
        return augment.reshaped(signal, waves, rng) if rng.random() < 0.6 else (signal, waves)

    def sample(self, source: str) -> Sample:
        """One augmented stretch."""
        rng = self.rng
        if source == "cinc2017" and rng.random() < 0.08:
            return augment.only_noise(N, rng)
        drawn = {"mitdb": self._mitdb, "cinc2017": self._cinc, "ludb": self._ludb}[source]()
        if source != "ludb":
            if rng.random() < 0.3:
                drawn = augment.stretch(drawn, rng)
            elif rng.random() < 0.1:
                drawn = augment.paused(drawn, rng)
        elif rng.random() < 0.4:
            drawn = augment.stretch(drawn, rng)
        if rng.random() < 0.25:
            drawn = replace(drawn, signal_mv=-drawn.signal_mv)
        if rng.random() < 0.2:
            drawn = replace(drawn, signal_mv=augment.lowpassed(drawn.signal_mv, rng))
        if rng.random() < 0.5:
            drawn = self._noised(drawn)
        if rng.random() < 0.12:
            drawn = augment.with_gaps(drawn, rng)
        return drawn

    def _noised(self, drawn: Sample) -> Sample:
        rng = self.rng
        if self.noises and rng.random() < 0.25:
            noise = np.resize(self.noises[int(rng.integers(len(self.noises)))], N)
            noise = noise - scipy.ndimage.uniform_filter1d(noise, 2 * FS_HZ)
            noise = (noise / (np.nanstd(noise) + 1e-6)).astype(np.float32)
        else:
            noise = augment.noise_like(N, rng)
        seconds = np.nan_to_num(drawn.signal_mv).reshape(-1, FS_HZ)
        scale_mv = max(0.02, float(np.quantile(np.ptp(seconds, axis=1), 0.7)))
        return augment.with_noise(drawn, noise, scale_mv, float(np.exp(rng.uniform(np.log(0.04), np.log(1.2)))), rng)

    def batch(self) -> Batch:
        """One step's tensors."""
        samples = [self.sample(source) for source, n in PER_BATCH for _ in range(n)]
        return collate([tensors_of(s) for s in samples])


def prepared(signal_mv: NDArray[np.float32]) -> NDArray[np.float32]:
    """Network input of a whole stretch, shape (2, n)."""
    state = PrepareState()
    ready = prepare(signal_mv, state)
    return ready if not len(state.waiting) else settle(state)


def tensors_of(sample: Sample) -> dict[str, NDArray[np.generic]]:
    """Inputs, targets and masks of one stretch."""
    signal = prepared(sample.signal_mv)
    recorded = signal[1].reshape(-1, FS_HZ).mean(axis=1) > 0.5
    peaks = np.zeros(N, np.float32)
    peaks[sample.beats] = 1
    peaks = np.minimum(1, scipy.ndimage.gaussian_filter1d(peaks, PEAK_SD, truncate=4) * PEAK_SD * np.sqrt(2 * np.pi))
    known = sample.waves & 8 > 0
    no_p = (sample.waves & 16 > 0) & ~known
    # an unmarked stretch between marked waves says "none"; everything else is unknown
    waves = np.stack([*((sample.waves & bit > 0).astype(np.float32) for bit in (1, 2, 4)), peaks])
    mask = np.stack([known | no_p, known, known, sample.beats_known]).astype(np.float32)
    mask[0, no_p] = NO_P_WEIGHT
    mask[3] *= np.where(peaks > 0.05, 2.0, 1.0)
    rhythm = np.repeat(sample.rhythm[None], 4, axis=0)
    likely = np.stack([*(sample.rhythm == code for code in (1, 2, 3)), np.nan_to_num(sample.noisy) > 0.5])
    likely_mask = (rhythm != UNKNOWN) & recorded
    likely_mask[3] = ~np.isnan(sample.noisy) & recorded
    drowned = np.nan_to_num(sample.noisy, nan=1) > 0.5
    likely_mask[:3] &= ~drowned
    expects_p, expects_no_p = (
        np.pad(beats, (0, MAX_BEATS - len(beats)), constant_values=-1) for beats in expecting_p(sample)
    )
    return {
        "signal": signal,
        "waves": waves.astype(np.float32),
        "waves_mask": mask,
        "expects_p": expects_p,
        "expects_no_p": expects_no_p,
        "likely": likely.astype(np.float32),
        "likely_mask": likely_mask.astype(np.float32),
        "classes": np.array(sample.recording_class, np.int64),
        "recorded": recorded.astype(np.float32),
    }


def expecting_p(sample: Sample) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Beats before which a P wave must lie, and beats before which none can, in readable signal.

    Few recordings have their P waves marked, and a network that saw only those takes the look of a whole recording for
    a sign that it has none. In normal rhythm every normal beat that does not follow the one before too closely has
    one, wherever exactly it lies; in fibrillation and flutter no beat has.
    """
    if sample.recording_class in (2, 3) or (sample.waves & 8).any():
        return np.empty(0, np.int64), np.empty(0, np.int64)
    second = np.minimum(sample.beats // FS_HZ, SECONDS - 1)
    window = sample.beats[:, None] + np.arange(-40, 1)
    readable = (sample.beats > 40) & (np.nan_to_num(sample.noisy[second], nan=1.0) == 0)
    readable &= np.isfinite(sample.signal_mv[np.clip(window, 0, N - 1)]).all(axis=1)
    readable &= np.diff(sample.beats, prepend=-N) > 0.5 * FS_HZ
    rhythm = sample.rhythm[second]
    expected = readable & (sample.labels == ord("N")) & (rhythm == 0)
    return (
        sample.beats[expected][:MAX_BEATS].astype(np.int64),
        sample.beats[readable & np.isin(rhythm, (1, 2))][:MAX_BEATS].astype(np.int64),
    )


def collate(items: list[dict[str, NDArray[np.generic]]]) -> Batch:
    """Stack the arrays of all stretches."""
    return Batch(**{name: torch.from_numpy(np.stack([item[name] for item in items])) for name in items[0]})
