"""Laws of reading others' folders: the newest valid batch, bounded work, a typed refusal for all else."""

from __future__ import annotations

import errno
import os
import shutil

import pytest
from msgspec.structs import replace

from atoll.evo.paths import GENOMES, MANIFEST
from atoll.migration.pool import batch, bounded_io, epochs, locks
from atoll.migration.pool.bounded_io import MAX_ISLANDS, Reason
from tests.migration.archipelago import damage, migrants_of, number_an_epoch, packed, publisher, write_batch


def reasons(found):
    return [Reason(refusal.reason) for refusal in found[1]]


def published(disk, generation=10, **changes):
    return write_batch(disk.paths("b").publication(generation), packed("b", generation, **changes))


def test_the_newest_is_the_highest_number(disk):
    for generation in (9, 10, 100):
        published(disk, generation=generation)
    assert disk.mailbox("a").newest("b", seen={})[0].manifest.generation == 100


def test_a_peer_who_has_published_nothing_is_no_error(disk):
    disk.mailbox("b")
    assert disk.mailbox("a").newest("b", seen={}) == (None, [])
    assert disk.mailbox("a").newest("gone", seen={}) == (None, [])


@pytest.mark.parametrize(
    "name", ["gen-010", "gen-", "gen-1x", ".gen-20", ".tmp-20-1-ab", "gen-20\n", "GEN-20", "gen-²"]
)
def test_other_names_are_no_batches(disk, name):
    published(disk)
    shutil.copytree(disk.paths("b").publication(10), disk.paths("b").outbox / name)
    found = disk.mailbox("a").newest("b", seen={})
    assert found[0].manifest.generation == 10
    assert found[1] == []


def test_behind_a_broken_batch_the_one_before_is_found(disk):
    published(disk, generation=10)
    damage(published(disk, generation=20) / GENOMES)
    found = disk.mailbox("a").newest("b", seen={})
    assert found[0].manifest.generation == 10
    assert reasons(found) == [Reason.DAMAGED]


def test_after_three_broken_batches_the_peer_is_left_alone(disk):
    """A folder of a thousand bad batches costs three reads per import, not a thousand."""
    for generation in range(10, 60, 10):
        published(disk, generation=generation)
        if generation > 10:
            damage(disk.paths("b").publication(generation) / GENOMES)
    found = disk.mailbox("a").newest("b", seen={})
    assert found[0] is None
    assert [r.generation for r in found[1]] == [50, 40, 30]


def test_a_batch_pruned_while_we_look_is_no_error(disk):
    published(disk, generation=10)
    (published(disk, generation=20) / MANIFEST).unlink()
    found = disk.mailbox("a").newest("b", seen={})
    assert found[0].manifest.generation == 10
    assert found[1] == []


@pytest.mark.parametrize(
    ("epoch", "generation", "is_taken"),
    [(2, 30, True), (2, 40, True), (3, 1, True), (2, 29, False), (1, 40, False), (1, 30, False)],
)
def test_nothing_older_than_what_was_seen_is_taken(disk, epoch, generation, is_taken):
    """The same again is no rollback; a new epoch may begin anew; an older one may not come back."""
    published(disk, generation=generation, epoch=epoch)
    found = disk.mailbox("a").newest("b", seen={"b": (2, 30)})
    assert (found[0] is not None) == is_taken
    assert reasons(found) == ([] if is_taken else [Reason.ROLLED_BACK])


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"run_id": "b" * 32}, Reason.OTHER_RUN),
        ({"genome_sha256": "0" * 64}, Reason.OTHER_GENOME),
        ({"island": "c"}, Reason.MISPLACED),
        ({"generation": 20}, Reason.MISPLACED),
    ],
)
def test_a_valid_batch_that_does_not_belong_here_is_refused(disk, changes, reason):
    files = batch.pack(publisher("b"), 10, migrants_of("b", 10))[1]
    manifest = replace(batch.pack(publisher("b"), 10, migrants_of("b", 10))[0], **changes)
    write_batch(disk.paths("b").publication(10), {**files, MANIFEST: manifest.encode()})
    assert reasons(disk.mailbox("a").newest("b", seen={})) == [reason]


