"""Laws of who owns what: one process per island, whatever becomes of its lock, its pool, or of who holds a lock."""

from __future__ import annotations

import json
import os
import shutil
import signal

import pytest

from atoll.evo.errors import FencedError, OwnerConflictError, StorageError
from atoll.evo.paths import SharedPaths
from atoll.migration.observe.verify import verify
from atoll.migration.pool import locks
from tests.faults.contest import contest, overlaps
from tests.processes import wait_until
from tests.scripts.run.island_process import (
    CONTEXT,
    KILLED,
    Job,
    copy_of,
    end,
    epochs_of,
    last_generation,
    outcome,
    run,
    start,
    wait_for,
)

pytestmark = pytest.mark.slow
TERMINATED = 128 + signal.SIGTERM
LONG = {"generations": 100_000, "migrate_every": 50, "checkpoint_every": 50}


@pytest.fixture(params=["flock", "soft"])
def pool(request, tmp_path):
    """A pool with one finished island, whose locks are of this class."""
    root = tmp_path / "shared"
    assert run(root, "peer") == 0
    identity = SharedPaths(root).identity
    document = json.loads(identity.read_text())
    identity.write_text(json.dumps({**document, "lock_class": request.param}, sort_keys=True, separators=(",", ":")))
    return root


def test_of_many_processes_that_start_one_island_at_once_exactly_one_runs(pool, tally, chaos):
    """Row 13."""
    n = 100 if chaos else 12
    processes = [start(Job(pool, "a", LONG)) for _ in range(n)]
    wait_until(lambda: sum(process.is_alive() for process in processes) == 1, "one to be left")
    owner = next(process for process in processes if process.is_alive())
    wait_for(lambda: last_generation(pool) >= 1, owner)
    owner.terminate()
    codes = sorted(end(process) for process in processes)
    assert codes == [OwnerConflictError.exit_code] * (n - 1) + [TERMINATED]
    assert epochs_of(pool) == [1]
    tally(13, starts=n, owners=1)


# Row 27: who holds a lock is frozen


def hold(path):
    """Hold a lock for as long as this process lives."""
    with locks.Locks("flock").owner(path).acquire(timeout=60):  # whoever asks if it is held takes it for a moment
        os.kill(os.getpid(), signal.SIGSTOP)


@pytest.mark.parametrize("whose", ["peer", "a"])
def test_a_frozen_holder_of_a_prune_lock_holds_nobody_up(tmp_path, tally, whose):
    """Imports go on without the lock; pruning is put off."""
    values = {"keep_generations": 3, "generations": 18}
    template = tmp_path / "template"
    run(template, "peer")
    root, whole = copy_of(template, tmp_path / "world"), copy_of(template, tmp_path / "whole")
    paths = SharedPaths(root).island(whose)
    holder = CONTEXT.Process(target=hold, args=(paths.prune_lock,))
    holder.start()
    wait_until_held(paths.prune_lock)
    assert run(root, **values) == 0
    holder.kill()
    assert end(holder) == KILLED
    assert run(whole, **values) == 0
    held, usual = outcome(root), outcome(whole)
    assert held["champion"] == usual["champion"]
    assert held["inbox"] == usual["inbox"]
    assert len(usual["published"]) == 3
    assert len(held["published"]) == (3 if whose == "peer" else 6)
    tally(27, holders=1)


def wait_until_held(path):
    def is_held():
        with locks.Locks("flock").pruning(path) as is_free:
            return not is_free

    wait_until(is_held, "the lock to be held")


# Row 28: what an island rests on is deleted under it


LEFT = {
    "epochs": {"published by epoch 1, of which there is no such record"},
    "migration_pool": {"of another run"},  # it was publishing just then; whoever reads that refuses it
}
"""What may be left behind, and is told of, by what was deleted."""


@pytest.mark.parametrize("deleted", ["locks", "a.owner.lock", "a", "epochs", "migration_pool"])
def test_whatever_is_deleted_under_an_island_two_owners_never_go_on_unnoticed(tmp_path, tally, deleted):
    """Without its lock a second process may start; then the first one sees the newer epoch, and stops."""
    root, said = tmp_path / "shared", tmp_path / "said"
    run(root, "peer")
    first = start(Job(root, "a", LONG, output=said))
    wait_for(lambda: last_generation(root) >= 60, first)
    shared = SharedPaths(root)
    paths = shared.island("a")
    places = {"locks": shared.locks, "a.owner.lock": paths.owner_lock, "a": paths.outbox}
    places |= {"epochs": paths.epochs, "migration_pool": shared.pool}
    delete(places[deleted])
    second = start(Job(root, "a", LONG))
    if deleted in {"a", "epochs"}:
        assert end(second) == OwnerConflictError.exit_code
        first.terminate()
        assert end(first) in {TERMINATED, FencedError.exit_code, StorageError.exit_code}
    else:
        assert end(first) == FencedError.exit_code, said.read_text()
        second.terminate()
        assert end(second) == TERMINATED
    assert run(root, **{**LONG, "generations": last_generation(root) + 60}) == 0
    left = {defect.reason.partition(":")[0] for defect in verify(shared).defects}
    assert left <= LEFT.get(deleted, set())
    tally(28, deletions=1)


def delete(path):
    """Delete a file or folder that an island is writing to."""
    while path.exists():
        shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink()


# Row 29: mutual exclusion


@pytest.mark.parametrize("lock_class", ["flock", "soft"])
def test_no_two_processes_hold_a_lock_at_once(tmp_path, tally, chaos, lock_class):
    held = contest(tmp_path, lock_class, 500 if chaos else 50)
    assert overlaps(held) == []
    tally(29, holds=len(held), overlaps=0)
