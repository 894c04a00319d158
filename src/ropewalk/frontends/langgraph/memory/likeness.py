"""How alike two vectors are: the cosine of their angle, of many at once."""

from __future__ import annotations

import asyncio
import math
from array import array
from collections.abc import Sequence
from functools import cache
from importlib.util import find_spec
from operator import mul

from ....domain.memory import Vectors


async def best_scores(query: Sequence[float], entries: Sequence[Vectors]) -> list[float | None]:
    """Return for each memory the best score of its vectors: 1 the same direction, -1 the opposite.

    `None` stands for a memory whose vectors have other dimensions than the query. A vector
    without length is like nothing: 0.
    """
    fitting = [entry for entry in entries if entry.dims == len(query)]
    if not fitting:
        return [None] * len(entries)
    if _has_numpy():
        scores = _with_numpy(query, fitting)
    else:
        # Without numpy this takes long enough to be felt on the event loop.
        scores = await asyncio.to_thread(_in_python, query, fitting)
    found = iter(scores)
    return [next(found) if entry.dims == len(query) else None for entry in entries]


@cache
def _has_numpy() -> bool:
    return find_spec("numpy") is not None


def _with_numpy(query: Sequence[float], entries: Sequence[Vectors]) -> list[float]:
    import numpy as np

    wanted = np.asarray(query, dtype=np.float64)
    floats = b"".join(entry.floats for entry in entries)
    rows = np.frombuffer(floats, dtype="<f4").reshape(-1, len(query)).astype(np.float64)
    norms = np.linalg.norm(rows, axis=1) * np.linalg.norm(wanted)
    scores = np.divide(rows @ wanted, norms, out=np.zeros_like(norms), where=norms > 0)
    counts = [len(entry.floats) // (4 * entry.dims) for entry in entries]
    starts = np.cumsum([0, *counts[:-1]])
    return [float(score) for score in np.maximum.reduceat(scores, starts)]


def _in_python(query: Sequence[float], entries: Sequence[Vectors]) -> list[float]:
    return [max(_cosine(query, row) for row in _rows(entry)) for entry in entries]


def _rows(entry: Vectors) -> list[Sequence[float]]:
    floats = array("f")
    floats.frombytes(entry.floats)
    if _is_big_endian():
        floats.byteswap()
    return [floats[n : n + entry.dims] for n in range(0, len(floats), entry.dims)]


def _is_big_endian() -> bool:
    return array("H", [1]).tobytes()[0] == 0


def _cosine(left: Sequence[float], right: Sequence[float]) -> float:
    norm = math.hypot(*left) * math.hypot(*right)
    return sum(map(mul, left, right)) / norm if norm else 0.0
