"""The part that tells beats from bumps, trained on peaks in clean and in noisy training records.

The noise is made or comes from recordings that people called too noisy to read (CinC 2017), at levels at which beats
drown now and then. The numbers of a peak come from the functions that run on a device.
"""

from dataclasses import dataclass, replace

import numpy as np
import scipy.ndimage
import torch
from numpy.random import Generator
from numpy.typing import NDArray
from torch import Tensor, nn

from edge.detect.network import confirm
from edge.detect.network.decode import find_peaks, sigmoid
from edge.detect.network.prepare import FS_HZ
from edge.detect.network.session import Network
from edge.settings import NetworkSettings
from training.annotator import augment
from training.annotator.batches import prepared
from training.annotator.data import CINC, SEED, Row
from training.annotator.ectopy import MADE, TURNED
from training.annotator.perceptrons import Averaged, fit

FloatArray = NDArray[np.float32]
MATCH = round(0.15 * FS_HZ)
STEP_S, BACK_S, AHEAD_S = 120, 15, 1
VARIANTS = {"mitdb": 4, "ludb": 2}  # times a record is read: once as it is, then with noise …
MADE_VARIANTS = 2  # … and a made or turned one
CLEAN_WEIGHT = 3.0  # hearts are recorded without much noise most of the time; not for made and turned rows
SEEDS, STEPS, BATCH = 3, 4000, 1024
JITTER = 0.1


@dataclass(frozen=True, slots=True, eq=False)
class Stretch:
    """The peaks of one lead of one record, in the pieces in which they are looked at."""

    pieces: list[tuple[confirm.Peaks, int]]
    """With the second after each piece."""
    known: NDArray[np.bool_]
    """Shape (n_peaks,): whether the reference says what the peak is …"""
    is_beat: NDArray[np.bool_]
    """… and whether it is a beat."""
    record: str
    weight: float
    """How much its peaks count."""


class Confirming(Averaged):
    """Numbers (m, 33) -> probability of a beat (m,)."""

    def chance(self, logits: Tensor) -> Tensor:
        """Of two classes one probability tells both."""
        return torch.sigmoid(logits[:, 0])


def perceptron(n_in: int) -> nn.Sequential:
    """Two hidden layers of 64."""
    return nn.Sequential(
        nn.Linear(n_in, 64), nn.ReLU(), nn.Dropout(0.1), nn.Linear(64, 64), nn.ReLU(), nn.Dropout(0.1), nn.Linear(64, 1)
    )


def peaks_of_rows(rows: list[Row], network: Network) -> list[Stretch]:
    """The peaks of every marked, made or turned row, clean and with noise."""
    rng = np.random.default_rng(SEED)
    noises = [r.signal_mv for r in rows if r.source == "cinc2017" and r.recording_class == CINC.index("~")]
    stretches = []
    for row in rows:
        recorded = not row.record.startswith((MADE, TURNED))
        for variant in range(VARIANTS.get(row.source, 0) if recorded else MADE_VARIANTS):
            signal = with_noise(row, noises, rng) if variant else row.signal_mv
            pieces = peaks_of(-signal if rng.random() < 0.2 else signal, network)
            at = np.concatenate([peaks.at for peaks, _ in pieces])
            logit = np.concatenate([peaks.logit for peaks, _ in pieces])
            known = (at >= row.sure[0] - MATCH) & (at < row.sure[1] + MATCH)
            if row.source == "mitdb":
                known &= ~np.repeat(row.rhythm == 3, FS_HZ)[at]  # flutter waves are no beats, and nobody marked them
            is_beat = beats_among(at, logit, row.beats)
            weight = CLEAN_WEIGHT if recorded and variant == 0 else 1.0
            stretches.append(Stretch(pieces, known, is_beat, f"{row.source} {row.record}", weight))
    return stretches


def with_noise(row: Row, noises: list[FloatArray], rng: Generator) -> FloatArray:
    """The row's signal with stretches of noise."""
    n = len(row.signal_mv)
    signal = row.signal_mv.copy()
    seconds = np.nan_to_num(signal).reshape(-1, FS_HZ)
    scale_mv = max(0.02, float(np.quantile(np.ptp(seconds, axis=1), 0.7)))
    at = int(rng.integers(0, 60)) * FS_HZ if n > 60 * FS_HZ else 0
    while at < n:
        length = min(n - at, int(rng.integers(10, 120)) * FS_HZ)
        if noises and rng.random() < 0.5:
            noise = np.resize(noises[int(rng.integers(len(noises)))], length)
            noise = noise - scipy.ndimage.uniform_filter1d(noise, 2 * FS_HZ)
            noise = noise / (np.nanstd(noise) + 1e-6)
        else:
            noise = augment.noise_like(length, rng)
        level = float(np.exp(rng.uniform(np.log(0.06), np.log(0.7))))
        signal[at : at + length] += (np.nan_to_num(noise) * level * scale_mv).astype(np.float32)
        at += length + int(rng.integers(0, 90)) * FS_HZ
    return signal


