"""What `atoll.evo.tasks.task.Task` promises, one check each: tried on a few genomes, answered in plain words.

Source: gymnasium's `utils/env_checker.py`, which does this for environments.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from atoll.evo.errors import TaskError
from atoll.evo.tasks.mistakes import what

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from atoll.evo.genome import Floats
    from atoll.evo.tasks.task import Task

OK, NOTE, BROKEN = "ok", "note", "broken"
N = 8
N_SLOW = 3
SLOW_S = 0.5
EPISODE = 3
ROUNDING = 1e-5
GENERATION = 250


class Verdict(NamedTuple):
    """What a check found.

    Attributes:
        outcome: `ok`, `note` (worth knowing) or `broken`.
        says: What was seen.
        advice: What to change.
    """

    outcome: str
    says: str
    advice: str = ""


@dataclass(frozen=True)
class Sample:
    """Genomes and what they scored the first time.

    Attributes:
        task: The task.
        genes: The genomes, [N, D].
        scores: Their scores, [N].
        seconds: How long one takes.
    """

    task: Task
    genes: Floats
    scores: Floats
    seconds: float


def sample_genes(task: Task, n: int) -> Floats:
    """Return the genomes that are tried, the same in every process, [n, D]."""
    return task.spec.sample(np.random.default_rng(20), n)


def first_sample(task: Task) -> Sample:
    """Score a few genomes, fewer if the task is slow.

    Raises:
        TaskError: The scores are not one finite number each.
    """
    genes = sample_genes(task, N)
    began_s = time.perf_counter()
    task.evaluate(genes[:1].copy(), EPISODE)  # what the first call loads or compiles does not count
    n = N if time.perf_counter() - began_s < SLOW_S else N_SLOW
    began_s = time.perf_counter()
    scores = _scores(task, genes[:n])
    seconds = (time.perf_counter() - began_s) / n
    return Sample(task, genes[:n], scores.copy(), seconds)


def layout(task: Task) -> Verdict:
    """Describe the genome."""
    segments = [f"{s.name}: {s.size} {s.kind.value} from {s.low:g} to {s.high:g}" for s in task.spec.segments]
    shown = ", ".join([*segments[:4], *(["..."] if len(segments) > 4 else [])])
    return Verdict(OK, f"{task.spec.size} genes ({shown})")


def corners(sample: Sample) -> Verdict:
    """Try genomes at the bounds."""
    spec = sample.task.spec
    alternating = np.where(np.arange(spec.size) % 2, spec.low, spec.high)
    _scores(sample.task, np.stack([spec.low, spec.high, alternating]).astype(np.float32))
    return Verdict(OK, "genes at their bounds score finite numbers too")


def again(sample: Sample) -> Verdict:
    """Try the same genomes again, after others."""
    return _compared(
        _scores(sample.task, sample.genes),
        sample.scores,
        same="the same genomes score the same again",
        different="the same genomes scored differently the second time",
        advice="draw all random numbers from the episode, as in rng = np.random.default_rng(episode), and keep "
        "nothing from one call to the next",
    )


def another_process(sample: Sample, *, elsewhere: Callable[[int, int], Floats]) -> Verdict:
    """Try them in another process."""
    return _compared(
        elsewhere(len(sample.genes), EPISODE),
        sample.scores,
        same="another process scores the same",
        different="another process scores the same genomes differently",
        advice="rely on no global random state, hash(), order of a set, clock or process id: islands are processes",
    )


def neighbours(sample: Sample) -> Verdict:
    """Try them alone, and in another order."""
    alone = np.concatenate([_scores(sample.task, genome[None]) for genome in sample.genes])
    backwards = _scores(sample.task, sample.genes[::-1])[::-1]
    return _compared(
        max(alone, backwards, key=lambda scores: _distance(scores, sample.scores)),
        sample.scores,
        same="a score depends on neither place nor neighbours",
        different="a genome scored differently alone, or at another place, than among the others",
        advice="score each row of genes by itself: no mean, rank or running index over the population",
    )


def unchanged(sample: Sample) -> Verdict:
    """See whether the genes are left as they were."""
    genes = sample_genes(sample.task, len(sample.genes))
    own = getattr(sample.task, "evaluation", None)  # a user's, which is usually handed a copy
    try:
        (own or sample.task.evaluate)(genes, EPISODE)
    except Exception as error:  # whatever it raises
        raise TaskError(what(error)) from error
    if genes.tobytes() == sample_genes(sample.task, len(genes)).tobytes():
        return Verdict(OK, "the genes are left as they were")
    if own:
        return Verdict(NOTE, "evaluate changes the genes it is given; islands hand out copies, so that harms nobody")
    return Verdict(BROKEN, "evaluate changes the genes it is given", "copy the genes before changing them")


def episodes(sample: Sample) -> Verdict:
    """See whether the episode matters."""
    scores = sample.task.evaluate(sample.genes.copy(), EPISODE + 1)
    if scores.tobytes() == sample.scores.tobytes():
        return Verdict(OK, "the score does not depend on the episode: deterministic")
    return Verdict(
        NOTE,
        "the score depends on the episode, one per generation and the same for all: stochastic; champions are lucky "
        "too, so try them on episodes that they never saw",
    )


def variety(sample: Sample) -> Verdict:
    """See whether there is anything to select by."""
    raw = _raw_scores(sample)
    if raw is not None and len(np.unique(sample.scores)) < len(np.unique(raw)):
        says = (
            f"{len(np.unique(raw))} different scores are {len(np.unique(sample.scores))} once they are rounded to "
            f"float32, as at {raw[0]:.9g}: selection does not see the difference"
        )
        return Verdict(NOTE, says, "subtract a constant or divide, so that scores differ in their first six digits")
    if len(np.unique(sample.scores)) > 1:
        return Verdict(OK, f"scores from {sample.scores.min():g} to {sample.scores.max():g}")
    says = f"all {len(sample.scores)} random genomes score {sample.scores[0]:g}: selection has nothing to prefer"
    return Verdict(NOTE, says, "reward partial success, or check that the genes are used")


def speed(sample: Sample) -> Verdict:
    """Say how long evaluations take."""
    generation_s = sample.seconds * GENERATION
    return Verdict(
        OK, f"{sample.seconds * 1000:.3g} ms per genome: {generation_s:.3g} s for a generation of {GENERATION}"
    )


def _raw_scores(sample: Sample) -> NDArray[np.float64] | None:
    """Return the scores as a user's evaluation returns them, before they become float32; None if nobody knows them."""
    evaluation = getattr(sample.task, "evaluation", None)
    try:
        return None if evaluation is None else np.asarray(evaluation(sample.genes.copy(), EPISODE), dtype=np.float64)
    except Exception as error:  # whatever it raises
        raise TaskError(what(error)) from error


