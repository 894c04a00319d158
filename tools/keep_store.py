"""Keep a store of the present version for tests/compat: one of each back end, never changed.

It writes those that are missing: of each number that a form has, and with `--release` of the
version that is about to be released. `PYTHONPATH=<older>/src python tools/keep_store.py` keeps
those of an older one.
"""

from __future__ import annotations

import asyncio
import io
import json
import runpy
import sys
import tarfile
import tempfile
from importlib import import_module
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent.parent
KEPT = HERE / "tests" / "compat" / "kept"


def versions() -> dict[str, int]:
    """Return the number of each form that stored data has, in this version of the program."""
    try:
        steps: Any = import_module("ropewalk.backends.sqlite.steps")
    except ModuleNotFoundError:
        # So it was called at first.
        steps = import_module("ropewalk.backends.sqlite.schema")
    return {
        "sqlite": len(steps.migrations()),
        "file": import_module("ropewalk.backends.file.marker").VERSION,
        "tree": import_module("ropewalk.trees.root").VERSION,
    }


def name_of(form: str, numbers: dict[str, int]) -> str:
    """Return how a store of a back end is called that has these numbers."""
    return f"{form}-{numbers[form]}-tree-{numbers['tree']}"


async def keep(form: str, story: dict[str, Any], place: Path) -> None:
    """Write a store and what this version reads in it into one archive."""
    from ropewalk.config import Config
    from ropewalk.factory import open

    with tempfile.TemporaryDirectory() as folder:
        store = Path(folder) / "store"
        url = f"{form}:///{store}"
        await story["write"](url)
        spaces: dict[str, Any] = {}
        for space in story["SPACES"]:
            config = Config.from_mapping({"url": url, "space": space})
            async with open(config) as storage:
                spaces[space] = await story["contents"](storage)
        text = json.dumps(spaces, indent=1, sort_keys=True, ensure_ascii=True).encode()
        with tarfile.open(place, "x:xz", preset=9) as archive:
            archive.add(store, "store", filter=_bare)
            info = tarfile.TarInfo("contents.json")
            info.size = len(text)
            archive.addfile(info, io.BytesIO(text))


def _bare(info: tarfile.TarInfo) -> tarfile.TarInfo:
    info.uid = info.gid = info.mtime = 0
    info.uname = info.gname = ""
    return info


def main(kept: Path = KEPT, *, release: bool = False) -> int:
    """Keep what is missing, and list everything that is kept; return how many are new."""
    from ropewalk import __version__

    story = runpy.run_path(str(HERE / "tests" / "compat" / "kept_story.py"))
    kept.mkdir(exist_ok=True)
    listing = kept / "stores.json"
    stores: dict[str, Any] = json.loads(listing.read_text("utf-8")) if listing.exists() else {}
    numbers = versions()
    new = 0
    for form in ("sqlite", "file"):
        name = f"{__version__}-{form}" if release else name_of(form, numbers)
        if name not in stores:
            asyncio.run(keep(form, story, kept / f"{name}.tar.xz"))
            own = {form: numbers[form], "tree": numbers["tree"]}
            stores[name] = {
                "form": form,
                "release": __version__ if release else None,
                "versions": own,
            }
            new += 1
    listing.write_text(json.dumps(stores, indent=1, sort_keys=True) + "\n", "utf-8")
    print(f"{new} new stores, {len(stores)} in all")
    return new


if __name__ == "__main__":
    main(release="--release" in sys.argv[1:])
