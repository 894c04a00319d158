"""Names as numbers: a text that many rows share is written once, and its number in each row.

A number is never given to another text, so what it means may be remembered for ever; which number
a text has, only as long as nobody else can have changed it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias, cast

from ...domain.errors import Corrupt
from . import crc
from .indexes import FEW_NAMES, Indexes

_Rows: TypeAlias = Callable[[str, Sequence["str | int | None"]], "list[tuple[object, ...]]"]

_MOST: Final = 20_000
"""How many names a connection remembers, before it begins anew."""

UNKNOWN: Final = 0
"""The number of a text that no row has."""

_KEPT: Final = 1
_HAS_FAMILIES: Final = 2

_NUMBER: Final = "select nr from name where text = ? and space = 0 and kind = 0"
_PLACE: Final = (
    "select nr, space, kind, at from name where text = ? "
    "and space = (select nr from name where text = ? and space = 0 and kind = 0) "
    "and kind = (select nr from name where text = ? and space = 0 and kind = 0)"
)
_ENTER: Final = "insert into name (text, space, kind, at, kept) values (?, ?, ?, ?, ?) returning nr"
_CHECK: Final = "update name set crc = ? where nr = ?"
_KEEP: Final = "update name set crc = crc - kept + ?1, kept = ?1 where nr = ?2 and kept < ?1"
_PARENTS: Final = (("record_thread", "thread_id"), ("record_session", "session_id"))
_LET_GO: Final = "update name set text = null, crc = null where nr = ? and kept = 0"
# The greatest number stays, even of a text that is gone: the next one is greater.
_SWEEP: Final = "delete from name where text is null and nr < (select max(nr) from name)"


@dataclass(frozen=True, slots=True)
class Place:
    """A space and a kind, and a family of ids where there is one (else the empty text).

    `at` is what the times of the lean records there count from, in microseconds.
    """

    number: int
    family: str
    space: int
    kind: int
    at: int


class _Texts(dict[int, str]):
    """The texts of numbers, read when they are first asked for."""

    def __init__(self, rows: _Rows) -> None:
        super().__init__()
        self._rows = rows

    def __missing__(self, number: int) -> str:
        found = self._rows("select text from name where nr = ?", (number,))
        if not found or not isinstance(found[0][0], str):
            raise _nameless(number)
        if len(self) >= _MOST:
            self.clear()
        text = self[number] = found[0][0]
        return text


class Names:
    """What one connection knows of the names in the file."""

    __slots__ = (
        "_indexes",
        "_kept",
        "_numbered",
        "_numbers",
        "_places",
        "_rows",
        "_spaces",
        "texts",
    )

    def __init__(self, rows: _Rows, indexes: Indexes) -> None:
        self._rows = rows
        self._indexes = indexes
        self.texts = _Texts(rows)
        self._numbers: dict[str, int] = {}
        self._places: dict[tuple[str, str, str], Place] = {}
        self._numbered: dict[int, Place] = {}
        self._spaces: dict[str, int] = {}
        self._kept: set[int] = set()

    def forget(self) -> None:
        """Ask again which number a text has: another connection may have changed it.

        Places stay as they are for ever.
        """
        self._numbers.clear()
        self._kept.clear()
        self._indexes.forget()

    def undo(self) -> None:
        """Forget everything: what was entered since may have been rolled back."""
        self.forget()
        self._places.clear()
        self._spaces.clear()
        self._numbered.clear()
        self.texts.clear()
        self._indexes.undo()

    def number(self, text: str) -> int:
        """Return the number of a text, `UNKNOWN` where it has none."""
        number = self._numbers.get(text)
        if number is None:
            found = self._rows(_NUMBER, (text,))
            number = cast("int", found[0][0]) if found else UNKNOWN
            self._remember(text, number)
        return number

    def at_hand(self, text: str) -> int:
        """Return the number of a text if it is known without looking, else `UNKNOWN`."""
        return self._numbers.get(text, UNKNOWN)

    def space_at_hand(self, space: str) -> int:
        """Return the number of a space if a place in it is known, else `UNKNOWN`."""
        return self._spaces.get(space, UNKNOWN)

    def place(self, space: str, kind: str, family: str = "") -> Place | None:
        """Return a place, `None` where nothing was ever written there."""
        known = self._places.get((space, kind, family))
        if known is not None:
            return known
        found = self._rows(_PLACE, (family, space, kind))
        if not found:
            return None
        number, space_number, kind_number, at = cast("tuple[int, int, int, int]", found[0])
        place = Place(number, family, space_number, kind_number, at)
        self._put(space, kind, place)
        return place

    def place_of(self, number: int) -> Place:
        """Return the place that has a number; raise `Corrupt` where it is none."""
        known = self._numbered.get(number)
        if known is not None:
            return known
        found = self._rows("select text, space, kind, at from name where nr = ?", (number,))
        if not found or not isinstance(found[0][0], str) or not found[0][1]:
            raise _nameless(number)
        family, space, kind, at = cast("tuple[str, int, int, int]", found[0])
        if len(self._numbered) >= _MOST:
            self._numbered.clear()
        place = self._numbered[number] = Place(number, family, space, kind, at)
        return place

    def has_families(self, kind: str) -> bool:
        """Tell whether a kind may have records with ids of a family."""
        return bool(self._rows(f"{_NUMBER} and kept = ?", (kind, _HAS_FAMILIES)))

    def enter(self, text: str) -> int:
        """Return the number of a text, and give it one if it has none."""
        number = self._numbers.get(text, UNKNOWN)
        if number != UNKNOWN:
            return number
        number = self.number(text)
        if number == UNKNOWN:
            number = self._insert(text, 0, 0, 0, 0)
            self._remember(text, number)
        return number

    def enter_kept(self, text: str) -> int:
        """Return the number of a text that is never forgotten."""
        number = self._numbers.get(text, UNKNOWN)
        if number in self._kept:
            return number
        number = self.enter(text)
        self.keep(number)
        return number

    def keep(self, number: int, *, level: int = _KEPT) -> None:
        """Never forget a name: something refers to it that is not looked through."""
        if level > _KEPT or number not in self._kept:
            self._rows(_KEEP, (level, number))
            self._kept.add(number)

    def enter_place(self, space: str, kind: str, family: str, *, at: int) -> Place:
        """Return a place, and make it if it is new; its times count from `at` then."""
        known = self.place(space, kind, family)
        if known is not None:
            return known
        space_number, kind_number = self.enter_kept(space), self.enter_kept(kind)
        if family:
            self.keep(kind_number, level=_HAS_FAMILIES)
        number = self._insert(family, space_number, kind_number, at, _KEPT)
        place = Place(number, family, space_number, kind_number, at)
        self._put(space, kind, place)
        return place

    def release(self, numbers: Iterable[int]) -> None:
        """Forget the names of sessions and threads that no record has any more."""
        swept = False
        unused = "".join(
            f" and not exists (select 1 from record where {column} = nr)"  # noqa: S608
            for index, column in _PARENTS
            if self._indexes.has(index)
        )
        for number in numbers:
            text = self.texts[number]
            if self._rows(f"{_LET_GO}{unused} returning nr", (number,)):
                del self.texts[number]
                self._numbers.pop(text, None)
                swept = True
        if swept:
            self._rows(_SWEEP, ())

    def _insert(self, text: str, space: int, kind: int, at: int, kept: int) -> int:
        ((number,),) = cast("list[tuple[int]]", self._rows(_ENTER, (text, space, kind, at, kept)))
        self._rows(_CHECK, (crc.of_name(number, text, space, kind, at, kept=kept), number))
        if number > FEW_NAMES:
            self._indexes.need("name_text")
        return number

    def _remember(self, text: str, number: int) -> None:
        if len(self._numbers) >= _MOST:
            self._numbers.clear()
        self._numbers[text] = number

    def _put(self, space: str, kind: str, place: Place) -> None:
        if len(self._places) >= _MOST:
            self._places.clear()
            self._spaces.clear()
        self._spaces[space] = place.space
        self._places[space, kind, place.family] = place


def _nameless(number: int) -> Corrupt:
    message = f"a row has the name {number}, which is not there; restore the file from a backup"
    return Corrupt(message, code="bad_name", number=number)
