"""The commands `tasks`, `tasks check` and `tutorial`; each imports what it needs when it is called."""

from __future__ import annotations

import click

from atoll.scripts.commands.options import emit, json_option, pairs


@click.group(invoke_without_command=True)
@json_option
@click.pass_context
def tasks(context: click.Context, is_json: bool) -> int:
    """List the problems that can be evolved, with their options; 'tasks check' tries one.

    \b
    Example:
      python cli.py tasks
    """
    if not context.invoked_subcommand:
        from atoll.scripts.view.tasks import describe, describe_json

        emit(describe_json(), describe(), as_json=is_json)
    return 0


@tasks.command()
@click.argument("task")
@click.option("-o", "--option", "options", multiple=True, metavar="NAME=VALUE", help="A task's option.")
@click.option("--backend", default="auto", show_default=True, help="What computes the fitness.")
@json_option
def check(task: str, options: tuple[str, ...], backend: str, is_json: bool) -> int:
    """Try a task on a few genomes and say what it does wrong, and what to change (exit code 8).

    \b
    Examples:
      python cli.py tasks check path/to/file.py:NAME
      python cli.py tasks check gym:CartPole-v1 -o hidden=4
    """
    from atoll.evo.resources import limit_threads

    limit_threads(1)
    from atoll.evo.signals import separate_children_of
    from atoll.scripts.view.streams import reserved_stdout
    from atoll.scripts.view.tasks import show_check

    separate_children_of(task)
    with reserved_stdout() as out:
        return show_check(task, pairs(options), backend=backend, is_json=is_json, out=out)


@click.command()
def tutorial() -> None:
    """Print how a problem of one's own is evolved, step by step.

    \b
    Example:
      python cli.py tutorial | less
    """
    from importlib.resources import files

    click.echo(files("atoll").joinpath("tutorial.md").read_text(encoding="utf-8"), nl=False)
