"""Laws of origins: shares are counted by ancestor, every migrant has a fate, and what was lived again replaces."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from atoll.evo import atomic, runlog
from atoll.evo.paths import SharedPaths
from atoll.migration.observe.origins import Influx, effective_number, pooled, read_histories, read_history, shares_of
from atoll.migration.pool import epochs
from tests.strategies import seeds


@pytest.fixture
def shared(tmp_path):
    return SharedPaths(tmp_path)


def write(shared, island, lines, events=(), *, population=20):
    """Write a log whose line g has the g-th ancestry, and a ledger."""
    paths = shared.island(island)
    atomic.make_directory(paths.home)
    if not paths.epochs.exists():
        epochs.claim(paths, after=0, generation=0, target=9, population=population, task="sphere")
    for generation, ancestry in enumerate(lines):
        record = {"kind": "generation", "generation": generation, "ancestry": ancestry, "diversity": 0.5}
        runlog.append(paths.log, record)
    for event in events:
        runlog.append(paths.ledger, event)
    return paths


def imported(generation, name="b:1:0", **details):
    values = {"id": name, "source": name[0], "source_generation": 1, "fitness_here": 2.0, "ancestry": {"b": 1.0}}
    return {"kind": "imported", "generation": generation, **values, **details}


def published(generation, best=1.0):
    return {"kind": "published", "generation": generation, "best": best, "ids": ["x"]}


# The effective number of contributors


@given(st.integers(1, 30), seeds)
def test_equal_contributors_are_as_many_as_they_are_and_others_fewer(n, seed):
    assert effective_number([1 / n] * n) == pytest.approx(n)
    shares = np.random.default_rng(seed).dirichlet(np.ones(n))
    assert 1 - 1e-9 <= effective_number(list(shares)) <= n + 1e-9
    assert effective_number([*shares, 0.0]) == pytest.approx(effective_number(list(shares)))


def test_a_small_contributor_adds_little():
    assert effective_number([0.99, 0.01]) == pytest.approx(1.02, abs=0.001)


@given(st.lists(st.integers(1, 30), min_size=1, max_size=6))
def test_isolated_islands_together_have_as_many_ancestors_as_their_sizes_make(sizes):
    """Each is all its own; of equal sizes they are as many as there are islands."""
    shares = pooled([{f"i{n}": 1.0} for n in range(len(sizes))], sizes)
    assert sum(shares.values()) == pytest.approx(1)
    assert list(shares.values()) == sorted(shares.values(), reverse=True)
    assert effective_number(shares.values()) == pytest.approx(sum(sizes) ** 2 / sum(n * n for n in sizes))


def test_islands_are_pooled_by_their_numbers_of_individuals():
    assert pooled([{"a": 1.0}, {"a": 0.5, "b": 0.5}], [30, 10]) == {"a": 0.875, "b": 0.125}
    assert pooled([], []) == {}


@pytest.mark.parametrize("line", [{}, {"ancestry": 3}, {"ancestry": {"a": "x"}}, {"ancestry": {"a": 2.0}}])
def test_a_line_whose_shares_make_no_sense_has_none(line):
    assert shares_of(line) == {}


# Histories


def test_the_newest_line_is_where_the_genes_come_from_now(shared):
    write(shared, "a", [{"a": 1.0}, {"a": 0.5, "b": 0.5}])
    last = read_history(shared.island("a")).last
    assert (last.generation, last.population, last.ancestry) == (1, 20, {"a": 0.5, "b": 0.5})
    assert (last.effective, last.diversity) == (2.0, 0.5)


def test_an_island_that_has_logged_nothing_has_no_origins(shared):
    atomic.make_directory(shared.island("a").home)
    shared.island("a").log.touch()
    [history] = read_histories(shared)
    assert (history.last, history.influxes, history.fates, history.population) == (None, (), (), None)


def test_each_migration_is_an_influx_also_where_nobody_came(shared):
    events = [published(1), published(2), imported(2), imported(2, "c:1:0"), {"kind": "refused", "generation": 2}]
    write(shared, "a", [{"a": 1.0}, {"a": 1.0}, {"a": 0.75, "b": 0.25}], events)
    assert read_history(shared.island("a")).influxes == (
        Influx("a", 1, 0, 0, 0.0, 0.0, 1.0),
        Influx("a", 2, 2, 1, 0.1, 0.25, pytest.approx(1 / 0.625)),
    )


def fate_of(shared, lines, event):
    write(shared, "a", lines, [published(event["generation"]), event])
    [fate] = read_history(shared.island("a")).fates
    return fate


B, NO_B = {"a": 0.9, "b": 0.1}, {"a": 1.0}


@pytest.mark.parametrize(
    ("lines", "until"),
    [
        ([NO_B, B, B, B], 3),
        ([NO_B, B, B, NO_B], 2),
        ([NO_B, B, NO_B, B], 1),
        ([B, NO_B, B, B], 0),
        ([NO_B, NO_B, B, B], 0),
    ],
    ids=["to the end", "two generations", "it came again later", "one", "not in the line"],
)
def test_genes_are_seen_until_the_log_has_none_of_their_ancestor(shared, lines, until):
    generation = 0 if until == 0 and lines[0] == B else 1
    fate = fate_of(shared, lines, imported(generation))
    assert fate.until == (until if lines[generation] == B else None)


def test_an_ancestor_that_had_gone_before_may_come_again(shared):
    assert fate_of(shared, [NO_B, B, NO_B, B, B], imported(3)).until == 4


def test_of_several_ancestors_the_longest_seen_counts_and_the_own_island_does_not(shared):
    lines = [{"a": 1.0}, {"a": 0.5, "b": 0.4, "c": 0.1}, {"a": 0.5, "b": 0.5}]
    both = imported(1, ancestry={"a": 0.2, "b": 0.4, "c": 0.4})
    home = imported(1, "b:1:1", ancestry={"a": 1.0})
    short = imported(1, "c:1:0", ancestry={"c": 1.0})
    unsaid = {name: value for name, value in imported(1, "d:1:0").items() if name != "ancestry"}
    write(shared, "a", lines, [both, home, short, unsaid])
    assert [fate.until for fate in read_history(shared.island("a")).fates] == [2, None, 1, None]


@pytest.mark.parametrize(
    ("details", "is_led"),
    [({"led": True}, True), ({"led": False}, False), ({}, True), ({"fitness_here": 1.0}, False)],
)
def test_who_led_is_what_the_ledger_says_or_in_older_ones_who_beat_the_best_that_left(shared, details, is_led):
    assert fate_of(shared, [NO_B, B], imported(1, **details)).is_led == is_led


def test_what_was_lived_again_replaces_what_was(shared):
    paths = write(shared, "a", [NO_B, B, B], [published(1), imported(1)])
    for path in (paths.log, paths.ledger):
        runlog.append(path, {"kind": "start", "epoch": 2, "generation": 1})
    runlog.append(paths.log, {"kind": "generation", "generation": 1, "ancestry": NO_B, "diversity": 0.5})
    history = read_history(paths)
    assert history.lines == {0: NO_B, 1: NO_B}
    assert history.fates == ()


VALUES = st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=3) | st.just({"b": 1.0}) | st.just({"b": -1})
EVENTS = st.fixed_dictionaries(
    {"kind": st.sampled_from(["imported", "published", "refused", "start"]), "generation": st.integers(0, 9)},
    optional=dict.fromkeys(
        ("id", "source", "source_generation", "best", "fitness_here", "ancestry", "led", "diversity"), VALUES
    ),
)
LINES = EVENTS.map(lambda event: {**event, "kind": "generation"})


@given(st.lists(EVENTS, max_size=10), st.lists(LINES, max_size=5))
def test_whatever_stands_in_the_fields_is_no_reason_to_fail(tmp_path_factory, events, lines):
    shared = SharedPaths(tmp_path_factory.mktemp("shared"))
    paths = shared.island("a")
    atomic.make_directory(paths.home)
    paths.log.touch()
    for path, records in ((paths.ledger, events), (paths.log, lines)):
        for record in records:
            runlog.append(path, record)
    [history] = read_histories(shared)
    assert len(history.fates) == sum(event["kind"] == "imported" for event in runlog.current(events))
