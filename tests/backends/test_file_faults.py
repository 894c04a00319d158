"""Every call to the system may fail: the batch is there or not, nothing leaks, and all goes on."""

from __future__ import annotations

import errno
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import pytest

from ropewalk.backends.file import FileBackend, disk, folder
from ropewalk.domain.change import Batch, Delete, Ensure
from ropewalk.domain.clock import FrozenClock
from ropewalk.domain.errors import Corrupt, Unavailable
from ropewalk.domain.health import State
from ropewalk.domain.query import Query
from ropewalk.testing.samples import SPACE, commits, everything, ids, key, put, versions, write

MEMORY = Path("/dev/shm")  # noqa: S108 (a folder of its own is made there)

NAMES: Final = ("a", "b", "c", "d")
BEFORE: Final = [1, 1, 4, 0]
AFTER: Final = [2, 0, 9, 1]
BATCH: Final = Batch(
    (put("a", b"new" * 999), Delete(key=key("b")), Ensure(key=key("c"), stamp=9), put("d", b"new")),
    id="faulty",
)

CHANGING = ("fsync", "ftruncate", "mkdir", "open", "pwrite", "rename", "unlink")


class Failing:
    """The module `os`, whose nth call of some kind fails, or every one from the nth on."""

    def __init__(self) -> None:
        self.calls = 0
        self._first = self._last = -1
        self._names: tuple[str, ...] = ()
        self._about = ""
        self._errno = 0

    def fail(
        self,
        number: int,
        *,
        names: tuple[str, ...],
        code: int,
        ever: bool = False,
        about: str = "",
    ) -> None:
        """Let the call of this number fail, counted from now on, or every one since.

        `about` counts only calls that begin with this argument.
        """
        self.calls = 0
        self._about = about
        self._first, self._last = number, 2**31 if ever else number
        self._names, self._errno = names, code

    def heal(self) -> None:
        """Fail no more."""
        self._names = ()

    @property
    def failed(self) -> bool:
        """Whether any call has failed since it was told to."""
        return self.calls > self._first

    def __getattr__(self, name: str) -> object:
        found: object = getattr(os, name)
        if name not in self._names:
            return found
        assert callable(found)

        def call(*args: object, **options: object) -> object:
            if self._about not in ("", args[0]):
                return found(*args, **options)
            number = self.calls
            self.calls += 1
            if self._first <= number <= self._last:
                raise OSError(self._errno, os.strerror(self._errno))
            return found(*args, **options)

        return call


@pytest.fixture
def system(monkeypatch: pytest.MonkeyPatch) -> Failing:
    """Put a system that can fail in the place of the real one."""
    system = Failing()
    monkeypatch.setattr(disk, "os", system)
    return system


@pytest.fixture
async def make() -> AsyncIterator[Callable[[], FileBackend]]:
    """Return what makes stores in ever new folders, and closes them in the end."""
    made: list[FileBackend] = []
    with TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as home:

        def make() -> FileBackend:
            made.append(FileBackend(Path(home, str(len(made))), clock=FrozenClock(tick=0)))
            return made[-1]

        yield make
        for backend in made:
            await backend.close()


async def _filled(backend: FileBackend) -> None:
    await backend.open()
    await write(backend, put("a", b"old"), put("b"), Ensure(key=key("c"), stamp=4))


async def _error_of(call: Awaitable[object]) -> Unavailable | None:
    try:
        await call
    except Unavailable as error:
        return error
    return None


async def _assert_all_or_nothing(backend: FileBackend) -> bool:
    """Compare the store with what it may be, apply the batch again; tell whether it was there."""
    there = await versions(backend, *NAMES)
    assert there in (BEFORE, AFTER)
    told = [commit.batch_id for commit in await commits(backend)]
    assert (there == AFTER) == ("faulty" in told)
    answer = await backend.apply(BATCH)
    assert (there == AFTER, (2, 0, 9, 1)) == (answer.replayed, answer.versions)
    assert AFTER == await versions(backend, *NAMES)
    bodies = [record.body for record in await everything(backend, Query(space=SPACE))]
    assert sorted([b"new" * 999, b"", b"new"]) == sorted(bodies)  # type: ignore[type-var]
    health = await backend.ping()
    assert (State.HEALTHY, ()) == (health.state, health.reasons)
    return there == AFTER


@pytest.mark.seed("1.5", "4.4", "8.3")
@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO], ids=errno.errorcode.__getitem__)
@pytest.mark.parametrize("ever", [False, True], ids=["once", "ever"])
async def test_any_call_of_a_batch_may_fail(
    system: Failing, make: Callable[[], FileBackend], *, code: int, ever: bool
) -> None:
    """Whichever call fails, once or from then on, the batch is `Unavailable` and never half done.

    Afterwards the store goes on, and the same batch can be applied again.
    """
    outcomes: set[bool] = set()
    number = 0
    for number in range(1_000):
        backend = make()
        await _filled(backend)
        system.fail(number, names=CHANGING, code=code, ever=ever)
        error = await _error_of(backend.apply(BATCH))
        # What is not needed for the batch may fail without a word.
        assert error is None or isinstance(error.__cause__, OSError)
        assert error is None or error.code == "unfinished" or str(backend.root) in error.message
        failed = system.failed
        system.heal()
        outcomes.add(await _assert_all_or_nothing(backend))
        if not failed:
            break
    assert number > 15
    assert {False, True} == outcomes


