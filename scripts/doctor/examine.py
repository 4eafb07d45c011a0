"""Examinations that `doctor` prints: of this machine and its shared file system, of a process, of a command.

How many threads a numeric library really starts is found by starting it. Each measurement is a fresh process, since a
library looks at the environment once, when it is loaded: that is also why setting `OMP_NUM_THREADS` after
`import torch` does nothing, which the third measurement shows.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import shutil
import subprocess
import sys
import textwrap
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING

import click

from atoll.evo import atomic
from atoll.evo.errors import ConfigError, count
from atoll.evo.resources import THREAD_VARIABLES
from atoll.evo.signals import StopSignal
from atoll.migration.observe import status, team
from atoll.migration.pool import identity as pool
from atoll.migration.pool import locks
from atoll.scripts.doctor import observe
from atoll.scripts.doctor.diagnosis import OK, WARNING, Finding, diagnose, explain
from atoll.scripts.processes import makers

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from atoll.evo.paths import SharedPaths
    from atoll.migration.observe.status import IslandStatus
    from atoll.migration.pool.locks import MountSupport
    from atoll.scripts.doctor.observe import Observation

PATIENCE_S = 10.0
"""How long a command may take to end after it was asked to."""
REQUEST_S = 0.01
"""What a team takes for a generation beside its evaluation: seconds that do not shrink with more members.

Measured with a task that sleeps, 64 genomes of 5 and of 20 ms, on a local disk and two idle cores: in twelve runs of 2
and 4 members the median generation took 4 to 13 ms longer than its part of the sleep, 10 ms in the middle.
"""
EFFICIENCY = 0.9
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


def show_process(pid: int, *, seconds: float, is_json: bool) -> int:
    """Look at a process for so many seconds, or until it ends or somebody stops us."""
    observe.check(pid)
    with StopSignal() as stop:
        seen = observe.observe(pid, is_over=lambda so_far_s: so_far_s >= seconds or stop())
    _show_seen(seen, [], is_json=is_json)
    return 128 + stop.received if stop.received else 0


def show_command(command: Sequence[str], *, is_json: bool) -> int:
    """Run a command to its end and look at it meanwhile; what it prints goes where errors go if we print JSON.

    Raises:
        ConfigError: It cannot be started, or ended at once.
    """
    with StopSignal() as stop:
        try:
            process = subprocess.Popen(command, stdout=sys.stderr if is_json else None)  # noqa: S603 - the user's own
        except OSError as error:
            raise ConfigError(f"cannot start {command[0]}: {error.strerror or error}") from error
        try:
            seen = observe.observe(process.pid, is_over=lambda _: stop())
        finally:
            code = _end(process, stop.received)
    _show_seen(seen, [Finding("command", WARNING if code else OK, f"ended with {code}")], is_json=is_json)
    return 128 + stop.received if stop.received else 0


def _end(process: subprocess.Popen[bytes], received: int) -> int:
    """Pass on the signal that we received, if any, and wait for the end."""
    if received:
        process.send_signal(received)
        with contextlib.suppress(subprocess.TimeoutExpired):
            return process.wait(PATIENCE_S)
        process.kill()
    return process.wait()


def _show_seen(seen: Observation, more: Sequence[Finding], *, is_json: bool) -> None:
    """Print the findings, and why nobody knows who made some threads if this system hides it from us."""
    unseen = any(thread.maker is None for process in seen.processes for thread in process.threads)
    reason = makers.check() if unseen else None
    blind_spots = [Finding("makers of threads", WARNING, reason)] if reason else []
    told = {"diagnosis": asdict(diagnose(seen)), "seen": asdict(seen)}
    _print([*more, *blind_spots, *explain(seen)], told, is_json=is_json)


def _print(findings: Sequence[Finding], told: Mapping[str, object], *, is_json: bool) -> None:
    if is_json:
        click.echo(json.dumps({**told, "findings": [asdict(finding) for finding in findings]}))
        return
    for line in (line for finding in findings for line in finding.lines()):
        click.echo(_wrapped(line) if sys.stdout.isatty() else line)


def _wrapped(line: str) -> str:
    indent = " " * (len(line) - len(line.lstrip()) + 3 if line.startswith(" ") else 8)
    return textwrap.fill(line, shutil.get_terminal_size().columns, subsequent_indent=indent, break_long_words=False)


def show_machine(shared: SharedPaths, *, is_json: bool) -> int:
    """Examine this machine and the shared directory, and print the findings.

    Raises:
        StorageError: The shared directory cannot be written to.
    """
    cores = usable_cores()
    with atomic.storage_errors("try out the shared directory"):
        atomic.make_directory(shared.root)
        support = locks.probe(shared.root)
    rows = status.read_all(shared)
    findings = [
        judge_environment(dict(os.environ)),
        *judge_pools(measure_all(), cores=cores),
        judge_islands(rows, cores=cores),
        *(finding for row in rows if (finding := judge_team(row, cores=cores))),
        judge_mount(support, pool.read(shared)),
    ]
    _print(findings, {}, is_json=is_json)
    return 0


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
    advice = ""
    if len(running) > cores:
        advice = f"more islands than cores share the time; use {cores} per machine"
    elif threads > cores:
        advice = "more threads than cores; start islands with --threads 1"
    return Finding("islands", WARNING if advice else OK, evidence, advice)


def judge_team(row: IslandStatus, *, cores: int) -> Finding | None:
    """Say what waiting costs an island's team, and how many members pay; None if nobody has scored for it."""
    genomes, evaluate_s = sum(each.genomes for each in row.team), sum(each.evaluate_s for each in row.team)
    if not genomes or not evaluate_s or not row.population:
        return None
    waited_s = sum(each.waited_s for each in row.team)
    alone_s = evaluate_s / genomes * row.population
    at_most = members_that_pay(alone_s, population=row.population)
    n_here = sum(each.condition == team.ALIVE for each in row.team)
    n = n_here + sum(each.condition == team.ELSEWHERE for each in row.team) or sum(bool(each.last) for each in row.team)
    evidence = (
        f"{count(n, 'member')}, {waited_s / (waited_s + evaluate_s):.0%} of all members' time was waiting; one process "
        f"evaluates a generation in {alone_s:.2g} s, so {count(at_most, 'member')} can work at an efficiency of "
        f"{EFFICIENCY} or more ({1000 * REQUEST_S:.0f} ms a generation do not shrink)"
    )
    advice = ""
    if n > at_most:
        advice = f"stop {n - at_most}, or let them live islands of their own"
    elif n_here > cores:
        advice = f"more members than cores share the time; use {cores} per machine, unless they wait for other programs"
    return Finding(f"team of {row.name}", WARNING if advice else OK, evidence, advice)


