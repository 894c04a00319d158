"""Find out which store is meant, and open it; nothing is made where there is none."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import unquote

from ...config import Config
from ...domain.address import PATHS, redacted
from ...domain.errors import Invalid, NotFound

if TYPE_CHECKING:
    from ...services.storage import Storage
    from .command import Invocation

T = TypeVar("T")


def run(work: Coroutine[None, None, T]) -> T:
    """Do asynchronous work to its end."""
    try:
        return asyncio.run(work)
    finally:
        # An interrupt may come before the work has begun.
        work.close()


def settings(invocation: Invocation, *, url: str | None = None) -> Config:
    """Return the configuration, with a URL; raise `Invalid` where none is given anywhere."""
    config = Config.load(url or invocation.url, file=invocation.config)
    if config.url is None:
        message = (
            "no store is named: give one with -u, for example -u sqlite:///agent.db, "
            "set ROPEWALK_URL, or write url = ... into ropewalk.toml"
        )
        raise Invalid(message, code="no_url", field="url")
    return config.changed(space=invocation.space)


def path_of(url: str) -> Path | None:
    """Return the file or folder that a URL names, or `None` if it names none."""
    scheme, _, rest = url.partition("://")
    name = unquote(rest.partition("?")[0]).removeprefix("/")
    return Path(name) if scheme in PATHS and name and "\0" not in name else None


def check_there(config: Config) -> None:
    """Raise `NotFound` where the URL names a file or a folder that does not exist."""
    path = path_of(config.url or "")
    if path is not None and not path.exists():
        message = (
            f"there is no store at {redacted(config.url or '')}: check the path; "
            "a program that opens it makes one"
        )
        raise NotFound(message, code="no_store", path=str(path))


@asynccontextmanager
async def opened(
    invocation: Invocation, *, url: str | None = None
) -> AsyncGenerator[Storage, None]:
    """Open the store that is there for the block."""
    config = settings(invocation, url=url)
    check_there(config)
    async with entered(config) as storage:
        yield storage


@asynccontextmanager
async def entered(config: Config) -> AsyncGenerator[Storage, None]:
    """Open a store, which is made where there is none, for the block."""
    from ...factory import open

    actor = None if config.actor else "ropewalk"
    async with open(config, actor=actor) as storage:
        yield storage
