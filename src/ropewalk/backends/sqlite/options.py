"""Where the file is and how to treat it: a URL and its options, read with care."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import unquote

from ...domain.address import Option, split_url
from ...domain.errors import Invalid
from ...domain.spelling import did_you_mean
from .opening import Sync

_FORMS: Final = "write sqlite:///relative.db or sqlite:////absolute.db"

MOST_READERS: Final = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How to treat the file; `SqliteBackend` says what each means."""

    sync: Sync = "normal"
    busy_timeout: float = 30.0
    readers: int = 2
    verify: bool = False
    loop_budget: float = 1.0


def path_of(url: str) -> tuple[str, dict[str, Option]]:
    """Return the file that a URL names, and the options behind its question mark.

    Raises `Invalid` where it names none.
    """
    rest, options = split_url(url)
    raw = rest.partition("://")[2]
    try:
        path = unquote(raw.removeprefix("/"), errors="strict")
    except UnicodeDecodeError as error:
        message = f"{url!r} is not percent-encoded UTF-8: {_FORMS}"
        raise Invalid(message, code="bad_url", field="url") from error
    return path, options


def file_at(path: str | os.PathLike[str]) -> str:
    """Return the absolute path of a store's file; raise `Invalid` for what can be none."""
    text = os.fspath(path)
    if "\0" in text:
        message = f"{path!r} is no path of a file: {_FORMS}"
        raise Invalid(message, code="bad_path", field="path")
    if not text or text.endswith("/"):
        message = f"{text!r} names no file: {_FORMS}"
        raise Invalid(message, code="bad_path", field="path")
    if text == ":memory:":
        message = "a store in memory is called memory://; sqlite:/// keeps its records in a file"
        raise Invalid(message, code="bad_path", field="path")
    return str(Path(text).resolve())


def options_of(given: Mapping[str, object]) -> Options:
    """Return options out of texts or values; raise `Invalid`, naming the one that is wrong."""
    known = ("sync", "busy_timeout", "readers", "verify", "loop_budget")
    for name in given:
        if name not in known:
            message = f"sqlite has no option {name!r}; {did_you_mean(name, known)}"
            raise Invalid(message, code="unknown_option", field=name)
    defaults = Options()
    return Options(
        sync=_sync(given.get("sync", defaults.sync)),
        busy_timeout=_span("busy_timeout", given.get("busy_timeout", defaults.busy_timeout)),
        readers=_readers(given.get("readers", defaults.readers)),
        verify=_flag(given.get("verify", defaults.verify)),
        loop_budget=_span("loop_budget", given.get("loop_budget", defaults.loop_budget)),
    )


def _sync(value: object) -> Sync:
    if value == "normal":
        return "normal"
    if value == "full":
        return "full"
    raise _wrong("sync", value, "'normal' or 'full'")


_SPANS: Final = {
    "busy_timeout": "a number of seconds, 0 or more",
    "loop_budget": "a number of milliseconds, 0 or more",
}


def _span(name: str, value: object) -> float:
    wanted = _SPANS[name]
    try:
        length = float(value) if isinstance(value, str | int | float) else math.nan
    except (ValueError, OverflowError) as error:
        raise _wrong(name, value, wanted) from error
    if isinstance(value, bool) or not 0 <= length < math.inf:
        raise _wrong(name, value, wanted)
    return length


def _readers(value: object) -> int:
    wanted = f"a whole number from 1 to {MOST_READERS}"
    try:
        number = int(value) if isinstance(value, str | int) else 0
    except ValueError as error:
        raise _wrong("readers", value, wanted) from error
    if isinstance(value, bool) or not 1 <= number <= MOST_READERS:
        raise _wrong("readers", value, wanted)
    return number


def _flag(value: object) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.casefold() in {"true", "yes", "on", "1"}:
        return True
    if isinstance(value, str) and value.casefold() in {"false", "no", "off", "0"}:
        return False
    raise _wrong("verify", value, "true or false")


def _wrong(name: str, value: object, wanted: str) -> Invalid:
    message = f"the option {name} must be {wanted}, not {value!r}"
    return Invalid(message, code="bad_option", field=name)
