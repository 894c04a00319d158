"""`Merging`: bring what was done on one thread into another, as one commit, with a report."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias
from uuid import uuid4

from ...domain.conflict import MergeReport
from ...domain.errors import Conflict, Invalid
from ...domain.history import EntryKind, Message
from ...domain.merge import Choice, Rules, three_way
from ...domain.moment import to_micros
from ...domain.policy import FirstWins, LastWins, Merge, Policy, Retry, check_policy
from ...domain.thread import BranchStatus, Position
from ..checkpoints.saver import wait_after
from ..lineage import is_on
from ..overlay.backend import Overlay

if TYPE_CHECKING:
    from ...domain.checkpoint import Checkpoint
    from ...domain.thread import Segment, Thread
    from ..checkpoints.manager import Checkpoints
    from ..desk import Desk
    from ..history import History
    from ..lineage import Lineage
    from .branching import Branching

Messages: TypeAlias = Literal["leave", "append"]

_ATTEMPTS: Final = 16
_METADATA: Final = ("thread", "metadata")
"""Where rules name what becomes of the threads' own metadata, beside places in the state."""


@dataclass(frozen=True, slots=True)
class Workshop:
    """The services that a merge works with, over the view of one unit of work."""

    lineage: Lineage
    branching: Branching
    history: History
    checkpoints: Checkpoints
    set_metadata: Callable[[str, dict[str, Any]], Awaitable[object]]
    now: Callable[[], datetime]


class Merging:
    """Merges threads: states by reducers, messages if that is wanted.

    Everything is one batch, which expects both threads to be as they were read; if somebody goes
    on with one of them meanwhile, the merge is made again.
    """

    def __init__(self, desk: Desk, workshop: Callable[[Desk], Workshop]) -> None:
        """Work at `desk`; `workshop` puts the services together over another view of it."""
        self._desk = desk
        self._workshop = workshop

    async def merge(
        self,
        source_id: str,
        *,
        into: str,
        policy: Policy | None,
        messages: Messages,
        dry_run: bool,
    ) -> MergeReport:
        """Merge a thread into another one and return what was done."""
        check_policy(policy)
        if messages not in ("leave", "append"):
            message = f"messages must be 'leave' or 'append', not {messages!r}"
            raise Invalid(message, code="unknown_name", field="messages")
        if source_id == into:
            message = f"thread {into!r} cannot be merged into itself"
            raise Invalid(message, code="same_thread", field="into")
        batch_id = uuid4().hex
        attempt = 1
        while True:
            overlay = Overlay(self._desk.backend, self._desk.clock)
            course = _Course(self._workshop(self._desk.over(overlay)), rules_of(policy))
            report = await course.look(source_id, into, with_messages=messages == "append")
            if dry_run:
                return report
            report = await course.write(report)
            try:
                await overlay.commit(id=f"{batch_id}-{attempt}", actor=self._desk.actor)
            except Conflict:
                most = policy.attempts if isinstance(policy, Retry) else _ATTEMPTS
                if attempt >= most:
                    raise
            else:
                return report
            await wait_after(attempt)
            attempt += 1


def rules_of(policy: Policy | None) -> Rules:
    """Return what a policy decides where both threads have changed the same."""
    if isinstance(policy, Merge):
        return policy.rules
    if isinstance(policy, FirstWins):
        return Rules.of({}, "first")
    if isinstance(policy, LastWins):
        return Rules.of({}, "last")
    return Rules()


