"""Small perceptrons of which several are averaged: the form of all parts that judge by named numbers."""

from collections.abc import Callable

import numpy as np
import torch
from numpy.random import Generator
from torch import Tensor, nn

from training.annotator.data import SEED

LEARNING_RATE = 3e-3


class Averaged(nn.Module):
    """Mean of the probabilities of `n` perceptrons over numbers (m, n_numbers), set to mean 0 and deviation 1."""

    def __init__(self, mean: Tensor, deviation: Tensor, perceptron: Callable[[int], nn.Sequential], n: int) -> None:
        super().__init__()
        self.register_buffer("mean", mean)
        self.register_buffer("deviation", deviation)
        self.each = nn.ModuleList(perceptron(len(mean)) for _ in range(n))

    def normal(self, numbers: Tensor) -> Tensor:
        """Numbers without unit."""
        return (numbers - self.mean) / self.deviation

    def chance(self, logits: Tensor) -> Tensor:
        """Probabilities of one perceptron."""
        return torch.softmax(logits, 1)

    def forward(self, numbers: Tensor) -> Tensor:
        x = self.normal(numbers)
        return torch.stack([self.chance(part(x)) for part in self.each]).mean(0)


def fit(
    model: Averaged, steps: int, loss_of: Callable[[nn.Module, Generator], Tensor], weight_decay: float = 0.02
) -> None:
    """Train each perceptron from a seed of its own; `loss_of` draws a batch and returns the loss of one of them."""
    for seed, part in enumerate(model.each):
        torch.manual_seed(SEED + seed)
        rng = np.random.default_rng(SEED + seed)
        for layer in part.modules():
            if isinstance(layer, nn.Linear):
                layer.reset_parameters()
        optimizer = torch.optim.AdamW(part.parameters(), lr=LEARNING_RATE, weight_decay=weight_decay)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, LEARNING_RATE, total_steps=steps + 1)
        part.train()
        for _ in range(steps):
            loss = loss_of(part, rng)
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]  # torch's own
            optimizer.step()
            schedule.step()
    model.eval()
