"""Settings come from arguments, the environment, files and defaults, and each says where from."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ropewalk.config import Config, LayerConfig
from ropewalk.domain.errors import Invalid

pytestmark = pytest.mark.seed("2.4", "9.4")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A working directory, two levels below the folder of a project."""
    folder = tmp_path / "project" / "src" / "deep"
    folder.mkdir(parents=True)
    return folder


def _project_file(project: Path, text: str, name: str = "ropewalk.toml") -> Path:
    path = project.parents[1] / name
    path.write_text(text, "utf-8")
    return path


def _user_file(tmp_path: Path, text: str) -> dict[str, str]:
    """Write the user's file and return the environment that leads to it."""
    path = tmp_path / "xdg" / "ropewalk" / "config.toml"
    path.parent.mkdir(parents=True)
    path.write_text(text, "utf-8")
    return {"XDG_CONFIG_HOME": str(tmp_path / "xdg")}


def test_without_anything_there_are_defaults(project: Path) -> None:
    """Everything but the URL has a default, and says so."""
    config = Config.load(folder=project, environ={})
    assert Config() == config
    assert (None, "default", "", ("zstd", "crc32")) == (
        config.url,
        config.space,
        config.actor,
        config.codecs,
    )
    layers = LayerConfig("logs"), LayerConfig("metrics"), LayerConfig("retry")
    assert layers == config.layers
    assert ["default"] * 3 == [config.origin(key) for key in ("url", "space", "layer.retry.first")]


def test_who_counts_more(project: Path, tmp_path: Path) -> None:
    """Argument before environment before project file before user file, value by value."""
    environ = _user_file(
        tmp_path, 'url = "memory://"\nspace = "user"\nactor = "user"\ncodecs = ["zstd"]'
    )
    file = _project_file(
        project, 'url = "file:///p"\nspace = "project"\nactor = "project"\nlayers = ["logs"]'
    )
    environ |= {"ROPEWALK_URL": "file:///e", "ROPEWALK_SPACE": "environment"}
    config = Config.load("memory://", folder=project, environ=environ)
    assert ("memory://", "environment", "project", ("zstd",), (LayerConfig("logs"),)) == (
        config.url,
        config.space,
        config.actor,
        config.codecs,
        config.layers,
    )
    user = tmp_path / "xdg" / "ropewalk" / "config.toml"
    assert {
        "url": "argument",
        "space": "environment ROPEWALK_SPACE",
        "actor": f"project file {file}",
        "layers": f"project file {file}",
        "codecs": f"user file {user}",
    } == {key: config.origin(key) for key in ("url", "space", "actor", "layers", "codecs")}
    del environ["ROPEWALK_URL"]
    inside = Config.load(folder=project, environ=environ)
    assert f"project file {file}" == inside.origin("url")
    outside = Config.load(folder=tmp_path, environ=environ)
    assert (f"user file {user}", "memory://") == (outside.origin("url"), outside.url)


def test_options_of_a_backend_are_told_apart_by_its_name(project: Path, tmp_path: Path) -> None:
    """Each store gets its own options, from everywhere; the nearest to the argument counts."""
    environ = _user_file(tmp_path, "[backend.sqlite]\nreaders = 1\nverify = true\nsync = 'full'")
    file = _project_file(project, "[backend.sqlite]\nreaders = 2\n[backend.file]\nsync = 'normal'")
    environ |= {"ROPEWALK_BACKEND_SQLITE_BUSY_TIMEOUT": "2.5"}
    config = Config.load("sqlite:///a.db?sync=normal&x=1", folder=project, environ=environ)
    assert "sqlite:///a.db" == config.url
    assert {"sync": "normal", "x": 1, "readers": 2, "verify": True, "busy_timeout": 2.5} == (
        config.options
    )
    assert f"project file {file}" == config.origin("backend.sqlite.readers")
    assert "argument" == config.origin("backend.sqlite.sync")
    assert "environment ROPEWALK_BACKEND_SQLITE_BUSY_TIMEOUT" == config.origin(
        "backend.sqlite.busy_timeout"
    )
    assert ("backend.file",) == config.idle
    other = Config.load("file:///s", folder=project, environ=environ)
    assert ({"sync": "normal"}, ("backend.sqlite",)) == (other.options, other.idle)


def test_a_variable_counts_more_than_the_url_of_a_file(project: Path) -> None:
    """Options behind a URL count as much as the place where the URL stands."""
    _project_file(project, 'url = "sqlite:////a.db?readers=2&sync=full"')
    environ = {"ROPEWALK_BACKEND_SQLITE_READERS": "5"}
    config = Config.load(folder=project, environ=environ)
    assert {"readers": 5, "sync": "full"} == config.options


