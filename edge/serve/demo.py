"""`anyecg demo`: the real five-minute ECG from a virtual strap over Bluetooth LE, questions over MQTT, a page with strips."""

import asyncio
import json
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

from edge import __version__
from edge.acquire.host_clock import HostClock
from edge.acquire.pins import Pin
from edge.acquire.radio import virtual_radio
from edge.acquire.scan import scan
from edge.acquire.strap import StrapSource
from edge.ask.answer import Answerer, new_model
from edge.ask.spans import offset_text
from edge.errors import AnyecgError
from edge.formats.memory import demo_recording
from edge.inputs import analysis_lead
from edge.recording.library import recording_path
from edge.recording.store import StoredRecording
from edge.report.page import answers_page
from edge.serve.broker import Broker, Topics, embedded_broker
from edge.serve.gateway import Gateway
from edge.serve.mqtt import MqttLink, ask_over_mqtt
from edge.serve.payloads import Status
from edge.settings import LinkSettings, Settings
from firmware_bridge.air import Air
from firmware_bridge.faults import FaultScript
from firmware_bridge.peripherals.polar_h10 import PolarH10

QUESTIONS = (
    "What was the highest heart rate?",
    "Were there any pauses longer than 2 seconds?",
    "Where is the signal not usable?",
)
# The link is lost once, and some notifications are lost, repeated or out of order: what happens on any day.
FAULTS = FaultScript(disconnects=(150.0,), lose=0.004, duplicate=0.02, reorder=0.02, seed=1)
SCAN_S = 0.2  # the virtual strap advertises every 20 ms
LINE_EVERY_S = 30.0  # of signal
ANSWER_S = 60.0  # longest wait for one answer; a small board loads its model for some seconds


async def run_demo(out: Path, speed: float, say: Callable[[str], None]) -> None:
    """Play, print, ask, write the page; AnyecgError in one line when something essential is missing."""
    settings = replace(Settings(), link=replace(LinkSettings(), state_every_s=min(5.0, LINE_EVERY_S / speed / 2)))
    recording = demo_recording()
    model = new_model(settings)
    say(f"anyecg {__version__}: a real ambulatory ECG, 5 min, played {speed:g} times as fast as it was recorded.")
    async with AsyncExitStack() as stack:
        stack.callback(model.close)
        model.start_in_background()
        broker = await stack.enter_async_context(embedded_broker())
        topics = Topics("demo", "strap")
        link = await stack.enter_async_context(
            MqttLink(broker, topics, status=Status(online=True, version=__version__))
        )
        air = Air()
        strap = PolarH10(air, recording, faults=FAULTS, speed=speed)
        await strap.start()
        stack.push_async_callback(strap.stop)
        radio = virtual_radio(air)
        for seen in await scan(radio, SCAN_S, []):
            say(f"scan:  {seen.address}  {seen.rssi_dbm} dBm  {seen.protocol}  {seen.name} (virtual)")
        source = StrapSource(Pin(strap.address, "strap"), radio, settings.link, HostClock(speed))
        gateway = Gateway(source, link, out, Answerer(settings, model), settings)
        stack.callback(gateway.close)
        gateway.on_event = lambda event: say(f"{_at(event.start_s)}  {event.kind}: {event.detail}")
        ended = asyncio.Event()
        running = asyncio.create_task(gateway.run(ended=ended), name="demo.gateway")
        watching = asyncio.create_task(_watch(broker, topics, say), name="demo.watch")
        closing = asyncio.create_task(_close_at_end(strap, source), name="demo.close")
        try:
            await asyncio.wait({running, asyncio.create_task(ended.wait())}, return_when=asyncio.FIRST_COMPLETED)
            if running.done():
                running.result()
            if gateway.problem is not None:
                raise gateway.problem
            say(
                f"\nThe recording is kept in {recording_path(out, gateway.recording_id)}. Questions over MQTT ({topics.ask}):"
            )
            answers = []
            for question in QUESTIONS:
                answer = await ask_over_mqtt(broker, topics, question, timeout_s=ANSWER_S)
                if answer.get("schema") != "anyecg.answer/1":
                    raise AnyecgError(f"No answer to {question!r}: {answer.get('problem', answer)}")
                answers.append(answer)
                _print_answer(answer, say)
        finally:
            for task in (running, watching, closing):
                task.cancel()
            await asyncio.gather(running, watching, closing, return_exceptions=True)
        if answers[-1]["model"] is None and model.status != "ready":
            say(f"\nThe answers are plain sentences: {model.status}")
    stored = StoredRecording(recording_path(out, gateway.recording_id))
    html = answers_page(stored, stored.annotations(), analysis_lead(stored.info.leads), answers)
    stored.close()
    path = out / "answers.html"
    path.write_text(html, encoding="utf-8")
    say(f"\nThe strips behind the answers: {path}\n{answers[0]['notice']}")


async def _close_at_end(strap: PolarH10, source: StrapSource) -> None:
    """A strap never ends; the demo does, when its recording has been played."""
    await strap.ended.wait()
    source.close()


async def _watch(broker: Broker, topics: Topics, say: Callable[[str], None]) -> None:
    """Print the state as a caregiver's client gets it over MQTT, once per stretch of signal."""
    next_s = LINE_EVERY_S
    async with MqttLink(broker, Topics("demo", "watcher")) as link:
        await link.subscribe([topics.state])
        async for message in link.incoming():
            state: dict[str, Any] = json.loads(message.payload)
            if state["recorded_s"] >= next_s:
                next_s = state["recorded_s"] // LINE_EVERY_S * LINE_EVERY_S + LINE_EVERY_S
                rate = (
                    f"{state['rate_bpm']:.0f} bpm"
                    if state["rate_bpm"] is not None
                    else f"no rate ({state['rate_reason']})"
                )
                say(
                    f"{_at(state['recorded_s'])}  {rate}, {state['beats']} beats, signal {state['quality']}, "
                    f"{100 * state['analysable_fraction']:.0f} % analysable"
                )


def _print_answer(answer: dict[str, Any], say: Callable[[str], None]) -> None:
    say(f"\n? {answer['question']}\n  {answer['answer']}")
    worded = "worded by the language model, checked" if answer["model"] else "plain sentence"
    share = 100 * answer["analysable_fraction"]
    say(
        f"  [{answer['status']}; {worded}; {share:.0f} % of the span analysable; {answer['timing_ms']['total']:.0f} ms]"
    )
    for span in answer["evidence"][:2]:
        say(f"  evidence: {_at(span['start_s'])} to {_at(span['end_s'])}, {span['label']}")


def _at(seconds: float | None) -> str:
    return "     " if seconds is None else f"{offset_text(seconds):>5}"
