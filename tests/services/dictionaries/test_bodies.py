"""Bodies lean on a dictionary of their own space, wherever they are read, or say what is gone."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest

import ropewalk
from ropewalk.backends.memory import MemoryBackend
from ropewalk.codecs.pipeline import make_pipeline
from ropewalk.domain.archive import Scope
from ropewalk.domain.change import Applied, Batch, Delete, Put
from ropewalk.domain.clock import FrozenClock
from ropewalk.domain.errors import Corrupt, Unavailable
from ropewalk.domain.migration import Plan
from ropewalk.domain.query import Query
from ropewalk.domain.record import Key, Record
from ropewalk.domain.source import SourceRecord
from ropewalk.factory import source_of
from ropewalk.services.dictionaries.bodies import APART, Bodies
from ropewalk.services.storage import Storage
from ropewalk.stores.kinds import DOORS

from .talk import (
    dictionaries,
    furnish,
    heard,
    said,
    sealer_over,
    seals,
    talk,
    trained,
    until_adopted,
)

pytestmark = pytest.mark.seed("6.4")


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Storage]:
    """A store in a file."""
    async with ropewalk.open(f"sqlite:///{tmp_path / 'store.db'}") as storage:
        yield storage


async def test_a_space_trains_its_own_dictionary(store: Storage, tmp_path: Path) -> None:
    """After 128 KiB of bodies one is made beside the writing; who opens the store reads all."""
    backend = store.migrations.backend
    *before, early = await talk(store, 420)
    assert {"msgpack|crc32"} == await seals(backend, "message")
    assert [] == await dictionaries(backend)

    await until_adopted(store, backend)
    *after, late = await talk(store, 50, first=5_000)

    [made] = await dictionaries(backend)
    leaning = f"msgpack|zstd:{made.key.id}|crc32"
    assert {"msgpack|crc32", leaning} == await seals(backend, "message")
    query = Query(space="default", kinds=("message",))
    sizes: dict[str, list[int]] = {}
    async for record in backend.scan(query):
        sizes.setdefault(record.seal, []).append(len(record.body or b""))
    mean = {seal: sum(found) / len(found) for seal, found in sizes.items()}
    assert mean["msgpack|crc32"] > 1.5 * mean[leaning]
    async with ropewalk.open(f"sqlite:///{tmp_path / 'store.db'}") as other:
        assert before == await heard(other, early)
        assert after == await heard(other, late)
        await talk(other, 3, first=9_000)
        assert {made.key.id} == {r.key.id for r in await dictionaries(backend)}
    verified = await store.checkpoints.verify()
    assert (0, 1) == (verified.damaged, verified.dictionaries)


async def test_the_first_body_of_a_handle_leans(store: Storage) -> None:
    """A program that writes one message uses what earlier ones have made."""
    made = await furnish(store)
    *_, thread = await talk(store, 1)
    name = f"msgpack|zstd:{made.name}|crc32"
    assert {name} == await seals(store.migrations.backend, "message")
    assert 1 == len(await heard(store, thread))


async def test_a_space_leans_on_itself_alone(store: Storage) -> None:
    """What one space has is not handed to another, not even to one that names it."""
    made = await furnish(store, space="a")
    one, two = store.space("a"), store.space("b")
    await talk(one, 3)
    *_, thread = await talk(two, 3)
    backend = store.migrations.backend
    assert {"msgpack|crc32"} == await seals(backend, "message", space="b")
    assert f"msgpack|zstd:{made.name}|crc32" in await seals(backend, "message", space="a")
    assert [] == await dictionaries(backend, space="b")

    key = Key("b", "note", "n")
    letter = {"data": {"text": "x" * 200}}
    sealed = await make_pipeline().seal_leaning(letter, key, dictionary=made)
    put = Put(key=key, body=sealed.body, seal=sealed.seal)
    with pytest.raises(Corrupt, match="bring that before it") as refused:
        await backend.apply(Batch((put,)))
    assert ("missing_dictionary", made.name) == (
        refused.value.code,
        refused.value.facts["dictionary"],
    )
    assert 3 == len(await heard(two, thread))


async def test_a_lost_dictionary_is_named(tmp_path: Path) -> None:
    """Whoever reads what leaned on it is told which one is gone, and so is who verifies."""
    url = f"sqlite:///{tmp_path / 'store.db'}"
    async with ropewalk.open(url) as storage:
        made = await furnish(storage)
        *_, thread = await talk(storage, 2)
        key = Key("default", "dictionary", made.name)
        await storage.migrations.backend.apply(Batch((Delete(key=key),)))
    async with ropewalk.open(url) as storage:
        with pytest.raises(Corrupt, match="which is gone: restore a backup") as told:
            await heard(storage, thread)
        assert ("missing_dictionary", made.name) == (
            told.value.code,
            told.value.facts["dictionary"],
        )
        verified = await storage.checkpoints.verify()
        assert 2 == verified.damaged
        assert all(made.name in damage.reason for damage in verified.damages)


@pytest.mark.parametrize("whole", [False, True], ids=["flipped", "exchanged"])
async def test_a_damaged_dictionary_is_named(tmp_path: Path, *, whole: bool) -> None:
    """A changed byte of it, and a content that is sound and has not its name, are damage."""
    url = f"sqlite:///{tmp_path / 'store.db'}"
    async with ropewalk.open(url) as storage:
        made = await furnish(storage)
        *_, thread = await talk(storage, 2)
        backend, key = storage.migrations.backend, Key("default", "dictionary", made.name)
        [found] = await backend.get([key])
        assert found is not None
        assert found.body is not None
        body = bytes([found.body[0] ^ 1]) + found.body[1:]
        if whole:
            body = make_pipeline().pack(trained(first=700).content, key).body
        await backend.apply(Batch((replace(Put.of(found), body=body),)))
    async with ropewalk.open(url) as storage:
        with pytest.raises(Corrupt, match=made.name):
            await heard(storage, thread)
        verified = await storage.checkpoints.verify()
        assert key in {damage.key for damage in verified.damages}


async def test_what_the_house_keeps_for_itself_does_not_lean(store: Storage) -> None:
    """Leases, grants and their like, and the heads of states, are written and read as ever."""
    made = await furnish(store)
    thread = await store.threads.create()
    await store.checkpoints.save(thread.id, {"messages": [said(n, words=200) for n in range(30)]})
    async with store.lease("all"):
        pass
    await store.records.save({"type": "note", "data": {"text": "abc " * 200}})
    found: dict[str, set[str]] = {}
    async for record in store.migrations.backend.scan(Query(space="default")):
        found.setdefault(record.key.kind, set()).add(record.seal)
    leaning = {kind for kind, told in found.items() if any(made.name in seal for seal in told)}
    assert {"note"} == leaning
    assert "node" in found
    assert APART >= {"lease", "secret", "dictionary", "checkpoint", "space", "grant"}
    assert APART <= set(DOORS)


class Held(MemoryBackend):
    """A back end in which the look for a dictionary waits for leave."""

    def __init__(self) -> None:
        super().__init__(clock=FrozenClock())
        self.leave = asyncio.Event()
        self.asked = asyncio.Event()

    async def scan(self, query: Query) -> AsyncIterator[Record]:
        """Wait before the first record."""
        self.asked.set()
        await self.leave.wait()
        async for record in super().scan(query):
            yield record


async def test_a_value_is_kept_as_it_is_at_the_call() -> None:
    """What changes in it while the dictionary is looked up is not written."""
    backend = Held()
    await backend.open()
    bodies = sealer_over(backend)
    value = {"data": {"text": "first"}}
    task = asyncio.create_task(bodies.seal(value, Key("s", "note", "n")))
    await backend.asked.wait()
    value["data"]["text"] = "second"
    backend.leave.set()
    sealed = await task
    record = Record.bare(Key("s", "note", "n"), 1, times=(0, 0), seal=sealed.seal, body=sealed.body)
    assert {"data": {"text": "first"}} == await bodies.unseal(record)
    await backend.close()


class Busy(MemoryBackend):
    """A back end that does not take the first dictionaries."""

    def __init__(self) -> None:
        super().__init__(clock=FrozenClock())
        self.refusals = 2

    async def apply(self, batch: Batch) -> Applied:
        """Refuse two of them."""
        if self.refusals and batch.changes[0].key.kind == "dictionary":
            self.refusals -= 1
            message = "busy"
            raise Unavailable(message, code="busy")
        return await super().apply(batch)


async def test_a_dictionary_that_was_refused_is_offered_again() -> None:
    """A store that is busy when one is ready gets it at a later save."""
    backend = Busy()
    await backend.open()
    bodies = sealer_over(backend)
    told = 0
    # It is trained in a thread, which has to share the interpreter with this loop.
    async with asyncio.timeout(60):
        while not await dictionaries(backend, space="s"):
            try:
                await bodies.seal({"data": {"text": "abc def " * 40}}, Key("s", "note", "n"))
            except Unavailable:
                told += 1
            await asyncio.sleep(0)
    assert (2, 0) == (told, backend.refusals)
    await backend.close()


async def test_a_handle_that_outlives_its_space_writes_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The dictionary it knows is gone: what it writes then can be read by everybody."""
    monkeypatch.setattr("ropewalk.services.sharing.spaces.SURE_SECONDS", 0.0)
    monkeypatch.setattr("ropewalk.layers.leaning.SURE_SECONDS", 0.0)
    url = f"sqlite:///{tmp_path / 'store.db'}"
    async with ropewalk.open(url) as storage, ropewalk.open(url) as other:
        made = await furnish(other, space="lab")
        stale = other.space("lab")
        await talk(stale, 2)
        await storage.spaces.delete("lab")
        assert [] == await dictionaries(storage.migrations.backend, space="lab")

        await stale.records.save({"type": "note", "id": "n", "data": {"text": "abc " * 99}})
        [seal] = await seals(storage.migrations.backend, "note", space="lab")
        assert "zstd" not in seal or made.name not in seal
        found = await storage.space("lab").records.load("n", type="note")
        assert found is not None
        assert {"text": "abc " * 99} == found["data"]


