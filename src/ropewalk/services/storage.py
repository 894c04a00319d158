"""`Storage`: the open house: four managers, plain records, spaces, units, and its health."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Self, TypeVar

from ..domain.errors import Invalid
from ..domain.interest import ANYTHING, Interest
from ..domain.policy import Policy, Reject, Retry
from ..domain.query import Query
from ..domain.record import DEFAULT_SPACE, check_name
from .archive.erasures import Erasures
from .archive.exporting import Archives
from .attempts import attempted
from .catalog import Catalog
from .declaring import Declarations
from .desk import Desk
from .feed.retention import Retention, RetentionTask
from .feed.watching import Watcher
from .leases.held import Coat, HeldLease
from .leases.manager import DEFAULT_TTL, Leases
from .migration.manager import Migrations
from .modules import Modules
from .overview import look_over
from .policies.manager import Policies
from .precedence import Precedence
from .runs.active import ActiveRun
from .runs.manager import Driving, Runs
from .sharing.fence import Fence, outside
from .sharing.granted import Shared
from .sharing.grants import Grants
from .sharing.reach import Reach
from .sharing.refusal import no_manager, no_owner
from .sharing.spaces import Spaces
from .unit import Unit

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
    from contextlib import AbstractAsyncContextManager
    from datetime import timedelta
    from types import TracebackType
    from typing import Any, Unpack

    from ..domain.change import Commit
    from ..domain.declared import DeclaredIndex
    from ..domain.health import Health
    from ..domain.lease import WhenBusy
    from ..domain.metrics import Metrics
    from ..domain.overview import Overview
    from ..domain.ports import Backend, Capability, Clock, Sealer
    from ..domain.shape import Shape

R = TypeVar("R")


class Storage(Modules):
    """One store for everything an agent application must remember.

    `sessions`, `threads`, `history`, `checkpoints` are the managers, `records` the plain ones;
    `catalog` answers for lists and look-ups, `migrations` bring what other stores hold,
    `archives` write files that can be read without the store, `erasures` remove a person.
    `lease` and `run` let one at a time do something, `leases` and `runs` show who does.
    `watch` tells what is committed, `consumers` work through it, `retention` says how much is kept.
    A handle sees one space. That of `ropewalk.open()` manages all of them by `spaces`, and its
    `space()` gives handles that are confined to one. `grants` and `shared()` are for what one
    space lets another see. `transact` is a unit of work that tries again, and `policies` decide
    where changes meet.
    """

    def __init__(
        self,
        backend: Backend,
        sealer: Sealer,
        clock: Clock,
        *,
        space: str = DEFAULT_SPACE,
        actor: str = "",
        relocate: Callable[[str], Awaitable[None]] | None = None,
        ground: Backend | None = None,
        reach: Reach = Reach.STORE,
        keep_feed: timedelta | None = None,
        policies: Mapping[str, Policy] | None = None,
        precedence: Precedence | None = None,
        counters: Callable[[], Metrics] | None = None,
    ) -> None:
        """Work over `backend` with `sealer` and `clock`; `actor` is written into the feed.

        `relocate` moves everything to the store of another URL while it is in use. `ground` is the
        whole store where `backend` shows a part of it, to a handle that reaches no further. While
        the store is open, commits older than `keep_feed` are forgotten. `policies` hold for kinds
        of records from the beginning; `precedence` is for those who lose races on any handle.
        `counters` tells what the layer `metrics` has counted, where there is one.
        """
        desk = Desk(backend, sealer, clock, check_name(space, field="space"), actor)
        self.policies = Policies(desk, policies)
        self._desk = replace(desk, policy_of=self.policies.of)
        self._precedence = precedence or Precedence()
        self._relocate = relocate
        self._counters = counters
        self._ground = backend if ground is None else ground
        self._reach = reach
        self.catalog = Catalog(self._desk)
        self._declarations = Declarations(self._desk)
        self.spaces = Spaces(self._desk, self._ground, reach=reach)
        self.grants = Grants(self._desk, self._ground, reach=reach)
        self.retention = Retention(self._desk, reach=reach)
        self._trimming = RetentionTask(self.retention, keep_feed) if keep_feed else None
        super().__init__(self._desk)
        self.leases: Leases[Storage] = Leases(self._desk, handle=self._held)
        self.runs: Runs[Storage] = Runs(self._desk, self.leases, check_thread=self.threads.get)
        self.migrations = Migrations(self._desk, forget=self._forget_trees)
        self.archives = Archives(self._desk, self._ground, reach=reach)
        self.erasures = Erasures(self._desk, reach=reach, forget=self._forget_trees)

    async def open(self) -> Self:
        """Open the store, creating it where there is none."""
        await self._desk.backend.open()
        if self._trimming is not None:
            self._trimming.start()
        return self

    async def close(self) -> None:
        """Finish what was accepted and let go of the store, for every handle to it.

        A confined handle does not close what others have opened.
        """
        if self._trimming is not None:
            await self._trimming.stop()
        await self._desk.backend.close()

    async def __aenter__(self) -> Self:
        """Open the store."""
        return await self.open()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the store."""
        await self.close()

    @property
    def space_name(self) -> str:
        """The space that this handle sees."""
        return self._desk.space

    @property
    def capabilities(self) -> frozenset[Capability]:
        """What the back end can do."""
        return self._desk.backend.capabilities

    def space(self, name: str) -> Storage:
        """Return a handle that is confined to a space of the same store; it needs no opening.

        From there no way leads to another space but `shared()`: hand it to a workflow. Raises
        `Denied` where this handle is confined to another space itself.
        """
        if self._reach is Reach.GRANTS:
            raise no_owner("a handle to the whole space")
        if self._reach is Reach.SPACE and name != self._desk.space:
            raise outside(self._desk.space)
        return self._handle(Fence(self._ground, check_name(name, field="space")), name, Reach.SPACE)

    async def shared(self, space: str) -> Storage:
        """Return a handle on what another space has granted to this one.

        It sees exactly what the grants cover at each call, and changes what they allow to be
        written. Raises `Denied`, naming the grant that is needed, where there is none.
        """
        if self._reach is Reach.GRANTS:
            raise no_owner("following the grants of others")
        if check_name(space, field="space") == self._desk.space:
            message = f"space {space!r} is this handle's own: nothing of it needs a grant"
            raise Invalid(message, code="own_space", field="space")
        part = Shared(self._ground, space=space, to=self._desk.space)
        await part.grants()
        return self._handle(part, space, Reach.GRANTS)

    def _handle(
        self, backend: Backend, space: str, reach: Reach, *, ground: Backend | None = None
    ) -> Storage:
        desk = self._desk
        return Storage(
            backend,
            desk.sealer,
            desk.clock,
            space=space,
            actor=desk.actor,
            relocate=self._relocate,
            ground=ground or self._ground,
            reach=reach,
            policies=self.policies.own,
            precedence=self._precedence,
            counters=self._counters,
        )

    async def kinds(self) -> dict[str, int]:
        """Return the kinds of records in this space, each with its number of records."""
        everything = Query(space=self._desk.space, bodies=False)
        rows = await self._desk.backend.tally(everything, (), ("kind",))
        return {str(row.group[0]): row.count for row in rows}

    def unit(self, *, policy: Policy | None = None) -> Unit:
        """Begin a unit of work: `async with storage.unit() as unit:`.

        `policy` decides where a record that it has changed was changed by somebody else since.
        """
        return Unit(self._desk, policy=policy)

    async def transact(
        self, work: Callable[[Unit], Awaitable[R]], *, policy: Policy | None = None
    ) -> R:
        """Do `work` in a unit of work, again each time somebody was quicker, and return its result.

        `work` takes the unit and may run several times: what it does outside of the unit happens
        as often. `Retry(attempts=..., deadline=...)` says how long to go on; another policy
        decides about changed records as in `unit`, and what it leaves is tried again. Raises the
        last `Conflict`. One that `work` raises by itself is final if what it had read still is so.
        """
        retry = policy if isinstance(policy, Retry) else Retry()
        if isinstance(policy, Reject):
            retry = Retry(attempts=1)
        return await attempted(
            lambda: self.unit(policy=policy), work, retry=retry, precedence=self._precedence
        )

    def lease(
        self,
        name: str,
        *,
        ttl: float = DEFAULT_TTL,
        wait: float | None = None,
        when_busy: WhenBusy | str | None = None,
        owner: str | None = None,
        cancel_when_lost: bool = False,
    ) -> AbstractAsyncContextManager[HeldLease[Storage]]:
        """Be the only one: `async with storage.lease("thread:t-1", ttl=30) as lease:`.

        What is written by `lease.storage` or `lease.unit()` goes through only while the lease is
        held. It is renewed in the background, and expires `ttl` seconds after its holder died or
        was paused. Where somebody has it, `when_busy` decides: `reject` (the default), `wait` in
        turn, for `wait` seconds at most, `interrupt` its holder and wait, or `take_over`. With
        `cancel_when_lost`, the block is cancelled when the lease is lost, and raises `Conflict`.

        Raises `Unavailable` with the code `busy`, naming the holder, where it is not granted. It
        keeps out only whoever asks for it: other handles write as ever.
        """
        return self.leases.hold(
            name,
            ttl=ttl,
            wait=wait,
            when_busy=when_busy,
            owner=owner,
            cancel_when_lost=cancel_when_lost,
        )

    def run(
        self,
        thread_id: str,
        *,
        workflow_id: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        id: str | None = None,
        **driving: Unpack[Driving],
    ) -> AbstractAsyncContextManager[ActiveRun[Storage]]:
        """Drive a workflow on a thread: `async with storage.run("t-1", workflow_id="w") as run:`.

        The run is written down, the lease of its thread is held, `run.step()` does things once.
        At the end it is done, or failed where an exception left the block; if the process dies,
        `runs.orphaned()` finds it, and `runs.resume()` goes on behind its last step. `driving`
        is what `lease` takes. Raises `NotFound` for an unknown thread, `Unavailable` with the code
        `busy` where somebody drives the thread, and `Conflict` where `id` is taken.
        """
        return self.runs.begin(
            thread_id, workflow_id=workflow_id, metadata=metadata, id=id, **driving
        )

    def _held(self, coat: Coat) -> Storage:
        """Return this handle over the back end as the holder of a lease sees it."""
        backend = coat(self._desk.backend)
        return self._handle(backend, self._desk.space, self._reach, ground=coat(self._ground))

    async def ping(self, *, thorough: bool = False) -> Health:
        """Say whether the store does all it promises, and why not.

        With `thorough` everything that is stored is looked at, which takes its time.
        """
        return await self._desk.backend.ping(thorough=thorough)

    async def metrics(self) -> Metrics:
        """Return what this process has counted: how often, how long, and how it failed.

        Of all spaces together; `facts` is what the back end says of itself. Raises `Denied` on a
        confined handle, `Invalid` where the layer `metrics` is not among the layers.
        """
        if self._reach is not Reach.STORE:
            raise no_manager("reading the counters of the whole store")
        if self._counters is None:
            message = "nothing is counted: put 'metrics' among the layers of the configuration"
            raise Invalid(message, code="no_metrics", field="layers")
        health = await self._desk.backend.ping()
        return replace(self._counters(), facts=health.facts)

    async def declare_index(self, kind: str, label: str) -> DeclaredIndex:
        """Let records of a kind be found, and sorted, by a label: `"metadata.topic"`.

        For this space and every program that opens the store. The index is there when this
        returns; making it reads the headers of all records, and other writers wait meanwhile.
        Raises `Invalid` for a kind or a label that no record could have.
        """
        return await self._declarations.declare(kind, label)

    async def drop_index(self, kind: str, label: str) -> None:
        """Take such an index back; raise `NotFound` where none was declared."""
        await self._declarations.drop(kind, label)

    async def indexes(self) -> tuple[DeclaredIndex, ...]:
        """Return the indexes that were declared in this space, oldest first."""
        return await self._declarations.list()

    async def slow_shapes(self) -> tuple[Shape, ...]:
        """Return which questions took long in this space, the most expensive first.

        In any process, as far as `keep` was set for the layer `metrics`. Each says what helps.
        """
        return await self._declarations.slow()

    async def overview(self, *, spaces: Mapping[str, int] | None = None) -> Overview:
        """Return what is going on in the store now, whichever processes are at work.

        `spaces` are the records of each space where they are known: counting looks at all. Raises
        `Denied` on a confined handle.
        """
        if self._reach is not Reach.STORE:
            raise no_manager("looking over the whole store")
        counts = await self.spaces.counts() if spaces is None else spaces
        return await look_over(
            self._desk, spaces=counts, leases=self.leases, consumers=self.consumers
        )

    async def feed(self, after: int = 0) -> AsyncIterator[Commit]:
        """Go through the commits that touched this space, since a sequence number, to the present.

        Changes to other spaces are left out of a commit.
        """
        async for commit in self._desk.backend.feed(after):
            changes = tuple(c for c in commit.changes if c.key.space == self._desk.space)
            if changes:
                yield replace(commit, changes=changes)

    def watch(self, interest: Interest = ANYTHING, *, after: int | None = None) -> Watcher:
        """Go through the commits to this space as they are made, wherever they come from.

        `async with storage.watch(Interest(kinds=("message",))) as commits:` tells each exactly
        once, in order, and waits for the next; it begins behind `after`, or with what comes from
        now on. Changes that nobody is interested in, and to other spaces, are left out. Raises
        `NotFound` with the code `trimmed` where what comes next was forgotten.
        """
        return Watcher(self._desk, interest, after=after)

    async def switch(self, url: str) -> None:
        """Move everything to the store at `url` while this one is in use, and go on there.

        Every handle follows; nothing is lost and nothing is seen twice. Raises `Invalid` where
        this store was not opened by `ropewalk.open`, `Denied` on a confined handle, and leaves
        the store in place on any error.
        """
        if self._reach is not Reach.STORE:
            raise no_manager("moving the store")
        if self._relocate is None:
            message = "this store cannot be switched: it was put together by hand"
            raise Invalid(message, code="unsupported", field="url")
        await self._relocate(url)
