"""Whoever is to be champion of a noisy task is scored again first, in fresh episodes, and leaves before all others."""

import contextlib
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from atoll.evo import checkpoint, generation, selection
from atoll.evo.algorithms.algorithm import mean_of
from atoll.evo.algorithms.choice import algorithm_of
from atoll.evo.algorithms.genetic import Genetic
from atoll.evo.checkpoint import Checkpoint
from atoll.evo.config import Breeding, all_settings
from atoll.evo.errors import ResumeError, TaskError
from atoll.evo.generation import Champion, Reevaluation
from atoll.evo.genome import Population
from atoll.evo.island import evolve
from atoll.evo.recorder import recorded_settings
from atoll.evo.rng import streams
from atoll.evo.strict_json import MAX_INTEGER
from atoll.evo.tasks.task import FIRST_FRESH_EPISODE
from atoll.evo.turns import take_turns
from tests.evo.lives import Disk, KilledError, Memory, configured, disk, fingerprint, live, outcome, stopping_after
from tests.problems import MIXED, REAL, Hill, Weather
from tests.strategies import evaluated, painted, seeds

N = 5
LAST = all_settings()["generations"].metadata["high"]
MOST = all_settings()["champion_episodes"].metadata["high"]


class Plain(Hill):
    """A hill that says that it is always as high."""

    is_deterministic = True


class Table(Hill):
    """Scores each genome in each fresh episode as a table says, by its first gene."""

    def __init__(self, rows):
        super().__init__()
        self.rows = rows

    def evaluate(self, genes, episode):
        self.asked.append((genes.copy(), episode))
        scores = [self.rows[float(genome[0])] for genome in genes]
        each = (episode - FIRST_FRESH_EPISODE) % len(scores[0])
        return np.asarray([row[each] for row in scores], np.float32)


class Noise(Hill):
    """Noise alone: of standard deviation 1, and all genomes are worth 0."""

    def __init__(self, seed=0):
        super().__init__()
        self._seed = seed

    def evaluate(self, genes, episode):
        rng = np.random.default_rng((self._seed, episode))
        return rng.normal(size=len(genes)).astype(np.float32)


class Gusts(Hill):
    """A hill in the wind: the same for all of one episode, and worst for those who are high up."""

    def score(self, total, episode):
        return total + (1 + total) * np.random.default_rng(episode).normal()


def someone(first_gene, islands=("a", "b", "c")):
    """Return an individual that is known by its first gene."""
    genes = np.full((1, MIXED.size), 0.0, np.float32)
    genes[0, 0] = first_gene
    return Population(genes, np.ones(genes.shape, np.uint16), islands)


def contest(rows, *, mean=None, fitness=0.0, g=4, has_immigrants=False):
    """Crown one of the champion, 0, the best of a generation, 1, and the mean; return the state and what was asked."""
    task = Table(rows)
    state = evaluated(MIXED, 6, seed=3, generation=g)
    genes = np.concatenate([someone(1.0).genes, state.population.genes[1:]])
    scores = np.asarray([9.0, -1, -2, -3, -4, -5], np.float32)
    population = Population(genes, state.population.ancestry, ("a", "b", "c"))
    reigning = Champion(someone(0.0, ("a", "b")), fitness, 2)
    state = replace(state, population=population, fitness=scores, champion=reigning)
    reevaluation = Reevaluation(task, len(rows[0.0]), None if mean is None else someone(mean))
    return crown(state, reevaluation, has_immigrants=has_immigrants), state, task


def crown(*args, **kwargs):
    return take_turns({"": generation.crowning(*args, **kwargs)})[""]


def crowned(state):
    return float(state.champion.individual.genes[0, 0]), state.champion.fitness, state.champion.generation


def test_the_challenger_is_crowned_by_its_mean_over_the_episodes_not_by_its_one_score():
    after, _, _ = contest({0.0: [1.0, 2.0, 3.0], 1.0: [3.0, 0.5, 4.0]})
    assert crowned(after) == (1.0, 2.5, 4)


def test_a_lucky_challenger_is_not_crowned_and_the_champion_has_the_mean_of_the_same_episodes():
    after, _, _ = contest({0.0: [1.0, 2.0, 3.0], 1.0: [1.0, 1.0, 1.0]}, fitness=8.0)
    assert crowned(after) == (0.0, 2.0, 2)


