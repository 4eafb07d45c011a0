"""One archipelago in this process with a budget of evaluations, summed over islands and immigrants counted.

In lockstep its islands are at the same generation whenever they are compared, so what they have spent and reached
by then is exact, and equal seeds give equal rows on any machine.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from atoll.evo import ancestry
from atoll.evo.config import EVERY, GA, LOCKSTEP, island_config
from atoll.evo.errors import ConfigError
from atoll.evo.recorder import MemoryRecorder
from atoll.evo.tasks.creatures.audit import UNSEEN_COURSES
from atoll.evo.tasks.creatures.fitness import score
from atoll.evo.tasks.creatures.world import FIRST_UNSEEN, lay_courses
from atoll.migration.observe.history import effective_number, pooled
from atoll.scripts.lab.kit.former import former_config, former_fixation_index
from atoll.scripts.run.archipelago import evolve_together
from atoll.scripts.run.vary import vary

if TYPE_CHECKING:
    from collections.abc import Callable

    from atoll.evo.config import IslandConfig
    from atoll.evo.generation import State
    from atoll.evo.genome import Floats
    from atoll.evo.runlog import Record
    from atoll.evo.settings import Value
    from atoll.evo.tasks.creatures.task import Creatures
    from atoll.evo.tasks.task import Task

MAX_ISLANDS = 999


@dataclass(frozen=True)
class Arm:
    """One way to spend a budget.

    Attributes:
        settings: Of every island, beside these and the seed; topology none isolates them.
        is_varied: Breeding settings are drawn for each island (`atoll.scripts.run.vary`).
    """

    name: str
    islands: int
    population: int
    settings: dict[str, Value] = field(default_factory=dict)
    is_varied: bool = False


@dataclass
class Course:
    """Evaluations that an island had spent, and the best it had met, after each generation."""

    evaluations: list[int] = field(default_factory=list)
    best: list[float] = field(default_factory=list)

    def note(self, state: State) -> None:
        """Note a generation."""
        self.evaluations.append(state.counts.evaluations)
        self.best.append(state.champion.fitness)


def run(arm: Arm, task: Task, *, seed: int, budget: int, audit: Callable[[Floats], Record] = lambda _: {}) -> Record:
    """Evolve an archipelago for as many generations as the budget surely allows; return a raw row.

    Returns:
        `evaluations` and `best` after each generation, summed over islands and the best of all; and of the last
        generation the ancestors of the champion, the effective number of ancestors of all, and F_ST.
    """
    configs = plan(arm, seed=seed, budget=budget)
    courses = {config.island: Course() for config in configs}
    states = evolve_together(configs, task, recorder_of=lambda config: MemoryRecorder(courses[config.island].note))
    champion = max(states.values(), key=lambda state: state.champion.fitness).champion
    shares = [ancestry.shares(state.population) for state in states.values()]
    return {
        "arm": arm.name,
        "islands": arm.islands,
        "population": arm.population,
        "settings": {**arm.settings, "is_varied": arm.is_varied},
        "task": task.name,
        "options": dict(task.options),
        "seed": seed,
        "budget": budget,
        "generations": configs[0].generations,
        "evaluations": [sum(each) for each in zip(*(course.evaluations for course in courses.values()), strict=True)],
        "best": [max(each) for each in zip(*(course.best for course in courses.values()), strict=True)],
        "champion_ancestry": ancestry.shares(champion.individual),
        "origins": effective_number(pooled(shares, [arm.population] * arm.islands).values()),
        "f_st": former_fixation_index([state.population.genes for state in states.values()], task.spec),
        "imports": sum(state.counts.imports for state in states.values()),
        **audit(champion.individual.genes[0]),
    }


def condensed(row: Record) -> Record:
    """Return a row without the generations that brought nothing: `evaluations_to` finds the same in it."""
    best = row["best"]
    kept = [n for n, found in enumerate(best) if n in {0, len(best) - 1} or found > best[n - 1]]
    return {**row, "evaluations": [row["evaluations"][n] for n in kept], "best": [best[n] for n in kept]}


def plan(arm: Arm, *, seed: int, budget: int) -> list[IslandConfig]:
    """Return the settings of each island, with as many generations as the budget surely allows.

    It is not overspent, whatever arrives: each migration is reckoned to bring as many immigrants as it may.

    Raises:
        ConfigError: That is not even one, or a setting is not allowed.
    """
    if not 1 <= arm.islands <= MAX_ISLANDS:
        raise ConfigError(f"an arm has 1 to {MAX_ISLANDS} islands, got {arm.islands}")
    names = [f"island-{i:03}" for i in range(1, arm.islands + 1)]
    make = former_config if arm.settings.get("algorithm", GA) == GA else island_config
    together: dict[str, Value] = {"population": arm.population, "migrate_every": EVERY, **arm.settings, "seed": seed}
    if arm.islands > 1 and arm.settings.get("topology") != "none":
        together |= {"mode": LOCKSTEP, "members": ",".join(names)}
    else:
        together |= {"topology": "none"}
    generations = _generations(make(names[0], together, {}), share=budget // arm.islands)
    return [
        make(name, {**together, **(vary(name, seed=seed) if arm.is_varied else {}), "generations": generations}, {})
        for name in names
    ]


def alone(arm: Arm, *, seed: int, generations: int) -> IslandConfig:
    """Return the settings of an arm of one island."""
    make = former_config if arm.settings.get("algorithm", GA) == GA else island_config
    together = {"population": arm.population, **arm.settings, "seed": seed, "generations": generations}
    return make("island-001", {**together, "migrants": 1, "topology": "none"}, {})


def evaluations_to(row: Record, target: float) -> int | None:
    """Return what had been spent when the best of all first reached `target`; None if it never did."""
    reached = (spent for spent, best in zip(row["evaluations"], row["best"], strict=True) if best >= target)
    return next(reached, None)


def best_after(row: Record, evaluations: int) -> float:
    """Return the best of all when at most so many evaluations had been spent.

    Raises:
        ConfigError: Not even the founders had been evaluated by then.
    """
    known = [best for spent, best in zip(row["evaluations"], row["best"], strict=True) if spent <= evaluations]
    if not known:
        raise ConfigError(f"nothing is known after {evaluations} evaluations; the founders took more")
    return float(known[-1])


def walk_unseen(creatures: Creatures) -> Callable[[Floats], Record]:
    """Return an audit that walks a genome [D] over 40 unseen courses: mean `unseen_fitness` and `unseen_pellets`.

    They are those of `atoll.evo.tasks.creatures.audit.Audit`, at the speed of the backend.
    """
    courses = range(FIRST_UNSEEN, FIRST_UNSEEN + UNSEEN_COURSES)
    pellets = lay_courses(courses, creatures.pellets.shape[1])

    def walk(genome: Floats) -> Record:
        summary = creatures.simulate(genome[None], pellets=pellets)
        return {"unseen_fitness": float(score(summary)[0]), "unseen_pellets": float(summary.collected.mean())}

    return walk


def _generations(config: IslandConfig, *, share: int) -> int:
    """Return how many generations after the founders one island can have for `share` evaluations."""
    interval, migrants = config.migration.migrate_every, 0 if config.migration.is_off else config.migration.migrants
    left = share - config.population  # the founders
    whole, rest = divmod(left, interval * config.population + migrants)
    generations = whole * interval + min(rest // config.population, interval - 1)
    if left < 0 or generations < 1:
        raise ConfigError(
            f"{share} evaluations for an island of {config.population} are not enough for its founders and one "
            f"generation; give a larger budget"
        )
    return generations
