"""Hypothesis strategies: any genome layout, any population, any evaluated generation."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from atoll.evo.config import Breeding
from atoll.evo.generation import Champion, Counts, State
from atoll.evo.genome import GenomeSpec, Kind, Population, Segment

seeds = st.integers(0, 2**32 - 1)
breedings = st.builds(
    Breeding,
    selection=st.sampled_from(["tournament", "truncation", "rank"]),
    tournament_size=st.integers(1, 4),
    truncation_share=st.floats(0, 1),
    rank_pressure=st.floats(1, 2),
    elite_share=st.sampled_from([0.0, 0.02, 0.4, 1.0]),
    crossover=st.sampled_from(["uniform", "blend", "sbx", "none"]),
    crossover_rate=st.sampled_from([0.0, 0.5, 1.0]),
    blend_alpha=st.sampled_from([0.0, 0.5, 3.0]),
    sbx_eta=st.sampled_from([0.0, 2.0, 15.0]),
    mutation_rate=st.sampled_from([0.0, 0.05, 0.5, 1.0]),
    mutation_scale=st.sampled_from([0.0, 0.15, 5.0]),
)


@st.composite
def segments(draw: st.DrawFn, name: str) -> Segment:
    kind = draw(st.sampled_from(list(Kind)))
    size = draw(st.integers(1, 6))
    scale = draw(st.sampled_from([0.0, 0.5, 1.0, 10.0]))
    if kind is Kind.GATE:
        return Segment(name, size, kind=kind, scale=scale)
    if kind is Kind.INTEGER:
        low = draw(st.integers(-1000, 1000))
        return Segment(name, size, low, low + draw(st.integers(1, 1000)), kind, scale)
    low = draw(st.floats(-1e6, 1e6, width=32))
    width = draw(st.floats(0.25, 1e6, width=32))
    return Segment(name, size, low, low + width, kind, scale)


@st.composite
def specs(draw: st.DrawFn) -> GenomeSpec:
    n = draw(st.integers(1, 4))
    return GenomeSpec(tuple(draw(segments(f"s{i}")) for i in range(n)))


def painted(spec: GenomeSpec, n: int, *, seed: int, islands: tuple[str, ...] = ("a", "b", "c")) -> Population:
    """Return random genomes whose genes descend from random islands, [n, D]."""
    rng = np.random.default_rng(seed)
    painted = rng.integers(len(islands), size=(n, spec.size)).astype(np.uint16)
    return Population(spec.sample(rng, n), painted, islands)


def fitnesses(low: int = 2, high: int = 40) -> st.SearchStrategy[np.ndarray]:
    """Return finite scores [P], ties likely."""
    few = st.sampled_from([-3.0, -1.5, 0.0, 0.25, 7.0, 1e30])
    any_ = st.floats(allow_nan=False, allow_infinity=False, width=32)
    return st.integers(low, high).flatmap(lambda n: hnp.arrays(np.float32, n, elements=few | any_))


def evaluated(spec: GenomeSpec, n: int, *, seed: int, generation: int = 4) -> State:
    """Return a generation with random genes, ancestry and scores."""
    population = painted(spec, n, seed=seed)
    fitness = np.random.default_rng(seed + 1).normal(size=n).astype(np.float32)
    top = np.asarray([int(np.argmax(fitness))])
    champion = Champion(population.take(top), float(fitness[top[0]]), generation)
    return State(generation, population, fitness, champion, Counts(evaluations=n, exports=2, imports=3, refused=1))
