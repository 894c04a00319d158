"""Who keeps what: the modules share no kind of record, and none reaches into another's."""

from __future__ import annotations

import ast
from itertools import combinations
from pathlib import Path
from typing import cast

import pytest

import ropewalk
from ropewalk.domain.declared import DECLARED
from ropewalk.domain.kept_shape import SLOW_SHAPE
from ropewalk.domain.migration import JOURNAL
from ropewalk.services.archive.progress import ERASURE
from ropewalk.stores.base import EntityStore
from ropewalk.stores.checkpoints import CheckpointStore
from ropewalk.stores.consumers import ConsumerStore
from ropewalk.stores.grants import GrantStore
from ropewalk.stores.history import HistoryStore
from ropewalk.stores.kinds import DOORS
from ropewalk.stores.leases import FENCE, LeaseStore, TicketStore
from ropewalk.stores.memories import MemoryStore, VectorStore
from ropewalk.stores.policies import PolicyStore
from ropewalk.stores.runs import RunStore, StepStore
from ropewalk.stores.sessions import InteractionStore, SessionStore
from ropewalk.stores.spaces import SpaceStore
from ropewalk.stores.threads import BranchStore, SnapshotStore, ThreadStore
from ropewalk.stores.writes import WriteStore

pytestmark = pytest.mark.seed("3.5")

SOURCE = Path(ropewalk.__file__).parent

# Of what states consist, which no store of entities keeps.
TREES = {"node", "family", "head", "dictionary", "secret"}

MODULES: dict[str, set[str]] = {
    "sessions": {*SessionStore.kinds, *InteractionStore.kinds},
    "threads": {*ThreadStore.kinds, *BranchStore.kinds, *SnapshotStore.kinds},
    "history": set(HistoryStore.kinds),
    "checkpoints": {*CheckpointStore.kinds, *WriteStore.kinds, *TREES},
    "memories": {*MemoryStore.kinds, *VectorStore.kinds},
    "migrations": set(JOURNAL),
    "leases": {*LeaseStore.kinds, *TicketStore.kinds, FENCE},
    "runs": {*RunStore.kinds, *StepStore.kinds},
    "consumers": set(ConsumerStore.kinds),
    "policies": set(PolicyStore.kinds),
    "indexes": {DECLARED, SLOW_SHAPE},
    "erasures": {ERASURE},
    "spaces": set(SpaceStore.kinds),
    "grants": set(GrantStore.kinds),
}

# Which stores a service may work with: its own module's. `Lineage` belongs to the threads.
ALLOWED: dict[str, set[str]] = {
    "sessions": {"sessions"},
    "threads/manager": {"threads"},
    "threads/branching": {"threads"},
    "lineage": {"threads"},
    "statements": {"sessions", "threads"},
    "history": {"history"},
    "statistics": {"history"},
    "checkpoints/manager": {"checkpoints"},
    "memories": {"memories"},
    "leases/manager": {"leases"},
    "leases/held": {"leases"},
    "leases/acquisition": {"leases"},
    "leases/fenced": set(),
    "runs/manager": {"runs"},
    "runs/active": {"runs"},
    "runs/step": {"runs"},
    "trail": {"runs"},
    "feed/consumers": {"consumers"},
    "feed/retention": {"consumers"},
    "feed/subscription": set(),
    "feed/watching": set(),
    "sharing/spaces": {"spaces", "grants"},
    "sharing/grants": {"grants"},
    "sharing/granted": {"grants"},
    "checkpoints/cleanup": set(),
    "checkpoints/forest": set(),
    "checkpoints/grove": {"checkpoints", "writes"},
    "checkpoints/collector": {"writes"},
    "checkpoints/pruner": set(),
    "checkpoints/standing": set(),
    "checkpoints/verifier": set(),
    "checkpoints/census": set(),
    "checkpoints/upkeep": set(),
    "checkpoints/room": set(),
    "checkpoints/pending": {"writes"},
    "states": set(),
    "checkpoints/growth": set(),
    "checkpoints/planter": set(),
    "checkpoints/saver": set(),
    "schemas": set(),
    "dependants": set(),
}


@pytest.mark.seed("3.1")
@pytest.mark.seed("3.2")
@pytest.mark.seed("3.3")
@pytest.mark.seed("3.4")
def test_no_kind_belongs_to_two_modules() -> None:
    """Each kind of record is one module's, and the plain records know all of them."""
    for (name, kinds), (other, others) in combinations(MODULES.items(), 2):
        assert set() == kinds & others, (name, other)
    assert set(DOORS) == set().union(*MODULES.values())


def test_every_store_is_counted() -> None:
    """A new store of entities has to be given to a module here."""
    stores = cast("list[type[EntityStore[object]]]", EntityStore.__subclasses__())
    kinds = {kind for store in stores for kind in store.kinds}

    assert kinds | TREES | JOURNAL | {FENCE, ERASURE, DECLARED, SLOW_SHAPE} == set().union(
        *MODULES.values()
    )


@pytest.mark.parametrize("service", sorted(ALLOWED))
def test_a_service_works_with_its_own_stores(service: str) -> None:
    """No service imports another module's store: it asks the other service."""
    tree = ast.parse((SOURCE / "services" / f"{service}.py").read_text())
    imported = {
        node.module.removeprefix("stores.")
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module is not None
        if node.module.startswith("stores.")
    }

    assert imported - {"base", "trees"} <= ALLOWED[service]


def test_the_page_names_every_kind() -> None:
    """docs/explanation/modules.md tells who keeps each kind."""
    page = (Path(__file__).parents[2] / "docs" / "explanation" / "modules.md").read_text()

    missing = [kind for kinds in MODULES.values() for kind in kinds if f"`{kind}`" not in page]
    assert [] == missing
