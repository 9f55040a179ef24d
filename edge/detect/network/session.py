"""The annotator network in ONNX Runtime: the one module that imports it."""

from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.detect.network.features import N_FEATURES
from edge.errors import ExtraMissing, ModelError
from edge.models.bundle import SHIPPED, load_bundle

FloatArray = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Network:
    """A loaded annotator; calls are pure, one thread each."""

    name: str
    trunk: Any = field(repr=False)
    context: Any = field(repr=False)

    def run_trunk(self, signal: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
        """(2, 125 n) -> wave logits (4, 125 n), features at 25 Hz (c, 25 n) and 5 Hz (c, 5 n), noise logits (5 n,)."""
        waves, middle, coarse, noise = self.trunk.run(None, {"signal": signal[None]})
        return waves[0], middle[0], coarse[0], noise[0, 0]

    def run_context(
        self, coarse: FloatArray, at_middle: FloatArray, frame: NDArray[np.int64], features: FloatArray
    ) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
        """Label logits (m, 5) of m beats, and of n seconds: likely (3, n), classes (8, n), embedding (c, n).

        `coarse` (c, 5 n); of each beat the 25 Hz features (m, c), its 5 Hz frame (m,) and its numbers (m, 13).
        """
        none = len(frame) == 0
        if none:  # the graph wants at least one
            at_middle, frame, features = (
                np.zeros((1, at_middle.shape[1]), np.float32),
                np.zeros(1, np.int64),
                np.zeros((1, N_FEATURES), np.float32),
            )
        inputs = {
            "coarse": coarse[None],
            "at_middle": at_middle[None],
            "frame": frame[None],
            "features": features[None],
        }
        labels, likely, classes, embedding = self.context.run(None, inputs)
        return labels[0][: 0 if none else None], likely[0], classes[0], embedding[0]


@lru_cache(maxsize=8)
def load_network(folder: Path = SHIPPED / "annotator") -> Network:
    """The network of a bundle with task "annotate".

    ExtraMissing without onnxruntime; ModelError where the bundle is absent, damaged or for something else.
    """
    try:
        import onnxruntime
    except ImportError as error:
        raise ExtraMissing("onnxruntime", "all") from error
    bundle = load_bundle(folder)
    if bundle.task != "annotate":
        raise ModelError(f"Bundle {bundle.name} is for {bundle.task!r}", "Name a bundle with task 'annotate'")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    sessions = []
    for part in ("trunk", "context"):
        path = bundle.file(part)
        try:
            sessions.append(onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"]))
        except Exception as error:  # onnxruntime raises its own kinds, none of them documented
            raise ModelError(f"onnxruntime does not load {path}: {error}", "Install the bundle again") from error
    return Network(bundle.name, *sessions)
