"""A plan as a file: TOML, which the configuration is written in as well, with its comments."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final, TypeVar, cast

from ...domain.errors import Invalid, NotFound
from ...domain.migration import Deletions, OnConflict, Plan
from ...domain.record import DEFAULT_SPACE
from ...domain.spelling import did_you_mean

E = TypeVar("E")

_STARS: Final = ":***@"
_LEFT_OUT: Final = "# The password is not written down: PGPASSWORD has it, or ~/.pgpass."

_KEYS: Final[Mapping[str, tuple[str, ...]]] = {
    "": ("name", "source", "target", "what"),
    "source": ("format", "place", "options"),
    "target": ("url", "space"),
    "what": ("kinds", "on_conflict", "deletions", "allow_loss", "batch"),
}


def write_plan(plan: Plan, *, lost: Sequence[str] = ()) -> str:
    """Return a plan as text; `lost` are the codes of what would stay behind, for a comment."""
    told = [code for code in lost if not plan.allows(code)]
    options = ", ".join(f"{name} = {_text(value)}" for name, value in plan.options.items())
    lines = [
        "# A plan of `ropewalk migrate`. Edit it, rehearse it with `ropewalk migrate run FILE`,",
        "# and carry it out with `ropewalk migrate run FILE --apply`.",
        "",
        "# Runs of one name know of each other: what one has brought, the next brings no more.",
        f"name = {_text(plan.name)}",
        "",
        "[source]",
        f"format = {_text(plan.format)}",
        *([_LEFT_OUT] if _STARS in plan.place else []),
        f"place = {_text(plan.place)}",
        f"options = {{ {options} }}" if options else "options = {}",
        "",
        "[target]",
        f"url = {_text(plan.url)}",
        f"space = {_text(plan.space)}",
        "",
        "[what]",
        "# Empty for all. What is of another kind is left out, and counted.",
        f"kinds = {_list(plan.kinds)}",
        "# Where an id stands in the target with other content: fail, skip, overwrite, keep-newer.",
        f"on_conflict = {_text(plan.on_conflict.value)}",
        "# What was brought and is no longer in the source: report, or apply (take it away).",
        f"deletions = {_text(plan.deletions.value)}",
        '# What may stay behind, by code or format; "*" for anything.',
        *([f"# This would, and is not allowed yet: {_list(told)}"] if told else []),
        f"allow_loss = {_list(plan.allow_loss)}",
        "# Items of one batch.",
        f"batch = {plan.batch}",
    ]
    return "\n".join(lines) + "\n"


def read_plan(path: Path) -> Plan:
    """Read a plan; raise `NotFound` for no file, `Invalid`, naming the key, for a wrong one."""
    try:
        table: Mapping[str, object] = tomllib.loads(path.read_bytes().decode())
    except (FileNotFoundError, IsADirectoryError) as error:
        message = (
            f"there is no plan {path}: `ropewalk migrate plan SOURCE TARGET -o FILE` writes one"
        )
        raise NotFound(message, code="no_plan", path=str(path)) from error
    except (OSError, ValueError) as error:
        message = f"the plan {path} cannot be read: {error}"
        raise Invalid(message, code="bad_plan", field="PLAN") from error
    parts = {
        section: _section(path, table if not section else table.get(section, {}), section)
        for section in _KEYS
    }
    what = parts["what"]
    options = _section(path, parts["source"].get("options", {}), "source.options")
    return Plan(
        name=_of(path, str, parts[""], "name", None),
        format=_of(path, str, parts["source"], "format", None),
        place=_of(path, str, parts["source"], "place", None),
        options={name: _of(path, str, options, name, None) for name in options},
        url=_of(path, str, parts["target"], "url", None),
        space=_of(path, str, parts["target"], "space", DEFAULT_SPACE),
        kinds=_texts(path, what, "kinds"),
        on_conflict=_one_of(path, OnConflict, what, "on_conflict", OnConflict.FAIL),
        deletions=_one_of(path, Deletions, what, "deletions", Deletions.REPORT),
        allow_loss=_texts(path, what, "allow_loss"),
        batch=_of(path, int, what, "batch", 500),
    )


def _section(path: Path, value: object, name: str) -> Mapping[str, object]:
    if not isinstance(value, dict):
        raise _wrong(path, name, "a table")
    section = cast("Mapping[str, object]", value)
    known = _KEYS.get(name)
    for key in section if known is not None else ():
        if known is not None and key not in known:
            said = f"{name}.{key}" if name else key
            message = f"{path}: a plan has no key {said!r}; {did_you_mean(key, known)}"
            raise Invalid(message, code="unknown_key", field=said)
    return section


def _of(path: Path, kind: type[E], section: Mapping[str, object], key: str, default: E | None) -> E:
    value = section.get(key, default)
    if not isinstance(value, kind) or isinstance(value, bool):
        raise _wrong(path, key, "text" if kind is str else "an integer")
    return value


def _texts(path: Path, section: Mapping[str, object], key: str) -> tuple[str, ...]:
    value = section.get(key, [])
    if not isinstance(value, list):
        raise _wrong(path, key, "a list of texts")
    items = cast("list[object]", value)
    if not all(isinstance(item, str) for item in items):
        raise _wrong(path, key, "a list of texts")
    return tuple(cast("list[str]", items))


def _one_of(
    path: Path, kind: Callable[[str], E], section: Mapping[str, object], key: str, default: E
) -> E:
    value = section.get(key)
    if value is None:
        return default
    try:
        return kind(str(value))
    except ValueError as error:
        raise _wrong(path, key, " or ".join(str(each) for each in kind)) from error  # type: ignore[attr-defined]


def _wrong(path: Path, key: str, wanted: str) -> Invalid:
    return Invalid(f"{path}: {key} must be {wanted}", code="bad_plan", field=key)


def _text(text: str) -> str:
    # A basic string of TOML is one of JSON, but for the one control character that JSON lets be.
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _list(texts: Sequence[str]) -> str:
    return f"[{', '.join(map(_text, texts))}]"
