"""Which target and form a question has: word and character n-grams into two linear classifiers.

No language model takes part, so a missing one costs fluency only. On wordings written by someone else and kept out
of training it does as well as MiniLM sentence embeddings and better than SmolLM2's pooled hidden states
(bench/results/planner.json); trained by training/planner.
"""

import re
from collections import Counter
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from edge.ask.plan import FORMS, TARGETS, Form, Target
from edge.models.bundle import SHIPPED, load_bundle

_DIGITS = re.compile(r"\d+(?:[.,:]\d+)*")
_WORDS = re.compile(r"[^\W_]+(?:'\w+)?")


def features(question: str) -> Counter[str]:
    """Counts of word 1- and 2-grams and of character 2- to 5-grams within words; numbers are all alike."""
    words = _WORDS.findall(_DIGITS.sub("0", question.lower()))
    counts: Counter[str] = Counter(f"w {word}" for word in words)
    counts.update(f"w {a} {b}" for a, b in pairwise(words))
    for word in words:
        padded = f" {word} "
        counts.update(f"c{padded[k : k + n]}" for n in range(2, 6) for k in range(len(padded) - n + 1))
    return counts


@dataclass(frozen=True, slots=True, eq=False)
class Classifier:
    """Weights over a vocabulary of features."""

    column: dict[str, int]
    idf: NDArray[np.float32]
    weights: NDArray[np.float32]
    """(n_features, n_targets + n_forms)"""
    bias: NDArray[np.float32]

    def vector(self, question: str) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Columns and values of a question's features; words and characters each of length 1."""
        columns, values, is_word = [], [], []
        for feature, count in features(question).items():
            if (k := self.column.get(feature)) is not None:
                columns.append(k)
                values.append((1 + np.log(count)) * self.idf[k])
                is_word.append(feature[0] == "w")
        found, words = np.array(values, np.float32), np.array(is_word, bool)
        for part in (words, ~words):
            if (length := float(np.linalg.norm(found[part]))) > 0:
                found[part] /= length
        return np.array(columns, np.int64), found

    def classify(self, question: str) -> tuple[Target, float, Form]:
        """Most probable target with its probability, and most probable form."""
        columns, values = self.vector(question)
        scores = values @ self.weights[columns] + self.bias if len(columns) else self.bias
        targets = np.exp(scores[: len(TARGETS)] - scores[: len(TARGETS)].max())
        targets /= targets.sum()
        best = int(targets.argmax())
        return TARGETS[best], float(targets[best]), FORMS[int(scores[len(TARGETS) :].argmax())]


@lru_cache(maxsize=1)
def shipped_classifier() -> Classifier:
    """The classifier in edge/models/planner; ModelError where its file is not the one that was trained."""
    path = load_bundle(SHIPPED / "planner").file("planner")
    with np.load(path, allow_pickle=False) as arrays:
        names = bytes(arrays["features"]).decode().split("\n")
        return Classifier(
            {name: k for k, name in enumerate(names)},
            arrays["idf"].astype(np.float32),
            arrays["weights"].astype(np.float32),
            arrays["bias"].astype(np.float32),
        )
