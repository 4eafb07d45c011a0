"""The parts of the GPU experiment: what each asks, and the rows that answer it.

A creature-step is one physics step of one creature on one course. `lives` is creatures times courses. Where rates are
compared, rounds alternate between what is compared, and rates are of the same lives: bits agree, and `bits` says so.
"""

from __future__ import annotations

import multiprocessing
import os
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

import numpy as np

from atoll.evo.config import island_config
from atoll.evo.recorder import MemoryRecorder
from atoll.evo.resources import keep_freed_memory
from atoll.evo.tasks.creatures import cuda, native, task
from atoll.evo.tasks.creatures.task import CreatureOptions, Creatures
from atoll.scripts.lab.gpu import emulated
from atoll.scripts.lab.parallel import workload
from atoll.scripts.lab.speed.rounds import Case, measure
from atoll.scripts.run.archipelago import evolve_together

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from multiprocessing.synchronize import Barrier

    from atoll.evo.genome import Floats
    from atoll.evo.tasks.creatures.native import Kernel
    from atoll.scripts.lab.kit.rows import Row

    Write = Callable[[Row], None]

LIFE_S = 30.0
ALL = "native, all cores"


@dataclass(frozen=True)
class Sizes:
    """How much is measured.

    Attributes:
        lives: Sizes of a batch, on one course.
        most_often: The largest batch that processors live in every round; larger ones they live in three.
        processes: Numbers of processes that share the machine.
    """

    random: int = 1000
    evolved: int = 100
    evolving: int = 60
    lives: tuple[int, ...] = (250, 1000, 4000, 16_000, 64_000, 250_000)
    most_often: int = 16_000
    rounds: int = 10
    life_s: float = LIFE_S
    short_tier: str = "small"
    long_tier: str = "production"
    shared_tier: str = "medium"
    processes: tuple[int, ...] = (1, 2, 4, 8, 16)
    islands: int = 64
    population: int = 250
    generations: int = 10
    energy_lives: int = 64_000
    energy_s: float = 5.0


QUICK = Sizes(
    random=12,
    evolved=12,
    evolving=3,
    lives=(16, 100),
    most_often=16,
    rounds=2,
    life_s=1.0,
    short_tier="tiny",
    long_tier="tiny",
    shared_tier="tiny",
    processes=(1, 2),
    islands=4,
    population=8,
    generations=2,
    energy_lives=64,
    energy_s=0.1,
)
"""To see that everything works; the figures mean nothing."""


def on_device(*, is_emulated: bool) -> Kernel:
    """Return the kernel of the first GPU, or what stands for it, also where this process asks for `cuda`."""
    if not is_emulated:
        return cuda.load()
    kernel = emulated.load()
    cuda.load = lambda device=cuda.FIRST: kernel  # type: ignore[assignment] # noqa: ARG005 - its signature
    return kernel


def machine(write: Write, sizes: Sizes, *, is_emulated: bool) -> None:  # noqa: ARG001 - as all parts
    """Which GPU, driver and packages; how long the kernel takes to compile."""
    packages = ("cuda-core", "cuda-bindings", "nvidia-cuda-nvrtc")
    versions = {name.replace("-", "_"): _version(name) for name in packages}
    start_s = time.perf_counter()
    kernel = on_device(is_emulated=is_emulated)
    write({"what": kernel.build, "load_s": time.perf_counter() - start_s, **versions})


def bits(write: Write, sizes: Sizes, *, is_emulated: bool) -> None:
    """Do random and evolved lives have the bits of the native kernel, with both controllers?"""
    kernel = on_device(is_emulated=is_emulated)
    for controller in ("neural", "oscillator"):
        creatures = _creatures(courses=8, life_s=sizes.life_s, controller=controller)
        sets = {
            "random": creatures.spec.sample(np.random.default_rng(11), sizes.random),
            "evolved": _evolved(creatures, sizes),
        }
        for name, genes in sets.items():
            law, found = (_lives(creatures, genes, each) for each in (native.load(), kernel))
            is_equal = (law.view(np.int32) == found.view(np.int32)) | (np.isnan(law) & np.isnan(found))
            n_equal = int(is_equal.all(axis=0).sum())
            taken = float(law[0].sum())
            write({"what": f"{controller}, {name}", "lives": law[0].size, "equal": n_equal, "pellets": taken})


