"""Our own open protocol for self-built wearables (docs/ecg-link.md): exact places, and what was lost comes later.

After a reconnection START names the first frame that is missing here; a hole inside a connection is filled by the same
START. The device then repeats what follows the hole, and what is here already is dropped.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import ClassVar

from edge.acquire.driver import DeviceRefused, DriverError, Gatt, Stream
from edge.acquire.packets import Battery, Contact, Gone, Item, Marked, Rejected, Restarted, SamplePacket
from edge.acquire.protocols.standard import Answers, device_text
from edge.errors import LinkError
from edge.types import Lead
from firmware_bridge.link.device import STOP_COMMAND, Op, Response, Status, decode_response, start_command
from firmware_bridge.link.frame import LinkFrame, decode_frame
from firmware_bridge.link.info import CONTROL, DATA, INFO, SERVICE, LinkInfo, LinkLead, decode_info

RESPONSE_TIMEOUT_S = 10.0
TRIES = 3  # requests for one hole; what is lost again each time is given up
PATIENCE_FRAMES = 16  # frames that may be under way when a request is made; after these it counts as lost
PATIENCE_AFTER_ANSWER = 4  # the same once it is answered: a host may hand over indications before notifications
MOST_AHEAD = 1024  # frames remembered beyond a hole, so that no device makes the memory grow
_WRAP = 2**32


@dataclass(slots=True)
class LinkState:
    """What has come from the device, through all connections."""

    boot: int | None = None
    expected: int | None = None
    """Sequence number of the first frame that is missing; None before the first frame."""
    ahead: dict[int, int] = field(default_factory=dict)
    """Frames beyond a hole: sequence number to sample counter."""
    newest: int = -1
    """Highest sequence number since power-up."""
    is_before_gone: bool = False
    """The frame before `expected` is known to be gone, and nothing after it has come yet."""
    response: Response | None = None
    """The device's latest answer to START."""
    latest: int = -1
    """Sequence number that came last in this connection: a lower one shows that the device moved its cursor."""
    tries: int = 0
    """Requests for the frame `expected` in this connection."""
    frames_since_request: int | None = None
    """None where no request is under way."""
    counter: int | None = None
    time_ms: int | None = None
    lead_off: int = 0
    battery: int | None = None


def take_frame(frame: LinkFrame, state: LinkState) -> tuple[list[Item], bool]:
    """What a frame says, and whether START is to be written again from `state.expected`."""
    items: list[Item] = []
    if frame.boot != state.boot:
        if state.boot is not None:
            items.append(Restarted())
        _begin(frame, state)
    assert state.expected is not None
    if frame.sequence >= state.expected and frame.sequence not in state.ahead:
        items += _news(frame, state)
    is_rewound = frame.sequence < state.latest
    state.latest = frame.sequence
    if state.frames_since_request is not None:
        state.frames_since_request += 1
        if is_rewound or state.frames_since_request > PATIENCE_FRAMES:
            state.frames_since_request = None
    if frame.sequence <= state.expected:  # nothing is missing before the place where the device is
        return items, False
    held_from = state.response.oldest if state.response is not None and state.response.boot == state.boot else 0
    if state.expected < held_from:
        # Bounded by what has come: a damaged response cannot make good frames look old.
        items += _skip_to(min(held_from, min(state.ahead)), state)
    is_waiting = state.frames_since_request is not None
    if len(state.ahead) >= MOST_AHEAD or (state.ahead and state.tries == TRIES and not is_waiting):
        return [*items, *_skip_to(min(state.ahead), state)], False
    if not state.ahead or is_waiting:
        return items, False
    state.tries += 1
    state.frames_since_request = 0
    return items, True


def take_response(response: Response, state: LinkState) -> None:
    """The device has done what START asked for; what it still holds is looked at when the next frame comes."""
    state.response = response
    if state.frames_since_request is not None:
        state.frames_since_request = max(state.frames_since_request, PATIENCE_FRAMES - PATIENCE_AFTER_ANSWER)


def start_of(state: LinkState) -> bytes:
    """The START command that asks for what is missing."""
    if state.boot is None or state.expected is None:
        return start_command()
    return start_command(state.boot, state.expected)


def _begin(frame: LinkFrame, state: LinkState) -> None:
    """A power-up: the first one is recorded from now on, of a later one everything since the power-up is wanted."""
    state.expected = frame.sequence if state.boot is None else 0
    state.is_before_gone = state.boot is not None  # nothing of the time without power will come
    state.boot = frame.boot
    state.ahead.clear()
    state.newest = state.latest = -1
    state.tries, state.frames_since_request = 0, None
    state.counter = state.time_ms = None


def _news(frame: LinkFrame, state: LinkState) -> list[Item]:
    """Items of a frame that has not come before."""
    items: list[Item] = []
    state.counter = _unwrapped(frame.counter, state.counter)
    state.time_ms = _unwrapped(frame.time_ms, state.time_ms)
    if frame.sequence == state.expected and state.is_before_gone:
        state.is_before_gone = False
        items.append(Gone(state.counter))
    if frame.sequence > state.newest:  # what was fetched later tells old contact and battery
        state.newest = frame.sequence
        items += _status(frame, state)
    if frame.marked:
        items.append(Marked(state.counter))
    items.append(SamplePacket(frame.counts, state.counter, state.time_ms * 1_000_000))
    state.ahead[frame.sequence] = state.counter
    _advance(state)
    return items


