"""From trained weights to a bundle: export, train the labelling on top, write the table.

`python -m training.annotator.finish --rows FILE.npz --trained DIR --out DIR`
"""

import argparse
import shutil
from pathlib import Path

import onnxruntime
import torch

from edge.detect.network.session import Network
from training.annotator.data import read
from training.annotator.export import export_labelling, export_network, write_annotator
from training.annotator.label_beats import NAMES, beats_of, train_labelling
from training.annotator.model import Annotator
from training.annotator.train import HELD_OUT, seen_rows


def finish(rows_file: Path, trained: Path, out: Path) -> None:
    """Write a bundle into `out`; the labelling sees only the records that the weights saw."""
    torch.set_num_threads(1)
    model = Annotator()
    model.load_state_dict(torch.load(trained / "model.pt", weights_only=True))
    out.mkdir(parents=True, exist_ok=True)
    export_network(model, out)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    trunk, context = (onnxruntime.InferenceSession(str(out / f"{part}.onnx"), options) for part in ("trunk", "context"))
    rows = [r for r in seen_rows(read(rows_file), trained) if r.source == "mitdb"]
    beats = beats_of(rows, Network("training", trunk, context, None))
    export_labelling(train_labelling(beats), len(NAMES), out)
    write_annotator(out, "annotator" if trained.name == "all" else f"annotator-fold{trained.name}")
    shutil.copy(trained / HELD_OUT, out / HELD_OUT)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=Path, required=True)
    parser.add_argument("--trained", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    finish(given.rows, given.trained, given.out)


if __name__ == "__main__":
    main()
