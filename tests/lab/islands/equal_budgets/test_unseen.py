"""A champion's walk on unseen courses is the one that the audit reports."""

from __future__ import annotations

import pytest

from atoll.evo.rng import stream
from atoll.evo.tasks.creatures.audit import examine
from atoll.evo.tasks.creatures.task import CreatureOptions, Creatures
from atoll.scripts.lab.islands.equal_budgets.unseen import walk_unseen


def test_it_is_what_the_audit_finds() -> None:
    creatures = Creatures(CreatureOptions(courses=1, life_s=2.0))
    genome = creatures.spec.sample(stream(3, "", 0, "unseen"), 1)[0]
    audit = examine(creatures, genome)
    found = walk_unseen(creatures)(genome)
    assert found["unseen_fitness"] == pytest.approx(audit.unseen_fitness, abs=0)
    assert found["unseen_pellets"] == pytest.approx(audit.unseen_pellets, abs=0)
