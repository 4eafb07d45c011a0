"""Thread measurements, each in a fresh process: libraries look at their environment once, and threads stay once made.

`run` starts this module as a program, `python -m ...threads.work NAME '{SETTINGS}'`, which prints JSON.

PyTorch is imported inside the functions, at the very moment that each experiment is about.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

from atoll.evo.resources import THREAD_VARIABLES, limit_threads
from atoll.scripts.lab.kit.machine import ROOT
from atoll.scripts.processes import makers, proc

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from torch import Tensor

ELEMENTS = 1 << 21
REPETITIONS = 500
UNTOUCHED: Mapping[str, str] = {}


def run(name: str, settings: Mapping[str, Any], environment: Mapping[str, str] = UNTOUCHED) -> dict[str, Any]:
    """Do a piece of `work` in a process whose thread variables are these and no others, and return what it found.

    Raises:
        RuntimeError: It did not end well.
    """
    inherited = {variable: value for variable, value in os.environ.items() if variable not in THREAD_VARIABLES}
    command = [sys.executable, "-m", "atoll.scripts.lab.parallel.threads.work", name, json.dumps(settings)]
    ended = subprocess.run(  # noqa: S603 - our own interpreter and our own module
        command,
        cwd=ROOT,
        env={**inherited, **environment},
        capture_output=True,
        errors="replace",
        check=False,
    )
    if ended.returncode:
        raise RuntimeError(
            f"{name} {settings}: expected it to end with 0, got {ended.returncode}: {ended.stderr[-500:]}"
        )
    return dict(json.loads(ended.stdout))


def law(*, k: int, m: int | None, main_works: bool) -> dict[str, Any]:
    """Count the threads while k Python threads hold a team each.

    Args:
        k: Python threads besides the main one.
        m: What `torch.set_num_threads` is told; None leaves PyTorch as it starts.
        main_works: The main thread calculates too, before the others.
    """
    counts = {"started": _n_threads()}
    import numpy as np  # noqa: F401, PLC0415 - counted

    counts["numpy"] = _n_threads()
    import torch  # noqa: PLC0415

    counts["torch"] = _n_threads()
    if m is not None:
        torch.set_num_threads(m)
    counts["set"] = _n_threads()
    if main_works:
        _calculate(torch.empty(ELEMENTS).fill_(1.0), 1)
    meeting = threading.Barrier(k + 1)

    def hold() -> None:
        _calculate(torch.empty(ELEMENTS).fill_(1.0), 3)
        meeting.wait()
        meeting.wait()

    threads = [threading.Thread(target=hold) for _ in range(k)]
    for thread in threads:
        thread.start()
    meeting.wait()
    tids = [thread.tid for thread in proc.read_threads(os.getpid())]
    made_by = makers.find(os.getpid(), tids)
    meeting.wait()
    for thread in threads:
        thread.join()
    return {
        **{f"threads_{stage}": n for stage, n in counts.items()},
        "threads_peak": len(tids),
        "makers": makers.count(made_by.get(tid) for tid in tids),
        "torch_threads": torch.get_num_threads(),
    }


def population(*, population: int, threads: int | None, life_s: float) -> dict[str, Any]:
    """Live a population's lives on the reference evaluator: once to see what makes a team of threads, then timed."""
    import numpy as np  # noqa: PLC0415
    import torch  # noqa: PLC0415

    from atoll.evo.tasks.creatures.task import CreatureOptions, Creatures  # noqa: PLC0415

    n = threads or torch.get_num_threads()
    torch.set_num_threads(n)
    brief, long = (
        Creatures(CreatureOptions(courses=1, life_s=s), backend="reference", threads=n) for s in (0.1, life_s)
    )
    genes = brief.spec.sample(np.random.default_rng(1), population)
    first = _first_team(lambda: brief.evaluate(genes, 0))
    timed = _timed(lambda: long.evaluate(genes, 0))
    return {**timed, "torch_threads": n, "threads_after": _n_threads(), "first_spread": first}


def operation(*, name: str, limit: int) -> dict[str, Any]:
    """Find from how many elements on an operation is spread over threads: when it makes a team for its caller.

    Every size is tried in a new Python thread, which has no team yet.

    Args:
        name: One of `experiments.OPERATIONS`.
        limit: The most elements to try; below, more elements are taken to be spread if fewer are.
    """
    import torch  # noqa: PLC0415

    calculate = _operations()[name]
    torch.set_num_threads(max(2, torch.get_num_threads()))
    settled = _n_threads()
    if not _makes_a_team(calculate, limit, settled=settled):
        return {"elements": None}
    alone, spread = 0, limit
    while spread - alone > 1:
        middle = (alone + spread) // 2
        if _makes_a_team(calculate, middle, settled=settled):
            spread = middle
        else:
            alone = middle
    return {"elements": spread}


