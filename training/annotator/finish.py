"""From trained weights to a bundle: export, train on top what confirms beats, labels them and classifies records, write the table.

`python -m training.annotator.finish --rows FILE.npz --trained DIR --out DIR`
"""

import argparse
import shutil
from dataclasses import replace
from pathlib import Path

import onnxruntime
import torch

from edge.detect.network.confirm import PEAK_NUMBERS
from edge.detect.network.record_class import CLASS_NUMBERS
from edge.detect.network.session import Network
from training.annotator.classify_records import numbers_of_records, train_classifying
from training.annotator.confirm_beats import peaks_of_rows, train_confirming, with_chances
from training.annotator.data import read
from training.annotator.ectopy import made_rows, turned_rows
from training.annotator.export import (
    export_classifying,
    export_confirming,
    export_labelling,
    export_network,
    write_annotator,
)
from training.annotator.label_beats import NAMES, beats_of, train_labelling
from training.annotator.model import Annotator
from training.annotator.train import HELD_OUT, seen_rows


def finish(rows_file: Path, trained: Path, out: Path) -> None:
    """Write a bundle into `out`; these parts see only the records that the weights saw."""
    torch.set_num_threads(1)
    model = Annotator()
    model.load_state_dict(torch.load(trained / "model.pt", weights_only=True))
    out.mkdir(parents=True, exist_ok=True)
    export_network(model, out)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1

    def session(part: str) -> onnxruntime.InferenceSession:
        return onnxruntime.InferenceSession(str(out / f"{part}.onnx"), options)

    rows = seen_rows(read(rows_file), trained)
    network = Network("training", session("trunk"), session("context"), None, None, None, None)
    labelled = [row for row in rows if row.source == "mitdb"]
    made = [*made_rows(labelled), *turned_rows(labelled)]
    peaks = peaks_of_rows([*rows, *made], network)
    for part in ("first_look", "beats"):
        confirming = train_confirming(peaks, first_look=part == "first_look")
        export_confirming(confirming, len(PEAK_NUMBERS), out / f"{part}.onnx")
        peaks = with_chances(peaks, confirming)
    network = replace(network, first_look=session("first_look"), beats=session("beats"))
    export_labelling(train_labelling(beats_of([*labelled, *made], network)), len(NAMES), out)
    network = replace(network, labels=session("labels"))
    export_classifying(train_classifying(*numbers_of_records(rows, network)), len(CLASS_NUMBERS), out)
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
