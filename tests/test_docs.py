"""Every example of the README and of docs/ runs, every link leads somewhere, no page is stale.

The blocks of one page run in order, in one folder of their own. `python` blocks share their names
and may `await` at top level; every line `$ command` of a `console` block must succeed. A comment
on the line before a block changes that:

    <!-- not run: the reason -->      the block is only shown
    <!-- exact output -->             what is shown is what the commands print (... is anything)
"""

from __future__ import annotations

import ast
import asyncio
import doctest
import io
import os
import re
import shlex
import subprocess
import sys
import textwrap
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Final

import pytest

from ropewalk.frontends.cli.app import call

ROOT: Final = Path(__file__).resolve().parent.parent
PAGES: Final = {
    path.relative_to(ROOT).as_posix(): path
    for path in (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")))
}

BLOCK: Final = re.compile(
    r"(?:^\ *<!--\ (?P<word>not\ run|exact\ output)(?::\ (?P<reason>[^\n]*\S))?\ -->\n)?"
    r"^(?P<indent>\ *)(?P<fence>`{3,})(?P<language>[^`\n]+)\n"
    r"(?P<text>.*?)"
    r"^(?P=indent)(?P=fence)$",
    re.MULTILINE | re.DOTALL | re.VERBOSE,
)
LINK: Final = re.compile(r"\[[^]]*\]\((?P<target>[^)#\s]+)(?:#[^)\s]*)?\)")

SHOWN: Final = frozenset({"ini", "json", "jsonl", "sql", "text", "toml"})
"""Languages that are only looked at; whatever else could be run goes by `python` or `console`."""


@dataclass(frozen=True, slots=True)
class Block:
    """One fenced block that must run, the line it starts at, and whether its output counts."""

    line: int
    language: str
    text: str
    exact: bool = False


def _blocks(page: str) -> list[Block]:
    """Return the blocks of a page that run; raise `ValueError` for one that escapes unnoticed."""
    blocks: list[Block] = []
    for match in BLOCK.finditer(page):
        line = page.count("\n", 0, match.start("text")) + 1
        language = match["language"].strip()
        if match["word"] == "not run":
            if not match["reason"]:
                message = f"line {line - 2}: a block that is not run must say why"
                raise ValueError(message)
        elif language in {"python", "console"}:
            text = textwrap.dedent(match["text"])
            blocks.append(Block(line, language, text, match["word"] == "exact output"))
        elif language not in SHOWN:
            message = f"line {line - 1}: {language!r} is neither run nor in the list of the shown"
            raise ValueError(message)
    return blocks


def _sessions(text: str) -> list[tuple[str, str]]:
    """Split a console block into commands, each with the output shown under it."""
    parts = re.split(r"^\$ ((?:.*\\\n)*.*)\n?", text, flags=re.MULTILINE)
    return list(zip(parts[1::2], parts[2::2], strict=True))


def _same(shown: str, printed: str) -> bool:
    shown, printed = (
        "".join(f"{line.rstrip()}\n" for line in text.strip().splitlines())
        for text in (shown, printed)
    )
    return doctest.OutputChecker().check_output(shown, printed, doctest.ELLIPSIS)


def _own(command: str) -> list[str] | None:
    """Return the arguments of a `ropewalk` command, `None` where a shell has a say in them.

    What is done with its output and its end, behind the arguments, is left to a shell.
    """
    arguments = re.split(r"\s+(?=\d?>|\||&|;)", command, maxsplit=1)[0]
    words = shlex.split(arguments, comments=True)
    if words[:1] != ["ropewalk"] or re.search(r"[&|;<>$`*?]|(?<!\S)~", arguments):
        return None
    return words[1:]


def _typed(arguments: list[str]) -> tuple[int, str, str]:
    """Run our own command in this process, which spares the time to start another."""
    with redirect_stdout(io.StringIO()) as out, redirect_stderr(io.StringIO()) as err:
        code = call(arguments)
    return code, out.getvalue(), err.getvalue()


def _replayed(command: str, ended: tuple[int, str, str]) -> str:
    """Return what a shell is to run, in which `ropewalk` says and ends as it has already."""
    code, out, err = ended
    said = f"printf %s {shlex.quote(out)}; printf %s {shlex.quote(err)} >&2; return {code}"
    return f"ropewalk() {{ {said}; }}\n{command}"


class Reader:
    """Somebody who types every example of one page, in order, in one folder."""

    def __init__(self, page: Path, folder: Path, names: dict[str, object]) -> None:
        self._page = page
        # Whoever reads the first page starts the program; that it can be need not be proven again.
        self._starts = page.name == "README.md"
        self._folder = folder
        self._names = names

    def python(self, block: Block, runner: asyncio.Runner) -> None:
        """Run a block of Python among the names of the blocks before it."""
        code: CodeType = compile(
            "\n" * (block.line - 1) + block.text,
            str(self._page),
            "exec",
            flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT,
            dont_inherit=True,
        )
        awaited: object = FunctionType(code, self._names)()
        if asyncio.iscoroutine(awaited):
            runner.run(awaited)

    def console(self, block: Block) -> None:
        """Run the commands of a block, and compare their output where the page promises it."""
        environment = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith("ROPEWALK_") and name != "PYTHONDONTWRITEBYTECODE"
        } | {
            "PATH": os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"])),
            "HOME": str(self._folder),
            "XDG_CONFIG_HOME": str(self._folder),
            "COLUMNS": "100",
            "NO_COLOR": "1",
        }
        for command, shown in _sessions(block.text):
            own = None if self._starts else _own(command)
            self._starts = False
            script = command
            if own is not None:
                with pytest.MonkeyPatch.context() as patch:
                    for name in os.environ.keys() - environment.keys():
                        patch.delenv(name)
                    for name, value in environment.items():
                        patch.setenv(name, value)
                    script = _replayed(command, _typed(own))
            run = subprocess.run(
                ["sh", "-c", script],
                cwd=self._folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                check=False,
            )
            code, printed = run.returncode, run.stdout
            assert 0 == code, f"line {block.line}: {command}\n{printed}"
            if block.exact:
                assert _same(shown, printed), f"line {block.line}: {command}\n{printed}"


