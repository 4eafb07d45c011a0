"""Laws of the pool on disk: who may publish, what is read, what is cleared away, and what each race leaves."""

from __future__ import annotations

import errno
import os
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from atoll.evo import atomic
from atoll.evo.errors import FencedError, StorageError
from atoll.evo.paths import GENOMES, MANIFEST
from atoll.migration.pool import batch, locks
from atoll.migration.pool.bounded_io import Reason, RefusedError
from tests.migration.archipelago import damage, migrants_of, packed, publisher, tree, write_batch

# Publishing


def test_a_batch_is_whole_and_nothing_else_appears(disk):
    mailbox = disk.mailbox("a")
    mailbox.publish(10, migrants_of("a", 10))
    outbox = disk.paths("a").outbox
    assert sorted(p.name for p in outbox.iterdir()) == ["epochs", "gen-10"]
    assert sorted(p.name for p in disk.paths("a").publication(10).iterdir()) == [GENOMES, MANIFEST]


def test_publishing_again_changes_nothing_whichever_start_does_it(disk):
    disk.mailbox("a").publish(10, migrants_of("a", 10))
    before = tree(disk.paths("a").publication(10))
    disk.mailbox("a").publish(10, migrants_of("a", 10))
    assert tree(disk.paths("a").publication(10)) == before


def test_a_higher_epoch_stops_the_older_owner(disk):
    older = disk.mailbox("a")
    older.publish(10, migrants_of("a", 10))
    newer = disk.mailbox("a")
    with pytest.raises(FencedError):
        older.publish(20, migrants_of("a", 20))
    newer.publish(20, migrants_of("a", 20))
    assert not list(disk.paths("a").outbox.glob(".*"))


def test_two_owners_at_once_leave_one_history(disk, monkeypatch):
    """Both pass the look for a higher epoch, both find the name free: the rename lets one in, the other stops."""
    older, newer = disk.epoch("a"), disk.epoch("a")
    mailboxes = disk.mailbox("a", older), disk.mailbox("a", newer)
    monkeypatch.setattr("atoll.migration.pool.epochs.check_owner", lambda *_: None)
    create = atomic.create_directory

    def overtaken(path, files, **kwargs):
        monkeypatch.setattr(atomic, "create_directory", create)
        mailboxes[1].publish(10, migrants_of("a", 10, 4))
        create(path, files, **kwargs)

    monkeypatch.setattr(atomic, "create_directory", overtaken)
    with pytest.raises(FencedError, match="published by epoch 2, not by this process"):
        mailboxes[0].publish(10, migrants_of("a", 10, 3))
    found = disk.pool.read("a", 10)
    assert (found.manifest.epoch, len(found.migrants)) == (2, 4)
    assert not list(disk.paths("a").outbox.glob(".*"))


def test_what_an_older_epoch_slipped_in_is_left_and_ours_is_not_published(disk):
    disk.mailbox("a").publish(10, migrants_of("a", 10, 4))
    before = tree(disk.paths("a").publication(10))
    with pytest.raises(RefusedError, match="another batch of epoch 1 has the name gen-10"):
        disk.mailbox("a").publish(10, migrants_of("a", 10, 3))
    assert tree(disk.paths("a").publication(10)) == before


@pytest.mark.parametrize("code", [errno.EIO, errno.ESTALE, errno.ENOENT, errno.EEXIST])
def test_a_lost_answer_to_our_rename_is_success(disk, monkeypatch, code):
    rename = os.rename

    def lose_answer(source, target):
        rename(source, target)
        raise OSError(code, "lost")

    mailbox = disk.mailbox("a")
    monkeypatch.setattr(os, "rename", lose_answer)
    mailbox.publish(10, migrants_of("a", 10))
    assert disk.paths("a").publication(10).is_dir()


@pytest.mark.parametrize("code", [errno.EIO, errno.ENOSPC, errno.EROFS, errno.EDQUOT])
def test_a_rename_that_failed_is_a_failure_and_leaves_nothing(disk, monkeypatch, code):
    def fail(_source, _target):
        raise OSError(code, "no")

    mailbox = disk.mailbox("a")
    monkeypatch.setattr(os, "rename", fail)
    with pytest.raises(OSError, match="no"):
        mailbox.publish(10, migrants_of("a", 10))
    monkeypatch.undo()
    assert sorted(p.name for p in disk.paths("a").outbox.iterdir()) == ["epochs"]
    mailbox.publish(10, migrants_of("a", 10))


