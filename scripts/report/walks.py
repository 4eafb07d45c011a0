"""Walks of champions: each simulated again, held against its recorded fitness, audited, and packed as a film.

A film is a recorded life as the page keeps it: places as whole numbers of a quantum, as differences, deflated, in
base64. What the page draws is frame for frame what the evaluator lived through, rounded to the nearest quantum, so it
is off by half a quantum at most. The quantum is a millimetre, or a 32,767th of the farthest that a node ever was from
the origin on any axis, where that is more.
"""

from __future__ import annotations

import base64
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from atoll.evo import installation
from atoll.evo.errors import AtollError, PoolMismatchError
from atoll.evo.tasks.creatures.world import FIRST_UNSEEN
from atoll.migration.pool import identity as pools
from atoll.migration.pool.access import OpenPool
from atoll.migration.pool.bounded_io import RefusedError, VanishedError, generations_in
from atoll.scripts.report import champion as champions

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from atoll.evo.genome import Floats
    from atoll.evo.paths import SharedPaths
    from atoll.evo.tasks.creatures.audit import Audit
    from atoll.evo.tasks.creatures.recording import Recording
    from atoll.evo.tasks.creatures.task import Creatures
    from atoll.scripts.report.champion import Champion

COURSES = (0, FIRST_UNSEEN)
"""One that champions are trained on, and one that they are not."""
MAX_FILMED = 24
"""Islands whose champions are filmed: the best ones."""
EARLIER = 3
"""Earlier generations that are filmed beside each champion."""
MAX_STEPS = MAX_FILMED * (1 + EARLIER) * len(COURSES) * 1800
"""Physics steps that are kept in memory at a time, a minute of each life; of longer lives fewer are filmed."""

FRAMES_PER_S = 30
MAX_FRAMES = 1800
SMALLEST_QUANTUM_M = 1e-3
LARGEST = 32767


@dataclass(frozen=True)
class Walk:
    """Walks of one genome: on a course that it was trained on, and on one that it was not.

    Attributes:
        fitness: What its island measured.
        trained: Its life on course 0.
        unseen: Its life on the first course that nobody is trained on.
    """

    generation: int
    fitness: float
    trained: Recording
    unseen: Recording


@dataclass(frozen=True)
class Walker:
    """Champion that was simulated again.

    Attributes:
        audit: How it moves, and what it scores here and now: its recorded fitness, or something is wrong.
        walks: Its own, and before it those of the best that its island published earlier; the earliest first.
    """

    audit: Audit
    walks: tuple[Walk, ...]


def film(shared: SharedPaths, found: Mapping[str, Champion]) -> tuple[dict[str, Walker], list[str]]:
    """Simulate the best champions again; return walkers by island, and notes on what could not be done."""
    notes: list[str] = []
    chosen: dict[str, Champion] = {}
    creatures: Creatures | None = None
    for name in sorted(found, key=lambda name: -found[name].fitness):
        if not found[name].is_creature:
            continue
        try:
            own = champions.creatures_of(found[name])
        except AtollError as error:
            notes.append(f"the champion of {name} cannot be simulated: {error}")
            continue
        creatures = creatures or own
        if own.options == creatures.options:
            chosen[name] = found[name]
        else:
            notes.append(f"the champion of {name} lived by other options than the best one, so it is not simulated")
    if creatures is None:
        return {}, notes
    try:
        return _film(shared, creatures, chosen, notes), notes
    except ModuleNotFoundError as error:
        if error.name not in installation.EXTRAS:
            raise
        return {}, [*notes, f"no champion is simulated: {installation.not_installed(error.name)}"]


