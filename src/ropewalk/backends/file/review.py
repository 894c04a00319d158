"""A thorough look at what headers say: each is compared with the checksum in its last line."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Final

from ...domain.errors import Corrupt
from ...domain.query import Query
from ...domain.verified import Damage
from .disk import READ
from .format import is_as_written
from .layout import path_of

if TYPE_CHECKING:
    from ...domain.record import Key
    from .folder import Folder

_MOST: Final = 10_000
"""After so many damages nobody needs more of them to see how things are."""

_REASON: Final = (
    'its header is not what was written: restore the file from a backup, or take the line "check" '
    "out, if it was you who changed it"
)


def review(folder: Folder) -> list[Damage]:
    """Read every record, and return those whose header says what it was not written with.

    They can be read all the same. What cannot be read becomes known to the folder as damaged.
    """
    everything = Query(space=None, bodies=False, expired=True)
    found: list[Damage] = []
    for key in [record.key for record in folder.index.candidates(everything)]:
        if len(found) < _MOST:
            damage = _look(folder, key)
            found += [damage] if damage else []
    return found


def _look(folder: Folder, key: Key) -> Damage | None:
    header = folder.index.get(key)
    if header is None:
        return None
    with suppress(Corrupt):
        record = folder.record(header)
        # Somebody may have changed it since the folder was last read.
        header = folder.index.get(key) or header
        with folder.disk.file(path_of(key), READ) as file:
            data = file.read_at(0, header.offset)
        if not is_as_written(data, record):
            return Damage(key=key, reason=_REASON, thread_id=record.thread_id)
    return None
