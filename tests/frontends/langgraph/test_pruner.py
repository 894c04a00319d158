"""The house's own `prune`, which knows no LangGraph, keeps what its delta channels are made of."""

from __future__ import annotations

from typing import Any

import pytest

from ropewalk.domain.checkpoint import CleanupPolicy
from ropewalk.frontends.langgraph import RopewalkSaver
from ropewalk.services.storage import Storage

from .chains import Step, grow, id_of, ids, snapshot, thread

pytestmark = pytest.mark.seed("3.4")

COUNTED: dict[str, Any] = {"counters_since_delta_snapshot": {"ch": 2}}
SEED = Step({"ch": snapshot(["seed"])})

CHAINS = {
    "written since": [
        Step({"ch": snapshot(["old"])}, [("ch", "hidden")]),
        Step({"ch": snapshot(["seed"])}, [("ch", "a")]),
        Step(writes=[("ch", "b")]),
        Step(writes=[("other", "o")]),
        Step(writes=[("ch", "pending")]),
    ],
    "never a snapshot": [Step(writes=[("ch", "a")]), Step(writes=[("ch", "b")]), Step()],
    "nothing since": [SEED, Step(), Step()],
    "only counted": [SEED, Step(), Step(metadata=COUNTED)],
    "held by itself": [Step(writes=[("ch", "a")]), Step({"ch": snapshot(["all"])})],
    "no delta channel": [
        Step({"__start__": 1, "x": 0}, [("x", 1), ("branch:to:node", None)]),
        Step({"x": 1}, [("x", 2), ("branch:to:other", None)]),
        Step({"x": 2}, [("x", 3)]),
    ],
}


@pytest.mark.parametrize("name", CHAINS)
async def test_it_keeps_at_least_what_the_saver_keeps(storage: Storage, name: str) -> None:
    """Whoever prunes the same chain, nothing that the newest is made of goes."""
    saver = RopewalkSaver(storage)
    steps = CHAINS[name]
    ours = await grow(saver, steps, parent=thread("ours"))
    theirs = await grow(saver, steps, parent=thread("theirs"))
    before = await saver.aget_delta_channel_history(config=ours[-1], channels=["ch"])

    report = await storage.checkpoints.prune("ours", CleanupPolicy(keep_last=1))
    await saver.aprune(["theirs"], strategy="keep_latest")

    places = {id_of(config): at for at, config in enumerate([*ours])}
    others = {id_of(config): at for at, config in enumerate([*theirs])}
    kept = {places[id_] for id_ in await ids(saver, thread("ours"))}
    needed = {others[id_] for id_ in await ids(saver, thread("theirs"))}
    assert needed <= kept, report.kept
    if name in {"no delta channel", "held by itself"}:
        assert {len(steps) - 1} == kept
        return
    after = await saver.aget_delta_channel_history(config=ours[-1], channels=["ch"])
    assert str(before) == str(after)
