"""`ArchiveSource`: an archive as a source: what it says of itself is checked line by line."""

from __future__ import annotations

import asyncio
import hashlib
import io
import json
from collections import Counter
from collections.abc import AsyncGenerator, Generator, Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

from zstandard import ZstdDecompressor, ZstdError

from ...domain.archive import FORMAT, FORMAT_VERSION, Manifest, Peeler
from ...domain.errors import Corrupt, Invalid, NotFound
from ...domain.migration import JOURNAL, content_digest
from ...domain.ports import Dictionary
from ...domain.source import (
    MAX_EXCERPT,
    MAX_PROBLEMS,
    FormatCount,
    Inventory,
    Problem,
    SourceRecord,
)
from .lines import record_of

if TYPE_CHECKING:
    from typing import IO

    from ...domain.source import Finding
    from .wire import Json

ZSTD: Final = b"\x28\xb5\x2f\xfd"
"""What a frame of Zstandard begins with (RFC 8878)."""

MAX_LINE_BYTES: Final = 512 * 1024 * 1024
"""Longest line that is read."""

_MOST_WINDOW: Final = 128 * 1024 * 1024
_AT_ONCE: Final = 64


@dataclass(slots=True)
class Archive:
    """One passage through an archive: its first line, then its records, then its last line."""

    path: Path
    manifest: Manifest = field(default_factory=lambda: Manifest(**_NOTHING))
    content: str = ""
    place: str = ""

    def lines(self) -> Generator[dict[str, Json] | Problem, None, None]:
        """Go through the lines of records; what is wrong with the file is told where it shows.

        Raises `NotFound` where there is no file, and `Invalid` where it is no archive, or one of
        a later version.
        """
        whole = hashlib.sha256()
        count = 0
        number = 0
        last: dict[str, Json] | None = None
        try:
            for data in _raw(self.path):
                number += 1
                self.place = f"{self.path.name}:{number}"
                if number == 1:
                    self.manifest = _manifest(self.path, data)
                    whole.update(data)
                    continue
                line = _parsed(data, self.place)
                if isinstance(line, dict) and line.get("end") == FORMAT:
                    last = line
                    break
                whole.update(data)
                count += 1
                yield line
        except (OSError, ZstdError) as error:
            yield _torn(f"{self.path.name}:{number + 1}", f"it cannot be read on: {error}")
            return
        if number == 0:
            raise _no_archive(self.path, "it is empty")
        if last is None:
            yield _torn(f"{self.path.name}:{number + 1}", "it ends before its last line")
        elif last.get("sha256") != whole.hexdigest() or last.get("records") != count:
            reason = "its lines are not those that were written: their sum or their number differs"
            yield Problem(code="bad_sum", place=self.place, reason=reason)
        else:
            self.content = str(last.get("content", ""))


class ArchiveSource:
    """Reads an archive for one space; bodies are sealed as the store does that they go into.

    `origin` is the space of the records that are meant, where the archive has several.
    """

    def __init__(
        self, path: Path, peeler: Peeler, *, space: str, origin: str | None = None
    ) -> None:
        """Read `path` for `space`; nothing is read yet."""
        self._path = path
        self._peeler = peeler
        self._space = space
        self._origin = origin

    async def manifest(self) -> Manifest:
        """Return what the first line says; raise `Invalid` where this is no archive."""
        archive = Archive(self._path)
        await asyncio.to_thread(lambda: next(archive.lines(), None))
        return archive.manifest

    async def scan(self) -> Inventory:
        """Read all of it once: its sums, every line, and every record as it is to be written."""
        counts = Counter[str]()
        problems: list[Problem] = []
        wrong = 0
        async for finding in self.read():
            if isinstance(finding, SourceRecord):
                counts[finding.kind] += 1
            elif isinstance(finding, Problem):
                wrong += 1
                problems += [finding] if len(problems) < MAX_PROBLEMS else []
        found = FormatCount(
            format=FORMAT,
            files=1,
            items=counts.total(),
            size=self._path.stat().st_size,
            read=True,
        )
        return Inventory(
            place=str(self._path),
            kinds=counts,
            formats=(found,),
            problems=tuple(problems),
            problem_count=wrong,
        )

    async def read(self) -> AsyncGenerator[Finding, None]:
        """Go through the records in the order of the archive, in bounded memory."""
        findings = self._findings()
        try:
            while portion := await asyncio.to_thread(lambda: list(islice(findings, _AT_ONCE))):
                for finding in portion:
                    yield finding
        finally:
            await asyncio.shield(asyncio.to_thread(findings.close))

    def _findings(self) -> Generator[Finding, None, None]:
        archive = Archive(self._path)
        dictionaries: dict[str, Dictionary] = {}
        origin = self._origin
        for line in archive.lines():
            if isinstance(line, Problem):
                yield line
                continue
            first = next(iter(archive.manifest.spaces), self._space)
            if origin is not None and line.get("space", first) != origin:
                continue
            try:
                record = record_of(
                    line, self._peeler, dictionaries, space=self._space, origin=first
                )
            except Corrupt as error:
                yield Problem(code=error.code, place=archive.place, reason=error.message)
                continue
            if record.key.kind in JOURNAL:
                reason = f"records of kind {record.key.kind!r} stay with the store they are about"
                yield Problem(code="journal", place=archive.place, reason=reason)
                continue
            yield SourceRecord(
                kind=record.key.kind,
                source_id=record.key.id,
                place=archive.place,
                digest=content_digest(record, version=True, dated=True),
                record=record,
            )


