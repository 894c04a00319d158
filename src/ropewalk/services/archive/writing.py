"""`ArchiveWriter`: lines into a file, compressed where its name says so, with sums over them."""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final, cast

from zstandard import ZstdCompressor

from ...domain.archive import FORMAT, Manifest, Peeler
from ...domain.errors import Corrupt, Invalid, Unavailable
from ...domain.ports import Dictionary
from ...stores.trees import DICTIONARY
from .lines import encoded, opened_line, sealed_line

if TYPE_CHECKING:
    from types import TracebackType
    from typing import IO, Self

    from ...domain.record import Record

COMPRESSED: Final = ".zst"
"""How the names of compressed archives end (RFC 8878)."""

_LEVEL: Final = 6


class ArchiveWriter:
    """Writes an archive beside its place, and moves it there when it is whole.

    Blocks, and may be used from one thread after the other. As a context manager: left by an
    exception, nothing is at its place that was not there before.
    """

    def __init__(self, path: Path, peeler: Peeler | None) -> None:
        """Write to `path`; without a `peeler`, bodies stay as they are stored."""
        self._path = path
        self._beside = path.with_name(f"{path.name}.part-{os.getpid()}")
        self._peeler = peeler
        self._dictionaries: dict[str, Dictionary] = {}
        self._whole = hashlib.sha256()
        self._content = hashlib.sha256()
        self.counts: Counter[str] = Counter()
        self._named = False
        self.unopened = 0
        try:
            self._file: IO[bytes] = self._beside.open("wb")
        except OSError as error:
            raise _unwritable(path, error) from error
        compressor = ZstdCompressor(level=_LEVEL, write_checksum=True)
        is_small = path.name.endswith(COMPRESSED)
        out = compressor.stream_writer(self._file, closefd=False) if is_small else None
        self._out = cast("IO[bytes] | None", out)

    def __enter__(self) -> Self:
        """Begin to write."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Take away what was not finished."""
        self._file.close()
        self._beside.unlink(missing_ok=True)

    @property
    def content(self) -> str:
        """The SHA-256 of the lines of all records so far, in hexadecimal."""
        return self._content.hexdigest()

    def begin(self, manifest: Manifest) -> None:
        """Write the first line."""
        self._named = len(manifest.spaces) > 1
        self._write(
            encoded(
                {
                    "format": FORMAT,
                    "version": manifest.version,
                    "created_at": manifest.created_at,
                    "spaces": list(manifest.spaces),
                    "what": dict(manifest.what),
                    "sealed": manifest.sealed,
                    "counts": dict(manifest.counts),
                }
            )
        )

    def know(self, dictionary: Record) -> None:
        """Take in a dictionary for bodies to come, and write nothing of it.

        One that is damaged is told by the bodies that need it: they are written as they are stored.
        """
        if self._peeler is None:
            return
        key = dictionary.key
        with suppress(Corrupt, Invalid):
            self._dictionaries[key.id] = Dictionary(key.id, self._peeler.peel(dictionary).data)

    def add(self, records: Sequence[Record]) -> None:
        """Write some records."""
        for record in records:
            line = self._line(record)
            self.counts[record.key.kind] += 1
            self._content.update(line)
            self._write(line)

    def end(self, facts: Mapping[str, int]) -> None:
        """Write the last line, and put the archive at its place."""
        last = {
            "end": FORMAT,
            "records": self.counts.total(),
            "counts": dict(self.counts),
            **facts,
            "content": self.content,
            "sha256": self._whole.hexdigest(),
        }
        self._write(encoded(last))
        try:
            if self._out is not None:
                self._out.close()
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()
            self._beside.replace(self._path)
        except OSError as error:
            raise _unwritable(self._path, error) from error

    def _line(self, record: Record) -> bytes:
        if self._peeler is None:
            return sealed_line(record, named=self._named)
        line, peeled = opened_line(record, self._peeler, self._dictionaries, named=self._named)
        if peeled is None:
            self.unopened += 1
        elif record.key.kind == DICTIONARY:
            self._dictionaries[record.key.id] = Dictionary(record.key.id, peeled.data)
        return line

    def _write(self, line: bytes) -> None:
        self._whole.update(line)
        try:
            (self._out or self._file).write(line)
        except OSError as error:
            raise _unwritable(self._path, error) from error


def _unwritable(path: Path, error: OSError) -> Unavailable:
    message = f"{path} cannot be written: {error.strerror or error}; choose another place"
    return Unavailable(message, code="unwritable", path=str(path))