def loop(outbox):
    outbox.symlink_to(outbox.name)


def link(outbox):
    target = outbox.parent / ".elsewhere"
    write_batch(target / "gen-10", packed("b", 10))
    outbox.symlink_to(target.name)


def batch_link(outbox):
    write_batch(outbox / "elsewhere", packed("b", 10))
    (outbox / "gen-10").symlink_to("elsewhere")


def batch_file(outbox):
    outbox.mkdir()
    (outbox / "gen-10").touch()


def batch_fifo(outbox):
    outbox.mkdir()
    os.mkfifo(outbox / "gen-10")


@pytest.mark.parametrize("plant", [loop, link, batch_link, batch_file, batch_fifo])
def test_a_folder_that_is_not_what_it_seems_is_a_refusal(disk, plant):
    mailbox = disk.mailbox("a")
    plant(disk.paths("b").outbox)
    found, refusals = mailbox.newest("b", seen={})
    assert found is None
    assert [Reason(r.reason) for r in refusals] in ([Reason.NOT_A_FILE], [Reason.UNREADABLE])


def test_a_folder_that_may_not_be_read_is_a_refusal(disk, monkeypatch):
    mailbox = disk.mailbox("a")
    published(disk)

    def refuse(path, *_args):
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr(os, "scandir", refuse)
    found = mailbox.newest("b", seen={})
    assert found[0] is None
    assert reasons(found) == [Reason.UNREADABLE]


@pytest.mark.parametrize("code", [errno.EACCES, errno.EIO, errno.ENOMEM])
def test_a_batch_that_cannot_be_read_is_a_refusal(disk, monkeypatch, code):
    mailbox = disk.mailbox("a")
    published(disk)

    def refuse(_descriptor, _n):
        raise OSError(code, "no")

    monkeypatch.setattr(os, "read", refuse)
    assert reasons(mailbox.newest("b", seen={})) == [Reason.UNREADABLE]


@pytest.mark.parametrize("code", [errno.ENOENT, errno.ESTALE])
def test_a_batch_that_went_while_it_was_read_is_no_error(disk, monkeypatch, code):
    mailbox = disk.mailbox("a")
    published(disk)

    def gone(_descriptor, _n):
        raise OSError(code, "gone")

    monkeypatch.setattr(os, "read", gone)
    assert mailbox.newest("b", seen={}) == (None, [])


def test_only_who_something_vanished_under_asks_the_peer_not_to_prune_and_looks_again(disk, monkeypatch):
    """Each look after the first one finds pruning paused, and the batch that is there then is the one that counts."""
    mailbox = disk.mailbox("a")
    published(disk)
    lock, read, is_held = disk.paths("b").prune_lock, batch.read, []

    def pruned_once(path, **identity):
        with locks.Locks("flock").pruning(lock) as is_free:
            is_held.append(not is_free)
        if len(is_held) == 1:
            published(disk, generation=20)
            shutil.rmtree(path)
        return read(path, **identity)

    monkeypatch.setattr(batch, "read", pruned_once)
    found = mailbox.newest("b", seen={})
    assert (found[0].manifest.generation, found[1]) == (20, [])
    assert is_held == [False, True]
    assert mailbox.newest("b", seen={})[0].manifest.generation == 20
    assert is_held == [False, True, False]


def test_reading_goes_on_while_the_peer_s_lock_is_held(disk):
    mailbox = disk.mailbox("a")
    published(disk)
    with locks.Locks("flock").pruning(disk.paths("b").prune_lock):
        assert mailbox.newest("b", seen={})[0] is not None


def test_an_import_costs_a_bounded_number_of_files_whoever_offers_them(disk, monkeypatch):
    """Two batches fit the budget; the third peer is refused unread, once, and the next import begins anew."""
    monkeypatch.setattr(bounded_io, "MAX_ROUND_FILES", 4)
    for name in "bcd":
        number_an_epoch(disk.paths(name))
        for generation in (10, 20, 30):
            write_batch(disk.paths(name).publication(generation), packed(name, generation))
    mailbox = disk.mailbox("a")
    for _ in range(2):
        assert mailbox.peers() == ("b", "c", "d")
        assert [reasons(mailbox.newest(name, seen={})) for name in "bcd"] == [[], [], [Reason.OVER_BUDGET]]


