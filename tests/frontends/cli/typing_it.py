"""Type a command: in this process, or in one of its own as a shell would."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from typing import Any

from ropewalk.frontends.cli.app import call

from ...forked import run_forked


@dataclass(frozen=True, slots=True)
class Answer:
    """What a command ended with and what it wrote."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:  # noqa: ANN401 (whatever the command tells)
        """What it wrote to stdout, read as one JSON document."""
        return json.loads(self.out)

    @property
    def error(self) -> Any:  # noqa: ANN401 (as above)
        """What it wrote to stderr, read as one JSON document."""
        return json.loads(self.err)

    @property
    def lines(self) -> list[str]:
        """The lines on stdout."""
        return self.out.splitlines()


def typed(*arguments: str) -> Answer:
    """Run a command in this process."""
    with redirect_stdout(io.StringIO()) as out, redirect_stderr(io.StringIO()) as err:
        code = call(arguments)
    return Answer(code, out.getvalue(), err.getvalue())


def spawned(*arguments: str, **environment: str) -> Answer:
    """Run a command in a process of its own, with pipes for its output."""
    run = subprocess.run(
        [sys.executable, "-m", "ropewalk", *arguments],
        env=_environment() | environment,
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
        timeout=60,
    )
    return Answer(run.returncode, run.stdout, run.stderr)


def _environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


def in_other_process(code: str) -> str:
    """Run Python code elsewhere, and return what it prints."""
    run = run_forked(["-c", code])
    assert (0, "") == (run.returncode, run.stderr)
    return run.stdout.strip()


def in_new_process(code: str) -> str:
    """Run Python code in an interpreter of its own and return what it prints."""
    run = subprocess.run(
        [sys.executable, "-c", code],
        env=_environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (0, "") == (run.returncode, run.stderr)
    return run.stdout.strip()
