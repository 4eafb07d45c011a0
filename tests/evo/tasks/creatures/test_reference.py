"""The laws of the creatures' world, tried on the evaluator that defines it; those of whole lives on every other too."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch

from atoll.evo import compiler
from atoll.evo.tasks.creatures import body, native, reference
from atoll.evo.tasks.creatures.fitness import Status, score
from atoll.evo.tasks.creatures.reference import Motion
from atoll.evo.tasks.creatures.world import FIRST, PAIRS, SECOND, SHORTEST_SQUARED, World

FLOATING = World(gravity_m_s2=0.0, drag_per_s=0.0)
NATIVE = pytest.param("native", marks=pytest.mark.skipif(compiler.find() is None, reason="no C++ compiler"))
on_every_backend = pytest.mark.parametrize("creatures", ["reference", NATIVE], indirect=True)


class Film:
    """Observes every step, and keeps it."""

    def __init__(self):
        self.position, self.velocity = [], []

    def __call__(self, _lanes):
        return self.add

    def add(self, motion, _hunt):
        self.position.append(motion.position_m.numpy().astype(np.float64))
        self.velocity.append(motion.velocity_m_s.numpy().astype(np.float64))


def relaxed(creatures, genes):
    """Genomes whose muscles never act."""
    still = genes.copy()
    still[:, creatures.spec.slice_of("amplitude")] = 0.0
    return still


def live(creatures, bodies, genes, *, ticks=30, world=None, observe=None):
    weights = np.ascontiguousarray(genes[:, -creatures.n_weights :].T)
    options = {"controller": creatures.controller, "ticks": ticks, "world": world}
    if creatures.backend == "native":
        return native.simulate(bodies, weights, creatures.pellets[:1], **options)
    return reference.simulate(bodies, weights, creatures.pellets[:1], observe=observe, **options)


def afloat(creatures, genes, seed=5):
    """Bodies far above the ground, thrown and turning: (bodies, lanes, motion)."""
    bodies = body.decode(genes, creatures.spec)
    alive = np.flatnonzero(bodies.viable)
    bodies, genes = bodies.take(alive), genes[alive]
    up = np.array([0, 50, 0], dtype=np.float32)[:, None, None]
    weights = np.ascontiguousarray(genes[:, -creatures.n_weights :].T)
    lanes = reference.lanes_of(bodies, weights, creatures.pellets, np.zeros(len(alive), dtype=np.int64))
    velocity = np.random.default_rng(seed).normal(size=bodies.position_m.shape).astype(np.float32)
    return bodies, lanes, moving(torch.from_numpy(bodies.position_m + up), torch.from_numpy(velocity))


def moving(position_m, velocity_m_s):
    return Motion(position_m, velocity_m_s, torch.zeros_like(position_m[0]))


def run(motion, lanes, world, seconds, *, target=None):
    """Advance with the muscles' wished lengths given as a function of the tick."""
    film = [motion]
    for tick in range(round(seconds * 10)):
        for _ in range(world.steps_per_tick):
            motion = reference.step(motion, lanes, lanes.rest_m if target is None else target(tick), world)
            film.append(motion)
    return film


def wriggle(lanes, seed=6):
    actions = np.random.default_rng(seed).uniform(-1, 1, size=(100, *lanes.rest_m.shape)).astype(np.float32)
    return lambda tick: lanes.rest_m + lanes.swing_m * torch.from_numpy(actions[tick])


def mass_kg(lanes):
    inverse = lanes.inverse_mass.numpy().astype(np.float64)
    return np.where(inverse > 0, 1 / np.where(inverse > 0, inverse, 1), 0)


def energy_j(position, velocity, bodies, lanes, world):
    """Kinetic, potential and elastic energy, [L]."""
    mass = mass_kg(lanes)
    length = np.linalg.norm(position[:, SECOND] - position[:, FIRST], axis=0)
    elastic = 0.5 * bodies.stiffness_n_m * (length - bodies.rest_m) ** 2
    kinetic = 0.5 * mass * (velocity**2).sum(axis=0)
    return kinetic.sum(axis=0) + elastic.sum(axis=0) + (mass * world.gravity_m_s2 * position[1]).sum(axis=0)


# stability


def swept(creatures, genomes, ticks):
    film = Film()
    bodies = body.decode(genomes, creatures.spec)
    summary = live(creatures, bodies, genomes, ticks=ticks, observe=film)
    alive = bodies.viable
    speed = np.linalg.norm(np.stack(film.velocity), axis=1)[..., alive]
    return summary.status[alive], float(speed.max())


