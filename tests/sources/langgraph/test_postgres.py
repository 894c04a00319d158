"""Graphs that ran under `AsyncPostgresSaver` go on under ours, from states that are equal."""

from __future__ import annotations

import tracemalloc
from typing import Any

import psycopg
import pytest
from langgraph.checkpoint.postgres.shallow import AsyncShallowPostgresSaver
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from langgraph.store.postgres.aio import AsyncPostgresStore
from psycopg import AsyncConnection, sql
from psycopg.rows import DictRow, dict_row

from ropewalk.domain.checkpoint import Checkpoint
from ropewalk.domain.errors import Denied
from ropewalk.domain.source import Note, Problem, Skipped, SourceItem
from ropewalk.factory import open
from ropewalk.frontends.langgraph import RopewalkSaver

from ...frontends.langgraph import graphs
from . import runs
from .cluster import Cluster
from .moved import PLAN, listed, move, original, seen, source, told
from .runs import AT, CONFIG, KINDS, gist

pytestmark = pytest.mark.seed("7.2")


@pytest.mark.parametrize("kind", KINDS)
async def test_every_state_is_equal_and_the_graph_goes_on(kind: str, cluster: Cluster) -> None:
    """Ids, parents, versions, metadata, pending writes and states; then both go on alike."""
    make, run, go_on = KINDS[kind]
    url = cluster.make(f"kind_{sorted(KINDS).index(kind)}")
    async with original(url) as saver, open("memory://") as storage:
        await run(make(saver))
        before, states = await listed(saver), await seen(make(saver), AT)

        report = await move(url, storage)
        assert ((), (), True) == (report.losses, report.notes, report.is_complete)
        ours = RopewalkSaver(storage)
        assert before == await listed(ours)
        assert states == await seen(make(ours), AT)
        verified = await storage.migrations.verify(source(url), PLAN)
        assert (True, 0) == (verified.is_sound, verified.dangling)

        for graph in (make(saver), make(ours)):
            await go_on(graph)
        theirs = [gist(each) for each in await seen(make(saver), AT)]
        assert theirs == [gist(each) for each in await seen(make(ours), AT)]
        assert (await storage.checkpoints.verify()).is_whole


async def test_one_moment_is_read_and_nothing_is_changed(cluster: Cluster) -> None:
    """What is written while it is read comes with the next run; the server sees no transaction."""
    url = cluster.make("moment")
    async with original(url) as saver, open("memory://") as storage:
        await runs.draft(graphs.review(saver))
        before = await listed(saver)
        findings = source(url).read()
        first = [await anext(findings)]
        # Most of it has not been fetched yet.
        await runs.answer(graphs.review(saver))
        first += [finding async for finding in findings]
        second = await told(url)

        assert len(before) == sum(_is(finding, "checkpoint") for finding in first)
        assert len(before) + 2 == sum(_is(finding, "checkpoint") for finding in second)
        last = await move(url, storage)
        since = await storage.migrations.run(source(url), PLAN, since_last=True)
        assert (len(second), 0) == (sum(last.brought.values()), since.changes)
        assert await listed(saver) == await listed(RopewalkSaver(storage))
    with psycopg.connect(url, autocommit=True) as connection:
        left = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'ropewalk'"
        assert (0,) == connection.execute(left).fetchone()


def _is(finding: object, kind: str) -> bool:
    return isinstance(finding, SourceItem) and finding.kind == kind


async def test_a_user_who_may_only_read_is_enough(cluster: Cluster) -> None:
    """No right to write is needed, and whoever has no right to read is told which one he lacks."""
    url = cluster.make("rights")
    async with original(url) as saver:
        await runs.steps(graphs.steps(saver))
    role = sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format
    cluster.run(
        role(sql.Identifier("reader"), sql.Literal("reader")),
        role(sql.Identifier("stranger"), sql.Literal("stranger")),
        sql.SQL("GRANT USAGE ON SCHEMA rights TO reader, stranger"),
        sql.SQL("GRANT SELECT ON ALL TABLES IN SCHEMA rights TO reader"),
    )
    reading = cluster.url("rights", user="reader", password="reader")  # noqa: S106 (as above)
    assert await told(url) == await told(reading)
    with pytest.raises(Denied, match="permission denied"):
        await told(cluster.url("rights", user="stranger", password="stranger"))  # noqa: S106