def test_layers_and_their_options(project: Path, tmp_path: Path) -> None:
    """A list says which layers there are; each has a section of options."""
    environ = _user_file(tmp_path, "[layer.retry]\nattempts = 9\n[layer.logs]\nslow = 0.5")
    _project_file(project, "layers = ['retry', 'readonly']\n[layer.retry]\nfirst = 0.1")
    environ |= {"ROPEWALK_LAYER_RETRY_DEADLINE": "7"}
    config = Config.load("memory://", folder=project, environ=environ)
    retry = LayerConfig("retry", {"attempts": 9, "first": 0.1, "deadline": 7})
    assert (retry, LayerConfig("readonly")) == config.layers
    assert ("layer.logs",) == config.idle
    environ["ROPEWALK_LAYERS"] = " logs , retry,"
    config = Config.load("memory://", folder=project, environ=environ)
    assert ["logs", "retry"] == [layer.name for layer in config.layers]
    environ["ROPEWALK_LAYERS"] = ""
    assert () == Config.load("memory://", folder=project, environ=environ).layers


def test_the_nearest_project_file(project: Path) -> None:
    """A pyproject.toml without our table is passed by; in one folder our own file is first."""
    top = _project_file(project, "[tool.ropewalk]\nspace = 'top'", "pyproject.toml")
    (project.parent / "pyproject.toml").write_text("[tool.other]\nname = 'ropewalk'")
    config = Config.load(folder=project, environ={})
    assert ("top", f"project file {top}") == (config.space, config.origin("space"))
    own = _project_file(project, "space = 'own'")
    config = Config.load(folder=project, environ={})
    assert ("own", f"project file {own}") == (config.space, config.origin("space"))
    (project.parent / "pyproject.toml").write_text("[tool.ropewalk]\nspace = 'near'")
    assert "near" == Config.load(folder=project, environ={}).space


def test_a_broken_file_of_others_is_theirs(project: Path) -> None:
    """A pyproject.toml that never names us is not even read to its end."""
    _project_file(project, "[tool.other\n", "pyproject.toml")
    assert Config() == Config.load(folder=project, environ={})


def test_a_file_that_is_named(project: Path, tmp_path: Path) -> None:
    """An argument or ROPEWALK_CONFIG names the file; then no other project file is read."""
    _project_file(project, "space = 'found'\nactor = 'found'")
    one, two = tmp_path / "one.toml", tmp_path / "two.toml"
    one.write_text("space = 'one'")
    two.write_text("space = 'two'")
    environ = {"ROPEWALK_CONFIG": str(one)}
    config = Config.load(folder=project, environ=environ)
    assert ("one", "") == (config.space, config.actor)
    assert "two" == Config.load(file=two, folder=project, environ=environ).space
    for missing in (tmp_path / "three.toml", one / "four.toml"):
        with pytest.raises(Invalid, match="no settings there"):
            Config.load(file=missing, folder=project, environ=environ)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("sqlite:///agent.db", "sqlite:///{folder}/agent.db"),
        ("sqlite:///data/a%20b.db?readers=1", "sqlite:///{folder}/data/a%20b.db"),
        ("file:///store", "file:///{folder}/store"),
        ("sqlite:////abs/agent.db", "sqlite:////abs/agent.db"),
        ("memory://", "memory://"),
        ("other:///name", "other:///name"),
    ],
)
def test_a_relative_path_in_a_file(project: Path, url: str, expected: str) -> None:
    """It is relative to the file, so that one store is meant from everywhere in the project."""
    _project_file(project, f'url = "{url}"')
    config = Config.load(folder=project, environ={})
    assert expected.format(folder=project.parents[1]) == config.url
    assert url.partition("?")[0] == Config.load(url, folder=project, environ={}).url


WRONG: list[tuple[str, str, str]] = [
    ("spacee = 'x'", "spacee", "did you mean 'space'?"),
    ("[backends.sqlite]\nreaders = 1", "backends", "did you mean 'backend'?"),
    ("[plugins.backend]\nx = 'a:B'", "plugins.backend", "did you mean 'plugins.backends'?"),
    ("url = 3", "url", "must be text, not int"),
    ("space = ['a']", "space", "must be text, not list"),
    ("codecs = 'zstd'", "codecs", "must be a list of names, not str"),
    ("layers = ['logs', 1]", "layers", "must be a list of names, not int"),
    ("layers = ['logs', 'logs']", "layers", "twice"),
    ("[[layers]]\nname = 'logs'", "layers", "must be a list of names, not dict"),
    ("layer = 'logs'", "layer", "must be a table, not str"),
    ("[layer]\nretry = 3", "layer.retry", "must be a table, not int"),
    ("[layer.retry]\nfirst = [1]", "layer.retry.first", "must be text, a number, true or false"),
    ("[backend.sqlite]\nx = 1979-05-27", "backend.sqlite.x", "not date"),
    ("[plugins.backends]\nx = 3", "plugins.backends.x", "'module:Class', not int"),
]


