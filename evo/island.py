"""The loop of an island around the generation page: what it does, in which order, and what it asks of others.

It is a generator, so that many islands can live by turns in one process: see `evo/turns.py` for what it yields.

The order of effects is what makes a kill harmless. At a migration the checkpoint comes before the publication and the
import after it, through an inbox that is written before it is used; so a restart from any checkpoint repeats exactly
what the dead process did after it.
"""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol, TypeVar

from atoll.evo import generation
from atoll.evo.algorithms.algorithm import mean_of
from atoll.evo.algorithms.choice import algorithm_of, settled
from atoll.evo.config import GA
from atoll.evo.errors import TaskError
from atoll.evo.generation import Reevaluation
from atoll.evo.recorder import MemoryRecorder
from atoll.evo.rng import streams
from atoll.evo.tasks.task import is_deterministic
from atoll.evo.turns import Pause, take_turns

if TYPE_CHECKING:
    from collections.abc import Callable

    from atoll.evo.algorithms.algorithm import Algorithm
    from atoll.evo.config import IslandConfig
    from atoll.evo.generation import Memory, State
    from atoll.evo.genome import Floats, Indices, Migrants, Population
    from atoll.evo.recorder import Recorder
    from atoll.evo.rng import Streams
    from atoll.evo.tasks.task import Task
    from atoll.evo.turns import Asking, Life


class Arrivals(Protocol):
    """Immigrants of one import, possibly none, and how many batches or genomes were turned away."""

    @property
    def migrants(self) -> Migrants: ...  # noqa: D102

    @property
    def refused(self) -> int: ...  # noqa: D102


A = TypeVar("A", bound="Arrivals")
T = TypeVar("T")


class Exchange(Protocol[A]):
    """Migration as an island sees it: take these, and what have you got for me?"""

    def emigrants(self, genes: Floats, fitness: Floats, *, streams: Streams) -> Indices:
        """Choose who leaves, by genes [P, D] and fitness [P], before anything is imported."""
        ...

    def publish(self, generation: int, emigrants: Migrants) -> int:
        """Offer genomes to the others; return how many are on offer now. Again with the same ones: no effect."""
        ...

    def is_ready(self, generation: int, *, streams: Streams) -> bool:
        """Say whether `collect` can be answered; if not, whoever asks is to ask again."""
        ...

    def collect(self, generation: int, *, residents: Population, streams: Streams) -> A:
        """Take others' genomes; asked again for the same generation, return the same ones."""
        ...

    def displaced(
        self, genes: Floats, fitness: Floats, immigrants: Floats, scores: Floats, *, streams: Streams
    ) -> Indices:
        """Choose who makes room, by genes [P, D] and fitness [P], for immigrants [N, D] with their scores here [N].

        Each immigrant gets a place of its own, or `NO_PLACE`, [N].
        """
        ...

    def record_outcome(self, generation: int, arrivals: A, fitness: Floats, displaced: Indices, *, best: float) -> None:
        """Note what became of the immigrants: what they scored here [N], where the best had `best`, and places [N]."""
        ...

    def heartbeat(self, generation: int) -> None:
        """Show that the island lives; FencedError if a newer process owns it."""
        ...


def evolve(
    config: IslandConfig,
    task: Task,
    *,
    exchange: Exchange[A] | None = None,
    recorder: Recorder | None = None,
    resumed: State | None = None,
    algorithm: Algorithm | None = None,
    is_stopping: Callable[[], bool] = lambda: False,
    clock: Callable[[], float] = time.perf_counter,
) -> State:
    """Evolve from the founders, or from where a checkpoint left off, to `config.generations` or until told to stop.

    Args:
        config: What to compute.
        task: The problem.
        exchange: The others; None for an island that is alone by construction.
        recorder: Where checkpoints and the log go; nowhere if None.
        resumed: The state of the newest checkpoint.
        algorithm: A user's, which is loaded already; None for the one that `config` names.
        is_stopping: Asked once a generation, whenever others are waited for, and where the task fails; True ends the
            run after a checkpoint.
        clock: Seconds from anywhere; only differences are logged.
    """
    life = steps(
        config,
        task,
        exchange=exchange,
        recorder=recorder,
        resumed=resumed,
        algorithm=algorithm,
        is_stopping=is_stopping,
    )
    return take_turns({config.island: life}, is_stopping=is_stopping, clock=clock)[config.island]


