"""What `anyecg run` is told to serve: every strap once, every name once."""

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from edge.acquire.pins import Pin, pin
from edge.errors import UsageError
from edge.serve.sources import Playing, Served, open_sources
from edge.settings import LinkSettings

ONE, TWO = "AA:00:00:00:00:01", "AA:00:00:00:00:02"


def opened(folder: Path, *texts: str, device: str | None = None) -> list[Served]:
    async def go() -> list[Served]:
        async with AsyncExitStack() as stack:
            return await open_sources(texts, device, folder, Playing(), None, LinkSettings(), stack, lambda _: None)

    return asyncio.run(go())


@pytest.mark.parametrize("pinned", [True, False])
def test_one_address_twice_is_refused_in_any_case(tmp_path: Path, *, pinned: bool) -> None:
    if pinned:
        pin(tmp_path, Pin(ONE, "anna"))
    with pytest.raises(UsageError, match="is a source twice"):
        opened(tmp_path, f"ble:{ONE}", f"ble:{ONE.lower()}")


def test_an_unpinned_strap_is_not_called_as_a_pinned_one(tmp_path: Path) -> None:
    pin(tmp_path, Pin(TWO, "Strap"))
    assert [s.device for s in opened(tmp_path, f"ble:{ONE}", f"ble:{TWO}")] == ["strap-2", "Strap"]
    with pytest.raises(UsageError, match="pinned as"):
        opened(tmp_path, f"ble:{ONE}", device="strap")


def test_two_sources_of_one_name_are_refused(tmp_path: Path) -> None:
    pin(tmp_path, Pin(TWO, "Strap"))
    with pytest.raises(UsageError, match="would be called"):
        opened(tmp_path, "replay:demo", f"ble:{TWO}")
