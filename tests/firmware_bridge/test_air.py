"""The air's door to other Bluetooth stacks: HCI over TCP."""

import asyncio
from contextlib import suppress

import numpy as np
import pytest
from air_tools import START_ECG, client, ecg, ecg_of, found, on_air, run, until, waves
from bleak.exc import BleakError
from bumble.core import UUID
from bumble.device import Device, Peer
from bumble.hci import Address
from bumble.transport.tcp_client import open_tcp_client_transport

from edge.errors import LinkError, UsageError
from firmware_bridge.air import Air, open_air, parse_hci, remote_adapter
from firmware_bridge.peripherals.polar_h10 import PMD_CONTROL, PMD_DATA, PolarH10


def test_another_stack_scans_connects_and_receives_exact_samples_over_tcp() -> None:
    async def body() -> None:
        air = Air()
        strap = PolarH10(air, waves(), speed=20)
        server = await air.serve_hci("127.0.0.1", 0)
        async with on_air(strap):
            transport = await open_tcp_client_transport(f"127.0.0.1:{server.port}")
            other = Device.with_hci("other", Address("F4:00:00:00:00:01"), transport.source, transport.sink)
            await other.power_on()
            seen: asyncio.Queue[str] = asyncio.Queue()
            other.on("advertisement", lambda advertisement: seen.put_nowait(advertisement.address.to_string(False)))
            await other.start_scanning()
            assert await seen.get() == strap.address
            await other.stop_scanning()
            peer = Peer(await other.connect(strap.address))
            await peer.request_mtu(247)
            await peer.discover_all()
            (control,) = peer.get_characteristics_by_uuid(UUID(PMD_CONTROL))
            (data,) = peer.get_characteristics_by_uuid(UUID(PMD_DATA))
            frames: list[bytes] = []
            await control.subscribe(lambda _value: None)
            await data.subscribe(lambda value: frames.append(bytes(value)))
            await control.write_value(START_ECG, with_response=True)
            await until(lambda: len(frames) >= 10)
            await transport.close()
            await until(lambda: not strap.clients)
        await server.close()
        assert strap.sent.first_sample is not None
        received = np.concatenate([ecg(frame)[1] for frame in frames])
        np.testing.assert_array_equal(received, strap.measured(strap.sent.first_sample, len(received))[:, 0])

    run(body())


def test_bleak_reaches_a_device_of_another_air_over_tcp() -> None:
    async def body() -> None:
        air = Air()
        strap = PolarH10(air, waves(), speed=20)
        server = await air.serve_hci("127.0.0.1", 0)
        async with on_air(strap), remote_adapter(f"tcp-client:127.0.0.1:{server.port}") as remote:
            device = await found(remote, strap.name)
            async with client(device.address, remote) as c:
                _, data = await ecg_of(c)
                values = await data.first(10)
        await server.close()
        received = np.concatenate([ecg(value)[1] for value in values])
        assert strap.sent.first_sample is not None
        np.testing.assert_array_equal(received, strap.measured(strap.sent.first_sample, len(received))[:, 0])

    run(body())


def test_pairing_and_top_speed_work_over_tcp() -> None:
    async def body() -> None:
        air = Air()
        strap = PolarH10(air, waves(), speed=0)
        server = await air.serve_hci("127.0.0.1", 0)
        place = f"tcp-client:127.0.0.1:{server.port}"
        async with on_air(strap), remote_adapter(place) as remote, client(strap, remote) as c:
            await c.pair()
            _, data = await ecg_of(c)
            await strap.ended.wait()
            await until(lambda: len(data.values) == strap.sent.notifications)
        await server.close()

    run(body())


def test_a_lost_server_disconnects_its_clients_and_is_reached_again_when_it_is_back() -> None:
    async def body() -> None:
        air = Air()
        strap = PolarH10(air, waves(), speed=20)
        server = await air.serve_hci("127.0.0.1", 0)
        async with on_air(strap):
            remote = open_air(f"tcp-client:127.0.0.1:{server.port}")
            lost = asyncio.Event()
            c = client(strap, remote, disconnected_callback=lambda _: lost.set())
            await c.connect()
            await ecg_of(c)
            await server.close()
            await lost.wait()
            assert not c.is_connected
            with pytest.raises(BleakError, match="No virtual air"):
                await c.connect()
            again = await air.serve_hci("127.0.0.1", server.port)
            await c.connect()
            _, data = await ecg_of(c)
            await data.first(2)
            await remote.close()
            await again.close()

    run(body())


def test_a_client_that_talks_nonsense_costs_nobody_else_anything() -> None:
    async def body() -> None:
        air = Air()
        strap = PolarH10(air, waves(), speed=20)
        server = await air.serve_hci("127.0.0.1", 0)
        async with on_air(strap), client(strap, air) as c:
            for nonsense in (b"GET / HTTP/1.1\r\n\r\n", b"\x01\x03\x0c\xff" + bytes(255), bytes(1000), b"\x02" * 300):
                reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
                writer.write(nonsense)
                writer.write_eof()
                with suppress(TimeoutError, ConnectionError):
                    await asyncio.wait_for(reader.read(), 0.3)
                writer.close()
            _, data = await ecg_of(c)
            await data.first(3)
        await server.close()

    run(body())


def test_a_port_that_is_taken_and_an_air_that_does_not_answer_are_one_line_each() -> None:
    async def body() -> None:
        air = Air()
        server = await air.serve_hci("127.0.0.1", 0)
        with pytest.raises(LinkError, match="Cannot listen"):
            await air.serve_hci("127.0.0.1", server.port)
        await server.close()
        with pytest.raises(LinkError, match="No virtual air"):
            await open_air(f"tcp-client:127.0.0.1:{server.port}").adapter()
        mute = await asyncio.start_server(lambda _r, w: w.close(), "127.0.0.1", 0)
        with pytest.raises(LinkError, match="not a Bluetooth controller"):
            await open_air(f"tcp-client:127.0.0.1:{mute.sockets[0].getsockname()[1]}").adapter()
        mute.close()
        await mute.wait_closed()

    run(body())


@pytest.mark.parametrize("text", ["", "tcp-client", "tcp-client:h", "tcp-server:h:1", "tcp-client:h:70000", "a:b:c:d"])
def test_a_place_that_is_none_is_a_usage_error(text: str) -> None:
    with pytest.raises(UsageError, match="tcp-client:HOST:PORT"):
        open_air(text)
    assert parse_hci("tcp-server:localhost:9000", "tcp-server") == ("localhost", 9000)
