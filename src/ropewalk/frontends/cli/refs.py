"""What people call things: ids and their beginnings, `thread/branch`, `~2`, `@{2h}`, tags."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, Protocol, TypeVar

from ...domain.errors import Invalid, NotFound
from ...domain.moment import to_micros
from ...domain.thread import Position
from ...services.catalog import NAMED, Named
from .span import moment
from .text import brief, clean

if TYPE_CHECKING:
    from ...domain.checkpoint import CheckpointHeader
    from ...domain.thread import Branch, Snapshot
    from ...services.storage import Storage

SHORTEST: Final = 4
"""The shortest beginning of an id that is looked up, in characters."""

MAX_BACK: Final = 10_000
"""The most steps that `~n` goes back."""

_CANDIDATES: Final = 10
_LISTED: Final = 20
_TRIES: Final = 16
_TAG: Final = "tag"
_LONGEST_TAG: Final = 252
_READABLE: Final = 20
_STEPS: Final = re.compile(r"(~\d{0,18})+")
_STANDING: Final = ("thread", "checkpoint", "snapshot", "branch")


class _WithId(Protocol):
    """Anything that has an id."""

    @property
    def id(self) -> str: ...


T = TypeVar("T", bound=_WithId)


@dataclass(frozen=True, slots=True)
class Place:
    """A point on a thread's line: everything before `until`, or its present end."""

    thread_id: str
    until: Position | None = None


