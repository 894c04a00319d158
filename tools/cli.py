"""Write docs/reference/cli.md: every command of `ropewalk` as its own help describes it.

The page is made from the commands themselves, so that it cannot say anything else than they do.
"""

from __future__ import annotations

import argparse
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import click

from ropewalk.frontends.cli import typed
from ropewalk.frontends.cli.app import root
from ropewalk.frontends.cli.command import Group
from ropewalk.frontends.cli.exits import Exit
from ropewalk.frontends.cli.refs import SHORTEST

PAGE: Final = "docs/reference/cli.md"
ROOT: Final = Path(__file__).resolve().parent.parent
WIDTH: Final = 96

INTRODUCTION: Final = f"""\
# The command line

<!-- Written by tools/cli.py from the commands themselves: run `make pages`. -->

`ropewalk` looks into a store of any back end. Only `demo`, `import`, `fork`, `tag`, `gc` and, with
`--apply`, `prune` change one.
What was asked for goes to stdout, everything else to stderr. On a terminal there are colours,
relative times and short ids; in a pipe plain columns, RFC 3339 and whole ids; with `--json` one
document. Nothing that stands in a store can move the cursor: control characters are written out.

## Which store

`-u URL` before or behind the command, else what the environment or a file says: see
[Configuration](configuration.md). A command that only looks makes no store where there is none.

## What things are called

| REF | names |
| --- | --- |
| `rome` | the thing with this id |
| `01976f2c` | the only thing whose id begins like this; {SHORTEST} characters at least |
| `thread:rome` | the same among the threads alone |
| `rome/cheaper` | the branch of this name in the family of a thread, or the thread's snapshot |
| `rome~2` | the second checkpoint back from the end of a line, or from a checkpoint |
| `rome@{{2h}}` | the newest checkpoint of a line two hours ago; or `rome@{{2025-06-15T15:00}}` |
| `good` | the checkpoint with this tag, where nothing else has the name; `tag:good` |

## Values in JSON

Times and amounts of our own are texts: RFC 3339 in UTC, exact decimals by currency. A user's value
is itself where JSON can say it. Where it cannot, it is an object with one key that names the type,
as in `{{"$decimal": "19.90"}}`, `{{"$set": ["a", "b"]}}` or `{{"$dict": [[1, "one"]]}}`.
"""


ERRORS: Final = """\
An error is one sentence on stderr; with `--json` an object with `code`, `exit`, `message` and
`facts`. With `--debug` a traceback stands above it.
"""


def forms() -> str:
    """Return what there is to know of tags, as the module that makes them describes it."""
    _, _, described = (typed.__doc__ or "").partition("\n\n")
    return textwrap.fill(described.replace("\n", " "), 100)


def sections(group: Group, path: str) -> Iterator[tuple[str, click.Command]]:
    """Go through a group's commands with the words that call them."""
    for name in group.places:
        command = group.get_command(click.Context(group), name)
        assert command is not None  # noqa: S101 (the group has just named it)
        yield f"{path} {name}", command
        if isinstance(command, Group):
            yield from sections(command, f"{path} {name}")


def help_of(command: click.Command, path: str) -> str:
    """Return the help of a command as a terminal of a fixed width shows it."""
    context = click.Context(command, info_name=path, terminal_width=WIDTH, max_content_width=WIDTH)
    lines = command.get_help(context).splitlines()
    return "\n".join(line.rstrip() for line in lines)


def render() -> str:
    """Write the page."""
    parts = [INTRODUCTION, f"{forms()}\n", "## Exit codes\n"]
    rows = "".join(f"| {int(code)} | {code.meaning} |\n" for code in Exit)
    parts.append(f"| code | means |\n| --- | --- |\n{rows}")
    parts.append(ERRORS)
    for path, command in sections(root, "ropewalk"):
        parts.append(f"## `{path}`\n\n```text\n{help_of(command, path)}\n```\n")
    return "\n".join(parts)


def main() -> int:
    """Write the page, or with --check tell whether it is current."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing; fail if stale")
    parser.add_argument("--page", type=Path, default=ROOT / PAGE, help="where it stands")
    arguments = parser.parse_args()
    page: Path = arguments.page
    text = render()
    if not arguments.check:
        page.write_text(text, "utf-8")
    elif not page.exists() or page.read_text("utf-8") != text:
        print(f"{PAGE} is stale: run `make pages`", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
