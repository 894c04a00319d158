"""`Archives`: write what is in a store into a file that can be read without it, and back."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Final

from ...domain.archive import (
    EVERYTHING,
    FORMAT_VERSION,
    ExportReport,
    Manifest,
    Peeler,
    Scope,
)
from ...domain.errors import Invalid, NotFound
from ...domain.migration import Progress
from ..sharing.reach import Reach
from ..sharing.refusal import no_manager
from .belonging import belongings
from .reading import ArchiveSource
from .selection import Selection
from .writing import ArchiveWriter

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ...domain.ports import Backend
    from ...domain.record import Record
    from ..desk import Desk
    from .belonging import Belongings

_AT_ONCE: Final = 256
_FULL_BYTES: Final = 4 * 1024 * 1024


class Archives:
    """Writes records as lines of JSON, and gives archives to whoever imports them."""

    def __init__(self, desk: Desk, ground: Backend, *, reach: Reach) -> None:
        """Work at `desk`; `ground` is the whole store, for archives of several spaces."""
        self._desk = desk
        self._ground = ground
        self._reach = reach

    async def export(
        self,
        path: str | Path,
        scope: Scope = EVERYTHING,
        *,
        spaces: Sequence[str] = (),
        sealed: bool = False,
        progress: Callable[[Progress], None] | None = None,
    ) -> ExportReport:
        """Write this space, or what of it `scope` names, to a file; return what is in it.

        `spaces` names others instead, which only the whole store's handle may. With `sealed`,
        bodies stay as they are stored. Beside a portion of records, memory holds the names of the
        nodes of what is named. A file that is there is replaced, once the new one is whole.

        Raises `NotFound` where what is named is not there, and `Unavailable` where the file
        cannot be written.
        """
        if spaces and self._reach is not Reach.STORE:
            raise no_manager("writing other spaces into an archive")
        chosen = tuple(dict.fromkeys(spaces)) or (self._desk.space,)
        desks = [self._at(space) for space in chosen]
        own = [await self._belongings(desk, scope) for desk in desks]
        parts = [
            Selection(desk, each, sealed=sealed) for desk, each in zip(desks, own, strict=True)
        ]
        expected = Counter[str]()
        kinds = [await part.counts() for part in parts]
        for counts in kinds:
            expected.update(counts)
        manifest = Manifest(
            version=FORMAT_VERSION,
            spaces=chosen,
            created_at=self._desk.now().isoformat(),
            sealed=sealed,
            what={name: value for name, value in scope.named.items() if value},
            counts=expected if scope.is_whole else {},
        )
        begun = await self._ground.changed(-1)
        told = _Told(progress, expected.total() if scope.is_whole else None)
        with ArchiveWriter(Path(path), None if sealed else self._peeler()) as writer:
            await asyncio.to_thread(writer.begin, manifest)
            for part, counts in zip(parts, kinds, strict=True):
                async for record in part.leaned_on():
                    writer.know(record)
                for kind in counts:
                    await _copy(part, kind, writer, told)
            commits = await self._commits(begun, chosen)
            facts = {"unopened": writer.unopened, "commits_meanwhile": commits}
            await asyncio.to_thread(writer.end, facts)
        return ExportReport(
            path=str(path),
            spaces=chosen,
            counts=dict(writer.counts),
            content=writer.content,
            unopened=writer.unopened,
            commits=commits,
            left_out=tuple(_left_out(own)),
        )

    def source(self, path: str | Path, *, origin: str | None = None) -> ArchiveSource:
        """Return an archive as a source for `migrations.run` into this space.

        `origin` says which space of the archive, where it has several.
        """
        return ArchiveSource(Path(path), self._peeler(), space=self._desk.space, origin=origin)

    def _at(self, space: str) -> Desk:
        if space == self._desk.space:
            return self._desk
        return replace(self._desk, backend=self._ground, space=space)

    def _peeler(self) -> Peeler:
        sealer = self._desk.sealer
        if isinstance(sealer, Peeler):
            return sealer
        message = "the sealer of this store cannot open bodies without reading them: export sealed"
        raise Invalid(message, code="unsupported", field="sealed")

    async def _belongings(self, desk: Desk, scope: Scope) -> Belongings | None:
        if scope.is_whole:
            return None
        found = await belongings(desk, scope)
        if scope.user_id is not None and not (found.sessions or found.threads):
            selection = Selection(desk, found, bodies=False)
            for kind in await selection.counts():
                async for _ in selection.records(kind):
                    return found
            message = f"nothing in space {desk.space!r} belongs to user {scope.user_id!r}"
            raise NotFound(message, code="not_found", user_id=scope.user_id)
        return found

    async def _commits(self, begun: int, spaces: Sequence[str]) -> int:
        """Count the commits to these spaces since `begun`."""
        count = 0
        with suppress(NotFound):  # what was forgotten meanwhile was made meanwhile
            async for commit in self._ground.feed(begun):
                count += any(change.key.space in spaces for change in commit.changes)
            return count
        return max(await self._ground.changed(-1) - begun, 1)


class _Told:
    """Tells how far it is."""

    def __init__(self, progress: Callable[[Progress], None] | None, total: int | None) -> None:
        self._progress = progress
        self._total = total
        self._began = monotonic()

    def show(self, counts: Counter[str]) -> None:
        if self._progress is None:
            return
        done = counts.total()
        rate = done / max(monotonic() - self._began, 1e-6)
        left = None if self._total is None else max(self._total - done, 0) / max(rate, 1e-6)
        self._progress(Progress(done=done, total=self._total, rate=rate, left=left, kinds=counts))


async def _copy(part: Selection, kind: str, writer: ArchiveWriter, told: _Told) -> None:
    portion: list[Record] = []
    size = 0
    async for record in part.records(kind):
        portion.append(record)
        size += len(record.body or b"")
        if len(portion) == _AT_ONCE or size > _FULL_BYTES:
            await asyncio.to_thread(writer.add, portion)
            told.show(writer.counts)
            portion, size = [], 0
    if portion:
        await asyncio.to_thread(writer.add, portion)
        told.show(writer.counts)


def _left_out(own: Sequence[Belongings | None]) -> list[str]:
    return [
        f"thread {id_!r}, which one of these continues, belongs to somebody else"
        for each in own
        if each is not None
        for id_ in each.strangers
    ]
