"""`Interest`: which changes somebody who watches the store wants to be told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, cast

from .errors import Invalid
from .record import check_name

if TYPE_CHECKING:
    from .record import Key


@dataclass(frozen=True, slots=True, kw_only=True)
class Interest:
    """Every part must hold; a part that is left out always does.

    `kinds` and `ids` are those of the records that changed, `actors` who committed, exactly.
    `session_id` and `thread_id` are the parents that the record has when it is looked at: of what
    is gone by then nobody knows them, so changes of that are told whichever they had.
    """

    kinds: tuple[str, ...] = ()
    ids: tuple[str, ...] = ()
    actors: tuple[str, ...] = ()
    session_id: str | None = None
    thread_id: str | None = None

    def __post_init__(self) -> None:
        """Refuse what can never come, and one text where several are meant."""
        for name in ("kinds", "ids", "actors"):
            values: object = getattr(self, name)
            if isinstance(values, str) or not isinstance(values, list | tuple | set | frozenset):
                message = f"{name} must be a tuple of texts, not {values!r}"
                raise Invalid(message, code="bad_type", field=name)
            texts = tuple(cast("tuple[str, ...]", values))
            for value in texts:
                if name != "actors":
                    check_name(value, field=name)
            object.__setattr__(self, name, texts)
        for name in ("session_id", "thread_id"):
            value = getattr(self, name)
            if value is not None:
                check_name(value, field=name)

    @property
    def in_family(self) -> bool:
        """Whether it depends on the parents of records."""
        return self.session_id is not None or self.thread_id is not None

    def wants_actor(self, actor: str) -> bool:
        """Tell whether commits of an actor may be told."""
        return not self.actors or actor in self.actors

    def wants_key(self, key: Key) -> bool:
        """Tell whether changes of a key may be told."""
        return (not self.kinds or key.kind in self.kinds) and (not self.ids or key.id in self.ids)


ANYTHING: Final = Interest()
"""Every change."""
