"""`LegacySource`: the folder of the program that came before, read without changing it."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from datetime import tzinfo
from pathlib import Path
from typing import Final

from ...domain.errors import NotFound
from ...domain.legacy.fields import Times
from ...domain.source import Finding, Inventory, Problem, Skipped
from ..pump import Steps, stream
from ..register import Register
from ..text import HEAD_BYTES, Head, head_of
from .agents import Agents
from .checkpoints import Checkpoints
from .counting import Piece, Sum, count
from .history import History
from .older import Older
from .recoveries import Recoveries
from .sessions import Sessions
from .survey import READ, THREAD, Found, survey
from .threads import Threads
from .visit import Visit


class LegacySource:
    """Reads sessions, threads, history months and checkpoints below one folder.

    All generations of them: sessions of older shapes, rows of the REST interface and events of the
    text interface become sessions, entries and interactions that keep all of what stood there;
    states by agent become plain records.

    `root` is the working directory of the legacy program, or any folder in it. `tz` is the zone of
    the machine that it ran on: its times are local times without an offset. Everything else that
    it left there is recognised by content, counted and told as `Skipped`.

    Nothing below `root` is changed: files are opened for reading, databases as immutable or, where
    rows stand in a WAL, as a copy in a temporary folder. Memory holds a line, a document or a state
    at a time, and some bytes for each file; ids are remembered on disk.
    """

    def __init__(self, root: str | Path, *, tz: tzinfo) -> None:
        """Take the folder and the zone; nothing is read yet."""
        self._root: Final = Path(root)
        self._times: Final = Times(tz)

    async def scan(self) -> Inventory:
        """Count what is there by kind and by format, without building any of it.

        Every line is parsed and every checkpoint's time is read, so that the counts are those of
        `read` but for items that turn out to be unusable only then.
        """
        whole = Sum()
        pieces: AsyncGenerator[Piece, None] = stream(self._count)
        async with aclosing(pieces):
            async for piece in pieces:
                whole.add(piece)
        return whole.inventory(str(self._root))

    def read(self) -> AsyncGenerator[Finding, None]:
        """Go through everything once, parents before children."""
        return stream(self._read)

    def _read(self) -> Steps[Finding]:
        with Register() as register:
            visit = Visit(self._times, register)
            for sight in self._look(visit):
                if isinstance(sight, Problem):
                    yield sight
                elif sight is not None and sight.format not in READ:
                    head = _head(sight)
                    yield Skipped(
                        format=sight.format,
                        place=sight.place,
                        items=sight.items,
                        reason=sight.reason,
                        raw=head.raw,
                        size=head.size,
                    )
                else:
                    yield None
            sessions, older, checkpoints = Sessions(visit), Older(visit), Checkpoints(visit)
            yield from checkpoints.index()
            yield from sessions.read()
            yield from older.read()
            yield from Threads(visit).read()
            yield from sessions.read_interactions()
            yield from older.read_events()
            yield from History(visit).read()
            yield from checkpoints.read()
            yield from Recoveries(visit).read()
            yield from Agents(visit).read()

    def _look(self, visit: Visit) -> Steps[Found | Problem]:
        if not self._root.is_dir():
            message = f"there is no folder {self._root}; name the one the legacy program worked in"
            raise NotFound(message, code="no_source", place=str(self._root))
        for sight in survey(self._root.resolve()):
            if isinstance(sight, Found) and sight.format in READ:
                visit.files.append(sight)
                if sight.format == THREAD and sight.id is not None:
                    visit.threads.add(sight.id)
            yield sight

    def _count(self) -> Steps[Piece]:
        with Register() as register:
            visit = Visit(self._times, register)
            yield from count(visit, self._look(visit))


def _head(found: Found) -> Head:
    """Return how a file begins that is left: what nobody knows may be very much, and tells less."""
    if found.path.is_symlink() or not found.path.is_file():
        return Head()  # opening a pipe would wait for ever
    most = _WHOLE.get(found.format)
    return Head() if most is None else head_of(found.path, most=most)


_WHOLE: Final = {
    **dict.fromkeys(("leftover", "pickle"), HEAD_BYTES),
    "unknown": HEAD_BYTES // 16,
}
"""Formats of whole files, and how much is told of them, in bytes; tables are not files."""
