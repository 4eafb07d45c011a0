from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atoll.scripts.lab.parallel.threads import work as child
from atoll.scripts.lab.parallel.threads.experiments import DEFAULT, ONE, judgement, onset
from atoll.scripts.lab.parallel.threads.experiments import population_tables as tables

if TYPE_CHECKING:
    from atoll.scripts.lab.kit.rows import Row


def row(size: int, threads: str, *, first: str | None, wall_s: float = 1.0, cpu_s: float = 1.0) -> Row:
    helper_cpu_s = cpu_s / 2 if first else 0.0
    found = {"wall_s": wall_s, "cpu_s": cpu_s, "helper_cpu_s": helper_cpu_s, "first_spread": first}
    return {"what": "population", "population": size, "threads": threads, **found}


def rows_from(begins: int, sizes: list[int]) -> list[Row]:
    """Return rows of an evaluator that is spread from a population on, and then takes four times the processor time."""
    spread = [row(n, DEFAULT, first="sqrt" if n >= begins else None, cpu_s=4.0 if n >= begins else 1.0) for n in sizes]
    return [*spread, *(row(n, ONE, first=None, wall_s=2.0) for n in sizes)]


@given(st.sets(st.integers(1, 3000), min_size=1, max_size=9), st.integers(1, 3000))
def test_the_onset_is_the_smallest_that_is_spread(sizes: set[int], begins: int) -> None:
    assert onset(rows_from(begins, sorted(sizes))) == min((n for n in sizes if n >= begins), default=None)


def test_whether_it_sets_tiers_apart_follows_from_the_rows() -> None:
    text = judgement(rows_from(4, [1, 4, 200, 300, 500]))
    assert "that alone sets no tier apart" in text
    assert "production 2.00 times as fast at 4.0 times the processor time" in text
    some = judgement(rows_from(400, [200, 300, 400, 500]))
    assert "from 400 on, and not at 300" in some
    assert "holds for production, so that sets them apart" in some
    assert "at none" in judgement(rows_from(4000, [200, 300, 500])).lower()


def test_a_line_has_the_speedup_and_what_it_cost() -> None:
    operation = {"what": "operation", "operation": "add", "elements": 32769, "most_elements": 1 << 17}
    never = {"what": "operation", "operation": "sort", "elements": None, "most_elements": 1 << 17}
    operations, populations = tables([operation, never, *rows_from(4, [200])])
    assert operations.lines == [["add", "32,769"], ["sort", "none up to 131,072"]]
    [line] = populations.lines
    assert line == ["200 (small)", "sqrt", "0.50", "4.00", "0.50", "2.00", "4.00", 1]


@pytest.mark.slow
def test_adding_is_spread_where_pytorch_says_and_roots_long_before() -> None:
    """What the experiment corrects: 32,768 is the grain of the arithmetic, not of every operation."""
    assert child.run("operation", {"name": "add", "limit": 1 << 17}) == {"elements": 32769}
    assert child.run("operation", {"name": "sqrt float64", "limit": 1 << 17})["elements"] < 1000


@pytest.mark.slow
def test_one_thread_is_spread_over_none() -> None:
    settings = {"population": 40, "threads": 1, "life_s": 0.2}
    alone = child.run("population", settings)
    assert alone["first_spread"] is None
    assert alone["helper_cpu_s"] < 0.1 * alone["cpu_s"]
    if child.run("population", settings | {"threads": 2})["torch_threads"] == 2:
        assert "sqrt" in child.run("population", settings | {"threads": 2})["first_spread"]
