"""Archives give the same store back, can be read without it, and say what is wrong with them."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, cast

import pytest
from zstandard import ZstdDecompressor

import ropewalk
from ropewalk.domain.archive import Scope
from ropewalk.domain.checkpoint import Checkpoint
from ropewalk.domain.errors import Denied, Invalid, NotFound
from ropewalk.domain.memory import Name
from ropewalk.domain.migration import Plan
from ropewalk.services.storage import Storage

pytestmark = pytest.mark.seed("7.3")

PLAN: Final = Plan(name="archive")
STEPS: Final = 40


async def _fill(storage: Storage, *, user: str = "ada", steps: int = STEPS) -> str:
    """Work a while on a thread of a session of this user; return its id."""
    session = await storage.sessions.create(title="Rome", user_id=user, tags=["travel"])
    thread = await storage.threads.create(session_id=session.id)
    state: dict[str, Any] = {"messages": [], "budget": 10**20, "seen": {"a", "b"}}
    for step in range(steps):
        said = f"{step}: find a train that leaves after {step % 24} o'clock"
        await storage.history.add_message(thread_id=thread.id, role="user", content=said)
        state["messages"].append({"role": "user", "content": said, "at": datetime.now(UTC)})
        await storage.checkpoints.save(thread.id, state)
    at = (await storage.checkpoints.list(thread.id, limit=2)).items[1].id
    await storage.threads.fork(thread.id, at=at, name="other way")
    await storage.records.save(
        {"type": "note", "data": {"$of": user, "raw": b"\0\xff", "big": 2**63}}
    )
    memory = storage.memories.draft(Name(("users", user), "taste"), {"likes": "trains"})
    await storage.memories.write([memory])
    return thread.id


async def _latest(storage: Storage, thread_id: str) -> Checkpoint:
    found = await storage.checkpoints.latest(thread_id)
    assert found is not None
    return found


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    """Go through the lines of an archive with nothing but a decompressor and a reader of JSON."""
    with path.open("rb") as file:
        stream = cast("io.RawIOBase", ZstdDecompressor().stream_reader(file))
        for line in io.BufferedReader(stream) if path.suffix == ".zst" else file:
            yield json.loads(line)


async def test_stores_of_every_kind_hand_on_the_same_content(tmp_path: Path) -> None:
    """SQLite to file to memory to SQLite: every sum over records and every archive is equal."""
    path = tmp_path / "first.jsonl.zst"
    async with ropewalk.open(f"sqlite:///{tmp_path / 'a.db'}") as storage:
        thread_id = await _fill(storage)
        expected_state = (await _latest(storage, thread_id)).state
        report = await storage.archives.export(path)
        sums = [await storage.migrations.content_hash()]
    archives = [report.content]
    for number, url in enumerate(
        (f"file:///{tmp_path / 'b'}", "memory://", f"sqlite:///{tmp_path / 'c.db'}")
    ):
        async with ropewalk.open(url) as storage:
            await storage.migrations.run(storage.archives.source(path), PLAN)
            path = tmp_path / f"{number}.jsonl.zst"
            archives.append((await storage.archives.export(path)).content)
            sums.append(await storage.migrations.content_hash())
            assert expected_state == (await _latest(storage, thread_id)).state
    assert [sums[0]] * 4 == sums
    assert [archives[0]] * 4 == archives


async def test_importing_again_changes_nothing_and_taking_back_leaves_nothing(
    tmp_path: Path,
) -> None:
    """An import is a migration: it is idempotent, can be compared, and can be taken back."""
    path = tmp_path / "a.jsonl"
    async with ropewalk.open("memory://") as storage:
        await _fill(storage)
        await storage.archives.export(path)
    async with ropewalk.open("memory://") as storage:
        source = storage.archives.source(path)
        empty = await storage.migrations.content_hash()
        run = await storage.migrations.run(source, PLAN)
        assert 0 == (await storage.migrations.run(source, PLAN)).changes
        assert (await storage.migrations.verify(source, PLAN)).is_sound
        await storage.migrations.rollback(run.run)
        assert empty == await storage.migrations.content_hash()


async def test_other_codecs_make_the_same_archive(tmp_path: Path) -> None:
    """What seals the bodies in a store shows in an archive only where it is sealed too."""
    async with ropewalk.open("memory://") as storage:
        thread_id = await _fill(storage)
        one = await storage.archives.export(tmp_path / "a.jsonl")
        await storage.archives.export(tmp_path / "sealed.jsonl", sealed=True)
        expected = await storage.migrations.content_hash()
    async with ropewalk.open("memory://", codecs=["crc32"]) as storage:
        await storage.migrations.run(storage.archives.source(tmp_path / "a.jsonl"), PLAN)
        dictionaries = await storage.kinds()
        other = await storage.archives.export(tmp_path / "b.jsonl")
        await storage.checkpoints.save(thread_id, {"goes": "on"})
    assert dictionaries.get("dictionary", 0) == one.counts.get("dictionary", 0)
    stripped = [
        [
            {k: v for k, v in line.items() if k != "dictionary"}
            for line in _lines(path)
            if "kind" in line
        ]
        for path in (tmp_path / "a.jsonl", tmp_path / "b.jsonl")
    ]
    assert stripped[0] == stripped[1]
    assert one.counts == other.counts
    async with ropewalk.open("memory://") as storage:
        await storage.migrations.run(storage.archives.source(tmp_path / "sealed.jsonl"), PLAN)
        assert expected == await storage.migrations.content_hash()


def _state(checkpoint: dict[str, Any], nodes: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Put a state together by the description of the format alone."""

    def value(slot: dict[str, Any]) -> Any:  # noqa: ANN401 (a value)
        if "value" in slot:
            return slot["value"]
        if "node" in slot:
            return node(slot["node"])[0]
        if "typed" in slot:
            return {"$ext": slot["typed"], "value": value(slot["inner"])}
        items = [item for part in slot["nodes"] for item in node(part["node"])]
        items += [value(item) for item in slot["tail"]]
        if slot["row"] == "text":
            return "".join(items)
        return items if slot["row"] == "list" else dict(zip(items[::2], items[1::2], strict=True))

    def node(name: str) -> list[Any]:
        body = nodes[name]
        if "nodes" in body:
            return [item for part in body["nodes"] for item in node(part["node"])]
        if "slots" in body:
            return [value(slot) for slot in body["slots"]]
        if "text" in body:
            return [body["text"]]
        return [value(body["slot"])] if "slot" in body else [body["value"]]

    slots = checkpoint["body"]["data"]["tree"][0]["$root"]["state"]
    return {name: value(slot) for name, slot in slots.items()}


