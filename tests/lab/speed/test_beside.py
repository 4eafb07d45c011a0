"""Two checkouts evaluate the same genomes by turns; what one answers is what the other does."""

import pytest

from atoll.evo.errors import AtollError
from atoll.scripts.lab.kit import rows
from atoll.scripts.lab.speed import beside
from tests.lab.door import call

QUICK = ("--rounds", "2", "-p", "8", "-g", "1", "--seeds", "1")


def test_this_checkout_beside_itself_finds_the_same_fitness(tmp_path):
    code, out = call("beside", str(beside.HERE), *QUICK, "--out", str(tmp_path))
    assert code == 0
    (run,) = rows.read(tmp_path)
    assert len(run.rows) == 2 * 2 * 2 * 3  # rounds, checkouts, numbers of courses, kinds of populations
    assert beside.table(run).figures[-1].values == [1.0]
    assert "ga 1 8: times as fast" in out
    assert call("beside-report", tmp_path) == (0, out)


def test_another_fitness_is_told():
    found = [
        {"repetition": 0, "tree": tree, "name": "ga 1 8", "against": "it", "cpu_s": 1.0, "fitness": tree}
        for tree in ("here", "other")
    ]
    assert beside.table(rows.Run("beside", "now", tuple(found))).figures[-1].values == [0.0]


def test_a_checkout_that_cannot_evaluate_is_one_line(tmp_path):
    with pytest.raises(AtollError, match="ended with exit code 1"), beside.Evaluator(tmp_path, tmp_path, {}):
        pass
