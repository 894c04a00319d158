"""A URL names the file and says how to treat it; what it cannot mean is refused with a hint."""

from __future__ import annotations

from pathlib import Path

import pytest

from ropewalk.backends.sqlite import SqliteBackend
from ropewalk.backends.sqlite.options import Options, file_at, options_of, path_of
from ropewalk.domain.clock import FrozenClock
from ropewalk.domain.errors import Invalid
from ropewalk.testing.samples import put, write

CLOCK = FrozenClock()


@pytest.mark.seed("2.4")
@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("sqlite:///agent.db", "{here}/agent.db"),
        ("sqlite:///data/agent.db", "{here}/data/agent.db"),
        ("sqlite:////var/lib/agent.db", "/var/lib/agent.db"),
        ("sqlite:////var/two%20words/%C3%A9.db", "/var/two words/é.db"),
        ("sqlite:////var/agent.db?sync=full", "/var/agent.db"),
        ("sqlite:////var/100%25?busy_timeout=2", "/var/100%"),
        ("sqlite:////var/what%3F.db", "/var/what?.db"),
    ],
)
def test_a_url_names_a_file(
    url: str, expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three slashes begin a relative path, four an absolute one; both are percent-decoded."""
    monkeypatch.chdir(tmp_path)
    store = SqliteBackend.from_url(url, clock=CLOCK)
    assert expected.format(here=tmp_path) == store.path


async def test_a_relative_path_stays_where_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A store is where it was made, also if the program changes its folder before opening it."""
    monkeypatch.chdir(tmp_path)
    store = SqliteBackend.from_url("sqlite:///agent.db", clock=CLOCK)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    await store.open()
    await write(store, put("a"))
    await store.close()
    assert (tmp_path / "agent.db").is_file()


@pytest.mark.seed("1.5", "2.4")
@pytest.mark.parametrize(
    "url",
    [
        "sqlite://",
        "sqlite:///",
        "sqlite:////",
        "sqlite:///:memory:",
        "sqlite://agent.db",
        "sqlite:///a%00b.db",
        "sqlite:///folder/",
        "sqlite:///a%ff.db",
    ],
)
def test_a_url_without_a_file_is_invalid(url: str) -> None:
    """What names no file is refused, with the form that it should have."""
    with pytest.raises(Invalid, match=r"sqlite:///"):
        SqliteBackend.from_url(url, clock=CLOCK)


@pytest.mark.seed("2.4")
@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, Options()),
        (
            {
                "sync": "full",
                "busy_timeout": "0.5",
                "readers": "3",
                "verify": "on",
                "loop_budget": "2.5",
            },
            Options(sync="full", busy_timeout=0.5, readers=3, verify=True, loop_budget=2.5),
        ),
        (
            {"sync": "normal", "busy_timeout": 7, "readers": 1, "verify": False},
            Options(sync="normal", busy_timeout=7.0, readers=1, verify=False),
        ),
        ({"busy_timeout": 0, "verify": "no"}, Options(busy_timeout=0.0)),
        ({"loop_budget": 0}, Options(loop_budget=0.0)),
    ],
)
def test_options_are_read(given: dict[str, object], expected: Options) -> None:
    """Options come as texts out of a URL or as values out of a program, and mean the same."""
    assert expected == options_of(given)


@pytest.mark.seed("2.4")
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("sync", "off"),
        ("sync", None),
        ("busy_timeout", "soon"),
        ("busy_timeout", -1),
        ("busy_timeout", "inf"),
        ("busy_timeout", "nan"),
        ("busy_timeout", True),
        ("busy_timeout", []),
        ("readers", 0),
        ("readers", 65),
        ("readers", 2.5),
        ("readers", "many"),
        ("readers", True),
        ("loop_budget", -0.5),
        ("loop_budget", "all"),
        ("loop_budget", "inf"),
        ("loop_budget", False),
        ("verify", "perhaps"),
        ("verify", 2),
    ],
)
def test_a_value_without_meaning_is_invalid(name: str, value: object) -> None:
    """A value that an option cannot have is `Invalid`, naming the option and the value."""
    with pytest.raises(Invalid, match=name) as caught:
        options_of({name: value})
    assert (name, "bad_option") == (caught.value.facts["field"], caught.value.code)


@pytest.mark.seed("2.4")
@pytest.mark.parametrize(
    ("given", "meant"), [("busy_timout", "busy_timeout"), ("Sync", "sync"), ("reader", "readers")]
)
def test_an_unknown_option_is_invalid(given: str, meant: str) -> None:
    """A misspelt option is refused, with the one that was probably meant."""
    with pytest.raises(Invalid, match=f"did you mean '{meant}'"):
        SqliteBackend.from_url(f"sqlite:///a.db?{given}=1", clock=CLOCK)
    with pytest.raises(Invalid, match=f"did you mean '{meant}'"):
        SqliteBackend.from_url("sqlite:///a.db", clock=CLOCK, **{given: 1})


@pytest.mark.seed("2.4")
def test_what_is_passed_by_name_counts_more() -> None:
    """An option of the configuration goes before the same one in the URL."""
    with pytest.raises(Invalid, match="sync"):
        SqliteBackend.from_url("sqlite:///a.db?sync=full", clock=CLOCK, sync="wrong")
    path, options = path_of("sqlite:///a.db?sync=full&readers=4")
    assert ("a.db", {"sync": "full", "readers": 4}) == (path, options)


def test_a_path_may_be_an_object(tmp_path: Path) -> None:
    """A store is made from a path of any kind."""
    assert str(tmp_path / "a.db") == file_at(tmp_path / "a.db")
    assert str(tmp_path / "a.db") == SqliteBackend(str(tmp_path / "a.db"), clock=CLOCK).path
