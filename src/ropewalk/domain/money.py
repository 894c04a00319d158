"""Money as whole nano-units of a currency: sums are exact, and floats are refused."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Context, Decimal, InvalidOperation
from typing import Final

from .errors import Invalid
from .limits import check_int64

NANOS: Final = 1_000_000_000
"""Nano-units in one unit of a currency."""

_EXACT: Final = Decimal("1e-9")

# Our own: a program that rounds its own decimals must not round money that it stores.
_CONTEXT: Final = Context(prec=40, traps=[InvalidOperation])

_CODE: Final = re.compile("[A-Z]{3}")


@dataclass(frozen=True, slots=True)
class Money:
    """An amount in nano-units (10^-9) of a currency named by its ISO 4217 code."""

    nanos: int
    currency: str = "USD"

    def __post_init__(self) -> None:
        """Refuse amounts beyond 64 bits and currencies that are no code."""
        check_int64(self.nanos, field="nanos")
        if not _CODE.fullmatch(self.currency):
            message = f"currency must be a code of three capital letters, not {self.currency!r}"
            raise Invalid(message, code="bad_currency", field="currency")

    @property
    def amount(self) -> Decimal:
        """The amount in whole units, exactly."""
        return Decimal(self.nanos).scaleb(-9, _CONTEXT)

    def __add__(self, other: Money) -> Money:
        """Add an amount of the same currency; raise `Invalid` for another one."""
        if other.currency != self.currency:
            message = f"cannot add {other.currency} to {self.currency}; convert one of them first"
            raise Invalid(message, code="currency", field="currency")
        return Money(self.nanos + other.nanos, self.currency)

    def __str__(self) -> str:
        """Write the amount as people do, without trailing zeros."""
        text = f"{self.amount:f}"
        whole, _, fraction = text.partition(".")
        return f"{whole}.{fraction.rstrip('0').ljust(2, '0')} {self.currency}"


def to_nanos(amount: object, *, field: str) -> int:
    """Return nano-units of an amount in whole units: an `int`, a `Decimal` or a decimal text.

    Raises `Invalid` for a float (it is not the amount that was meant), for digits beyond the
    ninth after the point, and for what is no number.
    """
    if isinstance(amount, bool) or not isinstance(amount, int | Decimal | str):
        message = (
            f"{field} must be a Decimal, an int or a text such as '0.0123', "
            f"not {type(amount).__name__}: money is exact here"
        )
        raise Invalid(message, code="bad_type", field=field)
    if isinstance(amount, int):
        return check_int64(amount * NANOS, field=field)
    try:
        value = Decimal(amount)
        exact = value.quantize(_EXACT, context=_CONTEXT) if value.is_finite() else None
    except InvalidOperation as error:
        message = f"{field} {amount!r} is no amount of money"
        raise Invalid(message, code="bad_amount", field=field) from error
    if exact is None or exact != value:
        message = f"{field} {amount!r} is not a whole number of nano-units (9 digits at most)"
        raise Invalid(message, code="bad_amount", field=field)
    return check_int64(int(exact.scaleb(9, _CONTEXT)), field=field)