@pytest.mark.usefixtures("names")
@pytest.mark.parametrize(
    "name", [name for name, path in PAGES.items() if "```" in path.read_text()]
)
def test_every_example_runs(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A reader who types the examples of a page, top to bottom, meets no error."""
    module = ModuleType("page")
    monkeypatch.setitem(sys.modules, "page", module)
    monkeypatch.chdir(tmp_path)
    reader = Reader(PAGES[name], tmp_path, module.__dict__)
    with asyncio.Runner() as runner:
        for block in _blocks(PAGES[name].read_text("utf-8")):
            if block.language == "python":
                reader.python(block, runner)
            else:
                reader.console(block)


def test_every_link_leads_somewhere() -> None:
    """A link to another file of the repository names a file that is there."""
    broken = [
        f"{name}: {target}"
        for name, path in PAGES.items()
        for target in LINK.findall(path.read_text("utf-8"))
        if "://" not in target and not (path.parent / target).exists()
    ]
    assert [] == broken


def test_the_page_of_criteria_is_current() -> None:
    """docs/seeds.md says what the markers on the tests say; `make pages` writes it anew."""
    run = subprocess.run(
        [sys.executable, ROOT / "tools" / "seeds.py", "--check"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (0, "") == (run.returncode, run.stderr)


def test_blocks_are_found_with_their_lines_and_languages() -> None:
    """Blocks to run are found at any indentation, those to look at are left out."""
    page = (
        "# Page\n\n```python\na = 1\n```\n\n- item\n\n  ```console\n  $ ls\n  ```\n\n"
        "```toml\na = 1\n```\n\n<!-- exact output -->\n```console\n$ echo a\na\n```\n\n"
        "<!-- not run: it needs a server -->\n```python\nraise SystemExit\n```\n"
    )
    expected = [
        Block(4, "python", "a = 1\n"),
        Block(10, "console", "$ ls\n"),
        Block(19, "console", "$ echo a\na\n", exact=True),
    ]
    assert expected == _blocks(page)


@pytest.mark.parametrize(
    "page",
    [
        "<!-- not run -->\n```python\n1/0\n```\n",
        "```py\n1/0\n```\n",
        "```python skip\n1/0\n```\n",
        "```bash\nfalse\n```\n",
    ],
)
def test_no_example_escapes_silently(page: str) -> None:
    """A block is run, or says in words why not."""
    with pytest.raises(ValueError, match="line 1: "):
        _blocks(page)


def test_an_example_that_fails_is_noticed(tmp_path: Path) -> None:
    """A wrong block of Python, a failing command and a wrong output each stop the reader."""
    reader = Reader(tmp_path / "page.md", tmp_path, {})
    with asyncio.Runner() as runner:
        reader.python(Block(1, "python", "import asyncio\nawait asyncio.sleep(0)\na = 1\n"), runner)
        reader.python(Block(5, "python", "assert a == 1\n"), runner)
        with pytest.raises(ZeroDivisionError):
            reader.python(Block(7, "python", "await asyncio.sleep(0)\na / 0\n"), runner)
    reader.console(Block(9, "console", "$ echo one \\\n two\none  two\n$ true\n"))
    reader.console(Block(13, "console", "$ echo one; echo 2.5 s\none\n... s\n", exact=True))
    with pytest.raises(AssertionError, match="line 17: false"):
        reader.console(Block(17, "console", "$ true\n$ false\n"))
    with pytest.raises(AssertionError, match="line 19: echo one"):
        reader.console(Block(19, "console", "$ echo one\ntwo\n", exact=True))
