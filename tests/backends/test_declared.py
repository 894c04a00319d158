"""A declared index changes no answer, on no back end: only how it is found."""

from __future__ import annotations

import random
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Final

import pytest

from ropewalk.backends.file import FileBackend
from ropewalk.backends.memory import MemoryBackend
from ropewalk.backends.sqlite import SqliteBackend
from ropewalk.backends.sqlite.connection import Connection
from ropewalk.backends.sqlite.patience import Patience
from ropewalk.domain.change import Batch, Change, Delete, Put
from ropewalk.domain.clock import FrozenClock
from ropewalk.domain.cursor import Cursor
from ropewalk.domain.declared import DeclaredIndex
from ropewalk.domain.errors import Conflict
from ropewalk.domain.labels import PARTIAL, Label
from ropewalk.domain.ports import Backend
from ropewalk.domain.query import AnyOf, Condition, Order, Query
from ropewalk.domain.record import Key
from ropewalk.domain.seen import Seen, sight

Make = Callable[[Path, FrozenClock], Backend]

MAKERS: Final[dict[str, Make]] = {
    "memory": lambda _, clock: MemoryBackend(clock=clock),
    "sqlite": lambda path, clock: SqliteBackend(path / "store.db", clock=clock),
    "file": lambda path, clock: FileBackend(path / "store", clock=clock, sync="normal"),
}
TOPIC: Final = DeclaredIndex("note", "topic")
_PARTIAL: Final = f"labels.{PARTIAL}"
NOTES: Final = Query(space="lab", kinds=("note",))
VALUES: Final[tuple[Label | None, ...]] = (
    *(None, True, False, 1, 2, 3, 2.0, 2.5, -1.5, -3, 0, 0.0, -0.0, 2**60),
    *("", "a", "ab", "b", "z\x01", "z\0", "\U0010ffff", "\U0010ffffa", "tea"),
)


@pytest.fixture(params=list(MAKERS))
async def backend(
    request: pytest.FixtureRequest, tmp_path: Path, clock: FrozenClock
) -> AsyncIterator[Backend]:
    """Each back end, open and empty."""
    made = MAKERS[request.param](tmp_path, clock)
    await made.open()
    yield made
    await made.close()


@pytest.fixture
def clock() -> FrozenClock:
    """A clock that both stores of a test share, and that stands still."""
    return FrozenClock(tick=0)


def _put(n: int, value: Label | None, *, at: int = 0, expires: int | None = None) -> Put:
    labels: dict[str, Label] = {"parity": n % 2}
    if value is not None:
        labels["topic"] = value
    if n % 5 == 0:
        labels[PARTIAL] = True
    return Put(
        key=Key("lab", ("note", "note", "task")[n % 3], f"n{n * 7 % 97}"),
        labels=labels,
        created_at=at,
        expires_at=expires,
    )


def _condition(dice: random.Random) -> Condition:
    op = dice.choice(("eq", "eq", "ne", "lt", "le", "gt", "ge", "in", "prefix", "exists"))
    value = dice.choice(VALUES)
    if op == "in":
        some = tuple(value for value in dice.sample(VALUES, 4) if value is not None)
        return Condition("labels.topic", "in", some)
    if op == "prefix":
        return Condition("labels.topic", "prefix", dice.choice(("", "a", "z", "\U0010ffff")))
    if op == "exists":
        return Condition("labels.topic", "exists", dice.random() < 0.5)
    if value is None and op not in ("eq", "ne"):
        value = 2
    return Condition("labels.topic", op, value)  # type: ignore[arg-type]


def _question(dice: random.Random) -> Query:
    where: list[Condition | AnyOf] = [_condition(dice)] if dice.random() < 0.5 else []
    if not where and dice.random() < 0.6:
        where.append(
            AnyOf((_condition(dice), _condition(dice), Condition(_PARTIAL, "eq", value=True)))
        )
    if dice.random() < 0.3:
        where.append(Condition("labels.parity", "eq", 1))
    fields = ("created_at", "created_at", "labels.topic", "labels.topic", "id", "labels.parity")
    order = Order(dice.choice(fields), dice.random() < 0.5)
    query = replace(NOTES, where=tuple(where), order=order, limit=dice.choice((None, 1, 7, 60)))
    if order.field == "labels.topic" and dice.random() < 0.6:
        spot = Cursor(dice.choice(VALUES), f"n{dice.randrange(97)}", "note", "lab")
        side = {dice.choice(("after", "until")): spot}
        query = replace(query, after=side.get("after"), until=side.get("until"))
    return query


async def _agree(backend: Backend, plain: Backend, query: Query) -> None:
    """Check that both give the same answer, records and sums."""
    expected = [record async for record in plain.scan(query)]
    assert expected == [record async for record in backend.scan(query)], query
    sums = await plain.tally(query, ("parity",), ("labels.topic",))
    assert sums == await backend.tally(query, ("parity",), ("labels.topic",)), query


@pytest.mark.seed("6.3", "9.1")
async def test_answers_are_the_same(backend: Backend, clock: FrozenClock) -> None:
    """Whatever is asked while records come, change and go, with the index and without."""
    dice = random.Random(20_260_731)
    plain = MemoryBackend(clock=clock)
    await plain.open()
    changes: list[Change] = [_put(n, dice.choice(VALUES), at=dice.randrange(9)) for n in range(90)]
    for store in (backend, plain):
        await store.apply(Batch(tuple(changes)))
    await backend.apply(Batch((TOPIC.put("lab"), DeclaredIndex("note", PARTIAL).put("lab"))))
    for _ in range(6):
        for _ in range(25):
            await _agree(backend, plain, _question(dice))
        n = dice.randrange(97)
        changes = [_put(n, dice.choice(VALUES), at=n) for n in dice.sample(range(120), 12)]
        changes = list({change.key: change for change in changes}.values())
        gone = _put(n, None).key
        changes = [change for change in changes if change.key != gone]
        for store in (backend, plain):
            await store.apply(Batch((*changes, Delete(key=gone))))
    await backend.apply(Batch((TOPIC.drop("lab"),)))
    for _ in range(10):
        await _agree(backend, plain, _question(dice))


