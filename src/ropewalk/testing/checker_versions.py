"""In which order each key got its values, and what was read that was never to be seen."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from .histories import Fate, Listing, Read, Transaction, Write
from .verdict import Anomaly

Name = tuple[str, str]
"""A value of a key: no two writes have the same."""


@dataclass(frozen=True, slots=True)
class Install:
    """One version of one key, by the transaction with this number; `value` `None`: deleted."""

    by: int
    seq: int
    old: int
    new: int
    value: str | None
    tag: str


@dataclass(slots=True)
class Versions:
    """The versions of every key in their order, and who made which value."""

    transactions: Sequence[Transaction]
    order: dict[str, list[Install]] = field(default_factory=dict[str, list[Install]])
    places: dict[Name, int] = field(default_factory=dict[Name, int])
    """Where the value of a key stands in the key's order."""
    anomalies: list[Anomaly] = field(default_factory=list[Anomaly])

    def find(self, read: Read, *, by: int) -> int | None:
        """Return the place of what was read in its key's order, -1 for the beginning.

        `None` where it cannot be told: a version that several lives of the key had, or a write
        of which it is not known when it was done.
        """
        order = self.order.get(read.key, [])
        if read.value is not None:
            return self.places.get((read.key, read.value))
        until = self.transactions[by].returned
        places = [] if read.version else [-1]
        for place, install in enumerate(order):
            begun = self.transactions[install.by].called
            if install.new == read.version and (until is None or begun < until):
                places.append(place)
        return places[0] if len(places) == 1 else None


def order_versions(transactions: Sequence[Transaction]) -> Versions:
    """Put the versions of each key in order: by number, and by commit where it was deleted.

    The anomalies are: a version that does not follow from the one before, a write that ignored
    the version it was to expect (lost update), a read of what was refused (G1a), of what its
    writer replaced itself (G1b), of what nobody wrote, and what contradicts itself in one unit.
    """
    versions = Versions(transactions)
    complete = all(one.fate is not Fate.UNKNOWN for one in transactions)
    for key, order in _installs(transactions).items():
        # A deleted key begins to count anew: then only commits tell which life came first.
        order.sort(key=_commit if any(made.value is None for made in order) else _version)
        versions.order[key] = order
        versions.anomalies += _broken_chain(key, order, transactions, complete=complete)
        for place, made in enumerate(order):
            if made.value is not None:
                versions.places[key, made.value] = place
    writers = _writers(transactions)
    for number, one in enumerate(transactions):
        versions.anomalies += _dirty(one, number, writers, transactions, versions)
        versions.anomalies += _contradictions(one)
        versions.anomalies += _ignored(one)
    return versions


def _installs(transactions: Sequence[Transaction]) -> dict[str, list[Install]]:
    """Return what was written to each key, in no order: what was done, or must have been."""
    seen = {(read.key, read.value) for one in transactions for read in one.reads if read.value}
    installs: dict[str, list[Install]] = defaultdict(list)
    homeless: list[tuple[str, Install]] = []
    for number, one in enumerate(transactions):
        writes = one.writes.items() if one.fate in (Fate.DONE, Fate.UNKNOWN) else ()
        was_seen = any((key, write.value) in seen for key, write in writes)
        for key, write in writes:
            old, new = one.installed.get(key, (-1, -1))
            made = Install(number, one.seq, old, new, write.value, write.tag)
            if one.fate is Fate.DONE and key in one.installed:
                if old or new:
                    installs[key].append(made)
            elif was_seen:
                homeless.append((key, made))
    for key, made in homeless:
        _give_a_place(installs[key], made, _expected(transactions[made.by], key))
    return installs


def _commit(made: Install) -> int:
    return made.seq


def _version(made: Install) -> int:
    return made.new


def _expected(one: Transaction, key: str) -> int:
    """Return the version that a write must have found, -1 where it did not say."""
    write = one.writes[key]
    if write.expect is not None:
        return write.expect
    return next((read.version for read in one.reads if read.key == key), -1)


def _give_a_place(order: list[Install], made: Install, expected: int) -> None:
    """Put a write that got no answer, but was seen to be done, where alone it can be.

    Where it can be in several places it is left out: fewer dependencies are known then.
    """
    if any(install.new == 0 for install in order) or made.value is None:
        return
    taken = {install.new for install in order}
    last = max(taken, default=0)
    free = [version for version in range(1, last + 1) if version not in taken]
    if expected >= 0:
        version = expected + 1
    elif len(free) < 2:
        version = free[0] if free else last + 1
    else:
        return
    order.append(Install(made.by, 0, version - 1, version, made.value, made.tag))


