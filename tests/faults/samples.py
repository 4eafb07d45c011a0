"""Small states and problems for the tests of faults."""

from __future__ import annotations

import numpy as np

from atoll.evo.checkpoint import Checkpoint
from atoll.evo.generation import Champion, Counts, State
from atoll.evo.genome import Population
from atoll.evo.tasks.loader import load_task
from atoll.evo.tasks.task import task_identity

SEED = 1
SPHERE = load_task("sphere", {})
TASK, SPEC = task_identity(SPHERE), SPHERE.spec


def checkpoint_of(generation: int) -> Checkpoint:
    """Return a checkpoint drawn from its generation alone."""
    rng = np.random.default_rng(generation)
    genes = SPEC.sample(rng, 4)
    population = Population(genes, np.zeros(genes.shape, np.uint16), ("a",))
    fitness = rng.standard_normal(4).astype(np.float32)
    champion = Champion(population.take(np.asarray([0])), float(fitness[0]), generation)
    return Checkpoint(State(generation, population, fitness, champion, Counts()), {"seed": SEED}, "test")
