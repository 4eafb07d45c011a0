"""Whole lives of an island without files: what outlives a process stands on a `Disk`, and a kill can come anywhere."""

import itertools
from dataclasses import dataclass

import numpy as np
from hypothesis import strategies as st

from atoll.evo import checkpoint, selection
from atoll.evo.checkpoint import Checkpoint
from atoll.evo.config import island_config
from atoll.evo.genome import Migrants, Population
from atoll.evo.island import evolve
from tests.problems import MIXED, Weather


class KilledError(Exception):
    """The process ends here."""


def never():
    """Hear no signal."""
    return False


@dataclass
class Disk:
    """What outlives a process, and the order in which it got there.

    Attributes:
        effects: What was done, in order.
        checkpoint: The newest one, as bytes.
        log: Generation -> what its line says; a later line replaces an earlier one.
        offered: Generation -> the bytes on offer; the first stays.
        inbox: Generation -> the immigrants.
        settled: Generation -> what became of them.
        kill_at: The effect before which the process dies, if any.
    """

    effects: list
    checkpoint: bytes | None
    champion: bytes | None
    log: dict
    offered: dict
    inbox: dict
    settled: dict
    kill_at: int = -1

    def note(self, *effect):
        if len(self.effects) == self.kill_at:
            raise KilledError
        self.effects.append(effect)


def disk():
    return Disk([], None, None, {}, {}, {}, {})


class Memory:
    """A recorder and an exchange that write to a `Disk`."""

    def __init__(self, on, *, k=2, spec=MIXED):
        self._disk, self._k, self._spec = on, k, spec

    def checkpoint(self, state):
        self._disk.note("checkpoint", state.generation)
        self._disk.checkpoint = checkpoint.encode(Checkpoint(state, {}, "test"))

    def champion(self, state):
        self._disk.note("champion", state.generation)
        self._disk.champion = frozen(state.champion.individual.genes), state.champion.fitness, state.champion.generation

    def log(self, state, *, evaluate_s):
        assert evaluate_s >= 0
        self._disk.note("log", state.generation)
        self._disk.log[state.generation] = fingerprint(state)

    def emigrants(self, genes, fitness, *, streams):  # noqa: ARG002 - the best leave
        self._disk.note("emigrants", frozen(fitness))
        return selection.best(fitness, self._k)

    def publish(self, generation, emigrants):
        self._disk.note("publish", generation)
        batch = emigrants.ids, frozen(emigrants.population.genes), frozen(emigrants.fitness)
        assert self._disk.offered.setdefault(generation, batch) == batch, "a generation was offered with other genomes"
        return len(emigrants)

    def is_ready(self, generation, *, streams):  # noqa: ARG002 - nobody is waited for
        self._disk.note("ready", generation)
        return True

    def collect(self, generation, *, residents, streams):
        self._disk.note("collect", generation)
        assert residents.islands[0] in {"island-01", "island-02"}
        self._disk.inbox.setdefault(generation, self._newcomers(generation, streams))
        return self._disk.inbox[generation]

    def displaced(self, genes, fitness, immigrants, scores, *, streams):  # noqa: ARG002
        return selection.worst(fitness, len(scores))

    def record_outcome(self, generation, arrivals, fitness, displaced, *, best):  # noqa: ARG002 - in the log too
        self._disk.note("settle", generation)
        assert len(arrivals.migrants) == len(fitness) == len(displaced)
        fate = frozen(fitness), frozen(displaced)
        assert self._disk.settled.setdefault(generation, fate) == fate

    def heartbeat(self, generation):
        self._disk.note("beat", generation)

    def _newcomers(self, generation, streams):
        n = generation // 2 % 3
        genes = self._spec.sample(streams("import"), n)
        painted = np.full(genes.shape, generation % 2, dtype=np.uint16)
        population = Population(genes, painted, ("far", f"peer-{generation % 4}"))
        return Parcel(Migrants(population, np.zeros(n, np.float32), tuple(map(str, range(n)))), refused=generation % 2)


@dataclass(frozen=True)
class Parcel:
    migrants: Migrants
    refused: int


def frozen(array):
    return array.dtype.str, array.shape, array.tobytes()


def fingerprint(state):
    """Return all of a state as bytes."""
    return checkpoint.encode(Checkpoint(state, {}, ""))


def configured(island="island-01", **values):
    small = {"population": 7, "generations": 13, "migrants": 2, "migrate_every": 4, "checkpoint_every": 3}
    breeding = {} if "algorithm" in values else {"tournament_size": 3, "mutation_rate": 0.2}
    return island_config(island, {**small, **breeding, **values}, {})


def live(config, on=None, *, task=None, is_stopping=never, is_alone=False):
    """Run a process of an island until it stops; go on from the checkpoint on the disk."""
    on = disk() if on is None else on
    resumed = checkpoint.decode(on.checkpoint).state if on.checkpoint else None
    task = Weather() if task is None else task
    memory = Memory(on, spec=task.spec)
    state = evolve(
        config,
        task,
        exchange=None if is_alone else memory,
        recorder=memory,
        resumed=resumed,
        is_stopping=is_stopping,
        clock=itertools.count().__next__,
    )
    return state, on


def stopping_after(n):
    """Return a signal that comes during the n-th generation of a process."""
    left = iter([False] * (n - 1))
    return lambda: next(left, True)


def outcome(on):
    """Return what outlives a run, whatever the number of its processes."""
    taken_in = {generation: frozen(parcel.migrants.population.genes) for generation, parcel in on.inbox.items()}
    return on.log, on.offered, taken_in, on.settled, on.champion


def live_through_kills(config, data):
    """Run an island that is killed up to three times, before effects that `data` draws; return its end and its disk."""
    on = disk()
    for _ in range(data.draw(st.integers(1, 3))):
        on.effects.clear()
        on.kill_at = data.draw(st.integers(0, 90))
        try:
            live(config, on)
        except KilledError:
            continue
        break
    on.kill_at = -1
    return live(config, on)
