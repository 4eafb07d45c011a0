"""The form of a study: a plan of calls, a row for each call as soon as it is measured, and tables from rows alone.

A study gives `plan(options) -> calls`, each of which measures one row, and `table(rows) -> text`; all else is the same
for every study and is here: the options of seeds and files, worker processes, writing rows and reading kept ones.
"""

from __future__ import annotations

import functools
import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from atoll.evo import atomic, runlog
from atoll.evo.errors import AtollError, DamagedFileError
from atoll.scripts.lab.kit.machine import describe
from atoll.scripts.lab.kit.rows import numbered

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from atoll.evo.runlog import Record

    Function = Callable[..., Any]
    Call = Callable[[], Record]
    """Measures one row."""

Result = TypeVar("Result")

AT_LEAST_1 = click.IntRange(min=1)
DEFAULTS_SHOWN = {"show_default": True}
"""Of every command of a study: its help names the defaults."""
quick_option = click.option("--quick", is_flag=True, help="Tiny sizes, to see that it works; the figures mean nothing.")
tables_option = click.option(
    "--tables",
    "tables_folder",
    type=click.Path(path_type=Path, file_okay=False),
    help="Write a file for each table there.",
)


def seed_options(n: int, *, first: int, what: str) -> Callable[[Function], Function]:
    """Add `--seeds` and `--first-seed` to a command, which gets both as `seeds`, a range."""

    def add(function: Function) -> Function:
        @click.option("--seeds", "n_seeds", default=n, type=AT_LEAST_1, help=what)
        @click.option("--first-seed", default=first, help="Seed of the first of them.")
        @functools.wraps(function)
        def call(*, n_seeds: int, first_seed: int, **options: object) -> object:
            return function(seeds=range(first_seed, first_seed + n_seeds), **options)

        return call

    return add


def out_option(default: str) -> Callable[[Function], Function]:
    """Return the option that says where rows are written."""
    return click.option(
        "--out", default=Path(default), type=click.Path(path_type=Path), help="Where the rows are written."
    )


def command(
    *,
    line: Callable[[Record], str],
    table: Callable[[Sequence[Record]], str],
    out: str,
    workers: int = 1,
) -> Callable[[Callable[..., Sequence[Call]]], click.Command]:
    """Make a command of a plan: it makes the calls that the plan returns, and prints the table of their rows' file.

    With `--table FILE` it measures nothing, and prints the table of the rows that are kept there.
    """

    def made(plan: Callable[..., Sequence[Call]]) -> click.Command:
        @out_option(out)
        @click.option("--workers", default=workers, type=AT_LEAST_1, help="Processes.")
        @click.option(
            "--table", "kept", type=click.Path(path_type=Path, exists=True), help="Only print these rows' table."
        )
        @functools.wraps(plan)
        def run(*, out: Path, workers: int, kept: Path | None, **options: object) -> None:
            if kept is None:
                write_rows(in_order(plan(**options), workers=workers), out, line=line)
            click.echo(table(read_rows(kept or out)))

        return click.command(context_settings=DEFAULTS_SHOWN)(run)

    return made


def in_order(calls: Sequence[Callable[[], Result]], *, workers: int) -> Iterator[Result]:
    """Yield what each call, one that workers can import, returns, in their order; one worker is this process.

    Raises:
        AtollError: A worker died.
    """
    if workers == 1 or len(calls) <= 1:
        yield from map(_make, calls)
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(workers, len(calls)), mp_context=context) as pool:
        try:
            yield from pool.map(_make, calls)
        except BrokenProcessPool as error:
            raise AtollError("a worker died; what was finished is kept: run the same command again") from error
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _make(call: Callable[[], Result]) -> Result:
    return call()


def write_rows(rows: Iterable[Mapping[str, Any]], out: Path, *, line: Callable[[Record], str]) -> list[Record]:
    """Append each row, with the machine that it was measured on, as soon as it is known; return the rows."""
    atomic.make_directory(out.parent)
    atomic.truncate_torn_line(out)
    written = []
    for row in rows:
        runlog.append(out, {**row, **describe()})
        click.echo(line(dict(row)))
        written.append(dict(row))
    return written


def read_rows(path: Path) -> list[Record]:
    """Return the rows of a file of JSON lines, which is compressed by gzip if its name ends in `.gz`."""
    try:
        return [row for _, row in numbered(path)]
    except (DamagedFileError, OSError) as error:
        raise click.ClickException(f"{path} holds no rows that can be read: {error}") from error


def chosen(names: Sequence[str], known: Iterable[str], *, kind: str) -> list[str]:
    """Return the names that were asked for, all if there are none, in the order in which they are known.

    Raises:
        click.UsageError: One is not known.
    """
    known = list(known)
    unknown = sorted(set(names) - set(known))
    if unknown:
        separator = "; " if any("," in name for name in known) else ", "
        raise click.UsageError(f"no {kind} is called {', '.join(unknown)}; known are: {separator.join(known)}")
    return [name for name in known if not names or name in names]


def plain_table(headings: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table whose columns are not aligned, with its headings even if it has no lines."""
    rows = ["| " + " | ".join(cells) + " |" for cells in (headings, *lines)]
    return "\n".join([rows[0], "| --- " * len(headings) + "|", *rows[1:]])
