"""The air between virtual Bluetooth LE devices, and its door: HCI over TCP.

A wearable is a bumble device on an `Air`; whoever looks for it uses an `Adapter`, which is one powered controller as
a USB dongle is one, shared by every scan and connection of a process. The controller is on the same air
(`Air.adapter`) or on the air of another process (`RemoteAir.adapter`).
"""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Protocol

from bumble import core, hci, ll
from bumble import link as bumble_link
from bumble.controller import Connection as Link
from bumble.controller import Controller
from bumble.device import Device, DeviceConfiguration
from bumble.host import Host
from bumble.pairing import PairingConfig
from bumble.transport.common import AsyncPipeSink, PacketParser
from bumble.transport.tcp_client import open_tcp_client_transport

from edge.errors import LinkError, UsageError
from firmware_bridge.adapter import Adapter

ACL_BYTES = 251  # the longest LE data packet: a whole ECG frame needs no fragments
MAX_UNSENT_BYTES = 65536  # towards a slow HCI client; whoever sends as fast as it can waits above it
CONNECT_TCP_S = 5.0
TCP_CLIENT, TCP_SERVER = "tcp-client", "tcp-server"
PUBLIC, RANDOM = hci.Address.PUBLIC_DEVICE_ADDRESS, hci.Address.RANDOM_DEVICE_ADDRESS
SUPERVISION_TIMEOUT = hci.HCI_ErrorCode.CONNECTION_TIMEOUT_ERROR
NOT_ESTABLISHED = hci.HCI_ErrorCode.CONNECTION_FAILED_TO_BE_ESTABLISHED_ERROR


class Medium(Protocol):
    """What devices can be found through."""

    async def adapter(self) -> Adapter:
        """The process's adapter on this medium; LinkError when it cannot be reached."""


class _Controller(Controller):
    """Bumble's virtual controller, with what a real one does when a connection does not come about."""

    acl_data_packet_length = ACL_BYTES
    le_acl_data_packet_length = ACL_BYTES

    def on_hci_le_create_connection_cancel_command(
        self, _command: hci.HCI_LE_Create_Connection_Cancel_Command
    ) -> hci.HCI_StatusReturnParameters:
        pending, self.pending_le_connection = self.pending_le_connection, None
        if pending is None:
            return hci.HCI_StatusReturnParameters(hci.HCI_ErrorCode.COMMAND_DISALLOWED_ERROR)
        asyncio.get_running_loop().call_soon(
            self.send_hci_packet,
            hci.HCI_LE_Connection_Complete_Event(
                status=hci.HCI_ErrorCode.UNKNOWN_CONNECTION_IDENTIFIER_ERROR,
                connection_handle=0,
                role=hci.Role.CENTRAL,
                peer_address_type=pending.peer_address_type,
                peer_address=pending.peer_address,
                connection_interval=0,
                peripheral_latency=0,
                supervision_timeout=0,
                central_clock_accuracy=0,
            ),
        )
        return hci.HCI_StatusReturnParameters(hci.HCI_ErrorCode.SUCCESS)

    def on_le_connect_ind(self, packet: ll.ConnectInd) -> None:
        super().on_le_connect_ind(packet)
        missed = packet.advertiser_address == self.random_address
        if missed and packet.initiator_address not in self.le_connections:
            # Somebody else was faster; without an answer the initiator would believe in its connection.
            self.link.send_ll_control_pdu(
                packet.advertiser_address, packet.initiator_address, ll.TerminateInd(NOT_ESTABLISHED)
            )


class _Host(Host):
    """Bumble's host, which stumbles over the answer to a command that was cancelled meanwhile."""

    def on_command_processed(self, event: hci.HCI_Command_Complete_Event[Any] | hci.HCI_Command_Status_Event) -> None:
        if self.pending_response is None or not self.pending_response.done():
            super().on_command_processed(event)


