"""The commands for looking: report, show and plot. Each imports what it needs when it is called."""

from __future__ import annotations

from pathlib import Path

import click

from atoll.evo.paths import SharedPaths
from atoll.scripts.commands.options import Directory, emit, json_option, shared_options

PLOTS = ("fitness", "diversity", "ancestry", "migration", "champions", "differentiation")

directory_argument = click.argument("root", metavar="[DIR]", type=Directory(), default=Path("shared"))


@click.command()
@directory_argument
@click.option(
    "-o",
    "--output",
    "out",
    type=click.Path(path_type=Path, dir_okay=False),
    default=Path("report.html"),
    show_default=True,
    help="The page to write.",
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
@click.option("--gif", type=click.Path(path_type=Path, dir_okay=False), help="Write its walk as an animation.")
@click.option("--png", type=click.Path(path_type=Path, dir_okay=False), help="Write its walk as a contact sheet.")
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

    told = tell_of(
        champion,
        SharedPaths(root),
        is_checking=is_checking,
        gif=gif,
        png=png,
        is_unseen=course == "unseen",
        task=task,
    )
    emit(told, champion_text(told), as_json=is_json)
    check_score(told)
    return 0


@click.command()
@click.argument("what", type=click.Choice(PLOTS))
@directory_argument
@click.option(
    "-o", "--output", "out", type=click.Path(path_type=Path, dir_okay=False), required=True, help="A .png or .svg file."
)
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


COMMANDS = (plot, report, show)
