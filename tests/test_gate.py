"""The front gate: what `import ropewalk` offers, and what it costs."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import ropewalk
from ropewalk.domain import errors

ROOT = Path(__file__).parents[1]


def test_every_public_name_is_there() -> None:
    """Each name loads, stays, and is listed; there are about forty of them, and the old ones."""
    assert all(getattr(ropewalk, name) is getattr(ropewalk, name) for name in ropewalk.__all__)
    assert set(ropewalk.__all__) <= set(dir(ropewalk))
    ours = [name for name in ropewalk.__all__ if not name.startswith("Storage")]
    assert sorted(set(ours)) == ours
    assert len(ours) <= 40


def test_what_is_not_there_is_an_attribute_error() -> None:
    """A misspelt name is the error that Python gives, naming it."""
    with pytest.raises(AttributeError, match="has no attribute 'opennn'"):
        getattr(ropewalk, "opennn")  # noqa: B009 (the type checkers would refuse the plain form)


@pytest.mark.seed("1.5")
def test_the_names_of_the_specification() -> None:
    """Programs written against the specification find its errors, and they are ours."""
    old = {
        "StorageError": errors.RopewalkError,
        "StorageConnectionError": errors.Unavailable,
        "StorageTransactionError": errors.Conflict,
        "StorageValidationError": errors.Invalid,
        "StorageNotFoundError": errors.NotFound,
    }
    assert old == {name: getattr(ropewalk, name) for name in old}


def test_importing_loads_almost_nothing() -> None:
    """Until a name is asked for, no module of ours is loaded but the package itself."""
    code = "import sys, ropewalk; print([m for m in sys.modules if m.startswith('ropewalk')])"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "['ropewalk']" == run.stdout.strip()


def test_an_error_costs_no_store() -> None:
    """Asking for the errors loads the ground floor alone."""
    code = (
        "import sys; from ropewalk import NotFound, Session\n"
        "print(sorted(m for m in sys.modules if m.startswith('ropewalk.') and m.count('.') == 1))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "['ropewalk.domain']" == run.stdout.strip()


def test_the_version_is_the_one_of_the_distribution() -> None:
    """The package says the version that pyproject.toml has."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert project["version"] == ropewalk.__version__


def test_the_package_is_a_command() -> None:
    """`python -m ropewalk` is the command."""
    command = [sys.executable, "-m", "ropewalk", "--version"]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    assert f"ropewalk {ropewalk.__version__}" == run.stdout.strip()
