"""Look at a PostgreSQL server: one moment of it, nothing of it changed, no password ever shown."""

from __future__ import annotations

import re
from collections.abc import Generator
from contextlib import contextmanager
from typing import Final, TypeAlias, cast

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.rows import TupleRow

from ...domain.address import redacted
from ...domain.errors import Denied, Invalid, NotFound, RopewalkError, Unavailable

Connection: TypeAlias = psycopg.Connection[TupleRow]

Trouble: TypeAlias = psycopg.Error | UnicodeDecodeError
"""What reading may end in: the second is text of a database that knows no encoding."""

TROUBLES: Final = (psycopg.Error, UnicodeDecodeError)

_HIDDEN: Final = "***"
_PATIENCE: Final = "10"
"""Seconds to wait for a server that says nothing, unless the URL says how long."""

_DAMAGED: Final = ("XX", "22", "21", "54")
_NO_RIGHT: Final = "42501"
_NO_DATABASE: Final = re.compile(r'database ".*" does not exist')
_NO_LOGIN: Final = re.compile(
    r"authentication failed|no password supplied|no pg_hba\.conf entry|permission denied"
    r'|role ".*" does not exist'
)

_UNHURRIED: Final = """
    SELECT set_config(name, '0', true) FROM pg_catalog.pg_settings WHERE name IN
    ('statement_timeout', 'idle_in_transaction_session_timeout', 'transaction_timeout')
"""


@contextmanager
def opened_server(url: str) -> Generator[Connection, None, None]:
    """Open one transaction that sees one moment of a database, and can write nothing.

    What the URL leaves out, a password above all, comes from where libpq looks for it: `PGPASSWORD`
    and the other variables, `~/.pgpass`. A password of three stars, which is what is shown of one,
    counts as left out. Raises `Invalid` for a URL that libpq does not understand, `NotFound` for no
    such database, `Denied` for a login that is refused, and `Unavailable` for a server that does
    not answer.
    """
    place = redacted(url)
    conninfo = _conninfo(url)
    try:
        # Poolers that hand on transactions know no prepared statements.
        connection = psycopg.connect(conninfo, prepare_threshold=None)
    except psycopg.Error as error:
        raise refusal(error, place) from error
    try:
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        connection.read_only = True
        try:
            # Who reads slowly, as a migration does, must not lose the moment that he sees.
            connection.execute(_UNHURRIED)
        except psycopg.Error as error:
            raise refusal(error, place) from error
        yield connection
    finally:
        connection.close()


def is_damage(error: Trouble) -> bool:
    """Tell whether it lies with a row, so that another one may be read."""
    if isinstance(error, psycopg.Error):
        return (error.sqlstate or "").startswith(_DAMAGED)
    return True


def refusal(error: Trouble, place: str) -> RopewalkError:
    """Return the error for a server that does not answer, or not as it should."""
    state = error.sqlstate if isinstance(error, psycopg.Error) else None
    said = " ".join(str(error).split())
    # A server that lets nobody in gives its reason as a sentence, and libpq no code for it.
    if state is None and _NO_DATABASE.search(said):
        message = f"{place}: there is no such database ({said})"
        return NotFound(message, code="no_source", place=place)
    if state == _NO_RIGHT or (state is None and _NO_LOGIN.search(said)):
        message = (
            f"{place} refuses to be read ({said}): name a user who may read LangGraph's tables, "
            "with the password in the URL, in PGPASSWORD, or in ~/.pgpass"
        )
        return Denied(message, code="refused", place=place)
    message = f"{place} cannot be read now ({said}): see that the server runs, then try again"
    return Unavailable(message, code="no_server", place=place)


def _conninfo(url: str) -> str:
    """Return what libpq is to be told; raise `Invalid` where it cannot be understood."""
    wrong = (
        "the URL of the server cannot be understood: write postgresql://user@host:5432/database, "
        "and percent-encode what is special in a password (@ as %40, / as %2F)"
    )
    try:
        parts = conninfo_to_dict(url)
    except psycopg.Error:
        # What libpq says quotes the URL, and what it took for a port may be half a password.
        raise Invalid(wrong, code="bad_url", field="place") from None
    if "@" in str(parts.get("host", "")):
        raise Invalid(wrong, code="bad_url", field="place")
    if parts.get("password") == _HIDDEN:
        del parts["password"]
    parts.setdefault("connect_timeout", _PATIENCE)
    parts.setdefault("application_name", "ropewalk")
    parts["client_encoding"] = "utf8"
    return make_conninfo(**cast("dict[str, str]", parts))