async def test_states_can_be_read_without_ropewalk(tmp_path: Path) -> None:
    """A state is found in the lines with a few rules, and its text is what it was."""
    path = tmp_path / "a.jsonl.zst"
    async with ropewalk.open("memory://") as storage:
        thread_id = await _fill(storage, steps=200)
        latest = await _latest(storage, thread_id)
        await storage.archives.export(path)
    lines = list(_lines(path))
    nodes = {
        line["id"].split(".")[-1]: line["body"] for line in lines if line.get("kind") == "node"
    }
    [checkpoint] = [
        line for line in lines if line.get("id") == latest.id and line["kind"] == "checkpoint"
    ]
    state = _state(checkpoint, nodes)
    expected = [message["content"] for message in latest.state["messages"]]
    assert expected == [message["content"] for message in state["messages"]]
    assert {"$ext": 40} == {k: v for k, v in state["budget"].items() if k == "$ext"}
    said = [line["body"]["data"]["content"] for line in lines if line.get("kind") == "message"]
    assert expected == said


async def test_a_thousand_steps_are_not_a_thousand_states(tmp_path: Path) -> None:
    """What states share stands in an archive once: it grows with the steps, not their square."""
    sizes: list[int] = []
    for steps in (50, 200):
        path = tmp_path / f"{steps}.jsonl"
        async with ropewalk.open("memory://") as storage:
            thread_id = await _fill(storage, steps=steps)
            await storage.archives.export(path, Scope(thread_id=thread_id))
        sizes.append(path.stat().st_size)
    assert sizes[1] < 6 * sizes[0]