def peaks_of(signal_mv: FloatArray, network: Network) -> list[tuple[confirm.Peaks, int]]:
    """All peaks of a lead, half-minute by half-minute."""
    least = NetworkSettings().peak_probability
    signal = prepared(signal_mv)
    n_seconds = signal.shape[1] // FS_HZ
    pieces = []
    for first in range(0, n_seconds, STEP_S):
        stop, seen = min(n_seconds, first + STEP_S), max(0, first - BACK_S)
        window = np.ascontiguousarray(signal[:, seen * FS_HZ : (stop + AHEAD_S) * FS_HZ])
        logits, _, noise = network.run_trunk(window)
        waves, curve = sigmoid(logits[:3]), logits[3]
        at = find_peaks(sigmoid(curve), (first - seen) * FS_HZ, (stop - seen) * FS_HZ, least)
        for piece in range(first, stop, confirm.BLOCK_S):
            piece_stop = min(stop, piece + confirm.BLOCK_S)
            own = at[(at >= (piece - seen) * FS_HZ) & (at < (piece_stop - seen) * FS_HZ)]
            pieces.append((confirm.look(window[0], waves, noise, curve, own, seen * FS_HZ), piece_stop))
    return pieces


def numbers_of(stretch: Stretch, *, first_look: bool) -> FloatArray:
    """Numbers of all peaks, shape (n_peaks, len(PEAK_NUMBERS)); remembered as beats are those that look like it."""
    state = confirm.ConfirmState()
    numbers = []
    for peaks, stop in stretch.pieces:
        company = confirm.company_of(peaks, state)
        numbers.append(confirm.peak_numbers(company, state, None if first_look else peaks.chance))
        confirm.remember(peaks, peaks.chance >= confirm.STRONG_CHANCE, stop * FS_HZ, state)
    return np.concatenate(numbers)


def with_chances(stretches: list[Stretch], model: Confirming) -> list[Stretch]:
    """The same peaks with what a first look makes of them."""
    looked = []
    for stretch in stretches:
        with torch.no_grad():
            chance = model(torch.from_numpy(numbers_of(stretch, first_look=True))).numpy()
        ends = np.cumsum([len(peaks.at) for peaks, _ in stretch.pieces])[:-1]
        pieces = [
            (replace(peaks, chance=own), stop)
            for (peaks, stop), own in zip(stretch.pieces, np.split(chance, ends), strict=True)
        ]
        looked.append(replace(stretch, pieces=pieces))
    return looked


def beats_among(at: NDArray[np.int64], logit: FloatArray, beats: NDArray[np.int32]) -> NDArray[np.bool_]:
    """Which peaks are beats of the reference: for each beat the highest peak within 150 ms."""
    found = np.zeros(len(at), bool)
    for beat in beats.tolist():
        a, b = np.searchsorted(at, [beat - MATCH, beat + MATCH + 1])
        if b > a:
            found[a + int(np.argmax(logit[a:b]))] = True
    return found


def train_confirming(stretches: list[Stretch], *, first_look: bool) -> Confirming:
    """Train the perceptrons; two minutes on one core. Every record weighs as much as the root of its peaks."""
    known = [stretch.known for stretch in stretches]
    x = np.concatenate([numbers_of(s, first_look=first_look)[k] for s, k in zip(stretches, known, strict=True)])
    y = np.concatenate([s.is_beat[k] for s, k in zip(stretches, known, strict=True)]).astype(np.float32)
    n_known = [int(k.sum()) for k in known]
    record = np.repeat([s.record for s in stretches], n_known)
    of_stretch = np.repeat([s.weight for s in stretches], n_known)
    model = Confirming(torch.from_numpy(x.mean(axis=0)), torch.from_numpy(x.std(axis=0) + 1e-2), perceptron, SEEDS)
    _, of, count = np.unique(record, return_inverse=True, return_counts=True)
    weight = count[of] ** -0.5 * of_stretch
    chance = np.cumsum(weight / weight.sum())

    def loss_of(part: nn.Module, rng: Generator) -> Tensor:
        drawn = np.minimum(np.searchsorted(chance, rng.random(BATCH)), len(y) - 1)
        inputs = model.normal(torch.from_numpy(x[drawn]))
        logits = part(inputs + JITTER * torch.randn_like(inputs))[:, 0]
        return nn.functional.binary_cross_entropy_with_logits(logits, torch.from_numpy(y[drawn]))

    fit(model, STEPS, loss_of)
    return model