def test_of_equals_who_reigned_stays():
    after, _, _ = contest({0.0: [1.0, 2.0], 1.0: [2.0, 1.0]})
    assert crowned(after) == (0.0, 1.5, 2)


def test_the_mean_of_a_strategy_is_crowned_where_it_is_best_with_its_ancestors():
    after, _, _ = contest({0.0: [0.0], 1.0: [1.0], 2.0: [2.0]}, mean=2.0)
    assert crowned(after) == (2.0, 2.0, 4)
    assert (after.champion.individual.ancestry == 1).all()
    after, _, _ = contest({0.0: [0.0], 1.0: [3.0], 2.0: [2.0]}, mean=2.0)
    assert crowned(after) == (1.0, 3.0, 4)


def test_the_mean_is_summed_in_the_order_of_the_episodes_in_float64():
    rows = {0.0: [0.0, 0.0, 0.0], 1.0: [0.1, 1e8, 0.7]}
    after, _, _ = contest(rows)
    exact = [float(np.float32(x)) for x in rows[1.0]]
    assert after.champion.fitness == float(np.float32(((exact[0] + exact[1]) + exact[2]) / 3))


def test_all_meet_the_same_fresh_episodes_and_each_evaluation_is_counted():
    after, before, task = contest({0.0: [0.0] * N, 1.0: [1.0] * N, 2.0: [2.0] * N}, mean=2.0)
    assert [episode for _, episode in task.asked] == [*generation.fresh_episodes(4, N, has_immigrants=False)]
    assert all(genes[:, 0].tolist() == [0.0, 1.0, 2.0] for genes, _ in task.asked)
    assert after.counts == replace(before.counts, evaluations=before.counts.evaluations + 3 * N)


def test_where_nobody_seems_better_or_it_is_the_champion_itself_nothing_is_scored_again():
    for fitness in (9.0, 9.5):
        after, before, task = contest({0.0: [0.0], 1.0: [1.0]}, fitness=fitness)
        assert after is before
        assert task.asked == []
    state = replace(before, champion=Champion(someone(1.0), 0.0, 2))
    assert crown(state, Reevaluation(task, N, someone(2.0))) is state
    assert task.asked == []


@given(st.integers(1, LAST), st.integers(-1, 1), st.booleans(), st.booleans(), st.integers(1, MOST))
def test_no_generation_and_no_other_crowning_has_the_same_episodes(one, further, is_late, is_other_late, n):
    other = min(one + further, LAST)
    here = generation.fresh_episodes(one, n, has_immigrants=is_late)
    there = generation.fresh_episodes(other, n, has_immigrants=is_other_late)
    assert len(here) == n
    assert (here == there) == ((one, is_late) == (other, is_other_late))
    assert here == there or here[-1] < there[0] or there[-1] < here[0]
    assert here[0] > LAST
    assert here[-1] <= MAX_INTEGER


def test_fresh_episodes_of_a_run_of_usual_length_are_seeds_of_31_bits():
    default = all_settings()["champion_episodes"].default
    assert generation.fresh_episodes(100_000_000, default, has_immigrants=True)[-1] < 2**31


# Whole lives


@pytest.mark.parametrize("is_alone", [False, True])
def test_on_a_deterministic_task_nothing_is_scored_again_and_nothing_changes(is_alone):
    plain, none = Plain(), Plain()
    _, on = live(configured(), task=plain, is_alone=is_alone)
    _, without = live(configured(champion_episodes=0), task=none, is_alone=is_alone)
    assert outcome(on) == outcome(without)
    assert [episode for _, episode in plain.asked] == [episode for _, episode in none.asked]


def test_a_deterministic_task_that_does_not_say_so_has_the_same_champions_for_more_evaluations():
    said, unsaid = Plain(), Hill()
    for task in (said, unsaid):
        state, on = live(configured(generations=20), task=task)
        task.champions = [checkpoint.decode(data).state.champion for data in on.log.values()]
        task.spent = state.counts.evaluations
    for one, other in zip(said.champions, unsaid.champions, strict=True):
        assert (one.fitness, one.generation) == (other.fitness, other.generation)
        assert one.individual.genes.tobytes() == other.individual.genes.tobytes()
    assert unsaid.spent > said.spent


