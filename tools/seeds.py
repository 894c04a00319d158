"""Write docs/seeds.md: every acceptance criterion, and the tests that prove it.

A test names its criteria with `@pytest.mark.seed("5.3")`, on the function, on its class, or in
`pytestmark` of its class or module. A test that is published in `ropewalk.testing` counts once
for each class of `tests/` that inherits it. The tests are read, not run.
"""

from __future__ import annotations

import argparse
import ast
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeGuard

ROOT: Final = Path(__file__).resolve().parent.parent
PAGE: Final = "docs/seeds.md"
PUBLISHED: Final = "src/ropewalk/testing"
TESTS: Final = "tests"

CHAPTERS: Final[Mapping[str, tuple[str, ...]]] = {
    "One interface": (
        "One storage interface defines the basic methods of every operation",
        "Each module is given the storage that suits it by dependency injection",
        "Every storage implementation keeps the same contract",
        "The storage implementation can be switched at run time",
        "Errors of storage operations are handled in one way",
    ),
    "Several back ends": (
        "A memory back end keeps temporary data and answers fast",
        "An SQLite back end keeps data durably",
        "The back ends are fully compatible in what they do",
        "Configuration chooses the back end",
        "The health of a back end can be checked",
    ),
    "Separate duties": (
        "The storage duties of sessions are defined",
        "The storage duties of threads are defined",
        "The storage duties of history are defined",
        "The storage duties of checkpoints are defined",
        "The duties of the modules do not overlap",
        "Modules have a way to share data",
    ),
    "Asynchronous throughout": (
        "Every storage operation is asynchronous",
        "Asynchronous batches make many operations cheap",
        "Transactions are asynchronous",
        "Exceptions in asynchronous operations are handled correctly",
        "Asynchronous operations can be cancelled",
    ),
    "Many workflows": (
        "Several workflows use the store at the same time",
        "Concurrency is controlled",
        "The data of workflows are isolated from one another",
        "Workflows have a way to share data",
        "Conflicts between workflows are met with a chosen strategy",
    ),
    "Performance": (
        "A cache shortens access",
        "Connections are pooled",
        "Queries are optimised",
        "Data are compressed",
        "Performance is measured and reported",
    ),
    "Migration and compatibility": (
        "Data of the existing formats are migrated by a tool",
        "Programs written against the old interfaces keep working",
        "A migration is verified to be complete",
        "A migration can be incremental, so that little time is lost",
        "A migration can be rolled back",
    ),
    "Reliability": (
        "Data are backed up and restored",
        "Damage to data is detected and dealt with",
        "Transactions keep data consistent",
        "Every storage operation is recorded for audit",
        "The system recovers from failures by itself",
    ),
    "Extensibility": (
        "Back ends can be added as plug-ins",
        "The store scales out over machines as data grow",
        "The store scales up on one machine",
        "Configuration drives extension",
        "A back end can be added while the program runs",
    ),
    "Security": (
        "Data are encrypted",
        "Access is controlled by permissions",
        "Every attempt to access is recorded for audit",
        "Common attacks are prevented",
        "Sensitive data are masked",
    ),
}

CRITERIA: Final[Mapping[str, str]] = {
    f"{chapter}.{number}": text
    for chapter, texts in enumerate(CHAPTERS.values(), start=1)
    for number, text in enumerate(texts, start=1)
}


class MarkerError(Exception):
    """A marker that names no criterion, or that no test carries."""


@dataclass(frozen=True, slots=True)
class Proof:
    """One test of one criterion; `home` is its file, or the published class that it stands in."""

    criterion: str
    home: str
    test: str
    room: str = ""
    """Where an inherited test runs: `backends/memory` for tests/backends/test_memory.py."""


@dataclass(frozen=True, slots=True)
class Case:
    """A class as far as it matters here: its bases, its own marks and its own tests."""

    file: str
    name: str
    bases: tuple[str, ...]
    marks: frozenset[str]
    tests: Mapping[str, frozenset[str]]


