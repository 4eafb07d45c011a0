"""Laws of locks: they exclude where they can, wait for nobody, and the probe tells the truth."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import filelock
import pytest

from atoll.migration.pool import locks

HOLDER = """
import sys, time
from pathlib import Path
from atoll.migration.pool import locks
with locks.Locks(sys.argv[2]).owner(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(100000)
"""


@pytest.fixture
def holder(tmp_path):
    """Start a second process that holds a lock; return the process and the lock's path."""
    started = []

    def start(lock_class):
        path = tmp_path / "a.lock"
        process = subprocess.Popen([sys.executable, "-c", HOLDER, path, lock_class], stdout=subprocess.PIPE)
        started.append(process)
        assert process.stdout.readline() == b"held\n"
        return process, path

    yield start
    for process in started:
        process.kill()
        process.communicate()


def test_the_probe_of_a_local_disk_finds_all_it_needs_and_leaves_nothing(tmp_path):
    support = locks.probe(tmp_path)
    assert support == locks.MountSupport(
        flock_excludes=True, hard_links=True, directory_fsync=True, rename_refuses=True
    )
    assert support.lock_class == "flock"
    assert list(tmp_path.iterdir()) == []


def test_a_lock_that_does_nothing_is_found_out(tmp_path, monkeypatch):
    """Where the second process is let in, the pool goes by soft locks."""
    monkeypatch.setattr(locks, "_CONTENDER", "")
    assert locks.probe(tmp_path).lock_class == "soft"


def test_who_clears_away_what_is_tried_puts_no_traceback_on_the_terminal(tmp_path, monkeypatch, capfd):
    """An island that came first clears the other's probe; that is no error, since the other then reads POOL.json."""
    monkeypatch.setattr(locks, "_CONTENDER", "import os, sys\nos.remove(sys.argv[1])\nopen(sys.argv[1])")
    assert locks.probe(tmp_path).lock_class == "soft"
    assert capfd.readouterr() == ("", "")


def test_a_lock_that_is_not_implemented_is_found_out(tmp_path, monkeypatch):
    def refuse(*_args, **_kwargs):
        raise NotImplementedError

    monkeypatch.setattr(filelock.FileLock, "acquire", refuse)
    assert locks.probe(tmp_path).lock_class == "soft"


def test_what_the_mount_lacks_is_found_out(tmp_path, monkeypatch):
    def refuse(*_args):
        raise OSError

    def overwrite(*_args):
        """Succeed where a name exists already."""

    monkeypatch.setattr(os, "fsync", refuse)
    monkeypatch.setattr(os, "link", overwrite)
    monkeypatch.setattr(os, "rename", overwrite)
    support = locks.probe(tmp_path)
    assert not support.directory_fsync
    assert not support.hard_links
    assert not support.rename_refuses


@pytest.mark.slow
@pytest.mark.parametrize("lock_class", ["flock", "soft"])
def test_an_owner_excludes_a_second_process_until_it_is_killed(holder, lock_class):
    process, path = holder(lock_class)
    with pytest.raises(filelock.Timeout):
        locks.Locks(lock_class).owner(path).acquire()
    process.send_signal(signal.SIGKILL)
    process.wait()
    with locks.Locks(lock_class).owner(path):
        pass


@pytest.mark.slow
def test_an_import_goes_on_without_a_lock_that_is_held(holder):
    _, path = holder("flock")
    with locks.Locks("flock").pruning_paused(path):
        pass


@pytest.mark.slow
def test_a_pruner_skips_its_round_while_the_lock_is_held(holder):
    _, path = holder("flock")
    with locks.Locks("flock").pruning(path) as is_free:
        assert not is_free


def test_an_import_holds_off_a_pruner_and_lets_go(tmp_path):
    path = tmp_path / "a.lock"
    with locks.Locks("flock").pruning_paused(path), locks.Locks("flock").pruning(path) as is_free:
        assert not is_free
    with locks.Locks("flock").pruning(path) as is_free:
        assert is_free


@pytest.mark.parametrize("plant", [os.mkdir, os.mkfifo, lambda path: path.symlink_to("nowhere")])
def test_an_import_is_not_stopped_by_what_lies_in_the_lock_s_place(tmp_path, plant):
    path = tmp_path / "a.lock"
    plant(path)
    with locks.Locks("flock").pruning_paused(path):
        pass


def test_an_import_passes_on_what_goes_wrong_inside(tmp_path):
    for path in (tmp_path / "a.lock", tmp_path / "nowhere" / "a.lock"):
        with pytest.raises(KeyError), locks.Locks("flock").pruning_paused(path):
            raise KeyError


def test_soft_pools_prune_and_import_without_locks(tmp_path):
    path = tmp_path / "a.lock"
    with locks.Locks("soft").pruning_paused(path), locks.Locks("soft").pruning(path) as is_free:
        assert is_free
    assert not path.exists()


def test_an_import_waits_a_tenth_of_a_second_at_most():
    assert locks.IMPORT_WAIT_S == 0.1
    assert locks.IMPORT_POLL_S == 0.001
