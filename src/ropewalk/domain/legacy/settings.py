"""What the legacy program's configuration means for a store, and what it does not."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, cast
from urllib.parse import quote

from ..errors import Invalid
from ..spelling import did_you_mean
from .values import excerpt

STORE: Final = "ropewalk.db"
"""What our file is called, in the folder where the old database was."""

_VARIABLE: Final = re.compile(r"\$\{(?P<name>\w+)(?::(?P<default>[^}]*))?\}")


@dataclass(frozen=True, slots=True)
class Remark:
    """One value of the old configuration that was not taken over, and why."""

    key: str
    value: str
    code: str
    reason: str


@dataclass(frozen=True, slots=True)
class Understood:
    """Our settings, by key, which of the old ones they come from, and what was left out."""

    settings: Mapping[str, str]
    taken: tuple[str, ...]
    remarks: tuple[Remark, ...]


_POLICY: Final = (
    "policy",
    "when to save is the program's business: give it to ropewalk.compat.CheckpointConfig",
)
_SAVER: Final = ("saver", "a graph takes RopewalkSaver(storage) as its checkpointer instead")
_UNREAD: Final = ("unread", "nothing in the old program read this, so that it never had an effect")
_DATA: Final = (
    "data",
    "names a folder of old data: `ropewalk migrate` brings them into the store",
)
_PRICES: Final = (
    "prices",
    "prices belong to whoever counts the cost; costs are kept as they are recorded",
)
_PRUNE: Final = (
    "retention",
    "nothing is removed by itself: run `ropewalk prune` with --keep-last or --keep-for",
)

_KNOWN: Final[Mapping[str, tuple[str, str]]] = {
    "checkpoint.enabled": _POLICY,
    "checkpoint.auto_save": _POLICY,
    "checkpoint.save_interval": _POLICY,
    "checkpoint.trigger_conditions": _POLICY,
    "checkpoint.max_checkpoints": _PRUNE,
    "checkpoint.retention_days": _PRUNE,
    "checkpoint.compression": (
        "always",
        "the old program never compressed; here states are compressed unless `codecs` says not to",
    ),
    "history.enabled": ("policy", "whoever has a store can record; not to record is up to you"),
    "history.storage_path": _DATA,
    "history.storage": _UNREAD,
    "history.token_tracking": _UNREAD,
    "history.cost_tracking": _UNREAD,
    "history.retention": _UNREAD,
    "history.pricing": _PRICES,
    "components.sessions.storage_type": ("one_store", "sessions are in the same store as the rest"),
    "components.sessions.storage_path": _DATA,
    "components.sessions.auto_save": ("always", "every change is saved when its call returns"),
    "thread_features": _UNREAD,
}
"""Keys, each with what is below it, and why they are not settings of a store."""


def understand(
    documents: Mapping[str, object], *, group: str | None, environ: Mapping[str, str]
) -> Understood:
    """Return our settings for the old documents, by the name of the file that each stood in.

    `group` is the group of `checkpoints/_group.yaml` that is meant; without one, and without a
    `checkpoint` anywhere else, it is `default`. Variables are looked up in `environ`. Raises
    `Invalid` for a group that is not there.
    """
    settings: dict[str, str] = {}
    taken: list[str] = []
    remarks: list[Remark] = []
    merged, groups = _sections(documents)
    chosen = _chosen(merged, groups, group)
    for name, raw in chosen.items():
        key = f"checkpoint.{name}"
        value = _resolved(raw, environ)
        if name == "storage_type" and value in ("sqlite", "memory"):
            taken.append(key)
            if value == "memory":
                settings["url"] = "memory://"
        elif name == "db_path" and isinstance(value, str) and value:
            if chosen.get("storage_type", "sqlite") == "sqlite":
                taken.append(key)
                settings["url"] = _url(value)
            else:
                told = "the storage type is memory, which has no file"
                remarks.append(Remark(key, excerpt(value), "unused", told))
        else:
            remarks.append(_remark(key, value))
    if chosen and "url" not in settings and chosen.get("storage_type", "sqlite") == "sqlite":
        settings["url"] = _url("storage/checkpoints.db")
    remarks += [_remark(key, _resolved(value, environ)) for key, value in _rest(merged)]
    remarks += [
        Remark(f"checkpoints.{name}", "", "group", "another group: choose it with --group")
        for name in groups
        if groups[name] is not chosen
    ]
    return Understood(settings, tuple(taken), tuple(remarks))


def _sections(
    documents: Mapping[str, object],
) -> tuple[dict[str, object], dict[str, Mapping[str, object]]]:
    """Put the documents together, and take the groups of checkpoints out of them."""
    merged: dict[str, object] = {}
    groups: dict[str, Mapping[str, object]] = {}
    for file, document in documents.items():
        if not isinstance(document, Mapping):
            continue
        content = cast("Mapping[str, object]", document)
        if file.replace("\\", "/").rpartition("/")[2].partition(".")[0] == "_group":
            inner: Mapping[str, object] = content
            for name, value in inner.items():
                if isinstance(value, Mapping):
                    groups[name] = cast("Mapping[str, object]", value)
        else:
            merged.update(content)
    return merged, groups


def _chosen(
    merged: Mapping[str, object], groups: Mapping[str, Mapping[str, object]], group: str | None
) -> Mapping[str, object]:
    if group is not None:
        if group in groups:
            return groups[group]
        message = f"there is no group {group!r} of checkpoints; {did_you_mean(group, groups)}"
        raise Invalid(message, code="unknown_name", field="group")
    own = merged.get("checkpoint")
    if isinstance(own, Mapping):
        return cast("Mapping[str, object]", own)
    return groups.get("default", {})


def _rest(merged: Mapping[str, object]) -> Iterator[tuple[str, object]]:
    """Go through the other values: those of a known key as one, the others each by itself."""
    waiting = [(name, value) for name, value in merged.items() if name != "checkpoint"]
    while waiting:
        key, value = waiting.pop(0)
        if key not in _KNOWN and isinstance(value, Mapping) and value:
            inner = cast("Mapping[str, object]", value)
            waiting[:0] = [(f"{key}.{name}", each) for name, each in inner.items()]
        else:
            yield key, value


def _remark(key: str, value: object) -> Remark:
    code, reason = _KNOWN.get(key, ("unknown_key", "means nothing to a store"))
    if key.rpartition(".")[2] == "checkpointer":  # of a workflow or a graph, wherever that stands
        code, reason = _SAVER
    return Remark(key, excerpt(str(value)), code, reason)


def _resolved(value: object, environ: Mapping[str, str]) -> object:
    """Return a value with `${NAME:default}` replaced, as the old program would have."""
    if not isinstance(value, str):
        return value
    return _VARIABLE.sub(lambda match: environ.get(match["name"]) or match["default"] or "", value)


def _url(path: str) -> str:
    """Return the URL of our store in the folder of the old database."""
    folder, slash, _ = path.replace("\\", "/").rpartition("/")
    return f"sqlite:///{quote(folder + slash, safe='/:')}{STORE}"
