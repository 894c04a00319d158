"""`Keeper`: writes and reads LangGraph's checkpoints and pending writes through the states."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import (
    WRITES_IDX_MAP,
    Checkpoint,
    CheckpointMetadata,
    CheckpointTuple,
    DeltaChannelHistory,
)
from langgraph.checkpoint.serde.base import SerializerProtocol

from ...domain.checkpoint import CheckpointHeader, Write
from ...domain.errors import Corrupt, Invalid
from ...domain.graph import METADATA, restored
from .deltas import history
from .forms import forms_of
from .metadata import has_rest, taken
from .place import Place
from .state import located, made_at, ready, to_checkpoint, to_state
from .values import SerdeValues

if TYPE_CHECKING:
    from ...services.states import States
    from ...services.storage import Storage


class Keeper:
    """Keeps checkpoints in one store, with the values as one serializer writes them."""

    def __init__(self, storage: Storage, serde: SerializerProtocol) -> None:
        """Work on `storage` with `serde`."""
        self._values = SerdeValues(serde, forms_of(storage))
        self.states: States = storage.states.bound(self._values)

    async def put(
        self, config: RunnableConfig, checkpoint: Checkpoint, metadata: CheckpointMetadata
    ) -> Place:
        """Keep a checkpoint as the child of the one that `config` names; return its place.

        One that has the id already is replaced. Raises `Invalid` naming the path of a value that
        the serializer cannot write.
        """
        parent = Place.of(config)
        place = parent.at(checkpoint["id"])
        parts = taken(config, metadata)
        state = to_state(checkpoint, parts.rest, self._values)
        parent_id = None if parent.checkpoint_id in (None, place.checkpoint_id) else parent.id
        try:
            await self.states.put(
                place.id,
                place.thread_id,
                state,
                namespace=place.namespace,
                parent_id=parent_id,
                metadata=parts.header,
                created_at=made_at(checkpoint),
            )
        except Invalid as error:
            raise located(error, self._values, state) from error
        return place

    async def put_writes(
        self,
        config: RunnableConfig,
        writes: Sequence[tuple[str, Any]],
        task_id: str,
        task_path: str,
    ) -> None:
        """Keep what a task wrote at the checkpoint that `config` names, which need not be there.

        What was written before at the same place stays, unless all of `writes` are of LangGraph's
        special kinds (an error, an interrupt ...), of which the last counts.
        """
        place = Place.of(config)
        replace = all(channel in WRITES_IDX_MAP for channel, _ in writes)
        kept: dict[int, Write] = {}
        for position, (channel, value) in enumerate(writes):
            index = WRITES_IDX_MAP.get(channel, position)
            if replace or index not in kept:
                kept[index] = Write(
                    task_id=task_id,
                    index=index,
                    channel=channel,
                    value=ready(channel, value, self._values),
                    task_path=task_path,
                )
        if kept:
            try:
                await self.states.put_writes(
                    place.id, place.thread_id, tuple(kept.values()), replace=replace
                )
            except Invalid as error:
                raise located(error, self._values, dict(writes)) from error

    async def find(self, config: RunnableConfig) -> CheckpointHeader | None:
        """Return the header of the checkpoint that `config` names, or of the newest there."""
        place = Place.of(config)
        if place.checkpoint_id is None:
            return await self.states.newest(place.thread_id, namespace=place.namespace)
        return await self.states.find(place.id)

    async def get(self, config: RunnableConfig) -> CheckpointTuple | None:
        """Return the checkpoint that `config` names, or the newest there, or `None`."""
        while (header := await self.find(config)) is not None:
            written = await self.states.writes_of([header.id])
            found = await self.tuple_of(header, written.get(header.id, ()))
            if found is not None:
                return found
        return None

    async def delta_history(
        self, config: RunnableConfig, channels: Sequence[str]
    ) -> Mapping[str, DeltaChannelHistory]:
        """Return what delta channels need to be rebuilt at the checkpoint that `config` names."""
        header = await self.find(config) if channels else None
        if header is None:
            return {channel: {"writes": []} for channel in channels}
        return await history(self.states, header, channels)

    async def metadata(self, header: CheckpointHeader) -> dict[str, Any]:
        """Return LangGraph's metadata of a checkpoint."""
        rest: Mapping[str, Any] = {}
        if has_rest(header.metadata):
            rest = (await self.states.open(header, only=[METADATA])).get(METADATA, {})
        return restored(header.metadata, rest)

    async def tuple_of(
        self, header: CheckpointHeader, writes: Sequence[Write]
    ) -> CheckpointTuple | None:
        """Make what LangGraph takes; nothing where the checkpoint was deleted in the meantime."""
        try:
            state = await self.states.open(header)
        except Corrupt:
            now = await self.states.find(header.id)
            if now is not None and now.version == header.version:
                raise
            return None
        place = Place.parse(header.id)
        parent = None if header.parent_id is None else Place.parse(header.parent_id)
        return CheckpointTuple(
            config=place.config(),
            checkpoint=to_checkpoint(place.checkpoint_id or "", state),
            metadata=cast("CheckpointMetadata", restored(header.metadata, state.get(METADATA, {}))),
            parent_config=None if parent is None else parent.config(),
            pending_writes=[(write.task_id, write.channel, write.value) for write in writes],
        )
