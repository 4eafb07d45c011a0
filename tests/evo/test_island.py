"""However a run is cut into processes, what it computes and offers is the same, in an order that survives a kill."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from atoll.evo import checkpoint, island
from atoll.evo.errors import TaskError
from atoll.evo.generation import MigrationSchedule
from atoll.evo.genome import Migrants
from atoll.evo.tasks.task import FIRST_FRESH_EPISODE
from atoll.evo.turns import Pause, take_turns
from tests.evo.lives import (
    Memory,
    Parcel,
    configured,
    disk,
    fingerprint,
    live,
    live_through_kills,
    never,
    outcome,
    stopping_after,
)
from tests.problems import Hill, Rock, Weather

CONFIGS = [
    configured(),
    configured(migrate_every=1, checkpoint_every=1000),
    configured(migrate_every=3, generations=12),
    configured(topology="none"),
    configured(elite_share=0.0, selection="rank", crossover="sbx"),
    configured(migration_interval="adaptive", migrate_every=1, generations=40, champion_episodes=0),
]
STRAIGHT = [live(config) for config in CONFIGS]
RUNS = list(zip(CONFIGS, STRAIGHT, strict=True))


@pytest.mark.parametrize(("config", "run"), RUNS)
def test_generations_0_to_g_exist_and_each_is_logged_once_in_order(config, run):
    state, on = run
    assert [effect[1] for effect in on.effects if effect[0] == "log"] == [*range(config.generations + 1)]
    assert [effect[1] for effect in on.effects if effect[0] == "beat"] == [*range(config.generations + 1)]
    assert state.generation == config.generations
    assert on.log[config.generations] == fingerprint(state)


@pytest.mark.parametrize(("config", "run"), RUNS)
def test_genomes_cross_at_the_multiples_of_n_up_to_g_and_never_at_0(config, run):
    _, on = run
    n = config.migration.migrate_every
    due = [] if config.migration.is_off else [*range(n, config.generations + 1, n)]
    for kind in ("publish", "collect"):
        crossed = [effect[1] for effect in on.effects if effect[0] == kind]
        assert crossed == due or (config.migration.is_adaptive and set(crossed) < set(due))


def test_an_adaptive_interval_doubles_from_one_migration_to_the_next_until_a_migrant_leads():
    """Where nobody came it stays. What it depends on is in the checkpoint: each of them says when it goes on."""
    config, (_, on) = RUNS[-1]
    crossed, stretch, seen = sorted(on.offered), 1, set()
    for here, after in itertools.pairwise(crossed):
        scores = np.frombuffer(on.settled[here][0][2], np.float32) if here in on.settled else np.empty(0, np.float32)
        best = np.frombuffer(on.offered[here][2][2], np.float32).max()  # the best leave
        is_led = len(scores) > 0 and scores.max() > best
        stretch = 1 if is_led else stretch * (2 if len(scores) else 1)
        assert after - here == stretch * config.migration.migrate_every
        assert checkpoint.decode(on.log[after - 1]).state.schedule == MigrationSchedule(here, stretch)
        seen.add((len(scores) > 0, is_led))
    assert seen == {(False, False), (True, False), (True, True)}


@pytest.mark.parametrize(("config", "run"), RUNS)
def test_a_checkpoint_is_never_further_away_than_promised_and_the_last_state_has_one(config, run):
    _, on = run
    saved = [effect[1] for effect in on.effects if effect[0] == "checkpoint"]
    promised = {*range(config.checkpoint_every, config.generations + 1, config.checkpoint_every), config.generations}
    assert promised | set(on.offered) == set(saved)
    assert len(set(saved)) == len(saved)


def test_the_order_of_effects_is_the_one_that_survives_a_kill():
    """Emigrants are chosen, and the state saved, before another island is let in; what has a line is kept."""
    _, on = STRAIGHT[0]
    here = [effect[0] for effect in on.effects]
    begin = on.effects.index(("log", 7)) + 2
    assert here[begin : begin + 9] == [
        "checkpoint",
        "emigrants",
        "publish",
        "ready",
        "collect",
        "settle",
        "champion",
        "log",
        "beat",
    ]


def test_emigrants_are_the_island_as_it_was_before_the_import():
    _, on = STRAIGHT[0]
    for generation, (ids, genes, fitness) in on.offered.items():
        assert [name.split(":")[:2] for name in ids] == [["island-01", str(generation)]] * 2
        arrivals = on.inbox[generation].migrants.population.genes
        assert not set(chunks(genes)) & {row.tobytes() for row in arrivals}
        assert len(fitness[2]) == 2 * 4


def chunks(array):
    """Return the rows of a frozen array."""
    _, (n, _), data = array
    return [data[i * len(data) // n : (i + 1) * len(data) // n] for i in range(n)]


@pytest.mark.parametrize("is_alone", [False, True])
def test_everyone_is_evaluated_in_every_generation_elites_included(is_alone):
    task = Weather()
    config = configured(elite_share=0.4)
    _, on = live(config, task=task, is_alone=is_alone)
    asked = [(len(genes), episode) for genes, episode in task.asked if episode < FIRST_FRESH_EPISODE]
    whole = [episode for n, episode in asked if n == config.population]
    assert whole == [*range(config.generations + 1)]
    newcomers = [(n, episode) for n, episode in asked if n != config.population]
    brought = [(len(parcel.migrants), g) for g, parcel in on.inbox.items() if len(parcel.migrants)]
    assert newcomers == ([] if is_alone else brought)


@pytest.mark.parametrize("config", CONFIGS)
def test_a_deterministic_task_is_asked_less_and_the_run_is_the_same(config):
    config, every, once = replace(config, champion_episodes=0), Hill(), Rock()
    assert outcome(live(config, task=once)[1]) == outcome(live(config, task=every)[1])
    asked = [sum(len(genes) for genes, _ in task.asked) for task in (once, every)]
    assert asked[0] < asked[1]


class Mirror(Memory):
    """An exchange that brings an island two of its own."""

    def collect(self, generation, *, residents, streams):  # noqa: ARG002 - they are here
        return Parcel(Migrants(residents.take(np.arange(2)), np.zeros(2, np.float32), ("1", "2")), refused=0)


def test_an_immigrant_whose_genome_lives_here_is_not_scored():
    task = Rock()
    state = island.evolve(configured(), task, exchange=Mirror(disk()))
    assert state.counts.imports == 2 * 3
    episodes = [episode for _, episode in task.asked]
    assert episodes == sorted(set(episodes))


def test_what_was_done_is_counted():
    task = Weather()
    state, on = live(CONFIGS[0], task=task)
    imports = sum(len(parcel.migrants) for parcel in on.inbox.values())
    assert imports > 0
    assert state.counts.imports == imports
    assert state.counts.exports == 2 * len(on.offered)
    assert state.counts.refused == sum(parcel.refused for parcel in on.inbox.values())
    again = sum(len(genes) for genes, episode in task.asked if episode >= FIRST_FRESH_EPISODE)
    assert again > 0
    assert state.counts.evaluations == 7 * 14 + imports + again


def test_with_elites_on_a_deterministic_task_the_best_never_gets_worse():
    state, on = live(configured(generations=20), task=Hill())
    best = [checkpoint.decode(data).state.fitness.max() for data in on.log.values()]
    assert best == sorted(best)
    assert state.champion.fitness == best[-1]


@given(st.sampled_from(range(len(CONFIGS))), st.lists(st.integers(1, 6), max_size=5))
def test_stopped_anywhere_and_resumed_it_is_the_same_run(which, stops):
    config, on = CONFIGS[which], disk()
    for stop in stops:
        state, _ = live(config, on, is_stopping=stopping_after(stop))
        if state.generation == config.generations:
            break
        assert checkpoint.decode(on.checkpoint).state.generation == state.generation
    state, _ = live(config, on)
    assert fingerprint(state) == fingerprint(STRAIGHT[which][0])
    assert outcome(on) == outcome(STRAIGHT[which][1])


@given(st.sampled_from(range(len(CONFIGS))), st.data())
def test_killed_anywhere_and_restarted_it_is_the_same_run(which, data):
    state, on = live_through_kills(CONFIGS[which], data)
    assert fingerprint(state) == fingerprint(STRAIGHT[which][0])
    assert outcome(on) == outcome(STRAIGHT[which][1])


@settings(max_examples=12)
@given(st.integers(1, 12))
def test_a_longer_run_continues_a_finished_one(first):
    config, on = configured(), disk()
    live(replace(config, generations=first), on)
    state, _ = live(config, on)
    assert fingerprint(state) == fingerprint(STRAIGHT[0][0])
    assert outcome(on) == outcome(STRAIGHT[0][1])


def test_a_target_that_is_behind_ends_at_once():
    config, on = configured(), disk()
    live(config, on)
    state, _ = live(replace(config, generations=5), on, is_stopping=stopping_after(3))
    assert state.generation == 13


@settings(max_examples=8)
@given(st.integers(0, 2**53))
def test_the_same_seed_gives_the_same_bytes(seed):
    config = configured(seed=seed, generations=5)
    assert fingerprint(live(config)[0]) == fingerprint(live(config)[0])


@pytest.mark.parametrize("other", [configured("island-02"), configured(seed=2)])
def test_another_name_or_seed_is_another_run(other):
    for generation in range(14):
        here, there = (checkpoint.decode(on.log[generation]).state for on in (STRAIGHT[0][1], live(other)[1]))
        assert here.population.genes.tobytes() != there.population.genes.tobytes()


@pytest.mark.parametrize("setting", [{"checkpoint_every": 1}, {"checkpoint_every": 1000}])
def test_how_often_it_is_saved_changes_nothing(setting):
    assert fingerprint(live(configured(**setting))[0]) == fingerprint(STRAIGHT[0][0])


def test_alone_is_the_same_as_with_migration_off():
    assert fingerprint(live(configured(), is_alone=True)[0]) == fingerprint(STRAIGHT[3][0])


# Waiting for others


class Late(Memory):
    """An exchange that is ready only when it has been asked so many times."""

    def __init__(self, on, asked_in_vain):
        super().__init__(on)
        self._n = asked_in_vain
        self._left = asked_in_vain

    def is_ready(self, generation, *, streams):
        super().is_ready(generation, streams=streams)
        self._left -= 1
        if self._left >= 0:
            return False
        self._left = self._n
        return True


def steps(on, asked_in_vain, *, is_stopping=never, config=CONFIGS[0]):
    """Return the pauses of a life that waits at each migration, and its last state."""
    memory = Late(on, asked_in_vain)
    resumed = checkpoint.decode(on.checkpoint).state if on.checkpoint else None
    life = island.steps(config, Weather(), exchange=memory, recorder=memory, resumed=resumed, is_stopping=is_stopping)
    pauses: list[Pause] = []
    ended = take_turns({"": watched(life, pauses)}, idle=lambda *_: None)
    return pauses, ended[""]


def watched(life, pauses):
    """Pass on what a life yields and is sent; keep its pauses."""
    sent = None
    while True:
        try:
            turn = life.send(sent)
        except StopIteration as ending:
            return ending.value
        pauses += [turn] if isinstance(turn, Pause) else []
        sent = yield turn


@given(st.integers(0, 4))
def test_it_pauses_once_it_has_published_and_as_often_as_it_waits(asked_in_vain):
    pauses, state = steps(disk(), asked_in_vain)
    migrations = len(STRAIGHT[0][1].offered)
    assert pauses == [Pause.PUBLISHED, *[Pause.WAITING] * asked_in_vain] * migrations
    assert fingerprint(state) == fingerprint(STRAIGHT[0][0])


def test_nothing_is_collected_before_it_is_ready_and_all_is_on_offer():
    on = disk()
    steps(on, 2)
    kinds = [effect[0] for effect in on.effects]
    asked = [i for i, kind in enumerate(kinds) if kind == "ready"]
    assert kinds[asked[0] - 1 : asked[0] + 4] == ["publish", "ready", "ready", "ready", "collect"]


def test_told_to_stop_while_it_waits_it_leaves_with_a_checkpoint_and_without_a_line():
    on = disk()
    pauses, state = steps(on, 1000, is_stopping=stopping_after(4 + 3))  # generations 0 to 3, then three times in vain
    assert pauses == [Pause.PUBLISHED, Pause.WAITING, Pause.WAITING]
    assert on.effects[-4:] == [*[("ready", 4)] * 3, ("champion", 4)]
    assert state.generation == checkpoint.decode(on.checkpoint).state.generation == 4
    assert max(on.log) == 3


@pytest.mark.slow
@given(st.lists(st.integers(1, 12), max_size=4))
def test_stopped_while_it_waits_or_elsewhere_and_resumed_it_is_the_same_run(stops):
    on = disk()
    for stop in stops:
        steps(on, 3, is_stopping=stopping_after(stop))
    _, state = steps(on, 3)
    assert fingerprint(state) == fingerprint(STRAIGHT[0][0])
    assert outcome(on) == outcome(STRAIGHT[0][1])


class Fragile(Weather):
    """Breaks its contract in one episode."""

    def __init__(self, breaks_in):
        super().__init__()
        self._breaks_in = breaks_in
        self.is_broken = False

    def evaluate(self, genes, episode):
        if episode == self._breaks_in:
            self.is_broken = True
            raise TaskError("broken")
        return super().evaluate(genes, episode)


def breaks():
    """Return where a task may break, and the last whole generation then: evaluations, and the first of each crowning.

    Whoever is crowned after an import is so in a generation that was whole before.
    """
    task = Weather()
    live(CONFIGS[0], task=task)
    episodes = dict.fromkeys(episode for _, episode in task.asked)
    crownings = [divmod(each - FIRST_FRESH_EPISODE, CONFIGS[0].champion_episodes) for each in episodes]
    fresh = [(FIRST_FRESH_EPISODE + n * CONFIGS[0].champion_episodes, n) for n, k in crownings if n >= 2 and k == 0]
    return [(g, g - 1) for g in range(1, 14)] + [(episode, n // 2 - (n % 2 == 0)) for episode, n in fresh]


BREAKS = breaks()


def test_a_task_may_break_in_a_crowning_after_an_evaluation_and_in_one_after_an_import():
    crownings = [(episode - FIRST_FRESH_EPISODE) // CONFIGS[0].champion_episodes for episode, _ in BREAKS]
    assert {n % 2 for n in crownings if n > 0} == {0, 1}


@pytest.mark.parametrize(("breaks_in", "whole"), BREAKS)
def test_what_a_task_breaks_is_kept_up_to_the_last_whole_generation_and_mended_goes_on_to_the_same_end(
    breaks_in, whole
):
    on = disk()
    with pytest.raises(TaskError, match="broken"):
        live(CONFIGS[0], on, task=Fragile(breaks_in))
    assert checkpoint.decode(on.checkpoint).state.generation == whole
    assert whole + 1 not in on.offered
    assert whole not in on.settled or whole in on.log
    assert on.champion is not None or whole in on.offered
    state, _ = live(CONFIGS[0], on)
    assert fingerprint(state) == fingerprint(STRAIGHT[0][0])
    assert outcome(on) == outcome(STRAIGHT[0][1])


@pytest.mark.parametrize(("breaks_in", "whole"), BREAKS)
def test_a_task_that_breaks_after_a_stop_signal_is_the_stop(breaks_in, whole):
    """The signal has also reached a program that the evaluation waits for."""
    on, task = disk(), Fragile(breaks_in)
    state, _ = live(CONFIGS[0], on, task=task, is_stopping=lambda: task.is_broken)
    assert state.generation == checkpoint.decode(on.checkpoint).state.generation == whole
    state, _ = live(CONFIGS[0], on)
    assert fingerprint(state) == fingerprint(STRAIGHT[0][0])
    assert outcome(on) == outcome(STRAIGHT[0][1])


def test_two_words_are_enough_for_an_island_that_is_alone_and_keeps_nothing():
    assert fingerprint(island.evolve(configured(), Weather())) == fingerprint(live(configured(), is_alone=True)[0])