class _Course:
    """One attempt at a merge: first everything is looked at, then everything is written."""

    def __init__(self, workshop: Workshop, rules: Rules) -> None:
        self._shop = workshop
        self._rules = rules
        self._state: Any = None
        self._theirs: Checkpoint | None = None
        self._metadata: dict[str, Any] | None = None
        self._behind: list[Message] = []

    async def look(self, source_id: str, into: str, *, with_messages: bool) -> MergeReport:
        """Merge on paper."""
        shop = self._shop
        source, target = [await shop.lineage.thread(name) for name in (source_id, into)]
        theirs = self._theirs = await shop.checkpoints.latest(source_id)
        if theirs is None and not with_messages:
            message = (
                f"thread {source_id!r} has no checkpoint to merge; save one first, or merge its "
                "messages with messages='append'"
            )
            raise Invalid(message, code="nothing_to_merge", field="source_id")
        base = ours = None
        choices: list[Choice] = []
        if theirs is not None:
            ours = await shop.checkpoints.latest(into)
            base = await shop.branching.common(source, target)
            before = base.state if base else None
            merged = three_way(
                before, ours.state if ours else before, theirs.state, rules=self._rules
            )
            self._state = merged.value
            choices += merged.choices
        choices += self._merge_metadata(source, target)
        if with_messages:
            self._behind = await self._missing(source_id, into)
        return MergeReport(
            source_id=source_id,
            into_id=into,
            base_id=base.id if base else None,
            ours_id=ours.id if ours else None,
            theirs_id=theirs.id if theirs else None,
            choices=tuple(choices),
        )

    def _merge_metadata(self, source: Thread, into: Thread) -> list[Choice]:
        """Merge what the threads are labelled with, where the rules say anything about it."""
        depth = len(_METADATA)
        fields = self._rules.fields.items()
        named = {path[depth:]: rule for path, rule in fields if path[:depth] == _METADATA}
        mine = {
            name: value
            for name, value in source.metadata.items()
            if any(path[0] in (name, "*") for path in named if path)
        }
        if not mine:
            return []
        merged = three_way({}, {**into.metadata}, mine, rules=Rules(named))
        self._metadata = dict(merged.value)
        return [
            replace(choice, path=".".join((*_METADATA, choice.path)))
            for choice in merged.choices
            if choice.how != "ours"
        ]

    async def _missing(self, source_id: str, into: str) -> list[Message]:
        """Return the messages on the line of the source that are not on the other's, in order."""
        shop = self._shop
        line = await shop.lineage.segments(into)
        found: list[Message] = []
        async for entry in shop.history.stream(thread_id=source_id, kinds=[EntryKind.MESSAGE]):
            if isinstance(entry, Message) and not _stands_on(line, entry):
                copy = _copied(entry, into)
                if await shop.history.find(copy.id) is None:
                    found.append(copy)
        return found

    async def write(self, report: MergeReport) -> MergeReport:
        """Write what was merged; raise `Conflict` where something is undecided."""
        shop, theirs = self._shop, self._theirs
        if report.conflicts:
            message = (
                f"threads {report.source_id!r} and {report.into_id!r} both changed "
                f"{', '.join(report.conflicts)}; name a reducer for each, merge with FirstWins() "
                "or LastWins(), or change one of them"
            )
            raise Conflict(message, code="merge", paths=report.conflicts)
        header = None
        if theirs is not None:
            header = await shop.checkpoints.save(
                report.into_id,
                self._state,
                workflow_id=theirs.workflow_id,
                metadata={
                    "merged_from": report.source_id,
                    "merged_checkpoint": theirs.id,
                    "merge_decided": {
                        c.path: c.how
                        for c in report.choices
                        if c.how not in ("ours", "theirs", "same")
                    },
                },
            )
        if self._metadata:
            await shop.set_metadata(report.into_id, self._metadata)
        await self._append(report.into_id)
        told = {"merged_into": report.into_id, "merged_as": header.id if header else None}
        for branch in await shop.branching.branches_into(report.source_id):
            await shop.branching.update_branch(
                branch.id,
                name=None,
                status=BranchStatus.MERGED,
                metadata=told,
                expected_version=None,
            )
        return replace(
            report, checkpoint=header, messages=tuple(message.id for message in self._behind)
        )

    async def _append(self, into: str) -> None:
        """Put messages behind everything that was said on a thread, in the order they came in."""
        if not self._behind:
            return
        begin = self._shop.now() - timedelta(microseconds=len(self._behind) - 1)
        thread = await self._shop.lineage.thread(into)
        await self._shop.history.adopt(
            *(
                replace(
                    message,
                    session_id=thread.session_id or message.session_id,
                    created_at=begin + timedelta(microseconds=place),
                )
                for place, message in enumerate(self._behind)
            )
        )


def _stands_on(line: tuple[Segment, ...], message: Message) -> bool:
    here = Position(to_micros(message.created_at), message.id)
    return message.thread_id is not None and is_on(line, message.thread_id, here)


def _copied(message: Message, into: str) -> Message:
    """Return a message as it stands on another thread: with one id, however often it is merged."""
    digest = blake2b(f"{into}\0{message.id}".encode(), digest_size=16).hexdigest()
    told = {
        "merged_from": message.thread_id,
        "merged_message": message.id,
        "said_at": message.created_at.isoformat(),
    }
    return replace(
        message,
        id=digest,
        thread_id=into,
        idempotency_key=None,
        metadata={**message.metadata, **told},
    )