@pytest.mark.parametrize("which", ["genes", "corners"])
def test_no_gene_within_its_bounds_makes_a_body_blow_up(creatures, which, request):
    status, top_m_s = swept(creatures, request.getfixturevalue(which), ticks=50)
    assert np.all(status == Status.LIVED)
    assert top_m_s < 100


def test_without_softening_the_same_bodies_do_blow_up(creatures, corners, monkeypatch):
    monkeypatch.setattr(body, "BODY_STEP_S", 0.0)
    status, _ = swept(creatures, corners, ticks=50)
    assert np.any(status == Status.FAILED)


@on_every_backend
@pytest.mark.slow
def test_thousands_of_bodies_are_stable_for_a_whole_life(creatures):
    spec = creatures.spec
    rng = np.random.default_rng(7)
    random = spec.sample(rng, 1500)
    edges = np.where(rng.random((1500, spec.size)) < 0.5, spec.high, spec.low)
    edges[:, spec.slice_of("presence")] = edges[:, spec.slice_of("muscle")] = 1.0
    bodies = body.decode(np.concatenate([random, edges]), spec)
    summary = live(creatures, bodies, np.concatenate([random, edges]), ticks=300)
    assert np.all(summary.status[bodies.viable] == Status.LIVED)
    assert np.all(np.isfinite(score(summary)))


# conservation


def test_relaxed_bodies_gain_no_energy(creatures, genes):
    genomes = relaxed(creatures, genes)
    bodies, lanes, motion = afloat(creatures, genomes)
    motion = moving(motion.position_m - torch.tensor([0.0, 49.5, 0.0])[:, None, None], motion.velocity_m_s)
    world = World()
    film = run(motion, lanes, world, 5.0)
    total = [energy_j(m.position_m.numpy(), m.velocity_m_s.numpy(), bodies, lanes, world) for m in film]
    scale = total[0] - np.min(total, axis=0)
    assert np.all(np.max(total, axis=0) <= total[0] + 0.05 * scale)
    assert np.all(total[-1] < 0.9 * total[0])


def test_momentum_is_conserved_out_of_contact(creatures, genes):
    _, lanes, motion = afloat(creatures, genes)
    film = run(motion, lanes, World(gravity_m_s2=0.0), 3.0, target=wriggle(lanes))
    mass = mass_kg(lanes)
    before, after = [(mass * m.velocity_m_s.numpy()).sum(axis=1) for m in (film[0], film[-1])]
    scale = (mass * np.abs(film[0].velocity_m_s.numpy())).sum(axis=(0, 1))
    assert np.max(np.abs(after - before) / scale) < 1e-5
    assert np.max(np.abs(film[-1].velocity_m_s.numpy() - film[0].velocity_m_s.numpy())) > 0.1


def test_angular_momentum_is_conserved_out_of_contact_without_drag(creatures, genes):
    _, lanes, motion = afloat(creatures, genes)
    film = run(motion, lanes, FLOATING, 3.0, target=wriggle(lanes))
    mass = mass_kg(lanes)

    def spin(m):
        offset = m.position_m.numpy().astype(np.float64) - [[[0.0]], [[50.0]], [[0.0]]]
        return (mass * np.cross(offset, m.velocity_m_s.numpy(), axis=0)).sum(axis=1)

    scale = np.abs(mass * np.linalg.norm(film[0].velocity_m_s.numpy(), axis=0)).sum(axis=0)
    assert np.max(np.abs(spin(film[-1]) - spin(film[0])) / scale) < 2e-4


def test_a_body_afloat_falls_as_every_body_falls(creatures, genes):
    _, lanes, motion = afloat(creatures, genes)
    world = World()
    film = run(motion, lanes, world, 1.0, target=wriggle(lanes))
    share = lanes.mass_share.numpy()
    fallen = [(m.velocity_m_s.numpy()[1] * share).sum(axis=0) for m in (film[0], film[-1])]
    np.testing.assert_allclose(fallen[1] - fallen[0], -world.gravity_m_s2, rtol=1e-4)


# a body that breaks


def test_a_body_that_breaks_is_itself_until_that_tick_and_lies_still_afterwards(creatures, genes):
    bodies = body.decode(genes, creatures.spec)
    whole, breaking = Film(), Film()
    live(creatures, bodies, genes, observe=whole)
    live(creatures, bodies, genes, observe=breaking, world=World(breaking_m_s=4.0))
    free_m, position_m, velocity = (np.stack(each) for each in (whole.position, breaking.position, breaking.velocity))
    speed = np.linalg.norm(velocity, axis=1).max(axis=1, where=bodies.reach_m > 0, initial=0.0)
    steps, per_tick = len(speed), World().steps_per_tick
    broken = 0
    for lane in np.flatnonzero(bodies.viable):
        apart = (position_m[..., lane] != free_m[..., lane]).any(axis=(1, 2))
        until = int(np.argmax(apart)) if apart.any() else steps
        assert until % per_tick == 0
        assert speed[: until - per_tick, lane].max(initial=0.0) <= 4.0
        if until < steps:
            assert np.ptp(position_m[until:, ::2, :, lane], axis=0).max() == 0.0
            broken += 1
    assert 3 < broken < bodies.viable.sum()


