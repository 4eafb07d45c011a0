"""Laws of reading what strangers wrote: refused with a reason, in bounded memory, and the island goes on.

Rows 21 to 24 and 26. Each group of cases is read in a process that may take little memory beyond what it has.
"""

from __future__ import annotations

import itertools
import json
import os
import pydoc
from dataclasses import replace

import numpy as np
import pytest

from atoll.evo import arrayfile, runlog
from atoll.evo.paths import SharedPaths
from atoll.evo.rng import streams
from atoll.migration.observe import history, status
from atoll.migration.pool import identity as pool
from atoll.migration.pool.access import spec_of
from atoll.migration.pool.batch import MAX_GENOME_FILE_BYTES
from atoll.migration.pool.bounded_io import NO_MEMORY
from atoll.migration.pool.ledger import Ledger
from tests.faults import hostile, strangers
from tests.faults.strangers import Stranger
from tests.migration.archipelago import (
    OnDisk,
    collect,
    migrants_of,
    nobody_from,
    number_an_epoch,
    read_ledger,
    write_batch,
)
from tests.processes import atoll, hang_s
from tests.scripts.run.island_process import CONTEXT, run


def done(group, place, *, extra_bytes=hostile.EXTRA_BYTES, **options):
    """Let a process do a group of cases; nothing that must not happen may have happened."""
    process = CONTEXT.Process(target=hostile.at_work, args=(group, place, extra_bytes, options))
    process.start()
    process.join(2 * hang_s())
    if process.exitcode is None:
        process.kill()
    assert process.exitcode == 0, "it waited, or died"
    outcome = json.loads((place / "outcome.json").read_text())
    assert outcome["wrong"] == []
    return outcome


def refused(outcome):
    return sum(outcome["refused"].values())


# Row 21: damage


def test_every_truncation_is_refused(tmp_path, tally):
    outcome = done("truncations", tmp_path)
    assert outcome["refused"] == {"damaged": outcome["cases"]}
    assert outcome["cases"] == sum(map(len, Stranger("m").batch().values()))
    tally(21, truncations=outcome["cases"], imports_refused=refused(outcome))


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
def test_every_mutation_is_refused(tmp_path, tally, chaos, seed):
    outcome = done("mutations", tmp_path, seed=seed, n=25_000 if chaos else 1250)
    assert outcome["accepted"] == []
    assert refused(outcome) == outcome["cases"]
    tally(21, mutations=outcome["cases"], imports_refused=refused(outcome))


# Row 22: nodes, names and crowds


def test_no_node_is_read_followed_or_waited_for(tmp_path, tally):
    """Where a lock or a beat belongs, it is in nobody's way; where the starts belong, the folder is no island's."""
    outcome = done("nodes", tmp_path, kinds="nodes")
    harmless = {
        f"{name} as {where}" for name in strangers.nodes(tmp_path) for where in ("prune lock", "owner lock", "beat")
    }
    assert set(outcome["accepted"]) == harmless | {
        *("hard link as manifest", "hard link as genomes"),
        "link to itself as epochs",  # nobody can say whether an island has started there
    }
    tally(22, nodes=outcome["cases"], imports_refused=refused(outcome))


def test_no_device_is_read(tmp_path, tally):
    try:
        strangers.DEVICES["null"](tmp_path / "null")
    except PermissionError:
        pytest.skip("making a device is not permitted to this account")
    outcome = done("nodes", tmp_path, kinds="devices")
    harmless = {f"{name} as {where}" for name in strangers.DEVICES for where in ("prune lock", "owner lock", "beat")}
    assert set(outcome["accepted"]) == harmless
    assert set(outcome["refused"]) <= {"not a plain file", "unreadable"}
    tally(22, devices=outcome["cases"], imports_refused=refused(outcome))


def test_strange_names_are_nobody_s(tmp_path, tally):
    outcome = done("names", tmp_path)
    assert outcome["cases"] > 1.8 * len(strangers.NAMES)
    tally(22, names=outcome["cases"])


@pytest.mark.slow
def test_a_crowd_costs_a_bounded_listing(tmp_path, tally):
    """10^5 files with batches' names, and 20,000 each of folders with islands' names and files with starts' names."""
    outcome = done("crowd", tmp_path, n=100_000)
    assert outcome["refused"] == {"not a plain file": 3}
    tally(22, entries=outcome["cases"], imports_refused=3)


# Row 23: hostile JSON and arrays


@pytest.mark.slow
def test_every_lie_is_refused(tmp_path, tally):
    n_lies = strangers.write_lies(tmp_path / "lies")
    outcome = done("lies", tmp_path)
    assert outcome["accepted"] == []
    assert refused(outcome) == outcome["cases"] == n_lies
    assert set(outcome["refused"]) == {"damaged", "too large", "genes out of bounds"}
    tally(23, lies=outcome["cases"], imports_refused=refused(outcome))


@pytest.mark.slow
def test_a_signed_mutation_is_refused_or_sound(tmp_path, tally, chaos):
    outcome = done("signed_mutations", tmp_path, seed=0, n=20_000 if chaos else 1000)
    n_accepted = len(outcome["accepted"])
    assert refused(outcome) + n_accepted == outcome["cases"]
    assert 0.02 * outcome["cases"] < n_accepted < 0.5 * outcome["cases"]
    tally(23, signed_mutations=outcome["cases"], imports_refused=refused(outcome))


# Row 24: impostures


