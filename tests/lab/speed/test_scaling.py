from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from atoll.scripts.lab.kit.rows import Run
from atoll.scripts.lab.speed import island
from atoll.scripts.lab.speed.island import Ended
from atoll.scripts.lab.speed.plan import QUICK

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(("cores", "counts"), [(1, [1]), (2, [1, 2]), (6, [1, 2, 4, 6]), (16, [1, 2, 4, 8, 16])])
def test_every_power_of_two_is_measured_and_all_cores(cores: int, counts: list[int]) -> None:
    assert island._counts(cores) == counts


@pytest.mark.slow
def test_islands_and_bare_evaluators_side_by_side_are_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda _: {0, 1})
    rows = [row for case in island.scaling_cases(QUICK, tmp_path) for row in case.measure()]
    keys = {(row["what"], row["n"]): row for row in rows}
    assert set(keys) == {*((what, n) for what in ("islands", "bare") for n in (1, 2)), ("archipelago", 3)}
    each = QUICK.population * (QUICK.generations + 1)
    for (what, n), row in keys.items():
        assert row["work"] == n * each if what == "bare" else n * QUICK.population < row["work"] < n * each
        assert row["work_per_s"] * row["wall_s"] == pytest.approx(row["work"])
    assert list(tmp_path.iterdir()) == []


def test_together_is_from_the_first_start_to_the_last_exit() -> None:
    ended = [Ended(100.0, 5.0, 4.0, 10, ""), Ended(101.0, 6.0, 5.0, 20, ""), Ended(100.5, 1.0, 1.0, 5, "")]
    found = island._together(ended, work=14)
    assert found == {"wall_s": 7.0, "cpu_s": 10.0, "work": 14, "work_per_s": 2.0, "peak_pss_bytes": 20}


def test_speed_up_is_against_one_island_of_the_same_round() -> None:
    def row(repetition: int, what: str, n: int, rate: float, cpu_s: float) -> dict:
        size = {"work": 1000.0, "peak_pss_bytes": 5_000_000, "imports": 4, "cores": 2, "wall_s": 50.0}
        return {"repetition": repetition, "what": what, "n": n, "work_per_s": rate, "cpu_s": cpu_s, **size}

    rows = (
        *(
            row(0, "islands", 1, 100, 2.0),
            row(0, "islands", 2, 196, 3.0),
            row(0, "bare", 1, 1, 1),
            row(0, "bare", 2, 2, 1),
        ),
        *(row(1, "islands", 1, 200, 2.0), row(1, "islands", 2, 380, 4.0), row(0, "archipelago", 20, 80, 90.0)),
    )
    side_by_side, archipelago = island.scaling_tables(Run("scaling", "now", rows))
    found = {figure.what: figure for figure in side_by_side.figures}
    assert list(found["2 islands / one: throughput"].values) == pytest.approx([1.96, 1.9])
    assert found["2 islands / one: throughput"].is_held
    assert list(found["2 islands: efficiency"].values) == pytest.approx([0.98, 0.95])
    assert list(found["2 islands / one: processor time per genome"].values) == [1.5, 2.0]
    assert list(found["2 processes that only evaluate / one: throughput"].values) == [2.0]
    assert archipelago.title == "An archipelago of 20 islands, exec to exit"
    assert [list(figure.values) for figure in archipelago.figures] == [[50.0], [0.9], [4], [5.0]]
