"""Cut long bytes where their content says so, so that an edit moves only what is near it."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from typing import Final

LEAST: Final = 8 * 1024
MOST: Final = 64 * 1024

_PRINTABLE: Final = range(32, 127)
_SHARE: Final = 6


def boundary(chance: int) -> re.Pattern[bytes]:
    """Return the pattern behind which a chunk may end: three bytes of a secret sixth of all.

    A sixth of the printable ones and a sixth of the others, so that texts end at such places as
    often as other bytes do. `chance` is the secret.
    """
    # Not a question of strength: whoever sees the sizes of chunks learns about boundaries anyway.
    order = random.Random(chance)  # noqa: S311
    printable = list(_PRINTABLE)
    others = [byte for byte in range(256) if byte not in _PRINTABLE]
    chosen = [*order.sample(printable, len(printable) // _SHARE)]
    chosen += order.sample(others, len(others) // _SHARE)
    one = b"[" + b"".join(re.escape(bytes([byte])) for byte in chosen) + b"]"
    return re.compile(one + one + one, re.DOTALL)


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
