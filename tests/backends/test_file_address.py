"""`file:` URLs name a folder of this machine and how its store behaves, or are refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from ropewalk.backends.file import FileBackend
from ropewalk.backends.file.address import Options, parse
from ropewalk.domain.clock import FrozenClock
from ropewalk.domain.errors import Invalid
from ropewalk.domain.ports import Capability


@pytest.mark.seed("2.4", "9.4")
@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("file:///store", "store"),
        ("file:///deep/er/store", "deep/er/store"),
        ("file:////var/lib/store", "/var/lib/store"),
        ("file:////var/a%20b/%C3%B6%3F%23", "/var/a b/ö?#"),
        ("file:///a#b", "a#b"),
        ("file:////", "/"),
        ("file:///..", ".."),
    ],
)
def test_a_url_names_a_folder(url: str, path: str) -> None:
    """Three slashes begin a relative path, four an absolute one; escapes are decoded."""
    assert (Path(path), Options()) == parse(url, {})


@pytest.mark.seed("2.4", "9.4")
def test_options_stand_in_the_query_or_are_given() -> None:
    """Options are read from text and from values; one that is given wins over the query."""
    url = "file:///store?sync=normal&lock_timeout=2.5&min_free_bytes=7"
    options = Options(sync="normal", lock_timeout=2.5, min_free_bytes=7)
    assert (Path("store"), options) == parse(url, {})
    given: dict[str, object] = {"sync": "normal", "lock_timeout": 2.5, "min_free_bytes": 7}
    assert (Path("store"), options) == parse("file:///store?sync=full", given)


@pytest.mark.seed("1.5", "2.4")
@pytest.mark.parametrize(
    "url",
    [
        "file://",
        "file:///",
        "file://host/store",
        "file:store",
        "file:///a%00b",
        "file:///%ff",
        "file:///store?sync",
    ],
)
def test_what_names_no_folder_is_refused(url: str) -> None:
    """Another machine, no path, a NUL, bytes that are no text: `Invalid`, naming the URL."""
    with pytest.raises(Invalid) as caught:
        parse(url, {})
    assert ("bad_url", "url") == (caught.value.code, caught.value.facts["field"])


@pytest.mark.seed("1.5", "2.4")
@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("lock_timout", "3", "lock_timeout"),
        ("sink", "full", "sync"),
        ("sync", "always", "full, normal"),
        ("sync", True, "full, normal"),
        ("lock_timeout", "soon", "number"),
        ("lock_timeout", "-1", "0 or more"),
        ("lock_timeout", "inf", "0 or more"),
        ("lock_timeout", "nan", "0 or more"),
        ("lock_timeout", True, "number"),
        ("lock_timeout", None, "number"),
        ("min_free_bytes", "-1", "0 or more"),
        ("min_free_bytes", "1.5", "number"),
    ],
)
def test_a_wrong_option_is_refused(name: str, value: object, words: str) -> None:
    """An unknown option is `Invalid` with the nearest one, a wrong value with what is allowed."""
    with pytest.raises(Invalid, match=words) as caught:
        FileBackend.from_url("file:///store", clock=FrozenClock(), **{name: value})
    assert name == caught.value.facts["field"]


@pytest.mark.seed("2.4")
async def test_a_store_is_made_from_a_url(tmp_path: Path) -> None:
    """A URL is all it takes; the store declares every power there is."""
    root = tmp_path / "my store"
    url = f"file:///{str(root).replace(' ', '%20')}?sync=normal"
    backend = FileBackend.from_url(url, clock=FrozenClock())
    assert root == backend.root
    assert set(Capability) == backend.capabilities
    await backend.open()
    assert (root / "ropewalk.json").is_file()
    await backend.close()
