"""The page of the command line is made from the commands, and noticed when it is not."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from ropewalk.frontends.cli.app import root
from ropewalk.frontends.cli.exits import Exit

ROOT = Path(__file__).resolve().parent.parent.parent
PAGE = ROOT / "docs" / "reference" / "cli.md"


def tool(*arguments: str) -> tuple[int, str]:
    """Run the tool and return how it ended and what it complained about."""
    run = subprocess.run(
        [sys.executable, ROOT / "tools" / "cli.py", *arguments],
        capture_output=True,
        text=True,
        check=False,
    )
    return run.returncode, run.stderr


def test_the_page_is_current() -> None:
    """docs/reference/cli.md says what the commands say; `make pages` writes it anew."""
    assert (0, "") == tool("--check")


def test_a_stale_page_is_noticed(tmp_path: Path) -> None:
    """A page that says anything else, or is missing, fails the check and is left as it is."""
    page = tmp_path / "cli.md"
    for content in (None, PAGE.read_text("utf-8").replace("--graph", "--grahp")):
        if content is not None:
            page.write_text(content, "utf-8")
        code, said = tool("--check", "--page", str(page))
        assert (1, True) == (code, "make pages" in said)
    assert (0, "") == tool("--page", str(page))
    assert PAGE.read_bytes() == page.read_bytes()


def test_the_page_has_every_command_and_code() -> None:
    """Each command has a section, each exit code a row."""
    text = PAGE.read_text("utf-8")
    for name in (*root.places, "import legacy"):
        assert f"\n## `ropewalk {name}`\n" in text
    for code in Exit:
        assert f"| {int(code)} | {code.meaning} |" in text
