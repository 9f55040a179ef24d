"""The live state's rate: from what follows on each other, never across what is missing."""

import numpy as np

from edge.acquire.arrivals import LinkStatus
from edge.intake import Intake
from edge.serve.live_state import LiveState
from edge.settings import Settings
from edge.types import Decided, Lead, RecordingInfo

FS_HZ = 250.0


def seconds(first: int, n: int, bpm: float) -> Decided:
    """Good seconds with a steady rate."""
    beats = np.arange(first, first + n, 60 / bpm) * FS_HZ
    good = np.zeros(n, np.uint8)
    return Decided(first, round((first + n) * FS_HZ), beats.astype(np.int64), good, good)


def test_decisions_that_a_failing_disk_withheld_do_not_shift_the_beats_of_the_later_ones() -> None:
    def no_writer(*_: object) -> None: ...

    state = LiveState(RecordingInfo("r", (Lead("I"),), FS_HZ, 0, None, "store"), Settings())
    intake = Intake(no_writer, Settings())  # type: ignore[arg-type]  # never begins a recording here
    state.add([seconds(0, 30, 60.0)], [], intake)
    state.add([seconds(50, 30, 80.0)], [], intake)
    assert [d.first_second for d in state.recent] == [50]
    shown = state.payload("2026-01-01T00:00:00+00:00", LinkStatus("streaming"), 0)
    assert shown.rate_bpm is not None
    assert abs(shown.rate_bpm - 80) < 1