def steps(
    config: IslandConfig,
    task: Task,
    *,
    exchange: Exchange[A] | None = None,
    recorder: Recorder | None = None,
    resumed: State | None = None,
    algorithm: Algorithm | None = None,
    is_stopping: Callable[[], bool] = lambda: False,
) -> Life[State]:
    """Evolve by steps, so that several islands can take turns in one process; see `evolve`."""
    recorder = recorder or MemoryRecorder()
    config = settled(config, task.spec)
    algorithm = algorithm or algorithm_of(config, task.spec)
    state, evaluate_s = (resumed, 0.0) if resumed else (yield from _timed(_founders(config, task, algorithm)))
    while True:
        evaluated = state
        is_last = state.generation >= config.generations
        schedule = state.schedule
        is_due = config.migration.is_due(state.generation, last=schedule.last, multiplier=schedule.multiplier)
        is_migrating = exchange is not None and is_due
        is_regular = state.generation > 0 and state.generation % config.checkpoint_every == 0
        is_kept = is_last or is_migrating or is_regular
        if is_kept:
            recorder.checkpoint(evaluated)
        if exchange is not None and is_migrating:
            migrated = yield from _migrate(config, task, algorithm, state, exchange=exchange, is_stopping=is_stopping)
            if migrated is None:
                recorder.champion(evaluated)
                return evaluated  # without a line in the log: a restart completes this generation
            state = migrated
        is_stopped = not is_last and is_stopping()
        if is_stopped and not is_kept:
            recorder.checkpoint(evaluated)
        if is_kept or is_stopped:
            recorder.champion(state)
        recorder.log(state, evaluate_s=evaluate_s)  # last of what is kept: a generation that has its line is complete
        if exchange is not None:
            exchange.heartbeat(state.generation)
        if is_last or is_stopped:
            return state
        unkept = None if is_kept else evaluated
        following = yield from _follow(
            config, task, algorithm, state, recorder=recorder, unkept=unkept, is_stopping=is_stopping
        )
        if following is None:
            return state
        state, evaluate_s = following


def _timed(asking: Asking[T]) -> Asking[tuple[T, float]]:
    """Return what was asked for, and the seconds that the answers took."""
    answer, evaluate_s = None, 0.0
    while True:
        try:
            request = asking.send(answer)  # type: ignore[arg-type]  # None begins it
        except StopIteration as ending:
            return ending.value, evaluate_s
        answer = yield request
        evaluate_s += answer.evaluate_s


def _founders(config: IslandConfig, task: Task, algorithm: Algorithm) -> Asking[State]:
    randomness = streams(config.seed, config.island, 0)
    founders = generation.sample_founders(task.spec, config.population, island=config.island, streams=randomness)
    reevaluation = _reevaluation(config, task, algorithm, {}, founders.islands)
    state = yield from generation.evaluation(task, founders, generation=0, before=None, reevaluation=reevaluation)
    return replace(state, memory=algorithm.start(state, task.spec))


def _reevaluation(
    config: IslandConfig, task: Task, algorithm: Algorithm, memory: Memory, islands: tuple[str, ...]
) -> Reevaluation | None:
    """Return how whoever is to be champion is scored again; None where its one score is as good as any number."""
    if not config.champion_episodes or is_deterministic(task):
        return None
    return Reevaluation(task, config.champion_episodes, mean_of(algorithm, memory, task.spec, islands))


