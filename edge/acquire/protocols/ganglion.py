"""OpenBCI Ganglion: four channels at 200 Hz, as differences between samples.

Packet 0 holds one whole sample; 1-100 (or 101-200, with finer steps) hold two samples each. After a lost packet the
values are unknown until packet 0, about a second at most. Only the id counts: a loss of exactly 101 packets, or a
multiple, cannot be seen (and the first packet after it is taken for a repeated one).
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from edge.acquire.driver import DeviceRefused, Gatt, Stream
from edge.acquire.packets import Item, Rejected, Restarted, SamplePacket
from edge.acquire.protocols.standard import device_text, watch_battery
from edge.acquire.protocols.values import uuid16
from edge.errors import LinkError
from edge.types import Lead

GANGLION = uuid16(0xFE84)
RECEIVE = "2d30c082-f39f-4ce6-923f-3484ea480596"
SEND = "2d30c083-f39f-4ce6-923f-3484ea480596"

FS_HZ = 200.0
CHANNELS = 4
PACKET_BYTES = 20
PACKETS_PER_CYCLE = 101  # ids 0-100, or 0 and 101-200; the maker's text elsewhere says 0-99 (unverified)
SAMPLES_PER_CYCLE = 1 + 2 * (PACKETS_PER_CYCLE - 1)
LAST_DELTA_ID, LAST_TEXT_ID = 200, 207
# The formula of the maker's documentation, 1.2 V / (8388607 × 1.5 × 51), as counts per millivolt.
COUNTS_PER_MV = 8388607 * 1.5 * 51 / 1200

Sample = tuple[int, int, int, int]


@dataclass(frozen=True, slots=True)
class GanglionState:
    """Where the differences stand."""

    next_counter: int = 0
    """Samples since the first packet, lost ones included: the counter of the packet expected next."""
    position: int | None = None
    """Place of the last packet in its cycle (0-100); None before the first."""
    last: Sample | None = None
    """Values of the last sample; None while they are unknown."""


def decode_packet(data: bytes, state: GanglionState) -> tuple[list[Item], GanglionState]:
    """One notification; impedance values and texts give nothing."""
    if not data:
        return [Rejected("truncated")], state
    packet_id = data[0]
    if packet_id > LAST_DELTA_ID:
        return ([] if packet_id <= LAST_TEXT_ID else [Rejected("packet id")]), state
    if len(data) != PACKET_BYTES:
        return [Rejected("truncated")], state
    position = packet_id if packet_id < PACKETS_PER_CYCLE else packet_id - (PACKETS_PER_CYCLE - 1)
    if position == state.position:
        return [Rejected("repeated")], state
    counter = state.next_counter
    if state.position is not None:
        expected = (state.position + 1) % PACKETS_PER_CYCLE
        counter += (_samples_before(position) - _samples_before(expected)) % SAMPLES_PER_CYCLE
    n_samples = 1 if position == 0 else 2
    known = state.last if counter == state.next_counter else None
    if position == 0:
        samples = [_whole(data)]
    elif known is None:
        return [Rejected("no reference")], GanglionState(counter + n_samples, position, None)
    else:
        samples = _differences(data, known, 18 if packet_id < PACKETS_PER_CYCLE else 19)
    packet = SamplePacket(np.array(samples, np.int32), counter=counter)
    return [packet], GanglionState(counter + n_samples, position, samples[-1])


def _samples_before(position: int) -> int:
    """Samples of a cycle before the packet at this place."""
    return 0 if position == 0 else 2 * position - 1


def _whole(data: bytes) -> Sample:
    first, second, third, fourth = (int.from_bytes(data[k : k + 3], "big", signed=True) for k in (1, 4, 7, 10))
    return first, second, third, fourth


def _differences(data: bytes, known: Sample, width: int) -> list[Sample]:
    """Two samples from eight differences of `width` bits, one bit string with the highest bit first.

    The sign is the lowest bit, which also stays part of the value; a difference is subtracted (known from widely
    copied driver code only).
    """
    bits = 2 * CHANNELS * width
    packed = int.from_bytes(data[1 : 1 + bits // 8], "big")
    deltas = [packed >> bits - width * (k + 1) & (1 << width) - 1 for k in range(2 * CHANNELS)]
    signed = [delta - (1 << width) if delta & 1 else delta for delta in deltas]
    first = (known[0] - signed[0], known[1] - signed[1], known[2] - signed[2], known[3] - signed[3])
    return [first, (first[0] - signed[4], first[1] - signed[5], first[2] - signed[6], first[3] - signed[7])]


@dataclass(slots=True)
class Ganglion:
    """The board's four channels; it resets on every connection."""

    name: ClassVar[str] = "ganglion"
    services: ClassVar[tuple[str, ...]] = (GANGLION,)

    _state: GanglionState = field(default_factory=GanglionState, init=False)

    async def start(self, gatt: Gatt, deliver: Callable[[Item], None]) -> Stream:
        """See `Driver.start`."""
        if not gatt.has(GANGLION, RECEIVE):
            raise DeviceRefused("The board has no data service", "Update its firmware")
        if self._state.position is not None:
            deliver(Restarted())
        self._state = GanglionState()
        device = await device_text(gatt)
        await watch_battery(gatt, deliver)
        await gatt.subscribe(GANGLION, RECEIVE, lambda value: self._on_value(value, deliver))
        await gatt.write(GANGLION, SEND, b"b")
        return Stream(
            self.name,
            tuple(Lead(f"CH{k + 1}", counts_per_mv=COUNTS_PER_MV) for k in range(CHANNELS)),
            FS_HZ,
            placement="counter",
            device=device,
            notes=(
                "After a lost packet the signal is missing until the board's next whole sample, about a second.",
                "A loss of exactly 101 packets (1 s), or a multiple, cannot be seen.",
            ),
        )

    async def stop(self, gatt: Gatt) -> None:
        """See `Driver.stop`."""
        with suppress(LinkError):
            await gatt.write(GANGLION, SEND, b"s")

    def _on_value(self, value: bytes, deliver: Callable[[Item], None]) -> None:
        items, self._state = decode_packet(value, self._state)
        for item in items:
            deliver(item)
