"""The wearable's side of the ECG link as a state machine without I/O; the C header does the same, byte by byte.

Samples become frames as they come, connected or not. The frames stay in a ring, and one cursor says which is sent
next. START moves the cursor; that is all there is to streaming, to filling holes and to catching up.
"""

import struct
from collections import deque
from dataclasses import dataclass, replace
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from firmware_bridge.link.frame import MOST_SAMPLES, OVERHEAD, LinkFrame, encode_frame
from firmware_bridge.link.info import LinkInfo
from firmware_bridge.link.rice import LARGEST, SMALLEST, n_that_fit

NOW = 0xFFFFFFFF
"""As the sequence number of START: begin with the next frame."""

_START = struct.Struct("<BHI")  # op, boot, sequence
_RESPONSE = struct.Struct("<BBHII")  # op, status, boot, oldest, next


class Op(IntEnum):
    """What the gateway asks for."""

    START = 1
    STOP = 2


class Status(IntEnum):
    """How it went."""

    OK = 0
    UNKNOWN_OP = 1
    BAD_LENGTH = 2
    MTU_TOO_SMALL = 3
    BUSY = 4
    """The device cannot do it now; asking later may help. Left to firmware: nothing here answers so."""


@dataclass(frozen=True, slots=True)
class Response:
    """The indication that answers a command."""

    op: int
    status: int
    boot: int
    oldest: int
    """Sequence number of the oldest frame that the device still holds; equals `next` where it holds none."""
    next: int
    """Sequence number that the next new frame will have."""

    def to_bytes(self) -> bytes:
        """Value of the indication."""
        return _RESPONSE.pack(self.op, self.status, self.boot, self.oldest, self.next)


def decode_response(value: bytes) -> Response | None:
    """The response that the bytes are; None where they are none."""
    return Response(*_RESPONSE.unpack_from(value)) if _RESPONSE.size <= len(value) <= 512 else None


def start_command(boot: int = 0, sequence: int = NOW) -> bytes:
    """START from a frame of a power-up; by default with the next new frame."""
    return _START.pack(Op.START, boot, sequence)


STOP_COMMAND = bytes([Op.STOP])


class LinkDevice:
    """One wearable; `info` is what its info characteristic says, with the ring's length as given here."""

    def __init__(self, info: LinkInfo, ring_frames: int, max_samples: int, boot: int) -> None:
        if not (ring_frames > 0 and 0 < max_samples <= MOST_SAMPLES):
            raise ValueError(f"The ring holds at least one frame, and a frame 1 to {MOST_SAMPLES} samples.")
        self.info = replace(info, ring_frames=ring_frames)
        self.info.to_bytes()  # raises what is impossible about it
        self._collected = np.zeros((max_samples, len(info.leads)), np.int32)
        self._ring: deque[bytes] = deque(maxlen=ring_frames)
        self.power_cycle(boot)

    def power_cycle(self, boot: int) -> None:
        """The device loses its power and starts anew: ring, sequence and sample counter are gone."""
        self.boot = boot
        self.streaming = False
        self._ring.clear()
        self._n_collected = self._next = self._cursor = self._counter = self._time_ms = 0
        self._lead_off = self._lead_off_since_frame = 0
        self._battery: int | None = None
        self._marked = False

    def sample(
        self,
        counts: NDArray[np.int32],
        time_ms: int,
        lead_off: int = 0,
        battery: int | None = None,
        *,
        marked: bool = False,
    ) -> None:
        """Take samples, shape (n, n_leads), the first of which was taken at `time_ms` of the device's clock.

        What has more than 24 bits is clipped; flags and battery hold until the next call.
        """
        self._lead_off = lead_off
        self._lead_off_since_frame |= lead_off
        self._battery = battery
        self._marked |= marked
        taken = 0
        while taken < len(counts):
            n = min(len(counts) - taken, len(self._collected) - self._n_collected)
            self._collected[self._n_collected : self._n_collected + n] = np.clip(
                counts[taken : taken + n], SMALLEST, LARGEST
            )
            self._n_collected += n
            taken += n
            self._time_ms = time_ms + self._duration_ms(taken - 1)
            if self._n_collected == len(self._collected):
                self._make_frame()

    def lost(self, n_samples: int) -> None:
        """The converter's buffer overran and so many samples are lost: what was collected becomes frames at once."""
        while self._n_collected:
            self._make_frame()
        self._counter += n_samples

    def command(self, value: bytes, mtu: int) -> bytes:
        """Do what was written to the control characteristic; return the indication."""
        op = value[0] if value else 0
        status = Status.OK
        if op == Op.START and len(value) == _START.size:
            _, boot, sequence = _START.unpack(value)
            if mtu < self.info.mtu:
                status = Status.MTU_TOO_SMALL
            else:
                self.streaming = True
                self._cursor = self._from(boot, sequence)
        elif op == Op.STOP and len(value) == 1:
            self.streaming = False
        else:
            status = Status.BAD_LENGTH if op in {Op.START, Op.STOP} else Status.UNKNOWN_OP
        return Response(op, status, self.boot, self._oldest, self._next).to_bytes()

    def next_value(self, mtu: int) -> bytes | None:
        """The frame to be notified now, which counts as sent; None where there is nothing to send."""
        self._cursor = max(self._cursor, self._oldest)
        if not self.streaming or mtu < self.info.mtu or self._cursor == self._next:
            return None
        value = self._ring[self._cursor - self._oldest]
        self._cursor += 1
        return value

    def disconnected(self) -> None:
        """The link is gone; sampling goes on, sending waits for the next START."""
        self.streaming = False

    @property
    def _oldest(self) -> int:
        return self._next - len(self._ring)

    def _from(self, boot: int, sequence: int) -> int:
        """Where START puts the cursor: frames of an earlier power-up are answered by all that is held."""
        if sequence == NOW:
            return self._next
        return sequence if boot == self.boot and self._oldest <= sequence <= self._next else self._oldest

    def _make_frame(self) -> None:
        """As many of the collected samples as fit become a frame; the rest stays."""
        held = self._collected[: self._n_collected]
        n = n_that_fit(held, self.info.frame_bytes - OVERHEAD)
        frame = LinkFrame(
            boot=self.boot,
            sequence=self._next,
            counter=self._counter % 2**32,
            time_ms=(self._time_ms - self._duration_ms(self._n_collected - 1)) % 2**32,
            counts=held[:n],
            lead_off=self._lead_off_since_frame,
            battery=self._battery,
            marked=self._marked,
        )
        self._ring.append(encode_frame(frame))
        self._next += 1
        self._counter += n
        self._n_collected -= n
        self._collected[: self._n_collected] = held[n:].copy()
        self._lead_off_since_frame = self._lead_off if self._n_collected else 0
        self._marked = False

    def _duration_ms(self, n_samples: int) -> int:
        return n_samples * 1_000_000 // self.info.rate_mhz
