"""One generation of one island, as values.

    founders --evaluate--> state --+--> fix the emigrants -> (checkpoint, publish, import) -> insert --+--> state
                 ^                 +------------------- no migration due ------------------------------+      |
                 +--------------------------------------- breed <---------------------------------------------+

The champion is crowned after each evaluation and each insertion; on a noisy task it is reevaluated first.

`evo/island.py` walks this page and does the parts in brackets, which touch files; `evo/algorithms/` breeds. What has a
noun for its name is a generator that asks for evaluations (`evo/turns.py`). Nothing here calls a task, or knows of a
file, a clock or another island: equal arguments and answers give equal bytes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from atoll.evo import ancestry, diversity, selection
from atoll.evo.genome import NO_PLACE, Floats, GenomeSpec, Indices, Migrants, Population
from atoll.evo.tasks.task import FIRST_FRESH_EPISODE, is_deterministic
from atoll.evo.turns import Request, take_turns

if TYPE_CHECKING:
    from atoll.evo.rng import Streams
    from atoll.evo.tasks.task import Task
    from atoll.evo.turns import Asking

Memory = Mapping[str, NDArray[Any]]
"""What an algorithm remembers, by name: float32, float64, uint16 or int64 arrays of at most four dimensions."""


@dataclass(frozen=True)
class Champion:
    """The best individual an island has seen, since `generation`."""

    individual: Population  # [1, D]
    fitness: float  # of a noisy task: its mean over the fresh episodes in which it was scored last
    generation: int


@dataclass(frozen=True)
class Counts:
    """Counters of what an island has done since its founders."""

    evaluations: int = 0  # of genomes, immigrants and reevaluations included
    exports: int = 0
    imports: int = 0
    refused: int = 0  # batches or genomes


@dataclass(frozen=True)
class MigrationSchedule:
    """The state of an adaptive migration interval; with a fixed one it stays as it is here."""

    last: int = 0  # generation of the last migration
    multiplier: int = 1  # the interval from there on, in units of `migrate_every`


@dataclass(frozen=True)
class State:
    """An evaluated generation: all that an island is."""

    generation: int  # the founders are 0
    population: Population  # [P, D]
    fitness: Floats  # [P]
    champion: Champion
    counts: Counts
    schedule: MigrationSchedule = MigrationSchedule()
    memory: Memory = field(default_factory=dict)  # of the algorithm, from before it was told of this generation
    scored: int | None = None  # genomes of it that the task was asked about; None if another process asked: not kept


@dataclass(frozen=True)
class Reevaluation:
    """Reevaluation of whoever is to be champion of a noisy task: in how many fresh episodes, and who else."""

    task: Task
    episodes: int
    mean: Population | None = None  # of the search distribution, if the algorithm has one, [1, D]


def sample_founders(spec: GenomeSpec, n: int, *, island: str, streams: Streams) -> Population:
    """Draw the founders of an island, [n, D]; every gene is their own."""
    genes = spec.sample(streams("founders"), n)
    return Population(genes, ancestry.of_founders(genes.shape), (island,))


def evaluate(task: Task, population: Population, *, generation: int, before: State | None) -> State:
    """Do by itself what `evaluation` asks for."""
    return take_turns({"": evaluation(task, population, generation=generation, before=before)})[""]


def evaluation(
    task: Task,
    population: Population,
    *,
    generation: int,
    before: State | None,
    reevaluation: Reevaluation | None = None,
) -> Asking[State]:
    """Return a new generation with its scores and its best; see `scoring` and `crowning`."""
    fitness, scored = yield from scoring(task, population, generation=generation, known=before)
    if before is None:
        best = best_of(population, fitness, generation=generation, reigning=None)
        counts = Counts(evaluations=len(population))
        state = State(generation, population, fitness, best, counts, scored=scored)
    else:
        counts = replace(before.counts, evaluations=before.counts.evaluations + len(population))
        state = replace(
            before, generation=generation, population=population, fitness=fitness, counts=counts, scored=scored
        )
    return (yield from crowning(state, reevaluation))


def with_champion(state: State) -> tuple[State, int]:
    """Return the state with its champion in the population, and its place: behind the others if it is not among them.

    There it has its own fitness, which is the better known one on a noisy task.
    """
    population, champion = state.population, state.champion
    places = np.flatnonzero((population.genes == champion.individual.genes).all(axis=1))
    if len(places):
        return state, int(places[0])
    population = ancestry.join([population, champion.individual], population.islands)
    fitness = np.append(state.fitness, np.float32(champion.fitness))
    return replace(state, population=population, fitness=fitness), len(state.population)


def led_by(leader: int, chosen: Indices) -> Indices:
    """Return as many emigrants, [K], of which `leader` is the first, in the place of the last if it was not chosen."""
    return np.concatenate([[leader], chosen[chosen != leader]])[: len(chosen)]


def emigrants(state: State, chosen: Indices, *, island: str) -> Migrants:
    """Return copies of the individuals that leave, [K, D], with what they scored here."""
    ids = tuple(f"{island}:{state.generation}:{index}" for index in chosen)
    return Migrants(state.population.take(chosen), state.fitness[chosen], ids)


def insert_immigrants(state: State, immigrants: Population, fitness: Floats, *, displaced: Indices) -> State:
    """Do by itself what `insertion` does where nobody is reevaluated."""
    return take_turns({"": insertion(state, immigrants, fitness, displaced=displaced)})[""]


def insertion(
    state: State,
    immigrants: Population,
    fitness: Floats,
    *,
    displaced: Indices,
    reevaluation: Reevaluation | None = None,
) -> Asking[State]:
    """Put `immigrants` [N, D], scored here, in the places of the `displaced` [N]; who has `NO_PLACE` stays out."""
    settled = np.flatnonzero(displaced != NO_PLACE)
    places, n = displaced[settled], len(immigrants)
    scores = state.fitness.copy()
    scores[places] = fitness[settled]
    population = ancestry.replace(state.population, places, immigrants.take(settled))
    counts = replace(
        state.counts,
        evaluations=state.counts.evaluations + n,
        imports=state.counts.imports + len(settled),
        refused=state.counts.refused + n - len(settled),
    )
    state = replace(state, population=population, fitness=scores, counts=counts)
    return (yield from crowning(state, reevaluation, has_immigrants=True))


def next_schedule(state: State, immigrants: Floats) -> MigrationSchedule:
    """Return the adaptive interval after a migration whose immigrants scored `immigrants` [N] here.

    It is the shortest again once an immigrant was better than all who live here, and twice as long if none was; where
    nobody came, nothing was learned, and it stays.

    Source: Mambrini & Sudholt 2015, Evolutionary Computation 23(4), 559-582: longer as long as no improvement is found,
    shorter on one. There an island's own improvements count too; here it is migration that has to prove itself, because
    a population finds small improvements of its own all the time.
    """
    if not len(immigrants):
        return MigrationSchedule(state.generation, state.schedule.multiplier)
    is_led = bool(immigrants.max() > state.fitness.max())
    return MigrationSchedule(state.generation, 1 if is_led else 2 * state.schedule.multiplier)


def scoring(task: Task, population: Population, *, generation: int, known: State | None) -> Asking[tuple[Floats, int]]:
    """Return the fitness of genomes, float32 [P], and about how many of them the task was asked.

    A deterministic task is not asked twice about a genome, nor about one that lives in the `known` state, unless
    another process scored that: the user may have mended the task since.
    """
    if not is_deterministic(task):
        answer = yield Request(task, population.genes, generation, episode=generation)
        return answer.fitness, len(population)
    before = [known] if known is not None and known.scored is not None else []
    first = diversity.first_alike(*(state.population.genes for state in before), population.genes)
    n = len(first) - len(population)
    new = np.flatnonzero(first[n:] == np.arange(n, len(first)))
    fitness = np.concatenate([*(state.fitness for state in before), np.empty(len(population), dtype=np.float32)])
    if len(new):
        answer = yield Request(task, population.genes.take(new, axis=0), generation, episode=generation)
        fitness[n + new] = answer.fitness
    return fitness[first[n:]], len(new)


def best_of(population: Population, fitness: Floats, *, generation: int, reigning: Champion | None) -> Champion:
    """Return the better of the reigning champion and the best of `fitness` [P]; ties keep the reigning one."""
    top = selection.best(fitness, 1)
    if reigning is not None and not fitness[top[0]] > reigning.fitness:
        return reigning
    return Champion(population.take(top), float(fitness[top[0]]), generation)


def crowning(state: State, reevaluation: Reevaluation | None, *, has_immigrants: bool = False) -> Asking[State]:
    """Return the state with its champion: the best by the one score that everybody has, or by the mean of several.

    On a noisy task the highest score of all is the luckiest. So whoever seems better than the champion by its one score
    is scored again there, in fresh episodes, which decided about nobody before. The mean of the search distribution is
    scored with it, since it may be better than all that were drawn around it. The champion that reigns is scored again
    too, for two reasons: its own mean was the highest of several, and is thus too high on average; and some episodes
    are easy, so all have to meet the same ones. The best mean reigns and is the champion's fitness, which may fall; of
    equals who reigned stays.

    Source: Jin & Branke 2005, "Evolutionary optimization in uncertain environments: a survey", IEEE Trans. Evol.
    Comput. 9(3), 303-317, section II (resampling).
    """
    reigning, is_first = state.champion, state.generation == 0  # the best founder is there already, by its one score
    seeming = best_of(state.population, state.fitness, generation=state.generation, reigning=reigning)
    if reevaluation is None:
        return replace(state, champion=seeming)
    if not is_first and (seeming is reigning or np.array_equal(seeming.individual.genes, reigning.individual.genes)):
        return state
    rivals = [] if is_first else [each for each in (seeming.individual, reevaluation.mean) if each is not None]
    candidates = ancestry.join([reigning.individual, *rivals], state.population.islands)
    episodes = fresh_episodes(state.generation, reevaluation.episodes, has_immigrants=has_immigrants)
    means = yield from mean_scores(reevaluation.task, candidates, episodes, generation=state.generation)
    best = selection.best(means, 1)
    since = state.generation if best[0] else reigning.generation
    evaluations = state.counts.evaluations + len(candidates) * len(episodes)
    return replace(
        state,
        champion=Champion(candidates.take(best), float(means[best[0]]), since),
        counts=replace(state.counts, evaluations=evaluations),
    )


def fresh_episodes(generation: int, n: int, *, has_immigrants: bool) -> range:
    """Return the numbers of `n` episodes that are nobody else's: neither a generation's nor another crowning's.

    A generation may crown twice: after its evaluation, and after the insertion of immigrants.
    """
    first = FIRST_FRESH_EPISODE + (2 * generation + has_immigrants) * n
    return range(first, first + n)


def mean_scores(task: Task, population: Population, episodes: range, *, generation: int) -> Asking[Floats]:
    """Return the means of several episodes, summed in their order in float64, float32 [P]."""
    total = np.zeros(len(population))
    for episode in episodes:
        answer = yield Request(task, population.genes, generation, episode)
        total += answer.fitness
    return (total / len(episodes)).astype(np.float32)
