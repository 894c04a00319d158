"""What every back end owes its writers: each change, each expectation, all or nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pytest

from ..domain.change import Batch, Change, Check, Delete, Ensure, Put
from ..domain.clock import FrozenClock
from ..domain.errors import Conflict, Invalid
from ..domain.labels import Label
from ..domain.limits import MAX_INT64
from ..domain.ports import Backend
from ..domain.query import Query
from ..domain.record import Record
from .samples import SPACE, found, ids, key, put, read, versions, write


class BatchContract:
    """`apply` and `get`: one meaning of a change, and no half batch."""

    @pytest.mark.seed("1.3")
    async def test_a_record_comes_back_whole(self, backend: Backend) -> None:
        """Every field of a record is returned as it was written."""
        await write(
            backend,
            Put(
                key=key("whole"),
                body=b"\x00body\xff",
                seal="msgpack|zstd|crc32",
                labels={"status": "open", "n": 3, "x": 0.5, "yes": True},
                session_id="s1",
                thread_id="t1",
                expires_at=1_900_000_000_000_000,
                created_at=-5,
                updated_at=7,
            ),
        )
        expected = Record(
            key=key("whole"),
            version=1,
            created_at=-5,
            updated_at=7,
            session_id="s1",
            thread_id="t1",
            labels={"status": "open", "n": 3, "x": 0.5, "yes": True},
            body=b"\x00body\xff",
            seal="msgpack|zstd|crc32",
            expires_at=1_900_000_000_000_000,
        )
        assert expected == await read(backend, "whole")

    @pytest.mark.seed("1.3")
    async def test_a_plain_record_has_no_more_than_was_said(self, backend: Backend) -> None:
        """What a put leaves out is absent: no parents, no labels, no seal, no expiry."""
        await write(backend, Put(key=key("plain")))
        record = await found(backend, "plain")
        assert (None, None, None) == (record.session_id, record.thread_id, record.expires_at)
        assert ({}, "", b"") == (dict(record.labels), record.seal, record.body)

    @pytest.mark.seed("4.2")
    async def test_get_answers_in_the_order_asked(self, backend: Backend) -> None:
        """`get` gives one answer a key, in order, `None` where absent, repeats included."""
        await write(backend, put("a", b"1"), put("b", b"2"))
        asked = [key(id) for id in ("b", "no", "a", "b")]
        answers = await backend.get(asked)
        assert [b"2", None, b"1", b"2"] == [record and record.body for record in answers]

    async def test_get_of_no_keys_is_empty(self, backend: Backend) -> None:
        """Asking for nothing is no error."""
        assert await backend.get([]) == []

    @pytest.mark.seed("4.2")
    async def test_get_of_many_keys(self, backend: Backend) -> None:
        """Thousands of keys may be asked for at once: there is no limit in between."""
        await write(backend, *[put(f"k{n:04}") for n in range(0, 1_000, 2)])
        answers = await backend.get([key(f"k{n % 1_000:04}") for n in range(3_000)])
        assert [n % 2 == 0 for n in range(3_000)] == [answer is not None for answer in answers]

    @pytest.mark.seed("6.3")
    async def test_headers_alone(self, backend: Backend) -> None:
        """Without bodies, `get` returns the same header and `None` for a body."""
        await write(backend, put("a", b"body", labels={"n": 1}, session_id="s"))
        whole = await found(backend, "a")
        (header,) = await backend.get([key("a")], bodies=False)
        assert header is not None
        assert (None, b"body") == (header.body, whole.body)
        assert (whole.labels, whole.version, "s") == (
            header.labels,
            header.version,
            header.session_id,
        )

    @pytest.mark.seed("8.3")
    async def test_versions_rise_by_one(self, backend: Backend) -> None:
        """The first write makes version 1, each further one adds one; the answer says both."""
        answers = [await backend.apply(Batch((put("a"),))) for _ in range(3)]
        assert [(1,), (2,), (3,)] == [answer.versions for answer in answers]
        assert [(0,), (1,), (2,)] == [answer.previous for answer in answers]
        assert (await found(backend, "a")).version == 3

    @pytest.mark.seed("1.3")
    async def test_times_are_kept_or_made(self, backend: Backend, clock: FrozenClock) -> None:
        """A rewrite keeps `created_at` and moves `updated_at`, unless it names them."""
        await write(backend, put("a"))
        first = await found(backend, "a")
        clock.advance(1_000)
        await write(backend, put("a"))
        second = await found(backend, "a")
        assert first.created_at == first.updated_at == second.created_at
        assert second.updated_at >= first.updated_at + 1_000
        await write(backend, Put(key=key("a"), created_at=11, updated_at=12))
        third = await found(backend, "a")
        assert (11, 12) == (third.created_at, third.updated_at)

    @pytest.mark.seed("1.3")
    async def test_a_put_replaces_everything(self, backend: Backend) -> None:
        """A put is the whole record: what it does not say is gone."""
        await write(
            backend,
            Put(key=key("a"), body=b"x", labels={"n": 1}, session_id="s", thread_id="t", seal="j"),
        )
        await write(backend, Put(key=key("a")))
        record = await found(backend, "a")
        assert ({}, None, None, b"", "") == (
            dict(record.labels),
            record.session_id,
            record.thread_id,
            record.body,
            record.seal,
        )
        assert await ids(backend, Query(space=SPACE, session_id="s")) == []
        assert await ids(backend, Query(space=SPACE, thread_id="t")) == []

    @pytest.mark.seed("8.3")
    @pytest.mark.parametrize(
        ("there", "expect", "code"), [(2, 0, "exists"), (2, 1, "version"), (0, 2, "gone")]
    )
    @pytest.mark.parametrize("verb", ["put", "delete", "check"])
    async def test_a_failed_expectation_says_what_it_found(
        self, backend: Backend, *, verb: str, there: int, expect: int, code: str
    ) -> None:
        """Put, delete and check raise `Conflict` with the key and both versions, changing nothing.

        A record may be there unexpectedly, have another version, or be gone.
        """
        for _ in range(there):
            await write(backend, put("a", b"old"))
        changes: dict[str, Change] = {
            "put": put("a", b"new", expect=expect),
            "delete": Delete(key=key("a"), expect=expect),
            "check": Check(key=key("a"), expect=expect),
        }
        with pytest.raises(Conflict) as caught:
            await write(backend, put("other"), changes[verb])
        facts = caught.value.facts
        assert (code, key("a"), expect, there) == (
            caught.value.code,
            facts["key"],
            facts["expected"],
            facts["actual"],
        )
        assert [there, 0] == await versions(backend, "a", "other")

    @pytest.mark.seed("8.3")
    async def test_met_expectations_go_through(self, backend: Backend) -> None:
        """Absence, a version and a delete at a version are accepted where they hold."""
        assert await write(backend, put("a", expect=0), Check(key=key("b"), expect=0)) == (1, 0)
        assert await write(backend, put("a", expect=1), put("b", expect=0)) == (2, 1)
        assert await write(
            backend, Delete(key=key("a"), expect=2), Check(key=key("b"), expect=1)
        ) == (0, 1)
        assert await write(backend, Delete(key=key("a"), expect=0)) == (0,)
        assert [0, 1] == await versions(backend, "a", "b")

    @pytest.mark.seed("1.3")
    async def test_delete_removes(self, backend: Backend) -> None:
        """A deleted record is gone for `get` and `scan`; deleting it again is no error."""
        await write(backend, put("a", session_id="s"), put("b", session_id="s"))
        applied = await backend.apply(Batch((Delete(key=key("a")),)))
        assert ((0,), (1,)) == (applied.versions, applied.previous)
        assert await read(backend, "a") is None
        assert await ids(backend, Query(space=SPACE, session_id="s")) == ["b"]
        assert await write(backend, Delete(key=key("a"))) == (0,)

    @pytest.mark.seed("8.3")
    async def test_a_record_made_anew_begins_at_one(self, backend: Backend) -> None:
        """After a delete the key is free: version 1, a new `created_at`, nothing of the old."""
        await write(backend, put("a", b"old", labels={"n": 1}, created_at=5))
        await write(backend, put("a", b"old"))
        await write(backend, Delete(key=key("a")))
        assert await write(backend, put("a", b"new", expect=0)) == (1,)
        record = await found(backend, "a")
        assert (b"new", {}) == (record.body, dict(record.labels))
        assert record.created_at > 5

    @pytest.mark.seed("8.3")
    async def test_at_most_spares_what_is_newer(self, backend: Backend) -> None:
        """A guarded delete removes up to its version, and leaves a newer record in peace."""
        await write(backend, Ensure(key=key("old"), stamp=4), Ensure(key=key("new"), stamp=5))
        applied = await backend.apply(
            Batch(
                (
                    Delete(key=key("old"), at_most=4),
                    Delete(key=key("new"), at_most=4),
                    Delete(key=key("absent"), at_most=4),
                )
            )
        )
        assert ((0, 5, 0), (4, 5, 0)) == (applied.versions, applied.previous)
        assert [0, 5] == await versions(backend, "old", "new")

    @pytest.mark.seed("1.3")
    async def test_ensure_inserts_with_its_stamp(self, backend: Backend) -> None:
        """A content-addressed record is inserted with the stamp as its version."""
        await write(backend, Ensure(key=key("node"), stamp=7, body=b"leaf", seal="raw"))
        record = await found(backend, "node")
        assert (7, b"leaf", "raw", {}) == (
            record.version,
            record.body,
            record.seal,
            dict(record.labels),
        )
        assert record.created_at == record.updated_at

    @pytest.mark.seed("1.3")
    async def test_ensure_only_raises(self, backend: Backend, clock: FrozenClock) -> None:
        """A record that is there keeps its body, and its version never falls."""
        await write(backend, Ensure(key=key("node"), stamp=7, body=b"leaf"))
        first = await found(backend, "node")
        clock.advance(1_000)
        lower = await backend.apply(Batch((Ensure(key=key("node"), stamp=3, body=b"leaf"),)))
        assert ((7,), (7,), 0) == (lower.versions, lower.previous, lower.seq)
        assert await found(backend, "node") == first
        higher = await backend.apply(Batch((Ensure(key=key("node"), stamp=9),)))
        assert ((9,), (7,)) == (higher.versions, higher.previous)
        raised = await found(backend, "node")
        assert (9, b"leaf", first.created_at) == (raised.version, raised.body, raised.created_at)
        assert raised.updated_at >= first.updated_at + 1_000

    @pytest.mark.seed("1.3")
    async def test_ensure_leaves_a_put_record_as_it_is(self, backend: Backend) -> None:
        """Raising the version of a full record keeps its labels, parents and place."""
        await write(backend, put("a", b"x", labels={"n": 1}, session_id="s", created_at=3))
        assert await write(backend, Ensure(key=key("a"), stamp=10)) == (10,)
        record = await found(backend, "a")
        assert (b"x", {"n": 1}, "s", 3) == (
            record.body,
            dict(record.labels),
            record.session_id,
            record.created_at,
        )
        assert await ids(backend, Query(space=SPACE, session_id="s")) == ["a"]
        assert await write(backend, put("a", expect=10)) == (11,)

    @pytest.mark.seed("8.3")
    async def test_every_kind_of_change_in_one_batch(self, backend: Backend) -> None:
        """A batch may mix all changes; its answer has an entry for each, in order."""
        await write(backend, put("put"), put("delete"), put("check"))
        applied = await backend.apply(
            Batch(
                (
                    Check(key=key("check"), expect=1),
                    put("put"),
                    Ensure(key=key("ensure"), stamp=3),
                    Delete(key=key("delete")),
                    put("new", expect=0),
                )
            )
        )
        assert ((1, 2, 3, 0, 1), (1, 1, 0, 1, 0)) == (applied.versions, applied.previous)
        names = ("check", "put", "ensure", "delete", "new")
        assert [1, 2, 3, 0, 1] == await versions(backend, *names)

    @pytest.mark.seed("8.3")
    async def test_a_put_may_carry_its_version(self, backend: Backend) -> None:
        """A copied record keeps the version it had elsewhere, as long as versions rise."""
        applied = await backend.apply(Batch((Put(key=key("a"), version=41),)))
        assert ((41,), (0,)) == (applied.versions, applied.previous)
        assert await write(backend, put("a")) == (42,)
        with pytest.raises(Conflict) as caught:
            await write(backend, put("b"), Put(key=key("a"), version=42))
        assert 42 == caught.value.facts["actual"]
        assert [42, 0] == await versions(backend, "a", "b")
        assert await write(backend, Put(key=key("a"), version=MAX_INT64, expect=42)) == (MAX_INT64,)

    @pytest.mark.seed("4.3", "8.3")
    async def test_a_conflict_at_the_end_leaves_nothing(self, backend: Backend) -> None:
        """The last of many changes fails, and not one of those before it is seen."""
        await write(backend, put("held"), put("doomed", b"old"))
        changes = [put(f"n{n:03}") for n in range(300)]
        with pytest.raises(Conflict):
            await write(
                backend,
                *changes,
                put("doomed", b"new"),
                Delete(key=key("held")),
                Ensure(key=key("node"), stamp=1),
                put("last", expect=4),
            )
        assert await ids(backend, Query(space=SPACE)) == ["doomed", "held"]
        assert (await found(backend, "doomed")).body == b"old"

    @pytest.mark.seed("4.4", "8.3")
    async def test_an_exception_in_the_middle_leaves_nothing(self, backend: Backend) -> None:
        """Whatever breaks off a batch half-way, nothing of it is kept and the store goes on."""
        broken = Put(key=key("broken"), labels=_Explosive(survived=1))
        with pytest.raises(Exception, match="exploded"):
            await write(backend, put("before"), broken, put("after"))
        assert [0, 0, 0] == await versions(backend, "before", "broken", "after")
        assert await write(backend, put("before"), put("after")) == (1, 1)

    @pytest.mark.seed("8.3")
    async def test_a_batch_without_effect_is_not_a_commit(self, backend: Backend) -> None:
        """Where nothing changes, the answer has `seq` 0, and the same batch decides anew."""
        await write(backend, Ensure(key=key("node"), stamp=5))
        batch = Batch(
            (
                Delete(key=key("a")),
                Check(key=key("b"), expect=0),
                Ensure(key=key("node"), stamp=5),
            )
        )
        applied = await backend.apply(batch)
        assert (0, (0, 0, 5), (0, 0, 5), False) == (
            applied.seq,
            applied.versions,
            applied.previous,
            applied.replayed,
        )
        await write(backend, put("a"))
        again = await backend.apply(batch)
        assert ((0, 0, 5), (1, 0, 5), False) == (again.versions, again.previous, again.replayed)
        assert again.seq > 0

    @pytest.mark.seed("4.2")
    async def test_a_batch_of_a_thousand(self, backend: Backend) -> None:
        """A thousand records are written by one call and read by one call."""
        await write(backend, *[put(f"n{n:04}", str(n).encode()) for n in range(1_000)])
        records = await backend.get([key(f"n{n:04}") for n in range(1_000)])
        assert [str(n).encode() for n in range(1_000)] == [r and r.body for r in records]

    @pytest.mark.seed("5.3")
    async def test_a_store_keeps_its_own_labels(self, backend: Backend) -> None:
        """Changing a dictionary after it was written, or the one returned, changes no record."""
        labels: dict[str, Label] = {"status": "open"}
        await write(backend, put("a", labels=labels))
        labels["status"] = "closed"
        returned = (await found(backend, "a")).labels
        if isinstance(returned, dict):
            returned["status"] = "broken"
        assert {"status": "open"} == dict((await found(backend, "a")).labels)

    @pytest.mark.seed("8.3")
    async def test_a_version_beyond_64_bits_is_refused(self, backend: Backend) -> None:
        """A put that would carry the version past 64 bits is `Invalid` and changes nothing."""
        await write(backend, Ensure(key=key("a"), stamp=MAX_INT64, body=b"old"))
        with pytest.raises(Invalid, match="version"):
            await write(backend, put("a", b"new"), put("b"))
        assert [MAX_INT64, 0] == await versions(backend, "a", "b")
        assert (await found(backend, "a")).body == b"old"


class _Explosive(Mapping[str, Label]):
    """Labels that pass the first inspection and blow up on a later look."""

    def __init__(self, survived: int) -> None:
        self._survived = survived

    def __getitem__(self, name: str) -> Label:
        return 1

    def __len__(self) -> int:
        return 1

    def __iter__(self) -> Iterator[str]:
        if self._survived == 0:
            message = "the labels exploded"
            raise RuntimeError(message)
        self._survived -= 1
        yield "n"