async def test_an_archive_brings_dictionaries_along(store: Storage, tmp_path: Path) -> None:
    """The same lines come of the store that it was read into, and bodies lean there as well."""
    made = await furnish(store)
    *texts, thread = await talk(store, 3)
    told = await store.archives.export(tmp_path / "a.jsonl")
    async with ropewalk.open(f"sqlite:///{tmp_path / 'two.db'}") as other:
        source = other.archives.source(tmp_path / "a.jsonl")
        await other.migrations.run(source, Plan(name="archive"))
        assert texts == await heard(other, thread)
        assert f"msgpack|zstd:{made.name}|crc32" in await seals(other.migrations.backend, "message")
        again = await other.archives.export(tmp_path / "b.jsonl")
        assert told.content == again.content


@pytest.mark.parametrize("sealed", [False, True], ids=["opened", "sealed"])
async def test_a_part_of_a_store_has_others_dictionaries_only_if_it_must(
    store: Storage, tmp_path: Path, *, sealed: bool
) -> None:
    """Opened lines of a session need none of what the space was trained on; sealed ones do."""
    await furnish(store)
    session = await store.sessions.create(title="abc " * 99)
    await store.history.add_message(role="user", content="abc " * 99, session_id=session.id)
    scope = Scope(session_id=session.id)
    told = await store.archives.export(tmp_path / "a.jsonl", scope, sealed=sealed)
    assert (int(sealed), 0) == (told.counts.get("dictionary", 0), told.unopened)
    assert sealed is ("abc abc abc" not in (tmp_path / "a.jsonl").read_text())


