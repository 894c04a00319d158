"""Reading record files: headers without their bodies, bodies with them, and the whole tree."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final
from zlib import crc32

from .disk import READ, Disk, File, What
from .format import LONGEST_HEADER, SEPARATOR, Header, load_header
from .layout import SPACES, SUFFIX, path_of
from .refusal import is_damage, is_strange
from .text import Damage

_FIRST_LOOK: Final = 4_096
"""Bytes read at first: most headers are shorter, and bodies are not to be read."""


def read_header(disk: Disk, path: str) -> Header:
    """Return the header in a file; raise `Damage` where it is not as it should be.

    A file that is not there is a `FileNotFoundError`.
    """
    try:
        with disk.file(path, READ) as file:
            return _header(file, path)
    except OSError as error:
        raise _damage(error) from error


def read_record(disk: Disk, path: str, known: Header) -> tuple[Header, bytes]:
    """Return header and body of a file; `known` saves reading a header that has not changed.

    Raises as `read_header` does.
    """
    try:
        with disk.file(path, READ) as file:
            # One byte more than there should be shows whether there is more.
            data = file.read_at(0, known.offset + known.size + 1)
            same = len(data) == known.offset + known.size
            if same and crc32(memoryview(data)[: known.offset]) == known.check:
                return known, data[known.offset :]
            header = _header(file, path)
            return header, file.read_at(header.offset, header.size)
    except OSError as error:
        raise _damage(error) from error


def walk(disk: Disk) -> Iterator[tuple[str, Header | Damage]]:
    """Go through every record file: its path, and its header or what is wrong with it.

    Names that begin with a dot, and files that end otherwise, are not ours and are passed over.
    """
    for path in _folders(disk, SPACES):
        if isinstance(path, tuple):
            yield path
            continue
        for folder in _folders(disk, path):
            if isinstance(folder, tuple):
                yield folder
                continue
            for name, what in disk.names(folder):
                if name.endswith(SUFFIX) and not name.startswith("."):
                    yield f"{folder}/{name}", _look(disk, f"{folder}/{name}", what)


def _folders(disk: Disk, path: str) -> Iterator[str | tuple[str, Damage]]:
    for name, what in disk.names(path):
        if name.startswith("."):
            continue
        below = f"{path}/{name}"
        if what is What.FOLDER:
            yield below
        elif what is What.STRANGE:
            yield below, Damage("it is a link or another thing that this store does not follow")


def _look(disk: Disk, path: str, what: What) -> Header | Damage:
    if what is not What.FILE:
        return Damage("it is no plain file")
    try:
        return read_header(disk, path)
    except Damage as damage:
        return damage
    except OSError as error:
        if is_damage(error):
            return Damage(f"it cannot be read: {error.strerror}")
        raise


def _damage(error: OSError) -> OSError | Damage:
    """Return what is wrong with the one file, or the error itself where it may pass."""
    if is_strange(error):
        return Damage("it is a link or another thing that this store does not follow")
    return error


def _header(file: File, path: str) -> Header:
    data = file.read_at(0, _FIRST_LOOK)
    end = data.find(SEPARATOR)
    while end < 0:
        if len(data) > LONGEST_HEADER:
            raise Damage("its header has no end")
        more = file.read_at(len(data), max(len(data), _FIRST_LOOK))
        if not more:
            raise Damage("its header has no end")
        data += more
        end = data.find(SEPARATOR)
    header = load_header(data[: end + len(SEPARATOR)])
    there = file.size() - header.offset
    if there != header.size:
        raise Damage(f"its body has {there} bytes and not {header.size}")
    home = path_of(header.record.key)
    if home != path:
        raise Damage(f"the record in it belongs at {home}")
    return header
