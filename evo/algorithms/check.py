"""Contract checks of an algorithm: what `atoll.evo.algorithms.algorithm.Algorithm` promises, tried in a short life.

`python -m atoll.evo.algorithms.check WORK` lives it in a process of its own, from a checkpoint on standard input and
from the founders; its last line says what it came to.
"""

from __future__ import annotations

import hashlib
import json
import sys
import time
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from atoll.evo import checkpoint, generation, selection
from atoll.evo.algorithms.choice import algorithm_of
from atoll.evo.algorithms.user_algorithm import ROLE, checked_children, checked_memory, checked_pair, copied
from atoll.evo.checkpoint import Checkpoint
from atoll.evo.config import island_config
from atoll.evo.errors import TaskError, count
from atoll.evo.genome import GenomeSpec, Population
from atoll.evo.rng import streams
from atoll.evo.tasks.check import BROKEN, NOTE, OK, Finding, Verdict, broken_by, call, run_elsewhere
from atoll.evo.tasks.loader import load_task

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from atoll.evo.algorithms.algorithm import Algorithm
    from atoll.evo.config import IslandConfig
    from atoll.evo.generation import Memory, State
    from atoll.evo.genome import Floats
    from atoll.evo.tasks.task import Task

N = 24
MIDDLE = 4
END = 8
"""The generation at which immigrants come and from which a life is gone on, and its last."""
ORIGINS = ("stranger", "another")
WHOLE_LIVES = ("restart", "another process", "progress")
"""Checks of what breeds to the end, and the same again."""
REMEMBER = (
    "keep nothing in the object or the module that breed needs again: return it as memory; and rely on no global "
    "random state, hash(), order of a set, clock or process id"
)


class Outcome(NamedTuple):
    """Hashes of the last state of a life, gone on from a checkpoint, and lived from the founders."""

    resumed: str
    whole: str


@dataclass(frozen=True)
class Trial:
    """An algorithm, what it is tried on, and its first generations.

    Attributes:
        make: Makes the same algorithm again.
        founders: The state of generation 0, of which it has not been told.
        middle: The state of generation `MIDDLE`, as a checkpoint keeps it.
    """

    make: Callable[[], Algorithm]
    task: Task
    config: IslandConfig
    algorithm: Algorithm
    founders: State
    middle: State

    @property
    def visited(self) -> State:
        """The state of generation `MIDDLE` after immigrants came."""
        return with_immigrants(self.middle)

    @cached_property
    def straight(self) -> State:
        """The state of generation `END` of a life that is not cut."""
        return self.lived(self.algorithm, self.middle)

    def bred(self, state: State) -> tuple[Population, Memory]:
        """Return the children of a state, and what is remembered."""
        return breed(self.algorithm, state, self.task.spec, self.config)

    def lived(self, algorithm: Algorithm, state: State) -> State:
        """Return the last generation of a life that goes on from a state."""
        return lived(algorithm, state, self.task, self.config)


def check_algorithm(
    make: Callable[[], Algorithm], task: Task, config: IslandConfig, *, elsewhere: Callable[[bytes], Outcome]
) -> Iterator[Finding]:
    """Try an algorithm on a task and yield what is found.

    Args:
        make: Makes it anew.
        task: What it is tried on.
        config: Names it for `--algorithm`, and has its population and seed.
        elsewhere: Lives the same life in another process, gone on from a checkpoint and from the founders.
    """
    broken = partial(broken_by, name=config.algorithm, role=ROLE)
    try:
        trial, answer = first_trial(make, task, config)
    except TaskError as error:
        yield broken(error, "answer")
        return
    checks: dict[str, Callable[[Trial], Verdict]] = {
        "answer": lambda _: answer,
        "immigrants": immigrants,
        "corners": corners,
        "again": again,
        "input": unchanged,
        "memory": remembered,
        "restart": restart,
        "another process": partial(another_process, elsewhere=elsewhere),
        "progress": progress,
        "speed": speed,
    }
    is_cut = False
    for label, check in checks.items():
        if is_cut and label in WHOLE_LIVES:
            continue
        try:
            finding = Finding(label, *check(trial))
        except TaskError as error:
            finding = replace(broken(error, label), advice=REMEMBER if label in WHOLE_LIVES else "")
        is_cut |= label in {"immigrants", "again"} and finding.outcome == BROKEN
        yield finding


