"""`file:` URLs and their options, checked by name."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Literal, TypeAlias, cast
from urllib.parse import parse_qsl, unquote_to_bytes, urlsplit

from ...domain.errors import Invalid
from ...domain.spelling import did_you_mean

Sync: TypeAlias = Literal["full", "normal"]

SYNCS: Final[tuple[Sync, ...]] = ("full", "normal")


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How a store behaves.

    `sync`: "full" acknowledges a batch when it would survive a loss of power; "normal" when it
    would survive the death of every process. `lock_timeout`: seconds to wait for other processes.
    `min_free_bytes`: with less free on the disk, `ping` says degraded.
    """

    sync: Sync = "full"
    lock_timeout: float = 30.0
    min_free_bytes: int = 64 * 1024 * 1024

    def __post_init__(self) -> None:
        """Refuse values that have no meaning."""
        if self.sync not in SYNCS:
            message = f"sync must be one of {', '.join(SYNCS)}, not {self.sync!r}"
            raise Invalid(message, code="bad_option", field="sync")
        if not 0 <= self.lock_timeout < float("inf"):
            message = f"lock_timeout must be seconds, 0 or more, not {self.lock_timeout}"
            raise Invalid(message, code="bad_option", field="lock_timeout")
        if self.min_free_bytes < 0:
            message = f"min_free_bytes must be 0 or more, not {self.min_free_bytes}"
            raise Invalid(message, code="bad_option", field="min_free_bytes")


_NAMES: Final = ("lock_timeout", "min_free_bytes", "sync")


def parse(url: str, given: dict[str, object]) -> tuple[Path, Options]:
    """Read `file:///relative` or `file:////absolute`, with options in the query or given.

    Those given win. Raises `Invalid` for another machine's name, for an unknown option, with the
    nearest one that there is, and for a value that the option cannot have.
    """
    parts = urlsplit(url, allow_fragments=False)
    if parts.netloc or not parts.path.startswith("/") or parts.path == "/":
        message = (
            f"{url!r} names no folder of this machine: write file:///relative/folder or "
            "file:////absolute/folder"
        )
        raise Invalid(message, code="bad_url", field="url")
    try:
        path = unquote_to_bytes(parts.path[1:]).decode()
        query: dict[str, object] = dict(
            parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query))
        )
    except ValueError as error:
        raise Invalid(f"{url!r} is no URL: {error}", code="bad_url", field="url") from error
    if "\0" in path:
        message = f"{url!r} has a NUL in it, which no folder's name may have"
        raise Invalid(message, code="bad_url", field="url")
    options = Options()
    for name, value in (query | given).items():
        options = _with(options, name, value)
    return Path(path), options


def _with(options: Options, name: str, value: object) -> Options:
    if name == "sync":
        return replace(options, sync=cast("Sync", value))
    if name == "lock_timeout":
        return replace(options, lock_timeout=_number(name, value, kind=float))
    if name == "min_free_bytes":
        return replace(options, min_free_bytes=int(_number(name, value, kind=int)))
    message = f"the file store has no option {name!r}; {did_you_mean(name, _NAMES)}"
    raise Invalid(message, code="unknown_option", field=name)


def _number(name: str, value: object, *, kind: type[int | float]) -> float:
    if isinstance(value, str | int | float) and not isinstance(value, bool):
        try:
            return kind(value)
        except ValueError as error:
            message = f"{name} must be a number, not {value!r}"
            raise Invalid(message, code="bad_option", field=name) from error
    message = f"{name} must be a number, not {value!r}"
    raise Invalid(message, code="bad_option", field=name)
