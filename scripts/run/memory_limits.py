"""Memory limits: how much an island needs and may have; what cannot fit is told before the first evaluation."""

from __future__ import annotations

import resource
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import psutil

from atoll.evo.config import CMA, SEP_CMA
from atoll.evo.errors import ConfigError
from atoll.evo.resources import needed_bytes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from atoll.evo.config import IslandConfig

CGROUPS = Path("/sys/fs/cgroup")
MEMBERSHIP = Path("/proc/self/cgroup")
LIMIT_FILES = {"": (".", "memory.max"), "memory": ("memory", "memory.limit_in_bytes")}
"""Controllers as /proc/self/cgroup spells them, version 2 and version 1 -> where their groups lie, and their limit."""


class MemoryLimit(NamedTuple):
    """Bytes of memory that may be taken, and who says so, as the end of a sentence."""

    n_bytes: int
    whose: str


def check_memory(config: IslandConfig, genes: int, *, say: Callable[[str], None]) -> None:
    """Make sure that an island's arrays, of D `genes`, can fit into memory; warn if they do not into what is free now.

    Raises:
        ConfigError: They cannot, whatever else is given up: more memory than there is, or than this process may take.
    """
    needed = needed_bytes(config, genes)
    size = f"{config.population:,} individuals of {genes:,} genes need about {needed / 1e9:.3g} GB of memory"
    least = min(limits())
    if needed > least.n_bytes:
        fitting = max(least.n_bytes, 0) * config.population // needed
        advice = f"more than {fitting:,} individuals cannot fit" if fitting > 1 else "use fewer genes"
        if config.algorithm == CMA:
            advice = f"use --algorithm {SEP_CMA}, which holds no matrix, or fewer genes"
        raise ConfigError(f"{size}, and {max(least.n_bytes, 0) / 1e9:.3g} GB is all that {least.whose}: {advice}")
    free = psutil.virtual_memory().available
    if needed > free:
        say(f"warning: {size}, and {free / 1e9:.3g} GB are free now; fewer individuals would not have to wait for it")


def limits() -> Iterator[MemoryLimit]:
    """Yield what limits this process for certain, beside what it has taken already."""
    ours = psutil.Process().memory_info()
    data = getattr(ours, "data", 0)  # which Linux alone tells
    for kind, taken, flag in ((resource.RLIMIT_AS, ours.vms, "-v"), (resource.RLIMIT_DATA, data, "-d")):
        limit, _ = resource.getrlimit(kind)
        if limit != resource.RLIM_INFINITY:
            yield MemoryLimit(limit - taken, f"this process may still take (ulimit {flag})")
    swap = psutil.swap_memory().total
    yield MemoryLimit(psutil.virtual_memory().total + swap, "this machine has, swap included")
    yield from (MemoryLimit(limit + swap, "its control group may have (memory.max)") for limit in cgroup_limits())


def cgroup_limits(groups: Path = CGROUPS, membership: Path = MEMBERSHIP) -> Iterator[int]:
    """Yield the memory limits of this process's control group and the groups above it, in bytes."""
    try:
        lines = membership.read_text().splitlines()
    except OSError:  # no Linux, or nobody says
        return
    for _, controllers, path in (line.split(":", 2) for line in lines):
        if controllers in LIMIT_FILES:
            folder, name = LIMIT_FILES[controllers]
            top = groups / folder
            group = top / path.strip("/")
            for place in (group, *(each for each in group.parents if each.is_relative_to(top))):
                yield from _limit(place / name)


def _limit(file: Path) -> Iterator[int]:
    """Yield the number in a file; none where there is no such group in what is shown here, or no limit."""
    try:
        text = file.read_text().strip()
    except OSError:
        return
    if text.isdecimal():
        yield int(text)
