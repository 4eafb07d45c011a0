"""Islands as a user starts them, from exec to exit: one beside the same evaluations in a fresh process, and several.

`scaling`: islands side by side, pinned nowhere, N = 1, 2, ... cores, or a whole archipelago. Beside them run as
many processes that only evaluate: what N cores of this machine give at all.

Of real processes it is known how long they took, how much processor time, and how much memory at the most.
"""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import IO, TYPE_CHECKING

from atoll.evo import runlog
from atoll.evo.paths import SharedPaths
from atoll.scripts.lab.kit.machine import ROOT
from atoll.scripts.lab.speed import bare
from atoll.scripts.lab.speed.generation import ISLAND
from atoll.scripts.lab.speed.plan import forget, populate
from atoll.scripts.lab.speed.rounds import Case, Figure, Table, by_round, ratios, values
from atoll.scripts.processes import proc

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from atoll.scripts.lab.kit.rows import Row, Run
    from atoll.scripts.lab.speed.plan import Plan
    from atoll.scripts.lab.speed.rounds import Round


SAMPLE_S = 0.05
"""Between two looks at a process's memory, which take a fraction of a millisecond each."""


@dataclass(frozen=True)
class Ended:
    """A process that has ended well.

    Attributes:
        started_unix_s: When it was started, by the clock of the wall.
        cpu_s: Of all its threads, user and system.
        peak_pss_bytes: The largest proportional set size seen; 0 where the system does not tell.
    """

    started_unix_s: float
    wall_s: float
    cpu_s: float
    peak_pss_bytes: int
    output: str


@dataclass
class _Running:
    process: subprocess.Popen[bytes]
    output: IO[bytes]
    started_unix_s: float
    started_s: float
    peak_pss_bytes: int = 0
    ended: Ended | None = field(default=None)

    def look(self) -> None:
        pss_bytes, _ = proc.read_memory(self.process.pid)
        self.peak_pss_bytes = max(self.peak_pss_bytes, pss_bytes)

    def end(self) -> None:
        wall_s = time.perf_counter() - self.started_s
        _, status, usage = os.wait4(self.process.pid, 0)
        self.process.returncode = os.waitstatus_to_exitcode(status)
        self.output.seek(0)
        output = self.output.read().decode(errors="replace")
        if self.process.returncode:
            raise RuntimeError(
                f"{self.process.args!r} ended with {self.process.returncode}, expected 0: {output[-500:]}"
            )
        cpu_s = usage.ru_utime + usage.ru_stime
        self.ended = Ended(self.started_unix_s, wall_s, cpu_s, self.peak_pss_bytes, output)


def run_together(commands: Sequence[Sequence[str]], *, sample_s: float | None = SAMPLE_S) -> list[Ended]:
    """Run Python with each of these arguments, all at once, to their ends.

    Args:
        commands: The arguments of each.
        sample_s: Between two looks at the memory of all; None: nobody looks, since so many would be disturbed.

    Raises:
        RuntimeError: One did not exit with 0; the others are ended.
    """
    with contextlib.ExitStack() as stack:
        ends = stack.enter_context(selectors.DefaultSelector())
        all_of_them = []
        for arguments in commands:
            running = _start(arguments, stack.enter_context(tempfile.TemporaryFile()))
            stack.callback(_stop, running)
            all_of_them.append(running)
            descriptor = os.pidfd_open(running.process.pid)
            stack.callback(os.close, descriptor)
            ends.register(descriptor, selectors.EVENT_READ, running)
        while ends.get_map():
            for key, _ in ends.select(sample_s):
                ends.unregister(key.fd)
                key.data.end()
            for running in all_of_them if sample_s is not None else []:
                if running.ended is None:
                    running.look()
        return [running.ended for running in all_of_them if running.ended]


def _start(arguments: Sequence[str], output: IO[bytes]) -> _Running:
    command = [sys.executable, *arguments]
    now_s, now_unix_s = time.perf_counter(), time.time()
    process = subprocess.Popen(  # noqa: S603 - our own programs
        command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT
    )
    return _Running(process, output, now_unix_s, now_s)


def _stop(running: _Running) -> None:
    if running.process.returncode is None:
        running.process.kill()
        running.process.wait()


