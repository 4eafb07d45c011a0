"""One island that evolves alone in memory, and what its champion is worth."""

from __future__ import annotations

import time
from dataclasses import asdict
from typing import TYPE_CHECKING

from atoll.evo.config import Value, island_config
from atoll.evo.island import evolve
from atoll.evo.recorder import MemoryRecorder
from atoll.evo.tasks.creatures.audit import examine

if TYPE_CHECKING:
    from collections.abc import Mapping

    from atoll.evo.config import IslandConfig
    from atoll.evo.generation import State
    from atoll.evo.tasks.creatures.task import Creatures

MIGRANTS = 1
"""Nobody migrates here; the setting only has to fit the smallest population."""

Row = dict[str, float | None]


def plan(island: str, *, seed: int, **settings: Value) -> IslandConfig:
    """Return the settings of an island that is alone."""
    return island_config(island, {"migrants": MIGRANTS, "topology": "none", **settings, "seed": seed}, {})


def run(creatures: Creatures, config: IslandConfig) -> tuple[State, Row]:
    """Evolve to the end and audit the champion; return the last state and a row of figures."""
    start_s = time.perf_counter()
    curve: list[float] = []  # the best fitness so far, of the founders first
    recorder = MemoryRecorder(lambda state: curve.append(state.champion.fitness))
    state = evolve(config, creatures, exchange=None, recorder=recorder, resumed=None, is_stopping=lambda: False)
    evolution_s = time.perf_counter() - start_s
    audit = examine(creatures, state.champion.individual.genes[0])
    return state, {
        "seed": config.seed,
        "evaluations": state.counts.evaluations,
        "evolved": state.champion.fitness,
        **asdict(audit),
        "is_sound": audit.is_sound,
        **{f"best_at_{n}": best for n, best in enumerate(curve) if n % 10 == 0},
        "evolution_s": evolution_s,
    }


def describe(row: Mapping[str, float | None]) -> str:
    """Say in one line what a champion does on courses it was not trained on."""
    return (
        f"unseen courses: {row['unseen_pellets']:.2f} pellets, fitness {row['unseen_fitness']:.1f};"
        f" stretch {row['max_stretch']:.2f}, node {row['max_node_m_s']:.1f} m/s, airborne {row['airborne_share']:.3f},"
        f" keeps {row['retained_share']:.2f} after a 1e-5 nudge ({row['evolution_s']:.0f} s)"
    )
