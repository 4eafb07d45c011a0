"""Does a task keep its contract? Findings, one after the other as they are made."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from atoll.evo.errors import TaskError
from atoll.evo.tasks import contract
from atoll.evo.tasks.contract import BROKEN, NOTE, OK, Verdict
from atoll.evo.tasks.mistakes import frames, more
from atoll.evo.tasks.side_effects import changes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from atoll.evo.genome import Floats
    from atoll.evo.tasks.side_effects import ProcessState
    from atoll.evo.tasks.task import Task

SLOW_IMPORT_S = 0.5
MEANT_FOR_THE_DETERMINISTIC = ("neighbours", "another process", "episode")
LARGE = ("torch", "tensorflow", "jax", "pandas", "scipy", "sklearn", "matplotlib", "numba")


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        check: What.
        outcome: `ok`, `note` (worth knowing) or `broken`.
        says: What was seen.
        advice: What to change.
        trace: The traceback from the user's own first line on.
    """

    check: str
    outcome: str
    says: str
    advice: str = ""
    trace: str = ""


def loaded(seconds: float, before: set[str], after: set[str]) -> Finding:
    """Say how long loading took, and which large libraries came with it.

    Args:
        seconds: How long.
        before: The modules that were there before.
        after: The modules that are there now.
    """
    large = [name for name in LARGE if name in after and name not in before]
    if not large and seconds < SLOW_IMPORT_S:
        return Finding("loading", OK, f"{seconds:.2g} s, no large library")
    says = f"{seconds:.2g} s at each start of each island, with {', '.join(large) or 'no large library'}"
    return Finding("loading", NOTE, says, "leave out what evaluate does not need" if large else "")


def side_effects(before: ProcessState, after: ProcessState, *, is_printing: bool) -> Finding:
    """Say what a task changed in its process, and whether it printed."""
    said = changes(before, after)
    if is_printing:
        said.append("prints (with --json that goes to standard error)")
    if not said:
        return Finding("side effects", OK, "none on working directory, signals, locale, random state or output")
    return Finding("side effects", NOTE, "; ".join(said))


def other_processes(task: Task) -> Finding:
    """Say whether processes that are not forked find a task's functions, so that it may spread over them."""
    module = getattr(task, "module", "")
    if module:
        return Finding("processes", OK, f"functions can be sent to processes of its own, as those of module {module}")
    return Finding(
        "processes",
        NOTE,
        "another module has the name of this file, so only forked processes find its functions",
        "rename the file if evaluate uses multiprocessing, joblib or the like",
    )


def broken_by(error: TaskError, check: str, name: str) -> Finding:
    """Say how a task failed.

    Args:
        error: What it raised.
        check: At which check.
        name: What `--task` says.
    """
    trace = frames(error, path=name.rpartition(":")[0])
    return Finding(check, BROKEN, str(error).removesuffix(more(name)), trace=trace)


def check_task(task: Task, name: str, *, elsewhere: Callable[[int, int], Floats]) -> Iterator[Finding]:
    """Try a task on a few genomes and yield what is found.

    Args:
        task: The task.
        name: What `--task` says.
        elsewhere: Scores the first n sample genomes at an episode in another process.
    """
    yield Finding("layout", *contract.layout(task))
    if hasattr(task, "module"):
        yield other_processes(task)
    try:
        sample = contract.first_sample(task)
    except TaskError as error:
        yield broken_by(error, "answer", name)
        return
    n = len(sample.scores)
    checks: dict[str, Callable[[contract.Sample], Verdict]] = {
        "answer": lambda _: Verdict(OK, f"{n} genomes, {n} finite numbers"),
        "corners": contract.corners,
        "again": contract.again,
        "neighbours": contract.neighbours,
        "another process": partial(contract.another_process, elsewhere=elsewhere),
        "input": contract.unchanged,
        "episode": contract.episodes,
        "variety": contract.variety,
        "speed": contract.speed,
    }
    is_random = False
    for label, check in checks.items():
        if is_random and label in MEANT_FOR_THE_DETERMINISTIC:
            continue
        try:
            finding = Finding(label, *check(sample))
        except TaskError as error:
            finding = broken_by(error, label, name)
        is_random |= label == "again" and finding.outcome == BROKEN
        yield finding
