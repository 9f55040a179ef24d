"""Valid values for each target, so that the fuzzer starts inside the formats instead of at noise."""

import numpy as np

from firmware_bridge.link.frame import LinkFrame, encode_frame

_LINK_FRAME = LinkFrame(
    boot=1,
    sequence=2,
    counter=3,
    time_ms=4,
    counts=np.arange(40, dtype=np.int32).reshape(20, 2) ** 2,
    lead_off=1,
    battery=90,
    marked=True,
)
_GANGLION = [
    bytes((packet_id,)) + bytes(range(19)) for packet_id in (0, *range(1, 12), 0, *range(101, 106), 201, 206, 207)
]

SEEDS: dict[str, list[bytes]] = {
    "polar-ecg": [
        bytes.fromhex("00 00943577 00000000 00 0280FF 028000"),
        bytes.fromhex("00 00943577 00000000 03 00120311100400 0280F0111004FF"),
        bytes.fromhex("02 EA54A2428B455208 01 45FFE4FFB503"),
    ],
    "polar-control": [
        bytes.fromhex("F0 01 00 00 00 000182000101 0E00"),
        bytes.fromhex("F0 01 02 00 01 000134000101100002 04F500F401E803D007 040103"),
        bytes.fromhex("F0 01 02 00 00 0302FFFFFFFFFF0000000101 0E00 050140DA7F39"),
        bytes.fromhex("01 01 02"),
    ],
    "heart-rate": [bytes.fromhex("16 40 0004"), bytes.fromhex("19 0001 FFFF 0004 0104")],
    "movesense": [
        bytes.fromhex("0202 EADC0100") + bytes(64),
        bytes.fromhex("0202 EADC0100") + bytes(32),
        bytes.fromhex("0202 EADC0100") + bytes(20),
        bytes.fromhex("0302") + bytes(44),
    ],
    "movesense-answers": [b"\x01serial\0product\0mac\0app\0version\0", b"Hello", b"\xc8\x00", b"\x01\xfb"],
    "movesense-community": [bytes.fromhex("A00F0000 0500 0080 F9FF"), b"\x04" + bytes(15)],
    "healthypi": [bytes(range(64))],
    "ganglion": _GANGLION,
    "health-sensor": [
        bytes.fromhex(
            "03 042B000300010102002A50055FD2A0000600B310010000000000000004 0000FD 0102 04000000 00000A00ECFF2C01"
        ),
        bytes.fromhex("05 042B000300010102002A50055FD2A0000600B31001000000"),
        bytes.fromhex("0A 0000000004 0000FD 0102 04000000 00000A00ECFF2C01"),
    ],
    "health-observation": [
        bytes.fromhex(
            "042B000300010102002A50055FD2A0000600B310010000000000000004 0000FD 0102 04000000 00000A00ECFF2C01"
        ),
        bytes.fromhex(
            "FF2F00420022729D2B290000060001 3C4C020002 010C000100B84B0200200262000000 010C0001001A480200A00A62000000"
        ),
    ],
    "device-texts": [b"\x50", b"Polar Electro Oy\0"],
    "ecg-link": [encode_frame(_LINK_FRAME)[:-2]],
}


def joined(values: list[bytes]) -> bytes:
    """One input of the fuzzer: every value preceded by its length."""
    return b"".join(bytes((len(value),)) + value for value in values)
