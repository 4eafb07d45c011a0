"""The commands `algorithms` and `algorithms check`; each imports what it needs when it is called."""

from __future__ import annotations

import click

from atoll.scripts.commands.options import emit, json_option, pairs


@click.group(invoke_without_command=True)
@json_option
@click.pass_context
def algorithms(context: click.Context, is_json: bool) -> int:
    """List the algorithms of an island, with the settings of each; 'algorithms check' tries one.

    \b
    Example:
      python cli.py algorithms
    """
    if not context.invoked_subcommand:
        from atoll.scripts.view.algorithms import describe, describe_json

        emit(describe_json(), describe(), as_json=is_json)
    return 0


@algorithms.command()
@click.argument("algorithm")
@click.option("--task", default="sphere", show_default=True, help="What it is tried on; see 'cli.py tasks'.")
@click.option("-o", "--option", "options", multiple=True, metavar="NAME=VALUE", help="A task's option.")
@json_option
def check(algorithm: str, task: str, options: tuple[str, ...], is_json: bool) -> int:
    """Try an algorithm for a few generations and say what it does wrong, and what to change (exit code 8).

    \b
    Examples:
      python cli.py algorithms check path/to/file.py:NAME
      python cli.py algorithms check snes --task rastrigin -o dimensions=20
    """
    from atoll.evo.resources import limit_threads

    limit_threads(1)
    from atoll.evo.signals import separate_children_of
    from atoll.scripts.view.algorithms import show_check
    from atoll.scripts.view.streams import reserved_stdout

    separate_children_of(algorithm, task)
    with reserved_stdout() as out:
        return show_check(algorithm, task, pairs(options), is_json=is_json, out=out)
