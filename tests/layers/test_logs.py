"""`LogsLayer` writes one line an operation, whatever happens to it, and never a body."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest

from ropewalk.backends.memory import MemoryBackend
from ropewalk.domain.change import Batch, Delete, Put
from ropewalk.domain.clock import FrozenClock
from ropewalk.domain.errors import Conflict, Invalid, Unavailable
from ropewalk.domain.query import Condition, Query
from ropewalk.domain.record import Key
from ropewalk.layers.logs import LOGGER, LogsLayer
from ropewalk.testing.faults import Fault, Flaky, Slow
from ropewalk.testing.samples import commits, drain, key, put, soon, versions, write

LAB = Query(space="lab", kinds=("note",))


@pytest.fixture
def lines(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    """Catch every line."""
    caplog.set_level(logging.DEBUG, logger=LOGGER.name)
    return caplog


def _facts(lines: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    """Return what the lines say, without the time that it took, which is some."""
    facts = [dict(getattr(record, "ropewalk")) for record in lines.records]  # noqa: B009
    assert all(line.pop("ms") >= 0 for line in facts)
    return facts


async def test_each_operation_is_one_line(
    memory: MemoryBackend, lines: pytest.LogCaptureFixture
) -> None:
    """A line says what was asked, how much it was and how it ended."""
    layer = LogsLayer(memory)
    batch = Batch((put("a", b"12345", session_id="s"), Delete(key=key("b"))), id="b1", actor="me")
    await layer.apply(batch)
    await layer.apply(batch)
    await layer.get([key("a"), key("b")])
    await layer.tally(LAB, (), ("kind",))
    await drain(layer.scan(Query(space="lab", session_id="s", limit=5)))
    await commits(layer)
    applied = {"verb": "apply", "outcome": "ok", "batch": "b1", "changes": 2, "bytes": 5, "seq": 1}
    first = {"first": "lab/note/a"}
    assert [
        {**applied, **first, "replayed": 0},
        {**applied, **first, "replayed": 1},
        {"verb": "get", "outcome": "ok", "keys": 2, **first, "found": 1, "bytes": 5},
        {
            "verb": "tally",
            "outcome": "ok",
            "space": "lab",
            "kinds": "note",
            "conditions": 0,
            "groups": 1,
        },
        {
            "verb": "scan",
            "outcome": "ok",
            "space": "lab",
            "session": "s",
            "limit": 5,
            "conditions": 0,
            "records": 1,
            "bytes": 5,
        },
        {"verb": "feed", "outcome": "ok", "after": 0, "commits": 1},
    ] == _facts(lines)
    assert {logging.DEBUG} == {record.levelno for record in lines.records}
    assert lines.messages[0].startswith("apply ok ")
    assert "batch=b1 changes=2 first=lab/note/a bytes=5 seq=1" in lines.messages[0]


async def test_what_was_written_is_not_in_a_line(
    memory: MemoryBackend, lines: pytest.LogCaptureFixture
) -> None:
    """Neither a body nor a label nor a value that was searched for is told."""
    layer = LogsLayer(memory)
    labels = {"metadata.card": "4111-1111"}
    await write(layer, put("a", b"my-secret-body", labels=labels))
    await layer.get([key("a")])
    query = Query(space="lab", where=(Condition("labels.metadata.card", "eq", "4111-1111"),))
    assert 1 == await drain(layer.scan(query))
    text = " ".join([*lines.messages, *(str(vars(record)) for record in lines.records)])
    assert ["apply", "get", "scan"] == [line["verb"] for line in _facts(lines)]
    assert not any(secret in text for secret in ("my-secret-body", "4111-1111", "metadata.card"))


async def test_an_id_cannot_forge_a_line(
    memory: MemoryBackend, lines: pytest.LogCaptureFixture
) -> None:
    """A line break or a blank in an id stays inside its word."""
    layer = LogsLayer(memory)
    await write(layer, Put(key=Key("lab", "note", "x\napply ok 1 ms seq=9\0")))
    assert "\n" not in lines.messages[0]
    assert r"first='lab/note/x\napply ok 1 ms seq=9\x00'" in lines.messages[0]


@pytest.mark.seed("4.4")
async def test_a_failure_is_a_line_too(
    memory: MemoryBackend, lines: pytest.LogCaptureFixture
) -> None:
    """An answer such as a conflict is told quietly by its code, a trouble of the store loudly."""
    layer = LogsLayer(Flaky(memory, plan=[Fault.NONE, Fault.NONE, Fault.AFTER, Fault.AFTER]))
    with pytest.raises(Conflict):
        await write(layer, put("a", expect=3))
    with pytest.raises(Invalid):
        await layer.tally(LAB, (), ("nothing",))
    with pytest.raises(Unavailable):
        await layer.get([key("a")])
    with pytest.raises(Unavailable):
        await drain(layer.scan(LAB))
    assert ["gone", "unknown_field", "flaky", "flaky"] == [f["outcome"] for f in _facts(lines)]
    levels = [record.levelno for record in lines.records]
    assert [logging.DEBUG, logging.DEBUG, logging.WARNING, logging.WARNING] == levels


async def test_a_scan_left_early_is_abandoned(
    memory: MemoryBackend, lines: pytest.LogCaptureFixture
) -> None:
    """The line of a scan or a feed that nobody read to its end comes when it is left."""
    for n in range(5):
        await write(memory, put(f"n{n}"))
    layer = LogsLayer(memory)
    scan, feed = layer.scan(LAB), layer.feed()
    for _ in range(2):
        await anext(scan)
        await anext(feed)
    assert [] == lines.records
    await scan.aclose()  # type: ignore[attr-defined]
    await feed.aclose()  # type: ignore[attr-defined]
    facts = _facts(lines)
    assert ["abandoned", "abandoned"] == [line["outcome"] for line in facts]
    assert [2, 2] == [facts[0]["records"], facts[1]["commits"]]


@pytest.mark.seed("4.5")
async def test_a_cancelled_operation_is_a_line(
    memory: MemoryBackend, lines: pytest.LogCaptureFixture
) -> None:
    """Who is cancelled is told as such, and the cancellation goes on."""
    reached = asyncio.Event()

    async def pause() -> None:
        reached.set()
        await asyncio.Event().wait()

    layer = LogsLayer(Slow(memory, pause=pause))
    task = asyncio.ensure_future(versions(layer, "a"))
    await soon(reached.wait())
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ["cancelled"] == [line["outcome"] for line in _facts(lines)]


async def test_a_slow_operation_is_a_warning(
    memory: MemoryBackend, caplog: pytest.LogCaptureFixture
) -> None:
    """What takes `slow` seconds or more is told at level WARNING, also if nothing else is told."""
    caplog.set_level(logging.WARNING, logger=LOGGER.name)
    await write(LogsLayer(memory), put("a"))
    await drain(LogsLayer(memory).scan(LAB))
    assert [] == caplog.records
    await write(LogsLayer(memory, slow=0), put("a"))
    await drain(LogsLayer(memory, slow=0.0).scan(LAB))
    assert [logging.WARNING] * 2 == [record.levelno for record in caplog.records]


async def test_the_time_of_the_reader_is_not_the_time_of_the_scan(
    memory: MemoryBackend, lines: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only the waits for the next record count, not what is done with each."""
    now = 0.0
    monkeypatch.setattr("ropewalk.layers.logs.perf_counter", lambda: now)
    await write(memory, put("a"), put("b"))
    async for _ in LogsLayer(memory).scan(LAB):
        now += 60.0
    (line,) = [getattr(record, "ropewalk") for record in lines.records]  # noqa: B009
    assert ("scan", 0.0) == (line["verb"], line["ms"])


@pytest.mark.parametrize("slow", [-1, "1", None, float("nan"), True])
def test_the_threshold_is_checked(clock: FrozenClock, slow: float) -> None:
    """A threshold that is no time is refused, naming it."""
    with pytest.raises(Invalid, match=r"layer\.logs\.slow"):
        LogsLayer(MemoryBackend(clock=clock), slow=slow)
