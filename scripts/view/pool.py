"""Texts of `pool verify`, `pool prune`, `pool owners` and `pool archive`."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from atoll.evo.errors import count, printable
from atoll.migration.observe.status import FINISHED
from atoll.migration.pool import epochs
from atoll.scripts.view.table import UNKNOWN, aligned

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from atoll.migration.observe.archive import Run
    from atoll.migration.observe.status import IslandStatus
    from atoll.migration.observe.verify import Findings
    from atoll.migration.pool.islands import Owner
    from atoll.migration.pool.prune import Pruned

OWNERS_HEADER = ("island", "state", "host", "since", "locks", "in the lock", "process", "epoch")


def findings_text(findings: Findings) -> str:
    """Return a line for each defect, what was not read, and what is in order."""
    lines = []
    for defect in findings.defects:
        place = "" if defect.byte is None else f", byte {defect.byte}"
        lines.append(printable(f"{defect.path}{place}: {defect.reason}"))
    if findings.more:
        lines.append(f"... and {findings.more} more")
    lines += [f"not read: {printable(what)}" for what in findings.left_out]
    counted = ", ".join(f"{n} {name.replace('_', ' ')}" for name, n in findings.counts.items())
    lines.append(f"in order: {counted}; {len(findings.leftovers)} leftovers, {len(findings.defects)} defects")
    return "\n".join(lines)


def archived_text(root: Path, run: Run, target: Path | None) -> str:
    """Return where a run was put, or why it stays.

    Args:
        root: The shared directory.
        run: What was there.
        target: Where it is now; None where it stays.
    """
    if run.run_id is None:
        return f"a new run starts in {root}"
    if target:
        return f"archived the run of {len(run.islands)} islands to {target}; a new run starts in {root}"
    places = ", ".join(_place(row) for row in run.islands if row.condition != FINISHED)
    return f"resuming the unfinished run in {root}: {places or 'no island has started yet'}"


def _place(row: IslandStatus) -> str:
    return row.name + (" unreadable" if row.unreadable else f" at generation {row.generation or 0} of {row.target}")


def owners_text(rows: Sequence[Owner]) -> str:
    """Return a row for each island of the pool."""
    return aligned([OWNERS_HEADER, *map(_cells, rows)], n_words=6)


def _cells(row: Owner) -> tuple[str, ...]:
    since = UNKNOWN if row.since_s is None else time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(row.since_s))
    return (
        row.island,
        row.state,
        epochs.shown_place(row.host) if row.host else UNKNOWN,
        since,
        row.lock_class,
        row.lock_holder or UNKNOWN,
        UNKNOWN if row.pid is None else str(row.pid),
        UNKNOWN if row.epoch is None else str(row.epoch),
    )


def pruned_text(rows: Sequence[Pruned], *, is_dry_run: bool) -> str:
    """Return for each island what is gone, or would be, or why it was left alone."""
    return "\n".join(printable(_pruned(row, is_dry_run=is_dry_run)) for row in rows)


def _pruned(row: Pruned, *, is_dry_run: bool) -> str:
    if row.left_alone:
        return f"{row.island}: left alone, {row.left_alone}"
    done = "would remove" if is_dry_run else "removed"
    return f"{row.island}: {done} {count(len(row.removed), 'publication')}, {row.kept} left"
