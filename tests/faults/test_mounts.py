"""Laws of disks that are full, of files that may not grow, and of pools that may not be written to."""

from __future__ import annotations

import json
import os
import resource
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from atoll.evo import compiler
from atoll.evo.errors import ConfigError, StorageError
from tests.faults.operations import OPERATIONS
from tests.faults.world import World
from tests.processes import hang_s
from tests.scripts.run.island_process import copy_of, outcome, run

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parents[2]
ALONE = {"topology": "none"}


def unshared(script, **names):
    """Run a shell script in a mount namespace of its own, where it may mount what it likes."""
    if not shutil.which("unshare"):
        pytest.skip("unshare is not installed")
    if subprocess.run(["unshare", "-Urm", "true"], check=False, capture_output=True).returncode:
        pytest.skip("a user and mount namespace of one's own is not permitted by this kernel or container")
    environment = {**os.environ, **{name: str(value) for name, value in names.items()}}
    command = ["unshare", "-Urm", "bash", "-e", "-c", script]
    return subprocess.run(
        command, cwd=ROOT, env=environment, check=True, capture_output=True, text=True, timeout=hang_s()
    )


def order(root, **values):
    return json.dumps({"root": str(root), "island": "a", "values": values})


def test_a_full_disk_stops_an_island_that_goes_on_once_there_is_space(root, tmp_path, tally, chaos):
    """Row 10. Space for 0 to 7 more pages, so that log, ledger, checkpoint and champion each meet the end of it."""
    values = {"generations": 100, **ALONE}
    script = """
    mount -t tmpfs -o size=2m tmpfs "$PLACE"
    for pages in $PAGES; do
        "$PYTHON" -m tests.scripts.run.island_process "$BEFORE" >/dev/null
        dd if=/dev/zero of="$PLACE/filler" bs=4k 2>/dev/null || true
        truncate -s "-${pages}p" "$PLACE/filler" 2>/dev/null || truncate -s "-$((pages * 4096))" "$PLACE/filler"
        code=0; "$PYTHON" -m tests.scripts.run.island_process "$ORDER" >"$RESULT/$pages.txt" || code=$?
        echo "$code" >>"$RESULT/codes"
        rm "$PLACE/filler"
        "$PYTHON" -m tests.scripts.run.island_process "$ORDER" >/dev/null
        cp -r "$PLACE/shared" "$RESULT/$pages"
        rm -r "$PLACE/shared"
    done
    """
    place, result = tmp_path / "place", tmp_path / "result"
    place.mkdir()
    result.mkdir()
    pages_left = ("0", "1", "2", "4", "7") if chaos else ("1", "4")
    names = {
        "PAGES": " ".join(pages_left),
        "BEFORE": order(place / "shared", **{**values, "generations": 4}),
        "ORDER": order(place / "shared", **values),
    }
    unshared(script, PYTHON=sys.executable, PLACE=place, RESULT=result, **names)
    assert (result / "codes").read_text().split() == [str(StorageError.exit_code)] * len(pages_left)
    assert run(root, **values) == 0
    for pages in pages_left:
        assert "free some space, then run the same command again" in (result / f"{pages}.txt").read_text()
        assert outcome(result / pages) == outcome(root)
        tally(10, disks=1, resumed=1)


