"""Names lead to classes: built in, installed, configured or added, and loaded when asked for."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from ropewalk import backends, codecs, layers, sources
from ropewalk.domain.errors import Conflict, Invalid
from ropewalk.registry import Registry

pytestmark = pytest.mark.seed("9.1", "9.5")

GROUP = "ropewalk.test_things"


class Thing:
    """Something that can do what a registry asks for."""

    def work(self) -> str:
        """Work."""
        return "done"


class Other(Thing):
    """Another one."""


def _registry(builtin: dict[str, str] | None = None) -> Registry[Thing]:
    table = {"thing": "backends.memory:MemoryBackend"} if builtin is None else builtin
    return Registry("thing", table, group=GROUP)


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of installed distributions, in which a test may put some."""
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    return tmp_path


def _install(folder: Path, distribution: str, entry_points: str, module: str = "") -> None:
    """Put what pip leaves behind of a distribution into `folder`."""
    info = folder / f"{distribution.replace('-', '_')}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[{GROUP}]\n{entry_points}\n")
    if module:
        name = distribution.replace("-", "_")
        (folder / f"{name}.py").write_text(module)


def test_a_built_in_name() -> None:
    """A name of the table leads to the class that stands there, from our package on."""
    registry = _registry({"memory": "backends.memory:MemoryBackend"})
    assert "MemoryBackend" == registry.load("memory").__name__
    assert (("memory",), True, False) == (
        registry.names(),
        registry.knows("memory"),
        registry.knows("sqlite"),
    )


@pytest.mark.parametrize("room", [backends, codecs, layers, sources])
def test_every_built_in_name_loads(room: object) -> None:
    """Each table of the house is true: every name has its class."""
    table: dict[str, str] = dict(getattr(room, "BUILTIN"))  # noqa: B009
    registry: Registry[object] = Registry("thing", table, group=GROUP)
    assert table
    assert all(isinstance(registry.load(name), type) for name in registry.names())