def test_a_whole_batch_of_something_else_is_refused(tmp_path, tally):
    outcome = done("impostures", tmp_path)
    assert outcome["accepted"] == []
    assert outcome["refused"] == {"of another run": 2, "of another genome layout": 2, "misplaced": 2}
    tally(24, impostures=outcome["cases"], imports_refused=refused(outcome))


def test_what_was_seen_before_does_not_come_again(tmp_path, tally):
    outcome = done("replays", tmp_path)
    assert outcome["refused"] == {"older than what was seen": 2, "misplaced": 1}
    tally(24, replays=outcome["cases"], imports_refused=refused(outcome))


# Row 26: memory and stack run out


def run_among_strangers(place):
    """Make a pool with an honest island, and others that offer 16 MB each, whole but for their being of no use."""
    shared = SharedPaths(place / "shared")
    assert run(shared.root, "honest") == 0
    identity = pool.read(shared)
    by = Stranger("m", identity.run_id, spec_of(identity.task))
    padding = arrayfile.encode({"genes": np.zeros(MAX_GENOME_FILE_BYTES // 4 - 4096, np.float32)}, strangers.KIND)
    return shared, by, padding


@pytest.mark.slow
def test_what_does_not_fit_into_memory_is_refused_and_the_island_lives(tmp_path, tally):
    shared, by, padding = run_among_strangers(tmp_path)
    for name in ("m1", "m2", "m3"):
        number_an_epoch(shared.island(name))
        write_batch(shared.island(name).publication(10), replace(by, name=name).around(padding))
    values = {"generations": 30, "migrate_every": 3}
    done("island", tmp_path, extra_bytes=12_000_000, values=values)
    refusals = read_ledger(shared.island("a"), "refused")
    starved = [event for event in refusals if event["detail"] == NO_MEMORY]
    assert len(starved) > 5
    assert {event["source"] for event in read_ledger(shared.island("a"), "imported")} == {"honest"}
    assert runlog.read_last(shared.island("a").log)["generation"]["generation"] == 30
    tally(26, imports_without_memory=len(starved), islands_alive=1)


@pytest.mark.parametrize("error", [MemoryError, RecursionError])
@pytest.mark.parametrize("act", ["publish", "import"])
def test_wherever_memory_or_stack_run_out_that_offer_or_import_is_lost_and_no_more(
    tmp_path, monkeypatch, tally, act, error
):
    """At every call of the functions that read, write, parse and hash."""
    places = ("os.open", "os.read", "os.write", "os.fstat", "atoll.evo.strict_json.parse", "hashlib.sha256")
    n_fired = 0
    for place in places:
        for n in itertools.count():
            disk = OnDisk(tmp_path / f"{place}-{n}")
            a = disk.island("a")
            disk.island("b").publish(10, migrants_of("b", 10))
            with monkeypatch.context() as patch:
                patch.setattr(Ledger, "note", lambda *_, **__: None)  # private: where that cannot be written, all ends
                fired = fail_at(patch, place, n, error)
                if act == "publish":
                    a.publish(10, migrants_of("a", 10))
                else:
                    a._draw(10, residents=nobody_from("a"), streams=streams(1, "a", 10))
            assert a.publish(20, migrants_of("a", 20)) == 3
            assert len(collect(a, "a", 20).migrants) > 0
            if not fired:
                break
            n_fired += 1
    assert n_fired >= 5
    tally(26, faults_fired=n_fired)


def fail_at(patch, place, n, error):
    """Let the n-th call of a function fail; return a list that is not empty once it has."""
    calls, fired = itertools.count(), []
    original = pydoc.locate(place)

    def called(*args, **names):
        if next(calls) == n:
            fired.append(n)
            raise error
        return original(*args, **names)

    patch.setattr(place, called)
    return fired


# Everything at once


@pytest.mark.slow
def test_an_island_lives_among_strangers_and_tells_what_it_refused(tmp_path, tally):
    shared, by, _ = run_among_strangers(tmp_path)
    told = [*strangers.lies(by.spec).values(), *strangers.IMPOSTURES.values()]
    for i, lie in enumerate(told):
        liar = replace(by, name=f"liar{i}", generation=12)
        number_an_epoch(shared.island(liar.name))
        write_batch(shared.island(liar.name).publication(liar.generation), lie(liar))
    outside = write_batch(tmp_path / "outside", by.batch())
    for i, plant in enumerate(strangers.nodes(outside).values()):
        plant(shared.pool / f"node{i}")
        number_an_epoch(shared.island(f"batch{i}"))
        plant(shared.island(f"batch{i}").publication(12))
    for name in strangers.NAMES:
        (shared.pool / os.fsdecode(name)).mkdir(exist_ok=True)
    values = {"generations": 80, "migrate_every": 2, "migrants": 10}
    done("island", tmp_path, values=values)
    assert done("observers", tmp_path)["refused"]["defects"] > len(told)
    row = {row.name: row for row in status.read_all(shared)}["a"]
    reasons = history.refusals_of(shared.island("a"))
    assert row.generation == 80
    assert row.refused == reasons.total() > 100
    assert {
        "damaged",
        "too large",
        "not a plain file",
        "genes out of bounds",
        "of another run",
        "misplaced",
    } <= reasons.keys()
    assert {passage.giver for passage in history.read_flow(shared, ("a",)).passages} == {"honest"}
    for command in (("pool", "verify"), ("pool", "ledger"), ("pool", "owners"), ("status",), ("tail", "--no-follow")):
        for output in ((), ("--json",)):
            ended = atoll(*command, *output, "--migration-dir", shared.root)
            assert ended.returncode == (9 if "verify" in command else 0)
            assert ended.stderr == ""
    tally(23, imports_refused_by_a_living_island=reasons.total())
