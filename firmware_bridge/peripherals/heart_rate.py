"""A virtual heart-rate strap without ECG, and the Heart Rate Service that other wearables have as well."""

import struct
from dataclasses import dataclass

from bumble.gatt import Characteristic, Service

from edge.inputs import analysis_lead
from edge.types import Recording
from firmware_bridge.air import Air
from firmware_bridge.faults import FaultScript
from firmware_bridge.peripherals.attributes import (
    FIRMWARE,
    MANUFACTURER,
    MODEL,
    battery_service,
    information_service,
    notifying,
    readable,
    service,
)
from firmware_bridge.peripherals.beats import BeatSource, FoundBeats, intervals
from firmware_bridge.peripherals.converter import Converter
from firmware_bridge.peripherals.pacing import Stream, stream_from
from firmware_bridge.peripherals.peripheral import Peripheral

HEART_RATE, MEASUREMENT, BODY_LOCATION = 0x180D, 0x2A37, 0x2A38
CHEST = 1
U16_RATE, CONTACT, CONTACT_SUPPORTED, ENERGY, RR = 1, 2, 4, 8, 16
RATE_FROM = 8  # intervals; the rate shown is their mean
CONTACT_HZ = 50.0  # how finely contact is looked at


@dataclass(frozen=True, slots=True)
class HeartRateOptions:
    """Which of the optional fields a strap sends."""

    contact: bool = True
    u16_rate: bool = False
    energy: bool = False
    """Energy expended, counted up by one kilojoule per notification."""


class HeartRate:
    """The 1 Hz notifications of a strap: rate, contact, RR intervals of the beats since the last one."""

    def __init__(
        self,
        strap: Peripheral,
        beats: BeatSource,
        converter: Converter,
        options: HeartRateOptions | None = None,
    ) -> None:
        self.measurement = notifying(MEASUREMENT)
        self._strap = strap
        self._beats = beats
        self._converter = converter
        self._options = options or HeartRateOptions()
        self._recent: list[int] = []
        self._energy_kj = 0
        self._worn_s = float("inf")
        self._stream: Stream | None = None

    def begin(self, *, leads: bool = True) -> None:
        """Notify once a second from now on, unless that is so already; `leads` as in Stream."""
        if self._strap.is_running(self._stream):
            return
        self._recent, self._worn_s = [], float("inf")
        self._stream = stream_from(self._strap.now_s, 1.0, self._send, 1, leads=leads)
        self._strap.add_stream(self._stream)

    def end(self) -> None:
        """Notify no more."""
        self._strap.remove_stream(self._stream)

    def value(self, second: int) -> bytes:
        """What is notified at the end of a second of the device's time."""
        fs_hz = self._converter.fs_hz
        contact = self._converter.contact(round(second * fs_hz), max(1, round(fs_hz)))
        worn = bool(contact.all()) and len(contact) > 0
        length_s = self._converter.n_samples / fs_hz
        at_s = second % length_s if self._converter.loop and length_s > 0 else float(second)
        # An interval counts only if there was contact since its first beat.
        self._worn_s = self._worn_s + 1 if worn else 0.0
        rr = intervals(self._beats, at_s, at_s + 1, at_s + 1 - self._worn_s) if worn else []
        self._recent = [*self._recent, *rr][-RATE_FROM:] if worn else []
        rate = round(60 * 1024 * len(self._recent) / sum(self._recent)) if self._recent else 0
        options = self._options
        # RR values that do not fit are the oldest ones.
        fields = (2 if options.u16_rate else 1) + (2 if options.energy else 0)
        rr = rr[-((20 - 1 - fields) // 2) :] if rr else rr
        flags = (U16_RATE if options.u16_rate else 0) | (ENERGY if options.energy else 0) | (RR if rr else 0)
        flags |= (CONTACT_SUPPORTED | (CONTACT if worn else 0)) if options.contact else 0
        value = struct.pack("<BH" if options.u16_rate else "<BB", flags, min(rate, 255))
        if options.energy:
            self._energy_kj = min(self._energy_kj + 1, 65535)
            value += struct.pack("<H", self._energy_kj)
        return value + struct.pack(f"<{len(rr)}H", *rr)

    def _send(self, second: int, _n: int) -> None:
        if not self._converter.available(round(second * self._converter.fs_hz), 1):
            self.end()
            self._strap.ended.set()
        elif self._strap.subscribed(self.measurement):
            self._strap.notify(self.measurement, self.value(second), second + 1.0)


def heart_rate_service(measurement: Characteristic[bytes]) -> Service:
    """The Heart Rate Service of a chest strap."""
    return service(HEART_RATE, measurement, readable(BODY_LOCATION, bytes([CHEST])))


class HeartRateStrap(Peripheral):
    """Heart rate and RR intervals only, as of a Polar H9; RR are what `heart_rate.value` gives for a second."""

    default_name = "Polar H9 00000001"
    default_address = "F1:00:00:00:00:09"
    advertised = (HEART_RATE,)

    def __init__(
        self,
        air: Air,
        recording: Recording,
        *,
        options: HeartRateOptions | None = None,
        beats: BeatSource | None = None,
        faults: FaultScript | None = None,
        speed: float = 1.0,
        loop: bool = False,
        name: str | None = None,
        address: str | None = None,
    ) -> None:
        super().__init__(air, recording, faults=faults, speed=speed, loop=loop, name=name, address=address)
        lead = analysis_lead(recording.info.leads)
        # Only contact is looked at, so a low rate does.
        converter = Converter(
            recording, CONTACT_HZ, 1000.0, (-1000, 1000), (lead,), loop=loop, lead_off=self.faults.lead_off
        )
        self.heart_rate = HeartRate(self, beats or FoundBeats(recording, lead), converter, options)

    def services(self) -> list[Service]:
        """Heart rate, battery, device information."""
        return [
            heart_rate_service(self.heart_rate.measurement),
            battery_service(),
            information_service({MANUFACTURER: "anyecg", MODEL: "virtual strap", FIRMWARE: "1"}),
        ]

    def on_subscription(self, characteristic: Characteristic[bytes], *, wanted: bool) -> None:
        """Being listened to is all that it takes."""
        if characteristic is self.heart_rate.measurement:
            if wanted:
                self.heart_rate.begin()
            else:
                self.heart_rate.end()
