"""Work on states until a file is there, writing down what was acknowledged; or collect garbage.

    tree_work.py write URL JOURNAL SEED STOP
    tree_work.py collect URL JOURNAL SEED STOP
    tree_work.py wrong URL JOURNAL SEED STOP      (a collector that ignores the stamps)

The process may be killed at any point. Each line of the journal is one JSON object: `saved` with
the id and a hash of the state, `going` with the ids that a prune or a deletion may have removed,
`corrupt` with an error that must never come, `collected`, `round`.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import random
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, Final, TypeAlias, cast

import ropewalk
from ropewalk.domain.change import Change, Delete
from ropewalk.domain.checkpoint import CleanupPolicy
from ropewalk.domain.errors import Conflict, Corrupt, NotFound, Unavailable
from ropewalk.domain.record import Key
from ropewalk.services.checkpoints import collector
from ropewalk.services.storage import Storage

TASKS: Final = 4
ROOT: Final = "root"
POOL: Final = 120
"""So many different messages there are: writers often write what another one's garbage was."""


def hash_of(state: object) -> str:
    """Return what tells a state from any other."""
    return hashlib.sha256(json.dumps(state, sort_keys=True).encode()).hexdigest()


def message(number: int) -> dict[str, Any]:
    """Return one of the messages that all writers use."""
    rng = random.Random(number)
    text = " ".join(f"word{rng.randrange(500)}" for _ in range(rng.randint(10, 150)))
    return {"role": "user", "content": text, "number": number}


Unmarked: TypeAlias = Callable[
    [collector.Collector, str, set[bytes], int | None], AsyncIterator[list[bytes]]
]


class Journal:
    """What a process writes down; a line that was written survives the process."""

    def __init__(self, path: Path) -> None:
        """Begin a file."""
        self._file = path.open("a", encoding="utf-8")

    def note(self, **entry: object) -> None:
        """Write a line down at once."""
        self._file.write(json.dumps(entry) + "\n")
        self._file.flush()


class Writer:
    """One task with a thread of its own, in the family that all share."""

    def __init__(self, storage: Storage, journal: Journal, rng: random.Random, stop: Path) -> None:
        """Work on `storage` until `stop` is there."""
        self._storage = storage
        self._journal = journal
        self._rng = rng
        self._stop = stop
        self._thread = ""
        self._ids: list[str] = []
        self._states: dict[str, dict[str, Any]] = {}

    async def live(self) -> None:
        """Do one thing after the other."""
        await self._begin()
        while not self._stop.exists():
            act = self._rng.choices(
                [self._append, self._edit, self._fork, self._prune, self._delete],
                weights=[45, 25, 12, 12, 6],
            )[0]
            try:
                await act()
                self._journal.note(op="round")
            except Corrupt as error:
                self._journal.note(op="corrupt", message=str(error))
                await self._begin()
            except (Conflict, NotFound, Unavailable) as error:
                self._journal.note(op="trouble", message=str(error))
                await self._begin()

    async def _begin(self) -> None:
        """Fork the root."""
        name = f"w{self._rng.getrandbits(64):016x}"
        first = await self._storage.checkpoints.latest_header(ROOT)
        assert first is not None
        await self._storage.threads.fork(ROOT, at=first.id, id=name)
        self._thread, self._ids = name, []
        self._state: dict[str, Any] = {"messages": [message(n) for n in range(30)], "n": 0}

    def _saved(self, id_: str, state: dict[str, Any]) -> None:
        self._journal.note(op="saved", id=id_, hash=hash_of(state), thread=self._thread)
        self._state = state
        self._ids.append(id_)
        self._states[id_] = state

    async def _append(self) -> None:
        new = [message(self._rng.randrange(POOL)) for _ in range(self._rng.randint(1, 3))]
        number = self._rng.randrange(1_000)
        delta = {"messages": new, "n": number}
        state = {"messages": [*self._state["messages"], *new], "n": number}
        header = await self._storage.checkpoints.append(self._thread, delta)
        self._saved(header.id, state)

    async def _edit(self) -> None:
        messages = list(self._state["messages"])
        for _ in range(self._rng.randint(1, 3)):
            messages[self._rng.randrange(len(messages))] = message(self._rng.randrange(POOL))
        if len(messages) > 60:
            del messages[10:40]
        state = {"messages": messages, "n": self._rng.randrange(1_000)}
        header = await self._storage.checkpoints.save(self._thread, state)
        self._saved(header.id, state)

    async def _fork(self) -> None:
        if not self._ids:
            return
        at = self._rng.choice(self._ids[-5:])
        name = f"w{self._rng.getrandbits(64):016x}"
        state = self._states[at]
        await self._storage.threads.fork(self._thread, at=at, id=name)
        self._thread, self._ids, self._state = name, [], state

    async def _prune(self) -> None:
        policy = CleanupPolicy(keep_last=self._rng.randint(1, 4))
        dry = await self._storage.checkpoints.prune(self._thread, policy, dry_run=True)
        self._journal.note(op="going", ids=dry.removed)
        await self._storage.checkpoints.prune(self._thread, policy)
        self._ids = [id_ for id_ in self._ids if id_ not in dry.removed]

    async def _delete(self) -> None:
        self._journal.note(op="going", ids=self._ids)
        thread = self._thread
        await self._begin()
        await self._storage.threads.delete(thread)


async def write(storage: Storage, journal: Journal, seed: int, stop: Path) -> None:
    """Let several tasks work."""
    rng = random.Random(seed)
    async with asyncio.TaskGroup() as group:
        for _ in range(TASKS):
            own = random.Random(rng.getrandbits(64))
            group.create_task(Writer(storage, journal, own, stop).live())


async def collect(storage: Storage, journal: Journal, stop: Path) -> None:
    """Collect garbage without a pause."""
    while not stop.exists():
        try:
            done = await storage.checkpoints.collect()
            journal.note(op="collected", removed=done.removed)
        except Corrupt as error:
            journal.note(op="corrupt", message=str(error))
        except Unavailable as error:
            journal.note(op="trouble", message=str(error))


def ignore_stamps() -> None:
    """Let the collector of this process delete whatever it has not marked, however new."""
    unmarked = cast("Unmarked", vars(collector.Collector)["_unmarked"])

    def delete(*, key: Key, at_most: int) -> Change:
        del at_most
        return Delete(key=key)

    def all_unmarked(
        self: collector.Collector, family: str, marked: set[bytes], most: int | None
    ) -> AsyncIterator[list[bytes]]:
        del most
        return unmarked(self, family, marked, None)

    setattr(collector, "Delete", delete)  # noqa: B010 (replaced in this process alone)
    setattr(collector.Collector, "_unmarked", all_unmarked)  # noqa: B010


async def main(role: str, url: str, journal: Journal, seed: int, stop: Path) -> None:
    """Do what a role does."""
    async with ropewalk.open(url) as storage:
        if role == "write":
            await write(storage, journal, seed, stop)
            return
        if role == "wrong":
            ignore_stamps()
        await collect(storage, journal, stop)


if __name__ == "__main__":
    asyncio.run(
        main(
            sys.argv[1],
            sys.argv[2],
            Journal(Path(sys.argv[3])),
            int(sys.argv[4]),
            Path(sys.argv[5]),
        )
    )