async def test_generations_are_told_by_the_count_of_migrations(cluster: Cluster) -> None:
    """Tables without the path of a task are read, and what a step sent is found in its writes."""
    url = cluster.make("older")
    async with original(url) as saver:
        await runs.fan(graphs.fan(saver))
        before = await listed(saver)
    [inventory] = (await source(url).scan()).formats
    assert "langgraph-postgres-v9" == inventory.format
    with psycopg.connect(url) as connection:
        connection.execute("ALTER TABLE checkpoint_writes DROP COLUMN task_path")
        connection.execute("DELETE FROM checkpoint_migrations WHERE v = 9")
        # Until 2025 sends were no channel: those of the step before came beside a checkpoint.
        connection.execute(
            """UPDATE checkpoints SET checkpoint = checkpoint #- '{channel_versions,__pregel_tasks}'
            || '{"v": 3}'"""
        )
    [inventory] = (await source(url).scan()).formats
    assert "langgraph-postgres-v8" == inventory.format
    async with original(url) as saver, open("memory://") as storage:
        assert (await move(url, storage)).is_complete
        ours = {each.checkpoint["id"]: each for each in await listed(RopewalkSaver(storage))}
        theirs = {each.checkpoint["id"]: each for each in await listed(saver)}
    assert len(before) == len(ours)
    sends = {
        id_: each.checkpoint["channel_values"].pop("__pregel_tasks")
        for id_, each in theirs.items()
        if "__pregel_tasks" in each.checkpoint["channel_values"]
    }
    assert [2] == [len(each) for each in sends.values()]
    for id_, each in ours.items():
        plain: dict[str, Any] = dict(each.checkpoint)
        assert sends.get(id_) == plain.pop("pending_sends", None)
        assert theirs[id_].checkpoint["channel_values"] == plain["channel_values"]
        assert theirs[id_].parent_config == each.parent_config


async def test_a_shallow_saver_gives_the_newest_checkpoint(cluster: Cluster) -> None:
    """Its tables have the same names: what it kept goes on; history it never had."""
    url = cluster.make("shallow")
    async with (
        await AsyncConnection[DictRow].connect(
            url, autocommit=True, row_factory=dict_row
        ) as connection,
        open("memory://") as storage,
    ):
        with pytest.warns(DeprecationWarning, match="Shallow"):
            saver = AsyncShallowPostgresSaver(connection)
        await saver.setup()
        await runs.draft(graphs.review(saver))
        state = await graphs.review(saver).aget_state(CONFIG)
        report = await move(url, storage)
        ours = graphs.review(RopewalkSaver(storage))
        [brought] = await listed(RopewalkSaver(storage))
        assert state.values == (await ours.aget_state(CONFIG)).values
        assert state.next == (await ours.aget_state(CONFIG)).next
        await runs.answer(ours)
        finished = (await ours.aget_state(CONFIG)).values
    assert ({"text": "A!", "answers": ["fine", "yes"]}, None) == (finished, brought.parent_config)
    assert report.is_complete
    assert {"dangling_checkpoint"} >= {note.code for note in report.notes}
    [inventory] = (await source(url).scan()).formats
    assert "langgraph-postgres-shallow-v7" == inventory.format


@pytest.mark.seed("7.3")
async def test_a_row_that_the_server_cannot_read_is_stepped_over(cluster: Cluster) -> None:
    """A damaged row is told with its key and what the server says; the others are brought."""
    url = cluster.make("damage")
    async with original(url) as saver:
        for thread in ("a", "b", "c"):
            await graphs.steps(saver).ainvoke(
                {"foo": "", "bar": []}, {"configurable": {"thread_id": thread}}
            )
    sound = await told(url)
    with psycopg.connect(url) as connection:
        connection.execute(
            """UPDATE checkpoints SET checkpoint = checkpoint || '{"channel_versions": "?"}'
            WHERE thread_id = 'b'"""
        )
        connection.execute(
            "UPDATE checkpoints SET checkpoint = '[1]' WHERE thread_id = 'c' "
            "AND parent_checkpoint_id IS NULL"
        )
    found = await told(url)
    problems = [each for each in found if isinstance(each, Problem)]
    lost = [each for each in sound if _is(each, "checkpoint") and "checkpoints/b/" in _place(each)]
    assert len(lost) > 2
    assert sorted(map(_place, lost)) == [each.place for each in problems[:-1]]
    assert all("jsonb_each_text" in each.reason for each in problems[:-1])
    assert ("bad_checkpoint", True) == (problems[-1].code, "checkpoints/c/" in problems[-1].place)
    left = [each for each in sound if not any(_place(each) == p.place for p in problems)]
    own = [(each.kind, each.source_id) for each in found if isinstance(each, SourceItem)]
    assert [(each.kind, each.source_id) for each in left if isinstance(each, SourceItem)] == own


