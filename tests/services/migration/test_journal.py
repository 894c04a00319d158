"""The journal: what it holds is read back or refused by name, and no password is in it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ropewalk.domain.change import Batch, Put
from ropewalk.domain.errors import Corrupt, Invalid
from ropewalk.domain.migration import MAX_BATCH, Plan, journal_id
from ropewalk.domain.ports import Backend
from ropewalk.domain.record import Key
from ropewalk.services.storage import Storage

from .shelf import PLAN, full_shelf


async def test_no_password_is_kept(storage: Storage) -> None:
    """A plan in the journal names its ends, without what would open them."""
    plan = replace(
        PLAN,
        url="postgresql://ada:secret@host/db",
        place="x://host/?api_key=secret",
        options={"token": "secret", "tz": "+08:00"},
    )
    report = await storage.migrations.run(full_shelf(1, 0), plan)

    found = (await storage.migrations.get(report.run)).plan

    assert "secret" not in repr(found)
    assert ("+08:00", "postgresql://ada:***@host/db") == (found.options["tz"], found.url)


@pytest.mark.seed("1.5")
@pytest.mark.parametrize("kind", ["migration", "migrated", "migration_step"])
async def test_a_damaged_journal_is_named(storage: Storage, backend: Backend, kind: str) -> None:
    """What is no record of a journal is `Corrupt`, with its key; nothing is guessed from it."""
    shelf = full_shelf(1, 0)
    report = await storage.migrations.run(shelf, PLAN)
    ids = {
        "migration": report.run,
        "migrated": journal_id(PLAN.name, "session", "s"),
        "migration_step": f"{report.run}.{0:012}",
    }
    key = Key(storage.space_name, kind, ids[kind])
    sealed = await storage._desk.sealer.seal({"plan": 5}, key)  # noqa: SLF001 # pyright: ignore[reportPrivateUsage]
    await backend.apply(Batch((Put(key=key, body=sealed.body, seal=sealed.seal),)))

    with pytest.raises(Corrupt) as caught:
        if kind == "migrated":  # a rollback does not need to know what they say
            await storage.migrations.run(shelf, PLAN)
        await storage.migrations.rollback(report.run)
    assert ("bad_journal", key) == (caught.value.code, caught.value.facts["key"])


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"name": ""}, "name must not be empty"),
        ({"name": "a/b"}, "no slash"),
        ({"batch": 0}, f"1 to {MAX_BATCH}"),
        ({"batch": MAX_BATCH + 1}, f"1 to {MAX_BATCH}"),
        ({"space": ""}, "space"),
    ],
)
def test_a_plan_that_could_not_be_run_is_refused(wrong: dict[str, object], said: str) -> None:
    """The field is named."""
    with pytest.raises(Invalid, match=said):
        Plan(**{"name": "x", **wrong})  # type: ignore[arg-type]


def test_ids_of_any_length_have_a_place() -> None:
    """An item whose id is as long as an id may be is noted under a hash of it."""
    long = [journal_id("name", "message", "x" * 1_000 + end) for end in "ab"]
    assert long[0] != long[1]
    assert all(len(id_.encode()) <= 1_024 for id_ in long)
    assert "name/message/m1" == journal_id("name", "message", "m1")
