"""`Place`: where LangGraph puts a checkpoint: thread, namespace and id, and the three in one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Self, cast

from langchain_core.runnables import RunnableConfig

from ...domain.errors import Invalid
from ...domain.graph import parsed_id, place_id


@dataclass(frozen=True, slots=True)
class Place:
    """A place in LangGraph's order of things: `checkpoint_id` is `None` for the newest there."""

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
        checkpoint_id, thread_id, namespace = parsed_id(id)
        return cls(thread_id, namespace, checkpoint_id)

    @property
    def id(self) -> str:
        """The id of the checkpoint in a space; raise `Invalid` where it would be too long."""
        if self.checkpoint_id is None:
            message = "a checkpoint is needed here, and the configuration names none"
            raise Invalid(message, code="no_checkpoint", field="checkpoint_id")
        return place_id(self.checkpoint_id, self.thread_id, self.namespace)

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
