"""Dictionaries made ready to compress and to open with, each once for all threads."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import Final

from zstandard import ZstdCompressionDict, ZstdDecompressor, ZstdError

from ..domain.errors import Corrupt
from ..domain.ports import Dictionary
from .dictionaries import MIN_BYTES, named

_MOST: Final = 32
"""So many dictionaries are kept digested, the ones made last: their content and about 30 kB."""


class Digests:
    """Dictionaries made ready for use, by name; one may serve several threads."""

    def __init__(self) -> None:
        """Begin with none."""
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, tuple[bytes, ZstdCompressionDict]] = OrderedDict()

    def find(self, dictionary: Dictionary) -> ZstdCompressionDict:
        """Return the digest; raise `Corrupt` for a content that is no dictionary of this name."""
        kept = self._kept.get(dictionary.name)
        if kept is not None and (kept[0] is dictionary.content or kept[0] == dictionary.content):
            return kept[1]
        made = _made(dictionary)
        with self._lock:
            self._kept[dictionary.name] = dictionary.content, made
            while len(self._kept) > _MOST:
                self._kept.popitem(last=False)
        return made


def _made(dictionary: Dictionary) -> ZstdCompressionDict:
    content = dictionary.content
    if len(content) < MIN_BYTES or named(content) != dictionary:
        message = f"the content of the dictionary {dictionary.name!r} is not the one of its name"
        raise Corrupt(message, code="bad_dictionary", dictionary=dictionary.name)
    # That tells by the first bytes, too, whether the content is a trained one.
    made = ZstdCompressionDict(content)
    try:
        # The first decompressor digests it, which must not happen in two threads at once.
        ZstdDecompressor(dict_data=made)
    except ZstdError as error:
        message = f"the dictionary {dictionary.name!r} is none of Zstandard: {error}"
        raise Corrupt(message, code="bad_dictionary", dictionary=dictionary.name) from error
    return made


DIGESTS: Final = Digests()
"""Those of the whole process: a name stands for one content everywhere."""