@pytest.mark.parametrize("space", ["default", "other"])
@pytest.mark.parametrize("kinds", [(), ("message", "thread")], ids=["all", "messages"])
async def test_a_copy_can_be_read(
    store: Storage, tmp_path: Path, space: str, kinds: Sequence[str]
) -> None:
    """Sealed as they are, or sealed anew for another space, with what they lean on before them."""
    await furnish(store)
    *texts, thread = await talk(store, 3)
    plan = replace(Plan(name="copy"), kinds=tuple(kinds))
    async with ropewalk.open(f"file:///{tmp_path / 'two'}", space=space) as other:
        await other.migrations.run(source_of(store), plan)
        assert texts == await heard(other, thread)
        assert 0 == (await other.checkpoints.verify()).damaged
        await talk(other, 2, first=40)
        backend = other.migrations.backend
        await other.migrations.rollback("last")
        assert 1 == len(await dictionaries(backend, space=space))
        assert 0 == (await other.checkpoints.verify()).damaged


async def test_a_store_that_moves_takes_them_along(store: Storage, tmp_path: Path) -> None:
    """After a switch everything is read, and new bodies lean as before."""
    made = await furnish(store)
    *texts, thread = await talk(store, 3)
    await store.switch(f"sqlite:///{tmp_path / 'two.db'}")
    assert texts == await heard(store, thread)
    await talk(store, 2, first=40)
    told = await seals(store.migrations.backend, "message")
    assert {f"msgpack|zstd:{made.name}|crc32"} == told
    assert 0 == (await store.checkpoints.verify()).damaged


