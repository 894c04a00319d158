"""Meet, as an ordinary user, a file store that may only be read, and one that may not."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Awaitable
from pathlib import Path

from ropewalk.backends.file import FileBackend
from ropewalk.backends.file.lock import locking
from ropewalk.domain.change import Batch, Put
from ropewalk.domain.clock import FrozenClock
from ropewalk.domain.errors import Unavailable
from ropewalk.domain.health import State
from ropewalk.domain.query import Query
from ropewalk.domain.record import Key

NOBODY = 65_534


async def main(home: Path) -> None:
    """Make a store that this user may write, forbid it, and try."""
    # Once another user, this process may not be able to import anything more.
    locking()
    if os.geteuid() == 0:
        os.chown(home, NOBODY, NOBODY)
        os.setgroups([])
        os.setresgid(NOBODY, NOBODY, NOBODY)
        os.setresuid(NOBODY, NOBODY, NOBODY)
    root = home / "store"
    backend = FileBackend(root, clock=FrozenClock())
    key = Key("s", "k", "a")
    await backend.open()
    await backend.apply(Batch((Put(key=key, body=b"old"),)))
    allow(root, write=False)
    await look(backend, key)
    await backend.close()
    await backend.open()
    await look(backend, key)
    await backend.close()
    allow(root, write=True)
    await backend.open()
    await backend.apply(Batch((Put(key=key, body=b"new"),)))
    await backend.close()
    home.chmod(0o500)
    for folder in (home / "new", home / "new" / "deeper"):
        await refuse(FileBackend(folder, clock=FrozenClock()))
    home.chmod(0o000)
    await refuse(FileBackend(root, clock=FrozenClock()))
    home.chmod(0o700)


def allow(root: Path, *, write: bool) -> None:
    """Let everything beneath a folder be read, or be written as well."""
    for path in (root, *root.rglob("*")):
        path.chmod((0o700 if write else 0o500) if path.is_dir() else (0o600 if write else 0o400))


async def error_of(call: Awaitable[object]) -> Unavailable:
    """Return what was said instead of an answer."""
    try:
        await call
    except Unavailable as error:
        return error
    message = "what is forbidden was done"
    raise AssertionError(message)


async def look(backend: FileBackend, key: Key) -> None:
    """Read, and find that writing is refused and leaves nothing."""
    error = await error_of(backend.apply(Batch((Put(key=key, body=b"forbidden"),))))
    assert ("read_only", "EACCES") == (error.code, error.facts["errno"])
    assert "change the permissions" in error.message
    (record,) = await backend.get([key])
    assert record is not None
    assert (b"old", 1) == (record.body, record.version)
    assert 1 == len([record async for record in backend.scan(Query(space=None))])
    health = await backend.ping()
    assert (State.DEGRADED, True) == (health.state, "nothing can be" in health.reasons[0])


async def refuse(backend: FileBackend) -> None:
    """Find that the store does not open."""
    assert (await error_of(backend.open())).code == "read_only"
    assert State.DOWN is (await backend.ping()).state
    await backend.close()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
    sys.stdout.write("done\n")
