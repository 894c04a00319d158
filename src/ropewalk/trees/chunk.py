"""Cut long bytes where their content says so, so that an edit moves only what is near it."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from typing import Final

LEAST: Final = 4 * 1024
MOST: Final = 64 * 1024

_PRINTABLE: Final = range(32, 127)
_PRINTABLE_SHARE: Final = 4.5
_SHARE: Final = 5.5
_LENGTH: Final = 5


def boundary(chance: int) -> re.Pattern[bytes]:
    """Return the pattern behind which a chunk may end: five bytes, each of a secret choice.

    Each choice has its share of the printable bytes and of the others, so that texts, which use a
    few bytes most of the time, end at such places about as often as other bytes do: every four
    kilobytes or so. Twice the shortest chunk is the middle of all then; were such places closer
    together, nearly all chunks would have one length, and what an edit has shifted would stay so.
    `chance` is the secret.
    """
    # Not a question of strength: whoever sees the sizes of chunks learns about boundaries anyway.
    order = random.Random(chance)  # noqa: S311
    printable = list(_PRINTABLE)
    others = [byte for byte in range(256) if byte not in _PRINTABLE]
    places: list[bytes] = []
    for _ in range(_LENGTH):
        chosen = order.sample(printable, int(len(printable) / _PRINTABLE_SHARE))
        chosen += order.sample(others, int(len(others) / _SHARE))
        places.append(b"[" + b"".join(re.escape(bytes([byte])) for byte in chosen) + b"]")
    return re.compile(b"".join(places), re.DOTALL)


def chunks(pieces: Iterator[bytes], pattern: re.Pattern[bytes]) -> Iterator[bytes]:
    """Go through the chunks of what the pieces make up together; memory holds one piece more."""
    rest = b""
    for piece in pieces:
        data = rest + piece
        at = 0
        # Behind the last place where a chunk could still grow, wait for the next piece.
        while len(data) - at > MOST:
            end = _end(data, at, pattern)
            yield data[at:end]
            at = end
        rest = data[at:]
    at = 0
    while at < len(rest):
        end = _end(rest, at, pattern)
        yield rest[at:end]
        at = end


def _end(data: bytes, at: int, pattern: re.Pattern[bytes]) -> int:
    found = pattern.search(data, at + LEAST, at + MOST)
    return found.end() if found else min(at + MOST, len(data))
