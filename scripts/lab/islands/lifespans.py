"""An archipelago whose islands come and go, in this process: who is there from when to when is all that differs.

Islands take what the others have published by now, as they do by default. They live by turns, from one migration to the
next, so who is later in a turn finds what the earlier ones have published in it, as between processes that are not in
step; and equal seeds give equal rows. To the others a killed island is one that publishes no more: its last publication
stays, and so it is here.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING

from atoll.evo import ancestry
from atoll.evo.config import Value, island_config
from atoll.evo.diversity import fixation_index
from atoll.evo.errors import ConfigError
from atoll.migration.exchange.modes import memory_exchange
from atoll.migration.observe.history import effective_number, pooled
from atoll.migration.pool.batch import Publisher
from atoll.scripts.lab.islands.budgeted import Course
from atoll.scripts.run.archipelago import RUN_ID, NoNotes, take_turns

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping, Sequence

    from atoll.evo.config import IslandConfig
    from atoll.evo.generation import State
    from atoll.evo.runlog import Record
    from atoll.evo.tasks.task import Task
    from atoll.migration.pool.batch import Batch


@dataclass
class Story(Course):
    """An island's course, and whose genes it has after each generation.

    Attributes:
        shares: Ancestor -> its share of all genes, the founders first.
    """

    shares: list[dict[str, float]] = field(default_factory=list)

    def note(self, state: State) -> None:
        """Note a generation."""
        super().note(state)
        self.shares.append(ancestry.shares(state.population))


@dataclass(frozen=True)
class Cast:
    """Which islands are not there from the beginning to the end.

    Attributes:
        name: What a table calls it.
        changing: How many islands come late, or leave early.
        arrival: When these come, as a share of all generations.
        departure: When they leave.
    """

    name: str
    changing: int = 0
    arrival: Fraction = Fraction(0)
    departure: Fraction = Fraction(1)


@dataclass(frozen=True)
class Scene:
    """What all archipelagos of a comparison have in common.

    Attributes:
        islands: How many, those that come late included.
        population: Individuals of each.
        generations: Of those that are there all along.
        settings: Of every island, beside these and the seed.
    """

    islands: int
    population: int
    generations: int
    settings: Mapping[str, Value] = field(default_factory=dict)

    def names(self) -> list[str]:
        """Return the islands' names."""
        return [f"island-{i:02}" for i in range(1, self.islands + 1)]

    def changing(self, cast: Cast, *, seed: int) -> list[str]:
        """Return the islands that come or go: others with every seed, so that no name is special.

        Raises:
            ConfigError: Nobody would be there all along.
        """
        if cast.changing >= self.islands:
            raise ConfigError(f"of {self.islands} islands at most {self.islands - 1} can come or go")
        names = self.names()
        return sorted(names[(seed + i) % self.islands] for i in range(cast.changing))


def run(cast: Cast, scene: Scene, task: Task, *, seed: int) -> Record:
    """Evolve an archipelago to the end; return a raw row.

    Returns:
        `best` is that of all islands, those that left included: their champions' files stay; `best_of` has each one's.
        `share` is which share of the genes of those that stayed, in each generation, descends from founders of those
        that came or went, and `champion_share` the same of the champion; `reached` is where each island's clock stood
        in the end. `origins` and `f_st` are of those that stayed.

    Raises:
        ConfigError: A setting is not allowed, or nobody would be there all along.
    """
    changing = scene.changing(cast, seed=seed)
    configs, late = plan(cast, scene, seed=seed)
    stories = {config.island: Story() for config in configs}
    states = evolve(configs, task, stories=stories, late=late)
    stayed = {name: state for name, state in states.items() if name not in changing}
    shares = [
        pooled(list(at_once), [scene.population] * len(stayed))
        for at_once in zip(*(stories[name].shares for name in stayed), strict=True)
    ]
    champion = max(states.values(), key=lambda state: state.champion.fitness).champion
    painted = ancestry.shares(champion.individual)
    return {
        "cast": cast.name,
        "arrival": float(cast.arrival),
        "departure": float(cast.departure),
        "task": task.name,
        "options": dict(task.options),
        "islands": scene.islands,
        "population": scene.population,
        "generations": scene.generations,
        "settings": dict(scene.settings),
        "seed": seed,
        "changing": changing,
        "reached": {name: state.generation for name, state in states.items()},
        "evaluations": sum(state.counts.evaluations for state in states.values()),
        "imports": {name: state.counts.imports for name, state in states.items()},
        "best": champion.fitness,
        "best_of": {name: state.champion.fitness for name, state in states.items()},
        "share": [sum(each.get(name, 0.0) for name in changing) for each in shares],
        "champion_share": sum(painted.get(name, 0.0) for name in changing),
        "origins": effective_number(shares[-1].values()),
        "f_st": fixation_index([state.population.genes for state in stayed.values()], task.spec),
    }


def plan(cast: Cast, scene: Scene, *, seed: int) -> tuple[list[IslandConfig], dict[str, int]]:
    """Return each island's settings, and after how many migrations of the others those that are late come.

    Raises:
        ConfigError: A setting is not allowed, or nobody would be there all along.
    """
    changing = set(scene.changing(cast, seed=seed))
    lived = int(scene.generations * (cast.departure - cast.arrival))
    common: dict[str, Value] = {"population": scene.population, **scene.settings, "seed": seed}
    configs = [
        island_config(name, {**common, "generations": lived if name in changing else scene.generations}, {})
        for name in scene.names()
    ]
    turns = int(scene.generations * cast.arrival) // configs[0].migration.migrate_every
    return configs, dict.fromkeys(changing, turns)


def evolve(
    configs: Sequence[IslandConfig], task: Task, *, stories: Mapping[str, Story], late: Mapping[str, int]
) -> dict[str, State]:
    """Evolve islands by turns, some of which come late; return each one's last state.

    Args:
        configs: Their settings.
        task: The problem of all.
        stories: What keeps each one's.
        late: After how many migrations of the others an island comes; those that are not named are there at once.
    """
    pool: dict[str, dict[int, Batch]] = {}
    return take_turns(
        {
            config.island: _life(config, task, pool, story=stories[config.island], late=late.get(config.island, 0))
            for config in configs
        }
    )


def _life(
    config: IslandConfig, task: Task, pool: dict[str, dict[int, Batch]], *, story: Story, late: int
) -> Generator[bool, None, State]:
    for _ in range(late):
        yield False
    exchange = memory_exchange(  # not before: an island is in the pool from the moment it has an exchange
        pool,
        publisher=Publisher(RUN_ID, config.island, 1, config.island, task.spec),
        migration=config.migration,
        ledger=NoNotes(),
    )
    recorder = MemoryRecorder(story.note)
    return (
        yield from steps(config, task, exchange=exchange, recorder=recorder, resumed=None, is_stopping=lambda: False)
    )