# symmetry


@on_every_backend
@pytest.mark.parametrize("axis", [0, 2])
def test_a_mirrored_creature_on_a_mirrored_course_lives_the_same_life(creatures, genes, axis):
    spec = creatures.spec
    mirrored = genes.copy()
    mirrored[:, spec.slice_of("position_m")].reshape(-1, 3, 8)[:, axis] *= -1
    weights = mirrored[:, spec.slice_of("hidden_weight")].reshape(len(genes), 9, 8)
    weights[:, {0: [0, 3], 2: [1, 5]}[axis]] *= -1  # direction and velocity along the axis
    flip = np.array([-1, 1] if axis == 0 else [1, -1], dtype=np.float32)
    here = creatures.simulate(genes)
    there = creatures.simulate(mirrored, pellets=creatures.pellets * flip)
    for name in vars(here):
        np.testing.assert_array_equal(getattr(there, name), getattr(here, name))
    assert np.unique(here.best_gap_m).size > 40


# one arithmetic


@on_every_backend
def test_neither_the_size_of_a_batch_nor_of_its_chunks_changes_a_bit(creatures, genes, monkeypatch):
    whole = creatures.evaluate(genes[:24], 0)
    for chunk, n in ((1, 2), (7, 9), (33, 24)):
        monkeypatch.setattr(reference, "CHUNK_LANES", chunk)
        assert creatures.evaluate(genes[:n], 0).tobytes() == whole[:n].tobytes()


def test_roots_and_quotients_are_correctly_rounded_at_every_place():
    rng = np.random.default_rng(8)
    for n in (1, 5, 17, 31, 1_000_003):
        x, y = (np.exp(rng.uniform(-40, 40, n)).astype(np.float32) for _ in range(2))
        exact = np.sqrt(x.astype(np.float64)).astype(np.float32)
        assert reference._sqrt(torch.from_numpy(x)).numpy().tobytes() == exact.tobytes()
        assert (torch.from_numpy(x) / torch.from_numpy(y)).numpy().tobytes() == (x / y).tobytes()
        assert (1.0 / torch.from_numpy(x)).numpy().tobytes() == (np.float32(1) / x).tobytes()


@pytest.mark.slow
def test_every_mantissa_has_its_correctly_rounded_root():
    x = (np.arange(2**24, dtype=np.uint32) + np.uint32(0x3F800000)).view(np.float32)  # all of [1, 4)
    exact = np.sqrt(x.astype(np.float64)).astype(np.float32)
    assert np.array_equal(reference._sqrt(torch.from_numpy(x)).numpy(), exact)


def test_a_node_adds_its_muscles_in_the_order_of_a_loop_over_the_pairs(creatures, genes):
    """The loop that a kernel for one creature would have: it must give the same bits."""
    _, lanes, motion = afloat(creatures, genes)
    target = (lanes.rest_m + lanes.swing_m).numpy()
    position, velocity = motion.position_m.numpy(), motion.velocity_m_s.numpy()
    total = np.zeros_like(position)
    for m, (i, j) in enumerate(PAIRS):
        d, rate = position[:, j] - position[:, i], velocity[:, j] - velocity[:, i]
        length = np.sqrt((d[0] * d[0] + d[1] * d[1]) + d[2] * d[2] + np.float32(SHORTEST_SQUARED))
        inverse = 1 / length
        along = (d[0] * rate[0] + d[1] * rate[1]) + d[2] * rate[2]
        spring = lanes.stiffness_n_m.numpy()[m] * (length - target[m])
        force = d * ((spring + lanes.damping_n_s_m.numpy()[m] * (along * inverse)) * inverse)
        total[:, i] += force
        total[:, j] -= force
    np.testing.assert_array_equal(reference.pull(motion, lanes, torch.from_numpy(target)).numpy(), total)


# convergence


def test_a_smaller_step_shows_the_same_body_more_exactly(creatures, genes):
    _, lanes, motion = afloat(creatures, genes[:20])
    target = wriggle(lanes)
    steps = (6, 12, 24, 96)
    ends = [run(motion, lanes, replace(FLOATING, steps_per_tick=n), 0.5, target=target)[-1] for n in steps]
    errors = [float((end.position_m - ends[-1].position_m).abs().median()) for end in ends[:-1]]
    ratios = [coarse / fine for coarse, fine in pairwise(errors)]
    assert errors[0] < 0.05
    assert all(1.6 < ratio < 2.8 for ratio in ratios), ratios  # first order halves the error


