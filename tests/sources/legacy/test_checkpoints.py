"""Every row of the checkpoint store becomes a checkpoint, whichever generation wrote it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import ormsgpack
import pytest
from hypothesis import given

from ropewalk.domain.checkpoint import Checkpoint
from ropewalk.domain.legacy.values import canonical

from .reading import read
from .strategies import EXAMPLES, JSON
from .writing import MORNING, NOON, Row, Tree, compact, metadata_of, pack, stored

AT = datetime(2025, 11, 7, 2, 0, 0, 1, tzinfo=UTC)
DB = "storage/checkpoints.db:checkpoints"


def row(blob: bytes | None, metadata: bytes | None, *, id: str = "c", type: str = "msgpack") -> Row:
    """Make a row of thread `t`."""
    return "t", "", id, None, type, blob, metadata


@pytest.mark.seed("7.1")
async def test_a_row_becomes_a_checkpoint(tree: Tree) -> None:
    """State, workflow, time and metadata arrive; the copy of the state does not."""
    tree.thread("t", session_id="session_1")
    tree.session("session_1")
    tree.checkpoints(stored("t", "c", MORNING, {"plan": ["search"]}, step=1))
    told = await read(tree)
    assert told.only(Checkpoint) == Checkpoint(
        id="c",
        thread_id="t",
        session_id="session_1",
        workflow_id="planner",
        metadata={"step": 1, "workflow_id": "planner"},
        state={"plan": ["search"]},
        created_at=AT,
        updated_at=AT,
    )
    assert ([], []) == (told.problems(), told.notes())


@pytest.mark.seed("7.1")
async def test_checkpoints_come_thread_by_thread_and_oldest_first(tree: Tree) -> None:
    """The time in the blob tells the order; ids are random and rows have none."""
    times = {"z": "2025-11-07T10:00:01", "a": "2025-11-07T10:00:03", "m": "2025-11-07T10:00:02"}
    for thread in ("t2", "t1"):
        tree.thread(thread)
        tree.checkpoints(*(stored(thread, thread + id, ts, id) for id, ts in times.items()))
    told = await read(tree)
    assert ["t1z", "t1m", "t1a", "t2z", "t2m", "t2a"] == told.ids("checkpoint")


STATES: list[Any] = [None, 5, "text", "nul\x00", [1, [2]], {}, 10**40, float("inf"), {"文": None}]


@pytest.mark.parametrize("state", STATES, ids=repr)
async def test_a_state_may_be_anything(tree: Tree, state: object) -> None:
    """Any JSON value is a state, as the metadata has it or, without it, the channels."""
    values = {"__root__": compact(state), "workflow_id": "w"}
    bare = row(pack(MORNING, values), metadata_of({"workflow_id": "w"}), id="bare")
    tree.checkpoints(stored("t", "full", MORNING, state), bare)
    told = await read(tree)
    found = {each.id: canonical(each.state) for each in told.entities(Checkpoint)}
    assert {"full": canonical(state), "bare": canonical(state)} == found


GENERATIONS: dict[str, tuple[bytes, dict[str, object], object, str]] = {
    "A": (pack(MORNING, {"state": {"raw": "x"}}), {}, {"raw": "x"}, "C"),
    "B": (pack(MORNING, {"__root__": {"a": [1]}}), {"workflow_id": "w"}, {"a": [1]}, "B"),
    "B and copy": (pack(MORNING, {"__root__": {"a": 1}}), {"state_data": {"a": 1}}, {"a": 1}, "B"),
    "C": (pack(MORNING, {"state": {"a": 1}}), {"state_data": {"a": 1}}, {"a": 1}, "C"),
    "C alone": (pack(MORNING, {"state": [1, b"x"]}), {"workflow_id": "w"}, [1, b"x"], "C"),
    "no channel": (pack(MORNING, {}), {"state_data": {"a": 1}}, {"a": 1}, "C"),
}


@pytest.mark.parametrize("name", GENERATIONS)
async def test_older_generations_are_read_as_well(tree: Tree, name: str) -> None:
    """The state is where the generation put it, and the metadata says which one it was."""
    blob, metadata, state, generation = GENERATIONS[name]
    tree.checkpoints(row(blob, metadata_of(metadata)))
    told = await read(tree)
    checkpoint = told.only(Checkpoint)
    assert state == checkpoint.state
    assert generation == checkpoint.metadata["legacy"]["generation"]
    assert [("c", "dangling_thread")] == told.notes()


async def test_the_first_generations_named_sessions(tree: Tree) -> None:
    """A thread id that is the id of a session keeps both readings."""
    tree.session("session_1")
    tree.checkpoints(stored("session_1", "c", MORNING, {}))
    checkpoint = (await read(tree)).only(Checkpoint)
    assert ("session_1", "session_1") == (checkpoint.thread_id, checkpoint.session_id)


async def test_where_the_states_differ_that_of_the_metadata_counts(tree: Tree) -> None:
    """The other one is kept beside, and the difference is told: 1 is not 1.0."""
    values = {"__root__": compact({"a": 1.0}), "workflow_id": "w"}
    tree.checkpoints(row(pack(MORNING, values), metadata_of({"state_data": {"a": 1}})))
    told = await read(tree)
    checkpoint = told.only(Checkpoint)
    assert {"a": 1} == checkpoint.state
    assert {"a": 1.0} == checkpoint.metadata["legacy"]["channel_state"]
    assert ("c", "state_differs") in told.notes()


async def test_extension_types_are_data(tree: Tree) -> None:
    """Objects of Python stay what they are on disk: numbers, names and arguments."""
    human = ["langchain_core.messages.human", "HumanMessage", {"content": "hi"}, "validate"]
    inner = ormsgpack.packb(["datetime", "datetime", "2025-11-07", "fromisoformat"])
    state = {
        "when": ormsgpack.Ext(3, inner),
        "said": ormsgpack.Ext(5, ormsgpack.packb(human)),
        "odd": ormsgpack.Ext(99, b"\xc1"),
    }
    blob = ormsgpack.packb({"ts": MORNING, "channel_values": {"__root__": state}})
    tree.checkpoints(row(blob, metadata_of({"workflow_id": "w"})))
    assert (await read(tree)).only(Checkpoint).state == {
        "when": {"ext": 3, "data": ["datetime", "datetime", "2025-11-07", "fromisoformat"]},
        "said": {"ext": 5, "data": human},
        "odd": {"ext": 99, "data": b"\xc1"},
    }


async def test_extensions_without_end_are_cut_off(tree: Tree) -> None:
    """A blob of extensions in extensions is read to some depth and breaks nothing."""
    data = ormsgpack.packb(1)
    for _ in range(3000):
        data = ormsgpack.packb(ormsgpack.Ext(0, data))
    blob = b"\x82\xa2ts" + ormsgpack.packb(MORNING) + b"\xaechannel_values\x81\xa8__root__" + data
    tree.checkpoints(row(blob, metadata_of({"workflow_id": "w"})), stored("t", "d", NOON, 1))
    told = await read(tree)
    assert (["c", "d"], []) == (told.ids("checkpoint"), told.problems())


async def test_graphs_of_the_same_database_are_counted_and_left(tree: Tree) -> None:
    """Rows of the graph adapter and of LangGraph itself are not checkpoints of the store."""
    native: dict[str, object] = {"source": "loop", "step": 1, "parents": {}}
    tree.thread("t")
    tree.checkpoints(
        stored("t", "c", MORNING, {}),
        row(pack(1763164961.52, {"state": {"a": 1}}), metadata_of({"j": 0}), id="adapter"),
        row(pack("2025-11-15T00:11:23+00:00", {"n": 1}), metadata_of(native), id="native"),
        row(pack(MORNING, {"__root__": [1]}), metadata_of(native), id="native_root"),
    )
    told = await read(tree)
    assert ["c"] == told.ids("checkpoint")
    [skipped] = told.skipped()
    assert ("graph-checkpoints", DB, 3) == (skipped.format, skipped.place, skipped.items)


async def test_either_half_of_a_row_will_do(tree: Tree) -> None:
    """With a damaged blob the metadata tells state and time, with damaged metadata the blob."""
    values = {"__root__": compact({"a": 2}), "workflow_id": "w"}
    told_all = {"state_data": {"a": 1}, "workflow_id": "w", "created_at": NOON}
    tree.checkpoints(
        row(b"\xc1", metadata_of(told_all), id="no blob"),
        row(pack(MORNING, values), b'{"cut', id="no metadata"),
        row(pack("?", values), metadata_of({"created_at": NOON, "workflow_id": "w"}), id="no ts"),
    )
    told = await read(tree)
    states = {each.id: (each.state, each.workflow_id) for each in told.entities(Checkpoint)}
    read_both = {"no blob": ({"a": 1}, "w"), "no ts": ({"a": 2}, "w")}
    assert {**read_both, "no metadata": ({"a": 2}, "w")} == states
    codes = {"dangling_thread", "blob_lost", "time_guessed", "metadata_lost"}
    assert codes == {code for _, code in told.notes()}


@pytest.mark.parametrize(
    ("blob", "metadata", "code"),
    [
        (b"\xc1", b"{", "bad_blob"),
        (None, None, "no_time"),
        (b"\xc1", b"{}", "no_time"),
        (pack("soon", {"__root__": "1", "workflow_id": "w"}), b"{}", "no_time"),
        (pack(MORNING, {}), b'{"workflow_id": "w"}', "no_state"),
        (ormsgpack.packb([1]), b"[]", "bad_blob"),
        (b"\x91" * 5000, b"\xff", "bad_blob"),
    ],
)
async def test_a_row_that_tells_too_little_is_a_problem_of_its_place(
    tree: Tree, blob: bytes | None, metadata: bytes | None, code: str
) -> None:
    """What cannot become a checkpoint is told by row, and the others are read."""
    tree.checkpoints(row(blob, metadata, id="bad"), stored("t", "good", MORNING, {}))
    told = await read(tree)
    assert ([(f"{DB}/1", code)], ["good"]) == (told.problems(), told.ids("checkpoint"))


async def test_no_pickle_is_opened(tree: Tree) -> None:
    """A blob of another type than MessagePack is not looked into."""
    tree.checkpoints(row(b"cos\nsystem\n(S'x'\ntR.", b"{}", type="pickle"))
    told = await read(tree)
    assert ([(f"{DB}/1", "no_time")], []) == (told.problems(), told.ids("checkpoint"))


async def test_the_same_id_twice_is_told_apart(tree: Tree) -> None:
    """Two databases may have a checkpoint of one id: both are kept."""
    for place in ("storage/checkpoints.db", "data/dev_checkpoints.db"):
        tree.checkpoints(stored("t", "c", MORNING, place), place=place)
    told = await read(tree)
    assert ["c", "c~2"] == told.ids("checkpoint")
    assert "c" == told.entities(Checkpoint)[1].metadata["legacy"]["checkpoint_id"]


async def test_what_a_row_has_beside_is_kept(tree: Tree) -> None:
    """Parent, namespace, offsets and odd workflows are not lost."""
    values = {"__root__": "1", "workflow_id": "w"}
    blob = pack("2025-11-07T02:00:00.000001+00:00", values)
    metadata = metadata_of({"workflow_id": 5})
    tree.checkpoints(("t", "sub", "c", "parent", "msgpack", blob, metadata))
    checkpoint = (await read(tree)).only(Checkpoint)
    assert ("parent", "w", AT) == (
        checkpoint.parent_id,
        checkpoint.workflow_id,
        checkpoint.created_at,
    )
    kept = {"checkpoint_ns": "sub", "ts": "2025-11-07T02:00:00.000001+00:00", "workflow_id": "w"}
    assert {"workflow_id": 5, "legacy": kept} == checkpoint.metadata


@pytest.mark.seed("7.3")
@EXAMPLES
@given(state=JSON, metadata=JSON)
async def test_any_state_arrives_from_both_halves(
    tmp_path_factory: pytest.TempPathFactory, state: object, metadata: object
) -> None:
    """What both halves of a row hold is the same state, and no difference is told."""
    tree = Tree(tmp_path_factory.mktemp("c"))
    # The blob is UTF-8: half a pair of surrogates stands in it as an escape.
    text = json.dumps(state)
    column = json.dumps({"note": metadata, "workflow_id": "w", "state_data": state}).encode()
    tree.checkpoints(row(pack(MORNING, {"__root__": text, "workflow_id": "w"}), column))
    told = await read(tree)
    checkpoint = told.only(Checkpoint)
    assert canonical(state) == canonical(checkpoint.state)
    assert canonical({"note": metadata, "workflow_id": "w"}) == canonical(checkpoint.metadata)
    assert [("c", "dangling_thread")] == told.notes()
