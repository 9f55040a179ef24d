"""Fed with the reference's beats, labels and fibrillation, the spans agree with the reference's rhythms.

Where definitions differ the floors are low: the reference names some runs of V below 100 bpm tachycardia, and leaves
many short bigeminies and trigeminies unnamed.
"""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import wfdb

from edge.detect.rhythm import ReadSeconds, RhythmState, advance_rhythm, finish_rhythm
from edge.types import Likely

FS_HZ, N_SAMPLES, N_SECONDS = 360.0, 650_000, 1806
AAMI = dict(zip("NLRBejnAaJSVEFQ/f", "NNNNSSSSSSSVVFQQQ", strict=True))


def reference(record: Path) -> tuple[ReadSeconds, list[str]]:
    """The reference as it would be read, and its rhythm in the middle of each second."""
    marks = wfdb.rdann(str(record), "atr")
    symbols = [symbol for symbol in marks.symbol if symbol in AAMI]
    beats = np.array([at for at, symbol in zip(marks.sample, marks.symbol, strict=True) if symbol in AAMI])
    changes = [k for k, symbol in enumerate(marks.symbol) if symbol == "+"]
    names = ["", *(marks.aux_note[k].strip("\0") for k in changes)]
    middle = np.round((np.arange(N_SECONDS) + 0.5) * FS_HZ)
    rhythm = [names[k] for k in np.searchsorted(marks.sample[changes], middle, side="right")]
    likely = np.zeros((N_SECONDS, len(Likely)), np.uint8)
    for column, label in ((Likely.AF, "(AFIB"), (Likely.AFL, "(AFL"), (Likely.VF, "(VFL")):
        likely[[name == label for name in rhythm], column] = 255
    good = np.zeros(N_SECONDS, np.uint8)
    labels = np.frombuffer("".join(AAMI[symbol] for symbol in symbols).encode(), np.uint8)
    paced = np.array([symbol in "/f" for symbol in symbols])
    return ReadSeconds(0, N_SAMPLES, beats.astype(np.int64), labels, paced, good, good, likely), rhythm


@pytest.mark.data
def test_spans_agree_with_the_rhythms_of_mit_bih(data: Path) -> None:
    both, ours, theirs = Counter[str](), Counter[str](), Counter[str]()
    for record in sorted((data / "mitdb").glob("*.hea")):
        news, rhythm = reference(record.with_suffix(""))
        state = RhythmState(FS_HZ)
        named = np.full(N_SECONDS, "", object)
        middle = np.round((np.arange(N_SECONDS) + 0.5) * FS_HZ)
        for span in advance_rhythm(news, state) + finish_rhythm(state):
            named[(middle >= span.start) & (middle < span.stop)] = span.label
        ours.update(named.tolist())
        theirs.update(rhythm)
        both.update(name for name, true in zip(named, rhythm, strict=True) if name == true)
    floors = {  # share of the reference's seconds, share of ours, in percent
        "(N": (89, 96),
        "(P": (98, 96),
        "(AFIB": (93, 98),
        "(AFL": (99, 99),
        "(VFL": (99, 99),
        "(B": (95, 85),
        "(T": (94, 81),
        "(VT": (78, 93),
        "(IVR": (93, 79),
        "(SVTA": (93, 94),
    }
    for label, (of_theirs, of_ours) in floors.items():
        assert 100 * both[label] >= of_theirs * theirs[label], label
        assert 100 * both[label] >= of_ours * ours[label], label
