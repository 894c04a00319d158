"""Whatever is typed, the answer is a documented code and never a traceback."""

from __future__ import annotations

import os
from pathlib import Path

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from ropewalk.frontends.cli.exits import Exit

from .typing_it import Answer, typed

WORDS = st.sampled_from(
    [
        *("ls", "log", "show", "stats", "doctor", "import", "legacy", "demo"),
        *("sessions", "threads", "checkpoints", "spaces", "kinds"),
        *("rome", "rome~1", "rome/cheaper", "trip", "cp-rome-02", "thread:rome", "nobody", "old"),
        *("--json", "--graph", "--limit", "--cursor", "--session", "--status", "--user", "--by"),
        *("--state", "--messages", "--path", "--tz", "--dry-run", "--space", "--config", "--help"),
        *("+08:00", "plan.0", "model", "day", "2", "-1", "active", "--", "-", "", "--no-color"),
        *(
            "-u",
            "memory://",
            "sqlite:///nothing.db",
            "sqlite://",
            "http://example.org",
            "file:///old",
        ),
    ]
)

# No slash among the free letters: a made-up path must stay in the folder of the test.
LETTERS = st.text(st.characters(codec=None, exclude_characters="/\\"), max_size=12)

COMMANDS = st.sampled_from([["ls"], ["log"], ["show"], ["stats"], ["import", "legacy"], ["demo"]])

TYPED = st.tuples(COMMANDS, st.lists(WORDS | LETTERS, max_size=5)).map(
    lambda parts: [*parts[0], *parts[1]]
) | st.lists(WORDS | LETTERS, max_size=6)


@given(arguments=TYPED, with_store=st.booleans())
@example(arguments=["show", "\0"], with_store=True)
@example(arguments=["show", "\udcff"], with_store=True)
@example(arguments=["log", "rome", "--limit", "9" * 30], with_store=True)
@example(arguments=["ls", "--space", "\udcff"], with_store=True)
@example(arguments=["ls", "-c", "\0"], with_store=True)
@example(arguments=["ls", "-u", "sqlite:///\0"], with_store=False)
@example(arguments=["ls", "-u", "sqlite:///%00"], with_store=False)
@example(arguments=["ls", "-u", "file:///" + "x" * 5000], with_store=False)
@example(arguments=["import", "legacy", "\0", "memory://", "--tz", "+08:00"], with_store=False)
@example(arguments=["import", "legacy", "x" * 5000, "memory://", "--tz", "UTC"], with_store=False)
@example(arguments=["demo", "--path", "\0"], with_store=False)
@example(arguments=["demo", "--path", "x" * 5000], with_store=False)
@settings(
    max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_no_argument_leads_to_a_traceback(
    demo: str, folder: Path, arguments: list[str], *, with_store: bool
) -> None:
    """Each ending is one of the documented codes, and a fault of ours is never among them."""
    os.chdir(folder)
    answer = typed(*(["-u", demo] if with_store else []), *arguments)
    check(answer)


def check(answer: Answer) -> None:
    """Check that an answer is one that is documented."""
    assert answer.code in {int(code) for code in Exit}
    assert "Traceback" not in answer.out + answer.err
    assert "fault of ropewalk" not in answer.err
    if answer.code not in {Exit.DONE, Exit.PARTLY, Exit.FAILED}:
        assert answer.err
