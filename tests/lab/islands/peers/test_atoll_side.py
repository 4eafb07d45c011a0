"""Atoll's side: exactly the generations that the other side has, and exact rounds."""

from __future__ import annotations

from dataclasses import replace

import pytest

from atoll.evo.tasks.loader import load_task
from atoll.scripts.lab.islands.peers import atoll_side
from atoll.scripts.lab.islands.peers.plan import ATOLL, ISLANDS, MIGRANTS, POPULATION, PROBLEMS, Entry

SPHERE = load_task("sphere", {"dimensions": "3"})
ENTRY = Entry(ATOLL, {"mutation_rate": 0.1}, PROBLEMS[0], seed=1, generations=20, interval=5)


def test_every_round_ends_when_all_islands_have_lived_an_interval():
    rounds = atoll_side.live(ENTRY, SPHERE)
    assert [each.evaluations for each in rounds] == atoll_side.round_ends(ENTRY)
    assert len(rounds) == 4
    assert rounds[0].evaluations == ISLANDS * POPULATION * 6
    assert rounds[-1].evaluations == ISLANDS * (POPULATION * 21 + MIGRANTS * 4)
    assert [each.best for each in rounds] == sorted(each.best for each in rounds)


def test_equal_seeds_find_the_same():
    one, again = (atoll_side.live(ENTRY, SPHERE) for _ in range(2))
    assert [(each.evaluations, each.best) for each in one] == [(each.evaluations, each.best) for each in again]


@pytest.mark.parametrize("interval", [1, 20])
def test_without_migration_it_has_as_many_generations_and_no_immigrants(interval):
    (whole,) = atoll_side.live(replace(ENTRY, interval=interval, is_connected=False), SPHERE)
    assert whole.evaluations == ISLANDS * POPULATION * 21