def _writers(transactions: Sequence[Transaction]) -> dict[Name, int]:
    return {
        (step.key, step.value): number
        for number, one in enumerate(transactions)
        for step in one.steps
        if isinstance(step, Write) and step.value is not None
    }


def _broken_chain(
    key: str, order: Sequence[Install], transactions: Sequence[Transaction], *, complete: bool
) -> Iterator[Anomaly]:
    """Yield writes that did not stand on the one before; where some are unknown, gaps may be."""
    before = 0
    last: Install | None = None
    lives = any(made.value is None for made in order)
    for made in order:
        rises = made.new == (0 if made.value is None else before + 1)
        wrong = made.old not in (-1, before) or not rises
        if not complete:
            wrong = not lives and made.new <= before
        if last is not None and 0 < made.seq <= last.seq:
            wrong = True
        if wrong:
            story = (
                f"{key} went from {before} to {made.new} in a write that found {made.old}: "
                "versions rise one by one"
            )
            part = [transactions[one.by] for one in (last, made) if one is not None]
            yield Anomaly("versions", story, tuple(map(str, part)))
        before, last = made.new, made


def _dirty(
    one: Transaction,
    number: int,
    writers: dict[Name, int],
    transactions: Sequence[Transaction],
    versions: Versions,
) -> Iterator[Anomaly]:
    for read in one.reads:
        if read.value is None:
            continue
        writer = writers.get((read.key, read.value))
        if writer is None:
            story = f"{read.key} = {read.value!r} was read, and nobody wrote it"
            yield Anomaly("garbage", story, (str(one),))
            continue
        by = transactions[writer]
        part = str(by), str(one)
        if by.fate is Fate.REFUSED:
            story = f"{read.key} = {read.value!r} was read, and its batch was not done"
            yield Anomaly("G1a", story, part)
        elif by.writes[read.key].value != read.value:
            story = f"{read.key} = {read.value!r} was read, which its own writer replaced"
            yield Anomaly("G1b", story, part)
        elif writer == number:
            story = f"{read.key} = {read.value!r} was read before it was written"
            yield Anomaly("G1c", story, (str(one),))
        else:
            place = versions.places.get((read.key, read.value))
            if place is not None and versions.order[read.key][place].new != read.version:
                new = versions.order[read.key][place].new
                story = (
                    f"{read.key} = {read.value!r} was read at version {read.version}, "
                    f"and is version {new}"
                )
                yield Anomaly("version", story, part)


def _contradictions(one: Transaction) -> Iterator[Anomaly]:
    """Yield what does not fit together within one transaction."""
    own: dict[str, Write] = {}
    seen: dict[str, Read] = {}
    for step in one.steps:
        if isinstance(step, Write):
            own[step.key] = step
            continue
        reads = (step,) if isinstance(step, Read) else step.found
        for read in reads:
            if read.key in own:
                wrong = read.value is not None and read.value != own[read.key].value
                wrong |= (own[read.key].value is None) != (read.version == 0)
            else:
                first = seen.setdefault(read.key, read)
                wrong = first.version != read.version
                wrong |= None not in (first.value, read.value) and first.value != read.value
            if wrong:
                story = f"{read.key} is not as the unit itself saw or wrote it before"
                yield Anomaly("internal", story, (str(one),))
        if isinstance(step, Listing):
            found = {read.key for read in step.found}
            for key, write in own.items():
                belongs = write.value is not None and write.tag == step.tag
                if belongs != (key in found):
                    story = f"{key} is missing from a listing, or in it, against its own write"
                    yield Anomaly("internal", story, (str(one),))


def _ignored(one: Transaction) -> Iterator[Anomaly]:
    """Yield the writes that were done though the record had not the version they expected."""
    for key, write in one.writes.items():
        old, _ = one.installed.get(key, (-1, -1))
        if write.expect is not None and old not in (-1, write.expect):
            story = f"{key} was expected at version {write.expect} and overwritten at {old}"
            yield Anomaly("lost update", story, (str(one),))
