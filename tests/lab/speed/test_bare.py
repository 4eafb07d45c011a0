from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from atoll.evo.tasks.creatures.task import Creatures
from atoll.scripts.lab.speed import bare
from atoll.scripts.lab.speed.plan import QUICK

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture
def sizes(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many genomes are evaluated at each call; threads stay as they are."""
    seen: list[int] = []
    evaluate: Callable = Creatures.evaluate
    monkeypatch.setattr(
        Creatures, "evaluate", lambda self, genes, g: [seen.append(len(genes)), evaluate(self, genes, g)]
    )
    monkeypatch.setattr(bare, "limit_threads", lambda _: ())
    return seen


def test_it_evaluates_just_as_many_genomes_as_it_is_told(sizes: list[int]) -> None:
    start = bare.arguments(QUICK, 2 * QUICK.population + 3)
    assert start[:2] == ["-m", "atoll.scripts.lab.speed.bare"]
    ended = CliRunner().invoke(bare.main, start[2:], catch_exceptions=False)
    found = json.loads(ended.output)
    assert sizes == [QUICK.population, QUICK.population, 3]
    assert found["evaluations"] == sum(sizes)
    assert found["evaluate_s"] > 0