class Reader:
    """Read the tests of a repository and find what they prove.

    Raises `MarkerError` for a marker with an unknown number, and for one that stands where no
    test would carry it.
    """

    def __init__(self, root: Path) -> None:
        self._module_marks: dict[str, frozenset[str]] = {}
        self._cases: list[Case] = []
        self._written: set[tuple[str, int, int]] = set()
        self._read: set[tuple[str, int, int]] = set()
        self.proofs: list[Proof] = []
        for folder in (PUBLISHED, TESTS):
            for path in sorted((root / folder).rglob("*.py")):
                self._file(path.relative_to(root).as_posix(), ast.parse(path.read_text("utf-8")))
        for case in self._cases:
            if case.name.startswith("Test") and case.file.startswith(TESTS):
                self.proofs += self._collected(case)
        for file, line, _ in sorted(self._written - self._read):
            message = f"{file}:{line}: this marker stands where no test carries it"
            raise MarkerError(message)

    def _file(self, file: str, tree: ast.Module) -> None:
        self._written |= {
            (file, node.lineno, node.col_offset) for node in ast.walk(tree) if _is_seed(node)
        }
        marks = self._module_marks[file] = self._assigned(file, tree.body)
        for node in tree.body:
            if isinstance(node, ast.ClassDef):
                self._cases.append(self._case(file, node))
                continue
            match node:
                case (
                    ast.FunctionDef(name=name, decorator_list=on)
                    | ast.AsyncFunctionDef(name=name, decorator_list=on)
                ) if name.startswith("test_"):
                    found = marks | self._marks(file, on)
                case ast.Assign(targets=[ast.Name(id=name)]) if name.startswith("Test"):
                    found = marks  # a state machine's test case, made by an expression
                case _:
                    continue
            self.proofs += (Proof(number, file, name) for number in found)

    def _case(self, file: str, node: ast.ClassDef) -> Case:
        marks = self._marks(file, node.decorator_list) | self._assigned(file, node.body)
        tests = {
            inner.name: self._marks(file, inner.decorator_list)
            for inner in node.body
            if isinstance(inner, ast.FunctionDef | ast.AsyncFunctionDef)
            and inner.name.startswith("test_")
        }
        return Case(file, node.name, tuple(map(_last, node.bases)), marks, tests)

    def _collected(self, case: Case) -> Iterator[Proof]:
        """Go through the tests that pytest finds in `case`: its own, and those it inherits."""
        line = list(self._ancestry(case))
        around = self._module_marks[case.file].union(*(parent.marks for parent in line))
        folder, _, stem = case.file.removeprefix(f"{TESTS}/").rpartition("/")
        room = f"{folder}/{stem.removeprefix('test_').removesuffix('.py')}".strip("/")
        seen: set[str] = set()
        for parent in line:
            for test in parent.tests.keys() - seen:
                for number in parent.tests[test] | around:
                    if parent.file.startswith(PUBLISHED):
                        yield Proof(number, parent.name, test, room)
                    else:
                        yield Proof(number, case.file, f"{case.name}::{test}")
            seen |= parent.tests.keys()

    def _ancestry(self, case: Case) -> Iterator[Case]:
        """Go through `case` and its bases, nearest first, found by the names they go by."""
        yield case
        for base in case.bases:
            named = [other for other in self._cases if other.name == base and other is not case]
            for other in sorted(named, key=lambda other: other.file != case.file)[:1]:
                yield from self._ancestry(other)

    def _assigned(self, file: str, body: Iterable[ast.stmt]) -> frozenset[str]:
        """Read `pytestmark = ...` among the statements of a module or a class."""
        for node in body:
            match node:
                case ast.Assign(targets=[ast.Name(id="pytestmark")], value=value):
                    several = value.elts if isinstance(value, ast.List | ast.Tuple) else [value]
                    return self._marks(file, several)
                case _:
                    continue
        return frozenset()

    def _marks(self, file: str, expressions: Iterable[ast.expr]) -> frozenset[str]:
        found: set[str] = set()
        for node in expressions:
            if not (isinstance(node, ast.Call) and _is_seed(node.func)):
                continue
            self._read.add((file, node.lineno, node.col_offset))
            for argument in node.args:
                match argument:
                    case ast.Constant(value=str(number)) if number in CRITERIA:
                        found.add(number)
                    case _:
                        text = ast.unparse(argument)
                        message = f"{file}:{node.lineno}: there is no criterion {text}"
                        raise MarkerError(message)
        return frozenset(found)


def _last(node: ast.expr) -> str:
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
        case ast.Subscript(value=value):
            return _last(value)
        case _:
            return ""


def _is_seed(node: ast.AST) -> TypeGuard[ast.Attribute]:
    return isinstance(node, ast.Attribute) and node.attr == "seed" and _last(node.value) == "mark"


def render(proofs: Iterable[Proof]) -> str:
    """Write the page."""
    by_number: defaultdict[str, list[Proof]] = defaultdict(list)
    for proof in proofs:
        by_number[proof.criterion].append(proof)
    lines = [
        "# Acceptance criteria and their tests",
        "",
        "<!-- Written by tools/seeds.py from the markers on the tests: run `make pages`. -->",
        "",
        f"{len(by_number)} of {len(CRITERIA)} criteria have tests, the others say *later*.",
        "Tests of a contract run once for each room that is named beside it.",
    ]
    for chapter, (title, texts) in enumerate(CHAPTERS.items(), start=1):
        lines += [
            "",
            f"## {chapter}. {title}",
            "",
            "| no. | criterion | tests |",
            "| --- | --- | --- |",
        ]
        for index, text in enumerate(texts, start=1):
            number = f"{chapter}.{index}"
            lines.append(f"| {number} | {text} | {_cell(by_number[number])} |")
    return "\n".join(lines) + "\n"


def _cell(proofs: Iterable[Proof]) -> str:
    """Write the tests of one criterion, those of one home together."""
    rooms: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
    for proof in proofs:
        rooms[proof.home, proof.test].add(proof.room)
    homes: defaultdict[str, list[str]] = defaultdict(list)
    for (home, test), where in sorted(rooms.items()):
        inherited = ", ".join(sorted(where - {""}))
        homes[f"`{home}`" + f" ({inherited})" * bool(inherited)].append(f"`{test}`")
    return "<br>".join(f"{home}: {', '.join(tests)}" for home, tests in homes.items()) or "*later*"


def main() -> int:
    """Write the page, or with --check tell whether it is current."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing; fail if stale")
    parser.add_argument("--root", type=Path, default=ROOT, help="the repository to read")
    arguments = parser.parse_args()
    root: Path = arguments.root
    try:
        text = render(Reader(root).proofs)
    except MarkerError as error:
        print(error, file=sys.stderr)
        return 1
    page = root / PAGE
    if not arguments.check:
        page.parent.mkdir(parents=True, exist_ok=True)
        page.write_text(text, "utf-8")
    elif not page.exists() or page.read_text("utf-8") != text:
        print(f"{PAGE} is stale: run `make pages`", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
