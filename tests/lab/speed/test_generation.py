from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from atoll.evo import compiler
from atoll.scripts.lab.kit.rows import Run
from atoll.scripts.lab.speed import generation
from atoll.scripts.lab.speed.plan import QUICK

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.slow
@pytest.mark.skipif(compiler.find() is None, reason="no C++ compiler")
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