class Refs:
    """Finds what a reference means in one space of a store."""

    def __init__(self, storage: Storage) -> None:
        """Look things up in `storage`."""
        self._storage = storage

    async def find(self, ref: str, *, kinds: Sequence[str] = NAMED) -> Named:
        """Return what `ref` names: an id, a unique beginning of one, or a walk from one.

        `kind:ref` looks for things of one kind alone. Raises `NotFound` where there is nothing
        of that name, and `Invalid` with the candidates where there are several.
        """
        found = await self._found(ref, kinds)
        if found is None:
            message = (
                f"no {_one_of(kinds)} in space {self._storage.space_name!r} is called "
                f"{brief(ref)!r}: give an id, at least {SHORTEST} characters of its beginning, "
                "thread/branch, ref~2, ref@{time} or a tag; list what there is with: ropewalk ls"
            )
            raise NotFound(message, what="reference", ref=ref)
        return found

    async def exact_thread(self, ref: str) -> Named | None:
        """Return the thread of this very id, or `None`."""
        found = await self._storage.catalog.exactly(ref, kinds=("thread",)) if ref else ()
        return found[0] if found else None

    async def _found(self, ref: str, kinds: Sequence[str]) -> Named | None:
        if not ref:
            return None
        kind, _, rest = ref.partition(":")
        found = await self._plain(ref, kinds) or await self._walk(ref, kinds)
        if found is None and kind in kinds and rest:
            found = await self._plain(rest, (kind,)) or await self._walk(rest, (kind,))
        if found is None and "checkpoint" in kinds:
            found = await self._tagged(rest if kind == _TAG and rest else ref)
        return found

    async def _plain(self, ref: str, kinds: Sequence[str]) -> Named | None:
        """Find an id or the beginning of one."""
        exact = await self._storage.catalog.exactly(ref, kinds=kinds)
        if exact:
            return _only(ref, exact)
        if len(ref) < SHORTEST:
            return None
        close = await self._storage.catalog.named(ref, kinds=kinds, limit=_CANDIDATES + 1)
        return _only(ref, close)

    async def _walk(self, ref: str, kinds: Sequence[str]) -> Named | None:
        """Find what is some steps behind something, or a branch."""
        if "checkpoint" in kinds:
            tildes = [match.start() for match in re.finditer("~", ref)]
            # From the end: an id may hold tildes of its own.
            for cut in reversed(tildes[-_TRIES:]):
                if cut and _STEPS.fullmatch(ref, cut):
                    base = await self._base(ref[:cut]) or await self._tagged(ref[:cut])
                    if base is not None:
                        return await self._back(base, _steps(ref[cut:]))
            at = ref.rfind("@{")
            if at > 0 and ref.endswith("}"):
                base = await self._base(ref[:at])
                if base is not None:
                    return await self._at(base, ref[at + 2 : -1])
        return await self._branch(ref, kinds)

    async def _base(self, ref: str) -> Named | None:
        """Find what something is some steps, or some time, before."""
        plain = await self._plain(ref, _STANDING) or await self._branch(ref, _STANDING)
        if plain is None and ref.endswith("}"):
            return await self._walk(ref, _STANDING)
        return plain

    async def _at(self, base: Named, time: str) -> Named:
        """Return the checkpoint that was the newest of a line at a moment."""
        place = await self.place(base)
        until = Position(to_micros(moment(time, datetime.now(UTC))) + 1, "")
        if place.until is not None:
            until = min(until, place.until)
        return _named(await self._newest(Place(place.thread_id, until)))

    async def _tagged(self, name: str) -> Named | None:
        """Find the checkpoint that has a tag."""
        if not name or len(name.encode(errors="replace")) > _LONGEST_TAG:
            return None
        found = await self._storage.checkpoints.tagged(name)
        return _only(name, [_named(header) for header in found])

    async def checkpoint(self, ref: str) -> CheckpointHeader:
        """Return the checkpoint that `ref` names, or the newest one of the place that it names."""
        target = await self.find(ref)
        if target.kind == "checkpoint":
            return await self._storage.checkpoints.get(target.id)
        return await self._newest(await self.place(target))

    async def _branch(self, ref: str, kinds: Sequence[str]) -> Named | None:
        slashes = [match.start() for match in re.finditer("/", ref)]
        for cut in slashes[:_TRIES]:
            thread = await self._plain(ref[:cut], ("thread",)) if cut else None
            if thread is not None and ref[cut + 1 :]:
                return await self._below(thread, ref[cut + 1 :], kinds)
        return None

    async def _back(self, start: Named, steps: int) -> Named:
        """Return the checkpoint so many steps before one, or before the newest of a place."""
        if start.kind == "checkpoint":
            here = await self._storage.checkpoints.get(start.id)
        else:
            here = await self._newest(await self.place(start))
        for done in range(steps):
            before = await self._before(here)
            if before is None:
                message = f"there are only {done} checkpoints before {start.id!r}, not {steps}"
                raise NotFound(message, what="checkpoint", ref=f"{start.id}~{steps}")
            here = before
        return _named(here)

    async def _newest(self, place: Place) -> CheckpointHeader:
        checkpoints = self._storage.checkpoints
        found = await checkpoints.latest_header(place.thread_id, until=place.until)
        if found is None:
            message = f"there is no checkpoint on the line of thread {place.thread_id!r} there"
            raise NotFound(message, what="checkpoint", ref=place.thread_id)
        return found

    async def _before(self, header: CheckpointHeader) -> CheckpointHeader | None:
        """Return the parent of a checkpoint, or the one before it where that was deleted."""
        checkpoints = self._storage.checkpoints
        parent = await checkpoints.find(header.parent_id) if header.parent_id else None
        return parent or await checkpoints.latest_header(
            header.thread_id, until=position_of(header)
        )

    async def _below(self, thread: Named, name: str, kinds: Sequence[str]) -> Named | None:
        """Return the branch of that name in the family of a thread, or the thread's snapshot."""
        storage = self._storage
        if "thread" in kinds or "branch" in kinds:
            own = [b for b in await storage.threads.branches(thread.id) if b.name == name]
            branches = own or [b for b in await self._family(thread.id) if b.name == name]
            if branches:
                targets = [await storage.catalog.exactly(b.thread_id) for b in branches]
                threads = [t for found in targets for t in found if t.kind == "thread"]
                return _only(f"{thread.id}/{name}", threads)
        snapshots = [s for s in await storage.threads.snapshots(thread.id) if s.name == name]
        if snapshots and "snapshot" in kinds:
            found = await storage.catalog.exactly(snapshots[-1].id, kinds=("snapshot",))
            return found[0]
        return None

    async def _family(self, thread_id: str) -> list[Branch]:
        nodes = [await self._storage.threads.tree(thread_id)]
        branches: list[Branch] = []
        for node in nodes:
            nodes += node.children
            if node.branch is not None:
                branches.append(node.branch)
        return branches

    async def place(self, target: Named) -> Place:
        """Return the point on a line that something stands for.

        A session stands for its thread if it has one alone; raises `Invalid` otherwise, and for
        what belongs to no thread.
        """
        storage = self._storage
        match target.kind:
            case "thread":
                return Place(target.id)
            case "session":
                return Place(await self._only_thread(target.id))
            case "snapshot":
                return Place(target.thread_id or "", (await self.snapshot(target)).until)
            case "branch":
                return Place((await self.branch(target)).thread_id)
            case _:
                thread = target.thread_id
                if thread is None or await storage.threads.find(thread) is None:
                    message = f"{target.kind} {target.id!r} is on no thread; show it instead"
                    raise Invalid(message, code="no_thread", field="ref")
                return Place(thread, Position(to_micros(target.created_at), target.id).behind())

    async def _only_thread(self, session_id: str) -> str:
        ids = await self._storage.threads.ids_of(session_id)
        if len(ids) == 1:
            return ids[0]
        listed = ", ".join(clean(id) for id in ids[:_LISTED])
        message = (
            f"session {session_id!r} has {len(ids)} threads; name one of them: {listed}"
            if ids
            else f"session {session_id!r} has no thread; show it instead"
        )
        raise Invalid(message, code="ambiguous", field="ref", candidates=ids[:_LISTED])

    async def snapshot(self, target: Named) -> Snapshot:
        """Return the snapshot that was found; raise `NotFound` where it is gone."""
        snapshots = await self._storage.threads.snapshots(target.thread_id or "")
        return _among(snapshots, target)

    async def branch(self, target: Named) -> Branch:
        """Return the branch that was found; raise `NotFound` where it is gone."""
        return _among(await self._storage.threads.branches(target.thread_id or ""), target)

    async def short(self, ids: Iterable[str], *, kinds: Sequence[str] = NAMED) -> dict[str, str]:
        """Return for each id its shortest beginning that `find` understands.

        Ids that can be read stay whole. Costs one small query for each of the others.
        """
        short: dict[str, str] = {}
        for id in dict.fromkeys(ids):
            length = _READABLE if len(id) <= _READABLE else SHORTEST * 2
            while length < len(id):
                close = await self._storage.catalog.named(id[:length], kinds=kinds, limit=_LISTED)
                others = [named.id for named in close if named.id != id]
                if not others:
                    break
                length = max(length, *(_shared(id, other) for other in others)) + 1
            short[id] = id[:length]
        return short