def _status(frame: LinkFrame, state: LinkState) -> list[Item]:
    items: list[Item] = []
    leads = range(frame.counts.shape[1])
    changed = frame.lead_off ^ state.lead_off
    for on in (False, True):
        of_these = tuple(i for i in leads if changed >> i & 1 and bool(frame.lead_off >> i & 1) != on)
        if of_these:
            items.append(Contact(on, of_these))
    state.lead_off = frame.lead_off
    if frame.battery is not None and frame.battery != state.battery:
        items.append(Battery(frame.battery))
        state.battery = frame.battery
    return items


def _skip_to(sequence: int, state: LinkState) -> list[Item]:
    """Nothing before this frame will come any more."""
    state.expected = sequence
    state.tries = 0
    if sequence not in state.ahead:
        state.is_before_gone = True
        return []
    state.is_before_gone = False
    gone = Gone(state.ahead[sequence])
    _advance(state)
    return [gone]


def _advance(state: LinkState) -> None:
    assert state.expected is not None
    while state.ahead.pop(state.expected, None) is not None:
        state.expected += 1
        state.tries = 0
    for sequence in [s for s in state.ahead if s < state.expected]:
        del state.ahead[sequence]


def _unwrapped(value: int, before: int | None) -> int:
    """The number nearest to `before` that is `value` modulo 2**32."""
    return value if before is None else before + (value - before + _WRAP // 2) % _WRAP - _WRAP // 2


class EcgLink:
    """Driver of one ECG-link device."""

    name: ClassVar[str] = "ecg-link"
    services: ClassVar[tuple[str, ...]] = (SERVICE,)

    def __init__(self) -> None:
        self._info: LinkInfo | None = None
        self._state = LinkState()

    async def start(self, gatt: Gatt, deliver: Callable[[Item], None]) -> Stream:
        """Read what the device is, subscribe, and let it send from the first frame that is missing here."""
        if not gatt.has(SERVICE, CONTROL):
            raise DeviceRefused("The device does not speak the ECG link", "See docs/ecg-link.md for what it must offer")
        info = decode_info(await gatt.read(SERVICE, INFO))
        if not isinstance(info, LinkInfo):
            raise DeviceRefused(f"The device's info is not usable ({info})", "See docs/ecg-link.md, version 1")
        if self._info is not None and _identity(info) != _identity(self._info):
            raise DeviceRefused("The device has another id, rate or leads than before", "Begin a new recording")
        self._info = info
        maker = await device_text(gatt)
        state, answers = self._state, Answers[Response]()
        state.latest, state.tries, state.frames_since_request, state.response = -1, 0, None, None

        def on_response(value: bytes) -> None:
            response = decode_response(value)
            if response is None:
                deliver(Rejected("response"))
            elif response.op == Op.START:
                take_response(response, state)
                answers.put(response)

        def on_value(value: bytes) -> None:
            frame = decode_frame(value)
            if not isinstance(frame, LinkFrame):
                deliver(Rejected(frame))
            elif frame.counts.shape[1] != len(info.leads):
                deliver(Rejected("leads"))
            else:
                items, ask = take_frame(frame, state)
                for item in items:
                    deliver(item)
                if ask:
                    gatt.write_soon(SERVICE, CONTROL, start_of(state))

        await gatt.subscribe(SERVICE, CONTROL, on_response)
        await gatt.subscribe(SERVICE, DATA, on_value)
        await gatt.write(SERVICE, CONTROL, start_of(state))
        response = await answers.take(lambda _: True, RESPONSE_TIMEOUT_S)
        if response is None:
            raise DriverError("The device does not answer START")
        _check(response, info)
        return Stream(
            protocol=self.name,
            leads=_leads(info.leads),
            fs_hz=info.fs_hz,
            placement="counter",
            measures_rate=True,  # front-ends with an oscillator of their own are up to 2 % off
            refetches=True,
            device=f"{maker} {info.device_id.hex()}".strip(),
        )

    async def stop(self, gatt: Gatt) -> None:
        """Let the device end its stream; it goes on sampling."""
        with suppress(LinkError):
            await gatt.write(SERVICE, CONTROL, STOP_COMMAND)


def _check(response: Response, info: LinkInfo) -> None:
    if response.status == Status.MTU_TOO_SMALL:
        raise DeviceRefused(
            f"The device sends at an MTU of {info.mtu} or more, and this connection has less",
            "Use another Bluetooth adapter, or build the firmware for a smaller MTU",
        )
    if response.status != Status.OK:
        raise DriverError(f"The device answers START with status {response.status}")


def _identity(info: LinkInfo) -> tuple[bytes, int, tuple[LinkLead, ...]]:
    return info.device_id, info.rate_mhz, info.leads


def _leads(leads: tuple[LinkLead, ...]) -> tuple[Lead, ...]:
    """Leads of the recording; a repeated name gets a number."""
    names = [lead.name for lead in leads]
    return tuple(
        Lead(name if names[:i].count(name) == 0 else f"{name} {names[:i].count(name) + 1}", 1e9 / lead.pv_per_count)
        for i, (name, lead) in enumerate(zip(names, leads, strict=True))
    )
