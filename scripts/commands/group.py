"""The group of Atoll's commands, each loaded when it is called; errors become one line and an exit code."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from atoll.evo import atomic, installation
from atoll.evo.errors import EXIT_CODES, AtollError, ConfigError, no_memory
from atoll.scripts.view import streams

if TYPE_CHECKING:
    from collections.abc import Callable

PLACES = {
    **dict.fromkeys(("doctor", "plot", "report", "show", "status", "tail"), "inspect"),
    **dict.fromkeys(("best", "export"), "data"),
    **dict.fromkeys(("launch", "stop"), "launch"),
    **dict.fromkeys(("tasks", "tutorial"), "tasks"),
    "algorithms": "algorithms",
    **dict.fromkeys(("evolve", "resume"), "evolve"),
    "pool": "pool",
}
"""The module beside this one in which each command is defined."""
EXIT_CODE_HELP = "\n".join(["\b", "Exit codes:", *[f"  {code:>3}  {text}" for code, text in EXIT_CODES.items()]])


class _HelpFormatter(click.HelpFormatter):
    """Writes a command's help, with the program named as it was typed."""

    def getvalue(self) -> str:
        return installation.as_typed(super().getvalue())


class _Context(click.Context):
    formatter_class = _HelpFormatter


class _LazyGroup(click.Group):
    """A group that imports a command when it is called or listed."""

    context_class = _Context

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted({*super().list_commands(ctx), *PLACES})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in PLACES:
            return super().get_command(ctx, cmd_name)
        command: click.Command = getattr(importlib.import_module(f"{__package__}.{PLACES[cmd_name]}"), cmd_name)
        for each in (command, *(command.commands.values() if isinstance(command, click.Group) else ())):
            each.context_class = _Context
        return command


@click.group(
    cls=_LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog=EXIT_CODE_HELP,
)
@click.version_option(package_name="atoll", prog_name="atoll")
def cli() -> None:
    """Neuroevolution on islands that share nothing but a folder.

    \b
    Start an island in as many terminals as you like:
      python cli.py evolve island-01 -p 250 -g 150 --migration-dir shared/ --migrate-every 10
    """


@cli.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> int:
    """Print the completion script of a shell, for the installed command `atoll`.

    \b
    Example:
      atoll completion bash >> ~/.bashrc
    """
    from click.shell_completion import get_completion_class

    kind: Any = get_completion_class(shell)
    click.echo(kind(cli, {}, "atoll", "_ATOLL_COMPLETE").source())
    return 0


def main() -> None:
    """Run the command line; the errors that a user can meet become one line on standard error."""
    streams.mend()
    name = Path(sys.argv[0]).name
    if name == "__main__.py":
        name = "atoll" if sys.flags.safe_path else "python -m atoll"  # with -P by the scripts of the command atoll
    installation.program = f"python {name}" if name.endswith(".py") else name
    code = run(lambda: cli.main(prog_name=name, standalone_mode=False))
    streams.give_up_unwritten()
    sys.exit(code)


def run(command: Callable[[], int | None]) -> int:
    """Call a command and return its exit code."""
    try:
        return explain(lambda: _call(command), what="command")
    except SystemExit as ending:  # so Click ends when it has told a shell what completes a line, and with 1 when the
        return 141 if ending.code == 1 else 0  # reader of our output has gone


def explain(command: Callable[[], int | None], *, what: str) -> int:
    """Call a command or a study and return its exit code; an error that Atoll or Click explains becomes one line."""
    try:
        with atomic.storage_errors(f"read or write what this {what} needs"):
            return command() or 0
    except AtollError as error:
        click.echo(installation.as_typed(f"error: {error}"), err=True)
        return error.exit_code
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        return error.exit_code
    except click.ClickException as error:
        hint = f" (see '{error.ctx.command_path} --help')" if isinstance(error, click.UsageError) and error.ctx else ""
        click.echo(f"error: {error.format_message()}{hint}", err=True)
        return error.exit_code
    except click.Abort:
        return 130


def _call(command: Callable[[], int | None]) -> int:
    try:
        return command() or 0
    except MemoryError as error:
        raise no_memory(error) from error
    except ModuleNotFoundError as error:
        if error.name not in {*installation.REQUIRED, *installation.EXTRAS}:  # a part of ours: a bug
            raise
        raise ConfigError(installation.not_installed(error.name)) from error
