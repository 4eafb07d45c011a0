"""When do islands help, by how much, and why? `python -m scripts.experiments.islands run|report|check`."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from evo.errors import AtollError, DamagedFileError
from evo.threads import limit_threads
from scripts.experiments.islands import arms

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
    from scripts.experiments.islands.run import measure  # noqa: PLC0415 - each command loads what it needs

    limit_threads(1)  # of the workers, which inherit the environment
    with _explained():
        measure(_problems(names, quick=quick), out, workers=workers, tell=click.echo)


@main.command()
@folder_option
@problem_option
@quick_option
@click.option("--runs", default=20, show_default=True, type=click.IntRange(min=1), help="How many, drawn at random.")
@click.option("--seed", default=1, show_default=True, help="Of the draw.")
def check(*, out: Path, names: tuple[str, ...], quick: bool, runs: int, seed: int) -> None:
    """Run some of the rows again: equal seeds give equal rows, on any machine."""
    from scripts.experiments.islands.run import repeat  # noqa: PLC0415 - see above

    with _explained():
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
    from scripts.experiments.islands.page import write  # noqa: PLC0415 - see above

    with _explained():
        problems = _problems(names, quick=quick)
        click.echo(write(problems, out, plots=plots or out / "plots", tables_folder=tables_folder), nl=False)


def _problems(names: tuple[str, ...], *, quick: bool) -> tuple[arms.Problem, ...]:
    found = arms.named(names)
    return tuple(map(arms.quick, found)) if quick else found


class _explained:  # noqa: N801 - used like a function
    """Ends with one line and the documented exit code where Atoll explains a failure."""

    def __enter__(self) -> None:
        """Begin."""

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        if isinstance(error, AtollError):
            click.echo(f"error: {error}", err=True)
            sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
