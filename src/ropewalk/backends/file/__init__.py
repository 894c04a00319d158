"""The file store: a folder that people can read and put under version control.

```
root/
  ropewalk.json          says that this is a store, and in which format      (marker.py)
  commits.jsonl          the feed: one line a commit                         (commits.py)
  spaces/<space>/<kind>/<id>.rec    one record: header, ---, body            (layout.py, format.py)
  .ropewalk/             this machine's own: lock, journal, staged files     (lock.py, journal.py)
```

A batch is decided under the lock, staged, written ahead into the journal, then carried out by
renaming (`batches.py`); whoever finds one half carried out finishes it first (`recovery.py`). What
a process knows of the folder is in `folder.py`; `disk.py` alone touches the operating system.
"""

from __future__ import annotations

from .backend import FileBackend

__all__ = ["FileBackend"]