@pytest.mark.seed("1.5", "4.4")
async def test_any_call_of_a_reader_may_fail(
    system: Failing, make: Callable[[], FileBackend]
) -> None:
    """Reads that meet a failure are `Unavailable`, name the folder, and work again afterwards."""
    backend = make()
    await _filled(backend)
    names = ("fstat", "open", "pread", "stat")
    number = 0
    for number in range(1_000):
        system.fail(number, names=names, code=errno.EMFILE)
        errors = [
            await _error_of(ids(backend, Query(space=SPACE))),
            await _error_of(commits(backend)),
        ]
        assert [str(backend.root) in error.message for error in errors if error] == [True] * (
            system.failed
        )
        failed = system.failed
        system.heal()
        assert BEFORE == await versions(backend, *NAMES)
        if not failed:
            break
    assert number > 15
    assert (await backend.ping()).state is State.HEALTHY


@pytest.mark.seed("1.5", "8.5")
async def test_any_call_of_an_opening_may_fail(
    system: Failing, make: Callable[[], FileBackend]
) -> None:
    """A store that cannot open says so as `Unavailable`, and opens when the trouble is over."""
    number = 0
    for number in range(1_000):
        backend = make()
        system.fail(number, names=(*CHANGING, "fstat", "pread", "stat"), code=errno.EIO)
        try:
            await backend.open()
        except Unavailable:
            assert (await backend.ping()).state is State.DOWN
        system.heal()
        if not system.failed:
            break
        await _filled(backend)
        assert not await _assert_all_or_nothing(backend)
    assert number > 30


@pytest.mark.seed("2.5", "8.5")
async def test_a_journal_that_cannot_be_emptied_is_told(
    system: Failing, make: Callable[[], FileBackend], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where making batches safe fails, they stand in the journal, and `ping` is degraded."""
    monkeypatch.setattr(folder, "LONG_JOURNAL", 0)
    backend = make()
    await _filled(backend)
    # The first is for the journal itself, which must not fail.
    system.fail(1, names=("fsync",), code=errno.EIO, ever=True)
    assert AFTER == list((await backend.apply(BATCH)).versions)
    system.heal()
    health = await backend.ping()
    assert (State.DEGRADED, True) == (health.state, "could not be emptied" in health.reasons[0])
    await write(backend, put("e"))
    assert (await backend.ping()).state is State.HEALTHY


@pytest.mark.seed("2.5")
async def test_a_disk_that_takes_nothing_is_degraded(
    system: Failing, make: Callable[[], FileBackend]
) -> None:
    """`ping` finds out by trying that nothing can be written, though everything can be read."""
    backend = make()
    await _filled(backend)
    system.fail(0, names=("pwrite",), code=errno.ENOSPC, ever=True)
    health = await backend.ping()
    assert (State.DEGRADED, True) == (health.state, "no room left" in health.reasons[0])
    assert BEFORE == await versions(backend, *NAMES)


@pytest.mark.seed("2.5", "8.5")
async def test_a_batch_that_cannot_be_finished_is_told(
    system: Failing, make: Callable[[], FileBackend]
) -> None:
    """While a batch waits that nobody can finish, the store is down rather than half."""
    backend = make()
    await _filled(backend)
    system.fail(0, names=("rename",), code=errno.EIO, ever=True)
    with pytest.raises(Unavailable) as caught:
        await backend.apply(BATCH)
    assert caught.value.code == "unfinished"
    assert (await backend.ping()).state is State.DOWN
    with pytest.raises(Unavailable):
        await versions(backend, *NAMES)
    system.heal()
    assert await _assert_all_or_nothing(backend)


@pytest.mark.seed("5.1", "8.5")
async def test_a_failure_while_following_others_loses_nothing(
    system: Failing, make: Callable[[], FileBackend]
) -> None:
    """Whichever call fails while a process reads what another committed, it then sees it all."""
    backend = make()
    await _filled(backend)
    neighbour = FileBackend(backend.root, clock=FrozenClock(tick=0))
    await neighbour.open()
    number = 0
    for number in range(1_000):
        labels = {"n": number}
        await write(neighbour, put("a", labels=labels), put("b", labels=labels))
        system.fail(number, names=("fstat", "open", "pread", "stat"), code=errno.EIO)
        error = await _error_of(backend.tally(Query(space=SPACE)))
        assert (error is not None) == system.failed
        failed = system.failed
        system.heal()
        headers = await backend.get([key("a"), key("b")], bodies=False)
        assert [labels] * 2 == [dict(header.labels) for header in headers if header]
        if not failed:
            break
    assert number > 10
    await neighbour.close()


@pytest.mark.seed("8.2")
async def test_one_unreadable_file_hides_no_other(
    system: Failing, make: Callable[[], FileBackend]
) -> None:
    """A file that the disk cannot read at opening is `Corrupt` for its key, until it can be read.

    Where that happens later it may pass, and is `Unavailable`.
    """
    backend = make()
    await _filled(backend)
    system.fail(0, names=("open",), code=errno.EIO, ever=True, about="a.rec")
    error = await _error_of(versions(backend, "a"))
    assert error is not None
    assert await versions(backend, "b", "c") == [1, 4]
    await backend.close()
    await backend.open()
    with pytest.raises(Corrupt, match="cannot be read"):
        await versions(backend, "a")
    assert await ids(backend, Query(space=SPACE)) == ["b", "c"]
    assert "cannot be read" in (await backend.ping()).reasons[0]
    system.heal()
    assert await versions(backend, "a") == [1]
    assert (await backend.ping()).state is State.HEALTHY
