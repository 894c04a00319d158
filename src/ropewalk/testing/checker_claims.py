"""Compare what callers were told with the feed, and settle what got no answer."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from ..domain.change import Commit
from .histories import Fate, History, Transaction
from .verdict import Anomaly


@dataclass(frozen=True, slots=True)
class Settled:
    """A history in which every batch occurs once, however often it was sent."""

    transactions: tuple[Transaction, ...]
    anomalies: tuple[Anomaly, ...]


def settle(history: History) -> Settled:
    """Make one transaction of all attempts at a batch, and let the feed say what became of it.

    An attempt that was refused left nothing, and stays for itself: it saw why. With the feed, a
    batch without an answer was done or was not; without it, it may have been.
    """
    attempts: dict[str, list[Transaction]] = defaultdict(list)
    for transaction in history.transactions:
        attempts[transaction.id].append(transaction)
    anomalies: list[Anomaly] = []
    told: dict[str, Commit] = {}
    for commit in history.commits or ():
        if commit.batch_id in told:
            first = told[commit.batch_id]
            story = f"the feed has the batch twice: commits {first.seq} and {commit.seq}"
            anomalies.append(Anomaly("applied twice", story, _lines(attempts[commit.batch_id])))
        told[commit.batch_id] = commit
    anomalies += _unheard_of(told, attempts)
    settled: list[Transaction] = []
    for tries in attempts.values():
        settled += [one for one in tries if one.fate is Fate.REFUSED]
        begun = [one for one in tries if one.fate is not Fate.REFUSED]
        if begun:
            anomalies += _different_answers(begun)
        one = _merged(begun) if begun else None
        if history.commits is not None:
            one, wrong = _compared(one, told.get(tries[0].id), tries)
            anomalies += wrong
        if one is not None:
            settled.append(one)
    return Settled(tuple(sorted(settled, key=lambda one: one.called)), tuple(anomalies))


def _merged(begun: Sequence[Transaction]) -> Transaction:
    """Return the batch as if it had been sent once: begun at the first attempt."""
    done = [one for one in begun if one.fate is Fate.DONE]
    called = min(one.called for one in begun)
    if not done:
        return replace(begun[0], called=called)
    first = min(done, key=lambda one: one.returned or 0)
    return replace(first, called=called)


def _different_answers(begun: Sequence[Transaction]) -> Iterator[Anomaly]:
    done = [one for one in begun if one.fate is Fate.DONE]
    for one in done[1:]:
        if (one.seq, one.installed) != (done[0].seq, done[0].installed):
            story = "a batch that was sent again was answered differently"
            yield Anomaly("applied twice", story, _lines((done[0], one)))


def _unheard_of(
    told: dict[str, Commit], attempts: dict[str, list[Transaction]]
) -> Iterator[Anomaly]:
    for id, commit in told.items():
        if id not in attempts:
            keys = ", ".join(f"{change.key} to {change.version}" for change in commit.changes)
            story = f"commit {commit.seq} is of a batch {id!r} that nobody sent: {keys}"
            yield Anomaly("unheard of", story)


def _compared(
    one: Transaction | None, commit: Commit | None, tries: Sequence[Transaction]
) -> tuple[Transaction | None, list[Anomaly]]:
    """Hold what is known of a batch against its commit; return what is known then."""
    if commit is None:
        return _without_commit(one)
    if one is None:
        story = f"refused, and yet it is commit {commit.seq} of the feed"
        return None, [Anomaly("refused and done", story, _lines(tries))]
    versions = {str(change.key): change.version for change in commit.changes}
    if one.fate is Fate.UNKNOWN:
        # What the version was before is not told: a put made it one greater.
        installed = {key: (max(new - 1, -1), new) for key, new in versions.items()}
        one = replace(one, fate=Fate.DONE, installed=installed, seq=commit.seq)
        # A delete of what was absent changed nothing, and is not told.
        needed = {key for key, write in one.writes.items() if write.value is not None}
        is_whole = needed <= versions.keys() <= one.writes.keys()
    else:
        changed = {key: new for key, (old, new) in one.installed.items() if old or new}
        is_whole = changed == versions and one.seq == commit.seq
    return one, [] if is_whole else [_half(one, commit)]


def _without_commit(one: Transaction | None) -> tuple[Transaction | None, list[Anomaly]]:
    if one is None or not (one.seq or one.fate is Fate.UNKNOWN):
        return one, []
    if one.fate is Fate.UNKNOWN:
        return replace(one, fate=Fate.REFUSED), []
    story = f"acknowledged as commit {one.seq}, which is not in the feed"
    return one, [Anomaly("lost write", story, _lines((one,)))]


def _half(one: Transaction, commit: Commit) -> Anomaly:
    keys = ", ".join(f"{change.key} to {change.version}" for change in commit.changes)
    story = f"commit {commit.seq} is not what the batch was about: it set {keys}"
    return Anomaly("torn", story, _lines((one,)))


def _lines(transactions: Sequence[Transaction]) -> tuple[str, ...]:
    return tuple(map(str, transactions))
