"""Is each key a linearizable register? The search of Wing and Gong, with Lowe's memory.

J. M. Wing and C. Gong, Testing and Verifying Concurrent Objects (1993), look for an order of all
operations that agrees with time and with what each was answered; G. Lowe, Testing for
Linearizability (2017), remembers the configurations that led nowhere. Versions say which write
comes next, so there is hardly ever a choice, and the search is nearly linear. Keys are searched
one by one: linearizability is local (Herlihy and Wing, 1990).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final, NamedTuple

from .histories import Fate, Transaction
from .verdict import Anomaly

MOST_STEPS: Final = 5_000_000
"""Steps after which a search is given up as undecided."""


class State(NamedTuple):
    """What a key holds; the version is -1 where nothing is known yet."""

    version: int
    value: str | None


ABSENT: Final = State(0, None)
ANYTHING: Final = State(-1, None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """What one transaction did with one key.

    It saw `version` (-1: whatever) and `value` (`None`: whatever), and, if it `writes`, left
    `new` and `new_version` (-1: one more). It lies between two times; without a second one it
    ended at any time after the first, or never if it is `optional`.
    """

    called: int
    returned: int | None
    version: int
    value: str | None = None
    writes: bool = False
    new: str | None = None
    new_version: int = -1
    optional: bool = False
    story: str = ""

    def after(self, state: State) -> State | None:
        """Return what the key holds afterwards, `None` where this cannot come next."""
        if state.version >= 0:
            if self.version not in (-1, state.version):
                return None
            if self.value is not None and self.value != state.value:
                return None
        if not self.writes:
            return state if state.version >= 0 or self.version < 0 else self._seen()
        if self.new is None:
            return ABSENT if self.new_version in (-1, 0) else None
        before = state.version if state.version >= 0 else self.version
        version = before + 1 if before >= 0 else self.new_version
        if version < 0:
            return ANYTHING
        return State(version, self.new) if self.new_version in (-1, version) else None

    def _seen(self) -> State:
        # A check saw no value, so nothing that is read next may be excluded by it.
        return ANYTHING if self.version and self.value is None else State(self.version, self.value)


def check_registers(transactions: Iterable[Transaction]) -> list[Anomaly]:
    """Return, for each key that is no linearizable register, the smallest part that shows it."""
    anomalies: list[Anomaly] = []
    for key, operations in sorted(operations_of(transactions).items()):
        found = search(operations)
        if found is None:
            continue
        if found < 0:
            story = f"{key} has too many orders to try them all: record a shorter history"
            anomalies.append(Anomaly("undecided", story))
            continue
        part = _smallest(operations, found)
        begin = min(operation.called for operation in part)
        story = f"no order of these operations on {key} agrees with time and with the answers"
        anomalies.append(
            Anomaly("not linearizable", story, tuple(_line(one, begin) for one in part))
        )
    return anomalies


def operations_of(transactions: Iterable[Transaction]) -> dict[str, list[Operation]]:
    """Take settled transactions apart into operations on single keys, in the order of calls."""
    operations: dict[str, list[Operation]] = defaultdict(list)
    for one in transactions:
        writes = {} if one.fate is Fate.REFUSED else one.writes
        seen: dict[str, Operation] = {}
        for read in one.reads:
            operation = Operation(
                called=one.called,
                returned=one.returned,
                version=read.version,
                value=read.value,
                story=str(one),
            )
            if read.key not in writes:
                # What got no answer saw something for certain only if it was done.
                if one.returned is not None or one.fate is Fate.DONE:
                    operations[read.key].append(operation)
            elif read.key not in seen or seen[read.key].value is None:
                seen[read.key] = operation
        for key, write in writes.items():
            old, new = one.installed.get(key, (-1, -1))
            expected = old if write.expect is None else write.expect
            before = seen.get(key)
            operations[key].append(
                Operation(
                    called=one.called,
                    returned=one.returned,
                    version=expected if before is None else before.version,
                    value=None if before is None else before.value,
                    writes=True,
                    new=write.value,
                    new_version=new,
                    optional=one.fate is Fate.UNKNOWN,
                    story=str(one),
                )
            )
        if one.refused is not None and one.returned is not None:
            key, actual = one.refused
            operations[key].append(
                Operation(called=one.called, returned=one.returned, version=actual, story=str(one))
            )
    return operations


class _Moment:
    """The beginning or the end of an operation, in a list from which it can be taken out."""

    __slots__ = ("end", "index", "next", "previous")

    def __init__(self, index: int, *, end: _Moment | None = None) -> None:
        self.index = index
        self.end = end
        self.next: _Moment | None = None
        self.previous: _Moment | None = None


def search(operations: Sequence[Operation], start: State = ABSENT) -> int | None:
    """Look for an order; return `None` where there is one.

    Otherwise returns the time of the first end that no order reaches: everything before it has
    an order. Returns -1 where the search was given up.
    """
    ordered = sorted(operations, key=lambda one: one.called)
    head = _linked(ordered)
    left = sum(not one.optional for one in ordered)
    base, mask = 0, 0
    state = start
    tried: set[tuple[int, int, State]] = set()
    stack: list[tuple[_Moment, State, int, int]] = []
    furthest = -1
    steps = 0
    moment = head.next
    while left:
        steps += 1
        if steps > MOST_STEPS:
            return -1
        if moment is not None and moment.end is not None:
            one = ordered[moment.index]
            after = one.after(state)
            if after is not None:
                bits = mask | 1 << (moment.index - base)
                low = (~bits & (bits + 1)).bit_length() - 1
                configuration = (base + low, bits >> low, after)
                if configuration not in tried:
                    tried.add(configuration)
                    stack.append((moment, state, base, mask))
                    base, mask, state = configuration
                    left -= not one.optional
                    _take_out(moment)
                    moment = head.next
                    continue
            moment = moment.next
            continue
        if moment is not None:
            furthest = max(furthest, ordered[moment.index].returned or 0)
        if not stack:
            return furthest
        moment, state, base, mask = stack.pop()
        left += not ordered[moment.index].optional
        _put_back(moment)
        moment = moment.next
    return None


def _linked(ordered: Sequence[Operation]) -> _Moment:
    """Return the head of the list of all beginnings and ends, in the order of time."""
    last = max(
        (time for one in ordered for time in (one.called, one.returned) if time is not None),
        default=0,
    )
    times: list[tuple[int, int, _Moment]] = []
    for index, one in enumerate(ordered):
        end = _Moment(index)
        times.append((one.called, 0, _Moment(index, end=end)))
        if not one.optional:
            times.append((last + 1 if one.returned is None else one.returned, 1, end))
    head = previous = _Moment(-1)
    for _, _, moment in sorted(times, key=lambda entry: entry[:2]):
        previous.next, moment.previous = moment, previous
        previous = moment
    return head


def _take_out(moment: _Moment) -> None:
    for one in (moment, moment.end):
        if one is not None and one.previous is not None:
            one.previous.next = one.next
            if one.next is not None:
                one.next.previous = one.previous


def _put_back(moment: _Moment) -> None:
    for one in (moment.end, moment):
        if one is not None and one.previous is not None:
            one.previous.next = one
            if one.next is not None:
                one.next.previous = one


def _smallest(operations: Sequence[Operation], end: int) -> list[Operation]:
    """Return a few operations that have no order, whatever happened before them.

    First everything after the end that cannot be reached is left out, then the longest beginning
    whose absence does not help, then each single read.
    """
    early = [
        one if one.returned is not None and one.returned <= end else _open_ended(one)
        for one in operations
        if one.called <= end and (one.writes or (one.returned or end + 1) <= end)
    ]
    times = sorted({one.called for one in early})
    low, high = 0, len(times)
    while low < high - 1:
        middle = (low + high) // 2
        if search(_since(early, times[middle]), ANYTHING) is None:
            high = middle
        else:
            low = middle
    cut = _since(early, times[low])
    part, start = (cut, ANYTHING) if search(cut, ANYTHING) is not None else (early, ABSENT)
    # Without a write what follows would make no sense; without a read it makes as much as before.
    for one in [one for one in part if not one.writes]:
        rest = [other for other in part if other is not one]
        if search(rest, start) is not None:
            part = rest
    return sorted(part, key=lambda one: one.called)


def _open_ended(one: Operation) -> Operation:
    return replace(one, returned=None, optional=True)


def _since(operations: Sequence[Operation], time: int) -> list[Operation]:
    """Return what began at `time` or later, and what was on its way then: it may be over."""
    return [
        one if one.called >= time else replace(one, optional=True)
        for one in operations
        if one.called >= time or (one.writes and (one.returned is None or one.returned >= time))
    ]


def _line(one: Operation, begin: int) -> str:
    end = "    ..." if one.returned is None else f"{(one.returned - begin) / 1e6:7.3f}"
    return f"{(one.called - begin) / 1e6:7.3f} to {end} ms  {one.story}"
