"""Archipelagos whose islands come and go: what does a death cost the others, what do late islands contribute?

Who is there from when to when is all that differs. Islands evolve by turns, from one migration to the next; a later one
finds what the earlier ones have published in that turn, as between processes that are not in step; and equal seeds
give equal rows. A killed island is one that publishes no more: its last publication stays.

`killed` evolves each archipelago twice with every seed: undisturbed, and with one island dead after a quarter of its
generations, another one with each seed. The cost is the difference between the two final bests; it is small if it is
smaller than what another seed does.

In `joining` two of eight islands come, or leave, when the others are through half of their generations (`--at`); who,
differs from seed to seed. What they contributed is which share of the genes of the six others descends from their
founders: the largest after they came, and what is left in the end.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from functools import partial
from typing import TYPE_CHECKING, Any

import click
import numpy as np

from atoll.evo import ancestry
from atoll.evo.errors import ConfigError
from atoll.evo.island import steps
from atoll.evo.recorder import MemoryRecorder
from atoll.evo.tasks.loader import load_task, recorded_options
from atoll.evo.tasks.task import score
from atoll.evo.turns import Answer, Pause
from atoll.migration.exchange.modes import memory_exchange
from atoll.migration.observe.history import effective_number, pooled
from atoll.migration.pool.batch import Publisher
from atoll.scripts.lab.islands.budgeted import Course
from atoll.scripts.lab.kit.former import former_config, former_fixation_index
from atoll.scripts.lab.kit.stats import LEVEL, RESAMPLES
from atoll.scripts.lab.kit.study import chosen, command, plain_table, seed_options
from atoll.scripts.run.archipelago import RUN_ID, NoNotes

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from atoll.evo.config import IslandConfig
    from atoll.evo.generation import State
    from atoll.evo.runlog import Record
    from atoll.evo.settings import Value
    from atoll.evo.tasks.task import Task
    from atoll.evo.turns import Life
    from atoll.migration.pool.batch import Batch
    from atoll.scripts.lab.kit.study import Call, Function


@dataclass
class Story(Course):
    """Course of an island, and whose genes it has after each generation.

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
    """Arrivals and departures: which islands are not there from the beginning to the end.

    Attributes:
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
    """Sizes and settings that all archipelagos of a comparison have in common.

    Attributes:
        islands: How many, those that come late included.
        generations: Of those that are there all along.
    """

    islands: int
    population: int
    generations: int
    settings: Mapping[str, Value] = field(default_factory=dict)

    def names(self) -> list[str]:
        """Return the islands' names."""
        return [f"island-{i:02}" for i in range(1, self.islands + 1)]

    def changing(self, cast: Cast, *, seed: int) -> list[str]:
        """Return the islands that come or go: others with every seed, so that no name is special."""
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
        "f_st": former_fixation_index([state.population.genes for state in stayed.values()], task.spec),
    }


def plan(cast: Cast, scene: Scene, *, seed: int) -> tuple[list[IslandConfig], dict[str, int]]:
    """Return each island's settings, and after how many migrations of the others those that are late come.

    Raises:
        ConfigError: A setting is not allowed, or nobody would be there all along.
    """
    changing = set(scene.changing(cast, seed=seed))
    there = int(scene.generations * (cast.departure - cast.arrival))
    common: dict[str, Value] = {"population": scene.population, **scene.settings, "seed": seed}
    configs = [
        former_config(name, {**common, "generations": there if name in changing else scene.generations}, {})
        for name in scene.names()
    ]
    turns = int(scene.generations * cast.arrival) // configs[0].migration.migrate_every
    return configs, dict.fromkeys(changing, turns)


def evolve(
    configs: Sequence[IslandConfig], task: Task, *, stories: Mapping[str, Story], late: Mapping[str, int]
) -> dict[str, State]:
    """Evolve islands by turns, some of which come late; return each one's last state."""
    pool: dict[str, dict[int, Batch]] = {}
    lives = {
        config.island: _life(config, task, pool, story=stories[config.island], late=late.get(config.island, 0))
        for config in configs
    }
    ended: dict[str, State] = {}
    while len(ended) < len(lives):
        for name in [name for name in lives if name not in ended]:
            state = _until_it_pauses(lives[name])
            ended |= {name: state} if state else {}
    return {name: ended[name] for name in lives}


def _until_it_pauses(life: Life[State]) -> State | None:
    """Let an island live on to its next migration; return its last state if it ends instead."""
    answer: Answer | None = None
    while True:
        try:
            turn = life.send(answer)
        except StopIteration as ending:
            state: State = ending.value
            return state
        if isinstance(turn, Pause):
            return None
        answer = Answer(score(turn.task, turn.genes, episode=turn.episode), evaluate_s=0.0)


