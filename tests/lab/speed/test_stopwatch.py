from __future__ import annotations

import types

import pytest

from atoll.scripts.lab.speed.stopwatch import Stopwatch


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