WHOLE, BARE = ("island",), ("bare",)
PER_EVALUATION, START_S = 1.3, 0.6
"""What exec to exit may take: so many times the evaluation, and so many seconds."""


def cases(plan: Plan, place: Path) -> list[Case]:
    """Return an island among 20, and its evaluations alone."""
    root = place / "island"
    populate(root, plan, peers=plan.archipelago - 1)
    return [Case(partial(_island, plan, root)), Case(partial(_bare, plan))]


def tables(run: Run) -> list[Table]:
    """Derive start-up, memory, and exec to exit against pure evaluation of as many genomes."""
    rounds = by_round(run.rows, "what")
    both = [(each[WHOLE], each[BARE]) for each in rounds if WHOLE in each and BARE in each]
    beyond_own = values(rounds, WHOLE, lambda row: row["wall_s"] - PER_EVALUATION * row["evaluate_s"])
    alone_s = [_share(island, other) * other["evaluate_s"] for island, other in both]
    beyond_bare = [island["wall_s"] - PER_EVALUATION * s for (island, _), s in zip(both, alone_s, strict=True)]
    peaks_mb = values(rounds, WHOLE, lambda row: row["peak_pss_bytes"] / 1e6)
    ratio = [island["wall_s"] / s for (island, _), s in zip(both, alone_s, strict=True)]
    logged = [island["evaluate_s"] / s for (island, _), s in zip(both, alone_s, strict=True)]
    cpu = [island["cpu_s"] / (_share(island, other) * other["cpu_s"]) for island, other in both]
    return [
        Table(
            "One island, exec to exit",
            [
                Figure("wall (s)", values(rounds, WHOLE, lambda row: row["wall_s"])),
                Figure("evaluation that it logged (s)", values(rounds, WHOLE, lambda row: row["evaluate_s"])),
                Figure("the same evaluations alone, in a fresh process (s)", alone_s),
                Figure("wall / evaluation alone", ratio),
                Figure("wall / evaluation logged", values(rounds, WHOLE, lambda r: r["wall_s"] / r["evaluate_s"])),
                Figure(f"wall - {PER_EVALUATION} evaluation alone (s)", beyond_bare, at_most=START_S),
                Figure(f"wall - {PER_EVALUATION} evaluation logged (s)", beyond_own, at_most=START_S),
                Figure("evaluation logged / alone", logged),
                Figure("processor time / that of evaluation alone", cpu),
                Figure(
                    "exec to the founders' line in the log (s)",
                    values(rounds, WHOLE, lambda r: r["startup_s"]),
                    at_most=0.5,
                ),
                Figure("peak memory (MB PSS)", [mb for mb in peaks_mb if mb], at_most=80),
            ],
        )
    ]


def _island(plan: Plan, root: Path) -> list[Row]:
    [ended] = run_together([["cli.py", *plan.arguments(ISLAND, root)]])
    lines = runlog.read(SharedPaths(root).island(ISLAND).log)
    generations = [line for line in lines if line["kind"] == "generation"]
    forget(root, ISLAND)
    return [
        {
            "what": "island",
            **_of_process(ended),
            "startup_s": generations[0]["time"]["unix_s"] - ended.started_unix_s,
            "evaluate_s": sum(line["time"]["evaluate_s"] for line in generations),
            "evaluations": generations[-1]["evaluations"],
            "scored": _scored(generations),
            "imports": generations[-1]["imports"],
        }
    ]


def _bare(plan: Plan) -> list[Row]:
    [ended] = run_together([bare.arguments(plan, plan.population * (plan.generations + 1))])
    return [{"what": "bare", **_of_process(ended), **json.loads(ended.output)}]


def _of_process(ended: Ended) -> Row:
    return {"wall_s": ended.wall_s, "cpu_s": ended.cpu_s, "peak_pss_bytes": ended.peak_pss_bytes}


def _scored(lines: Iterable[Row]) -> int:
    """Return how many genomes a task was asked about in the generations of a log; a deterministic one not twice."""
    return sum(line["time"]["scored"] for line in lines)


def _share(island: Row, other: Row) -> float:
    """Return what an island had scored as a share of what was scored alone; rows of older versions had all of it."""
    return island["scored"] / other["evaluations"] if "scored" in island else 1.0


