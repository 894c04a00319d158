"""Import Ropewalk once, and then fork a process for every Python program that is asked for.

    fork_server.py SOCKET

`SOCKET` is the number of an inherited socket. A request is its length in four bytes, with the file
descriptors attached for the status, stdin, stdout and stderr, and then a JSON object; the answer is
the process id in eight bytes. When the process has ended its exit status goes into the first of
those file descriptors, in four bytes. The server ends when nobody holds the other end of its socket
any more.
"""

from __future__ import annotations

import gc
import json
import os
import runpy
import select
import signal
import socket
import sys
from importlib import import_module
from types import FrameType, ModuleType
from typing import Any, Final

IMPORTED: Final = (
    "ropewalk.backends.file",
    "ropewalk.backends.memory",
    "ropewalk.backends.sqlite",
    "ropewalk.codecs.checksum",
    "ropewalk.codecs.compress",
    "ropewalk.factory",
    "ropewalk.layers.logs",
    "ropewalk.layers.retry",
    "ropewalk.testing.samples",
)
"""What a program imports that opens a store and works with it."""

MOST_FDS: Final = 4


def _notice(number: int, frame: FrameType | None) -> None:
    """Let a signal wake whoever waits: only one that is handled does so."""
    del number, frame


class Server:
    """One process that starts others and waits for them; each `step` returns in who is to work."""

    def __init__(self, asked: socket.socket) -> None:
        """Answer what comes through `asked`."""
        self._asked = asked
        self._ended, wakeup = os.pipe()
        for end in (self._ended, wakeup):
            os.set_blocking(end, False)
        signal.set_wakeup_fd(wakeup)
        signal.signal(signal.SIGCHLD, _notice)
        # An interrupt at the keyboard is for those who asked; this one then sees them go.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        self._wakeup = wakeup
        self._waiting: dict[int, int] = {}

    def next_program(self) -> tuple[dict[str, Any], list[int]] | None:
        """Return, in the process of a program, what to run there; `None` when all is done."""
        while True:
            ready, _, _ = select.select([self._asked.fileno(), self._ended], [], [])
            if self._ended in ready:
                os.read(self._ended, 1_000)
                self._tell_ends()
            if self._asked.fileno() in ready:
                size, fds, _, _ = socket.recv_fds(self._asked, 4, MOST_FDS)
                if not size:
                    return None
                request = json.loads(self._read(int.from_bytes(size, "big")))
                if self._forked(fds):
                    return request, fds[1:]

    def _read(self, size: int) -> bytes:
        with self._asked.makefile("rb", buffering=0) as stream:
            data = b""
            while len(data) < size:
                data += stream.read(size - len(data))
            return data

    def _forked(self, fds: list[int]) -> bool:
        """Begin a process; tell whether this is it."""
        pid = os.fork()
        if pid:
            self._waiting[pid] = fds[0]
            for fd in fds[1:]:
                os.close(fd)
            self._asked.sendall(pid.to_bytes(8, "big"))
            return False
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        self._asked.close()
        for fd in (self._ended, self._wakeup, fds[0], *self._waiting.values()):
            os.close(fd)
        return True

    def _tell_ends(self) -> None:
        for pid in list(self._waiting):
            ended, status = os.waitpid(pid, os.WNOHANG)
            if ended:
                fd = self._waiting.pop(pid)
                try:
                    os.write(fd, status.to_bytes(4, "big"))
                except BrokenPipeError:
                    # Whoever asked for it has gone and does not want to know.
                    continue
                finally:
                    os.close(fd)


def run(request: dict[str, Any], streams: list[int]) -> None:
    """Be the program that was asked for, with its streams, folder, environment and arguments."""
    for number, fd in enumerate(streams):
        os.dup2(fd, number)
        os.close(fd)
    # What the server has knows too much about the files that were there before.
    sys.stdin = os.fdopen(0, "r", encoding="utf-8", closefd=False)
    sys.stdout = os.fdopen(1, "w", encoding="utf-8", closefd=False)
    sys.stderr = os.fdopen(2, "w", 1, "utf-8", "backslashreplace", closefd=False)
    os.environ.clear()
    os.environ.update(request["environment"])
    os.chdir(request["folder"])
    paths = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    sys.path[1:1] = [path for path in paths if path and path not in sys.path]
    what, *rest = request["arguments"]
    if what == "-c":
        sys.path[0] = ""
        sys.argv = ["-c", *rest[1:]]
        sys.modules["fork_server"] = sys.modules["__main__"]
        sys.modules["__main__"] = ModuleType("__main__")
        exec(compile(rest[0], "<string>", "exec"), vars(sys.modules["__main__"]))  # noqa: S102
    elif what == "-m":
        sys.path[0] = request["folder"]
        sys.argv = ["-m", *rest[1:]]
        runpy.run_module(rest[0], run_name="__main__", alter_sys=True)
    else:
        sys.path[0] = os.path.dirname(what)  # noqa: PTH120 (as the interpreter does it)
        sys.argv = [what, *rest]
        runpy.run_path(what, run_name="__main__")


if __name__ == "__main__":
    for name in IMPORTED:
        import_module(name)
    gc.collect()
    gc.freeze()
    program = Server(socket.socket(fileno=int(sys.argv[1]))).next_program()
    if program is not None:
        run(*program)
