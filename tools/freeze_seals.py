"""Freeze sealed samples for tests/compat: adds those that are new, changes none."""

from __future__ import annotations

import asyncio
import base64
import json
import runpy
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent.parent


async def freeze(house: dict[str, Any], frozen: dict[str, dict[str, str]]) -> int:
    """Add a sealed body for each sample and row of steps that has none; return how many."""
    from ropewalk.codecs.pipeline import make_pipeline

    new = 0
    for steps, names in house["STEPS"].items():
        pipeline = make_pipeline(names, types=house["TYPES"])
        for sample, value in house["SAMPLES"].items():
            name = f"{sample} {steps}"
            if name not in frozen:
                sealed = await pipeline.seal(value, house["key_of"](name))
                body = base64.b64encode(sealed.body).decode("ascii")
                frozen[name] = {"seal": sealed.seal, "body": body}
                new += 1
    return new


def main() -> None:
    """Read the samples of the test, and write the file that lies beside it."""
    house = runpy.run_path(str(HERE / "tests" / "compat" / "test_seals.py"))
    place: Path = house["PLACE"]
    frozen: dict[str, dict[str, str]] = {}
    if place.exists():
        frozen = json.loads(place.read_text("utf-8"))
    new = asyncio.run(freeze(house, frozen))
    text = json.dumps(frozen, indent=1, sort_keys=True, ensure_ascii=True)
    place.write_text(text + "\n", "utf-8")
    print(f"{new} new samples, {len(frozen)} in all")


if __name__ == "__main__":
    main()
