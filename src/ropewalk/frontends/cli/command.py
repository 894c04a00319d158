"""`Command` and `Group`: examples and exit codes in the help, the same options everywhere."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Final

import click

from ...domain.spelling import did_you_mean
from .exits import Exit


@dataclass(slots=True)
class Invocation:
    """What the options that every command has were set to, before or behind its name."""

    url: str | None = None
    space: str | None = None
    config: str | None = None
    json: bool = False
    no_color: bool = False
    debug: bool = False


@dataclass(frozen=True, slots=True)
class Example:
    """A line to type, and what it is for."""

    line: str
    purpose: str


def _keep(context: click.Context, parameter: click.Parameter, value: object) -> None:
    invocation: Invocation = context.ensure_object(Invocation)
    if value:
        setattr(invocation, str(parameter.name), value)


def _everywhere(*names: str, help: str, metavar: str | None = None) -> click.Option:
    return click.Option(
        names,
        help=help,
        metavar=metavar,
        is_flag=metavar is None,
        expose_value=False,
        callback=_keep,
    )


def _store_options() -> list[click.Parameter]:
    """Return the options that say which store is meant."""
    return [
        _everywhere("-u", "--url", metavar="URL", help="The store, such as sqlite:///agent.db."),
        _everywhere("-s", "--space", metavar="NAME", help="The space to look into."),
        _everywhere("-c", "--config", metavar="FILE", help="The configuration to read."),
    ]


def _output_options() -> list[click.Parameter]:
    """Return the options that say how to answer."""
    return [
        _everywhere("--json", help="Answer in JSON; errors as JSON on stderr."),
        _everywhere("--no-color", help="Use no colours (as with NO_COLOR)."),
        _everywhere("--debug", help="Show where an error comes from."),
    ]


USUAL: Final = (Exit.DONE, Exit.USAGE, Exit.NOT_FOUND, Exit.NO_STORE)


class Command(click.Command):
    """A command whose help shows examples to type and the codes that it ends with."""

    def __init__(
        self,
        name: str | None,
        *,
        examples: Sequence[Example],
        exits: Sequence[Exit] = USUAL,
        on_store: bool = True,
        **settings: Any,  # noqa: ANN401 (what click takes)
    ) -> None:
        """Add the options of every command behind its own."""
        settings["params"] = _with_options(settings.get("params"), on_store=on_store)
        super().__init__(name, **settings)
        self.examples = tuple(examples)
        self.exits = tuple(exits)

    def format_help_text(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write what the command does, and then at once how it is used."""
        super().format_help_text(ctx, formatter)
        _write_examples(formatter, self.examples)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write which codes the command ends with."""
        super().format_epilog(ctx, formatter)
        _write_exits(formatter, self.exits)


class Group(click.Group):
    """Commands by name; the module of a command is imported when that command is called.

    `places` has "module:attribute" for each, and the sentence that lists show of it.
    """

    def __init__(
        self,
        name: str,
        *,
        places: Mapping[str, tuple[str, str]],
        examples: Sequence[Example],
        exits: Sequence[Exit] = USUAL,
        **settings: Any,  # noqa: ANN401 (what click takes)
    ) -> None:
        """Know where the commands stand."""
        settings["params"] = _with_options(settings.get("params"), on_store=True)
        super().__init__(name, invoke_without_command=True, callback=_show_help, **settings)
        self.places = dict(places)
        self.examples = tuple(examples)
        self.exits = tuple(exits)

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """Name the commands, in the order in which one meets them."""
        return list(self.places)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Import a command."""
        if cmd_name not in self.places:
            return None
        module, _, attribute = self.places[cmd_name][0].partition(":")
        found: click.Command = getattr(import_module(f".{module}", __package__), attribute)
        return found

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command that is meant; say which one may be, where there is none."""
        if args[0] not in self.places and not ctx.resilient_parsing:
            message = f"there is no command {args[0]!r}; {did_you_mean(args[0], self.places)}"
            raise click.UsageError(message, ctx)
        return super().resolve_command(ctx, args)

    def format_help_text(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write what the commands are for, and some to begin with."""
        super().format_help_text(ctx, formatter)
        _write_examples(formatter, self.examples)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """List the commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, place[1]) for name, place in self.places.items()])

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write which codes commands end with."""
        super().format_epilog(ctx, formatter)
        _write_exits(formatter, self.exits)


@click.pass_context
def _show_help(context: click.Context) -> None:
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


def _with_options(own: list[click.Parameter] | None, *, on_store: bool) -> list[click.Parameter]:
    return [*(own or []), *(_store_options() if on_store else []), *_output_options()]


def _write_examples(formatter: click.HelpFormatter, examples: Sequence[Example]) -> None:
    """Write examples, each line by itself so that it can be copied."""
    with formatter.section("Examples"):
        for example in examples:
            indent = " " * formatter.current_indent
            formatter.write(f"{indent}# {example.purpose}\n{indent}$ {example.line}\n")


def _write_exits(formatter: click.HelpFormatter, exits: Sequence[Exit]) -> None:
    """Write exit codes with their meanings, and where the others stand."""
    rows = [(str(int(code)), code.meaning) for code in sorted(exits)]
    if len(rows) < len(Exit):
        rows.append(("...", "what may happen to any command: ropewalk --help"))
    with formatter.section("Exit codes"):
        formatter.write_dl(rows)


def command(
    *,
    examples: Sequence[Example],
    exits: Sequence[Exit] = USUAL,
    on_store: bool = True,
) -> Callable[[Callable[..., object]], Command]:
    """Turn a function into a `Command`; its docstring is the help."""
    return click.command(cls=Command, examples=examples, exits=exits, on_store=on_store)
