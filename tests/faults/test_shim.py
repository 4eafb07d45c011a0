"""Laws of lost replies, of locks that do nothing or are not there, and of clocks that are years off."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import asdict

import numpy as np
import pytest

from atoll.evo.errors import FencedError, StorageError
from atoll.evo.paths import SharedPaths
from atoll.migration.observe.verify import verify
from atoll.migration.pool import identity as pool
from tests.faults.campaign import Order, read_report
from tests.faults.operations import OPERATIONS
from tests.faults.shim import build, environment, why_not_shim
from tests.processes import ROOT, hang_s
from tests.scripts.run.island_process import copy_of, epochs_of, last_generation, outcome, run

pytestmark = pytest.mark.slow
TEN_YEARS_S = 315_360_000


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    if reason := why_not_shim():
        pytest.skip(reason)
    return build(tmp_path_factory.mktemp("shim"))


def order_of(root, **values):
    return json.dumps({"root": str(root), "island": "a", "values": values})


def begin(library, root, *, values=None, **settings):
    """Start an island that has loaded the library."""
    command = [sys.executable, "-m", "tests.scripts.run.island_process", order_of(root, **(values or {}))]
    return subprocess.Popen(
        command, cwd=ROOT, env=environment(library, **settings), stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )


def end(process):
    """Wait for an island; return its exit code and what it said."""
    said, _ = process.communicate(timeout=hang_s())
    return process.returncode, said.decode()


def wait_for_generation(generation, root, process):
    while last_generation(root) < generation:
        assert process.poll() is None
        time.sleep(0.002)


@pytest.mark.parametrize("operation", [operation.name for operation in OPERATIONS])
def test_a_rename_or_link_that_happened_and_says_it_did_not_is_no_loss(tmp_path, tally, chaos, library, operation):
    """Row 7: the reply got lost, as it may on network file systems."""
    step = 1 if chaos or operation in {"publish", "claim"} else 5
    order = json.dumps(asdict(Order(operation, "shim", "late", step=step)))
    command = [sys.executable, "-m", "tests.faults.campaign", tmp_path, order]
    subprocess.run(command, cwd=ROOT, env=environment(library), check=True, timeout=hang_s())
    report = read_report(tmp_path)
    assert not report.wrong, "\n".join(report.wrong)
    assert report.calls > 0
    [(row, counts)] = report.rows.items()
    assert counts["cases"] == counts["fired"] > 0
    tally(row, **counts)


def test_of_two_owners_whose_locks_do_nothing_one_is_fenced_and_no_history_is_mixed(tmp_path, tally, library):
    """Row 14: the pool trusts its locks, and they let everybody in."""
    values = {"generations": 1000, "migrate_every": 50, "topology": "full"}
    template = tmp_path / "template"
    run(template, "peer")
    assert pool.read(SharedPaths(template)).lock_class == "flock"
    root = copy_of(template, tmp_path / "world")
    first = begin(library, root, values=values, SHIM_FLOCK=0)
    wait_for_generation(1, root, first)
    second = begin(library, root, values=values, SHIM_FLOCK=0)
    assert [end(first)[0], end(second)[0]] == [FencedError.exit_code, 0]
    assert verify(SharedPaths(root)).defects == []
    assert run(root, **values) == 0
    assert run(copy_of(template, tmp_path / "whole"), **values) == 0
    two, one = outcome(root), outcome(tmp_path / "whole")
    assert (two["published"], two["champion"]) == (one["published"], one["champion"])
    tally(14, second_owners=1, fenced=1)


def begin_member(library, root, values, *, delay_s=0.02, **settings):
    """Start a member of a team that has loaded the library."""
    order = {"root": str(root), "island": "a", "values": values, "team": 2, "delay_s": delay_s}
    command = [sys.executable, "-m", "tests.scripts.run.island_process", json.dumps(order)]
    return subprocess.Popen(
        command, cwd=ROOT, env=environment(library, **settings), stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )


def test_of_two_owners_of_a_team_whose_locks_do_nothing_one_goes_on_to_help_the_other(tmp_path, tally, library):
    """Row 42: it finds itself fenced, and the island ends once, in the bytes of one process."""
    values = {"generations": 40}
    template = tmp_path / "template"
    run(template, "peer")
    root, whole = copy_of(template, tmp_path / "team"), copy_of(template, tmp_path / "whole")
    first = begin_member(library, root, values, SHIM_FLOCK=0)
    wait_for_generation(3, root, first)
    second = begin_member(library, root, values, SHIM_FLOCK=0)
    (code, said), (other_code, _) = end(first), end(second)
    assert (code, other_code) == (0, 0)
    assert "scores for a, which another member owns" in said
    assert run(whole, **values) == 0
    assert outcome(root) == outcome(whole)
    assert epochs_of(root) == [1, 2]
    tally(42, second_owners=1, fenced=1)


@pytest.mark.parametrize("offset", [-TEN_YEARS_S, TEN_YEARS_S, "jumping"])
def test_no_clock_and_no_file_time_decides_anything_of_a_team(tmp_path, tally, library, offset):
    """Row 43: one of two members lives in another time; the owner is killed, and the times of all files are drawn."""
    values = {"generations": 30}
    template = tmp_path / "template"
    run(template, "peer")
    root, whole = copy_of(template, tmp_path / "team"), copy_of(template, tmp_path / "whole")
    owner = begin_member(library, root, values)
    wait_for_generation(3, root, owner)
    other = begin_member(library, root, values, SHIM_CLOCK_S=offset)
    wait_for_generation(8, root, owner)
    draw = np.random.default_rng(3)
    for path in (root / "islands" / "a").glob("*.jsonl"):
        os.utime(path, (float(draw.integers(2**31)), float(draw.integers(2**31))))
    owner.send_signal(signal.SIGKILL)
    assert end(owner)[0] == -signal.SIGKILL
    code, said = end(other)
    assert code == 0, said
    assert run(whole, **values) == 0
    assert outcome(root) == outcome(whole)
    tally(43, clocks=1, digests_equal=1)


@pytest.mark.parametrize("code", [errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP])
def test_a_mount_without_locks_is_found_out_by_the_first_island(tmp_path, tally, library, code):
    """Row 15: the probe decides, and the pool says so."""
    assert end(begin(library, tmp_path / "shared", SHIM_FLOCK=code))[0] == 0
    assert pool.read(SharedPaths(tmp_path / "shared")).lock_class == "soft"
    tally(15, mounts=1, found_out=1)


@pytest.mark.parametrize("code", [errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP])
def test_locks_that_fail_later_are_an_error_that_says_so_and_no_silent_downgrade(tmp_path, tally, library, code):
    """Row 15: another node mounts the same pool otherwise."""
    root = tmp_path / "shared"
    run(root, "peer")
    exit_code, said = end(begin(library, root, SHIM_FLOCK=code))
    assert exit_code == StorageError.exit_code, said
    assert "cannot lock the island" in said
    assert not SharedPaths(root).island("a").outbox.exists()
    tally(15, mounts=1, found_out=1)


@pytest.mark.parametrize("offset", [-TEN_YEARS_S, TEN_YEARS_S, "jumping"])
def test_no_clock_and_no_file_time_decides_anything(tmp_path, tally, library, offset):
    """Row 25: killed halfway, started again with another clock; the times of all files are drawn anew in between."""
    values = {"generations": 40, "topology": "full"}
    template = tmp_path / "template"
    run(template, "peer")
    whole, root = copy_of(template, tmp_path / "whole"), copy_of(template, tmp_path / "world")
    assert run(whole, **values) == 0
    process = begin(library, root, values={**values, "generations": 4000}, SHIM_CLOCK_S=offset)
    wait_for_generation(5, root, process)
    process.send_signal(signal.SIGKILL)
    assert end(process)[0] == -signal.SIGKILL
    draw = np.random.default_rng(3)
    for path in root.rglob("*"):
        os.utime(path, (float(draw.integers(2**31)), float(draw.integers(2**31))))
    code, said = end(begin(library, root, values=values, SHIM_CLOCK_S=offset))
    assert code == 0, said
    assert outcome(root) == outcome(whole)
    tally(25, clocks=1, digests_equal=1)
