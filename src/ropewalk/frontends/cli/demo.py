"""`ropewalk demo`: a store to look at, made and shown in one go."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

import click

from ...domain.errors import Conflict, Corrupt, Invalid, NotFound
from .command import Example, Invocation, command
from .exits import Exit
from .opening import run
from .output import Output
from .story import FIRST, MARK, clock, tell
from .tour import show

if TYPE_CHECKING:
    from ...domain.ports import Clock
    from ...services.storage import Storage

_FILE: Final = "ropewalk-demo.db"
_BESIDE: Final = ("-wal", "-shm", "-journal")


@command(
    examples=[
        Example("ropewalk demo", "make ropewalk-demo.db in this folder, and show it"),
        Example("ropewalk demo --force --json", "make it anew, and describe it for programs"),
        Example("ropewalk demo --path other.db", "make it somewhere else"),
        Example("ropewalk demo --rm", "remove it"),
    ],
    exits=(Exit.DONE, Exit.USAGE, Exit.NOT_FOUND, Exit.CONFLICT),
    on_store=False,
)
@click.option(
    "--path",
    type=click.Path(path_type=Path, dir_okay=False),
    default=_FILE,
    show_default=True,
    help="The SQLite file to make.",
)
@click.option("--force", is_flag=True, help="Make it anew where it is there already.")
@click.option("--rm", is_flag=True, help="Remove it and make nothing.")
@click.pass_obj
def demo(invocation: Invocation, path: Path, *, force: bool, rm: bool) -> None:
    """Make a small store to look at, and show it.

    It has two sessions with three threads and four forks, messages, tool calls, calls of two
    models with tokens and cost, checkpoints, a snapshot and a rollback; the same each time. A
    file that is no demonstration is never touched.
    """
    run(_demo(Output(invocation), path, force=force, remove=rm))


async def _demo(output: Output, path: Path, *, force: bool, remove: bool) -> None:
    there = path.exists()  # noqa: ASYNC240 (one look at a local file)
    if there:
        await _check_ours(path)
        if not force and not remove:
            message = (
                f"{path} is there already: make it anew with --force, remove it with --rm, or "
                f"look at it with: ropewalk ls -u {url_of(path)}"
            )
            raise Conflict(message, code="exists", path=str(path))
        for name in (path.name, *(f"{path.name}{end}" for end in _BESIDE)):
            path.with_name(name).unlink(missing_ok=True)
    if remove:
        output.say(f"{path} is removed" if there else f"there is no {path}")
        return
    if not path.parent.is_dir():
        message = f"there is no folder {path.parent}: make it, or name another path"
        raise NotFound(message, what="folder", path=str(path.parent))
    await _make(path)
    async with _opened(path) as storage:
        await show(storage, output, url_of(path))


def url_of(path: Path) -> str:
    """Return the URL of an SQLite file, as it would be typed."""
    return f"sqlite:///{quote(path.as_posix(), safe='/')}"


def _opened(path: Path, time: Clock | None = None) -> AbstractAsyncContextManager[Storage]:
    """Open the file with the settings of the house: a user's own must not change the story."""
    from ...config import Config
    from ...factory import open

    return open(Config.from_mapping({"url": url_of(path)}), clock=time)


async def _check_ours(path: Path) -> None:
    """Raise `Invalid` unless the file holds a demonstration that we made."""
    message = f"{path} is no demonstration of ours and stays as it is: name another file"
    if not _may_be_a_store(path):
        raise Invalid(message, code="not_ours", path=str(path))
    try:
        async with _opened(path) as storage:
            first = await storage.sessions.find(FIRST)
    except (Invalid, Corrupt) as error:
        raise Invalid(message, code="not_ours", path=str(path)) from error
    if first is None or first.metadata.get("made_by") != MARK:
        raise Invalid(message, code="not_ours", path=str(path))


def _may_be_a_store(path: Path) -> bool:
    """Tell by its header whether a file is an SQLite database that some program has marked.

    Opening is for stores alone: it would make one of an empty file. Byte 68 and the three behind
    it are the application id (https://sqlite.org/fileformat.html).
    """
    with path.open("rb") as file:
        header = file.read(72)
    return header.startswith(b"SQLite format 3\0") and any(header[68:72])


async def _make(path: Path) -> None:
    time = clock()
    async with _opened(path, time) as storage:
        await tell(storage, time)