# muscles


def test_a_muscle_pulls_both_ends_alike_and_only_along_itself(creatures, genes):
    bodies, lanes, motion = afloat(creatures, genes)
    pulls = reference.pull(motion, lanes, lanes.rest_m + lanes.swing_m).numpy()
    np.testing.assert_allclose(pulls.sum(axis=1), 0, atol=1e-3)
    one = np.zeros_like(bodies.stiffness_n_m)
    one[0] = 100.0
    alone = replace(lanes, stiffness_n_m=torch.from_numpy(one), damping_n_s_m=torch.zeros(one.shape))
    pulled = reference.pull(motion, alone, lanes.rest_m * 0.5).numpy()
    along = (motion.position_m[:, 1] - motion.position_m[:, 0]).numpy()
    np.testing.assert_allclose(np.cross(pulled[:, 0], along, axis=0), 0, atol=1e-3)
    assert np.all((pulled[:, 0] * along).sum(axis=0) > 0)
    assert not np.any(pulled[:, 2:])


@on_every_backend
def test_muscles_and_nodes_that_are_not_there_change_nothing(creatures, genes):
    spec = creatures.spec
    bodies = body.decode(genes, spec)
    absent_node, absent_muscle = (bodies.reach_m < 0).T, (bodies.stiffness_n_m == 0).T
    assert absent_node.any()
    assert absent_muscle.any()
    changed, other = genes.copy(), spec.sample(np.random.default_rng(9), len(genes))

    def replace_genes(name, mask):
        part = spec.slice_of(name)
        changed[:, part] = np.where(mask, other[:, part], genes[:, part])

    for name in ("radius_m", "friction"):
        replace_genes(name, absent_node)
    replace_genes("position_m", np.tile(absent_node, 3))
    for name in ("rest", "stiffness_n_m", "damping", "amplitude", "output_bias"):
        replace_genes(name, absent_muscle)
    replace_genes("output_weight", np.tile(absent_muscle, 8))
    assert not np.array_equal(changed, genes)
    assert creatures.evaluate(changed, 0).tobytes() == creatures.evaluate(genes, 0).tobytes()


# the hunt


@on_every_backend
def test_a_failed_simulation_is_data(creatures, genes):
    bodies = body.decode(genes, creatures.spec)
    for wrong in (np.float32(np.nan), np.float32(2e4), np.float32(np.inf)):
        position = bodies.position_m.copy()
        position[0, :, 3] = wrong
        summary = live(creatures, replace(bodies, position_m=position), genes, ticks=5)
        healthy = live(creatures, bodies, genes, ticks=5)
        assert summary.status[3, 0] == (Status.FAILED if bodies.viable[3] else Status.UNVIABLE)
        assert np.all(np.isfinite(score(summary)))
        rest = np.arange(len(genes)) != 3
        assert score(summary)[rest].tobytes() == score(healthy)[rest].tobytes()


@on_every_backend
def test_unviable_bodies_are_data(creatures, genes):
    gone = genes.copy()
    gone[:, creatures.spec.slice_of("presence")] = 0.0
    summary = creatures.simulate(gone)
    assert np.all(summary.status == Status.UNVIABLE)


@on_every_backend
def test_pellets_are_taken_one_by_one_and_the_last_never(creatures, genes):
    still = relaxed(creatures, genes)
    bodies = body.decode(still, creatures.spec)
    for i in np.flatnonzero(bodies.viable)[:5]:
        lowest = np.argmin(bodies.position_m[1, :, i] - bodies.reach_m[:, i])
        here, away = bodies.position_m[[0, 2], lowest, i], np.array([50.0, 0.0])
        for pellets, taken in (([here], 0), ([here, here, away], 2), ([away, here], 0)):
            summary = creatures.simulate(still[i : i + 1], pellets=np.array([pellets], dtype=np.float32))
            assert summary.collected[0, 0] == taken


def test_gaps_run_from_edge_to_edge(creatures, genes):
    bodies, lanes, _ = afloat(creatures, genes)
    motion = moving(torch.from_numpy(bodies.position_m), torch.zeros(bodies.position_m.shape))
    gap = reference._gap(motion, lanes, torch.zeros_like(lanes.first_pellet)).numpy()
    x, z = creatures.pellets[0, 0]
    pellet = np.array([x, 0.25, z])[:, None, None]
    edge = np.linalg.norm(bodies.position_m - pellet, axis=0) - bodies.radius_m
    expected = np.where(bodies.reach_m > 0, edge, np.inf).min(axis=0) - 0.25
    np.testing.assert_allclose(gap, expected, rtol=1e-5)
