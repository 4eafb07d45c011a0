"""Contract checks of a task: what `atoll.evo.tasks.task.Task` promises, tried on a few genomes, a finding each.

`python -m atoll.evo.tasks.check WORK` scores the same genomes in a process of its own; its last line is the scores.

Source: gymnasium's `utils/env_checker.py`, which does this for environments.
"""

from __future__ import annotations

import contextlib
import json
import locale
import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from atoll.evo.config import Breeding
from atoll.evo.errors import TaskError
from atoll.evo.signals import STOP_SIGNALS
from atoll.evo.tasks.loader import load_task
from atoll.evo.tasks.task import FIRST_FRESH_EPISODE, is_deterministic
from atoll.evo.tasks.user_task import ROLE
from atoll.evo.user_code import Role, describe_error, traceback_from

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from numpy.typing import NDArray

    from atoll.evo.genome import Floats
    from atoll.evo.tasks.task import Task

ROOT = Path(__file__).parents[3]
OK, NOTE, BROKEN = "ok", "note", "broken"
N = 8
N_SLOW = 3
SLOW_S = 0.5
SLOW_IMPORT_S = 0.5
EPISODE = 3
ROUNDING = 1e-5
GENERATION = 250
FEW_MUTATIONS = 0.5
MEANT_FOR_THE_DETERMINISTIC = ("neighbours", "another process", "episode")
LARGE = ("torch", "tensorflow", "jax", "pandas", "scipy", "sklearn", "matplotlib", "numba")


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at."""

    check: str
    outcome: str  # `ok`, `note` (worth knowing) or `broken`
    says: str
    advice: str = ""
    trace: str = ""  # the traceback from the user's own first line on


class Verdict(NamedTuple):
    """The outcome of one check: the middle of a `Finding`."""

    outcome: str
    says: str
    advice: str = ""


def check_task(task: Task, name: str, *, elsewhere: Callable[[int, int], Floats]) -> Iterator[Finding]:
    """Try a task, of that name for `--task`, on a few genomes and yield what is found.

    `elsewhere` scores the first n sample genomes at an episode in another process.
    """
    yield Finding("layout", *layout(task))
    yield Finding("mutation", *mutation(task))
    if hasattr(task, "module"):
        yield other_processes(task)
    try:
        sample = first_sample(task)
    except TaskError as error:
        yield broken_by(error, "answer", name)
        return
    n = len(sample.scores)
    checks: dict[str, Callable[[Sample], Verdict]] = {
        "answer": lambda _: Verdict(OK, f"{n} genomes, {n} finite numbers"),
        "corners": corners,
        "again": again,
        "neighbours": neighbours,
        "another process": partial(another_process, elsewhere=elsewhere),
        "input": unchanged,
        "episode": episodes,
        "variety": variety,
        "speed": speed,
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


@dataclass(frozen=True)
class Sample:
    """Genomes and what they scored the first time."""

    task: Task
    genes: Floats  # [N, D]
    scores: Floats  # [N]
    seconds: float  # for one


def sample_genes(task: Task, n: int) -> Floats:
    """Return the genomes that are tried, the same in every process, [n, D]."""
    return task.spec.sample(np.random.default_rng(20), n)


def first_sample(task: Task) -> Sample:
    """Score a few genomes, fewer if the task is slow; TaskError if the scores are not one finite number each."""
    genes = sample_genes(task, N)
    began_s = time.perf_counter()
    task.evaluate(genes[:1].copy(), EPISODE)  # what the first call loads or compiles does not count
    n = N if time.perf_counter() - began_s < SLOW_S else N_SLOW
    began_s = time.perf_counter()
    scores = _scores(task, genes[:n])
    seconds = (time.perf_counter() - began_s) / n
    return Sample(task, genes[:n], scores.copy(), seconds)


def layout(task: Task) -> Verdict:
    """Describe the genome, and see whether what is computed by what has a name."""
    if not task.name or not task.backend:
        return Verdict(BROKEN, f"no name or no backend: {task.name!r}, {task.backend!r}", "give it both")
    segments = [f"{s.name}: {s.size} {s.kind.value} from {s.low:g} to {s.high:g}" for s in task.spec.segments]
    shown = ", ".join([*segments[:4], *(["..."] if len(segments) > 4 else [])])
    return Verdict(OK, f"{task.spec.size} genes ({shown})")


def mutation(task: Task) -> Verdict:
    """Say how many genes of a child mutation changes with the default rate."""
    spec = task.spec
    n = Breeding().rate(spec.size) * int(np.count_nonzero(spec.is_gate | (spec.mutation_step > 0)))
    says = f"changes {n:.3g} of the {spec.size} genes of a child on average, at the default rate"
    if n < FEW_MUTATIONS:
        return Verdict(NOTE, f"{says}: many children are copies", "give a scale above 0 to more segments")
    return Verdict(OK, says)


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
    """Try them alone, in two parts, and in another order."""
    genes, middle = sample.genes, len(sample.genes) // 2
    alone = np.concatenate([_scores(sample.task, genome[None]) for genome in genes])
    parts = np.concatenate([_scores(sample.task, part) for part in (genes[:middle], genes[middle:])])
    backwards = _scores(sample.task, genes[::-1])[::-1]
    return _compared(
        max(alone, parts, backwards, key=lambda scores: _distance(scores, sample.scores)),
        sample.scores,
        same="a score depends on neither place nor neighbours",
        different="a genome scored differently alone, or at another place, than among the others",
        advice="score each row of genes by itself: no mean, rank or running index over the population",
    )


def unchanged(sample: Sample) -> Verdict:
    """See whether the genes are left as they were."""
    genes = sample_genes(sample.task, len(sample.genes))
    own = getattr(sample.task, "evaluation", None)  # a user's, which is usually handed a copy
    call(own or sample.task.evaluate, genes, EPISODE)
    if genes.tobytes() == sample_genes(sample.task, len(genes)).tobytes():
        return Verdict(OK, "the genes are left as they were")
    if own:
        return Verdict(NOTE, "evaluate changes the genes it is given; islands hand out copies, so that harms nobody")
    return Verdict(BROKEN, "evaluate changes the genes it is given", "copy the genes before changing them")


def episodes(sample: Sample) -> Verdict:
    """See whether the episode matters, and what the task says of it; try the number of a fresh one too."""
    others = [_scores(sample.task, sample.genes, episode) for episode in (EPISODE + 1, FIRST_FRESH_EPISODE)]
    is_said = is_deterministic(sample.task)
    if all(scores.tobytes() == sample.scores.tobytes() for scores in others):
        saves = "no genome is scored twice" if is_said else "is_deterministic = True would save scoring genomes twice"
        return Verdict(OK, f"the score does not depend on the episode: deterministic; {saves}")
    if is_said:
        says = "the task says that it is deterministic, and its score depends on the episode"
        return Verdict(BROKEN, says, "leave is_deterministic out: genomes and champions are scored in fresh episodes")
    return Verdict(
        NOTE,
        "the score depends on the episode, one per generation and the same for all: stochastic; champions are scored "
        "again in --champion-episodes fresh ones",
    )


def variety(sample: Sample) -> Verdict:
    """See whether there is anything to select by."""
    raw, n = _raw_scores(sample), len(np.unique(sample.scores))
    if raw is not None and n < len(np.unique(raw)):
        says = (
            f"{len(np.unique(raw))} different scores are {n} once they are rounded to float32, as at {raw[0]:.9g}: "
            f"selection does not see the difference"
        )
        return Verdict(NOTE, says, "subtract a constant or divide, so that scores differ in their first six digits")
    if n > 1:
        return Verdict(OK, f"scores from {sample.scores.min():g} to {sample.scores.max():g}")
    says = f"all {len(sample.scores)} random genomes score {sample.scores[0]:g}: selection has nothing to prefer"
    return Verdict(NOTE, says, "reward partial success, or check that the genes are used")


def speed(sample: Sample) -> Verdict:
    """Say how long evaluations take."""
    generation_s = sample.seconds * GENERATION
    return Verdict(
        OK, f"{sample.seconds * 1000:.3g} ms per genome: {generation_s:.3g} s for a generation of {GENERATION}"
    )


def loaded(seconds: float, before: set[str], after: set[str]) -> Finding:
    """Say how long loading took, and which large libraries are among the modules that came with it."""
    large = [name for name in LARGE if name in after and name not in before]
    if not large and seconds < SLOW_IMPORT_S:
        return Finding("loading", OK, f"{seconds:.2g} s, no large library")
    says = f"{seconds:.2g} s at each start of each island, with {', '.join(large) or 'no large library'}"
    return Finding("loading", NOTE, says, "leave out what is not needed" if large else "")


@dataclass(frozen=True)
class ProcessState:
    """State of a process that code in it can change without a word; None where it cannot be read."""

    directory: str | None
    handlers: tuple[Any, ...]  # of each stop signal
    blocked: frozenset[int]  # stop signals
    locale: str | None
    random: int  # hash of the state of Python's own random numbers
    numpy_random: int  # and of NumPy's global ones


def process_state() -> ProcessState:
    """Return the state that this process is in."""
    directory = words = None
    with contextlib.suppress(OSError):
        directory = os.getcwd()  # noqa: PTH109 - a name to compare
    with contextlib.suppress(locale.Error):
        words = locale.setlocale(locale.LC_ALL)
    legacy = np.random.get_state()  # noqa: NPY002 - the global state is what others use, not we
    return ProcessState(
        directory=directory,
        handlers=tuple(signal.getsignal(number) for number in STOP_SIGNALS),
        blocked=frozenset(STOP_SIGNALS) & signal.pthread_sigmask(signal.SIG_BLOCK, ()),
        locale=words,
        random=hash(random.getstate()),
        numpy_random=hash(str(legacy)),
    )


def _changes(after: ProcessState) -> dict[str, str]:
    """Return what a change of each part of the state means for an island."""
    elsewhere = "which each process begins elsewhere, unless it is seeded first"
    return {
        "directory": f"changes the working directory to {after.directory} (an island's own files stay where they are)",
        "handlers": "handles Ctrl-C or SIGTERM itself (an island takes the signal back)",
        "blocked": "blocks Ctrl-C or SIGTERM (an island lets it through again)",
        "locale": f"changes the locale to {after.locale} (an island's files are the same in each)",
        "random": f"uses the global state of random, {elsewhere}",
        "numpy_random": f"uses the global state of numpy.random, {elsewhere}",
    }


def side_effects(before: ProcessState, after: ProcessState, *, is_printing: bool) -> Finding:
    """Say what a task changed in its process, and whether it printed."""
    said = [words for name, words in _changes(after).items() if getattr(before, name) != getattr(after, name)]
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


def broken_by(error: TaskError, check: str, name: str, *, role: Role = ROLE) -> Finding:
    """Say how a task, of that name for `--task`, or what else has another role, failed at a check."""
    trace = traceback_from(error, path=name.rpartition(":")[0])
    return Finding(check, BROKEN, str(error).removesuffix(role.hint(name)), trace=trace)


def score_elsewhere(
    name: str, options: Mapping[str, str], backend: str, n: int, episode: int, *, directory: Path | None = None
) -> Floats:
    """Return the scores of the first n sample genomes, computed by a process of its own; TaskError if that fails.

    `directory` is where `name` was typed: the task may have changed the working directory of this process since.
    """
    work = {"name": name, "options": dict(options), "backend": backend, "n": n, "episode": episode}
    scores: Floats = np.array(run_elsewhere("atoll.evo.tasks.check", work, directory=directory), dtype=np.float32)
    return scores


def run_elsewhere(module: str, work: Mapping[str, Any], *, given: bytes = b"", directory: Path | None = None) -> Any:  # noqa: ANN401
    """Return the JSON of the last line that a module prints, run in a process of its own; TaskError if that fails.

    It is told what to do by its argument, and `given` is on its standard input.
    """
    paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    ended = subprocess.run(  # noqa: S603 - ourselves
        [sys.executable, "-P", "-m", module, json.dumps(work)],
        cwd=directory,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths), "PYTHONIOENCODING": "utf-8:replace"},
        input=given,
        capture_output=True,
        check=False,
    )
    out, err = (stream.decode(errors="replace").strip().splitlines() for stream in (ended.stdout, ended.stderr))
    if ended.returncode:
        last = (err or [f"exit code {ended.returncode}"])[-1]
        raise TaskError(f"another process fails where this one does not: {last}")
    return json.loads(out[-1])


def main(work: str) -> None:
    """Score what `work` describes and print the numbers."""
    order = json.loads(work)
    task = load_task(order["name"], order["options"], backend=order["backend"])
    scores = task.evaluate(sample_genes(task, order["n"]), order["episode"])
    sys.stdout.write(f"\n{json.dumps(scores.tolist())}\n")


def _raw_scores(sample: Sample) -> NDArray[np.float64] | None:
    """Return the scores as a user's evaluation returns them, before they become float32; None if nobody knows them."""
    evaluation = getattr(sample.task, "evaluation", None)
    if evaluation is None:
        return None
    raw: NDArray[np.float64] = call(
        lambda *given: np.asarray(evaluation(*given), np.float64), sample.genes.copy(), EPISODE
    )
    return raw


def call(function: Callable[..., Any], *arguments: Any) -> Any:  # noqa: ANN401 - a user may return anything
    """Return what a user's function returns; whatever it raises is a TaskError."""
    try:
        return function(*arguments)
    except Exception as error:  # whatever it raises
        raise TaskError(describe_error(error)) from error


def _scores(task: Task, genes: Floats, episode: int = EPISODE) -> Floats:
    scores: Any = task.evaluate(genes.copy(), episode)
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


if __name__ == "__main__":
    main(sys.argv[1])