def _life(
    config: IslandConfig, task: Task, pool: dict[str, dict[int, Batch]], *, story: Story, late: int
) -> Life[State]:
    for _ in range(late):
        yield Pause.PUBLISHED
    exchange = memory_exchange(  # not before: an island is in the pool from the moment it has an exchange
        pool,
        publisher=Publisher(RUN_ID, config.island, 1, config.island, task.spec),
        migration=config.migration,
        ledger=NoNotes(),
    )
    return (yield from steps(config, task, exchange=exchange, recorder=MemoryRecorder(story.note)))


FEW_GENES: dict[str, Value] = {"mutation_rate": 0.05}
"""The default is made for the 500 genes of a creature: of twenty it would leave most children without any mutation."""
TASKS: dict[str, tuple[dict[str, str], dict[str, Value]]] = {
    "creatures": ({"courses": "2"}, {}),
    "rastrigin": ({"dimensions": "20", "rotated": "true", "offset": "0.3"}, FEW_GENES),
    "schwefel": ({"dimensions": "20"}, FEW_GENES),
    "trap": ({}, FEW_GENES),
}
"""Each task with its options and the settings of its islands: creatures, a rotated, a deceptive function, a trap."""


def calls(
    casts: Sequence[Cast],
    *,
    islands: int,
    population: int,
    generations: int,
    tasks: Sequence[str],
    seeds: range,
    **settings: Value,
) -> list[Call]:
    """Return an archipelago of each cast for each seed and task; seed by seed: a run cut short has compared all."""
    scenes = {}
    for task in chosen(tasks, TASKS, kind="task"):
        scenes[task] = Scene(islands, population, generations, {**TASKS[task][1], **settings})
        try:
            former_config("a", {**scenes[task].settings, "population": population}, {})
        except ConfigError as error:
            raise click.UsageError(str(error)) from error
    return [
        partial(measure, cast, scene, task, seed=seed)
        for seed in seeds
        for task, scene in scenes.items()
        for cast in casts
    ]


def measure(cast: Cast, scene: Scene, task: str, *, seed: int) -> Record:
    """Return the row of an archipelago on one of `TASKS`."""
    return run(cast, scene, load_task(task, recorded_options(task, TASKS[task][0])), seed=seed)


def _line_of(row: Record) -> str:
    return f"seed {row['seed']}, {row['task']}, {row['cast']}: best {row['best']:.4g}"


def pairs(rows: Sequence[Record], one: str, other: str) -> dict[str, list[tuple[Record, Record]]]:
    """Return for each task the rows of two casts with equal seeds, by seed; of equal rows the later one."""
    found: dict[str, list[tuple[Record, Record]]] = {}
    for task in dict.fromkeys(row["task"] for row in rows):
        of = {(row["cast"], row["seed"]): row for row in rows if row["task"] == task}
        seeds = sorted({seed for cast, seed in of if cast == one} & {seed for cast, seed in of if cast == other})
        found[task] = [(of[one, seed], of[other, seed]) for seed in seeds]
    return found


def mean_interval(values: Sequence[float], *, seed: int = 0) -> tuple[float, float, float]:
    """Return the mean, and both ends of its 95 % percentile bootstrap interval.

    Source: Efron & Tibshirani 1993, "An Introduction to the Bootstrap", chapter 13.
    """
    found = np.asarray(values, dtype=np.float64)
    drawn = np.random.default_rng(seed).choice(found, size=(RESAMPLES, len(found))).mean(axis=1)
    low, high = np.percentile(drawn, [50 * (1 - LEVEL), 50 * (1 + LEVEL)])
    return float(found.mean()), float(low), float(high)


UNDISTURBED = Cast("undisturbed")
KILLED = Cast("one killed at a quarter", changing=1, departure=Fraction(1, 4))
KILLED_HEAD = ("task", "n", "final best", "spread", "difference", "95 % interval", "of the spread", "smaller")
ALL_ALONG = Cast("all there all along", changing=2)
"""Two islands that neither come nor go, the same ones as in the other casts: what do two contribute that are there?"""
MOMENT = click.FloatRange(0, 1, min_open=True, max_open=True)
TRACE = 0.001
END = -2
"""The generation before the last: at the last everybody has just imported, and nothing was selected yet."""
SHARE_HEAD = ("largest share", "share in the end", "left in")
JOINING_HEAD = ("task", "settings", "who", "n", *SHARE_HEAD, "best, difference", "stalled")


@dataclass(frozen=True)
class Cost:
    """Difference in the final best, with its interval, over pairs of archipelagos with equal seeds."""

    n: int
    best: float
    spread: float
    difference: float
    low: float
    high: float

    @property
    def is_small(self) -> bool:
        """Whether the whole interval lies within one spread of none."""
        return max(abs(self.low), abs(self.high)) < self.spread


def cost(undisturbed: Sequence[float], disturbed: Sequence[float]) -> Cost:
    """Compare final bests, two at least, in the same order of seeds."""
    before, after = np.asarray(undisturbed, dtype=np.float64), np.asarray(disturbed, dtype=np.float64)
    spread = float(before.std(ddof=1))
    return Cost(len(before), float(before.mean()), spread, *mean_interval(list(after - before)))


