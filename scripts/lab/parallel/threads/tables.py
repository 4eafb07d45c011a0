"""The tables of the experiments on threads, for a page of their own and for the report."""

from __future__ import annotations

from typing import TYPE_CHECKING

from atoll.scripts.lab.kit import rows
from atoll.scripts.lab.parallel.threads import law, limit, population

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from atoll.scripts.lab.kit.rows import Run
    from atoll.scripts.lab.parallel.threads.grid import Grid

EXPERIMENTS: dict[str, Callable[[Sequence[rows.Row]], list[Grid]]] = {
    "law": law.tables,
    "population": population.tables,
    "limit": limit.tables,
}


def texts(runs: Sequence[Run]) -> list[str]:
    """Return a page of Markdown for the newest run of each of these experiments on each machine."""
    return ["\n\n".join([f"### {run.bench}", _markdown(run)]) for run in _newest(runs)]


def blocks(runs: Sequence[Run]) -> dict[str, str]:
    """Return the same by the names that the report's blocks have: `thread-law` and so on."""
    found: dict[str, list[str]] = {}
    for run in _newest(runs):
        found.setdefault(f"thread-{run.bench}", []).append(_markdown(run))
    return {name: "\n\n".join(parts) for name, parts in found.items()}


def _newest(runs: Sequence[Run]) -> list[Run]:
    return [run for run in rows.newest(runs) if run.bench in EXPERIMENTS]


def _markdown(run: Run) -> str:
    tables = (grid.markdown() for grid in EXPERIMENTS[run.bench](run.rows))
    return "\n\n".join([run.provenance, *filter(None, tables)])
