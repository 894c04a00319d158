"""`main`: the command `ropewalk`; commands are imported when they are used, errors become codes."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NoReturn

import click

from ...domain.errors import RopewalkError
from .command import Example, Group
from .exits import Exit, exit_of

_COMPLETION: Final = "_ROPEWALK_COMPLETE"


def _version(context: click.Context, _: click.Parameter, value: object) -> None:
    if value and not context.resilient_parsing:
        from ... import __version__

        click.echo(f"ropewalk {__version__}")
        context.exit()


root: Final = Group(
    "ropewalk",
    help="One store for everything an LLM-agent application must remember.",
    places={
        "demo": ("demo:demo", "Make a small store to look at, and show it."),
        "ls": ("ls:ls", "List sessions and threads, or another kind of thing."),
        "log": ("log:log", "Show what happened along a thread, newest first."),
        "show": ("show:show", "Show one session, thread, checkpoint or history entry."),
        "diff": ("diff:diff", "Tell what differs between two states."),
        "fork": ("fork:fork", "Fork a thread at a checkpoint or behind a message."),
        "merge": ("merge:merge", "Merge the newest state of a thread into another one."),
        "tag": ("tag:tag", "Give a checkpoint a name, or take it off."),
        "prune": ("prune:prune", "Remove checkpoints that no rule keeps, after a dry run."),
        "gc": ("gc:collect", "Give back the space of what no checkpoint needs any more."),
        "verify": ("verify:verify", "Check all that is stored, and name what is damaged."),
        "runs": ("runs:runs", "List what workflows run, and which have lost their driver."),
        "leases": ("leases:leases", "List who alone may change what, and until when."),
        "watch": ("watch:watch", "Tell each commit of a space as it is made."),
        "consumers": ("consumers:consumers", "List who works through the commits of a space."),
        "trim": ("consumers:trim", "Forget old commits of the log, after a dry run."),
        "top": ("top:top", "Show what is going on in a store, again and again."),
        "stats": ("stats:stats", "Count records, tokens, cost and model calls."),
        "doctor": ("doctor:doctor", "Check everything that a store needs."),
        "schema": ("schema:group", "Tell which form a store has, and bring it up to date."),
        "spaces": ("spaces:group", "List, make and delete the spaces of a store."),
        "grant": ("grants:group", "Let one space see or change some of another."),
        "export": ("export:export", "Write a store, or a part of it, into a file."),
        "erase": ("erase:erase", "Remove everything of a person from a space."),
        "import": (
            "importing:group",
            "Bring an archive, or the data of another program, into a store.",
        ),
        "config": ("settings:group", "Take over the settings of another program."),
        "migrate": ("migrate:group", "Move in by a plan: rehearse, run, compare, take back."),
        "copy": ("migrate_copy:copy", "Copy a store into another one, and compare them."),
    },
    examples=[
        Example("ropewalk demo", "make a store to look at"),
        Example("ropewalk ls -u sqlite:///ropewalk-demo.db", "see what is in it"),
        Example("ropewalk log -u sqlite:///ropewalk-demo.db rome --graph", "see how it forked"),
    ],
    exits=tuple(Exit),
    params=[
        click.Option(
            ["--version"],
            is_flag=True,
            is_eager=True,
            expose_value=False,
            callback=_version,
            help="Show the version and exit.",
        )
    ],
)


def main() -> NoReturn:
    """Run the command that the process was started with."""
    sys.exit(call(sys.argv[1:]))


def call(arguments: Sequence[str]) -> int:
    """Run one command and return its exit code; errors are told on stderr.

    What somebody can mend is told in a sentence; with `--debug` everything is.
    """
    if _COMPLETION in os.environ:
        root.main(prog_name="ropewalk")
    _escape_letters()
    if "--debug" in arguments:
        import logging

        logging.basicConfig(level=logging.DEBUG)
    try:
        code = _invoke(arguments)
        sys.stdout.flush()
    except (KeyboardInterrupt, click.Abort):
        click.echo("interrupted", err=True)
        return Exit.INTERRUPTED
    except BrokenPipeError:
        _forget_stdout()
        return Exit.DONE
    except Exception as error:  # noqa: BLE001 (the outermost door)
        ending = _ending(error)
        _tell(ending, as_json="--json" in arguments, debug="--debug" in arguments)
        return ending.exit
    return code


def _escape_letters() -> None:
    """Let a letter that the terminal lacks be written out: no answer is lost for one letter."""
    reconfigure = getattr(sys.stdout, "reconfigure", None)
    if callable(reconfigure):
        reconfigure(errors="backslashreplace")


def _invoke(arguments: Sequence[str]) -> int:
    if any("\0" in argument for argument in arguments):
        message = "an argument holds a NUL character, which nothing can be called by"
        raise click.UsageError(message)
    try:
        with root.make_context("ropewalk", list(arguments)) as context:
            result: object = root.invoke(context)
    except click.exceptions.Exit as stop:
        return stop.exit_code
    return result if isinstance(result, int) else Exit.DONE


def _forget_stdout() -> None:
    """Let nothing be flushed into a pipe that nobody reads any more."""
    try:
        descriptor = sys.stdout.fileno()
    except (OSError, ValueError):
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, descriptor)
    os.close(nowhere)


@dataclass(frozen=True, slots=True)
class _Ending:
    """What went wrong, for people and for programs."""

    exit: Exit
    code: str
    message: str
    hint: str = ""
    facts: Mapping[str, object] = field(default_factory=dict[str, object])


def _ending(error: Exception) -> _Ending:
    match error:
        case RopewalkError():
            return _Ending(exit_of(error), error.code, error.message, facts=error.facts)
        case click.ClickException():
            context: click.Context | None = getattr(error, "ctx", None)
            hint = f"{context.command_path if context else 'ropewalk'} --help"
            return _Ending(Exit.USAGE, "usage", error.format_message(), hint)
        case OSError():
            code = Exit.DENIED if isinstance(error, PermissionError) else Exit.FAILED
            named = f"{error.filename}: " if error.filename else ""
            return _Ending(code, "os", f"{named}{error.strerror or error}")
        case _:
            said = f"{type(error).__name__}: {error}"
            message = f"{said}; this is a fault of ropewalk, please report it"
            return _Ending(Exit.FAILED, "fault", message, "with --debug it says where")


def _tell(ending: _Ending, *, as_json: bool, debug: bool) -> None:
    """Write the error that is being handled to stderr."""
    from .text import clean_lines

    if debug:
        import traceback

        traceback.print_exc()
    if not as_json:
        click.echo(f"error: {clean_lines(ending.message)}", err=True)
        if ending.hint:
            click.echo(f"  help: {ending.hint}", err=True)
        return
    import json

    told: dict[str, object] = {"type": "error", "code": ending.code, "exit": int(ending.exit)}
    told["message"] = ending.message
    if ending.hint:
        told["hint"] = ending.hint
    if ending.facts:
        told["facts"] = {name: str(fact) for name, fact in ending.facts.items()}
    click.echo(json.dumps(told), err=True)
