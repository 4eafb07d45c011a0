"""Examination of this machine: thread pools, islands, the shared file system; findings with evidence and what to do.

How many threads a numeric library really starts is found by starting it. Each measurement is a fresh process, since a
library looks at the environment once, when it is loaded: that is also why setting `OMP_NUM_THREADS` after
`import torch` does nothing, which the third measurement shows.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING

import click

from atoll.evo import atomic
from atoll.evo.resources import THREAD_VARIABLES
from atoll.migration.observe import status
from atoll.migration.pool import identity as pool
from atoll.migration.pool import locks
from atoll.scripts.doctor.diagnosis import OK, WARNING, Finding

if TYPE_CHECKING:
    from collections.abc import Sequence

    from atoll.evo.paths import SharedPaths
    from atoll.migration.observe.status import IslandStatus
    from atoll.migration.pool.locks import MountSupport

AS_IT_IS, LIMITED, TOO_LATE = "environment as it is", "limited to 1 before loading", "limited to 1 after loading"

_CHILD = """
import os, sys
library, variables = sys.argv[1], sys.argv[2:]
module = __import__(library)
for variable in variables:
    os.environ[variable] = "1"
square = module.ones((600, 600))
for _ in range(3):
    square @ square
import psutil
print(psutil.Process().num_threads())
"""


def show(shared: SharedPaths, *, is_json: bool) -> int:
    """Examine this machine and the shared directory, and print the findings."""
    pool.check_directory(shared)
    findings = examine(shared)
    if is_json:
        click.echo(json.dumps({"findings": [asdict(finding) for finding in findings]}))
        return 0
    for line in (line for finding in findings for line in finding.lines()):
        click.echo(line)
    return 0


def examine(shared: SharedPaths) -> list[Finding]:
    """Look at everything.

    Raises:
        StorageError: The shared directory cannot be written to.
    """
    cores = usable_cores()
    with atomic.storage_errors("try out the shared directory"):
        atomic.make_directory(shared.root)
        support = locks.probe(shared.root)
    return [
        judge_environment(dict(os.environ)),
        *judge_pools(measure_all(), cores=cores),
        judge_islands(status.read_all(shared), cores=cores),
        judge_mount(support, pool.read(shared)),
    ]


def usable_cores() -> int:
    """Return how many processors this process may use, which is what counts in a container or a batch job."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def judge_environment(environment: dict[str, str]) -> Finding:
    """Say which thread variables are set."""
    found = {name: environment[name] for name in THREAD_VARIABLES if name in environment}
    shown = ", ".join(f"{name}={value}" for name, value in found.items()) or "no thread variable is set"
    return Finding("environment", OK, f"{shown}; islands set their own limit before they load anything (--threads)")


def judge_pools(measurements: Sequence[Measurement], *, cores: int) -> list[Finding]:
    """Compare how many threads each library starts with and without a limit, and with one that comes too late."""
    findings = []
    for library in dict.fromkeys(m.library for m in measurements):
        threads = {m.setup: m.threads for m in measurements if m.library == library}
        if any(n is None for n in threads.values()):
            findings.append(Finding(library, WARNING, "cannot be loaded", "run 'make setup'"))
            continue
        evidence = ", ".join(f"{n} threads {setup}" for setup, n in threads.items())
        free, limited, late = threads[AS_IT_IS] or 0, threads[LIMITED] or 0, threads[TOO_LATE] or 0
        advice = ""
        if free > limited:
            advice = (
                f"N processes of your own scripts would start N x {free} threads on {cores} cores; "
                f"set the limit in the shell, before Python starts"
            )
        if late > limited:
            advice += "; inside Python, after the import, it comes too late" if advice else ""
        findings.append(Finding(library, WARNING if free > limited and cores > 1 else OK, evidence, advice))
    return findings


def judge_islands(rows: Sequence[IslandStatus], *, cores: int) -> Finding:
    """Compare the islands that run here with the cores there are."""
    running = [row for row in rows if row.condition in status.ALIVE]
    threads = sum(row.threads or 0 for row in running)
    evidence = f"{len(running)} running here with {threads} threads in all, on {cores} usable cores"
    if len(running) > cores:
        return Finding("islands", WARNING, evidence, f"more islands than cores share the time; use {cores} per machine")
    if threads > max(cores, len(running)):
        return Finding("islands", WARNING, evidence, "more threads than cores; start islands with --threads 1")
    return Finding("islands", OK, evidence)


def judge_mount(support: MountSupport, identity: pool.Pool | None) -> Finding:
    """Say what the shared file system does, and whether the pool was made for it."""
    evidence = ", ".join(
        f"{name.replace('_', ' ')}: {'yes' if value else 'NO'}" for name, value in asdict(support).items()
    )
    if not support.hard_links:
        return Finding(
            "file system", WARNING, evidence, "islands need hard links to claim their epoch; use another mount"
        )
    if not support.rename_refuses:
        return Finding("file system", WARNING, evidence, "a batch could replace another; use another mount")
    if identity is not None and identity.lock_class != support.lock_class:
        advice = f"the pool was made with {identity.lock_class} locks, this mount would choose {support.lock_class}"
        return Finding("file system", WARNING, evidence, advice)
    if not support.flock_excludes:
        return Finding("file system", WARNING, evidence, "flock does not exclude; the pool uses lock files instead")
    return Finding("file system", OK, evidence)


@dataclass(frozen=True)
class Measurement:
    """Number of threads that a process had after using a library.

    Attributes:
        library: numpy or torch.
        setup: How the limit was set.
        threads: All threads of the process, the main one included; None if the library cannot be loaded.
    """

    library: str
    setup: str
    threads: int | None


def measure(library: str, setup: str) -> Measurement:
    """Use `library` in a fresh process under one of the three setups."""
    environment = dict(os.environ)
    if setup == LIMITED:
        environment |= dict.fromkeys(THREAD_VARIABLES, "1")
    if setup == TOO_LATE:
        environment = {name: value for name, value in environment.items() if name not in THREAD_VARIABLES}
    late = THREAD_VARIABLES if setup == TOO_LATE else ()
    child = subprocess.run(  # noqa: S603 - our own interpreter and our own text
        [sys.executable, "-c", _CHILD, library, *late],
        env=environment,
        capture_output=True,
        errors="replace",
        check=False,
    )
    return Measurement(library, setup, int(child.stdout) if child.returncode == 0 else None)


def measure_all() -> list[Measurement]:
    """Measure every library that is installed under every setup."""
    libraries = [library for library in ("numpy", "torch") if find_spec(library)]
    return [measure(library, setup) for library in libraries for setup in (AS_IT_IS, LIMITED, TOO_LATE)]
