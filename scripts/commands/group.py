"""Atoll's commands: parse, make a frozen config, one call, exit code. Everything else is imported when it is needed."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from atoll.evo import atomic, installation
from atoll.evo import config as settings
from atoll.evo.errors import EXIT_CODES, AtollError, ConfigError, NoMemoryError
from atoll.evo.paths import SharedPaths, check_island_name
from atoll.scripts.commands import inspect as see
from atoll.scripts.commands import pool as pool_commands
from atoll.scripts.commands.doctor import doctor
from atoll.scripts.commands.options import foreign_option, pairs, setting_options, shared_options
from atoll.scripts.view import streams

if TYPE_CHECKING:
    from collections.abc import Callable

PROGRAM = "cli.py"
EXIT_CODE_HELP = "\n".join(["\b", "Exit codes:", *[f"  {code:>3}  {text}" for code, text in EXIT_CODES.items()]])


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}, epilog=EXIT_CODE_HELP)
@click.version_option(package_name="atoll", prog_name="atoll")
def cli() -> None:
    """Neuroevolution on islands that share nothing but a folder.

    \b
    Start an island in as many terminals as you like:
      python cli.py evolve island-01 -p 250 -g 150 --migration-dir shared/ --migrate-every 10
    """


@cli.command()
@click.argument("island")
@setting_options
@click.option("-o", "--option", "options", multiple=True, metavar="NAME=VALUE", help="A task's option; see 'tasks'.")
@click.option("--config", "config_file", type=click.Path(path_type=Path), help="TOML: [defaults] and [<island>].")
@click.option("--fresh", "is_fresh", is_flag=True, help="Archive what this island has, then start again.")
@click.option(
    "--take-over", "is_taking_over", is_flag=True, help="Take it from an owner on another host that has ended."
)
@foreign_option
@shared_options
def evolve(
    island: str,
    options: tuple[str, ...],
    config_file: Path | None,
    is_fresh: bool,
    is_taking_over: bool,
    is_foreign_allowed: bool,
    root: Path,
    is_json: bool,
    **flags: Any,
) -> int:
    """Evolve one island, from its founders or from its checkpoint.

    Ctrl-C or SIGTERM finish the generation, write a checkpoint and leave; the same command goes on.

    \b
    Examples:
      python cli.py evolve island-01 -p 250 -g 150 --migration-dir shared/ --migrate-every 10
      python cli.py evolve quick -p 50 -g 40 --task rastrigin -o dimensions=20
      python cli.py evolve island-02 --config islands.toml
      python cli.py evolve a --mode lockstep --members a,b,c --migration-dir exact/
      python cli.py evolve island-01 --mode replay --replay-from shared/islands/island-01 --migration-dir replayed/
    """
    check_island_name(island)
    values, file_options = _read_file(config_file, island, root)
    values |= {name: value for name, value in flags.items() if value is not None}
    config = _configure(island, values, file_options | pairs(options))

    from atoll.evo.stopping import StopSignal
    from atoll.evo.threads import limit_threads

    limit_threads(config.threads)
    with StopSignal() as stop:
        from atoll.evo.process_group import separate_children_of
        from atoll.scripts.run.island import run_island
        from atoll.scripts.view.display import choose_display

        separate_children_of(config.task)
        with choose_display(target=config.generations, is_json=is_json) as display:
            return run_island(
                config,
                root=root,
                is_fresh=is_fresh,
                display=display,
                stop=stop,
                is_taking_over=is_taking_over,
                is_foreign_allowed=is_foreign_allowed,
            )


@cli.command()
@click.option("--watch", "is_watching", is_flag=True, help="Keep showing the table until Ctrl-C.")
@click.option("--while", "pids", multiple=True, type=int, metavar="PID", help="Watch while this process lives.")
@click.option("--champions", "with_champions", is_flag=True, help="Also show where each island's champion is.")
@shared_options
def status(root: Path, is_json: bool, is_watching: bool, pids: tuple[int, ...], with_champions: bool) -> int:
    """Show all islands, from their files alone.

    \b
    Examples:
      python cli.py status
      python cli.py status --watch
      python cli.py status --json | jq '.islands[].best'
    """
    from atoll.migration.observe.history import refusals_of
    from atoll.migration.observe.status import read_all
    from atoll.migration.pool import identity as pool
    from atoll.scripts.view import table
    from atoll.scripts.view.watch import watch

    shared = SharedPaths(root)
    pool.check_directory(shared)
    if is_watching or pids:
        watch(shared, pids=pids, is_json=is_json)
        return 0
    rows = read_all(shared)
    if is_json:
        click.echo(table.as_json(rows, refusals={row.name: refusals_of(shared.island(row.name)) for row in rows}))
    else:
        table.show_all(rows, shared, with_champions=with_champions)
    return 0


@cli.command()
@click.argument("islands", nargs=-1)
@click.option(
    "-n",
    "--lines",
    type=click.IntRange(min=0),
    default=10,
    show_default=True,
    help="Lines per island to begin with.",
)
@click.option("--follow/--no-follow", "is_following", default=True, show_default=True, help="Wait for more.")
@shared_options
def tail(islands: tuple[str, ...], lines: int, is_following: bool, root: Path, is_json: bool) -> int:
    """Follow the migration log of one or all islands.

    \b
    Examples:
      python cli.py tail
      python cli.py tail island-01 -n 50 --no-follow
    """
    from atoll.migration.pool import identity as pool
    from atoll.scripts.view.watch import tail as follow

    shared = SharedPaths(root)
    pool.check_directory(shared)
    for name in islands:
        check_island_name(name)
    follow(shared, islands, lines=lines, is_json=is_json, is_following=is_following)
    return 0


@cli.group(invoke_without_command=True)
@click.option("--json", "is_json", is_flag=True, help="Print JSON instead of text.")
@click.pass_context
def tasks(context: click.Context, is_json: bool) -> int:
    """List the problems that can be evolved, with their options; 'tasks check' tries one.

    \b
    Example:
      python cli.py tasks
    """
    if not context.invoked_subcommand:
        from atoll.scripts.view.tasks import describe, describe_json

        click.echo(json.dumps(describe_json()) if is_json else describe())
    return 0


@tasks.command()
@click.argument("task")
@click.option("-o", "--option", "options", multiple=True, metavar="NAME=VALUE", help="A task's option.")
@click.option("--backend", default="auto", show_default=True, help="What computes the fitness.")
@click.option("--json", "is_json", is_flag=True, help="Print JSON instead of text.")
def check(task: str, options: tuple[str, ...], backend: str, is_json: bool) -> int:
    """Try a task on a few genomes and say what it does wrong, and what to change (exit code 8).

    \b
    Examples:
      python cli.py tasks check path/to/file.py:NAME
      python cli.py tasks check gym:CartPole-v1 -o hidden=4
    """
    from atoll.evo.threads import limit_threads

    limit_threads(1)
    from atoll.evo.process_group import separate_children_of
    from atoll.scripts.view.streams import reserved_stdout
    from atoll.scripts.view.tasks import show_check

    separate_children_of(task)
    with reserved_stdout() as out:
        return show_check(task, pairs(options), backend=backend, is_json=is_json, out=out)


@cli.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> int:
    """Print the completion script of a shell, for the installed command `atoll`.

    \b
    Example:
      atoll completion bash >> ~/.bashrc
    """
    from click.shell_completion import get_completion_class

    kind = get_completion_class(shell)
    if kind is None:
        raise click.UsageError(f"no completion for {shell}")
    click.echo(kind(cli, {}, "atoll", "_ATOLL_COMPLETE").source())
    return 0


for looking in see.COMMANDS:
    cli.add_command(looking)
cli.add_command(doctor)
cli.add_command(pool_commands.pool)


def main() -> None:
    """Run the command line; the errors that a user can meet become one line on standard error."""
    streams.mend()
    code = run(lambda: cli.main(prog_name=PROGRAM if sys.argv[0].endswith(".py") else None, standalone_mode=False))
    streams.give_up_unwritten()
    sys.exit(code)


def run(command: Callable[[], int | None]) -> int:
    """Call a command and return its exit code."""
    try:
        with atomic.storage_errors("read or write what this command needs"):
            return _call(command)
    except (AtollError, MemoryError) as raised:
        error = raised if isinstance(raised, AtollError) else _out_of_memory(raised)
        click.echo(f"error: {error}", err=True)
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
    except SystemExit:  # how Click ends when the reader of our output has gone
        return 141


def _call(command: Callable[[], int | None]) -> int:
    try:
        return command() or 0
    except ModuleNotFoundError as error:
        if error.name not in installation.PACKAGES:  # a part of ours, or an extra that somebody asked for: a bug
            raise
        raise ConfigError(installation.not_installed(error.name)) from error


def _out_of_memory(error: MemoryError) -> NoMemoryError:
    why = f" ({error})" if str(error) else ""
    return NoMemoryError(f"not enough memory{why}; free some, or make do with fewer individuals or genes")


def _read_file(path: Path | None, island: str, shared: Path) -> tuple[dict[str, Any], dict[str, str]]:
    if path is None:
        return {}, {}
    from atoll.evo.config_file import read_config_file

    return read_config_file(path, island, shared=shared)


def _configure(island: str, values: dict[str, Any], options: dict[str, str]) -> settings.IslandConfig:
    if values.get("mode") != settings.REPLAY:
        return settings.island_config(island, values, options)
    from atoll.scripts.run.recording import replay_config

    return replay_config(island, values, options)
