"""A back end of somebody else is found by its entry point, and Ropewalk needs no change for it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib import import_module
from importlib.metadata import distributions
from pathlib import Path
from typing import cast

import pytest

from ropewalk.domain.clock import FrozenClock
from ropewalk.domain.ports import Backend
from ropewalk.factory import AddressedBackend
from ropewalk.testing.backend import CoreContract

from ..forked import run_forked

pytestmark = pytest.mark.seed("9.1")

PROGRAM = """
import asyncio, json, sys
import ropewalk

async def main():
    before = sorted(name for name in sys.modules if name.startswith("ropewalk_plugin_sample"))
    told = {"known": ropewalk.available_backends(), "before": before}
    async with ropewalk.open(*sys.argv[1:]) as storage:
        session = await storage.sessions.create(title="Rome", user_id="u1")
        thread = await storage.threads.create(session_id=session.id, title="trains")
        await storage.history.add_message(thread_id=thread.id, role="user", content="find one")
        saved = await storage.checkpoints.save(thread.id, {"plan": ["search"]})
        told["state"] = (await storage.checkpoints.load(saved.id)).state
        told["title"] = (await storage.sessions.get(session.id)).title
        told["capabilities"] = sorted(storage.capabilities)
        for name, ask in {"feed": storage.feed().__anext__, "tally": storage.kinds}.items():
            try:
                await ask()
            except ropewalk.Invalid as error:
                told[name] = [error.code, str(error)]
        await storage.switch("memory://")
        told["moved"] = (await storage.sessions.get(session.id)).title
        told["after"] = sorted(storage.capabilities)
    print(json.dumps(told))

asyncio.run(main())
"""


def _environment(site: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ROPEWALK_")}
    return {**kept, "PYTHONPATH": str(site)}


def _run(site: Path, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run the program in a process that sees what is installed in `site`."""
    environment = {**_environment(site), **environ}
    return run_forked(["-c", PROGRAM, *arguments], cwd=site, env=environment)


def test_it_is_really_installed(site: Path) -> None:
    """The folder holds a distribution with its metadata, as pip leaves it."""
    (found,) = [d for d in distributions(path=[str(site)]) if d.name == "ropewalk-plugin-sample"]
    points = {(point.group, point.name) for point in found.entry_points}
    assert {("ropewalk.backends", "sample"), ("ropewalk.backends", "damaged")} == points


@pytest.mark.seed("1.4", "2.4")
@pytest.mark.parametrize("by", ["argument", "environment", "file"])
def test_another_process_opens_it_by_url(site: Path, tmp_path: Path, by: str) -> None:
    """A program names the URL, or only its configuration does; everything works through it."""
    file = tmp_path / "settings.toml"
    file.write_text("url = 'sample://lab'\n[backend.sample]\nmost = 50\n", "utf-8")
    if by == "argument":
        run = subprocess.run(
            [sys.executable, "-c", PROGRAM, "sample://lab?most=50"],
            cwd=site,
            env=_environment(site),
            capture_output=True,
            text=True,
            check=False,
        )
    elif by == "environment":
        run = _run(site, ROPEWALK_URL="sample://lab", ROPEWALK_BACKEND_SAMPLE_MOST="50")
    else:
        run = _run(site, ROPEWALK_CONFIG=str(file))
    assert ("", 0) == (run.stderr, run.returncode)
    told = json.loads(run.stdout)
    assert ["damaged", "file", "memory", "sample", "sqlite"] == told["known"]
    assert [] == told["before"]
    assert ({"plan": ["search"]}, "Rome", "Rome") == (told["state"], told["title"], told["moved"])
    assert ([], ["feed", "tally"]) == (told["capabilities"], told["after"])


@pytest.mark.seed("1.3")
def test_what_it_cannot_do_is_refused_loudly(site: Path) -> None:
    """A power that it does not declare is an error that names the power, not an empty answer."""
    told = json.loads(_run(site, "sample://lab").stdout)
    assert ["unsupported", "unsupported"] == [told[name][0] for name in ("feed", "tally")]
    assert "has no capability 'feed'; it has: none" in told["feed"][1]
    assert "has no capability 'tally'; it has: none" in told["tally"][1]


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("samplee://lab", "there is no back end 'samplee'; did you mean 'sample'?"),
        ("sample://lab?mots=5", "sample has no option 'mots'; did you mean 'most'?"),
        ("sample://lab?most=few", "most must be a number of records, not 'few'"),
        ("sample://lab?most=2", "holds at most 2 records"),
        ("damaged://lab", "the distribution 'ropewalk-plugin-sample' should bring the back end"),
    ],
)
def test_what_is_wrong_with_it_is_said(site: Path, url: str, said: str) -> None:
    """A misspelt name, a wrong option, a full store, a plug-in that does not load."""
    run = _run(site, url)
    assert 1 == run.returncode
    assert said in run.stderr
    assert "ropewalk.domain.errors.Invalid" in run.stderr


@pytest.mark.seed("1.3")
class TestSample(CoreContract):
    """The installed back end keeps what every back end owes."""

    @pytest.fixture
    async def backend(
        self, clock: FrozenClock, site: Path, monkeypatch: pytest.MonkeyPatch
    ) -> Backend:
        """Return an open store of the installed class."""
        monkeypatch.setattr(sys, "path", [str(site), *sys.path])
        module = import_module("ropewalk_plugin_sample.backend")
        assert Path(str(module.__file__)).is_relative_to(site)
        cls = cast("type[AddressedBackend]", module.SampleBackend)
        backend = cls.from_url("sample://lab", clock=clock)
        await backend.open()
        return backend
