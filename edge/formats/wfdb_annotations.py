"""Annotations in WFDB's (MIT) format: beats with their labels, changes of rhythm, and changes of quality as noise marks.

Format: https://wfdb.io/spec/annotation-files.htm — 16-bit words, type in the upper 6 bits, time since the last
annotation in the lower 10; SKIP, SUB and AUX extend them. Written here and read back with wfdb in the tests.
"""

import struct
from collections.abc import Iterator
from heapq import merge
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from edge.clean.quality import State, describe
from edge.types import Annotations

CODES = {"N": 1, "V": 5, "F": 6, "S": 9, "Q": 13}
NOISE, RHYTHM, FLUTTER_ON, FLUTTER_OFF = 14, 28, 32, 33  # codes of ~, +, [ and ]
SKIP, SUBTYPE, AUX = 59, 61, 63
SUBTYPE_OF_STATE = {State.GOOD: 0, State.USABLE: 1, State.UNUSABLE: -1}  # 0 clean, 1 noisy, -1 unreadable
MAX_AUX_BYTES = 254
UNNAMED = "(NONE"
"""Where a rhythm ends and no other begins: WFDB's rhythms last until the next one, and none is claimed here."""
BLOCK = 50_000  # beats written at a time

_CODE_OF_LABEL = np.full(256, CODES["Q"], np.int64)
_CODE_OF_LABEL[[ord(label) for label in CODES]] = list(CODES.values())


class Mark(NamedTuple):
    """An annotation that is not a beat."""

    sample: int
    code: int
    subtype: int
    text: str


def annotation_parts(annotations: Annotations) -> Iterator[bytes]:
    """The content of an annotation file (annotator `anyecg`), in parts."""
    marks = merge(_quality_marks(annotations), _rhythm_marks(annotations), key=lambda mark: mark.sample)
    beats, labels = annotations.beats, annotations.labels
    mark, last = next(marks, None), 0
    for a in range(0, max(1, len(beats)), BLOCK):
        b = min(a + BLOCK, len(beats))
        codes = _CODE_OF_LABEL[labels[a:b]] if len(labels) else np.full(b - a, CODES["Q"], np.int64)
        here: list[Mark] = []
        while mark is not None and (b == len(beats) or mark.sample <= beats[b - 1]):
            here.append(mark)
            mark = next(marks, None)
        yield _encoded(beats[a:b], codes, here, last)
        last = max([last, *beats[max(a, b - 1) : b].tolist(), *(placed.sample for placed in here[-1:])])
    yield b"\0\0"


def _quality_marks(annotations: Annotations) -> Iterator[Mark]:
    key = annotations.quality.astype(np.int32) * 256 + annotations.reasons
    for second in [0, *(np.flatnonzero(np.diff(key)) + 1).tolist()] if len(key) else []:
        state = State(int(annotations.quality[second]))
        reasons = describe(int(annotations.reasons[second]))
        text = f"{state.name.lower()}: {reasons}" if reasons else state.name.lower()
        yield Mark(round(second * annotations.fs_hz), NOISE, SUBTYPE_OF_STATE[state], text)


def _rhythm_marks(annotations: Annotations) -> Iterator[Mark]:
    """Where each rhythm begins and, unless another follows at once, ends; with the marks of ventricular flutter."""
    spans = annotations.rhythms
    for k, span in enumerate(spans):
        until = spans[k + 1].start if k + 1 < len(spans) else annotations.n_samples
        yield Mark(span.start, RHYTHM, 0, f"{span.label}\0")
        if span.label == "(VFL":
            yield Mark(span.start, FLUTTER_ON, 0, "")
            yield Mark(span.stop, FLUTTER_OFF, 0, "")
        if span.stop < until:
            yield Mark(span.stop, RHYTHM, 0, f"{UNNAMED}\0")


def _encoded(beats: NDArray[np.int64], codes: NDArray[np.int64], marks: list[Mark], last: int) -> bytes:
    """Beats and marks in the order of their samples, marks first; times are since the sample `last`."""
    samples = np.concatenate((np.array([mark.sample for mark in marks], np.int64), beats))
    kinds = np.concatenate((np.array([mark.code for mark in marks], np.int64), codes))
    order = np.argsort(samples, kind="stable")
    steps = np.diff(samples[order], prepend=last)
    words = (kinds[order] << 10 | np.minimum(steps, 1023)).astype("<u2")
    data, done = bytearray(), 0
    for i in np.flatnonzero((steps > 1023) | (order < len(marks))).tolist():  # those that take more than one word
        data += words[done:i].tobytes()
        mark = marks[order[i]] if order[i] < len(marks) else None
        data += _long_entry(int(steps[i]), int(kinds[order[i]]), mark)
        done = i + 1
    return bytes(data + words[done:].tobytes())


def _long_entry(step: int, code: int, mark: Mark | None) -> bytes:
    data = bytearray()
    if step > 1023:
        data += struct.pack("<HHH", SKIP << 10, (step >> 16) & 0xFFFF, step & 0xFFFF)
        step = 0
    data += struct.pack("<H", code << 10 | step)
    if mark is not None and mark.subtype:
        data += struct.pack("<H", SUBTYPE << 10 | mark.subtype & 0x3FF)
    if mark is not None and mark.text:
        aux = mark.text.encode()[:MAX_AUX_BYTES]
        data += struct.pack("<H", AUX << 10 | len(aux)) + aux + b"\0" * (len(aux) % 2)
    return bytes(data)
