"""Values of the standard library that hold no others: their stored form, there and back."""

from __future__ import annotations

import os
import struct
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo
from decimal import Decimal
from fractions import Fraction
from pathlib import PosixPath, PurePath, PurePosixPath, PureWindowsPath, WindowsPath
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from ormsgpack import Ext, packb, unpackb

from ..domain.errors import Invalid
from . import format as code
from .format import Value
from .refusal import Refused

_EPOCH: Final = datetime(1970, 1, 1)  # noqa: DTZ001 (the zone is kept beside the wall clock)
_MICROSECOND: Final = timedelta(microseconds=1)
_COMPLEX: Final = struct.Struct(">dd")

_PATHS: Final[Mapping[type[PurePath], bytes]] = {
    PurePosixPath: b"p",
    PureWindowsPath: b"w",
    PosixPath: b"P",
    WindowsPath: b"W",
}
_PATH_TYPES: Final[Mapping[bytes, type[PurePath]]] = {
    b"p": PurePosixPath,
    b"w": PureWindowsPath,
    # A path of the other system cannot be opened here: it comes back as its pure form.
    b"P": PosixPath if os.name == "posix" else PurePosixPath,
    b"W": WindowsPath if os.name == "nt" else PureWindowsPath,
}


def integer_bytes(value: int) -> bytes:
    """Return an integer of any size in two's complement, big-endian."""
    return value.to_bytes(value.bit_length() // 8 + 1, signed=True)


def _read_integer(data: bytes) -> int:
    return int.from_bytes(data, signed=True)


def _integer(value: int) -> Ext:
    return Ext(code.INTEGER, integer_bytes(value))


def text(value: str) -> Ext:
    """Return the form of a text with lone surrogates, which MessagePack cannot hold."""
    return Ext(code.TEXT, value.encode("utf-8", "surrogatepass"))


def _read_text(data: bytes) -> str:
    return data.decode("utf-8", "surrogatepass")


def _bytearray(value: bytearray) -> Ext:
    return Ext(code.BYTEARRAY, bytes(value))


def _offset(zone: tzinfo, offset: timedelta) -> int | list[object]:
    """Return microseconds east of UTC, with the name where somebody gave one."""
    micros = offset // _MICROSECOND
    name = zone.tzname(None) if type(zone) is timezone else None
    if name is None or name == timezone(offset).tzname(None):
        return micros
    return [micros, name.encode("utf-8", "surrogatepass")]


def _zone(zone: tzinfo) -> str | int | list[object]:
    """Return the key of a zone or the offset of a fixed one, of whatever library it is."""
    if zone is UTC:
        return 0
    if type(zone) is ZoneInfo:
        if zone.key:
            return zone.key
        reason = "holds a time zone that was read from a file and has no key"
        raise Refused(reason, code="unknown_zone")
    try:
        offset = zone.utcoffset(None)
    except Exception as error:
        raise _strange(zone) from error
    if offset is None:
        raise _strange(zone)
    return _offset(zone, offset)


def _strange(zone: tzinfo) -> Refused:
    kind = type(zone)
    return Refused(
        f"holds a time zone of {kind.__module__}.{kind.__qualname__}, which has no fixed offset; "
        "use zoneinfo.ZoneInfo",
        code="unknown_zone",
        kind=kind,
    )


def _read_zone(stored: Value) -> tzinfo:
    if isinstance(stored, int):
        return timezone(timedelta(microseconds=stored))
    if isinstance(stored, str):
        return _named_zone(stored)
    micros, name = stored
    return timezone(timedelta(microseconds=micros), _read_text(name))


def _named_zone(key: str) -> ZoneInfo:
    try:
        return ZoneInfo(key)
    except (ZoneInfoNotFoundError, OSError) as error:
        message = f"this machine does not know the time zone {key!r}; install tzdata"
        raise Invalid(message, code="unknown_zone", zone=key) from error


def _timezone(value: timezone) -> Ext:
    return Ext(code.OFFSET, packb(_zone(value)))


def _zoneinfo(value: ZoneInfo) -> Ext:
    return Ext(code.ZONE, packb(_zone(value)))


def _datetime(value: datetime) -> Ext:
    zone = value.tzinfo
    if zone is None or value.utcoffset() is None:
        reason = (
            f"is {value.isoformat()} without a time zone; say which instant is meant, "
            "for example datetime.now(UTC)"
        )
        raise Refused(reason, code="naive_time", kind=datetime)
    wall = (value.replace(tzinfo=None) - _EPOCH) // _MICROSECOND
    return Ext(code.DATETIME, packb([wall, _zone(zone), *([1] if value.fold else [])]))


def _read_datetime(data: bytes) -> datetime:
    wall, zone, *fold = _read(data)
    moment = _EPOCH + timedelta(microseconds=wall)
    return moment.replace(tzinfo=_read_zone(zone), fold=_read_fold(fold))


def _read_fold(stored: list[int]) -> int:
    if stored in ([], [1]):
        return len(stored)
    raise ValueError(stored)


def _date(value: date) -> Ext:
    return Ext(code.DATE, packb(value.toordinal()))


def _read_date(data: bytes) -> date:
    return date.fromordinal(_read(data))


def _time(value: time) -> Ext:
    wall = ((value.hour * 60 + value.minute) * 60 + value.second) * 1_000_000 + value.microsecond
    zone = None if value.tzinfo is None else _zone(value.tzinfo)
    return Ext(code.TIME, packb([wall, zone, *([1] if value.fold else [])]))


def _read_time(data: bytes) -> time:
    wall, zone, *fold = _read(data)
    # A day that was damaged into another one must not be read as a time of the first.
    if not 0 <= wall < 86_400_000_000:  # noqa: PLR2004 (microseconds of a day)
        raise ValueError(wall)
    moment = (_EPOCH + timedelta(microseconds=wall)).time()
    tz = None if zone is None else _read_zone(zone)
    return moment.replace(tzinfo=tz, fold=_read_fold(fold))


def _duration(value: timedelta) -> Ext:
    return Ext(code.DURATION, packb([value.days, value.seconds, value.microseconds]))


def _read_duration(data: bytes) -> timedelta:
    days, seconds, micros = _read(data)
    return timedelta(days, seconds, micros)


def _decimal(value: Decimal) -> Ext:
    return Ext(code.DECIMAL, str(value).encode("ascii"))


def _read_decimal(data: bytes) -> Decimal:
    return Decimal(data.decode("ascii"))


def _fraction(value: Fraction) -> Ext:
    # As bytes: Python limits how long a number it writes and reads as digits.
    parts = [integer_bytes(value.numerator), integer_bytes(value.denominator)]
    return Ext(code.FRACTION, packb(parts))


def _read_fraction(data: bytes) -> Fraction:
    numerator, denominator = map(_read_integer, _read(data))
    return Fraction(numerator, denominator)


def _complex(value: complex) -> Ext:
    return Ext(code.COMPLEX, _COMPLEX.pack(value.real, value.imag))


def _read_complex(data: bytes) -> complex:
    return complex(*_COMPLEX.unpack(data))


def _uuid(value: UUID) -> Ext:
    return Ext(code.UUID, value.bytes)


def _read_uuid(data: bytes) -> UUID:
    return UUID(bytes=data)


def _path(value: PurePath) -> Ext:
    return Ext(code.PATH, _PATHS[type(value)] + str(value).encode("utf-8", "surrogatepass"))


def _read_path(data: bytes) -> PurePath:
    return _PATH_TYPES[data[:1]](_read_text(data[1:]))


def _read(data: bytes) -> Value:
    return unpackb(data)


WRITERS: Final[Mapping[type, Callable[[Value], Ext]]] = {
    int: _integer,
    bytearray: _bytearray,
    datetime: _datetime,
    date: _date,
    time: _time,
    timedelta: _duration,
    timezone: _timezone,
    ZoneInfo: _zoneinfo,
    Decimal: _decimal,
    Fraction: _fraction,
    complex: _complex,
    UUID: _uuid,
    **dict.fromkeys(_PATHS, _path),
}
"""Exact types and how each is written; raises `Refused` for what cannot be kept."""

READERS: Final[Mapping[int, Callable[[bytes], object]]] = {
    code.INTEGER: _read_integer,
    code.TEXT: _read_text,
    code.BYTEARRAY: bytearray,
    code.DATETIME: _read_datetime,
    code.DATE: _read_date,
    code.TIME: _read_time,
    code.DURATION: _read_duration,
    code.OFFSET: lambda data: _read_zone(_read(data)),
    code.ZONE: lambda data: _read_zone(_read(data)),
    code.DECIMAL: _read_decimal,
    code.FRACTION: _read_fraction,
    code.COMPLEX: _read_complex,
    code.UUID: _read_uuid,
    code.PATH: _read_path,
}
"""Extension codes and how each is read; any `ValueError`, `TypeError` and so on means damage."""
