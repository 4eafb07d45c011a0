"""Threads of PyTorch, measured: `python -m scripts.lab threads law|population|limit --out DIR`; `tables DIR` derives.

- law: how many threads k Python threads and m PyTorch threads make, counted by maker and held against (k + 1) m.
  Published counts of runs on 128 virtual processors, 387 with five workers and 257 with three, are taken apart by the
  same makers: what each makes is measured here, how many there were is inferred from the count, and the rest is told.
- population: from which size on PyTorch spreads an operation, and the reference evaluator its population, over threads
  by default. Who looks for the first team of threads needs no clock: an operation that is spread makes one, and threads
  can be counted. How much it costs or gains is timed.
- limit: what each way of limiting PyTorch to one thread does: before its import, after it, and by its own function.
"""

from __future__ import annotations

import random
import statistics
from pathlib import Path
from typing import TYPE_CHECKING

import click

from atoll.scripts.lab.kit.markdown import Grid
from atoll.scripts.lab.kit.rows import Row, Rows, newest, read
from atoll.scripts.lab.kit.study import quick_option
from atoll.scripts.lab.parallel.threads.work import UNTOUCHED, run
from atoll.scripts.processes import makers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from atoll.scripts.lab.kit.rows import Run

PYTHON_THREADS = (1, 2, 3, 4, 5)
TORCH_THREADS = (1, 2, 4, 8, 16, 32, 64)
ONE_BLAS = {"OPENBLAS_NUM_THREADS": "1"}

PUBLISHED = ((5, 387), (3, 257))
"""Workers asked for, and threads seen, in the reference project's log."""
PUBLISHED_TEAM = 64
"""Threads of PyTorch there: one for each of the 64 physical cores that it found."""

POPULATIONS = (1, 2, 3, 4, 12, 13, 50, 100, 200, 300, 390, 391, 500, 1000, 2048)
"""Around where roots of 28 muscles reach 100 elements (3.6 lanes), roots of 8 nodes do (12.5), and sums of 3 x 28
numbers pass 32,768 (390.1)."""
OPERATIONS = (
    *("add", "mul", "div", "neg", "abs", "clip", "minimum", "where", "cat", "index_select", "to float64"),
    *("sqrt float32", "sqrt float64", "exp", "tanh"),
)
MOST_ELEMENTS = 1 << 17
TIERS = {"small": 200, "medium": 300, "production": 500}
LIFE_S = 15.0
DEFAULT, ONE = "default", "1"

WAYS = {
    "none": "no limit",
    "before_import": "environment, before import torch",
    "after_import": "environment, after import torch",
    "after_an_operation": "environment, after the first operation",
    "set_num_threads": "torch.set_num_threads(1)",
    "set_num_threads_after_an_operation": "the same, after the first operation",
    "set_num_threads_while_a_thread_has_a_team": "the same, for a Python thread that has its team already",
}
ALONE = 0.1
"""Of the processor time in helpers: up to it, the limit is in force."""


def measure_law(write: Callable[[Row], None], *, k: Sequence[int], m: Sequence[int]) -> None:
    """Count threads for every k and m; then with the main thread calculating too, with OpenBLAS free, and untouched."""
    for n in k:
        for each in m:
            write(_counted(n, each, "law"))
    for n in k:
        write(_counted(n, m[min(2, len(m) - 1)], "main works too", main_works=True))
        write(_counted(n, m[min(2, len(m) - 1)], "OpenBLAS as it starts", environment=UNTOUCHED))
        write(_counted(n, None, "nothing set", environment=UNTOUCHED))


def _counted(
    k: int, m: int | None, part: str, *, main_works: bool = False, environment: Mapping[str, str] = ONE_BLAS
) -> Row:
    found = run("law", {"k": k, "m": m, "main_works": main_works}, environment)
    return {"what": "law", "part": part, "k": k, "m": m, **found}


def expected(k: int, m: int) -> int:
    """Return what the law says."""
    return (k + 1) * m


def by_makers(row: Row) -> int:
    """Return how many threads the known makers explain.

    The main thread and k Python threads; a team for whoever calculated, its master being one of these; the pool that
    `set_num_threads` made; OpenBLAS.
    """
    k, m = row["k"], row["torch_threads"]
    masters = k + (row["part"] == "main works too")
    pool = m - 1 if row["m"] is not None else 0
    blas = row["threads_numpy"] - row["threads_started"]
    return int(1 + k + masters * (m - 1) + pool + blas)


