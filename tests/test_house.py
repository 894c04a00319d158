"""The rules of the house that no linter knows."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT: Final = Path(__file__).resolve().parent.parent
PACKAGE: Final = ROOT / "src" / "ropewalk"

Function: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef
Node: TypeAlias = ast.stmt | ast.expr | ast.ExceptHandler

MAX_LINES: Final = 400

JUNK_DRAWERS: Final = re.compile(
    r"commons?|core|helpers?|lib|misc(ellaneous)?|shared|stuff|util(s|ity|ities)?|various"
)

# The outermost door: here an error becomes a sentence and an exit code, and goes no further.
LAST_CATCHERS: Final = frozenset({"src/ropewalk/frontends/cli/app.py"})

# The one room where names are a contract with programs that are written already.
CONTRACTS: Final = "src/ropewalk/compat/interfaces/"

SKIPS: Final = frozenset({"skip", "skipif", "xfail", "importorskip", "SkipTest", "skipTest"})

# Packages that cost start-up time and must wait until somebody needs them.
HEAVY: Final = ("apsw", "click", "numpy", "pydantic", "rich", "sqlglot")

IMPORT_BUDGET_SECONDS: Final = 0.150


def _is_ours(folder: str) -> bool:
    """Tell a folder of the repository from those that tools make beside it."""
    return folder == ".ci" or not (
        folder.startswith(".") or folder in {"__pycache__", "build", "dist"}
    )


def _files(root: Path) -> Iterator[Path]:
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(filter(_is_ours, folders))
        yield from (Path(folder, name) for name in sorted(names))


def _python(*roots: str) -> list[Path]:
    return [path for root in roots for path in _files(ROOT / root) if path.suffix == ".py"]


def _name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def _place(path: Path, node: Node) -> str:
    return f"{_name(path)}:{node.lineno}"


def _functions(tree: ast.AST) -> Iterator[tuple[Function, ast.ClassDef | None]]:
    """Go through every function with the class that it stands in, if any."""

    def walk(
        node: ast.AST, owner: ast.ClassDef | None
    ) -> Iterator[tuple[Function, ast.ClassDef | None]]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, Function):
                yield child, owner
                yield from walk(child, None)
            else:
                yield from walk(child, child if isinstance(child, ast.ClassDef) else owner)

    return walk(tree, None)


def _dotted(node: ast.expr) -> str:
    """Return `a.b.c` of a name, an attribute, a call or a subscript of one; else nothing."""
    match node:
        case ast.Name(id=name):
            return name
        case ast.Attribute(value=value, attr=attr):
            return f"{_dotted(value)}.{attr}"
        case ast.Call(func=inner) | ast.Subscript(value=inner):
            return _dotted(inner)
        case _:
            return ""


def _last(node: ast.expr) -> str:
    return _dotted(node).rpartition(".")[2]


def _opens_silently(path: Path, tree: ast.Module, nodes: list[ast.AST]) -> Iterator[str]:
    del nodes
    ends = (ast.get_docstring(tree) or "").partition("\n")[0].endswith(".")
    if not ends or not path.read_text("utf-8").startswith(('"""', 'r"""', "#!")):
        yield _name(path)


def _is_patterned(path: Path, tree: ast.Module, nodes: list[ast.AST]) -> Iterator[str]:
    del tree
    for node in nodes:
        if (
            isinstance(node, ast.ClassDef)
            and re.search(r"^_?I[A-Z][a-z]|Abstract", node.name)
            and not _name(path).startswith(CONTRACTS)
        ):
            yield f"{_place(path, node)} {node.name}"


def _is_blanket(expression: ast.expr | None) -> bool:
    if expression is None:
        return True
    if isinstance(expression, ast.Tuple):
        return any(map(_is_blanket, expression.elts))
    return _last(expression) in {"Exception", "BaseException"}


def _raises_again(body: list[ast.stmt]) -> bool:
    """Tell whether every way through `body` ends in a raise, here or in the task that waits."""
    for statement in body:
        for node in ast.walk(statement):
            if isinstance(node, ast.Call) and _last(node.func) == "set_exception":
                return True
    match body[-1]:
        case ast.Raise():
            return True
        case ast.If(body=yes, orelse=no):
            return bool(no) and _raises_again(yes) and _raises_again(no)
        case ast.With(body=inner) | ast.AsyncWith(body=inner):
            return _raises_again(inner)
        case ast.Try(body=inner, finalbody=final):
            return _raises_again(inner) or (bool(final) and _raises_again(final))
        case _:
            return False


def _swallows(path: Path, tree: ast.Module, nodes: list[ast.AST]) -> Iterator[str]:
    del tree
    if _name(path) in LAST_CATCHERS:
        return
    for node in nodes:
        if isinstance(node, ast.ExceptHandler):
            swallows = _is_blanket(node.type) and not _raises_again(node.body)
        elif isinstance(node, ast.Call) and _last(node.func) == "suppress":
            swallows = any(map(_is_blanket, node.args))
        else:
            continue
        if swallows:
            yield _place(path, node)


def _does_nothing(function: Function) -> bool:
    return all(
        isinstance(statement, ast.Pass)
        or (isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant))
        for statement in function.body
    )


def _pretends(path: Path, tree: ast.Module, nodes: list[ast.AST]) -> Iterator[str]:
    if not any(isinstance(node, Function) and _does_nothing(node) for node in nodes):
        return
    for function, owner in _functions(tree):
        declares = owner is not None and any(_last(base) == "Protocol" for base in owner.bases)
        declares |= any(
            _last(mark) in {"abstractmethod", "group", "overload"}
            for mark in function.decorator_list
        )
        admits = "nothing" in (ast.get_docstring(function) or "").lower()
        if _does_nothing(function) and not declares and not admits:
            yield f"{_place(path, function)} {function.name}"


def _states_nothing(path: Path, tree: ast.Module, nodes: list[ast.AST]) -> Iterator[str]:
    del tree
    for node in nodes:
        if (
            isinstance(node, Function)
            and node.name.startswith("test_")
            and not ast.get_docstring(node)
        ):
            yield f"{_place(path, node)} {node.name}"


def _skips(path: Path, tree: ast.Module, nodes: list[ast.AST]) -> Iterator[str]:
    del tree
    for node in nodes:
        if isinstance(node, ast.Attribute) and node.attr in SKIPS:
            yield _place(path, node)


Rule: TypeAlias = "Callable[[Path, ast.Module, list[ast.AST]], Iterator[str]]"

RULES: Final[dict[Rule, tuple[str, ...]]] = {
    _opens_silently: ("src", "tests", "tools", "examples"),
    _is_patterned: ("src", "tests", "tools", "examples"),
    _swallows: ("src", "tools", "examples"),
    _pretends: ("src", "tools", "examples"),
    _states_nothing: ("tests", "src/ropewalk/testing"),
    _skips: ("tests", "src/ropewalk/testing"),
}
"""What each rule finds wrong in a file, and the folders that it is for."""


@cache
def _offences() -> dict[Rule, list[str]]:
    """Read each file once, and let go of its tree: a million nodes slow down what follows."""
    found: dict[Rule, list[str]] = {rule: [] for rule in RULES}
    for path in _python("src", "tests", "tools", "examples"):
        tree = ast.parse(path.read_text("utf-8"), filename=str(path))
        nodes = list(ast.walk(tree))
        for rule, roots in RULES.items():
            if any(path.is_relative_to(ROOT / root) for root in roots):
                found[rule] += rule(path, tree, nodes)
    return found


def _found(rule: Rule) -> list[str]:
    return _offences()[rule]


def test_no_file_is_longer_than_one_idea() -> None:
    """A file of source or tests has at most 400 lines."""
    long = {
        _name(path): lines
        for path in _python("src", "tests", "tools", "examples")
        if (lines := len(path.read_text("utf-8").splitlines())) > MAX_LINES
    }
    assert {} == long


def test_every_file_opens_with_one_sentence() -> None:
    """The first line of a file is a docstring that ends with a full stop."""
    assert [] == _found(_opens_silently)


def test_nothing_is_called_a_junk_drawer() -> None:
    """No file or folder has a name that would take anything."""
    drawers = [
        _name(path)
        for path in _python("src", "tests")
        if any(
            JUNK_DRAWERS.fullmatch(part.removeprefix("test_"))
            for part in path.relative_to(ROOT).with_suffix("").parts
        )
    ]
    assert [] == drawers


def test_no_file_repeats_its_folder() -> None:
    """A file's name does not contain the name of its folder, in singular or plural."""

    def singular(word: str) -> str:
        return f"{word[:-3]}y" if word.endswith("ies") else word.rstrip("s")

    repeating = [
        _name(path)
        for path in _python("src", "tests")
        if singular(path.parent.name) in map(singular, path.stem.removeprefix("test_").split("_"))
    ]
    assert [] == repeating