def position_of(header: CheckpointHeader) -> Position:
    """Return where a checkpoint stands on its thread."""
    return Position(to_micros(header.created_at), header.id)


def _among(things: Sequence[T], target: Named) -> T:
    for thing in things:
        if thing.id == target.id:
            return thing
    message = f"{target.kind} {target.id!r} is not there any more"
    raise NotFound(message, what=target.kind, id=target.id)


def _named(header: CheckpointHeader) -> Named:
    return Named(
        kind="checkpoint",
        id=header.id,
        session_id=header.session_id,
        thread_id=header.thread_id,
        created_at=header.created_at,
    )


def _only(ref: str, found: Sequence[Named]) -> Named | None:
    """Return the only thing found, or `None`; raise `Invalid` with the candidates otherwise."""
    if len(found) <= 1:
        return found[0] if found else None
    shown = found[:_CANDIDATES]
    listed = ", ".join(f"{named.kind}:{clean(named.id)}" for named in shown)
    more = ", and more" if len(found) > _CANDIDATES else ""
    message = f"{brief(ref)!r} may be any of these: {listed}{more}; give more of the id"
    candidates = tuple(f"{named.kind}:{named.id}" for named in shown)
    raise Invalid(message, code="ambiguous", field="ref", candidates=candidates)


def _steps(text: str) -> int:
    """Add up `~2~` and the like: a tilde without a number is one step."""
    steps = sum(int(part or "1") for part in text.split("~")[1:])
    if steps > MAX_BACK:
        message = f"{brief(text)} goes too far back: {MAX_BACK} steps at most"
        raise Invalid(message, code="too_far", field="ref")
    return steps


def _shared(left: str, right: str) -> int:
    """Count the characters that two texts begin with in common."""
    pairs = enumerate(zip(left, right, strict=False))
    return next((index for index, (a, b) in pairs if a != b), min(len(left), len(right)))


def _one_of(kinds: Sequence[str]) -> str:
    return "record" if len(kinds) > len(_STANDING) else " or ".join(kinds)
