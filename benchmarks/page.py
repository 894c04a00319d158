"""Write what was measured: a file for each question, and the tables of the page in docs/."""

from __future__ import annotations

import os
import platform
import sqlite3
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

import apsw

import ropewalk

from .tables import Section

ROOT: Final = Path(__file__).resolve().parent.parent
RESULTS: Final = ROOT / "benchmarks" / "results"
PAGE: Final = ROOT / "docs" / "explanation" / "performance.md"
BEGIN: Final = "<!-- measured: begin -->"
END: Final = "<!-- measured: end -->"

_PEERS: Final = (
    "langgraph-checkpoint",
    "langgraph-checkpoint-sqlite",
    "aiosqlite",
    "orjson",
    "sqlalchemy",
    "diskcache",
    "py-key-value-aio",
    "openai-agents",
)
_ORDER: Final = (
    "paths",
    "conversations",
    "sizes",
    "prices",
    "bodies",
    "growth",
    "shapes",
    "reading",
    "pruning",
    "stalls",
    "transfers",
    "moving",
)


def machine() -> str:
    """Say in general words what the figures come from."""
    peers = ", ".join(f"{name} {found}" for name in _PEERS if (found := _version(name)))
    return (
        f"Measured with Ropewalk {ropewalk.__version__} on {os.cpu_count()} cores "
        f"({platform.system()}, {platform.machine()}), Python {platform.python_version()}, SQLite "
        f"{apsw.sqlite_lib_version()} beneath Ropewalk and {sqlite3.sqlite_version} beneath the "
        f"other; {peers}."
    )


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def write(sections: Sequence[Section], folder: Path, *, note: str) -> None:
    """Write one file for each section into `folder`, each with the machine and `note`."""
    folder.mkdir(parents=True, exist_ok=True)
    for section in sections:
        text = f"{section.markdown()}\n{machine()} {section.note or note}\n"
        (folder / f"{section.name}.md").write_text(text, "utf-8")
        for name, drawn in section.plots.items():
            (folder / f"{section.name}-{name}.svg").write_text(drawn, "utf-8")


def refresh(page: Path, folder: Path) -> None:
    """Put the results in `folder` between the markers of `page`; raise `ValueError` without.

    Plots stay where they are; the page shows them.
    """
    text = page.read_text("utf-8")
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        message = f"{page.name} has lost its markers {BEGIN} and {END}; put them back"
        raise ValueError(message)
    tables = "\n".join(
        path.read_text("utf-8") + _shown(page, sorted(folder.glob(f"{path.stem}-*.svg")))
        for path in (folder / f"{name}.md" for name in _ORDER)
        if path.exists()
    )
    page.write_text(f"{before}{BEGIN}\n\n{tables}\n{END}{after}", "utf-8")


def _shown(page: Path, plots: Sequence[Path]) -> str:
    links = [f"![{path.stem}]({os.path.relpath(path, page.parent)})\n" for path in plots]
    return "".join(f"\n{link}" for link in links)
