"""Laws of waiting in lockstep: it ends, it is heard and seen, and damage is waited out."""

from __future__ import annotations

import errno

import pytest

from atoll.evo import atomic
from atoll.evo.config import Migration
from atoll.evo.errors import FencedError, LockstepTimeoutError, StorageError
from atoll.evo.paths import GENOMES, MANIFEST
from atoll.evo.records import Start
from atoll.migration.exchange.lockstep import LockstepExchange, Timeout
from atoll.migration.pool.bounded_io import Reason, RefusedError
from atoll.migration.pool.ledger import Ledger
from atoll.migration.pool.mailbox import BEAT_INTERVAL_S, MAX_WAITED_FOR
from tests.migration.archipelago import SPEC, collect, damage, migrants_of, read_ledger, write_batch
from tests.migration.exchange.members import LOCKSTEP, is_ready, publish, refusing

PAUSE_S = 0.25


class Time:
    """A clock that stands still unless it is moved on."""

    def __init__(self):
        self.now_s = 0.0


def waiting(disk, name="a", *, timeout_s=60.0, **migration):
    """Return a member on disk with its own time, which is the mailbox's too, and its time."""
    time = Time()
    epoch = disk.epoch(name)
    ledger = Ledger(disk.paths(name))
    ledger.start(Start(epoch=epoch.number, generation=0))
    mailbox = disk.mailbox(name, epoch)
    mailbox._clock = lambda: time.now_s
    exchange = LockstepExchange(
        name,
        spec=SPEC,
        migration=Migration(**{"migrants": 5, **LOCKSTEP, **migration}),
        mailbox=mailbox,
        ledger=ledger,
        seen={},
        timeout=Timeout(timeout_s, clock=lambda: time.now_s),
    )
    return exchange, time


def wait(exchange, time, *, until_s=5000.0, generation=10):
    """Ask until ready, or until that time; return how often."""
    asked = 0
    while time.now_s < until_s and asked < 20_000 and not is_ready(exchange, "a", generation):
        asked += 1
        time.now_s += PAUSE_S
    return asked


def test_it_gives_up_when_the_timeout_is_over_and_not_before(disk):
    a, time = waiting(disk, timeout_s=60.0)
    a.publish(10, migrants_of("a", 10))
    with pytest.raises(LockstepTimeoutError):
        wait(a, time)
    assert time.now_s == 60.0


def test_giving_up_names_who_is_missing_and_what_to_do(disk):
    publish(disk, "c", 10)
    a, time = waiting(disk, timeout_s=5.0, migrants=30)
    a.publish(10, migrants_of("a", 10))
    with pytest.raises(LockstepTimeoutError) as ending:
        wait(a, time)
    assert str(ending.value) == (
        "a waited 5 s for b, d gen-10; start whoever of them does not run, then run the same command again "
        "(--lockstep-timeout-s sets how long to wait)"
    )
    assert ending.value.exit_code == 10


def test_who_is_missing_is_said_once_after_some_seconds(disk):
    a, time = waiting(disk, migrants=30)
    a.publish(10, migrants_of("a", 10))
    wait(a, time, until_s=2.9)
    assert read_ledger(disk.paths("a"), "waiting") == []
    wait(a, time, until_s=50.0)
    [said] = read_ledger(disk.paths("a"), "waiting")
    assert said["waiting_for"] == ["b", "c", "d"]
    assert "gen 10  waiting for b, c, d gen-10" in disk.paths("a").migration_log.read_text()


def test_many_who_are_missing_are_counted(disk):
    names = tuple(f"i{n}" for n in range(9))
    a, time = waiting(disk, members=",".join(["a", *names]), migrants=64)
    a.publish(10, migrants_of("a", 10))
    wait(a, time, until_s=5.0)
    assert "waiting for i0, i1, i2, i3 and 5 more gen-10" in disk.paths("a").migration_log.read_text()


def test_each_wait_has_its_own_time(disk):
    for name in "bcd":
        publish(disk, name, 10)
    a, time = waiting(disk, timeout_s=60.0)
    a.publish(10, migrants_of("a", 10))
    assert is_ready(a, "a", 10)
    time.now_s += 1000.0
    a.publish(20, migrants_of("a", 20))
    wait(a, time, until_s=1059.0, generation=20)
    with pytest.raises(LockstepTimeoutError):
        wait(a, time, generation=20)


