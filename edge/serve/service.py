"""`anyecg run`: options to a running gateway with its broker, link, recording and language model."""

import asyncio
import signal
from collections.abc import Callable
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from edge import __version__
from edge.acquire.replay import ReplaySource
from edge.ask.answer import Answerer, new_model
from edge.errors import LinkError, UsageError
from edge.inputs import open_input
from edge.serve.broker import Broker, Topics, embedded_broker
from edge.serve.gateway import Gateway
from edge.serve.mqtt import MqttLink
from edge.serve.payloads import Event, Status
from edge.settings import Settings, from_tables
from firmware_bridge.virtual import FaultScript, read_fault_script

USUAL_PORT = 1883


@dataclass(frozen=True, slots=True)
class RunOptions:
    """What `anyecg run` is told, by options or by the [run] table of its config file."""

    source: str | None = None
    """"replay:INPUT"."""
    speed: float = 1.0
    faults: Path | None = None
    broker: str | None = None
    """HOST[:PORT]; None runs an embedded broker on this machine."""
    username: str | None = None
    password: str | None = None
    tls: bool = False
    gateway: str = "home"
    device: str = "strap"


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
    kind, _, text = (options.source or "").partition(":")
    if kind != "replay" or not text:
        raise UsageError("Name a source to run", "--source replay:INPUT plays a file, a stored recording, or demo")
    recording = open_input(text, folder)
    faults = read_fault_script(options.faults) if options.faults else FaultScript()
    source = ReplaySource(recording, options.speed, faults)
    topics = Topics(options.gateway, options.device)
    status = Status(online=True, version=__version__, since=datetime.now(UTC).isoformat(timespec="seconds"))
    model = new_model(settings) if use_model else None
    this = asyncio.current_task()
    assert this is not None
    with suppress(NotImplementedError):  # systems without it end at once; the broker then publishes the last will
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, this.cancel)

    def tell(event: Event) -> None:
        at = "" if event.start_s is None else f" at {event.start_s:.1f} s"
        say(f"{event.kind}{at}: {event.detail}")

    async with AsyncExitStack() as stack:
        stack.callback(recording.close)
        if model is not None:
            stack.callback(model.close)
            model.start_in_background()
        broker = _broker(options) if options.broker else await _own_broker(stack)
        # With a broker of its own the gateway can wait for none; another may come up later than this one.
        link = await stack.enter_async_context(MqttLink(broker, topics, status=status, wait=bool(options.broker)))
        for warning in link.warnings:
            say(warning)
        gateway = Gateway(source, link, folder, Answerer(settings, model), settings, on_event=tell)
        stack.callback(gateway.close)
        say(f"broker {broker.where} ({'given' if options.broker else 'embedded'}); ask on {topics.ask}")
        await gateway.run(until_source_ends=exit_at_end)
        if gateway.problem is not None:
            raise gateway.problem


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
