"""The page of criteria tells what the markers on the tests say, and nothing else."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).resolve().parents[2]


def _run(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, ROOT / "tools" / "seeds.py", "--root", root, *arguments],
        capture_output=True,
        text=True,
        check=False,
    )


def _row(root: Path, number: str) -> str:
    """Return the last cell of a criterion's row."""
    run = _run(root)
    assert (0, "") == (run.returncode, run.stderr)
    page = (root / "docs" / "seeds.md").read_text("utf-8")
    [row] = [line for line in page.splitlines() if line.startswith(f"| {number} |")]
    return row.split("|")[3].strip()


def _write(root: Path, name: str, text: str) -> None:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f'"""A sample."""\nimport pytest\n{text}', "utf-8")


def test_a_criterion_without_tests_says_later(tmp_path: Path) -> None:
    """What no test proves is named so."""
    assert "*later*" == _row(tmp_path, "10.5")


def test_markers_count_on_functions_classes_and_modules(tmp_path: Path) -> None:
    """A test carries its own marker, its class's and its module's."""
    _write(
        tmp_path,
        "tests/test_sample.py",
        "pytestmark = [pytest.mark.seed('1.1'), pytest.mark.slow]\n"
        "@pytest.mark.seed('1.2')\n"
        "def test_alone(): ...\n"
        "@pytest.mark.seed('1.3')\n"
        "class TestSome:\n"
        "    @pytest.mark.seed('1.4', '1.5')\n"
        "    async def test_inside(self): ...\n",
    )
    inside = "`tests/test_sample.py`: `TestSome::test_inside`"
    assert "`tests/test_sample.py`: `TestSome::test_inside`, `test_alone`" == _row(tmp_path, "1.1")
    assert "`tests/test_sample.py`: `test_alone`" == _row(tmp_path, "1.2")
    assert [inside] * 3 == [_row(tmp_path, number) for number in ("1.3", "1.4", "1.5")]


def test_a_published_test_counts_where_it_is_inherited(tmp_path: Path) -> None:
    """A contract names every room that inherits it, at any depth, and no class beside them."""
    _write(
        tmp_path,
        "src/ropewalk/testing/backend.py",
        "class Reading:\n"
        "    @pytest.mark.seed('4.1')\n"
        "    def test_reads(self): ...\n"
        "class BackendContract(Reading):\n"
        "    @pytest.mark.seed('4.2')\n"
        "    def test_writes(self): ...\n",
    )
    for room in ("memory", "sqlite"):
        _write(
            tmp_path,
            f"tests/backends/test_{room}.py",
            "from ropewalk import testing\n"
            "class Local(testing.BackendContract): ...\n"
            "class TestIt(Local): ...\n",
        )
    assert "`Reading` (backends/memory, backends/sqlite): `test_reads`" == _row(tmp_path, "4.1")
    assert "`BackendContract` (backends/memory, backends/sqlite): `test_writes`" == _row(
        tmp_path, "4.2"
    )


@pytest.mark.parametrize(
    "text",
    [
        "@pytest.mark.seed('11.1')\ndef test_a(): ...\n",
        "@pytest.mark.seed(1.1)\ndef test_a(): ...\n",
        "@pytest.mark.seed('1.1')\ndef sample(): ...\n",
        "@pytest.mark.seed\ndef test_a(): ...\n",
        "A = [pytest.param(1, marks=pytest.mark.seed('1.1'))]\ndef test_a(): ...\n",
    ],
)
def test_a_marker_that_proves_nothing_is_refused(tmp_path: Path, text: str) -> None:
    """A marker without a criterion, or without a test, stops the page and names its line."""
    _write(tmp_path, "tests/test_sample.py", text)
    run = _run(tmp_path)
    assert 1 == run.returncode
    assert run.stderr.startswith("tests/test_sample.py:3: ")


def test_a_stale_page_is_noticed(tmp_path: Path) -> None:
    """--check passes on a page just written, and fails after the next test, changing nothing."""
    _row(tmp_path, "1.1")
    assert 0 == _run(tmp_path, "--check").returncode
    _write(tmp_path, "tests/test_sample.py", "@pytest.mark.seed('1.1')\ndef test_a(): ...\n")
    stale = _run(tmp_path, "--check")
    assert (1, "docs/seeds.md is stale: run `make pages`\n") == (stale.returncode, stale.stderr)
    assert "*later*" in (tmp_path / "docs" / "seeds.md").read_text("utf-8")
