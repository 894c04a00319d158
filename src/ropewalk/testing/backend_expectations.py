"""What every back end owes a caller who expects labels, lists and tallies to be as he saw them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from ..domain.change import Batch, Change, Check, Delete
from ..domain.errors import Conflict, Invalid
from ..domain.labels import Label
from ..domain.ports import Backend, Capability
from ..domain.query import Condition, Order, Query
from ..domain.record import Record
from ..domain.seen import MAX_SEEN_RECORDS, Counted, Seen, sight
from .samples import KIND, SPACE, everything, key, put, read, versions, write

NOTES = Query(space=SPACE, kinds=(KIND,))


async def seen(backend: Backend, query: Query) -> Seen:
    """Read a list and return what a unit of work remembers of it."""
    found = await everything(backend, query)
    return Seen(query, tuple(map(sight, found)))


class ExpectationContract:
    """A check of labels is a fence, and a list that was seen may not come out differently."""

    @pytest.mark.seed("5.2", "8.3")
    async def test_a_check_of_labels_is_a_fence(self, backend: Backend) -> None:
        """A batch goes through while the record has the label, and never again after that."""
        await write(backend, put("lease", labels={"token": 1, "owner": "ann"}))
        fence = Check(key=key("lease"), labels={"token": 1})
        await write(backend, put("work"), fence)
        await write(backend, put("lease", labels={"token": 1, "owner": "ann", "renewed": True}))
        await write(backend, put("work"), fence)
        await write(backend, put("lease", labels={"token": 2, "owner": "bob"}))
        with pytest.raises(Conflict) as late:
            await write(backend, put("work"), fence)
        assert ("label", 1, 2) == (
            late.value.code,
            late.value.facts["expected"],
            late.value.facts["actual"],
        )
        await write(backend, Delete(key=key("lease")))
        with pytest.raises(Conflict):
            await write(backend, put("work"), fence)
        assert [2] == await versions(backend, "work")

    @pytest.mark.parametrize(
        ("present", "expected", "holds"),
        [
            (1, 1, True),
            (1, True, False),
            (True, 1, False),
            (1, 1.0, False),
            ("1", 1, False),
            ("ü", "ü", True),
            (2**62, 2**62, True),
            (0.5, 0.5, True),
        ],
    )
    async def test_a_label_is_its_type_too(
        self,
        backend: Backend,
        present: Label,
        expected: Label,
        holds: bool,  # noqa: FBT001 (a parameter of the table above)
    ) -> None:
        """What is equal in Python but not the same label does not pass a check."""
        await write(backend, put("a", labels={"token": present}))
        batch = Batch((put("b"), Check(key=key("a"), labels={"token": expected})))
        if holds:
            assert (1, 0) == (await backend.apply(batch)).versions
        else:
            with pytest.raises(Conflict):
                await backend.apply(batch)

    async def test_a_check_may_name_a_version_and_labels(self, backend: Backend) -> None:
        """Both must hold; a retry is answered as the first time."""
        await write(backend, put("a", labels={"n": 7}))
        batch = Batch((put("b"), Check(key=key("a"), expect=1, labels={"n": 7})))
        first = await backend.apply(batch)
        await write(backend, put("a", labels={"n": 8}))
        assert (1, 1) == first.versions
        assert replace(first, replayed=True) == await backend.apply(batch)
        with pytest.raises(Conflict):
            await write(backend, put("b"), Check(key=key("a"), expect=2, labels={"n": 7}))

    @pytest.mark.seed("5.1", "5.2", "8.3")
    @pytest.mark.parametrize("what", ["put", "delete", "check"])
    async def test_a_record_made_anew_is_another(self, backend: Backend, what: str) -> None:
        """Whoever has seen the deleted record of a key may not take the next one for it."""
        await write(backend, put("a", b"first", created_at=5))
        first = await read(backend, "a")
        assert first is not None

        def expecting(record: Record) -> Change:
            expected = put("a", b"over", expect=record.version)
            changes: dict[str, Change] = {
                "put": replace(expected, made=record.created_at),
                "delete": Delete(key=key("a"), expect=record.version, made=record.created_at),
                "check": Check(key=key("a"), expect=record.version, made=record.created_at),
            }
            return changes[what]

        await write(backend, Delete(key=key("a")))
        await write(backend, put("a", b"second"))
        second = await read(backend, "a")
        assert second is not None
        assert first.version == second.version
        with pytest.raises(Conflict) as late:
            await write(backend, expecting(first), put("beside"))
        facts = late.value.facts
        assert ("made_anew", key("a"), 1, 1) == (
            late.value.code,
            facts["key"],
            facts["expected"],
            facts["actual"],
        )
        assert [second, None] == [await read(backend, "a"), await read(backend, "beside")]
        done = {"put": 2, "delete": 0, "check": 1}
        assert (done[what], 1) == await write(backend, expecting(second), put("beside"))

    @pytest.mark.seed("5.2", "8.3")
    async def test_what_has_expired_and_came_again_is_another(self, backend: Backend) -> None:
        """A record in the place of one that has expired is not the one that was seen."""
        born = put("a", b"first", created_at=5)
        await write(backend, born)
        await write(backend, replace(born, expires_at=1))
        assert await read(backend, "a") is None
        await write(backend, put("a", b"second"), put("b"))
        await write(backend, put("a", b"second"))
        with pytest.raises(Conflict):
            await write(backend, put("b", b"late"), replace(born, expect=2, made=5))
        assert b"second" == getattr(await read(backend, "a"), "body", None)

    async def test_when_a_record_was_made_is_exact(self, backend: Backend) -> None:
        """To the microsecond, before 1970 too, and after the record was written again."""
        for n, at in enumerate((-1, 0, 1_700_000_000_000_001)):
            await write(backend, put(f"n{n}", created_at=at))
            await write(backend, put(f"n{n}", b"again"))
            for wrong in (at - 1, at + 1):
                with pytest.raises(Conflict):
                    await write(backend, Check(key=key(f"n{n}"), expect=2, made=wrong))
            await write(backend, Check(key=key(f"n{n}"), expect=2, made=at))

    async def test_when_it_was_made_is_asked_with_a_version(self) -> None:
        """A time alone, or of what is to be absent, is an expectation that says too little."""
        for expect in (None, 0):
            with pytest.raises(Invalid):
                replace(put("a", expect=expect), made=1)
            with pytest.raises(Invalid):
                Delete(key=key("a"), expect=expect, made=1)
            with pytest.raises(Invalid):
                Check(key=key("a"), expect=expect, labels={"n": 1}, made=1)

    async def test_a_check_of_nothing_is_refused(self) -> None:
        """A check says what it checks, and something that can hold."""
        with pytest.raises(Invalid):
            Check(key=key("a"))
        with pytest.raises(Invalid):
            Check(key=key("a"), expect=0, labels={"n": 1})

    @pytest.mark.seed("5.2", "8.3")
    @pytest.mark.parametrize(
        "query",
        [
            NOTES,
            replace(NOTES, order=Order(descending=True)),
            replace(NOTES, order=Order("labels.n")),
            replace(NOTES, where=(Condition("labels.n", "ge", 0),)),
            replace(NOTES, session_id="s"),
            Query(space=SPACE),
            replace(NOTES, limit=9, bodies=False),
        ],
        ids=["all", "newest", "sorted", "filtered", "session", "kinds", "limit"],
    )
    @pytest.mark.parametrize("what", ["added", "changed", "deleted", "made anew"])
    async def test_no_phantom_passes(self, backend: Backend, query: Query, what: str) -> None:
        """A record that came, changed, went or came again since a list was read breaks the batch.

        What came again looks as before: it has the labels, the place and the version.
        """
        for n in range(3):
            await write(backend, put(f"n{n}", labels={"n": n}, session_id="s", created_at=10 * n))
        then = await seen(backend, query)
        assert 3 == len(then.found)
        await backend.apply(Batch((put("elsewhere", session_id="other"),), seen=(then,)))
        await write(backend, Delete(key=key("elsewhere")))
        changes: dict[str, Change] = {
            "added": put("n9", labels={"n": 9}, session_id="s"),
            "changed": put("n1", labels={"n": 1}, session_id="s"),
            "deleted": Delete(key=key("n2")),
        }
        if what == "made anew":
            await write(backend, Delete(key=key("n1")))
            again = put("n1", labels={"n": 1}, session_id="s", created_at=11)
            assert (1,) == await write(backend, again)
        else:
            await write(backend, changes[what])
        with pytest.raises(Conflict) as error:
            await backend.apply(Batch((put("late"),), seen=(then,)))
        assert "phantom" == error.value.code
        assert await read(backend, "late") is None

    async def test_what_was_not_reached_may_change(self, backend: Backend) -> None:
        """A list that was left after two records is about these two."""
        for n in range(4):
            await write(backend, put(f"n{n}", created_at=n))
        first = replace(NOTES, limit=2)
        then = await seen(backend, first)
        await write(backend, put("n2", b"changed", created_at=2), Delete(key=key("n3")))
        await backend.apply(Batch((put("early", created_at=9),), seen=(then,)))
        await write(backend, put("before", created_at=-1))
        with pytest.raises(Conflict):
            await backend.apply(Batch((put("late", created_at=9),), seen=(then,)))

    async def test_an_empty_list_must_stay_empty(self, backend: Backend) -> None:
        """That there was nothing is something that was seen; it can be checked on its own."""
        nothing = Batch((), seen=(Seen(NOTES, ()),))
        assert () == (await backend.apply(nothing)).versions
        await write(backend, put("a"))
        with pytest.raises(Conflict):
            await backend.apply(nothing)

    async def test_a_long_list_is_checked_to_its_end(self, backend: Backend) -> None:
        """A change far behind the first page is found."""
        await write(backend, *[put(f"n{n:04}", created_at=n) for n in range(700)])
        for query in (NOTES, replace(NOTES, order=Order("labels.n"))):
            then = await seen(backend, query)
            await backend.apply(Batch((), seen=(then,)))
            await write(backend, put("n0690", b"x", created_at=690))
            with pytest.raises(Conflict):
                await backend.apply(Batch((), seen=(then,)))

    async def test_a_tally_must_come_out_the_same(self, backend: Backend) -> None:
        """Counts, sums and groups are checked at the commit as they were answered."""
        if Capability.TALLY not in backend.capabilities:
            return
        await write(backend, put("a", labels={"n": 1}), put("b", labels={"n": 2}))
        asked: tuple[Sequence[str], Sequence[str]] = (("n",), ("kind",))
        rows = tuple(await backend.tally(NOTES, *asked))
        then = Counted(NOTES, ("n",), ("kind",), rows)
        await backend.apply(Batch((put("other", labels={}), Delete(key=key("x"))), seen=(then,)))
        with pytest.raises(Conflict) as error:
            await backend.apply(Batch((put("late"),), seen=(then,)))
        assert "phantom" == error.value.code

    async def test_what_was_seen_has_a_limit(self) -> None:
        """Lists of more records than can be checked in one go are refused by name."""
        found = tuple((key(f"n{n}"), 1, 0) for n in range(MAX_SEEN_RECORDS + 1))
        with pytest.raises(Invalid) as error:
            Batch((put("a"),), seen=(Seen(NOTES, found),))
        assert "max_seen_records" == error.value.facts["limit"]
