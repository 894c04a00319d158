"""States that grow: what a step costs, what is noticed, and who comes first."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from ropewalk.codecs.pipeline import make_pipeline
from ropewalk.domain.change import Batch
from ropewalk.domain.checkpoint import Checkpoint
from ropewalk.domain.errors import Conflict, Corrupt, Invalid, NotFound
from ropewalk.domain.ports import Backend
from ropewalk.domain.query import Query
from ropewalk.services.storage import Storage
from ropewalk.stores.checkpoints import CheckpointStore

pytestmark = [pytest.mark.seed("3.4"), pytest.mark.seed("6.4")]


def message(number: int) -> dict[str, Any]:
    """Return a message that is like no other and of the same length."""
    text = " ".join(f"{number * 7919 + n:08x}" for n in range(60))
    return {"role": "user", "id": f"m{number:06d}", "content": text, "meta": {"n": number}}


async def stored(backend: Backend) -> int:
    """Return the bytes of all bodies."""
    query = Query(space=None)
    return sum([len(record.body or b"") async for record in backend.scan(query)])


async def test_a_step_costs_as_much_at_the_end_as_at_the_beginning(
    storage: Storage, backend: Backend
) -> None:
    """Bytes for 50 steps are the same behind 50 messages and behind a thousand."""
    await storage.threads.create(id="t")
    grown: dict[int, int] = {}
    for number in range(1_050):
        if number in (50, 100, 1_000):
            grown[number] = await stored(backend)
        await storage.checkpoints.append("t", {"messages": [message(number)]})
    early = grown[100] - grown[50]
    late = await stored(backend) - grown[1_000]

    assert late < 1.5 * early
    latest = await storage.checkpoints.latest("t")
    assert latest is not None
    assert [message(n) for n in range(1_050)] == latest.state["messages"]


async def test_appending_and_saving_come_to_the_same_state(storage: Storage) -> None:
    """The root depends on the state alone, not on how it was written."""
    for thread in ("a", "b"):
        await storage.threads.create(id=thread)
    state: dict[str, Any] = {"messages": [], "plan": {"step": 0}}
    for number in range(120):
        state["messages"].append(message(number))
        state["plan"] = {"step": number}
        saved = await storage.checkpoints.save("a", state)
        delta = {"messages": [message(number)], "plan": {"step": number}}
        appended = await storage.checkpoints.append("b", delta)
        assert (await storage.checkpoints.load(saved.id)).state == state
        assert (await storage.checkpoints.load(appended.id)).state == state


async def test_what_was_changed_in_place_is_noticed(storage: Storage) -> None:
    """The same objects with other content, at any depth and any place, are another state."""
    await storage.threads.create(id="t")
    state: dict[str, Any] = {
        "messages": [message(n) for n in range(200)],
        "notes": {"a": [1, {"b": 2}]},
    }
    ids = [(await storage.checkpoints.save("t", state)).id]
    for place in (0, 5, 77, 198, 199):
        state["messages"][place]["meta"]["n"] = -place - 1
        ids.append((await storage.checkpoints.save("t", state)).id)
    state["notes"]["a"][1]["b"] = 3
    ids.append((await storage.checkpoints.save("t", state)).id)

    states = [(await storage.checkpoints.load(id_)).state for id_ in ids]
    assert len(ids) == len({repr(loaded) for loaded in states})
    assert state == states[-1]
    assert 77 == states[0]["messages"][77]["meta"]["n"]


async def test_identity_is_trusted_only_where_the_caller_vouches(storage: Storage) -> None:
    """With `trust_identity` the same object is the same value: that is what was promised."""
    await storage.threads.create(id="t")
    state = {"messages": [message(n) for n in range(60)]}
    await storage.checkpoints.save("t", state, trust_identity=True)
    state["messages"].append(message(60))
    saved = await storage.checkpoints.save("t", state, trust_identity=True)
    assert state == (await storage.checkpoints.load(saved.id)).state

    state["messages"][3]["content"] = "changed behind the back"
    trusting = await storage.checkpoints.save("t", state, trust_identity=True)
    careful = await storage.checkpoints.save("t", state)

    loaded = await storage.checkpoints.load_many([trusting.id, careful.id, "nobody"])
    assert [message(3), state["messages"][3], None] == [
        checkpoint and checkpoint.state["messages"][3] for checkpoint in loaded
    ]


@pytest.mark.parametrize(
    "value",
    [
        bytearray(b"x" * 20_000),
        b"\x00\xff" * 30_000,
        2**200,
        "\ud800 alone",
        "long \ud800 " * 3_000,
        {"\ud800": 1},
        {1: "a", (2, 3): "b"},
        ("a", ["b", ("c",)] * 3_000),
        {n: n for n in range(3_000)},
        [[n] * 3 for n in range(3_000)],
        {f"k{n}": {"v": [n]} for n in range(3_000)},
        "ü" * 50_000,
        frozenset(range(3_000)),
    ],
    ids=lambda value: type(value).__name__,
)
async def test_odd_values_come_back_exactly(storage: Storage, value: object) -> None:
    """Values that are big or rare keep their type, at the top and inside a list."""
    await storage.threads.create(id="t")
    for state in (value, {"x": value, "list": [value, 1, value]}):
        saved = await storage.checkpoints.save("t", state)
        loaded = (await storage.checkpoints.load(saved.id)).state
        assert (type(state), state) == (type(loaded), loaded)


async def test_what_cannot_be_kept_is_named_by_its_path_in_the_state(storage: Storage) -> None:
    """However deep in a long list, the error says where; nothing is written."""
    await storage.threads.create(id="t")
    state = {"messages": [message(n) for n in range(300)]}
    state["messages"][217]["meta"]["tool"] = object()
    with pytest.raises(Invalid, match=r"messages\[217\]\.meta\.tool"):
        await storage.checkpoints.save("t", state)
    assert await storage.checkpoints.latest("t") is None


async def test_two_writers_are_put_one_behind_the_other(storage: Storage) -> None:
    """Many tasks that save and append at once make one line, in which nothing is lost."""
    await storage.threads.create(id="t")

    async def work(name: str) -> None:
        for n in range(5):
            await storage.checkpoints.append("t", {"done": [f"{name}{n}"]})

    await asyncio.gather(*(work(name) for name in "abcd"))

    line = (await storage.checkpoints.list("t", limit=50)).items
    assert [header.id for header in line[1:]] + [None] == [header.parent_id for header in line]
    latest = await storage.checkpoints.latest("t")
    assert latest is not None
    assert sorted(f"{name}{n}" for name in "abcd" for n in range(5)) == sorted(latest.state["done"])


async def test_another_handle_is_never_overwritten(storage: Storage) -> None:
    """What a handle remembers of the newest is checked: another one may have saved since."""
    other = storage.space(storage.space_name)
    await storage.threads.create(id="t")
    await storage.checkpoints.append("t", {"who": ["first"]})
    await other.checkpoints.append("t", {"who": ["other"]})
    await storage.checkpoints.append("t", {"who": ["again"]})
    latest = await other.checkpoints.latest("t")
    assert latest is not None
    assert ["first", "other", "again"] == latest.state["who"]


async def test_what_is_known_of_a_thread_ends_with_it(storage: Storage) -> None:
    """After a rollback, a deletion or a new session nobody goes on from what was before."""
    await storage.threads.create(id="t")
    first = await storage.checkpoints.append("t", {"a": [1]})
    await storage.checkpoints.append("t", {"a": [2]})
    await storage.threads.rollback("t", to=first.id)
    await storage.checkpoints.append("t", {"a": [3]})
    latest = await storage.checkpoints.latest("t")
    assert latest is not None
    assert [1, 3] == latest.state["a"]

    await storage.checkpoints.delete(latest.id)
    await storage.checkpoints.append("t", {"a": [4]})
    latest = await storage.checkpoints.latest("t")
    assert latest is not None
    assert [1, 4] == latest.state["a"]

    await storage.threads.delete("t")
    with pytest.raises(NotFound):
        await storage.checkpoints.append("t", {"a": [5]})


async def test_a_taken_id_is_a_conflict_and_changes_nothing(storage: Storage) -> None:
    """An id that is there already is refused, and the line goes on from where it was."""
    await storage.threads.create(id="t")
    await storage.checkpoints.save("t", {"n": 1}, id="one")
    with pytest.raises(Conflict):
        await storage.checkpoints.save("t", {"n": 2}, id="one")
    saved = await storage.checkpoints.append("t", {"m": 3})
    assert ("one", {"n": 1, "m": 3}) == (
        saved.parent_id,
        (await storage.checkpoints.load(saved.id)).state,
    )


@pytest.mark.parametrize("delta", [None, ["a"], {1: 2}])
async def test_a_delta_is_a_dict_with_text_keys(storage: Storage, delta: Any) -> None:  # noqa: ANN401
    """Anything else is refused, and so is appending to a state that is no dictionary."""
    await storage.threads.create(id="t")
    with pytest.raises(Invalid, match="delta"):
        await storage.checkpoints.append("t", delta)
    await storage.checkpoints.save("t", [1, 2])
    with pytest.raises(Invalid, match="no dictionary"):
        await storage.checkpoints.append("t", {"a": [1]})


async def test_a_fork_and_a_copy_share_their_nodes(storage: Storage) -> None:
    """In a family a copy writes one record; another family gets nodes of its own."""
    await storage.threads.create(id="t")
    await storage.threads.create(id="else")
    state = {"messages": [message(n) for n in range(300)]}
    saved = await storage.checkpoints.save("t", state)
    nodes = (await storage.kinds())["node"]

    fork = await storage.threads.fork("t", at=saved.id)
    copied = await storage.checkpoints.copy(saved.id, to=fork.id)
    assert nodes == (await storage.kinds())["node"]
    assert copied.size < 500
    grown = await storage.checkpoints.append(fork.id, {"messages": [message(300)]})
    assert (await storage.kinds())["node"] <= nodes + 4
    assert 301 == len((await storage.checkpoints.load(grown.id)).state["messages"])

    moved = await storage.checkpoints.copy(saved.id, to="else")
    assert state == (await storage.checkpoints.load(moved.id)).state
    assert (await storage.kinds())["node"] > 1.9 * nodes


async def test_old_states_are_raised_to_the_newest_version(storage: Storage) -> None:
    """States go through every function from their own version on; newer ones are refused."""
    await storage.threads.create(id="t")
    old = await storage.checkpoints.save("t", {"name": "Ada Lovelace"})
    storage.checkpoints.upcast(0, lambda state: {"names": state["name"].split()})
    middle = await storage.checkpoints.save("t", {"names": ["Grace", "Hopper"]})
    storage.checkpoints.upcast(1, lambda state: {"last": state["names"][-1]})
    new = await storage.checkpoints.save("t", {"last": "Liskov"})

    found = await storage.checkpoints.load_many([old.id, middle.id, new.id])
    assert ["Lovelace", "Hopper", "Liskov"] == [c and c.state["last"] for c in found]
    await storage.checkpoints.save("t", {"last": "Hamilton"}, parent_id=old.id)
    again = await storage.checkpoints.copy(old.id, to="t")
    grown = await storage.checkpoints.append("t", {"year": 1843})
    assert again.id == grown.parent_id
    expected = {"last": "Lovelace", "year": 1843}
    assert expected == (await storage.checkpoints.load(grown.id)).state
    with pytest.raises(Invalid, match="version 2, not 7"):
        storage.checkpoints.upcast(7, lambda state: state)
    other = storage.space(storage.space_name)
    other.checkpoints.upcast(0, lambda state: state)
    with pytest.raises(Invalid, match="has version 2"):
        await other.checkpoints.load(new.id)


async def test_a_root_belongs_to_its_checkpoint(storage: Storage, backend: Backend) -> None:
    """A root that was moved to another checkpoint is damage, and is said so."""
    await storage.threads.create(id="t")
    one = await storage.checkpoints.save("t", {"n": 1})
    two = await storage.checkpoints.save("t", {"n": 2})
    store = CheckpointStore(backend, make_pipeline(), space=storage.space_name)
    mixed = await store.put(replace(two, trunk=one.trunk), expect=two.version)
    await backend.apply(Batch((mixed,)))
    with pytest.raises(Corrupt, match="root of checkpoint"):
        await storage.checkpoints.load(two.id)
    assert {"n": 1} == (await storage.checkpoints.load(one.id)).state


async def test_equal_content_has_other_names_elsewhere(storage: Storage, backend: Backend) -> None:
    """Names are keyed by space and family: they tell nobody what others have stored."""
    names: list[set[str]] = []
    state = {"messages": [message(n) for n in range(50)]}
    for place, thread in ((storage, "a"), (storage, "b"), (storage.space("other"), "a")):
        await place.threads.create(id=thread)
        await place.checkpoints.save(thread, state)
        query = Query(space=place.space_name, kinds=("node",), bodies=False)
        ids = [record.key.id async for record in backend.scan(query)]
        names.append({id_[-32:] for id_ in ids if id_.startswith(f"{thread}.")})
    assert all(names)
    assert set() == names[0] & names[1] == names[0] & names[2]


async def test_a_part_of_a_state_is_read_without_the_rest(storage: Storage) -> None:
    """A path leads to one item, a stretch, or a value inside; what is not there is NotFound."""
    await storage.threads.create(id="t")
    state = {"messages": [message(n) for n in range(400)], "plan": {"steps": ["a", "b"]}}
    saved = await storage.checkpoints.save("t", state)
    at = storage.checkpoints.get_path
    assert message(40) == await at(saved.id, "messages.40")
    assert [message(n) for n in range(390, 400)] == await at(saved.id, "messages[-10:]")
    assert "b" == await at(saved.id, "plan.steps.1")
    with pytest.raises(NotFound, match="messages"):
        await at(saved.id, "messages.400")
    with pytest.raises(NotFound):
        await at("nobody", "plan")


async def test_two_states_are_told_apart(storage: Storage) -> None:
    """What was added, changed and removed is told in words and as JSON Patch."""
    await storage.threads.create(id="t")
    await storage.threads.create(id="else")
    state: dict[str, Any] = {"messages": [message(n) for n in range(200)], "budget": 300}
    old = await storage.checkpoints.save("t", state)
    new = await storage.checkpoints.append(
        "t", {"messages": [{"role": "assistant", "content": "hello"}], "budget": 260}
    )
    diff = await storage.checkpoints.diff(old.id, new.id)
    assert {"messages +1 (assistant)", "budget 300 → 260"} == set(str(diff).splitlines())
    elsewhere = await storage.checkpoints.copy(new.id, to="else")
    other = await storage.checkpoints.diff(old.id, elsewhere.id)
    assert str(diff) == str(other)
    assert () == (await storage.checkpoints.diff(new.id, new.id)).differences


async def test_a_checkpoint_is_forked_by_its_id(storage: Storage) -> None:
    """The fork continues behind the checkpoint, whose thread need not be known."""
    await storage.threads.create(id="t")
    one = await storage.checkpoints.append("t", {"n": [1]})
    await storage.checkpoints.append("t", {"n": [2]})
    fork = await storage.checkpoints.fork(one.id, name="other")
    # Who looked before the fork and would delete it now expects the version of then.
    assert one.version < (await storage.checkpoints.get(one.id)).version
    await storage.checkpoints.append(fork.id, {"n": [3]})
    latest = await storage.checkpoints.latest(fork.id)
    assert latest is not None
    assert [1, 3] == latest.state["n"]


async def test_tags_and_pins_stand_in_the_header(storage: Storage) -> None:
    """Tags are found again; taking one off leaves the others."""
    await storage.threads.create(id="t")
    one = await storage.checkpoints.save("t", {"n": 1})
    two = await storage.checkpoints.save("t", {"n": 2})
    for name in ("good", "best"):
        await storage.checkpoints.tag(one.id, name)
    await storage.checkpoints.tag(two.id, "good")
    await storage.checkpoints.tag(one.id, "best", remove=True)
    assert (await storage.checkpoints.pin(two.id)).pinned
    assert [two.id, one.id] == [h.id for h in await storage.checkpoints.tagged("good")]
    assert () == await storage.checkpoints.tagged("best")
    assert ("good",) == (await storage.checkpoints.load(one.id)).tags
    with pytest.raises(Invalid, match="name"):
        await storage.checkpoints.tag(one.id, "")


async def test_many_forks_may_begin_at_one_checkpoint(storage: Storage) -> None:
    """Forks that are made at once at the same place do not meet in it; of a gone one none is."""
    await storage.threads.create(id="t")
    one = await storage.checkpoints.append("t", {"n": [1]})
    forks = await asyncio.gather(*(storage.checkpoints.fork(one.id) for _ in range(8)))
    assert 8 == len({fork.id for fork in forks})
    with pytest.raises(Conflict, match="fork"):
        await storage.checkpoints.delete(one.id)


async def test_siblings_are_adopted_together_and_a_refused_one_leaves_no_trace(
    storage: Storage,
) -> None:
    """Children of one parent come in one batch; what was refused is nothing to go on from."""
    await storage.threads.create(id="t")
    now = (await storage.threads.get("t")).created_at
    history = [message(n) for n in range(60)]

    def made(id: str, parent: str | None, *more: dict[str, Any]) -> Checkpoint:
        return Checkpoint(
            id=id,
            thread_id="t",
            parent_id=parent,
            created_at=now,
            updated_at=now,
            state={"messages": [*history, *more]},
        )

    family = [made("one", None), made("two", "one", message(60)), made("three", "one", message(61))]
    await storage.checkpoints.adopt(*family)
    for each in family:
        assert each.state == (await storage.checkpoints.load(each.id)).state

    await storage.checkpoints.save("t", {"messages": []}, id="taken")
    other = [message(n) for n in range(1_000, 1_060)]
    with pytest.raises(Conflict):
        await storage.checkpoints.adopt(replace(made("taken", None), state={"messages": other}))
    saved = await storage.checkpoints.save("t", {"messages": [*other, message(1)]})
    assert "taken" == saved.parent_id
    assert [*other, message(1)] == (await storage.checkpoints.load(saved.id)).state["messages"]
    assert 0 == (await storage.checkpoints.verify()).damaged
