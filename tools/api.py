"""Write docs/reference/api.md: every public name, its signature, and what it promises.

Everything comes from the code: signatures as they are written, and docstrings word for word.
"""

from __future__ import annotations

import argparse
import ast
import importlib
import inspect
import sys
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
PAGE: Final = "docs/reference/api.md"

CHAPTERS: Final[tuple[tuple[str, tuple[str, ...]], ...]] = (
    (
        "Open a store",
        (
            "ropewalk.factory:open",
            "ropewalk.services.storage:Storage",
            "ropewalk.services.unit:Unit",
            "ropewalk.config:Config",
            "ropewalk.factory:register_backend",
            "ropewalk.factory:register_layer",
            "ropewalk.factory:available_backends",
            "ropewalk.codecs.allowlist:TypeRegistry",
        ),
    ),
    (
        "The four modules and the plain records",
        (
            "ropewalk.services.sessions:Sessions",
            "ropewalk.services.threads.manager:Threads",
            "ropewalk.services.history:History",
            "ropewalk.services.statistics:Statistics",
            "ropewalk.services.statistics:Scope",
            "ropewalk.services.checkpoints.manager:Checkpoints",
            "ropewalk.services.checkpoints.upkeep:Upkeep",
            "ropewalk.stores.records:RecordStore",
            "ropewalk.services.catalog:Catalog",
            "ropewalk.services.catalog:Named",
        ),
    ),
    (
        "Entities",
        (
            "ropewalk.domain.session:Session",
            "ropewalk.domain.session:Interaction",
            "ropewalk.domain.thread:Thread",
            "ropewalk.domain.thread:Branch",
            "ropewalk.domain.thread:Snapshot",
            "ropewalk.domain.thread:Node",
            "ropewalk.domain.history:Message",
            "ropewalk.domain.history:ToolCall",
            "ropewalk.domain.history:LLMRequest",
            "ropewalk.domain.history:LLMResponse",
            "ropewalk.domain.history:TokenUsage",
            "ropewalk.domain.history:Cost",
            "ropewalk.domain.checkpoint:CheckpointHeader",
            "ropewalk.domain.checkpoint:Checkpoint",
            "ropewalk.domain.checkpoint:CleanupPolicy",
            "ropewalk.domain.checkpoint:CleanupReport",
            "ropewalk.domain.checkpoint:Collected",
            "ropewalk.domain.verified:Verified",
            "ropewalk.domain.verified:Damage",
            "ropewalk.domain.census:TreeSpace",
            "ropewalk.domain.census:ThreadSpace",
            "ropewalk.domain.money:Money",
            "ropewalk.domain.page:Page",
            "ropewalk.domain.cascade:Cascade",
            "ropewalk.domain.conflict:MergeReport",
        ),
    ),
    (
        "Many workflows at once",
        (
            "ropewalk.domain.policy:Retry",
            "ropewalk.domain.policy:Reject",
            "ropewalk.domain.policy:LastWins",
            "ropewalk.domain.policy:FirstWins",
            "ropewalk.domain.policy:Merge",
            "ropewalk.domain.policy:Decision",
            "ropewalk.services.policies.manager:Policies",
            "ropewalk.services.leases.held:HeldLease",
            "ropewalk.services.leases.manager:Leases",
            "ropewalk.domain.lease:Lease",
            "ropewalk.domain.lease:WhenBusy",
            "ropewalk.services.runs.active:ActiveRun",
            "ropewalk.services.runs.step:Step",
            "ropewalk.services.runs.manager:Runs",
            "ropewalk.services.runs.manager:Driving",
            "ropewalk.domain.run:Run",
            "ropewalk.domain.run:DoneStep",
            "ropewalk.services.feed.watching:Watcher",
            "ropewalk.domain.interest:Interest",
            "ropewalk.services.feed.consumers:Consumers",
            "ropewalk.services.feed.subscription:Subscription",
            "ropewalk.domain.consumer:Consumer",
            "ropewalk.domain.consumer:Lag",
            "ropewalk.services.feed.retention:Retention",
            "ropewalk.domain.retention:Trimmed",
            "ropewalk.services.sharing.spaces:Spaces",
            "ropewalk.domain.space:Space",
            "ropewalk.domain.space:Emptied",
            "ropewalk.services.sharing.grants:Grants",
            "ropewalk.domain.grant:Grant",
            "ropewalk.domain.grant:Mode",
            "ropewalk.domain.grant:Scope",
        ),
    ),
    (
        "Move in, and out",
        (
            "ropewalk.services.migration.manager:Migrations",
            "ropewalk.domain.migration:Plan",
            "ropewalk.domain.migration:OnConflict",
            "ropewalk.domain.migration:Deletions",
            "ropewalk.domain.migration:Progress",
            "ropewalk.domain.migration:RunReport",
            "ropewalk.domain.migration:Reject",
            "ropewalk.domain.migration:Loss",
            "ropewalk.domain.migration:VerifyReport",
            "ropewalk.domain.migration:Difference",
            "ropewalk.domain.migration:UndoReport",
            "ropewalk.domain.migration:CutoverReport",
        ),
    ),
    (
        "The waist, for those who write back ends and layers",
        (
            "ropewalk.domain.ports:Backend",
            "ropewalk.domain.ports:Capability",
            "ropewalk.domain.ports:Sealer",
            "ropewalk.domain.ports:Clock",
            "ropewalk.domain.record:Key",
            "ropewalk.domain.record:Record",
            "ropewalk.domain.change:Put",
            "ropewalk.domain.change:Delete",
            "ropewalk.domain.change:Ensure",
            "ropewalk.domain.change:Check",
            "ropewalk.domain.change:Batch",
            "ropewalk.domain.change:Applied",
            "ropewalk.domain.change:Commit",
            "ropewalk.domain.effect:decide",
            "ropewalk.domain.seen:Seen",
            "ropewalk.domain.seen:Counted",
            "ropewalk.domain.query:Query",
            "ropewalk.domain.query:Condition",
            "ropewalk.domain.query:AnyOf",
            "ropewalk.domain.query:Order",
            "ropewalk.domain.cursor:Cursor",
            "ropewalk.domain.tally:Tally",
            "ropewalk.domain.tally:tally_records",
            "ropewalk.domain.health:Health",
        ),
    ),
)

