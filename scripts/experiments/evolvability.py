"""Do creatures evolve? `python -m scripts.experiments.evolvability`.

For each seed one island evolves alone, and as many random genomes as it scored are scored beside it. Its champion is
then audited on courses it was not trained on. Each seed's figures are a row, written as soon as they are known.
"""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click
import numpy as np

from evo import generation
from evo.config import Breeding
from evo.rng import streams
from evo.tasks.creatures.audit import examine
from evo.tasks.creatures.options import CreatureOptions
from evo.tasks.creatures.task import Creatures
from scripts.bench.machine import describe

if TYPE_CHECKING:
    from evo.genome import Floats

ISLAND = "evolvability"


@dataclass(frozen=True)
class Plan:
    """What every seed does.

    Attributes:
        population: Individuals, P.
        generations: Generations after the founders.
        breeding: How parents become children.
    """

    population: int
    generations: int
    breeding: Breeding


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
    plan = Plan(population, generations, Breeding())
    setting = {**creatures.options, **asdict(plan), "backend": creatures.backend, **describe()}
    out.parent.mkdir(parents=True, exist_ok=True)
    rows = []
    for seed in range(first_seed, first_seed + seeds):
        rows.append(_run(creatures, plan, seed=seed, random=random))
        with out.open("a") as file:
            file.write(json.dumps({**rows[-1], **setting}) + "\n")
        click.echo(_line(rows[-1]))
    for name in ("evolved", "random", "unseen_fitness", "unseen_pellets"):
        values = [value for row in rows if (value := row[name]) is not None]
        if values:
            click.echo(f"{name}: median {np.median(values):.2f} (min {min(values):.2f}, max {max(values):.2f})")


def _run(creatures: Creatures, plan: Plan, *, seed: int, random: bool) -> dict[str, float | None]:
    start_s = time.perf_counter()
    state, best = _evolve(creatures, plan, seed)
    evolution_s = time.perf_counter() - start_s
    luck = _search_at_random(creatures, plan, seed) if random else None
    return {
        "seed": seed,
        "evaluations": state.counts.evaluations,
        "evolved": state.champion.fitness,
        "random": luck,
        "margin": None if luck is None else state.champion.fitness - luck,
        **asdict(examine(creatures, state.champion.individual.genes[0])),
        **{f"best_at_{n}": best[n] for n in range(0, plan.generations + 1, 10)},
        "evolution_s": evolution_s,
    }


def _evolve(creatures: Creatures, plan: Plan, seed: int) -> tuple[generation.State, list[float]]:
    """Return the last generation and the champion's fitness at each."""
    founders = generation.found(creatures.spec, plan.population, island=ISLAND, streams=streams(seed, ISLAND, 0))
    state = generation.assess(creatures, founders, generation=0, before=None)
    best = [state.champion.fitness]
    for n in range(plan.generations):
        bred = streams(seed, ISLAND, n)
        children = generation.breed(state, creatures.spec, breeding=plan.breeding, streams=bred)
        state = generation.assess(creatures, children, generation=n + 1, before=state)
        best.append(state.champion.fitness)
    return state, best


def _search_at_random(creatures: Creatures, plan: Plan, seed: int) -> float:
    """Return the best of as many founders as evolution scored genomes."""
    best: list[Floats] = []
    for n in range(plan.generations + 1):
        island = f"random-{n}"
        founders = generation.found(creatures.spec, plan.population, island=island, streams=streams(seed, island, 0))
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
