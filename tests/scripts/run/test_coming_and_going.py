"""Real processes that die, leave or come late: nobody waits for them, and what they gave is taken."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import psutil
import pytest

from atoll.evo import runlog
from atoll.evo.paths import SharedPaths
from atoll.migration.observe.verify import verify
from tests.contracts import check_archipelago
from tests.scripts.run.island_process import KILLED, Job, end, last_generation, start, wait_for

if TYPE_CHECKING:
    from pathlib import Path

    from atoll.evo.runlog import Record

pytestmark = pytest.mark.slow

GENERATIONS = 40
VALUES = {"population": 12, "generations": GENERATIONS, "migrate_every": 4, "task": "rastrigin"}
DELAY_S = 0.02
"""So long the evaluations of those that stay take longer, that they are still there when the others come or go."""
FREEZES_AT = 15
"""The evaluation at which the one that goes stops, to be met there at any speed: it is in generation 12, 13 or 14, by
how often somebody came to it at 4 and 8."""


def events(root: Path, island: str, kind: str) -> list[Record]:
    found = runlog.current(runlog.read(SharedPaths(root).island(island).ledger))
    return [event for event in found if event["kind"] == kind]


def check_those_that_stayed(root: Path) -> None:
    """Hold the whole life of the two that are there all along against what every archipelago owes."""
    paths = {name: SharedPaths(root).island(name) for name in "ab"}
    logs = {name: runlog.current(runlog.read(path.log)) for name, path in paths.items()}
    ledgers = {name: runlog.current(runlog.read(path.ledger)) for name, path in paths.items()}
    check_archipelago(logs, ledgers, generations=GENERATIONS)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGKILL, KILLED), (signal.SIGTERM, 128 + signal.SIGTERM)])
def test_an_island_that_is_killed_or_leaves_at_a_quarter_stalls_nobody(root, number, code):
    """The others reach their last generation, publish all that they were to, go on exchanging, and never wait."""
    processes = {name: start(Job(root, name, VALUES, delay_s=DELAY_S)) for name in "ab"}
    processes["c"] = start(Job(root, "c", VALUES, freeze_at=FREEZES_AT))
    leaving = psutil.Process(processes["c"].pid)
    wait_for(lambda: leaving.status() == psutil.STATUS_STOPPED, processes["c"])
    leaving.send_signal(number)
    leaving.resume()
    assert {name: end(process) for name, process in processes.items()} == {"a": 0, "b": 0, "c": code}
    assert GENERATIONS // 4 <= last_generation(root, "c") < FREEZES_AT
    published = {event["generation"] for event in events(root, "c", "published")}
    for name in "ab":
        assert last_generation(root, name) == GENERATIONS
        assert [event["generation"] for event in events(root, name, "published")] == [*range(4, GENERATIONS + 1, 4)]
        assert events(root, name, "waiting") == []
        late = [event for event in events(root, name, "imported") if event["generation"] == GENERATIONS]
        assert late
        assert {event["source_generation"] for event in late if event["source"] == "c"} <= published
    check_those_that_stayed(root)
    assert verify(SharedPaths(root)).defects == []


def test_an_island_that_joins_at_half_time_contributes_ancestry(root):
    """Those that were there take its genomes in, and have genes of its founders from then on.

    They are stopped while it lives, so that at any speed it comes and publishes at half of their time. It publishes
    before it imports, so what it offers descends from its own founders alone.
    """
    processes = {name: start(Job(root, name, VALUES, delay_s=DELAY_S)) for name in "ab"}
    for name, process in processes.items():
        wait_for(lambda name=name: last_generation(root, name) >= GENERATIONS // 2, process)
        os.kill(process.pid, signal.SIGSTOP)
    at_half = {name: last_generation(root, name) for name in "ab"}
    late = start(Job(root, "late", {**VALUES, "generations": GENERATIONS // 2, "migrate_every": GENERATIONS // 2}))
    assert end(late) == 0
    for process in processes.values():
        os.kill(process.pid, signal.SIGCONT)
    assert [end(process) for process in processes.values()] == [0, 0]
    assert events(root, "late", "imported"), "it is given genomes too"
    taken = [event for name in "ab" for event in events(root, name, "imported") if event["source"] == "late"]
    assert taken
    assert all(event["ancestry"] == {"late": 1.0} for event in taken)
    assert all(event["generation"] > at_half[event["island"]] for event in taken)
    for event in taken:
        log = runlog.current(runlog.read(SharedPaths(root).island(event["island"]).log))
        [line] = [line for line in log if line["kind"] == "generation" and line["generation"] == event["generation"]]
        assert line["ancestry"]["late"] > 0.0
    check_those_that_stayed(root)