async def test_several_loops_write_and_read_at_once(store: Storage) -> None:
    """Whoever works in a thread of their own writes with the dictionary, and reads with it."""
    await furnish(store)
    failures: list[BaseException] = []

    def work(first: int) -> None:
        async def there_and_back() -> None:
            for n in range(3):
                *texts, thread = await talk(store, 20, first=first + 100 * n)
                assert texts == await heard(store, thread)

        try:
            asyncio.run(there_and_back())
        except BaseException as error:  # noqa: BLE001 (told to the test below)
            failures.append(error)

    threads = [threading.Thread(target=work, args=(n * 10_000,)) for n in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        await asyncio.to_thread(thread.join)
    assert [] == failures
    assert 0 == (await store.checkpoints.verify()).damaged


async def test_no_more_rooms_are_kept_than_are_of_use() -> None:
    """A program that goes through thousands of spaces does not remember them all."""
    backend = MemoryBackend(clock=FrozenClock())
    await backend.open()
    bodies = sealer_over(backend)
    for n in range(300):
        await bodies.seal({"data": {"n": n}}, Key(f"space-{n}", "note", "n"))
    rooms = bodies._rooms  # noqa: SLF001 # pyright: ignore[reportPrivateUsage]
    assert 256 == len(rooms)
    assert isinstance(bodies, Bodies)
    await backend.close()


async def test_a_dictionary_that_is_made_during_a_copy_comes_with_it(
    store: Storage, tmp_path: Path
) -> None:
    """What leans on it is never met before it, in a copy nor in what follows."""

    async def write(id: str) -> None:
        async with ropewalk.open(f"sqlite:///{tmp_path / 'store.db'}") as newer:
            await newer.records.save({"type": "note", "id": id, "data": {"text": said(1)}})

    await talk(store, 1)
    await write("a")
    source, plan = source_of(store), Plan(name="copy")
    findings = cast("AsyncGenerator[SourceRecord, None]", source.read())
    met = [(await anext(findings)).kind]
    await furnish(store)
    await write("a")
    met += [found.kind async for found in findings]
    assert ["thread", "message", "dictionary", "note"] == met

    url = f"sqlite:///{tmp_path / 'two.db'}"
    async with (
        ropewalk.open(url, space="other") as other,
        aclosing(other.migrations.follow(source, plan)) as steps,
    ):
        told = await anext(steps)
        while not told.is_level:
            told = await anext(steps)
        await write("b")
        made = await furnish(store, first=700)
        await write("b")
        newest = await store.migrations.backend.changed(-1)
        while told.position < newest:
            told = await anext(steps)
        for id_ in ("a", "b"):
            found = await other.records.load(id_, type="note")
            assert found is not None
            assert {"text": said(1)} == found["data"]
        kept = await dictionaries(other.migrations.backend, space="other")
        assert made.name in {record.key.id for record in kept}
        assert 0 == (await other.checkpoints.verify()).damaged
