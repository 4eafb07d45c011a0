"""The commands for looking: status, tail, report, show, plot, doctor; each imports what it needs when it is called."""

from __future__ import annotations

from pathlib import Path

import click

from atoll.evo.paths import SharedPaths, check_island_name
from atoll.scripts.commands.options import Directory, OutputFile, emit, json_option, shared_options, shared_paths

PLOTS = ("fitness", "diversity", "ancestry", "migration", "champions", "differentiation")

directory_argument = click.argument("root", metavar="[DIR]", type=Directory(), default=Path("shared"))


@click.command()
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
    from atoll.scripts.view import table
    from atoll.scripts.view.watch import watch

    shared = shared_paths(root)
    if is_watching or pids:
        watch(shared, pids=pids, is_json=is_json)
        return 0
    rows = read_all(shared)
    if is_json:
        click.echo(table.as_json(rows, refusals={row.name: refusals_of(shared.island(row.name)) for row in rows}))
    else:
        table.show_all(rows, shared, with_champions=with_champions)
    return 0


@click.command()
@click.argument("islands", nargs=-1)
@click.option(
    "-n", "--lines", type=click.IntRange(min=0), default=10, show_default=True, help="Lines per island to begin with."
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
    from atoll.scripts.view.watch import tail as follow

    shared = shared_paths(root)
    for name in islands:
        check_island_name(name)
    follow(shared, islands, lines=lines, is_json=is_json, is_following=is_following)
    return 0


@click.command()
@directory_argument
@click.option(
    "-o", "--output", "out", type=OutputFile(), default="report.html", show_default=True, help="The page to write."
)
@json_option
def report(root: Path, out: Path, is_json: bool) -> int:
    """Write an archipelago's story as one HTML page that needs nothing else: creatures, curves, migration, ancestry.

    \b
    Examples:
      python cli.py report
      python cli.py report shared/old/run-85816d77f174 -o run.html
    """
    from atoll.evo.resources import limit_threads

    limit_threads(1)
    from atoll.evo.errors import printable
    from atoll.scripts.report.page import write_report

    told = write_report(SharedPaths(root), out)
    if not is_json:
        for note in told["notes"]:
            click.echo(printable(f"note: {note}"), err=True)
    shown = f"{told['islands']} islands, {told['walkers']} champions on the move, {told['bytes'] / 1e6:.1f} MB"
    emit(told, f"{out}: {shown}", as_json=is_json)
    return 0


@click.command()
@click.argument("champion")
@click.option("--check", "is_checking", is_flag=True, help="Simulate it again; exit code 11 if its fitness differs.")
@click.option("--gif", type=OutputFile(), help="Write its walk as an animation.")
@click.option("--png", type=OutputFile(), help="Write its walk as a contact sheet.")
@click.option(
    "--course", type=click.Choice(["unseen", "trained"]), default="unseen", show_default=True, help="Where it walks."
)
@click.option("--task", help="A task in a file of yours, where the champion is of one: only you can say to run it.")
@shared_options
def show(
    champion: str,
    is_checking: bool,
    gif: Path | None,
    png: Path | None,
    course: str,
    task: str | None,
    root: Path,
    is_json: bool,
) -> int:
    """Tell of a champion in plain words: an island's, by its name, or one in a file.

    With --check it is simulated again first. The exit code is 0 if it scores exactly what was recorded, and 11 if not.

    \b
    Examples:
      python cli.py show island-01
      python cli.py show shared/islands/island-01/champion.safetensors --check
      python cli.py show island-01 --gif walk.gif --png walk.png
    """
    from atoll.evo.resources import limit_threads

    limit_threads(1)
    from atoll.scripts.report.show import champion_text, check_score, tell_of

    is_unseen = course == "unseen"
    told = tell_of(
        champion, SharedPaths(root), is_checking=is_checking, gif=gif, png=png, is_unseen=is_unseen, task=task
    )
    emit(told, champion_text(told), as_json=is_json)
    check_score(told)
    return 0


@click.command()
@click.argument("what", type=click.Choice(PLOTS))
@directory_argument
@click.option("-o", "--output", "out", type=OutputFile(), required=True, help="A .png or .svg file.")
@json_option
def plot(what: str, root: Path, out: Path, is_json: bool) -> int:
    """Draw a figure for a paper from the raw logs, one column wide.

    \b
    Examples:
      python cli.py plot fitness -o fitness.svg
      python cli.py plot ancestry shared/old/run-85816d77f174 -o ancestry.png
    """
    from atoll.scripts.report.plots import write_plot

    n = write_plot(what, SharedPaths(root), out)
    emit({"plot": str(out), "what": what, "islands": n}, f"{out}: {what}, {n} islands", as_json=is_json)
    return 0


@click.command(context_settings={"allow_interspersed_args": False})
@click.argument("command", nargs=-1, type=click.UNPROCESSED)
@click.option("--pid", type=click.IntRange(min=1), help="Explain the threads of this process and its descendants.")
@click.option(
    "--seconds",
    type=click.FloatRange(min=0.2),
    default=5.0,
    show_default=True,
    help="How long to look at --pid; a COMMAND is looked at until it ends.",
)
@shared_options
def doctor(command: tuple[str, ...], pid: int | None, seconds: float, root: Path, is_json: bool) -> int:
    """Explain threads, and the shared file system: what would keep islands, or anything, from running at full speed.

    With --pid or a COMMAND, look at that from outside instead: which threads there are and who made them, whether they
    work side by side, one after another, or in each other's way, and what to change.

    \b
    Examples:
      python cli.py doctor
      python cli.py doctor --pid 4242
      python cli.py doctor -- python my_script.py
    """
    if pid is not None and command:
        raise click.UsageError("give either --pid or a COMMAND")
    from atoll.scripts.doctor import examine

    if pid is not None:
        return examine.show_process(pid, seconds=seconds, is_json=is_json)
    if command:
        return examine.show_command(command, is_json=is_json)
    return examine.show_machine(shared_paths(root), is_json=is_json)
