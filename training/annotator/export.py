"""Trained weights to a bundle of ONNX graphs."""

import warnings
from pathlib import Path

import torch
from torch import Tensor, nn

from edge.detect.network.session import PARTS
from export.bundle import write_bundle
from training.annotator.model import Annotator

TRAINING_DATA = (
    "MIT-BIH Arrhythmia Database (26 records), LUDB (160), PhysioNet/CinC Challenge 2017 (6,822), all ODC-By 1.0"
)
Axes = dict[str, dict[int, str]]


def export_network(model: Annotator, out: Path) -> None:
    """Write trunk.onnx and context.onnx."""
    model.eval()
    n = 20
    _export(
        model.trunk, torch.zeros(1, 2, 125 * n), out / "trunk.onnx", ["signal"], ["waves", "coarse", "noise"],
        {"signal": {2: "n"}, "waves": {2: "n"}, "coarse": {2: "n5"}, "noise": {2: "n5"}},
    )  # fmt: skip
    _export(
        model.context, torch.zeros(1, model.size.coarse, 5 * n), out / "context.onnx", ["coarse"],
        ["likely", "classes", "embedding"],
        {"coarse": {2: "n5"}, "likely": {2: "n"}, "classes": {2: "n"}, "embedding": {2: "n"}},
    )  # fmt: skip


def export_confirming(model: nn.Module, n_numbers: int, path: Path) -> None:
    """Write first_look.onnx or beats.onnx."""
    axes = {"numbers": {0: "m"}, "beat": {0: "m"}}
    _export(model.eval(), torch.zeros(3, n_numbers), path, ["numbers"], ["beat"], axes)


def export_labelling(model: nn.Module, n_features: int, out: Path) -> None:
    """Write labels.onnx."""
    axes = {"features": {0: "m"}, "labels": {0: "m"}}
    _export(model.eval(), torch.zeros(3, n_features), out / "labels.onnx", ["features"], ["labels"], axes)


def export_classifying(model: nn.Module, n_numbers: int, out: Path) -> None:
    """Write classes.onnx."""
    axes = {"numbers": {0: "m"}, "classes": {0: "m"}}
    _export(model.eval(), torch.zeros(3, n_numbers), out / "classes.onnx", ["numbers"], ["classes"], axes)


def _export(model: nn.Module, example: Tensor, path: Path, inputs: list[str], outputs: list[str], axes: Axes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter warns of its own future
        torch.onnx.export(
            model, (example,), str(path), dynamo=False, opset_version=17,
            input_names=inputs, output_names=outputs, dynamic_axes=axes,
        )  # fmt: skip


def write_annotator(out: Path, name: str) -> Path:
    """Write the bundle's table for the graphs in `out`."""
    files = {part: f"{part}.onnx" for part in PARTS}
    return write_bundle(out, name=name, task="annotate", licence="Apache-2.0", training_data=TRAINING_DATA, files=files)
