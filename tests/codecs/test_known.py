"""Classes of well-known libraries need no registration, and nothing else is imported."""

from __future__ import annotations

import sys
from pathlib import Path
from textwrap import dedent

import pytest

from ropewalk.codecs.allowlist import Opaque, TypeRegistry
from ropewalk.codecs.known import KNOWN
from ropewalk.codecs.serialize import MsgPack
from ropewalk.domain.errors import Invalid

LIBRARY = dedent(
    '''
    """A library that many programs use."""
    from dataclasses import dataclass

    @dataclass
    class Message:
        text: str

    @dataclass
    class Other:
        text: str

    class Nested:
        @dataclass
        class Message:
            text: str
    '''
)


@pytest.fixture
def library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Install a library of two modules, which nobody has imported yet; return its name."""
    name = "chatter"
    folder = tmp_path / name
    folder.mkdir()
    (folder / "__init__.py").write_text("from .inner import Message\n")
    (folder / "inner.py").write_text(LIBRARY)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    for module in (name, f"{name}.inner"):
        monkeypatch.delitem(sys.modules, module, raising=False)
    return name


def test_a_known_class_is_kept_without_registration(library: str) -> None:
    """A class on the list is written and read, from wherever its library really defines it."""
    from importlib import import_module

    known = {"chatter.Message": f"{library}:Message"}
    value = import_module(f"{library}.inner").Message("hi")
    data = MsgPack(TypeRegistry(known=known)).dumps([value])
    assert b"chatter.Message" in data
    assert [value] == MsgPack(TypeRegistry(known=known)).loads(data)


def test_a_library_is_imported_when_its_value_is_met(library: str) -> None:
    """Reading imports what the list says, writing nothing that is not there already."""
    known = {"chatter.Message": f"{library}:Message"}
    pack = MsgPack(TypeRegistry(known=known))
    data = pack.dumps(Opaque("chatter.Message", pack.dumps({"text": "hi"})))
    assert library not in sys.modules
    assert "hi" == pack.loads(data).text
    assert library in sys.modules


def test_what_is_not_on_the_list_is_not_known(library: str) -> None:
    """Other classes of the library, and those of the same name, are refused."""
    from importlib import import_module

    inner = import_module(f"{library}.inner")
    pack = MsgPack(TypeRegistry(known={"chatter.Message": f"{library}:Message"}))
    for value in (inner.Other("x"), inner.Nested.Message("x")):
        with pytest.raises(Invalid, match="not registered"):
            pack.dumps(value)


def test_a_library_that_is_missing_leaves_its_values_opaque() -> None:
    """A value of a library that is not installed is kept as it is."""
    known = {"gone.Message": "no_such_library_here:Message", "gone.Name": "sys:no_such_class"}
    pack = MsgPack(TypeRegistry(known=known))
    for tag in known:
        value = Opaque(tag, pack.dumps({"text": "hi"}))
        assert value == pack.loads(pack.dumps(value))


def test_the_list_is_of_messages_and_documents() -> None:
    """What is known beforehand is what chains of language models pass around."""
    assert {"langchain.HumanMessage", "langchain.AIMessage", "langchain.Document"} <= KNOWN.keys()
    modules = {place.partition(":")[0] for place in KNOWN.values()}
    assert {"langchain_core.messages", "langchain_core.documents"} == modules
