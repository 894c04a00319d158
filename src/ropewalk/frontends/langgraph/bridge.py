"""`Bridge`: lets synchronous code use the store from any thread, on a running event loop too."""

from __future__ import annotations

from collections.abc import Coroutine, Generator
from contextlib import contextmanager
from typing import Any, TypeVar

from ...config import Config
from ...domain.errors import Invalid
from ...factory import open as open_store
from ...services.blocking import run
from ...services.storage import Storage

T = TypeVar("T")


class Bridge:
    """Run the coroutines of a store to their end for a caller who cannot await.

    Each call gets an event loop of its own, in a thread of the bridge. It never waits for the
    caller's loop, so that it comes to its end also where that loop stands still until it does:
    in a synchronous call from inside asynchronous code, or from a thread that such code waits
    for. A store belongs to no loop, so what is called that way and what is awaited meet in it
    as two tasks do. Copies of a bridge are as good as the bridge.
    """

    def __init__(self, storage: Storage) -> None:
        """Serve the callers of `storage`; raise `Invalid` for what is no open store."""
        self.storage = _checked(storage)

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine to its end, block the calling thread until then, and return its result.

        Raises what the coroutine raises. It sees the caller's context variables. A caller that
        is interrupted cancels it.
        """
        return run(coroutine)


@contextmanager
def opened(target: str | Config | None = None) -> Generator[Storage]:
    """Open a store for a program without an event loop, and close it behind the block.

    `target` is what `ropewalk.open` takes.
    """
    opening = open_store(target)
    storage = run(opening.__aenter__())
    try:
        yield storage
    finally:
        run(storage.close())


def _checked(storage: object) -> Storage:
    """Return what is a store; what `ropewalk.open` returns, before it is entered, is none."""
    if not isinstance(storage, Storage):
        message = (
            f"a storage is needed, not {type(storage).__name__}: write "
            "`async with ropewalk.open(url) as storage:` and pass what it gives, or, without "
            "an event loop, `with ropewalk.frontends.langgraph.opened(url) as storage:`"
        )
        raise Invalid(message, code="bad_type", field="storage")
    return storage
