"""The part that tells what a short recording is as a whole, trained on the numbers of the CinC 2017 training records."""

from dataclasses import replace

import numpy as np
import scipy.signal
import torch
from numpy.random import Generator
from numpy.typing import NDArray
from torch import Tensor, nn

from edge.detect.network.record_class import CLASS_NUMBERS
from edge.detect.network.session import Network
from edge.formats.memory import ArrayRecording
from edge.pipeline import annotate
from training.annotator.data import CINC, SEED, Row
from training.annotator.perceptrons import Averaged, fit

FloatArray = NDArray[np.float32]
MOST_OF_A_CLASS = 1500  # more records of a class tell little
SEEDS, STEPS, BATCH = 3, 1500, 256
JITTER = 0.2
FURTHEST = 3.0  # standard deviations


class _Recorder:
    """Stands where the part will be, and keeps the numbers that it is given."""

    def __init__(self) -> None:
        self.given: list[FloatArray] = []

    def run(self, _: object, inputs: dict[str, FloatArray]) -> list[FloatArray]:
        self.given.append(inputs["numbers"][0])
        return [np.full((1, len(CINC)), 1 / len(CINC), np.float32)]


def numbers_of_records(rows: list[Row], network: Network) -> tuple[FloatArray, NDArray[np.int64], FloatArray]:
    """Numbers (n, m) of records, their classes (n,), and how many records each stands for (n,)."""
    rng = np.random.default_rng(SEED)
    of_class = [[r for r in rows if r.source == "cinc2017" and r.recording_class == k] for k in range(len(CINC))]
    numbers, classes, weights = [], [], []
    for k, every in enumerate(of_class):
        chosen = rng.permutation(len(every))[:MOST_OF_A_CLASS].tolist()
        for index in chosen:
            recorder = _Recorder()
            signal_mv = scipy.signal.resample_poly(np.nan_to_num(every[index].signal_mv), 12, 5)
            annotate(ArrayRecording("", signal_mv, 300.0), network=replace(network, classes=recorder))
            if recorder.given:
                numbers.append(recorder.given[-1])
                classes.append(k)
                weights.append(len(every) / len(chosen))
    return np.stack(numbers), np.array(classes), np.array(weights, np.float32)


class Classifying(Averaged):
    """Numbers (m, n), NaN where missing -> probabilities (m, 4)."""

    def normal(self, numbers: Tensor) -> Tensor:
        """Numbers without unit; what is missing is as usual."""
        x = super().normal(numbers)
        return torch.clamp(torch.where(torch.isnan(x), torch.zeros_like(x), x), -FURTHEST, FURTHEST)


def perceptron(n_in: int) -> nn.Sequential:
    """One hidden layer of 48, half of it hidden while it learns."""
    return nn.Sequential(nn.Linear(n_in, 48), nn.ReLU(), nn.Dropout(0.5), nn.Linear(48, len(CINC)))


def train_classifying(numbers: FloatArray, classes: NDArray[np.int64], weights: FloatArray) -> Classifying:
    """Train the perceptrons; some seconds on one core."""
    mean, deviation = np.nanmean(numbers, axis=0), np.nanstd(numbers, axis=0) + 1e-3
    model = Classifying(torch.from_numpy(mean), torch.from_numpy(deviation.astype(np.float32)), perceptron, SEEDS)
    x, y, weight = model.normal(torch.from_numpy(numbers)), torch.from_numpy(classes), torch.from_numpy(weights)

    def loss_of(part: nn.Module, _: Generator) -> Tensor:
        drawn = torch.randint(0, len(y), (BATCH,))
        logits = part(x[drawn] + JITTER * torch.randn(BATCH, len(CLASS_NUMBERS)))
        each = nn.functional.cross_entropy(logits, y[drawn], reduction="none", label_smoothing=0.05)
        return (each * weight[drawn]).mean()

    fit(model, STEPS, loss_of, weight_decay=0.05)
    return model
