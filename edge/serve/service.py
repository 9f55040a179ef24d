"""`anyecg run`: options to running gateways, one for each source, with their broker, links and language model."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from edge import __version__
from edge.ask.answer import Answerer, new_model
from edge.errors import LinkError, UsageError
from edge.serve.broker import Broker, Topics, embedded_broker
from edge.serve.gateway import Gateway
from edge.serve.mqtt import MqttLink
from edge.serve.payloads import Event, Status
from edge.serve.sources import Playing, open_sources
from edge.settings import Settings, from_tables
from firmware_bridge.faults import FaultScript, read_fault_script

USUAL_PORT = 1883


@dataclass(frozen=True, slots=True)
class RunOptions:
    """What `anyecg run` is told, by options or by the [run] table of its config file."""

    source: tuple[str, ...] = ()
    """"ble:ADDRESS", "virtual:DEVICE[:INPUT]", "replay:INPUT"; none: every pinned strap."""
    radio: str | None = None
    """tcp-client:HOST:PORT of an HCI controller; None is the system's Bluetooth."""
    speed: float = 1.0
    faults: Path | None = None
    broker: str | None = None
    """HOST[:PORT]; None runs an embedded broker on this machine."""
    username: str | None = None
    password: str | None = None
    tls: bool = False
    gateway: str = "home"
    device: str | None = None
    """Name in the topics; None: that of the pin, or of its kind."""


def options_from(tables: dict[str, Any], given: dict[str, Any], defaults: RunOptions) -> tuple[RunOptions, Settings]:
    """Options of the config's [run] table, overridden by those given; the other tables are settings."""
    tables = dict(tables)
    table = tables.pop("run", {})
    known = {f.name for f in fields(RunOptions)}
    unknown = sorted(set(table) - known)
    if unknown:
        raise UsageError(f"Unknown option run.{unknown[0]}", f"Known: {', '.join(sorted(known))}")
    if "faults" in table:
        table["faults"] = Path(table["faults"])
    if "source" in table:
        table["source"] = (table["source"],) if isinstance(table["source"], str) else tuple(table["source"])
    changed = {name: value for name, value in given.items() if value != getattr(defaults, name)}
    try:
        return replace(defaults, **{**table, **changed}), from_tables(tables)
    except TypeError as error:
        raise UsageError(f"The [run] table is not usable: {error}") from error


async def serve(
    options: RunOptions,
    settings: Settings,
    folder: Path,
    say: Callable[[str], None],
    *,
    exit_at_end: bool,
    use_model: bool,
) -> None:
    """Run the gateway until cancelled, or until its source ends; AnyecgError when it cannot start or go on."""
    model = new_model(settings) if use_model else None
    status = Status(online=True, version=__version__, since=datetime.now(UTC).isoformat(timespec="seconds"))
    faults = read_fault_script(options.faults) if options.faults else FaultScript()
    async with AsyncExitStack() as stack:
        playing = Playing(options.speed, faults)
        served = await open_sources(
            options.source, options.device, folder, playing, options.radio, settings.link, stack, say
        )
        if model is not None:
            stack.callback(model.close)
            model.start_in_background()
        broker = _broker(options) if options.broker else await _own_broker(stack)
        answerer, thinker = Answerer(settings, model), ThreadPoolExecutor(1, "answer")
        stack.callback(partial(thinker.shutdown, wait=False, cancel_futures=True))
        gateways = []
        for each in served:
            topics = Topics(options.gateway, each.device)
            # With a broker of its own the gateway can wait for none; another may come up later than this one.
            waits = bool(options.broker)
            link = await stack.enter_async_context(MqttLink(broker, topics, status=status, wait=waits))
            for warning in link.warnings:
                say(warning)
            tell = partial(_tell, say, f"{each.device}: " if len(served) > 1 else "")
            gateway = Gateway(each.source, link, folder, answerer, settings, on_event=tell, thinker=thinker)
            stack.callback(gateway.close)
            gateways.append(gateway)
            say(f"broker {broker.where} ({'given' if options.broker else 'embedded'}); ask on {topics.ask}")
        async with asyncio.TaskGroup() as group:
            for gateway in gateways:
                group.create_task(gateway.run(until_source_ends=exit_at_end), name=f"run.{gateway.link.topics.device}")
        for gateway in gateways:
            if gateway.problem is not None:
                raise gateway.problem


def _tell(say: Callable[[str], None], whose: str, event: Event) -> None:
    at = "" if event.start_s is None else f" at {event.start_s:.1f} s"
    say(f"{whose}{event.kind}{at}: {event.detail}")


def _broker(options: RunOptions) -> Broker:
    host, _, port = (options.broker or "").rpartition(":")
    if not host:
        host, port = port, str(USUAL_PORT)
    if not port.isdigit():
        raise UsageError(f"{options.broker!r} is no broker", "Give HOST or HOST:PORT")
    return Broker(host, int(port), options.username, options.password, options.tls)


async def _own_broker(stack: AsyncExitStack) -> Broker:
    """The embedded broker on the usual port, or on any free one when that is taken."""
    try:
        return await stack.enter_async_context(embedded_broker(USUAL_PORT))
    except LinkError:
        return await stack.enter_async_context(embedded_broker(0))