def members_that_pay(alone_s: float, *, population: int) -> int:
    """Return how many members work at `EFFICIENCY` or more; at least 1, and no more than there are genomes.

    Of N members each evaluates for T / N seconds, T being `alone_s`, and all spend o = `REQUEST_S` beside that. So
    efficiency(N) = T / (N (T / N + o)) = 1 / (1 + N o / T).
    """
    return max(min(math.floor(alone_s / REQUEST_S * (1.0 / EFFICIENCY - 1.0)), population), 1)


def judge_mount(support: MountSupport, identity: pool.Pool | None) -> Finding:
    """Say what the shared file system does, and whether the pool was made for it."""
    answers = {name.replace("_", " "): "yes" if value else "NO" for name, value in asdict(support).items()}
    advice = ""
    if not support.hard_links:
        advice = "islands need hard links to claim their epoch; use another mount"
    elif not support.rename_refuses:
        advice = "a batch could replace another; use another mount"
    elif identity is not None and identity.lock_class != support.lock_class:
        advice = f"the pool was made with {identity.lock_class} locks, this mount would choose {support.lock_class}"
    elif not support.flock_excludes:
        advice = "flock does not exclude; the pool uses lock files instead"
    evidence = ", ".join(f"{name}: {answer}" for name, answer in answers.items())
    return Finding("file system", WARNING if advice else OK, evidence, advice)


@dataclass(frozen=True)
class Measurement:
    """Number of threads that a process had after using a library; None if the library cannot be loaded."""

    library: str
    setup: str
    threads: int | None


def measure(library: str, setup: str) -> Measurement:
    """Use `library` in a fresh process under one of the three setups."""
    environment, late = dict(os.environ), THREAD_VARIABLES if setup == TOO_LATE else ()
    if setup == LIMITED:
        environment |= dict.fromkeys(THREAD_VARIABLES, "1")
    for name in late:
        environment.pop(name, None)
    command = [sys.executable, "-c", _CHILD, library, *late]
    child = subprocess.run(command, env=environment, capture_output=True, check=False)  # noqa: S603 - our own text
    return Measurement(library, setup, int(child.stdout) if child.returncode == 0 else None)


def measure_all() -> list[Measurement]:
    """Measure every library that is installed under every setup."""
    libraries = [library for library in ("numpy", "torch") if find_spec(library)]
    return [measure(library, setup) for library in libraries for setup in (AS_IT_IS, LIMITED, TOO_LATE)]
