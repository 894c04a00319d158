"""Die at every single call to the system that a batch makes, or an opening, or a recovery.

A child process does it and dies at its nth call, before it or in the middle of a write. The parent
looks at what is left, as the next process would, applies the batch again and compares. Prints for
each scenario how many deaths were tried.
"""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import cast

from ropewalk.backends.file import batches, disk, folder, journal, recovery
from ropewalk.backends.file.layout import JOURNAL
from ropewalk.domain.change import Applied, Batch, Change, Check, Delete, Ensure, Put
from ropewalk.domain.clock import FrozenClock
from ropewalk.domain.record import Key

DIED = 77
SHORT, LONG = b"before", b"after" * 2_000

State = dict[str, tuple[int, bytes | None]]
"""Version and body of each record, (0, None) where it is absent."""

Act = Callable[[Path, Callable[[], None]], None]
"""Work on the store in a folder, calling the function first where deaths begin to count."""


def _key(id: str, space: str = "steps") -> Key:
    return Key(space, "note", id)


FIRST = Batch(
    (
        Put(key=_key("put"), body=SHORT),
        Put(key=_key("raise"), body=SHORT),
        Put(key=_key("delete"), body=SHORT),
        Put(key=_key("check"), body=SHORT),
    ),
    id="first",
)
CHANGES: tuple[Change, ...] = (
    Put(key=_key("put"), body=LONG, labels={"n": 2}, expect=1),
    Ensure(key=_key("raise"), stamp=9),
    Delete(key=_key("delete")),
    Check(key=_key("check"), expect=1),
    Put(key=_key("new"), body=LONG, expect=0),
    Put(key=_key("far", space="new space"), body=LONG, expect=0),
)
SECOND = Batch(CHANGES, id="second")

EMPTY: State = {change.key.id: (0, None) for change in CHANGES}
BEFORE: State = EMPTY | {
    "put": (1, SHORT),
    "raise": (1, SHORT),
    "delete": (1, SHORT),
    "check": (1, SHORT),
}
AFTER: State = BEFORE | {
    "put": (2, LONG),
    "raise": (9, SHORT),
    "delete": (0, None),
    "new": (1, LONG),
    "far": (1, LONG),
}


CHANGING = ("ftruncate", "mkdir", "open", "pwrite", "rename", "unlink")
"""Calls that leave something behind; dying before any other is dying before the next of these."""


