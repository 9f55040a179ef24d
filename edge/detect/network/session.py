"""The annotator network in ONNX Runtime: the one module that imports it."""

from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.detect.network.confirm import PEAK_NUMBERS
from edge.detect.network.features import FEATURES
from edge.detect.network.record_class import CLASS_NUMBERS
from edge.detect.network.usual import USUAL_FEATURES
from edge.errors import ExtraMissing, ModelError
from edge.models.bundle import SHIPPED, load_bundle

FloatArray = NDArray[np.float32]
PARTS = ("trunk", "context", "first_look", "beats", "labels", "classes")
N_NUMBERS = len(FEATURES) + len(USUAL_FEATURES)


@dataclass(frozen=True, slots=True)
class Network:
    """A loaded annotator; calls are pure, one thread each."""

    name: str
    trunk: Any = field(repr=False)
    context: Any = field(repr=False)
    first_look: Any = field(repr=False)
    beats: Any = field(repr=False)
    labels: Any = field(repr=False)
    classes: Any = field(repr=False)

    @property
    def n_coarse(self) -> int:
        """Number of features at 5 Hz."""
        return int(self.context.get_inputs()[0].shape[1])

    def run_trunk(self, signal: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        """(2, 125 n) -> wave logits (4, 125 n), features at 5 Hz (c, 5 n), noise logits (5 n,)."""
        waves, coarse, noise = self.trunk.run(None, {"signal": signal[None]})
        return waves[0], coarse[0], noise[0, 0]

    def run_context(self, coarse: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        """(c, 5 n) -> of n seconds: logits of AF, AFL, VF (3, n), classes (8, n), embedding (c, n)."""
        likely, classes, embedding = self.context.run(None, {"coarse": coarse[None]})
        return likely[0], classes[0], embedding[0]

    def run_first_look(self, numbers: FloatArray) -> FloatArray:
        """Numbers of m peaks at a first look (m, 33) -> probability that each is a beat (m,)."""
        return _of_peaks(self.first_look, numbers)

    def run_beats(self, numbers: FloatArray) -> FloatArray:
        """Numbers of m peaks at a second look (m, 33) -> probability that each is a beat (m,)."""
        return _of_peaks(self.beats, numbers)

    def run_labels(self, features: FloatArray) -> FloatArray:
        """Numbers of m beats (m, 41) -> probabilities of N, S, V, F, Q (m, 5)."""
        if len(features) == 0:
            return np.empty((0, 5), np.float32)
        probability: FloatArray = self.labels.run(None, {"features": features})[0]
        return probability

    def run_classes(self, numbers: FloatArray) -> tuple[float, ...]:
        """Numbers of a recording, see `edge.detect.network.record_class` -> probabilities of N, A, O, ~."""
        probability: FloatArray = self.classes.run(None, {"numbers": numbers[None]})[0]
        return tuple(probability[0].tolist())


def _of_peaks(part: Any, numbers: FloatArray) -> FloatArray:
    if len(numbers) == 0:
        return np.empty(0, np.float32)
    probability: FloatArray = part.run(None, {"numbers": numbers})[0]
    return probability


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
    for part in PARTS:
        try:
            path = bundle.file(part)
        except KeyError as error:
            raise ModelError(
                f"{folder / 'bundle.toml'} says no {error} of {part}", "Install the bundle again"
            ) from error
        try:
            sessions.append(onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"]))
        except Exception as error:  # onnxruntime raises kinds of its own, none of them documented
            raise ModelError(f"onnxruntime does not load {path}: {error}", "Install the bundle again") from error
    n_peak = len(PEAK_NUMBERS)
    made_of = {"first_look": n_peak, "beats": n_peak, "labels": N_NUMBERS, "classes": len(CLASS_NUMBERS)}
    for part, made in made_of.items():
        shape = sessions[PARTS.index(part)].get_inputs()[0].shape
        wanted = shape[1] if len(shape) == 2 else "unknown"
        if wanted != made:
            raise ModelError(
                f"Bundle {bundle.name} tells {part} by {wanted} numbers, this version makes {made}",
                "Install the bundle that came with this version",
            )
    return Network(bundle.name, *sessions)


@lru_cache(maxsize=1)
def shipped_network() -> Network | None:
    """The network that comes with the package; None where it cannot run (`anyecg doctor` says why)."""
    try:
        return load_network()
    except (ExtraMissing, ModelError):
        return None


def why_no_network() -> str:
    """Why `shipped_network` gives none, in one line with the next step; empty where it gives one."""
    try:
        load_network()
    except (ExtraMissing, ModelError) as error:
        return str(error)
    return ""
