"""The native kernel lives the reference's lives, bit for bit, at every width; without a compiler nobody is stopped."""

import ctypes
import subprocess
import sys
from dataclasses import fields, replace

import numpy as np
import pytest
import torch

from atoll.evo import compiler
from atoll.evo.errors import ConfigError
from atoll.evo.tasks.creatures import body, native, reference
from atoll.evo.tasks.creatures.fitness import Status, Summary
from atoll.evo.tasks.creatures.task import CreatureOptions, Creatures
from atoll.evo.tasks.creatures.world import FIRST_UNSEEN, World, lay_courses

pytestmark = pytest.mark.skipif(compiler.find() is None, reason="no C++ compiler")
WIDTHS = pytest.mark.parametrize("target", native.targets_here(), ids=lambda target: f"{target.lanes}-lanes")
CONTROLLERS = pytest.mark.parametrize("controller", ["neural", "oscillator"])


def task(controller="neural", *, courses=1, life_s=3.0):
    return Creatures(CreatureOptions(courses=courses, life_s=life_s, controller=controller), backend="native")


def both(creatures, genes, *, target=None, **options):
    """Return the lives by the reference and by the native kernel."""
    bodies = options.pop("bodies", None) or body.decode(genes, creatures.spec)
    weights = np.ascontiguousarray(genes[:, -creatures.n_weights :].T)
    options = {"controller": creatures.controller, "ticks": creatures.options["life_s"] * 10, **options}
    options["ticks"] = round(options["ticks"])
    pellets = options.pop("pellets", creatures.pellets)
    law = reference.simulate(bodies, weights, pellets, **options)
    return law, native.simulate(bodies, weights, pellets, kernel=native.load(target), **options)


def assert_same_bits(law, found):
    """Compare every number of every life that has a meaning: failed and unviable lives have only a status."""
    assert found.status.tobytes() == law.status.tobytes()
    is_lived = law.status == Status.LIVED
    for field in fields(Summary):
        one, other = getattr(law, field.name), getattr(found, field.name)
        assert (other.dtype, other.shape) == (one.dtype, one.shape)
        assert other[is_lived].tobytes() == one[is_lived].tobytes(), field.name