@pytest.mark.seed("6.3")
async def test_pages_of_a_label_follow_one_another(backend: Backend) -> None:
    """Page by page in the order of the label, everything comes once, numbers by value."""
    values: list[Label | None] = [3, 2.5, "b", None, True, -1, "a", False, 2.5, None]
    changes = [_put(n * 3, value) for n, value in enumerate(values)]
    await backend.apply(Batch((*changes, TOPIC.put("lab"))))
    for descending in (False, True):
        query = replace(NOTES, order=Order("labels.topic", descending), limit=2)
        seen: list[Label | None] = []
        while page := [record async for record in backend.scan(query)]:
            seen += [record.labels.get("topic") for record in page]
            query = replace(query, after=query.cursor(page[-1]))
        wanted = [None, None, False, True, -1, 2.5, 2.5, 3, "a", "b"]
        assert (wanted[::-1] if descending else wanted) == seen


@pytest.mark.seed("6.3")
async def test_an_index_is_of_its_batch(backend: Backend) -> None:
    """A batch that fails declares nothing, one that is sent twice declares once."""
    await backend.apply(Batch((_put(0, "a"),)))
    with pytest.raises(Conflict):
        await backend.apply(Batch((TOPIC.put("lab"), replace(_put(0, "b"), expect=9))))
    query = NOTES.only(Condition("labels.topic", "eq", "a"))
    assert 1 == len([record async for record in backend.scan(query)])
    batch = Batch((TOPIC.put("lab"), _put(3, "a")))
    for _ in range(2):
        await backend.apply(batch)
    found = [record async for record in backend.scan(query)]
    assert 2 == len(found)
    seen = Seen(query, tuple(map(sight, found)))
    await backend.apply(Batch((_put(6, "b"),), seen=(seen,)))
    with pytest.raises(Conflict):
        await backend.apply(Batch((_put(9, "a"), _put(12, "a")), seen=(replace(seen, found=()),)))


@pytest.mark.seed("6.3")
async def test_what_has_expired_is_not_found(backend: Backend, clock: FrozenClock) -> None:
    """An index has what has expired too; whoever asks does not see it."""
    await backend.apply(Batch((TOPIC.put("lab"), _put(0, "a", expires=clock.now() + 1_000_000))))
    query = NOTES.only(Condition("labels.topic", "eq", "a"))
    ordered = replace(NOTES, order=Order("labels.topic"))
    assert [1, 1] == [len([r async for r in backend.scan(q)]) for q in (query, ordered)]
    clock.advance(2_000_000)
    assert [0, 0] == [len([r async for r in backend.scan(q)]) for q in (query, ordered)]


def _indexes(path: Path) -> list[str]:
    with closing(Connection(str(path), Patience(1, threading.Event()))) as connection:
        found = connection.rows("select sql from sqlite_schema where name glob 'label_*'")
        return [str(row[0]) for row in found]


@pytest.mark.seed("6.3", "5.2")
async def test_other_connections_follow(tmp_path: Path, clock: FrozenClock) -> None:
    """What one store declares another one on the file uses, and it lasts; so does dropping it."""
    path = tmp_path / "store.db"
    one, other = SqliteBackend(path, clock=clock), SqliteBackend(path, clock=clock)
    await one.open()
    await other.open()
    query = NOTES.only(Condition("labels.topic", "eq", "a"))
    await one.apply(Batch((_put(0, "a"),)))
    assert 1 == len([record async for record in other.scan(query)])
    await one.apply(Batch((TOPIC.put("lab"), TOPIC.put("elsewhere"))))
    (statement,) = _indexes(path)
    assert "json_extract(labels, '$.\"topic\"')" in statement
    await other.apply(Batch((_put(3, "a"),)))
    assert 2 == len([record async for record in one.scan(query)])
    await other.apply(Batch((TOPIC.drop("lab"),)))
    assert 1 == len(_indexes(path))
    await other.apply(Batch((TOPIC.drop("elsewhere"),)))
    assert [] == _indexes(path)
    assert 2 == len([record async for record in one.scan(query)])
    await one.close()
    await other.close()


@pytest.mark.seed("4.1")
@pytest.mark.parametrize("label", ["a'b", 'a"b', "a%b", "a\\b", "ä", "a]b", "a.b c", "'); drop --"])
async def test_no_name_of_a_label_can_end_its_quotes(
    tmp_path: Path, clock: FrozenClock, label: str
) -> None:
    """Names are written into statements, in an alphabet that has no quotes."""
    backend = SqliteBackend(tmp_path / "store.db", clock=clock)
    await backend.open()
    index = DeclaredIndex("note", label)
    await backend.apply(
        Batch((index.put("lab"), Put(key=Key("lab", "note", "a"), labels={label: 1})))
    )
    query = replace(
        NOTES.only(Condition(f"labels.{label}", "eq", 1)), order=Order(f"labels.{label}")
    )
    assert 1 == len([record async for record in backend.scan(query)])
    (statement,) = _indexes(tmp_path / "store.db")
    assert 2 == statement.count("'")
    await backend.close()
