"""What an ECG-link device says about itself, and the names of its GATT attributes."""

import struct
from dataclasses import dataclass
from typing import Literal

from firmware_bridge.link.frame import MOST_BYTES, MOST_LEADS, OVERHEAD, VERSION
from firmware_bridge.link.rice import LEAD_BITS

SERVICE = "67b342cf-95c9-4a14-9fa8-e376f4075320"
INFO = "67b342d0-95c9-4a14-9fa8-e376f4075320"
DATA = "67b342d1-95c9-4a14-9fa8-e376f4075320"
CONTROL = "67b342d2-95c9-4a14-9fa8-e376f4075320"

SMALLEST_MTU, LARGEST_MTU = 64, MOST_BYTES + 3
ATT_HEADER = 3  # opcode and handle, which every notification carries before its value

LEAD_NAMES = (
    *("ECG", "I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6"),
    *("V7", "V8", "V9", "V3R", "V4R", "ES", "AS", "AI", "X", "Y", "Z"),
)
"""By code; 0 is a lead that has no standard name, and what codes beyond the list are read as."""

_HEAD = struct.Struct("<BBBBHII8s")  # version, leads, resolution, reserved, MTU, ring, rate, id
_LEAD = struct.Struct("<BI")

InfoFault = Literal["length", "version", "contents"]
"""Why bytes are no info: too short for what they announce, of another version, values that cannot be."""


@dataclass(frozen=True, slots=True)
class LinkLead:
    """One lead of the device."""

    name: str
    """One of LEAD_NAMES."""
    pv_per_count: int
    """Picovolts per count, referred to the electrodes."""


@dataclass(frozen=True, slots=True)
class LinkInfo:
    """The `info` characteristic."""

    device_id: bytes
    """Eight bytes that no other device has."""
    leads: tuple[LinkLead, ...]
    rate_mhz: int
    """Nominal sampling rate in millihertz."""
    adc_bits: int = 24
    """Resolution of the converter."""
    mtu: int = 247
    """The smallest ATT MTU at which the device streams: its frames have at most `mtu - 3` bytes."""
    ring_frames: int = 0
    """So many frames the device remembers."""

    @property
    def fs_hz(self) -> float:
        """Nominal sampling rate in hertz."""
        return self.rate_mhz / 1000

    @property
    def frame_bytes(self) -> int:
        """Bytes of the longest frame."""
        return self.mtu - ATT_HEADER

    def to_bytes(self) -> bytes:
        """Value of the characteristic; ValueError where it could not be one."""
        if (reason := impossible(self)) is not None:
            raise ValueError(reason)
        head = _HEAD.pack(
            VERSION, len(self.leads), self.adc_bits, 0, self.mtu, self.ring_frames, self.rate_mhz, self.device_id
        )
        leads = [_LEAD.pack(LEAD_NAMES.index(lead.name), lead.pv_per_count) for lead in self.leads]
        return head + b"".join(leads)

    @classmethod
    def from_bytes(cls, value: bytes) -> "LinkInfo | InfoFault":
        """The info that the bytes are, or why they are none; what follows the last lead is left to later versions."""
        if len(value) < _HEAD.size or len(value) > MOST_BYTES:
            return "length"
        version, n_leads, adc_bits, _, mtu, ring_frames, rate_mhz, device_id = _HEAD.unpack_from(value)
        if version != VERSION:
            return "version"
        if len(value) < _HEAD.size + n_leads * _LEAD.size:
            return "length"
        end = _HEAD.size + n_leads * _LEAD.size
        leads = tuple(
            LinkLead(LEAD_NAMES[code] if code < len(LEAD_NAMES) else LEAD_NAMES[0], pv_per_count)
            for code, pv_per_count in _LEAD.iter_unpack(value[_HEAD.size : end])
        )
        info = cls(device_id, leads, rate_mhz, adc_bits, mtu, ring_frames)
        return info if impossible(info) is None else "contents"


decode_info = LinkInfo.from_bytes


def smallest_mtu(n_leads: int) -> int:
    """The smallest MTU at which a frame holds at least one sample of every lead."""
    return max(SMALLEST_MTU, ATT_HEADER + OVERHEAD + -(-n_leads * LEAD_BITS // 8))


def impossible(info: LinkInfo) -> str | None:
    """What cannot be about an info, or None."""
    if not 1 <= len(info.leads) <= MOST_LEADS:
        return f"A device has 1 to {MOST_LEADS} leads."
    if not smallest_mtu(len(info.leads)) <= info.mtu <= LARGEST_MTU:
        return f"The MTU of {len(info.leads)} leads is {smallest_mtu(len(info.leads))} to {LARGEST_MTU}."
    if not 8 <= info.adc_bits <= 24:
        return "A converter has 8 to 24 bits."
    if not 0 < info.rate_mhz < 2**32 or not 0 <= info.ring_frames < 2**32 or len(info.device_id) != 8:
        return "Rate and ring have 32 bits, the rate is not 0, the id has eight bytes."
    if any(lead.name not in LEAD_NAMES or not 0 < lead.pv_per_count < 2**32 for lead in info.leads):
        return "A lead has one of the known names and 1 to 2**32 - 1 picovolts per count."
    return None
