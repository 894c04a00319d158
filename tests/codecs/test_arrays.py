"""Arrays and scalars of numpy come back with type, shape, order and every bit."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pytest
from ormsgpack import Ext, packb

from ropewalk.codecs import format as code
from ropewalk.codecs.allowlist import TypeRegistry
from ropewalk.codecs.serialize import MsgPack
from ropewalk.domain.errors import Invalid
from ropewalk.testing.values import Value, same

PACK = MsgPack(TypeRegistry())

ARRAYS = [
    np.arange(6).reshape(2, 3),
    np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    np.arange(24, dtype=">i2").reshape(2, 3, 4)[:, ::2, ::-1],
    np.array(5),
    np.array([]),
    np.empty((0, 3), dtype="f4"),
    np.array([np.nan, np.inf, -0.0], dtype="f2"),
    np.array([1 + 2j], dtype="c8"),
    np.array([True, False]),
    np.array(["2026-01-01", "NaT"], dtype="M8[D]"),
    np.array([5], dtype="m8[us]"),
    np.array(["a", "\u4e2d\U0001f9f6", ""]),
    np.array([b"a", b"bc"]),
    np.array([[["x"]]]),
]

SCALARS = [
    np.float64(1.5),
    np.float32("nan"),
    np.int8(-1),
    np.uint64(2**64 - 1),
    np.bool_(True),  # noqa: FBT003
    np.complex128(1j),
    np.str_("ends in nothing\0"),
    np.str_(""),
    np.str_("\u4e2d"),
    np.bytes_(b"a\0"),
    np.bytes_(b""),
    np.datetime64("2026-01-01T00:00:00.000001"),
    np.timedelta64("NaT", "s"),
    np.longdouble("0.1"),
]


@pytest.mark.parametrize("value", ARRAYS + SCALARS, ids=lambda value: f"{value.dtype}{value.shape}")
def test_it_comes_back(value: Value) -> None:
    """Nothing is converted, alone, nested, or beside plain values."""
    for whole in (value, {"k": [value, 1]}, (value,), {"k": {1: value}}):
        assert same(whole, PACK.loads(PACK.dumps(whole)))


@pytest.mark.parametrize("value", SCALARS[:7], ids=repr)
def test_scalars_are_keys(value: Value) -> None:
    """A scalar of numpy as a key stays one."""
    (key,) = PACK.loads(PACK.dumps({value: 1}))
    assert same(value, key)


def test_an_array_is_the_callers_own() -> None:
    """What was read may be changed, and keeps its order in memory."""
    rows, columns = PACK.loads(PACK.dumps(ARRAYS[:2]))
    rows[0, 0] = 9
    assert [9, 1, 2] == rows[0].tolist()
    assert (True, True) == (rows.flags.c_contiguous, columns.flags.f_contiguous)
    assert (True, True) == (rows.flags.owndata, columns.flags.writeable)


class Marked(np.ndarray[Any, Any]):
    """An array of its own kind."""


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (np.array([object()]), r"numpy elements of dtype\('O'\)"),
        (np.array([(1, 2.0)], dtype=[("a", "i4"), ("b", "f8")]), "numpy elements of dtype"),
        (np.array([(1, 2.0)], dtype=[("a", "i4"), ("b", "f8")])[0], "numpy elements of dtype"),
        (np.ma.masked_array([1, 2], mask=[False, True]), "holds a MaskedArray"),
        (np.arange(3).view(Marked), "holds a Marked"),
        (np.zeros(3, dtype="V4"), "numpy elements of dtype"),
    ],
    ids=["objects", "fields", "void", "masked", "subclass", "raw"],
)
def test_what_would_lose_something_is_refused(value: Value, words: str) -> None:
    """Objects, fields, masks and subclasses are refused by their path."""
    with pytest.raises(Invalid, match=rf"^state\.x .*{words}"):
        PACK.dumps({"state": {"x": value}})


def test_elements_that_this_machine_lacks_are_no_damage() -> None:
    """A type of elements that numpy does not know here is named."""
    with pytest.raises(Invalid, match="no numpy elements of '<f99'") as caught:
        PACK.loads(packb(Ext(code.ARRAY, packb(["<f99", "C", [1], b"x"]))))
    assert "bad_dtype" == caught.value.code


def test_a_program_without_numpy_is_told_what_it_lacks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reading an array without numpy is an error that names the package."""
    data = PACK.dumps({"k": np.arange(3)})
    monkeypatch.setitem(sys.modules, "numpy", None)
    with pytest.raises(Invalid, match=r"install ropewalk\[numpy\]") as caught:
        PACK.loads(data)
    assert "missing_package" == caught.value.code


def test_a_program_without_numpy_writes_everything_else(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing else asks for numpy."""
    monkeypatch.delitem(sys.modules, "numpy")
    with pytest.raises(Invalid, match="holds a object"):
        PACK.dumps([object()])
    assert [(1,)] == PACK.loads(PACK.dumps([(1,)]))
