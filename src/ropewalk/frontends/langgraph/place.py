"""`Place`: where LangGraph puts a checkpoint: thread, namespace and id, and the three in one."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final, Self, cast

from langchain_core.runnables import RunnableConfig

from ...domain.errors import Invalid
from ...domain.limits import MAX_ID_BYTES

_SEPARATOR: Final = "+"
_ESCAPE: Final = ","

# The separator is the smallest character that an encoded id can hold, so that the order of ids is
# kept: `1` stands before `10`, as `1+...` before `10+...`.
_LOW: Final = re.compile("[\x00-,]")
_ESCAPED: Final = re.compile(",([0-9a-f]{2})")
_RESERVED: Final = re.compile("[+,]")


@dataclass(frozen=True, slots=True)
class Place:
    """A place in LangGraph's order of things: `checkpoint_id` is `None` for the newest there.

    LangGraph keeps one checkpoint id in several threads and namespaces (a copy of a thread keeps
    the ids); an id of ours stands once in a space. So the three are made one, reversibly, in a
    way that sorts as the checkpoint ids do within a thread and a namespace.
    """

    thread_id: str
    namespace: str = ""
    checkpoint_id: str | None = None

    @classmethod
    def of(cls, config: RunnableConfig) -> Self:
        """Read a place out of a configuration; raise `Invalid` naming the field that is wrong."""
        given = configurable(config)
        thread_id = given.get("thread_id")
        if thread_id is None or thread_id == "":
            message = (
                "the configuration names no thread: pass "
                '{"configurable": {"thread_id": "..."}} to the graph'
            )
            raise Invalid(message, code="no_thread", field="thread_id")
        return cls(str(thread_id), namespace_of(given) or "", checkpoint_id_of(config))

    @classmethod
    def parse(cls, id: str) -> Self:
        """Return the place that an id of ours was made of; raise `Invalid` for another id."""
        parts = id.split(_SEPARATOR, 2)
        if len(parts) == 1:
            message = f"{id!r} is no id of a LangGraph checkpoint"
            raise Invalid(message, code="bad_id", field="id")
        namespace = parts[2] if len(parts) > 2 else ""  # noqa: PLR2004 (thread and namespace)
        return cls(_decoded(parts[1]), namespace, _decoded(parts[0]))

    @property
    def id(self) -> str:
        """The id of the checkpoint in a space; raise `Invalid` where it would be too long."""
        if self.checkpoint_id is None:
            message = "a checkpoint is needed here, and the configuration names none"
            raise Invalid(message, code="no_checkpoint", field="checkpoint_id")
        thread = _RESERVED.sub(_escaped, self.thread_id)
        id_ = f"{before(self.checkpoint_id)}{_SEPARATOR}{thread}"
        if self.namespace:
            id_ += _SEPARATOR + self.namespace
        size = len(id_.encode(errors="replace"))
        if size > MAX_ID_BYTES:
            message = (
                f"checkpoint id, thread id and namespace take {size} bytes together; max_id_bytes "
                f"is {MAX_ID_BYTES}: use a shorter thread id, or nest subgraphs less deep"
            )
            raise Invalid(message, code="too_long", field="thread_id", limit="max_id_bytes")
        return id_

    def at(self, checkpoint_id: str | None) -> Place:
        """Return the place of another checkpoint of the same thread and namespace."""
        return replace(self, checkpoint_id=checkpoint_id)

    def within(self, thread_id: str) -> Place:
        """Return the same place in another thread."""
        return replace(self, thread_id=thread_id)

    def config(self) -> RunnableConfig:
        """Return the configuration that names this place."""
        return {
            "configurable": {
                "thread_id": self.thread_id,
                "checkpoint_ns": self.namespace,
                "checkpoint_id": self.checkpoint_id,
            }
        }


def before(checkpoint_id: str) -> str:
    """Return the bound right before the ids of all checkpoints that are called so."""
    return _LOW.sub(_escaped, checkpoint_id)


def behind(checkpoint_id: str) -> str:
    """Return the bound right behind the ids of all checkpoints that are called so."""
    return before(checkpoint_id) + _ESCAPE


def configurable(config: RunnableConfig) -> Mapping[str, object]:
    """Return what a configuration says to the checkpointer."""
    given = config.get("configurable")
    return cast("Mapping[str, object]", given) if isinstance(given, Mapping) else {}


def namespace_of(given: Mapping[str, object]) -> str | None:
    """Return the namespace that is named, `None` where none is: a list then shows all."""
    namespace = given.get("checkpoint_ns")
    return None if namespace is None else str(namespace)


def checkpoint_id_of(config: RunnableConfig | None) -> str | None:
    """Return the id of the checkpoint that a configuration names, or `None`."""
    id_ = configurable(config).get("checkpoint_id") if config else None
    return str(id_) if id_ else None


def _escaped(match: re.Match[str]) -> str:
    return f"{_ESCAPE}{ord(match[0]):02x}"


def _decoded(text: str) -> str:
    return _ESCAPED.sub(lambda match: chr(int(match[1], 16)), text)
