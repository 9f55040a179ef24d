"""The example driver of docs/devices.md works."""

import asyncio
import re
from pathlib import Path
from typing import Any

import numpy as np

from edge.acquire.driver import Stream
from edge.acquire.packets import Item, Rejected, SamplePacket
from edge.types import Lead

PAGE = (Path(__file__).parents[2] / "docs" / "devices.md").read_text(encoding="utf-8")


class OneCharacteristic:
    """A link that keeps the subscriber."""

    on_value: Any = None

    async def subscribe(self, service: str, characteristic: str, on_value: Any) -> None:
        self.on_value = on_value


def test_the_example_driver_turns_values_into_packets() -> None:
    (code,) = re.findall(r"```python\n(.*?)```", PAGE, flags=re.S)
    names: dict[str, Any] = {
        "SERVICE": "s", "DATA": "d", "np": np, "Rejected": Rejected, "SamplePacket": SamplePacket,
        "Stream": Stream, "Lead": Lead,
    }  # fmt: skip
    exec(code, names)
    items: list[Item] = []
    gatt = OneCharacteristic()
    stream = asyncio.run(names["MyStrap"]().start(gatt, items.append))
    gatt.on_value(bytes.fromhex("0a000000 0100 ffff"))
    gatt.on_value(b"abc")
    packet, rejected = items
    assert isinstance(packet, SamplePacket)
    assert (packet.counter, packet.counts.tolist()) == (10, [[1], [-1]])
    assert isinstance(rejected, Rejected)
    assert stream.placement == "counter"
