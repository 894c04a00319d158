"""What is in the kept stores: how each version writes it, and how each reads it back as plain JSON.

The code must run with every version that a store is kept of, so it uses what all of them have.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any, Final, TypeAlias, cast
from uuid import UUID

from ropewalk.config import Config
from ropewalk.domain.clock import FrozenClock
from ropewalk.domain.moment import to_micros
from ropewalk.factory import open
from ropewalk.services.storage import Storage

Plain: TypeAlias = "dict[str, Plain] | list[Plain] | str | int | float | bool | None"

BEGIN: Final = datetime(2026, 1, 31, 9, 30, tzinfo=UTC)
SPACES: Final = ("default", "lab")
_WORDS: Final = ("the", "train", "to", "Rome", "leaves", "at", "ten", "past", "eight", "from", "it")


async def write(url: str) -> None:
    """Write the story into an empty store, the same each time."""
    for space in SPACES:
        time = FrozenClock(to_micros(BEGIN))
        async with open(Config.from_mapping({"url": url, "space": space}), clock=time) as storage:
            await _sessions(storage)
            await _threads(storage)
            await _history(storage)
            await _checkpoints(storage)
            await _records(storage)


async def contents(storage: Storage) -> dict[str, Plain]:
    """Read everything of a space back."""
    threads = [thread async for thread in storage.threads.stream()]
    lines = {t.id: await storage.history.messages(t.id) for t in threads}
    branches = {t.id: await storage.threads.branches(t.id) for t in threads}
    snapshots = {t.id: await storage.threads.snapshots(t.id) for t in threads}
    checkpoints = [header.id async for header in storage.checkpoints.stream()]
    loaded = await storage.checkpoints.load_many(checkpoints)
    return {
        "sessions": [plain(session) async for session in storage.sessions.stream()],
        "interactions": plain((await storage.sessions.interactions("ada")).items),
        "threads": [plain(thread) for thread in threads],
        "lines": {id: [message.id for message in line] for id, line in lines.items() if line},
        "branches": {id: plain(found) for id, found in branches.items() if found},
        "snapshots": {id: plain(found) for id, found in snapshots.items() if found},
        "history": [plain(entry) async for entry in storage.history.stream()],
        "checkpoints": [plain(checkpoint) for checkpoint in loaded],
        "records": [plain(row) for row in await storage.records.list({"type": "note"})],
        "kinds": plain(await storage.kinds()),
        "feed": [plain(commit) async for commit in storage.feed()],
    }


def plain(value: object) -> Plain:
    """Return a value as JSON, each type as something of its own.

    An entity is `{"$entity": its class, "fields": {...}}`.
    """
    if isinstance(value, Enum):
        return {"$enum": plain(value.value)}
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, Mapping):
        pairs = cast("Mapping[object, object]", value)
        return {str(key): plain(item) for key, item in pairs.items()}
    if isinstance(value, list):
        return [plain(item) for item in cast("list[object]", value)]
    if is_dataclass(value) and not isinstance(value, type):
        shown = [field.name for field in fields(value) if field.repr]
        own: dict[str, Plain] = {name: plain(getattr(value, name)) for name in shown}
        return {"$entity": type(value).__name__, "fields": own}
    return {f"${type(value).__name__}": _untyped(value)}


def _untyped(value: object) -> Plain:
    """Return what is in a value whose type is written beside it."""
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, Decimal | UUID | timedelta):
        return str(value)
    if isinstance(value, tuple | set | frozenset):
        items = [plain(item) for item in cast("tuple[object, ...]", value)]
        return items if isinstance(value, tuple) else sorted(items, key=str)
    message = f"no plain form for {type(value).__name__}"
    raise TypeError(message)


def differences(kept: Plain, found: Plain, path: str = "") -> list[str]:
    """Name where `found` is not what was kept; an entity may have got new fields since."""
    if isinstance(kept, dict) and isinstance(found, dict):
        grows = path.endswith(".fields")
        lost = sorted(kept.keys() - found.keys()) if grows else sorted(kept.keys() ^ found.keys())
        within = [
            difference
            for name in kept.keys() & found.keys()
            for difference in differences(kept[name], found[name], f"{path}.{name}")
        ]
        return [*(f"{path}.{name}" for name in lost), *within]
    if isinstance(kept, list) and isinstance(found, list) and len(kept) == len(found):
        return [
            difference
            for place, (one, other) in enumerate(zip(kept, found, strict=True))
            for difference in differences(one, other, f"{path}[{place}]")
        ]
    same = type(kept) is type(found) and kept == found
    return [] if same else [f"{path}: {kept!r} became {found!r}"]


async def _sessions(storage: Storage) -> None:
    await storage.sessions.create(
        id="ada", title="A weekend in Rome", user_id="u-1", tags=["travel"], metadata={"lang": "en"}
    )
    await storage.sessions.create(id="ben", title="\u4e2d\u6587, \u00fcber")
    await storage.sessions.close("ben")
    await storage.sessions.add_interaction("ada", "click", "the map", id="i-1")


async def _threads(storage: Storage) -> None:
    await storage.threads.create(id="list", title="a state that is no dictionary")
    await storage.threads.create(id="rome", session_id="ada", title="trains", metadata={"n": 1})
    for number in range(6):
        await storage.history.add_message(
            id=f"m-{number}",
            thread_id="rome",
            role="assistant" if number % 2 else "user",
            content=" ".join(_WORDS[number:]),
            metadata={"turn": number},
        )
    await storage.threads.snapshot("rome", "before", description="nothing is paid")
    await storage.threads.fork("rome", id="cheap", name="cheaper", before="m-4")
    await storage.history.add_message(
        id="m-c", thread_id="cheap", role="user", content=[{"type": "text", "text": "cheaper?"}]
    )
    if storage.space_name == SPACES[0]:
        # So many that the texts of names get an index of their own.
        for number in range(66):
            await storage.threads.create(id=f"t-{number:02}", session_id="ben")


async def _history(storage: Storage) -> None:
    history = storage.history
    on: dict[str, Any] = {"thread_id": "rome"}
    await history.add_tool_call(
        id="h-1",
        tool_name="search",
        tool_input={"to": "Rome", "day": date(2026, 2, 6)},
        tool_output=[{"price": Decimal("89.90")}],
        duration=0.25,
        **on,
    )
    await history.add_tool_call(id="h-2", tool_name="pay", error="the card was declined", **on)
    asked: list[dict[str, str]] = [{"role": "user", "content": "find me a train"}]
    await history.add_llm_request(id="h-3", model="m-1", messages=asked, **on)
    await history.add_llm_response(
        id="h-4", model="m-1", request_id="h-3", content="at ten", response_time=1.5, **on
    )
    await history.add_token_usage(
        id="h-5", model="m-1", prompt_tokens=820, completion_tokens=120, **on
    )
    await history.add_cost(id="h-6", model="m-1", prompt_cost=Decimal("0.000123"), **on)


async def _checkpoints(storage: Storage) -> None:
    keep = storage.checkpoints
    messages = [{"role": "user", "n": n, "content": " ".join(_WORDS[n % 9 :])} for n in range(40)]
    state: dict[str, Any] = {
        "messages": messages,
        "budget": Decimal("260.00"),
        "leaves": datetime(2026, 2, 6, 8, 10, tzinfo=UTC),
        "seats": {"12A", "12B"},
        "train": ("FR", 9521),
        "ticket": b"\x00\xffQX7P4M",
        "long": "lorem ipsum " * 700,
        "id": UUID(int=7),
        "deep": {"a": [{"b": None}, True, 1.5, 2**70]},
    }
    await keep.save("rome", state, id="c-1", workflow_id="planner", metadata={"step": "one"})
    more = {**state, "messages": [*messages, {"role": "assistant", "content": "booked"}]}
    await keep.save("rome", more, id="c-2", workflow_id="planner")
    await storage.threads.fork("rome", id="late", name="later", at="c-2")
    await keep.save("late", {**more, "budget": Decimal(120)}, id="c-3")
    await keep.save("list", ["not", "a", "dictionary"], id="c-4")
    await keep.tag("c-2", "booked")
    await keep.pin("c-1")
    await storage.threads.merge("late", into="rome")


async def _records(storage: Storage) -> None:
    await storage.records.save_many(
        {
            "type": "note",
            "id": f"n-{number}",
            "data": {"n": number},
            "metadata": {"odd": number % 2},
        }
        for number in range(5)
    )
    await storage.records.update("n-1", {"data": {"text": "changed"}})
    await storage.records.delete("n-4")