def batch(write: Write, sizes: Sizes, *, is_emulated: bool) -> None:
    """How many creature-steps a second, against the size of a batch, on a GPU and on one core and all?"""
    keep_freed_memory()
    on_device(is_emulated=is_emulated)
    options = CreatureOptions(courses=1, life_s=sizes.life_s)
    evaluators = {name: Creatures(options, backend=name) for name in ("native", "cuda")}
    law = Creatures(options, backend="reference")
    genes = law.spec.sample(np.random.default_rng(3), max(sizes.lives))
    cases = [Case(partial(_evaluated, "reference", law.evaluate, genes=genes[: sizes.lives[0]], law=law), rounds=3)]
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as cores:
        on_all = partial(_on_all_cores, cores, evaluators["native"])
        for n in sizes.lives:
            rounds = None if n <= sizes.most_often else min(3, sizes.rounds)
            lived = partial(_evaluated, genes=genes[:n], law=law)
            cases.append(Case(partial(lived, "native", evaluators["native"].evaluate), rounds))
            cases.append(Case(partial(lived, ALL, on_all), rounds))
            cases.append(Case(partial(lived, "cuda", evaluators["cuda"].evaluate)))
        measure(cases, rounds=sizes.rounds, write=write)


def trial(write: Write, sizes: Sizes, *, is_emulated: bool) -> None:
    """How long does one trial take, and how often does it call the GPU in a generation?"""
    on_device(is_emulated=is_emulated)
    config = workload.sample_configs(1, seed=1)[0]
    for tier, evaluators, rounds in (
        (sizes.short_tier, ("reference", "native", "cuda"), 1),
        (sizes.long_tier, ("native", "cuda"), 3),
    ):
        budget = workload.tier_named(tier)
        seeds = workload.seeds_of(budget)
        for _ in range(rounds):
            for evaluator in evaluators:
                with _watched() as calls:
                    timed = _timed(partial(workload.run_trial, 0, config, seeds, budget=budget, evaluator=evaluator))
                often = len(calls) / (budget.generations + 1) / len(seeds)
                write({"what": evaluator, "tier": tier, "calls_per_generation": often, **timed})


def together(write: Write, sizes: Sizes, *, is_emulated: bool) -> None:
    """Does a GPU let more trials run at once? From how many processes on are processors faster?"""
    for processes in _counts(sizes):
        for evaluator in ("native", "cuda"):
            work = partial(_trial_in_step, sizes.shared_tier, evaluator, is_emulated=is_emulated)
            write({"what": evaluator, "processes": processes, **_side_by_side(work, processes)})


def islands(write: Write, sizes: Sizes, *, is_emulated: bool) -> None:
    """How long does a whole generation of an archipelago take, 8 courses, spread over processes?"""
    for processes in [n for n in _counts(sizes) if sizes.islands % n == 0]:
        for evaluator in ("cuda", "native") if processes == max(_counts(sizes)) else ("cuda",):
            work = partial(_live_islands, sizes, evaluator, processes, is_emulated=is_emulated)
            found = _side_by_side(work, processes)
            spent = found["wall_s"] / (sizes.generations + 1)
            shape = {"islands": sizes.islands, "population": sizes.population}
            write({"what": evaluator, "processes": processes, **shape, "generation_ms": 1e3 * spent, **found})


def energy(write: Write, sizes: Sizes, *, is_emulated: bool) -> None:
    """How much energy does a creature-step take on the GPU, by its own meter?"""
    creatures = Creatures(CreatureOptions(courses=1, life_s=sizes.life_s), backend="native")
    kernel = on_device(is_emulated=is_emulated)
    genes = creatures.spec.sample(np.random.default_rng(3), sizes.energy_lives)
    meter_j = _meter()
    for what, do in (("idle", partial(time.sleep, 0.1)), ("cuda", partial(_lives, creatures, genes, kernel))):
        do()
        steps, start_j, start_s = 0, meter_j(), time.perf_counter()
        while time.perf_counter() - start_s < sizes.energy_s:
            do()
            steps += len(genes) * creatures.steps_per_genome if what == "cuda" else 0
        wall_s, spent_j = time.perf_counter() - start_s, meter_j() - start_j
        write({"what": what, "wall_s": wall_s, "spent_j": spent_j, "steps": steps})


PARTS: dict[str, tuple[Callable[..., None], float]] = {
    "machine": (machine, 60.0),
    "bits": (bits, 90.0),
    "batch": (batch, 150.0),
    "trial": (trial, 100.0),
    "together": (together, 100.0),
    "islands": (islands, 90.0),
    "energy": (energy, 40.0),
}
"""Each part, and the seconds after which it is given up."""


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "none"


def _creatures(*, courses: int, life_s: float, controller: str = "neural") -> Creatures:
    return Creatures(CreatureOptions(courses=courses, life_s=life_s, controller=controller), backend="native")


def _evolved(creatures: Creatures, sizes: Sizes) -> Floats:
    """Return genomes that an island has made move, [P, D]."""
    config = island_config("evolved", _alone(sizes.evolved, sizes.evolving), {})
    return evolve_together([config], creatures, recorder_of=_no_recorder)["evolved"].population.genes


