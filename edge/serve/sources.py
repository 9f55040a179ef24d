"""What `anyecg run` serves: texts such as "ble:ADDRESS", "virtual:polar-h10:demo" and "replay:INPUT" become sources."""

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from edge.acquire.host_clock import HostClock
from edge.acquire.pins import Pin, free_name, read_pins, same_address, same_name
from edge.acquire.replay import ReplaySource
from edge.acquire.source import Source
from edge.errors import UsageError
from edge.inputs import open_input
from edge.settings import LinkSettings
from firmware_bridge.faults import FaultScript, unsupported

if TYPE_CHECKING:
    from edge.acquire.radio import Radio
    from edge.acquire.strap import StrapSource
    from firmware_bridge.peripherals.peripheral import Peripheral

KINDS = "ble:ADDRESS, virtual:DEVICE[:INPUT], replay:INPUT"
SETTLE_S = 2.0  # on the clock of a virtual wearable, after its recording's end: what is under way arrives
REPLAY_FAULTS = ("dropouts", "lose", "duplicate", "reorder", "drift_ppm", "seed")


@dataclass(frozen=True, slots=True)
class Served:
    """One source, and its name in the topics."""

    device: str
    source: Source


@dataclass(frozen=True, slots=True)
class Playing:
    """How recordings are played: by replay and by virtual wearables."""

    speed: float = 1.0
    faults: FaultScript = field(default_factory=FaultScript)


async def open_sources(
    texts: tuple[str, ...],
    device: str | None,
    folder: Path,
    playing: Playing,
    radio_at: str | None,
    settings: LinkSettings,
    stack: AsyncExitStack,
    say: Callable[[str], None],
) -> list[Served]:
    """Everything to serve; without texts, every pinned strap. `stack` closes what was opened."""
    pins = read_pins(folder)
    if not texts and not pins:
        raise UsageError(
            "There is nothing to run",
            "`anyecg scan` lists straps and `anyecg scan --pin ADDRESS` pins one; --source replay:demo plays an ECG",
        )
    served: list[Served] = []
    radio: Radio | None = None
    _refuse_twice(texts)
    for text in texts or tuple(f"ble:{pin.address}" for pin in pins):
        kind, _, rest = text.partition(":")
        taken = {s.device for s in served}
        if kind == "replay" and rest:
            served.append(_replay(rest, device or free_name("strap", taken), folder, playing, stack))
        elif kind == "virtual" and rest:
            served.append(await _virtual(rest, device, taken, folder, playing, settings, stack, say))
        elif kind == "ble" and rest:
            if radio is None:
                from edge.acquire.radio import open_radio

                radio = await stack.enter_async_context(open_radio(radio_at))
            chosen = _chosen(rest, device, pins, taken)
            served.append(Served(device or chosen.name, _strap(chosen, radio, settings, HostClock())))
        else:
            raise UsageError(f"{text!r} is no source", f"Sources: {KINDS}")
    if device is not None and len(served) > 1:
        raise UsageError("One device name does not fit several sources", "Leave --device out; pins have names")
    for k, each in enumerate(served):
        if any(same_name(each.device, other.device) for other in served[:k]):
            raise UsageError(f"Two sources would be called {each.device!r}", "Pin one of them under another name")
    return served


def _refuse_twice(texts: tuple[str, ...]) -> None:
    """One strap holds one link: two sources would take it from each other for ever."""
    addresses = [text.partition(":")[2] for text in texts if text.startswith("ble:")]
    for k, address in enumerate(addresses):
        if any(same_address(address, other) for other in addresses[:k]):
            raise UsageError(f"{address} is a source twice", "Name every strap once")


def _chosen(address: str, device: str | None, pins: list[Pin], taken: set[str]) -> Pin:
    """The pin of an address; an address in the command is a choice like a pin. Nothing else is ever connected to."""
    if known := next((pin for pin in pins if same_address(pin.address, address)), None):
        return known
    names = {pin.name for pin in pins}
    if device is not None and any(same_name(device, name) for name in names):
        raise UsageError(f"Another strap is pinned as {device!r}", "Give this one another name with --device")
    return Pin(address, device or free_name("strap", taken | names))


def _replay(text: str, device: str, folder: Path, playing: Playing, stack: AsyncExitStack) -> Served:
    if foreign := unsupported(playing.faults, REPLAY_FAULTS):
        raise UsageError(f"A replay has no link for the fault {foreign[0]!r}", "Use --source virtual:DEVICE:INPUT")
    recording = open_input(text, folder)
    stack.callback(recording.close)
    if recording.info.rr_only:
        raise UsageError(f"{text} holds RR intervals and no ECG to replay", "Ask about it directly: anyecg ask")
    return Served(device, ReplaySource(recording, playing.speed, playing.faults))


async def _virtual(
    text: str,
    device: str | None,
    taken: set[str],
    folder: Path,
    playing: Playing,
    settings: LinkSettings,
    stack: AsyncExitStack,
    say: Callable[[str], None],
) -> Served:
    """A virtual wearable on an air of its own, and the strap source that connects to it."""
    from edge.acquire.radio import virtual_radio
    from firmware_bridge.air import Air
    from firmware_bridge.simulate import virtual_device

    kind, _, name = text.partition(":")
    if playing.speed <= 0:
        raise UsageError("A virtual wearable needs a speed above 0", "1 is real time; 30 is usual for a demonstration")
    recording = open_input(name or "demo", folder)
    stack.callback(recording.close)
    air = Air()
    peripheral = await stack.enter_async_context(
        virtual_device(kind, recording, air, faults=playing.faults, speed=playing.speed)
    )
    chosen = Pin(peripheral.address, device or free_name(kind, taken))
    say(f"virtual {kind} at {peripheral.address} plays {recording.info.id}")
    source = _strap(chosen, virtual_radio(air), settings, HostClock(playing.speed))
    closing = asyncio.create_task(_close_at_end(peripheral, source), name=f"run.{chosen.name}.end")
    stack.callback(closing.cancel)
    return Served(chosen.name, source)


async def _close_at_end(peripheral: "Peripheral", source: "StrapSource") -> None:
    """A strap never ends; a virtual one does, when its recording has been played."""
    await peripheral.ended.wait()
    await asyncio.sleep(source.clock.host_s(SETTLE_S))
    source.close()


def _strap(pin: Pin, radio: "Radio", settings: LinkSettings, clock: HostClock) -> "StrapSource":
    from edge.acquire.strap import StrapSource

    return StrapSource(pin, radio, settings, clock)
