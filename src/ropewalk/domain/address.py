"""The address of a store: a URL, the options behind its question mark, and what of it is secret."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final, TypeAlias
from urllib.parse import parse_qsl

from .errors import Invalid

Option: TypeAlias = str | int | float | bool
"""What a back end or a layer can be configured with."""

Options: TypeAlias = Mapping[str, Option]

PATHS: Final = frozenset({"sqlite", "file"})
"""Schemes whose URLs hold a path: three slashes for a relative one, four for an absolute one."""

_SECRET: Final = re.compile(
    r"pass(word|wd|phrase)?$|secret|token|credential|(^|_)key$", re.IGNORECASE
)
_HIDDEN: Final = "***"


def redacted(url: str) -> str:
    """Return a URL (or what should be one) that can be shown: without passwords and keys."""
    shown = re.sub(r"(?<=://)([^/?#@:]*):[^/?#]*@", rf"\1:{_HIDDEN}@", url)
    return re.sub(
        r"([?&])([^=&#]+)=([^&#]*)",
        lambda part: f"{part[1]}{part[2]}={_HIDDEN if _SECRET.search(part[2]) else part[3]}",
        shown,
    )


def without_secrets(options: Options) -> dict[str, Option]:
    """Return options that can be shown: the values of passwords and keys are hidden."""
    return {name: _HIDDEN if _SECRET.search(name) else value for name, value in options.items()}


def split_url(url: str, *, origin: str = "") -> tuple[str, dict[str, Option]]:
    """Return the URL without its options, and the options.

    Raises `Invalid` for what is no URL of a store, with the one that was probably meant;
    `origin` says where it was written.
    """
    said = f"{origin}: " if origin else ""
    scheme, mark, rest = url.partition("://")
    scheme = scheme.lower()
    if not mark or not re.fullmatch(r"[a-z][a-z0-9+.-]*", scheme):
        message = f"{said}{redacted(url)!r} is no URL of a store: write {redacted(_meant(url))}"
        raise Invalid(message, code="bad_url", field="url")
    rest, _, query = rest.partition("?")
    if scheme in PATHS and rest and not rest.startswith("/"):
        message = (
            f"{said}{redacted(url)!r} has two slashes where a path needs three: "
            f"write {scheme}:///{rest} (four for an absolute path)"
        )
        raise Invalid(message, code="bad_url", field="url")
    pairs = parse_qsl(query, keep_blank_values=True)
    options = {name: parsed(text) for name, text in pairs}
    if len(options) < len(pairs):
        message = f"{said}the URL {redacted(url)!r} gives an option twice"
        raise Invalid(message, code="duplicate", field="url")
    return f"{scheme}://{rest}", options


def parsed(text: str) -> Option:
    """Read an option that had to be written as text: numbers, `true` and `false` are themselves."""
    if text in ("true", "false"):
        return text == "true"
    if re.fullmatch(r"-?(0|[1-9][0-9]*)", text):
        return int(text)
    if re.fullmatch(r"-?(0|[1-9][0-9]*)\.[0-9]+", text):
        return float(text)
    return text


def _meant(url: str) -> str:
    """Guess which URL somebody meant who wrote something else."""
    if not url.strip():
        return "for example sqlite:///agent.db"
    scheme, colon, rest = url.partition(":")
    if colon and scheme == "memory":
        return "memory://"
    if colon and scheme in PATHS:
        path = rest.lstrip("/")
        return f"{scheme}:////{path}" if rest[:1] == "/" and "/" in path else f"{scheme}:///{path}"
    return f"{'file' if url.endswith('/') else 'sqlite'}:///{url.rstrip('/')}"
