"""Frames and devices of the ECG link as the tests and the shared vectors use them."""

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from firmware_bridge.link.frame import NO_BATTERY, LinkFrame, crc, encode_frame
from firmware_bridge.link.info import LEAD_NAMES, LinkInfo, LinkLead

VECTORS = Path(__file__).parent / "vectors" / "ecg_link.json"
HALF = 2**23


def info_of(n_leads: int = 1, mtu: int = 247, rate_mhz: int = 250_000, ring_frames: int = 0) -> LinkInfo:
    """A device of so many leads."""
    leads = tuple(LinkLead(LEAD_NAMES[1 + i], 48_000 + i) for i in range(n_leads))
    return LinkInfo(bytes(range(8)), leads, rate_mhz, mtu=mtu, ring_frames=ring_frames)


def wave(n: int, n_leads: int = 1, seed: int = 0) -> NDArray[np.int32]:
    """Smooth counts with some noise, of another height in each lead."""
    t = np.arange(n)[:, np.newaxis]
    noise = np.random.default_rng(seed).integers(-20, 21, (n, n_leads))
    return (3000 * np.sin(t / 9 + np.arange(n_leads)) * (1 + np.arange(n_leads)) + noise).astype(np.int32)


def frames() -> dict[str, LinkFrame]:
    """Frames of every kind, by name; made without a random generator, so that they stay what they are."""
    t = np.arange(255)
    slope = np.array([[0, 1000], [100, 900], [220, 790], [330, 700], [460, 590], [570, 505]], np.int32)
    extremes = np.where(t[:30, np.newaxis] % 2, HALF - 1, -HALF).astype(np.int32)
    both = np.stack([(t * t) % 1013 - 500, 40 * t - 7000], axis=1).astype(np.int32)
    many = np.array([[(-1) ** lead * (lead + 1) * 1000 + 7 * i * lead for lead in range(16)] for i in range(5)])
    return {
        "example": LinkFrame(0x1234, 7, 875, 3500, slope, lead_off=2, battery=87),
        "one sample": LinkFrame(1, 0, 0, 0, np.array([[-1]], np.int32)),
        "largest steps": LinkFrame(65535, 2**32 - 2, 2**32 - 1, 2**32 - 1, extremes, battery=0),
        "255 samples": LinkFrame(2, 1, 255, 1020, both[:, 1:], battery=100, marked=True),
        "rough and even": LinkFrame(3, 2, 3, 4, both[:100], lead_off=0xFFFF),
        "flat": LinkFrame(4, 5, 6, 7, np.full((200, 3), -HALF, np.int32)),
        "sixteen leads": LinkFrame(5, 6, 7, 8, many.astype(np.int32)),
    }


def damaged() -> dict[str, tuple[bytes, str]]:
    """Bytes that are no frame, and why."""
    good = encode_frame(frames()["example"])

    def changed(at: int, value: int) -> bytes:
        body = good[:at] + bytes([value]) + good[at + 1 : -2]
        return body + crc(body).to_bytes(2, "little")

    longer = good[:-2] + b"\0"
    short = encode_frame(frames()["one sample"])[:-3] + b"\xfd"  # 30 bits and two more
    return {
        "empty": (b"", "length"),
        "head and CRC only": (good[:22], "length"),
        "longer than ATT allows": (good + bytes(500), "length"),
        "cut": (good[:-1], "crc"),
        "a flipped bit": (good[:25] + bytes([good[25] ^ 4]) + good[26:], "crc"),
        "version 2": (changed(0, 0x21), "version"),
        "no samples": (changed(2, 0), "samples"),
        "more samples than there are codes": (changed(2, 200), "samples"),
        "fewer samples than there are codes": (changed(2, 2), "samples"),
        "more leads than there are codes": (changed(0, 0x12), "samples"),
        "a byte too many": (longer + crc(longer).to_bytes(2, "little"), "samples"),
        "padding that is not zero": (short + crc(short).to_bytes(2, "little"), "samples"),
        "k of 31": (changed(20, good[20] | 0x7C), "samples"),
    }


def infos() -> dict[str, LinkInfo]:
    """Info values by name."""
    return {
        "example": LinkInfo(
            bytes.fromhex("a0b1c2d3e4f50617"),
            (LinkLead("I", 48_000), LinkLead("II", 48_000)),
            rate_mhz=250_000,
            adc_bits=24,
            mtu=247,
            ring_frames=120,
        ),
        "one lead": info_of(1, mtu=64, ring_frames=1),
        "sixteen leads": info_of(16, mtu=515, rate_mhz=2**32 - 1, ring_frames=2**32 - 1),
    }


def document() -> dict[str, Any]:
    """The shared vectors."""
    return {
        "frames": [
            {
                "name": name,
                "boot": f.boot,
                "sequence": f.sequence,
                "counter": f.counter,
                "time_ms": f.time_ms,
                "lead_off": f.lead_off,
                "battery": NO_BATTERY if f.battery is None else f.battery,
                "marked": f.marked,
                "counts": f.counts.tolist(),
                "bytes": encode_frame(f).hex(),
            }
            for name, f in frames().items()
        ],
        "damaged": [
            {"name": name, "bytes": value.hex(), "reason": reason} for name, (value, reason) in damaged().items()
        ],
        "infos": [
            {
                "name": name,
                "device_id": info.device_id.hex(),
                "adc_bits": info.adc_bits,
                "mtu": info.mtu,
                "rate_mhz": info.rate_mhz,
                "ring_frames": info.ring_frames,
                "leads": [[LEAD_NAMES.index(lead.name), lead.pv_per_count] for lead in info.leads],
                "bytes": info.to_bytes().hex(),
            }
            for name, info in infos().items()
        ],
    }


if __name__ == "__main__":
    VECTORS.write_text(json.dumps(document()) + "\n", encoding="utf-8")
