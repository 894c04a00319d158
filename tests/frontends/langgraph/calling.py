"""Ways to call something that has synchronous methods and asynchronous ones beside them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Final


class Caller:
    """Call `name` of an object in one way: awaited, on the running loop, or from a thread."""

    def __init__(self, target: object, way: str) -> None:
        """Call methods of `target`."""
        self._target = target
        self._way = way

    async def __call__(self, name: str, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 (any method)
        """Call a method and return what it gives."""
        if self._way == "async":
            return await getattr(self._target, f"a{name}")(*args, **kwargs)
        method: Callable[..., Any] = getattr(self._target, name)
        if self._way == "thread":
            return await asyncio.to_thread(method, *args, **kwargs)
        return method(*args, **kwargs)


WAYS: Final = ("async", "on the loop", "thread")
