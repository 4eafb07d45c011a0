"""The creatures' task keeps the contract of every task, bit for bit."""

import subprocess
import sys

import numpy as np
import pytest

from atoll.evo import compiler
from atoll.evo.errors import ConfigError
from atoll.evo.tasks.creatures.task import CreatureOptions, Creatures
from atoll.evo.tasks.creatures.world import World

NATIVE = pytest.param("native", marks=pytest.mark.skipif(compiler.find() is None, reason="no C++ compiler"))


def task(controller="neural", courses=3, life_s=2.0, backend="reference"):
    return Creatures(CreatureOptions(courses=courses, life_s=life_s, controller=controller), backend=backend)


def genes_of(creatures, n, seed=0):
    return creatures.spec.sample(np.random.default_rng(seed), n)


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["reference", NATIVE])
@pytest.mark.parametrize("controller", ["neural", "oscillator"])
def test_a_batch_equals_its_members_wherever_they_sit(controller, backend):
    creatures = task(controller, backend=backend)
    genes = genes_of(creatures, 13)
    whole = creatures.evaluate(genes, 0)
    alone = np.concatenate([creatures.evaluate(genes[i : i + 1], 0) for i in range(len(genes))])
    chunks = np.concatenate([creatures.evaluate(part, 0) for part in (genes[:2], genes[2:9], genes[9:])])
    backwards = creatures.evaluate(genes[::-1], 0)[::-1]
    assert whole.tobytes() == alone.tobytes() == chunks.tobytes() == backwards.tobytes()


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["reference", NATIVE])
def test_another_creature_in_a_place_changes_that_score_only(backend):
    creatures = task(courses=2, backend=backend)
    genes, strangers = genes_of(creatures, 21), genes_of(creatures, 21, seed=1)
    before, differs = creatures.evaluate(genes, 0), 0
    for i in range(len(genes)):
        changed = genes.copy()
        changed[i] = strangers[i]
        after = creatures.evaluate(changed, 0)
        assert np.delete(after, i).tobytes() == np.delete(before, i).tobytes()
        differs += after[i] != before[i]
    assert differs > 15


@pytest.mark.parametrize("backend", ["reference", NATIVE])
def test_the_score_is_the_mean_over_courses_lived_alone(backend):
    creatures = task(courses=3, backend=backend)
    genes = genes_of(creatures, 5)
    together = creatures.simulate(genes)
    for course in range(3):
        alone = creatures.simulate(genes, pellets=creatures.pellets[course : course + 1])
        np.testing.assert_array_equal(alone.best_gap_m[:, 0], together.best_gap_m[:, course])


def test_evaluate_ignores_the_episode_and_leaves_genes_alone():
    creatures = task()
    genes = genes_of(creatures, 9)
    before = genes.copy()
    genes.setflags(write=False)
    assert creatures.evaluate(genes, 0).tobytes() == creatures.evaluate(genes, 7).tobytes()
    assert genes.tobytes() == before.tobytes()


@pytest.mark.parametrize("controller", ["neural", "oscillator"])
def test_fitness_is_finite_float32(controller):
    creatures = task(controller)
    fitness = creatures.evaluate(genes_of(creatures, 20), 0)
    assert fitness.dtype == np.float32
    assert fitness.shape == (20,)
    assert np.all(np.isfinite(fitness))


def test_nobody_scores_nothing(creatures):
    assert creatures.evaluate(genes_of(creatures, 0), 0).shape == (0,)


@pytest.mark.slow
def test_threads_do_not_change_the_score():
    options = CreatureOptions(courses=2, life_s=0.3)
    one, two, any_number = (Creatures(options, backend="reference", threads=n) for n in (1, 2, None))
    genes = genes_of(one, 300)
    scores = [each.evaluate(genes, 0).tobytes() for each in (one, two, any_number)]
    assert scores == scores[:1] * 3


def test_pytorch_keeps_its_threads_where_none_are_asked_for():
    torch = pytest.importorskip("torch")
    before = torch.get_num_threads()
    torch.set_num_threads(before + 1)
    try:
        creatures = Creatures(CreatureOptions(courses=1, life_s=0.1), backend="reference", threads=None)
        seen: list[int] = []
        creatures.simulate(genes_of(creatures, 2), observe=lambda _: lambda *_: seen.append(torch.get_num_threads()))
    finally:
        torch.set_num_threads(before)
    assert set(seen) == {before + 1}