def test_without_fresh_episodes_the_highest_score_of_all_reigns():
    task = Weather()
    _, on = live(configured(champion_episodes=0), task=task, is_alone=True)
    assert all(episode < FIRST_FRESH_EPISODE for _, episode in task.asked)
    states = [checkpoint.decode(data).state for data in on.log.values()]
    highest = np.maximum.accumulate([state.fitness.max() for state in states])
    assert [state.champion.fitness for state in states] == highest.tolist()


def test_a_lucky_score_does_not_reign():
    """All genomes are worth 0. Without fresh episodes the champion has the maximum of 427 scores, 2.9 on average."""
    kept = {}
    for n in (0, N):
        lives = [
            live(configured(seed=seed, generations=60, champion_episodes=n), task=Noise(seed), is_alone=True)
            for seed in range(20)
        ]
        kept[n] = np.mean([state.champion.fitness for state, _ in lives])
    assert kept[0] > 2.5
    assert abs(kept[N]) < 0.6


def test_founders_are_scored_again_too():
    task = Noise()
    state, _ = live(configured(generations=1), task=task, is_alone=True, is_stopping=stopping_after(1))
    assert state.generation == 0
    assert state.counts.evaluations == 7 + N
    assert state.champion.fitness != float(state.fitness.max())


SNES = configured(algorithm="snes", generations=20)
STRAIGHT = live(SNES, task=Gusts(REAL))


@pytest.mark.parametrize("stop", range(1, 20))
def test_a_strategy_stopped_anywhere_and_resumed_crowns_the_same(stop):
    on = disk()
    live(SNES, on, task=Gusts(REAL), is_stopping=stopping_after(stop))
    state, _ = live(SNES, on, task=Gusts(REAL))
    assert fingerprint(state) == fingerprint(STRAIGHT[0])
    assert outcome(on) == outcome(STRAIGHT[1])


@given(st.integers(0, 120))
def test_a_strategy_killed_anywhere_and_restarted_crowns_the_same(kill_at):
    on = disk()
    on.kill_at = kill_at
    with contextlib.suppress(KilledError):
        live(SNES, on, task=Gusts(REAL))
    on.kill_at = -1
    state, _ = live(SNES, on, task=Gusts(REAL))
    assert fingerprint(state) == fingerprint(STRAIGHT[0])
    assert outcome(on) == outcome(STRAIGHT[1])


def test_the_means_of_a_strategy_are_among_its_champions():
    states = [checkpoint.decode(data).state for data in STRAIGHT[1].log.values()]
    algorithm = algorithm_of(SNES, REAL)
    means = [mean_of(algorithm, state.memory, REAL, state.population.islands) for state in states[1:]]
    known = {mean.genes.tobytes() for mean in means}
    assert any(state.champion.individual.genes.tobytes() in known for state in states)


@given(seeds)
def test_the_mean_of_a_strategy_is_a_genome_with_the_origins_that_have_the_largest_share(seed):
    population = painted(REAL, 6, seed=seed)
    fitness = np.random.default_rng(seed).normal(size=6).astype(np.float32)
    state = generation.State(
        1, population, fitness, Champion(population.take(np.array([0])), 0.0, 0), generation.Counts()
    )
    algorithm = algorithm_of(SNES, REAL)
    memory = algorithm.start(state, REAL)
    _, memory = algorithm.breed(state, memory, REAL, streams=streams(seed, "me", 1))
    mean = mean_of(algorithm, memory, REAL, population.islands)
    assert REAL.contains(mean.genes)
    assert mean.genes.dtype == np.float32
    unit = (mean.genes[0] - REAL.low) / (REAL.high - REAL.low)
    np.testing.assert_allclose(unit, memory["mean"], atol=1e-6)
    shares = memory["origins"]
    assert (shares[mean.ancestry[0], np.arange(REAL.size)] == shares.max(axis=0)).all()


def test_an_algorithm_without_a_mean_and_one_that_has_not_begun_have_none():
    assert mean_of(Genetic(Breeding()), {"mean": np.zeros(3)}, REAL, ("a",)) is None
    assert mean_of(algorithm_of(SNES, REAL), {}, REAL, ("a",)) is None


# Emigrants


class Watched(Disk):
    """Shows each generation that is published, before it is."""

    def note(self, *effect):
        super().note(*effect)
        if effect[0] == "publish":
            self.see(effect[1])


