"""A copy of the file as it is at one moment, checked before it has its name."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

from ...domain.errors import Corrupt, Invalid, Unavailable
from .connection import Connection
from .patience import Patience

_ONLY_OWNER = 0o600


def copy_aside(path: str, patience: Patience, *, target: str | None, number: int) -> str:
    """Copy the store at `path` and return where the copy lies; nothing is ever overwritten.

    Whoever calls keeps others from writing meanwhile. Without a `target` the copy lies beside
    the store, and its name tells `number`, the schema. Raises `Invalid` where the target is there
    already, `Corrupt` where the copy is not sound, errors of apsw where it cannot be made.
    """
    place = _reserve(path, target, number)
    part = f"{place}.part"
    try:
        _copy(path, part, patience)
        Path(part).replace(place)
        _sync(Path(place).parent)
    except BaseException as error:
        for leftover in (part, place):
            with suppress(OSError):
                Path(leftover).unlink()
        if isinstance(error, OSError):
            raise _unwritten(place, error) from error
        raise
    return place


def _copy(path: str, part: str, patience: Patience) -> None:
    with closing(Connection(path, patience)) as source:
        found = source.copy_to(part)
    if found != "ok":
        message = (
            f"the copy of {path} is damaged ({found}), and so is what it was copied from: "
            "restore the file from a backup"
        )
        raise Corrupt(message, code="damaged_file", path=path)


def _reserve(path: str, target: str | None, number: int) -> str:
    """Make an empty file under a name that nobody has, and return it."""
    names = _names(path, number) if target is None else iter([str(Path(target).absolute())])
    for name in names:
        try:
            os.close(os.open(name, os.O_CREAT | os.O_EXCL | os.O_WRONLY, _ONLY_OWNER))
        except FileExistsError:
            continue
        except OSError as error:
            raise _unwritten(name, error) from error
        return name
    message = f"{target} is there already, and a backup overwrites nothing: name another file"
    raise Invalid(message, code="backup_exists", field="backup", path=target)


def _unwritten(name: str, error: OSError) -> Unavailable:
    message = f"no backup can be written to {name} ({error.strerror}): name another place"
    return Unavailable(message, code="cannot_open", path=name)


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