def _film(
    shared: SharedPaths, creatures: Creatures, found: Mapping[str, Champion], notes: list[str]
) -> dict[str, Walker]:
    from atoll.evo.tasks.creatures.audit import examine_all  # noqa: PLC0415 - PyTorch takes a second to import
    from atoll.evo.tasks.creatures.recording import record_all  # noqa: PLC0415

    steps = creatures.steps_per_genome // len(creatures.pellets) * len(COURSES)
    n_filmed = max(min(MAX_FILMED, MAX_STEPS // (steps * (1 + EARLIER))), 1)
    names = list(found)[:n_filmed]
    if len(found) > len(names):
        notes.append(f"{len(names)} of {len(found)} champions are simulated and shown, the best ones")
    rows: list[tuple[str, int, float, Floats]] = []
    for name in names:
        champion = found[name]
        rows += _earlier(shared, name, creatures, champion.generation, notes)
        rows.append((name, champion.generation, champion.fitness, champion.genome))
    lives = record_all(creatures, np.stack([genome for *_, genome in rows]), course_numbers=COURSES)
    walks: dict[str, list[Walk]] = {name: [] for name in names}
    for (name, generation, fitness, _), (trained, unseen) in zip(rows, lives, strict=True):
        walks[name].append(Walk(generation, fitness, trained, unseen))
    audits = examine_all(creatures, np.stack([found[name].genome for name in names]))
    return {name: Walker(audit, tuple(walks[name])) for name, audit in zip(names, audits, strict=True)}


def _earlier(
    shared: SharedPaths, name: str, creatures: Creatures, before: int, notes: list[str]
) -> list[tuple[str, int, float, Floats]]:
    """Return the best that an island published at a few generations before this one, as far as they are kept."""
    found = []
    try:
        identity = pools.read(shared)
        if identity is None:
            return []
        pool = OpenPool(shared, identity, creatures.spec)
        published = [g for g in reversed(generations_in(shared.island(name).outbox)) if g < before]
        for generation in _spread(published):
            migrants = pool.read(name, generation).migrants
            top = int(np.argmax(migrants.fitness))
            found.append((name, generation, float(migrants.fitness[top]), migrants.population.genes[top]))
    except (PoolMismatchError, RefusedError, VanishedError, OSError) as error:
        notes.append(f"earlier generations of {name} cannot all be shown: {error}")
    return found


def _spread(generations: Sequence[int]) -> list[int]:
    """Return the first of some generations, and others evenly between it and the end."""
    places = {round(i * (len(generations) - 1) / EARLIER) for i in range(EARLIER)}
    return [generations[place] for place in sorted(places)] if generations else []


def pack(recording: Recording) -> dict[str, Any]:
    """Return a life for the page: `FRAMES_PER_S` of its steps, or as many as `MAX_FRAMES` allow."""
    stride = _stride(recording)
    position_m = _until_it_blows_up(recording.position_m[stride - 1 :: stride])
    collected = recording.collected[stride - 1 :: stride]
    reach_m = float(np.abs(position_m).max(initial=0.0))
    quantum_m = max(reach_m / LARGEST, SMALLEST_QUANTUM_M)
    whole = np.rint(position_m / quantum_m).clip(-LARGEST, LARGEST).astype(np.int16)
    taken = int(recording.collected[-1])
    return {
        "frame_s": recording.frame_s * stride,
        "quantum_m": quantum_m,
        "n_frames": len(whole),
        "radius_m": _short(recording.radius_m),
        "mass_share": _short(recording.mass_share),
        "muscles": recording.muscles.tolist(),
        "rest_m": _short(recording.rest_m),
        "pellets_m": [_short(place) for place in recording.pellets_m[: taken + 1]],
        "taken_at": [int(np.argmax(collected > k)) for k in range(int(collected[-1]))],
        "fitness": round(recording.fitness, 3),
        "places": base64.b64encode(_deflate(whole.reshape(len(whole), -1))).decode(),
    }


def _stride(recording: Recording) -> int:
    """Return every which step of a life the page shows."""
    n = len(recording.position_m)
    return min(max(round(1 / (recording.frame_s * FRAMES_PER_S)), -(-n // MAX_FRAMES)), n)


def _until_it_blows_up(position_m: Floats) -> Floats:
    """Return the frames before the first in which a node is nowhere; what cannot be drawn is no frame."""
    is_there = np.isfinite(position_m).all(axis=(1, 2))
    return position_m if is_there.all() else np.nan_to_num(position_m[: max(int(np.argmin(is_there)), 1)])


def _deflate(whole: NDArray[np.int16]) -> bytes:
    """Pack [F, C] numbers: each column's second differences, small ones near 0, low bytes before high bytes."""
    change = np.diff(np.diff(whole.T, axis=1, prepend=np.int16(0)), axis=1, prepend=np.int16(0))  # wraps around
    zigzag = (change << 1 ^ change >> 15).view(np.uint16).reshape(-1)
    planes = np.stack([zigzag & 0xFF, zigzag >> 8]).astype(np.uint8)
    return zlib.compress(planes.tobytes(), 9)


def _short(numbers: Floats) -> list[float]:
    return [round(float(value), 4) for value in numbers]
