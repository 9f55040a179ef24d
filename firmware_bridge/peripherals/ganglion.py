"""A virtual OpenBCI Ganglion: four channels at 200 Hz, one whole sample and then a hundred packets of differences."""

from itertools import chain, cycle, repeat

import numpy as np
from bumble.device import Connection
from bumble.gatt import Service
from numpy.typing import NDArray

from edge.types import Recording
from firmware_bridge.air import Air
from firmware_bridge.faults import FaultScript
from firmware_bridge.peripherals.attributes import WRITE, notifying, service
from firmware_bridge.peripherals.converter import Converter, Counts
from firmware_bridge.peripherals.pacing import Stream, stream_from
from firmware_bridge.peripherals.peripheral import Peripheral

SERVICE = 0xFE84
RECEIVE = "2d30c082-f39f-4ce6-923f-3484ea480596"
SEND = "2d30c083-f39f-4ce6-923f-3484ea480596"
FS_HZ, CHANNELS, PACKET_BYTES = 200, 4, 20
PACKETS_PER_CYCLE = 101  # ids 0 to 100; the maker's text elsewhere says 0 to 99
COUNTS_PER_MV = 8388607 * 1.5 * 51 / 1200


class Ganglion(Peripheral):
    """Counts as `measured`, as far as a difference can say it.

    The sign of a difference is its lowest bit, so a value may be one count off; and what changes by more than a
    difference holds (245 µV per sample with 18 bits, 490 µV with 19) is caught up with later, as on the board.
    """

    default_name = "Ganglion-0001"
    default_address = "F1:00:00:00:00:40"
    advertised = (SERVICE,)

    def __init__(
        self,
        air: Air,
        recording: Recording,
        *,
        bits: int = 19,
        faults: FaultScript | None = None,
        speed: float = 1.0,
        loop: bool = False,
        name: str | None = None,
        address: str | None = None,
    ) -> None:
        super().__init__(air, recording, faults=faults, speed=speed, loop=loop, name=name, address=address)
        n_leads = len(recording.info.leads)
        self.converter = Converter(
            recording,
            FS_HZ * (1 + self.faults.rate_percent / 100),
            COUNTS_PER_MV,
            (-(2**23), 2**23 - 1),
            tuple(k % n_leads for k in range(CHANNELS)),
            loop=loop,
            lead_off=self.faults.lead_off,
            seed=self.faults.seed,
        )
        self._bits = bits
        self._receive = notifying(RECEIVE)
        self._send = self.control(SEND, self._on_command, properties=WRITE)
        self._stream: Stream | None = None
        self._position = 0
        self._shown: NDArray[np.int64] = np.zeros(CHANNELS, np.int64)

    def measured(self, first: int, n: int) -> Counts:
        """Counts of samples [first, first + n) since power-up, shape (n, 4)."""
        return self.converter.measured(first, n)

    def services(self) -> list[Service]:
        """The board's service."""
        return [service(SERVICE, self._receive, self._send)]

    def _on_command(self, _connection: Connection, command: bytes) -> None:
        if command == b"b" and not self.is_running(self._stream):
            self._position = 0
            begins_s = self.now_s + self.faults.first_frame_s
            sizes = cycle(chain([1], repeat(2, PACKETS_PER_CYCLE - 1)))
            self._stream = stream_from(begins_s, self.converter.fs_hz, self._send_packet, 1, sizes)
            self.sent.first_sample = self._stream.next_sample
            self.add_stream(self._stream)
        elif command == b"s":
            self.remove_stream(self._stream)

    def _send_packet(self, first: int, n: int) -> None:
        counts = self.measured(first, n).astype(np.int64)
        if len(counts) < n:
            self.remove_stream(self._stream)
            self.ended.set()
            return
        self.sent.samples += n
        position, self._position = self._position, (self._position + 1) % PACKETS_PER_CYCLE
        if position == 0:
            self._shown = counts[0]
            body = b"".join(int(value).to_bytes(3, "big", signed=True) for value in counts[0])
            packet_id = 0
        else:
            body = self._differences(counts)
            packet_id = position if self._bits == 18 else position + PACKETS_PER_CYCLE - 1
        value = (bytes([packet_id]) + body).ljust(PACKET_BYTES, b"\0")
        self.notify(self._receive, value, (first + n - 1) / self.converter.fs_hz)

    def _differences(self, counts: NDArray[np.int64]) -> bytes:
        limit = 2 ** (self._bits - 1)
        packed = 0
        for sample in counts:
            deltas = np.clip(self._shown - sample, -limit + 1, limit - 2)
            deltas -= np.where(deltas >= 0, deltas & 1, 1 - (deltas & 1))  # even when positive, odd when negative
            self._shown = self._shown - deltas
            for delta in deltas:
                packed = packed << self._bits | int(delta) & (1 << self._bits) - 1
        return packed.to_bytes(self._bits, "big")  # 8 differences of `bits` bits