def law_tables(rows: Iterable[Row]) -> list[Grid]:
    """Return the counts of the law, those of its three variations, and the published ones taken apart."""
    rows = list(rows)
    return [_counts([row for row in rows if row["part"] == "law"]), _variations(rows), decomposition()]


def _counts(rows: Sequence[Row]) -> Grid:
    sizes = sorted({row["m"] for row in rows})
    peaks: dict[tuple[int, int], set[int]] = {}
    for row in rows:
        peaks.setdefault((row["k"], row["m"]), set()).add(row["threads_peak"])
    lines = [
        [k, *("/".join(map(str, sorted(peaks.get((k, m), set())))) or "-" for m in sizes)]
        for k in sorted({row["k"] for row in rows})
    ]
    off = [f"k={k}, m={m}: {sorted(found)}" for (k, m), found in peaks.items() if found != {expected(k, m)}]
    told = f"not what was counted at {'; '.join(off)}" if off else f"confirmed by all {len(rows)} counts"
    remark = f"(k + 1) m is {told}."
    return Grid("threads at their peak, k Python threads by m of PyTorch", ["k \\ m", *map(str, sizes)], lines, remark)


def _variations(rows: Sequence[Row]) -> Grid:
    lines = []
    for row in rows:
        if row["part"] == "law" and (row["k"], row["m"]) not in {(1, 1), (2, 4), (5, 64)}:
            continue
        by_maker = ", ".join(f"{row['makers'][maker]} {maker}" for maker in makers.in_order(row["makers"]))
        known = by_makers(row)
        peak = row["threads_peak"]
        lines.append(
            [row["part"], row["k"], row["m"] or "-", row["torch_threads"], peak, by_maker, known, peak - known]
        )
    headings = ["case", "k", "m set", "m in force", "threads", "by their makers", "explained", "rest"]
    remark = (
        "The + 1 is the pool that `set_num_threads` itself makes, which no operation of ours uses. A main thread that "
        "calculates has a team too; OpenBLAS makes its own when NumPy is imported."
    )
    return Grid("who made them", headings, lines, remark)


def decomposition() -> Grid:
    """Take the published counts apart.

    Nobody called `set_num_threads` there, so the pool of that call is not among them. OpenBLAS as built into NumPy has
    at most 64 threads, its caller included; the progress bar of Optuna has a watching thread.
    """
    lines = []
    for workers, seen in PUBLISHED:
        blas, teams, bar = PUBLISHED_TEAM - 1, workers * PUBLISHED_TEAM, 1
        known = 1 + blas + teams + bar
        lines.append([seen, workers, 1, blas, f"{workers} x {PUBLISHED_TEAM} = {teams}", bar, known, seen - known])
    made_by = ("main", "OpenBLAS", "teams with masters", "progress bar")
    headings = ["threads", "workers", *made_by, "in all", "unexplained"]
    remark = (
        "Inferred from the log, not counted: that machine is not here. The two counts differ by 130, which is two "
        "teams of 64 and 2 more: what is unexplained came with the larger run."
    )
    return Grid("the published counts", headings, lines, remark)


def measure_operations(write: Callable[[Row], None], operations: Sequence[str]) -> None:
    """Find for each operation from how many elements on it is spread over threads."""
    for name in operations:
        found = run("operation", {"name": name, "limit": MOST_ELEMENTS})
        write({"what": "operation", "operation": name, "most_elements": MOST_ELEMENTS, **found})


def measure_populations(
    write: Callable[[Row], None], *, populations: Sequence[int], rounds: int, life_s: float, seed: int = 0
) -> None:
    """Time every population with default threads and with one, in random order, so many times."""
    order = random.Random(seed)  # noqa: S311 - an order, not a secret
    for repetition in range(rounds):
        cases = [(population, threads) for population in populations for threads in (DEFAULT, ONE)]
        order.shuffle(cases)
        for population, threads in cases:
            settings = {"population": population, "threads": None if threads == DEFAULT else 1, "life_s": life_s}
            found = run("population", settings)
            row = {"what": "population", "population": population, "threads": threads, "life_s": life_s}
            write({**row, "repetition": repetition, **found})


