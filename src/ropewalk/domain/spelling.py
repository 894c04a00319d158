"""What to say where a name is unknown: the nearest one, and all that there are."""

from __future__ import annotations

from collections.abc import Iterable


def closest(name: str, known: Iterable[str], *, cutoff: float = 0.6) -> str | None:
    """Return the known name that looks most like `name`, or `None` where none is near.

    `cutoff` from 0 to 1 says how near: the ratio of difflib (Ratcliff and Obershelp).
    """
    # difflib costs milliseconds to import and is needed only where something is wrong.
    from difflib import get_close_matches

    folded = {candidate.casefold(): candidate for candidate in sorted(known)}
    found = get_close_matches(name.casefold(), folded, n=1, cutoff=cutoff)
    return folded[found[0]] if found else None


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return a half sentence for an error: a suggestion if there is one, then the known names."""
    names = sorted(known)
    near = closest(name, names)
    listed = f"known: {', '.join(names)}" if names else "none is known"
    return f"did you mean {near!r}? {listed}" if near else listed