def test_no_class_carries_its_pattern_in_its_name() -> None:
    """No class is called IThing, or Abstract anything."""
    assert [] == _found(_is_patterned)


def test_nothing_swallows_every_error() -> None:
    """Whoever catches everything raises it again; only the outermost door may end an error."""
    assert [] == _found(_swallows)


def test_no_function_only_pretends() -> None:
    """A function without a body declares what others do, or says that it does nothing."""
    assert [] == _found(_pretends)


def test_nothing_is_left_for_later() -> None:
    """The source has no reminders to finish it and no refusals that stand for missing work."""
    unfinished = [
        f"{_name(path)}:{number} {line.strip()}"
        for path in _python("src")
        for number, line in enumerate(path.read_text("utf-8").splitlines(), start=1)
        if re.search(r"\b(TODO|FIXME|XXX|HACK|NotImplementedError)\b|pragma: no cover", line)
    ]
    assert [] == unfinished


def test_every_test_states_its_fact() -> None:
    """Every test has a docstring, also those that we publish."""
    assert [] == _found(_states_nothing)


def test_no_test_is_skipped() -> None:
    """No test is skipped or expected to fail."""
    assert [] == _found(_skips)


def _texts() -> Iterator[tuple[str, str]]:
    for path in _files(ROOT):
        content = path.read_bytes()
        if b"\0" not in content[:8192]:
            yield _name(path), content.decode("utf-8", "replace")