def test_short_writes_are_completed(disk, monkeypatch):
    write = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: write(descriptor, data[:7]))
    disk.mailbox("a").publish(10, migrants_of("a", 10))
    monkeypatch.undo()
    assert disk.mailbox("b").newest("a", seen={})[0] is not None


BROKEN = {
    "damaged genomes": lambda place: damage(place / GENOMES),
    "damaged manifest": lambda place: damage(place / MANIFEST),
    "empty genomes": lambda place: os.truncate(place / GENOMES, 0),
    "no manifest": lambda place: (place / MANIFEST).unlink(),
    "no genomes": lambda place: (place / GENOMES).unlink(),
    "nothing in it": lambda place: [p.unlink() for p in place.iterdir()],
    "a file": lambda place: [shutil.rmtree(place), place.touch()],
    "a link": lambda place: [place.rename(place.parent / "x"), place.symlink_to("x")],
}


@pytest.mark.parametrize("break_", BROKEN.values(), ids=BROKEN)
def test_an_own_broken_batch_is_replaced_when_it_is_published_again(disk, break_):
    """A power cut may leave a name without its bytes."""
    disk.mailbox("a").publish(10, migrants_of("a", 10))
    whole = tree(disk.paths("a").publication(10))
    break_(disk.paths("a").publication(10))
    disk.mailbox("a").publish(10, migrants_of("a", 10))
    assert tree(disk.paths("a").publication(10)).keys() == whole.keys()
    assert disk.mailbox("b").newest("a", seen={})[0] is not None
    disk.mailbox("a").mend()
    assert not list(disk.paths("a").outbox.glob(".*"))


# Mending


@pytest.mark.parametrize("break_", BROKEN.values(), ids=BROKEN)
def test_mending_moves_own_broken_batches_away_and_keeps_whole_ones(disk, break_):
    mailbox = disk.mailbox("a")
    mailbox.publish(10, migrants_of("a", 10))
    mailbox.publish(20, migrants_of("a", 20))
    kept = tree(disk.paths("a").publication(20))
    break_(disk.paths("a").publication(10))
    moved, left = disk.mailbox("a").mend()
    assert ([refusal.generation for refusal in moved], left) == ([10], [])
    assert not os.path.lexists(disk.paths("a").publication(10))
    assert len(list(disk.paths("a").outbox.glob(".trash-gen-10-*"))) == 1  # until the next start
    assert tree(disk.paths("a").publication(20)) == kept
    assert disk.mailbox("a").mend() == ([], [])
    assert not list(disk.paths("a").outbox.glob(".*"))


def unreadable(monkeypatch, code):
    """Let reads of any file fail for a while, as a network file system does."""
    read = os.read

    def refuse(descriptor, n):
        if "/gen-" in str(Path(f"/proc/self/fd/{descriptor}").readlink()):
            raise OSError(code, os.strerror(code))
        return read(descriptor, n)

    monkeypatch.setattr(os, "read", refuse)


@pytest.mark.parametrize("code", [errno.EIO, errno.ESTALE, errno.EACCES, errno.ETIMEDOUT])
def test_a_batch_that_cannot_be_read_just_now_is_kept(disk, monkeypatch, code):
    disk.mailbox("a").publish(10, migrants_of("a", 10))
    before = tree(disk.paths("a").publication(10))
    mailbox = disk.mailbox("a")
    with monkeypatch.context() as patch:
        unreadable(patch, code)
        moved, left = mailbox.mend()
        assert (moved, [(r.generation, r.reason) for r in left]) == ([], [(10, Reason.UNREADABLE)])
        with pytest.raises(RefusedError, match="unreadable"):
            mailbox.publish(10, migrants_of("a", 10))
    assert tree(disk.paths("a").publication(10)) == before
    mailbox.publish(10, migrants_of("a", 10))