def killed_table(rows: Sequence[Record]) -> str:
    """Return a Markdown table with a line for each task that has two pairs or more."""
    found = pairs(rows, UNDISTURBED.name, KILLED.name)
    costs = {
        task: cost([one["best"] for one, _ in both], [other["best"] for _, other in both])
        for task, both in found.items()
        if len(both) > 1
    }
    return plain_table(KILLED_HEAD, [_killed_line(task, each) for task, each in costs.items()])


def _killed_line(task: str, found: Cost) -> tuple[str, ...]:
    share = max(abs(found.low), abs(found.high)) / found.spread if found.spread else float("inf")
    return (
        task,
        str(found.n),
        f"{found.best:.4g}",
        f"{found.spread:.3g}",
        f"{found.difference:+.3g}",
        f"{found.low:+.3g} to {found.high:+.3g}",
        f"at most {share:.2f}",
        "yes" if found.is_small else "no",
    )


def casts(at: Fraction) -> tuple[Cast, ...]:
    """Return who is compared: two islands that are there all along, come at a share of the generations, leave then."""
    when = f"at {at} of the time"
    return ALL_ALONG, Cast(f"two join {when}", 2, arrival=at), Cast(f"two leave {when}", 2, departure=at)


def joining_table(rows: Sequence[Record]) -> str:
    """Return a Markdown table with lines for each task and setting: who was there all along, who came, who left."""
    lines = []
    for settings in dict.fromkeys(_settings(row) for row in rows):
        chosen = [row for row in rows if _settings(row) == settings]
        for cast in dict.fromkeys(row["cast"] for row in chosen):
            of = pairs(chosen, ALL_ALONG.name, cast)
            lines += [_joining_line(task, settings, found) for task, found in of.items() if found]
    return plain_table(JOINING_HEAD, sorted(lines))


def _settings(row: Record) -> str:
    names = ("migrate_every", "topology", "migrants")
    every, topology, migrants = (row["settings"].get(name) for name in names)
    return f"{migrants} every {every}, {topology}"


def _joining_line(task: str, settings: str, found: Sequence[tuple[Record, Record]]) -> tuple[str, ...]:
    rows = [row for _, row in found]
    largest = np.mean([max(row["share"][int(row["generations"] * row["arrival"]) :]) for row in rows])
    end, low, high = mean_interval([row["share"][END] for row in rows])
    n_left = sum(row["share"][END] > TRACE for row in rows)
    stalled = sum(
        any(reached < row["generations"] for name, reached in row["reached"].items() if name not in row["changing"])
        for row in rows
    )
    return (
        *(task, settings, rows[0]["cast"], str(len(rows)), f"{largest:.3f}"),
        *(f"{end:.3f} ({low:.3f} to {high:.3f})", f"{n_left} of {len(rows)}", _difference(found), str(stalled)),
    )


def _difference(found: Sequence[tuple[Record, Record]]) -> str:
    """Say what it did to the final best; nothing of those that the others are held against, or of a single pair."""
    if len(found) < 2 or all(one["cast"] == other["cast"] for one, other in found):
        return ""
    change = cost([one["best"] for one, _ in found], [other["best"] for _, other in found])
    return f"{change.difference:+.3g} ({change.low:+.3g} to {change.high:+.3g}), spread {change.spread:.3g}"


def _archipelago_options(function: Function) -> Function:
    for option in (
        click.option("--islands", default=8),
        click.option("--population", default=48, help="Individuals of each island."),
        click.option("--generations", default=80, help="Generations after the founders."),
        click.option("--task", "tasks", multiple=True, help="Only this task; can be repeated."),
        click.option("--topology", default="full", help="Who imports from whom."),
    ):
        function = option(function)
    return function


@command(line=_line_of, table=killed_table, out="bench/killed.jsonl")
@_archipelago_options
@seed_options(30, first=0, what="Pairs of archipelagos for each task.")
def killed(**options: Any) -> list[Call]:  # noqa: ANN401 - the arguments of `calls`
    """Kill one island of each archipelago at a quarter of its life, and see what the others make of it."""
    return calls((UNDISTURBED, KILLED), **options)


@command(line=_line_of, table=joining_table, out="bench/joining.jsonl")
@_archipelago_options
@seed_options(20, first=0, what="Archipelagos of each kind for each task.")
@click.option("--at", default=0.5, type=MOMENT, help="When they come or go, of the generations.")
@click.option("--migrate-every", default=10, help="Generations between migrations.")
@click.option("--migrants", default=5)
def joining(*, at: float, **options: Any) -> list[Call]:  # noqa: ANN401 - see `killed`
    """Let islands come and go, and see whose genes are there in the end."""
    return calls(casts(Fraction(str(at))), **options)
