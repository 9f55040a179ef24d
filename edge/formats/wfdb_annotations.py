"""Annotations in WFDB's (MIT) format: beats, and changes of quality as noise marks with the reasons as text.

Format: https://wfdb.io/spec/annotation-files.htm — 16-bit words, type in the upper 6 bits, time since the last
annotation in the lower 10; SKIP, SUB and AUX extend them. Written here and read back with wfdb in the tests.
"""

import struct

import numpy as np

from edge.clean.quality import State, describe
from edge.types import Annotations

UNCLASSIFIABLE, NOISE = 13, 14  # codes of Q and ~
SKIP, SUBTYPE, AUX = 59, 61, 63
SUBTYPE_OF_STATE = {State.GOOD: 0, State.USABLE: 1, State.UNUSABLE: -1}  # 0 clean, 1 noisy, -1 unreadable
MAX_AUX_BYTES = 254


def annotation_bytes(annotations: Annotations) -> bytes:
    """The content of an annotation file (annotator `anyecg`) for a recording's beats and quality."""
    fs_hz = annotations.fs_hz
    entries: list[tuple[int, int, int, str]] = [(int(beat), UNCLASSIFIABLE, 0, "") for beat in annotations.beats]
    key = annotations.quality.astype(np.int32) * 256 + annotations.reasons
    for second in [0, *(np.flatnonzero(np.diff(key)) + 1).tolist()] if len(key) else []:
        state = State(int(annotations.quality[second]))
        reasons = describe(int(annotations.reasons[second]))
        text = f"{state.name.lower()}: {reasons}" if reasons else state.name.lower()
        entries.append((round(second * fs_hz), NOISE, SUBTYPE_OF_STATE[state], text))
    entries.sort(key=lambda entry: entry[0])

    data, last = bytearray(), 0
    for sample, code, subtype, text in entries:
        step = sample - last
        if step > 1023:
            data += struct.pack("<HHH", SKIP << 10, (step >> 16) & 0xFFFF, step & 0xFFFF)
            step = 0
        data += struct.pack("<H", code << 10 | step)
        if subtype:
            data += struct.pack("<H", SUBTYPE << 10 | subtype & 0x3FF)
        if text:
            aux = text.encode()[:MAX_AUX_BYTES]
            data += struct.pack("<H", AUX << 10 | len(aux)) + aux + b"\0" * (len(aux) % 2)
        last = sample
    return bytes(data + struct.pack("<H", 0))
