"""Building blocks of a virtual wearable's GATT table and advertisement.

Bumble enforces permissions and not properties, and a plain value could be overwritten by anyone: what a real device
refuses is refused here.
"""

from collections.abc import Callable
from typing import NoReturn

from bumble import att
from bumble.core import UUID, AdvertisingData
from bumble.device import Connection
from bumble.gatt import Characteristic, CharacteristicValue, Service

READ, WRITE = Characteristic.Properties.READ, Characteristic.Properties.WRITE
NOTIFY, INDICATE = Characteristic.Properties.NOTIFY, Characteristic.Properties.INDICATE
DEVICE_INFORMATION, BATTERY, BATTERY_LEVEL = 0x180A, 0x180F, 0x2A19
MANUFACTURER, MODEL, SERIAL, FIRMWARE, SOFTWARE = 0x2A29, 0x2A24, 0x2A25, 0x2A26, 0x2A28
DISCOVERABLE = b"\x06"  # generally discoverable, no classic Bluetooth

Read = Callable[[Connection], bytes]
Write = Callable[[Connection, bytes], None]


def uuid_of(uuid: int | str) -> UUID:
    """A 16-bit number or a 128-bit text as bumble's UUID."""
    return UUID.from_16_bits(uuid) if isinstance(uuid, int) else UUID(uuid)


def no_reading(_connection: Connection) -> NoReturn:
    """ATT 0x02."""
    raise att.ATT_Error(att.ATT_READ_NOT_PERMITTED_ERROR)


def no_writing(_connection: Connection, _value: bytes) -> NoReturn:
    """ATT 0x03."""
    raise att.ATT_Error(att.ATT_WRITE_NOT_PERMITTED_ERROR)


def characteristic(
    uuid: int | str, properties: Characteristic.Properties, read: Read = no_reading, write: Write = no_writing
) -> Characteristic[bytes]:
    """A characteristic whose reads and writes are answered by functions, which may raise ATT_Error."""
    permissions = att.Attribute.Permissions.READABLE | att.Attribute.Permissions.WRITEABLE
    return Characteristic(uuid_of(uuid), properties, permissions, CharacteristicValue(read=read, write=write))


def readable(uuid: int | str, value: bytes) -> Characteristic[bytes]:
    """A characteristic that can be read and nothing else."""
    return characteristic(uuid, READ, lambda _connection: value)


def notifying(uuid: int | str) -> Characteristic[bytes]:
    """A characteristic that notifies and nothing else."""
    return characteristic(uuid, NOTIFY)


def service(uuid: int | str, *characteristics: Characteristic[bytes]) -> Service:
    """A service of these characteristics."""
    return Service(uuid_of(uuid), list(characteristics))


def battery_service(percent: int = 88) -> Service:
    """The Battery Service with a level that does not change."""
    return service(BATTERY, characteristic(BATTERY_LEVEL, READ | NOTIFY, lambda _connection: bytes([percent])))


def information_service(values: dict[int, str]) -> Service:
    """The Device Information Service."""
    return service(DEVICE_INFORMATION, *(readable(uuid, text.encode()) for uuid, text in values.items()))


def advertisement(name: str, uuids: tuple[int | str, ...], manufacturer_data: tuple[int, bytes] | None) -> bytes:
    """Advertising data; everything is in it, because a virtual controller delivers no scan response."""
    types = AdvertisingData.Type
    short = b"".join(bytes(uuid_of(uuid)) for uuid in uuids if isinstance(uuid, int))
    long = b"".join(bytes(uuid_of(uuid)) for uuid in uuids if isinstance(uuid, str))
    data: list[tuple[int, bytes]] = [(types.FLAGS, DISCOVERABLE)]
    if short:
        data.append((types.COMPLETE_LIST_OF_16_BIT_SERVICE_CLASS_UUIDS, short))
    if long:
        data.append((types.COMPLETE_LIST_OF_128_BIT_SERVICE_CLASS_UUIDS, long))
    if manufacturer_data:
        company, content = manufacturer_data
        data.append((types.MANUFACTURER_SPECIFIC_DATA, company.to_bytes(2, "little") + content))
    return bytes(AdvertisingData([*data, (types.COMPLETE_LOCAL_NAME, name.encode())]))
