"""`RopewalkSaver`: LangGraph's checkpointer on a store, for synchronous and asynchronous graphs."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import (
    BaseCheckpointSaver,
    ChannelVersions,
    Checkpoint,
    CheckpointMetadata,
    CheckpointTuple,
    DeltaChannelHistory,
)
from langgraph.checkpoint.serde.base import SerializerProtocol

from . import clearing
from .bridge import Bridge
from .filters import checked
from .keeper import Keeper
from .listing import Listing, Wanted
from .place import Place, checkpoint_id_of, configurable, namespace_of
from .versions import next_version

if TYPE_CHECKING:
    from ...services.storage import Storage


class RopewalkSaver(BaseCheckpointSaver[str]):
    """Keep the checkpoints of graphs in a Ropewalk store.

    Every method is there twice, to be called from any thread and to be awaited on any event loop.
    What two checkpoints have in common is stored once: a list of messages costs a step what it
    grew by. A thread of LangGraph is a thread of the store, and a checkpoint is a checkpoint.

    Errors are those of `ropewalk.domain.errors`.
    """

    def __init__(self, storage: Storage, *, serde: SerializerProtocol | None = None) -> None:
        """Keep checkpoints in `storage`, an open store; write values with `serde`.

        Without one, LangGraph's own serializer is taken, as its savers do.
        """
        super().__init__(serde=serde)
        self._storage = storage
        self._bridge = Bridge(storage)

    @property
    def _keeper(self) -> Keeper:
        # The serializer is looked up at each call: LangGraph gives copies of a saver another one.
        return Keeper(self._storage, self.serde)

    def _listing(
        self,
        config: RunnableConfig | None,
        filter_: object,
        bound: RunnableConfig | None,
        limit: int | None,
    ) -> Listing:
        wanted = Wanted(
            thread_id=None if config is None else Place.of(config).thread_id,
            namespace=None if config is None else namespace_of(configurable(config)),
            checkpoint_id=checkpoint_id_of(config),
            below=checkpoint_id_of(bound),
            metadata=checked(filter_),
            limit=limit,
        )
        return Listing(self._keeper, wanted)

    def get_next_version(self, current: str | None, channel: None = None) -> str:  # noqa: ARG002 (as LangGraph calls it)
        """Return the version of a channel that follows `current`; no two branches get the same."""
        return next_version(current)

    async def aget_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        """Return the checkpoint that `config` names, or the newest of its thread and namespace."""
        found = await self._keeper.get(config)
        return None if found is None else _as_asked(found, config)

    async def alist(
        self,
        config: RunnableConfig | None,
        *,
        filter: dict[str, Any] | None = None,
        before: RunnableConfig | None = None,
        limit: int | None = None,
    ) -> AsyncIterator[CheckpointTuple]:
        """Go through checkpoints, newest first by their ids.

        Without a `config` through those of all threads, without a namespace in it through all
        namespaces. `filter` holds where the metadata have these values: a name with dots also
        stands for a path, a dictionary for one that holds it. Nothing is held while the caller
        looks at a checkpoint.
        """
        listing = self._listing(config, filter, before, limit)
        while (found := await listing.next()) is not None:
            yield _as_asked(found, config)

    async def aput(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,  # noqa: ARG002 (what is new is seen from the values)
    ) -> RunnableConfig:
        """Keep a checkpoint, child of the one that `config` names, and return its configuration."""
        place = await self._keeper.put(config, checkpoint, metadata)
        return _given(place.config(), config)

    async def aput_writes(
        self,
        config: RunnableConfig,
        writes: Sequence[tuple[str, Any]],
        task_id: str,
        task_path: str = "",
    ) -> None:
        """Keep what a task wrote at a checkpoint, which need not be there yet."""
        await self._keeper.put_writes(config, writes, task_id, task_path)

    async def adelete_thread(self, thread_id: str) -> None:
        """Delete every checkpoint of a thread, in all namespaces, and all that was written."""
        await self._keeper.states.delete_thread(str(thread_id))

    async def adelete_for_runs(self, run_ids: Sequence[str]) -> None:
        """Delete the checkpoints of some runs and what was written at them.

        One that a delta channel of another run's checkpoint needs is kept.
        """
        await clearing.delete_for_runs(self._keeper, run_ids)

    async def acopy_thread(self, source_thread_id: str, target_thread_id: str) -> None:
        """Copy every checkpoint of a thread with all that was written, ids kept, to another."""
        await clearing.copy_thread(self._keeper, str(source_thread_id), str(target_thread_id))

    async def aprune(self, thread_ids: Sequence[str], *, strategy: str = "keep_latest") -> None:
        """Delete all checkpoints of some threads, or all but the newest of each namespace.

        What a delta channel of the newest needs is kept.
        """
        await clearing.prune(self._keeper, thread_ids, strategy=strategy)

    async def aget_delta_channel_history(
        self, *, config: RunnableConfig, channels: Sequence[str]
    ) -> Mapping[str, DeltaChannelHistory]:
        """Return what was written to delta channels on the way to a checkpoint, and since what."""
        return await self._keeper.delta_history(config, channels)

    def get_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        """Return the checkpoint that `config` names, or the newest of its thread and namespace."""
        return self._bridge.run(self.aget_tuple(config))

    def list(
        self,
        config: RunnableConfig | None,
        *,
        filter: dict[str, Any] | None = None,
        before: RunnableConfig | None = None,
        limit: int | None = None,
    ) -> Iterator[CheckpointTuple]:
        """Go through checkpoints, newest first by their ids, as `alist` does."""
        listing = self._listing(config, filter, before, limit)
        while (found := self._bridge.run(listing.next())) is not None:
            yield _as_asked(found, config)

    def put(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        """Keep a checkpoint, child of the one that `config` names, and return its configuration."""
        return self._bridge.run(self.aput(config, checkpoint, metadata, new_versions))

    def put_writes(
        self,
        config: RunnableConfig,
        writes: Sequence[tuple[str, Any]],
        task_id: str,
        task_path: str = "",
    ) -> None:
        """Keep what a task wrote at a checkpoint, which need not be there yet."""
        self._bridge.run(self.aput_writes(config, writes, task_id, task_path))

    def delete_thread(self, thread_id: str) -> None:
        """Delete every checkpoint of a thread, in all namespaces, and all that was written."""
        self._bridge.run(self.adelete_thread(thread_id))

    def delete_for_runs(self, run_ids: Sequence[str]) -> None:
        """Delete the checkpoints of some runs, as `adelete_for_runs` does."""
        self._bridge.run(self.adelete_for_runs(run_ids))

    def copy_thread(self, source_thread_id: str, target_thread_id: str) -> None:
        """Copy every checkpoint of a thread with all that was written, ids kept, to another."""
        self._bridge.run(self.acopy_thread(source_thread_id, target_thread_id))

    def prune(self, thread_ids: Sequence[str], *, strategy: str = "keep_latest") -> None:
        """Delete all checkpoints of some threads, or all but the newest, as `aprune` does."""
        self._bridge.run(self.aprune(thread_ids, strategy=strategy))

    def get_delta_channel_history(
        self, *, config: RunnableConfig, channels: Sequence[str]
    ) -> Mapping[str, DeltaChannelHistory]:
        """Return what was written to delta channels on the way to a checkpoint, and since what."""
        return self._bridge.run(self.aget_delta_channel_history(config=config, channels=channels))


def _as_asked(found: CheckpointTuple, config: RunnableConfig | None) -> CheckpointTuple:
    """Name the thread as the caller did, who may have a number or a UUID for it."""
    parent = found.parent_config
    return found._replace(
        config=_given(found.config, config),
        parent_config=None if parent is None else _given(parent, config),
    )


def _given(answer: RunnableConfig, config: RunnableConfig | None) -> RunnableConfig:
    thread_id = None if config is None else configurable(config).get("thread_id")
    if thread_id is None or type(thread_id) is str:
        return answer
    return {"configurable": {**configurable(answer), "thread_id": thread_id}}