def config_of(name: str, task: str) -> IslandConfig:
    """Return the config of the island that an algorithm is tried on; ConfigError if there is none of that name."""
    return island_config("island-01", {"algorithm": name, "task": task, "population": N}, {})


def breed(algorithm: Algorithm, state: State, spec: GenomeSpec, config: IslandConfig) -> tuple[Population, Memory]:
    """Return the children of a state and what is remembered; TaskError if they are not what was promised."""
    randomness = streams(config.seed, config.island, state.generation)
    given = copied(state)  # what it does to them is another check's to find
    children, memory = checked_pair(algorithm.breed(given, given.memory, spec, streams=randomness), "breed")
    return checked_children(children, state, spec, "breed"), checked_memory(memory, "breed")


def lives(algorithm: Algorithm, state: State, task: Task, config: IslandConfig, *, until: int) -> Iterator[State]:
    """Yield the generations that follow a state, up to one; at `MIDDLE`, immigrants come before the next is bred."""
    while state.generation < until:
        state = with_immigrants(state) if state.generation == MIDDLE else state
        children, memory = breed(algorithm, state, task.spec, config)
        before = replace(state, memory=memory)
        state = generation.evaluate(task, children, generation=state.generation + 1, before=before)
        yield state


def lived(algorithm: Algorithm, state: State, task: Task, config: IslandConfig) -> State:
    """Return the last generation of a life that goes on from a state."""
    return [*lives(algorithm, state, task, config, until=END)][-1]


def founders_of(task: Task, config: IslandConfig) -> State:
    """Return the state of generation 0, as an island begins, before the algorithm was told of it."""
    randomness = streams(config.seed, config.island, 0)
    founders = generation.sample_founders(task.spec, config.population, island=config.island, streams=randomness)
    return generation.evaluate(task, founders, generation=0, before=None)


def started(algorithm: Algorithm, founders: State, spec: GenomeSpec) -> State:
    """Return the founders with what the algorithm remembers of them."""
    return replace(founders, memory=checked_memory(algorithm.start(copied(founders), spec), "start"))