WIDTH: Final = 96
"""Characters that fit on a line of the page."""

FUNCTIONS: Final = (ast.FunctionDef, ast.AsyncFunctionDef)
DOCUMENTED: Final = (ast.ClassDef, *FUNCTIONS)

HEAD: Final = """\
# The interface

<!-- Generated by tools/api.py from the code. Do not edit: `make pages` writes it anew. -->

What is not on this page is not public. Every call raises the [errors](errors.md) of the tree and
nothing else.
"""


@dataclass(frozen=True, slots=True)
class Place:
    """A public name: where it is written, and its syntax tree."""

    module: str
    name: str
    node: ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


def find(target: str) -> Place:
    """Return the definition of `module:name`; raise `LookupError` where there is none."""
    module, _, name = target.partition(":")
    source = inspect.getsource(importlib.import_module(module))
    for node in ast.parse(source).body:
        if isinstance(node, DOCUMENTED) and node.name == name:
            return Place(module, name, node)
    message = f"{target} is not there any more; mend CHAPTERS"
    raise LookupError(message)


def signature(node: ast.FunctionDef | ast.AsyncFunctionDef) -> str:
    """Return the line that defines a function, without its body and without `self`.

    A property is shown as the value that it is; what is too long for a line gets one for each
    argument.
    """
    result = f" -> {ast.unparse(node.returns)}" if node.returns else ""
    if any(ast.unparse(mark) == "property" for mark in node.decorator_list):
        return node.name + result.replace(" -> ", ": ")
    arguments = list(_arguments(node.args))
    # An asynchronous generator is gone through, not awaited.
    awaited = isinstance(node, ast.AsyncFunctionDef) and "AsyncIterator" not in result
    prefix = "async " if awaited else ""
    line = f"{prefix}{node.name}({', '.join(arguments)}){result}"
    if len(line) <= WIDTH:
        return line
    inside = "".join(f"    {argument},\n" for argument in arguments)
    return f"{prefix}{node.name}(\n{inside}){result}"


def _arguments(given: ast.arguments) -> Iterator[str]:
    positional = [*given.posonlyargs, *given.args]
    defaults = [*[None] * (len(positional) - len(given.defaults)), *given.defaults]
    for argument, default in zip(positional, defaults, strict=True):
        if argument.arg not in {"self", "cls"}:
            yield _argument(argument, default)
    if given.vararg:
        yield f"*{ast.unparse(given.vararg)}"
    elif given.kwonlyargs:
        yield "*"
    for argument, default in zip(given.kwonlyargs, given.kw_defaults, strict=True):
        yield _argument(argument, default)
    if given.kwarg:
        yield f"**{ast.unparse(given.kwarg)}"


def _argument(argument: ast.arg, default: ast.expr | None) -> str:
    return ast.unparse(argument) + (f" = {ast.unparse(default)}" if default else "")


def prose(node: ast.AST) -> str:
    """Return a docstring as text of the page."""
    text = ast.get_docstring(node) if isinstance(node, DOCUMENTED) else None
    return textwrap.dedent(text or "").strip()


def fields(node: ast.ClassDef) -> Iterator[str]:
    """Go through the fields of a class as they are written."""
    for item in node.body:
        if isinstance(item, ast.AnnAssign) and not ast.unparse(item.target).startswith("_"):
            if not ast.unparse(item.annotation).startswith("ClassVar"):
                yield ast.unparse(item)
        elif isinstance(item, ast.Assign) and "Enum" in " ".join(map(ast.unparse, node.bases)):
            yield ast.unparse(item)


def methods(node: ast.ClassDef) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Go through the public methods of a class in the order they are written."""
    for item in node.body:
        if isinstance(item, FUNCTIONS) and not item.name.startswith("_"):
            yield item


def entry(place: Place) -> Iterator[str]:
    """Write one public name."""
    node = place.node
    yield f"### {place.name}\n"
    yield f"`{place.module}.{place.name}`\n"
    if not isinstance(node, ast.ClassDef):
        yield f"```text\n{signature(node)}\n```\n"
        yield prose(node) + "\n"
        return
    yield prose(node) + "\n"
    own = list(fields(node))
    if own:
        yield "```text\n" + "\n".join(own) + "\n```\n"
    for method in methods(node):
        yield f"```text\n{signature(method)}\n```\n"
        yield prose(method) + "\n"


def page() -> str:
    """Write the whole page."""
    parts = [HEAD]
    for title, targets in CHAPTERS:
        parts.append(f"## {title}\n")
        for target in targets:
            parts += entry(find(target))
    return "\n".join(parts)


def main() -> int:
    """Write the page, or with `--check` compare it; return the exit code."""
    parser = argparse.ArgumentParser(description="Write docs/reference/api.md from the code.")
    parser.add_argument("--check", action="store_true", help="compare, and fail where it is stale")
    text, path = page(), ROOT / PAGE
    if parser.parse_args().check:
        if path.exists() and path.read_text() == text:
            return 0
        print(f"{PAGE} is stale: run make pages", file=sys.stderr)
        return 1
    path.write_text(text)
    print(f"wrote {PAGE}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
