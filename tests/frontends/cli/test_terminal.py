"""On a terminal there are colours, relative times and short ids; in a pipe there are none."""

from __future__ import annotations

import asyncio
import os
import pty
import re
from concurrent.futures import ThreadPoolExecutor
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO

import pytest

import ropewalk
from ropewalk.domain.migration import Progress
from ropewalk.frontends.cli import migrate_report
from ropewalk.frontends.cli.app import call

from .typing_it import spawned, typed

ESCAPE = "\x1b["
OWN = "sqlite:///own.db"


def on_terminal(*arguments: str, **environment: str) -> str:
    """Run a command whose stdout is a terminal of 100 columns, and return what it wrote there."""
    ours, theirs = pty.openpty()
    settings = {"COLUMNS": "100", "TERM": "xterm-256color"} | environment
    with (
        pytest.MonkeyPatch.context() as patch,
        ThreadPoolExecutor(1) as pool,
        redirect_stderr(StringIO()),
    ):
        for name, value in settings.items():
            patch.setenv(name, value)
        # A terminal holds only so much: somebody must read while the command writes.
        written = pool.submit(_read_all, ours)
        with os.fdopen(theirs, "w", encoding="utf-8") as terminal, redirect_stdout(terminal):
            assert 0 == call(arguments)
    os.close(ours)
    return written.result().decode().replace("\r\n", "\n")


def _read_all(descriptor: int) -> bytes:
    return b"".join(iter(lambda: _read(descriptor), b""))


def _read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 65_536)
    except OSError:  # how Linux says that the other side was closed
        return b""


def test_people_see_colours_and_how_long_ago(demo: str) -> None:
    """Tables have colours, times are relative, numbers are grouped."""
    out = on_terminal("ls", "sessions", "-u", demo)
    assert ESCAPE in out
    assert re.search(r"\d+ d ago", out)
    assert "9,087" in out
    assert "╯" in on_terminal("log", "rome", "--graph", "-u", demo)


def test_a_pipe_gets_the_same_without_any(demo: str) -> None:
    """No command writes an escape sequence into a pipe; times are RFC 3339."""
    for arguments in (
        ("ls",),
        ("log", "rome"),
        ("log", "rome", "--graph"),
        ("stats",),
        ("doctor",),
    ):
        answer = typed(*arguments, "-u", demo)
        assert 0 == answer.code
        assert ESCAPE not in answer.out + answer.err
    answer = spawned("ls", "-u", demo)
    assert "2025-06-15T09:24:01Z" in answer.out
    assert ESCAPE not in answer.out


@pytest.mark.parametrize(
    ("arguments", "environment"),
    [((), {"NO_COLOR": "1"}), ((), {"TERM": "dumb"}), (("--no-color",), {}), (("--json",), {})],
)
def test_colours_can_be_refused(
    demo: str, arguments: tuple[str, ...], environment: dict[str, str]
) -> None:
    """NO_COLOR, a dumb terminal, --no-color and --json each leave no escape sequence."""
    for command in (("ls",), ("log", "rome", "--graph")):
        assert ESCAPE not in on_terminal(*command, *arguments, "-u", demo, **environment)


def test_progress_stays_on_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where stderr is a terminal, progress is written over itself, and the line is left."""
    monkeypatch.setattr(migrate_report, "EVERY_SECONDS_ON_TERMINAL", 0.0)
    ours, theirs = pty.openpty()
    with ThreadPoolExecutor(1) as pool:
        written = pool.submit(_read_all, ours)
        with os.fdopen(theirs, "w", encoding="utf-8") as terminal, redirect_stderr(terminal):
            teller = migrate_report.Teller(silent=False)
            for done in (1, 2):
                kinds = {"session": done}
                teller.show(Progress(done=done, total=4, rate=2.0, left=1.5 / done, kinds=kinds))
            teller.end()
    os.close(ours)
    first, second = (
        f"\r\x1b[K{n} of 4 ({n} session), 2/s, {left} s left" for n, left in ((1, 2), (2, 1))
    )
    assert f"{first}{second}\r\n".encode() == written.result()


def test_ids_are_as_short_as_they_can_be() -> None:
    """Ids of 32 digits are cut to what still names them; in a pipe they stay whole."""

    async def write() -> list[str]:
        async with ropewalk.open(OWN) as storage:
            return [(await storage.threads.create(title=f"n{n}")).id for n in range(3)]

    ids = asyncio.run(write())
    shown = on_terminal("ls", "threads", "--no-color", "-u", OWN)
    cut = {line.split()[1]: line.split()[0] for line in shown.splitlines() if " n" in line}
    for number, id in enumerate(ids):
        short = cut[f"n{number}"]
        assert id.startswith(short)
        assert len(short) < len(id)
        assert f'"{id}"' in typed("show", short, "--json", "-u", OWN).out
    assert set(ids) == set(re.findall(r"\b[0-9a-f]{32}\b", typed("ls", "-u", OWN).out))


def test_strange_titles_stay_in_their_column() -> None:
    """Control characters are written out, and wide letters keep the columns straight."""

    async def write() -> None:
        async with ropewalk.open(OWN) as storage:
            await storage.threads.create(id="first", title="\x1b[31mred\nand\x07more")
            await storage.threads.create(id="second", title="你好，世界")

    asyncio.run(write())
    lines = typed("ls", "threads", "-u", OWN).out.splitlines()
    assert r"\x1b[31mred and\x07more" in lines[2]
    status = [line.index("active") for line in lines[1:]]
    assert status[0] == status[1] - len("你好，世界")
