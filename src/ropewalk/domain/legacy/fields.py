"""Read the fields of a raw object as the types our entities have, remembering what was odd."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Final

from ..errors import Invalid
from ..limits import MAX_ID_BYTES, MAX_LABEL_BYTES, check_int64, check_text
from ..moment import EPOCH
from ..money import NANOS, Money
from .values import JsonObject, as_object, excerpt

_MILLION: Final = 1_000_000
_NO_CURRENCY: Final = 3 * "X"
"""The code of ISO 4217 for amounts in no currency."""


@dataclass(frozen=True, slots=True)
class Times:
    """Times as the legacy program wrote them: local, without a zone; `zone` is where it ran.

    Without one it ran here: what this machine's rules say is local.
    """

    zone: tzinfo | None = None

    def read(self, value: object) -> datetime | None:
        """Return the instant of an ISO 8601 text or of epoch seconds, in UTC; `None` if neither.

        A text with an offset means that offset; one without means the local time of `zone`.
        """
        try:
            if isinstance(value, str):
                moment = datetime.fromisoformat(value)
                if moment.tzinfo is None and self.zone is not None:
                    moment = moment.replace(tzinfo=self.zone)
                return moment.astimezone(UTC)
            if isinstance(value, int | float) and not isinstance(value, bool):
                micros = (Decimal(repr(value)) * _MILLION).to_integral_value(ROUND_HALF_EVEN)
                return EPOCH + timedelta(microseconds=int(micros))
        except (ValueError, ArithmeticError, OSError):
            return None
        return None

    def write(self, moment: datetime) -> str:
        """Return the text that the legacy program would have written for an instant."""
        try:
            local = moment.astimezone(self.zone)
        except (OverflowError, ValueError, OSError):
            local = moment
        return local.replace(tzinfo=None).isoformat()


class Fields:
    """The fields of one raw object, typed. What does not fit is replaced and told in `odd`.

    An absent field or `null` is nothing odd: it takes its default.
    """

    def __init__(self, raw: Mapping[str, object], times: Times) -> None:
        """Read `raw`, which is not changed."""
        self.raw: Final = raw
        self.odd: Final[dict[str, str]] = {}
        self._times = times

    def _say(self, key: str, wanted: str) -> None:
        self.odd[key] = f"{key} is not {wanted}: {excerpt(_show(self.raw.get(key)))}"

    def text(self, key: str, default: str = "", *, limit: int | None = None) -> str:
        """Return a text; with `limit` at most that many bytes, and valid Unicode."""
        value = self.raw.get(key)
        if value is None:
            return default
        if not isinstance(value, str):
            self._say(key, "a text")
            value = _show(value)
        if limit is None:
            return value
        fitting = fit(value, limit)
        if fitting != value and key not in self.odd:
            self._say(key, f"valid Unicode of at most {limit} bytes")
        return fitting

    def word(self, key: str, default: str = "") -> str:
        """Return a text that fits into a label, such as the name of a model."""
        return self.text(key, default, limit=MAX_LABEL_BYTES)

    def word_or_none(self, key: str) -> str | None:
        """Return a text that fits into a label, or `None` where there is none."""
        return None if self.raw.get(key) is None else self.word(key)

    def link(self, key: str) -> str | None:
        """Return the id of something else, or `None` where there is none that can be one."""
        value = self.raw.get(key)
        if value is None or is_id(value):
            return value if isinstance(value, str) else None
        self._say(key, "an id")
        return None

    def moment(self, key: str) -> datetime | None:
        """Return a time, or `None` where there is none that can be read."""
        value = self.raw.get(key)
        moment = self._times.read(value)
        if moment is None and value is not None:
            self._say(key, "a time")
        return moment

    def count(self, key: str) -> int:
        """Return a number of tokens: an integer of 64 bits; 0 where there is none."""
        value = self.raw.get(key)
        if value is None:
            return 0
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        try:
            return check_int64(value, field=key)
        except Invalid:
            self._say(key, "an integer of 64 bits")
            return 0

    def count_or_none(self, key: str) -> int | None:
        """Return a number of tokens, or `None` where there is none that can be read."""
        count = self.count(key)
        return None if self.raw.get(key) is None or key in self.odd else count

    def number(self, key: str, default: float) -> float:
        """Return a finite number."""
        value = self.raw.get(key)
        if value is None:
            return default
        try:
            if isinstance(value, int | float) and not isinstance(value, bool):
                number = float(value)
                if math.isfinite(number):
                    return number
        except OverflowError:
            self._say(key, "a number of 64 bits")
            return default
        self._say(key, "a finite number")
        return default

    def mapping(self, key: str) -> JsonObject:
        """Return an object; the empty one where there is none."""
        value = self.raw.get(key)
        found = as_object(value)
        if found is None and value is not None:
            self._say(key, "an object")
        return found or {}

    def currency(self, key: str) -> str:
        """Return a code of three capital letters; USD where there is none."""
        code = self.word(key, "USD").strip().upper()
        try:
            return Money(0, code).currency
        except Invalid:
            self._say(key, "the code of a currency")
            return _NO_CURRENCY

    def money(self, key: str, currency: str) -> Money:
        """Return an amount, rounded half-even to nano-units of the currency; 0 where there is none.

        A float counts as the decimal number that it is written as.
        """
        value = self.raw.get(key)
        if value is None:
            return Money(0, currency)
        try:
            if isinstance(value, int | float) and not isinstance(value, bool):
                exact = Decimal(repr(value)) * NANOS
                return Money(int(exact.to_integral_value(ROUND_HALF_EVEN)), currency)
        except (ArithmeticError, ValueError):
            # Infinite, or beyond what 64 bits of nano-units hold.
            self._say(key, "an amount that can be kept")
            return Money(0, currency)
        self._say(key, "an amount of money")
        return Money(0, currency)


def is_id(value: object) -> bool:
    """Tell whether a value can be an id as it is."""
    try:
        check_text(value, field="id", limit=MAX_ID_BYTES, limit_name="max_id_bytes")
    except Invalid:
        return False
    return True


def fit(text: str, limit: int) -> str:
    """Return `text` without lone surrogates and cut to at most `limit` UTF-8 bytes."""
    if text.isascii() and len(text) <= limit:
        return text
    data = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").encode()
    return data[:limit].decode("utf-8", "ignore")


def _show(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