def _place(finding: object) -> str:
    assert isinstance(finding, SourceItem)
    return finding.place


async def test_texts_of_any_language_and_their_order(cluster: Cluster) -> None:
    """Names sort as Python sorts them, whatever the server's own order, and quotes harm nothing."""
    url = cluster.make("texts")
    names = ["Zed", "alpha", "Ämter", "o'clock", "100%", "%s", "日本", "a/b", "\\x41", "😀"]
    async with original(url) as saver, open("memory://") as storage:
        for name in names:
            await graphs.steps(saver).ainvoke(
                {"foo": name, "bar": []}, {"configurable": {"thread_id": name}}
            )
        found = [each for each in await told(url) if isinstance(each, SourceItem)]
        assert sorted(names) == [each.source_id for each in found if each.kind == "thread"]
        await move(url, storage)
        assert await listed(saver) == await listed(RopewalkSaver(storage))


async def test_children_before_their_parents_and_a_store_beside(cluster: Cluster) -> None:
    """A parent whose id is greater comes first; what a long-term store has is counted."""
    url = cluster.make("order")
    serde = JsonPlusSerializer()
    async with original(url) as saver, AsyncPostgresStore.from_conn_string(url) as store:
        await store.setup()
        await store.aput(("user",), "likes", {"tea": True})
        await runs.steps(graphs.steps(saver))
    form, blob = serde.dumps_typed({"x": 1})
    with psycopg.connect(url) as connection:
        rows = [("1", "9"), ("2", "1"), ("9", None), ("3", "2"), ("5", "6"), ("6", "5")]
        for id_, parent in rows:
            connection.execute(
                "INSERT INTO checkpoints VALUES ('u', '', %s, %s, NULL, %s, '{}')",
                [id_, parent, '{"v": 4, "ts": "2026-01-01T00:00:00", "channel_versions": {}}'],
            )
        connection.execute(
            "INSERT INTO checkpoint_writes VALUES ('u', '', 'none', 't', 0, 'c', %s, %s, '')",
            [form, blob],
        )
    found = await told(url)
    own = [each for each in found if _is(each, "checkpoint") and "/u/" in _place(each)]
    assert ["9", "1", "2", "3", "5", "6"] == [_place(each).rpartition("/")[2] for each in own]
    [skipped] = [each for each in found if isinstance(each, Skipped)]
    assert ("langgraph-store", 1) == (skipped.format, skipped.items)
    [note] = [each for each in found if isinstance(each, Note) and each.kind == "write"]
    assert "dangling_checkpoint" == note.code


async def test_memory_does_not_grow_with_the_tables(cluster: Cluster) -> None:
    """Twenty megabytes of values pass through less than eight of memory."""
    url = cluster.make("bounded")
    async with original(url) as saver:
        await runs.steps(graphs.steps(saver))
    with psycopg.connect(url) as connection:
        connection.execute(
            """INSERT INTO checkpoint_blobs SELECT 'big', '', 'c', n::text, 'bytes',
            decode(repeat(md5(n::text), 6000), 'escape') FROM generate_series(1, 120) n"""
        )
        connection.execute(
            """INSERT INTO checkpoints SELECT 'big', '', to_char(n, '0000'), NULL, NULL,
            jsonb_build_object('v', 4, 'channel_versions', jsonb_build_object('c', n::text)), '{}'
            FROM generate_series(1, 120) n"""
        )
    tracemalloc.start()
    try:
        seen_bytes = 0
        async for finding in source(url).read():
            if isinstance(finding, SourceItem) and isinstance(finding.entity, Checkpoint):
                value = finding.entity.state.get("c", b"")
                seen_bytes += len(value) if isinstance(value, bytes) else 0
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert 120 * 192_000 == seen_bytes
    assert peak < 8_000_000
