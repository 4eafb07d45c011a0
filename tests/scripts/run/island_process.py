"""An island in a process of its own, which a test may slow down, stop, or kill before any of its file operations."""

from __future__ import annotations

import hashlib
import itertools
import json
import multiprocessing
import os
import shutil
import signal
import socket
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from atoll.evo import atomic, runlog
from atoll.evo.config import island_config
from atoll.evo.errors import AtollError
from atoll.evo.paths import GENOMES, SharedPaths
from atoll.evo.signals import StopSignal
from atoll.evo.tasks.functions import FunctionTask
from atoll.migration.pool import batch
from atoll.migration.team.files import TeamFiles
from atoll.migration.team.member import Member, Team
from atoll.scripts.run import team as teams
from atoll.scripts.run.island import Command, run_island
from tests.processes import hang_s

if TYPE_CHECKING:
    from collections.abc import Callable
    from multiprocessing.context import ForkServerProcess

KILLED = -signal.SIGKILL
DEFAULTS = {
    "migrants": 5,
    "population": 12,
    "generations": 12,
    "migrate_every": 3,
    "checkpoint_every": 2,
    "task": "sphere",
    "topology": "full",
}
FILE_EVENTS = {"open", "os.rename", "os.link", "os.mkdir", "os.remove", "os.rmdir", "os.truncate"}

CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(["pytest", "atoll.scripts.run.island", "tests.scripts.run.island_process"])


@dataclass(frozen=True)
class Job:
    """What an island is to do.

    Attributes:
        root: The shared directory.
        island: Its name.
        values: Settings that differ from `DEFAULTS`.
        is_fresh: Start again.
        delay_s: Seconds each evaluation takes longer.
        freeze_before: Stop it there instead, until somebody continues it.
        freeze_at: Stop it during its evaluation of this number; 0 never.
        host: The host that it takes itself to be on.
        is_taking_over: Take the island from an owner on another host.
        output: Where standard output and error go.
        team: Live it as a member of a team of so many; 0 alone.
        silent_after_s: Seconds after which a member gives up an owner that shows no sign; 0 as usual.
        witness: A folder in which each member of a team writes what it scores and publishes; see `witness`.
    """

    root: Path
    island: str
    values: dict[str, Any]
    is_fresh: bool = False
    delay_s: float = 0.0
    freeze_before: int = 0
    freeze_at: int = 0
    host: str = ""
    is_taking_over: bool = False
    output: Path | None = None
    team: int = 0
    silent_after_s: float = 0.0
    witness: Path | None = None


class Screen:
    """Prints what an island says."""

    def say(self, text):
        print(text, flush=True)  # noqa: T201

    def begin(self, target):
        """Take nothing."""

    def generation(self, record):
        pass

    def migration(self, text):
        pass


def perform(job: Job) -> int:
    """Evolve in this process; return the exit code."""
    values = {**DEFAULTS, **job.values}
    try:
        config = island_config(job.island, values, {})
        with StopSignal() as stop:
            command = Command(job.root, job.is_fresh, job.is_taking_over)
            with atomic.storage_errors("read or write what this command needs"):
                if job.team:
                    return teams.run_team(config, command, Team(job.team), display=Screen(), stop=stop)
                return run_island(config, command, display=Screen(), stop=stop)
    except AtollError as error:
        print(f"{type(error).__name__}: {error}", flush=True)  # noqa: T201
        return error.exit_code


