"""Islands: ordinary processes of `cli.py evolve`, which share a folder and nothing else.

With migration off an island returns what `run_trial` returns. With migration on it is another algorithm: the trials
that run at the same time exchange genomes, seed by seed, and only their fitness can be compared.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from atoll.evo import atomic, checkpoint, runlog
from atoll.evo.paths import SharedPaths
from atoll.evo.settings import flag_name
from atoll.scripts.lab.kit.machine import ROOT
from atoll.scripts.lab.parallel import records, workload
from atoll.scripts.lab.parallel.arms.arm import TRIES, BackendError
from atoll.scripts.lab.parallel.records import TrialRecord
from atoll.scripts.lab.parallel.setting import FAULTY_TRIAL, HANG, KILL, RAISE

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from atoll.evo.generation import State
    from atoll.evo.paths import IslandPaths
    from atoll.scripts.lab.parallel.setting import Request, Setting

LOOK_S = 0.005
"""Between two looks at the log of an island that something is to befall."""


def run(request: Request) -> None:
    """Run trials as islands; the threads here only wait for processes."""
    with ThreadPoolExecutor(request.setting.workers) as slots:
        list(slots.map(partial(_run_trial, request), range(request.setting.n_trials)))


def command(setting: Setting, index: int, *, seed: int, root: Path) -> list[str]:
    """Return the command that evolves one seed of a trial; what is published and imported lies in `root`."""
    tier = workload.tier_named(setting.tier)
    config = workload.sample_configs(index + 1, seed=setting.seed)[index]
    how = {"seed": seed, "backend": setting.evaluator, "threads": setting.threads}
    migration = {"topology": "full", "migrate_every": setting.migrate_every} if setting.migrate_every else {}
    settings = workload.settings_of(config, tier) | how | migration
    flags = [part for name, value in settings.items() for part in (flag_name(name), str(value))]
    flags += ["-o", f"courses={workload.COURSES}", "-o", f"life_s={tier.life_s}"]
    name = workload.island_name(index)
    return [sys.executable, str(ROOT / "cli.py"), "evolve", name, *flags, "--migration-dir", str(root)]


def _run_trial(request: Request, index: int) -> None:
    start_s, processes, error = time.monotonic(), list[EndedProcess](), None
    result = workload.NO_RESULT
    try:
        seeds = workload.seeds_of(workload.tier_named(request.setting.tier))
        result = workload.summarise([_evolve(request, index, seed, processes) for seed in seeds])
    except BackendError as failure:
        error = str(failure)
    record = TrialRecord(
        index=index,
        start_s=start_s,
        end_s=time.monotonic(),
        cpu_s=sum(process.cpu_s for process in processes),
        pid=processes[-1].pid,
        tid=processes[-1].pid,
        torch_threads=None,
        fitness=result.fitness,
        evaluations=result.evaluations,
        result_hash=result.sha256,
        error=error,
    )
    records.write(request.path, record)


def _evolve(request: Request, index: int, seed: int, processes: list[EndedProcess]) -> State:
    """Run an island to its end, and add its processes to the list; a killed one goes on by the same command."""
    shared = SharedPaths(request.path / f"seed-{seed}")
    paths = shared.island(workload.island_name(index))
    atomic.make_directory(shared.root, durable=False)
    for attempt in range(TRIES):
        is_noted = attempt > 0 or not processes  # once for the trial, and whenever it is tried again
        process = run_process(
            command(request.setting, index, seed=seed, root=shared.root),
            output=request.path / f"island-{index}-{seed}-{attempt}.txt",
            note=partial(records.note_start, request.path, index) if is_noted else None,
            fault=_fault(request, index, paths) if not processes else None,
        )
        processes.append(process)
        found = checkpoint.load_newest(paths) if process.code == 0 else None
        if found is not None:
            return found.state
        if process.code >= 0:
            said = process.last_words.replace(f"{request.path}/", "")  # where the rows are made is nobody's business
            raise BackendError(f"cli.py ended with {process.code}: {said}")
    raise BackendError(f"cli.py was killed {TRIES} times")


def _fault(request: Request, index: int, paths: IslandPaths) -> Fault | None:
    setting = request.setting
    if setting.fault is None or index != FAULTY_TRIAL:
        return None
    return Fault(setting.fault, paths, after=max(1, workload.tier_named(setting.tier).generations // 2))


@dataclass(frozen=True)
class EndedProcess:
    """A process that has ended.

    Attributes:
        code: What it exited with; minus the signal that killed it.
    """

    pid: int
    code: int
    cpu_s: float
    last_words: str


@dataclass(frozen=True)
class Fault:
    """A fault that is injected into an island.

    Attributes:
        kind: "kill" (SIGKILL), "hang" (it is stopped and never continued) or "raise" (it cannot write its log).
        after: The generation in whose course it happens.
    """

    kind: str
    paths: IslandPaths
    after: int

    def prepare(self) -> None:
        """Put what makes it fail where its log belongs."""
        if self.kind == RAISE:
            atomic.make_directory(self.paths.log, durable=False)

    def strike(self, process: subprocess.Popen[bytes]) -> None:
        """Wait until it has come that far, then do it."""
        number = {KILL: signal.SIGKILL, HANG: signal.SIGSTOP}.get(self.kind)
        while number is not None and process.poll() is None:
            record = runlog.read_last(self.paths.log).get("generation", {})
            if record.get("generation", 0) >= self.after:
                process.send_signal(number)
                return
            time.sleep(LOOK_S)


def run_process(
    command: Sequence[str], *, output: Path, note: Callable[[int], object] | None, fault: Fault | None
) -> EndedProcess:
    """Start an island and wait for its end."""
    if fault is not None:
        fault.prepare()
    with output.open("wb") as sink:
        process = subprocess.Popen(  # noqa: S603 - our own program
            command, stdin=subprocess.DEVNULL, stdout=sink, stderr=subprocess.STDOUT
        )
    if note is not None:
        note(process.pid)
    if fault is not None:
        fault.strike(process)
    if process.returncode is None:
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        cpu_s = usage.ru_utime + usage.ru_stime
    else:
        cpu_s = 0.0  # it ended by itself before anything befell it, and `poll` has thrown its times away
    words = output.read_text(errors="replace").strip().splitlines()
    return EndedProcess(process.pid, process.returncode, cpu_s, words[-1] if words else "")
