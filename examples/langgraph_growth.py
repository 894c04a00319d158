"""One long conversation of a LangGraph graph, on Ropewalk and on LangGraph's own SQLite saver.

`python -m examples.langgraph_growth` runs the same graph on both, turn by turn, answers its one
question to a person, goes back to the middle and asks something else there, reads both ends back
from the closed files, and says what the files weigh. No model is asked and no network used.

It ends with 0 when both hold the same, 1 when they do not or something failed, 2 when an option is
wrong, 130 when it was interrupted.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sqlite3
import sys
import tempfile
from pathlib import Path
from shlex import quote
from typing import Final

from ropewalk import RopewalkError

from .figures import Figures
from .sides import LANGGRAPH, ROPEWALK, Side, url_of

_TURNS: Final = 200
_RANGE: Final = (2, 10_000)
_BYTES: Final = 15_000
"""What a turn adds to the file of LangGraph's saver for each turn before it; measured."""


def main() -> int:
    """Run, print the figures, and return the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m examples.langgraph_growth",
        description="One long conversation, on Ropewalk and on LangGraph's own SQLite saver.",
    )
    parser.add_argument(
        "--turns", type=_turns, default=_TURNS, metavar="N", help="questions (%(default)s)"
    )
    parser.add_argument("--json", action="store_true", help="print the figures for programs")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="leave both files there")
    given = parser.parse_args()
    turns: int = given.turns
    keep: Path | None = given.keep
    # What a user has set to watch graphs would send this one over the network.
    os.environ.update(LANGSMITH_TRACING="false", LANGCHAIN_TRACING_V2="false")
    try:
        if keep is None:
            with tempfile.TemporaryDirectory(prefix="ropewalk-growth-") as folder:
                figures = _run(turns, Path(folder))
        else:
            figures = _run(turns, _new(keep))
    except FileExistsError as error:
        parser.error(f"{error.filename} is there already: name another folder")
    except KeyboardInterrupt:
        _say("interrupted")
        return 130
    except (RopewalkError, sqlite3.Error, OSError) as error:
        _say(f"failed: {error}")
        return 1
    print(json.dumps(figures.payload(), indent=2) if given.json else figures.text())
    if keep is not None:
        _say(f"next: ropewalk log desk --graph -u {quote(url_of(keep / ROPEWALK.file))}")
    return 0 if figures.same else 1


def _run(turns: int, folder: Path) -> Figures:
    from .race import race  # LangGraph takes seconds: whoever asks for help need not wait.

    needed = _BYTES * turns * (turns + 10)
    _say(f"{turns} turns in {folder}; they take about {needed / 1e6:,.0f} MB for a while")
    every = max(1, turns // 10)

    def progress(turn: int, seconds: float) -> None:
        if turn % every == 0 or turn == turns:
            _say(f"turn {turn} of {turns} ({seconds:.0f} s)")

    return asyncio.run(race(turns, folder, progress=progress))


def _new(folder: Path) -> Path:
    """Return the folder, made if it is not there, in which there is none of the two files."""
    folder.mkdir(parents=True, exist_ok=True)
    sides: tuple[Side, ...] = (ROPEWALK, LANGGRAPH)
    for side in sides:
        path = folder / side.file
        if path.exists():
            raise FileExistsError(17, "the file is there already", str(path))
    return folder


def _turns(text: str) -> int:
    least, most = _RANGE
    turns = int(text)
    if not least <= turns <= most:
        message = f"from {least} to {most:,} turns, not {turns}"
        raise argparse.ArgumentTypeError(message)
    return turns


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
