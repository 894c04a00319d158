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
    from collections.abc import Iterator

ROOT: Final = Path(__file__).resolve().parent.parent
PACKAGE: Final = ROOT / "src" / "ropewalk"

Function: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef

MAX_LINES: Final = 400

JUNK_DRAWERS: Final = re.compile(
    r"commons?|core|helpers?|lib|misc(ellaneous)?|shared|stuff|util(s|ity|ities)?|various"
)

# The outermost door: here an error becomes a sentence and an exit code, and goes no further.
LAST_CATCHERS: Final = frozenset({"src/ropewalk/frontends/cli/app.py"})

# The one room where names are a contract with programs that are written already.
CONTRACTS: Final = "src/ropewalk/compat/interfaces/"

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


@cache
def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"), filename=str(path))


def _name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def _place(path: Path, node: ast.stmt | ast.expr | ast.ExceptHandler) -> str:
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
    silent = [
        _name(path)
        for path in _python("src", "tests", "tools", "examples")
        if not (ast.get_docstring(_tree(path)) or "").partition("\n")[0].endswith(".")
        or not path.read_text("utf-8").startswith(('"""', 'r"""', "#!"))
    ]
    assert [] == silent


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
    patterned = [
        f"{_place(path, node)} {node.name}"
        for path in _python("src", "tests", "tools", "examples")
        for node in ast.walk(_tree(path))
        if isinstance(node, ast.ClassDef)
        and re.search(r"^_?I[A-Z][a-z]|Abstract", node.name)
        and not _name(path).startswith(CONTRACTS)
    ]
    assert [] == patterned


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


def test_nothing_swallows_every_error() -> None:
    """Whoever catches everything raises it again; only the outermost door may end an error."""
    swallowing: list[str] = []
    for path in _python("src", "tools", "examples"):
        if _name(path) in LAST_CATCHERS:
            continue
        for node in ast.walk(_tree(path)):
            if isinstance(node, ast.ExceptHandler):
                swallows = _is_blanket(node.type) and not _raises_again(node.body)
            elif isinstance(node, ast.Call) and _last(node.func) == "suppress":
                swallows = any(map(_is_blanket, node.args))
            else:
                continue
            if swallows:
                swallowing.append(_place(path, node))
    assert [] == swallowing


def _does_nothing(function: Function) -> bool:
    return all(
        isinstance(statement, ast.Pass)
        or (isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant))
        for statement in function.body
    )


def test_no_function_only_pretends() -> None:
    """A function without a body declares what others do, or says that it does nothing."""
    pretending: list[str] = []
    for path in _python("src", "tools", "examples"):
        for function, owner in _functions(_tree(path)):
            declares = owner is not None and any(_last(base) == "Protocol" for base in owner.bases)
            declares |= any(
                _last(mark) in {"abstractmethod", "group", "overload"}
                for mark in function.decorator_list
            )
            admits = "nothing" in (ast.get_docstring(function) or "").lower()
            if _does_nothing(function) and not declares and not admits:
                pretending.append(f"{_place(path, function)} {function.name}")
    assert [] == pretending


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
    silent = [
        f"{_place(path, function)} {function.name}"
        for path in _python("tests", "src/ropewalk/testing")
        for function, _ in _functions(_tree(path))
        if function.name.startswith("test_") and not ast.get_docstring(function)
    ]
    assert [] == silent


def test_no_test_is_skipped() -> None:
    """No test is skipped or expected to fail."""
    marks = {"skip", "skipif", "xfail", "importorskip", "SkipTest", "skipTest"}
    skipping = [
        _place(path, node)
        for path in _python("tests", "src/ropewalk/testing")
        for node in ast.walk(_tree(path))
        if isinstance(node, ast.Attribute) and node.attr in marks
    ]
    assert [] == skipping


def _texts() -> Iterator[tuple[str, int, str]]:
    for path in _files(ROOT):
        content = path.read_bytes()
        if b"\0" in content[:8192]:
            continue
        for number, line in enumerate(content.decode("utf-8", "replace").splitlines(), start=1):
            yield _name(path), number, line


def test_no_file_names_a_machine_or_a_registry() -> None:
    """No file names the host of a package registry or a folder of somebody's machine."""
    hosts = r"pypi\.org|pythonhosted\.org|npmjs\.(org|com)|crates\.io|golang\.org|/simple[/]"
    folders = r"(?<![\w.-])/(home|Users|root|work)/\w|[A-Z]:\\\\?Users\\"
    forbidden = re.compile(f"{hosts}|{folders}")
    naming = [
        f"{name}:{number} {line.strip()[:80]}"
        for name, number, line in _texts()
        if forbidden.search(line) or (len(ROOT.parts) > 2 and f"{ROOT}/" in line)
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
