"""Do creatures evolve? `python -m scripts.experiments.evolvability`.

For each seed one island evolves alone, and as many random genomes as it scored are scored beside it. Its champion is
then audited on courses it was not trained on. Each seed's figures are a row, written as soon as they are known.
"""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import click
import numpy as np

from evo import atomic, generation, runlog
from evo.config import Value, island_config
from evo.island import evolve
from evo.rng import streams
from evo.tasks.creatures.audit import examine
from evo.tasks.creatures.options import CreatureOptions
from evo.tasks.creatures.task import Creatures
from scripts.bench.machine import describe

if TYPE_CHECKING:
    from evo.config import IslandConfig
    from evo.generation import State
    from evo.genome import Floats

ISLAND = "evolvability"
MIGRANTS = 1
"""Nobody migrates here; the setting only has to fit the smallest population."""


@dataclass
class Curve:
    """A keeper that keeps the best fitness so far at each generation, and no file.

    Attributes:
        best: Of the founders first.
    """

    best: list[float] = field(default_factory=list)

    def log(self, state: State, *, evaluate_s: float) -> None:  # noqa: ARG002 - see `evo.island.Keeper`
        """Note a generation."""
        self.best.append(state.champion.fitness)

    def checkpoint(self, state: State) -> None:
        """Keep nothing: a run that is cut short is run again."""

    def champion(self, state: State) -> None:
        """Keep nothing: the last state has it."""


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
    plan: dict[str, Value] = {
        "population": population,
        "generations": generations,
        "migrants": MIGRANTS,
        "topology": "none",
    }
    atomic.make_directory(out.parent)
    rows: list[dict[str, float | None]] = []
    for seed in range(first_seed, first_seed + seeds):
        config = island_config(ISLAND, {**plan, "seed": seed}, {})
        rows.append(_run(creatures, config, is_random_wanted=random))
        setting = {**config.settings(), "options": dict(creatures.options), "backend": creatures.backend, **describe()}
        runlog.append(out, {**rows[-1], **setting})
        click.echo(_line(rows[-1]))
    for name in ("evolved", "random", "unseen_fitness", "unseen_pellets"):
        values = [value for row in rows if (value := row[name]) is not None]
        if values:
            click.echo(f"{name}: median {np.median(values):.2f} (min {min(values):.2f}, max {max(values):.2f})")


def _run(creatures: Creatures, config: IslandConfig, *, is_random_wanted: bool) -> dict[str, float | None]:
    start_s = time.perf_counter()
    curve = Curve()
    state = evolve(config, creatures, exchange=None, keeper=curve, resumed=None, is_stopping=lambda: False)
    evolution_s = time.perf_counter() - start_s
    luck = _search_at_random(creatures, config) if is_random_wanted else None
    return {
        "seed": config.seed,
        "evaluations": state.counts.evaluations,
        "evolved": state.champion.fitness,
        "random": luck,
        "margin": None if luck is None else state.champion.fitness - luck,
        **asdict(examine(creatures, state.champion.individual.genes[0])),
        **{f"best_at_{n}": best for n, best in enumerate(curve.best) if n % 10 == 0},
        "evolution_s": evolution_s,
    }


def _search_at_random(creatures: Creatures, config: IslandConfig) -> float:
    """Return the best of as many founders as evolution scored genomes."""
    best: list[Floats] = []
    for n in range(config.generations + 1):
        island = f"random-{n}"
        drawn = streams(config.seed, island, 0)
        founders = generation.found(creatures.spec, config.population, island=island, streams=drawn)
        best.append(generation.score(creatures, founders, generation=0).max())
    return float(max(best))


def _line(row: dict[str, float | None]) -> str:
    random = "" if row["random"] is None else f" random {row['random']:.1f}, margin {row['margin']:+.1f};"
    return (
        f"seed {row['seed']}: evolved {row['evolved']:.1f};{random}"
        f" unseen courses: {row['unseen_pellets']:.2f} pellets, fitness {row['unseen_fitness']:.1f};"
        f" stretch {row['max_stretch']:.2f}, node {row['max_node_m_s']:.1f} m/s, airborne {row['airborne_share']:.3f},"
        f" keeps {row['retained_share']:.2f} after a 1e-5 nudge ({row['evolution_s']:.0f} s)"
    )


if __name__ == "__main__":
    main()
