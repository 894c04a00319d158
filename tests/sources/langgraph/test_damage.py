"""Whatever is damaged is told with its place; everything else is brought."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from operator import itemgetter
from pathlib import Path

import ormsgpack
import pytest
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer

from ropewalk.domain.errors import Invalid, NotFound
from ropewalk.domain.migration import Plan, Reject
from ropewalk.domain.source import Note, Problem, Skipped, SourceItem
from ropewalk.factory import open, open_source
from ropewalk.frontends.langgraph import RopewalkSaver

from ...frontends.langgraph import graphs
from .generations import NAMESPACES
from .moved import listed, move, original, source, told

pytestmark = pytest.mark.seed("7.3")

CONFIG: RunnableConfig = {"configurable": {"thread_id": "t"}}
WHOLE = ormsgpack.packb({"v": 1, "channel_values": {"x": 1}})
META = b'{"step": 1}'

ROWS: dict[str, tuple[object, object, object]] = {
    "bad_value": ("msgpack", b"\xc1", META),
    "bad_value 2": ("json", b'{"v": ', META),
    "bad_value 3": ("msgpack", WHOLE, b'{"step"'),
    "bad_value 4": (None, b"", META),
    "pickle": (None, b"\x80\x04N.", META),
    "encrypted": ("msgpack+aes", b"secret", META),
    "unknown_form": ("yaml", b"v: 1", META),
    "bad_checkpoint": ("msgpack", ormsgpack.packb([1]), META),
    "bad_checkpoint 2": ("msgpack", b"\x81\x01\x02", META),
    "bad_checkpoint 3": ("json", b"{}", b"[]"),
}


def _file(path: Path) -> Path:
    """Make a file with one sound checkpoint and one of each damage, and a write each."""
    with closing(sqlite3.connect(path)) as db:
        db.executescript(NAMESPACES)
        rows = {"sound": ("msgpack", WHOLE, META), **ROWS}
        for id_, (form, data, metadata) in rows.items():
            row = ("t", "", id_, "sound", form, data, metadata)
            db.execute("INSERT INTO checkpoints VALUES (?, ?, ?, ?, ?, ?, ?)", row)
        writes = [
            ("sound", "msgpack", b"\x01"),
            ("sound", "msgpack", b"\xc1"),
            ("none", None, b"\x02"),
        ]
        writes += [("sound", "pickle", b"\x80\x04N.")]
        for index, (id_, form, value) in enumerate(writes):
            write = ("t", "", id_, "task", index, "x", form, value)
            db.execute("INSERT INTO writes VALUES (?, ?, ?, ?, ?, ?, ?, ?)", write)
        db.execute(
            "INSERT INTO checkpoints VALUES (CAST(x'ff' AS TEXT), '', 'a', NULL, NULL, x'80', NULL)"
        )
        db.commit()
    return path


async def test_each_damaged_row_is_told_and_the_others_come(tmp_path: Path) -> None:
    """With its code, its place and the row itself; nothing of it is made up."""
    path = _file(tmp_path / "graphs.db")
    found = await told(path)
    problems = [each for each in found if isinstance(each, Problem)]
    codes = sorted([name.split()[0] for name in ROWS] + ["bad_value", "bad_text", "bad_text"])
    assert codes == sorted(each.code for each in problems)
    assert all(each.place.startswith("graphs.db:") and each.reason for each in problems)
    [raw] = [each.raw for each in problems if each.code == "unknown_form"]
    assert ("unknown_form", "v: 1") == itemgetter("checkpoint_id", "checkpoint")(
        json.loads(raw or b"")
    )
    items = [each for each in found if isinstance(each, SourceItem)]
    assert {"thread": 1, "checkpoint": 1, "write": 3} == {
        kind: sum(item.kind == kind for item in items) for kind in ("thread", "checkpoint", "write")
    }
    notes = {each.code for each in found if isinstance(each, Note)}
    assert {"no_time", "dangling_checkpoint", "needs_serializer"} == notes


async def test_a_run_with_damage_is_not_complete_unless_that_is_allowed(tmp_path: Path) -> None:
    """The scan tells what no run could bring; the rest is rejected with the rows themselves."""
    path = _file(tmp_path / "graphs.db")
    inventory = await source(path).scan()
    assert {"encrypted"} == {each.code for each in inventory.problems}
    async with open("memory://") as storage:
        with pytest.raises(Invalid, match="encrypted"):
            await move(path, storage)
        rejects: list[Reject] = []
        plan = Plan(name="graphs", allow_loss=("encrypted",))
        report = await storage.migrations.run(source(path), plan, rejected=rejects.append)
        assert not report.is_complete
        assert 13 == len(rejects)
        assert all(each.raw or each.code == "bad_text" for each in rejects)
        pickles = RopewalkSaver(storage, serde=JsonPlusSerializer(pickle_fallback=True))
        [only] = await listed(pickles)
        assert [("task", "x", 1), ("task", "x", None)] == only.pending_writes
        with pytest.raises(Invalid, match="pickle_fallback=True"):
            await listed(RopewalkSaver(storage))


async def test_a_damaged_page_costs_the_rows_on_it(tmp_path: Path) -> None:
    """The others are read around it, and every row is either brought or told."""
    path = tmp_path / "graphs.db"
    async with original(path) as saver:
        for turn in range(12):
            config: RunnableConfig = {"configurable": {"thread_id": f"t{turn}"}}
            await graphs.steps(saver).ainvoke({"foo": "x" * 9_000, "bar": []}, config)
    total = sum((await source(path).scan()).kinds.values())
    raw = bytearray(path.read_bytes())
    size = int.from_bytes(raw[16:18])
    # A page of a row that is too long for one: the chain of its pages ends too early.
    at = raw.index(b"x" * 2_000, len(raw) // 2) // size * size
    raw[at : at + size] = b"\xff" * size
    path.write_bytes(raw)

    found = await told(path)
    items = [each for each in found if isinstance(each, SourceItem)]
    problems = [each for each in found if isinstance(each, Problem)]
    assert (total, True) == (len(items) + len(problems), 0 < len(problems) <= 2)
    assert {"bad_database"} == {each.code for each in problems}


async def test_a_damaged_index_costs_no_row(tmp_path: Path) -> None:
    """What it would lead to is read as it lies in the table."""
    path = _file(tmp_path / "graphs.db")
    with closing(sqlite3.connect(path)) as db:
        for number in range(900):
            row = ("u", "", f"{number:040}", None, "msgpack", WHOLE, META)
            db.execute("INSERT INTO checkpoints VALUES (?, ?, ?, ?, ?, ?, ?)", row)
        db.commit()
        sql = "SELECT rootpage FROM sqlite_schema WHERE name = 'sqlite_autoindex_checkpoints_1'"
        [[root]] = db.execute(sql)
        [[size]] = db.execute("PRAGMA page_size")
    before = {each.source_id for each in await told(path) if isinstance(each, SourceItem)}
    raw = bytearray(path.read_bytes())
    # The first cell of the root leads to the leaf with the smallest keys, the last to the greatest.
    at = (root - 1) * size
    cells = [
        at + int.from_bytes(raw[at + 12 + 2 * n : at + 14 + 2 * n])
        for n in range(int.from_bytes(raw[at + 3 : at + 5]))
    ]
    leaf = int.from_bytes(raw[cells[len(cells) // 2] :][:4])
    raw[(leaf - 1) * size : leaf * size] = b"\xff" * size
    path.write_bytes(raw)

    found = await told(path)
    items = [each.source_id for each in found if isinstance(each, SourceItem)]
    assert (before, len(before)) == (set(items), len(items))
    reasons = [each.reason for each in found if isinstance(each, Problem)]
    assert any("read without it" in reason for reason in reasons)


async def test_what_is_no_database_of_langgraph_is_no_source(tmp_path: Path) -> None:
    """Nothing is made, and the message says what to name."""
    (tmp_path / "text.db").write_text("hello")
    with closing(sqlite3.connect(tmp_path / "other.db")) as db:
        db.execute("CREATE TABLE t (a)")
    for name in ("missing.db", "text.db", "other.db", "."):
        with pytest.raises(NotFound, match="LangGraph"):
            await source(tmp_path / name).scan()
        with pytest.raises(NotFound):
            await told(tmp_path / name)
    assert not (tmp_path / "missing.db").exists()
    with pytest.raises(Invalid, match="no option 'tz'"):
        open_source("langgraph", tmp_path, tz="UTC")


async def test_a_server_is_no_file(tmp_path: Path) -> None:
    """A URL of a file is the file; of other servers the message names the way there is."""
    with pytest.raises(Invalid, match="bring"):
        open_source("langgraph", "redis://db/graphs")
    _file(tmp_path / "graphs.db")
    assert (await open_source("langgraph", f"sqlite:///{tmp_path / 'graphs.db'}").scan()).kinds


async def test_what_else_is_in_the_file_is_told(tmp_path: Path) -> None:
    """LangGraph's long-term memory may stand beside the checkpoints; it has to be allowed."""
    path = _file(tmp_path / "graphs.db")
    with closing(sqlite3.connect(path)) as db:
        db.execute(
            "CREATE TABLE store (prefix text, key text, value text, PRIMARY KEY (prefix, key))"
        )
        db.execute("INSERT INTO store VALUES ('a', 'b', '{}')")
        db.commit()
    skipped = [each for each in await told(path) if isinstance(each, Skipped)]
    assert [("langgraph-store", 1)] == [(each.format, each.items) for each in skipped]
    formats = (await source(path).scan()).formats
    assert [True, False] == [each.read for each in formats]


async def test_ids_that_are_too_long_are_told(tmp_path: Path) -> None:
    """One thread can have no record of this name; the other can, and its checkpoint cannot."""
    path = _file(tmp_path / "graphs.db")
    with closing(sqlite3.connect(path)) as db:
        for thread in ("l" * 1_025, "m" * 1_024):
            row = (thread, "", "1", None, "msgpack", WHOLE, META)
            db.execute("INSERT INTO checkpoints VALUES (?, ?, ?, ?, ?, ?, ?)", row)
        db.commit()
    codes = [each.code for each in await told(path) if isinstance(each, Problem)]
    assert (1, 2) == (codes.count("bad_thread_id"), codes.count("too_long"))
