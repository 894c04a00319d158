"""Making the folder a store: the marker that says so, and words for version control."""

from __future__ import annotations

from typing import Final

from ...domain.errors import Corrupt, Invalid
from .disk import Disk
from .layout import COMMITS, LOCAL, MARKER, STAGED, SUFFIX
from .refusal import code_of
from .text import Damage, dump_lines, load, load_int, load_text

FORMAT: Final = "ropewalk folder"
VERSION: Final = 2
"""What this program writes; it reads all that were before. The second has checksums."""

_ABOUT: Final = (
    "A Ropewalk store. Each file under spaces/ is a record: a header to read, a line ---, and the "
    "sealed body. commits.jsonl says what changed when. Change files by hand only while no program "
    "has the store open. The folder .ropewalk belongs to this machine: keep it out of version "
    "control."
)

_FRESH: Final = f"{STAGED}/fresh"

_ATTRIBUTES: Final = (
    "# Bodies are bytes: nobody may touch their line ends, and nobody can merge them.\n"
    f"*{SUFFIX} -text diff -merge\n"
    f"{COMMITS} -text -merge\n"
)


def check_foreign(disk: Disk) -> None:
    """Raise `Invalid` where the folder is not empty and no store; names with a dot do not count."""
    if disk.exists(MARKER):
        return
    others = [name for name, _ in disk.names("") if not name.startswith(".")]
    # Somebody else may have made it a store between the two looks: the marker comes first.
    if others and not disk.exists(MARKER):
        message = (
            f"{disk.root} is no Ropewalk store and holds other things, such as {others[0]!r}: "
            "name an empty folder, or one that does not exist yet"
        )
        raise Invalid(message, code="not_a_store", field="root", path=str(disk.root))


def claim(disk: Disk) -> None:
    """Write the marker if there is none, under the lock; else see that we can read the format.

    An earlier version becomes the present one: what is written from now on has it. Raises
    `Invalid` for a later version or another format, `Corrupt` where the marker is unreadable.
    """
    if not disk.exists(MARKER):
        check_foreign(disk)
        _put(disk, f"{LOCAL}/.gitignore", b"*\n")
        if not disk.exists(".gitattributes"):
            _put(disk, ".gitattributes", _ATTRIBUTES.encode())
        _mark(disk)
    elif read_version(disk) < VERSION:
        try:
            _mark(disk)
        except OSError as error:
            if code_of(error) != "read_only":
                raise
            # Who may only read writes nothing that the earlier version does not have.


def read_version(disk: Disk) -> int:
    """Return the version of the format that the marker tells.

    Raises `Invalid` for a later version or another format, `Corrupt` where it is unreadable.
    """
    try:
        fields = load(disk.read(MARKER))
        format = load_text(fields.get("format"), field="format")
        version = load_int(fields.get("version"), field="version")
    except Damage as error:
        message = (
            f"{MARKER} in {disk.root} is damaged, because {error}: restore it, or write "
            f'{{"format": "{FORMAT}", "version": {VERSION}}} into it'
        )
        raise Corrupt(message, code="bad_marker", path=MARKER) from error
    if format != FORMAT or not 1 <= version <= VERSION:
        message = (
            f"{disk.root} has the format {format!r} in version {version}; this Ropewalk reads "
            f"{FORMAT!r} up to version {VERSION}: open it with a newer one"
        )
        raise Invalid(message, code="other_format", field="root", version=version)
    return version


def _mark(disk: Disk) -> None:
    marker = {"format": FORMAT, "version": VERSION, "about": _ABOUT}
    _put(disk, MARKER, dump_lines(marker) + b"\n")


def _put(disk: Disk, path: str, content: bytes) -> None:
    """Write a file in one step, so that nobody sees it half written."""
    disk.make_folder(STAGED)
    disk.write(_FRESH, [content])
    if path == MARKER:
        disk.sync_file(_FRESH)
    disk.move(_FRESH, path)
