"""What to say when the operating system refuses: the cause in words, and what to do."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Final

from ...domain.errors import Corrupt, Unavailable

_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_REFUSED: Final = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})
_GONE: Final = frozenset({errno.ENOENT, errno.ESTALE})
_STRANGE: Final = frozenset({errno.ELOOP, errno.ENOTDIR, errno.EISDIR, errno.EEXIST})

_WORDS: Final = {
    errno.ENOSPC: "there is no room left on the disk: make some, then try again",
    errno.EDQUOT: "the quota of disk space is used up: make room, then try again",
    errno.EFBIG: "the file would become longer than this process or file system allows: "
    "raise the limit, then try again",
    errno.EACCES: "this user may not do it: change the permissions of the folder",
    errno.EPERM: "this user may not do it: change the permissions of the folder",
    errno.EROFS: "the file system is mounted read-only: mount it for writing, or read only",
    errno.ENOENT: "it is not there any more: put the folder back, then open the store again",
    errno.ESTALE: "the server of the file system has lost it: open the store again",
    errno.EMFILE: "this process has too many files open: close some, or raise the limit",
    errno.ENFILE: "the machine has too many files open: close some, or raise the limit",
    errno.EIO: "the disk reports a failure: look at the disk before you go on",
}


def is_full(error: OSError) -> bool:
    """Tell whether the system refused for want of space."""
    return error.errno in _FULL


def is_strange(error: OSError) -> bool:
    """Tell whether the system met a link, or a folder where a file should be."""
    return error.errno in _STRANGE


def is_damage(error: OSError) -> bool:
    """Tell whether the refusal concerns the one file that was asked for, and no other."""
    return error.errno in _STRANGE | _REFUSED or error.errno == errno.EIO


def refusal(error: OSError, root: Path) -> Unavailable | Corrupt:
    """Make the error for a caller: `Unavailable`, or `Corrupt` where a link lies in the folder."""
    path = error.filename if isinstance(error.filename, str) else str(root)
    name = errno.errorcode.get(error.errno or 0, type(error).__name__)
    if error.errno in _STRANGE:
        message = (
            f"{path!r} in the store {root} is a link or something else that does not belong "
            "there; nothing beyond it was touched: put back what was there before"
        )
        return Corrupt(message, code="strange_path", path=path, errno=name)
    why = _WORDS.get(error.errno or 0, f"{error.strerror or error}: try again")
    message = f"the store {root} cannot answer: at {path!r}, {why}"
    return Unavailable(message, code=code_of(error), path=path, errno=name)


def code_of(error: OSError) -> str:
    """Return the stable code for what the system said."""
    if error.errno in _FULL:
        return "disk_full"
    if error.errno in _REFUSED:
        return "read_only"
    return "gone" if error.errno in _GONE else "io"
