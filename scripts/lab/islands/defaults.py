"""Are the defaults good ones? `python -m scripts.lab defaults [VARIANT ...]`.

Each variant departs from the defaults in one respect. For every seed an island evolves alone and its champion is
audited; each is a row, written as soon as it is known. `--table FILE` derives the table from such rows and measures
nothing. Intervals are quartiles over the seeds; one variant was not chosen for a lucky seed if its quartiles say so.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import click
import numpy as np

from atoll.evo import atomic, runlog
from atoll.evo.tasks.creatures.task import CreatureOptions, Creatures
from atoll.evo.tasks.creatures.world import World
from atoll.scripts.lab.islands import trial
from atoll.scripts.lab.kit.machine import describe

if TYPE_CHECKING:
    from collections.abc import Iterable

    from atoll.evo.config import Value
    from atoll.evo.runlog import Record

ISLAND = "defaults"


@dataclass(frozen=True)
class Variant:
    """A departure from the defaults.

    Attributes:
        world: Physics.
        ranges: Bounds of genes.
        settings: Of the island.
        courses: That creatures are trained on.
    """

    world: World = field(default_factory=World)
    ranges: dict[str, tuple[float, float]] = field(default_factory=dict)
    settings: dict[str, Value] = field(default_factory=dict)
    courses: int = CreatureOptions.courses


VARIANTS = {
    "defaults": Variant(),
    "radius from 0.1 m": Variant(ranges={"radius_m": (0.1, 0.4)}),
    "radius from 0.15 m": Variant(ranges={"radius_m": (0.15, 0.4)}),
    "amplitude to 0.2": Variant(ranges={"amplitude": (0.0, 0.2)}),
    "amplitude to 0.3": Variant(ranges={"amplitude": (0.0, 0.3)}),
    "amplitude to 0.4": Variant(ranges={"amplitude": (0.0, 0.4)}),
    "stiffness to 1000 N/m": Variant(ranges={"stiffness_n_m": (50.0, 1000.0)}),
    "density 5 kg/m3": Variant(world=World(density_kg_m3=5.0)),
    "density 20 kg/m3": Variant(world=World(density_kg_m3=20.0)),
    "density 40 kg/m3": Variant(world=World(density_kg_m3=40.0)),
    "drag 2/s": Variant(world=World(drag_per_s=2.0)),
    "drag 6/s": Variant(world=World(drag_per_s=6.0)),
    "the first defaults": Variant(
        world=World(density_kg_m3=20.0), ranges={"radius_m": (0.1, 0.4), "amplitude": (0.0, 0.4)}
    ),
    "mutation rate 0.005": Variant(settings={"mutation_rate": 0.005}),
    "mutation rate 0.02": Variant(settings={"mutation_rate": 0.02}),
    "mutation scale 0.1": Variant(settings={"mutation_scale": 0.1}),
    "mutation scale 0.25": Variant(settings={"mutation_scale": 0.25}),
    "tournament 3": Variant(settings={"tournament_size": 3}),
    "tournament 8": Variant(settings={"tournament_size": 8}),
    "crossover for 70 %": Variant(settings={"crossover_rate": 0.7}),
    "elites 10 %": Variant(settings={"elite_share": 0.1}),
    "1 course": Variant(courses=1),
    "3 courses": Variant(courses=3),
    "16 courses": Variant(courses=16),
}


@click.command()
@click.argument("names", nargs=-1, metavar="[VARIANT]...")
@click.option("--population", default=150, show_default=True, help="Individuals.")
@click.option("--generations", default=100, show_default=True, help="Generations after the founders.")
@click.option("--seeds", default=20, show_default=True, help="Independent runs of each variant.")
@click.option("--first-seed", default=0, show_default=True, help="Seed of the first of them.")
@click.option("--out", default=Path("bench/defaults.jsonl"), show_default=True, type=click.Path(path_type=Path))
@click.option(
    "--table", "rows_path", type=click.Path(path_type=Path, exists=True), help="Only print these rows' table."
)
def main(
    *,
    names: tuple[str, ...],
    population: int,
    generations: int,
    seeds: int,
    first_seed: int,
    out: Path,
    rows_path: Path | None,
) -> None:
    """Evolve with the defaults and with departures from them, and audit every champion."""
    if rows_path is not None:
        click.echo(table(runlog.read(rows_path)))
        return
    unknown = sorted(set(names) - VARIANTS.keys())
    if unknown:
        raise click.UsageError(f"no variant is called {', '.join(unknown)}; known are: {'; '.join(VARIANTS)}")
    atomic.make_directory(out.parent)
    rows = []
    for seed in range(first_seed, first_seed + seeds):  # seed by seed: a run cut short has compared all
        for name in names or VARIANTS:
            rows.append(_run(name, VARIANTS[name], seed=seed, population=population, generations=generations))
            runlog.append(out, rows[-1])
            click.echo(f"seed {seed}, {name}: evolved {rows[-1]['evolved']:.1f}; {trial.describe(rows[-1])}")
    click.echo(table(rows))


def _run(name: str, variant: Variant, *, seed: int, population: int, generations: int) -> Record:
    options = CreatureOptions(courses=variant.courses)
    creatures = Creatures(options, world=variant.world, ranges=variant.ranges)
    config = trial.plan(ISLAND, seed=seed, population=population, generations=generations, **variant.settings)
    _, row = trial.run(creatures, config)
    physics = {"world": asdict(variant.world), "ranges": variant.ranges, "options": dict(creatures.options)}
    return {"variant": name, **row, **config.settings(), **physics, "build": creatures.build, **describe()}


def table(rows: Iterable[Record]) -> str:
    """Return a Markdown table with a line for each variant, in the order in which they came."""
    of: dict[str, list[Record]] = {}
    for row in rows:
        of.setdefault(row["variant"], []).append(row)
    head = ("variant", "n", "evolved", "pellets unseen", "node m/s", "stretch", "airborne", "kept", "sound")
    lines = [" | ".join(("", *head, "")).strip(), "| --- " * len(head) + "|"]
    for name, found in of.items():
        sound = f"{sum(bool(row['is_sound']) for row in found)}/{len(found)}"
        names = ("evolved", "unseen_pellets", "max_node_m_s", "max_stretch", "airborne_share", "retained_share")
        figures = [_quartiles([row[each] for row in found]) for each in names]
        lines.append("| " + " | ".join((name, str(len(found)), *figures, sound)) + " |")
    return "\n".join(lines)


def _quartiles(values: list[float]) -> str:
    low, middle, high = np.percentile(values, [25, 50, 75])
    return f"{middle:.3g} ({low:.3g} to {high:.3g})"
