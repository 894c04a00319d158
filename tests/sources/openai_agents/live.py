"""Let the Agents SDK itself write databases, and say what it reads from them."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

BRANCHES = ("main", "shorter", "of a branch", "from the beginning")


def turn(number: int) -> list[dict[str, Any]]:
    """Return a question and its answer."""
    return [
        {"role": "user", "content": f"question {number}"},
        {"role": "assistant", "content": f"answer {number}"},
    ]


async def write_plain(path: Path, items: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Keep items in a plain session; return what the SDK reads."""
    # By name: the SDK is no part of what the types of this repository are checked against.
    sdk: Any = import_module("agents.memory")
    session = sdk.SQLiteSession("s-1", path)
    await session.add_items(items)
    held: list[dict[str, Any]] = await session.get_items()
    session.close()
    return held


async def write_branches(path: Path) -> dict[str, list[dict[str, Any]]]:
    """Work on several branches and count tokens; return what the SDK reads of each."""
    sdk: Any = import_module("agents.extensions.memory")
    usage: Any = import_module("agents.usage")
    session = sdk.AdvancedSQLiteSession(session_id="s-1", db_path=path, create_tables=True)
    for number in (1, 2, 3):
        await session.add_items(turn(number))
        used = usage.Usage(
            requests=1, input_tokens=10 * number, output_tokens=number, total_tokens=11 * number
        )
        await session.store_run_usage(_Result(used))
    await session.create_branch_from_turn(3, BRANCHES[1])
    await session.add_items(turn(13))
    await session.create_branch_from_turn(2, BRANCHES[2])
    await session.add_items(turn(22))
    await session.switch_to_branch("main")
    await session.add_items(turn(4))
    await session.create_branch_from_turn(1, BRANCHES[3])
    await session.add_items(turn(31))
    held = {name: list(await session.get_items(branch_id=name)) for name in BRANCHES}
    session.close()
    return held


class _Context:
    """What a run's result knows of its usage."""

    def __init__(self, usage: object) -> None:
        self.usage = usage


class _Result:
    """The result of a run, as far as the SDK asks for it when it counts tokens."""

    def __init__(self, usage: object) -> None:
        self.context_wrapper = _Context(usage)
