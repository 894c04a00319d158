"""`schema_of` asks the back end of a URL for the form of its store, wherever it comes from."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from ropewalk.config import Config
from ropewalk.domain.errors import Invalid, RopewalkError
from ropewalk.factory import schema_of

_BARE = '''"""A back end from elsewhere."""
from ropewalk.backends.memory import MemoryBackend
from ropewalk.layers.base import Layer


class Bare(Layer):
    @classmethod
    def from_url(cls, url, *, clock, **options):
        return cls(MemoryBackend(clock=clock))


class Told(Bare):
    @property
    def schema(self):
        return self.below.schema
'''


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, dict[str, str]]:
    """Return the configuration of two back ends that another distribution brings."""
    (tmp_path / "bare_elsewhere.py").write_text(_BARE, "utf-8")
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    return {"backends": {"bare": "bare_elsewhere:Bare", "told": "bare_elsewhere:Told"}}


async def test_the_form_is_told_without_opening(tmp_path: Path) -> None:
    """A URL is enough, and nothing is made by asking."""
    assert "memory" == (await schema_of("memory://").status()).form
    for url in (f"sqlite:///{tmp_path / 'a.db'}", f"file:///{tmp_path / 'a'}"):
        schema = schema_of(url)
        assert [] == list(tmp_path.iterdir())
        with pytest.raises(RopewalkError, match=r"no folder|cannot be opened"):
            await schema.status()
        assert [] == list(tmp_path.iterdir())


async def test_a_back_end_from_elsewhere_may_tell_its_form(
    elsewhere: dict[str, dict[str, str]],
) -> None:
    """One that has a schema is asked; one that has none is named, with what to do."""
    told = Config.from_mapping({"url": "told://", "plugins": elsewhere})
    assert 1 == (await schema_of(told).status()).found
    with pytest.raises(Invalid, match="bare://: this back end does not tell") as caught:
        schema_of(Config.from_mapping({"url": "bare://", "plugins": elsewhere}))
    assert "unsupported" == caught.value.code
