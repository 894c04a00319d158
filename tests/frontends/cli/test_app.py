"""The front door of the command line: quick, helpful, and every ending has its number."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from ropewalk.domain.errors import Conflict, Corrupt, Denied, Invalid, NotFound, Unavailable
from ropewalk.frontends.cli.exits import Exit, exit_of

from .typing_it import in_new_process, spawned, typed

HEAVY = ("asyncio", "apsw", "numpy", "ormsgpack", "pydantic", "rich", "sqlglot")

CPU_BUDGET_SECONDS = 0.150


def test_help_imports_nothing_heavy() -> None:
    """`ropewalk --help` and the import of the front door load none of the big packages."""
    code = (
        "import sys\n"
        "from ropewalk.frontends.cli.app import call\n"
        "assert call(['--help']) == 0\n"
        f"print('LOADED', *sorted(sys.modules.keys() & set({HEAVY!r})))\n"
        "print('OURS', *sorted(n for n in sys.modules if n.startswith('ropewalk.services')))"
    )
    assert ["LOADED", "OURS"] == in_new_process(code).splitlines()[-2:]


def test_help_is_quick() -> None:
    """`ropewalk --help` takes less than 150 ms of processor time, from start to end."""
    code = (
        "import time\n"
        "from ropewalk.frontends.cli.app import call\n"
        "call(['--help'])\n"
        "print(time.process_time())"
    )
    best = min(float(in_new_process(code).splitlines()[-1]) for _ in range(4))
    assert best < CPU_BUDGET_SECONDS


@pytest.mark.parametrize("arguments", [(), ("--help",), ("import",)])
def test_without_a_command_the_help_is_shown(arguments: tuple[str, ...]) -> None:
    """`ropewalk` alone says what there is, on stdout, and ends well."""
    answer = typed(*arguments)
    assert (0, "") == (answer.code, answer.err)
    assert "Commands:" in answer.out


def test_the_help_documents_every_exit_code() -> None:
    """Each code that can leave the program stands in the help with its meaning."""
    out = typed("--help").out
    listed = out.partition("Exit codes:")[2]
    for code in Exit:
        assert f"\n  {int(code):<5}{code.meaning}\n" in listed


def test_the_version_is_shown() -> None:
    """`ropewalk --version` names the version of the package."""
    import ropewalk

    assert f"ropewalk {ropewalk.__version__}\n" == typed("--version").out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("lss",), "did you mean 'ls'?"),
        (("import", "legcy"), "did you mean 'legacy'?"),
        (("ls", "--jsn"), "Did you mean '--json'"),
        (("ls", "session"), "'sessions'"),
    ],
)
def test_a_slip_is_answered_with_what_was_meant(arguments: tuple[str, ...], said: str) -> None:
    """A misspelt command, option or choice ends with 2 and the right word."""
    answer = typed(*arguments)
    assert (2, "") == (answer.code, answer.out)
    assert said in answer.err
    assert "help: ropewalk" in answer.err


def test_an_error_is_json_where_json_was_asked_for() -> None:
    """With --json, the error on stderr is one JSON object with the code, the exit and a hint."""
    told = typed("lss", "--json").error
    assert ("error", "usage", 2) == (told["type"], told["code"], told["exit"])
    assert "did you mean 'ls'?" in told["message"]
    assert "ropewalk --help" == told["hint"]


@pytest.mark.seed("1.5")
@pytest.mark.parametrize(
    ("error", "code"),
    [
        (NotFound("x"), 4),
        (NotFound("x", code="no_store"), 10),
        (Conflict("x"), 5),
        (Denied("x"), 8),
        (Invalid("x"), 2),
        (Invalid("x", code="foreign_file"), 10),
        (Corrupt("x"), 7),
        (Unavailable("x"), 12),
        (Unavailable("x", code="busy"), 6),
        (Unavailable("x", code="schema_newer"), 11),
    ],
)
def test_every_error_has_its_exit_code(error: NotFound, code: int) -> None:
    """The code says what to do next: by what happened, else by the class of the error."""
    assert code == exit_of(error)


def test_no_store_is_made_by_looking(folder: Path) -> None:
    """A command that reads ends with 10 where there is no store, and leaves none behind."""
    for url in ("sqlite:///nothing.db", "file:///nothing"):
        answer = typed("ls", "-u", url)
        assert (10, "") == (answer.code, answer.out)
        assert url in answer.err
    assert [] == list(folder.iterdir())


def test_a_store_must_be_named() -> None:
    """Without a URL anywhere, the error says the three ways to give one."""
    answer = typed("ls")
    assert 2 == answer.code
    for way in ("-u", "ROPEWALK_URL", "ropewalk.toml"):
        assert way in answer.err


def test_the_store_may_come_from_anywhere(
    demo: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A URL is taken from before the command, behind it, the environment, and a file, in order."""
    expected = typed("ls", "kinds", "--json", "-u", demo).json
    assert expected == typed("-u", demo, "--json", "ls", "kinds").json
    (folder / "ropewalk.toml").write_text(f'url = "{demo}"\n')
    assert expected == typed("ls", "kinds", "--json").json
    (folder / "other.toml").write_text('url = "sqlite:///nothing.db"\n')
    assert 10 == typed("ls", "kinds", "-c", "other.toml").code
    monkeypatch.setenv("ROPEWALK_URL", "sqlite:///nowhere.db")
    assert "nowhere.db" in typed("ls").err
    assert expected == typed("ls", "kinds", "--json", "-u", demo).json


