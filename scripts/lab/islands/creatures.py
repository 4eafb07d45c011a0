"""Creatures that evolve on one island alone, and audits of champions: `defaults`, `evolvability`, `champions`.

A champion is audited on courses that it was not trained on. Of variants that depart from the defaults in one respect
the quartiles over the seeds say that none was chosen for a lucky seed.
"""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click
import numpy as np

from atoll.evo import atomic, generation
from atoll.evo.errors import AtollError
from atoll.evo.island import evolve
from atoll.evo.paths import SharedPaths
from atoll.evo.recorder import MemoryRecorder
from atoll.evo.rng import streams
from atoll.evo.tasks.creatures.audit import examine
from atoll.evo.tasks.creatures.recording import record
from atoll.evo.tasks.creatures.task import CreatureOptions, Creatures
from atoll.evo.tasks.creatures.world import FIRST_UNSEEN, World
from atoll.evo.tasks.task import score
from atoll.scripts.lab.kit import study
from atoll.scripts.lab.kit.former import former_config
from atoll.scripts.report.champion import creatures_of, read
from atoll.scripts.report.pictures import write_sheet

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from atoll.evo.config import IslandConfig
    from atoll.evo.generation import State
    from atoll.evo.genome import Floats
    from atoll.evo.runlog import Record
    from atoll.evo.settings import Value
    from atoll.scripts.lab.kit.study import Call

MIGRANTS = 1
"""Nobody migrates here; the setting only has to fit the smallest population."""


def isolated_config(island: str, *, seed: int, **settings: Value) -> IslandConfig:
    """Return the settings of an island that is alone."""
    return former_config(island, {"migrants": MIGRANTS, "topology": "none", **settings, "seed": seed}, {})


def evolve_alone(creatures: Creatures, config: IslandConfig) -> tuple[State, Record]:
    """Evolve to the end and audit the champion; return the last state and a row of figures."""
    start_s = time.perf_counter()
    curve: list[float] = []  # the best fitness so far, of the founders first
    recorder = MemoryRecorder(lambda state: curve.append(state.champion.fitness))
    state = evolve(config, creatures, exchange=None, recorder=recorder, resumed=None, is_stopping=lambda: False)
    evolution_s = time.perf_counter() - start_s
    audit = examine(creatures, state.champion.individual.genes[0])
    return state, {
        "seed": config.seed,
        "evaluations": state.counts.evaluations,
        "evolved": state.champion.fitness,
        **asdict(audit),
        "is_sound": audit.is_sound,
        **{f"best_at_{n}": best for n, best in enumerate(curve) if n % 10 == 0},
        "evolution_s": evolution_s,
    }


def audit_line(row: Record) -> str:
    """Say in one line what a champion does on courses it was not trained on."""
    return (
        f"unseen courses: {row['unseen_pellets']:.2f} pellets, fitness {row['unseen_fitness']:.1f};"
        f" stretch {row['max_stretch']:.2f}, node {row['max_node_m_s']:.1f} m/s, airborne {row['airborne_share']:.3f},"
        f" keeps {row['retained_share']:.2f} after a 1e-5 nudge ({row['evolution_s']:.0f} s)"
    )


@dataclass(frozen=True)
class Variant:
    """A departure from the defaults."""

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


def measure_variant(name: str, *, seed: int, population: int, generations: int) -> Record:
    """Return the row of an island of a variant."""
    variant = VARIANTS[name]
    creatures = Creatures(
        CreatureOptions(courses=variant.courses, breaking_m_s=0.0), world=variant.world, ranges=variant.ranges
    )
    config = isolated_config("defaults", seed=seed, population=population, generations=generations, **variant.settings)
    _, row = evolve_alone(creatures, config)
    physics = {"world": asdict(variant.world), "ranges": variant.ranges, "options": dict(creatures.options)}
    return {"variant": name, **row, **config.settings(), **physics, "build": creatures.build}


def variants_table(rows: Sequence[Record]) -> str:
    """Return a Markdown table with a line for each variant, in the order in which they came."""
    of: dict[str, list[Record]] = {}
    for row in rows:
        of.setdefault(row["variant"], []).append(row)
    names = ("evolved", "unseen_pellets", "max_node_m_s", "max_stretch", "airborne_share", "retained_share")
    return study.plain_table(
        ("variant", "n", "evolved", "pellets unseen", "node m/s", "stretch", "airborne", "kept", "sound"),
        [
            (
                variant,
                str(len(found)),
                *(_quartiles([row[name] for row in found]) for name in names),
                f"{sum(bool(row['is_sound']) for row in found)}/{len(found)}",
            )
            for variant, found in of.items()
        ],
    )


def _quartiles(values: list[float]) -> str:
    low, middle, high = np.percentile(values, [25, 50, 75])
    return f"{middle:.3g} ({low:.3g} to {high:.3g})"


@study.command(
    line=lambda row: f"seed {row['seed']}, {row['variant']}: evolved {row['evolved']:.1f}; {audit_line(row)}",
    table=variants_table,
    out="bench/defaults.jsonl",
)
@click.argument("names", nargs=-1, metavar="[VARIANT]...")
@click.option("--population", default=150, help="Individuals.")
@click.option("--generations", default=100, help="Generations after the founders.")
@study.seed_options(20, first=0, what="Independent runs of each variant.")
def defaults(*, names: tuple[str, ...], population: int, generations: int, seeds: range) -> list[Call]:
    """Evolve with the defaults and with departures from them, and audit every champion."""
    variants = study.chosen(names, VARIANTS, kind="variant")
    sizes = {"population": population, "generations": generations}
    # Seed by seed: a run cut short has compared all.
    return [partial(measure_variant, name, seed=seed, **sizes) for seed in seeds for name in variants]


