"""Islands in one process take turns: each goes on from migration to migration, and nobody starves."""

from __future__ import annotations

import hashlib
from itertools import pairwise

import pytest

from atoll.evo import runlog
from atoll.evo.config import island_config
from atoll.evo.errors import ConfigError, LockstepTimeoutError
from atoll.evo.paths import SharedPaths
from atoll.evo.recorder import FileRecorder, MemoryRecorder, recorded_settings
from atoll.evo.records import Imported, Start
from atoll.evo.tasks.loader import load_task
from atoll.evo.turns import Pause, take_turns
from atoll.migration.observe.snapshot import look
from atoll.migration.pool.ledger import Ledger
from atoll.scripts.run.archipelago import evolve_together, give_up
from tests.contracts import check_archipelago

SMALL = {"population": 8, "generations": 12, "migrate_every": 3, "migrants": 2, "task": "sphere", "topology": "full"}


POLICIES = [
    *({"emigrant_selection": how} for how in ("random", "tournament", "most-different")),
    *({"replacement": how} for how in ("random", "most-similar", "only-if-better")),
    *({"topology": how} for how in ("ring", "two-way-ring", "star", "random-1")),
    *({"duplicates": how} for how in ("accept", "refuse")),
    {"max_migrant_age": 1},
    {},
]


INERT = [{}, {"max_migrant_age": 1}, {"topology": "two-way-ring"}]
"""In lockstep every migrant is of age 0; and among three, two ways round a ring lead to all."""


def together(names="abc", **values):
    """Evolve islands; return their last states and who lived which generation in which order."""
    heard: list[tuple[str, int]] = []
    configs = [island_config(name, {**SMALL, **values}, {}) for name in names]

    def recorder_of(config):
        return MemoryRecorder(lambda state: heard.append((config.island, state.generation)))

    states = evolve_together(configs, load_task("sphere", {}), recorder_of=recorder_of)
    return states, heard


def written(root, names="abc", **values):
    """Evolve islands with all their private files; return their logs and ledgers as they stand."""
    task = load_task("sphere", {})

    def recorder_of(config):
        paths, settings = SharedPaths(root).island(config.island), recorded_settings(config, task)
        recorder = FileRecorder(paths, config=config, task=task, settings=settings, observe=id)
        recorder.start(Start(epoch=1, generation=0))
        return recorder

    configs = [island_config(name, {**SMALL, **values}, {}) for name in names]
    ledger_of = lambda config: Ledger(SharedPaths(root).island(config.island))  # noqa: E731
    evolve_together(configs, task, recorder_of=recorder_of, ledger_of=ledger_of)
    paths = {name: SharedPaths(root).island(name) for name in names}
    logs = {name: runlog.current(runlog.read(path.log)) for name, path in paths.items()}
    return logs, {name: runlog.current(runlog.read(path.ledger)) for name, path in paths.items()}


def lockstep(names="abc", members="a,b,c", **values):
    return together(names, mode="lockstep", members=members, **values)


def genes(states):
    return {name: state.population.genes.tobytes() for name, state in states.items()}


def test_whoever_is_named_first_lockstep_is_the_same():
    expected = genes(lockstep()[0])
    for names in ("acb", "cba", "bca"):
        assert genes(lockstep(names)[0]) == expected
    assert genes(together(topology="none")[0]) != expected


@pytest.mark.parametrize("names", ["abc", "cab"])
def test_async_islands_that_begin_together_stay_together_as_in_lockstep(names):
    """All publish before any imports, so what is there is of the same generation."""
    assert genes(together(names)[0]) == genes(lockstep()[0])


@pytest.mark.parametrize("policy", POLICIES, ids=str)
def test_whatever_the_policy_lockstep_is_the_same_for_any_order(policy):
    """Most children differ here: among copies of a few genomes several policies may choose the same."""
    values = {"mutation_rate": 0.1}
    expected = genes(lockstep(**values, **policy)[0])
    assert genes(lockstep("cab", **values, **policy)[0]) == expected
    assert (genes(lockstep(**values)[0]) == expected) == (policy in INERT)


def test_nobody_is_more_than_a_migration_ahead():
    _, heard = lockstep()
    reached = dict.fromkeys("abc", 0)
    for name, generation in heard:
        reached[name] = generation
        assert max(reached.values()) - min(reached.values()) <= 2 * SMALL["migrate_every"]