@pytest.mark.parametrize(("text", "key", "said"), WRONG)
def test_what_is_wrong_in_a_file(project: Path, text: str, key: str, said: str) -> None:
    """An unknown key or a wrong type is an error that names the file and the key."""
    file = _project_file(project, text)
    with pytest.raises(Invalid) as caught:
        Config.load("memory://", folder=project, environ={})
    assert f"project file {file}" == caught.value.facts["origin"]
    assert key == caught.value.facts["field"]
    assert str(file) in caught.value.message
    assert said in caught.value.message


@pytest.mark.parametrize("name", ["ropewalk.toml", "pyproject.toml"])
@pytest.mark.parametrize(
    "text", [b"space = ropewalk", b"# ropewalk\n\xff", b"[tool]\nropewalk = 1"]
)
def test_what_cannot_be_read(project: Path, name: str, text: bytes) -> None:
    """A file that is no TOML, or says something else than settings, is named with its trouble."""
    (project / name).write_bytes(text)
    with pytest.raises(Invalid, match=name):
        Config.load("memory://", folder=project, environ={})


def test_a_folder_is_no_file(project: Path) -> None:
    """What has the name of our file but cannot be read as one is an error, not nothing."""
    (project / "ropewalk.toml").mkdir()
    with pytest.raises(Invalid, match="cannot be read"):
        Config.load("memory://", folder=project, environ={})


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("ROPEWALK_SAPCE", "x", "did you mean 'ROPEWALK_SPACE'?"),
        ("ROPEWALK_ULR", "x", "did you mean 'ROPEWALK_URL'?"),
        ("ROPEWALK_LAYER", "x", "ROPEWALK_LAYER_<NAME>_<KEY>"),
        ("ROPEWALK_BACKEND_SQLITE", "x", "ROPEWALK_BACKEND_<NAME>_<KEY>"),
        ("ROPEWALK_CODECS", "zstd,zstd", "twice"),
        ("ROPEWALK_URL", "agent.db", "write sqlite:///agent.db"),
        ("ROPEWALK_SPACE", "", "must not be empty"),
    ],
)
def test_what_is_wrong_in_the_environment(
    project: Path, variable: str, value: str, said: str
) -> None:
    """A variable that is misspelt or holds what cannot be is an error that names it."""
    with pytest.raises(Invalid) as caught:
        Config.load(folder=project, environ={variable: value})
    assert variable in caught.value.message
    assert said in caught.value.message


def test_variables_of_others_are_theirs(project: Path) -> None:
    """Variables that only begin like ours, and look like none of ours, are left alone."""
    environ = {"ROPEWALK_LONG": "1", "ROPEWALK_FRONTEND_PORT": "1", "ROPEWALKER": "x", "PATH": ""}
    assert Config() == Config.load(folder=project, environ=environ)


def test_a_mapping() -> None:
    """A program may write settings as they would stand in a file."""
    config = Config.from_mapping(
        {
            "url": "sqlite:///a.db?readers=3",
            "codecs": ("zstd",),
            "layers": ["retry"],
            "layer": {"retry": {"attempts": 2}},
            "backend": {"sqlite": {"sync": "full"}},
            "plugins": {"backends": {"mine": "my.place:Backend"}},
        },
        origin="settings of my app",
    )
    assert ("sqlite:///a.db", {"readers": 3, "sync": "full"}) == (config.url, config.options)
    assert (LayerConfig("retry", {"attempts": 2}),) == config.layers
    assert {"backends": {"mine": "my.place:Backend"}} == config.plugins
    assert "settings of my app" == config.origin("url")
    with pytest.raises(Invalid, match="settings of my app: unknown key 'ulr'; did you mean"):
        Config.from_mapping({"ulr": "memory://"}, origin="settings of my app")


