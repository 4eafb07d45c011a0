"""Islands at equal budgets of evaluations, when do they help? `python -m scripts.lab islands run|report|check`."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from atoll.evo.errors import DamagedFileError
from atoll.scripts.lab.islands.equal_budgets import plan

FOLDER = Path("bench/islands")

folder_option = click.option(
    "--out", default=FOLDER, show_default=True, type=click.Path(path_type=Path), help="Where the rows are."
)
problem_option = click.option("--problem", "names", multiple=True, help="Only this one; may be given again.")
quick_option = click.option("--quick", is_flag=True, help="Tiny sizes, to see that it works; the figures mean nothing.")


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Experiments on islands at equal budgets of evaluations: rows first, everything else from them."""


@main.command()
@folder_option
@problem_option
@quick_option
@click.option("--workers", default=2, show_default=True, type=click.IntRange(min=1), help="Processes.")
def run(*, out: Path, names: tuple[str, ...], quick: bool, workers: int) -> None:
    """Tune every family alike, set the targets, then compare; a run cut short goes on where it was."""
    from atoll.scripts.lab.islands.equal_budgets.run import measure  # noqa: PLC0415 - each command loads what it needs

    measure(_problems(names, quick=quick), out, workers=workers, tell=click.echo)


@main.command()
@folder_option
@problem_option
@quick_option
@click.option("--runs", default=20, show_default=True, type=click.IntRange(min=1), help="How many, drawn at random.")
@click.option("--seed", default=1, show_default=True, help="Of the draw.")
def check(*, out: Path, names: tuple[str, ...], quick: bool, runs: int, seed: int) -> None:
    """Run some of the rows again: equal seeds give equal rows, on any machine."""
    from atoll.scripts.lab.islands.equal_budgets.run import repeat  # noqa: PLC0415 - see above

    found = repeat(_problems(names, quick=quick), out, n=runs, seed=seed)
    for job, is_equal in found:
        if not is_equal:
            click.echo(f"differs: {job.problem.name}, {job.arm.name}, seed {job.seed} ({job.key})", err=True)
    n_equal = sum(is_equal for _, is_equal in found)
    click.echo(f"{n_equal} of {len(found)} rows came out the same again, byte for byte")
    if n_equal < len(found):
        sys.exit(DamagedFileError.exit_code)


@main.command()
@folder_option
@problem_option
@quick_option
@click.option("--plots", type=click.Path(path_type=Path), help="Where figures go; plots/ beside the rows by default.")
@click.option(
    "--tables",
    "tables_folder",
    type=click.Path(path_type=Path, file_okay=False),
    help="Write a file for each table there.",
)
def report(*, out: Path, names: tuple[str, ...], quick: bool, plots: Path | None, tables_folder: Path | None) -> None:
    """Derive every table and figure from the rows alone."""
    from atoll.scripts.lab.islands.equal_budgets.report import write  # noqa: PLC0415 - see above

    problems = _problems(names, quick=quick)
    click.echo(write(problems, out, plots=plots or out / "plots", tables_folder=tables_folder), nl=False)


def _problems(names: tuple[str, ...], *, quick: bool) -> tuple[plan.Problem, ...]:
    found = plan.named(names)
    return tuple(map(plan.quick, found)) if quick else found
