"""A process that moves amounts in units of work until it is killed, and says what was kept.

Run as `python unit_writer.py URL WRITER FIRST`. It moves amounts between accounts in units
that span records, messages and a session, and writes pairs in transactions of plain records.
Only after a commit its name goes out as a line.
"""

from __future__ import annotations

import asyncio
import sys
from itertools import count
from random import Random
from typing import Final

import ropewalk
from ropewalk.domain.errors import Conflict
from ropewalk.services.storage import Storage

ACCOUNTS: Final = [f"account-{number}" for number in range(4)]
START: Final = 1_000
THREAD: Final = "all"
SESSION: Final = "everybody"


async def prepare(url: str) -> None:
    """Make the accounts, the session, and the thread that every unit writes to."""
    async with ropewalk.open(url) as storage, storage.unit() as unit:
        await unit.sessions.create(id=SESSION, title="", metadata={"units": 0})
        await unit.threads.create(id=THREAD, session_id=SESSION)
        for id in ACCOUNTS:
            await unit.records.save({"id": id, "type": "account", "data": {"n": START}})


async def move(storage: Storage, name: str, random: Random) -> None:
    """Move an amount in one unit, with a receipt, a message, and a count in the session."""
    while True:
        giver, taker = random.sample(ACCOUNTS, 2)
        amount = random.randint(1, 9)
        try:
            async with storage.unit() as unit:
                for id, change in ((giver, -amount), (taker, amount)):
                    row = await unit.records.load(id)
                    assert row is not None
                    await unit.records.update(id, {"data": {"n": row["data"]["n"] + change}})
                session = await unit.sessions.get(SESSION)
                units = int(str(session.metadata["units"])) + 1
                await unit.sessions.update(SESSION, metadata={"units": units})
                await unit.records.save({"id": name, "type": "receipt", "data": {"amount": amount}})
                await unit.history.add_message(thread_id=THREAD, role="user", content=name)
        except Conflict:
            continue
        return


async def pair(storage: Storage, writer: str, number: int) -> None:
    """Write a pair in one transaction, and a third record that always has the last number."""
    data = {"number": number}
    ids = {f"pair-{writer}-{number}-{side}": "pair" for side in ("left", "right")}
    ids[f"last-{writer}"] = "last"
    await storage.records.transaction(
        [{"op": "save", "data": {"id": id, "type": type, "data": data}} for id, type in ids.items()]
    )


async def main(url: str, writer: str, first: int) -> None:
    """Write until the end, which comes from outside."""
    async with ropewalk.open(url) as storage:
        random = Random(f"{writer} {first}")
        for number in count(first):
            unit = f"unit-{writer}-{number}"
            # Side by side, so that one may be in the middle when the other is killed.
            await asyncio.gather(move(storage, unit, random), pair(storage, writer, number))
            print(f"pair-{writer}-{number}", unit, sep="\n", flush=True)  # noqa: T201 (the proof)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
