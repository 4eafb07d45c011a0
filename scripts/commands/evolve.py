"""The command `evolve`; it imports what it needs when it is called."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from atoll.evo import config as settings
from atoll.evo.paths import check_island_name
from atoll.scripts.commands.options import foreign_option, pairs, setting_options, shared_options


@click.command()
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
    values, file_options = settings.read_config_file(config_file, island, shared=root) if config_file else ({}, {})
    values |= {name: value for name, value in flags.items() if value is not None}
    given = file_options | pairs(options)
    if values.get("mode") == settings.REPLAY:
        from atoll.scripts.run.recording import replay_config

        config = replay_config(island, values, given)
    else:
        config = settings.island_config(island, values, given)

    from atoll.evo.resources import limit_threads
    from atoll.evo.signals import StopSignal

    limit_threads(config.threads)
    with StopSignal() as stop:
        from atoll.evo.signals import separate_children_of
        from atoll.scripts.run.island import run_island
        from atoll.scripts.view.display import choose_display

        separate_children_of(config.task, config.algorithm)
        with choose_display(is_json=is_json) as display:
            return run_island(
                config,
                root=root,
                is_fresh=is_fresh,
                display=display,
                stop=stop,
                is_taking_over=is_taking_over,
                is_foreign_allowed=is_foreign_allowed,
            )
