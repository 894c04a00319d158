"""Cases for what takes a space along or tells about it: archives, erasures, statements, figures."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from ropewalk.domain.archive import Scope
from ropewalk.domain.session import Session
from ropewalk.domain.thread import Thread


async def _exported(handle: Any, pick: Any) -> object:  # noqa: ANN401 (a handle, a `Pick`)
    """Return how much of each kind an archive has, of this space or by asking for another."""
    scope = pick.of(Scope(), Scope(session_id="s"), Scope(thread_id="theirs"))
    with tempfile.TemporaryDirectory() as folder:
        report = await handle.archives.export(
            Path(folder, "a.jsonl.zst"), scope, spaces=pick.of((), ("b",))
        )
    return sorted(report.counts.items())


async def _erased(handle: Any, pick: Any) -> object:  # noqa: ANN401 (a handle, a `Pick`)
    """Return what would go with a person, or with nobody."""
    receipt = await handle.erasures.erase(pick.of("u", "theirs"), trim_feed=bool(pick.of(0, 1)))
    return type(receipt).__name__, receipt.dry_run


async def _stated(handle: Any, session_id: str) -> object:  # noqa: ANN401 (a handle)
    """Write a session over what is there, by its id alone."""
    found = await handle.statements.find(Session, session_id)
    if found is not None:
        await handle.statements.write(found)
    return found is not None


MOVING: Final[Mapping[str, Callable[[Any, Any], Any]]] = {
    "archives.export": _exported,
    "archives.source": lambda h, _: type(h.archives.source("nowhere.jsonl.zst")).__name__,
    "erasures.erase": _erased,
    "statements.find": lambda h, p: h.statements.find(
        p.of(Session, Thread), p.of("s", "t", "theirs", "none")
    ),
    "statements.write": lambda h, p: _stated(h, p.session),
    "statements.remove": lambda h, p: h.statements.remove(Session, p.of("none", "theirs")),
    "checkpoints.adopt_writes": lambda h, _: h.checkpoints.adopt_writes(),
    "checkpoints.pending_write": lambda h, p: h.checkpoints.pending_write(p.at),
    "declare_index": lambda h, p: h.declare_index(p.of("note", "message"), "metadata.k"),
    "drop_index": lambda h, p: h.drop_index(p.of("note", "message"), "metadata.k"),
    "indexes": lambda h, _: h.indexes(),
    "slow_shapes": lambda h, _: h.slow_shapes(),
    "metrics": lambda h, _: h.metrics(),
    "overview": lambda h, _: h.overview(),
}
"""Method by method, as in `reaching`."""
