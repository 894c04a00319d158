"""The address of a store: what is in a URL, what was meant by what is none, what is hidden."""

from __future__ import annotations

import pytest

from ropewalk.domain.address import Option, parsed, redacted, split_url, without_secrets
from ropewalk.domain.errors import Invalid

pytestmark = pytest.mark.seed("2.4")


@pytest.mark.parametrize(
    ("url", "bare", "options"),
    [
        ("memory://", "memory://", {}),
        ("sqlite:///agent.db", "sqlite:///agent.db", {}),
        ("SQLite:////var/lib/agent.db", "sqlite:////var/lib/agent.db", {}),
        ("file:///a%20b/", "file:///a%20b/", {}),
        (
            "sqlite:///a.db?readers=4&busy_timeout=0.5&verify=true&sync=full&x=",
            "sqlite:///a.db",
            {"readers": 4, "busy_timeout": 0.5, "verify": True, "sync": "full", "x": ""},
        ),
        ("redis+tls://host:1/0?db=2", "redis+tls://host:1/0", {"db": 2}),
    ],
)
def test_a_url_and_its_options(url: str, bare: str, options: dict[str, object]) -> None:
    """Options stand behind the question mark; the rest is the backend's to read."""
    assert (bare, options) == split_url(url)


@pytest.mark.parametrize(
    ("url", "meant"),
    [
        ("sqlite:/agent.db", "write sqlite:///agent.db"),
        ("sqlite:agent.db", "write sqlite:///agent.db"),
        ("sqlite:/var/agent.db", "write sqlite:////var/agent.db"),
        ("sqlite://agent.db", "write sqlite:///agent.db (four for an absolute path)"),
        ("file://folder", "write file:///folder"),
        ("agent.db", "write sqlite:///agent.db"),
        ("data/agent.db", "write sqlite:///data/agent.db"),
        ("/var/agent.db", "write sqlite:////var/agent.db"),
        ("store/", "write file:///store"),
        ("memory", "write sqlite:///memory"),
        ("memory:", "write memory://"),
        ("", "for example sqlite:///agent.db"),
        ("  ", "for example sqlite:///agent.db"),
        ("1x://a", "is no URL of a store"),
    ],
)
def test_what_is_no_url_says_what_was_meant(url: str, meant: str) -> None:
    """A path, too few slashes or nothing at all: the message has the right form of it."""
    with pytest.raises(Invalid) as caught:
        split_url(url)
    assert ("bad_url", "url") == (caught.value.code, caught.value.facts["field"])
    assert meant in caught.value.message


def test_the_place_of_a_wrong_url_is_named() -> None:
    """A URL that a file or a variable gave is wrong there."""
    with pytest.raises(Invalid, match=r"^environment ROPEWALK_URL: 'agent\.db' is no URL"):
        split_url("agent.db", origin="environment ROPEWALK_URL")


def test_an_option_twice_is_refused() -> None:
    """Which of two values counts would be a guess."""
    with pytest.raises(Invalid, match="twice"):
        split_url("sqlite:///a.db?readers=1&readers=2")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        *[("0", 0), ("-12", -12), ("007", "007"), ("1.50", 1.5), ("-0.5", -0.5), (".5", ".5")],
        *[("1e5", "1e5"), ("true", True), ("false", False), ("True", "True"), ("", "")],
        *[("nan", "nan"), ("١", "١"), ("full", "full"), ("1_000", "1_000")],
    ],
)
def test_an_option_written_as_text(text: str, value: object) -> None:
    """Plain numbers, true and false are what they say; everything else stays as it is."""
    read = parsed(text)
    assert (type(value), value) == (type(read), read)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://me:hunter2@host/db", "postgresql://me:***@host/db"),
        ("postgresql://:hunter2@host/db", "postgresql://:***@host/db"),
        ("postgresql://me:p:a@ss@host/db", "postgresql://me:***@host/db"),
        ("x://host/?password=a&user=me&api_key=b", "x://host/?password=***&user=me&api_key=***"),
        ("x://host/?auth_token=a&monkey=b", "x://host/?auth_token=***&monkey=b"),
        ("sqlite:///me:you@home.db", "sqlite:///me:you@home.db"),
        ("agent.db", "agent.db"),
    ],
)
def test_a_shown_url_has_no_secrets(url: str, shown: str) -> None:
    """Passwords and keys are replaced, wherever they stand; the rest can still be recognised."""
    assert shown == redacted(url)


def test_an_error_has_no_secrets() -> None:
    """Also what is no URL may hold a password."""
    with pytest.raises(Invalid) as caught:
        split_url("1x://me:hunter2@host?token=hunter2")
    assert "hunter2" not in str(caught.value)


def test_shown_options_have_no_secrets() -> None:
    """Options that are keys, tokens or passwords are hidden by name."""
    options: dict[str, Option] = {
        "password": "a",
        "key": "b",
        "secret_id": "c",
        "readers": 2,
        "keyspace": "d",
    }
    shown = {"password": "***", "key": "***", "secret_id": "***", "readers": 2, "keyspace": "d"}
    assert shown == without_secrets(options)
