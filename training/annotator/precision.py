"""Is a smaller number format faster at no loss? `python -m training.annotator.precision --rows FILE.npz --bundle DIR`.

Makes fp16 and int8 (static, per channel) variants of the trunk, which costs most, and prints for each what two minutes
of signal take and how many samples change sides: a wave where fp32 saw none, or the other way round.
"""

import argparse
import json
import tempfile
import time
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from onnxruntime.transformers.float16 import convert_float_to_float16

from edge.detect.network.decode import sigmoid
from edge.detect.network.prepare import FS_HZ
from edge.settings import NetworkSettings
from training.annotator.batches import prepared
from training.annotator.data import read

FloatArray = NDArray[np.float32]
SECONDS = 136  # what the reader gives the trunk at once
N_CALIBRATE, N_COMPARE, ROUNDS = 16, 24, 8


class Stretches(CalibrationDataReader):  # type: ignore[misc]  # publishes no types
    """Signal from which the ranges of int8 are taken."""

    def __init__(self, signals: list[FloatArray]) -> None:
        self.left = iter(signals)

    def get_next(self) -> dict[str, FloatArray] | None:
        signal = next(self.left, None)
        return None if signal is None else {"signal": signal[None]}


def variants(trunk: Path, signals: list[FloatArray], folder: Path) -> dict[str, Path]:
    """The trunk in each format."""
    half, integer = folder / "fp16.onnx", folder / "int8.onnx"
    onnx.save(convert_float_to_float16(onnx.load(trunk), keep_io_types=True), half)
    quantize_static(
        trunk, integer, Stretches(signals), quant_format=QuantFormat.QDQ, per_channel=True,
        activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8,
    )  # fmt: skip
    return {"fp32": trunk, "fp16": half, "int8": integer}


def compared(paths: dict[str, Path], signals: list[FloatArray]) -> dict[str, dict[str, float]]:
    """CPU time of each variant, taken in turn, and what it changes against the first one."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    sessions = {name: onnxruntime.InferenceSession(str(path), options) for name, path in paths.items()}
    taken: dict[str, list[float]] = {name: [] for name in paths}
    for _ in range(ROUNDS):
        for name, session in sessions.items():
            for signal in signals[:4]:
                started = time.process_time()
                session.run(None, {"signal": signal[None]})
                taken[name].append(time.process_time() - started)
    threshold = NetworkSettings().wave_probability
    told = {
        name: [sigmoid(session.run(None, {"signal": signal[None]})[0]) for signal in signals]
        for name, session in sessions.items()
    }
    exact = np.stack(told["fp32"])
    return {
        name: {
            "ms": round(1e3 * float(np.median(taken[name])), 2),
            "largest_difference": round(float(np.abs(np.stack(own) - exact).max()), 4),
            "changed_share": round(float(((np.stack(own) >= threshold) != (exact >= threshold)).mean()), 6),
            "wave_share": round(float((exact >= threshold).mean()), 4),
        }
        for name, own in told.items()
    }


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=Path, required=True)
    parser.add_argument("--bundle", type=Path, required=True)
    given = parser.parse_args()
    rows = [r for r in read(given.rows) if r.source == "mitdb"]
    signals = [prepared(r.signal_mv[: SECONDS * FS_HZ]) for r in rows[: N_CALIBRATE + N_COMPARE]]
    with tempfile.TemporaryDirectory() as folder:
        paths = variants(given.bundle / "trunk.onnx", signals[:N_CALIBRATE], Path(folder))
        print(json.dumps(compared(paths, signals[N_CALIBRATE:]), indent=1))


if __name__ == "__main__":
    main()