class _Link(bumble_link.LocalLink):
    """A local link whose packets from or to some addresses are delayed by a random time, in order."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # bumble leaves it untyped
        self.delays_s: dict[hci.Address, tuple[float, float]] = {}
        self._due: dict[tuple[hci.Address, hci.Address], float] = {}
        self._chance = random.Random(0)  # noqa: S311 - repeatable delays, no secrets

    def send_acl_data(
        self,
        sender_controller: Controller,
        destination_address: hci.Address,
        transport: core.PhysicalTransport,
        data: bytes,
    ) -> None:
        source = sender_controller.random_address
        delays_s = self.delays_s.get(source) or self.delays_s.get(destination_address)
        if delays_s is None:
            super().send_acl_data(sender_controller, destination_address, transport, data)
            return
        loop = asyncio.get_running_loop()
        due = max(self._due.get((source, destination_address), 0.0), loop.time() + self._chance.uniform(*delays_s))
        self._due[source, destination_address] = due
        connection = sender_controller.le_connections.get(destination_address)

        def deliver() -> None:
            # What was under way when the link was lost must not turn up in the next connection.
            if sender_controller.le_connections.get(destination_address) is connection:
                bumble_link.LocalLink.send_acl_data(self, sender_controller, destination_address, transport, data)

        loop.call_at(due, deliver)


class Air:
    """A shared medium inside this process; devices and adapters on it see each other."""

    def __init__(self) -> None:
        self.link = _Link()
        self._adapter: Adapter | None = None
        self._last_address = 0
        self.hci_clients: set[_TcpHost] = set()

    async def device(self, name: str, address: str | None = None) -> Device:
        """A powered device on this air, with an address of its own or the given static random one."""
        controller = self.controller(name)
        return await _powered(name, address or self._next_address(), _Host(controller, AsyncPipeSink(controller)))

    def controller(self, name: str) -> Controller:
        """A controller on this air without a host."""
        return _Controller(name, link=self.link, public_address=hci.Address(self._next_address(), PUBLIC))

    async def adapter(self) -> Adapter:
        """The adapter that all scanners and clients of this process share."""
        if self._adapter is None:
            self._adapter = await self.another_adapter()
        return self._adapter

    async def another_adapter(self) -> Adapter:
        """A second dongle, as of another gateway in the same room."""
        return Adapter(await self.device("adapter"))

    def remove(self, device: Device) -> None:
        """Take a device off the air; its links time out."""
        self.drop(_text(device.random_address))
        for controller in list(self.link.controllers):
            if controller.random_address == device.random_address:
                self.link.remove_controller(controller)

    def drop(self, address: str) -> None:
        """Lose every link of this address as by a supervision timeout; both ends stay reachable."""
        _lose(
            [
                end
                for controller in self.link.controllers
                for end in controller.le_connections.values()
                if address in (_text(end.self_address), _text(end.peer_address))
            ]
        )

    def delay(self, address: str, low_s: float, high_s: float) -> None:
        """Delay every packet from and to this address by a random time; the order is kept."""
        self.link.delays_s[_random(address)] = (low_s, high_s)

    @property
    def congested(self) -> bool:
        """Whether an HCI client takes its packets more slowly than they come."""
        return any(host.unsent_bytes > MAX_UNSENT_BYTES for host in self.hci_clients)

    def _next_address(self) -> str:
        self._last_address += 1
        return "F0:00:00:" + ":".join(f"{byte:02X}" for byte in self._last_address.to_bytes(3))

    async def serve_hci(self, host: str, port: int) -> "HciServer":
        """Offer controllers on this air over TCP, one for each client; LinkError when the port is taken."""
        try:
            server = await asyncio.get_running_loop().create_server(lambda: _TcpHost(self), host, port)
        except OSError as error:
            raise LinkError(
                f"Cannot listen on {host}:{port} ({error.strerror or error})", "Choose another port"
            ) from error
        return HciServer(self, server)


class HciServer:
    """Controllers of an air, offered over TCP in the standard framing of HCI packets (H4)."""

    def __init__(self, air: Air, server: asyncio.Server) -> None:
        self._air = air
        self._server = server
        self.port: int = server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        """End the service and its clients."""
        self._server.close()
        for host in list(self._air.hci_clients):
            host.close()
        await self._server.wait_closed()


class _TcpHost(asyncio.Protocol):
    """One client of the HCI server, and its controller."""

    def __init__(self, air: Air) -> None:
        self._air = air
        self._transport: asyncio.Transport | None = None
        self._controller: Controller | None = None
        self._parser = PacketParser()

    @property
    def unsent_bytes(self) -> int:
        """What waits in memory for the client."""
        return self._transport.get_write_buffer_size() if self._transport else 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._controller = self._air.controller("tcp")
        self._controller.host = self
        self._parser.set_packet_sink(self._controller)
        self._air.hci_clients.add(self)

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except Exception:
            # Whatever a broken client makes the parser or the controller raise costs that client only.
            self.close()

    def on_packet(self, packet: bytes) -> None:
        """From the controller to the client."""
        if self._transport and not self._transport.is_closing():
            self._transport.write(packet)

    def connection_lost(self, _error: Exception | None) -> None:
        self._air.hci_clients.discard(self)
        if self._controller is None:
            return
        ends = list(self._controller.le_connections.values())
        addresses = {(end.peer_address, end.self_address) for end in ends}
        for controller in self._air.link.controllers:
            ends += [e for e in controller.le_connections.values() if (e.self_address, e.peer_address) in addresses]
        _lose(ends)
        self._controller.host = None
        self._air.link.remove_controller(self._controller)
        self._controller = None

    def close(self) -> None:
        """Hang up."""
        if self._transport:
            self._transport.abort()


class RemoteAir:
    """The air of another process, through its HCI server."""

    def __init__(self, host: str, port: int) -> None:
        self._where = f"{host}:{port}"
        self._adapter: Adapter | None = None
        self._opening = asyncio.Lock()

    async def adapter(self) -> Adapter:
        """The adapter that all scanners and clients of this process share; opened again after it was lost."""
        async with self._opening:
            if self._adapter is None or self._adapter.lost:
                self._adapter = await self._open()
            return self._adapter

    async def _open(self) -> Adapter:
        try:
            async with asyncio.timeout(CONNECT_TCP_S):
                transport = await open_tcp_client_transport(self._where)
        except (OSError, TimeoutError) as error:
            raise LinkError(
                f"No virtual air answers at {self._where} ({error or 'no answer'})", "Start it with: anyecg simulate"
            ) from error
        host = _Host(transport.source, transport.sink)
        try:
            async with asyncio.timeout(CONNECT_TCP_S):
                # The server knows addresses of its own only; a random one keeps two clients apart.
                device = await _powered("adapter", _text(hci.Address.generate_static_address()), host)
        except Exception as error:
            await transport.close()
            raise LinkError(f"What answers at {self._where} is not a Bluetooth controller", "Check the port") from error
        return Adapter(device, transport)

    async def close(self) -> None:
        """Hang up; a later use opens it again."""
        async with self._opening:
            adapter, self._adapter = self._adapter, None
            if adapter:
                await adapter.close()


@asynccontextmanager
async def remote_adapter(text: str) -> AsyncIterator[RemoteAir]:
    """The air behind `tcp-client:HOST:PORT`, already reached; UsageError or LinkError otherwise."""
    air = open_air(text)
    await air.adapter()
    try:
        yield air
    finally:
        await air.close()


def open_air(text: str) -> RemoteAir:
    """The air that `tcp-client:HOST:PORT` names; UsageError says what is wrong with another text."""
    host, port = parse_hci(text, TCP_CLIENT)
    return RemoteAir(host, port)


def parse_hci(text: str, kind: str) -> tuple[str, int]:
    """Host and port of `KIND:HOST:PORT`; UsageError where the text is something else."""
    parts = text.split(":")
    if len(parts) == 3 and parts[0] == kind and parts[1] and parts[2].isdecimal() and int(parts[2]) < 65536:
        return parts[1], int(parts[2])
    raise UsageError(f"{text!r} is not a place of Bluetooth HCI", f"Write {kind}:HOST:PORT, e.g. {kind}:127.0.0.1:9000")


async def _powered(name: str, address: str, host: Host) -> Device:
    device = Device(config=DeviceConfiguration(name=name, address=_random(address)), host=host)
    # Keys are then kept by the address that is connected to.
    device.pairing_config_factory = lambda _connection: PairingConfig(
        mitm=False, identity_address_type=PairingConfig.AddressType.RANDOM
    )
    await device.power_on()
    return device


def _lose(ends: list[Link]) -> None:
    for end in ends:
        end.controller.on_le_disconnected(end, SUPERVISION_TIMEOUT)


def _random(address: str) -> hci.Address:
    return hci.Address(address, RANDOM)


def _text(address: hci.Address) -> str:
    return address.to_string(False)