def test_who_waits_beats_and_says_for_whom(disk):
    publish(disk, "c", 10)
    a, time = waiting(disk, migrants=30)
    a.publish(10, migrants_of("a", 10))
    beats = []
    while time.now_s < 10.0:
        is_ready(a, "a", 10)
        time.now_s += PAUSE_S
        beat = disk.paths("a").beat
        if beat.exists() and beat.read_bytes() not in beats:
            beats.append(beat.read_bytes())
    assert 7 <= len(beats) <= 10 / BEAT_INTERVAL_S, "no two are alike, or a watcher takes them for silence"
    assert all(b'"waiting_for":["b","d"]' in beat for beat in beats)
    for name in "bd":
        publish(disk, name, 10)
    assert is_ready(a, "a", 10)
    a.heartbeat(10)
    assert b'"waiting_for":[]' in disk.paths("a").beat.read_bytes(), "at once, however short ago the last one was"


def test_a_short_wait_costs_no_beat(disk):
    a, time = waiting(disk)
    a.publish(10, migrants_of("a", 10))
    wait(a, time, until_s=0.9)
    assert not disk.paths("a").beat.exists()


def test_a_beat_has_a_bounded_number_of_names(disk):
    disk.mailbox("a").beat(10, waiting_for=tuple(f"{i:064}" for i in range(1000)))
    assert disk.paths("a").beat.stat().st_size < 4096
    assert disk.paths("a").beat.read_bytes().count(b"0" * 50) == MAX_WAITED_FOR


def test_a_beat_that_cannot_be_written_is_noted_once_a_wait(disk, monkeypatch):
    a, time = waiting(disk)
    a.publish(10, migrants_of("a", 10))

    def refuse(*_args, **_kwargs):
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(atomic, "replace_file", refuse)
    wait(a, time, until_s=30.0)
    assert len(read_ledger(disk.paths("a"), "no-beat")) == 1


def test_who_waits_sees_that_it_has_been_taken_over(disk):
    a, time = waiting(disk)
    a.publish(10, migrants_of("a", 10))
    wait(a, time, until_s=5.0)
    disk.epoch("a", 10)
    with pytest.raises(FencedError):
        wait(a, time)


def test_an_offer_that_is_refused_for_too_long_ends_with_its_own_reason(disk, monkeypatch):
    a, time = waiting(disk, timeout_s=60.0)
    refusing(monkeypatch, 10**9, OSError(errno.ENOSPC, "No space left on device"))
    a.publish(10, migrants_of("a", 10))
    with pytest.raises(StorageError, match=r"cannot publish gen-10, tried for 60 s.*No space left.*free some space"):
        wait(a, time)
    assert len(read_ledger(disk.paths("a"), "unpublished")) == 1


def test_an_own_batch_that_cannot_be_read_is_looked_at_again(disk, monkeypatch):
    publish(disk, "a", 10)
    a, time = waiting(disk, timeout_s=60.0)

    def refuse(*_args):
        raise RefusedError(Reason.UNREADABLE, "manifest.json: Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr("atoll.migration.pool.mailbox.DirectoryMailbox._read_own", refuse)
        a.publish(10, migrants_of("a", 10))
        wait(a, time, until_s=10.0)
        with pytest.raises(StorageError, match="cannot publish gen-10, tried for 60 s: unreadable"):
            wait(a, time)


# Damage


@pytest.mark.parametrize("name", [GENOMES, MANIFEST])
def test_a_damaged_batch_is_refused_aloud_and_waited_for(disk, name):
    for each in "bcd":
        publish(disk, each, 10)
    damage(disk.paths("b").publication(10) / name)
    a, time = waiting(disk, migrants=30)
    a.publish(10, migrants_of("a", 10))
    wait(a, time, until_s=20.0)
    [refused] = read_ledger(disk.paths("a"), "refused")
    assert (refused["source"], refused["source_generation"], refused["reason"]) == ("b", 10, Reason.DAMAGED)
    publish(disk, "b", 10)  # its owner starts again, moves it away and publishes anew
    assert is_ready(a, "a", 10)
    assert collect(a, "a", 10).refusals == (), "when it was repaired is no part of the result"


def test_a_peer_that_is_refused_in_ever_new_ways_does_not_fill_the_ledger(disk):
    for each in "cd":
        publish(disk, each, 10)
    a, time = waiting(disk, migrants=30)
    a.publish(10, migrants_of("a", 10))
    for i in range(50):
        write_batch(disk.paths("b").publication(10), {MANIFEST: b"[" * i})
        is_ready(a, "a", 10)
    assert time.now_s < 60.0
    assert len(read_ledger(disk.paths("a"), "refused")) == 1