def test_a_full_disk_stops_all_members_of_a_team_which_goes_on_once_there_is_space(root, tmp_path, tally, chaos):
    """Row 44. Whoever takes over from a member that has stopped stops too."""
    values = {"generations": 40, **ALONE}
    script = """
    mount -t tmpfs -o size=2m tmpfs "$PLACE"
    for pages in $PAGES; do
        "$PYTHON" -m tests.scripts.run.island_process "$BEFORE" >/dev/null
        dd if=/dev/zero of="$PLACE/filler" bs=4k 2>/dev/null || true
        truncate -s "-$((pages * 4096))" "$PLACE/filler"
        "$PYTHON" -m tests.scripts.run.island_process "$ORDER" >"$RESULT/$pages.1.txt" & other=$!
        code=0; "$PYTHON" -m tests.scripts.run.island_process "$ORDER" >"$RESULT/$pages.2.txt" || code=$?
        echo "$code" >>"$RESULT/codes"
        code=0; wait "$other" || code=$?
        echo "$code" >>"$RESULT/codes"
        rm "$PLACE/filler"
        "$PYTHON" -m tests.scripts.run.island_process "$ORDER" >/dev/null & other=$!
        "$PYTHON" -m tests.scripts.run.island_process "$ORDER" >/dev/null
        wait "$other"
        cp -r "$PLACE/shared" "$RESULT/$pages"
        rm -r "$PLACE/shared"
    done
    """
    place, result = tmp_path / "place", tmp_path / "result"
    place.mkdir()
    result.mkdir()
    pages_left = ("0", "3", "9", "40") if chaos else ("9",)
    shared = str(place / "shared")
    names = {
        "PAGES": " ".join(pages_left),
        "BEFORE": order(shared, **{**values, "generations": 4}),
        "ORDER": json.dumps({"root": shared, "island": "a", "values": values, "team": 2, "delay_s": 0.02}),
    }
    unshared(script, PYTHON=sys.executable, PLACE=place, RESULT=result, **names)
    assert (result / "codes").read_text().split() == [str(StorageError.exit_code)] * 2 * len(pages_left)
    assert run(root, **values) == 0
    for pages in pages_left:
        for member in "12":
            assert "free some space, then run the same command again" in (result / f"{pages}.{member}.txt").read_text()
        assert outcome(result / pages) == outcome(root)
        tally(44, disks=1, resumed=1)


def test_a_pool_without_inodes_costs_the_publications_and_nothing_else(root, tmp_path, tally):
    """Row 10. The island's own folder in the pool has room for its epoch and beat, and for no batch."""
    script = """
    mkdir -p "$PLACE/shared/migration_pool/a"
    mount -t tmpfs -o nr_inodes=6 tmpfs "$PLACE/shared/migration_pool/a"
    "$PYTHON" -m tests.scripts.run.island_process "$ORDER"
    cp -r "$PLACE/shared" "$RESULT/"
    """
    place, result = tmp_path / "place", tmp_path / "result"
    result.mkdir()
    unshared(script, PYTHON=sys.executable, PLACE=place, RESULT=result, ORDER=order(place / "shared"))
    assert run(root) == 0
    full, usual = outcome(result / "shared"), outcome(root)
    assert full["published"] == {}
    assert [r["generation"] for r in full["ledger"] if r["kind"] == "unpublished"] == [3, 6, 9, 12]
    assert "No space left on device" in full["ledger"][0]["error"]
    assert full["champion"] == usual["champion"]
    assert np.all([r["exports"] == 0 for r in full["log"]])
    tally(10, disks=1, resumed=1)


def test_a_pool_that_becomes_read_only_costs_the_publications_and_nothing_else(tmp_path, tally):
    """Row 12: the island warns, imports and evolves on."""
    values = {"generations": 150, "migrate_every": 10, "topology": "full"}
    template, place, result = tmp_path / "template", tmp_path / "place", tmp_path / "result"
    run(template, "peer")
    whole = copy_of(template, tmp_path / "whole")
    copy_of(template, place / "shared")
    result.mkdir()
    script = """
    mine="$PLACE/shared/migration_pool/a"
    mkdir "$mine" && mount --bind "$mine" "$mine"
    "$PYTHON" -m tests.scripts.run.island_process "$ORDER" &
    until [ -e "$mine/gen-10" ]; do sleep 0.01; done
    until mount -o remount,ro,bind "$mine" 2>/dev/null; do sleep 0.001; done
    wait $!
    cp -r "$PLACE/shared" "$RESULT/"
    """
    slowly = json.dumps({**json.loads(order(place / "shared", **values)), "delay_s": 0.01})
    unshared(script, PYTHON=sys.executable, PLACE=place, RESULT=result, ORDER=slowly)
    assert run(whole, **values) == 0
    alone, usual = outcome(result / "shared"), outcome(whole)
    refused = [record for record in alone["ledger"] if record["kind"] == "unpublished"]
    assert refused
    assert all("Read-only file system" in record["error"] for record in refused)
    assert len(refused) + len(alone["published"]) == len(usual["published"])
    assert alone["champion"] == usual["champion"]
    assert alone["inbox"] == usual["inbox"]
    tally(12, mounts=1, publications_refused=len(refused))


