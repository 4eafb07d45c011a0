"""Description of a creature in plain words: its body, muscles, controller, fitness and walk."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from atoll.evo.tasks.creatures import body
from atoll.evo.tasks.creatures.audit import NUDGE, UNSEEN_COURSES
from atoll.evo.tasks.creatures.fitness import APPROACH, COLLECT, terms
from atoll.evo.tasks.creatures.world import FIRST, SECOND

if TYPE_CHECKING:
    from atoll.evo.genome import Floats
    from atoll.evo.tasks.creatures.audit import Audit
    from atoll.evo.tasks.creatures.body import Body
    from atoll.evo.tasks.creatures.fitness import Summary
    from atoll.evo.tasks.creatures.task import Creatures


def describe_body(creatures: Creatures, genome: Floats) -> str:
    """Say what a genome [D] grows into."""
    built = body.decode(genome[None], creatures.spec, density_kg_m3=creatures.world.density_kg_m3)
    if not built.viable[0]:
        return "a body that does not hold together"
    is_node, is_muscle = built.reach_m[:, 0] > 0, built.stiffness_n_m[:, 0] > 0
    radius_m, mass_kg = built.radius_m[is_node, 0], 1 / built.inverse_mass[is_node, 0]
    length_m = _length_m(built)[is_muscle]
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
    pellets = float(summary.collected.mean())
    return [
        ("pellets", float(parts.pellets.mean()), f"{pellets:.2f} taken, {APPROACH + COLLECT:.0f} each"),
        ("approach", float(parts.approach.mean()), f"to the next one, {APPROACH:.0f} for the whole gap"),
        ("retreat", float(parts.retreat.mean()), "for ending farther from it than at first"),
        ("travel", float(parts.travel.mean()), "for the way from birth to the end"),
    ]


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


def _length_m(built: Body) -> Floats:
    """Distance between the two nodes of each muscle at birth, [28]."""
    place = built.position_m[..., 0]
    length: Floats = np.linalg.norm(place[:, SECOND] - place[:, FIRST], axis=0)
    return length


def _range(values: Floats, digits: int = 2) -> str:
    low, high = (f"{value:.{digits}f}" for value in (values.min(), values.max()))
    return low if low == high else f"{low} to {high}"
