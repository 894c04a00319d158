"""A copy of the file as it is at one moment, checked before it has its name."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from ...domain.errors import Corrupt, Invalid, Unavailable
from .connection import Connection
from .patience import Patience

_ONLY_OWNER = 0o600


def copy_aside(path: str, patience: Patience, *, target: str | None, number: int) -> str:
    """Copy the store at `path` and return where the copy lies; nothing is ever overwritten.

    Whoever calls keeps others from writing meanwhile. Without a `target` the copy lies beside
    the store, and its name tells `number`, the schema. Until it is whole its name ends in
    `.part`. Raises `Invalid` where the target is there already, `Corrupt` where the copy is not
    sound, errors of apsw where it cannot be made.
    """
    names = _names(path, number) if target is None else iter([str(Path(target).absolute())])
    for place in names:
        part = f"{place}.part"
        try:
            if not os.path.lexists(place) and _made(part):
                try:
                    _copy(path, part, patience)
                    if _named(part, place):
                        return place
                finally:
                    Path(part).unlink(missing_ok=True)
        except OSError as error:
            message = (
                f"no backup can be written to {place} ({error.strerror}): "
                "make room there, or name another place"
            )
            raise Unavailable(message, code="cannot_open", path=place) from error
    message = f"{target} or {target}.part is there already, and no backup overwrites: name another"
    raise Invalid(message, code="backup_exists", field="backup", path=target)


def _made(part: str) -> bool:
    """Make an empty file, and say whether nobody had done so."""
    try:
        os.close(os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, _ONLY_OWNER))
    except FileExistsError:
        return False
    return True


def _named(part: str, place: str) -> bool:
    """Give a file its name, for good, and say whether nobody else had it."""
    try:
        os.link(part, place)
    except FileExistsError:
        return False
    except OSError:
        # There are no links on this file system: the name is taken first.
        if not _made(place):
            return False
        Path(part).replace(place)
    _sync(Path(place).parent)
    return True


def _copy(path: str, part: str, patience: Patience) -> None:
    with closing(Connection(path, patience)) as source:
        found = source.copy_to(part)
    if found != "ok":
        message = (
            f"the copy of {path} is damaged ({found}), and so is what it was copied from: "
            "restore the file from a backup"
        )
        raise Corrupt(message, code="damaged_file", path=path)


def _names(path: str, number: int) -> Iterator[str]:
    yield f"{path}.schema-{number}.bak"
    copies = 1
    while True:
        copies += 1
        yield f"{path}.schema-{number}.{copies}.bak"


def _sync(folder: Path) -> None:
    """Let the name of a new file outlive the power."""
    opened = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
