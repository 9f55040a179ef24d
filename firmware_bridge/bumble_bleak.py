"""bleak's scanner and client over a virtual air, so that the very same code reads virtual and real wearables.

`BleakScanner(backend=AirScanner, air=air)` and `BleakClient(device, backend=AirClient, air=air)`, where `air` is an
`Air` of this process or a `RemoteAir`.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import Any

from bleak.args import SizedBuffer
from bleak.assigned_numbers import gatt_char_props_to_strs
from bleak.backends.characteristic import BleakGATTCharacteristic
from bleak.backends.client import BaseBleakClient
from bleak.backends.descriptor import BleakGATTDescriptor
from bleak.backends.device import BLEDevice
from bleak.backends.scanner import AdvertisementData, AdvertisementDataCallback, BaseBleakScanner
from bleak.backends.service import BleakGATTService, BleakGATTServiceCollection
from bleak.exc import BleakDeviceNotFoundError, BleakError, BleakGATTProtocolError
from bleak.uuids import normalize_uuid_str
from bumble import core
from bumble.att import ATT_Error
from bumble.core import UUID, AdvertisingData
from bumble.device import Advertisement, Connection, Peer
from bumble.gatt_client import Client

from edge.errors import LinkError
from firmware_bridge.adapter import Adapter, whole
from firmware_bridge.air import Medium

MTU = 517  # what BlueZ asks for; the device grants less

_Type = AdvertisingData.Type
_UUID_LISTS = (
    _Type.COMPLETE_LIST_OF_16_BIT_SERVICE_CLASS_UUIDS,
    _Type.INCOMPLETE_LIST_OF_16_BIT_SERVICE_CLASS_UUIDS,
    _Type.COMPLETE_LIST_OF_128_BIT_SERVICE_CLASS_UUIDS,
    _Type.INCOMPLETE_LIST_OF_128_BIT_SERVICE_CLASS_UUIDS,
)


class AirScanner(BaseBleakScanner):
    """Scanner backend; `air` is an extra keyword of BleakScanner."""

    def __init__(
        self,
        detection_callback: AdvertisementDataCallback | None,
        service_uuids: list[str] | None,
        scanning_mode: str,  # noqa: ARG002 - virtual devices say everything in the advertisement itself
        *,
        air: Medium,
        **_kwargs: Any,
    ) -> None:
        super().__init__(detection_callback, service_uuids)
        self._air = air
        self._adapter: Adapter | None = None

    async def start(self) -> None:
        """Scan from now on."""
        self.seen_devices = {}
        self._adapter = await _adapter(self._air)
        await self._adapter.start_scan(self._on_advertisement)

    async def stop(self) -> None:
        """End the scan; nothing happens when none runs."""
        adapter, self._adapter = self._adapter, None
        if adapter:
            await adapter.stop_scan(self._on_advertisement)

    def _on_advertisement(self, advertisement: Advertisement) -> None:
        address = advertisement.address.to_string(False)
        data = _advertised(advertisement)
        if not self.is_allowed_uuid(data.service_uuids):
            return
        device = self.create_or_update_device(address, address, data.local_name, None, data)
        self.call_detection_callbacks(device, data)


class AirClient(BaseBleakClient):
    """Client backend; `air` is an extra keyword of BleakClient, `mtu` what the client asks for (None: 23 stays)."""

    def __init__(
        self,
        address_or_ble_device: BLEDevice | str,
        *,
        disconnected_callback: Callable[[], None] | None,
        timeout: float,
        air: Medium,
        mtu: int | None = MTU,
        **_kwargs: Any,
    ) -> None:
        super().__init__(address_or_ble_device, disconnected_callback=disconnected_callback, timeout=timeout)
        self._name = address_or_ble_device.name if isinstance(address_or_ble_device, BLEDevice) else None
        self._air = air
        self._mtu = mtu
        self._connection: Connection | None = None
        self._subscribed: dict[int, Callable[[bytes], None]] = {}

    @property
    def name(self) -> str:
        """Advertised name, else the address as bleak writes it."""
        return self._name or self.address.replace(":", "-")

    @property
    def mtu_size(self) -> int:
        """Negotiated MTU."""
        if self._connection is None:
            raise BleakError("Not connected")
        return int(self._connection.att_mtu)

    @property
    def is_connected(self) -> bool:
        """Whether the link stands."""
        return self._connection is not None

    async def connect(self, pair: bool, **kwargs: Any) -> None:  # noqa: FBT001 - bleak's signature
        """Connect, pair when asked to, and discover the services."""
        if self._connection is not None:
            raise BleakError("Already connected")
        timeout_s = float(kwargs.get("timeout", self._timeout))
        adapter = await _adapter(self._air)
        try:
            connection = await adapter.connect(self.address.upper(), timeout_s)
        except TimeoutError as error:
            raise BleakDeviceNotFoundError(self.address, f"No device {self.address} was found") from error
        except core.BaseBumbleError as error:
            raise BleakError(f"Cannot connect to {self.address} ({error})") from error
        if not _stands(connection):
            raise BleakError("The link was lost while it was made")
        self._connection = connection
        connection.on(Connection.EVENT_DISCONNECTION, partial(self._on_disconnection, connection))
        try:
            async with self._answers():
                await whole(self._set_up(connection, pair=pair))
        except BaseException:
            with suppress(Exception):
                await self.disconnect()
            raise

    async def _set_up(self, connection: Connection, *, pair: bool) -> None:
        keys = connection.device.keystore
        if keys is not None and await keys.get(str(connection.peer_address)) is not None:
            await connection.encrypt()
        elif pair:
            await whole(connection.pair())
        connection.gatt_client = _GattClient(connection)
        peer = Peer(connection)
        if self._mtu is not None:
            await peer.request_mtu(self._mtu)
        services = await _discovered(peer, lambda: self.mtu_size - 3)
        if self._connection is None:
            raise BleakError("The link was lost while services were discovered")
        self.services = services

    async def disconnect(self) -> None:
        """End the link; nothing happens when there is none."""
        if self._connection is None:
            return
        if not _stands(self._connection):  # nobody would answer
            self._on_disconnection(self._connection, 0)
            return
        try:
            await self._connection.disconnect()
        except core.BaseBumbleError:
            pass  # the link was lost at the same moment
        except asyncio.CancelledError:
            if self.is_connected or _cancelled():
                raise

    async def pair(self, *_args: Any, **_kwargs: Any) -> None:
        """Pair and encrypt; the keys live as long as the adapter."""
        async with self._answers() as connection:
            if not connection.is_encrypted:
                await whole(connection.pair())

    async def unpair(self) -> None:
        """Forget the keys; the device keeps its own."""
        adapter = await _adapter(self._air)
        keys = adapter.device.keystore
        if keys is not None:
            with suppress(KeyError):
                await keys.delete(f"{self.address.upper()}")

    async def read_gatt_char(self, characteristic: BleakGATTCharacteristic, **_kwargs: Any) -> bytearray:
        """Value of a characteristic; nothing is cached."""
        async with self._answers():
            return bytearray(await whole(characteristic.obj.read_value()))

    async def read_gatt_descriptor(self, descriptor: BleakGATTDescriptor, **_kwargs: Any) -> bytearray:
        """Value of a descriptor; nothing is cached."""
        async with self._answers():
            return bytearray(await whole(descriptor.obj.read_value()))

    async def write_gatt_char(
        self,
        characteristic: BleakGATTCharacteristic,
        data: SizedBuffer,
        response: bool,  # noqa: FBT001 - bleak's signature
    ) -> None:
        """Write a characteristic, with or without response."""
        async with self._answers():
            await whole(characteristic.obj.write_value(bytes(data), with_response=response))

    async def write_gatt_descriptor(self, descriptor: BleakGATTDescriptor, data: SizedBuffer) -> None:
        """Write a descriptor."""
        async with self._answers():
            await whole(descriptor.obj.write_value(bytes(data), with_response=True))

    async def start_notify(
        self, characteristic: BleakGATTCharacteristic, callback: Callable[[bytearray], None], **_kwargs: Any
    ) -> None:
        """Notifications or indications to `callback`."""

        def on_value(value: bytes) -> None:
            callback(bytearray(value))

        async with self._answers():
            await whole(characteristic.obj.subscribe(on_value))
        self._subscribed[characteristic.handle] = on_value

    async def stop_notify(self, characteristic: BleakGATTCharacteristic) -> None:
        """No more notifications or indications."""
        on_value = self._subscribed.pop(characteristic.handle, None)
        async with self._answers():
            await whole(characteristic.obj.unsubscribe(on_value))

    def _on_disconnection(self, connection: Connection, _reason: int) -> None:
        if self._connection is not connection:
            return
        self._connection, self.services = None, None
        self._subscribed.clear()
        if self._disconnected_callback:
            self._disconnected_callback()

    @asynccontextmanager
    async def _answers(self) -> AsyncIterator[Connection]:
        """Bumble's errors as bleak's."""
        if self._connection is None:
            raise BleakError("Not connected")
        try:
            yield self._connection
        except ATT_Error as error:
            raise BleakGATTProtocolError(error.error_code) from error
        except (core.BaseBumbleError, TimeoutError) as error:
            raise BleakError(f"{error or type(error).__name__}") from error
        except asyncio.CancelledError:
            # Bumble cancels what waits for an answer when the link is lost; nobody cancelled this task.
            if self._connection is None and not _cancelled():
                raise BleakError("The link was lost") from None
            raise


class _GattClient(Client):
    """Bumble's GATT client, which would wait half a minute for the answer to a request on a link just lost."""

    def send_gatt_pdu(self, pdu: bytes) -> None:
        """Send, or raise when the link is gone."""
        if not _stands(self.connection):
            raise core.InvalidStateError("The link was lost")
        super().send_gatt_pdu(pdu)


