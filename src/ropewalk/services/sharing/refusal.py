"""The errors of a handle on what others have granted: each names the grant that is needed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...domain.errors import Denied
from .coverage import CLOSED, PARTS

if TYPE_CHECKING:
    from ...domain.grant import Mode


def no_grant(
    space: str,
    to: str,
    *,
    mode: Mode,
    kind: str | None = None,
    session_id: str | None = None,
) -> Denied:
    """Make the error for something that no grant covers; it says how one is given.

    It does not say whether there is anything to see, nor whether the space exists.
    """
    what, needed = "anything", "whole=True"
    if kind in CLOSED:
        message = f"records of kind {kind!r} are for the handles of space {space!r} alone"
        return Denied(message, code="no_grant", space=space, to=to, mode=mode.value, kind=kind)
    if session_id is not None:
        what, needed = f"session {session_id!r}", f"session_id={session_id!r}"
    elif kind is not None:
        whole = next((name for name, parts in PARTS.items() if kind in parts), kind)
        what, needed = f"this record of kind {kind!r}", f"kind={whole!r}"
    message = (
        f"space {to!r} has no grant to {mode} {what} in space {space!r}; there, somebody can give "
        f"it: storage.grants.give({to!r}, {needed}, mode={mode.value!r})"
    )
    return Denied(
        message,
        code="no_grant",
        space=space,
        to=to,
        mode=mode.value,
        kind=kind,
        session_id=session_id,
    )


def no_manager(what: str) -> Denied:
    """Make the error for a handle that may not do what only the opener of the store may."""
    message = (
        f"{what} is for the handle that ropewalk.open() returned: this one is confined to a space"
    )
    return Denied(message, code="confined")


def no_owner(what: str) -> Denied:
    """Make the error for a handle on a granted space that would act for its owner."""
    message = f"{what} is for the space's own handles: this one sees what was granted, and no more"
    return Denied(message, code="guest")
