"""`ropewalk stats`: figures that agree, whichever way they are broken down."""

from __future__ import annotations

from decimal import Decimal

import pytest

from .typing_it import typed

TOTAL = {
    "prompt_tokens": 9550,
    "completion_tokens": 1299,
    "total_tokens": 10849,
    "record_count": 9,
}


def test_everything_is_counted(store: str) -> None:
    """Records by kind, states in bytes, tokens, cost and calls."""
    stats = typed("stats", "--json", "-u", store).json
    assert (TOTAL, {"USD": "0.022468900"}) == (stats["tokens"], stats["cost"])
    assert (9, 9, 0) == tuple(stats["llm"][part] for part in ("requests", "responses", "errors"))
    assert (60, 11) == (stats["records"]["message"], stats["records"]["checkpoint"])
    sizes = [c["size"] for c in typed("ls", "checkpoints", "--json", "-u", store).json["items"]]
    assert sum(sizes) == stats["checkpoint_bytes"]
    out = typed("stats", "-u", store).out
    assert "0.0224689 USD" in out
    assert "albatross-1, sparrow-2" in out


@pytest.mark.parametrize("by", ["session", "thread", "model", "day"])
def test_parts_add_up_to_the_whole(store: str, by: str) -> None:
    """Broken down by anything, tokens and cost are the same in sum."""
    stats = typed("stats", "--by", by, "--json", "-u", store).json
    assert by == stats["by"]
    for figure, whole in TOTAL.items():
        assert whole == sum(group["tokens"][figure] for group in stats["groups"])
    assert Decimal("0.0224689") == sum(Decimal(group["cost"]["USD"]) for group in stats["groups"])


def test_the_biggest_come_first_and_days_in_order(store: str) -> None:
    """Models are sorted by their tokens, days by the calendar."""
    models = typed("stats", "--by", "model", "-u", store).lines
    assert ["MODEL", "albatross-1", "sparrow-2"] == [line.split()[0] for line in models]
    days = typed("stats", "--by", "day", "--json", "-u", store).json["groups"]
    assert ["2025-06-15"] == [group["day"] for group in days]


def test_an_unknown_cost_is_not_zero() -> None:
    """Where nothing was noted, a dash stands; a sum of money is never made up."""
    out = typed("stats", "-u", "memory://").out
    rows = {line.split()[0]: line.split()[-1] for line in out.splitlines() if line.strip()}
    assert ("-", "-") == (rows["cost"], rows["tokens"])
    assert {} == typed("stats", "--json", "-u", "memory://").json["cost"]
    empty = typed("stats", "--by", "model", "-u", "memory://")
    assert "no tokens" in empty.err
