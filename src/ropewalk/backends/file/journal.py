"""The journal: a batch stands here, whole and checked, before anything of it is done.

The file begins with one line of `HEADER` bytes, the mark, which is rewritten in its place:

    {"epoch":"...","boot":"...","seq":41,"log":10452,"end":9120,"cut":0,"check":"5f0c81e2"}

`seq` is the last commit done, `log` how many bytes of `commits.jsonl` count, `end` how many of the
journal are done: while the file is longer than that, a batch waits to be finished. `epoch` changes
when the files were changed by hand, and whoever has the store open then reads them anew; `boot`
names the run of the machine, because what was done before another one may be lost; `cut` is how
many bytes of `commits.jsonl` have ever been cut off its beginning. `check` is the CRC-32 of what
stands before its comma; marks of older programs have none.

Behind it stand the entries, one a batch: a line `ropewalk <sha256> <head> <payload>` with the
checksum and the length in bytes of what follows; the head, a JSON object with `log` (where in
`commits.jsonl` the row belongs), `row` (the line itself) and `files` (path and length, or path and
-1 to remove it); then the payload: those files, one behind the other, as they are to be. A head
with `cut` is no batch: it says that the shortened log, which lies beside the journal, is to take
the place of `commits.jsonl`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Final

from .disk import Disk, File
from .layout import JOURNAL, LOCAL
from .text import Damage, dump, dump_checked, load, load_checked, load_int, load_list, load_text

HEADER: Final = 512
"""Length of the mark in bytes: one sector, which a disk writes whole or not at all."""

REMOVE: Final = -1
"""Stands for the length of a file that is to be removed."""

_FIELDS: Final = frozenset({"epoch", "boot", "seq", "log", "end", "cut"})
"""What a mark says."""

_LONGEST_LINE: Final = 128
_CHUNK: Final = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Mark:
    """How far everything is done."""

    epoch: str
    boot: str
    seq: int
    log: int
    end: int = HEADER
    cut: int = 0


@dataclass(frozen=True, slots=True)
class Target:
    """A file as a batch leaves it: its parts one behind the other, or `None` to remove it."""

    path: str
    parts: tuple[bytes, ...] | None

    @property
    def size(self) -> int:
        """The length in bytes, or `REMOVE`."""
        return REMOVE if self.parts is None else sum(map(len, self.parts))


@dataclass(frozen=True, slots=True)
class Entry:
    """A batch as it stands in the journal, without its payload."""

    seq: int
    log: int
    row: bytes
    files: tuple[tuple[str, int], ...]
    payload: int
    end: int
    cut: int | None = None


def dump_mark(mark: Mark) -> bytes:
    """Write the line that the journal begins with."""
    fields = {
        "epoch": mark.epoch,
        "boot": mark.boot,
        "seq": mark.seq,
        "log": mark.log,
        "end": mark.end,
        "cut": mark.cut,
    }
    return dump_checked(fields).ljust(HEADER - 1) + b"\n"


def read_mark(file: File) -> Mark:
    """Read the mark of an open journal; raise `Damage` where there is none."""
    data = file.read_at(0, HEADER)
    if len(data) < HEADER:
        raise Damage("it is shorter than its own header")
    fields = load_checked(data.rstrip(), _FIELDS)
    try:
        return Mark(
            load_text(fields["epoch"], field="epoch"),
            load_text(fields["boot"], field="boot"),
            load_int(fields["seq"], field="seq"),
            load_int(fields["log"], field="log"),
            load_int(fields["end"], field="end"),
            load_int(fields.get("cut", 0), field="cut"),
        )
    except KeyError as error:
        raise Damage(f"its header lacks {error}") from error


def begin(disk: Disk, mark: Mark) -> None:
    """Make a new journal without entries, in one step."""
    fresh = f"{JOURNAL}.new"
    disk.write(fresh, [dump_mark(mark)])
    disk.sync_file(fresh)
    disk.move(fresh, JOURNAL)
    disk.sync_folder(LOCAL)
    disk.sync_folder("")


def append(
    file: File,
    at: int,
    *,
    seq: int,
    log: int,
    row: bytes = b"",
    targets: Sequence[Target] = (),
    cut: int | None = None,
) -> int:
    """Write an entry at `at` and return where it ends; nobody counts it before it is whole."""
    files = [[target.path, target.size] for target in targets]
    fields: dict[str, object] = {"seq": seq, "log": log, "row": row.decode(), "files": files}
    head = dump(fields if cut is None else {**fields, "cut": cut})
    parts = [part for target in targets for part in target.parts or ()]
    check = sha256(head)
    for part in parts:
        check.update(part)
    line = b"ropewalk %s %d %d\n" % (check.hexdigest().encode(), len(head), sum(map(len, parts)))
    return file.write_at(at, [line + head, *parts])


def entries(file: File, begin: int, end: int) -> Iterator[Entry]:
    """Go through the whole entries between two places, up to the first that is not whole."""
    while begin < end:
        entry = _read(file, begin, end)
        if entry is None:
            return
        yield entry
        begin = entry.end


def payload_of(file: File, entry: Entry) -> Iterator[tuple[str, bytes | None]]:
    """Go through the files of an entry: path and content, `None` for one to remove."""
    at = entry.payload
    for path, size in entry.files:
        if size == REMOVE:
            yield path, None
        else:
            yield path, file.read_at(at, size)
            at += size


def cut(mark: Mark, file: File) -> Mark:
    """Drop all entries, which are done and safe without the journal; return the mark since."""
    since = replace(mark, end=HEADER)
    # In this order a death in between leaves a journal that ends before its mark does, which
    # says that everything is done; and no new block is needed where the disk is full.
    file.truncate(HEADER)
    file.write_at(0, [dump_mark(since)])
    return since


def _read(file: File, begin: int, end: int) -> Entry | None:
    """Read the entry at `begin`, or return `None` where none is whole before `end`."""
    line = file.read_at(begin, min(_LONGEST_LINE, end - begin)).partition(b"\n")
    words = line[0].split(b" ")
    if not line[1] or len(words) != 4 or words[0] != b"ropewalk":  # noqa: PLR2004 (its own parts)
        return None
    if not (words[2].isdigit() and words[3].isdigit()):
        return None
    head, payload = int(words[2]), int(words[3])
    start = begin + len(line[0]) + 1
    if start + head + payload > end or words[1] != _digest(file, start, head + payload):
        return None
    try:
        return _load(file.read_at(start, head), start + head, payload)
    except (Damage, KeyError):
        # The checksum is right, and yet it is none of ours.
        return None


def _load(head: bytes, start: int, size: int) -> Entry:
    """Read the head of an entry, whose payload has `size` bytes from `start` on."""
    fields = load(head)
    files: list[tuple[str, int]] = []
    for item in load_list(fields["files"], field="files"):
        match load_list(item, field="files"):
            case [str(path), int(length)]:
                files.append((path, length))
            case _:
                raise Damage("a file has no path or no length")
    cut = fields.get("cut")
    return Entry(
        seq=load_int(fields["seq"], field="seq"),
        log=load_int(fields["log"], field="log"),
        row=load_text(fields["row"], field="row").encode(),
        files=tuple(files),
        payload=start,
        end=start + size,
        cut=None if cut is None else load_int(cut, field="cut"),
    )


def _digest(file: File, offset: int, size: int) -> bytes:
    check = sha256()
    while size > 0:
        part = file.read_at(offset, min(size, _CHUNK))
        if not part:
            break
        check.update(part)
        offset += len(part)
        size -= len(part)
    return check.hexdigest().encode()
