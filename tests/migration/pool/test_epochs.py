"""Laws of epochs: a number is given once, the highest owns, and a record is never trusted."""

from __future__ import annotations

import json
import os
import threading

import psutil
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import asdict, replace

from atoll.evo import atomic, strict_json
from atoll.evo.errors import FencedError
from atoll.evo.paths import SharedPaths
from atoll.migration.pool import epochs


@pytest.fixture
def paths(tmp_path):
    return SharedPaths(tmp_path / "shared").island("a")


def claim(paths, after=None):
    after = epochs.latest_number(paths) if after is None else after
    return epochs.claim(paths, after=after, generation=3, target=9, population=5, task="sphere")


def plant(paths, number, document):
    paths.epochs.mkdir(parents=True, exist_ok=True)
    data = document if isinstance(document, bytes) else json.dumps(document).encode()
    paths.epoch(number).write_bytes(data)


def test_numbers_count_on_from_the_highest_known(paths):
    assert [claim(paths).number, claim(paths).number, claim(paths, after=7).number, claim(paths).number] == [1, 2, 8, 9]


def test_a_record_says_who(paths):
    epoch = claim(paths)
    assert epochs.latest(paths) == epoch
    assert (epoch.pid, epoch.generation, epoch.target, epoch.population, epoch.task) == (os.getpid(), 3, 9, 5, "sphere")
    assert f"process {os.getpid()} on {epoch.host}" in epochs.describe(epoch)


def test_of_many_who_start_together_one_owns(paths):
    """8 threads, 10 times: whatever the locks are worth, one takes the next number and all others are told whose."""
    barrier = threading.Barrier(8)
    taken, fenced = [], []

    def start():
        for after in range(10):
            barrier.wait()
            try:
                taken.append(claim(paths, after))
            except FencedError:
                fenced.append(after)

    threads = [threading.Thread(target=start) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(epoch.number for epoch in taken) == list(range(1, 11))
    assert len(fenced) == 70
    for epoch in taken:
        assert json.loads(paths.epoch(epoch.number).read_bytes())["nonce"] == epoch.nonce
    assert len(list(paths.epochs.iterdir())) == 10


def test_who_looked_before_another_started_does_not_start(paths):
    """Stopped while it started, and continued when somebody else had taken its place."""
    claim(paths, 0)
    with pytest.raises(FencedError, match="island a was taken over"):
        claim(paths, 0)
    assert epochs.latest_number(paths) == 1


def test_rubbish_that_came_since_keeps_nobody_from_starting(paths):
    plant(paths, 7, b"{}")
    assert claim(paths, 0).number == 8


@pytest.mark.parametrize(("is_taken", "error"), [(True, FencedError), (False, FileNotFoundError)])
def test_who_finds_its_half_written_record_cleared_away_says_why(paths, monkeypatch, is_taken, error):
    def lose(path, *_args, **_names):
        monkeypatch.undo()
        if is_taken:
            claim(paths)
        raise FileNotFoundError(path)

    monkeypatch.setattr(atomic, "create_file", lose)
    with pytest.raises(error):
        claim(paths)


def test_a_claim_ends_though_the_listing_is_old(paths, monkeypatch):
    """A network file system may not list a record for half a minute after it refused the name."""
    claim(paths)
    claim(paths)
    monkeypatch.setattr(epochs, "list_names", lambda _: [])
    assert claim(paths, 0).number == 3


def test_the_highest_owns_and_the_others_are_fenced(paths):
    first, second = claim(paths), claim(paths)
    epochs.check_owner(paths, second)
    with pytest.raises(FencedError, match=f"island a was taken over by process {os.getpid()} on .*publishes nothing"):
        epochs.check_owner(paths, first)


@pytest.mark.parametrize("name", ["0.json", "01.json", "-1.json", "1.json.bak", ".tmp-9.json-1-ab", "9", "x.json"])
def test_other_names_are_no_epochs(paths, name):
    paths.epochs.mkdir(parents=True)
    (paths.epochs / name).touch()
    assert epochs.latest_number(paths) == 0
    assert epochs.latest(paths) is None


@pytest.mark.parametrize("kind", [os.mkfifo, os.mkdir, lambda path: path.symlink_to("/etc/hostname")])
def test_a_record_that_is_no_file_is_none(paths, kind):
    paths.epochs.mkdir(parents=True)
    kind(paths.epoch(4))
    assert epochs.latest_number(paths) == 4
    assert epochs.latest(paths) is None


LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9) | st.lists(st.integers())


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(st.sampled_from(sorted(epochs.Epoch.__annotations__)), LEAVES))
def test_any_record_is_read_or_not_and_what_is_read_can_be_shown(paths, changes):
    """A stranger's pid, times and names must not crash whoever asks if it lives, nor write to their terminal."""
    paths.epoch(4).unlink(missing_ok=True)
    plant(paths, 4, {**asdict(claim(paths, after=3)), **changes})
    epoch = epochs.read(paths, 4)
    if epoch is not None:
        assert epochs.describe(epoch).isprintable()
        epochs.is_alive(epoch)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=50))
def test_any_bytes_are_no_record(paths, data):
    plant(paths, 4, data)
    assert epochs.latest(paths) is None


@pytest.mark.parametrize(
    "changes",
    [{"pid": -1}, {"pid": 2**53}, {"started_s": 1e300}, {"started_s": -1e18}, {"host": "\x1b[2J"}, {"host": "x" * 999}],
)
def test_a_record_that_cannot_be_true_is_none(paths, changes):
    plant(paths, 4, {**asdict(claim(paths, after=3)), **changes})
    assert epochs.latest(paths) is None


def test_every_truncation_of_a_record_is_none(paths):
    data = strict_json.encode(asdict(claim(paths, after=3)))
    for n in range(len(data)):
        plant(paths, 4, data[:n])
        assert epochs.latest(paths) is None


def test_this_process_lives(paths):
    assert epochs.is_alive(claim(paths)) is True


def test_nobody_here_knows_of_another_host(paths):
    assert epochs.is_alive(replace(claim(paths), host="elsewhere")) is None


def test_an_earlier_boot_is_dead(paths):
    assert epochs.is_alive(replace(claim(paths), boot_id="before")) is False


def test_a_process_id_used_again_is_another_process(paths):
    epoch = claim(paths)
    assert epochs.is_alive(replace(epoch, process_started_s=epoch.process_started_s - 60)) is False


def test_a_process_that_has_ended_is_dead(paths):
    free = next(pid for pid in range(4_000_000, 1, -1) if not psutil.pid_exists(pid))
    assert epochs.is_alive(replace(claim(paths), pid=free)) is False


def test_a_process_that_ended_unburied_is_dead(paths):
    child = os.fork()
    if not child:
        os._exit(0)
    os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)
    started_s = psutil.Process(child).create_time()
    try:
        assert epochs.is_alive(replace(claim(paths), pid=child, process_started_s=started_s)) is False
    finally:
        os.waitpid(child, 0)


def test_another_user_s_process_lives(paths, monkeypatch):
    """Where /proc hides others' processes (hidepid), the answer is a refusal, and the process is there."""

    def refuse(*_):
        raise psutil.AccessDenied(1)

    epoch = claim(paths)
    monkeypatch.setattr(psutil, "Process", refuse)
    assert epochs.is_alive(epoch) is True