def is_archive(path: Path) -> bool:
    """Tell whether a file begins as archives do; raise `NotFound` where there is none."""
    try:
        next(Archive(path).lines(), None)
    except Invalid as error:
        return error.code == "newer_version"
    return True


def _raw(path: Path) -> Iterator[bytes]:
    try:
        file = path.open("rb")
    except (FileNotFoundError, IsADirectoryError) as error:
        message = f"there is no file {path}: name the archive"
        raise NotFound(message, code="no_source", path=str(path)) from error
    with file:
        stream: IO[bytes] = file
        if file.read(len(ZSTD)) == ZSTD:
            file.seek(0)
            inner = ZstdDecompressor(max_window_size=_MOST_WINDOW)
            reader = inner.stream_reader(file, read_across_frames=True, closefd=False)
            stream = io.BufferedReader(cast("io.RawIOBase", reader))
        else:
            file.seek(0)
        while line := stream.readline(MAX_LINE_BYTES):
            yield line


def _parsed(data: bytes, place: str) -> dict[str, Any] | Problem:
    try:
        line: object = json.loads(data)
    except (ValueError, RecursionError) as error:
        text = data[:MAX_EXCERPT].decode("utf-8", "backslashreplace")
        excerpt = "".join(c if c.isprintable() else " " for c in text)[:MAX_EXCERPT]
        reason = f"no line of an archive: {error}"
        return Problem(code="bad_line", place=place, reason=reason, excerpt=excerpt, raw=data)
    if isinstance(line, dict):
        return cast("dict[str, Any]", line)
    return Problem(code="bad_line", place=place, reason="no JSON object", raw=data)


def _manifest(path: Path, data: bytes) -> Manifest:
    line = _parsed(data, path.name)
    if isinstance(line, Problem) or line.get("format") != FORMAT:
        raise _no_archive(path, "its first line does not say so")
    version = line.get("version")
    if not isinstance(version, int) or version < 1:
        raise _no_archive(path, "its first line has no version")
    if version > FORMAT_VERSION:
        message = (
            f"{path} is an archive of version {version}, and this program reads up to "
            f"{FORMAT_VERSION}: read it with the version that wrote it, or a later one"
        )
        raise Invalid(message, code="newer_version", version=version)
    try:
        return Manifest(
            version=version,
            spaces=tuple(str(name) for name in line["spaces"]),
            created_at=str(line["created_at"]),
            sealed=line["sealed"] is True,
            what={str(k): str(v) for k, v in line["what"].items()},
            counts={str(k): int(v) for k, v in line["counts"].items()},
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise _no_archive(path, f"its first line lacks {error}") from error


def _no_archive(path: Path, reason: str) -> Invalid:
    message = f"{path} is no archive of Ropewalk: {reason}"
    return Invalid(message, code="not_an_archive", path=str(path))


def _torn(place: str, reason: str) -> Problem:
    return Problem(code="torn", place=place, reason=reason)


_NOTHING: Final[dict[str, Any]] = {
    "version": FORMAT_VERSION,
    "spaces": (),
    "created_at": "",
    "sealed": False,
}
