"""The labelling part of the annotator, trained on what its trunk and context say of the training records.

The numbers of each beat (edge.detect.network.features, usual) come from the very path that runs on a device: beats as
found, one lead at a time. A small perceptron turns them into N, S, V, F; five of them are averaged. Beside the recorded
rows stand made ones (training.annotator.ectopy): rhythms and turns of the body that twenty hearts did not have.

Paced and unclassifiable beats are shown as normal ones: nothing at 125 Hz sets a paced beat apart from one behind a
bundle branch block. Trained as Q, the paced beats of three hearts made Q of most of MIT-BIH 207's, with certainty.
"""

from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.random import Generator
from numpy.typing import NDArray
from torch import Tensor, nn

from edge.detect.network.features import FEATURES
from edge.detect.network.prepare import FS_HZ
from edge.detect.network.reader import LeadBuffer, ReaderState, read_seconds
from edge.detect.network.session import Network
from edge.detect.network.usual import USUAL_FEATURES
from edge.settings import NetworkSettings
from edge.types import LABELS
from training.annotator.data import Row
from training.annotator.ectopy import TURNED
from training.annotator.perceptrons import Averaged, fit

NAMES = (*FEATURES, *USUAL_FEATURES)
INDEX = {name: k for k, name in enumerate(NAMES)}
OF_NEIGHBOURS = [
    INDEX[name]
    for name in (
        "rr_before", "rr_after", "rr_before_change", "rr_after_change", "rr_second", "rr_spread", "compensation",
        "corr_median", "corr_best", "corr_before", "corr_after", "share_alike", "p_corr", "p_differs",
        "width_more", "size_more", "area_more", "sharp_more", "p_more", "pr_more", "t_more", "t_mass_more",
    )
]  # fmt: skip
N, S, V, Q = (LABELS.index(letter) for letter in "NSVQ")
MATCH = round(0.15 * FS_HZ)
MOST_OF_A_RECORD = (1600, 300, 600, 120, 0)  # beats of N, S, V, F from which one record gains little weight
CLASS_WEIGHT = (1.0, 3.2, 2.1, 0.4, 0.0)
TURNED_WEIGHT = 0.5  # of a turned row, which is a copy, beside a recorded one
SEEDS, STEPS, BATCH = 5, 1500, 1024
RUNS = 0.3  # share of ectopic beats shown as if in the middle of a run
JITTER = 0.45  # of numbers with mean 0 and deviation 1: neighbours of what was recorded look alike


@dataclass(frozen=True, slots=True, eq=False)
class Beats:
    """Numbers of found beats and what the reference calls them; shapes (n, 41), (n,), (n,)."""

    numbers: NDArray[np.float32]
    labels: NDArray[np.int64]
    record: NDArray[np.str_]


def beats_of(rows: list[Row], network: Network) -> Beats:
    """The beats that the network finds in each row and that have a reference label."""
    blank = replace(network, labels=_Blank())
    numbers, labels, records = [], [], []
    for row in rows:
        state = ReaderState(blank, NetworkSettings(), [LeadBuffer()])
        _, named = read_seconds(row.signal_mv[None], state, final=True)
        found = np.concatenate([n.beats for n in named])
        of_found = np.concatenate([n.features for n in named])
        nearest = np.clip(np.searchsorted(row.beats, found), 1, len(row.beats) - 1)
        nearest -= found - row.beats[nearest - 1] < row.beats[nearest] - found
        kept = np.abs(row.beats[nearest] - found) <= MATCH
        kept &= row.labels[nearest] > 0
        numbers.append(of_found[kept])
        labels.append([LABELS.index(chr(c)) for c in row.labels[nearest[kept]]])
        records.append(np.full(int(kept.sum()), row.record))
    label = np.concatenate(labels).astype(np.int64)
    return Beats(np.concatenate(numbers), np.where(label == Q, N, label), np.concatenate(records))


class _Blank:
    """Stands where the labelling will be while it is being trained."""

    def run(self, _: object, inputs: dict[str, NDArray[np.float32]]) -> list[NDArray[np.float32]]:
        return [np.zeros((len(inputs["features"]), len(LABELS)), np.float32)]


def perceptron(n_in: int) -> nn.Sequential:
    """Two hidden layers of 48."""
    return nn.Sequential(
        nn.Linear(n_in, 48),
        nn.ReLU(),
        nn.Dropout(0.25),
        nn.Linear(48, 48),
        nn.ReLU(),
        nn.Dropout(0.25),
        nn.Linear(48, 5),
    )


def sampling(beats: Beats) -> NDArray[np.float64]:
    """How often each beat is drawn: classes and records are levelled, but not made equal."""
    weight = np.zeros(len(beats.labels))
    for code in range(len(LABELS)):
        for record in np.unique(beats.record):
            own = (beats.labels == code) & (beats.record == record)
            n = int(own.sum())
            if n:
                weight[own] = CLASS_WEIGHT[code] * min(n, MOST_OF_A_RECORD[code]) ** 0.75 / n
    weight[np.char.startswith(beats.record, TURNED)] *= TURNED_WEIGHT
    return weight / weight.sum()


def train_labelling(beats: Beats) -> Averaged:
    """Train the perceptrons, numbers (m, 41) -> probabilities (m, 5); about a minute on one core."""
    x, y = beats.numbers, beats.labels
    model = Averaged(torch.from_numpy(x.mean(axis=0)), torch.from_numpy(x.std(axis=0) + 1e-3), perceptron, SEEDS)
    chance = np.cumsum(sampling(beats))
    calm = np.flatnonzero((y == 0) & (np.abs(x[:, INDEX["rr_before"]]) < 0.08) & (x[:, INDEX["rr_spread"]] < 0.08))
    in_runs = (y == V) | ((y == S) & (x[:, INDEX["rr_usual"]] < -0.15))

    def loss_of(part: nn.Module, rng: Generator) -> Tensor:
        drawn = np.minimum(np.searchsorted(chance, rng.random(BATCH)), len(y) - 1)
        shown = x[drawn].copy()
        run = np.flatnonzero(in_runs[drawn] & (rng.random(BATCH) < RUNS))
        shown[np.ix_(run, OF_NEIGHBOURS)] = x[np.ix_(rng.choice(calm, len(run)), OF_NEIGHBOURS)]
        shown[run, INDEX["rr_local"]] = shown[run, INDEX["rr_before_s"]]
        shown[run, INDEX["rr_onset"]] = shown[run, INDEX["rr_usual"]]  # a run begins with a step …
        slow = run[(y[drawn[run]] == V) & (rng.random(len(run)) < 0.5)]  # … or is no faster than the sinus rhythm
        shown[np.ix_(slow, [INDEX["rr_usual"], INDEX["rr_onset"]])] = rng.normal(0, 0.08, (len(slow), 1))
        inputs = model.normal(torch.from_numpy(shown))
        logits = part(inputs + JITTER * torch.randn_like(inputs))
        return nn.functional.cross_entropy(logits, torch.from_numpy(y[drawn]), label_smoothing=0.03)

    fit(model, STEPS, loss_of)
    return model
