"""Money is exact: floats are refused, sums lose nothing, currencies do not mix."""

from __future__ import annotations

import decimal
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ropewalk.domain.errors import Invalid
from ropewalk.domain.limits import MAX_INT64, MIN_INT64
from ropewalk.domain.money import NANOS, Money, to_nanos


@pytest.mark.seed("3.3")
@pytest.mark.parametrize(
    ("amount", "nanos"),
    [
        (0, 0),
        (3, 3 * NANOS),
        (-1, -NANOS),
        ("0.000000001", 1),
        ("0.0123", 12_300_000),
        ("-7.5", -7_500_000_000),
        ("1e-9", 1),
        ("1E+3", 1_000 * NANOS),
        (Decimal("0.10"), 100_000_000),
        (Decimal("-0"), 0),
        ("9223372036.854775807", MAX_INT64),
        ("-9223372036.854775808", MIN_INT64),
    ],
)
def test_amounts_become_nanos(amount: object, nanos: int) -> None:
    """Integers, decimals and decimal texts are taken exactly."""
    assert nanos == to_nanos(amount, field="cost")


@pytest.mark.seed("3.3")
@pytest.mark.parametrize(
    ("amount", "code"),
    [
        (0.1, "bad_type"),
        (True, "bad_type"),
        (None, "bad_type"),
        (b"1", "bad_type"),
        ("", "bad_amount"),
        ("ten", "bad_amount"),
        ("1.0000000001", "bad_amount"),
        (Decimal("1e-10"), "bad_amount"),
        ("nan", "bad_amount"),
        ("sNaN", "bad_amount"),
        ("-Infinity", "bad_amount"),
        ("1e999999", "bad_amount"),
        ("9223372036.854775808", "too_big"),
        (2**63, "too_big"),
        pytest.param(10**5_000, "too_big", id="enormous"),
    ],
)
def test_what_is_no_exact_amount_is_refused(amount: object, code: str) -> None:
    """Floats, digits beyond the ninth, and what is no number are `Invalid`, naming the field."""
    with pytest.raises(Invalid, match="cost") as caught:
        to_nanos(amount, field="cost")
    assert code == caught.value.code


@pytest.mark.seed("3.3")
@given(st.integers(MIN_INT64, MAX_INT64))
def test_nanos_survive_decimals(nanos: int) -> None:
    """Amount and text both lead back to the same nanos."""
    money = Money(nanos)
    assert nanos == to_nanos(money.amount, field="cost")
    assert nanos == to_nanos(str(money).removesuffix(" USD"), field="cost")


def test_a_program_that_rounds_does_not_round_money() -> None:
    """The decimal context of the calling program changes nothing."""
    with decimal.localcontext() as context:
        context.prec = 3
        context.traps[decimal.Inexact] = True
        assert 1_234_567_891_000_000_001 == to_nanos("1234567891.000000001", field="cost")
        assert "1234567891.000000001 USD" == str(Money(1_234_567_891_000_000_001))


@pytest.mark.parametrize(
    ("nanos", "text"),
    [
        (0, "0.00"),
        (1, "0.000000001"),
        (-12_300_000, "-0.0123"),
        (2 * NANOS, "2.00"),
        (500_000_000, "0.50"),
    ],
)
def test_money_is_written_as_people_do(nanos: int, text: str) -> None:
    """Two digits at least, no trailing zeros beyond them, and the currency."""
    assert f"{text} EUR" == str(Money(nanos, "EUR"))


def test_only_one_currency_adds_up() -> None:
    """Sums keep the currency; another one, or a sum beyond 64 bits, is refused."""
    assert Money(5, "EUR") == Money(2, "EUR") + Money(3, "EUR")
    with pytest.raises(Invalid, match="cannot add USD to EUR"):
        sum([Money(3)], start=Money(2, "EUR"))
    with pytest.raises(Invalid, match="nanos"):
        sum([Money(1)], start=Money(MAX_INT64))


@pytest.mark.parametrize("currency", ["", "usd", "US", "USDT", "US1", "\u00dcSD", "US\n", " US"])
def test_a_currency_is_a_code_of_three_letters(currency: str) -> None:
    """Anything but three capital letters of the alphabet is refused."""
    with pytest.raises(Invalid, match="currency"):
        Money(1, currency)
