"""Laws of a taken-over island: the older process stops, soon and whatever it does; mere rubbish stops nobody."""

from __future__ import annotations

import errno
import json
import os

import pytest
from msgspec.structs import asdict

from atoll.evo.errors import FencedError
from atoll.migration.pool import epochs
from tests.migration.archipelago import migrants_of, read_ledger, tree


@pytest.mark.parametrize("lock_class", ["flock", "soft"])
def test_the_older_of_two_owners_is_fenced_and_leaves_no_mixed_history(disk, lock_class):
    """Where locks do nothing, both start; the first publication of the older one ends it."""
    disk.lock_class = lock_class
    older = disk.island("a")
    older.publish(10, migrants_of("a", 10))
    newer = disk.island("a", generation=10)
    newer.publish(20, migrants_of("a", 20))
    before = tree(disk.paths("a").outbox)
    for generation in (10, 20, 30):
        with pytest.raises(FencedError):
            older.publish(generation, migrants_of("a", generation, 4))
    assert tree(disk.paths("a").outbox) == before
    newer.publish(30, migrants_of("a", 30))
    assert [disk.pool.read("a", g).manifest.epoch for g in (10, 20, 30)] == [1, 2, 2]


@pytest.mark.parametrize("topology", ["full", "none"])
def test_an_older_owner_that_only_beats_is_fenced_within_a_second(disk, topology):
    """Between migrations, and without any."""
    mailbox, island = disk.mailbox("a"), disk.island("b", topology=topology)
    mailbox.beat(1)
    island.heartbeat(1)
    disk.epoch("a")
    disk.epoch("b")
    before = disk.paths("a").beat.read_bytes()
    disk.now_s = 0.9
    mailbox.beat(2)
    disk.now_s = 1.0
    with pytest.raises(FencedError, match=f"island a was taken over by process {os.getpid()}"):
        mailbox.beat(3)
    assert disk.paths("a").beat.read_bytes() == before


def test_the_exchange_passes_on_that_it_is_fenced(disk):
    older = disk.island("a", topology="none")
    disk.epoch("a")
    with pytest.raises(FencedError):
        older.heartbeat(1)
    assert read_ledger(disk.paths("a"), "no-beat") == []


RUBBISH = {
    "an empty object": lambda path, _: path.write_text("{}"),
    "torn": lambda path, whole: path.write_bytes(whole[:-1]),
    "empty": lambda path, _: path.touch(),
    "another epoch's": lambda path, whole: path.write_bytes(whole),
    "a folder": lambda path, _: path.mkdir(),
    "a pipe": lambda path, _: os.mkfifo(path),
    "a link": lambda path, _: path.symlink_to("1.json"),
    "oversized": lambda path, _: (path.touch(), os.truncate(path, 1 << 30)),
}


@pytest.mark.parametrize("plant", RUBBISH.values(), ids=RUBBISH)
def test_a_name_without_a_record_stops_nobody_and_is_not_used_again(disk, plant):
    paths, epoch = disk.paths("a"), disk.epoch("a")
    mailbox = disk.mailbox("a", epoch)
    plant(paths.epoch(99), paths.epoch(1).read_bytes())
    mailbox.beat(1)
    mailbox.publish(10, migrants_of("a", 10))
    assert epochs.latest(paths) == epoch
    assert disk.epoch("a").number == 100
    with pytest.raises(FencedError):
        mailbox.publish(20, migrants_of("a", 20))


def test_a_take_over_below_rubbish_is_seen(disk):
    older = disk.mailbox("a")
    disk.epoch("a")
    for number in range(50, 60):
        disk.paths("a").epoch(number).write_text("{}")
    with pytest.raises(FencedError):
        older.beat(1)


def test_a_record_that_cannot_be_read_now_may_be_a_take_over(disk, monkeypatch):
    """Who cannot know publishes nothing, and does not stop for it either."""
    island, mailbox = disk.island("a"), disk.mailbox("a")
    disk.epoch("a")
    read = os.read

    def refuse(*_):
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, "read", refuse)
    with pytest.raises(OSError, match="epoch 3 of a cannot be read"):
        mailbox.publish(10, migrants_of("a", 10))
    assert island.publish(10, migrants_of("a", 10)) == 0
    monkeypatch.setattr(os, "read", read)
    assert not disk.paths("a").publication(10).exists()
    assert len(read_ledger(disk.paths("a"), "unpublished")) == 1


def test_a_record_with_anothers_number_is_none(disk):
    paths, epoch = disk.paths("a"), disk.epoch("a")
    paths.epoch(7).write_text(json.dumps({**asdict(epoch), "number": 8}))
    assert epochs.read(paths, 7) is None
    assert epochs.read(paths, 1) == epoch
