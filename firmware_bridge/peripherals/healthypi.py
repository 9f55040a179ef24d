"""A virtual HealthyPi: raw ECG counts without header, time stamp, counter or rate."""

from typing import Literal

from bumble.gatt import Characteristic, Service

from edge.inputs import analysis_lead
from edge.types import Recording
from firmware_bridge.air import Air
from firmware_bridge.faults import FaultScript
from firmware_bridge.peripherals.attributes import battery_service, notifying, service
from firmware_bridge.peripherals.converter import Converter, Counts
from firmware_bridge.peripherals.pacing import Stream, stream_from
from firmware_bridge.peripherals.peripheral import Peripheral

SERVICE = "00001122-0000-1000-8000-00805f9b34fb"
ECG = "00001424-0000-1000-8000-00805f9b34fb"
RATE_HZ = 128
PACKET_SAMPLES = {"move": 16, "5": 8}
# MAX3000x: V = count * 1.0 V / (2**17 * gain), gain 40; the shift that the firmware applies is unverified.
COUNTS_PER_MV = 2**17 * 40 / 1000


class HealthyPi(Peripheral):
    """Streams while it is subscribed to; a Move sends nothing without contact.

    The rate of a HealthyPi 5 is not documented; it is given the Move's.
    """

    default_name = "healthypi move"
    default_address = "F1:00:00:00:00:30"
    advertised = (SERVICE,)

    def __init__(
        self,
        air: Air,
        recording: Recording,
        *,
        model: Literal["move", "5"] = "move",
        faults: FaultScript | None = None,
        speed: float = 1.0,
        loop: bool = False,
        name: str | None = None,
        address: str | None = None,
    ) -> None:
        super().__init__(air, recording, faults=faults, speed=speed, loop=loop, name=name, address=address)
        self._model = model
        self.converter = Converter(
            recording,
            RATE_HZ * (1 + self.faults.rate_percent / 100),
            COUNTS_PER_MV,
            (-(2**17), 2**17 - 1),
            (analysis_lead(recording.info.leads),),
            loop=loop,
            lead_off=self.faults.lead_off,
            seed=self.faults.seed,
        )
        self._ecg = notifying(ECG)
        self._stream: Stream | None = None

    def measured(self, first: int, n: int) -> Counts:
        """Counts of samples [first, first + n) since power-up, shape (n, 1)."""
        return self.converter.measured(first, n)

    def services(self) -> list[Service]:
        """The ECG service."""
        return [battery_service(), service(SERVICE, self._ecg)]

    def on_subscription(self, characteristic: Characteristic[bytes], *, wanted: bool) -> None:
        """Being listened to is all that it takes."""
        if characteristic is not self._ecg:
            return
        if not wanted:
            self.remove_stream(self._stream)
        elif not self.is_running(self._stream):
            begins_s = self.now_s + self.faults.first_frame_s
            self._stream = stream_from(begins_s, self.converter.fs_hz, self._send_ecg, PACKET_SAMPLES[self._model])
            self.sent.first_sample = self._stream.next_sample
            self.add_stream(self._stream)

    def _send_ecg(self, first: int, n: int) -> None:
        counts = self.measured(first, n)
        if len(counts) < n:
            self.remove_stream(self._stream)
            self.ended.set()
        elif self._model != "move" or self.converter.contact(first, n).all():
            self.sent.samples += n
            self.notify(self._ecg, counts.astype("<i4").tobytes(), (first + n - 1) / self.converter.fs_hz)
