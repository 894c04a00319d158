"""Bodies lean on a dictionary where somebody asked for it, of the size that was asked for."""

from __future__ import annotations

from pathlib import Path

import pytest

import ropewalk
from ropewalk.config import Config
from ropewalk.domain.errors import Invalid

from .talk import furnish, heard, seals, talk

pytestmark = pytest.mark.seed("6.4")


async def test_who_did_not_ask_for_it_reads_what_leans(tmp_path: Path) -> None:
    """Nothing that is written leans on anything, and nothing is made."""
    url = f"sqlite:///{tmp_path / 'store.db'}"
    async with ropewalk.open(url) as storage:
        await furnish(storage)
        *texts, thread = await talk(storage, 2)
    assert 0 == Config(url=url).dictionary
    async with ropewalk.open(Config(url=url)) as storage:
        assert texts == await heard(storage, thread)
        before = await seals(storage.migrations.backend, "message")
        await talk(storage, 2, first=50)
        after = await seals(storage.migrations.backend, "message")
        assert {"msgpack|crc32"} == after - before


def test_how_long_dictionaries_may_be(tmp_path: Path) -> None:
    """Bytes, true or false; a variable counts more than a file, and what is no size is refused."""
    assert 0 == Config.load(folder=tmp_path, environ={}).dictionary
    (tmp_path / "ropewalk.toml").write_text("dictionary = true", encoding="utf-8")
    told = Config.load(folder=tmp_path, environ={})
    assert 65_536 == told.dictionary
    assert told.origin("dictionary").endswith("ropewalk.toml")
    for text, size in (("4096", 4_096), ("false", 0), ("0", 0), ("true", 65_536)):
        environ = {"ROPEWALK_DICTIONARY": text}
        assert size == Config.load(folder=tmp_path, environ=environ).dictionary
    for value in ("much", 1.5, None):
        with pytest.raises(Invalid, match="dictionary must be true, false, or a number of bytes"):
            Config.from_mapping({"dictionary": value})
    for size in (-1, 1, 1_023, 2**20 + 1):
        with pytest.raises(Invalid, match="dictionary must be 0"):
            Config.from_mapping({"dictionary": size})
        with pytest.raises(Invalid, match="dictionary must be 0"):
            Config(dictionary=size)
