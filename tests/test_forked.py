"""A forked process is what a started one is: arguments, streams, folder, signals, exit status."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from .forked import PIPE, Forked, run_forked

SAYS = """
import os, sys, threading
print(sys.argv, __name__, os.getcwd(), os.environ["COLOUR"], hash("a"), threading.active_count())
print(os.getpid(), sys.path[0], sys.modules["__main__"].__dict__ is globals(), file=sys.stderr)
raise SystemExit(3)
"""


@pytest.mark.parametrize("how", ["-c", "-m", "script"])
def test_a_program_finds_what_the_interpreter_gives_it(tmp_path: Path, how: str) -> None:
    """The same as with an interpreter of its own, but what is random there."""
    script = tmp_path / "says.py"
    script.write_text(SAYS)
    arguments = {"-c": ["-c", SAYS], "-m": ["-m", "says"], "script": [str(script)]}[how]
    environment = {**os.environ, "COLOUR": "blue", "PYTHONHASHSEED": "1"}
    forked = run_forked([*arguments, "x", "y"], cwd=tmp_path, env=environment)
    started = subprocess.run(
        [sys.executable, *arguments, "x", "y"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert 3 == forked.returncode == started.returncode
    words, expected = forked.stdout.split(), started.stdout.split()
    if how == "-m":
        assert expected[0].startswith("['/")
        words[0] = expected[0]
    assert expected[:-2] == words[:-2]
    assert "1" == words[-1]
    pid, *rest = forked.stderr.split()
    assert started.stderr.split()[1:] == rest
    assert pid not in {str(os.getpid()), started.stderr.split()[0]}


def test_processes_do_not_share_what_they_change() -> None:
    """Each begins as the server was, and not where the one before it ended; not all hash alike."""
    code = "import ropewalk, os; print(hasattr(ropewalk, 'mark'), hash('a')); ropewalk.mark = 1"
    said = [run_forked(["-c", code]).stdout.split() for _ in range(4)]
    assert {"False"} == {there for there, _ in said}
    assert 2 == len({number for _, number in said})


def test_an_error_is_told_as_ever() -> None:
    """A traceback on stderr, and exit status one."""
    run = run_forked(["-c", "print('so far'); 1 / 0"])
    assert (1, "so far\n") == (run.returncode, run.stdout)
    assert run.stderr.startswith("Traceback")
    assert run.stderr.endswith("ZeroDivisionError: division by zero\n")


def test_it_is_talked_to_and_killed() -> None:
    """Pipes lead there and back; the exit status tells the signal."""
    code = "import sys\nfor line in sys.stdin: print(line.upper(), end='', flush=True)"
    with Forked(["-c", code], stdin=PIPE, stdout=PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write("word\n")
        process.stdin.flush()
        assert "WORD\n" == process.stdout.readline()
        assert process.poll() is None
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.01)
        process.kill()
        assert -signal.SIGKILL == process.wait(60) == process.poll()
        process.send_signal(signal.SIGTERM)
    with Forked(["-c", code], stdin=PIPE, stdout=PIPE) as process:
        assert ("", "") == process.communicate(60)
        assert 0 == process.returncode


def test_an_interrupt_reaches_the_program() -> None:
    """As at the keyboard: it ends with the error of it."""
    code = "print('begun', flush=True)\nwhile True: pass"
    with Forked(["-c", code], stdout=PIPE, stderr=PIPE) as process:
        assert process.stdout is not None
        assert "begun\n" == process.stdout.readline()
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(60)
        assert said.endswith("KeyboardInterrupt\n")
        assert process.returncode not in {0, None}
