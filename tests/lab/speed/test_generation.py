"""Own seconds of watched functions add up to the whole, and every stage of a generation is watched."""

from __future__ import annotations

import functools
import types
from typing import TYPE_CHECKING

import pytest

from atoll.evo import compiler
from atoll.evo.errors import AtollError
from atoll.scripts.lab.kit.rows import Run
from atoll.scripts.lab.speed import generation
from atoll.scripts.lab.speed.generation import Stopwatch
from atoll.scripts.lab.speed.plan import QUICK, populate

if TYPE_CHECKING:
    from pathlib import Path


COMPILED = pytest.mark.skipif(compiler.find() is None, reason="no C++ compiler")


class Shop:
    """Things that take time, by a clock of their own."""

    def __init__(self):
        self.now_s = 0.0

    def bake(self, n):
        self.now_s += 1
        self.fetch()
        self.fetch()
        self.now_s += n
        return n

    def fetch(self):
        self.now_s += 10

    def burn(self):
        self.now_s += 3
        raise ValueError("burnt")


def test_own_seconds_add_up_to_those_of_the_outermost() -> None:
    shop = Shop()
    watch = Stopwatch("baking", clock=lambda: shop.now_s)
    with watch.watching([(Shop, "bake", "baking"), (Shop, "fetch", "fetching")]):
        assert shop.bake(4) == 4
    assert [(lap.stage, lap.wall_s, lap.own_s) for lap in watch.laps] == [
        ("fetching", 10, 10),
        ("fetching", 10, 10),
        ("baking", 25, 5),
    ]
    assert watch.totals_s() == {"fetching": 20, "baking": 5}
    assert sum(watch.totals_s().values()) == watch.of("baking")[0].wall_s


def test_two_functions_may_be_one_stage() -> None:
    shop = Shop()
    watch = Stopwatch("work", clock=lambda: shop.now_s)
    with watch.watching([(Shop, "bake", "work"), (Shop, "fetch", "work")]):
        shop.bake(0)
    assert watch.totals_s() == {"work": 21}
    assert len(watch.of("work")) == 3


def test_what_happens_outside_the_whole_is_nobodys_time() -> None:
    shop = Shop()
    watch = Stopwatch("baking", clock=lambda: shop.now_s)
    with watch.watching([(Shop, "bake", "baking"), (Shop, "fetch", "fetching")]):
        shop.fetch()
        shop.bake(0)
        shop.fetch()
    assert watch.totals_s() == {"fetching": 20, "baking": 1}


def test_a_failure_is_timed_and_passed_on_and_what_was_watched_is_put_back() -> None:
    shop, bake, burn = Shop(), Shop.bake, Shop.burn
    watch = Stopwatch("b", clock=lambda: shop.now_s)
    with pytest.raises(ValueError, match="burnt"), watch.watching([(Shop, "bake", "a"), (Shop, "burn", "b")]):
        shop.burn()
    assert watch.totals_s() == {"b": 3}
    assert (Shop.bake, Shop.burn) == (bake, burn)


def test_functions_of_modules_are_watched_where_they_are_looked_up() -> None:
    module = types.ModuleType("module")
    module.double = lambda x: 2 * x
    watch = Stopwatch("doubling")
    with watch.watching([(module, "double", "doubling")]):
        assert [module.double(x) for x in (1, 2)] == [2, 4]
    module.double(3)
    assert len(watch.of("doubling")) == 2


@pytest.fixture
def lived(tmp_path: Path) -> Stopwatch:
    populate(tmp_path, QUICK, peers=2)
    return generation.run_timed(QUICK.config(generation.ISLAND), tmp_path)


@COMPILED
def test_every_stage_is_passed_through_as_often_as_a_generation_needs_it(lived: Stopwatch) -> None:
    """If a function moves or is imported by name, its stage would silently be nobody's time."""
    calls = {stage: len(lived.of(stage)) for _, _, stage in generation.WATCHED}
    migrations = QUICK.generations // QUICK.migrate_every
    evaluation = ("evaluation/rest", "evaluation/decode", "evaluation/live", "evaluation/score")
    for stage in ("scoring/known genomes", *evaluation):
        assert calls.pop(stage) == QUICK.generations + 1 + migrations
    for stage in ("breeding/rest", "breeding/selection", "breeding/crossover", "breeding/mutation"):
        assert calls.pop(stage) == QUICK.generations
    for stage in ("files/checkpoint", "files/publish", "files/import", "files/settle", "files/champion"):
        assert calls.pop(stage) == migrations
    for stage in ("files/log", "files/beat"):
        assert calls.pop(stage) == QUICK.generations + 1
    assert calls.pop(generation.LOOP) == 1
    assert calls.pop(generation.SYNC) >= 3 * migrations  # checkpoint, champion and inbox
    assert not calls


@COMPILED
def test_the_stages_within_the_loop_add_up_to_it(lived: Stopwatch) -> None:
    [loop] = lived.of(generation.LOOP)
    assert sum(lived.totals_s().values()) == pytest.approx(loop.wall_s)


@COMPILED
def test_an_island_that_does_not_reach_its_end_is_no_measurement(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(generation.island, "run_island", functools.partial(lambda *_, **__: 130))
    with pytest.raises(AtollError, match="exit code 130"):
        generation.run_timed(QUICK.config(generation.ISLAND), tmp_path)


@pytest.mark.slow
@COMPILED
def test_the_stages_of_an_island_add_up_to_the_whole(tmp_path: Path) -> None:
    [case] = generation.cases(QUICK, tmp_path)
    rows = case.measure()
    found = {(row["what"], row["part"]): row for row in rows}
    assert len(found) == len(list(rows))
    whole, evaluation = found.pop(("whole", "")), found.pop(("evaluation", ""))
    parts = {key: row["wall_s"] for key, row in found.items()}
    assert sum(parts.values()) == pytest.approx(whole["wall_s"])
    assert sum(s for (what, _), s in parts.items() if what == "evaluation") == pytest.approx(evaluation["wall_s"])
    assert {row["generations"] for row in rows} == {QUICK.generations + 1}


def test_shares_and_the_ratio_come_from_each_round_alone() -> None:
    rows = [
        {"repetition": repetition, "what": what, "part": part, "wall_s": speed * wall_s, "generations": 10, "calls": 5}
        for repetition, speed in enumerate((1, 4))
        for what, part, wall_s in (
            ("whole", "", 2.0),
            ("evaluation", "", 1.6),
            ("evaluation", "live", 1.6),
            ("files", "log", 0.1),
            ("loop", "rest", 0.3),
        )
    ]
    whole, shares, calls = generation.tables(Run("generation", "now", tuple(rows)))
    assert [list(figure.values) for figure in whole.figures] == [[1.25, 1.25], [200, 800], [160, 640]]
    assert whole.figures[0].is_held
    found = [(figure.what, figure.median) for figure in shares.figures]
    assert found == [("evaluation: live", 80), ("loop: rest", 15), ("files: log", 5)]
    assert {figure.what: list(figure.values) for figure in calls.figures}["files: log"] == [20, 80]
