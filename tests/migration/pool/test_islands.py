"""Laws of owners: each island has one row, nobody is disturbed by a look, and nobody is called dead who may live."""

from __future__ import annotations

import json
import os
import socket

import pytest
from msgspec.structs import asdict, replace

from atoll.evo import atomic
from atoll.evo.errors import OwnerConflictError
from atoll.migration.pool import epochs, locks
from atoll.migration.pool.access import is_beyond_knowing, owned
from atoll.migration.pool.islands import Owner, read_owners
from tests.migration.archipelago import tree

HOST, HERE = socket.gethostname(), epochs.this_place()


def change(paths, **fields):
    epoch = replace(epochs.latest(paths), **fields)
    atomic.replace_file(paths.epoch(epoch.number), json.dumps(asdict(epoch)).encode(), durable=False)


def refused(disk, **options):
    """Try to own an island in vain; return why."""
    with pytest.raises(OwnerConflictError) as conflict, owned(disk.pool, disk.paths("a"), **options, say=pytest.fail):
        pass
    return str(conflict.value)


@pytest.mark.parametrize(
    ("fields", "state"),
    [
        ({}, "running"),
        ({"boot_id": "before"}, "ended"),
        ({"host": "far-away"}, "unknown"),
        ({"host": f"{HOST}?pidns-f0000001"}, "unknown"),
        ({"host": f"{HOST}?pidns-f0000001", "boot_id": "before"}, "ended"),
    ],
)
def test_an_island_has_the_state_of_its_newest_start(disk, fields, state):
    disk.epoch("a")
    epoch = disk.epoch("a")
    change(disk.paths("a"), **fields)
    [row] = read_owners(disk.shared, locks.Locks("flock"))
    host = fields.get("host", HERE)
    assert row == Owner("a", state, 2, host, os.getpid(), epoch.started_s, "flock", None)


def test_an_island_without_a_record_has_never_started(disk):
    disk.paths("a").outbox.mkdir(parents=True)
    [row] = read_owners(disk.shared, locks.Locks("flock"))
    assert (row.state, row.epoch, row.pid) == ("never started", None, None)


def test_a_soft_lock_says_who_is_in_it(disk):
    disk.epoch("a")
    with locks.Locks("soft").owner(disk.paths("a").owner_lock):
        before = tree(disk.root)
        [row] = read_owners(disk.shared, locks.Locks("soft"))
        assert tree(disk.root) == before
    assert row.lock_holder.startswith(HERE)
    assert row.lock_holder.endswith(f":{os.getpid()}")


@pytest.mark.parametrize("text", ["", "1", "x\nhost\n", "1\n\x1b[2J\n", "1\nhost\n" + "x" * 2000])
def test_what_a_stranger_wrote_into_a_lock_is_nobody(disk, text):
    disk.epoch("a")
    disk.paths("a").owner_lock.write_text(text)
    assert read_owners(disk.shared, locks.Locks("soft"))[0].lock_holder is None


@pytest.mark.parametrize(
    ("marker", "fields", "expected"),
    [
        (f"1\n{HERE}\n", {"host": "far-away"}, False),
        (f"1\n{HERE}?pidns-f00\n", {}, True),
        ("1\nfar-away\n", {}, True),
        ("", {}, False),
        ("", {"boot_id": "before"}, True),
        ("", {"host": "far-away"}, True),
    ],
)
def test_a_soft_lock_s_holder_is_known_if_its_place_is_this_one(disk, marker, fields, expected):
    disk.epoch("a")
    change(disk.paths("a"), **fields)
    disk.paths("a").owner_lock.write_text(marker)
    assert is_beyond_knowing(disk.paths("a"), locks.Locks("soft")) is expected


@pytest.mark.parametrize(
    ("fields", "expected"),
    [({}, False), ({"boot_id": "before"}, False), ({"host": "far-away"}, True), ({"host": f"{HOST}?pidns-f0"}, True)],
)
def test_where_locks_name_nobody_the_newest_start_is_taken_for_the_holder(disk, fields, expected):
    disk.epoch("a")
    change(disk.paths("a"), **fields)
    assert is_beyond_knowing(disk.paths("a"), locks.Locks("flock")) is expected


@pytest.mark.parametrize("lock_class", ["flock", "soft"])
@pytest.mark.parametrize("is_taking_over", [False, True])
def test_a_lock_that_is_held_here_excludes(disk, lock_class, is_taking_over):
    disk.epoch("a")
    paths = disk.paths("a")
    disk.lock_class = lock_class
    options = {"is_taking_over": is_taking_over}
    with owned(disk.pool, paths, **options, say=pytest.fail):
        assert f"process {os.getpid()} on" in refused(disk, **options)
    with owned(disk.pool, paths, **options, say=pytest.fail):
        pass


@pytest.mark.parametrize("lock_class", ["flock", "soft"])
def test_a_take_over_leaves_the_old_owner_a_lock_that_guards_no_name(disk, lock_class):
    """Who holds the removed one lets go of it without harm; a third process contends for the new one."""
    disk.epoch("a")
    paths = disk.paths("a")
    disk.lock_class = lock_class
    old = disk.pool.identity.locks.owner(paths.owner_lock)
    old.acquire()
    if lock_class == "soft":
        paths.owner_lock.write_text("1\nfar-away\n")
    change(paths, host="far-away")
    said = []
    assert "use --take-over" in refused(disk, is_taking_over=False)
    with owned(disk.pool, paths, is_taking_over=True, say=said.append):
        assert said == [f"taking a over from {epochs.describe(epochs.latest(paths))}"]
        old.release()
        assert paths.owner_lock.exists()
        disk.epoch("a")
        assert "use --take-over" not in refused(disk, is_taking_over=True)