def test_a_pool_that_is_read_only_from_the_start_is_an_error_that_says_so(tmp_path, tally):
    """Row 12: nobody can own an island there."""
    template, place = tmp_path / "template", tmp_path / "place"
    run(template, "peer")
    copy_of(template, place / "shared")
    script = """
    mount --bind "$PLACE" "$PLACE" && mount -o remount,ro,bind "$PLACE"
    "$PYTHON" -m tests.scripts.run.island_process "$ORDER" >"$RESULT" || echo "code $?" >>"$RESULT"
    """
    result = tmp_path / "result"
    unshared(script, PYTHON=sys.executable, PLACE=place, RESULT=result, ORDER=order(place / "shared"))
    said = result.read_text()
    assert "Read-only file system; choose a directory that you may write to" in said
    assert f"code {StorageError.exit_code}" in said
    tally(12, mounts=1)


@pytest.mark.parametrize("operation", [each for each in OPERATIONS if not each.goes_on], ids=lambda each: each.name)
def test_a_file_that_may_not_grow_further_is_a_typed_error_and_nothing_in_part(tmp_path, tally, operation):
    """Rows 6, 11 and 44: a limit at every 97th byte cuts a write short, and then refuses the rest of it."""
    template = World(tmp_path / "template")
    operation.prepare(template)
    hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    cases = refused = 0
    for limit in range(0, 3000, 97):
        world = World(shutil.copytree(template.root, tmp_path / str(limit)))
        deed, acknowledged = operation.ready(world), None
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
        try:
            acknowledged = deed()
        except operation.refusals:
            refused += 1
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
        operation.check(world, acknowledged)
        operation.recover(world)
        cases += 1
    tally(44 if operation.is_team else 11, cases=cases, refused=refused)


@pytest.mark.skipif(compiler.find() is None, reason="no C++ compiler")
def test_where_no_directory_may_hold_programs_the_reference_is_taken_and_the_native_evaluator_refused(tmp_path):
    """Neither the cache nor where temporary files go: as with no compiler, which nobody is stopped by."""
    script = """
    mkdir "$PLACE"; mount -t tmpfs -o noexec tmpfs "$PLACE"; mkdir "$PLACE/tmp"
    export HOME=$PLACE TMPDIR=$PLACE/tmp; unset XDG_CACHE_HOME
    island="$PYTHON cli.py evolve a -p 6 -g 1 --migrants 2 --tournament-size 3 -o courses=1 -o life_s=1"
    $island --backend auto --migration-dir "$PLACE/shared" >"$RESULT.auto"
    code=0; $island --backend native --migration-dir "$PLACE/other" >"$RESULT.native" 2>&1 || code=$?
    echo "exit code $code" >>"$RESULT.native"
    """
    unshared(script, PLACE=tmp_path / "place", RESULT=tmp_path / "result", PYTHON=sys.executable)
    auto, refused = ((tmp_path / f"result.{backend}").read_text() for backend in ("auto", "native"))
    assert auto.startswith("compiling the kernel life.cpp with ")
    assert "evaluator reference (chosen by --backend auto; native is faster: " in auto
    assert "TMPDIR" in auto
    assert "error: --backend native: " in refused
    assert refused.endswith(f"exit code {ConfigError.exit_code}\n")
