"""The gateway with a virtual strap: its link is published, and what is lost is never answered from."""

import asyncio
import json
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import jsonschema

from edge.acquire.host_clock import HostClock
from edge.acquire.pins import Pin
from edge.acquire.radio import virtual_radio
from edge.acquire.strap import StrapSource
from edge.ask.answer import Answerer
from edge.formats.memory import demo_recording
from edge.recording.library import recordings
from edge.recording.store import StoredRecording
from edge.serve.broker import Topics, embedded_broker
from edge.serve.gateway import Gateway
from edge.serve.mqtt import MqttLink, ask_over_mqtt
from edge.serve.payloads import SCHEMAS, Event
from edge.settings import LinkSettings, Settings
from firmware_bridge.air import Air
from firmware_bridge.peripherals.polar_h10 import PolarH10

SPEED = 30.0
FAST = Settings(link=LinkSettings(state_every_s=0.1))
TOPICS = Topics("test", "strap")


def test_a_strap_out_of_reach_has_no_current_rate_and_goes_on_when_it_is_back(tmp_path: Path) -> None:
    states: list[dict[str, Any]] = []
    events: list[Event] = []

    async def watch(broker: Any) -> None:
        async with MqttLink(broker, Topics("test", "watcher")) as watcher:
            await watcher.subscribe([TOPICS.state])
            async for message in watcher.incoming():
                states.append(json.loads(message.payload))

    async def until(found: Any) -> dict[str, Any]:
        while not (states and found(states[-1])):
            await asyncio.sleep(0.02)
        return states[-1]

    async def go() -> dict[str, Any]:
        async with AsyncExitStack() as stack:
            air = Air()
            strap = PolarH10(air, demo_recording(), speed=SPEED, loop=True)
            await strap.start()
            broker = await stack.enter_async_context(embedded_broker())
            link = await stack.enter_async_context(MqttLink(broker, TOPICS))
            source = StrapSource(Pin(strap.address, "anna"), virtual_radio(air), FAST.link, HostClock(SPEED))
            gateway = Gateway(source, link, tmp_path, Answerer(FAST), FAST, on_event=events.append)
            stack.callback(gateway.close)
            tasks = [asyncio.create_task(gateway.run()), asyncio.create_task(watch(broker))]
            async with asyncio.timeout(60):
                live = await until(lambda s: s["rate_bpm"] is not None)
                assert (live["link"], live["protocol"], live["battery_percent"]) == ("streaming", "polar-h10", 88)
                await strap.stop()
                lost = await until(lambda s: s["link"] == "searching")
                assert (lost["rate_bpm"], lost["rate_reason"]) == (None, "the strap is out of reach")
                await asyncio.sleep(70 / SPEED)  # more than a minute on the strap's clock
                answer = await ask_over_mqtt(broker, TOPICS, "What is the heart rate now?", timeout_s=20)
                await strap.start()
                back = await until(lambda s: s["link"] == "streaming" and s["rate_bpm"] is not None and s["gaps"])
                assert (back["reconnects"], back["recording"]) == (1, live["recording"])
                source.close()
                while gateway.source.status.state != "ended":
                    await asyncio.sleep(0.02)
                await asyncio.sleep(0.3)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await strap.stop()
            return answer

    answer = asyncio.run(go())
    assert answer["status"] == "not_recorded", answer["answer"]
    for state in states:
        jsonschema.validate(state, SCHEMAS["state"])
    kinds = [event.kind for event in events]
    assert kinds.index("connected") < kinds.index("lost") < len(kinds) - 1 - kinds[::-1].index("connected")
    (path,) = recordings(tmp_path)
    stored = StoredRecording(path)
    assert stored.link_events()[-1].kind == "ended"
    assert stored.annotations().gaps
    stored.close()
