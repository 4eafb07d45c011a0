from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import pytest

from atoll.evo import compiler
from atoll.evo.errors import AtollError
from atoll.scripts.lab.speed import pools, stages
from atoll.scripts.lab.speed.plan import QUICK

if TYPE_CHECKING:
    from pathlib import Path

    from atoll.scripts.lab.speed.stopwatch import Stopwatch

pytestmark = pytest.mark.skipif(compiler.find() is None, reason="no C++ compiler")


@pytest.fixture
def lived(tmp_path: Path) -> Stopwatch:
    pools.populate(tmp_path, QUICK, peers=2)
    return stages.live(QUICK.config(stages.ISLAND), tmp_path)


def test_every_stage_is_passed_through_as_often_as_a_generation_needs_it(lived: Stopwatch) -> None:
    """If a function moves or is imported by name, its stage would silently be nobody's time."""
    calls = {stage: len(lived.of(stage)) for _, _, stage in stages.WATCHED}
    migrations = QUICK.generations // QUICK.migrate_every
    for stage in ("evaluation/rest", "evaluation/decode", "evaluation/live", "evaluation/score"):
        assert calls.pop(stage) == QUICK.generations + 1 + migrations
    for stage in ("breeding/rest", "breeding/selection", "breeding/crossover", "breeding/mutation"):
        assert calls.pop(stage) == QUICK.generations
    for stage in ("files/checkpoint", "files/publish", "files/import", "files/settle", "files/champion"):
        assert calls.pop(stage) == migrations
    for stage in ("files/log", "files/beat"):
        assert calls.pop(stage) == QUICK.generations + 1
    assert calls.pop(stages.LOOP) == 1
    assert calls.pop(stages.SYNC) >= 3 * migrations  # checkpoint, champion and inbox
    assert not calls


def test_the_stages_within_the_loop_add_up_to_it(lived: Stopwatch) -> None:
    [loop] = lived.of(stages.LOOP)
    assert sum(lived.totals_s().values()) == pytest.approx(loop.wall_s)


def test_an_island_that_does_not_reach_its_end_is_no_measurement(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stages.start, "run_island", functools.partial(lambda *_, **__: 130))
    with pytest.raises(AtollError, match="exit code 130"):
        stages.live(QUICK.config(stages.ISLAND), tmp_path)
