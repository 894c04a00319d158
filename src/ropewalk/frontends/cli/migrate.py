"""`ropewalk migrate`: move in by a plan: rehearse, run, compare, take back, cut over."""

from __future__ import annotations

from typing import Final

from .command import Example, Group
from .importing import EXITS

_PLAN: Final = "ropewalk migrate plan old sqlite:///agent.db --tz +08:00 -o move.toml"

group: Final = Group(
    "migrate",
    help=(
        "Move in by a plan: rehearse, run, compare, take back.\n\n"
        "A plan is a file that one can read and edit. Every run keeps a journal in the store that "
        "it writes to: it goes on where it was broken off, brings nothing twice, and can be taken "
        "back. The source is never changed."
    ),
    places={
        "scan": ("migrate_scan:scan", "Tell what there is to bring; nothing is changed."),
        "plan": ("migrate_plan:plan", "Write a plan, to be read and edited."),
        "run": ("migrate_run:migrate", "Rehearse a plan, or carry it out with --apply."),
        "status": ("migrate_status:status", "List the runs into a store, or show one."),
        "verify": ("migrate_verify:verify", "Compare the source with what was brought."),
        "rollback": ("migrate_rollback:rollback", "Take back what a run wrote."),
        "cutover": (
            "migrate_cutover:cutover",
            "Run until nothing is left, freeze the source, and compare everything.",
        ),
    },
    examples=[
        Example(_PLAN, "plan it"),
        Example("ropewalk migrate run move.toml", "rehearse it"),
        Example("ropewalk migrate run move.toml --apply", "do it"),
    ],
    exits=EXITS,
)