async def test_a_scope_holds_what_belongs_to_it(tmp_path: Path) -> None:
    """A thread comes with what it continues, a session with its threads, a user with theirs."""
    async with ropewalk.open("memory://") as storage:
        mine = await _fill(storage, user="ada", steps=5)
        await _fill(storage, user="bob", steps=7)
        [fork] = [
            each.id
            for each in (await storage.threads.list()).items
            if each.origin and each.root_id == mine
        ]
        session_id = (await storage.threads.get(mine)).session_id or ""
        scopes = {
            "thread": Scope(thread_id=fork),
            "session": Scope(session_id=session_id),
            "user": Scope(user_id="ada"),
        }
        paths = {name: tmp_path / f"{name}.jsonl" for name in scopes}
        counts = {
            name: dict((await storage.archives.export(paths[name], scope)).counts)
            for name, scope in scopes.items()
        }
        for missing in (Scope(thread_id="no"), Scope(session_id="no"), Scope(user_id="no")):
            with pytest.raises(NotFound):
                await storage.archives.export(tmp_path / "no.jsonl", missing)
    assert not (tmp_path / "no.jsonl").exists()
    for name in scopes:
        told = {
            kind: counts[name][kind]
            for kind in ("session", "thread", "message", "checkpoint", "branch")
        }
        assert {"session": 1, "thread": 2, "message": 5, "checkpoint": 5, "branch": 1} == told
    assert (1, None) == (counts["user"].get("memory"), counts["session"].get("memory"))
    async with ropewalk.open("memory://") as storage:
        await storage.migrations.run(storage.archives.source(paths["thread"]), PLAN)
        line = await storage.history.messages(fork)
        assert ["user"] * len(line) == [entry.role for entry in line]
        assert {"budget", "messages", "seen"} == set((await _latest(storage, fork)).state)


async def test_several_spaces_in_one_archive(tmp_path: Path) -> None:
    """Each space comes out as it went in; a confined handle cannot write others."""
    path = tmp_path / "a.jsonl.zst"
    async with ropewalk.open("memory://") as storage:
        await _fill(storage, steps=3)
        await _fill(storage.space("team"), user="bob", steps=4)
        with pytest.raises(Denied):
            await storage.space("team").archives.export(path, spaces=["default"])
        await storage.archives.export(path, spaces=["default", "team"])
        expected = [await storage.migrations.content_hash()]
        expected.append(await storage.space("team").migrations.content_hash())
    async with ropewalk.open("memory://") as storage:
        for name in ("default", "team"):
            handle = storage.space(name)
            await handle.migrations.run(handle.archives.source(path, origin=name), PLAN)
        sums = [await storage.migrations.content_hash()]
        sums.append(await storage.space("team").migrations.content_hash())
    assert expected == sums


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        (b"", b"", "torn"),
        (b"after 2 o'clock", b"after 3 o'clock", "bad_sum"),
        (b'"kind":"note"', b'"kind":3', "bad_line"),
        (b'"role":"user"', b'"role":', "bad_line"),
    ],
)
async def test_damage_is_told_and_stops_the_import(
    tmp_path: Path, old: bytes, new: bytes, code: str
) -> None:
    """A torn or changed archive is not brought in unless the plan says that this may be lost."""
    path = tmp_path / "a.jsonl"
    async with ropewalk.open("memory://") as storage:
        await _fill(storage)
        await storage.archives.export(path)
    data = path.read_bytes()
    assert old in data
    path.write_bytes(data.replace(old, new) if old else data[: len(data) * 2 // 3])
    async with ropewalk.open("memory://") as storage:
        source = storage.archives.source(path)
        assert code in {problem.code for problem in (await source.scan()).problems}
        with pytest.raises(Invalid, match="would stay behind"):
            await storage.migrations.run(source, PLAN)
        assert {} == await storage.kinds()
        run = await storage.migrations.run(source, Plan(name="part", allow_loss=("*",)))
        assert run.changes > 10


@pytest.mark.parametrize(
    "text", ["", "hello\n", '{"format":"other"}\n', '{"format":"ropewalk-archive"}\n']
)
async def test_what_is_no_archive_is_refused(tmp_path: Path, text: str) -> None:
    """A file that does not begin as archives do is named, and so is one of a later version."""
    path = tmp_path / "a.jsonl"
    path.write_text(text)
    async with ropewalk.open("memory://") as storage:
        with pytest.raises(Invalid) as caught:
            await storage.archives.source(path).scan()
        assert "not_an_archive" == caught.value.code
        path.write_text('{"format":"ropewalk-archive","version":99}\n')
        with pytest.raises(Invalid) as caught:
            await storage.archives.source(path).scan()
        assert "newer_version" == caught.value.code
        with pytest.raises(NotFound):
            await storage.archives.source(tmp_path / "none").scan()


async def test_nothing_half_written_is_left(tmp_path: Path) -> None:
    """An export that fails leaves the archive that was there, and no part of the new one."""
    path = tmp_path / "a.jsonl"
    path.write_text("the old one")
    async with ropewalk.open("memory://") as storage:
        await _fill(storage)

        def stop(_: object) -> None:
            raise KeyError("stop")

        with pytest.raises(KeyError):
            await storage.archives.export(path, progress=stop)
    assert ["a.jsonl"] == [each.name for each in tmp_path.iterdir()]
    assert "the old one" == path.read_text()
