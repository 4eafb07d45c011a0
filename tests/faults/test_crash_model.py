"""Laws of a power cut under `--durability power`: all or nothing, and what was acknowledged is there.

A kill loses nothing that was written, so no kill finds a missing sync; this model does, and shows it: each sync and
each commit of the code is left out in turn, and each time the model objects.
"""

from __future__ import annotations

import os
import shutil
import traceback

import numpy as np
import pytest

from atoll.evo import atomic, checkpoint
from atoll.migration.pool import identity as pool
from atoll.migration.pool import inbox, locks
from tests.faults.crash_model import Disk, restore
from tests.faults.operations import Checkpoint, Claim, Operation, Publish, Start
from tests.faults.samples import SEED, SPEC, TASK, checkpoint_of
from tests.faults.world import World
from tests.migration.archipelago import migrants_of

MOUNT = locks.MountSupport(flock_excludes=True, hard_links=True, directory_fsync=True, rename_refuses=True)


class FirstCheckpoint(Operation):
    """The first of all, for which every directory is made."""

    name = "first checkpoint"

    def prepare(self, world):
        world.root.mkdir()

    def ready(self, world):
        return lambda: str(checkpoint.save(world.a, checkpoint_of(2)))

    def check(self, world, acknowledged):
        newest = checkpoint.load_newest(world.a)
        assert acknowledged is None or newest is not None, "an acknowledged checkpoint is lost"
        assert newest is None or checkpoint.encode(newest) == checkpoint.encode(checkpoint_of(2))

    def recover(self, world):
        atomic.clear_leftovers(world.a.checkpoints)
        checkpoint.save(world.a, checkpoint_of(2))
        return sorted(path.name for path in world.a.checkpoints.iterdir())


class Inbox(Operation):
    name = "inbox"
    arrivals = inbox.Arrivals(migrants_of("b", 10, spec=SPEC), peers=1)

    def prepare(self, world):
        atomic.make_directory(world.a.home)

    def ready(self, world):
        return lambda: str(inbox.save(world.a, 10, self.arrivals))

    def check(self, world, acknowledged):
        found = inbox.load(world.a, 10)
        assert acknowledged is None or found is not None, "an acknowledged import is lost"
        assert found is None or inbox.encode(10, found) == inbox.encode(10, self.arrivals)

    def recover(self, world):
        atomic.clear_leftovers(world.a.inboxes)
        inbox.save(world.a, 10, self.arrivals)
        return sorted(path.name for path in world.a.inboxes.iterdir())


class Founding(Operation):
    name = "POOL.json"

    def prepare(self, world):
        atomic.make_directory(world.shared.locks)

    def ready(self, world):
        return lambda: pool.join(world.shared, seed=SEED, task=TASK).run_id

    def check(self, world, acknowledged):
        found = pool.read(world.shared)
        assert acknowledged is None or (found is not None and found.run_id == acknowledged)

    def recover(self, world):
        pool.join(world.shared, seed=SEED, task=TASK)
        return sorted(path.name for path in world.shared.pool.iterdir())


class Republish(Publish):
    """A publication that an earlier start made visible and never synced."""

    name = "publish again"

    def ready(self, world):
        mailbox, emigrants = world.mailbox(world.newest_epoch()), migrants_of("a", 20, spec=SPEC)

        def deed():
            sync = atomic.sync_directory
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(atomic, "sync_directory", lambda path: path == world.a.outbox or sync(path))
                mailbox.publish(20, emigrants)
            return str(mailbox.publish(20, emigrants))

        return deed


MODELLED = [Publish(), Checkpoint(), FirstCheckpoint(), Claim(), Founding(), Inbox()]


def explored(operation, place, without=("", 0)):
    """Do it once; return the disk and what is wrong with any state that a cut could leave, during it or after."""
    template, root = World(place / "template"), place / "world"
    if not template.root.exists():
        operation.prepare(template)
    shutil.rmtree(root, ignore_errors=True)
    shutil.copytree(template.root, root)
    disk = Disk(root, without=without)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(locks, "probe", lambda _: MOUNT)
        if without[0]:
            patch.setattr(atomic, "_check_moved", lambda _: None)
        deed = operation.ready(World(root))
        for name in Disk.calls:
            patch.setattr(os, name, disk.interposed(name))
        try:
            said = deed()
        except operation.refusals as error:
            return disk, [f"refused: {error}"]
        patch.undo()
        patch.setattr(locks, "probe", lambda _: MOUNT)
        before = [wrong_with(operation, place, tree, None) for tree in disk.states]
        after = [wrong_with(operation, place, tree, said) for tree in disk.final_states()]
    return disk, list(filter(None, before + after))


def wrong_with(operation, place, tree, acknowledged):
    """Start again from a state of the disk; return what is wrong, or nothing."""
    cut = place / "cut"
    shutil.rmtree(cut, ignore_errors=True)
    try:
        operation.check(World(restore(tree, cut)), acknowledged)
        operation.recover(World(cut))
    except Exception:
        return traceback.format_exc()
    return ""


@pytest.mark.parametrize("operation", [*MODELLED, Republish()], ids=lambda operation: operation.name)
def test_a_power_cut_leaves_all_or_nothing_and_what_was_acknowledged(tmp_path, tally, operation):
    disk, wrong = explored(operation, tmp_path)
    assert not wrong, "\n".join(wrong)
    tally(9, states=len(disk.states))


@pytest.mark.slow
@pytest.mark.parametrize("operation", MODELLED, ids=lambda operation: operation.name)
def test_the_model_objects_to_each_sync_and_each_commit_that_is_left_out(tmp_path, tally, operation):
    whole, _ = explored(operation, tmp_path)
    for name in ("fsync", "rename", "replace", "link"):
        for n in range(1, whole.counts[name] + 1):
            _, wrong = explored(operation, tmp_path, without=(name, n))
            assert wrong, f"nothing depends on {name} number {n}"
            tally(9, mutants=1, mutants_found=1)


@pytest.mark.slow
def test_an_island_whose_power_is_cut_at_any_call_of_its_life_ends_as_if_it_had_not(tmp_path, tally, chaos):
    """States are drawn after each call; what is synced decides the end, logs and beats may be lost."""
    life, template = Start(), World(tmp_path / "template")
    life.prepare(template)
    states = set()
    for seed in (1, 2) if chaos else (1,):
        root = shutil.copytree(template.root, tmp_path / f"world-{seed}")
        states |= drawn_states(life, root, seed=seed)
    expected = kept(life, World(root))
    for n, tree in enumerate(sorted(states, key=repr)[:: 1 if chaos else 11]):
        world = World(restore(tree, tmp_path / f"cut-{n}"))
        life.check(world, None)
        life.recover(world)
        assert kept(life, world) == expected
        shutil.rmtree(world.root)
        tally(9, states=1)


def drawn_states(life, root, *, seed):
    """Live once; return what a cut may have left after each call."""
    disk = Disk(root, rng=np.random.default_rng(seed))
    with pytest.MonkeyPatch.context() as patch:
        for name in Disk.calls:
            patch.setattr(os, name, disk.interposed(name))
        life.ready(World(root))()
    return set(disk.states)


def kept(life, world):
    """Return what must be the same; an older checkpoint may be left besides, if its removal was not synced."""
    outcome = life.outcome(world)
    newest = max(outcome["checkpoints"].items())
    return newest, {name: outcome[name] for name in ("champion", "inbox", "published", "leftovers")}
