"""`Checkpoint`: a workflow's state at one step, and what is known of it without the state."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from .errors import Invalid

PLACE_SHIFT: Final = 10**9
"""What is added to the place of a write in its id, so that one below zero sorts as well."""

_WIDTH: Final = 10


@dataclass(frozen=True, slots=True)
class Trunk:
    """Where the tree of a state begins: its root, and the family whose nodes it shares.

    `mac` is the keyed hash of the root and of the checkpoint that it belongs to.
    """

    family: str
    root: bytes
    mac: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckpointHeader:
    """Everything about a checkpoint but its state: what lists show.

    `parent_id` is the checkpoint it continues; `size` the bytes that it added to the store: what
    it shares with others is not counted twice. `namespace` tells apart several lines of states in
    one thread (a graph and its subgraphs). `tags` are names that people gave it; a pinned or a
    tagged checkpoint is never cleaned away. `trunk` is where its state begins.
    """

    id: str
    thread_id: str
    session_id: str | None = None
    parent_id: str | None = None
    workflow_id: str | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict[str, Any])
    size: int = 0
    created_at: datetime
    updated_at: datetime
    version: int = 1
    namespace: str = ""
    tags: tuple[str, ...] = ()
    pinned: bool = False
    trunk: Trunk | None = field(default=None, repr=False, compare=False)


class TrunkDraft:
    """A trunk in the making, as a `HeaderDraft` is for headers."""

    __slots__ = Trunk.__slots__
    family: str
    root: bytes
    mac: bytes

    def done(self) -> Trunk:
        """Become the trunk, which nobody can change any more."""
        self.__class__ = Trunk  # type: ignore[assignment] # pyright: ignore[reportAttributeAccessIssue]
        return self  # type: ignore[return-value] # pyright: ignore[reportReturnType]


class HeaderDraft:
    """A header in the making: every part of it is set, and then it is `done`.

    What is frozen can only be filled by a call for each field, which takes several times as long.
    """

    __slots__ = CheckpointHeader.__slots__
    id: str
    thread_id: str
    session_id: str | None
    parent_id: str | None
    workflow_id: str | None
    metadata: Mapping[str, Any]
    size: int
    created_at: datetime
    updated_at: datetime
    version: int
    namespace: str
    tags: tuple[str, ...]
    pinned: bool
    trunk: Trunk | None

    def done(self) -> CheckpointHeader:
        """Become the header, which nobody can change any more."""
        # Both have the same slots, so Python lets the one become the other.
        self.__class__ = CheckpointHeader  # type: ignore[assignment] # pyright: ignore[reportAttributeAccessIssue]
        return self  # type: ignore[return-value] # pyright: ignore[reportReturnType]


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint(CheckpointHeader):
    """A checkpoint with its state, which is the caller's own copy.

    `form` is empty where the values are written as this store writes them, else the name of the
    program whose form they have: its typed values are `Opaque` then. `schema` is the version of
    the user's own that a state in such a form has; any other one has the present version.
    """

    state: Any
    form: str = ""
    schema: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Write:
    """One value that a task wrote at a checkpoint, to be part of the next one.

    `task_path` and `task_id` say who wrote it, `index` is its place among what that task wrote,
    `channel` where it is meant to go.
    """

    task_id: str
    index: int
    channel: str
    value: Any
    task_path: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PendingWrite(Write):
    """A write with the checkpoint that it hangs on; `form` is as that of a checkpoint."""

    checkpoint_id: str
    thread_id: str
    created_at: datetime
    form: str = ""

    @property
    def id(self) -> str:
        """The id of its record: the checkpoint's, the task's, the place."""
        return write_id(self.checkpoint_id, self.task_id, self.index)


def write_id(checkpoint_id: str, task_id: str, index: int) -> str:
    """Name the record of a write; a place may be below zero, and all of them sort."""
    return "/".join((checkpoint_id, task_id, f"{index + PLACE_SHIFT:0{_WIDTH}d}"))


@dataclass(frozen=True, slots=True, kw_only=True)
class CleanupPolicy:
    """Which checkpoints of a thread to keep; one that any rule keeps is kept.

    `keep_last` the newest n of each namespace; `keep_for` those younger than that; `keep_where`
    those whose metadata has these values. Always kept are the newest of each namespace, what is
    tagged or pinned, what a fork or a snapshot begins at, and what a kept one needs; with
    `keep_tagged` nothing else is.
    """

    keep_last: int | None = None
    keep_for: timedelta | None = None
    keep_where: Mapping[str, Any] = field(default_factory=dict[str, Any])
    keep_tagged: bool = False

    def __post_init__(self) -> None:
        """Refuse a policy without a rule: it would delete everything but the newest."""
        counted = self.keep_last is not None or self.keep_for is not None
        if not counted and not self.keep_where and not self.keep_tagged:
            message = "a cleanup policy needs keep_last, keep_for or keep_where, or keep_tagged"
            raise Invalid(message, code="empty", field="policy")
        if self.keep_last is not None and self.keep_last < 1:
            message = f"keep_last must be 1 or more, not {self.keep_last}"
            raise Invalid(message, code="bad_limit", field="keep_last")
        if self.keep_for is not None and self.keep_for <= timedelta(0):
            message = f"keep_for must be a positive duration, not {self.keep_for}"
            raise Invalid(message, code="bad_limit", field="keep_for")


@dataclass(frozen=True, slots=True, kw_only=True)
class CleanupReport:
    """What a cleanup removed (or would remove), and why the rest stays.

    `writes` are the pending writes that went with the checkpoints, `nodes` what nothing needs
    then. `freed_bytes` is what the disk gets back after `collect()`: for all of these, and for
    what was garbage before.
    """

    removed: tuple[str, ...]
    kept: Mapping[str, str]
    freed_bytes: int
    dry_run: bool
    writes: int = 0
    nodes: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Collected:
    """What a collection of garbage did: families looked through, nodes kept and removed.

    `freed_bytes` are the sealed bodies of the removed nodes.
    """

    families: int = 0
    kept: int = 0
    removed: int = 0
    freed_bytes: int = 0

    def __add__(self, other: Collected) -> Collected:
        """Add up two collections."""
        return Collected(
            families=self.families + other.families,
            kept=self.kept + other.kept,
            removed=self.removed + other.removed,
            freed_bytes=self.freed_bytes + other.freed_bytes,
        )