def measure_search(
    options: CreatureOptions, *, seed: int, population: int, generations: int, threads: int, is_random: bool
) -> Record:
    """Return the row of an island with the margin by which it beats random search at equal evaluations."""
    creatures = Creatures(options, threads=threads)
    config = isolated_config("evolvability", seed=seed, population=population, generations=generations)
    state, row = evolve_alone(creatures, config)
    luck = _search_at_random(creatures, config) if is_random else None
    margin = None if luck is None else state.champion.fitness - luck
    setting = {**config.settings(), "options": dict(creatures.options), "backend": creatures.backend}
    return {**row, "random": luck, "margin": margin, **setting}


def _search_at_random(creatures: Creatures, config: IslandConfig) -> float:
    """Return the best of as many founders as evolution scored genomes."""
    best: list[Floats] = []
    for n in range(config.generations + 1):
        island = f"random-{n}"
        drawn = streams(config.seed, island, 0)
        founders = generation.sample_founders(creatures.spec, config.population, island=island, streams=drawn)
        best.append(score(creatures, founders.genes, episode=0).max())
    return float(max(best))


def _search_line(row: Record) -> str:
    random = "" if row["random"] is None else f" random {row['random']:.1f}, margin {row['margin']:+.1f};"
    return f"seed {row['seed']}: evolved {row['evolved']:.1f};{random} {audit_line(row)}"


def medians(rows: Sequence[Record]) -> str:
    """Return the medians of all seeds with their ranges, a line for each figure that there is."""
    lines = []
    for name in ("evolved", "random", "unseen_fitness", "unseen_pellets"):
        values = [value for row in rows if (value := row[name]) is not None]
        if values:
            lines.append(f"{name}: median {np.median(values):.2f} (min {min(values):.2f}, max {max(values):.2f})")
    return "\n".join(lines)


@study.command(line=_search_line, table=medians, out="bench/evolvability.jsonl")
@click.option("--population", default=100, help="Individuals.")
@click.option("--generations", default=60, help="Generations after the founders.")
@study.seed_options(3, first=0, what="Independent runs.")
@click.option("--courses", default=8, help="Courses that a creature is trained on.")
@click.option("--controller", default="neural", help="What moves the muscles.")
@click.option("--threads", default=1, help="Threads of the evaluator.")
@click.option("--random/--no-random", default=True, help="Search at random beside evolution.")
def evolvability(
    *, population: int, generations: int, seeds: range, courses: int, controller: str, threads: int, random: bool
) -> list[Call]:
    """Compare evolution with random search at equal evaluations, and audit the champions."""
    options = CreatureOptions(courses=courses, controller=controller)
    sizes = {"population": population, "generations": generations}
    return [partial(measure_search, options, seed=seed, **sizes, threads=threads, is_random=random) for seed in seeds]


@click.command(context_settings=study.DEFAULTS_SHOWN)
@click.argument("shared", type=click.Path(path_type=Path, exists=True, file_okay=False), default=Path("shared"))
@click.option("--pictures", type=click.Path(path_type=Path), help="Draw each champion's walk into this folder.")
@study.out_option("bench/champions.jsonl")
def champions(shared: Path, pictures: Path | None, out: Path) -> None:
    """Audit every island's champion on unseen courses."""
    rows = study.write_rows(
        _audits(SharedPaths(shared), pictures),
        out,
        line=lambda row: (
            f"{row['island']}: {row['fitness']:.1f}; {row['unseen_pellets']:.2f} pellets unseen, "
            f"node {row['max_node_m_s']:.1f} m/s"
        ),
    )
    if not rows:
        raise click.ClickException(f"{shared} holds no island; name the directory that --migration-dir named")
    for column in ("fitness", "unseen_pellets", "max_node_m_s", "max_stretch", "airborne_share", "retained_share"):
        low, middle, high = np.percentile([row[column] for row in rows], [0, 50, 100])
        click.echo(f"{column}: median {middle:.3g} ({low:.3g} to {high:.3g})")
    click.echo(f"sound: {sum(row['is_sound'] for row in rows)} of {len(rows)}")


def _audits(shared: SharedPaths, pictures: Path | None) -> Iterator[Record]:
    """Yield the audit of each island's champion, and draw its walk if there is a folder for it."""
    for name in sorted(path.name for path in shared.homes.glob("*") if path.is_dir()):
        try:
            creatures, genome, fitness = load(shared.island(name).champion)
        except AtollError as error:
            raise click.ClickException(f"{name} has no champion of creatures to audit: {error}") from error
        audit = examine(creatures, genome)
        if pictures is not None:
            atomic.make_directory(pictures)
            film = record(creatures, genome, course_number=FIRST_UNSEEN)
            write_sheet(film, pictures / f"{name}.png", title=f"{name}: {fitness:.0f} points, an unseen course")
        options = dict(creatures.options)
        yield {"island": name, "fitness": fitness, **asdict(audit), "is_sound": audit.is_sound, "options": options}


def load(path: Path) -> tuple[Creatures, Floats, float]:
    """Read a champion: the task it was found for, its genome [D] and its fitness."""
    champion = read(path)
    return creatures_of(champion), champion.genome, champion.fitness
