"""Secret keys of one family's trees: names of nodes, boundaries and the seal on a root."""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b
from typing import Final

from .form import DIGEST_BYTES

SECRET_BYTES: Final = 32
MAC_BYTES: Final = 16

# One secret serves several ends, kept apart by BLAKE2's personalisation (RFC 7693, at most 16).
_FAMILY: Final = b"ropewalk family"
_NODE: Final = b"ropewalk node"
_CUT: Final = b"ropewalk cut"
_ROOT: Final = b"ropewalk root"

_CUT_BYTES: Final = 4


class TreeKeys:
    """Name nodes by keyed BLAKE2b, 12 bytes; nobody without the secret can guess or collide names.

    Of a billion nodes of one family two have the same name with a chance of 6 in 10^12.
    Each family has a key of its own: equal content has different names in two families, so that
    a name says nothing about what others have.
    """

    __slots__ = ("_cut", "_node", "_root", "family")

    def __init__(self, secret: bytes, family: str) -> None:
        """Derive the keys of `family` from the secret of the space."""
        own = blake2b(family.encode(), key=secret, person=_FAMILY).digest()
        self.family = family
        self._node = blake2b(key=own, person=_NODE, digest_size=DIGEST_BYTES)
        self._cut = blake2b(key=own, person=_CUT, digest_size=_CUT_BYTES)
        self._root = blake2b(key=own, person=_ROOT, digest_size=MAC_BYTES)

    def digest(self, body: bytes) -> bytes:
        """Return the name of the node with this body."""
        named = self._node.copy()
        named.update(body)
        return named.digest()

    def chance(self, form: bytes) -> int:
        """Return a number below 2^32 that decides whether a leaf ends behind this form."""
        tossed = self._cut.copy()
        tossed.update(form)
        return int.from_bytes(tossed.digest())

    def mac(self, parts: Iterable[bytes]) -> bytes:
        """Return the keyed hash of a root and of everything that it belongs to."""
        whole = self._root.copy()
        whole.update(b"".join([len(part).to_bytes(8) + part for part in parts]))
        return whole.digest()