def test_steps_per_genome_counts_courses_ticks_and_steps():
    assert task(courses=3, life_s=2.0).steps_per_genome == 3 * 20 * 6


def test_the_layout_exists_without_importing_pytorch():
    code = (
        "import sys\n"
        "from atoll.evo.tasks.creatures.task import Creatures\n"
        "from atoll.evo.tasks.creatures.task import CreatureOptions\n"
        "Creatures(CreatureOptions()).spec.size\n"
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("backend", ["reference", NATIVE])
def test_an_experiment_may_try_another_world_and_other_ranges(backend):
    options, world = CreatureOptions(courses=1, life_s=2.0), World(gravity_m_s2=1.6, density_kg_m3=40.0)
    here = Creatures(options, backend=backend)
    there = Creatures(options, backend=backend, world=world)
    other = Creatures(options, backend=backend, ranges={"amplitude": (0.0, 0.01)})
    genes = genes_of(here, 20)
    assert not np.array_equal(here.evaluate(genes, 0), there.evaluate(genes, 0))
    assert other.spec.size == here.spec.size
    assert genes_of(other, 20)[:, other.spec.slice_of("amplitude")].max() <= 0.01
    with pytest.raises(ConfigError, match="no segment is called length"):
        Creatures(options, backend=backend, ranges={"length": (0.0, 1.0)})


def test_an_unknown_backend_is_refused_with_the_known_ones():
    with pytest.raises(ConfigError, match=r"auto, native, reference, cuda; got 'gpu'"):
        Creatures(CreatureOptions(), backend="gpu")


def test_auto_names_the_backend_it_chose():
    assert Creatures(CreatureOptions()).backend == ("reference" if compiler.find() is None else "native")
    with pytest.raises(ConfigError, match="threads"):
        Creatures(CreatureOptions(), threads=0)


def test_a_large_population_is_lived_in_parts_between_which_a_signal_is_answered(monkeypatch):
    creatures = Creatures(CreatureOptions(courses=2, life_s=1.0))
    genes = creatures.spec.sample(np.random.default_rng(3), 9)
    whole = creatures.evaluate(genes, 0)
    sizes = []
    simulate = creatures.simulate
    monkeypatch.setattr("atoll.evo.tasks.creatures.task.LIVES_AT_ONCE", {creatures.backend: 8})
    monkeypatch.setattr(creatures, "simulate", lambda part: (sizes.append(len(part)), simulate(part))[1])
    assert creatures.evaluate(genes, 0).tobytes() == whole.tobytes()
    assert sizes == [4, 4, 1]


def test_defaults_are_eight_courses_of_thirty_seconds():
    assert CreatureOptions() == CreatureOptions(courses=8, life_s=30.0, controller="neural")
    assert CreatureOptions().ticks == 300


@pytest.mark.parametrize("life_s", [0.1, 0.3, 0.7, 29.9, 3600.0])
def test_a_life_is_a_whole_number_of_ticks(life_s):
    assert CreatureOptions(life_s=life_s).ticks == round(life_s * 10)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"courses": 0}, "-o courses must be at least 1, got 0"),
        ({"courses": 1001}, "got 1001"),
        ({"courses": True}, "-o courses must be a whole number, got True"),
        ({"life_s": 0.0}, "-o life_s must be at least 0.1, got 0.0"),
        ({"life_s": 0.25}, "-o life_s must be a multiple of 0.1 s, got 0.25"),
        ({"life_s": -1.0}, "got -1.0"),
        ({"life_s": float("nan")}, "got nan"),
        ({"life_s": float("inf")}, "got inf"),
        ({"controller": "brain"}, "-o controller must be one of neural, oscillator; got 'brain'"),
    ],
)
def test_a_bad_option_is_refused_with_what_was_expected(changed, message):
    with pytest.raises(ConfigError, match=message):
        CreatureOptions(**changed)