def test_nothing_is_loaded_before_it_is_needed() -> None:
    """Naming all back ends imports none of them, and loading one imports no other."""
    code = (
        "import sys, ropewalk\n"
        "names = ropewalk.available_backends()\n"
        "def loaded():\n"
        "    return {m.split('.')[2] for m in sys.modules if m.startswith('ropewalk.backends.')}\n"
        "ours = loaded()\n"
        "from ropewalk.factory import BACKENDS\n"
        "BACKENDS.load('memory')\n"
        "others = loaded() & {'file', 'sqlite'}\n"
        "print(*names, ours, others, 'memory' in loaded(), 'apsw' in sys.modules)\n"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "file memory sqlite set() set() True False" == run.stdout.strip()


def test_an_unknown_name() -> None:
    """The error has the nearest name and all that there are."""
    registry = _registry({"sqlite": "a:B", "memory": "a:C"})
    with pytest.raises(Invalid, match="no thing 'sqlit'; did you mean 'sqlite'") as caught:
        registry.load("sqlit")
    assert ("unknown_name", "sqlit") == (caught.value.code, caught.value.facts["name"])
    assert "known: memory, sqlite" in caught.value.message


def test_a_class_added_at_run_time() -> None:
    """From now on its name is known; adding the same class again is no error."""
    registry = _registry()
    registry.register("mine+tls.v2", Thing)
    registry.register("mine+tls.v2", Thing)
    assert registry.load("mine+tls.v2") is Thing
    assert ("mine+tls.v2", "thing") == registry.names()


def test_a_name_that_is_taken() -> None:
    """Nobody takes the place of a name by accident, be it built in or added; on purpose one may."""
    registry = _registry()
    registry.register("mine", Thing)
    for name in ("mine", "thing"):
        with pytest.raises(Conflict, match="already") as caught:
            registry.register(name, Other)
        assert "name_taken" == caught.value.code
        registry.register(name, Other, replace=True)
        assert registry.load(name) is Other


@pytest.mark.parametrize("name", ["", "Mine", "1st", "my name", "a/b", "a:b", "é", "-a"])
def test_a_name_that_could_not_stand_in_a_url(name: str) -> None:
    """Such a name is refused, and nothing is added."""
    registry = _registry()
    with pytest.raises(Invalid, match="cannot be the name"):
        registry.register(name, Thing)
    assert ("thing",) == registry.names()


def test_a_class_that_lacks_something() -> None:
    """What a class must have is checked when it is added, and when it is loaded."""
    registry: Registry[Thing] = Registry(
        "thing", {"memory": "backends.memory:MemoryBackend"}, group=GROUP, needs=("work", "rest")
    )
    with pytest.raises(Invalid, match="brings a thing 'mine' that lacks rest"):
        registry.register("mine", Thing)
    with pytest.raises(Invalid, match="a thing 'memory' that lacks work, rest"):
        registry.load("memory")
    assert not registry.knows("mine")


def test_an_installed_distribution(installed: Path) -> None:
    """Its entry point is found as soon as it is there, also after others were asked for."""
    registry = _registry()
    registry.load("thing")
    assert not registry.knows("wool")
    module = "class Wool:\n    pass\n"
    _install(installed, "yarn-wool", "wool = yarn_wool:Wool", module)
    assert ("thing", "wool") == registry.names()
    assert registry.knows("wool")
    assert ("yarn_wool", "Wool") == (
        registry.load("wool").__module__,
        registry.load("wool").__name__,
    )


@pytest.mark.parametrize(
    ("place", "said"),
    [
        ("yarn_none:Wool", "ModuleNotFoundError"),
        ("yarn_bad:Wool", "ZeroDivisionError"),
        ("yarn_bad_name:Wool", "ModuleNotFoundError"),
        ("yarn_bad:", "ZeroDivisionError"),
    ],
)
def test_a_broken_distribution_is_named(installed: Path, place: str, said: str) -> None:
    """What does not load is an error that names the distribution, the place and the trouble."""
    _install(installed, "yarn-bad", f"wool = {place}", "1 / 0\n")
    with pytest.raises(Invalid) as caught:
        _registry().load("wool")
    assert "broken_plugin" == caught.value.code
    assert all(part in caught.value.message for part in ("'yarn-bad'", "'wool'", place, said))
    assert caught.value.__cause__ is not None


def test_an_entry_point_that_is_no_class(installed: Path) -> None:
    """A function is not a class, and the error says who brought it."""
    _install(installed, "yarn-odd", "wool = yarn_odd:wool", "def wool(): pass\n")
    with pytest.raises(Invalid, match="'yarn-odd' brings a thing 'wool' that is no class"):
        _registry().load("wool")


def test_two_distributions_with_one_name(installed: Path) -> None:
    """Which of them is meant cannot be known: both are named, and none is loaded."""
    for name in ("yarn-one", "yarn-two"):
        _install(installed, name, f"wool = {name.replace('-', '_')}:Wool", "1 / 0\n")
    with pytest.raises(Invalid, match="several distributions: yarn-one, yarn-two"):
        _registry().load("wool")


@pytest.mark.seed("10.4")
def test_no_distribution_takes_a_built_in_place(installed: Path) -> None:
    """A distribution that promises a built-in name is not even imported."""
    _install(installed, "yarn-thief", "thing = yarn_thief:Thing", "1 / 0\n")
    registry = _registry()
    assert "MemoryBackend" == registry.load("thing").__name__
    assert ("thing",) == registry.names()


@pytest.mark.seed("9.4")
def test_classes_of_a_configuration() -> None:
    """A configuration brings classes of its own, for itself; what is added later counts there."""
    registry = _registry()
    place = "ropewalk.domain.clock:FrozenClock"
    ours = registry.extended({"clock": place}, origin="my settings")
    assert "FrozenClock" == ours.load("clock").__name__
    assert ("clock", "thing") == ours.names()
    assert ("thing",) == registry.names()
    registry.register("late", Thing)
    assert ours.load("late") is Thing


@pytest.mark.seed("9.4")
@pytest.mark.parametrize(
    ("name", "place", "said"),
    [
        ("thing", "a.b:C", "my settings names the thing 'thing', which is built in"),
        ("new", "a.b.C", "must give 'module:Class'"),
        ("new", ".a:B", "must give 'module:Class'"),
        ("new", "a;b:C", "must give 'module:Class'"),
    ],
)
def test_wrong_classes_of_a_configuration(name: str, place: str, said: str) -> None:
    """A place that is none, or a name that is built in, is refused naming the setting."""
    with pytest.raises(Invalid, match=said):
        _registry().extended({name: place}, origin="my settings")


@pytest.mark.seed("9.4")
def test_a_missing_class_of_a_configuration() -> None:
    """What a setting promises and nobody has is an error that names the setting."""
    ours = _registry().extended({"new": "ropewalk.domain.clock:Sundial"}, origin="my settings")
    with pytest.raises(Invalid, match=r"my settings \(ropewalk.domain.clock:Sundial\)"):
        ours.load("new")
