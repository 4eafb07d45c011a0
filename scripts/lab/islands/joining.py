"""What do islands contribute that come late, or leave early? `python -m scripts.lab joining`.

Of eight islands two come, or leave, when the others have lived half of their generations (`--at`); who, differs from
seed to seed. What they contributed is which share of the genes of the six others descends from their founders: the
largest after they came, and what is left in the end. `--table FILE` derives the table from such rows and measures
nothing.
"""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import click
import numpy as np

from atoll.scripts.lab.islands.killed import cost
from atoll.scripts.lab.islands.lifespans import Cast
from atoll.scripts.lab.islands.paired import mean_interval, measure, pairs, read_rows

if TYPE_CHECKING:
    from collections.abc import Sequence

    from atoll.evo.runlog import Record

ALL_ALONG = Cast("all there all along", changing=2)
"""Two islands that neither come nor go, the same ones as in the other casts: what do two contribute that are there?"""
MOMENT = click.FloatRange(0, 1, min_open=True, max_open=True)
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
@click.option("--at", default=0.5, show_default=True, type=MOMENT, help="When they come or go, of the generations.")
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
    at: float,
    tasks: tuple[str, ...],
    migrate_every: int,
    topology: str,
    migrants: int,
    out: Path,
    rows_path: Path | None,
) -> None:
    """Let islands come and go, and see whose genes are there in the end."""
    if rows_path is None:
        measure(
            casts(Fraction(str(at))),
            islands=islands,
            population=population,
            generations=generations,
            seeds=range(first_seed, first_seed + seeds),
            tasks=tasks,
            settings={"migrate_every": migrate_every, "topology": topology, "migrants": migrants},
            out=out,
        )
    click.echo(table(read_rows(rows_path or out)))


def casts(at: Fraction) -> tuple[Cast, ...]:
    """Return who is compared: two islands that are there all along, come at a share of the generations, leave then."""
    when = f"at {at} of the time"
    return ALL_ALONG, Cast(f"two join {when}", 2, arrival=at), Cast(f"two leave {when}", 2, departure=at)


def table(rows: Sequence[Record]) -> str:
    """Return a Markdown table with lines for each task and setting: who was there all along, who came, who left."""
    lines = []
    for settings in dict.fromkeys(_settings(row) for row in rows):
        chosen = [row for row in rows if _settings(row) == settings]
        for cast in dict.fromkeys(row["cast"] for row in chosen):
            of = pairs(chosen, ALL_ALONG.name, cast)
            lines += [_line(task, settings, found) for task, found in of.items() if found]
    return "\n".join(["| " + " | ".join(HEAD) + " |", "| --- " * len(HEAD) + "|", *sorted(lines)])


def _settings(row: Record) -> str:
    names = ("migrate_every", "topology", "migrants")
    every, topology, migrants = (row["settings"].get(name) for name in names)
    return f"{migrants} every {every}, {topology}"


def _line(task: str, settings: str, found: Sequence[tuple[Record, Record]]) -> str:
    rows = [row for _, row in found]
    largest = np.mean([max(row["share"][int(row["generations"] * row["arrival"]) :]) for row in rows])
    end, low, high = mean_interval([row["share"][END] for row in rows])
    n_left = sum(row["share"][END] > TRACE for row in rows)
    stalled = sum(min(_reached(row)) < row["generations"] for row in rows)
    cells = (
        *(task, settings, rows[0]["cast"], str(len(rows)), f"{largest:.3f}"),
        *(f"{end:.3f} ({low:.3f} to {high:.3f})", f"{n_left} of {len(rows)}", _difference(found), str(stalled)),
    )
    return "| " + " | ".join(cells) + " |"


def _difference(found: Sequence[tuple[Record, Record]]) -> str:
    """Say what it did to the final best; nothing of those that the others are held against, or of a single pair."""
    if len(found) < 2 or all(one["cast"] == other["cast"] for one, other in found):
        return ""
    change = cost([one["best"] for one, _ in found], [other["best"] for _, other in found])
    return f"{change.difference:+.3g} ({change.low:+.3g} to {change.high:+.3g}), spread {change.spread:.3g}"


def _reached(row: Record) -> list[int]:
    """Return where the clocks of those stood in the end that were there all along."""
    return [generation for name, generation in row["reached"].items() if name not in row["changing"]]
