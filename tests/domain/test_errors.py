"""Errors say what happened in a sentence, a code and facts, and are what Python would expect."""

from __future__ import annotations

import copy
import pickle

import pytest

from ropewalk.domain import errors
from ropewalk.domain.errors import (
    Conflict,
    Corrupt,
    Denied,
    Invalid,
    NotFound,
    RopewalkError,
    Unavailable,
)
from ropewalk.domain.record import Key

ALL = (NotFound, Conflict, Denied, Invalid, Corrupt, Unavailable)


@pytest.mark.seed("1.5")
@pytest.mark.parametrize("kind", ALL)
def test_an_error_carries_sentence_code_and_facts(kind: type[RopewalkError]) -> None:
    """Each class keeps its message, its own or a given code, and facts by name."""
    plain = kind("it broke")
    assert ("it broke", "it broke", kind.default_code, {}) == (
        str(plain),
        plain.message,
        plain.code,
        plain.facts,
    )
    told = kind("it broke", code="special", key=Key("s", "k", "a"), limit=3)
    assert ("special", {"key": Key("s", "k", "a"), "limit": 3}) == (told.code, told.facts)


@pytest.mark.seed("1.5")
@pytest.mark.parametrize("kind", ALL)
def test_an_error_survives_copying_and_pickling(kind: type[RopewalkError]) -> None:
    """What reaches another task or process is the same error, with code and facts."""
    error = kind("it broke", code="special", key=Key("s", "k", "a"), expected=None)
    for again in (copy.copy(error), pickle.loads(pickle.dumps(error))):  # noqa: S301 (our own)
        assert type(error) is type(again)
        assert (error.message, error.code, error.facts) == (again.message, again.code, again.facts)


@pytest.mark.seed("1.5")
@pytest.mark.parametrize(
    ("kind", "builtin"), [(NotFound, LookupError), (Denied, PermissionError), (Invalid, ValueError)]
)
def test_an_error_is_the_builtin_one_would_expect(
    kind: type[RopewalkError], builtin: type[Exception]
) -> None:
    """A program that knows only Python's own classes catches the right thing."""
    with pytest.raises(builtin, match="it broke"):
        raise kind("it broke", code="special", field="x")
    assert issubclass(kind, RopewalkError)


def test_only_unavailable_is_worth_trying_again() -> None:
    """The same call may succeed later only where the store could not answer."""
    assert [Unavailable] == [kind for kind in ALL if kind.retryable]
    assert len({kind.default_code for kind in ALL}) == len(ALL)


@pytest.mark.seed("1.5")
def test_the_names_of_the_specification_are_the_same_classes() -> None:
    """Programs written against the unified storage specification catch our errors."""
    assert (RopewalkError, Unavailable, Conflict, Invalid, NotFound) == (
        errors.StorageError,
        errors.StorageConnectionError,
        errors.StorageTransactionError,
        errors.StorageValidationError,
        errors.StorageNotFoundError,
    )
