"""Champion as `show` tells of it: in plain words, as pictures, and simulated again."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from atoll.evo import atomic
from atoll.evo.config import runs_code
from atoll.evo.errors import ConfigError, ReplayError, printable
from atoll.evo.paths import is_island_name
from atoll.evo.tasks.creatures import body
from atoll.evo.tasks.creatures.audit import NUDGE, UNSEEN_COURSES
from atoll.evo.tasks.creatures.fitness import APPROACH, COLLECT, terms
from atoll.evo.tasks.creatures.world import FIRST, FIRST_UNSEEN, SECOND
from atoll.evo.tasks.loader import load_task, recorded_options
from atoll.migration.pool import identity as pool
from atoll.scripts.report import champion as champions

if TYPE_CHECKING:
    from atoll.evo.genome import Floats
    from atoll.evo.paths import SharedPaths
    from atoll.evo.tasks.creatures.audit import Audit
    from atoll.evo.tasks.creatures.fitness import Summary
    from atoll.evo.tasks.creatures.task import Creatures
    from atoll.scripts.report.champion import Champion


def tell_of(
    name: str,
    shared: SharedPaths,
    *,
    is_checking: bool,
    gif: Path | None,
    png: Path | None,
    is_unseen: bool,
    task: str | None,
) -> dict[str, Any]:
    """Return what there is to tell of a champion, after writing pictures of it.

    Args:
        name: An island of `shared`, or a champion's file.
        shared: The archipelago's files.
        is_checking: Simulate it again first.
        gif: The animation of its walk, if one is wanted.
        png: The contact sheet of its walk, if one is wanted.
        is_unseen: It walks on a course that it was not trained on.
        task: A task in the user's own file, which only the user can name.

    Raises:
        ConfigError: There is no such champion, what is asked needs a creature, or a picture is named as another kind of
            file.
        DamagedFileError: The file is no champion, or damaged.
        StorageError: A picture cannot be written.
    """
    for picture, suffix in ((gif, ".gif"), (png, ".png")):
        if picture and picture.suffix.lower() != suffix:
            raise ConfigError(f"--{suffix[1:]} writes a {suffix} file, got {str(picture)!r}")
    path = find(name, shared)
    champion = champions.read(path)
    simulated = {"simulated": simulate_again(champion, task=task)} if is_checking else {}
    told: dict[str, Any] = {
        "champion": str(path),
        "island": champion.island,
        "generation": champion.generation,
        "fitness": champion.fitness,
        "task": champion.task["name"],
        "options": dict(champion.task["options"]),
        "genes": int(champion.genome.size),
        "ancestry": champion.shares,
    }
    if champion.is_creature:
        told |= _creature(champions.creatures_of(champion), champion)
    if gif or png:
        told["pictures"] = _draw(champion, gif=gif, png=png, is_unseen=is_unseen)
    return told | simulated


def check_score(told: dict[str, Any]) -> None:
    """Make sure that a champion which was simulated again scores what was recorded.

    Raises:
        ReplayError: It does not.
    """
    if "simulated" in told and told["simulated"] != told["fitness"]:
        raise ReplayError(
            f"{told['champion']} says {told['fitness']!r}, simulated again it scores {told['simulated']!r}"
        )


def find(name: str, shared: SharedPaths) -> Path:
    """Return the file that a name means: an island's champion, or the file itself.

    Raises:
        ConfigError: There is none.
    """
    if is_island_name(name) and shared.island(name).champion.exists():
        return shared.island(name).champion
    if Path(name).is_file():
        return Path(name)
    pool.check_directory(shared)
    if is_island_name(name) and shared.island(name).home.exists():
        raise ConfigError(f"island {name} has no champion yet: it comes with the first checkpoint")
    raise ConfigError(f"there is no champion {printable(name)!r}: name a file, or an island in {shared.root}")


def simulate_again(champion: Champion, *, task: str | None) -> float:
    """Evaluate a champion here and now, for the generation that it was found in.

    Raises:
        ConfigError: Its task cannot be had here, cannot read its genome, or is a program that nobody named.
        TaskError: The task fails.
    """
    name = champion.task["name"]
    if runs_code(name) and task is None:
        raise ConfigError(f"it was found for a program: if you trust it, name it too, as in --task {printable(name)}")
    if task is not None and not runs_code(name):
        raise ConfigError("the champion's file names its task: leave out --task")
    found = load_task(task or name, recorded_options(name, champion.task["options"]))
    champions.check_genome(champion, found.spec)
    return float(found.evaluate(champion.genome[None], champion.generation)[0])


def _creature(creatures: Creatures, champion: Champion) -> dict[str, Any]:
    from atoll.evo.tasks.creatures.audit import examine  # noqa: PLC0415 - PyTorch takes a second to import

    audit: Audit = examine(creatures, champion.genome)
    lives = creatures.simulate(champion.genome[None])
    return {
        "body": describe_body(creatures, champion.genome),
        "muscles": describe_muscles(creatures, champion.genome),
        "controller": describe_controller(creatures, champion.genome),
        "terms": list(map(list, describe_fitness(lives))),
        "moves": describe_walk(audit),
        "audit": {**asdict(audit), "is_sound": audit.is_sound},
    }


def _draw(champion: Champion, *, gif: Path | None, png: Path | None, is_unseen: bool) -> list[str]:
    from atoll.evo.tasks.creatures.recording import record  # noqa: PLC0415
    from atoll.scripts.report import pictures  # noqa: PLC0415

    creatures = champions.creatures_of(champion)
    film = record(creatures, champion.genome, course_number=FIRST_UNSEEN if is_unseen else 0)
    where = "an unseen course" if is_unseen else "a trained course"
    with atomic.storage_errors("write the picture"):
        if gif:
            pictures.write_animation(film, gif)
        if png:
            pictures.write_sheet(film, png, title=f"{champion.island}: {film.fitness:.0f} points, {where}")
    return [str(path) for path in (gif, png) if path]


def champion_text(told: dict[str, Any]) -> str:
    """Return what is told as lines for people."""
    options = " ".join(f"{name}={value}" for name, value in told["options"].items())
    origins = ", ".join(f"{100 * share:.0f} % from {name}" for name, share in told["ancestry"].items())
    lines = [
        f"champion of {told['island']}, found at generation {told['generation']}, fitness {told['fitness']:.6g}",
        f"task {told['task']} ({options}), {told['genes']} genes: {origins}",
    ]
    if "body" in told:
        lines += [f"body: {told['body']}", f"muscles: {told['muscles']}", f"controller: {told['controller']}"]
        lines += ["fitness, mean over the courses:"]
        lines += [f"  {name:9}{points:9.2f}  {why}" for name, points, why in told["terms"]]
        lines += [f"audit: it {told['moves']}"]
    if "simulated" in told:
        is_same = told["simulated"] == told["fitness"]
        lines += [f"simulated again: {told['simulated']!r}, {'exactly as' if is_same else 'not what was'} recorded"]
    lines += [f"wrote {path}" for path in told.get("pictures", ())]
    return "\n".join(map(printable, lines))


def describe_body(creatures: Creatures, genome: Floats) -> str:
    """Say what a genome [D] grows into."""
    built = body.decode(genome[None], creatures.spec, density_kg_m3=creatures.world.density_kg_m3)
    if not built.viable[0]:
        return "a body that does not hold together"
    is_node, is_muscle = built.reach_m[:, 0] > 0, built.stiffness_n_m[:, 0] > 0
    radius_m, mass_kg = built.radius_m[is_node, 0], 1 / built.inverse_mass[is_node, 0]
    place_m = built.position_m[..., 0]
    length_m = np.linalg.norm(place_m[:, SECOND] - place_m[:, FIRST], axis=0)[is_muscle]
    return (
        f"{is_node.sum()} nodes of {_range(radius_m)} m radius and {mass_kg.sum():.1f} kg in all, joined by "
        f"{is_muscle.sum()} muscles of {_range(length_m)} m"
    )


def describe_muscles(creatures: Creatures, genome: Floats) -> str:
    """Say what the muscles of a genome [D] are like."""
    built = body.decode(genome[None], creatures.spec, density_kg_m3=creatures.world.density_kg_m3)
    is_muscle = built.stiffness_n_m[:, 0] > 0
    if not is_muscle.any():
        return "none"
    swing = 100 * (built.swing_m[is_muscle, 0] / built.rest_m[is_muscle, 0])
    return (
        f"stiffness {_range(built.stiffness_n_m[is_muscle, 0], 0)} N/m once softened to be stable, damping "
        f"{_range(built.damping_n_s_m[is_muscle, 0], 1)} N s/m; they shorten and lengthen by {_range(swing, 0)} %"
    )


def describe_controller(creatures: Creatures, genome: Floats) -> str:
    """Say what moves a genome [D]."""
    n = creatures.n_weights
    if creatures.options["controller"] == "neural":
        clock_hz = float(genome[creatures.spec.slice_of("clock_hz")][0])
        return f"neural: 7 senses and a clock of {clock_hz:.2f} Hz, 8 tanh units, an output per muscle; {n} weights"
    frequency_hz = genome[creatures.spec.slice_of("frequency_hz")]
    return f"oscillator: a sine of {_range(frequency_hz)} Hz per muscle, its swing set by 7 senses; {n} weights"


def describe_fitness(summary: Summary) -> list[tuple[str, float, str]]:
    """Return the terms of a fitness, each its name, its mean over the courses in points, and what it is for."""
    parts = terms(summary)
    meanings = {
        "pellets": f"{float(summary.collected.mean()):.2f} taken, {APPROACH + COLLECT:.0f} each",
        "approach": f"to the next one, {APPROACH:.0f} for the whole gap",
        "retreat": "for ending farther from it than at first",
        "travel": "for the way from birth to the end",
    }
    return [(name, float(getattr(parts, name).mean()), meaning) for name, meaning in meanings.items()]


def describe_walk(audit: Audit) -> str:
    """Say how a creature moves, and by what means, in one sentence."""
    verdict = "sound" if audit.is_sound else "not sound, so do not believe its fitness"
    return (
        f"walks at {audit.speed_m_s:.2f} m/s; no node touches the ground for {100 * audit.airborne_share:.0f} % of the "
        f"time; takes {audit.unseen_pellets:.2f} pellets on {UNSEEN_COURSES} courses that it never saw and "
        f"{audit.trained_pellets:.2f} on those it was trained on; fastest node {audit.max_node_m_s:.1f} m/s, longest "
        f"stretch {audit.max_stretch:.2f} times the body; keeps {100 * audit.retained_share:.0f} % of its fitness "
        f"after a {NUDGE:g} change of its genes; the audit finds it {verdict}"
    )


def _range(values: Floats, digits: int = 2) -> str:
    low, high = (f"{value:.{digits}f}" for value in (values.min(), values.max()))
    return low if low == high else f"{low} to {high}"