@pytest.mark.parametrize(
    ("config", "task"),
    [
        (SNES, Gusts(REAL)),
        (configured(generations=20), Gusts()),
        (configured(algorithm="snes", generations=20), Plain(REAL)),
    ],
)
def test_the_champion_leads_the_emigrants(config, task):
    """That is the one of the checkpoint: immigrants may bring another."""
    on, seen, places = Watched([], None, None, {}, {}, {}, {}), {}, []
    on.see = lambda g: seen.setdefault(g, checkpoint.decode(on.checkpoint).state)
    live(config, on, task=task)
    assert len(seen) == 5
    for g, (ids, genes, fitness) in on.offered.items():
        state, scores = seen[g], np.frombuffer(fitness[2], np.float32)
        offered, place = generation.with_champion(state)
        places.append(place)
        assert genes[2].startswith(state.champion.individual.genes.tobytes())
        assert scores[0] == offered.fitness[place]
        assert ids[0] == f"island-01:{g}:{place}"
        assert len(set(ids)) == len(ids) == config.migration.migrants
    if config.algorithm == "snes":
        assert 7 in places  # it was not in the population


class Humble(Memory):
    """Sends the worst away."""

    def emigrants(self, genes, fitness, *, streams):  # noqa: ARG002 - not by chance
        return selection.worst(fitness, self._k)


@pytest.mark.parametrize(("task", "is_led"), [(Gusts(), True), (Plain(), False)])
def test_of_the_ga_on_a_deterministic_task_leave_whom_the_policy_chooses_and_no_other(task, is_led):
    on = disk()
    config, memory = configured(), Humble(on)
    evolve(config, task, exchange=memory, recorder=memory)
    for g, (_, genes, fitness) in on.offered.items():
        scores = np.frombuffer(fitness[2], np.float32)
        assert (scores[0] == scores.max()) == is_led
        assert len(genes[2]) == len(scores) * MIXED.size * 4
        assert g % config.migration.migrate_every == 0


@given(seeds)
def test_the_champion_stands_behind_the_others_with_its_own_fitness_if_it_is_not_among_them(seed):
    state = evaluated(MIXED, 6, seed=seed)
    place = int(np.argmax(state.fitness))
    assert generation.with_champion(state) == (state, place)
    other = Champion(painted(MIXED, 1, seed=seed + 7, islands=("a",)), 0.5, 2)
    joined, place = generation.with_champion(replace(state, champion=other))
    assert place == 6
    assert joined.fitness.tolist() == [*state.fitness.tolist(), 0.5]
    assert joined.fitness.dtype == np.float32
    assert joined.population.genes.tobytes() == state.population.genes.tobytes() + other.individual.genes.tobytes()


@given(st.permutations(range(7)), st.integers(1, 6), st.integers(0, 6))
def test_who_leads_is_first_and_no_more_leave_for_it(order, k, leader):
    chosen = np.asarray(order[:k])
    led = generation.led_by(leader, chosen)
    assert led[0] == leader
    assert len(set(led.tolist())) == len(led) == k
    others = [each for each in order[:k] if each != leader]
    assert led[1:].tolist() == others[: k - 1]


# What is recorded


def test_the_number_of_fresh_episodes_is_recorded_of_a_noisy_task_alone():
    assert "champion_episodes" not in recorded_settings(configured(), Plain())
    assert "champion_episodes" not in recorded_settings(configured(champion_episodes=0), Weather())
    assert recorded_settings(configured(), Weather())["champion_episodes"] == N


def test_a_checkpoint_from_before_goes_on_as_it_began():
    settings = recorded_settings(configured(champion_episodes=0), Weather())
    before = Checkpoint(evaluated(MIXED, 6, seed=1), settings, "test")
    checkpoint.check_settings(before, {**settings, "champion_episodes": 0})
    checkpoint.check_settings(before, recorded_settings(configured(champion_episodes=0), Weather()))
    checkpoint.check_settings(before, recorded_settings(configured(), Plain()) | {"options": settings["options"]})
    with pytest.raises(ResumeError, match="champion_episodes was 0, now 5; repeat the old settings"):
        checkpoint.check_settings(before, recorded_settings(configured(), Weather()))


def test_what_goes_wrong_in_a_fresh_episode_is_told_by_its_number():
    with pytest.raises(TaskError, match=r"for genome 1 of fresh episode 1000000009 \(1 of 2 are not\)"):
        contest({0.0: [0.0], 1.0: [np.nan]})
