"""Laws of an island under faults: killed at random or before any file operation, or out of space."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from evo.errors import StorageError
from tests.scripts.evolve.island_process import (
    CONTEXT,
    DEADLINE_S,
    KILLED,
    Job,
    copy_of,
    end,
    epochs_of,
    last_generation,
    outcome,
    run,
    start,
    trials,
    wait_for,
)

ROOT = Path(__file__).resolve().parents[3]
ALONE = {"topology": "none"}


# Kills


def kill_at_random(root, n, rng, **values):
    """Run an island that is killed `n` times at random moments of its life, then to its end."""
    generations = values["generations"]
    for kill in range(n):
        process = start(Job(root, "a", values))
        goal = generations * (kill + rng.random()) / (n + 10)
        wait_for(lambda goal=goal: last_generation(root) >= goal, process)
        time.sleep(rng.random() * 0.003)
        process.kill()
        assert end(process) == KILLED
    assert run(root, **values) == 0


@pytest.mark.slow
@pytest.mark.parametrize("topology", ["none", "full"])
def test_twenty_kills_at_random_moments_leave_no_trace(tmp_path, topology):
    values = {"generations": 500, "topology": topology, "keep_generations": 0}
    template = tmp_path / "template"
    run(template, "peer")
    whole, killed = copy_of(template, tmp_path / "whole"), copy_of(template, tmp_path / "killed")
    kill_at_random(killed, 20, np.random.default_rng(len(topology)), **values)
    assert run(whole, **values) == 0
    assert outcome(killed) == outcome(whole)
    assert epochs_of(killed) == list(range(1, len(epochs_of(killed)) + 1))


@pytest.mark.slow
def test_a_kill_before_any_file_operation_leaves_no_trace(tmp_path):
    """Every operation of a whole life with two migrations, the last ones after the final checkpoint included."""
    values = {"generations": 4, "migrate_every": 2, "checkpoint_every": 3}
    template = tmp_path / "template"
    run(template, "peer")
    workers = [CONTEXT.Process(target=trials, args=(template, tmp_path, values, first, 2)) for first in (1, 2)]
    for worker in workers:
        worker.start()
    assert [end(worker, 10 * DEADLINE_S) for worker in workers] == [0, 0]
    results = [json.loads((tmp_path / f"trials-{first}.json").read_text()) for first in (1, 2)]
    assert [result["wrong"] for result in results] == [[], []]
    assert min(result["operations"] for result in results) > 150


# Full disks


def unshared(script, **names):
    """Run a shell script in a mount namespace of its own, where it may mount what it likes."""
    if not shutil.which("unshare"):
        pytest.skip("unshare is not installed")
    if subprocess.run(["unshare", "-Urm", "true"], check=False, capture_output=True).returncode:
        pytest.skip("a user and mount namespace of one's own is not permitted by this kernel or container")
    environment = {**os.environ, **{name: str(value) for name, value in names.items()}}
    command = ["unshare", "-Urm", "bash", "-e", "-c", script]
    return subprocess.run(
        command, cwd=ROOT, env=environment, check=True, capture_output=True, text=True, timeout=DEADLINE_S
    )


def order(root, **values):
    return json.dumps({"root": str(root), "island": "a", "values": values})


@pytest.mark.slow
def test_a_full_disk_stops_an_island_that_goes_on_once_there_is_space(root, tmp_path):
    """Space for 0 to 7 more pages, so that log, ledger, checkpoint and champion each meet the end of it."""
    values = {"generations": 100, **ALONE}
    script = """
    mount -t tmpfs -o size=2m tmpfs "$PLACE"
    for pages in 0 1 2 4 7; do
        "$PYTHON" -m tests.scripts.evolve.island_process "$BEFORE" >/dev/null
        dd if=/dev/zero of="$PLACE/filler" bs=4k 2>/dev/null || true
        truncate -s "-${pages}p" "$PLACE/filler" 2>/dev/null || truncate -s "-$((pages * 4096))" "$PLACE/filler"
        code=0; "$PYTHON" -m tests.scripts.evolve.island_process "$ORDER" >"$RESULT/$pages.txt" || code=$?
        echo "$code" >>"$RESULT/codes"
        rm "$PLACE/filler"
        "$PYTHON" -m tests.scripts.evolve.island_process "$ORDER" >/dev/null
        cp -r "$PLACE/shared" "$RESULT/$pages"
        rm -r "$PLACE/shared"
    done
    """
    place, result = tmp_path / "place", tmp_path / "result"
    place.mkdir()
    result.mkdir()
    names = {
        "BEFORE": order(place / "shared", **{**values, "generations": 4}),
        "ORDER": order(place / "shared", **values),
    }
    unshared(script, PYTHON=sys.executable, PLACE=place, RESULT=result, **names)
    assert (result / "codes").read_text().split() == [str(StorageError.exit_code)] * 5
    assert run(root, **values) == 0
    for pages in (0, 1, 2, 4, 7):
        assert "free some space, then run the same command again" in (result / f"{pages}.txt").read_text()
        assert outcome(result / str(pages)) == outcome(root)


@pytest.mark.slow
def test_a_full_pool_costs_the_publications_and_nothing_else(root, tmp_path):
    """The island's own folder in the pool has room for its epoch and beat, and for no batch."""
    script = """
    mkdir -p "$PLACE/shared/migration_pool/a"
    mount -t tmpfs -o nr_inodes=6 tmpfs "$PLACE/shared/migration_pool/a"
    "$PYTHON" -m tests.scripts.evolve.island_process "$ORDER"
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
