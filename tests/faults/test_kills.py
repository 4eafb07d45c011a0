"""Laws of islands that are killed at random moments, again and again: one alone, and an archipelago in lockstep."""

from __future__ import annotations

import time
from collections import Counter

import numpy as np
import pytest

from atoll.evo import runlog
from atoll.evo.paths import GENOMES, SharedPaths
from atoll.migration.observe.verify import verify
from atoll.migration.pool import inbox
from atoll.migration.pool.access import open_pool
from tests.scripts.run.island_process import (
    KILLED,
    Job,
    copy_of,
    end,
    epochs_of,
    last_generation,
    outcome,
    run,
    start,
    timeless,
    wait_for,
)

MEMBERS = "abcde"
LOCKSTEP = {"mode": "lockstep", "members": ",".join(MEMBERS), "lockstep_timeout_s": 86400.0, "topology": "random-2"}
BY_CHANCE = {"waiting", "refused", "unpublished", "no-beat", "mended", "published"}
"""What a ledger holds depending on when something was looked at, or how often it was done."""


def begin(root, island, generations):
    return start(Job(root, island, {**LOCKSTEP, "generations": generations}))


def undisturbed(root, generations):
    processes = [begin(root, name, generations) for name in MEMBERS]
    assert [end(process) for process in processes] == [0] * len(MEMBERS)
    return result(root)


def killed(root, generations, n, rng):
    """Kill `n` times; return how often each member was killed."""
    processes = {name: begin(root, name, generations) for name in MEMBERS}
    deaths: Counter[str] = Counter()
    while deaths.total() < n:
        victims = list(rng.permutation(list(MEMBERS))[: rng.integers(1, 3)])
        goal = generations * (deaths.total() + rng.random()) / (n + 5)
        wait_for(lambda: last_generation(root, victims[0]) >= goal, processes[victims[0]])  # noqa: B023 - at once
        time.sleep(rng.random() * 0.01)
        for name in victims:
            processes[name].kill()
        for name in victims:
            code = end(processes[name])
            assert code in {KILLED, 0}  # a second victim may just have finished
            deaths[name] += code == KILLED
            processes[name] = begin(root, name, generations)
    assert [end(process) for process in processes.values()] == [0] * len(MEMBERS)
    return deaths


def result(root):
    """Return all that may not depend on fate; an epoch counts the starts, so it does."""
    found = {}
    for name in MEMBERS:
        paths = SharedPaths(root).island(name)
        events = timeless(runlog.current(runlog.read(paths.ledger)))
        found[name] = {
            "champion": paths.champion.read_bytes(),
            "checkpoints": {path.name: path.read_bytes() for path in sorted(paths.checkpoints.iterdir())},
            "log": timeless(runlog.current(runlog.read(paths.log))),
            "events": [{**event, "source_epoch": 0} for event in events if event["kind"] not in BY_CHANCE],
            "published": {path.name: (path / GENOMES).read_bytes() for path in paths.outbox.glob("gen-*")},
        }
    return found


def acknowledged(root):
    """Return every publication that any start of any member ever took as done."""
    shared = SharedPaths(root)
    records = [(name, record) for name in MEMBERS for record in runlog.read(shared.island(name).ledger)]
    return {(name, record["generation"]) for name, record in records if record["kind"] == "published"}


def imported(root):
    """Return every genome that was imported, and whether it is in the batch that it is said to come from."""
    shared = SharedPaths(root)
    pool = open_pool(shared)
    found = []
    for name in MEMBERS:
        for path in shared.island(name).inboxes.glob("gen-*.safetensors"):
            arrivals = inbox.read(path)
            for source, genes in zip(arrivals.sources, arrivals.migrants.population.genes, strict=True):
                whole = pool.read(source.island, source.generation)
                found.append(any(np.array_equal(genes, row) for row in whole.migrants.population.genes))
    return found


@pytest.mark.slow
def test_islands_killed_at_random_end_as_if_they_had_lived_undisturbed(tmp_path, tally, chaos):
    n, generations = (500, 600) if chaos else (25, 60)
    expected = undisturbed(tmp_path / "whole", generations)
    root = tmp_path / "killed"
    deaths = killed(root, generations, n, np.random.default_rng(2))
    assert result(root) == expected
    assert min(deaths[name] for name in MEMBERS) > 0
    done, genomes = acknowledged(root), imported(root)
    lost = [place for place in done if not SharedPaths(root).island(place[0]).publication(place[1]).is_dir()]
    assert lost == []
    assert len(done) == len(MEMBERS) * (generations // 3)
    assert genomes
    assert all(genomes)
    assert verify(SharedPaths(root)).defects == []
    tally(2, kills=deaths.total(), publications=len(done), lost=len(lost))
    tally(2, imports=len(genomes), partial_imports=genomes.count(False))


@pytest.mark.slow
@pytest.mark.parametrize("topology", ["none", "full"])
def test_an_island_killed_twenty_times_leaves_no_trace_of_it(tmp_path, tally, chaos, topology):
    values = {"generations": 500 if chaos else 150, "topology": topology, "keep_generations": 0}
    template = tmp_path / "template"
    run(template, "peer")
    whole, root = copy_of(template, tmp_path / "whole"), copy_of(template, tmp_path / "killed")
    rng = np.random.default_rng(len(topology))
    for kill in range(20):
        process = start(Job(root, "a", values))
        goal = values["generations"] * (kill + rng.random()) / 30
        wait_for(lambda: last_generation(root) >= goal, process)  # noqa: B023 - at once
        time.sleep(rng.random() * 0.003)
        process.kill()
        assert end(process) == KILLED
    assert run(root, **values) == 0
    assert run(whole, **values) == 0
    assert outcome(root) == outcome(whole)
    assert epochs_of(root) == list(range(1, len(epochs_of(root)) + 1))
    tally(2, kills=20)
