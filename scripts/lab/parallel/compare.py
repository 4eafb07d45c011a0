"""Compare ways to run many trials in parallel: `python -m scripts.lab compare run|resume|committed|report ...`.

Rows go to OUT/runs.jsonl, one for each run, as soon as it has ended. Ctrl-C loses the run in progress alone; `resume`
goes on.
"""

from __future__ import annotations

import sys
from pathlib import Path

import click

from atoll.evo.errors import ConfigError
from atoll.evo.signals import StopSignal
from atoll.scripts.lab.kit import rows
from atoll.scripts.lab.kit.study import tables_option
from atoll.scripts.lab.parallel import session
from atoll.scripts.lab.parallel.plan import PLAN, ROWS, Factors, settings_of, tables_named
from atoll.scripts.lab.parallel.report import tables as report_tables
from atoll.scripts.lab.parallel.setting import Setting
from atoll.scripts.lab.parallel.threads import experiments as threads

DEFAULT_OUT = Path("bench/compare")
SIGNAL_EXIT_CODE = 128


@click.group()
def main() -> None:
    """Compare ways to run many trials in parallel, on this machine, from raw rows."""


_out = click.option(
    "--out", default=DEFAULT_OUT, show_default=True, type=click.Path(path_type=Path), help="Where the table lies."
)


@main.command()
@click.option("--tier", default="small", show_default=True, help="Size of a trial: tiny, small, medium, production.")
@click.option("--arms", required=True, help="Backends, for example sequential,optuna_threads,process_pool.")
@click.option("--workers", default="2", show_default=True, help="Trials at once: 1,2,4.")
@click.option("--blocks", "n_blocks", default=3, show_default=True, help="How often every setting is run.")
@click.option("--trials", "n_trials", default=4, show_default=True, help="Trials in a run.")
@click.option("--evaluator", default="reference", show_default=True, help="reference, native.")
@click.option("--threads", default="1", show_default=True, help="Of each worker: numbers, default.")
@click.option(
    "--limit",
    default="before_import",
    show_default=True,
    help="How that is set: before_import, after_import, set_num_threads.",
)
@click.option("--wait-policy", default="default", show_default=True, help="Of idle OpenMP threads: default, passive.")
@click.option("--start-method", default="", help="Of processes: spawn, forkserver, fork.  [default: spawn]")
@click.option("--migrate-every", default="0", show_default=True, help="Generations, in the islands arm; 0 is off.")
@click.option("--sampler", help="tpe: let Optuna search, where it can, instead of running the fixed list.")
@click.option("--fault", help="What befalls trial 1 of every run but the baseline: kill, raise, hang.")
@click.option("--seed", default=1, show_default=True, help="Of the list of configurations, and of the order of runs.")
@click.option("--deadline-factor", default=3.0, show_default=True, help="Deadline, in sequential times.")
@click.option("--tries", default=4, show_default=True, help="How often a run is made until it is not rejected.")
@click.option("--calibration-s", default=1.0, show_default=True, help="Length of the calibration before and after.")
@click.option("--ray-address", help="A Ray cluster to use; otherwise each run of a Ray arm starts one.")
@_out
def run(
    *,
    out: Path,
    tier: str,
    n_blocks: int,
    n_trials: int,
    sampler: str | None,
    fault: str | None,
    seed: int,
    deadline_factor: float,
    tries: int,
    calibration_s: float,
    ray_address: str | None,
    **lists: str,
) -> None:
    """Begin a table and make its runs. Lists, with commas, are combined with each other."""
    factors = Factors(
        arms=_words(lists["arms"]),
        workers=_numbers("--workers", lists["workers"]),
        evaluators=_words(lists["evaluator"]),
        threads=_words(lists["threads"]),
        limits=_words(lists["limit"]),
        wait_policies=_words(lists["wait_policy"]),
        start_methods=_words(lists["start_method"]),
        migrate_every=_numbers("--migrate-every", lists["migrate_every"]),
    )
    common = Setting("sequential", tier, n_trials=n_trials, seed=seed, sampler=sampler, fault=fault)
    session.begin(
        out,
        settings_of(factors, common),
        n_blocks=n_blocks,
        seed=seed,
        deadline_factor=deadline_factor,
        tries=tries,
        calibration_s=calibration_s,
        ray_address=ray_address,
    )
    _carry_on(out)


@main.command()
@_out
def resume(out: Path) -> None:
    """Make the runs that a stopped table lacks, on the same host in the same boot."""
    _carry_on(out)


@main.command()
@click.argument("names", nargs=-1)
@_out
def committed(names: tuple[str, ...], out: Path) -> None:
    """Make the tables whose rows this repository keeps, each in OUT/NAME; or go on with them, after a stop.

    All of them without NAMES: in an hour and a half on two cores, which should have nothing else to do.
    """
    for name, table in tables_named(names).items():
        if not (out / name / PLAN).exists():
            session.begin(out / name, table.settings, n_blocks=table.n_blocks, seed=1)
        click.echo(f"table {name}", err=True)
        _carry_on(out / name)


@main.command()
@click.option(
    "--out",
    default=DEFAULT_OUT,
    show_default=True,
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Where the rows lie (*.jsonl, *.jsonl.gz); the report goes there, too.",
)
@tables_option
@click.option(
    "--threads",
    "threads_folder",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Rows of the experiments on threads, whose tables are to be in it, too.",
)
def report(out: Path, tables_folder: Path | None, threads_folder: Path | None) -> None:
    """Derive verdicts, intervals, tables and plots from the rows of earlier runs."""
    more = threads.blocks(rows.read(threads_folder)) if threads_folder else {}
    click.echo(report_tables.report(out, tables_folder=tables_folder, more=more), nl=False)


def _carry_on(folder: Path) -> None:
    with StopSignal() as stop:
        is_complete = session.carry_on(folder, is_stopping=stop, say=lambda line: click.echo(line, err=True))
    if is_complete:
        click.echo(f"complete: {folder / ROWS}")
    else:
        click.echo(f"stopped; go on with: python -m scripts.lab compare resume --out {folder}", err=True)
        sys.exit(SIGNAL_EXIT_CODE + stop.received)


def _words(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _numbers(flag: str, text: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in _words(text))
    except ValueError:
        raise ConfigError(f"{flag} must be whole numbers with commas between them; got {text!r}") from None
