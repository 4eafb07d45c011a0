"""The commands for a run's data: export, best; each imports what it needs when it is called."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from atoll.evo.paths import SharedPaths
from atoll.scripts.commands.inspect import directory_argument
from atoll.scripts.commands.options import emit, json_option

TABLES = ("generations", "ancestry", "migrants", "champions", "genomes", "settings", "events")
FORMATS = ("csv", "jsonl", "parquet")
STANDARD_OUTPUT = Path("-")


@click.command()
@directory_argument
@click.option(
    "--what",
    type=click.Choice(TABLES),
    default="generations",
    show_default=True,
    help="The table; see docs/reference/data.md.",
)
@click.option("--format", "kind", type=click.Choice(FORMATS), help="By default as the file is named, else csv.")
@click.option(
    "-o",
    "--output",
    "out",
    type=click.Path(path_type=Path),
    default=STANDARD_OUTPUT,
    help="A file; - for the terminal.",
)
def export(root: Path, what: str, kind: str | None, out: Path) -> int:
    """Write a table of a run, for pandas, R or a spreadsheet; what a restart lived again has one row.

    \b
    Examples:
      python cli.py export -o generations.csv
      python cli.py export shared/old/run-85816d77f174 --what migrants -o migrants.parquet
      python cli.py export --what generations --format jsonl | head
    """
    from atoll.evo.errors import printable
    from atoll.migration.pool.identity import check_directory
    from atoll.scripts.report.export import write
    from atoll.scripts.report.frames import read

    shared = SharedPaths(root)
    check_directory(shared)
    kind = kind or (out.suffix[1:] if out.suffix[1:] in FORMATS else "csv")
    if kind == "parquet" and out == STANDARD_OUTPUT:
        raise click.UsageError("--format parquet needs a file: -o FILE")
    frame = read(what, shared, note=lambda text: click.echo(printable(f"note: {text}"), err=True))
    n = write(frame, kind, None if out == STANDARD_OUTPUT else out, standard_output=sys.stdout)
    if out != STANDARD_OUTPUT:
        click.echo(f"{out}: {what}, {n} rows, {len(frame.columns)} columns", err=True)
    return 0


@click.command()
@directory_argument
@click.option("--task", help="A task in a file of yours, where the champions are of one: only you can say to run it.")
@json_option
def best(root: Path, task: str | None, is_json: bool) -> int:
    """Tell of the best champion of all islands, scored again, and how to load it.

    The exit code is 0 if it scores exactly what was recorded, and 11 if not.

    \b
    Examples:
      python cli.py best
      python cli.py best shared/old/run-85816d77f174 --json
    """
    from atoll.evo.resources import limit_threads

    limit_threads(1)
    from atoll.scripts.report.best import best_text, tell_of_best
    from atoll.scripts.report.show import check_score

    told = tell_of_best(SharedPaths(root), task=task)
    emit(told, best_text(told), as_json=is_json)
    check_score(told)
    return 0