def main(job: Job) -> None:
    """Perform a job as a process, and exit."""
    if job.output:
        descriptor = os.open(job.output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
        os.dup2(descriptor, 1)
        os.dup2(descriptor, 2)
    if job.delay_s:
        evaluate = FunctionTask.evaluate
        FunctionTask.evaluate = lambda *args: [time.sleep(job.delay_s), evaluate(*args)][1]  # type: ignore[method-assign]
    if job.freeze_at:
        evaluations = itertools.count(1)
        evaluate_ = FunctionTask.evaluate
        FunctionTask.evaluate = lambda *args: [next(evaluations) == job.freeze_at and freeze(), evaluate_(*args)][1]  # type: ignore[method-assign]
    if job.silent_after_s:
        teams.SILENT_AFTER_S = teams.SILENT_UNKNOWN_S = job.silent_after_s
    if job.witness:
        witness(job.witness)
    if job.host:
        socket.gethostname = lambda: job.host
    if job.freeze_before:
        signal_before(job.freeze_before, job.root, signal.SIGSTOP)
    sys.exit(perform(job))


def witness(place: Path) -> None:
    """Write a line for each share that this process begins to score, and for each whose scores it published.

    A line holds what was done, the request, the hash of each genome, and two moments of a clock that all processes of
    this machine have in common: when the request's folder was listed last, and now.
    """
    looked_s, hashes = 0.0, list[str]()
    look, begin, put = TeamFiles.look, Member._score, TeamFiles.put_scores
    path = place / f"{os.getpid()}.jsonl"

    def note(what: str, request: str) -> None:
        atomic.append_lines(path, [json.dumps([what, request, hashes, looked_s, time.monotonic()]).encode()])

    def looking(files, name, n_shares):
        nonlocal looked_s
        looked_s = time.monotonic()
        return look(files, name, n_shares)

    def scoring(member, work, task, n, rows, **how):
        nonlocal hashes
        hashes = [hashlib.sha256(row.tobytes()).hexdigest()[:16] for row in rows]
        note("began", work.name)
        begin(member, work, task, n, rows, **how)

    def putting(files, name, share, scores):
        is_first = put(files, name, share, scores)
        note("published" if is_first else "duplicate", name)
        return is_first

    TeamFiles.look, Member._score, TeamFiles.put_scores = looking, scoring, putting  # type: ignore[method-assign]


def freeze() -> None:
    """Stop this process until somebody continues it."""
    os.kill(os.getpid(), signal.SIGSTOP)


def signal_before(n: int, root: Path, number: signal.Signals) -> None:
    """Send this process a signal before its n-th file operation below `root`, without any clearing up."""
    count = 0

    def step():
        nonlocal count
        count += 1
        if count == n:
            os.kill(os.getpid(), number)

    def audit(event, arguments):
        if event in FILE_EVENTS and isinstance(arguments[0], str | Path) and _is_below(str(arguments[0]), root):
            step()

    def wrapped(call):
        return lambda *args: [step(), call(*args)][1]

    os.write, os.fsync = wrapped(os.write), wrapped(os.fsync)
    sys.addaudithook(audit)


def _is_below(path: str, root: Path) -> bool:
    return path.startswith(str(root)) or not path.startswith("/")


def freezes(template: Path, place: Path, values: dict[str, Any], first: int, step: int) -> None:
    """Stop an owner before its operations number `first`, `first + step`, ..., take its island over, let it go on.

    Write, for each, its exit code and the names of what it changed after it went on.
    """
    found = []
    for n in itertools.count(first, step):
        root = shutil.copytree(template, place / f"frozen-{n}")
        owner = fork(Job(root, "a", values, freeze_before=n, host="far-away"))
        if not os.WIFSTOPPED(os.waitpid(owner, os.WUNTRACED)[1]):
            break
        assert run_forked(Job(root, "a", values, is_taking_over=True)) == 0
        before = contents(root)
        os.kill(owner, signal.SIGCONT)
        code = os.waitstatus_to_exitcode(os.waitpid(owner, 0)[1])
        after = contents(root)
        changed = [name for name in {*before, *after} if before.get(name) != after.get(name)]
        found.append({"code": code, "epochs": len(epochs_of(root)), "changed": sorted(changed)})
        shutil.rmtree(root)
    (place / f"freezes-{first}.json").write_text(json.dumps(found))


def contents(root: Path) -> dict[str, bytes]:
    """Return the bytes of every file of an archipelago."""
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def run_forked(job: Job) -> int:
    """Perform a job in a fork of this process; return its exit code."""
    return os.waitstatus_to_exitcode(os.waitpid(fork(job), 0)[1])


def fork(job: Job) -> int:
    """Begin to perform a job in a fork of this process; return its id."""
    child = os.fork()
    if not child:
        try:
            main(replace(job, output=Path(os.devnull)))
        except SystemExit as ending:
            os._exit(int(ending.code or 0))
        finally:
            os._exit(99)
    return child


def start(job: Job) -> ForkServerProcess:
    """Start an island."""
    process = CONTEXT.Process(target=main, args=(job,))
    process.start()
    return process


def end(process: ForkServerProcess) -> int:
    """Wait for an island; return its exit code, negative for the signal that killed it."""
    process.join(hang_s())
    code = process.exitcode
    if code is None:
        process.kill()
        process.join()
    process.close()
    assert code is not None, "the island did not end"
    return code


def run(root: Path, island: str = "a", **values: Any) -> int:
    """Run an island to its end in a process of its own."""
    return end(start(Job(root, island, values)))


def outcome(root: Path, island: str = "a") -> dict[str, Any]:
    """Return all that must not depend on how a run was cut into processes, nor on the clock."""
    paths = SharedPaths(root).island(island)
    batches = sorted(paths.outbox.glob("gen-*"), key=lambda path: int(path.name[4:]))
    return {
        "champion": paths.champion.read_bytes(),
        "checkpoints": {path.name: path.read_bytes() for path in sorted(paths.checkpoints.iterdir())},
        "inbox": {p.name: p.read_bytes() for p in sorted(paths.inboxes.iterdir())} if paths.inboxes.exists() else {},
        "moments": {path.name: path.read_bytes() for path in sorted(paths.all_moments.glob("gen-*"))},
        "log": timeless(runlog.current(runlog.read(paths.log))),
        "ledger": timeless(runlog.current(runlog.read(paths.ledger))),
        "published": {
            path.name: (
                batch.parse_manifest((path / "manifest.json").read_bytes()).content_sha256,
                (path / GENOMES).read_bytes(),
            )
            for path in batches
        },
        "leftovers": [
            str(path.relative_to(root))
            for path in root.rglob(".t*")
            if path.name[:5] in {".tmp-", ".tras"} and "/team/gen-" not in str(path)  # those go with their request
        ],
    }


def timeless(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Leave out start lines and the time of every other."""
    return [
        {name: value for name, value in record.items() if name != "time"}
        for record in records
        if record["kind"] != "start"
    ]


def last_generation(root: Path, island: str = "a") -> int:
    """Return the newest generation in an island's log, -1 before there is one."""
    return runlog.read_last(SharedPaths(root).island(island).log).get("generation", {}).get("generation", -1)


def epochs_of(root: Path, island: str = "a") -> list[int]:
    """Return the numbers of an island's starts."""
    return sorted(int(path.stem) for path in SharedPaths(root).island(island).epochs.glob("[0-9]*.json"))


def copy_of(template: Path, place: Path) -> Path:
    """Copy an archipelago."""
    shutil.copytree(template, place)
    return place


def wait_for(condition: Callable[[], bool], process: ForkServerProcess) -> None:
    """Wait until an island has come so far; fail if it ends before, or hangs."""
    began_s = time.monotonic()
    while not condition():
        assert process.exitcode is None or condition(), "the island ended before it came so far"
        assert time.monotonic() - began_s < hang_s()
        time.sleep(0.001)


if __name__ == "__main__":
    ORDER = json.loads(sys.argv[1])
    main(Job(**{**ORDER, "root": Path(ORDER["root"])}))