def with_immigrants(state: State) -> State:
    """Let the better half be immigrants: the same genes and scores, which come from two other islands."""
    best = selection.best(state.fitness, len(state.fitness) // 2)
    here = state.population.take(best)
    origins = np.broadcast_to(np.arange(len(best))[:, None] % len(ORIGINS), here.genes.shape).astype(np.uint16)
    return generation.insert_immigrants(
        state, Population(here.genes, origins, ORIGINS), state.fitness[best], displaced=best
    )


def first_trial(make: Callable[[], Algorithm], task: Task, config: IslandConfig) -> tuple[Trial, Verdict]:
    """Live the first generations, and say what was bred; TaskError if they are not what was promised."""
    algorithm, founders = make(), founders_of(task, config)
    begun = started(algorithm, founders, task.spec)
    states = [*lives(algorithm, begun, task, config, until=MIDDLE)]
    trial = Trial(make, task, config, algorithm, founders, states[-1])
    sizes = sorted({len(state.population) for state in states})
    bred = f"{MIDDLE} generations of {' or '.join(map(str, sizes))} children within their bounds"
    if sizes == [config.population]:
        return trial, Verdict(OK, bred)
    return trial, Verdict(NOTE, f"{bred}, where -p is {config.population}: a generation costs as many evaluations")


def immigrants(trial: Trial) -> Verdict:
    """See whether the better half may come from other islands, and whose genes its children have then."""
    state = trial.visited
    _ = trial.straight  # a life with them, to its end
    children, _ = trial.bred(state)
    share = float(np.mean(children.ancestry != 0))
    if share > 0:
        return Verdict(OK, f"immigrants breed too: {share:.0%} of the genes of the next generation are theirs")
    return Verdict(
        NOTE,
        "where the better half are immigrants, no gene of the next generation counts as theirs",
        "return a Population with the ancestry of the parents, so that shares of islands mean something",
    )


def corners(trial: Trial) -> Verdict:
    """Breed from a population at its bounds, from one of clones, and from one in which all score alike."""
    spec, middle = trial.task.spec, trial.middle
    people = middle.population
    low_high = np.where(np.arange(people.genes.size).reshape(people.genes.shape) % 2, spec.low, spec.high)
    clones = np.broadcast_to(people.genes[:1], people.genes.shape)
    odd = [
        replace(middle, population=replace(people, genes=np.array(genes, dtype=np.float32, order="C")), fitness=fitness)
        for genes, fitness in (
            (low_high, middle.fitness),
            (clones, np.full_like(middle.fitness, middle.fitness[0])),
            (people.genes, np.full_like(middle.fitness, middle.fitness[0])),
        )
    ]
    for state in odd:
        trial.bred(state)
        founders = replace(state, generation=0, memory={})
        trial.bred(started(trial.make(), founders, spec))
    return Verdict(OK, "genes at their bounds, clones and equal scores breed too")


def again(trial: Trial) -> Verdict:
    """Breed the same state twice."""
    first, second = (as_bytes(trial, *trial.bred(trial.visited)) for _ in range(2))
    if first == second:
        return Verdict(OK, "the same state breeds the same again, byte for byte")
    return Verdict(
        BROKEN,
        "the same state bred something else the second time",
        "draw all random numbers from streams, as in rng = streams('steps'), and keep nothing from one call to the "
        "next: what breed returns as memory is handed to it again",
    )


def unchanged(trial: Trial) -> Verdict:
    """See whether its arguments are left as they were."""
    state, spec = copied(trial.visited), GenomeSpec(trial.task.spec.segments)
    before = digest(state), spec.low.tobytes(), spec.high.tobytes()
    own = getattr(trial.algorithm, "made", None)  # a user's, which is handed copies
    randomness = streams(trial.config.seed, trial.config.island, state.generation)
    call(partial((own or trial.algorithm).breed, streams=randomness), state, state.memory, spec)
    if (digest(state), spec.low.tobytes(), spec.high.tobytes()) == before:
        return Verdict(OK, "its arguments are left as they were")
    if own:
        return Verdict(NOTE, "breed changes what it is given; islands hand out copies, so that harms nobody")
    return Verdict(BROKEN, "breed changes what it is given", "copy arrays before changing them")


def remembered(trial: Trial) -> Verdict:
    """See whether its memory comes back from a checkpoint as it was."""
    memory = trial.middle.memory
    kept = through_file(trial.middle).memory
    shapes = {name: (array.dtype, array.shape, array.tobytes()) for name, array in memory.items()}
    if {name: (array.dtype, array.shape, array.tobytes()) for name, array in kept.items()} != shapes:
        return Verdict(BROKEN, "what it remembers is not what a checkpoint keeps of it", "remember plain arrays")
    if not memory:
        return Verdict(OK, "it remembers nothing but the population")
    n_bytes = sum(array.nbytes for array in memory.values())
    return Verdict(
        OK, f"{count(len(memory), 'array')} of {n_bytes:,} bytes in all ({', '.join(memory)}), kept by checkpoints"
    )


def restart(trial: Trial) -> Verdict:
    """Go on from a checkpoint with a new object, and hold that against a life that was not cut."""
    resumed = trial.lived(trial.make(), through_file(trial.middle))
    return _compared(
        trial.straight,
        digest(resumed),
        same="a life that goes on from a checkpoint is the one that was not cut, byte for byte",
        different="a life that goes on from a checkpoint is not the one that was not cut",
    )


def another_process(trial: Trial, *, elsewhere: Callable[[bytes], Outcome]) -> Verdict:
    """Live it in another process, from the checkpoint and from the founders."""
    told = elsewhere(checkpoint.encode(Checkpoint(trial.middle, {}, "")))
    same = "another process lives the same, from a checkpoint and from the founders, byte for byte"
    went_on = _compared(
        trial.straight, told.resumed, same=same, different="another process makes something else of a checkpoint"
    )
    if went_on.outcome != OK:
        return went_on
    algorithm = trial.make()
    whole = trial.lived(algorithm, started(algorithm, trial.founders, trial.task.spec))
    return _compared(whole, told.whole, same=same, different="another process makes something else of the founders")


def progress(trial: Trial) -> Verdict:
    """Say how far it came."""
    first, last = trial.founders.champion.fitness, trial.straight.champion.fitness
    if last > first:
        return Verdict(OK, f"{trial.task.name}: from {first:.4g} to {last:.4g} in {END} generations")
    return Verdict(NOTE, f"{trial.task.name}: nothing better than the best founder in {END} generations")


def speed(trial: Trial) -> Verdict:
    """Say how long breeding takes."""
    began_s = time.perf_counter()
    children, _ = trial.bred(trial.middle)
    took_ms = (time.perf_counter() - began_s) * 1000
    return Verdict(OK, f"{took_ms:.3g} ms to breed {len(children)} children of {trial.task.spec.size} genes")


def through_file(state: State) -> State:
    """Return what a checkpoint brings back of a state."""
    return checkpoint.decode(checkpoint.encode(Checkpoint(state, {}, ""))).state


def digest(state: State) -> str:
    """Return a hash of all of a state."""
    return hashlib.sha256(checkpoint.encode(Checkpoint(state, {}, ""))).hexdigest()


def as_bytes(trial: Trial, children: Population, memory: Memory) -> str:
    """Return a hash of children and memory."""
    fitness: Floats = np.zeros(len(children), dtype=np.float32)
    return digest(replace(trial.middle, population=children, fitness=fitness, memory=memory))


def _compared(expected: State, got: str, *, same: str, different: str) -> Verdict:
    if digest(expected) == got:
        return Verdict(OK, same)
    return Verdict(
        BROKEN,
        different,
        REMEMBER,
    )


def live_elsewhere(
    name: str, task: str, options: Mapping[str, str], kept: bytes, *, directory: Path | None = None
) -> Outcome:
    """Return what a process of its own makes of a checkpoint, and of the founders; TaskError if that fails.

    `directory` is where the names were typed: the algorithm may have changed the working directory of this process.
    """
    work = {"name": name, "task": task, "options": dict(options)}
    return Outcome(*run_elsewhere("atoll.evo.algorithms.check", work, given=kept, directory=directory))


def main(work: str, kept: bytes) -> None:
    """Live what `work` describes and print the hashes.

    The checkpoint comes first: what a module still holds of an earlier life is not there yet.
    """
    order: dict[str, Any] = json.loads(work)
    here = Path.cwd()  # what is loaded may change it
    config, task = config_of(order["name"], order["task"]), load_task(order["task"], order["options"])
    resumed = lived(algorithm_of(config, task.spec, directory=here), checkpoint.decode(kept).state, task, config)
    algorithm = algorithm_of(config, task.spec, directory=here)
    whole = lived(algorithm, started(algorithm, founders_of(task, config), task.spec), task, config)
    sys.stdout.write(f"\n{json.dumps([digest(resumed), digest(whole)])}\n")


if __name__ == "__main__":
    main(sys.argv[1], sys.stdin.buffer.read())
