"""`open` puts a store together: by URL, by configuration, or out of what the program brings."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

import ropewalk
from ropewalk.backends.memory import MemoryBackend
from ropewalk.codecs.serialize import MsgPack
from ropewalk.config import Config, LayerConfig
from ropewalk.domain.change import Applied, Batch
from ropewalk.domain.clock import FrozenClock
from ropewalk.domain.errors import Conflict, Denied, Invalid, NotFound
from ropewalk.domain.ports import (
    NO_DICTIONARIES,
    Backend,
    Clock,
    Dictionary,
    Sealed,
    Values,
)
from ropewalk.domain.query import Query
from ropewalk.domain.record import Key, Record
from ropewalk.factory import BACKENDS, AddressedBackend
from ropewalk.layers.base import Layer
from ropewalk.layers.leaning import LeaningLayer
from ropewalk.layers.logs import LogsLayer
from ropewalk.layers.readonly import ReadonlyLayer
from ropewalk.layers.retry import RetryLayer
from ropewalk.layers.switch import SwitchLayer
from ropewalk.services.storage import Storage


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in an empty folder, with no settings of anybody."""
    monkeypatch.chdir(tmp_path)
    for name in ("URL", "SPACE", "ACTOR", "CODECS", "LAYERS", "CONFIG"):
        monkeypatch.delenv(f"ROPEWALK_{name}", raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "user"))
    return tmp_path


def coats(storage: Storage) -> list[type]:
    """Return the classes that stand round the store, outermost first, and its own.

    Outside of them all stands the one that knows what bodies lean on.
    """
    outermost = storage._desk.backend  # noqa: SLF001 # pyright: ignore[reportPrivateUsage]
    assert isinstance(outermost, LeaningLayer)
    backend: Backend = outermost.below
    classes: list[type] = [type(backend)]
    while isinstance(backend, Layer):
        backend = backend.below
        classes.append(type(backend))
    return classes


async def _titles(storage: Storage) -> list[str]:
    page = await storage.sessions.list()
    return [session.title for session in page]


@pytest.mark.seed("2.1", "2.2", "2.3", "2.4")
@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("sqlite:///agent.db", "agent.db"),
        ("sqlite:///agent.db?readers=1", "agent.db"),
        ("file:///a%20store", "a store"),
    ],
)
async def test_a_store_is_opened_by_its_url(url: str, path: str, folder: Path) -> None:
    """What is written is there when the same URL is opened again; relative means from here."""
    async with ropewalk.open(url) as storage:
        await storage.sessions.create(title="Rome")
    assert (folder / path).exists()
    async with ropewalk.open(url) as storage:
        assert ["Rome"] == await _titles(storage)


@pytest.mark.seed("2.1")
async def test_memory_begins_empty() -> None:
    """Every `memory://` is a store of its own, gone when it closes."""
    async with ropewalk.open("memory://") as one, ropewalk.open("memory://") as two:
        await one.sessions.create(title="Rome")
        assert (["Rome"], []) == (await _titles(one), await _titles(two))


async def test_it_can_be_awaited() -> None:
    """Without a block the program opens and closes itself."""
    storage = await ropewalk.open("memory://")
    await storage.sessions.create(title="Rome")
    assert ["Rome"] == await _titles(storage)
    await storage.close()