ARCHIPELAGO_S = 60.0
"""In which 20 islands of 250 individuals and 150 generations are to be done on two cores."""
EFFICIENCY = 0.95


def scaling_cases(plan: Plan, place: Path) -> list[Case]:
    """Return every number of islands and of bare evaluators, and the archipelago."""
    counts = _counts(len(os.sched_getaffinity(0)))
    side_by_side = [Case(partial(measure, plan, place, n)) for n in counts for measure in (_islands, _bare_together)]
    return [*side_by_side, Case(partial(_islands, plan, place, plan.archipelago, what="archipelago"), plan.few_rounds)]


def scaling_tables(run: Run) -> list[Table]:
    """Derive speed-up and efficiency against one island of the same round, and the archipelago's time."""
    rounds = by_round(run.rows, "what", "n")
    many = sorted({row["n"] for row in run.rows if row["what"] == "islands" and row["n"] > 1})
    beside_one = [figure for n in many for figure in _beside_one(rounds, n)]
    whole = [row for row in run.rows if row["what"] == "archipelago"]
    name = f"An archipelago of {whole[0]['n']} islands, exec to exit" if whole else ""
    return [
        Table(
            "Islands side by side, each number beside one island of the same round",
            [Figure("one island (genomes/s)", values(rounds, ("islands", 1), _rate)), *beside_one],
        ),
        Table(
            name,
            [
                Figure("wall (s)", [row["wall_s"] for row in whole], at_most=ARCHIPELAGO_S),
                Figure(
                    "processor time / (cores * wall)", [row["cpu_s"] / (row["cores"] * row["wall_s"]) for row in whole]
                ),
                Figure("genomes imported", [row["imports"] for row in whole]),
                Figure("peak memory of the largest island (MB PSS)", [row["peak_pss_bytes"] / 1e6 for row in whole]),
            ],
        ),
    ]


def _beside_one(rounds: list[Round], n: int) -> list[Figure]:
    def against_one(what: str, of: Callable[[Row], float]) -> list[float]:
        return ratios(rounds, (what, n), (what, 1), of)

    speed_up = against_one("islands", _rate)
    return [
        Figure(f"{n} islands / one: throughput", speed_up, at_least=EFFICIENCY * n),
        Figure(f"{n} islands: efficiency", [ratio / n for ratio in speed_up], at_least=EFFICIENCY),
        Figure(
            f"{n} islands / one: processor time per genome",
            against_one("islands", lambda row: row["cpu_s"] / row["work"]),
        ),
        Figure(f"{n} processes that only evaluate / one: throughput", against_one("bare", _rate)),
    ]


def _counts(cores: int) -> list[int]:
    powers = [1 << power for power in range(cores.bit_length())]
    return sorted({*powers, cores})


def _islands(plan: Plan, place: Path, n: int, *, what: str = "islands") -> list[Row]:
    with tempfile.TemporaryDirectory(dir=place) as folder:
        root = Path(folder) / "shared"
        names = [f"island-{number:02}" for number in range(1, n + 1)]
        ended = run_together([["cli.py", *plan.arguments(name, root)] for name in names])
        logs = [runlog.read(SharedPaths(root).island(name).log) for name in names]
    generations = [[line for line in log if line["kind"] == "generation"] for log in logs]
    imports = sum(lines[-1]["imports"] for lines in generations)
    return [{"what": what, "n": n, **_together(ended, sum(map(_scored, generations))), "imports": imports}]


def _bare_together(plan: Plan, place: Path, n: int) -> list[Row]:  # noqa: ARG001 - measured like islands
    evaluations = plan.population * (plan.generations + 1)
    ended = run_together([bare.arguments(plan, evaluations)] * n)
    return [{"what": "bare", "n": n, **_together(ended, n * evaluations)}]


def _together(ended: list[Ended], work: int) -> Row:
    """Return what processes took that were started together: from the first exec to the last exit."""
    began = min(each.started_unix_s for each in ended)
    wall_s = max(each.started_unix_s - began + each.wall_s for each in ended)
    return {
        "wall_s": wall_s,
        "cpu_s": sum(each.cpu_s for each in ended),
        "work": work,
        "work_per_s": work / wall_s,
        "peak_pss_bytes": max(each.peak_pss_bytes for each in ended),
    }


def _rate(row: Row) -> float:
    return float(row["work_per_s"])