def test_a_program_changes_values() -> None:
    """What the program says counts most; a layer keeps the options it has been given."""
    config = Config.from_mapping(
        {"url": "sqlite:///a.db?readers=3", "layers": ["retry"], "layer": {"retry": {"first": 1}}}
    )
    changed = config.changed(
        space="s",
        actor="me",
        codecs=["crc32"],
        layers=["logs", "retry", LayerConfig("quota", {"n": 1})],
        options={"readers": 4},
    )
    assert ("s", "me", ("crc32",), {"readers": 4}) == (
        changed.space,
        changed.actor,
        changed.codecs,
        changed.options,
    )
    retry, quota = LayerConfig("retry", {"first": 1}), LayerConfig("quota", {"n": 1})
    assert (LayerConfig("logs"), retry, quota) == changed.layers
    origins = [changed.origin(key) for key in ("space", "layers", "backend.sqlite.readers", "url")]
    assert ["argument", "argument", "argument", "mapping"] == origins
    assert config == config.changed()
    assert ("default", {"readers": 3}) == (config.space, config.options)


WRONG_ARGUMENTS: list[dict[str, Any]] = [
    {"space": ""},
    {"space": 3},
    {"codecs": "zstd"},
    {"codecs": ["zstd", "zstd"]},
    {"layers": ["logs", LayerConfig("logs")]},
    {"layers": [3]},
    {"options": {"readers": [1]}},
    {"options": {"readers": None}},
]


@pytest.mark.parametrize("arguments", WRONG_ARGUMENTS, ids=str)
def test_wrong_values_of_a_program(arguments: dict[str, Any]) -> None:
    """A wrong argument is refused, naming it."""
    with pytest.raises(Invalid, match=next(iter(arguments))):
        Config(url="memory://").changed(**arguments)


def test_a_config_made_by_hand() -> None:
    """It splits its URL and refuses what could not be opened."""
    config = Config(url="sqlite:///a.db?readers=3&sync=full", options={"readers": 4})
    assert ("sqlite:///a.db", {"readers": 4, "sync": "full"}) == (config.url, config.options)
    assert "sqlite" == config.scheme
    with pytest.raises(Invalid, match="write sqlite:///a"):
        Config(url="a")
    with pytest.raises(Invalid, match="space"):
        Config(space="\ud800")


@pytest.mark.seed("10.5")
def test_a_configuration_can_be_shown() -> None:
    """Its text has no password and no key, from wherever they came."""
    config = Config.from_mapping(
        {
            "url": "x://me:hunter2@host/db?token=hunter2",
            "layers": ["lock"],
            "layer": {"lock": {"secret": "hunter2", "n": 1}},
            "backend": {"x": {"password": "hunter2"}},
        }
    )
    assert ("x://me:hunter2@host/db", "hunter2") == (config.url, config.options["password"])
    shown = repr(config)
    assert "hunter2" not in shown
    assert "x://me:***@host/db" in shown
    assert "LayerConfig('lock', {'secret': '***', 'n': 1})" in shown


@pytest.mark.parametrize(
    ("platform", "environ", "place"),
    [
        ("linux", {"HOME": "{home}"}, ".config/ropewalk/config.toml"),
        ("darwin", {"HOME": "{home}"}, "Library/Application Support/ropewalk/config.toml"),
        ("win32", {"APPDATA": "{home}/roaming"}, "roaming/ropewalk/config.toml"),
        ("linux", {"HOME": "/nowhere", "XDG_CONFIG_HOME": "{home}/x"}, "x/ropewalk/config.toml"),
    ],
)
def test_where_the_user_file_is(
    project: Path,
    monkeypatch: pytest.MonkeyPatch,
    platform: str,
    environ: dict[str, str],
    place: str,
) -> None:
    """Each platform has its place for what a user has set."""
    home = project / "home"
    path = home / place
    path.parent.mkdir(parents=True)
    path.write_text("space = 'mine'")
    monkeypatch.setattr(sys, "platform", platform)
    found = {name: value.format(home=home) for name, value in environ.items()}
    assert "mine" == Config.load("memory://", folder=project, environ=found).space


def test_the_real_environment(project: Path) -> None:
    """Without arguments the working directory and the variables of the process count.

    In a folder that was removed meanwhile there is no project, and the rest still counts.
    """
    _project_file(project, "space = 'project'")
    code = (
        "import os; from ropewalk import Config; c = Config.load(); print(c.space, c.actor);"
        "os.rmdir(os.getcwd()); c = Config.load(); print(c.space, c.actor)"
    )
    run = subprocess.run(
        [sys.executable, "-c", code],
        cwd=project,
        env={"ROPEWALK_ACTOR": "me", "HOME": str(project.parent)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert ["project me", "default me"] == run.stdout.splitlines()
