"""One notification of the ECG link: a head of 20 bytes, the code of the samples, a CRC."""

import binascii
import struct
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from firmware_bridge.link import rice

VERSION = 1
MOST_LEADS = 16
MOST_SAMPLES = 255
MOST_BYTES = 512  # ATT's longest attribute value
NO_BATTERY = 255

# version and leads, flags, samples, battery, boot, lead-off, sequence, counter, time
_HEAD = struct.Struct("<BBBBHHIII")
_CRC = struct.Struct("<H")
_MARKED = 1
OVERHEAD = _HEAD.size + _CRC.size

FrameFault = Literal["length", "crc", "version", "samples"]
"""Why bytes are no frame: too short or too long, damaged, of another version, a code that cannot be."""


@dataclass(frozen=True, slots=True, eq=False)
class LinkFrame:
    """Consecutive samples of every lead; no frame needs another one to be understood."""

    boot: int
    """Changes at every power-up of the device, 16 bits."""
    sequence: int
    """Frames since power-up before this one, 32 bits."""
    counter: int
    """Samples since power-up before the first one here, modulo 2**32."""
    time_ms: int
    """The device's clock at the first sample, modulo 2**32; its zero means nothing."""
    counts: NDArray[np.int32]
    """Shape (n_samples, n_leads), 24 bits signed."""
    lead_off: int = 0
    """Bit i: lead i had no contact at some time in this frame."""
    battery: int | None = None
    """Percent; None where the device does not tell."""
    marked: bool = False
    """The wearer pressed the button in this frame."""


def encode_frame(frame: LinkFrame) -> bytes:
    """Bytes of a frame; ValueError where a field or a sample is out of its range, or the samples are too many."""
    n, n_leads = frame.counts.shape
    if not (0 < n <= MOST_SAMPLES and 0 < n_leads <= MOST_LEADS):
        raise ValueError(f"A frame has 1 to {MOST_SAMPLES} samples of 1 to {MOST_LEADS} leads, not {n} of {n_leads}.")
    if frame.counts.min() < rice.SMALLEST or frame.counts.max() > rice.LARGEST:
        raise ValueError("Samples have at most 24 bits.")
    try:
        head = _HEAD.pack(
            VERSION << 4 | n_leads - 1,
            _MARKED * frame.marked,
            n,
            NO_BATTERY if frame.battery is None else frame.battery,
            frame.boot,
            frame.lead_off,
            frame.sequence,
            frame.counter,
            frame.time_ms,
        )
    except struct.error as error:
        raise ValueError(f"A field is out of its range: {error}.") from error
    body = head + rice.encode(frame.counts)
    if len(body) + _CRC.size > MOST_BYTES:
        raise ValueError(f"The samples make more than the {MOST_BYTES} bytes of a frame.")
    return body + _CRC.pack(crc(body))


def decode_frame(value: bytes) -> LinkFrame | FrameFault:
    """The frame that the bytes are, or why they are none."""
    if not OVERHEAD < len(value) <= MOST_BYTES:
        return "length"
    if value[0] >> 4 != VERSION:  # before the CRC: what another version ends with is unknown
        return "version"
    if crc(value[: -_CRC.size]) != _CRC.unpack(value[-_CRC.size :])[0]:
        return "crc"
    first, flags, n, battery, boot, lead_off, sequence, counter, time_ms = _HEAD.unpack_from(value)
    counts = rice.decode(value[_HEAD.size : -_CRC.size], n, (first & 15) + 1) if n else None
    if counts is None:
        return "samples"
    return LinkFrame(
        boot=boot,
        sequence=sequence,
        counter=counter,
        time_ms=time_ms,
        counts=counts,
        lead_off=lead_off,
        battery=battery if battery <= 100 else None,
        marked=bool(flags & _MARKED),
    )


def crc(data: bytes) -> int:
    """CRC-16/CCITT-FALSE: polynomial 0x1021, begins with 0xFFFF, nothing reflected; 0x29B1 for "123456789"."""
    return binascii.crc_hqx(data, 0xFFFF)
