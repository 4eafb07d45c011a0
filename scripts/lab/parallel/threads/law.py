"""How many threads k Python threads and m PyTorch threads make: counted, by maker, and held against (k + 1) m.

Published counts of runs on 128 virtual processors, 387 with five workers and 257 with three, are taken apart by the
same makers: what each makes is measured here, how many there were is inferred from the count, and the rest is told.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from atoll.scripts.lab.parallel.threads import child
from atoll.scripts.lab.parallel.threads.grid import Grid
from atoll.scripts.processes import makers as origins

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from atoll.scripts.lab.kit.rows import Row

PYTHON_THREADS = (1, 2, 3, 4, 5)
TORCH_THREADS = (1, 2, 4, 8, 16, 32, 64)
ONE_BLAS = {"OPENBLAS_NUM_THREADS": "1"}

PUBLISHED = ((5, 387), (3, 257))
"""Workers asked for, and threads seen, in the reference project's log."""
PUBLISHED_TEAM = 64
"""Threads of PyTorch there: one for each of the 64 physical cores that it found."""


def measure(write: Callable[[Row], None], *, k: Sequence[int], m: Sequence[int]) -> None:
    """Count threads for every k and m; then with the main thread calculating too, with OpenBLAS free, and untouched."""
    for n in k:
        for each in m:
            write(_counted(n, each, "law"))
    for n in k:
        write(_counted(n, m[min(2, len(m) - 1)], "main works too", main_works=True))
        write(_counted(n, m[min(2, len(m) - 1)], "OpenBLAS as it starts", environment=child.UNTOUCHED))
        write(_counted(n, None, "nothing set", environment=child.UNTOUCHED))


def _counted(
    k: int, m: int | None, part: str, *, main_works: bool = False, environment: Mapping[str, str] = ONE_BLAS
) -> Row:
    found = child.run("law", {"k": k, "m": m, "main_works": main_works}, environment)
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


def tables(rows: Iterable[Row]) -> list[Grid]:
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
    remark = (
        f"(k + 1) m is confirmed by all {len(rows)} counts."
        if not off
        else f"(k + 1) m is not what was counted at {'; '.join(off)}."
    )
    return Grid("threads at their peak, k Python threads by m of PyTorch", ["k \\ m", *map(str, sizes)], lines, remark)


def _variations(rows: Sequence[Row]) -> Grid:
    lines = []
    for row in rows:
        if row["part"] == "law" and (row["k"], row["m"]) not in {(1, 1), (2, 4), (5, 64)}:
            continue
        makers = ", ".join(f"{row['makers'][maker]} {maker}" for maker in origins.in_order(row["makers"]))
        known = by_makers(row)
        peak = row["threads_peak"]
        lines.append([row["part"], row["k"], row["m"] or "-", row["torch_threads"], peak, makers, known, peak - known])
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
    headings = [
        "threads",
        "workers",
        "main",
        "OpenBLAS",
        "teams with masters",
        "progress bar",
        "in all",
        "unexplained",
    ]
    remark = (
        "Inferred from the log, not counted: that machine is not here. The two counts differ by 130, which is two "
        "teams of 64 and 2 more: what is unexplained came with the larger run."
    )
    return Grid("the published counts", headings, lines, remark)
