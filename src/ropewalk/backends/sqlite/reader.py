"""A reader: one thread's connection, on which reads of one moment are done."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Generic, Protocol, TypeVar

import apsw

from ...domain.errors import RopewalkError
from .connection import Connection
from .errors import in_our_words, speaking_of
from .lane import Anything, Errand

R = TypeVar("R")

_STEPS: Final = 50_000
"""Steps of SQLite's machine, about a millisecond, between two looks whether anybody waits."""


class Read(Errand[R], Generic[R]):
    """Something to be done on a connection that reads."""

    __slots__ = ("_work",)

    def __init__(self, work: Callable[[Connection], R]) -> None:
        self._work = work
        super().__init__()

    def run(self, connection: Connection) -> None:
        """Do it, and note what came out."""
        self.set_result(self._work(connection))


class Reading(Anything, Protocol):
    """A `Read`, whatever it returns."""

    def run(self, connection: Connection) -> None:
        """Do it, and note what came out."""
        ...


class Reader:
    """Do reads, all that are taken together in one snapshot; leave what nobody waits for."""

    def __init__(self, connection: Connection, path: str) -> None:
        self._connection = connection
        self._path = path
        self._current: Reading | None = None
        connection.while_running(self._in_vain, _STEPS)

    def serve(self, errands: list[Reading]) -> None:
        """Do the reads, each with an outcome of its own."""
        with speaking_of(self._path):
            self._connection.run("begin")
            # In what is now to be seen, a text may have got another number.
            self._connection.names.forget()
            try:
                for errand in errands:
                    self._one(errand)
            finally:
                self._current = None
                self._connection.roll_back()

    def rest(self) -> None:
        """Do nothing: a reader leaves nothing to tidy up."""

    def leave(self) -> None:
        """Close the connection."""
        self._connection.close()

    def _one(self, errand: Reading) -> None:
        self._current = errand
        try:
            errand.run(self._connection)
        except (apsw.Error, UnicodeError, OverflowError, RopewalkError) as error:
            errand.set_exception(in_our_words(error, self._path))

    def _in_vain(self) -> bool:
        return self._current is not None and self._current.abandoned()
