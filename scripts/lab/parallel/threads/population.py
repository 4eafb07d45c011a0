"""From which size on PyTorch spreads an operation, and the reference evaluator its population, over threads by default.

Who looks for the first team of threads needs no clock: an operation that is spread makes one, and threads can be
counted. How much it costs or gains is timed.
"""

from __future__ import annotations

import random
import statistics
from typing import TYPE_CHECKING

from atoll.scripts.lab.parallel.threads import child
from atoll.scripts.lab.parallel.threads.grid import Grid

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from atoll.scripts.lab.kit.rows import Row

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


def measure_operations(write: Callable[[Row], None], operations: Sequence[str]) -> None:
    """Find for each operation from how many elements on it is spread over threads."""
    for name in operations:
        found = child.run("operation", {"name": name, "limit": MOST_ELEMENTS})
        write({"what": "operation", "operation": name, "most_elements": MOST_ELEMENTS, **found})


def measure(
    write: Callable[[Row], None], *, populations: Sequence[int], rounds: int, life_s: float, seed: int = 0
) -> None:
    """Time every population with default threads and with one, in random order, so many times."""
    order = random.Random(seed)  # noqa: S311 - an order, not a secret
    for repetition in range(rounds):
        cases = [(population, threads) for population in populations for threads in (DEFAULT, ONE)]
        order.shuffle(cases)
        for population, threads in cases:
            settings = {"population": population, "threads": None if threads == DEFAULT else 1, "life_s": life_s}
            found = child.run("population", settings)
            row = {"what": "population", "population": population, "threads": threads, "life_s": life_s}
            write({**row, "repetition": repetition, **found})


def tables(rows: Iterable[Row]) -> list[Grid]:
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
            figures = [_helped(default), _cores(default), _cores(one), *_gain(default, one)]
            first = default[0]["first_spread"] or "none"
            name = f"{population}{_tier(population)}"
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


def _cores(rows: Sequence[Row]) -> float:
    return statistics.median(float(row["cpu_s"] / row["wall_s"]) for row in rows)


def _helped(rows: Sequence[Row]) -> float:
    return statistics.median(float(row["helper_cpu_s"] / row["cpu_s"]) for row in rows)


def _tier(population: int) -> str:
    return next((f" ({name})" for name, size in TIERS.items() if size == population), "")
