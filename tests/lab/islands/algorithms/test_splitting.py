"""The table of splitting follows from rows alone, and calls better or worse what a corrected rank test tells apart."""

from __future__ import annotations

import pytest

from atoll.evo.config import SNES
from atoll.scripts.lab.islands.algorithms.splitting import splitting
from tests.lab.islands.algorithms.made import FUNCTION, WALK, job_of, row

KINDS = (SNES, f"4 x {SNES}", f"4 x {SNES}, 1 migrant", f"4 x {SNES}, isolated")


def found(problem, gains, *, seeds=20):
    return {
        kind: [row(job_of(kind, problem=problem, number=n), gain=gain) for n in range(seeds)]
        for kind, gain in zip(KINDS, gains, strict=True)
    }


def lines(problem, gains, **sizes):
    """Return the cells of each line, its heading left out."""
    text = splitting([(problem, found(problem, gains, **sizes))])
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines()[2:]]


def test_what_is_told_apart_is_called_better_or_worse():
    walks = lines(WALK, (1.0, 200, 200, 0.1))  # one population's budget is 200,000 / 37,750 times as long
    assert [line[0] for line in walks] == ["neural, 8 courses, 12,000", "neural, 8 courses, 37,750"]
    assert all(line[3].endswith("**better**") and line[5].endswith("**worse**") for line in walks)
    ((name, algorithm, *cells),) = lines(FUNCTION, (1.0, 2.0, 1.0, 0.0))
    assert (name, algorithm) == ("rotated ellipsoid", SNES)
    assert cells == ["20/20, 30,000", "20/20, 15,000 **better**", "20/20, 30,000", "0/20, ∞ **worse**"]


@pytest.mark.parametrize(("gains", "seeds"), [((1.0, 1.0, 1.0, 1.0), 20), ((1.0, 2.0, 1.0, 0.0), 2)])
def test_what_is_not_told_apart_is_not_judged(gains, seeds):
    ((_, _, *cells),) = lines(FUNCTION, gains, seeds=seeds)
    assert not any("**" in cell for cell in cells)


def test_a_kind_that_an_algorithm_is_without_has_an_empty_cell():
    of = found(FUNCTION, (1.0,) * 4, seeds=2)
    text = splitting([(FUNCTION, {kind: rows for kind, rows in of.items() if "1 migrant" not in kind})])
    assert [cell.strip() for cell in text.splitlines()[2].split("|")[1:-1]][4] == ""


def test_an_algorithm_without_islands_has_no_line():
    assert splitting([(WALK, {SNES: found(WALK, (1.0,) * 4, seeds=1)[SNES]})]) == ""
