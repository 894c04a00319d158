"""Times keep their zones, whatever library they are of, or are refused."""

from __future__ import annotations

import io
import struct
from datetime import datetime, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo

import pytest

from ropewalk.codecs.allowlist import TypeRegistry
from ropewalk.codecs.serialize import MsgPack
from ropewalk.domain.errors import Invalid
from ropewalk.testing.values import same

PACK = MsgPack(TypeRegistry())


class Moving(tzinfo):
    """A zone of another library whose offset depends on the date."""

    def utcoffset(self, dt: datetime | None) -> timedelta | None:
        """Return an offset where there is a date."""
        return None if dt is None else timedelta(hours=1)

    def tzname(self, dt: datetime | None) -> str | None:  # noqa: ARG002
        """Return a name."""
        return "MOV"

    def dst(self, dt: datetime | None) -> timedelta | None:  # noqa: ARG002
        """Return nothing."""
        return None


class Fixed(Moving):
    """A zone of another library whose offset is fixed."""

    def utcoffset(self, dt: datetime | None) -> timedelta:  # noqa: ARG002
        """Return the one offset."""
        return timedelta(hours=2)


class Broken(Moving):
    """A zone that fails."""

    def utcoffset(self, dt: datetime | None) -> timedelta:
        """Fail without a date."""
        if dt is None:
            message = "no date"
            raise TypeError(message)
        return timedelta(hours=2)


def test_a_zone_without_a_key_is_refused() -> None:
    """A zone that was read from a file could not be found again."""
    counts = struct.pack(">6l", 1, 1, 0, 0, 1, 4)
    file = b"TZif" + bytes(16) + counts + struct.pack(">lBB", 0, 0, 0) + b"UTC\0\0\0"
    moment = datetime(2026, 1, 1, tzinfo=ZoneInfo.from_file(io.BytesIO(file)))
    with pytest.raises(Invalid, match=r"^at holds a time zone that was read from a file"):
        PACK.dumps({"at": moment})


def test_a_fixed_offset_of_another_library_keeps_its_instant() -> None:
    """Such a time comes back with `datetime.timezone`: the same wall clock, the same instant."""
    moment = PACK.loads(PACK.dumps(datetime(2026, 1, 1, 12, tzinfo=Fixed())))
    assert same(datetime(2026, 1, 1, 12, tzinfo=timezone(timedelta(hours=2))), moment)


@pytest.mark.parametrize("zone", [Moving(), Broken()], ids=["moving", "broken"])
def test_a_zone_that_cannot_be_kept_is_refused(zone: tzinfo) -> None:
    """A zone that is neither fixed nor named is refused with what to use instead."""
    with pytest.raises(Invalid, match=r"at holds a time zone of .*use zoneinfo\.ZoneInfo"):
        PACK.dumps({"at": datetime(2026, 1, 1, tzinfo=zone)})


class Interrupting(Moving):
    """A zone during which the user presses Ctrl-C."""

    def utcoffset(self, dt: datetime | None) -> timedelta:  # noqa: ARG002
        """Interrupt."""
        raise KeyboardInterrupt


def test_an_interrupt_is_not_taken_for_a_bad_value() -> None:
    """What is no error passes through the packer, which would swallow it."""
    with pytest.raises(KeyboardInterrupt):
        PACK.dumps([datetime(2026, 1, 1, tzinfo=Interrupting())])
