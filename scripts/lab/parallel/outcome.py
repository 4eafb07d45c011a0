"""How a run ended, in a word and a line, from what its workers left and how its driver ended."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from atoll.scripts.lab.parallel.rows import DEADLINE, FAILED, FINISHED

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from atoll.scripts.lab.parallel.rows import TrialRecord, TrialStart


@dataclass(frozen=True)
class Ending:
    """What the harness saw at the end of a run.

    Attributes:
        code: The driver's exit code, minus the signal that killed it; None if it was still running and had to be ended.
        waited_s: How long the harness waited, where it had to end the driver.
        living: Processes of the run that were alive then.
        error: The one line that the driver left of an exception.
    """

    code: int | None
    waited_s: float = 0.0
    living: frozenset[int] = frozenset()
    error: str | None = None


def judge(
    ending: Ending, *, n_trials: int, workers: int, trials: Sequence[TrialRecord], starts: Sequence[TrialStart]
) -> tuple[str, str | None]:
    """Return the outcome of a run and the reason for it, None where there is nothing to say."""
    done = {trial.index for trial in trials if trial.error is None}
    raised = [f"trial {trial.index} raised {trial.error}" for trial in trials if trial.error is not None]
    lost = sorted(set(range(n_trials)) - {trial.index for trial in trials})
    said = [*_driver(ending, n_done=len(done), n_trials=n_trials), *raised]
    said += [_lost(index, starts, living=ending.living, is_over=ending.code is not None) for index in lost]
    said += _tried_again(starts)
    if ending.code is None:
        return DEADLINE, "; ".join(said)
    if len(done) < n_trials or ending.code != 0:
        return FAILED, "; ".join(said)
    if workers > 1 and len(starts) == n_trials > 1 and most_at_once(trials) == 1:
        said.append(f"trials ran one at a time, with {workers} workers")
    return FINISHED, "; ".join(said) or None


def most_at_once(trials: Iterable[TrialRecord]) -> int:
    """Return how many trials ran at the same time, at the most."""
    edges = [(trial.start_s, 1) for trial in trials] + [(trial.end_s, -1) for trial in trials]
    running = most = 0
    for _, step in sorted(edges):  # at equal times an end comes first
        running += step
        most = max(most, running)
    return most


def _driver(ending: Ending, *, n_done: int, n_trials: int) -> list[str]:
    if ending.code is None:
        return [f"ended after {ending.waited_s:.1f} s with {n_done} of {n_trials} trials done"]
    if ending.error:
        return [ending.error]
    if ending.code < 0:
        return [f"the driver was killed by signal {-ending.code}"]
    return [f"the driver exited with {ending.code}"] if ending.code else []


def _lost(index: int, starts: Sequence[TrialStart], *, living: Collection[int], is_over: bool) -> str:
    mine = [start for start in starts if start.index == index]
    if not mine:
        return f"trial {index} never began"
    pid = mine[-1].pid
    if is_over or pid in living:
        return f"trial {index} began in process {pid} and never ended"
    return f"trial {index} was lost with process {pid}, for which the backend waited"


def _tried_again(starts: Sequence[TrialStart]) -> list[str]:
    indices = [start.index for start in starts]
    return [
        f"trial {index} was begun {indices.count(index)} times"
        for index in sorted(set(indices))
        if indices.count(index) > 1
    ]
