"""What each way of limiting PyTorch to one thread does: before its import, after it, and by its own function."""

from __future__ import annotations

import random
import statistics
from typing import TYPE_CHECKING

from atoll.scripts.lab.parallel.threads import child
from atoll.scripts.lab.parallel.threads.grid import Grid

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from atoll.scripts.lab.kit.rows import Row

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


def measure(write: Callable[[Row], None], *, ways: Sequence[str], rounds: int, seed: int = 0) -> None:
    """Time the same work under each way, in random order, so many times."""
    order = random.Random(seed)  # noqa: S311 - an order, not a secret
    for repetition in range(rounds):
        for how in order.sample(ways, len(ways)):
            write({"what": "limit", "how": how, "repetition": repetition, **child.run("limit", {"how": how})})


def tables(rows: Iterable[Row]) -> list[Grid]:
    """Return a line for each way."""
    rows = list(rows)
    lines = [_line(WAYS[how], found) for how in WAYS if (found := [row for row in rows if row["how"] == how])]
    headings = ["way", "PyTorch says", "threads", "helpers' share", "cores", "wall s", "CPU s", "n", "in force"]
    return [Grid("limiting to one thread (medians)", headings, lines)]


def _line(way: str, rows: Sequence[Row]) -> list[object]:
    share = statistics.median(row["helper_cpu_s"] / row["cpu_s"] for row in rows)
    wall_s, cpu_s = (statistics.median(row[name] for row in rows) for name in ("wall_s", "cpu_s"))
    cores = statistics.median(row["cpu_s"] / row["wall_s"] for row in rows)
    says = "/".join(map(str, sorted({row["torch_threads"] for row in rows})))
    threads = "/".join(map(str, sorted({row["threads_after"] for row in rows})))
    in_force = "yes" if share <= ALONE else "no"
    return [way, says, threads, f"{share:.2f}", f"{cores:.2f}", f"{wall_s:.3g}", f"{cpu_s:.3g}", len(rows), in_force]
