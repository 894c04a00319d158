"""The file store keeps the whole contract, and what it wrote, when it is opened again."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from ropewalk.backends.file import FileBackend
from ropewalk.domain.clock import FrozenClock
from ropewalk.testing.backend import BackendContract, DurableContract, Reopen, reopening

# A disk in memory, where there is one: hundreds of stores are made here, and an `fsync` on a busy
# disk takes longer than the rest. The tests of crashes and processes work on the real one.
MEMORY = Path("/dev/shm")  # noqa: S108 (a folder of its own is made there)


class TestFile(BackendContract, DurableContract):
    """Every promise of a back end, kept in a folder."""

    @pytest.fixture
    def root(self) -> Iterator[Path]:
        """Return a folder that is not there yet."""
        with TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as folder:
            yield Path(folder, "store")

    @pytest.fixture
    async def backend(self, clock: FrozenClock, root: Path) -> AsyncIterator[FileBackend]:
        """Open a store in an empty folder."""
        backend = FileBackend(root, clock=clock)
        await backend.open()
        yield backend
        await backend.close()

    @pytest.fixture
    async def reopen(
        self, backend: FileBackend, clock: FrozenClock, root: Path
    ) -> AsyncIterator[Reopen]:
        """Close the store, and open its folder anew."""
        async with reopening(backend, partial(FileBackend, root, clock=clock)) as reopen:
            yield reopen