@pytest.mark.parametrize(
    ("changes", "reason"),
    [({"run_id": "b" * 32}, Reason.OTHER_RUN), ({"genome_sha256": "0" * 64}, Reason.OTHER_GENOME)],
)
def test_a_batch_that_is_whole_but_not_of_this_run_is_kept(disk, changes, reason):
    """A POOL.json that was made anew must not cost what the run before had published."""
    mailbox = disk.mailbox("a")
    write_batch(disk.paths("a").publication(10), packed("a", 10, **changes))
    before = tree(disk.paths("a").publication(10))
    moved, left = mailbox.mend()
    assert (moved, [(r.generation, r.reason) for r in left]) == ([], [(10, reason)])
    with pytest.raises(RefusedError, match=str(reason)):
        mailbox.publish(10, migrants_of("a", 10))
    assert tree(disk.paths("a").publication(10)) == before


def test_mending_clears_what_dead_starts_left(disk):
    mailbox = disk.mailbox("a")
    outbox = disk.paths("a").outbox
    for name in (".tmp-10-1-ab", ".trash-gen-10-1-ab"):
        write_batch(outbox / name, {"f": b"x"})
    for name in (".tmp-beat.json-9-ab", ".trash-gen-20-1-ab", "epochs/.tmp-1.json-9-ab"):
        (outbox / name).write_bytes(b"x")
    before = disk.paths("a").epoch(1).read_bytes()
    assert mailbox.mend() == ([], [])
    assert sorted(p.name for p in outbox.rglob("*")) == ["1.json", "epochs"]
    assert disk.paths("a").epoch(1).read_bytes() == before


def test_mending_never_touches_what_it_does_not_recognise_or_what_is_others(disk):
    """Others' broken batches and leftovers are theirs to clear; a person's notes are a person's."""
    mailbox = disk.mailbox("a")
    disk.mailbox("b").publish(10, migrants_of("b", 10))
    damage(disk.paths("b").publication(10) / GENOMES)
    write_batch(disk.paths("b").outbox / ".tmp-10-1-ab", {"f": b"x"})
    write_batch(disk.paths("a").outbox / "notes", {"f": b"x"})
    (disk.shared.pool / ".tmp-x").touch()
    before = tree(disk.shared.pool)
    assert mailbox.mend() == ([], [])
    assert tree(disk.shared.pool) == before


# Pruning


def test_pruning_keeps_the_newest(disk):
    mailbox = disk.mailbox("a")
    for generation in (8, 9, 10, 11):
        mailbox.publish(generation, migrants_of("a", generation))
    assert sorted(mailbox.prune(3)) == [8]
    assert sorted(mailbox.prune(3)) == []
    assert sorted(p.name for p in disk.paths("a").outbox.iterdir()) == ["epochs", "gen-10", "gen-11", "gen-9"]


def test_pruning_skips_its_round_while_somebody_reads(disk):
    mailbox = disk.mailbox("a")
    for generation in (10, 20):
        mailbox.publish(generation, migrants_of("a", generation))
    before = tree(disk.shared.pool)
    with locks.Locks("flock").pruning_paused(disk.paths("a").prune_lock):
        assert mailbox.prune(1) == []
    assert tree(disk.shared.pool).keys() - before.keys() <= {"locks/a.prune.lock"}
    assert mailbox.prune(1) == [10]


# The island's own record


def test_an_inbox_that_cannot_be_written_stops_the_island(disk):
    mailbox = disk.mailbox("a")
    disk.paths("a").home.parent.mkdir(parents=True)
    disk.paths("a").home.touch()
    with pytest.raises(StorageError, match="cannot write the inbox"):
        mailbox.save_arrivals(10, None)


def test_a_beat_shows_the_generation_once_a_second_at_most(disk):
    mailbox = disk.mailbox("a")
    for now_s, generation, shown in ((0.0, 1, 1), (0.9, 2, 1), (1.0, 3, 3), (1.9, 4, 3), (2.5, 5, 5)):
        disk.now_s = now_s
        mailbox.beat(generation)
        assert f'"generation":{shown}' in disk.paths("a").beat.read_text()
    assert not list(disk.paths("a").outbox.glob(".*"))


def test_equal_content_is_ours_though_the_epoch_differs(disk):
    by = replace(publisher("a"), epoch=5, nonce="other")
    write_batch(disk.paths("a").publication(10), batch.pack(by, 10, migrants_of("a", 10))[1])
    disk.mailbox("a").publish(10, migrants_of("a", 10))
    genes = disk.mailbox("b").newest("a", seen={})[0].migrants.population.genes
    assert np.array_equal(genes, migrants_of("a", 10).population.genes)
