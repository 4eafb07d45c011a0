"""The commands that evolve islands, evolve and resume; each imports what it needs when it is called."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from atoll.evo import config as settings
from atoll.evo.installation import as_typed
from atoll.evo.paths import check_island_name
from atoll.scripts.commands.options import foreign_option, pairs, setting_options, shared_options, shared_paths

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from atoll.evo.config import IslandConfig
    from atoll.evo.settings import Value
    from atoll.evo.signals import StopSignal
    from atoll.scripts.run.island import Command
    from atoll.scripts.view.display import UndisturbedDisplay


@click.command()
@click.argument("islands", nargs=-1)
@click.option("--count", type=click.IntRange(1, 10_000), help="Evolve island-01 ... island-COUNT in this process.")
@click.option(
    "--processes", default=1, type=click.IntRange(1, 1024), help="Spread several islands over so many processes."
)
@setting_options
@click.option("-o", "--option", "options", multiple=True, metavar="NAME=VALUE", help="A task's option; see 'tasks'.")
@click.option("--config", "config_file", type=click.Path(path_type=Path), help="TOML: [defaults] and [<island>].")
@click.option("--fresh", "is_fresh", is_flag=True, help="Archive what this island has, then start again.")
@click.option(
    "--take-over", "is_taking_over", is_flag=True, help="Take it from an owner on another host that has ended."
)
@click.option(
    "--team",
    type=click.IntRange(1, 1024),
    help="Share each generation among as many processes: start this same command in as many terminals.",
)
@click.option(
    "--verify-share",
    default=0.0,
    type=click.FloatRange(0.0, 1.0),
    help="Part of a team's work that a second member scores too; a difference stops the team.",
)
@foreign_option
@shared_options
def evolve(
    islands: tuple[str, ...],
    count: int | None,
    processes: int,
    team: int | None,
    verify_share: float,
    options: tuple[str, ...],
    config_file: Path | None,
    is_fresh: bool,
    is_taking_over: bool,
    is_foreign_allowed: bool,
    root: Path,
    is_json: bool,
    **flags: Any,
) -> int:
    """Evolve an island, or several by turns, from the founders or from the checkpoint.

    Ctrl-C or SIGTERM finish the generation, write a checkpoint and leave; the same command goes on. Several islands
    share each call of the task; each ends as if it were alone, and the exit code is the worst of theirs: an error
    before a signal, and of two errors the higher one.

    \b
    Examples:
      python cli.py evolve island-01 -p 250 -g 150 --migration-dir shared/ --migrate-every 10
      python cli.py evolve island-{01..64} -p 50 --processes 4
      python cli.py evolve big -p 1000 --team 4
      python cli.py evolve quick -p 50 -g 40 --task rastrigin -o dimensions=20
      python cli.py evolve island-02 --config islands.toml
      python cli.py evolve a --mode lockstep --members a,b,c --migration-dir exact/
      python cli.py evolve island-01 --mode replay --replay-from shared/islands/island-01 --migration-dir replayed/
    """
    given = {name: value for name, value in flags.items() if value is not None}
    names = _names(islands, count)
    configs = [_config(name, given, pairs(options), config_file, root) for name in names]
    _check_team(configs, team, verify_share, processes)

    return _start(
        configs,
        processes=processes,
        team=(team, verify_share) if team else None,
        is_json=is_json,
        root=root,
        is_fresh=is_fresh,
        is_taking_over=is_taking_over,
        is_foreign_allowed=is_foreign_allowed,
    )


@click.command()
@click.argument("islands", nargs=-1, required=True)
@click.option("-g", "--generations", type=click.IntRange(1), help="Another generation to reach.")
@click.option("--task", help="The island's task again, where it is a program: only you can say to run it.")
@click.option("--algorithm", help="Its algorithm again, where it is a program.")
@click.option("--team", type=click.IntRange(1, 1024), help="As many processes share each generation; see evolve.")
@click.option(
    "--take-over", "is_taking_over", is_flag=True, help="Take it from an owner on another host that has ended."
)
@foreign_option
@shared_options
def resume(
    islands: tuple[str, ...],
    generations: int | None,
    task: str | None,
    algorithm: str | None,
    team: int | None,
    is_taking_over: bool,
    is_foreign_allowed: bool,
    root: Path,
    is_json: bool,
) -> int:
    """Go on with islands as they were started last, without the command that started them.

    Their settings are read from their logs. It is the same as to repeat the command, with another -g if one is given.

    \b
    Examples:
      python cli.py resume island-01
      python cli.py resume island-{01..04} -g 300
    """
    from atoll.scripts.run.restart import config_of

    shared = shared_paths(root)
    read = partial(config_of, shared=shared, generations=generations, task=task, algorithm=algorithm)
    configs = [read(name) for name in _names(islands, None)]
    _check_team(configs, team)
    return _start(
        configs,
        team=(team, 0.0) if team else None,
        is_json=is_json,
        root=root,
        is_taking_over=is_taking_over,
        is_foreign_allowed=is_foreign_allowed,
    )


def _start(
    configs: Sequence[IslandConfig],
    *,
    processes: int = 1,
    team: tuple[int, float] | None,
    is_json: bool,
    **command: Any,
) -> int:
    """Evolve islands in this process, in several, or one as a member of a team; `command` is what `Command` takes."""
    from atoll.evo.signals import StopSignal
    from atoll.scripts.run.spread import Spread, spread

    told, is_alone = None, len(configs) == 1
    processes = min(processes, len(configs))
    if processes > 1:
        part = spread(processes)
        if isinstance(part, Spread):
            return part.wait()
        configs, told = configs[part.number :: processes], part.told

    from atoll.evo.resources import limit_threads

    limit_threads(max(config.threads for config in configs))
    with StopSignal(told) as stop:
        from atoll.evo.signals import separate_children_of
        from atoll.scripts.run.island import Command
        from atoll.scripts.view.display import choose_display

        separate_children_of(*dict.fromkeys(name for each in configs for name in (each.task, each.algorithm)))
        with choose_display(is_json=is_json, is_shared=told is not None) as display:
            if team:
                from atoll.migration.team.member import Team
                from atoll.scripts.run.team import run_team

                return run_team(configs[0], Command(**command), Team(*team), display=display, stop=stop)
            return _run(configs, Command(**command), display=display, stop=stop, is_alone=is_alone)


def _check_team(
    configs: Sequence[IslandConfig], team: int | None, verify_share: float = 0.0, processes: int = 1
) -> None:
    """Raise UsageError where a team is asked for what it cannot do."""
    if not 0.0 <= verify_share <= 1.0:
        raise click.UsageError(f"--verify-share must be from 0 to 1, got {verify_share}")
    if verify_share and not team:
        raise click.UsageError("--verify-share is of a team: give --team N too")
    if team and processes > 1:
        raise click.UsageError("--team and --processes contradict each other: a member of a team is one process")
    if team and len(configs) > 1:
        raise click.UsageError(f"--team is of one island, got {len(configs)}; start each in processes of its own")
    if team and configs[0].migration.mode == settings.REPLAY:
        raise click.UsageError("--team and --mode replay contradict each other: a replay is one process's")


def _names(islands: Sequence[str], count: int | None) -> tuple[str, ...]:
    """Return the names of the islands; UsageError if there is none, or one twice."""
    if bool(islands) == (count is not None):
        raise click.UsageError("name an island, or several, or give --count N for island-01 ... island-N")
    names = tuple(islands) or tuple(f"island-{number:02}" for number in range(1, (count or 0) + 1))
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice:
        raise click.UsageError(f"{twice} is named twice")
    return tuple(map(check_island_name, names))


def _config(
    island: str, given: Mapping[str, Value], options: Mapping[str, str], config_file: Path | None, root: Path
) -> IslandConfig:
    """Return an island's config: flags, and below them the file."""
    values, file_options = settings.read_config_file(config_file, island, shared=root) if config_file else ({}, {})
    values, options = {**values, **given}, {**file_options, **options}
    if values.get("mode") != settings.REPLAY:
        return settings.island_config(island, values, options)
    from atoll.scripts.run.recording import replay_config

    return replay_config(island, values, options)


def _run(
    configs: Sequence[IslandConfig], command: Command, *, display: UndisturbedDisplay, stop: StopSignal, is_alone: bool
) -> int:
    """Evolve one island, whose error is the command's, or several."""
    if is_alone:
        from atoll.scripts.run.island import run_island

        return run_island(configs[0], command, display=display, stop=stop)
    from atoll.scripts.run.islands import run_islands
    from atoll.scripts.view.display import JointDisplay

    def complain(text: str) -> None:
        click.echo(as_typed(text), err=True)

    return run_islands(configs, command, display_of=JointDisplay(display).of, complain=complain, stop=stop)