def _alone(population: int, generations: int) -> Mapping[str, int | str]:
    return {"population": population, "generations": generations, "topology": "none", "algorithm": "ga"}


def _no_recorder(_: object) -> MemoryRecorder:
    return MemoryRecorder()


def _lives(creatures: Creatures, genes: Floats, kernel: Kernel) -> Floats:
    """Return what a kernel itself writes of the lives, [6, P, C]."""
    with _watched(kernel) as seen:
        creatures.simulate(genes)
    return seen[0]


@contextmanager
def _watched(instead: Kernel | None = None) -> Iterator[list[Floats]]:
    """Collect what each call of a kernel, that of the task or another, writes; a call of a GPU is one launch."""
    seen: list[Floats] = []
    before = task.kernel_of

    def watched(backend: str, device: str) -> Kernel:
        kernel = instead or before(backend, device)

        def simulate(plan: native.Plan, rows: Floats, pellets: Floats, out: Floats) -> None:
            kernel.simulate(plan, rows, pellets, out)
            seen.append(out)

        return replace(kernel, simulate=simulate)

    task.kernel_of = watched
    try:
        yield seen
    finally:
        task.kernel_of = before


def _timed(do: Callable[[], object]) -> dict[str, float]:
    wall_s, cpu_s = time.perf_counter(), time.process_time()
    do()
    return {"wall_s": time.perf_counter() - wall_s, "cpu_s": time.process_time() - cpu_s}


def _evaluated(what: str, evaluate: Callable[[Floats, int], Any], *, genes: Floats, law: Creatures) -> Iterable[Row]:
    timed = _timed(partial(evaluate, genes, 0))
    return [{"what": what, "lives": len(genes), "steps": len(genes) * law.steps_per_genome, **timed}]


def _on_all_cores(cores: ThreadPoolExecutor, creatures: Creatures, genes: Floats, episode: int) -> list[Floats]:
    """Evaluate shares of a batch at once: the native kernel holds no lock of the interpreter."""
    shares = np.array_split(genes, len(os.sched_getaffinity(0)))
    return list(cores.map(partial(creatures.evaluate, episode=episode), shares))


def _counts(sizes: Sizes) -> list[int]:
    """Return the numbers of processes that this machine has cores for."""
    return [n for n in sizes.processes if n <= len(os.sched_getaffinity(0))]


def _trial_in_step(tier: str, evaluator: str, index: int, ready: Barrier, *, is_emulated: bool) -> tuple[float, float]:
    """Run a trial once all are ready, and return when it began and ended."""
    if evaluator == "cuda":
        on_device(is_emulated=is_emulated)
    config = workload.sample_configs(index + 1, seed=1)[index]
    budget = workload.tier_named(tier)
    ready.wait()
    start_s = time.monotonic()
    workload.run_trial(index, config, workload.seeds_of(budget), budget=budget, evaluator=evaluator)
    return start_s, time.monotonic()


def _live_islands(
    sizes: Sizes, evaluator: str, processes: int, index: int, ready: Barrier, *, is_emulated: bool
) -> tuple[float, float]:
    """Live this process's share of the islands once all are ready, and return when that began and ended."""
    if evaluator == "cuda":
        on_device(is_emulated=is_emulated)
    creatures = Creatures(CreatureOptions(courses=8, life_s=sizes.life_s), backend=evaluator)
    settings = _alone(sizes.population, sizes.generations)
    names = [f"island-{i:02}" for i in range(index, sizes.islands, processes)]
    ready.wait()
    start_s = time.monotonic()
    configs = [island_config(name, settings, {}) for name in names]
    evolve_together(configs, creatures, recorder_of=_no_recorder)
    return start_s, time.monotonic()


def _side_by_side(work: Callable[[int, Any], tuple[float, float]], processes: int) -> dict[str, float]:
    """Do work in each of so many processes at once; return the time from the first start to the last end."""
    context = multiprocessing.get_context("spawn")
    with context.Manager() as shared, ProcessPoolExecutor(processes, mp_context=context) as pool:
        ready = shared.Barrier(processes)
        spans = list(pool.map(work, range(processes), [ready] * processes))
    wall_s = max(end for _, end in spans) - min(start for start, _ in spans)
    return {"wall_s": wall_s, "per_s": processes / wall_s}


def _meter() -> Callable[[], float]:
    """Return the energy meter of the first GPU, in J since the driver was loaded.

    Raises:
        ModuleNotFoundError: nvidia-ml-py is not installed.
    """
    import pynvml  # type: ignore[import-not-found] # noqa: PLC0415 - there on machines with a GPU

    pynvml.nvmlInit()
    handle = pynvml.nvmlDeviceGetHandleByIndex(0)
    return lambda: float(pynvml.nvmlDeviceGetTotalEnergyConsumption(handle)) / 1e3
