"""What do islands contribute that come late, or leave early? `python -m scripts.experiments.joining`.

Of eight islands two come, or leave, when the others have lived half of their generations; who, differs from seed to
seed. What they contributed is which share of the genes of the six others descends from their founders: the largest
after they came, and what is left in the end. `--table FILE` derives the table from such rows and measures nothing.
"""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import click
import numpy as np

from scripts.experiments.killed import cost
from scripts.experiments.lifespans import Cast, mean_interval, measure, pairs, read_rows

if TYPE_CHECKING:
    from collections.abc import Sequence

    from evo.runlog import Record

HALF = Fraction(1, 2)
JOINING = Cast("two join at half time", changing=2, arrival=HALF)
LEAVING = Cast("two leave at half time", changing=2, departure=HALF)
ALL_ALONG = Cast("all there all along", changing=2)
"""The same two islands as in the other casts, to tell what two islands contribute that never come or go."""
TRACE = 0.001
END = -2
"""The generation before the last: at the last everybody has just imported, and nothing was selected yet."""
HEAD = ("task", "settings", "who", "n", "largest share", "share in the end", "left in", "best, difference", "stalled")


@click.command()
@click.option("--islands", default=8, show_default=True)
@click.option("--population", default=48, show_default=True, help="Individuals of each island.")
@click.option("--generations", default=80, show_default=True, help="Generations after the founders.")
@click.option("--seeds", default=20, show_default=True, help="Archipelagos of each kind for each task.")
@click.option("--first-seed", default=0, show_default=True, help="Seed of the first of them.")
@click.option("--task", "tasks", multiple=True, help="Only this task; can be repeated.")
@click.option("--migrate-every", default=10, show_default=True, help="Generations between migrations.")
@click.option("--topology", default="full", show_default=True)
@click.option("--migrants", default=5, show_default=True)
@click.option("--out", default=Path("bench/joining.jsonl"), show_default=True, type=click.Path(path_type=Path))
@click.option("--table", "rows_path", type=click.Path(path_type=Path, exists=True), help="Only print these rows'.")
def main(
    *,
    islands: int,
    population: int,
    generations: int,
    seeds: int,
    first_seed: int,
    tasks: tuple[str, ...],
    migrate_every: int,
    topology: str,
    migrants: int,
    out: Path,
    rows_path: Path | None,
) -> None:
    """Let islands come and go at half time, and see whose genes are there in the end."""
    if rows_path is None:
        measure(
            (ALL_ALONG, JOINING, LEAVING),
            islands=islands,
            population=population,
            generations=generations,
            seeds=range(first_seed, first_seed + seeds),
            tasks=tasks,
            settings={"migrate_every": migrate_every, "topology": topology, "migrants": migrants},
            out=out,
        )
    click.echo(table(read_rows(rows_path or out)))


def table(rows: Sequence[Record]) -> str:
    """Return a Markdown table with lines for each task and setting: who came, who left, and who was there all along."""
    lines = ["| " + " | ".join(HEAD) + " |", "| --- " * len(HEAD) + "|"]
    for settings in dict.fromkeys(_settings(row) for row in rows):
        chosen = [row for row in rows if _settings(row) == settings]
        for cast in (ALL_ALONG, JOINING, LEAVING):
            for task, found in pairs(chosen, ALL_ALONG.name, cast.name).items():
                lines.append(_line(task, settings, cast, found))
    return "\n".join([*lines[:2], *sorted(lines[2:])])


def _settings(row: Record) -> str:
    names = ("migrate_every", "topology", "migrants")
    every, topology, migrants = (row["settings"].get(name) for name in names)
    return f"{migrants} every {every}, {topology}"


def _line(task: str, settings: str, cast: Cast, found: Sequence[tuple[Record, Record]]) -> str:
    rows = [row for _, row in found]
    largest = np.mean([max(row["share"][_seen_from(cast, row) :]) for row in rows])
    end, low, high = mean_interval([row["share"][END] for row in rows])
    stalled = sum(min(_reached(row)) < row["generations"] for row in rows)
    difference = ""
    if cast is not ALL_ALONG and len(found) > 1:
        change = cost([one["best"] for one, _ in found], [other["best"] for _, other in found])
        difference = f"{change.difference:+.3g} ({change.low:+.3g} to {change.high:+.3g}), spread {change.spread:.3g}"
    n_left = sum(row["share"][END] > TRACE for row in rows)
    cells = (task, settings, cast.name, str(len(rows)), f"{largest:.3f}", f"{end:.3f} ({low:.3f} to {high:.3f})")
    return "| " + " | ".join((*cells, f"{n_left} of {len(rows)}", difference, str(stalled))) + " |"


def _seen_from(cast: Cast, row: Record) -> int:
    return int(row["generations"] * cast.arrival)


def _reached(row: Record) -> list[int]:
    """Return where the clocks of those stood in the end that were there all along."""
    return [generation for name, generation in row["reached"].items() if name not in row["changing"]]


if __name__ == "__main__":
    main()