def _follow(
    config: IslandConfig,
    task: Task,
    algorithm: Algorithm,
    state: State,
    *,
    recorder: Recorder,
    unkept: State | None,
    is_stopping: Callable[[], bool],
) -> Asking[tuple[State, float] | None]:
    """Breed and evaluate the next generation; if that fails, keep the last whole one, to go on from.

    Returns:
        It, and the seconds of its evaluation; None if it failed after a stop signal, which has also ended what the task
        or the algorithm had started.
    """
    randomness = streams(config.seed, config.island, state.generation)
    try:
        children, memory = algorithm.breed(state, state.memory, task.spec, streams=randomness)
        following = generation.evaluation(
            task,
            children,
            generation=state.generation + 1,
            before=replace(state, memory=memory),
            reevaluation=_reevaluation(config, task, algorithm, memory, children.islands),
        )
        return (yield from _timed(following))
    except TaskError:
        if unkept is not None:
            recorder.checkpoint(unkept)
            recorder.champion(unkept)
        if is_stopping():
            return None
        raise


def _migrate(
    config: IslandConfig,
    task: Task,
    algorithm: Algorithm,
    state: State,
    *,
    exchange: Exchange[A],
    is_stopping: Callable[[], bool],
) -> Life[State | None]:
    """Return the state with its immigrants, or None if told to stop while waiting for them or evaluating them."""
    g, randomness = state.generation, streams(config.seed, config.island, state.generation)
    reevaluation = _reevaluation(config, task, algorithm, state.memory, state.population.islands)
    is_led = config.algorithm != GA or reevaluation is not None  # else the best of this generation are the best known
    exported = exchange.publish(g, _emigrants(config, state, exchange=exchange, is_led=is_led))
    yield Pause.PUBLISHED
    while not exchange.is_ready(g, streams=randomness):
        if is_stopping():
            return None
        yield Pause.WAITING
    arrivals = exchange.collect(g, residents=state.population, streams=randomness)
    immigrants = arrivals.migrants.population
    fitness: Floats | None = arrivals.migrants.fitness
    if len(immigrants):
        scoring = generation.scoring(task, immigrants, generation=g, known=state)
        scored = yield from _unless_stopped(scoring, is_stopping)
        fitness = scored[0] if scored else None
    if fitness is None:
        return None
    counts = replace(
        state.counts, exports=state.counts.exports + exported, refused=state.counts.refused + arrivals.refused
    )
    schedule = generation.next_schedule(state, fitness) if config.migration.is_adaptive else state.schedule
    state = replace(state, counts=counts, schedule=schedule)
    if not len(immigrants):
        return state
    genes = state.population.genes
    displaced = exchange.displaced(genes, state.fitness, immigrants.genes, fitness, streams=randomness)
    insertion = generation.insertion(state, immigrants, fitness, displaced=displaced, reevaluation=reevaluation)
    mixed = yield from _unless_stopped(insertion, is_stopping)
    if mixed is not None:
        exchange.record_outcome(g, arrivals, fitness, displaced, best=float(state.fitness.max()))
    return mixed


def _emigrants(config: IslandConfig, state: State, *, exchange: Exchange[A], is_led: bool) -> Migrants:
    """Return who leaves: whom the exchange chooses, and where `is_led` the champion before all others."""
    randomness = streams(config.seed, config.island, state.generation)
    offered, champion = generation.with_champion(state) if is_led else (state, None)
    chosen = exchange.emigrants(offered.population.genes, offered.fitness, streams=randomness)
    if champion is not None:
        chosen = generation.led_by(champion, chosen)
    return generation.emigrants(offered, chosen, island=config.island)


def _unless_stopped(asking: Asking[T], is_stopping: Callable[[], bool]) -> Asking[T | None]:
    """Return what was asked for; None if it failed after a stop signal, which has also ended what the task used."""
    try:
        return (yield from asking)
    except TaskError:
        if is_stopping():
            return None
        raise
