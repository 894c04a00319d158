"""`python -m ropewalk` is the command `ropewalk`."""

from __future__ import annotations

from .frontends.cli.app import main

if __name__ == "__main__":
    main()
