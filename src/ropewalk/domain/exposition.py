"""Counters as people and programs read them: a table, plain values, and Prometheus' text format."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import accumulate
from typing import TYPE_CHECKING, Final, TypeAlias

from .metrics import BOUNDS

if TYPE_CHECKING:
    from .metrics import Metrics, VerbMetrics
    from .shape import Shape

Plain: TypeAlias = "Mapping[str, Plain] | list[Plain] | str | int | float | None"

_HEADINGS: Final = ("verb", "count", "per s", "items", "failed", "p50", "p90", "p99", "max")
_SHARES: Final = (("p50", 0.5), ("p90", 0.9), ("p99", 0.99))
_EVERY: Final = 4
"""Prometheus gets each fourth bound, the powers of two: 28 buckets a verb instead of 109."""


def as_text(metrics: Metrics) -> str:
    """Return a table with a line for each verb, then the slow shapes; times with their units."""
    rows = [_HEADINGS, *(_row(metrics, verb) for verb in metrics.verbs)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "  ".join(
            cell.rjust(width) if number else cell.ljust(width)
            for number, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    ]
    for verb in metrics.verbs:
        lines += [f"{verb.verb} failed {n} times: {code}" for code, n in verb.errors.items()]
    lines += [f"slow: {_slow(shape)}" for shape in metrics.slow]
    return "\n".join(lines)


def as_plain(metrics: Metrics) -> dict[str, Plain]:
    """Return all figures as values of JSON; durations are seconds."""
    return {
        "elapsed": metrics.elapsed,
        "under_way": metrics.under_way,
        "verbs": {verb.verb: _plain(metrics, verb) for verb in metrics.verbs},
        "slow": [slow_plain(shape) for shape in metrics.slow],
        "facts": dict(metrics.facts),
    }


def slow_plain(shape: Shape) -> dict[str, Plain]:
    """Return a slow shape as values of JSON."""
    return {
        "shape": str(shape),
        "space": shape.space,
        "count": shape.count,
        "seconds": shape.seconds,
        "longest": shape.longest,
        "labels": list(shape.labels),
        "advice": shape.advice,
    }


def as_prometheus(metrics: Metrics) -> str:
    """Return the text exposition format, version 0.0.4, as Prometheus collects it.

    https://prometheus.io/docs/instrumenting/exposition_formats/
    """
    return "".join(f"{line}\n" for line in _exposed(metrics))


def duration(seconds: float) -> str:
    """Write a duration in the unit that suits it, with three digits."""
    for unit, size in (("s", 1.0), ("ms", 1e-3)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds * 1e6:.3g} us"


def _row(metrics: Metrics, verb: VerbMetrics) -> tuple[str, ...]:
    return (
        verb.verb,
        str(verb.count),
        f"{metrics.rate(verb.verb):.1f}",
        str(verb.items),
        str(verb.failed),
        *(duration(verb.quantile(share)) for _, share in _SHARES),
        duration(verb.longest),
    )


def _slow(shape: Shape) -> str:
    return (
        f"{shape} ({shape.count} times, {duration(shape.longest)} at most); "
        f"what helps: {shape.advice}"
    )


def _plain(metrics: Metrics, verb: VerbMetrics) -> dict[str, Plain]:
    return {
        "count": verb.count,
        "under_way": verb.under_way,
        "items": verb.items,
        "per_second": metrics.rate(verb.verb),
        "errors": dict(verb.errors),
        "mean": verb.mean,
        **{name: verb.quantile(share) for name, share in _SHARES},
        "max": verb.longest,
    }


def _exposed(metrics: Metrics) -> Iterator[str]:
    yield "# HELP ropewalk_operation_seconds How long operations took that succeeded."
    yield "# TYPE ropewalk_operation_seconds histogram"
    for verb in metrics.verbs:
        reached = list(accumulate(verb.buckets))
        for place in range(0, len(BOUNDS), _EVERY):
            bound = f'verb="{verb.verb}",le="{BOUNDS[place]:.6g}"'
            yield f"ropewalk_operation_seconds_bucket{{{bound}}} {reached[place]}"
        total = f'verb="{verb.verb}",le="+Inf"'
        yield f"ropewalk_operation_seconds_bucket{{{total}}} {verb.count}"
        yield f'ropewalk_operation_seconds_sum{{verb="{verb.verb}"}} {verb.seconds!r}'
        yield f'ropewalk_operation_seconds_count{{verb="{verb.verb}"}} {verb.count}'
    yield "# HELP ropewalk_errors_total Operations that failed."
    yield "# TYPE ropewalk_errors_total counter"
    for verb in metrics.verbs:
        for code, count in verb.errors.items():
            yield f'ropewalk_errors_total{{verb="{verb.verb}",code="{code}"}} {count}'
    yield "# HELP ropewalk_items_total Keys, changes, records, groups and commits."
    yield "# TYPE ropewalk_items_total counter"
    for verb in metrics.verbs:
        yield f'ropewalk_items_total{{verb="{verb.verb}"}} {verb.items}'
    yield "# HELP ropewalk_under_way Operations that wait or are being done."
    yield "# TYPE ropewalk_under_way gauge"
    yield f"ropewalk_under_way {metrics.under_way}"
    for name, fact in metrics.facts.items():
        if not isinstance(fact, str):
            yield f"# TYPE ropewalk_store_{name} gauge"
            yield f"ropewalk_store_{name} {fact}"
