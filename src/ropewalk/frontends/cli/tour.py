"""A walk through a small store: its tree, how a thread grew, a state, what the models cost."""

from __future__ import annotations

from collections.abc import Sequence
from shlex import quote
from typing import TYPE_CHECKING, Final

from ...domain.thread import BranchStatus
from .drawing import graph_payload, show_graph
from .family import gather, name_of, nodes_of
from .figures import cost_text, thread_figures, token_text
from .outline import outline
from .payload import Json, entity, faithful
from .refs import Refs
from .text import brief, clean
from .tree import ASCII, UNICODE, hang
from .usage import show_usage, usage_by, usage_payload

if TYPE_CHECKING:
    from ...domain.session import Session
    from ...domain.thread import Node
    from ...services.storage import Storage
    from .output import Output

_POINTS: Final = 50


async def show(storage: Storage, output: Output, url: str) -> None:
    """Show everything in a store that has little in it."""
    sessions = [session async for session in storage.sessions.stream()]
    trees = {session.id: await _trees(storage, session) for session in sessions}
    roots = [node for nodes in trees.values() for node in nodes]
    biggest = max(roots, key=lambda node: len(nodes_of(node)))
    family = await gather(storage, biggest.thread.id, limit=_POINTS)
    newest = await storage.checkpoints.latest(biggest.thread.id)
    models = await usage_by(storage, "model")
    hints = _hints(url, biggest)
    if output.json:
        payload: dict[str, Json] = {
            "url": url,
            "sessions": [
                entity(session) | {"threads": [_tree_payload(node) for node in trees[session.id]]}
                for session in sessions
            ],
            "graph": graph_payload(family),
            "state": None if newest is None else faithful(newest.state),
            "models": [{"model": model, **usage_payload(use)} for model, use in models.items()],
            "next": list(hints),
        }
        output.emit(payload)
        return
    output.line(output.styled("Sessions and their threads", bold=True))
    for session in sessions:
        await _show_tree(storage, output, session, trees[session.id])
    output.heading(f"How thread {clean(biggest.thread.id)} branched (newest first)")
    await show_graph(Refs(storage), output, family)
    if newest is not None:
        output.heading(f"The state at its end ({clean(newest.id)})")
        for line in outline(newest.state):
            output.line(f"  {line}")
    output.heading("What the models used and cost")
    show_usage(output, "model", models)
    output.line()
    for hint in hints:
        output.line(f"{output.styled('next:', bold=True)} {hint}")


async def _trees(storage: Storage, session: Session) -> list[Node]:
    """Return the family trees that begin in a session."""
    threads = [thread async for thread in storage.threads.stream(session_id=session.id)]
    return [await storage.threads.tree(t.id) for t in threads if t.root_id == t.id]


async def _show_tree(
    storage: Storage, output: Output, session: Session, nodes: Sequence[Node]
) -> None:
    owner = f", {clean(session.user_id)}" if session.user_id else ""
    name = output.styled(clean(session.id), fg="cyan")
    output.line(f"{name}  {brief(session.title)} ({session.status}{owner})")
    pen = UNICODE if output.draws else ASCII
    for lead, node in hang(nodes, lambda node: node.children, pen):
        thread = node.thread
        figures = await thread_figures(storage, thread.id)
        told = [f"{figures.turns} turns"]
        if figures.tokens.record_count:
            told.append(f"{token_text(output, figures.tokens)} tokens")
        if figures.costs:
            told.append(cost_text(figures.costs))
        if node.branch is not None and node.branch.status is not BranchStatus.ACTIVE:
            told.append(node.branch.status.value)
        name = output.styled(clean(name_of(node)), fg="green")
        output.line(f"{lead}{name}  {brief(thread.title)} ({', '.join(told)})")


def _tree_payload(node: Node) -> Json:
    return entity(node.thread) | {
        "branch": None if node.branch is None else entity(node.branch),
        "forks": [_tree_payload(child) for child in node.children],
    }


def _hints(url: str, root: Node) -> tuple[str, ...]:
    """Return commands that go on from here."""
    thread = quote(root.thread.id)
    hints = [f"ropewalk ls -u {url}", f"ropewalk log {thread} -u {url}"]
    hints += [
        f"ropewalk show {thread}/{quote(node.branch.name)} --messages -u {url}"
        for node in root.children[:1]
        if node.branch is not None
    ]
    return (*hints, f"ropewalk stats --by day -u {url}", f"ropewalk doctor -u {url}")
