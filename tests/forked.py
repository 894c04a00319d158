"""Processes that run Python programs over Ropewalk without the time that importing it takes.

Each is a process like any other one, with a memory of its own, and may be stopped or killed. It is
forked from a server that has imported Ropewalk and done nothing else; see `fork_server.py`. Of the
environment variables that the interpreter itself reads only `PYTHONPATH` counts.
"""

from __future__ import annotations

import atexit
import json
import os
import select
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from itertools import cycle
from pathlib import Path
from tempfile import TemporaryFile
from types import TracebackType
from typing import IO, Any, Final, Self

from .fork_server import __file__ as SERVER  # noqa: N812 (the constant is the path)

PIPE: Final = subprocess.PIPE
SERVERS: Final = 2
"""Processes of one server hash alike, and those of different ones do not."""


class _Server:
    """The process that others are forked from."""

    def __init__(self) -> None:
        """Start it; it may still be importing when it is asked."""
        self._socket, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, SERVER, str(theirs.fileno())], pass_fds=[theirs.fileno()]
            )
        self._lock = threading.Lock()

    def ask(self, request: Mapping[str, object], fds: Sequence[int]) -> int:
        """Return the id of a new process."""
        data = json.dumps(request).encode()
        with self._lock:
            socket.send_fds(self._socket, [len(data).to_bytes(4, "big")], fds)
            self._socket.sendall(data)
            answer = self._socket.recv(8)
        assert 8 == len(answer), "the server of processes has ended"
        return int.from_bytes(answer, "big")

    def close(self) -> None:
        """Let it end."""
        self._socket.close()
        self._process.wait()


class _Servers:
    """The servers of this process, each started when it is first needed."""

    def __init__(self) -> None:
        self._all: list[_Server] = []
        self._places = cycle(range(SERVERS))
        self._lock = threading.Lock()

    def next(self) -> _Server:
        """Return them in turn."""
        with self._lock:
            place = next(self._places)
            if place == len(self._all):
                self._all.append(_Server())
                atexit.register(self._all[-1].close)
            return self._all[place]


_SERVERS: Final = _Servers()


class Forked:
    """A process with the arguments of the interpreter; what `Popen` offers of it, in text alone.

    `stdin`, `stdout` and `stderr` are a pipe, a file, or what this process has.
    """

    def __init__(
        self,
        arguments: Sequence[str | Path],
        *,
        stdin: int | None = None,
        stdout: int | IO[Any] | None = None,
        stderr: int | IO[Any] | None = None,
        cwd: str | Path | None = None,
        env: Mapping[str, str] | None = None,
    ) -> None:
        """Start `-c code`, `-m module` or a script, with its arguments."""
        self.args: Final = arguments
        self.returncode: int | None = None
        self._lock = threading.Lock()
        self._status, status = os.pipe()
        theirs = [status]
        given: list[int] = []
        self.stdin, self.stdout, self.stderr = (
            self._stream(number, wanted, theirs, given)
            for number, wanted in enumerate((stdin, stdout, stderr))
        )
        request = {
            "arguments": [str(argument) for argument in arguments],
            "folder": str(cwd or Path.cwd()),
            "environment": dict(os.environ if env is None else env),
        }
        try:
            self.pid: Final = _SERVERS.next().ask(request, theirs)
        finally:
            for fd in (status, *given):
                os.close(fd)

    @staticmethod
    def _stream(
        number: int, wanted: int | IO[Any] | None, theirs: list[int], given: list[int]
    ) -> IO[str] | None:
        """Choose what the process gets, and return our end of it where it is a pipe."""
        if wanted != PIPE:
            fd = number if wanted is None else wanted
            theirs.append(fd if isinstance(fd, int) else fd.fileno())
            return None
        ends = os.pipe()
        mine, others = ends if number else reversed(ends)
        theirs.append(others)
        given.append(others)
        return os.fdopen(mine, "r" if number else "w", encoding="utf-8")

    def poll(self) -> int | None:
        """Return the exit status if it has ended; that of a signal is below zero."""
        return self._ended(0)

    def wait(self, timeout: float | None = None) -> int:
        """Wait so many seconds for its end; return the exit status."""
        code = self._ended(timeout)
        if code is None:
            assert timeout is not None
            raise subprocess.TimeoutExpired(list(map(str, self.args)), timeout)
        return code

    def _ended(self, timeout: float | None) -> int | None:
        with self._lock:
            if self.returncode is None and select.select([self._status], [], [], timeout)[0]:
                status = os.read(self._status, 4)
                assert 4 == len(status), "the server of processes has ended"
                os.close(self._status)
                self.returncode = os.waitstatus_to_exitcode(int.from_bytes(status, "big"))
            return self.returncode

    def send_signal(self, signal: int) -> None:
        """Send a signal, unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, signal)

    def kill(self) -> None:
        """Kill it, unless it has ended."""
        self.send_signal(9)

    def communicate(self, timeout: float | None = None) -> tuple[str, str]:
        """Close its stdin, read all that it writes until its end; return stdout and stderr."""
        if self.stdin is not None:
            self.stdin.close()
        said = {"stdout": "", "stderr": ""}

        def listen(name: str, stream: IO[str]) -> None:
            with stream:
                said[name] = stream.read()

        streams = {"stdout": self.stdout, "stderr": self.stderr}
        ears = [
            threading.Thread(target=listen, args=(name, stream))
            for name, stream in streams.items()
            if stream is not None and not stream.closed
        ]
        for ear in ears:
            ear.start()
        self.wait(timeout)
        for ear in ears:
            ear.join()
        return said["stdout"], said["stderr"]

    def __enter__(self) -> Self:
        """Use it for a block."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close its pipes and wait for its end."""
        for stream in (self.stdout, self.stderr, self.stdin):
            if stream is not None:
                stream.close()
        self.wait()


def run_forked(
    arguments: Sequence[str | Path],
    *,
    cwd: str | Path | None = None,
    env: Mapping[str, str] | None = None,
    timeout: float | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run a program to its end; return its exit status and what it wrote."""
    with TemporaryFile("w+", encoding="utf-8") as out, TemporaryFile("w+", encoding="utf-8") as err:
        process = Forked(arguments, stdout=out, stderr=err, cwd=cwd, env=env)
        try:
            process.wait(timeout)
        finally:
            process.kill()
        said = [(file.seek(0), file.read())[1] for file in (out, err)]
    return subprocess.CompletedProcess(list(map(str, arguments)), process.wait(), *said)