def test_a_foreign_file_is_no_store(folder: Path) -> None:
    """A database of another program is refused with 10 and stays byte for byte."""
    with sqlite3.connect(folder / "theirs.db") as theirs:
        theirs.execute("create table t (a)")
    theirs.close()
    before = (folder / "theirs.db").read_bytes()
    answer = typed("ls", "-u", "sqlite:///theirs.db")
    assert 10 == answer.code
    assert before == (folder / "theirs.db").read_bytes()


def test_a_traceback_is_shown_only_when_asked_for() -> None:
    """An error is one sentence; with --debug its traceback stands above it."""
    quiet = typed("ls", "-u", "sqlite:///nothing.db")
    loud = spawned("ls", "-u", "sqlite:///nothing.db", "--debug")
    assert 1 == len(quiet.err.splitlines())
    assert "Traceback" in loud.err
    assert quiet.err == f"{loud.err.splitlines()[-1]}\n"


def test_a_fault_of_ours_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """An error that nobody foresaw ends with 1 and asks for a report, without a traceback."""
    from ropewalk.frontends.cli import stats

    def broken(*_: object) -> None:
        raise ZeroDivisionError("by nothing")

    monkeypatch.setattr(stats, "_stats", broken)
    answer = typed("stats")
    assert (1, "") == (answer.code, answer.out)
    assert answer.err.startswith(
        "error: ZeroDivisionError: by nothing; this is a fault of ropewalk"
    )
    assert "Traceback" not in answer.err


def test_a_reader_that_leaves_is_no_error(demo: str) -> None:
    """Where the pipe is closed early, nothing is complained about."""
    with subprocess.Popen(
        [sys.executable, "-m", "ropewalk", "log", "rome", "--json", "-u", demo],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert b"" == process.stderr.read()
        assert 0 == process.wait(timeout=60)


SAYING_WHEN = """
import sys
from ropewalk.frontends.cli import app, opening

really = opening.check_there

def check_there(config):
    really(config)
    print("about to open", flush=True)

opening.check_there = check_there
sys.exit(app.call(sys.argv[1:]))
"""


def test_an_interrupt_ends_with_130(folder: Path) -> None:
    """^C while the store makes us wait ends the command with 130 and one word."""
    with sqlite3.connect(folder / "locked.db", isolation_level=None) as owner:
        owner.execute("begin exclusive")
        with subprocess.Popen(
            [sys.executable, "-c", SAYING_WHEN, "ls", "-u", "sqlite:///locked.db"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            assert process.stdout is not None
            assert process.stderr is not None
            assert "about to open\n" == process.stdout.readline()
            process.send_signal(signal.SIGINT)
            assert "interrupted\n" == process.stderr.read()
            assert 130 == process.wait(timeout=60)
    owner.close()


def test_letters_that_a_terminal_lacks_are_written_out(demo: str) -> None:
    """In a locale without Unicode, graphs are drawn in ASCII and nothing is lost or broken."""
    answer = spawned("log", "rome", "--graph", "-u", demo, PYTHONIOENCODING="ascii")
    assert (0, "") == (answer.code, answer.err)
    assert answer.out.isascii()
    assert answer.out.startswith("*")


def test_python_dash_m_is_the_same_program() -> None:
    """`python -m ropewalk` answers as `ropewalk` does."""
    assert typed("--version").out == spawned("--version").out


def test_a_shell_can_complete_commands() -> None:
    """The completion of click knows the commands."""
    typing = {"COMP_WORDS": "ropewalk st", "COMP_CWORD": "1"}
    answer = spawned(_ROPEWALK_COMPLETE="bash_complete", **typing)
    assert "plain,stats\n" == answer.out