def _scores(task: Task, genes: Floats) -> Floats:
    scores: Any = task.evaluate(genes.copy(), EPISODE)
    if not isinstance(scores, np.ndarray) or scores.shape != (len(genes),) or scores.dtype != np.float32:
        raise TaskError(f"evaluate must return float32 of shape ({len(genes)},), got {type(scores).__name__}")
    if not np.isfinite(scores).all():
        raise TaskError(f"evaluate must return finite numbers, got {scores[~np.isfinite(scores)][0]}")
    return scores


def _distance(scores: Floats, others: Floats) -> float:
    """Return the largest relative difference."""
    a, b = scores.astype(np.float64), others.astype(np.float64)
    return float(np.max(np.abs(a - b) / np.maximum(np.maximum(np.abs(a), np.abs(b)), 1e-30)))


def _compared(scores: Floats, others: Floats, *, same: str, different: str, advice: str) -> Verdict:
    if scores.tobytes() == others.tobytes():
        return Verdict(OK, f"{same}, bit for bit")
    if _distance(scores, others) <= ROUNDING:
        why = "as after matrix products and sums over an axis; evolution does not mind, but reruns may differ"
        return Verdict(NOTE, f"{same} but for the last digits, {why}")
    worst = int(np.argmax(np.abs(scores.astype(np.float64) - others)))
    return Verdict(BROKEN, f"{different}: {others[worst]:g}, then {scores[worst]:g}", advice)
