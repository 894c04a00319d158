"""A bank whose books must balance: accounts, receipts, and the audit that finds any half batch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from random import Random
from typing import Final

from ..domain.change import Applied, Batch, Commit, Put
from ..domain.ports import Backend, Capability
from ..domain.query import Query
from ..domain.record import Key, Record
from .samples import commits, everything

SPACE: Final = "bank"
ACCOUNTS: Final = 25
START: Final = 1_000
"""What is in each account when the bank opens."""

ACCOUNT_KEYS: Final = tuple(Key(SPACE, "account", f"account-{n:02}") for n in range(ACCOUNTS))
ALL_ACCOUNTS: Final = Query(space=SPACE, kinds=("account",))
ALL_RECEIPTS: Final = Query(space=SPACE, kinds=("receipt",))

TOUCHED: Final = 3
"""How many records a transfer writes: two accounts and a receipt."""


@dataclass(slots=True)
class Ledger:
    """What the tasks know for certain: which batches were acknowledged, and which refused."""

    acknowledged: dict[str, Applied] = field(default_factory=dict[str, Applied])
    refused: set[str] = field(default_factory=set[str])


def balance(record: Record) -> int:
    """Return what is in an account."""
    value = record.labels["balance"]
    assert isinstance(value, int), f"{record.key} holds {value!r}"
    return value


def opening() -> Batch:
    """Return the batch that opens every account."""
    return Batch(tuple(_account(key, START, expect=0) for key in ACCOUNT_KEYS))


def transfer(giver: Record, taker: Record, amount: int, *, random: Random, actor: str) -> Batch:
    """Return a batch that moves money and writes a receipt, if both accounts are as they were."""
    id = f"{random.getrandbits(128):032x}"
    receipt = Put(
        key=Key(SPACE, "receipt", id),
        labels={"giver": giver.key.id, "taker": taker.key.id, "amount": amount},
        expect=0,
    )
    changes = (
        _account(giver.key, balance(giver) - amount, expect=giver.version),
        _account(taker.key, balance(taker) + amount, expect=taker.version),
        receipt,
    )
    return Batch(changes, id=id, actor=actor)


async def audit(backend: Backend, ledger: Ledger) -> tuple[str, ...]:
    """Go through the books and return a sentence for everything that is wrong in them."""
    accounts = {record.key: record for record in await everything(backend, ALL_ACCOUNTS)}
    receipts = {record.key.id: record for record in await everything(backend, ALL_RECEIPTS)}
    wrong = [*_wrong_in_accounts(accounts, receipts), *_wrong_in_ledger(ledger, receipts.keys())]
    if Capability.FEED in backend.capabilities:
        told = await commits(backend)
        versions = {
            record.key: record.version for record in [*accounts.values(), *receipts.values()]
        }
        wrong += _wrong_in_feed(told, versions)
        by_id = {commit.batch_id: commit for commit in told}
        for id, applied in ledger.acknowledged.items():
            if id not in by_id or by_id[id].seq != applied.seq:
                wrong.append(
                    f"batch {id} was acknowledged, and is not in the feed as number {applied.seq}"
                )
        wrong += [
            f"batch {id} was refused, and is in the feed" for id in ledger.refused & by_id.keys()
        ]
    return tuple(wrong)


def _account(key: Key, amount: int, *, expect: int) -> Put:
    return Put(key=key, body=b"%d" % amount, labels={"balance": amount}, expect=expect)


def _wrong_in_accounts(accounts: Mapping[Key, Record], receipts: Mapping[str, Record]) -> list[str]:
    wrong: list[str] = []
    moved: Counter[object] = Counter()
    for receipt in receipts.values():
        amount = receipt.labels["amount"]
        assert isinstance(amount, int)
        moved[receipt.labels["giver"]] -= amount
        moved[receipt.labels["taker"]] += amount
    if sorted(accounts) != list(ACCOUNT_KEYS):
        wrong.append(f"there are {len(accounts)} accounts, not {ACCOUNTS}")
    total = sum(map(balance, accounts.values()))
    if total != ACCOUNTS * START:
        wrong.append(f"the accounts hold {total} together, not {ACCOUNTS * START}")
    for key, record in accounts.items():
        if record.body != b"%d" % balance(record):
            wrong.append(f"the body of {key} says {record.body!r}, its label {balance(record)}")
        if balance(record) != START + moved[key.id]:
            wrong.append(f"{key} holds {balance(record)}; its receipts say {START + moved[key.id]}")
    return wrong


def _wrong_in_ledger(ledger: Ledger, receipts: AbstractSet[str]) -> list[str]:
    lost = ledger.acknowledged.keys() - receipts
    ghosts = ledger.refused & receipts
    return [
        *(f"batch {id} was acknowledged, and its receipt is not there" for id in lost),
        *(f"batch {id} was refused, and its receipt is there" for id in ghosts),
    ]


def _wrong_in_feed(told: list[Commit], versions: Mapping[Key, int]) -> list[str]:
    wrong: list[str] = []
    last = 0
    seen: dict[Key, int] = {}
    ids: Counter[str] = Counter()
    for commit in told:
        if commit.seq <= last:
            wrong.append(f"commit {commit.seq} comes behind {last}")
        last = commit.seq
        ours = [change for change in commit.changes if change.key.space == SPACE]
        ids[commit.batch_id] += bool(ours)
        if len(ours) not in (0, TOUCHED, ACCOUNTS):
            wrong.append(f"commit {commit.seq} touched {len(ours)} records: half a batch")
        for change in ours:
            seen[change.key] = seen.get(change.key, 0) + 1
            if change.version != seen[change.key]:
                wrong.append(
                    f"commit {commit.seq} made version {change.version} of {change.key}, "
                    f"not {seen[change.key]}"
                )
    wrong += [f"batch {id} was committed {count} times" for id, count in ids.items() if count > 1]
    if seen != versions:
        wrong.append("the versions of the records are not those that the feed counts up to")
    return wrong
