"""Items that are made out of stored forms many at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from ..domain.errors import Corrupt
from .form import SLOT, VALUE, Ref, Slot, read_value
from .heads import list_head

if TYPE_CHECKING:
    from ..domain.ports import Values

Forms: TypeAlias = tuple[int, bytes]
"""How many forms a leaf has, and all of them."""

BATCH_BYTES: Final = 128 * 1024
"""Items are made out of so many bytes together: about a millisecond."""


class Batch:
    """Stored forms that are made into items together, and the items that were made of others."""

    __slots__ = ("_values", "count", "forms", "made", "size")

    def __init__(self, values: Values) -> None:
        self._values = values
        self.count = self.size = 0
        self.forms: list[bytes] = []
        self.made: list[Any] = []

    @property
    def is_full(self) -> bool:
        """Whether there is a millisecond's work in it."""
        return self.size > BATCH_BYTES

    def add(self, count: int, *forms: bytes) -> None:
        """Put so many forms behind the others, in as many pieces as they lie in."""
        self.count += count
        self.size += sum(map(len, forms))
        self.forms += forms

    def put(self, items: Sequence[Any], *, size: int) -> None:
        """Put items that are made already behind the others; `size` is what they have cost."""
        if self.count:
            self.make()
        self.made += items
        self.size += size

    def make(self) -> None:
        """Make items of what has come together."""
        if self.count:
            self.made += made_of_forms(self._values, self.count, *self.forms)
            self.count = 0
            self.forms = []
        self.size = 0


def made_of_forms(values: Values, count: int, *forms: bytes) -> list[Any]:
    """Make so many items of their forms, which stand behind one another."""
    items = values.loads(list_head(count), *forms)
    if not isinstance(items, list) or len(items) != count:  # pyright: ignore[reportUnknownArgumentType]
        message = "a leaf holds other items than it says"
        raise Corrupt(message, code="bad_node")
    return items  # pyright: ignore[reportUnknownVariableType]


def form_at_hand(slot: Slot, bodies: Mapping[bytes, bytes]) -> bytes | None:
    """Return a stored form that needs no further reading, `None` where it does."""
    if isinstance(slot, bytes):
        return slot
    if isinstance(slot, Ref) and not slot.deep:
        body = bodies[slot.digest]
        if body[:1] != SLOT:
            return read_value(body)
    return None


def forms_at_hand(slots: Sequence[Slot], bodies: Mapping[bytes, bytes]) -> Forms | None:
    """Return the forms of a whole leaf, `None` where one takes further reading, or it is long."""
    forms: list[bytes] = []
    for slot in slots:
        # Nearly every item of a long list is a node of its own: nothing is called for it.
        body = b"" if type(slot) is not Ref or slot.deep else bodies[slot.digest]
        form = body[1:] if body[:1] == VALUE else form_at_hand(slot, bodies)
        if form is None:
            return None
        forms.append(form)
    joined = b"".join(forms)
    return (len(forms), joined) if len(joined) <= BATCH_BYTES else None