def population_tables(rows: Iterable[Row]) -> list[Grid]:
    """Return from where on each operation is spread, and what that does to each population."""
    rows = list(rows)
    return [_operations(rows), _populations([row for row in rows if row["what"] == "population"])]


def onset(rows: Iterable[Row]) -> int | None:
    """Return the smallest population that is spread over threads by default; None if none is."""
    spread = [row["population"] for row in rows if row["threads"] == DEFAULT and row["first_spread"] is not None]
    return min(spread, default=None)


def judgement(rows: Iterable[Row]) -> str:
    """Say where it begins, and whether that sets small runs apart from large ones."""
    rows = list(rows)
    begins = onset(rows)
    if begins is None:
        return "At none of these populations is the evaluation spread over threads."
    below = [row["population"] for row in rows if row["population"] < begins]
    where = f"from {begins} on, and not at {max(below)}" if below else f"at {begins} already"
    above = [name for name, population in TIERS.items() if population >= begins]
    meaning = (
        "so that alone sets no tier apart" if len(above) == len(TIERS) else "so that sets them apart from the others"
    )
    costs = [_cost(rows, name, population) for name, population in TIERS.items()]
    told = "; ".join(filter(None, costs))
    return (
        f"It is spread over threads {where}. Of the tiers that holds for {', '.join(above) or 'none'}, {meaning}."
        + (f" By default instead of on one thread: {told}." if told else "")
    )


def _operations(rows: Iterable[Row]) -> Grid:
    lines = [
        [row["operation"], f"{row['elements']:,}" if row["elements"] else f"none up to {row['most_elements']:,}"]
        for row in rows
        if row["what"] == "operation"
    ]
    return Grid("elements from which on PyTorch spreads an operation over threads", ["operation", "from"], lines)


def _gain(default: Sequence[Row], one: Sequence[Row]) -> tuple[float, float]:
    """Return how many times as fast it is by default as on one thread, and at how many times the processor time."""
    gain = _median(one, "wall_s") / _median(default, "wall_s")
    return gain, _median(default, "cpu_s") / _median(one, "cpu_s")


def _cost(rows: Sequence[Row], name: str, population: int) -> str:
    default, one = (_of(rows, population, threads) for threads in (DEFAULT, ONE))
    if not default or not one:
        return ""
    gain, cost = _gain(default, one)
    return f"{name} {gain:.2f} times as fast at {cost:.1f} times the processor time"


def _populations(rows: Sequence[Row]) -> Grid:
    lines = []
    for population in sorted({row["population"] for row in rows}):
        default, one = (_of(rows, population, threads) for threads in (DEFAULT, ONE))
        if default and one:
            shares = (
                _share(default, "helper_cpu_s", "cpu_s"),
                *(_share(of, "cpu_s", "wall_s") for of in (default, one)),
            )
            figures = [*shares, *_gain(default, one)]
            first = default[0]["first_spread"] or "none"
            name = str(population) + next((f" ({tier})" for tier, size in TIERS.items() if size == population), "")
            lines.append([name, first, *(f"{figure:.2f}" for figure in figures), len(default)])
    headings = [
        *("population", "first spread", "helpers' share", "cores, default", "cores, 1 thread"),
        *("speedup by default", "CPU default / 1", "n"),
    ]
    return Grid("the reference evaluator by population, one course (medians)", headings, lines, judgement(rows))


def _of(rows: Iterable[Row], population: int, threads: str) -> list[Row]:
    return [row for row in rows if row["population"] == population and row["threads"] == threads]


def _median(rows: Sequence[Row], name: str) -> float:
    return statistics.median(float(row[name]) for row in rows)


def _share(rows: Sequence[Row], over: str, under: str) -> float:
    return statistics.median(float(row[over] / row[under]) for row in rows)


def measure_limits(write: Callable[[Row], None], *, ways: Sequence[str], rounds: int, seed: int = 0) -> None:
    """Time the same work under each way, in random order, so many times."""
    order = random.Random(seed)  # noqa: S311 - an order, not a secret
    for repetition in range(rounds):
        for how in order.sample(ways, len(ways)):
            write({"what": "limit", "how": how, "repetition": repetition, **run("limit", {"how": how})})


def limit_tables(rows: Iterable[Row]) -> list[Grid]:
    """Return a line for each way."""
    rows = list(rows)
    lines = [_way(WAYS[how], found) for how in WAYS if (found := [row for row in rows if row["how"] == how])]
    headings = ["way", "PyTorch says", "threads", "helpers' share", "cores", "wall s", "CPU s", "n", "in force"]
    return [Grid("limiting to one thread (medians)", headings, lines)]


