"""Do creatures evolve? `python -m scripts.lab evolvability`.

For each seed one island evolves alone, and as many random genomes as it scored are scored beside it. Its champion is
then audited on courses it was not trained on. Each seed's figures are a row, written as soon as they are known.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click
import numpy as np

from atoll.evo import atomic, generation, runlog
from atoll.evo.rng import streams
from atoll.evo.tasks.creatures.task import CreatureOptions, Creatures
from atoll.scripts.lab.islands import trial
from atoll.scripts.lab.kit.machine import describe

if TYPE_CHECKING:
    from atoll.evo.config import IslandConfig
    from atoll.evo.genome import Floats
    from atoll.scripts.lab.islands.trial import Row

ISLAND = "evolvability"


@click.command()
@click.option("--population", default=100, show_default=True, help="Individuals.")
@click.option("--generations", default=60, show_default=True, help="Generations after the founders.")
@click.option("--seeds", default=3, show_default=True, help="Independent runs.")
@click.option("--first-seed", default=0, show_default=True, help="Seed of the first of them.")
@click.option("--courses", default=8, show_default=True, help="Courses that a creature is trained on.")
@click.option("--controller", default="neural", show_default=True, help="What moves the muscles.")
@click.option("--threads", default=1, show_default=True, help="Threads of the evaluator.")
@click.option("--random/--no-random", default=True, show_default=True, help="Search at random beside evolution.")
@click.option("--out", default=Path("bench/evolvability.jsonl"), show_default=True, type=click.Path(path_type=Path))
def main(
    *,
    population: int,
    generations: int,
    seeds: int,
    first_seed: int,
    courses: int,
    controller: str,
    threads: int,
    random: bool,
    out: Path,
) -> None:
    """Compare evolution with random search at equal evaluations, and audit the champions."""
    creatures = Creatures(CreatureOptions(courses=courses, controller=controller), threads=threads)
    atomic.make_directory(out.parent)
    rows: list[Row] = []
    for seed in range(first_seed, first_seed + seeds):
        config = trial.plan(ISLAND, seed=seed, population=population, generations=generations)
        state, row = trial.run(creatures, config)
        luck = _search_at_random(creatures, config) if random else None
        rows.append({**row, "random": luck, "margin": None if luck is None else state.champion.fitness - luck})
        setting = {**config.settings(), "options": dict(creatures.options), "backend": creatures.backend, **describe()}
        runlog.append(out, {**rows[-1], **setting})
        click.echo(_line(rows[-1]))
    for name in ("evolved", "random", "unseen_fitness", "unseen_pellets"):
        values = [value for row in rows if (value := row[name]) is not None]
        if values:
            click.echo(f"{name}: median {np.median(values):.2f} (min {min(values):.2f}, max {max(values):.2f})")


def _search_at_random(creatures: Creatures, config: IslandConfig) -> float:
    """Return the best of as many founders as evolution scored genomes."""
    best: list[Floats] = []
    for n in range(config.generations + 1):
        island = f"random-{n}"
        drawn = streams(config.seed, island, 0)
        founders = generation.sample_founders(creatures.spec, config.population, island=island, streams=drawn)
        best.append(generation.score(creatures, founders, generation=0).max())
    return float(max(best))


def _line(row: Row) -> str:
    random = "" if row["random"] is None else f" random {row['random']:.1f}, margin {row['margin']:+.1f};"
    return f"seed {row['seed']}: evolved {row['evolved']:.1f};{random} {trial.describe(row)}"
