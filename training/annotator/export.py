"""Write trained weights as a bundle of two ONNX graphs: `python -m training.annotator.export --weights model.pt --out DIR`."""

import argparse
import warnings
from pathlib import Path

import torch

from export.bundle import write_bundle
from training.annotator.model import Annotator

TRAINING_DATA = (
    "MIT-BIH Arrhythmia Database (26 records), LUDB (160), PhysioNet/CinC Challenge 2017 (6,822), all ODC-By 1.0"
)


def export(model: Annotator, out: Path, name: str) -> None:
    """Write trunk.onnx, context.onnx and bundle.toml into `out`."""
    out.mkdir(parents=True, exist_ok=True)
    model.eval()
    n = 20
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter warns of its own future
        torch.onnx.export(
            model.trunk, (torch.zeros(1, 2, 125 * n),), str(out / "trunk.onnx"), dynamo=False, opset_version=17,
            input_names=["signal"], output_names=["waves", "coarse", "noise"],
            dynamic_axes={"signal": {2: "n"}, "waves": {2: "n"}, "coarse": {2: "n5"}, "noise": {2: "n5"}},
        )  # fmt: skip
        torch.onnx.export(
            model.context, (torch.zeros(1, model.size.coarse, 5 * n),), str(out / "context.onnx"), dynamo=False,
            opset_version=17, input_names=["coarse"], output_names=["likely", "classes", "embedding"],
            dynamic_axes={"coarse": {2: "n5"}, "likely": {2: "n"}, "classes": {2: "n"}, "embedding": {2: "n"}},
        )  # fmt: skip
    write_bundle(
        out, name=name, task="annotate", licence="Apache-2.0", training_data=TRAINING_DATA,
        files={"trunk": "trunk.onnx", "context": "context.onnx"},
    )  # fmt: skip


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--name", default="annotator")
    given = parser.parse_args()
    model = Annotator()
    model.load_state_dict(torch.load(given.weights, weights_only=True))
    export(model, given.out, given.name)


if __name__ == "__main__":
    main()