def test_an_import_costs_a_bounded_time(disk):
    published(disk)
    mailbox = disk.mailbox("a")
    mailbox.peers()
    disk.now_s = bounded_io.MAX_ROUND_S + 0.1
    assert reasons(mailbox.newest("b", seen={})) == [Reason.OVER_BUDGET]
    mailbox.peers()
    assert reasons(mailbox.newest("b", seen={})) == []


def test_a_batch_that_is_waited_for_by_name_has_no_budget(disk):
    """In lockstep an import must not depend on time."""
    published(disk)
    mailbox = disk.mailbox("a")
    disk.now_s = bounded_io.MAX_ROUND_S + 0.1
    assert mailbox.at("b", 10).manifest.generation == 10


def test_peers_are_the_others_with_islands_names(disk):
    mailbox = disk.mailbox("b")
    for name in ("a", "c", ".tmp-x", "locks", "LOCKS", "a b", "-x", "x" * 65, "é"):
        (disk.shared.pool / name / "epochs").mkdir(parents=True, exist_ok=True)
        (disk.shared.pool / name / "epochs" / "1.json").touch()
    for stray in ("POOL.json", "notes"):
        (disk.shared.pool / stray).touch()
    (disk.shared.pool / "linked").symlink_to(disk.shared.pool / "a")
    assert mailbox.peers() == ("a", "c", "linked")


@pytest.mark.parametrize(
    "inside", ["", "epochs", "gen-10", "migration_pool", "epochs/0.json", "epochs/.tmp-1.json-7-ab"]
)
def test_a_folder_without_an_epoch_is_nobody_s_neighbour(disk, inside):
    mailbox = disk.mailbox("c")
    disk.epoch("a")
    (disk.paths("b").outbox / inside).mkdir(parents=True)
    assert mailbox.peers() == ("a",)


def test_a_neighbour_is_one_from_its_first_epoch_on(disk):
    mailbox = disk.mailbox("c")
    disk.paths("b").epochs.mkdir(parents=True)
    assert mailbox.peers() == ()
    disk.epoch("b")
    assert mailbox.peers() == ("b",)


def test_whoever_has_started_is_looked_for_once(disk, monkeypatch):
    """Among a thousand islands an import may not cost a thousand looks; who left and came as a folder is none again."""
    mailbox, looks = disk.mailbox("c"), []
    for name in "ab":
        disk.epoch(name)
    latest_number = epochs.latest_number
    monkeypatch.setattr(epochs, "latest_number", lambda paths: looks.append(paths.name) or latest_number(paths))
    assert [mailbox.peers() for _ in range(3)] == [("a", "b")] * 3
    assert sorted(looks) == ["a", "b", "c"]
    shutil.rmtree(disk.paths("a").outbox)
    assert mailbox.peers() == ("b",)
    disk.paths("a").outbox.mkdir()
    assert mailbox.peers() == ("b",)


def test_a_neighbour_that_may_not_be_looked_into_stays_one(disk, monkeypatch):
    """Else its trouble would be told by nobody."""
    mailbox = disk.mailbox("c")
    disk.epoch("a")

    def refuse(paths):
        raise PermissionError(errno.EACCES, "Permission denied", str(paths.epochs))

    monkeypatch.setattr(epochs, "latest_number", refuse)
    assert mailbox.peers() == ("a",)


def test_peers_are_bounded(disk):
    mailbox = disk.mailbox("a")
    for i in range(MAX_ISLANDS + 10):
        number_an_epoch(disk.paths(f"i{i:05}"))
    assert len(mailbox.peers()) == MAX_ISLANDS - 1


def test_a_pool_that_has_gone_has_no_peers(disk):
    mailbox = disk.mailbox("a")
    shutil.rmtree(disk.shared.pool)
    assert mailbox.peers() == ()


def test_a_pool_that_cannot_be_listed_is_an_error(disk, monkeypatch):
    """The exchange makes it a refusal."""
    mailbox = disk.mailbox("a")

    def refuse(path):
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(PermissionError):
        mailbox.peers()
