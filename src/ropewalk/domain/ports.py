"""The contracts that have more than one implementation: `Backend`, `Sealer`, `Clock`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final, NamedTuple, Protocol, runtime_checkable

from .change import Applied, Batch, Commit
from .errors import Invalid
from .health import Health
from .query import Query
from .record import Key, Record
from .tally import Tally


class Capability(StrEnum):
    """A power that a back end may lack; what is not declared is refused loudly."""

    DURABLE = "durable"
    """An acknowledged batch survives the death of the process."""
    SHARED = "shared"
    """Several operating-system processes may have the store open at once."""
    FEED = "feed"
    """`feed` tells every commit, `changed` when there is one, and `trim` forgets old ones."""
    TALLY = "tally"
    """`tally` counts and sums without loading records."""


class Backend(Protocol):
    """Keep records: five verbs, batch first, the same meaning everywhere.

    Any event loop of the process may call it, and several at once, each in a thread of its own.
    Every verb raises `Unavailable` before `open` and after `close`, and for a trouble that may
    pass; `Corrupt` for damage, naming what is damaged. A caller that is cancelled leaves no half
    batch, no hung writer and no lock behind; whether a batch cancelled in flight was applied is
    told by applying it again (its id makes that safe).
    """

    @property
    def capabilities(self) -> frozenset[Capability]:
        """What this back end can do beyond `get`, `apply` and `scan`."""
        ...

    async def open(self) -> None:
        """Make the store ready, creating it where there is none; opening twice is no error."""
        ...

    async def close(self) -> None:
        """Finish what was accepted, then let go of everything; closing twice is no error."""
        ...

    async def ping(self, *, thorough: bool = False) -> Health:
        """Say whether the store does what it promises, and why not; raises nothing.

        With `thorough`, look for damage in everything that is stored, and tell all of it.
        """
        ...

    async def get(self, keys: Sequence[Key], *, bodies: bool = True) -> list[Record | None]:
        """Return the live records of `keys` in the order asked, `None` where absent.

        All are of one moment. Without `bodies` the records are headers alone.
        """
        ...

    async def apply(self, batch: Batch) -> Applied:
        """Do every change of the batch or none; `decide` says what each means.

        Returns after the batch is as durable as the back end promises. Raises `Conflict` where
        an expectation fails. A batch whose id was applied before changes nothing and answers as
        the first time; `Invalid` where that id was used for other keys.
        """
        ...

    def scan(self, query: Query) -> AsyncIterator[Record]:
        """Go through the matching records in the query's order, in bounded memory.

        Holds no lock while suspended and may be abandoned at any point. A record that is there
        from beginning to end is seen exactly once; one written meanwhile may or may not be.
        """
        ...

    async def tally(
        self, query: Query, sums: Sequence[str] = (), group_by: Sequence[str] = ()
    ) -> list[Tally]:
        """Count the matching records and add up labels, by group.

        Cursors bound it as they bound a scan; the limit does not. All are of one moment.
        """
        ...

    def feed(self, after: int = 0) -> AsyncIterator[Commit]:
        """Go through the commits with `seq` greater than `after`, up to the present, in order.

        Raises `NotFound` with the code `trimmed` where some of these were forgotten; `after=0`
        begins at the oldest that is kept.
        """
        ...

    async def changed(self, after: int) -> int:
        """Return the number of the newest commit, as soon as it is greater than `after`.

        At once if it is already, however it came: on another loop, through another handle, from
        another process. It is 0 where there is none, so `changed(-1)` always returns at once.
        Raises `Unavailable` when the store is closed meanwhile. What a view hides may wake it
        too: then `feed(after)` has nothing to tell, and whoever waits on goes on from the number
        returned.
        """
        ...

    async def trim(self, before: int) -> int:
        """Forget the commits with `seq` less than `before`; return how many went.

        The newest stays, so that no number is ever given twice. What a batch answered is
        forgotten with its commit: sent again, it is a new one.
        """
        ...


class Sealed(NamedTuple):
    """A closed body and the recipe that opens it."""

    body: bytes
    seal: str


@dataclass(frozen=True, slots=True)
class Dictionary:
    """What a compressor may lean on: content that the bodies of one space have in common.

    `name` is made of the content (hexadecimal), so that a seal can name it.
    """

    name: str
    content: bytes


NO_DICTIONARIES: Final[Mapping[str, Dictionary]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Opened:
    """A typed value taken apart: MessagePack's extension `code`, and what lies in the extension.

    That is `prefix`, byte for byte, and behind it the stored form of `value`.
    """

    code: int
    prefix: bytes
    value: object


class Values(Protocol):
    """Turn values into their stored form and back: one item of MessagePack each.

    The form composes: a list is its head and then the forms of its items, a dictionary with
    text keys its head and then the forms of its keys and values, in order. So whoever keeps the
    items apart can put the whole together byte for byte.
    """

    @property
    def name(self) -> str:
        """The name under which stored data says what wrote it."""
        ...

    def dumps(self, value: object) -> bytes:
        """Write `value`; raise `Invalid` naming the path of what cannot be written."""
        ...

    def loads(self, data: bytes, *more: bytes) -> object:
        """Read what `dumps` wrote; raise `Corrupt` for anything else.

        A form that lies in pieces is handed in as they are: so it is put together once.
        """
        ...

    def same(self, value: object, form: bytes, *, bare: bool) -> bool:
        """Tell whether `dumps` writes `value` in this form; `bare` is what `is_bare` says of it.

        Raises `Invalid` as `dumps`.
        """
        ...

    def is_bare(self, form: bytes) -> bool:
        """Tell whether a form is certain to hold nothing that takes a closer look to compare."""
        ...

    def repeats(self, form: bytes) -> bool:
        """Tell whether a form is certain to be read as the same value each time.

        Then what was made of it once may be copied for whoever reads it again.
        """
        ...

    def bare(self, value: object) -> bytes:
        """Write `value` without a closer look, nothing where that cannot be.

        For comparing alone: a bare form or a part of it comes out of this only where `dumps`
        writes the same.
        """
        ...

    def open(self, value: object) -> Opened | None:
        """Take a typed value apart as `dumps` would, or `None` where it is kept in one piece."""
        ...


class Sealer(Protocol):
    """Turn an object, or bytes, into a sealed body and back."""

    @property
    def values(self) -> Values:
        """How objects are written inside the bodies."""
        ...

    def foreign(self, name: str) -> Values:
        """Return how another program's values are shown: as they are stored, byte for byte."""
        ...

    async def seal(self, value: object, key: Key) -> Sealed:
        """Close `value` for `key`.

        Takes the value as it is at the call: later changes to it do not matter. Raises `Invalid`
        naming the path of a value that has no registered type.
        """
        ...

    async def unseal(self, record: Record) -> object:
        """Open the body of `record` by its own recipe; raise `Corrupt` with its key if damaged."""
        ...

    def unseal_at_once(self, record: Record) -> object | None:
        """Open as `unseal` does, without a wait; `None` where a body is too big for that."""
        ...

    def pack(self, data: bytes, key: Key, *, dictionary: Dictionary | None = None) -> Sealed:
        """Close bytes that are a stored form already, at once and in this thread."""
        ...

    def unpack(
        self, record: Record, *, dictionaries: Mapping[str, Dictionary] = NO_DICTIONARIES
    ) -> bytes:
        """Open what `pack` closed, at once and in this thread.

        `dictionaries` are those at hand, by name. Raises `Invalid` with the code
        `unknown_dictionary` and the fact `dictionary` where another one is needed, and `Corrupt`
        with the key where body or seal are damaged.
        """
        ...

    def train(self, samples: Sequence[bytes], *, size: int) -> Dictionary | None:
        """Make a dictionary of at most `size` bytes for bodies like these; takes its time.

        Returns `None` where nothing is gained by one, or the samples are too few.
        """
        ...


@runtime_checkable
class Clock(Protocol):
    """Tell the time in microseconds and make ids that sort by it."""

    def now(self) -> int:
        """Return microseconds since 1970-01-01 UTC."""
        ...

    def new_id(self) -> str:
        """Return an id that was never returned before and sorts behind earlier ones."""
        ...


def require(backend: Backend, capability: Capability) -> None:
    """Raise `Invalid`, naming the capability, unless the back end declares it."""
    if capability not in backend.capabilities:
        message = (
            f"this back end has no capability {capability.value!r}; "
            f"it has: {', '.join(sorted(backend.capabilities)) or 'none'}"
        )
        raise Invalid(message, code="unsupported", capability=capability.value)
