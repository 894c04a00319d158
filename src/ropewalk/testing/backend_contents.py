"""What every back end owes its contents: any name, any value, any size up to the limits."""

from __future__ import annotations

import hashlib
import itertools
import math
from collections.abc import Callable
from typing import Final, cast

import pytest

from ..domain.change import Batch, Change, Check, Delete, Ensure, Put
from ..domain.errors import Conflict, Invalid
from ..domain.labels import Label
from ..domain.limits import (
    MAX_BODY_BYTES,
    MAX_ID_BYTES,
    MAX_INT64,
    MAX_LABEL_BYTES,
    MAX_LABEL_NAME_BYTES,
    MAX_LABELS,
    MIN_INT64,
)
from ..domain.ports import Backend, Capability
from ..domain.query import Condition, Order, Query
from ..domain.record import Key
from .samples import SPACE, everything, found, ids, key, put, read, versions, write

STRANGE: Final = (
    *("a", "A", "\u00e5", "a\u030a", "\u212b", "\u00df", "ss", "\u0131", "i", "I"),
    *("\0", "a\0", "\0a", "a\0b", " ", " a", "a ", "\t", "\n", "\r\n", "\x7f", "\x1b[0m"),
    *(".", "..", "../..", "/", "/etc/passwd", "a/b", "a\\b", "~", "C:", "con", "nul.txt", "a."),
    *("%", "_", "a%", "a_b", "*", "?", "[a]", "'", '"', "''", "`", "$", "{}", "'; drop table r --"),
    *("-", "--help", "#", "&", "=", "a=b", "%41", "%2e%2e", "+", "0", "00", "1e3", "null", "None"),
    *("\u4e2d\u6587", "\u0627", "\u200b", "\ufeff", "\ufffd", "\uffff", "\U0001f9f6", "\U0010ffff"),
    *("x" * MAX_ID_BYTES, "\u00e9" * (MAX_ID_BYTES // 2), "\U0001f9f6" * (MAX_ID_BYTES // 4)),
    "\0" * MAX_ID_BYTES,
)
"""Names that file systems, shells, SQL and Unicode normalisation like to confuse or to eat."""


class ContentContract:
    """Names, labels, bodies and numbers come back as they were, or are refused at the door."""

    @pytest.mark.seed("1.3", "10.4")
    async def test_any_text_is_an_id(self, backend: Backend) -> None:
        """Ids of any Unicode, with NUL, as paths, up to the limit, are told apart and come back."""
        await write(backend, *[put(id, id.encode()) for id in STRANGE])
        records = await backend.get([key(id) for id in STRANGE])
        assert list(STRANGE) == [record and record.key.id for record in records]
        assert [id.encode() for id in STRANGE] == [record and record.body for record in records]
        assert sorted(STRANGE) == await ids(backend, Query(space=SPACE, order=Order("id")))
        await write(backend, *[Delete(key=key(id), expect=1) for id in STRANGE[::2]])
        assert sorted(STRANGE[1::2]) == await ids(backend, Query(space=SPACE, order=Order("id")))

    @pytest.mark.seed("1.3", "10.4")
    async def test_any_text_is_a_space_a_kind_and_a_parent(self, backend: Backend) -> None:
        """Spaces, kinds, sessions and threads may be any text, none taken for another."""
        changes = [
            Put(key=Key(text, text, "x"), session_id=text, thread_id=text) for text in STRANGE
        ]
        await write(backend, *changes)
        for text in STRANGE:
            for query in (
                Query(space=text),
                Query(space=None, kinds=(text,)),
                Query(space=None, session_id=text),
                Query(space=None, thread_id=text),
                Query(space=text, kinds=(text,), session_id=text, thread_id=text),
            ):
                (record,) = await everything(backend, query)
                assert (Key(text, text, "x"), text, text) == (
                    record.key,
                    record.session_id,
                    record.thread_id,
                )

    @pytest.mark.seed("1.3")
    async def test_any_text_is_a_label(self, backend: Backend) -> None:
        """Label values and names of any Unicode come back and are found, the empty value too."""
        values = ["", *STRANGE, "x" * MAX_LABEL_BYTES]
        await write(backend, *[put(f"v{n:02}", labels={"v": v}) for n, v in enumerate(values)])
        for n, value in enumerate(values):
            assert {"v": value} == dict((await found(backend, f"v{n:02}")).labels)
            query = Query(space=SPACE, where=(Condition("labels.v", "eq", value),))
            assert [f"v{n:02}"] == await ids(backend, query)
        names = [name for name in STRANGE if len(name.encode()) <= MAX_LABEL_NAME_BYTES]
        labels = {name: n for n, name in enumerate(names)}
        await write(backend, put("names", labels=labels))
        assert labels == dict((await found(backend, "names")).labels)

    @pytest.mark.seed("1.3")
    async def test_labels_keep_their_types(self, backend: Backend) -> None:
        """A bool comes back as a bool, an int as an int, a float as a float, to the last bit."""
        labels: dict[str, Label] = {
            "true": True, "false": False, "one": 1, "zero": 0, "one-float": 1.0, "zero-float": 0.0,
            "minus-zero": -0.0, "max": MAX_INT64, "min": MIN_INT64, "odd": 2**53 + 1,
            "third": 1 / 3, "huge": 1.7976931348623157e308, "tiny": 5e-324, "whole": 1e22,
            "digits": "1", "word": "true",
        }  # fmt: skip
        await write(backend, put("a", labels=labels))
        kept = dict((await found(backend, "a")).labels)
        assert {n: (type(v), v) for n, v in labels.items()} == {
            n: (type(v), v) for n, v in kept.items()
        }

    @pytest.mark.seed("1.3")
    async def test_as_many_labels_as_allowed(self, backend: Backend) -> None:
        """A record holds its full number of labels, with names of the full length."""
        labels = {f"{n:03}".rjust(MAX_LABEL_NAME_BYTES, "n"): n for n in range(MAX_LABELS)}
        await write(backend, put("a", labels=labels))
        assert labels == dict((await found(backend, "a")).labels)

    @pytest.mark.seed("1.3")
    async def test_numbers_of_64_bits(self, backend: Backend) -> None:
        """Times and versions at both ends of 64 bits are kept and sorted."""
        await write(
            backend,
            Put(key=key("first"), created_at=MIN_INT64, updated_at=MIN_INT64),
            Put(key=key("middle"), created_at=0, updated_at=0),
            Put(key=key("last"), created_at=MAX_INT64, updated_at=MAX_INT64, expires_at=MAX_INT64),
            Put(key=key("past"), expires_at=MIN_INT64),
            Ensure(key=key("stamped"), stamp=MAX_INT64),
        )
        first, last = await found(backend, "first"), await found(backend, "last")
        assert (MIN_INT64, MIN_INT64) == (first.created_at, first.updated_at)
        assert (MAX_INT64, MAX_INT64, MAX_INT64) == (
            last.created_at,
            last.updated_at,
            last.expires_at,
        )
        assert [MAX_INT64, 0] == await versions(backend, "stamped", "past")
        order = await ids(backend, Query(space=SPACE))
        assert ["first", "middle", "stamped", "last"] == order

    @pytest.mark.seed("1.3")
    @pytest.mark.parametrize("size", [0, 1, 4_095, 4_096, 65_537, 5_000_000])
    async def test_bodies_of_any_size(self, backend: Backend, *, size: int) -> None:
        """Bodies from no byte to megabytes come back byte for byte, by `get` and by `scan`."""
        body = (bytes(range(256)) * (size // 256 + 1))[:size]
        await write(backend, put("a", body))
        record = await found(backend, "a")
        (scanned,) = await everything(backend, Query(space=SPACE))
        expected = (size, hashlib.sha256(body).digest())
        for answer in (record.body, scanned.body):
            assert answer is not None
            assert expected == (len(answer), hashlib.sha256(answer).digest())

    @pytest.mark.seed("1.5")
    async def test_what_cannot_be_kept_is_refused_by_name(self, backend: Backend) -> None:
        """Texts, numbers and sizes beyond the limits are `Invalid`, naming field or limit."""
        long = "x" * 10_240
        refused: dict[str, Callable[[], object]] = {
            "id": lambda: key(""),
            "kind": lambda: key("a", kind="\ud800"),
            "space": lambda: Key(3, "k", "a"),  # type: ignore[arg-type]
            "max_id_bytes": lambda: key(long),
            "session_id": lambda: put("a", session_id=""),
            "max_label_bytes": lambda: put("a", labels={"v": long}),
            "max_label_name_bytes": lambda: put("a", labels={long: 1}),
            "max_labels": lambda: put("a", labels={str(n): n for n in range(MAX_LABELS + 1)}),
            "labels.v": lambda: put("a", labels={"v": "\udfff"}),
            "labels.nan": lambda: put("a", labels={"nan": math.nan}),
            "labels.inf": lambda: put("a", labels={"inf": -math.inf}),
            "labels.n": lambda: put("a", labels={"n": 2**63}),
            "labels.list": lambda: put("a", labels={"list": [1]}),  # type: ignore[dict-item]
            "created_at": lambda: put("a", created_at=-(2**63) - 1),
            "stamp": lambda: Ensure(key=key("a"), stamp=0),
            "expect": lambda: put("a", expect=-1),
            "max_body_bytes": lambda: put("a", bytes(MAX_BODY_BYTES + 1)),
            "body": lambda: put("a", "text"),  # type: ignore[arg-type]
            "batch id": lambda: Batch((put("a"),), id=""),
            "at least one change": lambda: Batch(()),
        }
        for name, make in refused.items():
            with pytest.raises(Invalid, match=name):
                await write(backend, put("b"), cast("Change", make()))
        assert await everything(backend, Query(space=None)) == []


class SpaceContract:
    """A space isolates: nothing said in one is heard in another."""

    @pytest.mark.seed("5.3")
    async def test_every_verb_keeps_to_its_space(self, backend: Backend) -> None:
        """The same kind and id in three spaces are three records for every verb."""
        spaces = ("a", "b", "a/b")
        for n, space in enumerate(spaces):
            for _ in range(n + 1):
                body, labels = space.encode(), {"n": 10**n}
                change = Put(
                    key=key("x", space=space),
                    body=body,
                    labels=labels,
                    session_id="s",
                    thread_id="t",
                )
                await write(backend, change)
        records = await backend.get([key("x", space=space) for space in spaces])
        assert [(1, b"a"), (2, b"b"), (3, b"a/b")] == [r and (r.version, r.body) for r in records]
        for n, space in enumerate(spaces):
            for query in (
                Query(space=space),
                Query(space=space, kinds=("note",), session_id="s", thread_id="t"),
                Query(space=space, where=(Condition("labels.n", "gt", 0),), order=Order("id")),
            ):
                assert [space] == [r.key.space for r in await everything(backend, query)]
                if Capability.TALLY in backend.capabilities:
                    (tally,) = await backend.tally(query, ("n",))
                    assert (1, (10**n,)) == (tally.count, tally.sums)
        assert await everything(backend, Query(space="c")) == []
        assert len(await everything(backend, Query(space=None, session_id="s"))) == 3

    @pytest.mark.seed("5.2", "5.3")
    async def test_expectations_look_at_their_own_space(self, backend: Backend) -> None:
        """A version, a delete and an absence in one space mean nothing in another."""
        await write(backend, Put(key=key("x", space="a")), Put(key=key("x", space="b")))
        await write(backend, Put(key=key("x", space="a"), expect=1))
        with pytest.raises(Conflict):
            await write(backend, Put(key=key("x", space="b"), expect=2))
        await write(
            backend,
            Delete(key=key("x", space="a"), expect=2),
            Check(key=key("x", space="b"), expect=1),
            Put(key=key("x", space="c"), expect=0),
        )
        assert [None, 1, 1] == [
            record and record.version
            for record in await backend.get([key("x", space=space) for space in "abc"])
        ]

    @pytest.mark.seed("5.1", "5.3")
    async def test_one_batch_may_span_spaces(self, backend: Backend) -> None:
        """A batch over several spaces and kinds is all or nothing across them."""
        keys = [Key(space, kind, "x") for space, kind in itertools.product("abc", ("note", "memo"))]
        with pytest.raises(Conflict):
            await write(backend, *[Put(key=k) for k in keys[:-1]], Put(key=keys[-1], expect=1))
        assert await everything(backend, Query(space=None)) == []
        await write(backend, *[Put(key=k) for k in keys])
        assert sorted(keys) == sorted(r.key for r in await everything(backend, Query(space=None)))
        assert await read(backend, "x") is None