def limit(*, how: str) -> dict[str, Any]:
    """Calculate under a limit of one thread that is set in one of the ways that people use."""
    if how == "before_import":
        limit_threads(1)
    import torch  # noqa: PLC0415

    if how == "after_import":
        limit_threads(1)
    data = torch.empty(ELEMENTS if how.endswith("operation") else 1).fill_(1.0)
    if how == "set_num_threads_while_a_thread_has_a_team":
        return _limited_under_a_running_thread()
    if how == "after_an_operation":
        _calculate(data, 1)
        limit_threads(1)
    if how == "set_num_threads_after_an_operation":
        _calculate(data, 1)
    if how.startswith("set_num_threads"):
        torch.set_num_threads(1)
    return _timed(lambda: _calculate(torch.empty(ELEMENTS).fill_(1.0), REPETITIONS)) | _threads_now()


def _limited_under_a_running_thread() -> dict[str, Any]:
    """Let a thread calculate, then limit all from the main one, then time the first."""
    import torch  # noqa: PLC0415

    meeting, found = threading.Barrier(2), {}

    def twice() -> None:
        data = torch.empty(ELEMENTS).fill_(1.0)
        _calculate(data, 1)
        meeting.wait()
        meeting.wait()
        found.update(_timed(lambda: _calculate(data, REPETITIONS)) | _threads_now())

    thread = threading.Thread(target=twice)
    thread.start()
    meeting.wait()
    torch.set_num_threads(1)
    meeting.wait()
    thread.join()
    return found


def _threads_now() -> dict[str, Any]:
    import torch  # noqa: PLC0415

    return {"torch_threads": torch.get_num_threads(), "threads_after": _n_threads()}


def _calculate(data: Tensor, n: int) -> None:
    for _ in range(n):
        data = data * 1.0001


def _timed(work: Callable[[], object]) -> dict[str, float]:
    """Return how long some work took, and its processor time, in all and in other threads than this one.

    How busy the machine is changes the first, hardly whether other threads had a part.
    """
    start_s, cpu_start_s, own_start_s = time.perf_counter(), time.process_time(), time.thread_time()
    work()
    cpu_s, own_s = time.process_time() - cpu_start_s, time.thread_time() - own_start_s
    return {"wall_s": time.perf_counter() - start_s, "cpu_s": cpu_s, "helper_cpu_s": max(0.0, cpu_s - own_s)}


def _first_team(work: Callable[[], object]) -> str | None:
    """Return the first operation of some work that made a team of threads, with the shape of its result."""
    from torch.utils._python_dispatch import TorchDispatchMode  # noqa: PLC0415 - how PyTorch offers it

    found: list[str] = []

    class Counting(TorchDispatchMode):  # type: ignore[no-untyped-call]
        def __torch_dispatch__(
            self,
            func: Callable[..., object],
            types: object,
            args: tuple[object, ...] = (),
            kwargs: dict[str, object] | None = None,
        ) -> object:
            before = _n_threads()
            result = func(*args, **(kwargs or {}))
            if not found and _n_threads() > before:
                found.append(f"{func} {list(getattr(result, 'shape', ()))}")
            return result

    with Counting():  # type: ignore[no-untyped-call]
        work()
    return found[0] if found else None


def _makes_a_team(calculate: Callable[[int], object], size: int, *, settled: int) -> bool:
    """Try one size in a new thread, once the last one's team has ended and there are `settled` threads again."""
    while _n_threads() > settled:
        time.sleep(0.001)
    found: list[bool] = []

    def once() -> None:
        before = _n_threads()
        calculate(size)
        found.append(_n_threads() > before)

    thread = threading.Thread(target=once)
    thread.start()
    thread.join()
    return found[0]


def _operations() -> dict[str, Callable[[int], object]]:
    """Return the evaluator's operations, and some others, each giving so many elements; inputs are made serially."""
    import torch  # noqa: PLC0415

    rows = torch.tensor(range(8))

    def data(n: int, dtype: torch.dtype = torch.float32) -> Tensor:
        return torch.frombuffer(bytearray(n * dtype.itemsize), dtype=dtype)

    return {
        "add": lambda n: data(n) + data(n),
        "mul": lambda n: data(n) * data(n),
        "div": lambda n: data(n) / data(n),
        "neg": lambda n: -data(n),
        "abs": lambda n: data(n).abs(),
        "clip": lambda n: data(n).clip(0.0, 1.0),
        "minimum": lambda n: torch.minimum(data(n), data(n)),
        "where": lambda n: torch.where(data(n, torch.bool), data(n), 0.0),
        "cat": lambda n: torch.cat([data(n // 2), data(n // 2)]),
        "index_select": lambda n: data(n // 8 * 8).view(8, -1).index_select(0, rows),
        "to float64": lambda n: data(n).double(),
        "sqrt float32": lambda n: data(n).sqrt(),
        "sqrt float64": lambda n: data(n, torch.float64).sqrt(),
        "exp": lambda n: data(n).exp(),
        "tanh": lambda n: data(n).tanh(),
    }


def _n_threads() -> int:
    found = proc.read_process(os.getpid())
    return found.threads if found else 0


if __name__ == "__main__":
    pieces: dict[str, Callable[..., dict[str, Any]]] = {
        "law": law,
        "population": population,
        "operation": operation,
        "limit": limit,
    }
    sys.stdout.write(json.dumps(pieces[sys.argv[1]](**json.loads(sys.argv[2]))))
