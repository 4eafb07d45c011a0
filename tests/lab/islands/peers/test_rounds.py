"""What an archipelago had spent and found after each round."""

from __future__ import annotations

import math

import numpy as np
import pytest

from atoll.evo.tasks.loader import load_task
from atoll.scripts.lab.islands.peers.rounds import Round, Watched, by_round, times

SPHERE = load_task("sphere", {"dimensions": "3"})


def test_a_watched_task_scores_as_before_and_remembers_the_best():
    watched = Watched(SPHERE)
    genes = SPHERE.spec.sample(np.random.default_rng(1), 12)
    found = [watched.evaluate(part, 0) for part in np.split(genes, 3)]
    assert np.array_equal(np.concatenate(found), SPHERE.evaluate(genes, 0))
    assert [each.evaluations for each in watched.seen] == [4, 8, 12]
    assert watched.seen[-1].best == SPHERE.evaluate(genes, 0).max()
    for column in ("best", "wall_s", "cpu_s"):
        values = [getattr(each, column) for each in watched.seen]
        assert values == sorted(values)


def test_a_round_ends_with_a_batch():
    seen = [Round(n, n, n, n) for n in (5, 10, 15)]
    assert by_round(seen, ends=[5, 15]) == [seen[0], seen[2]]
    with pytest.raises(KeyError):
        by_round(seen, ends=[6])


def test_a_run_is_seen_at_the_target_at_the_end_of_a_round_or_never():
    rows = [
        {"rounds": [(10, -5.0, 1.0, 0.5), (20, -1.0, 2.0, 1.0), (30, 0.0, 3.0, 1.5)]},
        {"rounds": [(10, -5.0, 1.0, 0.5), (20, -4.0, 4.0, 2.0)]},
    ]
    found = times(rows, -1.0, lambda each: each.evaluations)
    assert list(found.to_target) == [20, math.inf]
    assert list(found.spent) == [20, 20]
    assert list(times(rows, -1.0, lambda each: each.wall_s).spent) == [2.0, 4.0]