@pytest.mark.seed("2.4", "9.4")
async def test_the_configuration_says_which_store(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without an argument the project file is read, and the environment before it."""
    (folder / "ropewalk.toml").write_text(
        "url = 'sqlite:///project.db'\nspace = 'p'\nactor = 'file'\n[backend.sqlite]\nreaders = 1"
    )
    async with ropewalk.open() as storage:
        await storage.sessions.create(title="Rome")
        assert "p" == storage.space_name
        assert ["file"] == [commit.actor async for commit in storage.feed()]
    assert (folder / "project.db").exists()
    monkeypatch.setenv("ROPEWALK_URL", "memory://")
    async with ropewalk.open(space="mine", actor="me") as storage:
        await storage.sessions.create(title="Oslo")
        assert "mine" == storage.space_name
        assert ["me"] == [commit.actor async for commit in storage.feed()]
    assert not (folder / "mine").exists()


@pytest.mark.seed("2.4")
async def test_a_whole_configuration() -> None:
    """A `Config` is taken as it is; the environment does not count then, arguments do."""
    config = Config(url="memory://", space="given", layers=(LayerConfig("logs", {"slow": 5}),))
    async with ropewalk.open(config, actor="me") as storage:
        assert "given" == storage.space_name
        assert [LogsLayer, SwitchLayer, MemoryBackend] == coats(storage)
        await storage.sessions.create(title="Rome")
        assert ["me"] == [commit.actor async for commit in storage.feed()]


class PlainSealer:
    """A sealer of the program's own: it knows one kind of value."""

    def __init__(self) -> None:
        self.kept: dict[bytes, object] = {}
        self.values: Values = MsgPack()

    def foreign(self, name: str) -> Values:
        """Show another program's values in the same way."""
        del name
        return self.values

    async def seal(self, value: object, key: Key) -> Sealed:
        """Keep the value here, and its number in the store."""
        del key
        body = b"%d" % len(self.kept)
        self.kept[body] = value
        return Sealed(body, "plain")

    def unseal_at_once(self, record: Record) -> object | None:
        """Open nothing without a wait."""

    async def unseal(self, record: Record) -> object:
        """Look the value up."""
        return self.kept[record.body or b""]

    def pack(self, data: bytes, key: Key, *, dictionary: Dictionary | None = None) -> Sealed:
        """Leave the bytes as they are."""
        del key, dictionary
        return Sealed(data, "plain")

    def unpack(
        self, record: Record, *, dictionaries: Mapping[str, Dictionary] = NO_DICTIONARIES
    ) -> bytes:
        """Give the bytes back as they were."""
        del dictionaries
        return record.body or b""

    def train(self, samples: Sequence[bytes], *, size: int) -> Dictionary | None:
        """Compress nothing, so lean on nothing."""
        del samples, size
        return None


@pytest.mark.seed("1.2")
async def test_a_program_brings_its_own_parts() -> None:
    """A backend, a sealer and a clock handed in are the ones that are used."""
    clock, sealer = FrozenClock(), PlainSealer()
    mine = MemoryBackend(clock=clock)
    async with ropewalk.open(backend=mine, sealer=sealer, clock=clock) as storage:
        session = await storage.sessions.create(title="Rome")
        assert mine is _innermost(storage)
        assert 2025 == session.created_at.year
        (record,) = [record async for record in mine.scan(Query(space=None))]
        assert ("plain", 1) == (record.seal, len(sealer.kept))


def _innermost(storage: Storage) -> Backend:
    backend: Backend = storage._desk.backend  # noqa: SLF001 # pyright: ignore[reportPrivateUsage]
    while isinstance(backend, Layer):
        backend = backend.below
    return backend


@pytest.mark.seed("1.2")
async def test_a_backend_of_ones_own_is_not_a_url() -> None:
    """Which of the two is meant cannot be known, so both together are refused."""
    mine = MemoryBackend(clock=FrozenClock())
    for target in ("memory://", Config(url="memory://")):
        with pytest.raises(Invalid, match="not both"):
            ropewalk.open(target, backend=mine)
    async with ropewalk.open(Config(space="s"), backend=mine) as storage:
        assert "s" == storage.space_name


@pytest.mark.seed("9.4")
@pytest.mark.parametrize(
    ("chosen", "expected"),
    [
        ([], []),
        (["retry", "logs"], [LogsLayer, RetryLayer]),
        (["switch", "readonly", "logs"], [LogsLayer, ReadonlyLayer]),
    ],
)
async def test_layers_stand_in_the_order_of_the_house(
    chosen: list[str], expected: list[type]
) -> None:
    """A configuration says which layers there are; where they stand has its reasons."""
    async with ropewalk.open("memory://", layers=chosen) as storage:
        assert [*expected, SwitchLayer, MemoryBackend] == coats(storage)


@pytest.mark.seed("9.4")
async def test_a_layer_by_configuration() -> None:
    """What a layer does is done as soon as its name stands in the settings."""
    config = Config.from_mapping({"url": "memory://", "layers": ["readonly"]})
    async with ropewalk.open(config) as storage:
        with pytest.raises(Denied, match="reading only"):
            await storage.sessions.create(title="Rome")


class CountingLayer(Layer):
    """Counts batches up to a limit; as somebody else would write it."""

    def __init__(self, below: Backend, *, most: int = 100) -> None:
        super().__init__(below)
        self._left = most

    async def apply(self, batch: Batch) -> Applied:
        """Let a batch through as long as there are some left."""
        if not self._left:
            message = "no more batches"
            raise Denied(message)
        self._left -= 1
        return await super().apply(batch)


@pytest.mark.seed("9.4", "9.5")
@pytest.mark.parametrize("by", ["register", "plugins"])
async def test_a_layer_of_somebody_else(by: str, names: None) -> None:
    """Registered or named in the settings, it stays inside the layer that it is written after."""
    del names
    settings: dict[str, Any] = {
        "url": "memory://",
        "layers": ["retry", "counting", "logs"],
        "layer": {"counting": {"most": 1}},
    }
    if by == "register":
        ropewalk.register_layer("counting", CountingLayer)
    else:
        place = f"{__name__}:CountingLayer"
        settings["plugins"] = {"layers": {"counting": place}}
    async with ropewalk.open(Config.from_mapping(settings)) as storage:
        expected = ["LogsLayer", "RetryLayer", "CountingLayer", "SwitchLayer", "MemoryBackend"]
        assert expected == [cls.__name__ for cls in coats(storage)]
        await storage.sessions.create(title="Rome")
        with pytest.raises(Denied, match="no more batches"):
            await storage.sessions.create(title="Oslo")


class HeavyBackend(MemoryBackend):
    """A back end that a program adds while it runs."""

    @classmethod
    def from_url(cls, url: str, *, clock: Clock, **options: object) -> HeavyBackend:
        """Make one; it has one option."""
        backend = cls(clock=clock)
        backend.url, backend.options = url, options
        return backend

    url = ""
    options: dict[str, object] = {}  # noqa: RUF012 (set once, and replaced as a whole)


@pytest.mark.seed("9.1", "9.5", "2.4")
async def test_a_back_end_added_at_run_time(names: None) -> None:
    """From the call on its name is known to every URL and every switch."""
    del names
    async with ropewalk.open("memory://") as storage:
        await storage.sessions.create(title="Rome")
        with pytest.raises(Invalid, match="no back end 'heavy'"):
            await storage.switch("heavy://place?most=3")
        ropewalk.register_backend("heavy", HeavyBackend)
        assert ("file", "heavy", "memory", "sqlite") == ropewalk.available_backends()
        await storage.switch("heavy://place?most=3")
        inner = _innermost(storage)
        assert isinstance(inner, HeavyBackend)
        assert ("heavy://place", {"most": 3}) == (inner.url, inner.options)
        assert ["Rome"] == await _titles(storage)
    with pytest.raises(Conflict, match="already"):
        ropewalk.register_backend("memory", HeavyBackend)
    ropewalk.register_backend("memory", HeavyBackend, replace=True)
    async with ropewalk.open("memory://") as storage:
        assert isinstance(_innermost(storage), HeavyBackend)


@pytest.mark.seed("9.5")
def test_a_class_that_is_no_back_end(names: None) -> None:
    """A class without the verbs, or without `from_url`, is refused at once."""
    del names
    cls: Any = Layer
    with pytest.raises(Invalid, match="lacks from_url"):
        ropewalk.register_backend("mine", cls)
    assert "mine" not in ropewalk.available_backends()


@pytest.mark.seed("1.4", "2.3", "2.4")
async def test_a_store_moves_while_it_is_used(folder: Path) -> None:
    """From memory to SQLite to files: every handle follows, and the last store has everything."""
    async with ropewalk.open("memory://") as storage:
        other = storage.space("other")
        session = await storage.sessions.create(title="Rome", metadata={"n": 1})
        thread = await storage.threads.create(session_id=session.id, title="trains")
        saved = await storage.checkpoints.save(thread.id, {"plan": ["search"]})
        await other.sessions.create(title="Oslo")
        for url in ("sqlite:///agent.db", "file:///store"):
            await asyncio.gather(storage.switch(url), storage.sessions.create(title=url))
            assert session == await storage.sessions.get(session.id)
            assert ["Oslo"] == await _titles(other)
        told = [commit async for commit in storage.feed()]
        assert len({commit.seq for commit in told}) == len(told)
    async with ropewalk.open("file:///store") as storage:
        assert session == await storage.sessions.get(session.id)
        assert {"plan": ["search"]} == (await storage.checkpoints.load(saved.id)).state
        assert ["Rome", "file:///store", "sqlite:///agent.db"] == sorted(await _titles(storage))
        assert told == [commit async for commit in storage.feed()]
    assert (folder / "agent.db").exists()


@pytest.mark.seed("1.4", "4.4")
@pytest.mark.parametrize(
    ("url", "error"),
    [("agent.db", Invalid), ("nothing://x", Invalid), ("sqlite:///full.db", Invalid)],
)
async def test_a_move_that_fails_changes_nothing(url: str, error: type[Exception]) -> None:
    """A wrong URL or a store that is not empty leaves everything where it is."""
    async with ropewalk.open("sqlite:///full.db") as full:
        await full.sessions.create(title="theirs")
    async with ropewalk.open("memory://") as storage:
        await storage.sessions.create(title="ours")
        with pytest.raises(error):
            await storage.switch(url)
        assert ["ours"] == await _titles(storage)
    async with ropewalk.open("sqlite:///full.db") as full:
        assert ["theirs"] == await _titles(full)


@pytest.mark.seed("2.4", "6.4")
async def test_codecs_by_configuration(folder: Path) -> None:
    """The settings say how bodies are sealed; what is there already opens as it was sealed."""
    url, state = "file:///store", {"text": "long " * 1_000}
    seals: list[set[str]] = []
    saved: list[str] = []
    for codecs in (["zstd", "crc32"], ["crc32"], []):
        backend = _file_backend(folder)
        async with ropewalk.open(url, codecs=codecs) as storage:
            thread = await storage.threads.create(title="t")
            saved.append((await storage.checkpoints.save(thread.id, state)).id)
            loaded = [(await storage.checkpoints.load(id)).state for id in saved]
            assert [state] * len(saved) == loaded
        await backend.open()
        newest = [r async for r in backend.scan(Query(space=None, kinds=("node",)))][-1]
        seals.append(set(newest.seal.split("|")))
        await backend.close()
    assert [{"raw", "zstd", "crc32"}, {"raw", "crc32"}, {"raw"}] == seals


def _file_backend(folder: Path) -> Backend:
    cls: type[AddressedBackend] = BACKENDS.load("file")
    return cls.from_url(f"file:///{folder}/store", clock=FrozenClock())


async def test_an_error_inside_closes_the_store() -> None:
    """Leaving the block by an error closes the store, and the error goes on."""
    seen: list[Storage] = []
    with pytest.raises(NotFound):
        async with ropewalk.open("memory://") as storage:
            seen.append(storage)
            await storage.sessions.get("nobody")
    assert ["down"] == [(await storage.ping()).state for storage in seen]