def _way(way: str, rows: Sequence[Row]) -> list[object]:
    share, cores = _share(rows, "helper_cpu_s", "cpu_s"), _share(rows, "cpu_s", "wall_s")
    wall_s, cpu_s = _median(rows, "wall_s"), _median(rows, "cpu_s")
    says = "/".join(map(str, sorted({row["torch_threads"] for row in rows})))
    threads = "/".join(map(str, sorted({row["threads_after"] for row in rows})))
    in_force = "yes" if share <= ALONE else "no"
    return [way, says, threads, f"{share:.2f}", f"{cores:.2f}", f"{wall_s:.3g}", f"{cpu_s:.3g}", len(rows), in_force]


EXPERIMENTS: dict[str, Callable[[Sequence[Row]], list[Grid]]] = {
    "law": law_tables,
    "population": population_tables,
    "limit": limit_tables,
}

out_option = click.option(
    "--out", default=Path("compare"), show_default=True, type=click.Path(path_type=Path), help="Where rows go."
)
rounds_option = click.option("--rounds", type=click.IntRange(min=1), default=3, show_default=True, help="Repetitions.")


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Experiments on threads; each appends raw rows to DIR and prints the tables of the newest ones."""


@main.command(name="law")
@out_option
@quick_option
def count(*, out: Path, quick: bool) -> None:
    """Count the threads that k Python threads and m PyTorch threads make, in two minutes."""
    sizes = {"k": (1, 2), "m": (1, 4)} if quick else {"k": PYTHON_THREADS, "m": TORCH_THREADS}
    measure_law(Rows(out, "law", {"is_quick": quick}).write, **sizes)
    _show(out, "law")


@main.command(name="population")
@out_option
@rounds_option
@quick_option
def spread(*, out: Path, rounds: int, quick: bool) -> None:
    """Find the population at which the reference evaluator starts to use more than one thread, in ten minutes.

    Before that, find for single operations from how many elements on PyTorch spreads them.
    """
    write = Rows(out, "population", {"is_quick": quick}).write
    populations = (4, 200) if quick else POPULATIONS
    life_s = 1.0 if quick else LIFE_S
    measure_operations(write, ("add", "sqrt float64") if quick else OPERATIONS)
    measure_populations(write, populations=populations, rounds=1 if quick else rounds, life_s=life_s)
    _show(out, "population")


@main.command(name="limit")
@out_option
@rounds_option
@quick_option
def limited(*, out: Path, rounds: int, quick: bool) -> None:
    """Measure what each way of limiting PyTorch to one thread does, in two minutes."""
    ways = ("none", "before_import") if quick else tuple(WAYS)
    measure_limits(Rows(out, "limit", {"is_quick": quick}).write, ways=ways, rounds=1 if quick else rounds)
    _show(out, "limit")


@main.command()
@click.argument("folder", type=click.Path(path_type=Path, exists=True, file_okay=False))
def tables(folder: Path) -> None:
    """Derive the tables from the newest rows in FOLDER, measuring nothing."""
    for text in texts(read(folder)):
        click.echo(text + "\n")


def _show(folder: Path, name: str) -> None:
    for text in texts([each for each in read(folder) if each.bench == name]):
        click.echo(text)


def texts(runs: Sequence[Run]) -> list[str]:
    """Return a page of Markdown for the newest run of each of these experiments on each machine."""
    return ["\n\n".join([f"### {run.bench}", _markdown(run)]) for run in _newest(runs)]


def blocks(runs: Sequence[Run]) -> dict[str, str]:
    """Return the same by the names that the report's blocks have: `thread-law` and so on."""
    found: dict[str, list[str]] = {}
    for each in _newest(runs):
        found.setdefault(f"thread-{each.bench}", []).append(_markdown(each))
    return {name: "\n\n".join(parts) for name, parts in found.items()}


def _newest(runs: Sequence[Run]) -> list[Run]:
    return [run for run in newest(runs) if run.bench in EXPERIMENTS]


def _markdown(run: Run) -> str:
    tables = (grid.markdown() for grid in EXPERIMENTS[run.bench](run.rows))
    return "\n\n".join([run.provenance, *filter(None, tables)])
