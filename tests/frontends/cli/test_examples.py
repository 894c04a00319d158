"""Help that can be trusted: every command has examples, and every example runs as it stands."""

from __future__ import annotations

import re
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from langgraph.checkpoint.sqlite import SqliteSaver

from ropewalk.frontends.cli.app import root
from ropewalk.frontends.cli.command import Command, Example, Group
from ropewalk.frontends.cli.exits import Exit

from ...sources.legacy.writing import Tree, interaction
from .old_settings import write_configs
from .typing_it import typed


def every_command() -> Iterator[tuple[str, Command | Group]]:
    """Go through the commands and groups with the words that call them."""
    todo: list[tuple[str, Command | Group]] = [("ropewalk", root)]
    for path, command in todo:
        yield path, command
        if isinstance(command, Group):
            for name in command.places:
                found = command.get_command(click.Context(command), name)
                assert isinstance(found, Command | Group)
                todo.append((f"{path} {name}", found))


COMMANDS = dict(every_command())
EXAMPLES = [example for command in COMMANDS.values() for example in command.examples]


@pytest.mark.parametrize("path", COMMANDS)
def test_every_command_shows_examples_and_codes(path: str) -> None:
    """The help has one opening sentence, at least one example of the command, and its codes."""
    command = COMMANDS[path]
    out = typed(*shlex.split(path)[1:], "--help").out
    assert re.fullmatch(r"[A-Z].{10,78}\.", (command.help or "").partition("\n")[0])
    assert command.examples
    for example in command.examples:
        assert example.line.startswith(path)
        assert f"$ {example.line}\n" in out
    assert Exit.DONE in command.exits
    for code in command.exits:
        assert code.meaning in out


def test_lists_of_commands_say_what_their_own_help_says() -> None:
    """The sentence that is shown without importing a command is the first of its help."""
    for path, command in COMMANDS.items():
        if isinstance(command, Group):
            for name, (_, sentence) in command.places.items():
                assert sentence == (COMMANDS[f"{path} {name}"].help or "").partition("\n")[0]


@pytest.mark.parametrize("path", COMMANDS)
def test_every_command_answers_in_json(path: str) -> None:
    """--json, --no-color and --debug are options of every command."""
    names = {name for option in COMMANDS[path].params for name in option.opts}
    assert {"--json", "--no-color", "--debug"} <= names


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.line)
def test_every_example_runs(example: Example, demo: str, folder: Path) -> None:
    """Beside a demonstration, what older programs left and a plan carried out, it succeeds."""
    Tree(folder / "old").session("session_1", interaction("interaction_1", "session_1"))
    write_configs(folder / "configs")
    if "graphs.db" in example.line:
        with SqliteSaver.from_conn_string("graphs.db") as saver:
            saver.setup()
    words = shlex.split(example.line)
    assert "ropewalk" == words[0]
    if words[1] != "demo":
        shutil.copy(demo.removeprefix("sqlite:///"), folder / "ropewalk-demo.db")
    if "archive" in words:
        assert 0 == typed("export", "all.jsonl.zst", "-u", "sqlite:///ropewalk-demo.db").code
    if words[1] in {"migrate", "copy"} and "-o" not in words:
        plan = ("migrate", "plan", "old", "sqlite:///agent.db", "--tz", "+08:00", "-o", "move.toml")
        assert 0 == typed(*plan).code
        assert 0 == typed("migrate", "run", "move.toml", "--apply").code
    answer = typed(*words[1:])
    assert 0 == answer.code, answer.err
    if "--json" in words:
        assert answer.json
