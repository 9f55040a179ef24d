"""The GATT client that protocols use, over bleak: characteristics by service and UUID, errors in our own tree."""

import asyncio
from collections.abc import Callable

from bleak import BleakClient
from bleak.backends.characteristic import BleakGATTCharacteristic
from bleak.exc import BleakError, BleakGATTProtocolError

from edge.acquire.driver import MAX_VALUE_BYTES, NeedsPairing
from edge.acquire.packets import Item, Rejected
from edge.errors import LinkError

AUTHENTICATION_ERRORS = {0x05, 0x08, 0x0F}  # ATT: insufficient authentication, authorisation, encryption
ANSWER_S = 30.0  # ATT's own transaction timeout


class BleakGatt:
    """One connection. Values longer than ATT allows are rejected unread."""

    def __init__(self, client: BleakClient, deliver: Callable[[Item], None]) -> None:
        """Over a connected client; damage is told to `deliver`."""
        self._client, self._deliver = client, deliver
        self._writes: set[asyncio.Task[None]] = set()
        self._receivers: dict[int, Callable[[bytes], None]] = {}

    @property
    def mtu(self) -> int:
        """Negotiated ATT MTU, as far as the system tells."""
        try:
            return self._client.mtu_size
        except BleakError:
            return 23

    def has(self, service: str, characteristic: str | None = None) -> bool:
        """Whether the device has it."""
        try:
            found = self._client.services.get_service(service)
        except BleakError:
            return False
        return found is not None and (characteristic is None or found.get_characteristic(characteristic) is not None)

    async def read(self, service: str, characteristic: str) -> bytes:
        """Value of a characteristic, at most MAX_VALUE_BYTES of it."""
        at = self._find(service, characteristic)
        async with _Errors():
            return bytes(await self._client.read_gatt_char(at))[:MAX_VALUE_BYTES]

    async def write(self, service: str, characteristic: str, value: bytes) -> None:
        """Write with response."""
        at = self._find(service, characteristic)
        async with _Errors():
            await self._client.write_gatt_char(at, value, response=True)

    def write_soon(self, service: str, characteristic: str, value: bytes) -> None:
        """Write from a callback; a failure is counted and changes nothing."""
        task = asyncio.create_task(self._write_quietly(service, characteristic, value), name="acquire.write")
        self._writes.add(task)
        task.add_done_callback(self._writes.discard)

    async def subscribe(self, service: str, characteristic: str, on_value: Callable[[bytes], None]) -> None:
        """Notifications or indications; what a callback raises is a mistake of ours and is counted, too."""
        at = self._find(service, characteristic)
        known = at.handle in self._receivers
        self._receivers[at.handle] = on_value  # a stream that is started again goes to its new receiver, once
        if known:
            return

        def receive(_: BleakGATTCharacteristic, value: bytearray) -> None:
            if len(value) > MAX_VALUE_BYTES:
                self._deliver(Rejected("longer than ATT allows"))
                return
            try:
                self._receivers[at.handle](bytes(value))
            except Exception as error:
                self._deliver(Rejected(f"decoder failed: {type(error).__name__}"))

        try:
            async with _Errors():
                await self._client.start_notify(at, receive)
        except LinkError:
            self._receivers.pop(at.handle, None)
            raise

    async def _write_quietly(self, service: str, characteristic: str, value: bytes) -> None:
        try:
            await self.write(service, characteristic, value)
        except LinkError:
            self._deliver(Rejected("write failed"))

    def _find(self, service: str, characteristic: str) -> BleakGATTCharacteristic:
        try:
            found = self._client.services.get_service(service)
        except BleakError as error:  # bleak says so once the link is lost
            raise LinkError(f"The link is lost: {error}") from error
        at = found.get_characteristic(characteristic) if found is not None else None
        if at is None:
            raise LinkError(f"The device has no characteristic {characteristic}", "Its firmware may be too old")
        return at


class _Errors:
    """Turns bleak's errors into ours; waits no longer than ATT itself."""

    async def __aenter__(self) -> None:
        self._timeout = asyncio.timeout(ANSWER_S)
        await self._timeout.__aenter__()

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        try:
            await self._timeout.__aexit__(kind, error, None)
        except TimeoutError as late:
            raise LinkError("The device does not answer") from late
        if isinstance(error, BleakGATTProtocolError) and error.code in AUTHENTICATION_ERRORS:
            raise NeedsPairing(f"The device wants to be paired: {error}", "Pair it once") from error
        if isinstance(error, (BleakError, OSError, EOFError)):
            if "NotPermitted" in str(error) or "Authentication" in str(error):  # BlueZ names it so
                raise NeedsPairing(f"The device wants to be paired: {error}", "Pair it once") from error
            raise LinkError(f"The link failed: {error}") from error