def _stands(connection: Connection) -> bool:
    """Whether the link has not been lost."""
    return connection.handle in connection.device.connections


def _cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


async def _adapter(air: Medium) -> Adapter:
    try:
        return await air.adapter()
    except LinkError as error:
        raise BleakError(str(error)) from error


async def _discovered(peer: Peer, longest_write: Callable[[], int]) -> BleakGATTServiceCollection:
    found = BleakGATTServiceCollection()
    for service in await peer.discover_services():
        bleak_service = BleakGATTService(service, service.handle, _uuid_text(service.uuid))
        found.add_service(bleak_service)
        for characteristic in await service.discover_characteristics():
            bleak_characteristic = BleakGATTCharacteristic(
                characteristic,
                characteristic.handle,
                _uuid_text(characteristic.uuid),
                list(gatt_char_props_to_strs(int(characteristic.properties))),
                longest_write,
                bleak_service,
            )
            found.add_characteristic(bleak_characteristic)
            for descriptor in await characteristic.discover_descriptors():
                found.add_descriptor(
                    BleakGATTDescriptor(
                        descriptor, descriptor.handle, _uuid_text(descriptor.type), bleak_characteristic
                    )
                )
    return found


def _advertised(advertisement: Advertisement) -> AdvertisementData:
    fields = advertisement.data
    # Bumble's controller repeats the advertisement as a scan response, so every list comes twice.
    groups = [group for kind in _UUID_LISTS for group in fields.get_all(kind) if isinstance(group, list)]
    uuids = dict.fromkeys(_uuid_text(uuid) for group in groups for uuid in group)
    name = fields.get(_Type.COMPLETE_LOCAL_NAME) or fields.get(_Type.SHORTENED_LOCAL_NAME)
    return AdvertisementData(
        local_name=str(name) if name else None,
        manufacturer_data=dict(fields.get_all(_Type.MANUFACTURER_SPECIFIC_DATA)),
        service_data={},
        service_uuids=list(uuids),
        tx_power=None,
        rssi=advertisement.rssi,
        platform_data=(advertisement,),
    )


def _uuid_text(uuid: UUID) -> str:
    return normalize_uuid_str(uuid.to_hex_str("-"))
