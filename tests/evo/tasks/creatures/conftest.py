"""Creatures for the laws to be tried on."""

import numpy as np
import pytest
import torch

from atoll.evo.tasks.creatures.task import CreatureOptions, Creatures


@pytest.fixture(autouse=True, scope="session")
def one_thread():
    """Steps taken outside an evaluation use one thread too: more wait for each other on arrays this small."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def creatures(request):
    """A short task: two courses, three seconds; on the reference unless a test asks for another backend."""
    return Creatures(CreatureOptions(courses=2, life_s=3.0), backend=getattr(request, "param", "reference"))


@pytest.fixture
def genes(creatures):
    """Random genomes, [60, D]."""
    return creatures.spec.sample(np.random.default_rng(1), 60)


@pytest.fixture
def corners(creatures):
    """Genomes at the edge of what is allowed: all low, all high, and every gene at one of its bounds, [130, D]."""
    spec = creatures.spec
    pick = np.random.default_rng(2).random((130, spec.size)) < 0.5
    pick[0], pick[1] = False, True
    whole = pick.copy()
    for name in ("presence", "muscle", "stiffness_n_m"):  # half of them whole bodies with the stiffest muscles
        whole[:, spec.slice_of(name)] = True
    pick[2::2] = whole[2::2]
    return np.where(pick, spec.high, spec.low)