def test_no_file_names_a_machine_or_a_registry() -> None:
    """No file names the host of a package registry or a folder of somebody's machine."""
    hosts = r"pypi\.org|pythonhosted\.org|npmjs\.(org|com)|crates\.io|golang\.org|/simple[/]"
    folders = r"(?<![\w.-])/(home|Users|root|work)/\w|[A-Z]:\\\\?Users\\"
    forbidden = re.compile(f"{hosts}|{folders}")
    ours = {f"{ROOT}/"} if len(ROOT.parts) > 2 else set[str]()
    naming = [
        f"{name}:{number} {line.strip()[:80]}"
        for name, text in _texts()
        # Nearly every file is done with one look; only one that names something is read by lines.
        if forbidden.search(text) or any(folder in text for folder in ours)
        for number, line in enumerate(text.splitlines(), start=1)
        if forbidden.search(line) or any(folder in line for folder in ours)
    ]
    assert [] == naming


def _in_new_process(code: str) -> str:
    """Run `code` in an interpreter of its own and return what it prints."""
    environment = {
        name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"
    }
    run = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False
    )
    assert (0, "") == (run.returncode, run.stderr)
    return run.stdout.strip()


def test_importing_the_package_loads_nothing_heavy() -> None:
    """`import ropewalk` leaves big packages alone until they are needed."""
    loaded = _in_new_process(
        f"import sys, ropewalk; print(*sorted(sys.modules.keys() & set({HEAVY!r})))"
    )
    assert "" == loaded


def test_importing_the_package_is_quick() -> None:
    """`import ropewalk` takes less than 150 ms of processor time, so load cannot excuse it."""
    code = "import time; a = time.process_time(); import ropewalk; print(time.process_time() - a)"
    best = min(float(_in_new_process(code)) for _ in range(4))
    assert best < IMPORT_BUDGET_SECONDS
