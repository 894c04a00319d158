"""What a legacy source needs: a folder that is there, and the zone of the machine it was on."""

from __future__ import annotations

import re
from datetime import timedelta, timezone, tzinfo
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from ...domain.errors import Invalid, NotFound

_OFFSET: Final = re.compile(r"(?P<sign>[+-])(?P<hours>\d{2}):?(?P<minutes>\d{2})")
_ARCHIVES: Final = (".tar", ".tar.gz", ".tgz", ".zip")


def zone(text: str) -> tzinfo:
    """Return the zone of `+08:00` or `Asia/Shanghai`; raise `Invalid` for anything else."""
    offset = _OFFSET.fullmatch(text)
    if offset is not None and int(offset["hours"]) < 24 and int(offset["minutes"]) < 60:  # noqa: PLR2004
        span = timedelta(hours=int(offset["hours"]), minutes=int(offset["minutes"]))
        return timezone(-span if offset["sign"] == "-" else span)
    try:
        return ZoneInfo(text)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        message = (
            f"{text!r} is no time zone: give the offset from UTC, such as +08:00, "
            "or a name such as Asia/Shanghai"
        )
        raise Invalid(message, code="bad_zone", field="tz") from error


def check_folder(folder: Path) -> None:
    """Raise `NotFound` where there is no folder, and `Invalid` for an archive of one."""
    if folder.name.lower().endswith(_ARCHIVES):
        message = f"{folder} is an archive: unpack it (tar xf, unzip) and name the folder"
        raise Invalid(message, code="archive", field="DIR")
    if not folder.is_dir():
        message = f"there is no folder {folder}: name the one that the legacy program worked in"
        raise NotFound(message, code="no_source", path=str(folder))