def evolved(creatures, n, generations=60):
    """Genomes that selection has made move: they lead lives that a random one never leads."""
    rng = np.random.default_rng(11)
    genes = creatures.spec.sample(rng, n)
    for _ in range(generations):
        best = genes[np.argsort(-creatures.evaluate(genes, 0))[: n // 8]]
        mothers, fathers = best[rng.integers(0, len(best), (2, n))]
        children = np.where(rng.random(genes.shape) < 0.5, mothers, fathers)
        children = np.where(rng.random(genes.shape) < 0.01, creatures.spec.sample(rng, n), children)
        genes = np.concatenate([best[:4], children[4:]]).astype(np.float32)
    return genes


# one arithmetic


@CONTROLLERS
@WIDTHS
def test_random_lives_are_the_reference_s_at_every_width(controller, target):
    creatures = task(controller, courses=3)
    for n in (1, 2, 15, 37):
        genes = creatures.spec.sample(np.random.default_rng(n), n)
        assert_same_bits(*both(creatures, genes, target=target))


@pytest.mark.parametrize("which", ["genes", "corners"])
@WIDTHS
def test_lives_at_the_corners_of_the_gene_range_are_the_reference_s(creatures, which, target, request):
    assert_same_bits(*both(creatures, request.getfixturevalue(which), target=target))


@pytest.mark.slow
@CONTROLLERS
@WIDTHS
def test_a_thousand_random_whole_lives_are_the_reference_s(controller, target):
    creatures = task(controller, life_s=30.0)
    genes = creatures.spec.sample(np.random.default_rng(12), 1003)
    assert_same_bits(*both(creatures, genes, target=target, world=creatures.world))


@pytest.mark.slow
@CONTROLLERS
@WIDTHS
def test_evolved_whole_lives_are_the_reference_s(controller, target):
    """They run, slide, bounce and take pellets, on courses they know and on ones they do not."""
    creatures = task(controller, courses=1, life_s=30.0)
    genes = evolved(creatures, 160)[:101]
    pellets = np.concatenate([creatures.pellets, lay_courses(range(FIRST_UNSEEN, FIRST_UNSEEN + 2), 32)])
    law, found = both(creatures, genes, target=target, pellets=pellets)
    assert law.collected.max() >= 2
    assert_same_bits(law, found)


def test_lives_in_other_worlds_are_the_reference_s(creatures, genes):
    for world in (
        World(gravity_m_s2=1.6, drag_per_s=0.0, restitution=0.9, bounce_m_s=0.01, sliding_share=0.1),
        World(steps_per_tick=1),
        World(steps_per_tick=24),
        World(breaking_m_s=4.0),
    ):
        assert_same_bits(*both(creatures, genes, world=world))


def test_pellets_under_a_creature_are_taken_alike(creatures, genes):
    bodies = body.decode(genes, creatures.spec)
    here = bodies.position_m[[0, 2], 0, :1].T
    pellets = np.concatenate([here + np.float32(step) for step in (0.0, 0.1, 0.2, 1.0, 9.0)])[None]
    law, found = both(creatures, genes, pellets=pellets)
    assert len(np.unique(law.collected)) > 2
    assert_same_bits(law, found)


def test_a_failed_life_has_the_same_status_and_no_neighbour_notices(creatures, genes):
    bodies = body.decode(genes, creatures.spec)
    position = bodies.position_m.copy()
    for victim, wrong in ((3, np.nan), (4, 2e4), (5, np.inf), (6, -2e4)):
        position[:, :, victim] = np.float32(wrong)
    law, found = both(creatures, genes, bodies=replace(bodies, position_m=position))
    assert np.sum(law.status == Status.FAILED) >= 2
    assert_same_bits(law, found)


@CONTROLLERS
@WIDTHS
def test_blown_up_lives_have_the_same_status_and_no_neighbour_notices(controller, target, genes):
    """Muscles far too stiff tear some bodies to infinity, and leave others alive beside them."""
    creatures = task(controller, courses=2)
    genes = creatures.spec.sample(np.random.default_rng(14), 61)
    bodies = body.decode(genes, creatures.spec)
    times = np.resize(np.float32([1, 30, 1, 1e3, 1e6, 1e12, np.nan]), len(genes))
    blown = replace(bodies, stiffness_n_m=bodies.stiffness_n_m * times)
    law, found = both(creatures, genes, target=target, bodies=blown)
    assert min(np.sum(law.status == status) for status in (Status.FAILED, Status.LIVED)) > 10
    assert_same_bits(law, found)


@CONTROLLERS
@WIDTHS
def test_bodies_that_break_are_the_reference_s(controller, target):
    creatures = task(controller, courses=3)
    genes = creatures.spec.sample(np.random.default_rng(15), 37)
    for breaking_m_s in (2.0, 5.0, 8.0):  # all, many and few of them
        assert_same_bits(*both(creatures, genes, target=target, world=World(breaking_m_s=breaking_m_s)))


@WIDTHS
@pytest.mark.parametrize("breaking_m_s", [0.0, 5.0])
def test_what_is_absent_has_no_share_in_anything(creatures, genes, target, breaking_m_s):
    """Whatever the numbers of absent nodes and muscles are, the lives are those of the reference, and the same."""
    bodies = body.decode(genes, creatures.spec)
    is_node, is_muscle = bodies.inverse_mass > 0, bodies.stiffness_n_m > 0
    rng = np.random.default_rng(16)

    def instead(numbers, is_there):
        return np.where(is_there, numbers, rng.uniform(0.1, 9e4, numbers.shape).astype(np.float32))

    other = replace(
        bodies,
        **{name: instead(getattr(bodies, name), is_node) for name in ("position_m", "radius_m", "friction")},
        **{name: instead(getattr(bodies, name), is_muscle) for name in ("rest_m", "swing_m")},
    )
    world = World(breaking_m_s=breaking_m_s)
    law, found = both(creatures, genes, target=target, bodies=other, world=world)
    assert_same_bits(law, found)
    assert_same_bits(reference_lives(creatures, genes, bodies, world), law)


def reference_lives(creatures, genes, bodies, world):
    return both(creatures, genes, bodies=bodies, world=world)[0]


def test_lives_do_not_depend_on_who_lives_beside_them(creatures, genes):
    whole = native_lives(creatures, genes)
    for seed in range(4):
        chosen = np.random.default_rng(seed).permutation(len(genes))[: 60 - 11 * seed]
        picked = Summary(**{field.name: getattr(whole, field.name)[chosen] for field in fields(Summary)})
        assert_same_bits(picked, native_lives(creatures, genes[chosen]))


def test_equal_bodies_are_neighbours_in_the_order_of_lives(creatures, genes):
    bodies = body.decode(np.concatenate([genes, genes[::-1]]), creatures.spec)
    order = native.alike(bodies)
    assert sorted(order) == list(range(len(order)))
    kinds = np.concatenate([bodies.inverse_mass > 0, bodies.stiffness_n_m > 0])[:, order]
    changes = (kinds[:, 1:] != kinds[:, :-1]).any(axis=0).sum()
    assert 1 + changes == len(np.unique(kinds, axis=1).T) <= len(genes)


def test_subnormal_numbers_are_kept_whatever_another_library_chose(creatures, genes):
    bodies = body.decode(genes, creatures.spec)
    faint = replace(bodies, swing_m=bodies.swing_m * np.float32(1e-38), stiffness_n_m=bodies.stiffness_n_m * 0)
    law, _ = both(creatures, genes, bodies=faint)
    assert torch.set_flush_denormal(True)
    try:
        _, found = both(creatures, genes, bodies=faint)
        assert np.float32(1e-39) * np.float32(0.5) == 0, "the caller's mode is the caller's again"
    finally:
        torch.set_flush_denormal(False)
    assert_same_bits(law, found)


def test_a_life_may_be_observed_and_is_the_same(creatures, genes):
    steps = []
    creatures = task(courses=2)
    watched = creatures.simulate(genes, observe=lambda _lanes: lambda _motion, _hunt: steps.append(1))
    assert len(steps) == 30 * 6
    assert_same_bits(watched, creatures.simulate(genes))


def test_nobody_lives_nothing(creatures):
    assert native_lives(creatures, creatures.spec.sample(np.random.default_rng(0), 0)).collected.shape == (0, 2)


def native_lives(creatures, genes):
    return both(creatures, genes)[1]


def test_weights_of_another_controller_are_refused(creatures, genes):
    with pytest.raises(ValueError, match=r"weights: expected \[280, P\], got \(333, 60\)"):
        both(creatures, genes, controller=task("oscillator").controller)


# choosing


def test_the_widest_vectors_of_the_machine_are_used(monkeypatch, tmp_path):
    listed = tmp_path / "cpuinfo"
    monkeypatch.setattr(native, "CPU_INFO", listed)
    for flags, lanes in (("fpu avx2 avx512f avx512bw avx512dq avx512vl", 16), ("avx2 avx512f", 8), ("sse2", 4)):
        listed.write_text(f"processor\t: 0\nflags\t\t: {flags}\n")
        assert native.targets_here()[0].lanes == lanes
    listed.unlink()
    assert native.targets_here()[0].lanes == 4


def test_every_width_is_another_library():
    kernels = [native.load(target) for target in native.targets_here()]
    assert len({kernel.sha256 for kernel in kernels}) == len(kernels) > 0


def test_auto_takes_the_native_backend_and_tells_its_build():
    creatures = Creatures(CreatureOptions())
    assert creatures.backend == "native"
    assert native.load().sha256 in creatures.build


def test_the_native_backend_needs_no_pytorch():
    code = (
        "import sys, numpy as np\n"
        "from atoll.evo.tasks.loader import load_task\n"
        "task = load_task('creatures', {'courses': '1', 'life_s': '0.1'}, backend='native')\n"
        "task.evaluate(task.spec.sample(np.random.default_rng(0), 3), 0)\n"
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_without_a_compiler_auto_falls_back_and_says_what_to_install(monkeypatch):
    monkeypatch.setattr(compiler, "find", lambda: None)
    native.load.cache_clear()
    creatures = Creatures(CreatureOptions())
    assert creatures.backend == "reference"
    assert "apt install g++" in creatures.build
    with pytest.raises(ConfigError, match="--backend native: no C\\+\\+ compiler found; install one of g\\+\\+"):
        Creatures(CreatureOptions(), backend="native")


def test_a_library_that_is_no_kernel_is_fallen_back_from_too(monkeypatch):
    monkeypatch.setattr(compiler, "load", lambda *_: compiler.Library(ctypes.CDLL(None), "0"))
    native.load.cache_clear()
    creatures = Creatures(CreatureOptions())
    native.load.cache_clear()
    assert creatures.backend == "reference"
    assert "has no function 'live'" in creatures.build
