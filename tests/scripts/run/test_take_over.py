"""Laws of owners that are gone, or seem so: nobody is taken over by mistake, and who was taken over stops."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from atoll.evo.errors import FencedError, OwnerConflictError
from atoll.evo.paths import SharedPaths
from tests.migration.archipelago import tree
from tests.processes import hang_s
from tests.scripts.run.island_process import (
    CONTEXT,
    KILLED,
    Job,
    copy_of,
    end,
    freezes,
    outcome,
    run,
    start,
    wait_for,
)

pytestmark = pytest.mark.slow

ELSEWHERE = "far-away"
ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    """A pool with one finished island, whose locks are files."""
    root = tmp_path_factory.mktemp("template") / "shared"
    assert run(root, "peer") == 0
    identity = SharedPaths(root).identity
    document = json.loads(identity.read_text())
    identity.write_text(json.dumps({**document, "lock_class": "soft"}, sort_keys=True, separators=(",", ":")))
    return root


@pytest.fixture
def root(template, tmp_path):
    return copy_of(template, tmp_path / "shared")


def is_stopped(pid):
    return psutil.Process(pid).status() == psutil.STATUS_STOPPED


def started(job):
    """Start an island that stops itself, and wait until it has."""
    process = start(job)
    wait_for(lambda: is_stopped(process.pid), process)
    return process


def take_over(root, output=None):
    return end(start(Job(root, "a", {}, is_taking_over=True, output=output)))


def kill(process):
    process.kill()
    return end(process)


# Row 16: owners that are dead, here or elsewhere


def test_a_dead_owner_on_this_host_is_recovered_without_a_word(root, template, tmp_path, tally):
    assert kill(started(Job(root, "a", {}, freeze_at=5))) == KILLED
    assert run(root) == 0
    whole = copy_of(template, tmp_path / "whole")
    assert run(whole) == 0
    assert outcome(root) == outcome(whole)
    tally(16, dead_owners=1, recovered=1)


def test_a_dead_owner_elsewhere_is_left_alone_until_a_person_says_so(root, template, tmp_path, tally):
    assert kill(started(Job(root, "a", {}, freeze_at=5, host=ELSEWHERE))) == KILLED
    before = tree(root)
    refused = tmp_path / "refused"
    assert end(start(Job(root, "a", {}, output=refused))) == OwnerConflictError.exit_code
    assert f"on {ELSEWHERE}" in refused.read_text()
    assert "use --take-over" in refused.read_text()
    assert tree(root) == before
    said = tmp_path / "said"
    assert take_over(root, said) == 0
    assert "taking a over from process" in said.read_text()
    whole = copy_of(template, tmp_path / "whole")
    assert run(whole) == 0
    assert outcome(root) == outcome(whole)
    tally(16, dead_owners=1, refused=1, taken_over=1)


def test_a_recycled_pid_is_no_owner(root, tally):
    """A soft lock that names a living process of this host, which began at another time than the owner did."""
    SharedPaths(root).island("a").owner_lock.write_text(f"{os.getpid()}\n{socket.gethostname()}\n12345\n")
    assert run(root) == 0
    tally(16, recycled_pids=1)


@pytest.mark.parametrize("is_taking_over", [False, True])
def test_a_living_owner_on_this_host_is_never_taken_over(root, tmp_path, is_taking_over):
    owner = started(Job(root, "a", {}, freeze_at=5))
    before = tree(root)
    refused = tmp_path / "refused"
    second = Job(root, "a", {}, is_taking_over=is_taking_over, output=refused)
    assert end(start(second)) == OwnerConflictError.exit_code
    assert "--take-over" not in refused.read_text()
    assert tree(root) == before
    os.kill(owner.pid, signal.SIGCONT)
    assert end(owner) == 0


# Row 17: owners that were only slow


@pytest.mark.parametrize("evaluation", [1, 2, 5, 9, 14])
def test_an_owner_that_was_frozen_taken_over_and_thawed_stops_and_changes_nothing(root, tmp_path, evaluation):
    output = tmp_path / "output"
    owner = started(Job(root, "a", {}, freeze_at=evaluation, host=ELSEWHERE, output=output))
    assert take_over(root) == 0
    before = tree(root)
    os.kill(owner.pid, signal.SIGCONT)
    assert end(owner) == FencedError.exit_code
    assert "FencedError: island a was taken over by process" in output.read_text()
    assert tree(root) == before


def test_the_same_with_a_host_name_of_its_own(root, template, tmp_path):
    """Nothing is forged here: the owner runs in a UTS namespace."""
    if not shutil.which("unshare"):
        pytest.skip("unshare is not installed")
    if subprocess.run(["unshare", "-Ur", "--uts", "hostname", ELSEWHERE], check=False, capture_output=True).returncode:
        pytest.skip("a user and UTS namespace of one's own is not permitted by this kernel or container")
    order = json.dumps({"root": str(root), "island": "a", "values": {}, "freeze_at": 5})
    script = f'hostname {ELSEWHERE} && exec "$PYTHON" -m tests.scripts.run.island_process "$ORDER"'
    environment = {**os.environ, "PYTHON": sys.executable, "ORDER": order}
    with subprocess.Popen(
        ["unshare", "-Ur", "--uts", "bash", "-c", script], cwd=ROOT, env=environment, stdout=subprocess.DEVNULL
    ) as owner:
        os.waitid(os.P_PID, owner.pid, os.WSTOPPED | os.WNOWAIT)
        assert run(root) == OwnerConflictError.exit_code
        assert take_over(root) == 0
        before = tree(root)
        owner.send_signal(signal.SIGCONT)
        assert owner.wait(hang_s()) == FencedError.exit_code
    assert tree(root) == before
    whole = copy_of(template, tmp_path / "whole")
    assert run(whole) == 0
    assert outcome(root) == outcome(whole)


ONE_LINE = {"islands/a/log.jsonl", "islands/a/ledger.jsonl", "islands/a/migration.log"}


def test_wherever_an_owner_was_frozen_it_publishes_nothing_and_takes_nothing_back(template, tmp_path, chaos, tally):
    """Before any of its file operations. It stops (5), unless it had nothing left to do or had not begun (0).

    What it may still do is the one write that it had looked for, an instant before it was frozen: a line of its log or
    ledger, or its beat, which decides nothing.
    """
    values = {"generations": 6, "migrate_every": 2, "checkpoint_every": 3}
    step = 2 if chaos else 14
    firsts = (7, 7 + step // 2)
    workers = [CONTEXT.Process(target=freezes, args=(template, tmp_path, values, first, step)) for first in firsts]
    for worker in workers:
        worker.start()
    assert [end(worker) for worker in workers] == [0, 0]
    found = [case for first in firsts for case in json.loads((tmp_path / f"freezes-{first}.json").read_text())]
    assert len(found) > (150 if chaos else 20)
    for case in found:
        assert case["code"] in {0, FencedError.exit_code}
        assert set(case["changed"]) <= ONE_LINE | {"migration_pool/a/beat.json"}
        assert case["epochs"] <= 2
    fenced = sum(case["code"] == FencedError.exit_code for case in found)
    assert fenced > 0.8 * len(found)
    tally(17, owners_frozen=len(found), fenced=fenced)
