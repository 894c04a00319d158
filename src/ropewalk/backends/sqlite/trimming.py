"""Forgetting commits: in short transactions on a connection of its own, as another process would.

The number of a commit is its row number, so rows go from the oldest on and the newest stays: no
number is ever missing between two that are kept, and none is given twice.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Final

import apsw

from ...domain.errors import RopewalkError, Unavailable
from .errors import in_our_words
from .gate import Gate
from .lane import Lane
from .reader import Read, Reading

if TYPE_CHECKING:
    from .connection import Connection

_ROWS: Final = 2_000
"""Rows forgotten in one transaction: writers wait for some milliseconds."""

_PAGES: Final = 256
"""Free pages cut off the file in one transaction."""


class Trimmer:
    """Do what is asked for on a connection that writes, each errand in its own transactions."""

    def __init__(self, connection: Connection, path: str) -> None:
        self._connection = connection
        self._path = path

    def serve(self, errands: list[Reading]) -> None:
        """Do the errands, each with an outcome of its own."""
        for errand in errands:
            try:
                errand.run(self._connection)
            except (apsw.Error, RopewalkError) as error:
                errand.set_exception(in_our_words(error, self._path))
            finally:
                self._connection.roll_back()

    def rest(self) -> None:
        """Do nothing: giving pages back is an errand, too."""

    def leave(self) -> None:
        """Close the connection."""
        self._connection.close()


class Trimming:
    """The thread that forgets commits; it begins with the first that are to be forgotten.

    `hire` opens its connection, in the thread.
    """

    def __init__(self, hire: Callable[[], Trimmer]) -> None:
        self._lane: Lane[Reading] = Lane(hire, name="trim", most_at_once=1)
        self._door = Gate(most=1, most_bytes=1)
        self._is_begun = False

    async def trim(self, before: int) -> int:
        """Forget what is older than `before`, a few rows at a time; return how many went."""
        await self._door.enter(0)
        try:
            if not self._is_begun:
                await self._lane.start()
                self._is_begun = True
            count = 0
            while forgotten := await self._run(partial(_forget, before=before)):
                count += forgotten
            while count and await self._run(_give_back):
                continue
        finally:
            self._door.leave(0)
        return count

    async def _run(self, step: Callable[[Connection], int]) -> int:
        errand = Read(step)
        await self._lane.send(errand)
        return await errand.outcome()

    def close(self) -> None:
        """Begin no further step."""
        self._lane.close()
        self._door.close(_closed)

    def join(self) -> None:
        """Wait, in another thread than a loop's, until the connection is closed."""
        self._lane.join()


def _forget(connection: Connection, before: int) -> int:
    connection.run("begin immediate")
    ((oldest, newest),) = connection.rows(
        "select (select min(seq) from commits), (select max(seq) from commits)"
    )
    if not isinstance(oldest, int) or not isinstance(newest, int):
        return 0
    end = min(before, newest, oldest + _ROWS)
    if end <= oldest:
        return 0
    ((count,),) = connection.rows("select count(*) from commits where seq < ?", (end,))
    connection.run("delete from commits where seq < ?", (end,))
    connection.run("commit")
    return count if isinstance(count, int) else 0


def _give_back(connection: Connection) -> int:
    """Cut free pages off the file; return 0 after the last, or where somebody else is writing."""
    try:
        connection.give_back(_PAGES)
    except apsw.BusyError:
        return 0
    return connection.integer("pragma freelist_count")


def _closed() -> Unavailable:
    message = "the store is being closed; open it again, or another one"
    return Unavailable(message, code="closed")