def test_async_islands_take_turns_too():
    states, heard = together()
    assert {name: state.generation for name, state in states.items()} == dict.fromkeys("abc", 12)
    assert all(state.counts.imports > 0 for state in states.values())
    assert [name for name, generation in heard if generation == 3] == ["a", "b", "c"]


def test_the_final_population_is_diverse_and_not_all_from_one_island(tmp_path):
    """The user's criterion as numbers: ancestors of the final population, F_ST and diversity within, with controls.

    Isolated islands are the control for both: each has one ancestor, and they differ as much as islands can.
    """
    found = {}
    for name, values in (("migrating", {"migrate_every": 10}), ("isolated", {"topology": "none"})):
        written(tmp_path / name, "abcde", algorithm="ga", population=40, generations=50, seed=3, **values)
        found[name] = look(SharedPaths(tmp_path / name), (), spec=load_task("sphere", {}).spec)
    migrating, isolated = found["migrating"], found["isolated"]
    assert [each.effective for each in isolated.origins] == [1.0] * 5
    assert isolated.effective == pytest.approx(5.0)
    assert all(each.effective > 1.0 for each in migrating.origins)
    assert migrating.effective > 2.0, "genes of several islands are left"
    assert max(migrating.ancestry.values()) < 0.8, "and not nearly all of one"
    assert all(each.diversity > 0.0 for each in migrating.origins)
    assert 0.0 < migrating.f_st < isolated.f_st <= 1.0


ASYNC_ONLY = [{"migration_interval": "adaptive", "migrate_every": 1}]


@pytest.mark.parametrize("mode", [{"mode": "lockstep", "members": "a,b,c"}, {}], ids=["lockstep", "async"])
@pytest.mark.parametrize("policy", [*POLICIES, *ASYNC_ONLY], ids=str)
def test_whatever_the_policy_the_archipelago_owes_the_same(tmp_path, policy, mode):
    if mode and policy in ASYNC_ONLY:
        with pytest.raises(ConfigError, match="--migration-interval fixed"):
            written(tmp_path, **policy, **mode)
        return
    logs, ledgers = written(tmp_path, **policy, **mode)
    check_archipelago(logs, ledgers, generations=SMALL["generations"])
    kinds = {event["kind"] for ledger in ledgers.values() for event in ledger}
    assert "imported" in kinds


def test_with_neither_mutation_nor_crossover_every_child_is_a_copy_of_somebody_who_lived_here():
    """And whoever did not, was let in: all genomes of an island are its founders' or stand in its ledger."""
    lived: dict[str, list[set[bytes]]] = {name: [] for name in "abc"}
    let_in: dict[str, set[str]] = {name: set() for name in "abc"}

    def watched(config):
        return MemoryRecorder(lambda state: lived[config.island].append({g.tobytes() for g in state.population.genes}))

    class Noted:
        def __init__(self, island):
            self._island = island

        def note(self, *events, **_text):
            let_in[self._island] |= {event.genome_sha256 for event in events if isinstance(event, Imported)}

    values = {**SMALL, "mutation_rate": 0.0, "crossover": "none", "mode": "lockstep", "members": "a,b,c"}
    configs = [island_config(name, values, {}) for name in "abc"]
    task = load_task("sphere", {})
    evolve_together(configs, task, recorder_of=watched, ledger_of=lambda config: Noted(config.island))
    for name, generations in lived.items():
        assert let_in[name]
        for before, after in pairwise(generations):
            strangers = {hashlib.sha256(genes).hexdigest() for genes in after - before}
            assert strangers <= let_in[name]
    last = {
        name: {hashlib.sha256(genes).hexdigest() for genes in generations[-1]} for name, generations in lived.items()
    }
    assert any(last[name] & let_in[name] for name in lived), "somebody who was let in lives on"


def test_a_member_alone_waits_for_nobody():
    assert lockstep("a", "a")[0]["a"].generation == 12


def test_a_missing_member_is_an_error_and_no_endless_loop():
    with pytest.raises(LockstepTimeoutError, match="a, c would wait for ever"):
        lockstep("ac", migrants=5)


def test_who_publishes_last_in_a_turn_frees_who_was_asked_before_it():
    """All wait at the end of that turn, and yet nobody is stuck."""
    published = set()

    def first():
        while "second" not in published:
            yield Pause.WAITING
        published.add("first")
        yield Pause.PUBLISHED

    def second():
        published.add("second")
        yield Pause.PUBLISHED
        while "first" not in published:
            yield Pause.WAITING

    take_turns({"first": first(), "second": second()}, idle=give_up)
    assert published == {"first", "second"}
