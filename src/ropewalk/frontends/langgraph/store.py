"""`RopewalkStore`: LangGraph's long-term memory in a Ropewalk store, sync and async."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import Future
from datetime import timedelta
from types import TracebackType
from typing import Self

from langgraph.store.base import BaseStore, IndexConfig, Item, Op, Result, SearchItem, TTLConfig

from ...domain.errors import Invalid
from ...domain.memory import Memory, Name, Vectors
from ...services.storage import Storage
from .bridge import Bridge
from .memory.embedding import Embedded, Embedder
from .memory.matching import beginning, listed
from .memory.plan import Plan, read
from .memory.search import Found, Searcher
from .memory.sweeper import Count, Sweeper, Sweeping, Told

DEFAULT_SWEEP_MINUTES = 5.0


class RopewalkStore(BaseStore):
    """Keep LangGraph's memories: `graph.compile(store=RopewalkStore(storage))`.

    Every method works from any thread and on any event loop, also the synchronous ones on a loop
    that runs. A batch is written all or nothing. With `index`, texts are found by likeness, each
    memory by the best of its vectors. What has expired (`ttl`, in minutes) is never seen;
    sweeping only makes room.
    """

    supports_ttl = True

    def __init__(
        self,
        storage: Storage,
        *,
        index: IndexConfig | None = None,
        ttl: TTLConfig | None = None,
    ) -> None:
        """Keep memories in the space of `storage`; raise `Invalid` for a wrong `index`."""
        self._bridge = Bridge(storage)
        self._memories = storage.memories
        self._searcher = Searcher(self._memories)
        self.index_config = index
        self.ttl_config = ttl
        self._embedder = None if index is None else Embedder(index, self._bridge)
        self.embeddings = None if self._embedder is None else self._embedder.embeddings
        self._sweeper = Sweeper(self._sweep)

    def batch(self, ops: Iterable[Op]) -> list[Result]:
        """Do operations and return what each gives, in their order.

        Reads see the store as it is before the batch. Raises `Invalid` for an operation that is
        wrong, and then nothing is done.
        """
        plan = read(ops)
        embedded = Embedded() if self._embedder is None else self._embedder.embed(plan)
        return self._bridge.run(self._do(plan, embedded))

    async def abatch(self, ops: Iterable[Op]) -> list[Result]:
        """Do operations and return what each gives, as `batch` does."""
        plan = read(ops)
        embedded = Embedded() if self._embedder is None else await self._embedder.aembed(plan)
        return await self._do(plan, embedded)

    async def _do(self, plan: Plan, embedded: Embedded) -> list[Result]:
        results: list[Result] = [None] * plan.size
        drafts, vectors, forgotten = self._writes(plan, embedded)
        touched: list[Memory] = []
        await self._get(plan, results, touched)
        await self._search(plan, embedded, results, touched)
        for place, op in plan.listings:
            namespaces = await self._memories.namespaces(beginning(op))
            results[place] = listed(namespaces, op)
        written = {*plan.puts}
        await self._memories.refresh([m for m in touched if m.name not in written])
        if drafts or forgotten:
            await self._memories.write(drafts, vectors=vectors, forget=forgotten)
        return results

    def _writes(
        self, plan: Plan, embedded: Embedded
    ) -> tuple[list[Memory], list[Vectors], list[Name]]:
        drafts: list[Memory] = []
        vectors: list[Vectors] = []
        forgotten: list[Name] = []
        for name, op in plan.puts.items():
            if op.value is None:
                forgotten.append(name)
                continue
            drafts.append(self._memories.draft(name, dict(op.value), ttl=_minutes(op.ttl)))
            if self._embedder is not None:
                vectors += self._embedder.vectors(name, op, embedded)
        return drafts, vectors, forgotten

    async def _get(self, plan: Plan, results: list[Result], touched: list[Memory]) -> None:
        names = list(dict.fromkeys(name for _, name, _ in plan.gets))
        memories = dict(zip(names, await self._memories.get(names), strict=True)) if names else {}
        for place, name, refresh in plan.gets:
            memory = memories[name]
            if memory is not None:
                results[place] = _item(memory)
                if refresh:
                    touched.append(memory)

    async def _search(
        self, plan: Plan, embedded: Embedded, results: list[Result], touched: list[Memory]
    ) -> None:
        # Agents ask the same thing from several nodes at once: it is looked up once.
        for n, (place, op) in enumerate(plan.searches):
            same = next((other for other, before in plan.searches[:n] if before == op), None)
            if same is not None:
                results[place] = results[same]
                continue
            vector = embedded.queries.get(op.query) if op.query else None
            found = await self._searcher.search(op, vector)
            results[place] = _search_items(found)
            if op.refresh_ttl:
                touched += [memory for memory, _ in found]

    async def asweep_ttl(self) -> int:
        """Remove what has expired, and return how many memories that were."""
        return await self._memories.sweep()

    def sweep_ttl(self) -> Count:
        """Remove what has expired, and return how many memories that were.

        The number can be awaited as well, as that of LangGraph's asynchronous stores must be.
        """
        return Count(self._sweep())

    def start_ttl_sweeper(self, sweep_interval_minutes: float | None = None) -> Future[None]:
        """Sweep from time to time, in a thread, until `stop_ttl_sweeper`.

        The interval is the one given, or `sweep_interval_minutes` of the configuration, or five
        minutes. A store without a `ttl` configuration has nothing to sweep. The answer can be
        awaited.
        """
        if self.ttl_config is None:
            idle = Sweeping()
            idle.set_result(None)
            return idle
        minutes = sweep_interval_minutes or self.ttl_config.get("sweep_interval_minutes")
        interval = float(DEFAULT_SWEEP_MINUTES if minutes is None else minutes) * 60
        if interval <= 0:
            message = f"the interval must be more than 0 minutes, not {minutes}"
            raise Invalid(message, code="bad_interval", field="sweep_interval_minutes")
        return self._sweeper.start(interval)

    def stop_ttl_sweeper(self, timeout: float | None = None) -> Told[bool]:
        """Stop sweeping; tell whether it ended within `timeout` seconds. Can be awaited."""
        return Told(self._sweeper.stop(timeout))

    def setup(self) -> Told[None]:
        """Do nothing, as the store was set up when it was opened. Can be awaited."""
        return Told(None)

    def _sweep(self) -> int:
        return self._bridge.run(self._memories.sweep())

    def __enter__(self) -> Self:
        """Begin."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop sweeping; the storage stays open, as it belongs to whoever opened it."""
        self._sweeper.stop()

    async def __aenter__(self) -> Self:
        """Begin."""
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop sweeping; the storage stays open, as it belongs to whoever opened it."""
        self._sweeper.stop()


def _minutes(ttl: float | None) -> timedelta | None:
    if ttl is None:
        return None
    try:
        return timedelta(minutes=ttl)
    except (TypeError, ValueError, OverflowError) as error:
        message = f"ttl must be a number of minutes, not {ttl!r}"
        raise Invalid(message, code="bad_ttl", field="ttl") from error


def _item(memory: Memory) -> Item:
    return Item(
        value=dict(memory.value),
        key=memory.name.key,
        namespace=memory.name.namespace,
        created_at=memory.created_at,
        updated_at=memory.updated_at,
    )


def _search_items(found: Sequence[Found]) -> list[SearchItem]:
    return [
        SearchItem(
            memory.name.namespace,
            memory.name.key,
            dict(memory.value),
            memory.created_at,
            memory.updated_at,
            score,
        )
        for memory, score in found
    ]