class Dying:
    """The module `os`, until one call too many: then the process is gone.

    `torn` counts writes alone, and dies in the middle of one.
    """

    def __init__(self, calls: int, *, torn: bool) -> None:
        self._left = calls
        self._torn = torn

    def __getattr__(self, name: str) -> object:
        found: object = getattr(os, name)
        if name not in (("pwrite",) if self._torn else CHANGING):
            return found
        assert callable(found)

        def call(*args: object, **options: object) -> object:
            if name != "open" or (isinstance(args[1], int) and args[1] & os.O_CREAT):
                self._left -= 1
            if self._left < 0:
                if self._torn:
                    fd, data, offset = args
                    assert isinstance(fd, int)
                    assert isinstance(offset, int)
                    whole = cast("memoryview[int]", data).tobytes()
                    os.pwrite(fd, whole[: len(whole) // 2], offset)
                os._exit(DIED)
            return found(*args, **options)

        return call


def replace(module: ModuleType, name: str, value: object) -> None:
    """Put something else in the place of a name, in this process alone."""
    setattr(module, name, value)


def opened(root: Path) -> folder.Folder:
    """Return the store in a folder, open."""
    store = folder.Folder(root)
    store.open(time.monotonic() + 10)
    return store


def apply(store: folder.Folder, batch: Batch) -> Applied:
    """Apply a batch as the back end does."""
    clock = FrozenClock(1_000)
    return batches.apply(store, batch, clock=clock, durable=True, deadline=time.monotonic() + 10)


def apply_second(root: Path, begin: Callable[[], None]) -> None:
    """Apply the batch to an open store."""
    store = opened(root)
    begin()
    apply(store, SECOND)


def apply_and_settle(root: Path, begin: Callable[[], None]) -> None:
    """Apply the batch where the journal is so long that it is emptied at once."""
    replace(folder, "LONG_JOURNAL", 0)
    apply_second(root, begin)


def open_and_close(root: Path, begin: Callable[[], None]) -> None:
    """Open the store and close it."""
    begin()
    opened(root).close(time.monotonic() + 10)


def open_after_another_boot(root: Path, begin: Callable[[], None]) -> None:
    """Open the store where the machine was started anew since."""
    replace(recovery, "boot_id", lambda: "another boot")
    open_and_close(root, begin)


def state_of(store: folder.Folder) -> State:
    """Return what is in the store, read from the files."""
    found = dict(EMPTY)
    with store.reading(time.monotonic() + 10):
        for change in CHANGES:
            header = store.header(change.key)
            if header is not None:
                record = store.record(header)
                found[change.key.id] = (record.version, record.body)
    return found


def check(root: Path, allowed: tuple[State, ...]) -> State:
    """Open what is left, compare it, go on with it; return what it was."""
    store = opened(root)
    found = state_of(store)
    assert found in allowed, found
    if found == EMPTY:
        apply(store, FIRST)
    answer = apply(store, SECOND)
    assert (found == AFTER) == answer.replayed
    assert [change.version for change in store.log.after(1, until=9, count=9)[0][0].changes] == [
        2,
        9,
        0,
        1,
        1,
    ]
    assert state_of(store) == AFTER
    with store.reading(time.monotonic() + 10) as mark:
        told, _ = store.log.after(0, until=mark.seq, count=99)
    assert [commit.batch_id for commit in told] == ["first", "second"]
    assert (store.damaged, store.log.damaged, store.notes) == ({}, {}, [])
    store.close(time.monotonic() + 10)
    again = opened(root)
    assert state_of(again) == AFTER
    again.close(time.monotonic() + 10)
    return found


def die(root: Path, act: Act, *, calls: int, torn: bool) -> bool:
    """Do something in a process that dies after some calls; tell whether it did."""
    child = os.fork()
    if not child:
        act(root, lambda: replace(disk, "os", Dying(calls, torn=torn)))
        os._exit(0)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert code in (0, DIED), f"the child ended with {code}"
    return code == DIED


def die_everywhere(
    home: Path, template: Path | None, act: Act, *, allowed: tuple[State, ...]
) -> int:
    """Let a child die at every call, in both ways; return how many deaths that were."""
    deaths = 0
    seen: list[State] = []
    for torn in (False, True):
        calls = 0
        while True:
            root = home / f"{torn}-{calls}"
            if template is not None:
                shutil.copytree(template, root)
            died = die(root, act, calls=calls, torn=torn)
            seen.append(check(root, allowed))
            shutil.rmtree(root)
            if not died:
                break
            deaths += 1
            calls += 1
    assert all(state in seen for state in allowed), "an outcome never came"
    return deaths


def waiting(home: Path, template: Path) -> Path:
    """Return a store whose writer died when its batch stood in the journal, and nowhere else."""
    for calls in range(1_000):
        root = home / f"waiting-{calls}"
        shutil.copytree(template, root)
        die(root, apply_second, calls=calls, torn=False)
        below = disk.Disk(root)
        below.open()
        with below.file(JOURNAL, disk.READ) as file:
            mark = journal.read_mark(file)
            whole = list(journal.entries(file, mark.end, file.size()))
        below.close()
        if whole:
            return root
    message = "no death left the batch waiting"
    raise AssertionError(message)


def main(home: Path) -> None:
    """Go through all scenarios."""
    template = home / "template"
    store = opened(template)
    apply(store, FIRST)
    # Left as it is: a store that was closed has an empty journal, which is the easier case.
    left = waiting(home, template)
    both, done = (BEFORE, AFTER), (AFTER,)
    scenarios: dict[str, tuple[Path | None, Act, tuple[State, ...]]] = {
        "a batch": (template, apply_second, both),
        "a batch that empties the journal": (template, apply_and_settle, both),
        "a new store": (None, open_and_close, (EMPTY,)),
        "an opening": (template, open_and_close, (BEFORE,)),
        "a recovery": (left, open_and_close, done),
        "a recovery after another boot": (left, open_after_another_boot, done),
    }
    for name, (begin, act, allowed) in scenarios.items():
        deaths = die_everywhere(home, begin, act, allowed=allowed)
        print(f"{name}: {deaths} deaths")  # noqa: T201 (it is what the caller looks at)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
