"""Die at every call to the system that forgetting commits makes, and look at what is left.

A child process forgets the oldest commits and writes on, and dies at its nth call. A process that
had the store open meanwhile and one that opens it anew must see all commits or those that were to
stay, and nothing else; then both go on. Prints how many deaths were tried.
"""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path

from ropewalk.backends.file import batches, folder, recovery, trimming
from ropewalk.domain.change import Batch, Put
from ropewalk.domain.clock import FrozenClock
from ropewalk.domain.record import Key

from .file_steps import die, opened, replace

COMMITS = 6
KEPT = 4
"""The first number that is to stay."""


def write(store: folder.Folder, number: int) -> int:
    """Write the batch of a number; return the number of its commit."""
    batch = Batch((Put(key=Key("trim", "note", f"n{number}")),), id=f"b{number}")
    deadline = time.monotonic() + 10
    clock = FrozenClock(1_000)
    return batches.apply(store, batch, clock=clock, durable=True, deadline=deadline).seq


def forget(root: Path, begin: Callable[[], None]) -> None:
    """Forget the oldest commits, then write on."""
    store = opened(root)
    begin()
    trimming.trim(store, KEPT, deadline=time.monotonic() + 10)
    write(store, COMMITS + 1)


def told(store: folder.Folder) -> list[int]:
    """Return the numbers that the feed tells, having checked whose they are."""
    with store.reading(time.monotonic() + 10) as mark:
        commits, _ = store.log.after(0, until=mark.seq, count=99)
        assert mark.seq == store.log.seq
    assert [f"b{commit.seq}" for commit in commits] == [commit.batch_id for commit in commits]
    assert store.log.damaged == {}
    return [commit.seq for commit in commits]


def check(store: folder.Folder) -> int:
    """Check what a store tells after the death; return the first number."""
    numbers = told(store)
    assert numbers[0] in (1, KEPT), numbers
    assert numbers == list(range(numbers[0], numbers[-1] + 1))
    assert numbers[-1] in (COMMITS, COMMITS + 1)
    return numbers[0]


def tried(home: Path, template: Path, *, boots: bool) -> int:
    """Let a child die at every call, in both ways; return how many deaths that were."""
    deaths = 0
    seen: set[int] = set()
    for torn in (False, True):
        calls, died = 0, True
        while died:
            root = home / f"{torn}-{calls}"
            shutil.copytree(template, root)
            beside = None if boots else opened(root)
            died = die(root, forget, calls=calls, torn=torn)
            deaths += died
            calls += 1
            if beside is not None:
                seen.add(check(beside))
            fresh = opened(root)
            seen.add(check(fresh))
            # Both go on, and each sees what the other does.
            last = told(fresh)[-1]
            assert write(fresh, last + 1) == last + 1
            stores = [fresh] if beside is None else [beside, fresh]
            trimming.trim(stores[0], KEPT + 1, deadline=time.monotonic() + 10)
            for store in stores:
                assert told(store) == list(range(KEPT + 1, last + 2))
            for store in stores:
                store.close(time.monotonic() + 10)
            again = opened(root)
            assert told(again) == list(range(KEPT + 1, last + 2))
            assert again.notes == []
            again.close(time.monotonic() + 10)
            shutil.rmtree(root)
    assert seen == {1, KEPT}
    return deaths


def main(home: Path) -> None:
    """Try all deaths, and again where the machine was started anew since."""
    template = home / "template"
    store = opened(template)
    for number in range(1, COMMITS + 1):
        assert write(store, number) == number
    print("a trim:", tried(home, template, boots=False))  # noqa: T201 (the answer)
    boots = iter(f"boot {n}" for n in range(1_000_000))
    replace(recovery, "boot_id", lambda: next(boots))
    print("a trim before another boot:", tried(home, template, boots=True))  # noqa: T201


if __name__ == "__main__":
    main(Path(sys.argv[1]))
