"""Answers where the interfaces promise one instead of an error; what happened is logged."""

from __future__ import annotations

import logging
from collections.abc import Awaitable
from typing import Final, TypeVar

from ..domain.errors import Corrupt, Invalid, NotFound, RopewalkError

T = TypeVar("T")
A = TypeVar("A")

_LOG: Final = logging.getLogger("ropewalk.compat")


async def wrote(work: Awaitable[T], what: str) -> bool:
    """Return whether a write was done; every refusal means that nothing was written."""
    try:
        await work
    except RopewalkError as error:
        _LOG.warning("%s was not written [%s]: %s", what, error.code, error)
        return False
    return True


async def read(work: Awaitable[T], what: str, *, otherwise: A) -> T | A:
    """Return what was read, or `otherwise` where there is nothing that can be read.

    A store that cannot answer is no store without the record: `Unavailable` and `Denied` are
    raised.
    """
    try:
        return await work
    except (NotFound, Invalid, Corrupt) as error:
        _LOG.warning("%s was not read [%s]: %s", what, error.code, error)
        return otherwise
