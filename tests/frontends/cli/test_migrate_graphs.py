"""`ropewalk migrate --from langgraph`: the file of a LangGraph saver, by a plan."""

from __future__ import annotations

from pathlib import Path

import pytest
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.sqlite import SqliteSaver

from ropewalk.frontends.langgraph import RopewalkSaver, opened

from ..langgraph import graphs
from .typing_it import typed

URL = "sqlite:///new.db"
CONFIG: RunnableConfig = {"configurable": {"thread_id": "t"}}


@pytest.mark.seed("7.1")
def test_what_a_saver_kept_is_moved_in_by_a_plan(folder: Path) -> None:
    """Looked at, planned, rehearsed, brought, compared; then the graph goes on, or it is undone."""
    with SqliteSaver.from_conn_string(str(folder / "graphs.db")) as saver:
        graphs.review(saver).invoke({"text": "a"}, CONFIG)

    scanned = typed("migrate", "scan", "--from", "langgraph", "graphs.db", "--json")
    assert (0, {"thread": 1, "checkpoint": 3}) == (
        scanned.code,
        {kind: scanned.json["kinds"][kind] for kind in ("thread", "checkpoint")},
    )
    assert (
        0 == typed("migrate", "plan", "--from", "langgraph", "graphs.db", URL, "-o", "p.toml").code
    )
    assert 0 == typed("migrate", "run", "p.toml").code
    assert not (folder / "new.db").exists()
    done = typed("migrate", "run", "p.toml", "--apply", "--json")
    assert (0, sum(scanned.json["kinds"].values())) == (done.code, done.json["changes"])
    assert 0 == typed("migrate", "verify", "p.toml").code
    with opened(f"sqlite:///{folder / 'new.db'}") as storage:
        [interrupt] = graphs.review(RopewalkSaver(storage)).get_state(CONFIG).interrupts
    assert {"question": "good?", "text": "a!"} == interrupt.value
    assert 0 == typed("migrate", "rollback", "last", "-u", URL).code
    assert {"migration"} == set(typed("stats", "-u", URL, "--json").json["records"])


def test_a_format_that_nobody_knows_is_refused(folder: Path) -> None:
    """With the formats there are."""
    refused = typed("migrate", "scan", "--from", "langgrap", str(folder))
    assert 2 == refused.code
    assert "langgraph" in refused.err
