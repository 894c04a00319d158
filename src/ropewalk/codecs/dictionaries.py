"""Dictionaries of Zstandard: the name that each has by its content, and one digest for all."""

from __future__ import annotations

import re
import sys
import threading
from collections import OrderedDict
from hashlib import blake2b
from typing import Final

from ..domain.errors import Corrupt
from ..domain.ports import Dictionary

if sys.version_info >= (3, 14):
    from compression.zstd import ZstdDict
else:
    from backports.zstd import ZstdDict

MAGIC: Final = (0xEC30A437).to_bytes(4, "little")
"""A trained dictionary begins with these bytes (RFC 8878, 6); any other is content alone."""

MIN_BYTES: Final = 8
"""No dictionary is shorter."""

_MOST: Final = 32
"""So many dictionaries are kept digested, the ones made last: about 200 kB each."""

_NAME: Final = re.compile(r"[0-9a-f]{16}")


def named(content: bytes) -> Dictionary:
    """Return a dictionary under the name that its content has: BLAKE2b, 8 bytes in hexadecimal."""
    return Dictionary(blake2b(content, digest_size=8).hexdigest(), content)


def is_name(text: str) -> bool:
    """Tell whether a dictionary could have this name."""
    return _NAME.fullmatch(text) is not None


class Digests:
    """Dictionaries made ready for use, by name; one may serve several threads."""

    def __init__(self) -> None:
        """Begin with none."""
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, tuple[bytes, ZstdDict]] = OrderedDict()

    def find(self, dictionary: Dictionary) -> ZstdDict:
        """Return the digest; raise `Corrupt` for a content that has not the name it goes by."""
        kept = self._kept.get(dictionary.name)
        if kept is not None and (kept[0] is dictionary.content or kept[0] == dictionary.content):
            return kept[1]
        if len(dictionary.content) < MIN_BYTES or named(dictionary.content) != dictionary:
            message = (
                f"the content of the dictionary {dictionary.name!r} is not the one of its name"
            )
            raise Corrupt(message, code="bad_dictionary", dictionary=dictionary.name)
        # That tells by the first bytes, too, whether the content is a trained one.
        made = ZstdDict(dictionary.content, is_raw=True)
        with self._lock:
            self._kept[dictionary.name] = dictionary.content, made
            while len(self._kept) > _MOST:
                self._kept.popitem(last=False)
        return made


DIGESTS: Final = Digests()
"""Those of the whole process: a name stands for one content everywhere."""
